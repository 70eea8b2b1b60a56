"""How often a caption finds its own row among all rows of an index, which are read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.rows.indexes.contract import Rows

SMALLEST = 1e-15
"""Lengths below it are computed in double precision."""
TOGETHER = 8192
"""Rows of equal captions that are looked at together."""


@dataclass(frozen=True, eq=False)
class Searched:
    """Ranks of the own rows of m captions."""

    ranks: Int[Ints, " searches"]
    """(m,) 1 + rows of other captions that score at least as high; a tie is a miss."""
    ties: Int[Ints, " searches"]
    """(m,) rows of other captions that score the same, up to rounding."""

    def first(self, k: int) -> Bool[Bools, " searches"]:
        """Whether the own row is among the first k."""
        return self.ranks <= k


def unit_rows(
    rows: Float[Floats, "rows width"],
    numbers: Int[Ints, " rows"] | int = 0,
    whose: str = "the index",
) -> Float[Floats, "rows width"]:
    """Rows divided by their length.

    Args:
        rows: (n, d)
        numbers: (n,) of the rows in the index, or of the first of a block, for the message.
        whose: rows they are, for the message.

    Raises:
        ValueRangeError: a row is zero; names it.
    """
    kind = rows.dtype
    with np.errstate(over="ignore", under="ignore"):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    odd = np.flatnonzero(~(lengths > SMALLEST) | ~np.isfinite(lengths))
    if len(odd):  # their squares leave single precision
        rows = np.array(rows, dtype=np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        place = int(np.argmin(lengths))
        row = numbers + place if isinstance(numbers, int) else int(numbers[place])
        raise ValueRangeError(
            f"row {row:,} of {whose} is all zeros and has no direction; embed it again, or leave "
            "it out (audit does with --allow-missing)"
        )
    unit: Floats = (rows / lengths).astype(kind, copy=False)
    return unit


def search_index(
    rows: Rows,
    queries: Float[Floats, "maps searches width"],
    own: Int[Ints, " searches"],
    same: Int[Ints, "pairs 2"],
    on_rows: Callable[[int], None] = lambda _: None,
) -> list[Searched]:
    """Ranks among all rows, for several maps of the same captions, in one pass.

    Args:
        rows: (n, d) of the index, of any length.
        queries: (k, m, d) unit rows of m captions, after each of k maps.
        own: (m,) row that each should find.
        same: (p, 2) search and row of equal captions, own rows among them: such a row is no wrong
            answer.
        on_rows: called with the number of rows that are done.
    """
    maps, m, width = queries.shape
    asked = np.ascontiguousarray(queries.reshape(-1, width).T, dtype=np.float32)
    mine = unit_rows(rows[own], own)
    score = np.einsum("kmd,md->km", queries.astype(np.float32), mine).reshape(-1)
    margin = rounding(score, 1.0)
    low, high = score - margin, score + margin
    not_below, above = (np.zeros(maps * m, dtype=np.int64) for _ in range(2))
    for start, block in rows.blocks():
        scores = unit_rows(block, start) @ asked
        not_below += (scores >= low).sum(axis=0)
        above += (scores > high).sum(axis=0)
        on_rows(len(block))
    # rows with the caption that asks are no others; no score may differ from that of the pass
    for start in range(0, len(same), TOGETHER):
        search, row = same[start : start + TOGETHER].T
        shown = unit_rows(rows[row], row)
        for k in range(maps):
            places = k * m + search
            scores = np.einsum("pd,pd->p", shown, asked.T[places])
            np.subtract.at(not_below, places, scores >= low[places])
            np.subtract.at(above, places, scores > high[places])
    found = []
    for k in range(maps):
        part = slice(k * m, (k + 1) * m)
        found.append(Searched(not_below[part] + 1, not_below[part] - above[part]))
    return found
