"""Every benchmark by its name, and where in a user's folder its files lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conceptbind.benchmarks.base import Found
from conceptbind.benchmarks.classify import LabelledFolder
from conceptbind.benchmarks.declared import Declared, catalogue, own_benchmark
from conceptbind.benchmarks.karpathy import Karpathy
from conceptbind.benchmarks.order import Order
from conceptbind.benchmarks.paraphrases import Paraphrases
from conceptbind.benchmarks.strangers import of_another_kind, passed_over
from conceptbind.benchmarks.triplets import Triplets
from conceptbind.benchmarks.whatsup import WhatsUp
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    UnknownNameError,
    cut,
    nearest,
)
from conceptbind.core.files import user_path

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
OWN_CAPTIONS = ("captions.csv", "captions.tsv", "captions.txt", "captions.json", "captions.jsonl")
DECLARED = catalogue()
BENCHMARKS: dict[str, Any] = {
    benchmark.name: benchmark
    for benchmark in (
        DECLARED.pop("sugarcrepe"),
        DECLARED.pop("sugarcrepe_pp"),
        DECLARED.pop("vg_attribution"),
        DECLARED.pop("vg_relation"),
        Order(COCO, "coco_order", "ARO COCO-Order"),
        Order(FLICKR, "flickr_order", "ARO Flickr-Order"),
        DECLARED.pop("winoground"),
        DECLARED.pop("colorswap"),
        WhatsUp(),
        COCO,
        FLICKR,
        LabelledFolder(),
        Triplets(),
        Paraphrases((*OWN_CAPTIONS, *COCO.files, *FLICKR.files)),
    )
}
BENCHMARKS |= DECLARED
FILES = ("triplets", "paraphrases")
"""Benchmarks that read a user's own file, where that is given instead of a folder."""
ALL = "all"
"""The name for every benchmark whose files are there."""
ENDINGS = (".yaml", ".yml")
"""What the file of a user's own description is called."""
OWN: set[str] = set()
"""Names of the benchmarks that users described in this process."""
IN_A_FOLDER_OF_ITS_OWN = frozenset(("sugarcrepe", "sugarcrepe_pp", "zeroshot", *FILES))
"""Benchmarks whose files are called like those of others: with `all` they are looked for in
DATA/NAME alone."""
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
            f"unknown benchmark '{cut(name)}'; {nearest(name, (*BENCHMARKS, *GROUPS, ALL))}"
        )
    return BENCHMARKS[name]


def own_description(name: str) -> str:
    """The name of a benchmark that a user's file describes, which is known from now on; other names
    as they are.

    Args:
        name: path of a YAML file, or the name of a benchmark.

    Raises:
        MismatchError: the description is called like a benchmark of this package.
        FileError, UnknownNameError, ValueRangeError: it is no description; see
            `declared.own_benchmark`.
    """
    if not name.lower().endswith(ENDINGS):
        return name
    benchmark = own_benchmark(user_path(name))
    if benchmark.name in BENCHMARKS and benchmark.name not in OWN:
        raise MismatchError(
            f"{name} describes a benchmark called '{benchmark.name}', which this package has "
            "already; choose another name"
        )
    if benchmark.name in (ALL, *GROUPS):
        raise MismatchError(
            f"{name} describes a benchmark called '{benchmark.name}', which stands for several; "
            "choose another name"
        )
    BENCHMARKS[benchmark.name] = benchmark
    OWN.add(benchmark.name)
    return str(benchmark.name)


def is_there(layout: Sequence[Found]) -> bool:
    """Whether files of items are there, whatever is there of pictures.

    Args:
        layout: of a benchmark.
    """
    items = [one for one in layout if not one.what.startswith(("pictures", "COCO pictures"))]
    return any(one.there for one in (items or layout))


def benchmarks_at_hand(top: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Every benchmark whose files lie in a folder, or in folders of their names in it.

    Args:
        top: the folder.

    Returns:
        folders: of those that are there.
        missing: of all others why, in words.

    Raises:
        FileError: there is no such folder.
    """
    if not top.is_dir():
        raise FileError(f"--data must be a folder with a folder for each benchmark; got {top}")
    folders, missing = {}, {}
    for name, benchmark in BENCHMARKS.items():
        if name in OWN:
            continue
        places = _places(name, benchmark, top)
        if name in IN_A_FOLDER_OF_ITS_OWN:
            places = [place for place in places if place != top]
        for place in places:
            try:
                there = is_there(_certain(benchmark, place, place == top))
            except ConceptBindError as error:
                missing[name], there = str(error), False
            if there:
                folders[name] = place
                missing.pop(name, None)
                break
        if name not in folders:
            missing.setdefault(name, _not_there(name, benchmark, places, top))
    return folders, missing


def _not_there(name: str, benchmark: Any, places: Sequence[Path], top: Path) -> str:
    """Why a benchmark is not there: which file of another kind is, where one is."""
    for place in places:
        if place == top:  # a file there may be another benchmark's
            continue
        wanted = _names_of_files(benchmark, place)
        look = passed_over if place == top / name else of_another_kind
        told = look(place, wanted)
        if told is not None:
            return f"in {place} {told}; {benchmark.published}"
    return f"its files are not there; {benchmark.published}"


def _names_of_files(benchmark: Any, place: Path) -> list[str]:
    """Names and patterns of a benchmark's files, below its folder."""
    if isinstance(benchmark, Declared):
        return benchmark.file_names()
    named = getattr(benchmark, "karpathy", benchmark)
    if hasattr(named, "files"):
        return list(named.files)
    items = [one for one in benchmark.layout(place) if not one.what.startswith("pictures")]
    return [one.path.relative_to(place).as_posix() for one in items]


def _certain(benchmark: Any, place: Path, shared: bool) -> list[Found]:
    """The layout in a folder; in one that benchmarks share only files that are named, not those
    that fit a pattern which others may have too.
    """
    found: list[Found] = benchmark.layout(place)
    if not shared:
        return found
    if isinstance(benchmark, Declared):
        named = frozenset(one.path.name for one in found if benchmark.is_named(one.path.name))
    else:
        named = frozenset(Path(one).name for one in getattr(benchmark, "files", ()))
        named |= {one.path.name for one in found} if not named else set()
    return [one for one in found if one.path.name in named] or found[:0]


def _places(name: str, benchmark: Any, top: Path) -> list[Path]:
    """Folders where a benchmark may lie: DATA/NAME, DATA/GROUP, that of its retrieval files, DATA
    itself.
    """
    groups = [group for group, members in GROUPS.items() if name in members]
    others = [benchmark.karpathy.name] if isinstance(benchmark, Order) else []
    named = [top / place for place in (name, *groups, *others)]
    return [place for place in named if place.is_dir()] + [top]


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
            there = _places(member, benchmark, top)
            found[member] = next(
                (place for place in there if benchmark.layout(place)[0].there), there[0]
            )
    return found
