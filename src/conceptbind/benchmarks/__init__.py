"""Benchmarks on real pictures and captions, one file each, all read, embedded and scored in one way."""

from conceptbind.benchmarks.base import Data, Found, Score
from conceptbind.benchmarks.evaluate import BENCHMARKS, benchmark_named, evaluate_benchmark, read_benchmark

__all__ = ["BENCHMARKS", "Data", "Found", "Score", "benchmark_named", "evaluate_benchmark", "read_benchmark"]
