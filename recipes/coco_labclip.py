"""LABCLIP on COCO as in arXiv 2502.03566, section 5: fit on the Karpathy train split, score on
every real-world benchmark that is there.

    python recipes/coco_labclip.py hf:openai/clip-vit-base-patch32 DATA runs/coco-labclip

DATA holds `coco/` (coco_karpathy_train.json, coco_karpathy_test.json, val2014/, train2014/) and
what there is of `aro/`, `sugarcrepe/`, `winoground/`, `colorswap/`, `whatsup/`, `flickr30k/` and
`zeroshot/` (a folder of labelled pictures, which shows what the repair costs). Nothing is
downloaded but the encoder. About 566,000 captions and as many negatives are embedded, which wants a
GPU; a killed run continues.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conceptbind import evaluate, repair

ELSEWHERE = (
    "vg_attribution",
    "vg_relation",
    "coco_order",
    "sugarcrepe",
    "winoground",
    "colorswap",
    "whatsup",
    "flickr30k",
    "zeroshot",
)


def main(encoder: str, data: Path, out: Path) -> None:
    """Fit, then score what there is."""
    from conceptbind.benchmarks import benchmark_folders, benchmark_named

    print(
        repair(
            encoder,
            coco=str(data / "coco"),
            out=str(out / "adapter"),
            rate=1e-3,
            batch=1024,
            epochs=10,
            solver="published",
        )
    )
    folders = benchmark_folders(ELSEWHERE, data)
    there = [
        name
        for name, place in folders.items()
        if place != data and all(f.there for f in benchmark_named(name).layout(place))
    ]
    if there:
        print(
            evaluate(
                encoder,
                benchmark=",".join(there),
                data=str(data),
                adapter=str(out / "adapter"),
                out=str(out / "evaluation"),
            )
        )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
