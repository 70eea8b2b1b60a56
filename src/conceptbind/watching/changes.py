"""Whether a number rose or fell between two looks, item by item, with error under control over all
looks of a watch, however many there will be.

A change is told where three things hold. The 95 % interval of the paired difference leaves out 0,
as it is shown. The p of a test, corrected for all comparisons that could be made, is below 0.05.
And the difference is at least `LEAST`, so that it is seen in the numbers as they are shown. The
k-th look after the first may be held against k earlier ones, in each of m numbers. It may spend
1 / (k (k + 1)) of the error, which sums to 1 over all looks. So p is multiplied by m k k (k + 1).
That is Bonferroni's correction, with the error spent as in sequential trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import MismatchError
from conceptbind.core.outcomes import Outcome, paired
from conceptbind.metrics.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.watching.scores import Kind, ModelLook, Number

LEVEL = 0.05
"""How often any change is told in a watch in which nothing changes, at most."""
LEAST = 0.01
"""The smallest change told: one point of a share, 0.01 of a mean |cos|. Two nearly equal models
agree on nearly every item, so that without it a difference of no size is beyond doubt."""
SHOWN = 0.0005
"""How far from 0 an interval must end, so that it does so as it is shown: with one digit behind a
percent and three behind a mean |cos|."""
ROUNDING = 1e-6
"""Share of the largest item below which all differences are rounding."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A number as it was at an earlier look."""

    step: int
    value: float
    outcome: Outcome
    kind: Kind


@dataclass(frozen=True)
class Change:
    """A number beside what it was at the look that it is held against."""

    key: tuple[str, ...]
    """Which number; see `scores.key_of`."""
    since: int
    """Step of the earlier look."""
    step: int
    before: float
    after: float
    interval: Interval
    """95 %, of the paired difference alone."""
    p: float
    """Corrected for all comparisons; see the module."""

    @property
    def change(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def word(self) -> str:
        """`rose` or `fell` where that is beyond doubt and large enough to be seen, else empty."""
        low, high = self.interval
        if low is None or high is None or self.p >= LEVEL or low <= 0 <= high:
            return ""
        if min(abs(low), abs(high)) < SHOWN:
            return ""
        size = self.change if low > 0 else -self.change  # below 0 where it contradicts the interval
        if round(size, 9) < LEAST:
            return ""
        return "rose" if low > 0 else "fell"


def change_of(before: Seen, now: Number, step: int, comparisons: int = 1) -> Change:
    """One number held against an earlier look.

    Args:
        before: the earlier look.
        now: the same number.
        step: of the later look.
        comparisons: by which p is multiplied.

    Raises:
        MismatchError: the two looks scored other items.
    """
    value = float(now.record.value or 0.0)
    if before.kind == "share":
        found = paired(before.outcome, now.outcome)
        interval, p = found.interval, 1.0 if found.mcnemar is None else found.mcnemar
    else:
        interval, p = _of_means(before.outcome, now.outcome)
    key, corrected = now.key, min(1.0, p * comparisons)
    return Change(key, before.step, step, before.value, value, interval, corrected)


def _of_means(before: Outcome, after: Outcome) -> tuple[Interval, float]:
    if before.n != after.n:
        raise MismatchError(
            f"looks at {before.n:,} and at {after.n:,} items cannot be paired; watch into another "
            "folder"
        )
    moved = np.asarray(after.right, dtype=float) - np.asarray(before.right, dtype=float)
    clusters = np.arange(len(moved)) if after.clusters is None else after.clusters
    if np.abs(moved).max() <= ROUNDING * np.abs(before.right).max():
        return (None, None), 1.0
    interval = mean_interval(moved, clusters)
    return interval, 1.0 if interval[0] is None else student_p(moved, clusters)


def student_p(values: Float[Floats, " items"], clusters: Int[Ints, " items"]) -> float:
    """Two-sided p of Student's test that a mean is 0, over clusters.

    Args:
        values: (n,) numbers.
        clusters: (n,) which of them are one draw.
    """
    from scipy.stats import t

    place = np.unique(clusters, return_inverse=True)[1]
    draws = int(place.max()) + 1
    mean = float(values.mean())
    summed = np.bincount(place, values - mean) / len(values)
    error = sqrt(float(np.square(summed).sum()) * draws / (draws - 1))
    if error == 0:
        return 1.0
    return float(2 * t.sf(abs(mean) / error, draws - 1))


def corrected_for(numbers: int, looks: int) -> int:
    """How many comparisons the next look stands for, so that all looks to come hold the level.

    Args:
        numbers: of a look.
        looks: earlier ones, at least 1.
    """
    return numbers * looks * looks * (looks + 1)


class History:
    """What later looks are held against: of each number the look of its last change, at first the
    first one. Memory holds one look, whatever their number.

    Args:
        seen: by the number's key.
        looks: that were compared so far, the first one among them.
        comparisons: that were made.
        step: the latest that was compared; None before the first look.
    """

    def __init__(
        self,
        seen: Mapping[tuple[str, ...], Seen] | None = None,
        looks: int = 0,
        comparisons: int = 0,
        step: int | None = None,
    ) -> None:
        self.seen = dict(seen or {})
        self.looks, self.comparisons, self.step = looks, comparisons, step

    def add(self, look: ModelLook) -> dict[tuple[str, ...], Change]:
        """Hold a look against what was seen before, and remember it where a number changed. A look
        at an earlier step than the last one is compared with nothing.

        Args:
            look: the next one.
        """
        if self.step is not None and look.step <= self.step:
            return {}
        weight = corrected_for(len(look.numbers), self.looks) if self.looks else 1
        found: dict[tuple[str, ...], Change] = {}
        for number in look.numbers:
            before = self.seen.get(number.key)
            if before is not None:
                found[number.key] = change_of(before, number, look.step, weight)
            if before is None or found[number.key].word:
                value = float(number.record.value or 0.0)
                self.seen[number.key] = Seen(look.step, value, number.outcome, number.kind)
        self.comparisons += len(found)
        self.looks += 1
        if look.numbered:
            self.step = look.step
        return found


def told(changes: Mapping[tuple[str, ...], Change]) -> Sequence[Change]:
    """The changes that are beyond doubt and at least `LEAST`.

    Args:
        changes: of a look.
    """
    return [change for change in changes.values() if change.word]
