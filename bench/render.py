"""How fast pictures are drawn at 224 x 224: flat ones a second, on one and two processes; seconds
for a solid one.

python bench/render.py          # solid pictures need the extra render3d
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context

import numpy as np

from conceptbind.pictures import SolidStyle, draw_flat, draw_solid

CLEVR = ("blue", "brown", "cyan", "gray", "green", "purple", "red", "yellow")


def objects(n: int, shapes: tuple[str, ...], rng: np.random.Generator) -> list[tuple[str, str]]:
    return [(CLEVR[rng.integers(8)], shapes[rng.integers(len(shapes))]) for _ in range(n)]


def flat(n_pictures: int, seed: int = 0) -> int:
    rng = np.random.default_rng(seed)
    for _ in range(n_pictures):
        draw_flat(objects(2, ("square", "triangle", "circle"), rng), rng)
    return n_pictures


def worker(_: int) -> int:
    flat(50)
    return os.getpid()


def flat_rate(processes: int, n_pictures: int = 10_000) -> float:
    """Pictures a second, once every process is there and has drawn one."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        while len(set(pool.map(worker, range(4 * processes)))) < processes:
            pass
        start = time.perf_counter()
        drawn = sum(pool.map(flat, [100] * (n_pictures // 100), range(n_pictures // 100)))
        return drawn / (time.perf_counter() - start)


def solid_seconds(
    n_objects: int, n_pictures: int = 10, style: SolidStyle | None = None
) -> tuple[float, float]:
    """Median of the wall clock and of the processor, for one picture on one core."""
    rng = np.random.default_rng(0)
    wall, processor = [], []
    for _ in range(n_pictures + 1):  # the first one loads mitsuba
        shapes = objects(n_objects, ("cube", "cylinder", "sphere"), rng)
        started, worked = time.perf_counter(), time.process_time()
        draw_solid(shapes, rng, style)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - worked)
    return statistics.median(wall[1:]), statistics.median(processor[1:])


def main() -> None:
    for processes in (1, 2):
        print(
            f"flat, 2 objects, {processes} process{'es' if processes > 1 else '  '}   "
            f"{flat_rate(processes):7.0f} pictures a second"
        )
    if find_spec("mitsuba") is None:
        print("solid: mitsuba is not installed; run: pip install 'conceptbind[render3d]'")
        return
    for n_objects in (2, 10):
        wall, processor = solid_seconds(n_objects)
        print(
            f"solid, {n_objects:2} objects, 1 process   {wall:7.2f} s a picture ({processor:.2f} s "
            "of the processor)"
        )


if __name__ == "__main__":
    main()
