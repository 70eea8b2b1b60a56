"""Every benchmark by its name, and where in a user's folder its files lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conceptbind.benchmarks.aro import VisualGenome
from conceptbind.benchmarks.classify import LabelledFolder
from conceptbind.benchmarks.declared import catalogue
from conceptbind.benchmarks.description import CONTAINERS
from conceptbind.benchmarks.karpathy import Karpathy
from conceptbind.benchmarks.order import Order
from conceptbind.benchmarks.paraphrases import Paraphrases
from conceptbind.benchmarks.sugarcrepe import SugarCrepe
from conceptbind.benchmarks.triplets import SugarCrepePlus, Triplets
from conceptbind.benchmarks.two_by_two import TwoByTwo
from conceptbind.benchmarks.whatsup import WhatsUp
from conceptbind.core.errors import FileError, UnknownNameError, cut, nearest

COCO = Karpathy(
    "coco",
    "COCO retrieval, Karpathy's split",
    (
        "coco_karpathy_test.json",
        "coco_test_karpathy.json",
        "dataset_coco.json",
        "coco_karpathy_val.json",
    ),
    "captions: "
    "https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_test.json, "
    "pictures: https://cocodataset.org (val2014)",
    "CC BY 4.0 (captions); the pictures' licences are their photographers'",
)
FLICKR = Karpathy(
    "flickr30k",
    "Flickr30k retrieval, Karpathy's split",
    (
        "flickr30k_test.json",
        "flickr30k_test_karpathy.txt",
        "dataset_flickr30k.json",
        "flickr30k_val.json",
    ),
    "captions: "
    "https://storage.googleapis.com/sfr-vision-language-research/datasets/flickr30k_test.json, "
    "pictures: https://shannon.cs.illinois.edu/DenotationGraph",
    "research only; see the Denotation Graph's page",
    captions_each=5,
)
WINOGROUND = TwoByTwo(
    "winoground",
    "Winoground",
    ("examples.jsonl", "data/examples.jsonl", *CONTAINERS),
    "https://huggingface.co/datasets/facebook/winoground (data/*.parquet, or examples.jsonl and "
    "images.zip; gated)",
    "META IMAGES RESEARCH LICENSE",
    ("image_0", "image_1", "caption_0", "caption_1"),
    "collapsed_tag",
)
COLORSWAP = TwoByTwo(
    "colorswap",
    "ColorSwap",
    ("test.json", "colorswap.json", "test.jsonl", *CONTAINERS),
    "https://huggingface.co/datasets/stanfordnlp/colorswap",
    "MIT",
    ("image_1", "image_2", "caption_1", "caption_2"),
)
OWN_CAPTIONS = ("captions.csv", "captions.tsv", "captions.txt", "captions.json", "captions.jsonl")
BENCHMARKS: dict[str, Any] = {
    benchmark.name: benchmark
    for benchmark in (
        SugarCrepe(),
        SugarCrepePlus(),
        VisualGenome("vg_attribution"),
        VisualGenome("vg_relation"),
        Order(COCO, "coco_order", "ARO COCO-Order"),
        Order(FLICKR, "flickr_order", "ARO Flickr-Order"),
        WINOGROUND,
        COLORSWAP,
        WhatsUp(),
        COCO,
        FLICKR,
        LabelledFolder(),
        Triplets(),
        Paraphrases((*OWN_CAPTIONS, *COCO.files, *FLICKR.files)),
    )
}
BENCHMARKS |= catalogue()
FILES = ("triplets", "paraphrases")
"""Benchmarks that read a user's own file, where that is given instead of a folder."""
GROUPS = {"aro": ("vg_attribution", "vg_relation", "coco_order", "flickr_order")}
"""Names for several benchmarks that are published together."""


def benchmark_named(name: str) -> Any:
    """A benchmark.

    Args:
        name: name of the benchmark, such as "sugarcrepe".

    Raises:
        UnknownNameError: there is none of this name; names the nearest.
    """
    if name not in BENCHMARKS:
        raise UnknownNameError(
            f"unknown benchmark '{cut(name)}'; {nearest(name, (*BENCHMARKS, *GROUPS))}"
        )
    return BENCHMARKS[name]


def benchmark_folders(names: Sequence[str], top: Path) -> dict[str, Path]:
    """Where the files of benchmarks lie: `top/NAME`, `top/GROUP`, for order tests also where the
    retrieval files are, or `top` itself.

    Of several folders that exist, the first that holds the benchmark's main file is taken. A
    group's name stands for its benchmarks.

    Args:
        names: names of benchmarks, or of groups of them.
        top: folder to look in; the file itself for one benchmark of a user's own file.

    Raises:
        UnknownNameError: there is no benchmark of a name.
        FileError: there is no such folder, or a file where a folder is needed.
    """
    members = [member for name in names for member in GROUPS.get(name, (name,))]
    of_file = len(members) == 1 and members[0] in FILES
    if of_file and top.is_file():
        return {members[0]: top}
    if of_file and not top.is_dir():
        raise FileError(f"--data must be a file or its folder; there is no {top}")
    if not top.is_dir():
        own = f"; only {' and '.join(FILES)} take a file" if top.is_file() else ""
        raise FileError(f"--data must be a folder in the published layout; {top} is not one{own}")
    found = {}
    for name in names:
        for member in GROUPS.get(name, (name,)):
            benchmark = benchmark_named(member)
            groups = [group for group, members in GROUPS.items() if member in members]
            others = [benchmark.karpathy.name] if isinstance(benchmark, Order) else []
            there = [
                top / place for place in (member, *groups, *others) if (top / place).is_dir()
            ] + [top]
            found[member] = next(
                (place for place in there if benchmark.layout(place)[0].there), there[0]
            )
    return found
