"""Pictures, their captions and the captions' hard negatives, as rows that may be larger than
memory. A caption has one negative, or several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.core.files import content_hash, user_path
from conceptbind.rows.held import HeldRows, held_rows

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.repairs.queries.groups import Groups
    from conceptbind.repairs.queries.solver import Watched
    from conceptbind.rows.held import AnyRows

BLOCK = 8192
"""Rows read at once where all of them are needed."""
MOST_NEGATIVES = 8
"""Negatives of one caption."""


@dataclass(frozen=True, eq=False)
class Batch:
    """B pairs as unit rows, and which of their comparisons are none because both sides mean
    the same.
    """

    images: Float[torch.Tensor, "pairs width_out"]
    """(B, d_out)"""
    texts: Float[torch.Tensor, "captions width_in"]
    """(B, d_in), or ((1 + k) B, d_in): behind the captions their first negatives, then their
    second ones."""
    same: tuple[Int[torch.Tensor, " compared"], Int[torch.Tensor, " compared"]]
    """Row and column numbers in the (B, (1 + k) B) table of scores that are not compared: caption j
    (or negative j) says of picture i what its own caption says, or belongs to the same picture."""
    distinct: Distinct | None = None
    """The different rows alone, where that saves at least half of the scores."""

    def turned(
        self,
        left: Float[torch.Tensor, "width_out width_out"],
        right: Float[torch.Tensor, "width_in width_in"],
    ) -> Batch:
        """The same batch in other axes.

        Args:
            left: (d_out, d_out) axes of pictures, as columns.
            right: (d_in, d_in) axes of captions, as columns.
        """
        if self.distinct is None:
            return replace(self, images=self.images @ left, texts=self.texts @ right)
        rows = replace(
            self.distinct, images=self.distinct.images @ left, texts=self.distinct.texts @ right
        )
        images, texts = rows.images[rows.image_of], rows.texts[rows.text_of]
        return replace(self, images=images, texts=texts, distinct=rows)


@dataclass(frozen=True, eq=False)
class Distinct:
    """The different pictures and captions of a batch. In scenes a caption is a negative of others,
    and a picture has captions in several orders, so few rows occur once.
    """

    images: Float[torch.Tensor, "pictures width_out"]
    """(u, d_out)"""
    texts: Float[torch.Tensor, "rows width_in"]
    """(w, d_in)"""
    image_of: Int[torch.Tensor, " pairs"]
    """(B,) the row of each picture of the batch."""
    text_of: Int[torch.Tensor, " captions"]
    """(c,) the row of each caption and negative of the batch."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """n captions, the picture of each, and k hard negatives of each. Arrays may be memory-mapped;
    rows are normalised when they are read.
    """

    images: Float[Floats, "pictures width_out"]
    """(p, d_out)"""
    texts: Float[Floats, "captions width_in"]
    """(n, d_in)"""
    negatives: Float[Floats, "captions *several width_in"] | None
    """(n, d_in), (n, k, d_in) where every caption has several, or None."""
    image_of: Int[Ints, " captions"]
    """(n,) row of each caption's picture."""
    picture_ids: Int[Ints, " pictures"]
    """(p,) equal numbers for equal pictures."""
    text_ids: Int[Ints, " captions"]
    """(n,) equal numbers for captions that mean the same."""
    negative_ids: Int[Ints, " negatives *several"]
    """(n,) or (n, k) what each negative says, in the same numbers; empty without negatives."""
    text_rows: Int[Ints, " captions"]
    """(n,) equal numbers for captions with equal rows."""
    negative_rows: Int[Ints, " negatives *several"]
    """(n,) or (n, k) the same for negatives, in the same numbers; empty without negatives."""
    rows_hash: str = ""
    """A hash of all rows that these pairs were taken from."""
    linked: Groups | None = None
    """All captions of the same draws, in groups, where more is known than pairs say."""
    watched: Watched | None = None
    """Single objects that choose among maps too, beside `linked`."""

    @classmethod
    def of(
        cls,
        images: Float[Floats, "pictures width_out"],
        texts: Float[Floats, "captions width_in"],
        negatives: Float[Floats, "captions *several width_in"] | None = None,
        *,
        image_of: Sequence[int] | Int[Ints, " captions"] | None = None,
        text_ids: Int[Ints, " captions"] | None = None,
        negative_ids: Int[Ints, " captions *several"] | None = None,
        names: tuple[str, str, str] = ("images", "texts", "negatives"),
        keep_equal: bool = False,
    ) -> Pairs:
        """Check three arrays and find what is equal in them.

        Args:
            images: (p, d_out) rows of pictures.
            texts: (n, d_in) rows of captions.
            negatives: (n, d_in) rows of each caption's hard negative, or (n, k, d_in) of its 1 to
                8 hard negatives; None fits without.
            image_of: (n,) row of each caption's picture; by default caption i belongs to picture i.
            text_ids: (n,) equal numbers for captions that mean the same (two orders of mention,
                say); by default equal rows.
            negative_ids: (n,) or (n, k) the same for negatives.
            names: how errors call the three arrays.
            keep_equal: keep pairs of which a negative equals their caption (`equal`): no fit learns
                from it, and scored it is a tie.

        Raises:
            ShapeError: lengths or widths do not fit; all are named.
            ValueRangeError: NaN, infinite or all-zero rows, or a negative that says what its
                caption says.
        """
        given = ((names[0], images), (names[1], texts), (names[2], negatives))
        parts = [(name, array) for name, array in given if array is not None]
        for name, array in parts:
            may_be = (2, 3) if array is negatives else (2,)
            if (
                getattr(array, "ndim", 0) not in may_be
                or 0 in array.shape
                or not np.issubdtype(array.dtype, np.floating)
            ):
                raise ShapeError(
                    f"{name} must be (rows, dimensions) of real numbers; got "
                    f"{getattr(array, 'dtype', '')} {np.shape(array)}"
                )
        if negatives is not None:
            _require_negatives(texts, negatives, names)
        if image_of is None and len(images) != len(texts):
            raise ShapeError(
                f"every caption needs one picture: {names[0]} has "
                f"{counted(len(images), 'row')}, {names[1]} "
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
        shape = (len(texts),) if negatives is None else negatives.shape[:-1]
        for given_ids, name, wanted in (
            (text_ids, names[1], (len(texts),)),
            (negative_ids, names[2], shape),
        ):
            if given_ids is not None and np.shape(given_ids) != wanted:
                raise ShapeError(
                    f"the ids of {name} must be one number for each of "
                    f"{counted(len(texts), 'row')}; got "
                    f"{np.shape(given_ids)}"
                )
        if negatives is not None and (text_ids is None) != (negative_ids is None):
            raise ShapeError(
                f"give the ids of both {names[1]} and {names[2]}, or of neither: they are compared"
            )
        # so that half and single precision of one row are equal
        kind = np.result_type(*(array.dtype for _, array in parts))
        found = [_ids(array, name, kind) for name, array in parts]
        empty = np.empty(0, np.int64)
        negative_rows = empty if negatives is None else found[2].reshape(shape)
        text_ids = found[1] if text_ids is None else np.asarray(text_ids)
        if negatives is not None:
            negative_ids = np.asarray(negative_rows if negative_ids is None else negative_ids)
            equal = np.flatnonzero(_any(_beside(text_ids, negative_ids) == negative_ids))
            if len(equal) and not keep_equal:
                raise ValueRangeError(
                    f"{len(equal):,} of {len(texts):,} negatives equal their caption, "
                    "the first at "
                    f"index {equal[0]}; leave those rows out"
                )
        return cls(
            images,
            texts,
            negatives,
            of,
            found[0],
            text_ids,
            empty if negative_ids is None else negative_ids,
            found[1],
            negative_rows,
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
        """Pairs of which a negative equals their caption; only of `keep_equal` there are any."""
        if not len(self.negative_ids):
            return np.empty(0, np.int64)
        texts = _beside(self.text_ids, self.negative_ids)
        return np.flatnonzero(_any(texts == self.negative_ids))

    @property
    def true_negatives(self) -> Int[Ints, " true"]:
        """Pairs of which a negative equals another caption of the same picture, so that it is true
        of the picture.
        """
        if not len(self.negative_ids):
            return np.empty(0, np.int64)
        pictures = np.unique(self.picture_ids[self.image_of], return_inverse=True)[1]
        texts = _beside(self.text_ids, self.negative_ids)
        said = np.unique(np.append(self.text_ids, self.negative_ids), return_inverse=True)[1]
        captions, negatives = said[: len(self)], said[len(self) :].reshape(self.negative_ids.shape)
        captions = captions * (pictures.max() + 1) + pictures
        negatives = negatives * (pictures.max() + 1) + _beside(pictures, negatives)
        return np.flatnonzero(_any(np.isin(negatives, captions) & (texts != self.negative_ids)))

    @property
    def n_negatives(self) -> int:
        """k, the negatives of each caption; 0 without."""
        if self.negatives is None:
            return 0
        return 1 if len(self.negatives.shape) == 2 else int(self.negatives.shape[1])

    def select(self, rows: Int[Ints, " rows"]) -> Pairs:
        """Some of the pairs; nothing is copied that is larger than their numbers when the arrays
        are on disk.
        """
        negatives = None if self.negatives is None else _take(self.negatives, rows)
        some = slice(0, 0) if negatives is None else rows
        return replace(
            self,
            texts=_take(self.texts, rows),
            negatives=negatives,
            image_of=self.image_of[rows],
            text_ids=self.text_ids[rows],
            negative_ids=self.negative_ids[some],
            text_rows=self.text_rows[rows],
            negative_rows=self.negative_rows[some],
        )

    def without_negatives(self) -> Pairs:
        """The same pairs without hard negatives (SB)."""
        empty = np.empty(0, np.int64)
        return replace(self, negatives=None, negative_ids=empty, negative_rows=empty)

    def with_first_negative(self) -> Pairs:
        """The same pairs with the first of several negatives alone."""
        if self.negatives is None or self.n_negatives < 2:
            return self
        rows = np.arange(len(self))
        first = read_unit(self.negatives, rows)[:, 0]
        return replace(
            self,
            negatives=first,
            negative_ids=self.negative_ids[:, 0],
            negative_rows=self.negative_rows[:, 0],
        )

    def batch(self, rows: Int[Ints, " rows"], device: str = "cpu") -> Batch:
        """Unit rows of some pairs."""
        import torch

        parts = [read_unit(self.texts, rows)]
        if self.negatives is not None:
            false = read_unit(self.negatives, rows).reshape(len(rows), -1, parts[0].shape[1])
            parts += list(np.moveaxis(false, 1, 0))
        images = read_unit(self.images, self.image_of[rows])
        i, j = (torch.from_numpy(part).to(device) for part in self._same(rows))
        texts = torch.from_numpy(parts[0] if len(parts) == 1 else np.concatenate(parts))
        x, y = torch.from_numpy(images).to(device), texts.to(device)
        return Batch(x, y, (i, j), self._distinct(rows, x, y))

    def _distinct(self, rows: Ints, images: torch.Tensor, texts: torch.Tensor) -> Distinct | None:
        """The different rows of a batch, or None where most occur once."""
        import torch

        said = self.text_rows[rows]
        if self.negatives is not None:
            said = np.concatenate([said, flat_ids(self.negative_rows[rows])])
        first = []
        of = []
        for ids in (self.picture_ids[self.image_of[rows]], said):
            _, at, places = np.unique(ids, return_index=True, return_inverse=True)
            first.append(torch.from_numpy(at).to(images.device))
            of.append(torch.from_numpy(places.reshape(-1)).to(images.device))
        if 2 * len(first[0]) * len(first[1]) > len(images) * len(texts):
            return None
        return Distinct(images[first[0]], texts[first[1]], of[0], of[1])

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
            a, b = _equal(texts, flat_ids(self.negative_ids[rows]))
            i, j = np.concatenate([i, a]), np.concatenate([j, b + len(rows)])
        return i, j


def flat_ids(ids: Int[Ints, " negatives *several"]) -> Int[Ints, " all"]:
    """(k n,) what the negatives say: the first ones of all captions, then the second ones."""
    return ids.T.reshape(-1)


def _beside(values: Ints, negatives: Ints) -> Ints:
    """(n,) values of captions, so that they stand beside (n,) or (n, k) of negatives."""
    return values if negatives.ndim == 1 else values[:, None]


def _any(found: Bools) -> Bools:
    """(n,) whether it holds of any of a caption's negatives."""
    return found if found.ndim == 1 else np.any(found, axis=1)


def _require_negatives(texts: Floats, negatives: Floats, names: tuple[str, str, str]) -> None:
    """Raise unless every caption has as many negatives as any other, of its own width."""
    n, width = texts.shape
    if negatives.shape[0] != n or negatives.shape[-1] != width:
        raise ShapeError(
            f"every caption needs one negative of the same width: {names[1]} has shape "
            f"{texts.shape}, {names[2]} {negatives.shape}"
        )
    if negatives.ndim == 3 and negatives.shape[1] > MOST_NEGATIVES:
        raise ShapeError(
            f"a caption has 1 to {MOST_NEGATIVES} negatives; {names[2]} has {negatives.shape[1]} "
            f"of each (shape {negatives.shape})"
        )


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
    array: Float[Floats, "pictures *several width"], rows: Int[Ints, " rows"]
) -> Float[Floats, "rows *several width"]:
    """(B, d) rows, or (B, k, d), in single precision, each divided by its length.

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
        values: Floats = np.empty((len(rows), *array.shape[1:]), dtype=kind)
        values[order] = opened[rows[order]]
        del opened
    else:
        values = array[rows].astype(kind, copy=False)  # chosen rows are copies already
    values /= np.abs(values).max(axis=-1, keepdims=True)
    values = values.astype(np.float32, copy=False)
    values /= np.sqrt(np.einsum("...d,...d->...", values, values))[..., None]
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
    each = int(np.prod(array.shape[1:-1]))  # several negatives of a caption stand in one row
    ids = np.empty(len(array) * each, dtype=np.int64)
    for start in range(0, len(array), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(array)))
        block = np.ascontiguousarray(_rows(array, rows), dtype=kind) + kind.type(0)  # -0 becomes 0
        block = block.reshape(-1, array.shape[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            zero = np.flatnonzero(~block.any(axis=1))
        if len(bad):
            raise ValueRangeError(
                f"row index {start + bad[0] // each} of {name} holds NaN or infinite numbers; "
                "embed it "
                "again"
            )
        if len(zero):
            raise ValueRangeError(
                f"row index {start + zero[0] // each} of {name} is all zeros and has no direction; "
                "leave it out or embed it again"
            )
        ids[start * each : start * each + len(block)] = [
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
        path: a `.npy` file of real numbers (n, d); or an index that another program built, which
            is read into memory.

    Raises:
        ValueRangeError: see `Pairs.of`, which checks what it holds.
    """
    from conceptbind.core.errors import FileError, UnsafeFileError
    from conceptbind.core.limits import require_memory, require_npy, require_regular
    from conceptbind.rows.indexes.registry import open_container

    if isinstance(path, HeldRows):
        return path.values
    if not isinstance(path, str | Path):
        return held_rows(path, "an array of rows").values
    place = user_path(path)
    held = None if place.is_file() and place.suffix == ".npy" else open_container(path)
    if held is not None:
        rows = held.rows()[1]
        require_memory(4.0 * len(rows) * rows.width, f"'{path}'", "give a part of it")
        return np.asarray(rows)
    path = user_path(path)
    if path.suffix in (".pkl", ".pickle", ".pt", ".pth"):
        raise UnsafeFileError(
            f"{path} can execute code when read, so it is not; save the rows with numpy.save as "
            ".npy"
        )
    if path.suffix != ".npy":
        raise FileError(
            f"{path} must be a .npy file, which can be read from disk row by row, or an index that "
            "is read; save the rows with numpy.save"
        )
    require_npy(require_regular(path, "an array file"))
    try:
        array: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"could not read {path} as .npy: {error}") from error
    return array
