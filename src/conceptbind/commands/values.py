"""Values of options: what a word or a file says, as the type that a command expects."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import msgspec

from conceptbind.commands.command import Option
from conceptbind.commands.kinds import is_list, kind_in_words
from conceptbind.core.errors import ValueRangeError, cut, quoted

TRUTH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
"""How a switch may be written; `--name` alone says yes, `--no-name` says no."""
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
        unquoted = " without quotation marks" if str(value).lower() in TRUTH else ""
        raise ValueRangeError(
            f"{file}: {option.name}: expected true or false{unquoted}; got {quoted(value)}"
        )
    try:
        return as_option(option, value)
    except ValueRangeError as error:
        raise ValueRangeError(f"{file}: {_complaint(option, value)}") from error


def wrong_value(option: Option, value: object) -> ValueRangeError:
    """The error of a value that is none for an option."""
    return ValueRangeError(f"--{_complaint(option, value)}; {ADVICE}")


def _complaint(option: Option, value: object) -> str:
    shown = "nothing" if value in ("", None) else cut(str(value))
    return f"{option.name}: expected {kind_in_words(option.kind)}; got {shown}"
