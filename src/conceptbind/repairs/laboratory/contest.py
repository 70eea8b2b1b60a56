"""All methods on the same folds, scored alike, and the one that is recommended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import gain_record, mean_record
from conceptbind.probes.threads import steady
from conceptbind.repairs.labclip.adapter import Adapter, identity
from conceptbind.repairs.labclip.cost import (
    PULLS,
    ROUNDING,
    TOLERANCE,
    Point,
    Scores,
    clears_noise,
    mean_curve,
    recommend,
)
from conceptbind.repairs.laboratory.contract import Fitted, Side
from conceptbind.repairs.laboratory.entrants import Contender
from conceptbind.repairs.laboratory.grounds import Ground, Scored, pooled

if TYPE_CHECKING:
    from conceptbind.repairs.labclip.pairs import Pairs

_Key = TypeVar("_Key", Metric, str)
GAINS = {
    Metric.BINDING_ACCURACY: Metric.BINDING_GAIN,
    Metric.PARAPHRASE_ACCURACY: Metric.PARAPHRASE_GAIN,
    Metric.RECALL_AT_1: Metric.RECALL_GAIN,
    Metric.PICTURE_RECALL_AT_1: Metric.PICTURE_RECALL_GAIN,
    Metric.SINGLE_OBJECT_ACCURACY: Metric.SINGLE_OBJECT_GAIN,
    Metric.PARAPHRASE_RECALL_AT_1: Metric.PARAPHRASE_RECALL_GAIN,
}
"""Metrics whose paired difference to no repair is told; the first that was measured decides."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What became of one method."""

    method: Repair
    side: Side
    n_negatives: int
    """Negatives that each caption had in the fit."""
    parameters: int
    """Numbers that were fitted; the mean over folds."""
    seconds: float
    """Time of one fit; the mean over folds."""
    curve: tuple[Point, ...]
    """What each pull achieves on validation, means over the folds."""
    pull: float
    """How far the map is pulled from no repair (0) to the fitted one (1); chosen on validation."""
    chosen: str
    """What validation chose in the first fold, in words."""
    keeps_index: bool
    """Whether it is one matrix of captions, so that pictures stay as they are."""
    outcome: dict[Metric, Scored]
    """Scores of what was not fitted on."""
    by_setting: dict[str, Scored] = field(default_factory=dict)
    """Scores of the metric that decides, where it has several settings."""

    @property
    def validation(self) -> Scores:
        """The scores on validation at the pull that was chosen."""
        return next(point.scores for point in self.curve if point.at == self.pull)

    @property
    def facts(self) -> dict[str, Any]:
        """What tells its records from others."""
        return {
            "repair": self.method,
            "side": self.side,
            "n_negatives": self.n_negatives,
            "parameters": self.parameters,
            "seconds": self.seconds,
            "pull": self.pull,
        }

    @property
    def decides(self) -> Metric:
        """The metric that decides: binding accuracy, of queries paraphrase accuracy; without
        negatives recall at 1.
        """
        return next(metric for metric in GAINS if metric in self.outcome)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """All methods beside each other."""

    records: Records
    entries: tuple[Entry, ...]
    """No repair first, then the methods in the order in which they ran."""
    best: Entry
    """What validation prefers among maps that keep the index; no repair where none does better."""
    recommended: bool
    """Whether its gain on what was not fitted on is sure, and the map that is written is not the
    identity."""
    fitted: Fitted | None
    """What was fitted once more to be written, before it is pulled; None where nothing was."""
    adapter: Adapter
    """What is written; the identity where none is recommended."""
    folds: int
    pull: float = field(default=0.0)
    """How far the adapter is pulled."""

    @property
    def decides(self) -> Metric:
        """The metric that decides, the same for all entries."""
        return self.entries[0].decides

    def record(self, entry: Entry, metric: Metric) -> Record | None:
        """The record of a metric of one method, where it was measured."""
        return self.records.where(
            repair=entry.method,
            side=entry.side,
            n_negatives=entry.n_negatives,
            control=Control.NONE,
            against=None,
            setting=None,
        ).first(metric=metric)

    def settings(self, entry: Entry) -> Records:
        """What decides of one method, setting by setting; none where there is one alone."""
        found = self.records.where(control=Control.NONE, **_place(entry), metric=self.decides)
        return found.where(setting=tuple(entry.by_setting))

    @property
    def negatives(self) -> Record | None:
        """The paired difference of HNB to SB; None where both were not compared."""
        return self.records.first(metric=GAINS[self.decides], against=Repair.SB)


@steady()
def laboratory(
    ground: Ground,
    several: Sequence[Contender],
    *,
    seed: int = 0,
    clock: Callable[[], float] = perf_counter,
    twin: Ground | None = None,
    pull: float | None = None,
    on_step: Callable[[str], None] = lambda name: None,
) -> Laboratory:
    """Fit every method fold by fold, score what it never saw, and recommend one by validation.

    Args:
        ground: scenes or pairs, divided into folds.
        several: the methods; see `contenders`.
        seed: of the fits and the intervals.
        clock: tells seconds, for the column of times.
        twin: the same of a control that cannot bind; the recommended method is fitted there too.
        pull: share of the way from no repair to each map; by default what validation recommends.
        on_step: called with what was done.
    """
    none = _none(ground, on_step)
    entries = [none]
    entries += [
        _entered(ground, contender, none, seed, clock, pull, on_step) for contender in several
    ]
    best = preferred(entries)
    facts = {"study": "laboratory", "split": "test", "folds": len(ground.folds), **ground.names}
    records = [record for entry in entries for record in _records(entry, none, facts)]
    records += _negatives_needed(entries, facts)
    gain = _gain(best, none, none.decides)
    found = next((c for c in several if _is(best, c, ground)), None)
    fitted, adapter = None, identity(_width(ground))
    sure = best.pull > 0 and clears_noise(gain.value, gain.ci_low)
    if found is not None and sure:
        fitted = _fit_again(ground, found, seed)
        on_step(f"{best.method}, once more")
        sure = fitted.helps and fitted.adapter is not None
        if sure and fitted.adapter is not None:
            adapter = fitted.adapter.pulled(best.pull)
        if twin is not None:
            records += _beside(twin, found, best, facts, seed, clock, on_step)
    marked = [
        record.but(recommended=sure and record.has(**_place(best)))
        if record.repair != Repair.NONE and record.control == Control.NONE
        else record
        for record in records
    ]
    return Laboratory(
        Records(marked),
        tuple(entries),
        best,
        sure,
        fitted,
        adapter,
        len(ground.folds),
        best.pull if sure else 0.0,
    )


def preferred(entries: Sequence[Entry]) -> Entry:
    """What validation prefers among no repair and maps that keep the index.

    First those that bind within a hundredth of the best; of them those that retrieve within a
    hundredth of their best; of these the one with the fewest parameters.

    Args:
        entries: no repair first.
    """
    kept = [entry for entry in entries if entry.keeps_index]
    for name in ("binding", "retrieval"):
        values = [getattr(entry.validation, name) for entry in kept]
        known = [value for value in values if value is not None]
        if known:
            least = max(known) - TOLERANCE - ROUNDING
            pairs = zip(kept, values, strict=True)
            kept = [entry for entry, value in pairs if value is not None and value >= least]
    return min(kept, key=lambda entry: entry.parameters)


def _place(entry: Entry) -> dict[str, Any]:
    """The columns that tell an entry from all others."""
    return {"repair": entry.method, "side": entry.side, "n_negatives": entry.n_negatives}


def _is(entry: Entry, contender: Contender, ground: Ground) -> bool:
    method = contender.method
    same = (method.name, method.side) == (entry.method, entry.side)
    return same and entry.n_negatives == _given(contender, ground)


def _given(contender: Contender, ground: Ground) -> int:
    """Negatives of each caption that a method is given."""
    if contender.method.name == Repair.SB:
        return 0
    return ground.n_negatives if contender.several else min(ground.n_negatives, 1)


def _pairs(ground: Ground, contender: Contender, rows: Any) -> Pairs:
    return ground.pairs(rows, several=contender.several)


def _width(ground: Ground) -> int:
    pairs = ground.pairs(ground.folds[0].train, several=False)
    return int(pairs.images.shape[1])


def _none(ground: Ground, on_step: Callable[[str], None]) -> Entry:
    """No repair, scored as all others."""
    nothing = Fitted(Repair.NONE, "text")
    curves = [(Point("pull", 0.0, ground.scores(nothing, fold.chooses)),) for fold in ground.folds]
    outcomes = [ground.outcome(nothing, fold.test) for fold in ground.folds]
    settings = _joined([ground.by_setting(nothing, fold.test) for fold in ground.folds])
    on_step("no repair")
    told = mean_curve(curves), 0.0, "", True, _joined(outcomes), settings
    return Entry(Repair.NONE, "text", 0, 0, 0.0, *told)


def _joined(outcomes: Sequence[dict[_Key, Scored]]) -> dict[_Key, Scored]:
    def of(key: _Key) -> Scored:
        return pooled([outcome[key] for outcome in outcomes])

    return {key: of(key) for key in outcomes[0]}


def _entered(
    ground: Ground,
    contender: Contender,
    none: Entry,
    seed: int,
    clock: Callable[[], float],
    pull: float | None,
    on_step: Callable[[str], None],
) -> Entry:
    """One method: fitted in every fold, pulled as validation says, and scored."""
    method = contender.method
    fits, curves, seconds = [], [], []
    for number, fold in enumerate(ground.folds, 1):
        train, chooses = (_pairs(ground, contender, rows) for rows in (fold.train, fold.chooses))
        start = clock()
        fits.append(method.fit(train, chooses, seed))
        seconds.append(clock() - start)
        curves.append(_curve(ground, fits[-1], fold.chooses, pull))
        on_step(f"{method.name}, {method.side}, fold {number}")
    curve = mean_curve(curves)
    taken = recommend(_that_choose(method.name, curve)) if pull is None else pull
    outcome, settings = none.outcome, none.by_setting
    if taken:
        folds = [
            (fit.pulled(taken), fold.test) for fit, fold in zip(fits, ground.folds, strict=True)
        ]
        outcome = _joined([ground.outcome(*fold) for fold in folds])
        settings = _joined([ground.by_setting(*fold) for fold in folds])
    return Entry(
        method.name,
        method.side,
        _given(contender, ground),
        round(float(np.mean([fit.parameters for fit in fits]))),
        float(np.mean(seconds)),
        curve,
        taken,
        fits[0].chosen,
        all(fit.adapter is not None or not fit.helps for fit in fits)
        and method.side in ("text", "query"),
        outcome,
        settings,
    )


def _that_choose(method: Repair, curve: tuple[Point, ...]) -> tuple[Point, ...]:
    """The curve by which a method chooses its pull. One without negatives may not choose by them;
    among methods it is judged by them as all others are.
    """
    if method != Repair.SB:
        return curve
    blind = [replace(point.scores, binding=None) for point in curve]
    return tuple(replace(point, scores=scores) for point, scores in zip(curve, blind, strict=True))


def _curve(ground: Ground, fit: Fitted, rows: Any, pull: float | None) -> tuple[Point, ...]:
    """What a map achieves on validation on the way to it."""
    pulls = PULLS if pull is None else (0.0, pull)
    start = ground.scores(Fitted(fit.method, fit.side), rows)
    points = []
    for share in pulls:
        moved = share > 0 and fit.helps
        scores = ground.scores(fit.pulled(share), rows) if moved else start
        points.append(Point("pull", share, scores))
    return tuple(points)


def _records(entry: Entry, none: Entry, facts: dict[str, Any]) -> list[Record]:
    """Every metric of a method with its interval, and its paired difference to no repair."""
    own = {**facts, **entry.facts}
    if entry.validation.binding is not None:
        own["validation"] = entry.validation.binding
    found = [
        mean_record(metric, scored.values, int(scored.ties.sum()), scored.clusters, **own)
        for metric, scored in entry.outcome.items()
    ]
    for setting, scored in entry.by_setting.items():
        told = {**own, "setting": setting}
        ties = int(scored.ties.sum())
        found.append(mean_record(entry.decides, scored.values, ties, scored.clusters, **told))
    if entry is not none:
        measured = (metric for metric in GAINS if metric in entry.outcome)
        found += [_gain(entry, none, metric, own) for metric in measured]
    return found


def _gain(entry: Entry, other: Entry, metric: Metric, own: dict[str, Any] | None = None) -> Record:
    """The paired difference of a metric to another method, item by item."""
    after, before = entry.outcome[metric], other.outcome[metric]
    told = own or {"study": "laboratory", "split": "test", "scenes": "", "encoder": ""}
    told = {**told, "pull": entry.pull}
    return gain_record(GAINS[metric], after.values - before.values, after.clusters, **told)


def _negatives_needed(entries: Sequence[Entry], facts: dict[str, Any]) -> list[Record]:
    """The paired difference of HNB to SB of captions, where both were compared."""
    known: dict[Repair, Entry] = {}
    for entry in entries:
        if entry.keeps_index and entry.n_negatives < 2:
            known.setdefault(entry.method, entry)
    hnb, sb = known.get(Repair.HNB), known.get(Repair.SB)
    if hnb is None or sb is None or not (hnb.pull or sb.pull):
        return []
    own = {**facts, **hnb.facts, "against": str(Repair.SB)}
    decides = hnb.decides
    after, before = (entry.outcome[decides] for entry in (hnb, sb))
    difference = after.values - before.values
    found = mean_record(GAINS[decides], difference, None, after.clusters, "difference", **own)
    return [found]


def _fit_again(ground: Ground, contender: Contender, seed: int) -> Fitted:
    """What is written: fitted on all parts but one that chooses, the first that is no identity."""
    parts = ground.again or [(ground.folds[0].train, ground.folds[0].chooses)]
    fitted = Fitted(contender.method.name, contender.method.side)
    for train, chooses in parts:
        one, other = (_pairs(ground, contender, rows) for rows in (train, chooses))
        fitted = contender.method.fit(one, other, seed)
        if fitted.helps:
            break
    return fitted


def _beside(
    twin: Ground,
    contender: Contender,
    best: Entry,
    facts: dict[str, Any],
    seed: int,
    clock: Callable[[], float],
    on_step: Callable[[str], None],
) -> list[Record]:
    """The same method on a control that cannot bind."""
    none = _none(twin, lambda name: None)
    entry = _entered(twin, contender, none, seed, clock, None, lambda name: None)
    on_step(f"{best.method}, {Control.BAG_TWIN}")
    told = {**facts, "control": Control.BAG_TWIN}
    return [*_records(none, none, told), *_records(entry, none, told)]
