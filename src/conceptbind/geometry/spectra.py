"""Interaction spectrum: which factors of a scene act alone and which together, and how much of the
variance each set of them explains.

A factor is one concept in one slot. On a full grid the embedding of a scene is, in exactly one way,
a mean plus one orthogonal part for every set of factors (functional analysis of variance). Parts of
one factor are main effects, which additive fits of order 1 explain. Parts of several concepts of
one object are what fits of order 2 explain beyond them, **the binding share**. All others join
different objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.linalg import helmert

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.geometry.additive import Design, explained, least_squares, moments
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

Kind = Literal["concept", "object", "objects", "rest"]
BLOCK = 32
"""Dimensions transformed at once."""
LARGEST = 4000
"""Parameters of the largest sequential fit."""


@dataclass(frozen=True)
class Part:
    """One set of factors that act together."""

    factors: tuple[str, ...]
    """Names, for example ("slot 1 color", "slot 2 shape"); empty for the rest of an incomplete
    grid."""
    kind: Kind
    """`concept` one factor; `object` several concepts of one object; `objects` of different ones;
    `rest` what no part explains."""
    share: float
    """Share of the variance of the centred embeddings."""
    freedom: float
    """Share of the degrees of freedom: what the part would explain of pure noise."""


@dataclass(frozen=True)
class Spectrum:
    """Shares that sum to 1."""

    parts: tuple[Part, ...]
    method: Literal["exact", "sequential least squares"]
    """`exact` on a full grid; otherwise the gain in R^2 when each set is added after those before
    it."""

    def share(self, *kinds: Kind) -> float:
        """Share of all parts of some kinds."""
        return float(sum(part.share for part in self.parts if part.kind in kinds))

    def freedom(self, *kinds: Kind) -> float:
        """Share of the degrees of freedom of all parts of some kinds."""
        return float(sum(part.freedom for part in self.parts if part.kind in kinds))

    @property
    def binding_share(self) -> float:
        """Share of the variance that only whole objects explain: a bag of concepts has 0."""
        return self.share("object")


@explains_arguments
def spectrum(values: Float[Floats, "scenes width"], scenes: Scenes) -> Spectrum:
    """The spectrum of scene embeddings: exact on a full grid (every scene once), otherwise by
    sequential least squares.

    Args:
        values: (n, d) one row per scene.
        scenes: the n scenes.

    Raises:
        ShapeError: not one embedding per scene.
        ValueRangeError: constant or non-finite embeddings, or an incomplete grid with fewer scenes
            than parameters.
    """
    values = np.asarray(values)
    if values.ndim != 2 or len(values) != len(scenes):
        raise ShapeError(
            f"one embedding per scene: {counted(len(scenes), 'scene')} but embeddings of shape "
            f"{values.shape}"
        )
    refuse_non_finite(values, "embeddings")
    grid = _grid_rows(scenes)
    return _sequential(values, scenes) if grid is None else _exact(values, scenes, grid)


def _grid_rows(scenes: Scenes) -> Ints | None:
    """Row of each cell of the full grid, or None where a cell is missing or appears twice."""
    sizes = scenes.space.sizes * scenes.n_slots
    if len(scenes) != np.prod(sizes, dtype=float):
        return None
    cells: Ints = np.ravel_multi_index(tuple(scenes.table.reshape(len(scenes), -1).T), sizes)  # type: ignore[assignment]
    rows = np.argsort(cells)
    return rows if (cells[rows] == np.arange(len(scenes))).all() else None


def _exact(values: Floats, scenes: Scenes, rows: Ints) -> Spectrum:
    """Orthonormal contrasts along every factor: the first coordinate of an axis is its mean, the
    others are deviations.
    """
    sizes = scenes.space.sizes * scenes.n_slots
    energy = np.zeros(sizes)
    for start in range(0, values.shape[1], BLOCK):
        block = values[:, start : start + BLOCK][rows].astype(np.float64)
        cells = (block - block.mean(axis=0)).reshape(*sizes, -1)
        for axis, size in enumerate(sizes):
            cells = np.moveaxis(
                np.tensordot(helmert(size, full=True), cells, axes=(1, axis)), 0, axis
            )
        energy += np.square(cells).sum(axis=-1)
    energy[(0,) * len(sizes)] = 0.0  # the mean
    total = energy.sum()
    _refuse_constant(float(total), values)
    parts, concepts = [], len(scenes.space.concepts)
    for size in range(1, len(sizes) + 1):
        for members in combinations(range(len(sizes)), size):
            where = tuple(slice(1, None) if axis in members else 0 for axis in range(len(sizes)))
            freedom = float(np.prod([sizes[axis] - 1 for axis in members])) / (len(scenes) - 1)
            if freedom:
                share = float(energy[where].sum() / total)
                parts.append(
                    Part(_names(members, scenes), _kind(members, concepts), share, freedom)
                )
    return Spectrum(tuple(parts), "exact")


def _sequential(values: Floats, scenes: Scenes) -> Spectrum:
    """Order 1, then order 2, then pairs of values of different objects, each by least squares
    after those before; then the rest.
    """
    slots, concepts = range(scenes.n_slots), len(scenes.space.concepts)
    steps: list[tuple[tuple[str, ...], Kind, Sequence[tuple[int, ...]]]] = [
        (
            tuple(f"all {concept}" for concept in scenes.space.concepts),
            "concept",
            [(i * concepts + k,) for i in slots for k in range(concepts)],
        ),
        (
            ("all concepts of an object",),
            "object",
            [tuple(range(i * concepts, (i + 1) * concepts)) for i in slots],
        ),
    ]
    pairs = [
        (a, b)
        for a in range(scenes.n_slots * concepts)
        for b in range(a + 1, scenes.n_slots * concepts)
        if a // concepts != b // concepts
    ]
    steps.append((("pairs of values of different objects",), "objects", pairs))
    parts, before, used, groups = [], 0.0, 0, []
    for factors, kind, members in steps:
        groups += list(members)
        found = _joint(values, scenes, groups)
        if found is None:  # more parameters than scenes can tell apart
            break
        explained_now, rank = found
        parts.append(Part(factors, kind, explained_now - before, (rank - used) / (len(scenes) - 1)))
        before, used = explained_now, rank
    if not parts:
        raise ValueRangeError(
            f"the table has {counted(len(scenes), 'scene')}, fewer than its concepts have values, "
            "so no share of the variance can be told; use more scenes"
        )
    parts.append(Part((), "rest", 1 - before, 1 - used / (len(scenes) - 1)))
    return Spectrum(tuple(parts), "sequential least squares")


def _joint(
    values: Floats, scenes: Scenes, groups: Sequence[tuple[int, ...]]
) -> tuple[float, int] | None:
    """R^2 and rank of one least-squares fit with a parameter for every combination of values of
    each group of factors.
    """
    flat, sizes = (
        scenes.table.reshape(len(scenes), -1),
        np.array(scenes.space.sizes * scenes.n_slots),
    )
    columns, size = [], 0
    for group in groups:
        cells = np.ravel_multi_index(tuple(flat[:, list(group)].T), tuple(sizes[list(group)]))
        used, codes = np.unique(cells, return_inverse=True)
        columns.append(codes.reshape(-1) + size)
        size += len(used)
    if size > LARGEST:
        return None
    terms = Design(np.stack(columns, axis=1), size)
    rows = np.arange(len(scenes))
    rows = np.arange(len(scenes))
    fit, rank = least_squares(terms, rows, *moments(values, terms, rows))
    return None if rank >= len(scenes) - 1 else (explained(values, fit), rank)


def _names(members: Sequence[int], scenes: Scenes) -> tuple[str, ...]:
    concepts = scenes.space.concepts
    return tuple(
        f"slot {axis // len(concepts) + 1} {concepts[axis % len(concepts)]}" for axis in members
    )


def _kind(members: Sequence[int], concepts: int) -> Kind:
    if len(members) == 1:
        return "concept"
    return "object" if len({axis // concepts for axis in members}) == 1 else "objects"


def _refuse_constant(total: float, values: Floats) -> None:
    if (
        total <= 1e-12 * float(np.square(values[:1], dtype=np.float64).sum()) * len(values)
        or total == 0
    ):
        raise ValueRangeError("all embeddings are the same, so there is no variance to share out")
