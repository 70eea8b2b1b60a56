"""`py:module:factory`, an encoder of the user's own."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from conceptbind.core.errors import UnknownNameError, ValueRangeError, quoted
from conceptbind.encoders.brief import Brief

WORKING_FOLDER: ContextVar[bool] = ContextVar(
    "whether the working folder is searched", default=True
)
"""Not where a configuration file names the encoder: a module that lies beside it may be
anybody's."""
REQUIRED = ("id", "revision", "dimension", "modalities", "encode_texts", "encode_images")


def from_factory(name: str) -> Any:
    """Import `module` and call its `factory()`, which returns an object with the contract of
    `typing.Encoder`.

    Installed modules and the folders of PYTHONPATH are searched, and then the folder in which the
    command runs; the latter not for an encoder that a configuration file names. This runs the
    user's code: it is the one scheme that does.

    Raises:
        UnknownNameError: there is no such module or function.
        ValueRangeError: the object lacks a part of the contract.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ValueRangeError(
            f"expected py:module:factory, for example py:mymodel:make_encoder; got 'py:{name}'"
        )
    places = "installed modules and PYTHONPATH"
    if WORKING_FOLDER.get():
        places += " and the working folder"
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's own code may fail in any way
        reason = f"{type(error).__name__}: {error}"
        raise UnknownNameError(
            f"could not import the module '{module_name}' of 'py:{name}': {reason}; looked in "
            f"{places}"
        ) from error
    if not callable(getattr(module, attribute, None)):
        raise UnknownNameError(f"the module '{module_name}' has no function '{attribute}'")
    try:
        encoder = getattr(module, attribute)()
    except Exception as error:
        raise ValueRangeError(
            f"the function of 'py:{name}' failed: {type(error).__name__}: {error}"
        ) from error
    found = checked(encoder, f"py:{name}")
    kind: Any = type(found)
    if kind.__repr__ is object.__repr__:
        with suppress(TypeError):  # a type that cannot be changed
            kind.__repr__ = Brief.__repr__
    return found


def checked(encoder: Any, name: str) -> Any:
    """The object itself, if it keeps the contract.

    Raises:
        ValueRangeError: it lacks a part; all missing parts are named.
    """
    missing = [part for part in REQUIRED if not hasattr(encoder, part)]
    if missing:
        raise ValueRangeError(
            f"{name} is not an encoder: {type(encoder).__name__} lacks {', '.join(missing)}; see "
            "conceptbind.core.typing.Encoder"
        )
    for part in ("id", "revision"):
        value = getattr(encoder, part)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise ValueRangeError(
                f"{name}: {part} must be a text of printable letters, which names the "
                f"{'model' if part == 'id' else 'weights'}; got {quoted(value)}"
            )
    modalities = encoder.modalities
    if isinstance(modalities, str) or not modalities or not set(modalities) <= {"text", "image"}:
        raise ValueRangeError(
            f"{name}: modalities must be a tuple of 'text', 'image' or both; "
            f"got {quoted(modalities)}"
        )
    if not isinstance(encoder.dimension, int) or encoder.dimension < 1:
        raise ValueRangeError(
            f"{name}: dimension must be a positive whole number; got {quoted(encoder.dimension)}"
        )
    return encoder
