"""One way to evaluate any benchmark: every distinct picture and caption is embedded once, then
items are scored.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import Benchmark, Data, Found, Making, Score, without_missing
from conceptbind.benchmarks.blind import blind_baselines
from conceptbind.benchmarks.declared import Declared
from conceptbind.benchmarks.order import Order
from conceptbind.benchmarks.paraphrases import Paraphrases
from conceptbind.benchmarks.recording import (
    difference_record,
    distance_records,
    score_record,
    swap_records,
)
from conceptbind.benchmarks.registry import BENCHMARKS, benchmark_named
from conceptbind.benchmarks.texts import TextBenchmark, by_difference, by_length, by_rows, by_words
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ConceptBindError,
    MismatchError,
    ModalityError,
    UnknownNameError,
)
from conceptbind.core.files import user_path
from conceptbind.core.names import Control, Repair
from conceptbind.core.outcomes import save_outcomes
from conceptbind.core.records import Record, Records
from conceptbind.rows.embeddings import embed, load, refuse_long_captions
from conceptbind.rows.source import EncoderSource, untrained
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.benchmarks.texts import Alike
    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.rows.embeddings import Embeddings


def read_benchmark(
    name: str, folder: str | Path, making: Making, *, allow_missing: bool = False
) -> Data:
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
    folder = user_path(folder)
    benchmark = benchmark_named(name)
    data: Data = benchmark.read(folder, making)
    return without_missing(data, benchmark.keep, allow_missing) if data.pictures else data


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
    captions: Sequence[str] | None = None
    if isinstance(benchmark, Declared):
        seen = benchmark.read(folder, replace(making, unpack=False))
        captions = seen.captions
        if not (seen.elsewhere or any(one.lower().endswith(".npy") for one in seen.pictures)):
            keep = getattr(benchmark, "keep", None)
            data = without_missing(seen, keep, allow_missing) if keep and seen.pictures else seen
    if isinstance(benchmark, Order):
        without_missing(
            benchmark.karpathy.read(folder, making), benchmark.karpathy.keep, allow_missing
        )
    if isinstance(benchmark, Order | Paraphrases):
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
        if _captions_only(benchmark, folder):
            return found
        data = (benchmark.karpathy if isinstance(benchmark, Order) else benchmark).read(
            folder, Making(folder, unpack=False)
        )
    except ConceptBindError as error:
        return [*found, Found(folder, f"as they are, these files are refused: {error}", False)]
    if not data.pictures:
        return found
    there = sum(os.path.isfile(data.path(picture)) for picture in set(data.pictures))
    pictures = Found(
        data.folder,
        f"pictures: {there:,} of {len(set(data.pictures)):,}",
        there == len(set(data.pictures)),
    )
    return [*(part for part in found if not part.what.startswith("pictures")), pictures]


def _captions_only(benchmark: Benchmark | TextBenchmark, folder: Path) -> bool:
    """Whether a benchmark's captions are all that can be looked at before something is made."""
    if isinstance(benchmark, Paraphrases):
        return bool(benchmark.captions(folder))
    if not (isinstance(benchmark, Declared) and benchmark.inside(folder)):
        return False
    return bool(benchmark.read(folder, Making(folder, unpack=False)).captions)


def needs_pictures(name: str) -> bool:
    """Whether nothing of a benchmark can be scored without an encoder of pictures.

    Raises:
        UnknownNameError: there is no benchmark of this name.
    """
    return not isinstance(benchmark_named(name), TextBenchmark)


def require_modalities(names: Iterable[str], encoder: str, modalities: Sequence[str]) -> None:
    """Raise unless an encoder embeds what all of some benchmarks need.

    Args:
        names: of benchmarks.
        encoder: its name, for the message.
        modalities: what it embeds.

    Raises:
        ModalityError: it does not; names the benchmarks that it can be scored on.
    """
    for name in names:
        needed = {"text", "image"} if needs_pictures(name) else {"text"}
        if needed <= set(modalities):
            continue
        alone = [other for other in BENCHMARKS if not needs_pictures(other)]
        able = f"; of captions alone are {', '.join(alone)}" if "text" in modalities else ""
        what = "pictures and captions" if len(needed) > 1 else "captions"
        raise ModalityError(
            f"{name} needs an encoder of {what}; '{encoder}' encodes {' and '.join(modalities)}"
            f"{able}"
        )


@explains_arguments
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

    Beside scores of pictures stand blind baselines that see none: the shorter caption wins
    (`blind_length`), the caption with the longer feature vector (`blind_norm`; all tie where the
    encoder returns unit rows), the more plausible one (`blind_plausibility`), the one that looks
    less as if a program had written it (`blind_surface`). Beside scores of captions alone: texts
    are as alike as their lengths, plausibility, spelling or words (`bag_of_words`), and the same
    encoder with random weights, where it offers that. There an adapter maps the caption that
    asks, and those that it is compared with stay as they are.

    Args:
        encoder: of captions, and of pictures where the benchmark needs them.
        name: of the benchmark.
        data: its items.
        keep: folder for the embeddings, which a later or continued run takes from there, and for
            the outcomes of all items.
        adapter: a linear map of captions.
        on_rows: called with `pictures` or `captions` and the number of rows that are done.

    Raises:
        ModalityError: the encoder lacks a modality.
        MismatchError: the adapter belongs to another encoder, or maps captions to another width
            than the captions that they are to be compared with.
    """
    require_modalities((name,), encoder.id, encoder.modalities)
    benchmark = benchmark_named(name)
    if adapter is not None:
        adapter.require(encoder.id, encoder.revision)
        _require_width(adapter, name, encoder)
    said = Scenes.unlabelled(name, captions=data.captions)
    refuse_long_captions(encoder, said)

    def done(part: str) -> Callable[[int], None]:
        return lambda n: on_rows(part, n)

    pictures = None
    if isinstance(benchmark, Benchmark) and data.pictures:
        shown = Scenes.unlabelled(
            name,
            images=[str(data.elsewhere.get(one, one)) for one in data.pictures],
            image_folder=data.folder,
            boxes=data.boxes,
        )
        seen = embed(encoder, shown, "image", keep / "pictures", on_rows=done("pictures"))
        pictures = seen.unit().values
    captions = embed(encoder, said, "text", keep / "captions", on_rows=done("captions"))
    rows = {Repair.NONE: captions.unit().values}
    if adapter is not None:
        rows[Repair.ADAPTER] = adapter(captions.values)
    scores = {
        repair: scores_of(name, data, pictures, texts, by_rows(texts, rows[Repair.NONE]))
        for repair, texts in rows.items()
    }
    kept = [score.outcome(repair) for repair, found in scores.items() for score in found]
    save_outcomes(keep, kept, data.hash)
    facts = {
        "items": data.hash,
        **data.facts,
        **{key: captions.details[key] for key in ("captions_cut",) if key in captions.details},
    }
    records = [
        score_record(score, encoder, name, facts, repair=repair)
        for repair, found in scores.items()
        for score in found
    ]
    records += _controls(encoder, name, data, captions, facts, pictures is not None)
    if isinstance(benchmark, TextBenchmark):
        records += _controls_of_texts(encoder, name, data, facts, keep, done("captions"))
    if adapter is not None:
        records += [
            difference_record(a, b, encoder, name, facts)
            for a, b in zip(scores[Repair.NONE], scores[Repair.ADAPTER], strict=True)
        ]
    return Records(records)


def rows_to_embed(encoder: Encoder, name: str, data: Data) -> int:
    """How many rows `evaluate_benchmark` embeds or finds."""
    twin = not needs_pictures(name) and hasattr(encoder, "untrained")
    return len(data.pictures) + len(data.captions) * (1 + twin)


def _require_width(adapter: Adapter, name: str, encoder: Encoder) -> None:
    width = adapter.weight.shape[0]
    if not needs_pictures(name) and width != encoder.dimension:
        raise MismatchError(
            f"{name} compares captions that the adapter maps with captions as they are: it maps to "
            f"{width} dimensions, and '{encoder.id}' has {encoder.dimension}; leave --adapter out"
        )


def scores_of(
    name: str,
    data: Data,
    pictures: Float[Floats, "pictures width"] | None,
    captions: Float[Floats, "captions width"],
    alike: Alike,
) -> list[Score]:
    """Scores with pictures, where there are any, and those of captions alone.

    Args:
        name: of the benchmark.
        data: its items.
        pictures: (p, d) unit rows; None without pictures.
        captions: (c, d) unit rows.
        alike: how alike two captions are.

    Raises:
        MismatchError: two of them have one name.
    """
    benchmark, found = benchmark_named(name), []
    if pictures is not None:
        found += benchmark.score(data.items, pictures, captions)
    if isinstance(benchmark, TextBenchmark):
        found += benchmark.score_texts(data.items, alike)
    _refuse_twice(found, name)
    return found


def _refuse_twice(found: Sequence[Score], name: str) -> None:
    """Raise where two scores have one name: no reader could tell which of them a number is."""
    names = ((score.metric, score.subset, score.protocol) for score in found)
    twice = next((one for one, n in Counter(names).items() if n > 1), None)
    if twice is not None:
        raise MismatchError(
            f"{name} gives two scores of {twice[0]} for '{twice[1]:.60}' by the rule "
            f"'{twice[2]:.60}'; give its subsets names of their own"
        )


def distances_of(benchmark: Any) -> bool:
    """Whether a benchmark has triplets of a caption, a paraphrase and a wrong caption."""
    if isinstance(benchmark, Declared):
        return forms_of(benchmark) == ["triplets"]
    return isinstance(benchmark, TextBenchmark)


def forms_of(benchmark: Any) -> list[str]:
    """The forms of a described benchmark; none of one that is written."""
    return [task.form for task in benchmark.tasks] if isinstance(benchmark, Declared) else []


def kept_distances(
    encoder: Encoder, name: str, data: Data, keep: Path, adapter: Adapter | None = None
) -> Records:
    """`recording.distance_records` from the rows that `evaluate_benchmark` kept, of a benchmark of
    swaps `recording.swap_records`; none where it has neither.

    Args:
        encoder: that was scored.
        name: of the benchmark.
        data: its items.
        keep: folder of the rows.
        adapter: a linear map of captions.
    """
    swaps = forms_of(benchmark_named(name)) == ["swaps"]
    if not (swaps or distances_of(benchmark_named(name))):
        return Records()
    captions = load(keep / "captions")
    rows = {Repair.NONE: captions.unit().values}
    if adapter is not None:
        rows[Repair.ADAPTER] = adapter(captions.values)
    if swaps:
        own = rows[Repair.NONE]
        kept = {(repair, Control.NONE): (asking, own) for repair, asking in rows.items()}
        drawn = keep / f"captions-{Control.RANDOM_WEIGHTS}"
        if drawn.is_dir():
            untrained_rows = load(drawn).unit().values
            kept[Repair.NONE, Control.RANDOM_WEIGHTS] = (untrained_rows, untrained_rows)
        return Records(swap_records(encoder, name, data, kept, {"items": data.hash}))
    return Records(distance_records(encoder, name, data, rows, {"items": data.hash}))


def _controls(
    encoder: Encoder,
    name: str,
    data: Data,
    captions: Embeddings,
    facts: Mapping[str, Any],
    shown: bool,
) -> Iterator[Record]:
    """What is reached without a look at the pictures."""
    if not shown:
        return
    lengths = np.linalg.norm(captions.values.astype(np.float64), axis=1)
    seen = np.ones((len(data.pictures), 1))
    for blind in blind_baselines(data.captions, lengths):
        for score in benchmark_named(name).score(data.items, seen, blind.values[:, None]):
            told = {**facts, **blind.told}
            yield score_record(score, encoder, name, told, control=blind.control)


def random_vectors(n: int, width: int) -> Float[Floats, "captions width"]:
    """(n, d) unit rows that know nothing of what they stand for.

    Args:
        n: texts.
        width: of each vector.
    """
    rows = np.random.default_rng(0).normal(size=(n, max(2, width))).astype(np.float32)
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def _controls_of_texts(
    encoder: Encoder,
    name: str,
    data: Data,
    facts: Mapping[str, Any],
    keep: Path,
    on_rows: Callable[[int], None],
) -> Iterator[Record]:
    """What is reached without the meaning of captions, or without training."""
    benchmark, said = benchmark_named(name), Scenes.unlabelled(name, captions=data.captions)
    found: list[tuple[Control, Alike, Mapping[str, str]]] = []
    twin = untrained(EncoderSource(encoder))
    if twin is not None:
        place = keep / f"captions-{Control.RANDOM_WEIGHTS}"
        drawn = embed(twin, said, "text", place, on_rows=on_rows).unit().values
        found.append((Control.RANDOM_WEIGHTS, by_rows(drawn, drawn), {}))
    if "swaps" in forms_of(benchmark):
        vectors = random_vectors(len(data.captions), encoder.dimension)
        found.append((Control.RANDOM_VECTORS, by_rows(vectors, vectors), {}))
    found.append((Control.BLIND_LENGTH, by_length(data.captions), {}))
    found.append((Control.BAG_OF_WORDS, by_words(data.captions), {}))
    found += [
        (blind.control, by_difference(blind.values), blind.told)
        for blind in blind_baselines(data.captions)
        if blind.control != Control.BLIND_LENGTH
    ]
    for control, alike, told in found:
        for score in benchmark.score_texts(data.items, alike):
            yield score_record(score, encoder, name, {**facts, **told}, control=control)
