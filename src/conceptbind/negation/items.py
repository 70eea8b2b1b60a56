"""Pairs of scenes that differ in one object's noun alone, and the captions that are asked of them.

A pair has two scenes: one holds a noun where the other holds another, and all else is the same.
Each of the two nouns is asked for in turn, so whoever prefers one of the scenes whatever is asked
is right in half of the comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.negation.wordings import ALONE, CLAUSE, EXCHANGED, FORMS, Negation
from conceptbind.scenes.captions import caption
from conceptbind.scenes.mentions import Mentions
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

NOTHING = -1
"""Where a query has no twin or no plain caption."""


@dataclass(frozen=True, eq=False)
class Twins:
    """i pairs of scenes: the second of each holds another noun in one slot, and is the same in all
    else.
    """

    first: Int[Ints, "items slots concepts"]
    """(i, m, C)"""
    second: Int[Ints, "items slots concepts"]
    slot: Int[Ints, " items"]
    """(i,) where they differ."""
    row: Int[Ints, " items"]
    """(i,) row of the table that the first is."""
    partner: Int[Ints, " items"]
    """(i,) row of the table that the second is; -1 where it is none that is known."""
    clusters: Int[Ints, " items"]
    """(i,) orbit of the first in the table: pairs of one number are one draw."""

    def __len__(self) -> int:
        return len(self.first)

    def nouns(self) -> Int[Ints, "items 2"]:
        """(i, 2) the noun that only the first holds, and that only the second holds."""
        at = np.arange(len(self)), self.slot, -1
        return np.stack([self.first[at], self.second[at]], axis=1)


@explains_arguments
def twin_scenes(
    scenes: Scenes, *, most: int | None = None, seed: int = 0, given: bool = False
) -> Twins:
    """For one scene of each orbit another that differs in the noun of one object. Neither noun is
    elsewhere in the scene.

    Args:
        scenes: the table; the noun is its last concept.
        most: pairs at most; None for one of each orbit.
        seed: of the draw.
        given: whether the second scene must be in the table, too, as where pictures are given.
    """
    rng = np.random.default_rng(seed)
    orbits = orbit_ids(scenes)
    keys = _rows_by_scene(scenes) if given else {}
    order = rng.permutation(len(scenes))
    _, place = np.unique(orbits[order], return_index=True)
    found: list[tuple[int, int, int, int]] = []
    # one scene for each orbit; where that one has no partner, the others of the orbit are not tried
    for row in order[np.sort(place)].tolist():
        if most is not None and len(found) >= most:
            break
        held = scenes.table[row, :, -1]
        alone = np.flatnonzero((held[:, None] == held).sum(axis=1) == 1)
        free = np.setdiff1d(np.arange(scenes.space.sizes[-1]), held)
        if not len(alone) or not len(free):
            continue
        choices = [
            (slot, noun) for slot in rng.permutation(alone) for noun in rng.permutation(free)
        ]
        for slot, noun in choices if given else choices[:1]:
            other = scenes.table[row].copy()
            other[slot, -1] = noun
            partner = keys.get(other.tobytes(), NOTHING)
            if not given or partner != NOTHING:
                found.append((row, int(slot), int(noun), partner))
                break
    rows, slots, nouns, partners = np.array(found, dtype=np.int64).reshape(-1, 4).T
    second = scenes.table[rows].copy()
    second[np.arange(len(rows)), slots, -1] = nouns
    return Twins(scenes.table[rows], second, slots, rows, partners, orbits[rows])


def _rows_by_scene(scenes: Scenes) -> dict[bytes, int]:
    """The first row of each scene, by its values."""
    found: dict[bytes, int] = {}
    for row, values in enumerate(scenes.table):
        found.setdefault(values.tobytes(), row)
    return found


@dataclass(frozen=True, eq=False)
class NegationBank:
    """Every caption that is compared, and q queries about the nouns of the pairs."""

    captions: Scenes
    """The different captions, of which no objects are told."""
    meaning: Float[Floats, "captions values"]
    """(c, V) how often each value is mentioned in a caption; negation is not told."""
    wordings: tuple[str, ...]
    """(w,) names."""
    left_out: tuple[str, ...]
    """Names of wordings that the encoder does not read."""
    item: Int[Ints, " queries"]
    """(q,) which pair is asked about."""
    target: Int[Ints, " queries"]
    """(q,) which of the pair's scenes holds the noun that is negated: 0 or 1."""
    form: Int[Ints, " queries"]
    """(q,) place in `wordings.FORMS`."""
    wording: Int[Ints, " queries"]
    """(q,) place in `wordings`."""
    negated: Int[Ints, " queries"]
    """(q,) row of the caption."""
    affirmative: Int[Ints, " queries"]
    """(q,) row of its twin; -1 where "no" was moved to the other noun."""
    plain: Int[Ints, " queries"]
    """(q,) row of the same caption without the clause; -1 where there is no clause."""
    described: Int[Ints, "items 2"]
    """(i, 2) rows of the captions of both scenes, in the table's own words."""

    def __len__(self) -> int:
        return len(self.item)


@explains_arguments
def negation_bank(
    scenes: Scenes, twins: Twins, known: Sequence[Negation], left_out: tuple[str, ...] = ()
) -> NegationBank:
    """The captions that are asked, and those of the scenes themselves.

    Args:
        scenes: the table.
        twins: pairs of its scenes.
        known: wordings that the encoder reads.
        left_out: names of wordings that it does not read, for the record.

    Raises:
        ValueRangeError: there are no pairs or no wordings.
    """
    if not len(twins) or not known:
        raise ValueRangeError(
            f"negation needs pairs of scenes and wordings that are read; got {len(twins):,} pairs "
            f"and {len(known)} wordings"
        )
    written = _Captions(scenes)
    names = tuple(dict.fromkeys(one.name for one in known))
    rows: list[tuple[int, ...]] = []
    for item, nouns in enumerate(twins.nouns().tolist()):
        base = np.delete(twins.first[item], twins.slot[item], axis=0)
        for target, (noun, other) in enumerate((nouns, nouns[::-1])):
            for one in known:
                about = item, target
                word = names.index(one.name)
                if one.form == ALONE:
                    told = written.asked(one, None, noun)
                    rows.append((*about, FORMS.index(ALONE), word, *told, NOTHING))
                    continue
                if len(base):
                    told = written.asked(one, base, noun)
                    plain = written.of(base)
                    rows.append((*about, FORMS.index(CLAUSE), word, *told, plain))
                moved = written.exchanged(one, other, noun)
                rows.append((*about, FORMS.index(EXCHANGED), word, moved, NOTHING, NOTHING))
    both = np.stack([twins.first, twins.second], axis=1).reshape(-1, *twins.first.shape[1:])
    described = [written.described(one) for one in both]
    item, target, form, wording, negated, affirmative, plain = np.array(rows, dtype=np.int64).T
    captions = Scenes.unlabelled(f"negations of {scenes.name}", captions=tuple(written.numbers))
    meaning = np.stack(written.meanings)
    return NegationBank(
        captions,
        meaning,
        names,
        left_out,
        item,
        target,
        form,
        wording,
        negated,
        affirmative,
        plain,
        np.array(described, dtype=np.int64).reshape(-1, 2),
    )


class _Captions(Mentions):
    """Captions that negate, their twins, and those of the scenes."""

    def asked(self, one: Negation, base: Ints | None, noun: int) -> tuple[int, int]:
        """Rows of a negated caption and of its twin."""
        said = "" if base is None else self.said(base)
        values = self.mention(noun) if base is None else self.counts(base) + self.mention(noun)
        negated, affirmative = one.texts(said, self.word(noun))
        return self.row(negated, values), self.row(affirmative, values)

    def exchanged(self, one: Negation, there: int, absent: int) -> int:
        """Row of a caption that says that one noun is there and another is not."""
        values = self.mention(there) + self.mention(absent)
        return self.row(one.texts(self.one(there), self.word(absent))[0], values)

    def described(self, objects: Ints) -> int:
        """Row of the caption of a scene, in the words of its table."""
        text = caption(self.space, objects, self.scenes.template)
        return self.row(text, self.counts(objects))
