"""Cosines to paraphrases and to swaps, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.report.charts import Chart, Look, Point, Series, histogram, point_of
from conceptbind.report.words import seen
from conceptbind.within.triplets import NEUTRAL, SETTINGS

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats
    from conceptbind.within.study import WithinStudy

STEPS = 40
"""Thresholds of a curve."""


def cosine_figure(study: WithinStudy) -> Chart:
    """How near anchors are to their paraphrases, and to swaps of either setting."""
    first = study.settings[NEUTRAL]
    groups: list[tuple[str, Look, Floats]] = [("paraphrases", "own", first.to_paraphrase)]
    looks: tuple[Look, ...] = ("bag", "random")
    for (setting, found), look in zip(study.settings.items(), looks, strict=False):
        groups.append((f"swaps, {setting}", look, found.to_negative))
    what = seen(study.modality)[:-1]
    return histogram(
        f"within-{study.modality}-cosines",
        f"How near a {what} is to its paraphrases and to its swaps",
        groups,
        f"cosine with the {what}",
        "pairs",
    )


def sensitivity_figure(study: WithinStudy) -> Chart:
    """For every threshold of cosine: the share of paraphrases above it against that of swaps."""
    looks: dict[str, Look] = dict(zip(SETTINGS, ("own", "bag"), strict=True))
    series = []
    for setting, found in study.settings.items():
        area = study.value(setting, Metric.PARAPHRASE_AREA)
        series.append(
            Series(
                f"{setting} (area {percent(area.value)})",
                tuple(_curve(found.to_paraphrase, found.to_negative)),
                looks[setting],
                "solid" if setting == NEUTRAL else "dashed",
                "",
            )
        )
    return Chart(
        f"within-{study.modality}-curve",
        "Paraphrases and swaps above the same cosine",
        "lines",
        tuple(series),
        "share of swaps above it",
        "share of paraphrases above it",
        ends=(0.0, 1.0),
    )


def _curve(positive: Floats, negative: Floats) -> list[Point]:
    """The share of positives above each of some thresholds, by the share of negatives above it."""
    both = np.sort(np.concatenate([positive, negative]))[::-1]
    places = np.unique(np.linspace(0, len(both) - 1, STEPS).astype(int))
    points = [Point(0.0, 0.0, said=percent(0.0))]
    for threshold in both[places]:
        x, y = float((negative >= threshold).mean()), float((positive >= threshold).mean())
        points.append(Point(round(x, 4), round(y, 4), said=percent(y)))
    return points


def wording_figure(study: WithinStudy) -> Chart | None:
    """The strict share by wording of the paraphrase; None for pictures."""
    if not study.items.wordings:
        return None
    looks: dict[str, Look] = dict(zip(SETTINGS, ("own", "bag"), strict=True))
    series = []
    for setting in study.settings:
        mine = study.records.where(
            metric=Metric.PARAPHRASE_ACCURACY, setting=setting, control=Control.NONE
        )
        told = [record for record in mine if record["wording"] is not None]
        points = tuple(point_of(record, str(record["wording"])) for record in told)
        series.append(Series(setting, points, looks[setting]))
    return Chart(
        f"within-{study.modality}-wordings",
        "How often a paraphrase is nearer than the swap, by its wording",
        "bars",
        tuple(series),
        "wording of the paraphrase",
        "share of comparisons won",
        reference=1 / 3,
        reference_name="chance",
    )
