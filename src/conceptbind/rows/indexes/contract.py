"""What an index is, whatever holds it: rows and texts that are read when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from conceptbind.core.errors import ModalityError, ShapeError, ValueRangeError, counted, cut_left

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints, Modalities, Modality

BLOCK = 8192
"""Rows that are read at once."""
T = TypeVar("T")


class Part(ABC, Generic[T]):
    """One file of an index, or one part of it."""

    n: int
    """Rows that it holds."""

    @abstractmethod
    def read(self, start: int, stop: int) -> T:
        """Rows `start` to `stop` of the part, as they are kept."""

    def at(self, places: Int[Ints, " rows"]) -> Iterator[tuple[Int[Ints, " some"], T]]:
        """Rows by number: which of `places`, and what is read for them, in any order.

        Args:
            places: (k,) rows of the part.
        """
        order = np.argsort(places, kind="stable")
        blocks = places[order] // BLOCK
        for block in np.unique(blocks).tolist():
            mine = order[blocks == block]
            first = int(places[mine].min())
            found = self.read(first, int(places[mine].max()) + 1)
            yield mine, self.some(found, places[mine] - first)

    @staticmethod
    @abstractmethod
    def some(found: T, places: Int[Ints, " some"]) -> T:
        """Some of what was read, by number."""


class RowPart(Part["Floats"]):
    """Rows (n, d) of one file."""

    width: int
    """d"""
    name: str
    """The file, for messages."""

    @staticmethod
    def some(  # noqa: D102
        found: Shaped[Floats, "rows width"], places: Int[Ints, " some"]
    ) -> Shaped[Floats, "some width"]:
        return found[places]


class TextPart(Part["list[str | None]"]):
    """Texts of one file; None where a row has none."""

    @staticmethod
    def some(found: list[str | None], places: Int[Ints, " some"]) -> list[str | None]:  # noqa: D102
        return [found[place] for place in places.tolist()]


class HeldTexts(TextPart):
    """Texts in memory."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._texts, self.n = texts, len(texts)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return list(self._texts[start:stop])


class ArrayRows(RowPart):
    """Rows of an array; one that is mapped from a file stays there."""

    def __init__(self, rows: Shaped[Floats, "rows width"], name: str) -> None:
        self._rows, self.name = rows, name
        self.n, self.width = rows.shape

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        return np.asarray(self._rows[start:stop])


class _Joined(Generic[T]):
    """Parts one behind the other."""

    def __init__(self, parts: Sequence[Part[T]]) -> None:
        self.parts = parts
        self._ends = np.cumsum([part.n for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _spans(self, start: int, stop: int) -> Iterator[tuple[Part[T], int, int]]:
        """Parts with the rows of each between two rows of all."""
        for part, end in zip(self.parts, self._ends.tolist(), strict=True):
            low, high = max(start, end - part.n), min(stop, end)
            if low < high:
                yield part, low - (end - part.n), high - (end - part.n)

    def _each(self, rows: Ints) -> Iterator[tuple[Ints, T]]:
        """By part and block, which of the wanted rows, and what is read for them."""
        of = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(of).tolist():
            mine, part = np.flatnonzero(of == number), self.parts[number]
            for some, found in part.at(rows[mine] - (int(self._ends[number]) - part.n)):
                yield mine[some], found

    def _numbers(self, key: object) -> tuple[int, int] | Ints:
        """What stands in square brackets: two ends, or numbers of rows."""
        n = len(self)
        if isinstance(key, slice):
            start, stop, step = key.indices(n)
            return (start, stop) if step == 1 else np.arange(start, stop, step)
        rows = np.asarray(key)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        rows = np.where(rows < 0, rows + n, rows)
        if rows.size and not (rows.min() >= 0 and rows.max() < n):
            raise IndexError(f"the index has {counted(n, 'row')}; got row {rows.max()}")
        return rows


class Rows(_Joined["Floats"]):
    """(n, d) rows of an index, in single precision. They are read when they are asked for, by
    slices or by numbers; NaN and infinite numbers are refused then.

    It stands wherever rows are read in blocks. `numpy.asarray` reads all of it.
    """

    ndim = 2

    def __init__(self, parts: Sequence[RowPart], name: str) -> None:
        super().__init__(parts)
        widths = {part.width: part for part in reversed(parts)}
        if len(widths) > 1:
            first, other = parts[0], next(part for part in parts if part.width != parts[0].width)
            raise ShapeError(
                f"{name}: {first.name} has rows of {counted(first.width, 'dimension')} and "
                f"{other.name} of {other.width}; give the shards of one encoder"
            )
        if not len(self):
            raise ShapeError(f"{name} holds no rows; give an index with at least one")
        self.name = name
        self.width = next(iter(widths))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)"""
        return len(self), self.width

    def __repr__(self) -> str:
        return f"<rows of {cut_left(self.name, 40)}: {len(self):,} x {self.width:,}>"

    def __getitem__(self, key: object) -> Float[Floats, " ..."]:
        wanted = self._numbers(key)
        if isinstance(wanted, tuple):
            found = np.empty((max(wanted[1] - wanted[0], 0), self.width), dtype=np.float32)
            at = 0
            for part, start, stop in self._spans(*wanted):
                with np.errstate(over="ignore"):  # told by `_require`
                    found[at : at + stop - start] = part.read(start, stop)
                at += stop - start
            self._require(found, np.arange(*wanted))
            return found
        flat = wanted.reshape(-1)
        found = np.empty((len(flat), self.width), dtype=np.float32)
        for some, rows in self._each(flat):
            with np.errstate(over="ignore"):
                found[some] = rows
        self._require(found, flat)
        return found.reshape(*wanted.shape, self.width)

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> Shaped[Floats, "rows width"]:
        return self[:].astype(dtype or np.float32, copy=False)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, Float[Floats, "_ width"]]]:
        """All rows, some at once, each time with the number of the first.

        Args:
            size: rows at once.
        """
        for start in range(0, len(self), size):
            yield start, self[start : start + size]

    def _require(self, found: Floats, numbers: Ints) -> None:
        with np.errstate(invalid="ignore"):
            good = np.isfinite(found.sum(axis=1, dtype=np.float64))
        if not good.all():
            row = int(numbers[int(np.argmin(good))])
            raise ValueRangeError(
                f"row {row:,} of {self.name} holds NaN or infinite numbers; embed it again, or "
                "leave it out (audit does with --allow-missing)"
            )


class Texts(_Joined["list[str | None]"], Sequence[str]):
    """(n,) texts of an index, read when they are asked for. As a sequence it gives an empty text
    where a row has none; `at` and `blocks` give None there.
    """

    def __init__(self, parts: Sequence[TextPart]) -> None:
        super().__init__(parts)

    def __getitem__(self, row: object) -> str:  # type: ignore[override]
        """What one row is called; an empty text where it has none."""
        wanted = self._numbers(row)
        assert not isinstance(wanted, tuple), "slices are read with `blocks`"
        (text,) = self.at(wanted.reshape(-1))
        return text or ""

    def __iter__(self) -> Iterator[str]:
        for _, texts in self.blocks():
            yield from (text or "" for text in texts)

    def at(self, rows: Int[Ints, " rows"]) -> list[str | None]:
        """The texts of some rows.

        Args:
            rows: (k,) their numbers.
        """
        texts: list[str | None] = [None] * len(rows)
        for some, found in self._each(rows):
            for place, text in zip(some.tolist(), found, strict=True):
                texts[place] = text
        return texts

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[int, list[str | None]]]:
        """All texts, some at once, each time with the number of the first.

        Args:
            size: texts at once.
        """
        for start in range(0, len(self), size):
            found: list[str | None] = []
            for part, low, high in self._spans(start, min(start + size, len(self))):
                found += part.read(low, high)
            yield start, found


@dataclass(frozen=True, eq=False, repr=False)
class Index:
    """An index that somebody built: rows, and what is known of each."""

    id: str
    """What the user named."""
    revision: str
    """A hash of parts of its files; see `places.sampled_hash`."""
    container: str
    """What holds it: `clip-retrieval`, `npy`, ..."""
    columns: Mapping[str, Rows]
    """Rows by modality, or under `embeddings` where the container does not say."""
    captions: Texts | None = None
    pictures: Texts | None = None
    """Paths or addresses of the pictures, or names of those that the container itself holds."""
    picture_of: Callable[[str], bytes] | None = None
    """Reads a picture that the container itself holds, by its name in `pictures`."""
    keys: Texts | None = None
    """What each row is called, where the container says it."""
    keyed: bool = False
    """Whether the order of rows says nothing, so that only keys tell which row is whose."""
    failed: int = 0
    """Rows that the container names and that have no embedding; they are not among the n."""
    folder: str = ""
    """Where relative paths of pictures begin."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What a reader of results should know of the rows, such as that they are reconstructed."""

    def __repr__(self) -> str:
        held = ", ".join(self.columns)
        return f"<{self.container} index {cut_left(self.id, 40)}: {self.n:,} x {held}>"

    @property
    def n(self) -> int:
        """Rows."""
        return len(next(iter(self.columns.values())))

    @property
    def dimension(self) -> int:
        """Width of the rows that are there, or of the pictures where there are two kinds."""
        return self.rows()[1].width

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the container says its rows are of; nothing where it does not say."""
        named: tuple[Modality, ...] = ("image", "text")
        return tuple(name for name in named if name in self.columns)

    def rows(self, modality: Modalities = "auto") -> tuple[Modality | None, Rows]:
        """The rows of a modality, with its name.

        Args:
            modality: `text` or `image`; `auto` takes pictures before captions. None is returned as
                the name where the container does not say.

        Raises:
            ModalityError: there are no such rows.
        """
        if modality in ("auto", "both"):
            name = next(iter(self.modalities), None)
            return name, self.columns[name or "embeddings"]
        found = self.columns.get(modality, self.columns.get("embeddings"))
        if found is None:
            raise ModalityError(f"{self.id} holds {' and '.join(self.columns)}, not {modality}")
        return modality, found  # type: ignore[return-value]

    def blocks(
        self, size: int = BLOCK, modality: Modalities = "auto"
    ) -> Iterator[tuple[int, Float[Floats, "_ width"]]]:
        """All rows of a modality, some at once; see `Rows.blocks`."""
        return self.rows(modality)[1].blocks(size)

    @property
    def called(self) -> Texts | None:
        """What a row is called for people: its caption, its picture, or its key."""
        return self.captions or self.pictures or self.keys
