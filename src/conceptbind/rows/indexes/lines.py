"""Lines of a text file, read when they are asked for: ten million captions need no list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import FileError
from conceptbind.core.limits import require_regular
from conceptbind.rows.indexes.contract import TextPart, Texts

if TYPE_CHECKING:
    from pathlib import Path

PIECE = 1 << 24
"""Bytes that are looked at together."""


class Lines(TextPart):
    """The lines of one file in UTF-8; one that holds nothing but spaces is None."""

    def __init__(self, path: Path) -> None:
        self.path = require_regular(path, "a text file, one caption per line")
        ends, first, last = [], 0, b""
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                ends.append(first + np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n")))
                first, last = first + len(piece), piece[-1:]
        if last not in (b"", b"\n"):
            ends.append(np.array([first]))
        self._ends = np.concatenate(ends) if ends else np.empty(0, np.int64)
        self.n = len(self._ends)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        if start >= stop:
            return []
        low = int(self._ends[start - 1]) + 1 if start else 0
        with self.path.open("rb") as file:
            file.seek(low)
            content = file.read(int(self._ends[stop - 1]) - low)
        try:
            lines = content.decode("utf-8-sig" if not start else "utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise FileError(
                f"{self.path} is not UTF-8 ({error.reason} after line {start + 1:,}); save it as "
                "UTF-8 text"
            ) from error
        return [line.strip() or None for line in lines]


def open_lines(path: Path) -> Texts:
    """The lines of a text file.

    Args:
        path: the file.
    """
    return Texts([Lines(path)])
