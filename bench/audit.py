"""Seconds and peak memory of an audit of a planted index, without encoding; and of a pass over rows
that would not fit into memory.

    python bench/audit.py --rows 1000000
    python bench/audit.py --rows 10000000 --holes     # shards with holes: rows alone, no audit

Everything is written into --folder once (a gigabyte for a million rows) and found there again.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np

ATTRIBUTES = ("red", "blue", "green", "yellow", "black", "white", "old", "small")
NOUNS = ("cube", "ball", "chair", "cup", "hat", "table", "car", "dog", "horse", "bench", "door")
WIDTH = 512
SHARD = 250_000


class Codes:
    """Texts as sums of codes of their words, and of the pairs of neighbouring words."""

    id, revision, modalities, dimension = "codes", "1", ("text",), WIDTH

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        size = len(ATTRIBUTES), len(NOUNS)
        self.attributes = rng.normal(size=(size[0], WIDTH)).astype(np.float32)
        self.nouns = rng.normal(size=(size[1], WIDTH)).astype(np.float32)
        self.pairs = 0.3 * rng.normal(size=(*size, WIDTH)).astype(np.float32)
        self.seconds = 0.0

    def rows(self, things):
        """(n, d) unit rows of (n, 2, 2) attributes and nouns."""
        a, n = things[..., 0], things[..., 1]
        found = (self.attributes[a] + self.nouns[n] + self.pairs[a, n]).sum(axis=1)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def encode_texts(self, texts):
        start = time.perf_counter()
        found = self.rows(np.array([things_of(text) for text in texts]))
        self.seconds += time.perf_counter() - start
        return found

    def encode_images(self, images):
        raise NotImplementedError


def things_of(text):
    """Attribute and noun of the two things of a text."""
    words = text.replace(".", "").split()
    attributes = [i for i, word in enumerate(words) if word in ATTRIBUTES]
    found = []
    for place in attributes:
        behind = words[place - 2 : place] == ["that", "is"]
        noun = words[place - 3] if behind else words[place + 1]
        found.append((ATTRIBUTES.index(words[place]), NOUNS.index(noun)))
    return found[:2]


def write(folder: Path, rows: int, encoder: Codes) -> None:
    """Shards of rows in half precision, and a file of captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    with (folder / "captions.part").open("w") as file:
        for start in range(0, rows, SHARD):
            n = min(SHARD, rows - start)
            attributes = rng.integers(0, len(ATTRIBUTES), (n, 2))
            attributes[:, 1] = (attributes[:, 0] + 1 + attributes[:, 1] % 7) % len(ATTRIBUTES)
            nouns = rng.integers(0, len(NOUNS), (n, 2))
            nouns[:, 1] = (nouns[:, 0] + 1 + nouns[:, 1] % 10) % len(NOUNS)
            things = np.stack([attributes, nouns], axis=2)
            noise = rng.normal(size=(n, WIDTH), scale=0.02).astype(np.float32)
            np.save(
                folder / f"rows-{start // SHARD}.npy", (encoder.rows(things) + noise).astype("f2")
            )
            for number, ((a, x), (b, y)) in enumerate(things.tolist(), start):
                file.write(
                    f"photo {number} of a {ATTRIBUTES[a]} {NOUNS[x]} and a {ATTRIBUTES[b]} "
                    f"{NOUNS[y]}\n"
                )
    (folder / "captions.part").rename(folder / "captions.txt")


def write_holes(folder: Path, rows: int) -> None:
    """Shards that take no room on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        with (folder / f"holes-{start // 1_000_000}.npy").open("wb") as file:
            header = {"descr": "<f2", "fortran_order": False, "shape": (n, WIDTH)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + n * WIDTH * 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--holes", action="store_true")
    parser.add_argument("--tagger", default="auto")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-audit"))
    options = parser.parse_args()
    folder = options.folder / f"{options.rows}{'-holes' * options.holes}"
    if options.holes:
        passed(folder, options.rows)
        return
    import conceptbind

    encoder = Codes()
    if not (folder / "captions.txt").is_file():
        write(folder, options.rows, encoder)
    encoder.seconds = 0.0
    start = time.perf_counter()
    found = conceptbind.audit(
        encoder,
        index=str(folder / "rows-*.npy"),
        captions=folder / "captions.txt",
        modality="image",
        tagger=options.tagger,
        out=folder / f"run-{os.getpid()}",
    )
    seconds = time.perf_counter() - start
    print("\n".join(found.sentences))
    print(
        f"{options.rows:,} rows: {seconds - encoder.seconds:.0f} s and {encoder.seconds:.1f} s of "
        f"encoding, peak memory {peak():.2f} GiB"
    )


def passed(folder: Path, rows: int) -> None:
    """All rows are read once, and two thousand by number."""
    from conceptbind.rows.indexes import open_container

    if not folder.is_dir():
        write_holes(folder, rows)
    start = time.perf_counter()
    index = open_container(folder / "holes-*.npy")
    assert index is not None
    total = sum(len(block) for _, block in index.blocks())
    index.rows()[1][np.random.default_rng(0).integers(0, index.n, 2000)]
    print(
        f"{total:,} rows of {index.dimension} float16 read in {time.perf_counter() - start:.0f} s, "
        f"peak memory {peak():.2f} GiB"
    )


def peak() -> float:
    """GiB of memory that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main()
