"""What a repair costs: the two curves and the recommendation, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.repairs.labclip import Adapter
from conceptbind.repairs.labclip.cost import (
    PULLS,
    WORTH,
    Point,
    Scores,
    clears_noise,
    is_sure,
    mean_curve,
    recommend,
    trade_off,
)

WEIGHT = np.eye(16, dtype=np.float32) + np.random.default_rng(0).normal(size=(16, 16)).astype(
    np.float32
)
ADAPTER = Adapter(WEIGHT, 1.0, {"encoder": "tiny"})


def curve(adapter=ADAPTER, **options):
    """The points, and the maps that were scored."""
    seen = []

    def score(adapter):
        seen.append(adapter)
        return Scores(binding=float(len(seen)), retrieval=None)

    points = trade_off(adapter, score, **options)
    # each with its own scores
    assert [point.scores.binding for point in points] == list(range(1, len(seen) + 1))
    return points, [part.weight for part in seen], seen


def test_the_pull_starts_at_the_identity_and_ends_at_the_fit():
    points, weights, _ = curve(ranks=())
    assert (
        [point.at for point in points]
        == list(PULLS)
        == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    )
    assert {point.over for point in points} == {"pull"}
    np.testing.assert_array_equal(weights[0], np.eye(16))
    np.testing.assert_array_equal(weights[-1], WEIGHT)
    distances = [np.linalg.norm(weight - np.eye(16)) for weight in weights]
    np.testing.assert_allclose(
        distances, np.linalg.norm(WEIGHT - np.eye(16)) * np.array(PULLS), atol=1e-5
    )


def test_ranks_are_the_best_approximations_and_end_at_the_full_map():
    points, weights, maps = curve(pulls=(), ranks=[0, 1, 5, 16])
    assert [(point.over, point.at) for point in points] == [
        ("rank", 0),
        ("rank", 1),
        ("rank", 5),
        ("rank", 16),
    ]
    singular = np.linalg.svd(WEIGHT - np.eye(16), compute_uv=False)
    for rank, weight in zip((0, 1, 5, 16), weights, strict=True):
        assert weight.dtype == np.float32
        assert np.linalg.matrix_rank(weight - np.eye(16), tol=1e-4) == rank
        missing = np.linalg.norm(weight - WEIGHT)
        # Eckart and Young
        assert missing == pytest.approx(np.sqrt((singular[rank:] ** 2).sum()), abs=1e-5)
    np.testing.assert_allclose(weights[-1], WEIGHT, atol=1e-5)
    assert maps[1].config == {"encoder": "tiny", "rank": 1}


def test_ranks_are_powers_of_two_by_default():
    points, _, _ = curve(pulls=())
    assert [point.at for point in points] == [1, 2, 4, 8]


def test_a_map_between_two_widths_has_both_curves():
    wide = Adapter(np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32), 0.0)
    _, weights, _ = curve(wide, pulls=(0, 1), ranks=(4,))
    np.testing.assert_array_equal(weights[0], np.eye(6, 4))
    np.testing.assert_array_equal(weights[1], wide.weight)
    np.testing.assert_allclose(weights[2], wide.weight, atol=1e-6)


def points_of(*rows):
    return [Point("pull", at, Scores(*scores)) for at, *scores in rows]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(0, 0.5, 0.40, 0.9), (0.5, 0.8, 0.40, 0.9), (1, 0.9, 0.40, 0.9)], 1),  # nothing is lost
        # retrieval is lost at the end
        (
            [(0, 0.5, 0.40, 0.9), (0.5, 0.8, 0.395, 0.9), (1, 0.9, 0.30, 0.9)],
            0.5,
        ),
        # single objects are lost at the end
        (
            [(0, 0.5, 0.40, 0.9), (0.5, 0.8, 0.40, 0.895), (1, 0.9, 0.40, 0.8)],
            0.5,
        ),
        # everything loses: no repair
        (
            [(0, 0.5, 0.40, 0.9), (0.5, 0.8, 0.30, 0.9), (1, 0.9, 0.20, 0.9)],
            0,
        ),
        ([(0, 0.9, 0.40, 0.9), (0.5, 0.8, 0.50, 0.9), (1, 0.7, 0.60, 0.9)], 0),  # no binding is won
        # of equals the gentlest
        (
            [(1, 0.8, 0.4, 0.9), (0.5, 0.8, 0.4, 0.9), (0.7, 0.8, 0.4, 0.9), (0, 0.5, 0.4, 0.9)],
            0.5,
        ),
        ([(0, 0.5, 0.4, 0.9), (1, 0.5, 0.4, 0.9)], 0),
        # what cannot be measured does not forbid
        (
            [(0, 0.5, None, None), (1, 0.9, None, None)],
            1,
        ),
        # without binding, retrieval decides
        (
            [(0, None, 0.4, 0.9), (0.5, None, 0.6, 0.9), (1, None, 0.5, 0.9)],
            0.5,
        ),
    ],
)
def test_the_recommended_pull_by_hand(rows, expected):
    assert recommend(points_of(*rows)) == expected


def test_the_tolerance_is_what_may_be_lost():
    rows = points_of((0, 0.5, 0.40, 0.9), (1, 0.9, 0.35, 0.9))
    assert recommend(rows) == 0
    assert recommend(rows, tolerance=0.06) == 1


def test_ranks_are_never_recommended():
    points = [
        *points_of((0, 0.5, 0.4, 0.9), (1, 0.6, 0.4, 0.9)),
        Point("rank", 4, Scores(1.0, 1.0, 1.0)),
    ]
    assert recommend(points) == 1


def test_what_lies_within_the_tolerance_is_equal_and_rounding_decides_nothing():
    rows = [(0, 0.5, 0.4, 0.9), (0.3, 0.795, 0.4, 0.9), (0.6, 0.80, 0.4, 0.9), (1, 0.789, 0.4, 0.9)]
    assert recommend(points_of(*rows)) == 0.3
    edge = [(0, 0.5, 0.4, 0.9), (0.3, 0.8 - 0.01, 0.4 - 0.01, 0.9 - 0.01), (1, 0.8, 0.4, 0.9)]
    assert recommend(points_of(*edge)) == 0.3
    beyond = [(0, 0.5, 0.4, 0.9), (0.3, 0.789, 0.4, 0.9), (1, 0.8, 0.4, 0.9)]
    assert recommend(points_of(*beyond)) == 1
    for nudge in (-1e-12, 1e-12):
        assert (
            recommend(
                points_of(
                    (0, 0.5, 0.4, 0.9), (0.3, 0.79 + nudge, 0.39 + nudge, 0.9), (1, 0.8, 0.4, 0.9)
                )
            )
            == 0.3
        )
    # no better than the identity
    assert recommend(points_of((0, 0.5, 0.4, 0.9), (1, 0.51, 0.4, 0.9))) == 0


@pytest.mark.parametrize(
    ("gain", "low", "sure", "worth"),
    [
        (0.30, 0.25, True, True),
        (0.10, 0.024, True, True),  # 99 %: from 0.0001
        (0.10, 0.023, False, False),  # 99 %: from -0.0012
        (0.10, 0.0, False, False),
        (0.10, -0.01, False, False),
        (WORTH, 0.015, True, True),
        (0.0199, 0.015, True, False),
        (-0.10, -0.12, False, False),
        (0.0, None, False, False),
        (None, None, False, False),
    ],
)
def test_when_a_gain_clears_its_noise(gain, low, sure, worth):
    assert (is_sure(gain, low), clears_noise(gain, low)) == (sure, worth)


def test_the_curve_of_all_folds_is_the_mean_point_by_point():
    one, two = (
        points_of((0, 0.5, 0.4, None), (1, 0.9, 0.2, None)),
        points_of((0, 0.7, 0.6, None), (1, 0.7, None, None)),
    )
    mean = mean_curve([one, two])
    assert [point.at for point in mean] == [0, 1]
    assert mean[0].scores == Scores(pytest.approx(0.6), pytest.approx(0.5), None)
    assert mean[1].scores == Scores(pytest.approx(0.8), pytest.approx(0.2), None)
