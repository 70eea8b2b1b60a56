"""Embedding pictures: JPEG files of 640 x 480 through a ViT-B/32 of random weights, against the
bare model on tensors that are prepared, transformers' own loop, and a plain DataLoader; in turn.

    python bench/feeding.py [--pictures 256] [--rounds 3] [--workers 0 1 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from conceptbind.encoders import resolve
from conceptbind.rows.embeddings import embed
from conceptbind.scenes import Scenes

BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = photographs(folder / "pictures", options.pictures)
        encoder = resolve(f"hf:{vit(folder / 'model')}", device=options.device)
        compare(encoder, paths, folder, options)


def photographs(folder: Path, n: int) -> list[Path]:
    """JPEG files of the size and the detail of photographs: smooth shades with some noise."""
    folder.mkdir()
    rng, paths = np.random.default_rng(0), []
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)
        paths.append(folder / f"{number:05d}.jpg")
        Image.fromarray(noisy).save(paths[-1], quality=85)
    return paths


def vit(folder: Path) -> Path:
    """CLIP's ViT-B/32 with random weights, as a model folder."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    torch.manual_seed(0)
    CLIPVisionModelWithProjection(CLIPVisionConfig(projection_dim=512)).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder


class Files(Dataset):
    """Pictures as a DataLoader reads them."""

    def __init__(self, paths, processor):
        self.paths, self.processor = paths, processor

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        with Image.open(self.paths[number]) as picture:
            inputs = self.processor(images=picture.convert("RGB"), return_tensors="pt")
        return inputs["pixel_values"][0]


def compare(encoder, paths, folder, options) -> None:
    model, processor, device = encoder._model, encoder._processor, options.device
    files = Files(paths, processor)
    ready = torch.stack([files[number] for number in range(len(paths))])
    scenes = Scenes.unlabelled(
        "photographs", images=[path.name for path in paths], image_folder=paths[0].parent
    )
    runs = iter(range(10**6))

    @torch.inference_mode()
    def forward(pixels):
        return model(pixel_values=pixels.to(device, non_blocking=True)).image_embeds.cpu().numpy()

    def bare():
        return np.concatenate([forward(part) for part in ready.split(BATCH)])

    def transformers_loop():
        rows = []
        for start in range(0, len(paths), BATCH):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            rows.append(forward(processor(images=pictures, return_tensors="pt")["pixel_values"]))
        return np.concatenate(rows)

    def loader(workers):
        parts = DataLoader(files, batch_size=BATCH, num_workers=workers)
        return np.concatenate([forward(part) for part in parts])

    def ours(workers):
        encoder.workers = workers
        return embed(encoder, scenes, "image", folder / f"rows-{next(runs)}").values

    methods = {"bare model on prepared tensors": bare, "transformers' loop": transformers_loop}
    methods |= {f"DataLoader, {n} workers": partial(loader, n) for n in (0, 2)}
    methods |= {f"embed, {n} threads": partial(ours, n) for n in options.workers}
    methods["embed, as it is"] = partial(ours, None)
    expected = bare()
    for name, method in methods.items():
        np.testing.assert_allclose(method(), expected, atol=1e-4, err_msg=name)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(options.rounds):
        for name, method in methods.items():
            start = time.perf_counter()
            method()
            seconds[name].append(time.perf_counter() - start)
    base = seconds["bare model on prepared tensors"]
    print(f"{len(paths)} pictures, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for name, values in seconds.items():
        ratios = [other / value for value, other in zip(values, base, strict=True)]
        speed = len(paths) / statistics.median(values)
        print(f"{name:32s} {speed:7.1f} pictures/s   {statistics.median(ratios):.2f} x")


if __name__ == "__main__":
    main()
