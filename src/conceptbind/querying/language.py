"""The language of queries: parts between commas, and a minus before what should be absent.

`red square, blue circle, -triangle` asks for both objects and no triangle. Quotes hold a comma or a
minus that belongs to a part (`"salt, pepper"`), and so does a backslash before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from conceptbind.core.errors import ValueRangeError

EXAMPLE = "red square, blue circle, -triangle"


@dataclass(frozen=True)
class QueryPart:
    """One part of a query."""

    text: str
    negated: bool = False
    """Whether it should be absent."""

    def __str__(self) -> str:
        return f"-{self.text}" if self.negated else self.text


def parse_query(text: str) -> tuple[QueryPart, ...]:
    """The parts of a query, in order.

    Args:
        text: such as `red square, blue circle, -triangle`.

    Raises:
        ValueRangeError: a part is empty or a minus alone, a quote does not end, nothing stands
            behind a backslash, or a part is both asked for and excluded. The message says where.
    """
    if not text.strip():
        raise ValueRangeError(f"the query is empty; write parts with commas between: {EXAMPLE}")
    parts = [_part(letters, number) for number, letters in enumerate(_pieces(text), 1)]
    said = {(part.text.casefold(), part.negated) for part in parts}
    for part in parts:
        if (part.text.casefold(), not part.negated) in said:
            raise ValueRangeError(
                f"the query both asks for '{part.text:.60}' and excludes it; leave out one of them"
            )
    return tuple(parts)


def _pieces(text: str) -> list[list[tuple[str, bool]]]:
    """The letters of each part, and whether each stands in quotes or behind a backslash."""
    found: list[list[tuple[str, bool]]] = [[]]
    quoted = escaped = False
    for letter in text:
        if escaped:
            found[-1].append((letter, True))
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            found.append([])
        else:
            found[-1].append((letter, quoted))
    if quoted:
        raise ValueRangeError(
            f"a quote in the query '{text:.60}' does not end; close it, or write \\\" for a quote "
            "that belongs to a part"
        )
    if escaped:
        raise ValueRangeError(
            f"the query '{text:.60}' ends in a backslash; write \\\\ for one that belongs to a part"
        )
    return found


def _part(letters: list[tuple[str, bool]], number: int) -> QueryPart:
    """One part from its letters; blanks around it and around its minus do not count."""
    first = next((k for k, (letter, _) in enumerate(letters) if not letter.isspace()), None)
    if first is None:
        raise ValueRangeError(
            f"part {number} of the query is empty; leave out one comma, or write \\, for a comma "
            "that belongs to a part"
        )
    negated = letters[first] == ("-", False)
    said = "".join(letter for letter, _ in letters[first + negated :]).strip()
    if not said:
        raise ValueRangeError(
            f"part {number} of the query is a minus alone; write what should be absent behind it, "
            "as in -triangle"
        )
    if negated and said.startswith("-"):
        raise ValueRangeError(
            f"part {number} of the query begins with two minus signs; write one, or \\- for one "
            "that belongs to the part"
        )
    return QueryPart(said, negated)
