"""A file in the published layout of dSprites, drawn here: 3 shapes x 6 sizes x 40 orientations x
32 x 32 places, 737,280 pictures of 64 x 64 (github.com/deepmind/dsprites-dataset has the original).

    python recipes/make_dsprites.py sprites.npz
    python recipes/make_dsprites.py few.npz --sizes 3 2 8 16 16
    conceptbind measure tiny --scenes dsprites:sprites.npz --modality image --studies factors

Pictures are written a few megabytes at a time. The grid, the names of the arrays and their values
are those of the original; the outlines are not.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

SIZES = (3, 6, 40, 32, 32)
SIDE = 64
LARGEST = 9.0
"""Radius in pixels at the largest size; no sprite leaves its picture at 32 places."""
MOST = (3, 1000, 1000, 32, 32)
"""Shapes there are, values that the reader takes, and places of one pixel each."""


def outline(shape: int, size: float, angle: float) -> np.ndarray:
    """(h, h) of 0 and 1: a square, an ellipse or a heart around the middle."""
    half = 2 * int(LARGEST) - 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / (LARGEST * size)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if shape == 0:
        inside = np.maximum(abs(u), abs(v)) <= 0.8
    elif shape == 1:
        inside = u**2 + (2 * v) ** 2 <= 1
    else:
        w = -1.15 * v
        inside = (u**2 + w**2 - 0.6) ** 3 <= 1.2 * u**2 * w**3
    return inside.astype(np.uint8)


def classes(sizes: tuple[int, ...]) -> np.ndarray:
    """(n, 6) of the full grid, colour first and the vertical place fastest."""
    whole = (1, *sizes)
    return np.stack(np.unravel_index(np.arange(np.prod(whole)), whole), axis=1).astype(np.int64)


def values(found: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """(n, 6) what the classes stand for."""
    ends = ((1, 1), (1, 3), (0.5, 1), (0, 2 * np.pi), (0, 1), (0, 1))
    named = [np.linspace(*end, n) for end, n in zip(ends, (1, *sizes), strict=True)]
    return np.stack([named[k][found[:, k]] for k in range(6)], axis=1)


def pictures(sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    """All places (x y, 64, 64) of one sprite after the other."""
    shapes, scales, angles, wide, high = sizes
    for shape, scale, angle in product(range(shapes), range(scales), range(angles)):
        size = np.linspace(0.5, 1, scales)[scale] if scales > 1 else 1.0
        sprite = outline(shape, size, 2 * np.pi * angle / max(1, angles - 1))
        canvas = np.zeros((wide * high, SIDE + 64, SIDE + 64), np.uint8)
        for place, (x, y) in enumerate(product(range(wide), range(high))):
            left, top = (32 + SIDE // 4 + i - len(sprite) // 2 for i in (x, y))
            canvas[place, top : top + len(sprite), left : left + len(sprite)] = sprite
        yield np.ascontiguousarray(canvas[:, 32:-32, 32:-32])


def write(path: Path, sizes: tuple[int, ...]) -> None:
    """The `.npz` file."""
    found = classes(sizes)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in (("latents_classes", found), ("latents_values", values(found, sizes))):
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, array)
        with archive.open("imgs.npy", "w", force_zip64=True) as stream:
            layout = {"descr": "|u1", "fortran_order": False, "shape": (len(found), SIDE, SIDE)}
            np.lib.format.write_array_header_1_0(stream, layout)
            for block in pictures(sizes):
                stream.write(block.tobytes())


def main() -> None:
    """Write the file that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", type=int, nargs=5, default=SIZES)
    options = parser.parse_args()
    if not all(1 <= size <= most for size, most in zip(options.sizes, MOST, strict=True)):
        given, most = (" ".join(map(str, sizes)) for sizes in (options.sizes, MOST))
        parser.error(f"--sizes must be from 1 1 1 1 1 to {most}; got {given}")
    write(options.out, tuple(options.sizes))


if __name__ == "__main__":
    main()
