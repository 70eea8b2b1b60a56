"""Arrays of a `.npz` or `.npy` file, looked at one by one: labels are read whole, pictures block by
block. Members that nobody asks for are not touched, and no pickle is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    cut,
)
from conceptbind.core.files import file_hash
from conceptbind.core.limits import first_repeated, layout_of, require_regular, require_unpacked

if TYPE_CHECKING:
    from typing import Any

    from jaxtyping import Shaped
    from numpy.typing import NDArray

BLOCK_BYTES = 1 << 22
"""Pictures that are in memory at once."""
LARGEST_SIDE = 4096
"""Pixels of a stored picture, in height and in width."""
_CURSORS: dict[tuple[str, str, str], tuple[int, Iterator[Any]]] = {}
"""Where a pass over an array stands, and what is left of it."""
ONLY = ""
"""The name of the array of a `.npy` file, which has none."""


class ArrayFile:
    """A `.npz` file, or a `.npy` file with one array.

    Attributes:
        path: of the file.
        names: of its arrays.
    """

    def __init__(self, path: Path, example: str) -> None:
        """Read the names of the arrays, and nothing else.

        Args:
            path: of the file.
            example: the name that such a file has, for messages.

        Raises:
            FileError: it is missing, damaged, or of another kind.
        """
        suffix = path.suffix.lower()
        expected = f"an array file such as {example}"
        if suffix not in (".npz", ".npy") and path.is_file():
            raise FileError(f"{path} is not {expected}: its name must end in .npz or .npy")
        require_regular(path, expected, "the array file ")
        self.path = path
        self._members: dict[str, zipfile.ZipInfo] = {}
        if suffix == ".npz":
            self._members = self._listed()
        self.names = tuple(self._members) if suffix == ".npz" else (ONLY,)

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        """The arrays of a zip by name, from its directory."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
        except Exception as error:  # zipfile raises what it likes for a damaged directory
            raise self._damaged(error) from error
        if (twice := first_repeated(member.filename for member in members)) is not None:
            raise FileError(
                f"{self.path} is damaged: it holds '{cut(twice)}' twice; write it again"
            )
        return {member.filename.removesuffix(".npy"): member for member in members}

    def require(self, name: str, what: str) -> None:
        """Raise UnknownNameError unless the file has an array; `what` says what it should hold."""
        if name not in self.names:
            raise UnknownNameError(
                f"{self.path} lacks the array '{name}' ({what}); its arrays: {self.held()}"
            )

    def held(self) -> str:
        """The names of the arrays, for messages."""
        if self.names == (ONLY,):
            return "one without a name"
        return cut(", ".join(map(repr, self.names)), 200) or "none"

    def layout(self, name: str) -> tuple[tuple[int, ...], Any, bool]:
        """Shape, kind and whether an array stands row by row, from its header.

        Raises:
            FileError: it is damaged.
            UnsafeFileError: it holds Python objects.
        """
        with self._opened(name) as stream:
            return layout_of(stream, self._size(name), self.told(name))

    def read(self, name: str) -> Shaped[NDArray[Any], " ..."]:
        """A small array, whole.

        Raises:
            FileError: it is damaged, or larger than an honest file of labels.
            UnsafeFileError: it holds Python objects.
        """
        self.layout(name)
        require_unpacked(self.path, self._size(name), "write its labels again")
        with self._opened(name) as stream:
            found: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            stream.read(1)  # the end, where zipfile compares the checksum
        return found

    def blocks(self, name: str) -> Iterator[Shaped[NDArray[Any], "_ ..."]]:
        """The rows of an array in order, a few megabytes at a time.

        Raises:
            FileError: the array is damaged, or ends early.
            ShapeError: it stands column by column, so that it has no rows to read.
        """
        with self._opened(name) as stream:
            shape, kind, by_row = layout_of(stream, self._size(name), self.told(name))
            if not by_row:
                raise ShapeError(
                    f"{self.told(name)} stands column by column (Fortran order); write it again "
                    "with numpy.ascontiguousarray"
                )
            size = kind.itemsize * int(np.prod(shape[1:]))
            most = max(1, BLOCK_BYTES // size)
            for start in range(0, shape[0], most):
                n = min(most, shape[0] - start)
                yield np.frombuffer(self._exactly(stream, n * size), kind).reshape(n, *shape[1:])
            stream.read(1)  # the end, where zipfile compares the checksum

    def identity(self, name: str) -> str:
        """What tells an array from another one: the size and checksum that the zip states, or the
        hash of a `.npy` file.
        """
        member = self._members.get(name)
        if member is None:
            return file_hash(self.path)
        return f"{member.file_size} bytes, CRC {member.CRC:08x}"

    def told(self, name: str) -> str:
        """An array in words, for messages."""
        return str(self.path) if name == ONLY else f"the array '{cut(name)}' of {self.path}"

    def _size(self, name: str) -> int:
        """Bytes of an array with its header, unpacked."""
        return self._members[name].file_size if self._members else self.path.stat().st_size

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        try:
            if not self._members:
                with self.path.open("rb") as file:
                    yield file
                return
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self._members[name]) as stream,
            ):
                yield stream
        except ConceptBindError:
            raise
        except Exception as error:  # zipfile raises what it likes for damaged members
            raise self._damaged(error) from error

    def _exactly(self, stream: IO[bytes], size: int) -> bytes:
        """So many bytes of a stream."""
        parts = []
        while size:
            part = stream.read(size)
            if not part:
                raise EOFError("an array ends before its last row")
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _damaged(self, error: Exception) -> FileError:
        reason = " ".join((str(error) or type(error).__name__).split())
        return FileError(f"{self.path} is damaged: {reason:.200}; copy it again")


@dataclass(frozen=True, eq=False)
class StoredPictures:
    """The pictures of a table where they lie as one array, a row for each scene."""

    file: ArrayFile
    name: str
    """The name of the array."""
    n: int
    """How many there are."""
    silhouettes: bool
    """Whether values of 0 and 1 mean black and white, as in dSprites. Where the first picture has a
    larger value they are 0 to 255."""
    size: tuple[int, ...] = field(init=False)
    """Height and width in pixels, and 3 where there are colours."""

    def __post_init__(self) -> None:
        shape, kind, _ = self.file.layout(self.name)
        grey = self.silhouettes and len(shape) == 3
        fits = grey or (len(shape) == 4 and shape[3] == 3)
        kinds = ("uint8", "bool") if self.silhouettes else ("uint8",)
        wanted = "(n, height, width, 3)" + " or (n, height, width)" * self.silhouettes
        if not fits or kind.name not in kinds or not _plausible(shape[1:3]):
            raise ShapeError(
                f"{self.file.told(self.name)} must hold pictures {wanted} of uint8, at most "
                f"{LARGEST_SIDE} pixels wide and high; got {kind} {shape}"
            )
        if shape[0] != self.n:
            raise ShapeError(
                f"{self.file.told(self.name)} holds {shape[0]:,} pictures, and the labels are of "
                f"{self.n:,} scenes; expected one picture for each"
            )
        object.__setattr__(self, "size", shape[1:])

    def identity(self) -> str:
        """What tells these pictures from others, in words."""
        return f"{self.n} of {self.size}, {self.file.identity(self.name)}"

    def __iter__(self) -> Iterator[Shaped[NDArray[Any], "height width *channels"]]:
        """Each picture (h, w) or (h, w, 3) with values 0 to 255, in the order of the scenes.

        Raises:
            FileError: the array is damaged.
            ShapeError: it stands column by column.
            ValueRangeError: the first picture holds 0 and 1, and another one larger values.
        """
        start, factor = 0, 1
        for block in self.file.blocks(self.name):
            if start == 0 and self.silhouettes and block[0].max() <= 1:
                factor = 255
            if factor == 255 and block.max() > 1:
                raise self._mixed(block, start)
            yield from block.astype(np.uint8) * np.uint8(factor)
            start += len(block)

    def rows(
        self, start: int, stop: int
    ) -> Iterator[Shaped[NDArray[Any], "height width *channels"]]:
        """The pictures start..stop of the scenes. Neighbouring calls, one after the other, go on in
        the file where the last one ended: an array that is packed can be read from its start only.

        Args:
            start: number of the first scene.
            stop: that of the last, and 1.

        Raises:
            FileError: the array is damaged, which a checksum tells at its end.
            ShapeError: it stands column by column.
            ValueRangeError: see `__iter__`.
        """
        key = str(self.file.path), self.name, self.identity()
        at, pictures = _CURSORS.pop(key, (0, iter(self)))
        if at > start:
            at, pictures = 0, iter(self)
        yield from islice(pictures, start - at, stop - at)
        if stop < self.n:
            _CURSORS.clear()  # one file is open at a time
            _CURSORS[key] = stop, pictures
        else:
            next(pictures, None)  # the end, where the checksum is compared

    def _mixed(
        self, block: Shaped[NDArray[Any], "rows height width *channels"], start: int
    ) -> ValueRangeError:
        row = int(np.flatnonzero(block.reshape(len(block), -1).max(1) > 1)[0])
        return ValueRangeError(
            f"{self.file.told(self.name)}: the first picture has only the values 0 and 1, and the "
            f"one of row {start + row} has {block[row].max()}; write all as 0 and 1, or all as "
            "0 to 255"
        )


def _plausible(sides: tuple[int, ...]) -> bool:
    return all(1 <= side <= LARGEST_SIDE for side in sides)
