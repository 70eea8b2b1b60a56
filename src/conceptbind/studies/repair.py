"""Can a linear map of captions repair the binding, what does it cost, and why does it work? (arXiv 2502.03566, sections 5 and 6.)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.errors import ValueRangeError
from conceptbind.labclip import Adapter, Fit, Pairs, fit_pairs
from conceptbind.labclip.cost import PULLS, Point, Scores, recommend, trade_off
from conceptbind.metrics import forced_choice, ranks
from conceptbind.probes import LinearProbe
from conceptbind.results import Record
from conceptbind.scenes import Scenes, orbit_ids, pair_ids
from conceptbind.studies.crossmodal import by_object, compare, dot, either_order, mean_record, plain_record, query_texts

if TYPE_CHECKING:
    from conceptbind.embeddings import Embeddings
    from conceptbind.studies.crossmodal import CaptionBank
    from conceptbind.typing import Bools, Encoder, Floats, Ints

SMALL, FOLDS, PARTS = 2000, 5, 10
"""Tables of up to so many scenes are divided into five parts of their orbits, and each part is scored by a map that was fitted without it;
larger ones into ten, of which one is scored."""
PROTOCOLS = ("none", "SB", "HNB")
"""No repair; fitted on pictures and captions alone; with the attribute swaps as hard negatives."""
GALLERY = 12
SINGLE_PICTURES = 8
"""Pictures of each single object."""


class Singles(NamedTuple):
    """Pictures of single objects, to see what a repair does to plain recognition."""

    images: Floats
    """(k, d) unit rows."""
    objects: Ints
    """(k,) which object each picture shows."""
    queries: Floats
    """(|O|, d) the caption of each object."""


@dataclass(frozen=True)
class RepairedScene:
    """A picture between its caption and its swap, before and after."""

    id: str
    image: Path | None
    true: str
    swap: str
    right_before: bool
    right_after: bool


@dataclass(frozen=True, eq=False)
class RepairStudy:
    """Before and after a linear repair, on combinations that it never saw."""

    records: tuple[Record, ...]
    fit: Fit
    """Fitted on all orbits but those that chose: what `conceptbind repair` writes."""
    adapter: Adapter
    """That fit at its recommended pull."""
    curve: tuple[Point, ...]
    """What each pull and rank achieves on validation, means over the folds."""
    cosines: dict[str, Floats]
    """Protocol to (s,) cosine of each caption with its swap."""
    probe_cosines: dict[str, Floats]
    """`before` and `after` to (A, V) cosine of the picture probe with the caption probe of each noun and attribute."""
    by_object: dict[str, Floats]
    """Protocol to (|O|,) binding accuracy of the scenes that hold each object; NaN where none does."""
    gallery: tuple[RepairedScene, ...]
    object_names: tuple[str, ...]
    """(|O|,)"""
    n_mended: int
    """Comparisons that the repair turned right."""
    n_spoiled: int
    """Comparisons that it turned wrong."""
    folds: int

    def value(self, metric: str, repair: str = "HNB", control: str = "none") -> Record:
        """The record of a metric."""
        return next(r for r in self.records if (r.metric, r.extra["repair"], r.extra["control"]) == (metric, repair, control))


def repair_study(
    images: Embeddings, captions: Embeddings, scenes: Scenes, bank: CaptionBank, *, singles: Singles | None = None,
    controls: Mapping[str, tuple[Embeddings, Embeddings]] | None = None, pull: float | None = None, options: Mapping[str, Any] | None = None,
    seed: int = 0, on_step: Callable[[str], None] = lambda name: None,
) -> RepairStudy | None:  # fmt: skip
    """Fit LABCLIP with and without hard negatives and score unseen combinations.

    Parts are drawn by orbit: a combination, its other order and its attribute swaps are on one side, so no caption or negative of a
    scored scene was fitted on. In each fold one part is scored once and another chooses when to stop and how far to pull.

    Args:
        images: pictures of the n scenes.
        captions: of the bank's captions, by the same encoder.
        scenes: the table.
        bank: `caption_bank(scenes)`.
        singles: pictures of single objects; None leaves single-object recognition out.
        controls: pictures and captions of other encoders, by name (a bag-of-concepts twin must not be repairable).
        pull: share of the way from the identity; None for the recommended one, chosen on validation.
        options: of `fit_pairs`.
        seed: of the parts, the fits, the intervals and the gallery.
        on_step: called with what was done.

    Returns:
        None where no scene has an attribute swap, or there are fewer orbits with one than parts.
    """
    if len(bank.swap_of) == 0:
        return None
    orbits = orbit_ids(scenes)
    swappable = np.unique(orbits[bank.swap_of])
    n_parts = FOLDS if len(scenes) <= SMALL else PARTS
    if len(swappable) < n_parts:
        return None
    part_of = np.zeros(orbits.max() + 1, dtype=np.int64)
    part_of[np.random.default_rng(seed).permutation(swappable)] = np.arange(len(swappable)) % n_parts
    fold_of = part_of[orbits]  # (n,)
    folds = FOLDS if len(scenes) <= SMALL else 1
    options = dict(options or {})
    common = {"study": "repair", "scenes": scenes.name, "encoder": images.encoder, "split": "test"}
    records: list[Record] = []
    outcomes: dict[str, _Outcome] = {}
    curves: list[tuple[Point, ...]] = []
    for control, (x, y) in {"none": (images, captions), **(controls or {})}.items():
        x.check(scenes)
        y.check(bank.scenes)
        side = _Side(x.unit().values, y.unit().values, scenes, bank, singles if control == "none" else None)
        protocols = PROTOCOLS if control == "none" else ("none", "HNB")
        found = {name: _Outcome(side) for name in protocols}
        pulls = []
        for fold in range(folds):
            test, validation = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of == (fold + 1) % n_parts)
            train = np.flatnonzero((fold_of != fold) & (fold_of != (fold + 1) % n_parts))
            for name in protocols:
                adapter = None
                if name != "none":
                    adapter, points = side.pulled(side.fit(train, validation, name, options, seed), validation, pull)
                    if name == "HNB":
                        pulls.append(adapter.config["pull"])
                        if control == "none":
                            curves.append(points)
                found[name].add(test, adapter)
            on_step(f"repair, {'fold' if control == 'none' else control} {fold + 1}")
        for name, outcome in found.items():
            extra = {"control": control, "repair": name, "folds": folds}
            if name == "HNB":
                extra |= {"pull": float(np.mean(pulls))}
            records += outcome.records(orbits, {**common, **extra})
        records += found["HNB"].gains(found["none"], orbits, {**common, "control": control, "repair": "HNB", "folds": folds})
        if control == "none":
            outcomes, own = found, side
    rest, chooses = np.flatnonzero(fold_of != 0), np.flatnonzero(fold_of == 0)
    final = own.fit(rest, chooses, "HNB", options, seed)
    adapter, _ = own.pulled(final, chooses, pull)
    before, after = outcomes["none"], outcomes["HNB"]
    probes = {
        "before": _probe_cosines(own.x, own.first_captions(), scenes),
        "after": _probe_cosines(own.x, adapter(own.first_captions()), scenes),
    }
    records += _explanations(probes, own, adapter, {**common, "split": "all", "control": "none"})
    on_step("repair, explained")
    return RepairStudy(
        tuple(records), final, adapter, _mean_curve(curves), {name: outcome.cosines() for name, outcome in outcomes.items()}, probes,
        {name: outcome.by_object() for name, outcome in outcomes.items()}, _gallery(before, after, seed),
        _object_names(scenes),
        int((after.binding > before.binding).sum()), int((after.binding < before.binding).sum()), folds,
    )  # fmt: skip


class _Side:
    """One encoder's unit rows, and what can be fitted and scored on them."""

    def __init__(self, x: Floats, y: Floats, scenes: Scenes, bank: CaptionBank, singles: Singles | None) -> None:
        self.x, self.y, self.scenes, self.bank, self.singles = x, y, scenes, bank, singles
        self.candidates, self.own = np.unique(bank.sets, return_inverse=True)
        meaning = pair_ids(bank.scenes)  # both orders of mention say the same
        of = np.repeat(bank.swap_of, 2)
        self.pair_scene = of
        self.pairs = Pairs.of(
            x, y[bank.true[bank.swap_of].reshape(-1)], y[bank.swaps.reshape(-1)], image_of=of,
            text_ids=meaning[bank.true[bank.swap_of].reshape(-1)], negative_ids=meaning[bank.swaps.reshape(-1)],
        )  # fmt: skip

    def first_captions(self) -> Floats:
        """(n, d) the caption of each scene as listed."""
        return self.y[self.bank.true[:, 0]]

    def fit(self, train: Ints, validation: Ints, protocol: str, options: Mapping[str, Any], seed: int) -> Fit:
        """Fit on the captions of some scenes, choose on those of others."""
        pairs = self.pairs if protocol == "HNB" else self.pairs.without_negatives()
        parts = [pairs.select(np.flatnonzero(np.isin(self.pair_scene, rows))) for rows in (train, validation)]
        return fit_pairs(*parts, seed=seed, **options)

    def pulled(self, fit: Fit, validation: Ints, pull: float | None) -> tuple[Adapter, tuple[Point, ...]]:
        """A fit at the pull that was asked for, or that validation recommends; and what it achieves there along the way."""
        points = trade_off(fit.adapter, partial(self.scores, rows=validation), PULLS if pull is None else (0.0, pull))
        if fit.adapter.config["protocol"] == "SB":  # who has no negatives cannot choose by them
            points = tuple(replace(point, scores=replace(point.scores, binding=None)) for point in points)
        return fit.adapter.pulled(recommend(points) if pull is None else pull), points

    def choices(self, rows: Ints, y: Floats) -> tuple[Ints, Floats, Bools]:
        """The swaps of some scenes; share of their comparisons won, and whether any was a tie."""
        swaps = np.flatnonzero(np.isin(self.bank.swap_of, rows))
        of = self.bank.swap_of[swaps]
        return swaps, *either_order(compare(self.x[of], y, self.bank.true[of], self.bank.swaps[swaps]))

    def ranks(self, rows: Ints, y: Floats) -> tuple[Ints, Ints]:
        """Rank of the own caption of some pictures among one caption for each set of objects, and ties."""
        return ranks(self.x[rows], y[self.candidates], self.own[rows])

    def singles_right(self, adapter: Adapter | None) -> tuple[Bools, Bools]:
        """Whether pictures of single objects score strictly highest with their own caption, and ties."""
        assert self.singles is not None
        queries = self.singles.queries if adapter is None else adapter(self.singles.queries)
        scores = self.singles.images @ queries.T
        own = np.take_along_axis(scores, self.singles.objects[:, None], 1)[:, 0]
        np.put_along_axis(scores, self.singles.objects[:, None], -np.inf, 1)
        return forced_choice(own, scores.max(1), 1.0)

    def scores(self, adapter: Adapter, rows: Ints) -> Scores:
        """What a map achieves on some scenes."""
        y = adapter(self.y)
        _, right, _ = self.choices(rows, y)
        singles = float(self.singles_right(adapter)[0].mean()) if self.singles is not None else None
        return Scores(float(right.mean()), float((self.ranks(rows, y)[0] == 1).mean()), singles)


class _Outcome:
    """The test scores of one protocol, gathered over folds."""

    def __init__(self, side: _Side) -> None:
        bank, n = side.bank, len(side.scenes)
        self.side = side
        self.swaps: Ints = np.zeros(0, dtype=np.int64)
        self.binding, self.tied = np.full(len(bank.swap_of), np.nan), np.zeros(len(bank.swap_of), dtype=bool)
        self.cosine = np.full(len(bank.swap_of), np.nan)
        self.rank, self.rank_ties = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.singles: list[tuple[Bools, Bools]] = []

    def add(self, rows: Ints, adapter: Adapter | None) -> None:
        """Score the test scenes of a fold."""
        side = self.side
        y = side.y if adapter is None else adapter(side.y)
        swaps, right, tied = side.choices(rows, y)
        self.binding[swaps], self.tied[swaps] = right, tied
        self.cosine[swaps] = dot(y[side.bank.true[side.bank.swap_of[swaps], 0]], y[side.bank.swaps[swaps, 0]])
        self.rank[rows], self.rank_ties[rows] = side.ranks(rows, y)
        if side.singles is not None:
            self.singles.append(side.singles_right(adapter))

    def records(self, orbits: Ints, facts: Mapping[str, Any]) -> list[Record]:
        """Every metric with an interval that draws the scenes of an orbit together."""
        scored = np.flatnonzero(~np.isnan(self.binding))
        of = orbits[self.side.bank.swap_of[scored]]
        found = [mean_record("binding_accuracy", self.binding[scored], int(self.tied[scored].sum()), of, **facts)]
        rows = np.flatnonzero(self.rank)
        for k in (1, 5):
            if k < len(self.side.candidates):
                ties = int(((self.rank[rows] > k) & (self.rank[rows] - self.rank_ties[rows] <= k)).sum())
                found.append(mean_record(f"recall_at_{k}", (self.rank[rows] <= k).astype(float), ties, orbits[rows], **facts))
        if self.singles:
            right = np.mean([outcome for outcome, _ in self.singles], axis=0)
            tied = int(np.logical_or.reduce([tie for _, tie in self.singles]).sum())
            found.append(mean_record("single_object_accuracy", right, tied, np.arange(len(right)), **facts))
        found.append(mean_record("caption_swap_cosine", self.cosine[scored], None, of, "mean", **facts))
        return found

    def gains(self, before: _Outcome, orbits: Ints, facts: Mapping[str, Any]) -> list[Record]:
        """The paired difference to no repair."""
        scored = np.flatnonzero(~np.isnan(self.binding))
        difference = (self.binding - before.binding)[scored]
        found = [mean_record("binding_gain", difference, None, orbits[self.side.bank.swap_of[scored]], "difference", **facts)]
        rows = np.flatnonzero(self.rank)
        retrieved = (self.rank[rows] == 1).astype(float) - (before.rank[rows] == 1)
        found.append(mean_record("recall_gain", retrieved, None, orbits[rows], "difference", **facts))
        if self.singles:
            now, then = (np.mean([outcome for outcome, _ in part.singles], axis=0) for part in (self, before))
            found.append(mean_record("single_object_gain", now - then, None, np.arange(len(now)), "difference", **facts))
        return found

    def cosines(self) -> Floats:
        """(s,) cosine of each scored caption with its swap."""
        return self.cosine[~np.isnan(self.cosine)]

    def by_object(self) -> Floats:
        """(|O|,) binding accuracy of the scenes that hold each object."""
        of, scored = self.side.bank.swap_of, ~np.isnan(self.binding)
        n = len(self.side.scenes)
        total, count = np.bincount(of[scored], self.binding[scored], n), np.bincount(of[scored], minlength=n)
        return by_object(np.divide(total, count, out=np.full(n, np.nan), where=count > 0), self.side.scenes)


def _object_names(scenes: Scenes) -> tuple[str, ...]:
    space = scenes.space
    rows = space.object_values(np.arange(space.n_objects)).tolist()
    return tuple(" ".join(space.values[k][value] for k, value in enumerate(row)) for row in rows)


def single_objects(encoder: Encoder, scenes: Scenes, seed: int = 0) -> Singles | None:
    """Pictures of every single object of a drawn table, and their captions; None where the table is not drawn flat, or of one object."""
    from conceptbind.drawing import draw_flat

    if scenes.drawing != "flat" or len(scenes.space.concepts) != 2:
        return None
    colors, shapes = scenes.space.values
    objects = np.repeat(np.arange(scenes.space.n_objects), SINGLE_PICTURES)
    rng = np.random.default_rng(seed)
    values = scenes.space.object_values(objects)
    pictures = [draw_flat([(colors[c], shapes[s])], rng)[0] for c, s in values.tolist()]
    images = np.concatenate(
        [np.asarray(encoder.encode_images(pictures[i : i + 64]), dtype=np.float32) for i in range(0, len(pictures), 64)]
    )
    queries = np.asarray(encoder.encode_texts(query_texts(scenes, None)), dtype=np.float32)
    images, queries = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (images, queries))
    return Singles(images, objects, queries)


def _probe_cosines(images: Floats, texts: Floats, scenes: Scenes) -> Floats:
    """(A, V) cosine of the picture probe's row with the caption probe's, for each noun A and attribute V (of the first concept).

    For every noun a softmax regression from the embedding to its attribute (arXiv 2502.03566, section 6). Rows are centred over attributes,
    since adding one vector to all of them changes no probability. NaN where a noun has too few scenes.
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


def _explanations(probes: Mapping[str, Floats], side: _Side, adapter: Adapter, facts: Mapping[str, Any]) -> list[Record]:
    """Probe cosines and modality gaps before and after."""
    records = []
    for name, when, captions in (("none", "before", side.first_captions()), ("HNB", "after", adapter(side.first_captions()))):
        common = {**facts, "repair": name}
        extra = {key: common.pop(key) for key in ("control", "repair")}
        known = probes[when][~np.isnan(probes[when])]
        for metric, value, n in (
            ("probe_cosine", float(known.mean()) if len(known) else None, len(known)),
            ("modality_gap", float(np.linalg.norm(side.x.mean(0) - captions.mean(0))), len(captions)),
        ):
            if value is not None:
                record = plain_record(metric, value, n, None, None, **common)
                record.extra.update(extra)
                records.append(record)
    return records


def _mean_curve(curves: list[tuple[Point, ...]]) -> tuple[Point, ...]:
    """The mean over folds, point by point."""

    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    return tuple(
        Point(
            same[0].over,
            same[0].at,
            Scores(*(mean([getattr(point.scores, name) for point in same]) for name in ("binding", "retrieval", "singles"))),
        )
        for same in zip(*curves, strict=True)
    )


def _gallery(before: _Outcome, after: _Outcome, seed: int) -> tuple[RepairedScene, ...]:
    """Comparisons that the repair mended, then some that it left or made wrong."""
    side = before.side
    rng = np.random.default_rng(seed)
    mended = rng.permutation(np.flatnonzero((before.binding < 0.5) & (after.binding > 0.5)))[: 2 * GALLERY // 3]
    wrong = rng.permutation(np.flatnonzero(after.binding < 0.5))[: GALLERY - len(mended)]
    scenes, bank = side.scenes, side.bank
    found = []
    for swap in (*mended, *wrong):
        row = int(bank.swap_of[swap])
        image = None if scenes.images is None else (scenes.image_folder or Path()) / scenes.images[row]
        true, other = (bank.scenes.caption(int(caption)) for caption in (bank.true[row, 0], bank.swaps[swap, 0]))
        found.append(RepairedScene(scenes.ids[row], image, true, other, before.binding[swap] > 0.5, after.binding[swap] > 0.5))
    return tuple(found)


def require_swaps(study: RepairStudy | None, scenes: Scenes) -> RepairStudy:
    """The study, or the error that says why there is none."""
    if study is None:
        raise ValueRangeError(
            f"the scenes '{scenes.name}' offer too few attribute swaps to fit a repair and to score it on combinations it never saw; "
            "use scenes with two objects or more that differ in both concepts"
        )
    return study
