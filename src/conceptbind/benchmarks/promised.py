"""Which records a benchmark will have, before anything is embedded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.benchmarks.base import Benchmark, Data
from conceptbind.benchmarks.evaluate import scores_of
from conceptbind.benchmarks.order import PERTURBATIONS, Order
from conceptbind.benchmarks.paraphrases import Paraphrases
from conceptbind.benchmarks.recording import score_record
from conceptbind.benchmarks.registry import benchmark_named
from conceptbind.benchmarks.texts import by_rows
from conceptbind.core.records import Records

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder


def promised_records(
    encoder: Encoder, name: str, data: Data | None, folder: Path
) -> Records | None:
    """Records that say which numbers a benchmark gives; their values say nothing, since every
    picture and caption has the same row.

    Args:
        encoder: that will be scored.
        name: of the benchmark.
        data: its items, where they could be read; None where something has to be made first.
        folder: of its files.

    Returns:
        None where only the items could say it.
    """
    data = _stand_in(name, folder) if data is None else data
    if data is None:
        return None
    seen, texts = (np.ones((len(part), 1)) for part in (data.pictures, data.captions))
    pictures = seen if isinstance(benchmark_named(name), Benchmark) and data.pictures else None
    found = scores_of(name, data, pictures, texts, by_rows(texts, texts))
    return Records(score_record(score, encoder, name, {}) for score in found)


def _stand_in(name: str, folder: Path) -> Data | None:
    """One item in the place of those for which negatives will be drawn."""
    benchmark, item = benchmark_named(name), Data((), folder, ("",), {})
    if isinstance(benchmark, Order):
        orders = len(PERTURBATIONS)
        rows = {"rows": np.zeros((1, 2 + orders), dtype=np.int64)}
        items = {**rows, "changed": np.ones((1, orders), dtype=bool)}
        return replace(item, pictures=("",), items=items)
    if isinstance(benchmark, Paraphrases):
        named = {"subsets": np.array([benchmark.file(folder).stem])}
        none = {"rows": np.zeros((1, 3), dtype=np.int64), "draws": np.zeros(1, dtype=np.int64)}
        return replace(item, items={**named, **none})
    return None
