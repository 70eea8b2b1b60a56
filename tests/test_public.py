"""The public surface, as `import conceptbind` shows it."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import conceptbind


def test_every_public_name_is_what_its_room_defines():
    for name, home in conceptbind._HOME.items():
        assert getattr(conceptbind, name) is getattr(
            importlib.import_module(f"conceptbind.{home}"), name
        )


def test_no_module_hides_a_public_name():
    """Importing a submodule sets an attribute of the package: `conceptbind.measure` must stay the
    function.
    """
    modules = {module.name for module in pkgutil.iter_modules(conceptbind.__path__)}
    assert not modules & set(conceptbind._HOME)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = conceptbind.nothing
