"""What an encoder could do if its towers were trained with LABCLIP's loss and negatives (the
paper's FT), on unseen combinations.

python recipes/ceiling.py [MODEL]    # tiny by default
CLEVR-2D, split by orbit: 70 % to train on, 10 % choose the epoch, 20 % are scored.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from conceptbind import load_scenes
from conceptbind.crossmodal.study import caption_bank, compare, either_order
from conceptbind.encoders import resolve
from conceptbind.metrics import share_interval
from conceptbind.pictures import draw_pictures
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.finetune import finetune
from conceptbind.report.numbers import percent
from conceptbind.scenes import orbit_ids, pair_ids, split_scenes


def main(name: str) -> None:
    """Fine-tune, and print the binding accuracy before and after."""
    encoder = resolve(name, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        scenes = draw_pictures(load_scenes("clevr2d"), Path(folder), seed=0)
        paths = [Path(folder) / picture for picture in scenes.images or ()]
        bank, split = (
            caption_bank(scenes),
            split_scenes(scenes, "orbit", fractions=(0.7, 0.1, 0.2), seed=0),
        )
        texts, meaning = (
            [bank.scenes.caption(i) for i in range(len(bank.scenes))],
            pair_ids(bank.scenes),
        )
        of, true, false = (
            np.repeat(bank.swap_of, 2),
            bank.true[bank.swap_of].reshape(-1),
            bank.swaps.reshape(-1),
        )
        tuned = finetune(
            encoder,
            paths,
            [texts[i] for i in true],
            [texts[i] for i in false],
            train=np.flatnonzero(np.isin(of, split.train)),
            validation=np.flatnonzero(np.isin(of, split.validation)),
            image_of=of,
            text_ids=meaning[true],
            negative_ids=meaning[false],
        )
        swaps = np.flatnonzero(np.isin(bank.swap_of, split.test))
        scored = bank.swap_of[swaps]
        for when, model in (("before", encoder), ("after", tuned.encoder)):
            sides = (
                model.encode_images([read_picture(path) for path in paths]),
                model.encode_texts(texts),
            )
            x, y = (
                side / np.linalg.norm(side, axis=1, keepdims=True)
                for side in map(np.asarray, sides)
            )
            right, _ = either_order(compare(x[scored], y, bank.true[scored], bank.swaps[swaps]))
            ends = " to ".join(map(percent, share_interval(right, orbit_ids(scenes)[scored])))
            print(
                f"binding accuracy {when}: {percent(float(right.mean()))} ({ends}, n = "
                f"{len(right):,})"
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tiny")
