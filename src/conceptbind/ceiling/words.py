"""An encoder beside free embeddings of its width, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.names import Metric
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import embeddings_of

if TYPE_CHECKING:
    from conceptbind.ceiling.study import CeilingStudy
    from conceptbind.core.records import Record

ENOUGH = 20
"""Test scenes below which no share is told."""


def ceiling_sentence(study: CeilingStudy, own: Record, encoder: str) -> str:
    """What the width allows, and which share of it the encoder's probe reaches.

    Args:
        study: free embeddings of the encoder's width.
        own: object recognition by the encoder's own probe, on test scenes.
        encoder: its name.
    """
    free = study.records.one(metric=Metric.OBJECT_RECOGNITION, protocol="dot")
    dimensions = counted(study.dimension, "dimension")
    said = (
        f"Free embeddings of {dimensions} recognise the objects of {value_of(free)} of {study.n:,} "
        "scenes"
    )
    if study.fewest is not None and study.fewest < study.dimension:
        said += f", and {counted(study.fewest, 'dimension')} would do"
    who = f"{embeddings_of(study.modality)} of {encoder}"
    if own.n < ENOUGH or not free.value or own.value is None:
        return (
            f"{said}. How much of that the {who} use cannot be judged: {own.n} test scenes, and "
            f"at least {ENOUGH} are needed."
        )
    share = min(own.value / free.value, 1.0)
    return (
        f"{said}. The {who} use {percent(share)} of that: a probe recognises the objects of "
        f"{value_of(own)} of new scenes ({interval_of(own)}, n = {own.n:,})."
    )
