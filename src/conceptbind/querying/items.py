"""Queries of several parts about scenes, and which scenes are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.scenes.mentions import Mentions
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints

TOGETHER, WITHOUT, BOTH = "together", "without", "together_without"
FORMS = (TOGETHER, WITHOUT, BOTH)
"""All objects of a scene; one of them and a noun that is absent; all of them and such a noun."""
ABSENT = ("{base} without {the}", "{base} and no {bare}")
"""Ways to say in one caption what is absent; the first that is read is taken."""


@dataclass(frozen=True, eq=False)
class PartQueries:
    """q queries of one form among t documents."""

    form: str
    negated: Bool[Bools, " parts"]
    parts: Int[Ints, "queries parts"]
    """(q, p) rows of the captions."""
    whole: Int[Ints, " queries"] | None
    """(q,) row of the caption for everything; None where the encoder reads no word for what is
    absent."""
    right: Bool[Bools, "queries documents"]
    """(q, t) whether a document holds all that is asked for, and nothing that should be absent."""
    swapped: Bool[Bools, "queries documents"]
    """(q, t) whether it is a swap of the scene that the query is about."""
    scene: Int[Ints, " queries"]
    """(q,) document that the query is about."""
    clusters: Int[Ints, " queries"]
    """(q,) its orbit: queries of one number are one draw."""

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True, eq=False)
class QueryBank:
    """Captions of parts and of whole queries, each once."""

    captions: Scenes
    meaning: Float[Floats, "captions values"]
    """(c, V) how often each value is mentioned."""
    queries: tuple[PartQueries, ...]
    """One for each form."""


@explains_arguments
def query_bank(
    documents: Scenes,
    scenes: Int[Ints, " scenes"],
    reads: Callable[[str], bool] = lambda _: True,
    seed: int = 0,
) -> QueryBank:
    """Queries about some scenes, one for each set of objects: its objects, and a noun that is in
    none of them.

    Args:
        documents: the table of what is searched.
        scenes: rows of it that queries are formed from. Scenes with two equal objects are left
            out, and forms with an absent noun where all nouns are there.
        reads: whether an encoder knows the words of a caption.
        seed: draws which object and which noun.
    """
    rng = np.random.default_rng(seed)
    chosen = _one_of_each(documents, scenes)
    written = _Written(documents)
    rows: dict[str, list[tuple[list[int], int | None, int, int]]] = {form: [] for form in FORMS}
    absent_form = _absent_form(written, documents, reads)
    for row in chosen.tolist():
        objects = documents.table[row]
        own = [written.of(objects[k : k + 1]) for k in range(len(objects))]
        rows[TOGETHER].append((own, written.of(objects), row, -1))
        free = np.setdiff1d(np.arange(documents.space.sizes[-1]), objects[:, -1])
        if not len(free):
            continue
        slot, noun = int(rng.integers(len(objects))), int(rng.choice(free))
        missing = written.noun(noun)
        for form, held, parts in (
            (WITHOUT, objects[slot : slot + 1], own[slot : slot + 1]),
            (BOTH, objects, own),
        ):
            whole = None if absent_form is None else written.without(absent_form, held, noun)
            about = slot if form == WITHOUT else -1
            rows[form].append(([*parts, missing], whole, row, about))
    nouns = written.nouns
    found = [_form(form, rows[form], documents, nouns) for form in FORMS if rows[form]]
    captions = Scenes.unlabelled(f"queries of {documents.name}", captions=tuple(written.numbers))
    return QueryBank(captions, np.stack(written.meanings), tuple(found))


def _one_of_each(documents: Scenes, scenes: Ints) -> Ints:
    """One scene of each set of objects, all of them different."""
    ordered = np.sort(documents.objects[scenes], axis=1)
    distinct = scenes[(np.diff(ordered, axis=1) > 0).all(axis=1)]
    _, first = np.unique(pair_ids(documents)[distinct], return_index=True)
    chosen: Ints = distinct[np.sort(first)]
    return chosen


def _absent_form(written: _Written, documents: Scenes, reads: Callable[[str], bool]) -> str | None:
    objects = documents.table[0]
    texts = {form: written.said_without(form, objects, 0) for form in ABSENT}
    return next((form for form, text in texts.items() if reads(text)), None)


def _form(
    form: str,
    rows: Sequence[tuple[list[int], int | None, int, int]],
    documents: Scenes,
    nouns: dict[int, int],
) -> PartQueries:
    """The queries of one form with their right documents."""
    parts = np.array([one[0] for one in rows], dtype=np.int64)
    scene = np.array([one[2] for one in rows], dtype=np.int64)
    wholes = [one[1] for one in rows]
    right = np.empty((len(rows), len(documents)), dtype=bool)
    for query, (mine, _, row, slot) in enumerate(rows):
        wanted = documents.objects[row] if slot < 0 else documents.objects[row, slot : slot + 1]
        held = (documents.objects[:, :, None] == wanted).any(axis=1).all(axis=1)
        if form != TOGETHER:
            held &= ~(documents.table[:, :, -1] == nouns[mine[-1]]).any(axis=1)
        right[query] = held
    negated = np.zeros(parts.shape[1], dtype=bool)
    negated[-1] = form != TOGETHER
    orbits = orbit_ids(documents)
    return PartQueries(
        form,
        negated,
        parts,
        None if None in wholes else np.array(wholes, dtype=np.int64),
        right,
        (orbits[scene][:, None] == orbits) & ~right,
        scene,
        orbits[scene],
    )


class _Written(Mentions):
    """Captions of parts and of whole queries."""

    def __init__(self, scenes: Scenes) -> None:
        super().__init__(scenes)
        self.nouns: dict[int, int] = {}
        """Row of a caption to the noun that it is."""

    def noun(self, noun: int) -> int:
        """Row of the caption of a noun: "a circle"."""
        row = self.row(self.one(noun), self.mention(noun))
        self.nouns[row] = noun
        return row

    def without(self, form: str, objects: Ints, noun: int) -> int:
        """Row of the caption of objects and a noun that is absent."""
        values = self.counts(objects) + self.mention(noun)
        return self.row(self.said_without(form, objects, noun), values)

    def said_without(self, form: str, objects: Ints, noun: int) -> str:
        """Its text."""
        return form.format(base=self.said(objects), bare=self.word(noun), the=self.one(noun))
