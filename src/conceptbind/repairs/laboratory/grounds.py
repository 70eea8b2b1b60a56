"""What the methods are compared on: scenes and their swaps, or pairs in arrays. Both say which rows
are fitted on, which choose and which are scored, fold by fold, and score a fitted map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.repairs.arrays import FOLDED, JUDGED, MOST, require_repairable
from conceptbind.repairs.held_pairs import HeldPairs, by_pair
from conceptbind.repairs.held_scenes import FOLDS, HeldScenes, fold_rows, parts_of_scenes
from conceptbind.repairs.labclip.cost import Scores
from conceptbind.repairs.labclip.estimator import groups_of
from conceptbind.repairs.labclip.pairs import MOST_NEGATIVES, Pairs, read_unit
from conceptbind.repairs.laboratory.contract import Fitted, Side
from conceptbind.repairs.study import require_swaps
from conceptbind.scenes.swaps import orbit_ids, pair_ids

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.scenes.table import Scenes

    Rows = Int[Ints, " rows"]


class Scored(NamedTuple):
    """Outcomes of items that were scored."""

    values: Float[Floats, " items"]
    """(k,) from 0 to 1."""
    ties: Bool[Bools, " items"]
    """(k,)"""
    ids: Int[Ints, " items"]
    """(k,) which items these are; those that several folds score are averaged."""
    clusters: Int[Ints, " items"]
    """(k,) items that are one draw."""


def pooled(parts: Sequence[Scored]) -> Scored:
    """The outcomes of all folds, each item once."""
    values, ties, ids, clusters = (np.concatenate(part) for part in zip(*parts, strict=True))
    every, first, place = np.unique(ids, return_index=True, return_inverse=True)
    counts = np.bincount(place)
    tied = np.bincount(place, ties) > 0
    return Scored(np.bincount(place, values) / counts, tied, every, clusters[first])


class Fold(NamedTuple):
    """Rows of one fold."""

    train: Int[Ints, " train"]
    chooses: Int[Ints, " chooses"]
    test: Int[Ints, " test"]


class Ground(Protocol):
    """What methods are compared on."""

    @property
    def side(self) -> Side:
        """What a map of captions is called: of captions beside pictures, or of queries."""

    @property
    def names(self) -> Mapping[str, Any]:
        """`scenes` and `encoder` of the records, and what else they are about."""

    @property
    def folds(self) -> Sequence[Fold]:
        """Every part is scored once, by a map that was fitted without it."""

    @property
    def again(self) -> Sequence[tuple[Rows, Rows]]:
        """Rows to fit what is written on, and rows that choose, part by part; empty where the map
        that was scored is written.
        """

    @property
    def n_negatives(self) -> int:
        """Negatives of a caption, where several are asked for."""

    def pairs(self, rows: Rows, *, several: bool) -> Pairs:
        """Pairs to fit on, with one negative of each caption or with several."""

    def scores(self, fitted: Fitted, rows: Rows) -> Scores:
        """What a map achieves on validation."""

    def outcome(self, fitted: Fitted, rows: Rows) -> dict[Metric, Scored]:
        """What a map achieves on rows that it never saw, metric by metric."""

    def by_setting(self, fitted: Fitted, rows: Rows) -> dict[str, Scored]:
        """The metric that decides, setting by setting; empty where there is one alone."""


def require_folds(scenes: Scenes, bank: CaptionBank) -> None:
    """Raise unless the scenes offer enough swaps for folds.

    Args:
        scenes: the table.
        bank: `caption_bank(scenes)`.

    Raises:
        ValueRangeError: they do not; says what to do.
    """
    if len(np.unique(orbit_ids(scenes)[bank.swap_of])) < FOLDS:
        require_swaps(None, scenes)


class SceneGround:
    """Scenes, their captions and the swaps of these.

    Args:
        held: rows of one encoder on a table.
        names: `scenes` and `encoder` of the records.
        seed: decides the folds.
    """

    side: Side = "text"

    def __init__(self, held: HeldScenes, names: Mapping[str, str], seed: int) -> None:
        self.held, self.names = held, names
        self.orbits = orbit_ids(held.scenes)
        part_of = parts_of_scenes(self.orbits, held.bank.swap_of, seed)
        self.folds = []
        for fold in range(FOLDS):
            chooses, train = fold_rows(part_of, fold)
            self.folds.append(Fold(train, chooses, np.flatnonzero(part_of == fold)))
        self.again = [
            (np.flatnonzero(part_of != part), np.flatnonzero(part_of == part))
            for part in range(FOLDS)
        ]
        swaps = np.bincount(held.bank.swap_of)
        self.n_negatives = min(2 * int(swaps.max()), MOST_NEGATIVES)

    @cached_property
    def _several(self) -> tuple[Pairs, Ints]:
        """Both captions of every scene, each with all its swaps in both orders of mention; and the
        scene of each. Swaps of a scene that has fewer are repeated.
        """
        bank, y = self.held.bank, self.held.y
        scenes = np.unique(bank.swap_of)
        false = np.empty((len(scenes), self.n_negatives), dtype=np.int64)
        for place, scene in enumerate(scenes.tolist()):
            swaps = bank.swaps[bank.swap_of == scene].reshape(-1)
            false[place] = np.resize(swaps, self.n_negatives)
        true, of = bank.true[scenes].reshape(-1), np.repeat(scenes, 2)
        false = np.repeat(false, 2, axis=0)
        meaning = pair_ids(bank.scenes)
        pairs = Pairs.of(
            self.held.x,
            y[true],
            y[false],
            image_of=of,
            text_ids=meaning[true],
            negative_ids=meaning[false],
        )
        return pairs, of

    def pairs(self, rows: Rows, *, several: bool) -> Pairs:  # noqa: D102
        pairs, of = self._several if several else (self.held.pairs, self.held.pair_scene)
        return pairs.select(np.flatnonzero(np.isin(of, rows)))

    def scores(self, fitted: Fitted, rows: Rows) -> Scores:  # noqa: D102
        return self.held.scores(rows, fitted.captions, fitted.pictures)

    def by_setting(self, fitted: Fitted, rows: Rows) -> dict[str, Scored]:  # noqa: D102
        return {}

    def outcome(self, fitted: Fitted, rows: Rows) -> dict[Metric, Scored]:  # noqa: D102
        held, bank, orbits = self.held, self.held.bank, self.orbits
        x = held.x if fitted.pictures is None else fitted.pictures(held.x)
        y = held.y if fitted.captions is None else fitted.captions(held.y)
        swaps, won, tied = held.choices(rows, y, x)
        right, by_tie = within(*held.ranks(rows, y, x), 1)
        found = {
            Metric.BINDING_ACCURACY: Scored(won.mean(1), tied, swaps, orbits[bank.swap_of[swaps]]),
            Metric.RECALL_AT_1: Scored(right.astype(float), by_tie, rows, orbits[rows]),
        }
        if held.singles is not None:
            hits, ties = held.singles_right(fitted.captions, fitted.pictures)
            items, objects = np.arange(len(hits)), held.singles.objects
            found[Metric.SINGLE_OBJECT_ACCURACY] = Scored(hits.astype(float), ties, items, objects)
        # the caption in its other order of mention, among one caption for each set of objects
        other = np.where(bank.true[:, 0] == bank.sets, bank.true[:, 1], bank.true[:, 0])
        some = rows[other[rows] != bank.sets[rows]]
        if len(some):
            hits, ties = within(*ranks(y[other[some]], y[held.candidates], held.own[some]), 1)
            paraphrased = Scored(hits.astype(float), ties, some, orbits[some])
            found[Metric.PARAPHRASE_RECALL_AT_1] = paraphrased
        return found


@dataclass(frozen=True, eq=False)
class Paraphrases:
    """Captions and a paraphrase of each, which were not fitted on."""

    captions: Float[Floats, "captions width"]
    """(m, d)"""
    paraphrases: Float[Floats, "captions width"]
    """(m, d)"""


class PairGround:
    """Pairs in arrays: pictures, captions and negatives; or documents, queries and negatives.

    Args:
        pairs: n pairs.
        names: `scenes` and `encoder` of the records.
        seed: decides the folds.
        paraphrases: to see what a map of captions costs among captions.

    Raises:
        ShapeError: pictures and captions of two widths.
        ValueRangeError: pairs that cannot be divided.
    """

    side: Side = "text"

    def __init__(
        self,
        pairs: Pairs,
        names: Mapping[str, str],
        seed: int,
        paraphrases: Paraphrases | None = None,
    ) -> None:
        self.all, self.names, self.seed, self.paraphrases = pairs, names, seed, paraphrases
        plan, self.again = require_repairable(pairs, seed)
        self.folds = [Fold(*rows) for rows in plan]
        self.groups = groups_of(pairs)
        self.n_negatives = pairs.n_negatives

    def pairs(self, rows: Rows, *, several: bool) -> Pairs:  # noqa: D102
        pairs = self.all.select(rows)
        return pairs if several or pairs.n_negatives < 2 else pairs.with_first_negative()

    def scores(self, fitted: Fitted, rows: Rows) -> Scores:  # noqa: D102
        most = MOST if len(self.all) <= FOLDED else JUDGED
        held = HeldPairs.of(self.all, rows, most, self.seed)
        return held.scores(fitted.captions, fitted.pictures)

    def by_setting(self, fitted: Fitted, rows: Rows) -> dict[str, Scored]:  # noqa: D102
        return {}

    def outcome(self, fitted: Fitted, rows: Rows) -> dict[Metric, Scored]:  # noqa: D102
        held = HeldPairs.of(self.all, rows, MOST, self.seed)
        found = {}
        for metric, (values, ties) in held.outcome(fitted.captions, fitted.pictures).items():
            if ties is not None:
                tied = by_pair(ties) > 0
                clusters = self.groups[held.rows]
                found[Metric(metric)] = Scored(by_pair(values), tied, held.rows, clusters)
        if self.paraphrases is not None:
            found[Metric.PARAPHRASE_RECALL_AT_1] = self._paraphrased(fitted)
        return found

    def _paraphrased(self, fitted: Fitted) -> Scored:
        """Each caption among all paraphrases; with a map of queries alone documents stay."""
        assert self.paraphrases is not None
        every = np.arange(len(self.paraphrases.captions))
        one = read_unit(self.paraphrases.captions, every)
        two = read_unit(self.paraphrases.paraphrases, every)
        if fitted.captions is not None:
            one = fitted.captions(one)
            two = two if fitted.side == "query" else fitted.captions(two)
        hits, ties = within(*ranks(one, two, every), 1)
        return Scored(hits.astype(float), ties, every, every)
