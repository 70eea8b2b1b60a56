"""One way to evaluate any benchmark: every distinct picture and caption is embedded once, then
items are scored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.aro import VisualGenome
from conceptbind.benchmarks.base import Data, Found, Making, Score, without_missing
from conceptbind.benchmarks.classify import LabelledFolder
from conceptbind.benchmarks.karpathy import Karpathy
from conceptbind.benchmarks.order import Order
from conceptbind.benchmarks.sugarcrepe import SugarCrepe
from conceptbind.benchmarks.two_by_two import TwoByTwo
from conceptbind.benchmarks.whatsup import WhatsUp
from conceptbind.core.errors import ConceptBindError, ModalityError, UnknownNameError, nearest
from conceptbind.core.names import Control, Repair
from conceptbind.core.outcomes import paired, save_outcomes
from conceptbind.core.records import Record, Records
from conceptbind.rows.embeddings import embed, refuse_long_captions
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter

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
CONTAINERS = tuple(
    f"{place}*.{kind}"
    for kind in ("parquet", "arrow")
    for place in ("", "data/", "test/", "default/test/")
)
"""Where the files of Hugging Face's data sets lie: as published, as converted, as saved by
`save_to_disk`."""
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
BENCHMARKS: dict[str, Any] = {
    benchmark.name: benchmark
    for benchmark in (
        SugarCrepe(),
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
    )
}
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
            f"unknown benchmark '{name}'; {nearest(name, (*BENCHMARKS, *GROUPS))}"
        )
    return BENCHMARKS[name]


def benchmark_folders(names: Sequence[str], top: Path) -> dict[str, Path]:
    """Where the files of benchmarks lie: `top/NAME`, `top/GROUP`, for order tests also where the
    retrieval files are, or `top` itself.

    Of several folders that exist, the first that holds the benchmark's main file is taken. A
    group's name stands for its benchmarks.

    Args:
        names: names of benchmarks, or of groups of them.
        top: folder to look in.

    Raises:
        UnknownNameError: there is no benchmark of a name.
    """
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


def read_benchmark(name: str, folder: Path, making: Making, *, allow_missing: bool = False) -> Data:
    """A benchmark's items, with all pictures there.

    Args:
        name: name of the benchmark.
        folder: folder in the published layout.
        making: what making negatives and opening pictures needs.
        allow_missing: leave out the items whose pictures are missing, instead of raising.

    Raises:
        UnknownNameError, FileError, MismatchError: see `Benchmark.read`; a picture is missing and
            that is not allowed.
    """
    benchmark = benchmark_named(name)
    return without_missing(benchmark.read(folder, making), benchmark.keep, allow_missing)


def look_at_benchmark(
    name: str, folder: Path, making: Making, *, allow_missing: bool = False
) -> Data | None:
    """Everything that can be wrong with a benchmark's files and their captions, before anything is
    made from them or written.

    Args:
        name: name of the benchmark.
        folder: folder in the published layout.
        making: as for `read_benchmark`; its `unreadable` says what the encoder cannot read.
        allow_missing: leave out the items whose pictures are missing, instead of raising.

    Returns:
        What `read_benchmark` gives; None where that has to make something first (negatives of
        orders, pictures inside other files).

    Raises:
        UnknownNameError, FileError, MismatchError: as `read_benchmark` does, or the encoder cannot
            read a caption (`making.unreadable`).
    """
    benchmark = benchmark_named(name)
    data: Data | None = None
    captions: Sequence[str] | None = (
        benchmark.captions_inside(folder) if isinstance(benchmark, TwoByTwo) else None
    )
    if isinstance(benchmark, Order):
        without_missing(
            benchmark.karpathy.read(folder, making), benchmark.karpathy.keep, allow_missing
        )
        captions = benchmark.captions_before(folder, making)
    if captions is None:
        data = read_benchmark(name, folder, making, allow_missing=allow_missing)
        captions = data.captions
    if (reason := making.unreadable(captions)) is not None:
        raise UnknownNameError(f"the encoder cannot read the captions of {name}: {reason}")
    return data


def check_benchmark(name: str, folder: Path) -> list[Found]:
    """What is there of a benchmark: its files, and of its pictures how many, as far as its files
    say which.

    Args:
        name: name of the benchmark.
        folder: folder in the published layout.
    """
    benchmark = benchmark_named(name)
    found: list[Found] = benchmark.layout(folder)
    naming = [part for part in found if not part.what.startswith("pictures")]
    if not naming:
        return found
    if not any(part.there for part in naming):
        # Pictures of something else may lie in the folder; which ones are meant, only the file
        # says.
        return [part if part in naming else replace(part, there=False) for part in found]
    try:
        if isinstance(benchmark, TwoByTwo) and benchmark.captions_inside(folder) is not None:
            return found
        data = (benchmark.karpathy if isinstance(benchmark, Order) else benchmark).read(
            folder, Making(folder)
        )
    except ConceptBindError as error:
        return [*found, Found(folder, f"as they are, these files are refused: {error}", False)]
    there = sum(os.path.isfile(data.folder / picture) for picture in set(data.pictures))
    pictures = Found(
        data.folder,
        f"pictures: {there:,} of {len(set(data.pictures)):,}",
        there == len(set(data.pictures)),
    )
    return [*(part for part in found if not part.what.startswith("pictures")), pictures]


def evaluate_benchmark(
    encoder: Encoder,
    name: str,
    data: Data,
    keep: Path,
    *,
    adapter: Adapter | None = None,
    on_rows: Callable[[str, int], None] = lambda _, __: None,
) -> Records:
    """Score one benchmark; with an adapter also after the repair, with the paired difference of
    each score.

    Beside it stand two blind baselines that see no picture: the shorter caption wins
    (`blind_length`), and the caption with the longer feature vector wins (`blind_norm`; all tie
    where the encoder returns unit rows).

    Args:
        encoder: of pictures and captions.
        name: of the benchmark.
        data: its items.
        keep: folder for the embeddings, which a later or continued run takes from there, and for
            the outcomes of all items.
        adapter: a linear map of captions.
        on_rows: called with `pictures` or `captions` and the number of rows that are done.

    Raises:
        ModalityError: the encoder lacks a modality.
        MismatchError: the adapter belongs to another encoder.
    """
    if not {"text", "image"} <= set(encoder.modalities):
        raise ModalityError(
            f"a benchmark needs an encoder of pictures and captions; '{encoder.id}' encodes "
            f"{' and '.join(encoder.modalities)}"
        )
    if adapter is not None:
        adapter.require(encoder.id, encoder.revision)
    shown = Scenes.unlabelled(
        name, images=data.pictures, image_folder=data.folder, boxes=data.boxes
    )
    said = Scenes.unlabelled(name, captions=data.captions)
    refuse_long_captions(encoder, said)
    pictures = embed(
        encoder, shown, "image", keep / "pictures", on_rows=lambda n: on_rows("pictures", n)
    ).unit()
    captions = embed(
        encoder, said, "text", keep / "captions", on_rows=lambda n: on_rows("captions", n)
    )
    rows = {Repair.NONE: captions.unit().values}
    if adapter is not None:
        rows[Repair.ADAPTER] = adapter(captions.values)
    benchmark = benchmark_named(name)
    scores = {
        repair: benchmark.score(data.items, pictures.values, texts)
        for repair, texts in rows.items()
    }
    seen = np.ones((len(data.pictures), 1))
    lengths = np.linalg.norm(captions.values.astype(np.float64), axis=1)
    blind = {
        Control.BLIND_LENGTH: _brevity(data.captions),
        Control.BLIND_NORM: lengths / max(lengths.max(), 1e-30),
    }
    kept = [score.outcome(repair) for repair, found in scores.items() for score in found]
    save_outcomes(keep, kept, data.hash)
    facts = {
        "items": data.hash,
        **data.facts,
        **{key: captions.details[key] for key in ("captions_cut",) if key in captions.details},
    }
    records = [
        _record(score, encoder, name, facts, repair=repair)
        for repair, found in scores.items()
        for score in found
    ]
    for control, values in blind.items():
        found = benchmark.score(data.items, seen, values[:, None])
        records += [_record(score, encoder, name, facts, control=control) for score in found]
    if adapter is not None:
        records += [
            _difference(a, b, encoder, name, facts)
            for a, b in zip(scores[Repair.NONE], scores[Repair.ADAPTER], strict=True)
        ]
    return Records(records)


def _brevity(captions: Sequence[str]) -> Floats:
    """The blind baseline that prefers short captions: minus the share of the longest caption's
    characters.
    """
    longest = max(1, max(map(len, captions), default=1))
    return np.array([-len(caption) / longest for caption in captions], dtype=np.float64)


def _record(
    score: Score,
    encoder: Encoder,
    name: str,
    facts: Mapping[str, Any],
    *,
    repair: Repair = Repair.NONE,
    control: Control = Control.NONE,
) -> Record:
    told = {
        "value": score.value,
        "ties": int(score.tied.sum()),
        "repair": repair,
        "control": control,
        "revision": encoder.revision,
        "normalisation": "unit",
    }
    return _of_score(score, score.interval(), encoder, name, {**told, **facts, **score.facts})


def _difference(
    before: Score, after: Score, encoder: Encoder, name: str, facts: Mapping[str, Any]
) -> Record:
    """After minus before on the same items."""
    found = paired(before.outcome(Repair.NONE), after.outcome(Repair.ADAPTER))
    told = {
        "value": found.change,
        "repair": Repair.DIFFERENCE,
        "fixed": found.fixed,
        "broken": found.broken,
    }
    if found.mcnemar is not None:
        told["mcnemar_p"] = found.mcnemar
    return _of_score(before, found.interval, encoder, name, {**told, **facts})


def _of_score(
    score: Score,
    interval: tuple[float | None, float | None],
    encoder: Encoder,
    name: str,
    told: Mapping[str, Any],
) -> Record:
    """A record of the items of a score; `told` is what is said of them."""
    low, high = interval
    return Record.of(
        study="benchmark",
        modality="both",
        metric=score.metric,
        n=score.n,
        ci_low=low,
        ci_high=high,
        split=score.subset,
        scenes=name,
        encoder=encoder.id,
        protocol=score.protocol,
        average="micro" if score.groups is None else "macro",
        **told,
    )
