"""Types of options: what they are called, and whether a value that a program gives is of one."""

from __future__ import annotations

import numbers
from collections import abc
from typing import Any, Literal, get_args, get_origin

from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest, quoted

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
"""What types of options are called in messages."""


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


def require_kind(name: str, kind: Any, value: object) -> None:
    """See that what a program gives for an option is of the option's type.

    Args:
        name: of the option.
        kind: its type.
        value: what was given.

    Raises:
        UnknownNameError: it is none of the option's words; names the nearest.
        ValueRangeError: it is of another type.
    """
    words = [part for part in _parts(kind) if get_origin(part) is Literal]
    if words and isinstance(value, str) and value not in get_args(words[0]):
        raise UnknownNameError(
            f"unknown {name.replace('_', ' ')} '{cut(value)}'; {nearest(value, get_args(words[0]))}"
        )
    if not any(_fits(part, value) for part in _parts(kind)):
        got = "nothing" if value is None else quoted(value)
        raise ValueRangeError(f"{name}: expected {kind_in_words(kind)}; got {got}")


def _parts(kind: Any) -> tuple[Any, ...]:
    """The types of which a value may have any; one for most options."""
    whole = get_origin(kind) is Literal or is_list(kind) or not get_args(kind)
    return (kind,) if whole else get_args(kind)


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value is of a type that is no union."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # numbers and switches of numpy
    if is_list(kind):
        (each,) = get_args(kind)
        alone = each is str and isinstance(value, str)
        return alone or (
            isinstance(value, list | tuple) and all(_fits(each, part) for part in value)
        )
    if kind in (int, float):
        wanted: type = numbers.Integral if kind is int else numbers.Real
        return isinstance(value, wanted) and not isinstance(value, bool)
    if get_origin(kind) is Literal:
        return value in get_args(kind) if isinstance(value, str) else False
    return isinstance(value, kind)
