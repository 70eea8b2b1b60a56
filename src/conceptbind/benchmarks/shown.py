"""Pictures of a declared benchmark: files where they lie, and what tables and arrays hold, which is
written as files of their own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, UnsafeFileError
from conceptbind.core.files import write_whole
from conceptbind.core.limits import header_of, require_npy

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Making

Box = tuple[int, int, int, int]
ARRAY = b"\x93NUMPY"
"""How a `.npy` file begins."""


class Pictures:
    """Numbers for the pictures of items as they are first met, and where each lies.

    Args:
        folder: of the benchmark.
        making: where pictures go that have no file, and whether they are written at all.
        name: of the benchmark.
    """

    def __init__(self, folder: Path, making: Making, name: str) -> None:
        self.folder, self.making = folder, making
        # what is relative would be looked for in the benchmark's folder
        self.made = Path(os.path.abspath(making.folder)) / name
        self._numbers: dict[tuple[str, Box | None], int] = {}
        self._found: dict[tuple[Any, ...], str] = {}
        self._places: set[str] = set()
        self.elsewhere: dict[str, Path] = {}
        """Files that lie outside the folder, by the picture's name."""
        self._stored = 0
        self._digests: dict[bytes, str] = {}

    def all(self) -> tuple[str, ...]:
        """Names, relative to `place`, by number."""
        inner = self.place not in (self.folder, self.made)
        start = f"{self.place.relative_to(self.folder)}/" if inner else ""
        return tuple(name.removeprefix(start) for name, _ in self._numbers)

    @property
    def place(self) -> Path:
        """The folder where all pictures lie, or should; that of the benchmark where they lie in
        several.
        """
        if self.elsewhere and not self.away:
            return self.made
        if len(self._places) != 1 or self.elsewhere:
            return self.folder
        return self.folder / next(iter(self._places))

    @property
    def away(self) -> dict[str, Path]:
        """Files that lie outside the place. Where all pictures stood inside tables there are none:
        a run knows them by names that stay as they are where its folder is moved.
        """
        names = {name for name, _ in self._numbers}
        written = all(self.elsewhere.get(name) == self.made / name for name in names)
        return {} if names and written and self.making.unpack else self.elsewhere

    def boxes(self) -> tuple[Box, ...] | None:
        """What is seen of each; None where all are whole."""
        boxes = [box for _, box in self._numbers]
        return None if None in boxes or not boxes else tuple(box for box in boxes if box)

    def number(self, name: str, box: Box | None = None) -> int:
        """The number of a picture, or of what a box shows of it."""
        return self._numbers.setdefault((name, box), len(self._numbers))

    def named(
        self, name: str, places: Sequence[str], endings: Sequence[str] = ("",), npy: str = "rgb"
    ) -> str:
        """The name, relative to the folder, of a picture that a file calls so: in the first place
        where it lies, else in the first place of all.

        Args:
            name: as the file has it.
            places: folders where it may lie.
            endings: what the name may lack.
            npy: order of the channels of `.npy` files.

        Raises:
            UnsafeFileError: it lies outside the folder.
        """
        key = (name, *places)
        if key not in self._found:
            self._found[key] = self._look(name, places, endings, npy)
        return self._found[key]

    def _look(self, name: str, places: Sequence[str], endings: Sequence[str], npy: str) -> str:
        tried = [_joined(place, name + ending) for place in places for ending in endings]
        for one in tried:
            if PurePath(one).is_absolute() or ".." in PurePath(one).parts:
                raise UnsafeFileError(
                    f"a picture is called '{name:.200}', which lies outside {self.folder}; only "
                    "pictures below it are read"
                )
        found = next((one for one in tried if os.path.isfile(self.folder / one)), None)
        self._places.add(places[0 if found is None else tried.index(found) // len(endings)])
        if found is not None and found.lower().endswith(".npy") and self.making.unpack:
            self.elsewhere[found] = self._of_array(found, npy)
        return tried[0] if found is None else found

    def stored(self, data: bytes, name: str, npy: str = "rgb", row: int | None = None) -> str:
        """The name of a picture that stands inside a file; it is written as one of its own.

        Args:
            data: what its file would hold.
            name: of its field.
            npy: order of the channels, where it is an array.
            row: the number that it is called by; None for how many came before.
        """
        digest = hashlib.sha256(data).digest()
        if data and digest in self._digests:  # equal pictures are one
            return self._digests[digest]
        called = f"{self._stored if row is None else row:06d}-{name}"
        if called in self.elsewhere:  # of another table
            called = f"{self._stored:06d}-of-{called}"
        self._stored += 1
        self._digests[digest] = called
        self.elsewhere[called] = self.made / called
        if self.making.unpack:
            path = self.made / called
            data = png_of(data, npy, name) if data.startswith(ARRAY) else data
            # the file may have been replaced since
            if not path.is_file() or path.read_bytes() != data:
                write_whole(path, data)
            self.making.on_item(1)
        return called

    def absent(self, name: str) -> str:
        """The name of a picture that an archive should hold and does not, or that has none.

        Args:
            name: of the file and its sample or row.
        """
        self._places.add(".")
        return name

    def _of_array(self, name: str, npy: str) -> Path:
        """A picture that is an array, as a PNG file of the same pixels."""
        source, path = self.folder / name, self.made / f"{name}.png"
        if path.is_file() and path.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            return path
        require_npy(source)
        write_whole(path, png_of(source.read_bytes(), npy, str(source)))
        self.making.on_item(1)
        return path


def png_of(data: bytes, channels: str, where: str) -> bytes:
    """A PNG file with the pixels of an array.

    Args:
        data: what a `.npy` file holds, (height, width, 3) or (height, width) in 0..255.
        channels: `rgb` or `bgr`, the order of the last axis.
        where: for messages.

    Raises:
        FileError: it is truncated, or holds no such array.
    """
    import numpy as np
    from PIL import Image

    header_of(BytesIO(data), len(data), where)  # before memory is taken for what it states
    try:
        pixels = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileError(f"{where} is not a whole .npy file ({error!s:.200})") from error
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not shape_fits or 0 in pixels.shape:
        raise FileError(
            f"{where}: expected a picture of bytes, (height, width, 3); got {pixels.dtype} "
            f"{pixels.shape}"
        )
    if pixels.ndim == 3 and channels == "bgr":
        pixels = pixels[:, :, ::-1]
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _joined(place: str, name: str) -> str:
    """A name in a folder, without `.` in front."""
    return str(PurePath(place) / name)
