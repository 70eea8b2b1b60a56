"""Can a linear map of captions repair the binding, what does it cost, and why does it work? (arXiv
2502.03566, sections 5 and 6.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import gain_record, mean_record, plain_record
from conceptbind.crossmodal.comparing import dot
from conceptbind.crossmodal.study import by_object, query_texts
from conceptbind.metrics.retrieval import within
from conceptbind.probes.linear import LinearProbe
from conceptbind.probes.threads import in_order, steady
from conceptbind.repairs.effect import BeforeAfter
from conceptbind.repairs.held_scenes import (
    FOLDS,
    ORDERS,
    HeldScenes,
    Singles,
    fold_rows,
    parts_of_scenes,
)
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.cost import (
    PULLS,
    Point,
    mean_curve,
    recommend,
    trade_off,
)
from conceptbind.repairs.labclip.estimator import Fit, first_that_helps, fit_pairs
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Bools, Encoder, Floats, Ints
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.rows.embeddings import Embeddings

PROTOCOLS = (Repair.NONE, Repair.SB, Repair.HNB)
"""No repair; fitted on pictures and captions alone; with the attribute swaps as hard negatives."""
GALLERY = 12
SINGLE_PICTURES = 8
"""Pictures of each single object."""


@dataclass(frozen=True)
class RepairedScene:
    """A picture between its caption and its swap, before and after."""

    id: str
    values: Mapping[str, Sequence[str]]
    """What is in it: the values of each concept."""
    image: Path | None
    true: str
    swap: str
    right_before: bool
    right_after: bool


class ScoredSwap(NamedTuple):
    """A scene and one of its swaps, compared in the four orders of mention of both captions."""

    id: str
    image: str | None
    true: str
    swap: str
    right_before: int
    """How many of the four were right before."""
    right_after: int
    mended: int
    """Those of the four that the repair turned right."""
    spoiled: int


@dataclass(frozen=True, eq=False)
class RepairStudy(BeforeAfter):
    """Before and after a linear repair, on combinations of concepts that it never saw."""

    cosines: dict[str, Float[Floats, " swaps"]]
    """Protocol to (s,) cosine of each caption with its swap."""
    probe_cosines: dict[str, Float[Floats, "attributes values"]]
    """`before` and `after` to (A, V) cosine of the picture probe with the caption probe of each
    noun and attribute."""
    by_object: dict[str, Float[Floats, " objects"]]
    """Protocol to (|O|,) binding accuracy of the scenes that hold each object; NaN where none
    does."""
    gallery: tuple[RepairedScene, ...]
    object_names: tuple[str, ...]
    """(|O|,)"""
    comparisons: tuple[ScoredSwap, ...]
    """Every scene and swap that was scored."""
    orders: int = ORDERS
    """Comparisons of a scene with a swap."""

    @property
    def gain(self) -> Record:
        """In binding accuracy, on new combinations."""
        return self.value(Metric.BINDING_GAIN)

    @property
    def n_mended(self) -> int:
        """Single comparisons that the repair turned right; (n_mended - n_spoiled) / n_compared is
        the gain.
        """
        return sum(scored.mended for scored in self.comparisons)

    @property
    def n_spoiled(self) -> int:
        """Single comparisons that it turned wrong."""
        return sum(scored.spoiled for scored in self.comparisons)

    @property
    def n_compared(self) -> int:
        """Single comparisons: four a scene and swap, for both have two orders of mention."""
        return ORDERS * len(self.comparisons)

    def value(self, metric: str, repair: str = Repair.HNB, control: str = Control.NONE) -> Record:
        """The record of a metric."""
        return self.records.one(metric=metric, repair=repair, control=control)


@explains_arguments
@steady()
def repair_study(
    images: Embeddings,
    captions: Embeddings,
    scenes: Scenes,
    bank: CaptionBank,
    *,
    singles: Singles | None = None,
    controls: Mapping[str, tuple[Embeddings, Embeddings]] | None = None,
    pull: float | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda name: None,
) -> RepairStudy | None:
    """Fit LABCLIP with and without hard negatives and score new combinations.

    Parts are drawn by orbit: a combination, its other order and its attribute swaps are on one
    side, so no caption or negative of a scored scene was fitted on. Every part is scored once, by a
    map that was fitted on three others and stopped by a fourth. How far to pull is one number for
    all of them, the one that the mean of the five validation curves recommends. A scene that is
    scored has a say in it, through a map that did not see it, and through this number alone. What
    is written is fitted once more, on four parts with the fifth to stop it, at the same pull. Or it
    is the identity, where the paired gain does not clear its noise.

    Args:
        images: pictures of the n scenes.
        captions: of the bank's captions, by the same encoder.
        scenes: the table.
        bank: `caption_bank(scenes)`.
        singles: pictures of single objects; None leaves single-object recognition out.
        controls: pictures and captions of other encoders, by name (a bag-of-concepts twin must not
            be repairable).
        pull: share of the way from the identity, which is then written whatever it gains; None for
            the recommended one.
        options: of `fit_pairs`.
        seed: of the parts, the fits, the intervals and the gallery.
        on_step: called with what was done.

    Returns:
        None where no scene has an attribute swap, or there are fewer orbits with one than parts.
    """
    if len(bank.swap_of) == 0:
        return None
    orbits = orbit_ids(scenes)
    if len(np.unique(orbits[bank.swap_of])) < FOLDS:
        return None
    fold_of = parts_of_scenes(orbits, bank.swap_of, seed)
    options = dict(options or {})
    common = {"study": "repair", "scenes": scenes.name, "encoder": images.encoder, "split": "test"}
    records: list[Record] = []
    outcomes: dict[Repair, _Outcome] = {}
    curve: tuple[Point, ...] = ()
    chosen = 0.0
    compared: dict[str, tuple[Embeddings, Embeddings]] = {
        Control.NONE: (images, captions),
        **(controls or {}),
    }
    for control, (x, y) in compared.items():
        own_rows = control == Control.NONE
        x.check(scenes)
        y.check(bank.scenes)
        side = _Side(x.unit().values, y.unit().values, scenes, bank, singles if own_rows else None)
        found = {Repair.NONE: _Outcome(side)}
        for fold in range(FOLDS):
            found[Repair.NONE].add(np.flatnonzero(fold_of == fold), None)
        pulls = {Repair.NONE: 0.0}
        for name in PROTOCOLS[1:] if own_rows else (Repair.HNB,):
            fits, curves = [], []
            ranked = own_rows and name == Repair.HNB
            fit_fold = partial(side.fit_fold, fold_of, name, options, seed, pull, ranked=ranked)
            for fold, (fit, points) in enumerate(in_order(fit_fold, range(FOLDS))):
                fits.append(fit)
                curves.append(points)
                on_step(f"repair, {name if own_rows else control}, fold {fold + 1}")
            mean = mean_curve(curves)
            pulls[name] = recommend(mean) if pull is None else pull
            found[name] = _Outcome(side)
            for fold, fit in enumerate(fits):
                found[name].add(
                    np.flatnonzero(fold_of == fold),
                    fit.adapter.pulled(pulls[name]) if pulls[name] else None,
                )
            if own_rows and name == Repair.HNB:
                curve, chosen = mean, pulls[name]
        facts = {**common, "control": control, "folds": FOLDS}
        for name, outcome in found.items():
            records += outcome.records(orbits, {**facts, "repair": name, "pull": pulls[name]})
            if name != Repair.NONE:
                records += outcome.gains(
                    found[Repair.NONE], orbits, {**facts, "repair": name, "pull": pulls[name]}
                )
        if own_rows:
            outcomes, own = found, side
    final = _fit_again(own, fold_of, options, seed)
    tried = final.adapter.pulled(chosen)
    before, after = outcomes[Repair.NONE], outcomes[Repair.HNB]
    probes = {
        "before": _probe_cosines(own.x, own.first_captions(), scenes),
        "after": _probe_cosines(own.x, tried(own.first_captions()), scenes),
    }
    records += _explanations(probes, own, tried, {**common, "split": "all"}, chosen)
    on_step("repair, explained")
    study = RepairStudy(
        Records(records),
        final,
        tried,
        chosen,
        pull is not None,
        curve,
        FOLDS,
        {name: outcome.cosines() for name, outcome in outcomes.items()},
        probes,
        {name: outcome.by_object() for name, outcome in outcomes.items()},
        _gallery(before, after, seed),
        _object_names(scenes),
        _compared(before, after),
    )
    return study.settled(besides=[Repair.SB])


def _fit_again(side: _Side, fold_of: Ints, options: Mapping[str, Any], seed: int) -> Fit:
    """What is written: fitted on all parts but one that stops it."""
    return first_that_helps(
        side.fit(
            np.flatnonzero(fold_of != part),
            np.flatnonzero(fold_of == part),
            Repair.HNB,
            options,
            seed,
        )
        for part in range(FOLDS)
    )


class _Side(HeldScenes):
    """One encoder's unit rows, and what can be fitted and scored on them."""

    def first_captions(self) -> Floats:
        """(n, d) the caption of each scene as listed."""
        return self.y[self.bank.true[:, 0]]

    def fit(
        self, train: Ints, validation: Ints, protocol: str, options: Mapping[str, Any], seed: int
    ) -> Fit:
        """Fit on the captions of some scenes, choose on those of others."""
        pairs = self.pairs if protocol == Repair.HNB else self.pairs.without_negatives()
        parts = [
            pairs.select(np.flatnonzero(np.isin(self.pair_scene, rows)))
            for rows in (train, validation)
        ]
        return fit_pairs(*parts, seed=seed, **options)

    def fit_fold(
        self,
        fold_of: Ints,
        protocol: str,
        options: Mapping[str, Any],
        seed: int,
        pull: float | None,
        fold: int,
        *,
        ranked: bool,
    ) -> tuple[Fit, tuple[Point, ...]]:
        """The fit that a fold is scored with, and its curve on validation."""
        chooses, train = fold_rows(fold_of, fold)
        fit = self.fit(train, chooses, protocol, options, seed)
        return fit, self.curve(fit.adapter, chooses, pull, ranked=ranked)

    def curve(
        self, adapter: Adapter, validation: Ints, pull: float | None, *, ranked: bool
    ) -> tuple[Point, ...]:
        """What a map achieves on validation on the way to it, and (`ranked`) with its change cut to
        a rank.
        """
        pulls = PULLS if pull is None else (0.0, pull)
        ranks = None if ranked else ()
        points = trade_off(adapter, partial(self.scores, validation), pulls, ranks)
        if adapter.config["protocol"] == Repair.SB:  # who has no negatives cannot choose by them
            points = tuple(
                replace(point, scores=replace(point.scores, binding=None)) for point in points
            )
        return points


class _Outcome:
    """The test scores of one protocol, gathered over folds."""

    def __init__(self, side: _Side) -> None:
        bank, n = side.bank, len(side.scenes)
        self.side = side
        self.swaps: Ints = np.zeros(0, dtype=np.int64)
        self.won = np.zeros((len(bank.swap_of), ORDERS), dtype=bool)
        self.binding, self.tied = (
            np.full(len(bank.swap_of), np.nan),
            np.zeros(len(bank.swap_of), dtype=bool),
        )
        self.cosine = np.full(len(bank.swap_of), np.nan)
        self.rank, self.rank_ties = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.singles: list[tuple[Bools, Bools]] = []

    def add(self, rows: Ints, adapter: Adapter | None) -> None:
        """Score the test scenes of a fold."""
        side = self.side
        y = side.y if adapter is None else adapter(side.y)
        swaps, won, tied = side.choices(rows, y)
        self.won[swaps], self.binding[swaps], self.tied[swaps] = won, won.mean(1), tied
        self.cosine[swaps] = dot(
            y[side.bank.true[side.bank.swap_of[swaps], 0]], y[side.bank.swaps[swaps, 0]]
        )
        self.rank[rows], self.rank_ties[rows] = side.ranks(rows, y)
        if side.singles is not None:
            self.singles.append(side.singles_right(adapter))

    def records(self, orbits: Ints, facts: Mapping[str, Any]) -> list[Record]:
        """Every metric with an interval that draws the scenes of an orbit together."""
        scored = np.flatnonzero(~np.isnan(self.binding))
        of = orbits[self.side.bank.swap_of[scored]]
        found = [
            mean_record(
                Metric.BINDING_ACCURACY,
                self.binding[scored],
                int(self.tied[scored].sum()),
                of,
                **facts,
            )
        ]
        rows = np.flatnonzero(self.rank)
        for k in (1, 5):
            if k < len(self.side.candidates):
                right, by_tie = within(self.rank[rows], self.rank_ties[rows], k)
                found.append(
                    mean_record(
                        f"recall_at_{k}",
                        right.astype(float),
                        int(by_tie.sum()),
                        orbits[rows],
                        **facts,
                    )
                )
        if self.side.singles is not None:
            right = np.mean([outcome for outcome, _ in self.singles], axis=0)
            tied = int(np.logical_or.reduce([tie for _, tie in self.singles]).sum())
            found.append(
                mean_record(
                    Metric.SINGLE_OBJECT_ACCURACY, right, tied, self.side.singles.objects, **facts
                )
            )
        found.append(
            mean_record(Metric.CAPTION_SWAP_COSINE, self.cosine[scored], None, of, "mean", **facts)
        )
        return found

    def gains(self, before: _Outcome, orbits: Ints, facts: Mapping[str, Any]) -> list[Record]:
        """The paired difference to no repair."""
        scored = np.flatnonzero(~np.isnan(self.binding))
        difference = (self.binding - before.binding)[scored]
        found = [
            gain_record(
                Metric.BINDING_GAIN, difference, orbits[self.side.bank.swap_of[scored]], **facts
            )
        ]
        rows = np.flatnonzero(self.rank)
        retrieved = (self.rank[rows] == 1).astype(float) - (before.rank[rows] == 1)
        found.append(gain_record(Metric.RECALL_GAIN, retrieved, orbits[rows], **facts))
        if self.side.singles is not None:
            difference = self._singles() - before._singles()
            objects = self.side.singles.objects
            found.append(gain_record(Metric.SINGLE_OBJECT_GAIN, difference, objects, **facts))
        return found

    def _singles(self) -> Floats:
        """(k,) how often each picture of a single object is recognised, over folds."""
        return np.mean([right for right, _ in self.singles], axis=0)

    def cosines(self) -> Floats:
        """(s,) cosine of each scored caption with its swap."""
        return self.cosine[~np.isnan(self.cosine)]

    def by_object(self) -> Floats:
        """(|O|,) binding accuracy of the scenes that hold each object."""
        of, scored = self.side.bank.swap_of, ~np.isnan(self.binding)
        n = len(self.side.scenes)
        total, count = (
            np.bincount(of[scored], self.binding[scored], n),
            np.bincount(of[scored], minlength=n),
        )
        return by_object(
            np.divide(total, count, out=np.full(n, np.nan), where=count > 0), self.side.scenes
        )


def _object_names(scenes: Scenes) -> tuple[str, ...]:
    space = scenes.space
    return tuple(map(space.object_name, range(space.n_objects)))


@explains_arguments
def single_objects(encoder: Encoder, scenes: Scenes, seed: int = 0) -> Singles | None:
    """Pictures of every single object of a drawn table, and their captions; None where the table is
    not drawn flat, or of one object.

    Args:
        encoder: an encoder of pictures and captions.
        scenes: the scene table.
        seed: decides places, sizes and grounds.
    """
    from conceptbind.pictures.flat import draw_flat

    if scenes.drawing != "flat" or len(scenes.space.concepts) != 2:
        return None
    colors, shapes = scenes.space.values
    objects = np.repeat(np.arange(scenes.space.n_objects), SINGLE_PICTURES)
    rng = np.random.default_rng(seed)
    values = scenes.space.object_values(objects)
    pictures = [draw_flat([(colors[c], shapes[s])], rng)[0] for c, s in values.tolist()]
    images = np.concatenate(
        [
            np.asarray(encoder.encode_images(pictures[i : i + 64]), dtype=np.float32)
            for i in range(0, len(pictures), 64)
        ]
    )
    queries = np.asarray(encoder.encode_texts(query_texts(scenes, None)), dtype=np.float32)
    images, queries = (
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in (images, queries)
    )
    return Singles(images, objects, queries)


def _probe_cosines(images: Floats, texts: Floats, scenes: Scenes) -> Floats:
    """(A, V) cosine of the picture probe's row with the caption probe's, for each noun A and
    attribute V (of the first concept).

    For every noun a softmax regression from the embedding to its attribute (arXiv 2502.03566,
    section 6). Rows are centred over attributes, since adding one vector to all of them changes no
    probability. NaN where a noun has too few scenes.
    """
    sizes = scenes.space.sizes
    cosines = np.full((sizes[-1], sizes[0]), np.nan)
    if len(sizes) < 2 or images.shape[1] != texts.shape[1]:
        return cosines
    for noun in range(sizes[-1]):
        once = np.flatnonzero((scenes.table[:, :, -1] == noun).sum(1) == 1)
        attribute = scenes.table[once][scenes.table[once, :, -1] == noun][:, 0]
        values = np.unique(attribute)
        if len(values) < 2 or len(once) < 2 * len(values):
            continue
        weights = []
        for rows in (images[once], texts[once]):
            weight = LinearProbe(l2=1e-3, whitening=0.0).fit(rows - rows.mean(0), attribute).coef_
            weights.append(weight - weight.mean(0))
        lengths = np.linalg.norm(weights[0], axis=1) * np.linalg.norm(weights[1], axis=1)
        cosines[noun, values] = (weights[0] * weights[1]).sum(1) / lengths
    return cosines


def _explanations(
    probes: Mapping[str, Floats],
    side: _Side,
    adapter: Adapter,
    facts: Mapping[str, Any],
    pull: float,
) -> list[Record]:
    """Probe cosines and modality gaps before and after."""
    records = []
    # the captions that the study between pictures and captions takes the gap of
    every = side.y[np.unique(side.bank.true)]
    for name, when, moved, captions in (
        (Repair.NONE, "before", 0.0, every),
        (Repair.HNB, "after", pull, adapter(every)),
    ):
        own = {"repair": name, "pull": moved}
        known = probes[when][~np.isnan(probes[when])]
        for metric, value, n in (
            (Metric.PROBE_COSINE, float(known.mean()) if len(known) else None, len(known)),
            (
                Metric.MODALITY_GAP,
                float(np.linalg.norm(side.x.mean(0) - captions.mean(0))),
                len(captions),
            ),
        ):
            if value is not None:
                records.append(plain_record(metric, value, n, None, None, **facts, **own))
    return records


def _compared(before: _Outcome, after: _Outcome) -> tuple[ScoredSwap, ...]:
    """Every scored scene and swap with what was right before and after."""
    bank, scenes = before.side.bank, before.side.scenes
    found = []
    for swap in np.flatnonzero(~np.isnan(before.binding)).tolist():
        row = int(bank.swap_of[swap])
        then, now = before.won[swap], after.won[swap]
        found.append(
            ScoredSwap(
                scenes.ids[row],
                None if scenes.images is None else str(scenes.images[row]),
                bank.scenes.caption(int(bank.true[row, 0])),
                bank.scenes.caption(int(bank.swaps[swap, 0])),
                int(then.sum()),
                int(now.sum()),
                int((now & ~then).sum()),
                int((then & ~now).sum()),
            )
        )
    return tuple(found)


def _gallery(before: _Outcome, after: _Outcome, seed: int) -> tuple[RepairedScene, ...]:
    """Comparisons that the repair mended, then some that it left or made wrong."""
    side = before.side
    rng = np.random.default_rng(seed)
    mended = rng.permutation(np.flatnonzero((before.binding < 0.5) & (after.binding > 0.5)))[
        : 2 * GALLERY // 3
    ]
    wrong = rng.permutation(np.flatnonzero(after.binding < 0.5))[: GALLERY - len(mended)]
    scenes, bank = side.scenes, side.bank
    found = []
    for swap in (*mended, *wrong):
        row = int(bank.swap_of[swap])
        image = (
            None if scenes.images is None else (scenes.image_folder or Path()) / scenes.images[row]
        )
        true, other = (
            bank.scenes.caption(int(caption))
            for caption in (bank.true[row, 0], bank.swaps[swap, 0])
        )
        found.append(
            RepairedScene(
                scenes.ids[row],
                scenes.values_in(row),
                image,
                true,
                other,
                before.binding[swap] > 0.5,
                after.binding[swap] > 0.5,
            )
        )
    return tuple(found)


@explains_arguments
def require_swaps(study: RepairStudy | None, scenes: Scenes) -> RepairStudy:
    """The study, or the error that says why there is none.

    Args:
        study: what `repair_study` returned.
        scenes: the table that it was given.
    """
    if study is None:
        raise ValueRangeError(
            f"the scenes '{scenes.name}' offer too few attribute swaps to fit a repair and to "
            "score it on others; use scenes with two objects or more that differ in both concepts"
        )
    return study
