"""One rounding for card, table, terminal and page."""

from __future__ import annotations

import pytest

import made
from conceptbind.report.numbers import (
    counted,
    difference,
    interval_of,
    number,
    percent,
    points,
    score,
    shown,
    value_of,
)


def record(metric, value, low=None, high=None):
    return made.record(metric, value, low, high, study="s", scenes="scenes")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.6815476, "68.2 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.9996, "99.96 %"),
        (0.999951, "99.995 %"),
        (0.0004, "0.04 %"),
        (0.5, "50.0 %"),
        (0.999999, "99.9999 %"),
        (0.00000001, "0.000001 %"),
        (None, "-"),
    ],
)
def test_a_share_has_one_decimal_and_is_never_called_all_or_nothing_when_it_is_not(share, words):
    assert percent(share) == words


def test_differences_and_other_numbers():
    assert points(0.3036) == "+30.4 points"
    assert points(-0.01) == "-1.0 points"
    assert points(None) == "-"
    assert number(0.66409) == "0.664"
    assert number(None) == "-"


@pytest.mark.parametrize(
    ("value", "rounded", "cut"),
    [
        (0.9996, "0.999", "0.999"),
        (-0.9999, "-0.999", "-0.999"),
        (1.0, "1.000", "1.000"),
        (1.0004, "1.000", "1.000"),
        (-0.006329, "-0.006", "-0.006"),
        (0.0066, "0.007", "0.006"),
        (-0.0004, "0.000", "0.000"),
        (0.29, "0.290", "0.290"),
    ],
)
def test_a_number_below_1_is_never_called_1_and_a_score_is_cut_towards_0(value, rounded, cut):
    assert (number(value), score(value)) == (rounded, cut)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("binding_accuracy", "12.3 %"),
        ("swap_error", "12.3 %"),
        ("recall_at_1", "12.3 %"),
        ("group_score", "12.3 %"),
        ("binding_share", "12.3 %"),
        ("binding_gain", "+12.3 points"),
        ("r2", "0.123"),
        ("mse", "0.123"),
        ("caption_swap_cosine", "0.123"),
        ("probe_cosine", "0.123"),
        ("modality_gap", "0.123"),
        ("generalisation_score", "0.123"),
    ],
)
def test_the_metric_decides_how_a_value_is_shown(metric, words):
    assert shown(metric, 0.12345) == words
    assert value_of(record(metric, 0.12345)) == words


def test_an_interval_is_rounded_like_its_value():
    assert interval_of(record("binding_accuracy", 0.68, 0.6220238, 0.7440662)) == "62.2 % to 74.4 %"
    assert interval_of(record("caption_swap_cosine", 0.66, 0.6569, 0.672)) == "0.657 to 0.672"
    assert interval_of(record("r2", 0.9)) == "-"
    assert interval_of(record("r2", 0.9, 0.8, None)) == "-"


def test_the_interval_of_a_difference_stands_behind_it():
    assert difference(0.3013, 0.2532, 0.35) == "+30.1 points (+25.3 to +35.0)"
    assert difference(-0.01, -0.02, 0.0) == "-1.0 points (-2.0 to +0.0)"
    assert difference(0.3013, None, 0.35) == difference(0.3013, 0.2532, None) == "+30.1 points"
    assert interval_of(record("binding_gain", 0.3013, 0.2532, 0.35)) == "+25.3 to +35.0"


def test_counts_in_words():
    assert [counted(n, "scene") for n in (0, 1, 2, 1000)] == [
        "0 scenes",
        "1 scene",
        "2 scenes",
        "1,000 scenes",
    ]
