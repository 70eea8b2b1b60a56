"""Records made from outcomes: a share, a mean or a paired difference, with its interval."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record
from conceptbind.metrics.intervals import difference_interval, mean_interval, share_interval

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Floats, Ints, Modality
    from conceptbind.metrics.recognitions import Recognition

Unit = Literal["share", "change", "number"]
UNITS: tuple[Unit, ...] = ("share", "change", "number")
"""What a value can be: a share from 0 to 1, a difference of two, or a plain number."""
_KINDS: Mapping[str, Unit] = {"share": "share", "difference": "change", "mean": "number"}


_OWN = frozenset(map(str, Metric))
_NUMBER = re.compile(
    r"r2|mse|.*_cosine|.*_distance|modality_gap|value_rank|products_needed|generalisation_score"
)
"""Metrics of ours that are not a share of anything."""
_CHANGE = re.compile(r".*_gain|.*_change|lexical_sensitivity")
"""Metrics of ours that are a difference of two shares."""


def unit_of(metric: str, unit: object = None) -> Unit:
    """What a metric is counted in.

    Args:
        metric: its name.
        unit: what its record says, in the column `unit`; metrics of ours need none.
    """
    if unit in UNITS:
        return UNITS[UNITS.index(unit)]
    if metric not in _OWN or _NUMBER.fullmatch(metric):
        return "number"
    return "change" if _CHANGE.fullmatch(metric) else "share"


def unit_told(metric: str, unit: Unit) -> dict[str, Value]:
    """The column `unit` of a metric of another package; of ours it is known by the name."""
    return {} if metric in Metric._value2member_map_ else {"unit": unit}


def share_record(
    outcome: Recognition,
    clusters: Int[Ints, " scenes"] | None = None,
    /,
    *,
    study: str,
    modality: Modality | Literal["symbols"],
    metric: Metric | str,
    split: str,
    scenes: str,
    encoder: str,
    level: int | None = None,
    control: str = Control.NONE,
    own: Mapping[str, Value] | None = None,
) -> Record:
    """A recognition outcome of n scenes as a record with its interval.

    `clusters` (n,) says which scenes are one draw (the orders of a pair, an orbit); by default
    every scene is one of its own. `own` are columns of the study.
    """
    low, high = None, None
    if outcome.n:
        right = outcome.correct[outcome.scored].astype(float)
        low, high = share_interval(
            right, None if clusters is None else np.asarray(clusters)[outcome.scored]
        )
    return Record(
        study=study,
        modality=modality,
        metric=metric,
        value=outcome.accuracy if outcome.n else None,
        n=outcome.n,
        ties=outcome.ties,
        ci_low=low,
        ci_high=high,
        split=split,
        scenes=scenes,
        encoder=encoder,
        control=control,
        level=level,
        own={**unit_told(metric, "share"), **(own or {})},
    )


@dataclass(frozen=True, eq=False)
class Ledger:
    """The records of one encoder on the scenes of one table, as a study adds them."""

    modality: Modality
    scenes: str
    """The table's name."""
    encoder: str
    records: list[Record] = field(default_factory=list)

    def add(
        self,
        study: str,
        metric: Metric | str,
        value: float | None,
        n: int,
        split: str,
        *,
        ties: int | None = None,
        interval: tuple[float | None, float | None] = (None, None),
        **told: Value,
    ) -> None:
        """A value of n items with its interval; `told` are its control, if it is of one, and
        columns of the study.
        """
        low, high = interval
        told |= {"metric": metric, "value": value, "n": n, "split": split, "ties": ties}
        told |= {"study": study, "ci_low": low, "ci_high": high}
        self.records.append(Record.of(**self._source, **told))

    def recognised(
        self,
        outcome: Recognition,
        clusters: Int[Ints, " scenes"],
        *,
        study: str,
        metric: Metric | str,
        split: str,
        **own: Value,
    ) -> None:
        """A share of scenes that were recognised; see `share_record`."""
        facts: dict[str, Any] = {"study": study, "metric": metric, "split": split}
        self.records.append(share_record(outcome, clusters, **self._source, **facts, own=own))

    @property
    def _source(self) -> dict[str, Any]:
        return {"modality": self.modality, "scenes": self.scenes, "encoder": self.encoder}


def mean_record(
    metric: str,
    values: Float[Floats, " items"],
    ties: int | None,
    clusters: Int[Ints, " items"],
    kind: Literal["share", "difference", "mean"] = "share",
    /,
    **facts: Any,
) -> Record:
    """A mean between pictures and captions with its interval.

    Args:
        metric: its name.
        values: (n,)
        ties: among them.
        clusters: (n,) what is one draw: the scenes of an orbit, the items of a picture.
        kind: what the values are: outcomes from 0 to 1, differences of such, or cosines.
        **facts: study, split, scenes, encoder, and what the study varies.
    """
    if kind == "mean":
        low, high = mean_interval(values, clusters, bounds=(-1.0, 1.0))
    else:
        low, high = (share_interval if kind == "share" else difference_interval)(values, clusters)
    value = float(values.mean(dtype=np.float64))
    facts = {**unit_told(metric, _KINDS[kind]), **facts}
    return plain_record(metric, value, len(values), low, high, ties=ties, **facts)


def gain_record(
    metric: str, differences: Float[Floats, " items"], clusters: Int[Ints, " items"], **facts: Any
) -> Record:
    """A paired difference to no repair; at pull 0, where nothing was changed, it is 0 and has no
    interval.
    """
    record = mean_record(metric, differences, None, clusters, "difference", **facts)
    return record if facts["pull"] > 0 else record.but(ci_low=None, ci_high=None)


def plain_record(
    metric: str,
    value: float,
    n: int,
    low: float | None = None,
    high: float | None = None,
    **facts: Any,
) -> Record:
    """A value between pictures and captions, with its interval where it has one; see
    `mean_record`.
    """
    told = {"modality": "both", "level": 3, **facts}
    return Record.of(metric=metric, value=value, n=n, ci_low=low, ci_high=high, **told)
