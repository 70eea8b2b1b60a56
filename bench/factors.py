"""The measures of the third paper (arXiv 2602.24264) on all rows of dSprites: seconds and memory of
ours, and of the plain way, which holds all rows and decomposes them; both in one run.

    python bench/factors.py                      # 737,280 rows of 512 numbers, memory-mapped
    python bench/factors.py --rows 60000

Each side runs in a process of its own. Ours: R^2 of rows that were not fitted on, in three forms,
with intervals; cosines, ranks and probes of all factors; the same with shuffled labels; and the
published figures. The plain way: the published R^2 alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.factors import factor_study
from conceptbind.factors.study import RAW, WHITENED
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import Scenes, split_scenes
from conceptbind.scenes.space import ConceptSpace

SIZES = {"shape": 3, "size": 6, "orientation": 40, "x": 32, "y": 32}
WIDTH = 512
BLOCK = 16_384


def planted(path: Path, labels: np.ndarray) -> None:
    """A sum of one vector per value, and noise; half precision, as embeddings are kept."""
    rng = np.random.default_rng(0)
    vectors = [rng.normal(size=(size, WIDTH)).astype(np.float32) for size in SIZES.values()]
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (len(labels), WIDTH))
    for start in range(0, len(labels), BLOCK):
        part = labels[start : start + BLOCK]
        block = sum(own[part[:, k]] for k, own in enumerate(vectors))
        rows[start : start + BLOCK] = block + 2 * rng.normal(size=block.shape)
    rows.flush()


def table(n: int) -> Scenes:
    space = ConceptSpace(
        tuple(SIZES), tuple(tuple(f"{name}{v}" for v in range(n)) for name, n in SIZES.items())
    )
    every = np.stack(np.unravel_index(np.arange(space.n_objects), space.sizes), axis=1)
    chosen = (
        every if n >= len(every) else every[np.random.default_rng(0).permutation(len(every))[:n]]
    )
    return Scenes(space, chosen[:, None, :], name="dsprites")


def ours(path: Path, scenes: Scenes) -> tuple[float, float]:
    rows = np.load(path, mmap_mode="r")
    held = Embeddings(rows, "image", scenes.content_hash, scenes.name, "planted", "1")
    study = factor_study(held, scenes, split_scenes(scenes))
    found = [
        study.records.one(metric=Metric.R2, protocol="paper", normalisation=form).value
        for form in (RAW, WHITENED)
    ]
    return float(found[0] or 0), float(found[1] or 0)


def plain(path: Path, scenes: Scenes) -> tuple[float, float]:
    """All rows in single precision, means value by value, and a decomposition of the rows."""
    rows = np.load(path).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows -= rows.mean(axis=0)
    labels = scenes.table[:, 0]
    hat = np.zeros_like(rows)
    for k in range(labels.shape[1]):
        for value in np.unique(labels[:, k]):
            mine = labels[:, k] == value
            hat[mine] += rows[mine].mean(axis=0)
    raw = 1 - np.square(rows - hat).sum() / np.square(rows).sum()
    _, sizes, axes = np.linalg.svd(rows, full_matrices=False)
    scale = 1 / np.sqrt(sizes**2 / len(rows) + 1e-9)
    white, white_hat = rows @ axes.T * scale, hat @ axes.T * scale
    return float(raw), float(1 - np.square(white - white_hat).sum() / np.square(white).sum())


def work(pipe: Connection, side: str, path: Path, n: int) -> None:
    scenes = table(n)
    start = time.perf_counter()
    raw, whitened = (ours if side == "conceptbind" else plain)(path, scenes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pipe.send((time.perf_counter() - start, peak, raw, whitened))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=737_280)
    parser.add_argument("--sides", nargs="*", default=["conceptbind", "plain way"])
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "rows.npy"
        planted(path, table(options.rows).table[:, 0])
        for side in options.sides:
            here, there = context.Pipe()
            process = context.Process(target=work, args=(there, side, path, options.rows))
            process.start()
            there.close()
            seconds, peak, raw, whitened = here.recv()
            process.join()
            print(
                f"{side:12s} {seconds:7.1f} s  {peak:6.2f} GiB   published R^2 {raw:.4f}, "
                f"whitened {whitened:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
