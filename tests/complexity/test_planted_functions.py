"""Each structured probe generalises to new objects exactly on the functions that it can express,
and on no others.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.complexity import Labelled, StructuredProbe, cover, make
from conceptbind.scenes import ConceptSpace, full_grid

V, D, RANK = 10, 16, 3
SCENES = full_grid(
    ConceptSpace(("color", "shape"), tuple(tuple(f"{k}{i}" for i in range(V)) for k in "cs"))
)
KINDS = ("additive", "per_object_product", "global_product", "codes")
EXPRESSES = {
    "additive": ("additive",),
    "per_object_product": ("additive", "per_object_product"),
    "global_product": ("additive", "per_object_product", "global_product"),
}


def planted(kind: str, seed: int = 1) -> np.ndarray:
    """(n, d) of a binding function of this kind."""
    rng = np.random.default_rng(seed)
    table = SCENES.table.reshape(len(SCENES), -1)
    if kind == "codes":
        return rng.normal(size=(SCENES.space.n_objects, D))[SCENES.objects].sum(axis=1)
    values = sum(rng.normal(size=(V, D))[table[:, f]] for f in range(4))
    vectors = [rng.normal(size=(V, RANK))[table[:, f]] for f in range(4)]
    weight = 1.5 * rng.normal(size=(RANK, D))
    if kind == "per_object_product":
        values = values + (vectors[0] * vectors[1] + vectors[2] * vectors[3]) @ weight
    if kind == "global_product":
        values = values + np.prod(vectors, axis=0) @ weight
    return values


def generalisation(model, values: np.ndarray, coverage: float = 0.6) -> float:
    """R^2 in scenes of objects that were neither fitted nor chosen with."""
    parts = cover(SCENES, coverage)
    model.fit(
        *(Labelled(SCENES.table[rows], values[rows]) for rows in (parts.train, parts.validation))
    )
    rest = values[parts.unseen] - model.predict(SCENES.table[parts.unseen])
    return (
        1
        - np.square(rest).sum()
        / np.square(values[parts.unseen] - values[parts.train].mean(axis=0)).sum()
    )


def marks(name: str, kind: str) -> list[pytest.MarkDecorator]:
    """Fits of products of two vectors take the longest; one of them is among the quick tests."""
    if kind == "codes":
        return [pytest.mark.long]
    return [pytest.mark.slow] * (name == "per_object_product" == kind)


FEW = [pytest.param(n, k, marks=marks(n, k)) for n in EXPRESSES for k in KINDS]


@pytest.mark.parametrize(("name", "kind"), FEW)
def test_a_probe_generalises_where_it_can_express_the_function(name, kind):
    r2 = generalisation(make(name, (V, V), 2, width=12), planted(kind))
    if kind in EXPRESSES[name]:
        assert r2 > 0.9999
    else:
        assert r2 < 0.8


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("per_object_product", "per_object_product"),
        ("global_product", "per_object_product"),
        ("global_product", "global_product"),
    ],
)
def test_wide_products_are_fitted_by_gradients(name, kind, monkeypatch):
    """A global product reads what per-object products read, since it can start from them."""
    from conceptbind.complexity import products

    additive = generalisation(make("additive", (V, V), 2), planted(kind))
    # so that no second-order step is wide enough
    monkeypatch.setattr(products, "MOST_UNKNOWNS", 40)
    model = make(name, (V, V), 2, width=32)
    assert model.most() == 1
    assert generalisation(model, planted(kind)) > max(
        0.7 if kind == "per_object_product" else 0.0, additive
    )
    assert model.rank_ == 32
    again = make(name, (V, V), 2, width=32)
    generalisation(again, planted(kind))
    assert again.validation_ == model.validation_


@pytest.mark.parametrize(
    ("products", "kind"), [("per_object", "per_object_product"), ("global", "global_product")]
)
def test_a_product_alone_needs_no_additive_part_where_there_is_none(products, kind):
    rng, table = np.random.default_rng(0), SCENES.table.reshape(len(SCENES), -1)
    vectors = [rng.normal(size=(V, RANK))[table[:, f]] for f in range(4)]
    joined = (
        np.prod(vectors, axis=0)
        if products == "global"
        else vectors[0] * vectors[1] + vectors[2] * vectors[3]
    )
    values = joined @ rng.normal(size=(RANK, D))
    assert generalisation(make(f"{kind}_alone", (V, V), 2, width=12), values) > 0.9999


def test_a_shared_additive_part_cannot_know_which_object_stands_left():
    rng, table = np.random.default_rng(0), SCENES.table
    same, left = rng.normal(size=(V, D)), rng.normal(size=(V, D))
    symmetric = same[table[:, 0, 0]] + same[table[:, 1, 0]]
    shared = {"products": "none", "per_slot": False}
    assert generalisation(StructuredProbe((V, V), 2, **shared), symmetric) > 0.9999
    assert (
        generalisation(StructuredProbe((V, V), 2, **shared), symmetric + left[table[:, 0, 0]]) < 0.9
    )
    assert (
        generalisation(
            StructuredProbe((V, V), 2, products="none"), symmetric + left[table[:, 0, 0]]
        )
        > 0.9999
    )


def test_an_additive_fit_is_ridge_regression():
    from sklearn.linear_model import Ridge

    values, parts = planted("global_product"), cover(SCENES, 0.5)
    fitted, held = (
        Labelled(SCENES.table[rows], values[rows]) for rows in (parts.train, parts.validation)
    )
    probe = StructuredProbe((V, V), 2, products="none").fit(fitted, held)
    flat = SCENES.table.reshape(len(SCENES), -1)
    design = np.concatenate(
        [np.eye(V)[flat[:, f]] for f in range(4)] + [np.ones((len(flat), 1))], axis=1
    )
    mean = values[parts.train].mean(axis=0)
    oracle = Ridge(alpha=probe.l2_ * len(parts.train), fit_intercept=False).fit(
        design[parts.train], values[parts.train] - mean
    )
    np.testing.assert_allclose(
        probe.predict(SCENES.table), oracle.predict(design) + mean, atol=1e-8
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", ["additive", "per_object_product", "global_product"])
@pytest.mark.parametrize("name", ["mlp", "forest", "boosting"])
def test_networks_and_trees_learn_what_is_additive(name, kind):
    """They are not exact solvers; what they predict of new objects is far better than the mean
    where values add up.
    """
    r2 = generalisation(
        make(name, (V, V), 2, width=256 if name == "mlp" else 30), planted(kind), coverage=0.8
    )
    low = {
        "mlp": {"additive": 0.95, "per_object_product": 0.4, "global_product": 0.4},
        "forest": {"additive": 0.15},
        "boosting": {"additive": 0.6},
    }
    assert r2 > low[name].get(kind, -1.0)


@pytest.mark.long
def test_nothing_predicts_random_codes():
    for name in ("additive", "global_product", "mlp", "boosting"):
        assert generalisation(make(name, (V, V), 2, width=8), planted("codes")) < 0.1


def test_three_objects_and_three_concepts():
    scenes = full_grid(
        ConceptSpace(("a_", "b_", "c_"), tuple(tuple(f"{k}{i}" for i in range(3)) for k in "xyz")),
        2,
    )
    rng, table = np.random.default_rng(0), scenes.table.reshape(len(scenes), -1)
    values = sum(rng.normal(size=(3, 8))[table[:, f]] for f in range(6))
    parts = cover(scenes, 0.6)
    probe = make("global_product", (3, 3, 3), 2, width=4)
    probe.fit(
        *(Labelled(scenes.table[rows], values[rows]) for rows in (parts.train, parts.validation))
    )
    np.testing.assert_allclose(
        probe.predict(scenes.table[parts.unseen]), values[parts.unseen], atol=1e-2
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["per_object_product", "global_product"])
def test_a_network_that_products_feed_carries_them_over(kind):
    """A plain network of the same width is clearly worse at it."""
    values = planted(kind)
    fed, plain = (
        generalisation(make(name, (V, V), 2, width=48), values, coverage=0.8)
        for name in (f"mlp_{kind}", "mlp")
    )
    assert fed > 0.97
    assert plain < 0.93


@pytest.mark.slow
def test_a_second_layer_carries_products_of_all_values_over_where_one_does_not():
    one, two = (
        generalisation(make(name, (V, V), 2, width=48), planted("global_product"), coverage=0.8)
        for name in ("mlp", "mlp_2_layers")
    )
    assert two > 0.72 > one


def test_a_matrix_before_the_first_vector_of_a_product_adds_nothing():
    """The published option of such a matrix W: vectors times W are vectors again, so that a product
    without W fits what was made with one.
    """
    rng, table = np.random.default_rng(0), SCENES.table.reshape(len(SCENES), -1)
    vectors = [rng.normal(size=(V, RANK))[table[:, f]] for f in range(4)]
    vectors[0] = vectors[0] @ rng.normal(size=(RANK, RANK))
    values = np.prod(vectors, axis=0) @ rng.normal(size=(RANK, D))
    assert generalisation(make("global_product_alone", (V, V), 2, width=12), values) > 0.9999
