"""A query of one or several parts, asked of an index before and after a repair, with the hits that
hold what was asked for in the wrong places marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.app import recipes, words
from conceptbind.app.phrases import CLEAR, pairs_said, same_colour
from conceptbind.app.trial import LONGEST, Pairs
from conceptbind.core.errors import UnknownNameError, ValueRangeError, nearest
from conceptbind.querying.captions import whole_caption
from conceptbind.querying.first import DIGITS, first_of
from conceptbind.querying.language import parse_query
from conceptbind.querying.ways import Asked, cosines_with

if TYPE_CHECKING:
    from jaxtyping import Float, Num

    from conceptbind.app.model import Model
    from conceptbind.core.typing import Floats
    from conceptbind.querying.language import QueryPart
    from conceptbind.querying.ways import Way
    from conceptbind.rows.indexes.contract import Rows
    from conceptbind.scenes.table import Scenes

TOP = 10
"""Hits that are shown."""
MOST_PARTS = 12
MOST_COUNTED = 100_000
"""Documents of which it is looked up what each holds, at most."""
OFFERED: Mapping[Way, str] = {
    "sum": "sum of the parts",
    "min": "the least part",
    "project": "without the directions of absent parts",
    "whole": "one caption for all",
}


@dataclass(frozen=True)
class Hit:
    """A document that was found."""

    name: str
    score: float
    mark: str
    """`right`; `swap` (all is there, bound otherwise), or `error` where such a one stands before or
    level with one that is right; `other`; or empty where nobody knows."""
    picture: str | None
    """A data address; None where there is no picture."""


@dataclass(frozen=True)
class Sides:
    """The hits of a query before and after the repair."""

    before: tuple[Hit, ...]
    after: tuple[Hit, ...] | None
    """Hits after the repair; None without one."""
    sentences: tuple[str, ...]
    python: str


@dataclass(frozen=True, eq=False)
class Searched:
    """What is searched, and what is known of it."""

    rows: Num[Floats, "documents width"] | Rows
    name: Callable[[int], str]
    """What a document is called."""
    told: str
    """What is searched, in words."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Options of `conceptbind.query` that search the same."""
    contents: Callable[[int], Pairs | None] = lambda _: None
    """Attribute and noun of each object of a document; None where nobody says."""
    vocabulary: frozenset[str] = CLEAR
    """Words that exclude each other: a document that holds none of the wanted ones is another."""
    picture: Callable[[int], str | None] = lambda _: None
    """A document as a data address."""

    @cached_property
    def held(self) -> list[Pairs | None] | None:
        """What every document holds; None where there are too many."""
        n = len(self.rows)
        return [self.contents(row) for row in range(n)] if n <= MOST_COUNTED else None

    def found(self, model: Model, text: str, way: str) -> Sides:
        """The first documents of a query.

        Args:
            model: the encoder that made the rows, and its repair.
            text: the query.
            way: how its parts are joined.

        Raises:
            ConceptBindError: the query cannot be read or asked; the message says what to do.
        """
        if way not in OFFERED:
            raise UnknownNameError(f"unknown way '{way:.60}'; {nearest(way, OFFERED)}")
        if len(text) > LONGEST:
            raise ValueRangeError(
                f"expected a query of at most {LONGEST:,} characters; got {len(text):,}; shorten it"
            )
        parts = parse_query(text)
        if len(parts) > MOST_PARTS:
            raise ValueRangeError(
                f"expected at most {MOST_PARTS} parts; got {len(parts)}; leave some out"
            )
        chosen: Way = next(one for one in OFFERED if one == way)
        asked = _asked(model, parts, chosen)
        marks = self._marks(meaning_of(parts))
        before, *after = [self._hits(one, chosen, marks) for one in asked]
        known = None if marks is None else [mark for mark in marks if mark]
        told = list(map(_marks_of, (before, *after)))
        sentences = words.of_search(told, len(self.rows), known)
        python = recipes.of_search(model, self.recipe, text, chosen, TOP)
        return Sides(tuple(before), tuple(after[0]) if after else None, sentences, python)

    def _marks(self, wanted: Wanted | None) -> list[str] | None:
        """What every document is to a query, empty where nobody knows; None where that is so of
        all.
        """
        if wanted is None or self.held is None:
            return None
        marks = [wanted.mark(pairs, self.vocabulary) for pairs in self.held]
        return marks if any(marks) else None

    def _hits(self, asked: Asked, way: Way, marks: Sequence[str] | None) -> list[Hit]:
        cosines = cosines_with(asked.vectors(way), self.rows)
        scores = asked.scored(way, cosines).values
        rounded = np.round(scores.astype(np.float64), DIGITS)
        right = [] if marks is None else [row for row, one in enumerate(marks) if one == "right"]
        least = min(rounded[right].tolist(), default=np.inf)

        def mark(row: int) -> str:
            if marks is None:
                return ""
            return "error" if marks[row] == "swap" and rounded[row] >= least else marks[row]

        return [
            Hit(self.name(row), float(scores[row]), mark(row), self.picture(row))
            for row in first_of(scores, TOP).tolist()
        ]


def _marks_of(hits: Sequence[Hit]) -> list[str]:
    return [hit.mark for hit in hits]


def _asked(model: Model, parts: Sequence[QueryPart], way: Way) -> list[Asked]:
    """The query before the repair, and after it where there is one."""
    texts = [part.text for part in parts]
    if way == "whole":
        said = whole_caption(parts, model.reads)
        if said is None:
            raise ValueRangeError(
                f"{model.id} does not know a word for what is absent, so one caption cannot say "
                "the whole query; choose another way"
            )
        texts.append(said)
    before, after = model.captions(texts)
    negated, n = np.array([part.negated for part in parts]), len(parts)

    def asked(rows: Float[Floats, "texts width"]) -> Asked:
        return Asked(rows[:n], negated, rows[n] if way == "whole" else None)

    return [asked(before), *([] if after is None else [asked(after)])]


@dataclass(frozen=True)
class Wanted:
    """What a query asks for: attribute and noun of each object."""

    there: Pairs
    absent: tuple[Pairs, ...]

    def mark(self, held: Pairs | None, vocabulary: frozenset[str] = CLEAR) -> str:
        """What a document is to the query; empty where that is not settled.

        Args:
            held: attribute and noun of each of its objects.
            vocabulary: words that exclude each other; of others nobody knows whether a blouse is
                the shirt that is asked for.
        """
        if not held:
            return ""
        if any(pairs <= held for pairs in self.absent):
            return "other"
        said = frozenset().union(held, self.there, *self.absent)
        clear = vocabulary.issuperset(chain.from_iterable(said))
        if self.there <= held:
            return "right" if clear or not self.absent else ""
        attributes, nouns = map(set, zip(*held, strict=True))
        bound_otherwise = all(one in attributes and noun in nouns for one, noun in self.there)
        if bound_otherwise:
            return "swap"
        return "other" if clear else ""


def meaning_of(parts: Sequence[QueryPart]) -> Wanted | None:
    """What a query asks for; None where a part is not an attribute and a noun.

    Args:
        parts: of the query.
    """
    there: set[tuple[str, str]] = set()
    absent = []
    for part in parts:
        pairs = pairs_said(part.text)
        if pairs is None:
            return None
        if part.negated:
            absent.append(pairs)
        else:
            there |= pairs
    return Wanted(frozenset(there), tuple(absent))


def vocabulary_of(table: Scenes) -> frozenset[str]:
    """The values of a table: an object has one of each concept, and so no other.

    Args:
        table: its last concept is the noun.
    """
    return frozenset(same_colour(value) for values in table.space.values for value in values)


def contents_of(table: Scenes) -> Callable[[int], Pairs | None]:
    """What the scenes of a table hold: every attribute with the noun of its object.

    Args:
        table: its last concept is the noun.
    """
    *attributes, noun = range(len(table.space.concepts))
    values = table.space.values

    def of(row: int) -> Pairs:
        scene = table.table[row].tolist()
        return frozenset(
            (same_colour(values[k][one[k]]), values[noun][one[noun]])
            for one in scene
            for k in attributes
        )

    return of
