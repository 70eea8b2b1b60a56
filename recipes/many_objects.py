"""Does a model still know which attribute belongs to which noun when scenes grow? One row for each
number of objects.

python recipes/many_objects.py [MODEL]    # tiny by default
Pictures are drawn, embedded with their captions, and one linear classifier for every noun reads its
colour (split by orbit).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from conceptbind import load_scenes
from conceptbind.encoders import resolve
from conceptbind.pictures import draw_pictures
from conceptbind.rows.embeddings import embed
from conceptbind.within import attribute_records

NUMBERS = (2, 3, 4, 5, 6, 8, 10)


def main(name: str) -> None:
    """Print the table."""
    encoder: Any = resolve(name, device="cpu")
    random = encoder.untrained()
    print(
        "| objects | text | random weights | image | random weights | scenes (n) "
        "|\n|---|---|---|---|---|---|"
    )
    for number in NUMBERS:
        with tempfile.TemporaryDirectory() as folder:
            scenes = draw_pictures(
                load_scenes(f"clevr2d:{number}"), Path(folder) / "pictures", seed=0
            )
            cells, n = [], 0
            for part in ("text", "image"):
                rows, beside = (
                    embed(model, scenes, part, Path(folder) / f"{part}-{i}")
                    for i, model in enumerate((encoder, random))
                )
                records = attribute_records(
                    rows, scenes, controls={"random_weights": beside}, seed=0
                )
                for control in ("none", "random_weights"):
                    (whole,) = [r for r in records if not r["noun"] and r.control == control]
                    cells.append("-" if whole.value is None else f"{whole.value:.3f}")
                    n = whole.n
            print(f"| {number} | {' | '.join(cells)} | {n:,} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tiny")
