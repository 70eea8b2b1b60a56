"""What pictures prefer, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric
from conceptbind.report.charts import Chart, Look, Series, histogram, point_of

if TYPE_CHECKING:
    from conceptbind.crossmodal.study import CrossmodalStudy


def crossmodal_figure(study: CrossmodalStudy) -> Chart:
    """What a picture prefers: its caption to one with another concept, and to its attribute swap,
    by order of mention.
    """
    orders = {
        "either": "all orders",
        "as listed": "first slot named first",
        "reversed": "last slot named first",
    }
    shown: tuple[tuple[Metric, str, Look], ...] = (
        (Metric.CONCEPT_ACCURACY, "against another concept", "bag"),
        (Metric.BINDING_ACCURACY, "against the attribute swap", "own"),
    )
    series = []
    for metric, name, look in shown:
        records = study.records.where(metric=metric, control=Control.NONE).scored()
        points = tuple(point_of(r, orders[str(r["order"])]) for r in records)
        series.append(Series(name, points, look))
    return Chart(
        "crossmodal",
        "How often a picture prefers its own caption",
        "bars",
        tuple(series),
        "order of mention",
        "share of comparisons won",
        reference=0.5,
        reference_name="chance",
    )


def swap_cosine_figure(study: CrossmodalStudy) -> Chart | None:
    """How similar captions are to their attribute swaps; None without swaps."""
    if len(study.swap_cosines) == 0:
        return None
    return histogram(
        "swap-cosines",
        "How similar captions are to their attribute swaps",
        [("captions", "own", study.swap_cosines)],
        "cosine of a caption with its attribute swap",
        "captions",
    )
