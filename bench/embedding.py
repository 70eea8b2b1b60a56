"""Embedding captions: sentence-transformers' own `encode` against ours, in turn, and what lower
precision changes.

    python bench/embedding.py [--captions 3000] [--rounds 3] [--metrics]

`--metrics` also measures text20:10x10 in each precision and prints the largest change of any
recognition.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from conceptbind.encoders import resolve
from conceptbind.encoders.registry import _packaged_minilm
from conceptbind.probes import probe_study
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import split_scenes, text20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captions", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--metrics", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    reference = SentenceTransformer(str(_packaged_minilm()), device="cpu")
    encoders = {precision: resolve("minilm", precision, "cpu") for precision in ("float32", "bf16")}
    methods = {
        "sentence-transformers encode": lambda texts: reference.encode(
            texts, show_progress_bar=False
        )
    }
    methods |= {f"conceptbind {name}": encoder.encode_texts for name, encoder in encoders.items()}
    captions = list(text20().captions())
    captions = [
        captions[i] for i in np.random.default_rng(0).permutation(len(captions))[: options.captions]
    ]
    speeds: dict[str, list[float]] = {name: [] for name in methods}
    for method in methods.values():
        method(captions[:200])
    for _ in range(options.rounds):
        for name, method in methods.items():
            start = time.perf_counter()
            method(captions)
            speeds[name].append(len(captions) / (time.perf_counter() - start))
    base = speeds["sentence-transformers encode"]
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, CPU capability "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )
    for name, values in speeds.items():
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        print(
            f"{name:30s} {statistics.median(values):7.0f} captions/s   "
            f"{statistics.median(ratios):.2f} x"
        )
    if options.metrics:
        changes(encoders)


def changes(encoders) -> None:
    """Recognition on text20:10x10 by precision."""
    scenes = text20(10, 10)
    split, captions = split_scenes(scenes, "pair", seed=0), list(scenes.captions())
    found = {}
    for name, encoder in encoders.items():
        rows = Embeddings(
            encoder.encode_texts(captions),
            "text",
            scenes.content_hash,
            scenes.name,
            encoder.id,
            encoder.revision,
        )
        found[name] = [
            record.value
            for record in probe_study(rows, scenes, split).records
            if record.control == "none" and record.value is not None
        ]
    for name, values in found.items():
        change = max(abs(a - b) for a, b in zip(values, found["float32"], strict=True))
        print(
            f"{name:10s} {' '.join(f'{value:.4f}' for value in values)}   largest change "
            f"{change:.4f}"
        )


if __name__ == "__main__":
    main()
