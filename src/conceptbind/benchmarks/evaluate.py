"""One way to evaluate any benchmark: every distinct picture and caption is embedded once, then items are scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.aro import VisualGenome
from conceptbind.benchmarks.base import Data, Score, mean_of, resampled, without_missing
from conceptbind.benchmarks.karpathy import Karpathy
from conceptbind.benchmarks.sugarcrepe import SugarCrepe
from conceptbind.benchmarks.two_by_two import TwoByTwo
from conceptbind.embeddings import embed
from conceptbind.errors import ModalityError, UnknownNameError, nearest
from conceptbind.results import Record
from conceptbind.scenes import ConceptSpace, Scenes

if TYPE_CHECKING:
    from conceptbind.labclip import Adapter
    from conceptbind.typing import Encoder, Floats

BENCHMARKS: dict[str, Any] = {
    "winoground": TwoByTwo(
        "winoground", "Winoground", ("examples.jsonl", "data/examples.jsonl"), ("image_0", "image_1", "caption_0", "caption_1"),
        "collapsed_tag", "https://huggingface.co/datasets/facebook/winoground (examples.jsonl and images.zip; gated)",
        "META IMAGES RESEARCH LICENSE",
    ),
    "colorswap": TwoByTwo(
        "colorswap", "ColorSwap", ("test.json", "colorswap.json"), ("image_1", "image_2", "caption_1", "caption_2"), None,
        "https://huggingface.co/datasets/stanfordnlp/colorswap", "MIT",
    ),
    "vg_attribution": VisualGenome("vg_attribution"),
    "vg_relation": VisualGenome("vg_relation"),
    "sugarcrepe": SugarCrepe(),
    "coco": Karpathy(
        "coco", "COCO retrieval, Karpathy's split", ("coco_karpathy_test.json", "coco_karpathy_val.json"), None,
        "captions: https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_test.json, "
        "pictures: https://cocodataset.org (val2014)", "CC BY 4.0 (captions); the pictures' licences are their photographers'",
    ),
    "flickr30k": Karpathy(
        "flickr30k", "Flickr30k retrieval, Karpathy's split", ("flickr30k_test.json", "flickr30k_val.json"), 5,
        "captions: https://storage.googleapis.com/sfr-vision-language-research/datasets/flickr30k_test.json, pictures: "
        "https://shannon.cs.illinois.edu/DenotationGraph", "research only; see the Denotation Graph's page",
    ),
}  # fmt: skip


def benchmark_named(name: str) -> Any:
    """A benchmark.

    Raises:
        UnknownNameError: there is none of this name; names the nearest.
    """
    if name not in BENCHMARKS:
        raise UnknownNameError(f"unknown benchmark '{name}'; {nearest(name, BENCHMARKS)}")
    return BENCHMARKS[name]


def read_benchmark(name: str, folder: Path, *, allow_missing: bool = False) -> Data:
    """A benchmark's items, with all pictures there.

    Raises:
        UnknownNameError, FileError, MismatchError: see `Benchmark.read`; a picture is missing and that is not allowed.
    """
    benchmark = benchmark_named(name)
    return without_missing(benchmark.read(folder), benchmark.keep, allow_missing)


def evaluate_benchmark(
    encoder: Encoder, name: str, data: Data, keep: Path, *, adapter: Adapter | None = None,
    on_rows: Callable[[str, int], None] = lambda _, __: None,
) -> tuple[Record, ...]:  # fmt: skip
    """Score one benchmark; with an adapter also after the repair, with the paired difference of each score.

    Beside it stand two blind baselines that see no picture: the shorter caption wins (`blind_length`), and the caption with the longer
    feature vector wins (`blind_norm`; all tie where the encoder returns unit rows).

    Args:
        encoder: of pictures and captions.
        name: of the benchmark.
        data: its items.
        keep: folder for the embeddings, which a later or continued run takes from there.
        adapter: a linear map of captions.
        on_rows: called with `pictures` or `captions` and the number of rows that are done.

    Raises:
        ModalityError: the encoder lacks a modality.
        MismatchError: the adapter belongs to another encoder.
    """
    if not {"text", "image"} <= set(encoder.modalities):
        raise ModalityError(
            f"a benchmark needs an encoder of pictures and captions; '{encoder.id}' encodes {' and '.join(encoder.modalities)}"
        )
    if adapter is not None:
        adapter.require(encoder.id, encoder.revision)
    pictures = embed(
        encoder, _table(name, data, pictures=True), "image", keep / "pictures", on_rows=lambda n: on_rows("pictures", n)
    ).unit()
    captions = embed(
        encoder, _table(name, data, pictures=False), "text", keep / "captions", on_rows=lambda n: on_rows("captions", n)
    )
    rows = {"none": captions.unit().values}
    if adapter is not None:
        rows["adapter"] = adapter(captions.values)
    benchmark = benchmark_named(name)
    scores = {repair: benchmark.score(data.items, pictures.values, texts) for repair, texts in rows.items()}
    seen = np.ones((len(data.pictures), 1))
    lengths = np.linalg.norm(captions.values.astype(np.float64), axis=1)
    blind = {"blind_length": _brevity(data.captions), "blind_norm": lengths / max(lengths.max(), 1e-30)}
    records = [_record(score, encoder, name, repair=repair) for repair, found in scores.items() for score in found]
    for control, values in blind.items():
        found = benchmark.score(data.items, seen, values[:, None])
        records += [_record(score, encoder, name, repair="none", control=control) for score in found]
    if adapter is not None:
        records += [_difference(a, b, encoder, name) for a, b in zip(scores["none"], scores["adapter"], strict=True)]
    return tuple(records)


def _table(name: str, data: Data, *, pictures: bool) -> Scenes:
    """Pictures or captions in the form that `embed` reads: names and hashes are kept, resumed and checked there."""
    things = data.pictures if pictures else data.captions
    space, table = ConceptSpace(("item",), (("item",),)), np.zeros((len(things), 1, 1), dtype=np.int64)
    if pictures:
        return Scenes(
            space, table, name=name, written_captions=[""] * len(things), images=things, image_folder=data.folder, boxes=data.boxes
        )
    return Scenes(space, table, name=name, written_captions=things)


def _brevity(captions: Sequence[str]) -> Floats:
    """The blind baseline that prefers short captions: minus the share of the longest caption's characters."""
    longest = max(1, max(map(len, captions), default=1))
    return np.array([-len(caption) / longest for caption in captions], dtype=np.float64)


def _record(score: Score, encoder: Encoder, name: str, *, repair: str, control: str = "none") -> Record:
    low, high = score.interval()
    return Record(
        "benchmark", "both", score.metric, score.value, score.n, int(score.tied.sum()), low, high, score.subset, name, encoder.id,
        {"protocol": score.protocol, "average": "micro" if score.groups is None else "macro", "repair": repair, "control": control,
         "revision": encoder.revision, "normalisation": "unit", **score.facts},
    )  # fmt: skip


def _difference(before: Score, after: Score, encoder: Encoder, name: str) -> Record:
    """After minus before on the same items: a paired bootstrap, and for micro scores McNemar's exact test."""
    change = after.correct.astype(float) - before.correct.astype(float)
    low, high = resampled(change, before.groups)
    facts: dict[str, Any] = {
        "protocol": before.protocol, "average": "micro" if before.groups is None else "macro", "repair": "difference", "control": "none",
        "fixed": int((change > 0).sum()), "broken": int((change < 0).sum()),
    }  # fmt: skip
    if before.groups is None:
        from scipy.stats import binomtest

        changed = facts["fixed"] + facts["broken"]
        facts["mcnemar_p"] = float(binomtest(facts["fixed"], changed).pvalue) if changed else 1.0
    return Record(
        "benchmark",
        "both",
        before.metric,
        mean_of(change, before.groups),
        before.n,
        None,
        low,
        high,
        before.subset,
        name,
        encoder.id,
        facts,
    )
