"""The closed-form repair against the published loop, both in one run: seconds, and binding of pairs
that neither saw.

    python bench/laboratory.py                  # 100,000 planted pairs with negatives, d = 512

The pairs are those of `bench/labclip.py`. The published loop is ours (`--solver published`: Adam
1e-3, batch 1,024, ten epochs); ridge regression chooses its penalty on the same validation pairs.
Each method runs in a process of its own, reading and normalising rows included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from multiprocessing.connection import Connection

import numpy as np
import torch

from conceptbind.core.names import Repair
from conceptbind.repairs.labclip import Pairs, fit_pairs
from conceptbind.repairs.laboratory import LowRank, Method, Procrustes, Ridge
from labclip import HELD, planted

METHODS: dict[str, Method] = {"ridge": Ridge(), "procrustes": Procrustes(), "low rank": LowRank()}
LOOP = "published loop"


def fitted(name: str, train: Pairs, validation: Pairs) -> np.ndarray:
    """The matrix that a method fits."""
    if name == LOOP:
        return fit_pairs(train, validation, solver="published").adapter.weight
    found = METHODS[name].fit(train, validation, 0)
    assert found.adapter is not None
    assert found.method != Repair.NONE
    print(f"  {name}: {found.chosen}", flush=True)
    return found.adapter.weight


def binding(weight: np.ndarray, pairs: Pairs) -> float:
    """Share of captions that score above their negative."""
    batch = pairs.batch(np.arange(len(pairs)))
    mapped = torch.nn.functional.normalize(batch.texts @ torch.from_numpy(weight).T, dim=1)
    true, false = ((batch.images * part).sum(1) for part in mapped.split(len(pairs)))
    return float((true > false).float().mean())


def work(pipe: Connection, name: str, n: int, d: int) -> None:
    """One method, in this process."""
    pairs = Pairs.of(*planted(n + 2 * HELD, d))
    parts = np.split(np.arange(len(pairs)), [n, n + HELD])
    train, validation, test = (pairs.select(rows) for rows in parts)
    some = np.arange(2048)
    if name != LOOP:  # first calls
        fitted(name, train.select(some), validation.select(some))
    start = time.perf_counter()
    weight = fitted(name, train, validation)
    seconds = time.perf_counter() - start
    pipe.send((seconds, binding(weight, test), binding(np.eye(d, dtype=np.float32), test)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    context, base = multiprocessing.get_context("spawn"), 0.0
    for name in (LOOP, *METHODS):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there, name, options.pairs, 512))
        process.start()
        seconds, after, before = here.recv()
        process.join()
        base = base or seconds
        print(
            f"{name:16s} {seconds:7.2f} s  {base / seconds:6.1f} x  "
            f"held-out binding {after:.4f} (before {before:.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
