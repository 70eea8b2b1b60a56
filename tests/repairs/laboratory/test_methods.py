"""Planted truths: where each method must win, must not help, and must be refused."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.core.names import Repair
from conceptbind.repairs.labclip import Adapter, Pairs
from conceptbind.repairs.laboratory import (
    Cca,
    Diagonal,
    Erasure,
    Fitted,
    LabClipMethod,
    LowRank,
    Method,
    NoRepair,
    Procrustes,
    Ridge,
    TwoLayers,
    moments_of,
)
from conceptbind.repairs.laboratory.contract import Linear, TwoLayer
from conceptbind.repairs.laboratory.ridge import on_side, ridge_map
from repairs.laboratory import planted_truths as truths

ALL: tuple[Method, ...] = (
    LabClipMethod(Repair.HNB),
    LabClipMethod(Repair.SB),
    LabClipMethod(Repair.HNB, "image"),
    LabClipMethod(Repair.HNB, "both"),
    Ridge(),
    Ridge("image"),
    Procrustes(),
    Cca(),
    Cca("text"),
    LowRank(),
    Diagonal(),
    Erasure(),
    TwoLayers(),
)


def named(method: Method) -> str:
    return f"{method.name}-{method.side}"


def before(world) -> float:
    return truths.binding(Fitted(Repair.NONE, "text"), Pairs.of(*world(n=2000, seed=2)))


def after(method: Method, world, **how) -> float:
    return truths.fitted_on(method, world(**how), world(n=2000, seed=2))[1]


WINS = [
    *((method, truths.turned) for method in ALL if method.name not in ("diagonal", "erasure")),
    (Diagonal(), truths.stretched),
    (LowRank(), truths.one_direction),
    (Erasure(), truths.confounded),
    (TwoLayers(), truths.exclusive),
]


@pytest.mark.parametrize(("method", "world"), WINS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_method_wins_where_it_must(method, world):
    assert before(world) < 0.75
    assert after(method, world) > 0.95


@pytest.mark.parametrize("method", ALL, ids=named)
def test_no_map_brings_back_what_captions_do_not_hold(method):
    assert after(method, truths.bag) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("method", "world", "most"),
    [
        (Diagonal(), truths.turned, 0.8),  # weights cannot turn
        (Erasure(), truths.turned, 0.5),  # what is turned does not come back by taking away
        (Ridge(), truths.exclusive, 0.6),  # no inner product is an exclusive or
        (LabClipMethod(), truths.one_direction, 0.7),  # too few pairs for so many numbers
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_method_does_not_help_where_it_cannot(method, world, most):
    assert after(method, world) < most


@pytest.mark.parametrize("method", ALL, ids=named)
def test_where_nothing_is_to_repair_binding_stays(method):
    def aligned(n: int = 400, seed: int = 0):
        images, texts, _ = truths.turned(n, seed=seed)
        return texts, texts + 0.01 * images, truths.turned(n, seed=seed)[2]

    assert before(aligned) > 0.99
    assert after(method, aligned) > 0.99


@pytest.mark.parametrize("method", ALL, ids=named)
def test_the_same_seed_gives_the_same_map_and_rows_of_unit_length(method):
    fits = [truths.fitted_on(method, truths.turned(200), truths.turned(50))[0] for _ in range(2)]
    rows = np.random.default_rng(0).normal(size=(30, 16)).astype(np.float32)
    for part in ("captions", "pictures"):
        one, other = (getattr(fit, part) for fit in fits)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one(rows), other(rows))
            np.testing.assert_allclose(np.linalg.norm(one(rows), axis=1), 1, atol=1e-5)
            np.testing.assert_allclose(one(3 * rows), one(rows), atol=1e-5)
            unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            np.testing.assert_allclose(one.pulled(0.0)(rows), unit, atol=1e-5)
            np.testing.assert_allclose(one.pulled(1.0)(rows), one(rows), atol=1e-5)
    moved = {"text": (True, False), "image": (False, True), "both": (True, True)}[method.side]
    if method.name != Repair.ERASURE:  # which leaves this case alone
        assert (fits[0].captions is not None, fits[0].pictures is not None) == moved
        assert fits[0].parameters > 0


def test_what_a_map_of_captions_and_its_transpose_on_pictures_give_is_one_product():
    moments = moments_of(Pairs.of(*truths.turned(100)))
    weight = ridge_map(moments, 1.0, 1.0)
    captions = on_side(Repair.RIDGE, "text", weight, moments, "").captions
    pictures = on_side(Repair.RIDGE, "image", weight, moments, "").pictures
    assert isinstance(captions, Adapter)
    assert isinstance(pictures, Linear)
    ratio = captions.weight / pictures.weight.T
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-3)


def test_erasure_needs_negatives():
    images, texts, _ = truths.turned(40)
    with pytest.raises(ValueRangeError, match="erasure needs negatives, which tell what binds"):
        Erasure().fit(Pairs.of(images, texts), Pairs.of(images, texts), 0)


@pytest.mark.parametrize("method", [Diagonal(), Erasure()], ids=named)
def test_some_methods_need_one_width(method):
    images, texts, negatives = truths.turned(40)
    pairs = Pairs.of(images[:, :9], texts, negatives)
    with pytest.raises(ValueRangeError, match="one width; they have 9 and 16; take another"):
        method.fit(pairs, pairs, 0)


@pytest.mark.parametrize("method", [Ridge(), Procrustes(), LowRank(), Cca("text")], ids=named)
def test_other_closed_forms_take_two_widths(method):
    images, texts, negatives = truths.turned(400)
    pairs = Pairs.of(images[:, 4:], texts, negatives)
    fitted = method.fit(pairs, pairs, 0)
    assert fitted.captions(texts).shape == (400, 12)
    assert truths.binding(fitted, pairs) > 0.9


def test_maps_refuse_rows_that_they_cannot_take():
    eye = np.eye(3, dtype=np.float32)
    for made in (Linear(eye), TwoLayer(eye, eye[0], eye)):
        with pytest.raises(ShapeError, match="this map takes rows of 3 dimensions; got shape"):
            made(np.ones((2, 4), np.float32))
        with pytest.raises(ValueRangeError, match="row index 1 is mapped to zero"):
            made(eye[:2] * [[1], [0]])


def test_no_repair_is_a_method_too():
    pairs = Pairs.of(*truths.turned(20))
    fitted = NoRepair().fit(pairs, pairs, 0)
    assert (fitted.captions, fitted.pictures, fitted.helps) == (None, None, False)
    assert isinstance(NoRepair(), Method)
    assert fitted.adapter is None
