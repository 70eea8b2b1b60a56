"""A repair fitted and scored on three arrays: pictures, captions, hard negatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, counted
from conceptbind.core.names import Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import gain_record, mean_record
from conceptbind.probes.threads import steady
from conceptbind.repairs.effect import BeforeAfter
from conceptbind.repairs.held_pairs import HeldPairs, by_pair, joined
from conceptbind.repairs.labclip.cost import (
    PULLS,
    mean_curve,
    recommend,
    trade_off,
)
from conceptbind.repairs.labclip.estimator import (
    Fit,
    first_that_helps,
    fit_pairs,
    groups_of,
    hold_out,
    parts_of,
)
from conceptbind.repairs.labclip.pairs import Pairs

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from conceptbind.core.typing import Bools, Ints

FOLDS = 5
"""Parts of the pairs; each is scored by a map that was fitted without it."""
FOLDED = 20_000
"""Up to so many pairs are scored in folds. Of more, one part is held out: it is large enough, and
five fits would take five times as long."""
HELD_OUT = 0.1
"""Then the share of the pairs that is scored, and of the rest that chooses."""
MOST = 5000
"""Pairs of one part that are scored at most, drawn at random: recall is among the captions of
these."""
JUDGED = 2000
"""Pairs of one part at most that choose the pull."""


@dataclass(frozen=True, eq=False)
class ArrayRepair(BeforeAfter):
    """Before and after a linear repair, on pairs that it never saw."""

    rows: Int[Ints, " pairs"]
    """(k,) the pairs that were scored."""
    right: tuple[Bool[Bools, " pairs *several"], Bool[Bools, " pairs *several"]]
    """(k,) before and after: the caption scores above its negative; without negatives, above all
    other captions. (k, several) with several negatives."""

    @property
    def all_right(self) -> tuple[Bool[Bools, " pairs"], Bool[Bools, " pairs"]]:
        """(k,) before and after: every comparison of a pair is right."""
        before, after = (by_pair(right) == 1 for right in self.right)
        return before, after

    def value(self, metric: str, repair: str) -> Record:
        """The record of a metric; `repair` is none, HNB or SB."""
        return self.records.one(metric=metric, repair=repair)

    @property
    def gain(self) -> Record:
        """In binding accuracy; without negatives in recall."""
        gain = self.records.first(metric=Metric.BINDING_GAIN)
        return gain or self.records.one(metric=Metric.RECALL_GAIN)

    @property
    def n_mended(self) -> int:  # noqa: D102
        return int((self.right[1] & ~self.right[0]).sum())

    @property
    def n_spoiled(self) -> int:  # noqa: D102
        return int((self.right[0] & ~self.right[1]).sum())

    @property
    def n_compared(self) -> int:
        """Comparisons: one a scored pair and negative."""
        return self.right[0].size


@explains_arguments
def array_repair(
    pairs: Pairs,
    *,
    pull: float | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    names: Mapping[str, str] | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> ArrayRepair:
    """Fit on most pairs, choose on some, score the rest. Captions of one picture, and equal
    captions, are on one side.

    Up to `FOLDED` pairs every part is scored once, as `repair_study` does it, which also says how
    the pull is chosen and what is written. The same digits come out for any number of threads. Of
    more pairs one part is held out, and the very map that was scored is written.

    Args:
        pairs: pictures, captions and, for HNB, negatives.
        pull: share of the way from the identity, which is then written whatever it gains; None for
            the recommended one.
        options: of `fit_pairs`.
        seed: of the parts, the fits and the intervals.
        names: `scenes` and `encoder` of the records.
        on_step: called with steps done and steps in all.
    """
    plan, again = require_repairable(pairs, seed)
    # one fit of more pairs takes so long that all threads serve it
    with steady() if again else nullcontext():
        return _fitted_and_scored(
            pairs, plan, again, pull, options or {}, seed, names or {}, on_step
        )


def _fitted_and_scored(
    pairs: Pairs,
    plan: list[tuple[Ints, Ints, Ints]],
    again: list[tuple[Ints, Ints]],
    pull: float | None,
    options: Mapping[str, Any],
    seed: int,
    names: Mapping[str, str],
    on_step: Callable[[int, int], None],
) -> ArrayRepair:
    """`array_repair` of pairs that are divided."""
    n_fits = len(plan) + bool(again)

    def fitted(train: Ints, chooses: Ints, before: int) -> Fit:
        def step(done: int, total: int) -> None:
            on_step(before * total + done, n_fits * total)

        return fit_pairs(
            pairs.select(train), pairs.select(chooses), seed=seed, on_step=step, **options
        )

    fits: list[Fit] = []
    curves = []
    for train, chooses, _ in plan:
        fits.append(fitted(train, chooses, len(fits)))
        judged = HeldPairs.of(pairs, chooses, JUDGED if again else MOST, seed)
        curves.append(
            trade_off(fits[-1].adapter, judged.scores, PULLS if pull is None else (0.0, pull))
        )
    final = (
        first_that_helps(fitted(train, chooses, len(plan)) for train, chooses in again)
        if again
        else fits[0]
    )
    curve = mean_curve(curves)
    taken = recommend(curve) if pull is None else pull
    held = [HeldPairs.of(pairs, test, MOST, seed) for _, _, test in plan]
    maps = [fit.adapter.pulled(taken) if taken else None for fit in fits]
    before = joined([part.outcome(None) for part in held])
    after = joined([part.outcome(adapter) for part, adapter in zip(held, maps, strict=True)])
    rows = np.concatenate([part.rows for part in held])
    groups = groups_of(pairs)[rows]
    protocol = str(fits[-1].adapter.config["protocol"])
    facts: dict[str, Any] = {
        "study": "repair",
        "split": "test",
        "folds": len(plan),
    }
    facts |= {"scenes": "arrays", "encoder": "arrays", **names}
    records: list[Record] = []
    for name, outcome in ((Repair.NONE, before), (protocol, after)):
        own: dict[str, Any] = {"repair": name, "pull": taken if name != Repair.NONE else 0.0}
        for metric, (value, tied) in outcome.items():
            ties = None if tied is None else int((by_pair(tied) > 0).sum())
            kind: Literal["mean", "share"] = "share" if ties is not None else "mean"
            records.append(mean_record(metric, by_pair(value), ties, groups, kind, **facts, **own))
    for metric, gain in GAINS.items():
        if metric in before:
            difference = by_pair(after[metric][0]) - by_pair(before[metric][0])
            own = {"repair": protocol, "pull": taken}
            records.append(gain_record(gain, difference, groups, **facts, **own))
    decides = next(metric for metric in GAINS if metric in before)
    right = before[decides][0].astype(bool), after[decides][0].astype(bool)
    study = ArrayRepair(
        Records(records),
        final,
        final.adapter.pulled(taken),
        taken,
        pull is not None,
        curve,
        len(plan),
        rows,
        right,
    )
    return study.settled()


GAINS = {
    Metric.BINDING_ACCURACY: Metric.BINDING_GAIN,
    Metric.RECALL_AT_1: Metric.RECALL_GAIN,
    Metric.PICTURE_RECALL_AT_1: Metric.PICTURE_RECALL_GAIN,
}
"""Metrics whose paired difference is told; the first that was measured decides whether a repair is
recommended."""


@explains_arguments
def require_repairable(
    pairs: Pairs, seed: int
) -> tuple[
    list[tuple[Int[Ints, " _"], Int[Ints, " _"], Int[Ints, " _"]]],
    list[tuple[Int[Ints, " _"], Int[Ints, " _"]]],
]:
    """Rows to fit on, to choose on and to score, fold by fold. Then, in folds, rows to fit on and
    to choose on for what is written, part by part.

    Args:
        pairs: pictures, captions and negatives.
        seed: decides the parts.

    Raises:
        ShapeError: pictures and captions of two widths.
        ValueRangeError: pairs that cannot be divided.
    """
    widths = pairs.images.shape[1], pairs.texts.shape[1]
    if widths[0] != widths[1]:
        raise ShapeError(
            f"pictures have {counted(widths[0], 'dimension')} and captions {widths[1]}, so "
            "without a repair "
            "they have no score to compare with; "
            "give rows of one encoder, or fit such a map with conceptbind.LabClip"
        )
    if len(pairs) > FOLDED:
        rest, test = hold_out(pairs, HELD_OUT, seed)
        train, chooses = hold_out(pairs.select(rest), HELD_OUT, seed)
        return [(rest[train], rest[chooses], test)], []
    part_of = parts_of(pairs, FOLDS, seed)
    parts = [np.flatnonzero(part_of == part) for part in range(part_of.max() + 1)]
    plan: list[tuple[Ints, Ints, Ints]] = []
    for k, test in enumerate(parts):
        chooses = parts[(k + 1) % len(parts)]
        others: Ints = np.setdiff1d(np.arange(len(pairs)), np.concatenate([test, chooses]))
        plan.append((others, chooses, test))
    return plan, [(np.flatnonzero(part_of != k), part) for k, part in enumerate(parts)]
