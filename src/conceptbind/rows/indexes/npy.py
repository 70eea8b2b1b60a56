"""`.npy` shards by a pattern or in a folder, one behind the other."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import FileError, ShapeError
from conceptbind.core.limits import header_of, require_npy, require_regular
from conceptbind.rows.indexes.contract import Index, RowPart, Rows
from conceptbind.rows.indexes.places import sampled_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "npy"


class NpyRows(RowPart):
    """The rows of one `.npy`, read from the file and not mapped: a map's pages count as memory of
    this process, and for each row that is asked for the system maps its neighbours too.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        size = require_regular(path, "a .npy file").stat().st_size
        with path.open("rb") as file:
            shape, kind = header_of(file, size, str(path))
        if len(shape) != 2 or 0 in shape[1:] or np.dtype(kind).kind not in "fiu":
            raise ShapeError(
                f"{path} must hold real numbers of shape (rows, dimensions); got {kind} {shape}"
            )
        require_npy(path)
        self.n, self.width = shape
        self._kind = np.dtype(kind)
        self._start = size - self.n * self.width * self._kind.itemsize
        # a file that is written column by column has no rows to seek
        self._by_row = bool(self._mapped().flags.c_contiguous)

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        if not self._by_row:
            return np.array(self._mapped()[start:stop])
        found: Floats = np.empty((max(stop - start, 0), self.width), dtype=self._kind)
        with self.path.open("rb") as file:
            self._fill(file, start, found)
        return found

    def at(  # noqa: D102
        self, places: Int[Ints, " rows"]
    ) -> Iterator[tuple[Int[Ints, " some"], Shaped[Floats, "some width"]]]:
        order = np.argsort(places, kind="stable")  # neighbours on disk are read together
        if not self._by_row:
            yield order, self._mapped()[places[order]]
            return
        found: Floats = np.empty((len(places), self.width), dtype=self._kind)
        with self.path.open("rb", buffering=0) as file:
            for place, row in enumerate(places[order].tolist()):
                self._fill(file, row, found[place : place + 1])
        yield order, found

    def _fill(self, file: IO[bytes], start: int, rows: Floats) -> None:
        """Read the rows from one on into an array."""
        file.seek(self._start + start * self.width * self._kind.itemsize)
        if file.readinto(rows) != rows.nbytes:  # type: ignore[attr-defined]
            raise FileError(f"{self.path} became shorter while it was read; start again")

    def _mapped(self) -> Floats:
        try:
            mapped: Floats = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FileError(f"could not read {self.path} as .npy: {error}") from error
        return mapped


def claims(place: Place) -> bool:
    """Whether all that a pattern names, or a folder holds of arrays, is .npy."""
    return bool(place.of(".npy"))


def open_place(place: Place) -> Index:
    """The shards as one index.

    Raises:
        ShapeError: they have two widths; both are named.
        FileError: one is damaged or no .npy file.
    """
    paths = place.of(".npy")
    rows = Rows([NpyRows(path) for path in paths], place.text)
    return Index(place.text, sampled_hash(paths), name, {"embeddings": rows})
