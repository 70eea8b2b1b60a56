"""Results as flat records, the same in memory, in `results.json` and in `results.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics.intervals import share_interval

if TYPE_CHECKING:
    from conceptbind.core.typing import Ints, Modality
    from conceptbind.metrics.recognitions import Recognition

CONTROL_TEXTS = {
    "bag_of_concepts": (
        "Bag of concepts",
        "The same probes, fitted on how often each value occurs in the scene and on nothing else. "
        "They know every concept and no binding. "
        "Objects they recognise where the scene leaves no choice (two red objects, say), and "
        "sometimes elsewhere: a fitted probe prefers one "
        "of the objects that go with the same counts, and may be lucky. For the attribute of a "
        "noun: the same classifiers on these counts.",
    ),
    "counts_of_concepts": (
        "Counts of concepts",
        "An object scores how many of its values are in the scene. Nothing is fitted, and equal "
        "counts tie, which is a miss.",
    ),
    "random_weights": (
        "Random weights",
        "The same architecture, untrained: what a probe recognises there is owed to the "
        "architecture and the scenes.",
    ),
    "bag_twin": (
        "Bag twin",
        "A model of the same architecture, trained on pictures and captions whose colours were "
        "dealt out at random: binding never helped it.",
    ),
    "blind_length": ("Blind, by length", "No picture is seen: the shorter caption wins."),
    "blind_norm": (
        "Blind, by norm",
        "No picture is seen: the caption with the longer feature vector wins.",
    ),
}
"""What each control is: its name for people, and a description to stand where its numbers are
shown. One name, one thing."""
Extra = str | int | float | bool | None


@dataclass(frozen=True)
class Record:
    """One number with everything needed to cite it."""

    study: str
    """probe, additive, spectrum, removal, edit, complexity, crossmodal, attribute_probe, repair,
    controlled"""
    modality: str
    metric: str
    """concept_recognition, object_recognition, r2, ..."""
    value: float | None
    """None where it is undefined."""
    n: int
    """Items that the value was computed on."""
    ties: int | None
    """Ties among them, each counted as a miss; None where ties cannot occur."""
    ci_low: float | None
    ci_high: float | None
    """95 % interval."""
    split: str
    scenes: str
    encoder: str
    extra: dict[str, Extra] = field(default_factory=dict)
    """What the study varies: concept, control, level, estimator, l2, seed, ..."""

    def __post_init__(self) -> None:
        own = {item.name for item in fields(self)} & set(self.extra)
        if own:
            raise ValueRangeError(
                "what a study varies must not be named like a field of every record: "
                f"{', '.join(sorted(own))}"
            )

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Record:
        """What `flat` gave."""
        own = {item.name for item in fields(cls)} - {"extra"}
        extra = {name: value for name, value in row.items() if name not in own}
        return cls(**{name: row[name] for name in own}, extra=extra)

    def flat(self) -> dict[str, Extra]:
        """The record as one row; keys of `extra` become columns."""
        row: dict[str, Any] = asdict(self)
        return row | row.pop("extra")


def share_record(
    outcome: Recognition,
    clusters: Ints | None = None,
    /,
    *,
    study: str,
    modality: Modality | Literal["symbols"],
    metric: str,
    split: str,
    scenes: str,
    encoder: str,
    **extra: Extra,
) -> Record:
    """A recognition outcome of n scenes as a record with its interval.

    `clusters` (n,) says which scenes are one draw (the orders of a pair, an orbit); by default
    every scene is one of its own. What else is given stands in the record.
    """
    low, high = None, None
    if outcome.n:
        right = outcome.correct[outcome.scored].astype(float)
        low, high = share_interval(
            right, None if clusters is None else np.asarray(clusters)[outcome.scored]
        )
    value = outcome.accuracy if outcome.n else None
    return Record(
        study,
        modality,
        metric,
        value,
        outcome.n,
        outcome.ties,
        low,
        high,
        split,
        scenes,
        encoder,
        extra,
    )
