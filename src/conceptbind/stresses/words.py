"""How far binding carries, in words: what falls, by how much, and whether the repair carries
over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Repair
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, points, value_of
from conceptbind.report.words import CONTROL_WORDS, ends, first, needed, seen
from conceptbind.stresses.factors import Factor
from conceptbind.stresses.levels import Measure
from conceptbind.stresses.study import CHANGES, GAINS, StressStudy

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.records import Record, Records

FEWEST = 20
"""Test scenes below which nothing is judged."""
TRIFLE = 0.1
"""A fall that is smaller than this is no fall to speak of."""
CHANCE = {1: 0.0, 2: 1 / 3, 3: 0.5}
"""What an encoder reaches whose scores have nothing to do with the scene, by level. Of level 1 the
bag of concepts says it."""
NO_REPAIR = "Validation chose no repair, so nothing carries over."
KINDS = {
    "neutral": "all drawn or worded differently",
    "trap": "where the swap has the same surface",
}
"""The settings of level 2, in words."""


@dataclass(frozen=True)
class Curve:
    """The records of one measure over one factor, of the encoder itself."""

    factor: Factor
    measure: Measure
    records: Records
    """All records of the study about this measure and factor."""

    def own(self, repair: Repair = Repair.NONE) -> Records:
        """The values along the curve, in order."""
        return self._of(self.measure.metric, repair)

    def changes(self) -> Records:
        """Paired differences from the base, without the base itself."""
        return self._of(CHANGES[self.measure.level], Repair.NONE)

    def gains(self) -> Records:
        """Paired differences that the repair makes, at each value."""
        return self._of(GAINS[self.measure.level], Repair.HNB)

    def base(self) -> Record | None:
        """The value at the base."""
        return self.own().first(factor_value=self.factor.base)

    def at(self, record: Record, control: str = Control.NONE) -> Record | None:
        """The value where another record of the curve is, perhaps of a control."""
        return self.records.first(
            metric=self.measure.metric,
            repair=Repair.NONE,
            control=control,
            factor_value=record["factor_value"],
        )

    def floor(self, record: Record) -> tuple[float, str]:
        """The strongest control, or chance, where a record is, and what it is called."""
        names = (Control.BAG_OF_CONCEPTS, Control.RANDOM_WEIGHTS)
        found = [(CHANCE[self.measure.level], "chance")]
        for name in names:
            beside = self.at(record, name)
            if beside is not None and beside.value is not None:
                found.append((beside.value, CONTROL_WORDS[name]))
        return max(found, key=lambda pair: pair[0])

    def told(self, record: Record) -> str:
        """Where a record is: "with 6 objects"."""
        return f"with {self.factor.told(record['factor_value'])}"

    def _of(self, metric: str, repair: Repair) -> Records:
        return self.records.where(metric=metric, repair=repair, control=Control.NONE)


def curves_of(study: StressStudy) -> tuple[Curve, ...]:
    """Every curve of a study, factor by factor, from level 1 to level 3."""
    found = []
    for factor in study.factors:
        mine = study.records.where(factor=factor.name)
        keys = {
            Measure(int(r.level or 0), r.metric, r.modality, r["setting"])  # type: ignore[arg-type]
            for r in mine
            if r.metric not in (*CHANGES.values(), *GAINS.values())
        }
        for measure in sorted(
            keys, key=lambda key: (key.level, key.modality != "text", key[3] or "")
        ):
            about: dict[str, Value] = {
                "level": measure.level,
                "modality": measure.modality,
                "setting": measure.setting,
            }
            found.append(Curve(factor, measure, mine.where(**about)))
    return tuple(found)


def subject(measure: Measure, encoder: str) -> str:
    """What happens at a level, before its share."""
    what = seen(measure.modality)
    if measure.level == 1:
        return f"linear probes recognise a noun's attribute from {encoder}'s {what} in"
    if measure.level == 2:
        kind = KINDS[str(measure.setting)]
        near = "are nearer to each other than to a swap"
        return f"two of {encoder}'s {what} of a scene {near} ({kind}) in"
    return f"{encoder}'s pictures prefer their caption to its swap in"


def worst(curve: Curve) -> Record | None:
    """The largest fall from the base whose interval is below zero; None where there is none."""
    falls = [one for one in curve.changes() if one.ci_high is not None and one.ci_high < 0]
    return min(falls, key=_value, default=None)


def fall(curve: Curve) -> str:
    """One sentence or two about a curve: the largest sure fall, none, or why nothing can be
    said.
    """
    base, changes, what = curve.base(), curve.changes(), curve.factor.title.lower()
    encoder = curve.records[0].encoder if curve.records else "the encoder"
    doing = subject(curve.measure, encoder)
    asked = f"Level {curve.measure.level} over the {what} of {encoder} cannot be judged"
    if base is None or base.ci_low is None or base.n < FEWEST:
        n = 0 if base is None else base.n
        return f"{asked}: {n} test scenes were scored, and {FEWEST} of several orbits are needed."
    if not changes:
        return f"{asked}: nothing but the base could be measured."
    floor, control = curve.floor(base)
    if base.ci_low <= floor:
        return (
            f"{asked}, since there is nothing to lose: {curve.told(base)}, {doing} "
            f"{value_of(base)} ({interval_of(base)}), no more than {control} ({percent(floor)}; "
            f"n = {base.n:,})."
        )
    lost = worst(curve)
    if lost is not None:
        return _lost(curve, base, lost, doing)
    deepest = min(changes, key=lambda one: ends(one)[0])
    low, _ = ends(deepest)
    if low > -TRIFLE:
        least = min(curve.own(), key=_value)
        return (
            f"Whatever the {what}, {doing} at least {value_of(least)}. Against "
            f"{value_of(base)} {curve.told(base)} no fall is sure, and none of {100 * TRIFLE:.0f} "
            f"points is likely (n = {base.n:,})."
        )
    need = needed(deepest.n, _value(deepest) - low, _value(deepest) + TRIFLE)
    return (
        f"{asked}: {curve.told(deepest)} it changes by {points(deepest.value)} "
        f"({interval_of(deepest)}, n = {deepest.n:,}); {need} scenes are needed."
    )


def _lost(curve: Curve, base: Record, lost: Record, doing: str) -> str:
    """The largest sure fall, and whether more than a control is left."""
    there = curve.at(lost)
    assert there is not None
    floor, control = curve.floor(there)
    left = "no more than" if ends(there)[0] <= floor else "above"
    return (
        f"{first(curve.told(there))}, {doing} {value_of(there)} ({interval_of(there)}), against "
        f"{value_of(base)} {curve.told(base)}. The paired change is {value_of(lost)} "
        f"({interval_of(lost)}, n = {lost.n:,}). That is {left} {control} ({percent(floor)})."
    )


def carries(curve: Curve, pull: float | None) -> str:
    """Whether the repair, which was fitted at the base setting, helps along a curve.

    Args:
        curve: of the level that the repair is for.
        pull: how far captions are pulled by it; 0 where validation chose no repair, None where
            none was fitted.
    """
    what, gains = curve.factor.title.lower(), curve.gains()
    if pull is None or not gains:
        return ""
    if pull == 0:
        return NO_REPAIR
    setting = curve.measure.setting
    where = what if setting is None else f"{what} ({setting})"
    asked = f"Whether the repair carries over along the {where} cannot be judged"
    base = gains.first(factor_value=curve.factor.base)
    others = [one for one in gains if one is not base]
    if base is None or base.ci_low is None or base.n < FEWEST or not others:
        return f"{asked}: too little was scored."
    said = f"{points(base.value)} ({interval_of(base)}, n = {base.n:,}) {curve.told(base)}"
    if base.ci_low <= 0:
        return f"{asked}: its gain is not sure where all is as in the base, {said}."
    groups: dict[str, list[str]] = {"gain": [], "lost": [], "worse": [], "unclear": []}
    for one in others:
        low, high = ends(one)
        kind = "unclear"
        if low > 0:
            kind = "gain"
        elif high < 0:
            kind = "worse"
        elif high < _value(base) / 2:
            kind = "lost"
        groups[kind].append(f"{points(one.value)} ({interval_of(one)}) {curve.told(one)}")
    parts = {
        "gain": "It still gains",
        "lost": "It is lost where it gains",
        "worse": "It does harm where it changes by",
        "unclear": "It cannot be judged where it changes by",
    }
    head = f"Over the {where}, the repair of the base setting gains {said}."
    return " ".join((head, *_listed(parts, groups)))


def _listed(parts: dict[str, str], groups: dict[str, list[str]]) -> list[str]:
    return [f"{parts[kind]} {'; '.join(told)}." for kind, told in groups.items() if told]


def answer(curves: tuple[Curve, ...], encoder: str) -> str:
    """What hurts most, at the highest level that has something to lose.

    Args:
        curves: of a study.
        encoder: its id.
    """
    able = [curve for curve in curves if _can_fall(curve)]
    most = max((base.n for curve in curves if (base := curve.base()) is not None), default=0)
    if not able and most < FEWEST:
        return (
            f"It cannot be judged how far the binding of {encoder} carries: {most} test scenes "
            f"were scored, and {FEWEST} are needed. Take more with --drawn."
        )
    if not able:
        return (
            f"It cannot be judged how far the binding of {encoder} carries: at no level is there "
            "anything to lose."
        )
    level = max(curve.measure.level for curve in able)
    top = [curve for curve in able if curve.measure.level == level]
    falls = [(worst(curve), curve) for curve in top]
    sure = [(lost, curve) for lost, curve in falls if lost is not None]
    if not sure:
        return _no_fall(top, encoder)
    _, curve = min(sure, key=lambda pair: _value(pair[0]))
    what = curve.factor.title.lower()
    return f"At level {level}, {encoder}'s binding suffers most from the {what}. {fall(curve)}"


def _no_fall(top: list[Curve], encoder: str) -> str:
    """What is said where no fall is sure: that none is large, or that nobody knows."""
    level, most = top[0].measure.level, f"{100 * TRIFLE:.0f} points"
    names = " and of the ".join(dict.fromkeys(curve.factor.title.lower() for curve in top))
    n = min(curve.changes()[0].n for curve in top)
    if all(_deepest(curve) > -TRIFLE for curve in top):
        return (
            f"At level {level}, {encoder}'s binding does not fall by {most} with any value of the "
            f"{names} (n = {n:,} at each value)."
        )
    return (
        f"It cannot be judged whether {encoder}'s binding falls at level {level} with the {names}: "
        f"no fall is sure, and one of {most} is not excluded (n = {n:,} at each value)."
    )


def _deepest(curve: Curve) -> float:
    """How far a curve may fall at most."""
    return min(ends(change)[0] for change in curve.changes())


def _can_fall(curve: Curve) -> bool:
    """Whether a curve begins above chance and above every control, and goes on."""
    base = curve.base()
    if base is None or base.ci_low is None or base.n < FEWEST or not curve.changes():
        return False
    return base.ci_low > curve.floor(base)[0]


def _value(record: Record) -> float:
    return float(record.value or 0.0)
