"""What a fit repairs, what it cannot repair, and that it never leaves things worse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.repairs.labclip import Pairs, fit_pairs
from repairs.labclip.planted_pairs import binding_accuracy, planted, planted_pairs, unit

EYE = np.eye(48, dtype=np.float32)


def fit(kind, **options):
    return fit_pairs(
        planted_pairs(kind), planted_pairs(kind, 300, seed=1), **{"batch": 256, **options}
    )


@pytest.fixture(scope="module")
def held_out():
    return {kind: planted(kind, 500, seed=2) for kind in ("rotated", "lost", "aligned")}


def test_a_binding_that_a_rotation_hides_is_repaired(held_out):
    found = fit("rotated")
    assert binding_accuracy(EYE, *held_out["rotated"]) < 0.65
    assert binding_accuracy(found.adapter.weight, *held_out["rotated"]) >= 0.998
    assert found.helps
    assert found.chosen.binding > 0.99
    assert found.adapter.config["protocol"] == "HNB"
    # What is learned is that rotation back: captions land on their pictures.
    images, texts, _ = held_out["rotated"]
    assert (found.adapter(texts) * unit(images)).sum(1).mean() > (unit(texts) * unit(images)).sum(
        1
    ).mean() + 0.2


def test_a_binding_that_captions_have_lost_cannot_be_repaired(held_out):
    found = fit("lost")
    assert binding_accuracy(found.adapter.weight, *held_out["lost"]) == pytest.approx(0.5, abs=0.07)


def test_without_negatives_what_retrieval_needs_is_still_learned(held_out):
    """SB: the other captions of a batch teach it, where binding is in the rows."""
    train, validation = (
        planted_pairs("rotated", n, seed=n).without_negatives() for n in (2000, 300)
    )
    found = fit_pairs(train, validation, batch=256)
    assert found.adapter.config["protocol"] == "SB"
    assert found.chosen.binding is None
    assert found.chosen.loss < found.candidates[0].loss
    images, texts, _ = held_out["rotated"]

    def found_first(mapped):
        scores = unit(images) @ unit(mapped).T
        return (scores.argmax(1) == np.arange(len(images))).mean()

    assert found_first(found.adapter(texts)) > found_first(texts) + 0.1


@pytest.mark.parametrize(
    ("solver", "taught"), [("quick", "shuffled"), ("quick", "swapped"), ("published", "swapped")]
)
def test_where_no_repair_is_best_none_is_made(solver, taught, held_out):
    """Captions lie on their pictures, and the pairs to learn from are wrong: there is nothing to
    gain and much to spoil.
    """
    images, texts, negatives = planted("aligned", 2000)
    order = np.random.default_rng(0).permutation(len(texts))
    wrong = (
        (images, negatives, texts)
        if taught == "swapped"
        else (images, texts[order], negatives[order])
    )
    found = fit_pairs(
        Pairs.of(*wrong), planted_pairs("aligned", 300, seed=1), solver=solver, batch=256
    )
    assert not found.helps
    assert found.chosen is found.candidates[0]
    np.testing.assert_array_equal(found.adapter.weight, EYE)
    assert len(found.candidates) == 11
    assert min(place.loss for place in found.candidates[1:]) > found.chosen.loss
    assert binding_accuracy(found.adapter.weight, *held_out["aligned"]) > 0.99


def test_negatives_that_mislead_do_not_cost_binding(held_out):
    """Captions that need a turn elsewhere and are taught with their swaps: the loss falls, and no
    place that binds worse is chosen.
    """
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(np.eye(48) + 0.25 * rng.normal(size=(48, 48)))[0].astype(np.float32)

    def turned(n, seed):
        images, texts, negatives = planted("aligned", n, seed)
        return images, texts @ turn, negatives @ turn

    images, texts, negatives = turned(2000, 0)
    validation = turned(300, 1)
    found = fit_pairs(Pairs.of(images, negatives, texts), Pairs.of(*validation), batch=256)
    tempting = [place for place in found.candidates if place.loss < found.candidates[0].loss]
    # the loss alone would choose one of these
    assert any(place.binding < found.candidates[0].binding for place in tempting)
    assert min(tempting, key=lambda place: place.loss).binding < found.candidates[0].binding
    assert found.chosen.binding >= found.candidates[0].binding
    assert binding_accuracy(found.adapter.weight, *validation) >= binding_accuracy(EYE, *validation)


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["rotated", "lost", "aligned"]),
    solver=st.sampled_from(["quick", "published"]),
    n=st.integers(2, 60),
    batch=st.integers(2, 64),
    rate=st.sampled_from([1e-4, 1e-2, 1.0, 100.0]),
    seed=st.integers(0, 99),
)
def test_a_fit_is_never_worse_on_validation_than_no_repair(kind, solver, n, batch, rate, seed):
    validation = planted(kind, 40, seed + 1)
    train = planted_pairs(kind, n, seed)
    found = fit_pairs(
        train, Pairs.of(*validation), solver=solver, rate=rate, batch=batch, epochs=1, seed=seed
    )
    assert found.candidates[0].step == 0
    np.testing.assert_array_equal(found.candidates[0].weight, EYE)
    assert found.chosen.loss <= found.candidates[0].loss
    assert binding_accuracy(found.adapter.weight, *validation) >= binding_accuracy(EYE, *validation)
    assert found.helps == bool((found.adapter.weight != EYE).any())


def test_a_training_that_runs_away_leaves_the_identity():
    found = fit("rotated", rate=1e30, solver="published", epochs=1)
    assert not found.helps
    np.testing.assert_array_equal(found.adapter.weight, EYE)


def test_the_same_seed_gives_the_same_fit_and_another_another():
    weights = [fit("rotated", seed=seed).adapter.weight for seed in (0, 0, 1)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_a_wider_picture_space_is_fitted():
    """Two encoders of other widths: A is (d_out, d_in)."""

    def wider(n, seed):
        images, texts, negatives = planted("rotated", n, seed)
        return Pairs.of(np.hstack([images, np.ones((n, 4), np.float32)]), texts, negatives)

    found = fit_pairs(wider(2000, 0), wider(300, 1), batch=256)
    assert found.adapter.weight.shape == (52, 48)
    assert found.chosen.binding > 0.99


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 0.0}, "rate must be at least"),
        ({"rate": float("nan")}, "rate must be"),
        ({"batch": 1}, "batch must be at least 2; got 1"),
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_named(options, says):
    with pytest.raises(ValueRangeError, match=says):
        fit("rotated", **options)


def test_an_unknown_solver_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown solver 'quik'; did you mean 'quick'"):
        fit("rotated", solver="quik")


def test_one_pair_is_too_few():
    pairs = planted_pairs("rotated", 10)
    with pytest.raises(
        ValueRangeError, match="at least two pairs to fit on and two to choose on; got 9 and 1"
    ):
        fit_pairs(pairs.select(np.arange(9)), pairs.select(np.array([9])))
