"""Captions or pictures to rows: a piece of a table, batch by batch. What an encoder returns is held
against what it promised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    CutCaptionWarning,
    ShapeError,
    ValueRangeError,
    counted,
)
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.rows.feeding import Fed, array_rows, picture_rows

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Encoder, Floats, Modality
    from conceptbind.pictures.files import Box
    from conceptbind.scenes.readers.arrays import StoredPictures
    from conceptbind.scenes.table import Scenes

TEXT_BATCH = 1024
"""Captions handed to an encoder at once; it forms its own batches of equal length from them."""
LOST = 1e-5
"""Share of a row's largest number that single precision may change."""


@dataclass(frozen=True)
class Piece:
    """Neighbouring scenes of a table, as an encoder sees them: their captions, or their pictures.
    Holds all that a worker elsewhere needs.
    """

    start: int
    """Number of the first scene."""
    captions: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    boxes: tuple[Box | None, ...] | None = None
    """What is seen of each picture; None for whole pictures."""
    stored: StoredPictures | None = None
    """Pictures that lie in an array file, where they do."""
    n_stored: int = 0
    """How many of them belong to the piece."""

    def __len__(self) -> int:
        return len(self.captions) or len(self.pictures) or self.n_stored


def piece_of(scenes: Scenes, modality: Modality, start: int, stop: int) -> Piece:
    """The scenes start..stop of a table."""
    if modality == "text":
        return Piece(start, captions=tuple(scenes.captions(start, stop)))
    if scenes.images is None and scenes.stored is not None:
        return Piece(start, stored=scenes.stored, n_stored=stop - start)
    boxes = None if scenes.boxes is None else tuple(scenes.boxes[start:stop])
    return Piece(start, pictures=tuple(pictures_of(scenes, start, stop)), boxes=boxes)


def pictures_of(scenes: Scenes, start: int, stop: int) -> list[Path]:
    """The picture files of the scenes start..stop."""
    assert scenes.images is not None
    folder = scenes.image_folder or Path()
    return [folder / image for image in scenes.images[start:stop]]


def encode_piece(
    encoder: Encoder, piece: Piece, on_rows: Callable[[int], None] = lambda _: None
) -> Fed:
    """The features of a piece in single precision, and the hashes of its picture files.

    Args:
        encoder: any object with the contract of `typing.Encoder`.
        piece: captions or pictures.
        on_rows: called with the number of rows that are done, batch by batch.

    Raises:
        ShapeError: the encoder returned another number of rows, or another width, than asked for.
        ValueRangeError: it returned no finite real numbers, or such that single precision loses.
        FileError: a picture is missing or broken.
    """
    rows, hashes, first = [], [], piece.start
    for batch in _read(encoder, piece.captions) if piece.captions else _seen(encoder, piece):
        n = len(batch.hashes)
        rows.append(_checked(batch.rows, encoder, first, n))
        hashes += batch.hashes
        first += n
        on_rows(n)
    return Fed(np.concatenate(rows), hashes if piece.pictures else [])


def _checked(features: Any, encoder: Encoder, first: int, n: int) -> Floats:
    """What an encoder returned for n scenes, in single precision (n, d)."""
    values = _as_numbers(features, encoder.id)
    if values.shape != (n, encoder.dimension):
        raise ShapeError(
            f"'{encoder.id}' was given {counted(n, 'scene')} and returned an array of shape "
            f"{values.shape}; expected ({n}, {encoder.dimension})"
        )
    which = f"the scenes {first}..{first + n - 1}"
    return single_precision(
        values, f"the features of '{encoder.id}' for {which}, in single precision,"
    )


def _read(encoder: Encoder, captions: Sequence[str]) -> Iterator[Fed]:
    """The features of captions; an empty hash stands for each."""
    for first in range(0, len(captions), TEXT_BATCH):
        batch = list(captions[first : first + TEXT_BATCH])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CutCaptionWarning)  # said once for all of a table
            features = encoder.encode_texts(batch)
        yield Fed(features, [""] * len(batch))


def _seen(encoder: Encoder, piece: Piece) -> Iterator[Fed]:
    """The features of pictures; an empty hash stands for each that lies in an array."""
    if piece.stored is not None:
        stored = piece.stored.rows(piece.start, piece.start + piece.n_stored)
        return array_rows(encoder, stored)
    return picture_rows(encoder, piece.pictures, piece.boxes)


def _as_numbers(values: Any, encoder: str) -> Floats:
    """What an encoder returned as an array: an array, nested lists, or a tensor on any device."""
    detach = getattr(values, "detach", None)
    array = np.asarray(values if detach is None else detach().cpu().float().numpy())
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ValueRangeError(
            f"'{encoder}' returned {array.dtype} values; expected real numbers (n, d)"
        )
    return array


def single_precision(values: Float[Floats, "rows width"], what: str) -> Float[Floats, "rows width"]:
    """Rows (n, d) in single precision, as they are written.

    Raises:
        ValueRangeError: a number is not finite, or too large; or a row is so small that single
            precision loses it.
    """
    with np.errstate(over="ignore", under="ignore"):
        single = values.astype(np.float32, copy=False)
    refuse_non_finite(single, what)
    if values.dtype.itemsize > single.dtype.itemsize and values.size:
        size = np.abs(values).max(axis=1)
        lost = np.flatnonzero(np.abs(values - single).max(axis=1) > LOST * size)
        if len(lost):
            raise ValueRangeError(
                f"{what} must keep their digits; {len(lost)} of {len(values):,} rows "
                "are too small, "
                f"the first at index {lost[0]} with numbers "
                f"up to {size[lost[0]]:.3g}; multiply all rows by one number"
            )
    return single
