"""Pairs to fit a repair on, from arrays or from pictures and their captions."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import plain
from conceptbind.core.errors import counted
from conceptbind.core.files import user_path
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conceptbind.commands.shared import GivenCaptions, GivenEncoder, GivenRows
    from conceptbind.core.typing import Encoder, Floats, Ints
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.labclip.pairs import Pairs
    from conceptbind.repairs.negatives.permutations import Negatives

    Dropped = tuple[tuple[int, str, str], ...]

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
"""Suffixes of files whose lines are not captions alone."""
FEWEST = 6
"""Pairs that are needed: two to fit on, two to choose on, two to score."""
EQUAL = "the negative equals the caption"
TRUE = "the negative equals another caption of the same picture"


@dataclass(frozen=True, eq=False)
class Given:
    """Pairs to fit on, and where they come from."""

    pairs: Any
    """k pairs."""
    names: dict[str, Any]
    """What they are called, for the provenance."""
    rows: Any
    """(k,) row of the user's arrays, or line of the captions counted from 0, that each pair comes
    from."""
    texts: tuple[list[str], list[str]] | None = None
    """(k,) captions and negatives, where they are known."""
    dropped: tuple[tuple[int, str, str], ...] = ()
    """Row, reason and caption ("" where it is not known) of what is left out."""


@dataclass(frozen=True)
class Pairing:
    """How captions become pairs."""

    tagger: str
    """Tells nouns and adjectives, for negatives."""
    how: Opening
    """Opens the encoder that embeds captions and negatives."""
    seed: int
    """Seed of the negatives."""
    folder: Path
    """Where rows are kept."""
    config: "dict[str, Any]"
    """What the command was asked for."""


@dataclass(frozen=True)
class _Embedded:
    """Captions that have a negative, and both their rows."""

    rows: "Ints"
    """(k,) which captions these are."""
    texts: tuple[list[str], list[str]]
    """(k,) captions and negatives."""
    arrays: list[Any]
    """Embeddings (k, d) of both."""
    names: dict[str, Any]
    """What they are called."""
    dropped: "Dropped"
    """What is left out."""

    def paired(self, model: "Encoder", pictures: "Floats", of: "Ints", what: str) -> Given:
        """Pairs with the pictures (p, d); `of` (k,) says which belongs to each caption."""
        from conceptbind.repairs.labclip.pairs import Pairs

        names = (what, "the captions", "the negatives")
        pairs = Pairs.of(pictures, *self.arrays, image_of=of, names=names, keep_equal=True)
        _tell_ties(pairs, model)
        return Given(pairs, self.names, self.rows, self.texts, self.dropped)


def pairs_of_arrays(
    encoder: "GivenEncoder | None",
    images: "GivenRows",
    texts: "GivenRows | None",
    negatives: "GivenRows | None",
    image_of: "GivenRows | None",
    captions: "GivenCaptions | None",
    by: Pairing,
) -> Given:
    """The pairs of three arrays, or of pictures and a file of captions."""
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.repairs.labclip.pairs import open_rows

    if (texts is None) == (captions is None):
        raise ValueRangeError(
            "give the captions of --images either as --texts (.npy) or as --captions (a text file) "
            "with an encoder"
        )
    if captions is not None and negatives is not None:
        raise ValueRangeError(
            "negatives of --captions are made from the captions; leave out --negatives, or give "
            "--texts"
        )
    of: Any = None if image_of is None else open_rows(image_of)
    if texts is not None:
        false = None if negatives is None else open_rows(negatives)
        name = "arrays" if encoder is None else plain(encoder)
        names = {"scenes": plain(images), "encoder": name}
        return _without_equals(open_rows(images), open_rows(texts), false, of, names)
    return _captioned(encoder, images, of, captions or "", by)


def _without_equals(
    images: "Floats",
    texts: "Floats",
    negatives: "Floats | None",
    of: "Ints | None",
    names: dict[str, Any],
) -> Given:
    """The pairs of three arrays without those whose negative is not a wrong caption; these are
    counted.
    """
    import numpy as np

    from conceptbind.core.errors import ValueRangeError
    from conceptbind.repairs.labclip.pairs import Pairs

    pairs = Pairs.of(
        images,
        texts,
        negatives,
        image_of=of,
        names=("--images", "--texts", "--negatives"),
        keep_equal=True,
    )
    reasons = {
        int(row): reason
        for reason, some in ((EQUAL, pairs.equal), (TRUE, pairs.true_negatives))
        for row in some
    }
    if not reasons:
        return Given(pairs, names, np.arange(len(pairs)))
    counts = {reason: list(reasons.values()).count(reason) for reason in (EQUAL, TRUE)}
    said = "; ".join(f"{count:,} times {reason}" for reason, count in counts.items() if count)
    first, left = min(reasons), len(pairs) - len(reasons)
    if left < FEWEST:
        raise ValueRangeError(
            f"{len(reasons):,} of {len(pairs):,} rows cannot be used ({said}; the "
            "first at index "
            f"{first}), so {left} are left to fit on and "
            "to score; give negatives that say something else. Where their texts differ, this "
            "encoder cannot tell them apart, and no map can"
        )
    warnings.warn(
        f"{len(reasons):,} of {len(pairs):,} rows are left out: {said}; dropped.csv lists them",
        stacklevel=2,
    )
    rows = np.setdiff1d(np.arange(len(pairs)), list(reasons))
    return Given(
        pairs.select(rows),
        names,
        rows,
        dropped=tuple((row, reasons[row], "") for row in sorted(reasons)),
    )


def _captioned(
    encoder: "GivenEncoder | None",
    images: "GivenRows",
    image_of: "Ints | None",
    captions: "GivenCaptions",
    by: Pairing,
) -> Given:
    """Pairs from pictures' embeddings and a file of captions: negatives are made, and both are
    embedded.
    """
    import numpy as np

    from conceptbind.core.errors import ShapeError, ValueRangeError
    from conceptbind.repairs.labclip.pairs import Pairs, open_rows

    if encoder is None:
        raise ValueRangeError(
            "--captions needs the encoder that made --images, to embed captions and negatives with"
        )
    lines, pictures = read_captions(captions), open_rows(images)
    of = np.arange(len(lines)) if image_of is None else np.asarray(image_of)
    if len(of) != len(lines) or (image_of is None and len(lines) != len(pictures)):
        raise ShapeError(
            f"every caption needs its picture: {captions} has {counted(len(lines), 'line')}, "
            "--images "
            f"{counted(len(pictures), 'row')}"
            + ("" if image_of is None else f", --image_of {len(of):,} numbers")
        )
    # before captions are embedded, which may take hours
    Pairs.of(pictures, pictures, names=("--images", "--images", ""))
    if (
        of.ndim != 1
        or not np.issubdtype(of.dtype, np.integer)
        or of.min() < 0
        or of.max() >= len(pictures)
    ):
        raise ShapeError(
            f"--image_of must give a row of --images (0 to {len(pictures) - 1}) for each of "
            f"{counted(len(lines), 'caption')}"
        )
    model = open_model(encoder, by.how, ("text",))
    if pictures.shape[1] != model.dimension:
        raise ShapeError(
            f"--images has rows of {counted(pictures.shape[1], 'dimension')} and the captions "
            f"of '{model.id}' "
            f"have {model.dimension}; give the encoder that embedded the pictures"
        )
    found = _embedded(model, lines, of, str(captions), by)
    return found.paired(model, pictures, of[found.rows], "--images")


def coco_pairs(model: "Encoder", data: str | Path, by: Pairing) -> Given:
    """Pairs of COCO's Karpathy train file: every caption with its picture and a negative, all
    embedded in half precision.

    Raises:
        FileError: the file or pictures are missing; the first are named.
        MismatchError: it is another file.
    """
    import numpy as np

    from conceptbind.benchmarks.karpathy import read_karpathy_train
    from conceptbind.rows.embeddings import embed_half
    from conceptbind.scenes.table import Scenes

    place = user_path(data)
    pictures, captions, of = read_karpathy_train(place)
    model = open_model(model, by.how, ("text", "image"))
    found = _embedded(model, captions, of, str(place), by)
    used, number = np.unique(of[found.rows], return_inverse=True)
    table = Scenes.unlabelled(
        "coco train", images=[pictures[i] for i in used.tolist()], image_folder=place
    )
    with progress(total=len(used), desc="embedding pictures", unit="picture") as bar:
        kept = by.folder / "embeddings" / "train-pictures"
        images = embed_half(model, table, "image", kept, on_rows=bar.update)
    return found.paired(model, images, number, "the pictures")


def coco_retrieval(model: "Encoder", data: str | Path, adapter: "Adapter", folder: Path) -> Records:
    """Retrieval on the test pictures before and after, whatever their file is called; none, with
    the reason, where they cannot be read.
    """
    from conceptbind.benchmarks.base import Making
    from conceptbind.benchmarks.evaluate import evaluate_benchmark, read_benchmark
    from conceptbind.core.errors import ConceptBindError

    try:
        items = read_benchmark("coco", user_path(data), Making(folder / "made"))
    except ConceptBindError as error:  # the map is fitted by now, and stays
        warnings.warn(f"retrieval is not scored before and after: {error}", stacklevel=2)
        return Records()
    with progress(
        total=len(items.pictures) + len(items.captions), desc="embedding the test set", unit="row"
    ) as bar:

        def done(_: str, n: int) -> None:
            bar.update(n)

        return evaluate_benchmark(
            model, "coco", items, folder / "embeddings" / "coco", adapter=adapter, on_rows=done
        )


def _embedded(
    model: "Encoder", captions: list[str], of: "Ints", source: str, by: Pairing
) -> _Embedded:
    """The captions that have a negative, with the rows of both.

    Args:
        model: embeds them.
        captions: n texts.
        of: (n,) the picture of each.
        source: where they come from.
        by: how negatives are made, and where rows are kept.
    """
    import numpy as np

    from conceptbind.rows.embeddings import embed_half
    from conceptbind.run.folder import RunFolder
    from conceptbind.scenes.table import Scenes

    made = make_negatives(captions, np.asarray(of).tolist(), source, by.tagger, by.seed)
    rows = np.asarray(made.rows, dtype=np.int64)
    RunFolder.open(by.folder, by.config)
    kept = {
        "captions": [captions[i] for i in rows],
        "negatives": [str(made.texts[i]) for i in rows],
    }
    arrays = []
    for name, texts in kept.items():
        with progress(total=len(texts), desc=f"embedding {name}", unit="caption") as bar:
            table = Scenes.unlabelled(name, captions=texts)
            place = by.folder / "embeddings" / name
            arrays.append(embed_half(model, table, "text", place, on_rows=bar.update))
    names = {
        "scenes": source,
        "encoder": model.id,
        "revision": model.revision,
        "tagger": made.tagger,
        "tagger_version": made.tagger_version,
        "captions": len(captions),
        "skipped": dict(made.skipped),
    }
    both = kept["captions"], kept["negatives"]
    return _Embedded(rows, both, arrays, names, without_negative(captions, made))


def make_negatives(
    captions: Sequence[str], of: Sequence[int], source: str, tagger: str, seed: int
) -> "Negatives":
    """A hard negative for every caption that has one; the others are counted in a warning.

    Args:
        captions: n texts.
        of: (n,) the picture of each.
        source: where they come from, for messages.
        tagger: see `load_tagger`.
        seed: of the draws.

    Raises:
        ValueRangeError: fewer than two have one.
    """
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.repairs.negatives.permutations import hard_negatives
    from conceptbind.repairs.negatives.taggers import load_tagger

    words = load_tagger(tagger)
    with progress(total=len(captions), desc="making negatives", unit="caption") as bar:
        made = hard_negatives(captions, tagger=words, seed=seed, groups=of, on_captions=bar.update)
    if len(made.rows) < 2:
        raise ValueRangeError(
            f"no two captions of {source} have a hard negative ({_counts(made.skipped)}); use "
            "captions with two nouns or adjectives"
        )
    if made.skipped:
        warnings.warn(
            f"{sum(made.skipped.values()):,} of {len(captions):,} captions have no "
            "hard negative "
            f"and are left out: {_counts(made.skipped)}; "
            "dropped.csv lists them",
            stacklevel=2,
        )
    return made


def without_negative(captions: Sequence[str], made: "Negatives") -> "Dropped":
    """Row, reason and text of the captions that have no hard negative."""
    return tuple((row, reason, captions[row]) for row, reason in enumerate(made.reasons) if reason)


def _tell_ties(pairs: "Pairs", model: "Encoder") -> None:
    """Say how many captions an encoder gives the row of their negative, whose text differs: ties,
    which no map can part.
    """
    if len(pairs.equal):
        warnings.warn(
            f"'{model.id}' gives {len(pairs.equal):,} of {len(pairs):,} captions the "
            "same row as "
            "their negative; they are ties, which "
            "count as misses, and no map can part them",
            stacklevel=4,
        )


def open_model(encoder: "GivenEncoder | None", how: "Opening", needs: tuple[str, ...]) -> Any:
    """The encoder that was named or given.

    Raises:
        ModalityError: it lacks one of the modalities.
    """
    from conceptbind.core.errors import ModalityError
    from conceptbind.rows.source import source_of

    model: Any = source_of(encoder, how).encoder
    if model is None:
        raise ModalityError(
            f"'{encoder}' is a table of rows; a repair of captions needs an encoder"
        )
    for part, what in (("text", "captions"), ("image", "pictures")):
        if part in needs and part not in model.modalities:
            raise ModalityError(f"'{model.id}' does not embed {what}")
    return model


def read_captions(path: "GivenCaptions") -> list[str]:
    """The lines of a text file, or captions that are held.

    Raises:
        FileError: it cannot be read, or its name says that its lines hold more than a caption.
        ValueRangeError: an empty line, which would be a caption of nothing; names it.
    """
    from conceptbind.core.errors import FileError, ValueRangeError
    from conceptbind.core.text import read_lines
    from conceptbind.rows.held import HeldCaptions, held_captions

    if isinstance(path, HeldCaptions):
        return list(path.lines)
    if not isinstance(path, str | Path):
        return list(held_captions(path, "captions").lines)
    place = user_path(path)
    if place.suffix.lower() in TABLES:
        raise FileError(
            f"{path} is called a table or JSON, of which --captions would take every line for a "
            "caption; write the captions alone into a text file (.txt), one per line"
        )
    lines = read_lines(place, "the captions", "expected one caption per line (UTF-8)")
    empty = next((i for i, line in enumerate(lines, 1) if not line.strip()), None)
    if empty or not lines:
        raise ValueRangeError(
            f"{path} must hold one caption per line; "
            + (f"line {empty} is empty" if empty else "it is empty")
        )
    return lines


def _counts(skipped: "Mapping[str, int]") -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())
