"""Linearity, right angles and accuracy over models: planted models, the interval of a rank
correlation, and every branch of what is said.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.controlled import make_recipe, train
from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.core.records import Records
from conceptbind.factors import (
    Measured,
    carried_sentences,
    factor_study,
    measured_controlled,
    measured_of,
    rank_agreement,
)
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import split_scenes, text20

SCENES = text20(5, 4)
SPLIT = split_scenes(SCENES)


def planted(noise):
    """Sums of vectors at right angles, and noise that belongs to single scenes."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(32, 32)))[0]
    table, at = SCENES.table, 0
    values = np.zeros((len(SCENES), 32))
    for slot in range(2):
        for k, size in enumerate(SCENES.space.sizes):
            values += axes[at + table[:, slot, k]]
            at += size if slot == 0 or k == 0 else 0
    values += noise * random.normal(size=values.shape)
    rows = Embeddings(
        values.astype(np.float32), "text", SCENES.content_hash, SCENES.name, f"noise {noise}", "1"
    )
    return measured_of(factor_study(rows, SCENES, SPLIT).records, f"noise {noise}")


def test_noise_takes_linearity_and_accuracy_from_planted_sums_together():
    found = [planted(noise) for noise in (0.0, 0.2, 0.4, 0.6, 1.0)]
    linearity = [one.linearity for one in found]
    accuracy = [one.accuracy for one in found]
    assert linearity == sorted(linearity, reverse=True)
    assert accuracy == sorted(accuracy, reverse=True)
    assert linearity[0] > 0.99 and linearity[-1] < 0.5
    assert rank_agreement(np.array(linearity), np.array(accuracy)).value > 0.8


def test_of_other_records_it_says_what_is_missing():
    with pytest.raises(ValueRangeError, match="'x' has no records of the study factors"):
        measured_of(Records(), "x")


def test_the_rank_correlation_is_that_of_ranks_and_its_interval_by_hand():
    one, other = np.array([1.0, 2, 3, 4, 5, 6]), np.array([2.0, 1, 4, 3, 6, 5])
    found = rank_agreement(one, other)
    expected = 1 - 6 * 6 / (6 * 35)  # no ties: 1 - 6 sum d^2 / (n (n^2 - 1))
    assert found.value == pytest.approx(expected)
    half = 1.96 * np.sqrt((1 + expected**2 / 2) / 3)
    assert found.low == pytest.approx(np.tanh(np.arctanh(expected) - half))
    assert found.high == pytest.approx(np.tanh(np.arctanh(expected) + half))
    assert rank_agreement(np.exp(one), other) == found  # ranks alone
    assert rank_agreement(one, one).low is None
    assert rank_agreement(one, np.ones(6)).value is None


@pytest.mark.parametrize("other", [np.ones(5), np.ones((4, 1))])
def test_numbers_of_other_models_are_refused(other):
    with pytest.raises(ShapeError, match="two numbers of each of at least four models"):
        rank_agreement(np.ones(4), other)


@pytest.mark.parametrize("true", [0.0, 0.6, 0.9])
def test_the_interval_holds_the_truth_as_often_as_it_says(true):
    """Bivariate normal pairs, whose rank correlation is 6 / pi asin(r / 2)."""
    random, truth = np.random.default_rng(3), 6 / np.pi * np.arcsin(true / 2)
    held = []
    for _ in range(400):
        one = random.normal(size=24)
        other = true * one + np.sqrt(1 - true**2) * random.normal(size=24)
        found = rank_agreement(one, other)
        held.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(held) <= 0.985


def models(accuracies, linearity=None, overlap=None):
    n = len(accuracies)
    linearity = np.linspace(0, 1, n) if linearity is None else linearity
    overlap = np.linspace(1, 0, n) if overlap is None else overlap
    pairs = zip(linearity, overlap, accuracies, strict=True)
    return [Measured("m", float(one), float(two), float(three)) for one, two, three in pairs]


RISING = np.array([0.1, 0.3, 0.2, 0.4, 0.6, 0.5, 0.7, 0.9, 0.8, 1.0])


@pytest.mark.parametrize(
    ("found", "first", "second"),
    [
        (models(RISING), "rises with linearity", "falls with the overlap"),
        (models(RISING[:9]), "9 models, and at least 10", "9 models, and at least 10"),
        (models(0.5 + RISING / 9.1), "varies by 9.9 % only", "varies by 9.9 % only"),
        (models(RISING, linearity=np.ones(10)), "is the same for all", "falls with"),
        (models(np.linspace(0, 1, 10)), "in every pair of 10 models", "falls with"),
        (
            models(RISING, linearity=[3, 9, 1, 7, 5, 2, 8, 4, 6, 0]),
            "cannot be judged (rank correlation",
            "falls with",
        ),
    ],
)
def test_the_sentences_claim_what_the_interval_allows(found, first, second):
    one, other = carried_sentences(found)
    assert first in one
    assert second in other


def test_a_controlled_model_is_measured_on_train_objects_alone(monkeypatch):
    recipe = make_recipe(
        "small",
        0.5,
        sizes=(4, 4),
        steps=2,
        width=16,
        heads=2,
        feed_forward=16,
        dimension=16,
        batch=8,
        depth=1,
    )
    monkeypatch.setattr("conceptbind.factors.carried.SCENES", 200)
    trained = train(recipe)
    found = measured_controlled(trained, 0.25, "m")
    assert (found.name, found.accuracy) == ("m", 0.25)
    assert found.linearity < 1 and 0 <= found.overlap <= 1
    assert measured_controlled(trained, 0.25, "m") == found
