"""A query of several parts as one caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conceptbind.querying.language import QueryPart

NEGATED = ("{base} without {absent}", "{base} and no {absent}")
"""Ways to say what is absent, the first that an encoder reads is taken."""
ALONE = ("no {absent}", "without {absent}")
"""The same where nothing is asked for."""


def whole_caption(parts: Sequence[QueryPart], reads: Callable[[str], bool]) -> str | None:
    """All parts as one caption: "red square and blue circle without triangle".

    Args:
        parts: of the query.
        reads: whether an encoder knows the words of a caption, and does not cut it.

    Returns:
        None where the encoder reads no word for what is absent.
    """
    base = joined([part.text for part in parts if not part.negated], "and")
    absent = joined([part.text for part in parts if part.negated], "or")
    if not absent:
        return base
    forms = NEGATED if base else ALONE
    said = (form.format(base=base, absent=absent) for form in forms)
    return next(filter(reads, said), None)


def joined(texts: Sequence[str], word: str) -> str:
    """Texts as a list in words: "x", "x and y", "x, y and z".

    Args:
        texts: what is listed.
        word: stands before the last.
    """
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {word} {texts[-1]}"
