"""One rounding for card, table, terminal and page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import made
from conceptbind.core.errors import counted
from conceptbind.core.rounding import percent, score
from conceptbind.core.scored import mean_record, share_record
from conceptbind.metrics import Recognition
from conceptbind.report.numbers import (
    difference,
    interval_of,
    is_number,
    number,
    p_value,
    points,
    shown,
    value_of,
    whole,
    with_interval,
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
        (1 - 1e-9, "99.999999 %"),
        (1e-9, "0.000001 %"),
        (0.00000001, "0.000001 %"),
        (None, "-"),
    ],
)
def test_a_share_has_one_decimal_and_is_never_called_all_or_nothing_when_it_is_not(share, words):
    assert percent(share) == words


def test_differences_and_other_numbers():
    assert points(0.3036) == "+30.4 points"
    assert points(-0.01) == "-1.0 points"
    assert points(-0.0003) == "+0.0 points"
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


@pytest.mark.parametrize(
    ("metric", "unit", "value", "words", "ends"),
    [
        ("loss", None, 3.2, "3.200", "3.100 to 3.300"),  # of another package: a plain number
        ("win_gain", None, 0.2, "0.200", "0.100 to 0.300"),
        ("hit_rate", "share", 0.2, "20.0 %", "10.0 % to 30.0 %"),
        ("win", "change", 0.2, "+20.0 points", "+10.0 to +30.0"),
        ("depth", "number", 3.2, "3.200", "3.100 to 3.300"),
        ("hit_rate", "metres", 3.2, "3.200", "3.100 to 3.300"),
        ("binding_accuracy", None, 0.2, "20.0 %", "10.0 % to 30.0 %"),
    ],
)
def test_a_metric_of_another_package_is_what_its_record_says(metric, unit, value, words, ends):
    low, high = round(value - 0.1, 9), round(value + 0.1, 9)
    found = made.record(metric, value, low, high, unit=unit)
    assert (value_of(found), interval_of(found)) == (words, ends)
    assert with_interval(found) == f"{words} ({ends})"
    assert with_interval(found.but(ci_low=None)) == words


def test_what_is_made_of_outcomes_says_its_unit():
    values, draws = np.array([1.0, 0.0, 0.5]), np.arange(3)
    told = {"study": "theirs", "split": "all", "scenes": "s", "encoder": "e"}

    def unit(metric, *kind):
        return mean_record(metric, values, None, draws, *kind, **told).get("unit")

    assert [unit("win"), unit("win", "difference"), unit("win", "mean")] == [
        *("share", "change", "number"),
    ]
    assert unit("binding_accuracy") is None  # of ours the name decides
    right = Recognition(np.ones(3, dtype=bool), np.zeros(3, dtype=bool), np.ones(3, dtype=bool))
    assert share_record(right, modality="text", metric="win", **told)["unit"] == "share"


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


RULES = {
    "a share": percent,
    "a change": points,
    "a binding score": score,
    "any other number": number,
    "a p value": p_value,
}


def test_the_documented_rule_is_what_is_done():
    page = Path(__file__).parents[2] / "docs" / "howto" / "runs.md"
    _, _, after = page.read_text().partition("## How numbers are rounded")
    rows = [line.strip("| ").split(" | ") for line in after.partition("\n## ")[0].splitlines()]
    rows = [row for row in rows if len(row) == 3][1:]
    assert len(rows) == 8
    for what, value, words in rows:
        (rule,) = (rule for name, rule in RULES.items() if what.startswith(name))
        assert rule(float(value)) == words, what
    # said once, and linked where numbers are explained
    for name in ("start.md", "howto/gate.md", "background/intervals.md"):
        linking = (page.parents[1] / name).read_text()
        assert "runs.md#how-numbers-are-rounded" in linking, name


def test_no_line_ends_within_a_number():
    text = "won 98.0 % (n = 1,000; p = 0.03), +1.2 points, 5 pointsmen, type = 3"
    found = whole(text)
    assert found.replace("\u00a0", " ") == text
    pieces = found.split(" ")
    assert whole("p = 8.3e-25") == "p\u00a0=\u00a08.3e-\u206025"
    assert {"98.0\u00a0%", "+1.2\u00a0points,"} <= set(pieces)
    assert "(n\u00a0=\u00a01,000;" in pieces
    assert "p\u00a0=\u00a00.03)," in pieces
    assert {"pointsmen,", "type", "=", "3"} <= set(pieces)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("-", True),
        ("1,000", True),
        ("98.0 %", True),
        ("98.0 % to 100 %", True),
        ("+1.2 points (+0.5 to +1.5)", True),
        ("1.7e-12", True),
        ("", False),
        ("%", False),
        ("1 to one", False),
        ("run 1", False),
    ],
)
def test_cells_of_numbers(cell, number):
    assert is_number(cell) == number
