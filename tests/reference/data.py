"""What the reference runs read, drawn again each time by numpy, csv, json and Pillow alone."""

from __future__ import annotations

import csv
import json
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH = 48
COLORS = ("red", "green", "blue", "yellow", "purple", "cyan")
SHAPES = ("circle", "square", "triangle")


def label_table(path: Path, color: int, shape: int, most: int | None = None) -> np.ndarray:
    """Write a table of scenes of two objects in mixed order; values (n, 2 slots, 2 concepts)."""
    objects = list(product(range(color), range(shape)))
    scenes = np.array(list(product(objects, objects)))
    scenes = scenes[np.random.default_rng(7).permutation(len(scenes))[:most]]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["color_1", "shape_1", "color_2", "shape_2"])
        for (c, s), (d, t) in scenes.tolist():
            writer.writerow([f"color{c}", f"shape{s}", f"color{d}", f"shape{t}"])
    return scenes


def bag_of_values(scenes: np.ndarray, seed: int, noise: float) -> np.ndarray:
    """Rows (n, 48): a code for each value, summed over slots and concepts, and noise."""
    rng = np.random.default_rng(seed)
    total = noise * rng.normal(size=(len(scenes), WIDTH))
    for k in range(scenes.shape[2]):
        codes = rng.normal(size=(scenes[:, :, k].max() + 1, WIDTH))
        total += codes[scenes[:, :, k]].sum(axis=1)
    return total.astype(np.float32)


def additive_objects(scenes: np.ndarray, seed: int, noise: float) -> np.ndarray:
    """Rows (n, 48): a code for each value and one for each object, summed, and noise."""
    rng = np.random.default_rng(seed)
    shapes = scenes[:, :, 1].max() + 1
    codes = rng.normal(size=((scenes[:, :, 0].max() + 1) * shapes, WIDTH))
    bound = codes[scenes[:, :, 0] * shapes + scenes[:, :, 1]].sum(axis=1)
    return (bag_of_values(scenes, seed + 1, noise) + 0.5 * bound).astype(np.float32)


def product_rule(scenes: np.ndarray, seed: int, noise: float) -> np.ndarray:
    """Rows (n, 48): the product of the codes of an object's values and their sum, and noise."""
    rng = np.random.default_rng(seed)
    color, shape = (
        rng.normal(size=(scenes[:, :, k].max() + 1, WIDTH))[scenes[:, :, k]] for k in (0, 1)
    )
    rows = (color * shape + 0.5 * (color + shape)).sum(axis=1)
    return (rows + noise * rng.normal(size=rows.shape)).astype(np.float32)


def planted_repair(folder: Path, n: int = 150) -> None:
    """Write x.npy, y.npy, n.npy and of.npy: n pictures, two captions of each and their negatives.

    Captions hold the codes of objects in another place than pictures do.
    """
    rng = np.random.default_rng(11)
    values, shapes, objects = (rng.normal(size=(k, WIDTH // 2)) for k in (5, 6, 30))
    color, shape = (rng.permuted(np.tile(np.arange(k), (n, 1)), axis=1)[:, :2] for k in (5, 6))

    def rows(color: np.ndarray, shift: int) -> np.ndarray:
        bag = values[color].sum(axis=1) + shapes[shape].sum(axis=1)
        bound = np.roll(objects[color * 6 + shape].sum(axis=1), shift, axis=1)
        return (np.hstack([bag, bound]) + 0.6 * rng.normal(size=(n, WIDTH))).astype(np.float32)

    two = np.repeat(np.arange(n), 2)
    again = 0.2 * rng.normal(size=(2 * n, WIDTH)).astype(np.float32)
    np.save(folder / "x.npy", rows(color, 0))
    np.save(folder / "y.npy", rows(color, 5)[two] + again)
    np.save(folder / "n.npy", rows(color[:, ::-1], 5)[two] + again)
    np.save(folder / "of.npy", two)


def small_picture(scene: list[tuple[str, str]]) -> Image.Image:
    """Two flat shapes side by side on grey."""
    image = Image.new("RGB", (64, 64), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    for slot, (color, shape) in enumerate(scene):
        left, top, right, bottom = 4 + 30 * slot, 20, 28 + 30 * slot, 44
        if shape == "circle":
            draw.ellipse((left, top, right, bottom), fill=color)
        elif shape == "square":
            draw.rectangle((left, top, right, bottom), fill=color)
        else:
            draw.polygon([(left, bottom), (right, bottom), ((left + right) // 2, top)], fill=color)
    return image


def drawn_scenes(folder: Path, n: int) -> list[list[tuple[str, str]]]:
    """Draw n scenes of two objects as 0.png, 1.png, ...; what each shows, (color, shape) twice."""
    objects = list(product(COLORS, SHAPES))
    pairs = [[a, b] for a, b in product(objects, objects) if a[0] != b[0] and a[1] != b[1]]
    scenes = [pairs[i] for i in np.random.default_rng(13).permutation(len(pairs))[:n]]
    folder.mkdir(parents=True)
    for number, scene in enumerate(scenes):
        small_picture(scene).save(folder / f"{number}.png")
    return scenes


def caption(scene: list[tuple[str, str]]) -> str:
    """What a scene shows, in words that tiny knows."""
    return " and ".join(f"a {color} {shape}" for color, shape in scene)


def swapped(scene: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The scene with its two colours exchanged."""
    (a, b), (c, d) = scene
    return [(c, b), (a, d)]


def replaced(scene: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The scene with its first colour replaced by the next one."""
    (a, b), other = scene
    return [(COLORS[(COLORS.index(a) + 1) % len(COLORS)], b), other]


def benchmark_folders(folder: Path, n: int = 60) -> None:
    """Write SugarCrepe and COCO in their published layouts: n drawn pictures, and n to train on."""
    scenes = drawn_scenes(folder / "coco" / "val2014", 2 * n)
    pictures = folder / "sugarcrepe" / "val2017"
    pictures.mkdir(parents=True)
    for number, scene in enumerate(scenes[:n]):
        small_picture(scene).save(pictures / f"{number}.png")
    for subset, wrong in (("swap_att", swapped), ("replace_att", replaced)):
        items = {
            str(number): {
                "filename": f"{number}.png",
                "caption": caption(scene),
                "negative_caption": caption(wrong(scene)),
            }
            for number, scene in enumerate(scenes[:n])
        }
        (folder / "sugarcrepe" / f"{subset}.json").write_text(json.dumps(items))
    test, train = [], []
    for number, scene in enumerate(scenes):
        image, said = f"val2014/{number}.png", [caption(scene), caption(scene[::-1])]
        if number < n:
            test.append({"image": image, "caption": said})
        else:
            train += [
                {"image": image, "image_id": f"coco_{number}", "caption": text} for text in said
            ]
    (folder / "coco" / "coco_karpathy_test.json").write_text(json.dumps(test))
    (folder / "coco" / "coco_karpathy_train.json").write_text(json.dumps(train))
