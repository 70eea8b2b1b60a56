"""R^2 over all dimensions together: scikit-learn's variance-weighted score, 1 for the truth, 0 for
the mean, rotation-proof.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group
from sklearn.metrics import r2_score

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import r2


def noisy(seed, n=12, d=4):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, d)) * rng.uniform(0.1, 5, size=d) + rng.normal(size=d)
    return embeddings, embeddings + 0.4 * rng.normal(size=(n, d))


def test_by_hand():
    # mean (1, 2), squares about it 1 + 4 + 1 + 4 = 10
    embeddings = np.array([[0.0, 0.0], [2.0, 4.0]])
    predicted = np.array([[0.0, 1.0], [2.0, 4.0]])  # one squared error of 1
    assert r2(embeddings, predicted) == pytest.approx(0.9)
    assert r2(embeddings, predicted, mean=np.zeros(2)) == pytest.approx(1 - 1 / 20)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_it_is_scikit_learns_variance_weighted_score(seed, n, d):
    embeddings, predicted = noisy(seed, n, d)
    assert r2(embeddings, predicted) == pytest.approx(
        r2_score(embeddings, predicted, multioutput="variance_weighted")
    )


def test_the_truth_is_one_the_mean_zero_and_worse_than_the_mean_negative():
    embeddings, _ = noisy(0)
    mean = np.broadcast_to(embeddings.mean(axis=0), embeddings.shape)
    assert r2(embeddings, embeddings) == 1
    assert r2(embeddings, mean) == pytest.approx(0, abs=1e-12)
    assert r2(embeddings, 2 * mean - embeddings) == pytest.approx(-3)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_rotation_shift_scale_and_order_do_not_matter(seed):
    embeddings, predicted = noisy(seed)
    turn = ortho_group.rvs(4, random_state=seed)
    order = np.random.default_rng(seed).permutation(len(embeddings))
    expected = pytest.approx(r2(embeddings, predicted))
    assert r2(embeddings @ turn, predicted @ turn) == expected
    assert r2(embeddings + 3, predicted + 3) == expected
    assert r2(7 * embeddings, 7 * predicted) == expected
    assert r2(embeddings[order], predicted[order]) == expected


def test_one_dimension_stretched_alone_does_matter():
    embeddings, predicted = noisy(1)
    stretch = np.array([50.0, 1, 1, 1])
    assert r2(embeddings * stretch, predicted * stretch) != pytest.approx(
        r2(embeddings, predicted), abs=1e-3
    )


def test_the_mean_of_the_rows_is_the_hardest_centre_to_beat():
    embeddings, predicted = noisy(2)
    own = r2(embeddings, predicted)
    assert r2(embeddings, predicted, mean=embeddings.mean(axis=0)) == own
    assert r2(embeddings, predicted, mean=embeddings.mean(axis=0) + 1) > own


def test_half_precision_is_summed_in_double():
    embeddings = np.full((100, 2), 1000, dtype=np.float16)
    embeddings[::2] = -1000  # the square alone, a million, overflows float16
    assert r2(embeddings, np.zeros_like(embeddings)) == 0


@pytest.mark.parametrize(
    ("embeddings", "predicted"),
    [((3, 2), (2, 2)), ((3, 2), (3, 1)), ((3,), (3,)), ((3, 2, 1), (3, 2, 1))],
)
def test_other_shapes_are_refused(embeddings, predicted):
    with pytest.raises(ShapeError) as caught:
        r2(np.zeros(embeddings), np.zeros(predicted))
    assert str(caught.value) == (
        f"embeddings and predictions must have one shape (n, d); got {embeddings} and {predicted}"
    )


def test_a_mean_of_another_width_or_that_is_no_number_is_refused():
    rows = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ShapeError, match=r"^the mean must have shape \(2,\); got \(3,\)$"):
        r2(rows, rows, mean=np.zeros(3))
    with pytest.raises(ValueRangeError, match="^the mean must be finite; 1 of 1 rows hold NaN"):
        r2(rows, rows, mean=np.array([0.0, np.nan]))


def test_no_variance_is_not_a_number_between_zero_and_one():
    with pytest.raises(
        ValueRangeError,
        match=r"all embeddings are the same, so there is no variance to explain and R\^2 is "
        r"undefined",
    ):
        r2(np.ones((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueRangeError, match="all embeddings are the same"):
        r2(np.ones((1, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueRangeError, match="all embeddings are the same"):
        r2(np.ones((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_by_side(bad):
    good = np.arange(6.0).reshape(3, 2)
    broken = good.copy()
    broken[2, 0] = bad
    with pytest.raises(
        ValueRangeError, match="^embeddings must be finite; 1 of 3 rows .* the first at index 2$"
    ):
        r2(broken, good)
    with pytest.raises(
        ValueRangeError, match="^predictions must be finite; 1 of 3 rows .* the first at index 2$"
    ):
        r2(good, broken)
