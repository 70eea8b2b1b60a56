"""What a description's fields find in an entry of a published file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conceptbind.core.errors import MismatchError

_BRACES = re.compile(r"\{([^{}]*)\}")
LIST = "[]"
"""What the name of a field ends in that holds a list."""
PERHAPS = "?"
"""What the name of a text ends in that an entry may lack."""
ABSENT = object()
"""What is found where a field is not there."""


class Entry:
    """One entry of a file, and how it is spoken of in messages.

    Args:
        content: a dictionary, a list, or a text.
        where: file and number.
    """

    def __init__(self, content: Any, where: str) -> None:
        self.content, self.where = content, where

    def value(self, field: str) -> Any:
        """What a field holds: `a.b` inside `a`, a number in a list, of `a|b` the first that is
        there.

        Raises:
            MismatchError: it is not there.
        """
        found = next((v for v in map(self.at, field.split("|")) if v is not ABSENT), ABSENT)
        if found is ABSENT:
            raise MismatchError(
                f"{self.where}: expected the field '{field:.60}'; an entry has only {self._has()}"
            )
        return found

    def text(self, field: str) -> str:
        """A field, or a pattern with fields in braces, as text. One whose name ends in `?` is empty
        where it is not there.

        Raises:
            MismatchError: it is not there, or is no text and no whole number.
        """
        if "{" in field:
            return _BRACES.sub(lambda match: self.text(match[1]), field)
        if field.endswith(PERHAPS):
            return self._perhaps(field.removesuffix(PERHAPS))
        found = self.value(field)
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise MismatchError(f"{self.where}: '{field:.60}' must be text; it is {found!r:.60}")
        return str(found)

    def _perhaps(self, field: str) -> str:
        found = (self.at(name) for name in field.split("|"))
        there = any(value is not ABSENT and value is not None for value in found)
        return self.text(field) if there else ""

    def texts(self, fields: Sequence[str], parse: Mapping[str, Any]) -> list[str]:
        """The texts of several fields; one whose name ends in `[]` holds a list of them.

        Args:
            fields: their names.
            parse: what reads a field's text, by its name.

        Raises:
            MismatchError: one is no text.
        """
        found: list[str] = []
        for field in fields:
            name = field.removesuffix(LIST)
            value = self.value(name)
            if name in parse and isinstance(value, str):
                value = parse[name](value, f"{self.where}, {name}")
            several = self._list(name, value) if field.endswith(LIST) else [value]
            wrong = next((text for text in several if not isinstance(text, str)), ABSENT)
            if wrong is not ABSENT:
                raise MismatchError(f"{self.where}: '{name:.60}' must be text; got {wrong!r:.60}")
            found += several
        return found

    def values(self, field: str) -> list[Any]:
        """What a field holds; all of a list, where its name ends in `[]`.

        Raises:
            MismatchError: it is not there, or is no list.
        """
        if not field.endswith(LIST):
            return [self.value(field)]
        name = field.removesuffix(LIST)
        return self._list(name, self.value(name))

    def _list(self, name: str, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise MismatchError(f"{self.where}: '{name:.60}' must be a list; got {value!r:.60}")
        return list(value)

    def whole(self, field: str) -> int:
        """A field as a whole number, which a table holds as text.

        Raises:
            MismatchError: it is none.
        """
        found = self.value(field)
        try:
            number = float(found)
            if isinstance(found, bool) or number != int(number):
                raise ValueError
        except (TypeError, ValueError, OverflowError) as error:
            raise MismatchError(
                f"{self.where}: '{field:.60}' must be a whole number; it is {found!r:.60}"
            ) from error
        return int(number)

    def number(self, field: str) -> float:
        """A field as a number.

        Raises:
            MismatchError: it is none.
        """
        found = self.value(field)
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise MismatchError(
                f"{self.where}: '{field:.60}' must be a number; it is {found!r:.60}"
            ) from error

    def at(self, path: str) -> Any:
        """What lies at a path, such as `a.b` or `1.POS`; `ABSENT` where nothing does."""
        found = self.content
        for part in path.strip().split("."):
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, list | tuple) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                return ABSENT
        return found

    def _has(self) -> str:
        if isinstance(self.content, Mapping):
            return ", ".join(f"{name!s:.40}" for name in list(self.content)[:12]) or "nothing"
        if isinstance(self.content, list | tuple):
            return f"{len(self.content)} values in a list"
        return f"{self.content!r:.60}"
