"""Benchmarks on real pictures and captions, one file each, all read, embedded and scored in one
way.
"""

from conceptbind.benchmarks.base import Data, Found, Making, Score
from conceptbind.benchmarks.evaluate import (
    BENCHMARKS,
    benchmark_folders,
    benchmark_named,
    check_benchmark,
    evaluate_benchmark,
    look_at_benchmark,
    read_benchmark,
)
from conceptbind.benchmarks.karpathy import read_karpathy_train
from conceptbind.benchmarks.outcomes import Paired, load_outcomes, outcome_folders, paired

__all__ = [
    "BENCHMARKS",
    "Data",
    "Found",
    "Making",
    "Paired",
    "Score",
    "benchmark_folders",
    "benchmark_named",
    "check_benchmark",
    "evaluate_benchmark",
    "load_outcomes",
    "look_at_benchmark",
    "outcome_folders",
    "paired",
    "read_benchmark",
    "read_karpathy_train",
]
