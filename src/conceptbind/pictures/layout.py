"""Where the objects of a picture stand: in cells of a grid, so that they never overlap."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

FILL = 0.68
"""Share of a cell that an object fills without jitter."""
MAX_OBJECTS = 36
"""A grid of 6 x 6: beyond it objects are too small to tell their shapes."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Centres and radii of m objects in a unit square, ordered from left to right; y points
    down.
    """

    centres: Float[Floats, "objects 2"]
    """(m, 2)"""
    radii: Float[Floats, " objects"]
    """(m,) of the circle around each object."""


def place(
    n_objects: int,
    rng: np.random.Generator,
    *,
    position_jitter: float = 0.5,
    size_jitter: float = 0.15,
    halves: bool = True,
) -> Layout:
    """Draw a layout.

    Args:
        n_objects: m.
        rng: source of the jitter and, for three or more objects, of the cells.
        position_jitter: share of the free space in a cell that an object may use, 0 to 1.
        size_jitter: objects are up to this share smaller.
        halves: two objects stand in the left and the right half, as in CLEVR's two-object scenes;
            otherwise anywhere.

    Raises:
        ValueRangeError: no objects, more than fit, or jitter outside 0..1.
    """
    if not 1 <= n_objects <= MAX_OBJECTS:
        raise ValueRangeError(
            f"a picture holds 1 to {MAX_OBJECTS} objects without overlap; got {n_objects}"
        )
    if not (0 <= position_jitter <= 1 and 0 <= size_jitter < 1):
        raise ValueRangeError(
            f"jitter must lie between 0 and 1; got position {position_jitter} and size "
            f"{size_jitter}"
        )
    columns = ceil(sqrt(n_objects)) if n_objects != 2 or not halves else 2
    rows = columns if n_objects != 2 or not halves else 1
    cells = (
        np.arange(columns * rows)
        if columns * rows == n_objects
        else rng.permutation(columns * rows)[:n_objects]
    )
    corner = np.stack([cells % columns / columns, cells // columns / rows], axis=1)  # (m, 2)
    extent = np.array([1 / columns, 1 / rows])
    radii = 0.5 * FILL * extent.min() * (1 - size_jitter * rng.random(n_objects))
    free = extent / 2 - radii[:, None]  # (m, 2) how far a centre may move and stay in its cell
    centres = corner + extent / 2 + position_jitter * free * rng.uniform(-1, 1, (n_objects, 2))
    order = np.argsort(centres[:, 0], kind="stable")
    return Layout(centres[order], radii[order])
