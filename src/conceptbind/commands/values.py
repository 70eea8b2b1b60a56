"""Values of options: what a word or a file says, as the type that a command expects."""

from __future__ import annotations

from collections import abc
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

import msgspec

from conceptbind.commands.command import Option
from conceptbind.core.errors import ValueRangeError

TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
"""How a switch may be written; `--name` alone says yes, `--no-name` says no."""
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
"""What types of options are called in messages."""
NOTHING = "null"
"""How an option that may be left out is written where a file gives it a value."""
ADVICE = "see conceptbind --help, or conceptbind COMMAND --help"


def as_option(option: Option, value: object) -> object:
    """A value as the type of an option.

    Raises:
        ValueRangeError: it is of another type.
    """
    if option.optional and value == NOTHING:
        return None
    if option.kind is bool and isinstance(value, str):
        value = TRUTH.get(value.lower(), value)
    if is_list(option.kind) and isinstance(value, list):
        (kind,) = get_args(option.kind)
        part = replace(option, kind=kind)
        return tuple(as_option(part, each) for each in value)
    try:
        return msgspec.convert(value, option.kind, strict=False)
    except msgspec.ValidationError as error:
        raise wrong_value(option, value) from error


def from_file(option: Option, value: object, file: str) -> object:
    """A value of a file of options as the type of an option.

    Raises:
        ValueRangeError: it is of another type; a switch is no text. Names the file.
    """
    if option.kind is bool and not isinstance(value, bool):
        quoted = " without quotation marks" if str(value).lower() in TRUTH else ""
        raise ValueRangeError(
            f"{file}: {option.name}: expected true or false{quoted}; got {value!r:.60}"
        )
    try:
        return as_option(option, value)
    except ValueRangeError as error:
        raise ValueRangeError(f"{file}: {_complaint(option, value)}") from error


def wrong_value(option: Option, value: object) -> ValueRangeError:
    """The error of a value that is none for an option."""
    return ValueRangeError(f"--{_complaint(option, value)}; {ADVICE}")


def _complaint(option: Option, value: object) -> str:
    shown = "nothing" if value in ("", None) else value
    return f"{option.name}: expected {kind_in_words(option.kind)}; got {shown!s:.60}"


def is_list(kind: object) -> bool:
    """Whether an option takes several values."""
    return get_origin(kind) is abc.Sequence


def kind_in_words(kind: Any) -> str:
    """What a type of Python is called to somebody who writes options."""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if is_list(kind):
        return f"a list, each {kind_in_words(*get_args(kind))}"
    if get_args(kind):
        return " or ".join(kind_in_words(part) for part in get_args(kind) if part is not type(None))
    return KINDS.get(kind, str(kind))
