"""Some of the rows of an index: those that have an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.rows.indexes.contract import BLOCK, RowPart, Rows, TextPart, Texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Int, Shaped

    from conceptbind.core.typing import Floats, Ints


class KeptRows(RowPart):
    """The rows of a part that have an embedding."""

    def __init__(self, part: RowPart, kept: Int[Ints, " rows"]) -> None:
        self.part, self.kept = part, kept
        self.n, self.width, self.name = len(kept), part.width, part.name

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        return _kept(self.part.read, self.kept[start:stop], self.some)


class KeptTexts(TextPart):
    """The texts of the rows that have an embedding."""

    def __init__(self, part: TextPart, kept: Int[Ints, " rows"]) -> None:
        self.part, self.kept, self.n = part, kept, len(kept)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return _kept(self.part.read, self.kept[start:stop], self.some)


def _kept(read: Callable[[int, int], Any], rows: Ints, some: Callable[[Any, Ints], Any]) -> Any:
    first = int(rows[0])
    return some(read(first, int(rows[-1]) + 1), rows - first)


def dead_rows(rows: Rows) -> Int[Ints, " dead"]:
    """Numbers of the rows that are all zeros or hold NaN or infinite numbers; reads all rows once.

    Args:
        rows: of an index.
    """
    found, start = [np.empty(0, np.int64)], 0
    for part in rows.parts:
        for low in range(0, part.n, BLOCK):
            with np.errstate(over="ignore"):
                block = part.read(low, min(low + BLOCK, part.n)).astype(np.float32, copy=False)
            # a sum may be infinite where no number is
            dead = ~np.isfinite(block).all(axis=1) | ~block.any(axis=1)
            found.append(start + low + np.flatnonzero(dead))
        start += part.n
    return np.concatenate(found)


def only_rows(rows: Rows, kept: Int[Ints, " kept"]) -> Rows:
    """Some of the rows, in their order.

    Args:
        rows: of an index.
        kept: (k,) their numbers, rising.
    """
    parts: list[Any] = list(rows.parts)
    return Rows([KeptRows(part, some) for part, some in _parted(parts, kept)], rows.name)


def only_texts(texts: Texts, kept: Int[Ints, " kept"]) -> Texts:
    """The texts of some rows; see `only_rows`.

    Args:
        texts: of an index.
        kept: (k,) their numbers, rising.
    """
    parts: list[Any] = list(texts.parts)
    return Texts([KeptTexts(part, some) for part, some in _parted(parts, kept)])


def _parted(parts: list[Any], kept: Ints) -> list[tuple[Any, Ints]]:
    """Parts of which rows are kept, each with the numbers within it."""
    found, start = [], 0
    for part in parts:
        low, high = np.searchsorted(kept, [start, start + part.n]).tolist()
        if low < high:
            found.append((part, kept[low:high] - start))
        start += part.n
    return found
