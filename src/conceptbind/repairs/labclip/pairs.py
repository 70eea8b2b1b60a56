"""Pictures, their captions and the captions' hard negatives, as rows that may be larger than
memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.core.files import content_hash, user_path
from conceptbind.rows.held import HeldRows, held_rows

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.held import AnyRows

BLOCK = 8192
"""Rows read at once where all of them are needed."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B pairs as unit rows, and which of their comparisons are none because both sides say the
    same.
    """

    images: Float[torch.Tensor, "pairs width_out"]
    """(B, d_out)"""
    texts: Float[torch.Tensor, "captions width_in"]
    """(B, d_in), or (2 B, d_in) with the negatives behind the captions."""
    same: tuple[Int[torch.Tensor, " compared"], Int[torch.Tensor, " compared"]]
    """Row and column numbers in the (B, B or 2 B) table of scores that are not compared: caption j
    (or negative j) says of picture i what its own caption says, or belongs to the same picture."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """n captions, the picture of each, and a hard negative of each. Arrays may be memory-mapped;
    rows are normalised when they are read.
    """

    images: Float[Floats, "pictures width_out"]
    """(p, d_out)"""
    texts: Float[Floats, "captions width_in"]
    """(n, d_in)"""
    negatives: Float[Floats, "captions width_in"] | None
    """(n, d_in), or None."""
    image_of: Int[Ints, " captions"]
    """(n,) row of each caption's picture."""
    picture_ids: Int[Ints, " pictures"]
    """(p,) equal numbers for equal pictures."""
    text_ids: Int[Ints, " captions"]
    """(n,) equal numbers for captions that say the same."""
    negative_ids: Int[Ints, " negatives"]
    """(n,) what each negative says, in the same numbers; empty without negatives."""
    rows_hash: str = ""
    """A hash of all rows that these pairs were taken from."""

    @classmethod
    def of(
        cls,
        images: Float[Floats, "pictures width_out"],
        texts: Float[Floats, "captions width_in"],
        negatives: Float[Floats, "captions width_in"] | None = None,
        *,
        image_of: Sequence[int] | Int[Ints, " captions"] | None = None,
        text_ids: Int[Ints, " captions"] | None = None,
        negative_ids: Int[Ints, " captions"] | None = None,
        names: tuple[str, str, str] = ("images", "texts", "negatives"),
        keep_equal: bool = False,
    ) -> Pairs:
        """Check three arrays and find what is equal in them.

        Args:
            images: (p, d_out) rows of pictures.
            texts: (n, d_in) rows of captions.
            negatives: (n, d_in) rows of each caption's hard negative; None fits without.
            image_of: (n,) row of each caption's picture; by default caption i belongs to picture i.
            text_ids: (n,) equal numbers for captions that mean the same (two orders of mention,
                say); by default equal rows.
            negative_ids: (n,) the same for negatives.
            names: how errors call the three arrays.
            keep_equal: keep pairs whose negative equals their caption (`equal`): no fit learns from
                them, and scored they are ties.

        Raises:
            ShapeError: lengths or widths do not fit; all are named.
            ValueRangeError: NaN, infinite or all-zero rows, or a negative that says what its
                caption says.
        """
        given = ((names[0], images), (names[1], texts), (names[2], negatives))
        parts = [(name, array) for name, array in given if array is not None]
        for name, array in parts:
            if (
                getattr(array, "ndim", 0) != 2
                or 0 in array.shape
                or not np.issubdtype(array.dtype, np.floating)
            ):
                raise ShapeError(
                    f"{name} must be (rows, dimensions) of real numbers; got "
                    f"{getattr(array, 'dtype', '')} {np.shape(array)}"
                )
        if negatives is not None and negatives.shape != texts.shape:
            raise ShapeError(
                f"every caption needs one negative of the same width: {names[1]} has shape "
                f"{texts.shape}, {names[2]} {negatives.shape}"
            )
        if image_of is None and len(images) != len(texts):
            raise ShapeError(
                f"every caption needs one picture: {names[0]} has {len(images):,} rows, {names[1]} "
                f"{len(texts):,}; give image_of where a picture has several captions"
            )
        of = np.arange(len(texts)) if image_of is None else np.asarray(image_of)
        if (
            not np.issubdtype(of.dtype, np.integer)
            or of.shape != (len(texts),)
            or (len(of) and not (of.min() >= 0 and of.max() < len(images)))
        ):
            raise ShapeError(
                f"image_of must give one whole number, a row of {names[0]} (0 to "
                f"{len(images) - 1}) for each of {len(texts):,} captions"
            )
        for given_ids, name in ((text_ids, names[1]), (negative_ids, names[2])):
            if given_ids is not None and np.shape(given_ids) != (len(texts),):
                raise ShapeError(
                    f"the ids of {name} must be one number for each of {len(texts):,} rows; got "
                    f"{np.shape(given_ids)}"
                )
        if negatives is not None and (text_ids is None) != (negative_ids is None):
            raise ShapeError(
                f"give the ids of both {names[1]} and {names[2]}, or of neither: they are compared"
            )
        # so that half and single precision of one row are equal
        kind = np.result_type(*(array.dtype for _, array in parts))
        found = [_ids(array, name, kind) for name, array in parts]
        text_ids = found[1] if text_ids is None else np.asarray(text_ids)
        if negatives is not None:
            negative_ids = found[2] if negative_ids is None else np.asarray(negative_ids)
            equal = np.flatnonzero(text_ids == negative_ids)
            if len(equal) and not keep_equal:
                raise ValueRangeError(
                    f"{len(equal):,} of {len(texts):,} negatives equal their caption, the first in "
                    f"row {equal[0]}; leave those rows out"
                )
        empty = np.empty(0, np.int64)
        return cls(
            images,
            texts,
            negatives,
            of,
            found[0],
            text_ids,
            empty if negative_ids is None else negative_ids,
            content_hash(*map(np.ndarray.tobytes, found)),
        )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def hash(self) -> str:
        """A hash of what the rows hold and which belong together."""
        parts = (self.image_of, self.picture_ids, self.text_ids, self.negative_ids)
        return content_hash(self.rows_hash, *(part.astype(np.int64).tobytes() for part in parts))

    @property
    def equal(self) -> Int[Ints, " equal"]:
        """Pairs whose negative equals their caption; only of `keep_equal` there are any."""
        return (
            np.flatnonzero(self.text_ids == self.negative_ids)
            if len(self.negative_ids)
            else np.empty(0, np.int64)
        )

    @property
    def true_negatives(self) -> Int[Ints, " true"]:
        """Pairs whose negative equals another caption of the same picture, so that it is true of
        the picture.
        """
        if not len(self.negative_ids):
            return np.empty(0, np.int64)
        pictures = np.unique(self.picture_ids[self.image_of], return_inverse=True)[1]
        said = np.unique(np.concatenate([self.text_ids, self.negative_ids]), return_inverse=True)[1]
        captions, negatives = said.reshape(2, -1) * (pictures.max() + 1) + pictures
        return np.flatnonzero(np.isin(negatives, captions) & (self.text_ids != self.negative_ids))

    def select(self, rows: Int[Ints, " rows"]) -> Pairs:
        """Some of the pairs; nothing is copied that is larger than their numbers when the arrays
        are on disk.
        """
        negatives = None if self.negatives is None else _take(self.negatives, rows)
        ids = self.negative_ids[rows] if len(self.negative_ids) else self.negative_ids
        return replace(
            self,
            texts=_take(self.texts, rows),
            negatives=negatives,
            image_of=self.image_of[rows],
            text_ids=self.text_ids[rows],
            negative_ids=ids,
        )

    def without_negatives(self) -> Pairs:
        """The same pairs without hard negatives (SB)."""
        return replace(self, negatives=None, negative_ids=np.empty(0, np.int64))

    def batch(self, rows: Int[Ints, " rows"], device: str = "cpu") -> Batch:
        """Unit rows of some pairs."""
        import torch

        parts = [read_unit(self.texts, rows)] + (
            [] if self.negatives is None else [read_unit(self.negatives, rows)]
        )
        images = read_unit(self.images, self.image_of[rows])
        i, j = (torch.from_numpy(part).to(device) for part in self._same(rows))
        texts = torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))
        return Batch(torch.from_numpy(images).to(device), texts.to(device), (i, j))

    def _same(self, rows: Ints) -> tuple[Ints, Ints]:
        """Rows and columns of the table of scores that are not compared, the pairs themselves left
        out.
        """
        texts, pictures = self.text_ids[rows], self.picture_ids[self.image_of[rows]]
        by_text, by_picture = _equal(texts, texts), _equal(pictures, pictures)
        i = np.concatenate([by_text[0], by_picture[0]])
        j = np.concatenate([by_text[1], by_picture[1]])
        i, j = i[i != j], j[i != j]
        if self.negatives is not None:
            a, b = _equal(texts, self.negative_ids[rows])
            i, j = np.concatenate([i, a]), np.concatenate([j, b + len(rows)])
        return i, j


@dataclass(frozen=True, eq=False)
class _OnDisk:
    """Chosen rows of a memory-mapped array, as another array of fewer rows."""

    source: np.memmap
    rows: Ints

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *self.source.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)


def _take(array: Floats, rows: Ints) -> Floats:
    """Some rows: copied from memory, remembered by number on disk."""
    kept: object = array
    if isinstance(kept, _OnDisk):
        return _OnDisk(kept.source, kept.rows[rows])  # type: ignore[return-value]
    return _OnDisk(array, rows) if _on_disk(array) else array[rows]  # type: ignore[return-value,arg-type]


def read_unit(
    array: Float[Floats, "pictures width"], rows: Int[Ints, " rows"]
) -> Float[Floats, "rows width"]:
    """(B, d) rows in single precision, each divided by its length.

    A file is mapped again for each reading, so that its pages do not add up to the whole file in
    this process's memory.
    """
    kept: object = array
    if isinstance(kept, _OnDisk):
        array, rows = kept.source, kept.rows[rows]
    # doubles may be out of single precision's range until they are scaled
    kind = np.promote_types(array.dtype, np.float32)
    if _on_disk(array):
        opened = _mapped_anew(array)
        order = np.argsort(rows, kind="stable")  # neighbours on disk are read together
        values: Floats = np.empty((len(rows), array.shape[1]), dtype=kind)
        values[order] = opened[rows[order]]
        del opened
    else:
        values = array[rows].astype(kind)
    values /= np.abs(values).max(axis=1, keepdims=True)
    values = values.astype(np.float32, copy=False)
    values /= np.sqrt(np.einsum("nd,nd->n", values, values))[:, None]
    return values


def _on_disk(array: Floats) -> bool:
    """Whether all of an array can be mapped again; numpy also calls copies of a mapped array, and
    some of its columns, memmap.
    """
    if not isinstance(array, np.memmap) or array.filename is None or array.mode == "c":
        return False
    return isinstance(_mapping(array).base, mmap) and (
        array.flags.c_contiguous or array.flags.f_contiguous
    )


def _mapping(array: np.memmap) -> np.memmap:
    """The array that a slice was cut from."""
    return _mapping(array.base) if isinstance(array.base, np.memmap) else array


def _mapped_anew(array: Floats) -> Any:
    """The same part of the same file in a mapping of its own, whose pages go when it goes."""
    assert isinstance(array, np.memmap)
    assert array.filename is not None
    order: Literal["C", "F"] = "C" if array.flags.c_contiguous else "F"
    first = _mapping(array)  # a slice keeps the offset of its whole
    offset = first.offset + array.ctypes.data - first.ctypes.data
    opened: Any = np.memmap(array.filename, array.dtype, "r", offset, array.shape, order)
    return opened


def _ids(array: Floats, name: str, kind: np.dtype) -> Ints:
    """(n,) equal numbers for equal rows; on the way, rows that cannot be used are refused."""
    ids = np.empty(len(array), dtype=np.int64)
    for start in range(0, len(array), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(array)))
        block = np.ascontiguousarray(_rows(array, rows), dtype=kind) + kind.type(0)  # -0 becomes 0
        with np.errstate(over="ignore", invalid="ignore"):
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            zero = np.flatnonzero(~block.any(axis=1))
        if len(bad):
            raise ValueRangeError(
                f"row {start + bad[0]} of {name} holds NaN or infinite numbers; embed it again"
            )
        if len(zero):
            raise ValueRangeError(
                f"row {start + zero[0]} of {name} is all zeros and has no direction; leave it out "
                "or embed it again"
            )
        ids[rows] = [
            int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little", signed=True)
            for row in block
        ]
    return ids


def _rows(array: Floats, rows: Ints) -> Floats:
    if not _on_disk(array):
        return array[rows]
    opened = _mapped_anew(array)
    return np.array(opened[rows[0] : rows[-1] + 1])


def _equal(one: Ints, two: Ints) -> tuple[Ints, Ints]:
    """All (i, j) with one[i] == two[j]."""
    order = np.argsort(two, kind="stable")
    first, last = (np.searchsorted(two[order], one, side=side) for side in ("left", "right"))
    counts = last - first
    i = np.repeat(np.arange(len(one)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return i, order[np.repeat(first, counts) + within]


def open_rows(path: AnyRows) -> Shaped[Floats, " ..."]:
    """An array from a `.npy` file, left on disk; or rows that a program holds.

    Args:
        path: a `.npy` file of real numbers (n, d).

    Raises:
        ValueRangeError: see `Pairs.of`, which checks what it holds.
    """
    from conceptbind.core.errors import FileError, UnsafeFileError
    from conceptbind.core.limits import require_npy, require_regular

    if isinstance(path, HeldRows):
        return path.values
    if not isinstance(path, str | Path):
        return held_rows(path, "an array of rows").values
    path = user_path(path)
    if path.suffix in (".pkl", ".pickle", ".pt", ".pth"):
        raise UnsafeFileError(
            f"{path} can execute code when read, so it is not; save the rows with numpy.save as "
            ".npy"
        )
    if path.suffix != ".npy":
        raise FileError(
            f"{path} must be a .npy file, which can be read from disk row by row; save the rows "
            "with numpy.save"
        )
    require_npy(require_regular(path, "an array file"))
    try:
        array: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"could not read {path} as .npy: {error}") from error
    return array
