"""Multidimensional scaling of one quadruple: two attributes and two nouns, and the scenes of two of
their four objects.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.geometry.additive import fit_additive

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

Kind = Literal["concept", "object", "scene", "sum"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Points in three dimensions whose distances are those of the embeddings, as nearly as that can
    be.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    points: Float[Floats, "points 3"]
    """(p, 3)"""
    lines: Int[Ints, "lines 2"]
    """(l, 2) from each predicted sum to its scene."""
    stress: float
    """Kruskal's stress 1: 0 is perfect, 0.1 fair, 0.2 poor."""


@explains_arguments
def scale_quadruple(
    values: Float[Floats, "scenes width"], scenes: Scenes, *, seed: int = 0
) -> Scaling:
    """Concept means, object means, real scenes and the sums that additivity predicts, in 3-D (arXiv
    2605.31503, section 8).

    The first two values of the first concept and of the noun that make four objects which stand
    together in scenes. Means are over all scenes; each sum is the mean plus one vector per object
    and slot (order 2, avg+pos).

    Args:
        values: (n, d) embeddings.
        scenes: the table of the n scenes.
        seed: decides where the points start.

    Raises:
        ValueRangeError: the table has one concept, or no such four objects in scenes of two.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import smacof

    space, m = scenes.space, scenes.n_slots
    if len(space.concepts) < 2 or m < 2:
        raise ValueRangeError("a quadruple needs two concepts and scenes of two objects or more")
    attributes, nouns = (np.unique(scenes.table[:, :, k])[:2] for k in (0, -1))
    if len(attributes) < 2 or len(nouns) < 2:
        raise ValueRangeError(
            "a quadruple needs two values of the first concept and two of the last"
        )
    inside = (
        np.isin(scenes.table[:, :, 0], attributes) & np.isin(scenes.table[:, :, -1], nouns)
    ).all(axis=1)
    objects = np.unique(scenes.objects[inside])
    apart = (np.sort(scenes.objects, axis=1)[:, 1:] != np.sort(scenes.objects, axis=1)[:, :-1]).all(
        axis=1
    )
    rows = np.flatnonzero(inside & apart)
    if len(rows) < 2:
        raise ValueRangeError("no two scenes hold only the objects of one quadruple")
    fit = fit_additive(values, scenes, order=2, estimator="avg+pos")
    names, kinds, points = [], [], []

    def add(kind: Kind, name: str, point: Floats) -> None:
        names.append(name)
        kinds.append(kind)
        points.append(point)

    for k, chosen in ((0, attributes), (len(space.concepts) - 1, nouns)):
        for value in chosen.tolist():
            add(
                "concept",
                space.values[k][value],
                values[(scenes.table[:, :, k] == value).any(axis=1)].mean(axis=0),
            )
    for item in objects.tolist():
        add(
            "object",
            space.object_name(item),
            values[(scenes.objects == item).any(axis=1)].mean(axis=0),
        )
    start, sums = len(names), fit[rows]
    for kind, table in (("scene", values[rows]), ("sum", sums)):
        for row, point in zip(rows.tolist(), table, strict=True):
            title = " + ".join(space.object_name(item) for item in scenes.objects[row].tolist())
            add("scene" if kind == "scene" else "sum", title, point)
    all_points = np.stack(points).astype(np.float64)
    spread = np.sqrt(np.square(all_points - all_points.mean(axis=0)).sum(axis=1).mean())
    if spread <= 1e-7 * np.linalg.norm(all_points, axis=1).max():
        raise ValueRangeError(
            "all embeddings of the quadruple are the same, so there are no distances to draw"
        )
    with warnings.catch_warnings():
        # defaults that change between versions; those that matter are given
        warnings.simplefilter("ignore", FutureWarning)
        distances = squareform(pdist(all_points / spread))
        found, stress = smacof(
            distances,
            n_components=3,
            n_init=4,
            random_state=seed,
            normalized_stress=True,
            max_iter=600,
        )
    lines = np.stack(
        [start + len(rows) + np.arange(len(rows)), start + np.arange(len(rows))], axis=1
    )
    return Scaling(tuple(names), tuple(kinds), spread * found, lines, float(stress))
