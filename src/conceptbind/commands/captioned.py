"""Pairs to fit a repair on, from arrays or from pictures and their captions."""

import warnings
from pathlib import Path
from typing import Any

from conceptbind.commands.common import progress
from conceptbind.files import user_path


def pairs_of_arrays(
    encoder: Any, images: str, texts: Any, negatives: Any, image_of: Any, captions: Any, tagger: str, how: Any, seed: int,
    folder: Path, config: Any,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """The pairs of three arrays, or of pictures and a file of captions, and what they are called."""
    from conceptbind.errors import ValueRangeError
    from conceptbind.labclip import Pairs, open_rows

    if (texts is None) == (captions is None):
        raise ValueRangeError(
            "give the captions of --images either as --texts (.npy) or as --captions (a text file) with an encoder"
        )
    of: Any = None if image_of is None else open_rows(image_of)
    if texts is not None:
        false = None if negatives is None else open_rows(negatives)
        name = "arrays" if encoder is None else (encoder if isinstance(encoder, str) else encoder.id)
        return Pairs.of(open_rows(images), open_rows(texts), false, image_of=of, names=("--images", "--texts", "--negatives")), {
            "scenes": str(images),
            "encoder": name,
        }
    return _captioned(encoder, images, of, str(captions), tagger, how, seed, folder, config)


def _captioned(
    encoder: Any, images: str, image_of: Any, captions: str, tagger: str, how: Any, seed: int, folder: Path, config: Any
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """Pairs from pictures' embeddings and a file of captions: negatives are made, and both are embedded."""
    import numpy as np

    from conceptbind.errors import ShapeError, ValueRangeError
    from conceptbind.labclip import Pairs, open_rows

    if encoder is None:
        raise ValueRangeError("--captions needs the encoder that made --images, to embed captions and negatives with")
    lines, pictures = read_captions(captions), open_rows(images)
    of = np.arange(len(lines)) if image_of is None else np.asarray(image_of)
    if len(of) != len(lines) or (image_of is None and len(lines) != len(pictures)):
        raise ShapeError(
            f"every caption needs its picture: {captions} has {len(lines):,} lines, --images {len(pictures):,} rows"
            + ("" if image_of is None else f", --image_of {len(of):,} numbers")
        )
    rows, arrays, names = _texts(encoder, lines, of, captions, tagger, how, seed, folder, config)
    return Pairs.of(pictures, *arrays, image_of=of[rows], names=("--images", "the captions", "the negatives")), names


def coco_pairs(model: Any, data: str, tagger: str, how: Any, seed: int, folder: Path, config: Any) -> tuple[Any, dict[str, Any]]:
    """Pairs of COCO's Karpathy train file: every caption with its picture and a negative, all embedded in half precision.

    Raises:
        FileError: the file or pictures are missing; the first are named.
        MismatchError: it is another file.
    """
    import numpy as np

    from conceptbind.benchmarks import read_karpathy_train
    from conceptbind.embeddings import embed_half
    from conceptbind.labclip import Pairs
    from conceptbind.scenes import Scenes

    place = user_path(data)
    pictures, captions, of = read_karpathy_train(place)
    rows, arrays, names = _texts(model, captions, of, str(place), tagger, how, seed, folder, config, needs=("text", "image"))
    used, number = np.unique(of[rows], return_inverse=True)
    table = Scenes.unlabelled("coco train", images=[pictures[i] for i in used.tolist()], image_folder=place)
    with progress(total=len(used), desc="embedding pictures", unit="picture") as bar:
        images = embed_half(model, table, "image", folder / "embeddings" / "train-pictures", on_rows=bar.update)
    return Pairs.of(images, *arrays, image_of=number, names=("the pictures", "the captions", "the negatives")), names


def coco_retrieval(model: Any, data: str, adapter: Any, folder: Path) -> tuple[Any, ...]:
    """Retrieval on the test pictures before and after; none where the test file is not there."""
    from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark

    place = user_path(data)
    if not (place / "coco_karpathy_test.json").is_file():
        warnings.warn(f"{place} holds no coco_karpathy_test.json, so retrieval is not scored before and after", stacklevel=2)
        return ()
    items = read_benchmark("coco", place, Making(folder / "made"))
    with progress(total=len(items.pictures) + len(items.captions), desc="embedding the test set", unit="row") as bar:

        def done(_: str, n: int) -> None:
            bar.update(n)

        return evaluate_benchmark(model, "coco", items, folder / "embeddings" / "coco", adapter=adapter, on_rows=done)


def _texts(
    encoder: Any, captions: list[str], of: Any, source: str, tagger: str, how: Any, seed: int, folder: Path,
    config: Any, needs: tuple[str, ...] = ("text",),
) -> tuple[Any, list[Any], dict[str, Any]]:  # fmt: skip
    """Rows of the captions that have a negative, the embeddings of both, and what they are called."""
    import numpy as np

    from conceptbind.embeddings import embed_half
    from conceptbind.errors import ValueRangeError
    from conceptbind.negatives import hard_negatives, load_tagger
    from conceptbind.runs import RunFolder
    from conceptbind.scenes import Scenes

    words, model = load_tagger(tagger), open_model(encoder, how, needs)
    with progress(total=len(captions), desc="making negatives", unit="caption") as bar:
        made = hard_negatives(captions, tagger=words, seed=seed, groups=np.asarray(of).tolist(), on_captions=bar.update)
    rows = np.asarray(made.rows, dtype=np.int64)
    if len(rows) < 2:
        raise ValueRangeError(
            f"no two captions of {source} have a hard negative ({_counts(made.skipped)}); use captions with two nouns or adjectives"
        )
    if made.skipped:
        warnings.warn(
            f"{sum(made.skipped.values()):,} of {len(captions):,} captions have no hard negative and are left out: {_counts(made.skipped)}",
            stacklevel=2,
        )
    RunFolder.open(folder, config)
    kept = {"captions": [captions[i] for i in rows], "negatives": [str(made.texts[i]) for i in rows]}
    arrays = []
    for name, texts in kept.items():
        with progress(total=len(texts), desc=f"embedding {name}", unit="caption") as bar:
            table = Scenes.unlabelled(name, captions=texts)
            arrays.append(embed_half(model, table, "text", folder / "embeddings" / name, on_rows=bar.update))
    names = {
        "scenes": source, "encoder": model.id, "revision": model.revision, "tagger": made.tagger, "tagger_version": made.tagger_version,
        "captions": len(captions), "skipped": dict(made.skipped),
    }  # fmt: skip
    return rows, arrays, names


def open_model(encoder: Any, how: Any, needs: tuple[str, ...]) -> Any:
    """The encoder that was named or given.

    Raises:
        ModalityError: it lacks one of the modalities.
    """
    from conceptbind.errors import ModalityError

    model: Any = how.open(encoder) if isinstance(encoder, str) else encoder
    for part, what in (("text", "captions"), ("image", "pictures")):
        if part in needs and part not in model.modalities:
            raise ModalityError(f"'{model.id}' does not embed {what}")
    return model


def read_captions(path: str | Path) -> list[str]:
    """The lines of a text file.

    Raises:
        FileError: it cannot be read.
        ValueRangeError: an empty line, which would be a caption of nothing; names it.
    """
    from conceptbind.errors import ValueRangeError
    from conceptbind.text import read_lines

    lines = read_lines(user_path(path), "the captions", "expected one caption a line (UTF-8)")
    empty = next((i for i, line in enumerate(lines, 1) if not line.strip()), None)
    if empty or not lines:
        raise ValueRangeError(f"{path} must hold one caption a line; " + (f"line {empty} is empty" if empty else "it is empty"))
    return lines


def _counts(skipped: Any) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())
