"""Benchmark scoring: ours against the published procedures reimplemented, and how memory grows with
the number of pictures.

python bench/benchmarks.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

VG_ATTRIBUTION, VG_PICTURES, D = 28_748, 4_000, 512
"""Items of ARO's larger part, and about as many pictures as items share."""


def unit(rng, n, d=D):
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def aro() -> None:
    from conceptbind.benchmarks import BENCHMARKS

    rng = np.random.default_rng(0)
    pictures, captions = unit(rng, VG_PICTURES), unit(rng, 2 * VG_ATTRIBUTION)
    rows = np.column_stack(
        [
            rng.integers(VG_PICTURES, size=VG_ATTRIBUTION),
            np.arange(VG_ATTRIBUTION),
            VG_ATTRIBUTION + np.arange(VG_ATTRIBUTION),
        ]
    )
    items = {
        "rows": rows,
        "subsets": rng.choice([f"pair {i}" for i in range(200)], VG_ATTRIBUTION),
        "draws": rows[:, 0],
    }
    start = time.perf_counter()
    scores = {
        score.protocol: score
        for score in BENCHMARKS["vg_attribution"].score(items, pictures, captions)
    }
    value = scores["mieb"].value
    alone = time.perf_counter() - start
    for score in scores.values():
        score.interval()
    ours = time.perf_counter() - start
    start = time.perf_counter()
    right = 0
    for picture, true, false in rows:  # the published loop: the scores of one item, and its argmax
        pair = np.stack([captions[true], captions[false]]) @ pictures[picture]
        right += int(np.argmax(pair) == 0)
    loop = time.perf_counter() - start
    assert right / len(rows) == value
    print(
        f"ARO VG-Attribution, {VG_ATTRIBUTION:,} items, all protocols: {alone:.2f} s, with 95 % "
        f"intervals {ours:.2f} s"
    )
    print(f"  item by item, without protocols and intervals: {loop:.2f} s, {loop / alone:.1f} x")


def retrieval() -> None:
    from conceptbind.benchmarks import BENCHMARKS

    rng = np.random.default_rng(0)
    owner = np.sort(np.concatenate([np.arange(5_000).repeat(5), rng.integers(5_000, size=10)]))
    pictures = unit(rng, 5_000)
    captions = pictures[owner] + 0.22 * rng.normal(size=(25_010, D)).astype(np.float32)
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    items = {"owner": owner, "captions": np.arange(25_010)}
    start = time.perf_counter()
    found = {
        (score.subset, score.metric): score.value
        for score in BENCHMARKS["coco"].score(items, pictures, captions)
    }
    ours = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    forward, backward = 500, 200
    start = time.perf_counter()
    hits = [owner[i] == np.argsort(-(pictures @ captions[i]))[0] for i in range(forward)]
    first = (time.perf_counter() - start) * 25_010 / forward
    start = time.perf_counter()
    best = [owner[np.argsort(-(captions @ pictures[i]))[0]] == i for i in range(backward)]
    second = (time.perf_counter() - start) * 5_000 / backward
    print(
        f"COCO retrieval, 25,010 captions and 5,000 pictures, both ways, R@1, 5, 10: {ours:.2f} s, "
        f"peak memory {peak:.2f} GiB"
    )
    print(
        f"  an argsort for each query: {first + second:.1f} s ({forward} and {backward} queries "
        f"timed), {(first + second) / ours:.0f} x"
    )
    print(
        f"  R@1 {found['text to image', 'recall_at_1']:.3f} / "
        f"{found['image to text', 'recall_at_1']:.3f}; "
        f"of the queries timed {np.mean(hits):.3f} / {np.mean(best):.3f}"
    )


MANY = 100_000
"""Items of a described benchmark."""


def described_items() -> None:
    """Items of each form from kept rows, all rules with their intervals, beside a plain loop."""
    from conceptbind.benchmarks.description import described
    from conceptbind.benchmarks.scoring import scores_of_texts, scores_with_pictures
    from conceptbind.benchmarks.texts import by_rows

    rng = np.random.default_rng(0)
    rows, other = unit(rng, 40_000), unit(rng, 20_000)
    head = {"name": "many", "title": "t", "published": "p", "licence": "l", "files": ["a.json"]}
    rules = [{"protocol": "paper", "of": "all", "average": "macro", "ties": "first"}]
    for form, width in (("captions", 3), ("two_by_two", 4), ("captions", 6), ("triplets", 3)):
        told = {**head, "form": form, "captions": ["c"], "scores": rules}
        pictures = {} if form == "triplets" else {"pictures": ["p"]}
        (task,) = described({**told, **pictures}, "bench").tasks
        seen = 0 if form == "triplets" else width - 1
        if form == "two_by_two":
            seen = 2
        table = rng.integers(20_000, size=(MANY, width))
        table[:, width - seen :] = rng.integers(40_000, size=(MANY, seen))
        items = {
            "rows": table,
            "right": np.zeros(MANY, dtype=np.int64),
            "subsets": rng.choice([f"part {i}" for i in range(7)], MANY),
            "draws": table[:, 0],
            "pictures": np.full(MANY, -1),
            "hopeless": np.zeros(MANY, dtype=bool),
        }

        def ours(form=form, task=task, items=items) -> float:
            start = time.perf_counter()
            if form == "triplets":
                found = scores_of_texts(task, items, by_rows(rows, rows))
            else:
                found = scores_with_pictures(task, items, other, rows)
            for score in found:
                score.value, score.interval()
            return time.perf_counter() - start

        def loop(form=form, table=table) -> float:
            start, right = time.perf_counter(), 0
            for row in table:
                if form == "triplets":
                    a, b, c = rows[row]
                    near = a @ b
                    right += bool(near > a @ c and near > b @ c)
                elif form == "two_by_two":
                    s = other[row[:2]] @ rows[row[2:]].T
                    text = s[0, 0] > s[0, 1] and s[1, 1] > s[1, 0]
                    right += bool(text and s[0, 0] > s[1, 0] and s[1, 1] > s[0, 1])
                else:
                    right += int(np.argmax(rows[row[1:]] @ other[row[0]]) == 0)
            return time.perf_counter() - start

        fast = min(ours() for _ in range(3))
        slow = min(loop() for _ in range(2))
        print(
            f"{form}, {MANY:,} items of {width} vectors, all rules and subsets with intervals: "
            f"{fast:.2f} s; item by item, one rule without intervals: {slow:.2f} s, "
            f"{slow / fast:.1f} x"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak memory {peak:.2f} GiB")


def memory(n: int) -> None:
    """Evaluate a folder of n pictures in a process of its own and print its peak."""
    from PIL import Image

    from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark
    from conceptbind.encoders import resolve

    with tempfile.TemporaryDirectory() as place:
        rng, folder = np.random.default_rng(0), Path(place)
        (folder / "templates.txt").write_text("a {} square\n")
        for label in ("red", "blue"):
            (folder / label).mkdir()
        picture = Image.fromarray(rng.integers(255, size=(640, 480, 3), dtype=np.uint8))
        picture.save(folder / "one.jpg")
        for i in range(n):
            (folder / ("red", "blue")[i % 2] / f"{i}.jpg").symlink_to(folder / "one.jpg")
        data = read_benchmark("zeroshot", folder, Making(folder / "made"))
        evaluate_benchmark(resolve("tiny"), "zeroshot", data, folder / "kept")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"  {n:,} pictures of 640 x 480: peak {peak:.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        memory(int(sys.argv[1]))
    else:
        described_items()
        retrieval()
        aro()
        print("memory of an evaluation (tiny, zero-shot classification)")
        for count in (500, 2_000):
            subprocess.run([sys.executable, __file__, str(count)], check=True)
