"""Pure functions on arrays. One tie rule everywhere: a tie is a miss, and is counted."""

from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.forced_choice import every, forced_choice
from conceptbind.metrics.intervals import (
    difference_interval,
    mean_interval,
    mid_p,
    ordering_interval,
    share_interval,
)
from conceptbind.metrics.medians import median_interval
from conceptbind.metrics.recognition import Recognition, join, recognition
from conceptbind.metrics.retrieval import ranks, recall_at, within
from conceptbind.metrics.variance import r2

__all__ = [
    "Recognition",
    "difference_interval",
    "every",
    "forced_choice",
    "join",
    "mean_interval",
    "median_interval",
    "mid_p",
    "ordering_interval",
    "r2",
    "ranks",
    "recall_at",
    "recognition",
    "refuse_non_finite",
    "share_interval",
    "within",
]
