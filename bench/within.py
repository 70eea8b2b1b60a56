"""Level 2 of 160,000 captions from kept rows: scoring all comparisons, against a loop over them.

    python bench/within.py            # 20,000 scenes of text20 in eight wordings, d = 384

Rows are random, float32, on disk, as a run keeps them. Both sides score the same triplets by the
same rule; the loop takes one comparison after the other, with numpy, and is timed on a part of
them. Writing captions is told apart: it belongs to embedding.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from conceptbind.core.names import Control
from conceptbind.scenes import paraphrase_bank, text20
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.within import Items, Triplets, text_triplets, within_study

LOOPED = 50_000
"""Comparisons of the loop that are timed."""


def loop(rows: np.ndarray, triplets: Triplets, some: np.ndarray) -> float:
    """Seconds of one comparison after the other."""
    start, right = time.perf_counter(), 0
    for place in some:
        a = rows[triplets.anchor[place]]
        p = rows[triplets.paraphrase[place]]
        n = rows[triplets.negative[place]]
        near = a @ p
        right += near > a @ n and near > p @ n
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=384)
    asked = parser.parse_args()
    scenes = text20()
    start = time.perf_counter()
    bank = paraphrase_bank(scenes, most=asked.scenes)
    print(
        f"captions: {len(bank.captions):,} of {len(bank):,} comparisons written in "
        f"{time.perf_counter() - start:.1f} s"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        rng = np.random.default_rng(0)
        shape = len(bank.captions), asked.width
        kept = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        for first in range(0, len(kept), 10_000):
            part = rng.normal(size=kept[first : first + 10_000].shape)
            kept[first : first + 10_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
        kept.flush()
        rows = np.load(path, mmap_mode="r")
        settings = text_triplets(bank)
        orbits = orbit_ids(scenes)[bank.scene]
        items = Items(bank.scene, bank.concept, orbits, scenes.space.concepts, bank.wordings)
        start = time.perf_counter()
        within_study(
            {str(Control.NONE): rows},
            settings,
            items,
            modality="text",
            scenes=scenes.name,
            encoder="random",
        )
        ours = time.perf_counter() - start
        n = sum(map(len, settings))
        some = rng.integers(0, len(settings[0]), LOOPED)
        theirs = loop(rows, settings[0], some) * n / LOOPED
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n:,} triplets with all records: ours {ours:.1f} s, loop {theirs:.1f} s "
        f"({LOOPED:,} timed, extrapolated): {theirs / ours:.1f} x; peak memory {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
