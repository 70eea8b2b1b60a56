"""The reference runs, each by the command line in this process, and what is read of them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from conceptbind.cli import main
from reference import data

Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a run said."""

    records: list[Row]
    """As they stand in results.json."""
    sentences: list[str]
    """What is printed and ends with a full stop."""
    said: str
    """All that is printed and all texts of results.json, with single spaces."""


@dataclass(frozen=True)
class Run:
    """A reference run."""

    make: Callable[[], str]
    """Writes the run folder `out` in the current folder and gives what was printed."""
    slow: bool = False

    def found(self, folder: Path) -> Found:
        """Run in an empty folder and read what was found."""
        with contextlib.chdir(folder):
            printed = self.make()
        results = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
        sentences = [line for line in printed.splitlines() if line.endswith(".")]
        said = " ".join(" ".join([printed, *_texts(results)]).split())
        return Found(results["records"], sentences, said)


def _texts(content: object) -> list[str]:
    """All texts of nested content."""
    if isinstance(content, str):
        return [content]
    inner = (
        content.values()
        if isinstance(content, dict)
        else content
        if isinstance(content, list)
        else ()
    )
    return [text for part in inner for text in _texts(part)]


def command(*words: object) -> str:
    """What a command of the command line, which must succeed, prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main([str(word) for word in words])
    assert code == 0, f"exit code {code} of conceptbind {' '.join(map(str, words))}"
    return printed.getvalue()


def tiny() -> str:
    return command("measure", "--jobs", 1, "--out", "out")


def tiny_bound() -> str:
    return command("measure", "tiny-bound", "--complexity", "none", "--out", "out")


def minilm() -> str:
    return command(
        "measure", "minilm", "--scenes", "text20:10x10", "--complexity", "none", "--out", "out"
    )


def planted_bag() -> str:
    scenes = data.label_table(Path("labels.csv"), 5, 4)
    np.save("rows.npy", data.bag_of_values(scenes, 1, 0.3))
    return command(
        "measure",
        "file:rows.npy",
        "--scenes",
        "labels.csv",
        "--modality",
        "text",
        "--jobs",
        1,
        "--out",
        "out",
    )


def planted_product() -> str:
    scenes = data.label_table(Path("labels.csv"), 6, 5, most=500)
    np.save("rows.npy", data.product_rule(scenes, 2, 0.3))
    return command(
        "measure",
        "file:rows.npy",
        "--scenes",
        "labels.csv",
        "--modality",
        "image",
        "--jobs",
        1,
        "--out",
        "out",
    )


def planted_additive() -> str:
    scenes = data.label_table(Path("labels.csv"), 4, 4)
    text, image = (data.additive_objects(scenes, 3, noise) for noise in (0.3, 0.8))
    np.savez("rows.npz", text=text, image=image)
    return command(
        "measure", "file:rows.npz", "--scenes", "labels.csv", "--complexity", "none", "--out", "out"
    )


def repair_scenes() -> str:
    return command("repair", "tiny", "--out", "out")


def repair_arrays() -> str:
    data.planted_repair(Path())
    three = (
        "--images",
        "x.npy",
        "--texts",
        "y.npy",
        "--negatives",
        "n.npy",
        "--image_of",
        "of.npy",
    )
    return command("repair", *three, "--epochs", 20, "--batch", 64, "--out", "out")


def repair_captions() -> str:
    scenes = data.drawn_scenes(Path("pictures"), 100)
    Path("captions.txt").write_text("\n".join(map(data.caption, scenes)) + "\n")
    rows = [
        "filename,color_1,shape_1,color_2,shape_2",
        *(f"{i}.png,{a},{b},{c},{d}" for i, ((a, b), (c, d)) in enumerate(scenes)),
    ]
    Path("pictures/scenes.csv").write_text("\n".join(rows) + "\n")
    command(
        "embed", "tiny", "--scenes", "pictures/scenes.csv", "--modality", "image", "--out", "rows"
    )
    (shard,) = Path("rows").glob("*.safetensors")
    (rows,) = load_file(shard).values()
    np.save("rows.npy", rows)
    given = ("--images", "rows.npy", "--captions", "captions.txt", "--tagger", "hanta")
    return command("repair", "tiny", *given, "--epochs", 20, "--batch", 64, "--out", "out")


def benchmarks() -> str:
    data.benchmark_folders(Path())
    fit = ("--tagger", "hanta", "--epochs", 10, "--batch", 32)
    command("repair", "tiny", "--coco", "coco", *fit, "--out", "fixed")
    return command(
        "evaluate",
        "tiny",
        "--benchmark",
        "sugarcrepe,coco",
        "--data",
        ".",
        "--adapter",
        "fixed",
        "--out",
        "out",
    )


def train() -> str:
    sizes = ("--values", 6, "--width", 16, "--dimension", 16, "--feed_forward", 32, "--batch", 32)
    return command("train", *sizes, "--steps", 40, "--precision", "float32", "--out", "out")


RUNS = {
    "tiny": Run(tiny, slow=True),
    "tiny-bound": Run(tiny_bound, slow=True),
    "minilm": Run(minilm, slow=True),
    "planted-bag": Run(planted_bag, slow=True),
    "planted-product": Run(planted_product, slow=True),
    "planted-additive": Run(planted_additive),
    "repair-scenes": Run(repair_scenes, slow=True),
    "repair-arrays": Run(repair_arrays),
    "repair-captions": Run(repair_captions),
    "benchmarks": Run(benchmarks),
    "train": Run(train),
}
