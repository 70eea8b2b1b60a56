"""How many products it takes at least: planted ranks, noise, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.complexity import products_needed
from conceptbind.scenes import ConceptSpace, full_grid

V, D = 8, 48
SCENES = full_grid(
    ConceptSpace(("color", "shape"), tuple(tuple(f"{k}{i}" for i in range(V)) for k in "cs"))
)
TABLE = SCENES.table


def added(rng) -> np.ndarray:
    """Values alone."""
    return sum(rng.normal(size=(V, D))[TABLE[:, i, k]] for i in (0, 1) for k in (0, 1))


def products(rng, rank: int) -> np.ndarray:
    """Equal shares of so many products, along axes at right angles."""
    axes, _ = np.linalg.qr(rng.normal(size=(D, rank)))
    joined = 0
    for slot in (0, 1):
        colors, shapes = (np.linalg.qr(_centred(rng.normal(size=(V, rank))))[0] for _ in range(2))
        joined = joined + (colors[TABLE[:, slot, 0]] * shapes[TABLE[:, slot, 1]]) @ axes.T
    return 60 * joined


def _centred(vectors):
    return vectors - vectors.mean(axis=0)


@pytest.mark.parametrize("rank", [1, 2, 4, 7])
def test_planted_products_are_counted(rank):
    rng = np.random.default_rng(rank)
    values = added(rng) + products(rng, rank)
    # equal products: 95 % of them takes all, up to twenty
    assert products_needed(values, SCENES).products == rank
    noisy = values + 0.3 * rng.normal(size=values.shape)
    found = products_needed(noisy, SCENES)
    assert found.products == rank
    assert 0 < found.noise < 0.1


def test_the_noise_of_means_is_measured():
    rng = np.random.default_rng(0)
    bound, noise = products(rng, 2), rng.normal(size=(len(TABLE), D))
    found = products_needed(added(rng) + bound + 0.5 * noise, SCENES)
    # a mean over the 64 partners of an object keeps a 64th of the noise's variance
    means = np.square(bound).sum(axis=1).mean()
    assert found.noise == pytest.approx(2 * 0.25 * D / V**2 / means, rel=0.15)


def test_a_code_for_each_object_takes_as_many_as_there_are_dimensions_or_objects():
    rng = np.random.default_rng(0)
    codes = sum(rng.normal(size=(V * V, D))[SCENES.objects[:, i]] for i in (0, 1))
    needed = products_needed(codes, SCENES).products
    unfolded = np.concatenate([rng.normal(size=(V * V, D)) for _ in (0, 1)])
    sizes = np.linalg.svd(unfolded, compute_uv=False) ** 2
    asked = np.searchsorted(np.cumsum(sizes), 0.95 * sizes.sum()) + 1
    assert abs(needed - asked) <= 3


def test_nothing_is_said_where_nothing_is_known():
    rng = np.random.default_rng(0)
    values = added(rng)
    assert products_needed(values, SCENES) is None, "objects add nothing"
    assert products_needed(values + rng.normal(size=values.shape), SCENES) is None, "noise alone"
    some = np.arange(0, len(SCENES), 40)
    coded = rng.normal(size=(V * V, D))[SCENES.objects[:, 0]]
    assert products_needed(coded[some], SCENES.select(some)) is None, "too few scenes"
    without = np.flatnonzero(SCENES.objects[:, 0] != 5)
    assert products_needed(coded[without], SCENES.select(without)) is None, "an object is missing"
