"""The public surface, as `import conceptbind` shows it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import conceptbind

SOURCE = Path(conceptbind.__file__).parent


@pytest.mark.parametrize("stub", sorted(SOURCE.rglob("__init__.pyi")), ids=lambda p: p.parent.name)
def test_every_public_name_is_what_its_room_defines(stub):
    room = ".".join(stub.parent.relative_to(SOURCE.parent).parts)
    surface = importlib.import_module(room)
    imports = [n for n in ast.parse(stub.read_text()).body if isinstance(n, ast.ImportFrom)]
    assert imports
    for node in imports:
        home = importlib.import_module(f"{room}.{node.module}")
        for name in node.names:
            assert getattr(surface, name.name) is getattr(home, name.name)
            assert name.name in surface.__all__


def test_no_module_hides_a_public_name():
    """Importing a submodule sets an attribute of the package: `conceptbind.measure` must stay the
    function.
    """
    modules = {module.name for module in pkgutil.iter_modules(conceptbind.__path__)}
    assert not modules & set(conceptbind.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No conceptbind attribute nothing"):
        _ = conceptbind.nothing
