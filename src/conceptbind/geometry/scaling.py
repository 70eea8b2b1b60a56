"""Multidimensional scaling of one quadruple: two attributes and two nouns, and the scenes of two of
their four objects.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.geometry.additive import fit_additive

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

Kind = Literal["concept", "object", "scene", "sum"]
Distance = Literal["euclidean", "cosine"]
Weights = Literal["full", "half"]


@dataclass(frozen=True)
class ScalingWay:
    """How a quadruple is chosen and scaled, as the published code offers it."""

    quadruple: tuple[str, ...] = ()
    """Two values of the first concept, then two of the last; by default the first of each."""
    distance: Distance = "euclidean"
    """Between points: `euclidean`, or `cosine`, 1 minus it."""
    weights: Weights = "full"
    """What is summed: `full`, the mean and one vector per object and slot; `half`, the mean of the
    scenes of each object by its share, a half with two objects."""
    sphere: bool = False
    """Whether all points, the sums too, are put on the unit sphere first."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("distance", self.distance, ("euclidean", "cosine")),
            ("weights", self.weights, ("full", "half")),
        ):
            if value not in known:
                raise UnknownNameError(f"unknown {name} '{cut(value)}'; {nearest(value, known)}")
        if self.quadruple and len(set(self.quadruple)) != 4:
            raise ValueRangeError(
                "a quadruple is four different names, two values of the first concept and two of "
                f"the last, such as red,blue,square,circle; got '{cut(','.join(self.quadruple))}'"
            )


PUBLISHED = ScalingWay()


def quadruple_of(scenes: Scenes, way: ScalingWay) -> tuple[Int[Ints, " two"], Int[Ints, " two"]]:
    """(2,) values of the first concept and (2,) of the last.

    Args:
        scenes: the table.
        way: with the names that were chosen, or none.

    Raises:
        UnknownNameError: a name is no value of its concept.
        ValueRangeError: fewer than two values occur.
    """
    found = []
    for k, names in ((0, way.quadruple[:2]), (-1, way.quadruple[2:])):
        values = scenes.space.values[k]
        for name in names:
            if name not in values:
                concept = scenes.space.concepts[k]
                raise UnknownNameError(
                    f"'{cut(name)}' is no value of {concept}; {nearest(name, values)}"
                )
        chosen = np.array([values.index(name) for name in names], dtype=np.int64)
        found.append(chosen if names else np.unique(scenes.table[:, :, k])[:2])
    if min(map(len, found)) < 2:
        raise ValueRangeError(
            "a quadruple needs two values of the first concept and two of the last"
        )
    return found[0], found[1]


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
    values: Float[Floats, "scenes width"],
    scenes: Scenes,
    *,
    way: ScalingWay = PUBLISHED,
    seed: int = 0,
) -> Scaling:
    """Concept means, object means, real scenes and the sums that additivity predicts, in 3-D (arXiv
    2605.31503, section 8).

    Two values of the first concept and two of the noun make four objects. Means are over all
    scenes; each sum is the mean plus one vector per object and slot (order 2, avg+pos), if `way`
    says nothing else.

    Args:
        values: (n, d) embeddings.
        scenes: the table of the n scenes.
        way: which quadruple, distance and sums.
        seed: decides where the points start.

    Raises:
        UnknownNameError: a name of the quadruple is no value.
        ValueRangeError: the table has one concept, or no such four objects in scenes of two.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import smacof

    space, m = scenes.space, scenes.n_slots
    if len(space.concepts) < 2 or m < 2:
        raise ValueRangeError("a quadruple needs two concepts and scenes of two objects or more")
    attributes, nouns = quadruple_of(scenes, way)
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
    start, sums = len(names), _sums(values, scenes, rows, way)
    for kind, table in (("scene", values[rows]), ("sum", sums)):
        for row, point in zip(rows.tolist(), table, strict=True):
            title = " + ".join(space.object_name(item) for item in scenes.objects[row].tolist())
            add("scene" if kind == "scene" else "sum", title, point)
    all_points: Floats = np.stack(points).astype(np.float64)
    if way.sphere or way.distance == "cosine":
        all_points = _on_sphere(all_points)
    spread = np.sqrt(np.square(all_points - all_points.mean(axis=0)).sum(axis=1).mean())
    if spread <= 1e-7 * np.linalg.norm(all_points, axis=1).max():
        raise ValueRangeError(
            "all embeddings of the quadruple are the same, so there are no distances to draw"
        )
    with warnings.catch_warnings():
        # defaults that change between versions; those that matter are given
        warnings.simplefilter("ignore", FutureWarning)
        if way.distance == "euclidean":
            distances = pdist(all_points / spread)
        else:  # which has no unit: the mean is taken for one
            distances = pdist(all_points, "cosine")
            spread = max(float(distances.mean()), np.finfo(float).tiny)
            distances /= spread
        found, stress = smacof(
            squareform(distances),
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


def _sums(values: Floats, scenes: Scenes, rows: Ints, way: ScalingWay) -> Floats:
    """(r, d) what additivity predicts of some scenes."""
    if way.weights == "full":
        fitted: Floats = fit_additive(values, scenes, order=2, estimator="avg+pos")[rows]
        return fitted
    items, place = np.unique(scenes.objects[rows], return_inverse=True)
    holds = ((scenes.objects == item).any(axis=1) for item in items.tolist())
    means = np.stack([values[here].mean(axis=0) for here in holds])  # (items, d)
    found: Floats = means[place.reshape(len(rows), -1)].mean(axis=1)
    return found


def _on_sphere(points: Floats) -> Floats:
    """Points divided by their length.

    Raises:
        ValueRangeError: one is all zeros.
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueRangeError("a point of the quadruple is all zeros and has no direction")
    found: Floats = points / lengths
    return found
