"""Records made from outcomes: which interval each kind has, and what stands in every column."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.scored import (
    Ledger,
    gain_record,
    mean_record,
    plain_record,
    share_record,
)
from conceptbind.metrics import (
    difference_interval,
    mean_interval,
    recognition,
    share_interval,
)

FACTS = {"study": "crossmodal", "split": "all", "scenes": "s", "encoder": "e"}
VALUES = np.array([1.0, 0.0, 1.0, 1.0, 0.5, 1.0])
CLUSTERS = np.array([0, 0, 1, 1, 2, 2])


def ends(record):
    return record.ci_low, record.ci_high


def test_each_kind_of_mean_has_its_interval():
    found = mean_record("recall_at_1", VALUES, 3, CLUSTERS, order="either", **FACTS)
    assert found.flat() == {
        **FACTS,
        "metric": "recall_at_1",
        "modality": "both",
        "level": 3,
        "value": 0.75,
        "n": 6,
        "ties": 3,
        "ci_low": share_interval(VALUES, CLUSTERS)[0],
        "ci_high": share_interval(VALUES, CLUSTERS)[1],
        "control": "none",
        "repair": None,
        "order": "either",
    }
    change = mean_record("recall_gain", VALUES - 1, None, CLUSTERS, "difference", **FACTS)
    assert ends(change) == difference_interval(VALUES - 1, CLUSTERS)
    assert (change.value, change.ties) == (-0.25, None)
    cosines, orbits = np.tile([0.1, 0.4, -0.2, 0.3, 0.25, 0.5], 20), np.arange(120) // 2
    mean = mean_record("caption_swap_cosine", cosines, None, orbits, "mean", **FACTS)
    assert None not in ends(mean)
    assert ends(mean) == mean_interval(cosines, orbits)
    assert mean.value == pytest.approx(0.225)


def test_a_mean_of_cosines_stays_within_one():
    high = np.array([1.0] * 58 + [0.999, -1.0])
    each = np.arange(60)
    assert mean_record("probe_cosine", high, None, each, "mean", **FACTS).ci_high == 1.0
    assert mean_record("probe_cosine", -high, None, each, "mean", **FACTS).ci_low == -1.0


def test_half_precision_is_averaged_in_double():
    ones = np.ones(4099, dtype=np.float16)
    assert mean_record("recall_at_1", ones, 0, np.arange(4099), **FACTS).value == 1.0


@pytest.mark.parametrize(("pull", "known"), [(0.0, False), (0.1, True)])
def test_a_gain_has_an_interval_only_where_something_was_changed(pull, known):
    found = gain_record("binding_gain", VALUES - 1, CLUSTERS, pull=pull, **FACTS)
    interval = difference_interval(VALUES - 1, CLUSTERS)
    assert ends(found) == (interval if known else (None, None))
    assert (found.value, found["pull"], found.ties) == (-0.25, pull, None)


def test_a_plain_value():
    found = plain_record("modality_gap", 0.5, 7, **FACTS)
    assert (found.value, found.n, *ends(found)) == (0.5, 7, None, None)
    assert (found.modality, found.level) == ("both", 3)
    own = plain_record("r2", 0.5, 7, 0.4, 0.6, **FACTS, modality="text", level=None)
    assert (own.modality, own.level, *ends(own)) == ("text", None, 0.4, 0.6)


OUTCOME = recognition(
    np.array([[1, 0], [1, 0], [1, 0], [0, 0], [0, 1], [0, 0]]),
    np.array([[1, 0]] * 5 + [[1, 1]]),
)
"""Of five scored scenes three are right and one is tied."""


def test_the_clusters_of_a_share_are_those_of_its_scored_scenes():
    found = share_record(
        OUTCOME, CLUSTERS, **FACTS, modality="text", metric="object_recognition", level=1
    )
    right = np.array([1.0, 1, 1, 0, 0])
    assert ends(found) == share_interval(right, CLUSTERS[:5])
    assert (found.value, found.n, found.ties, found.level, found.own) == (0.6, 5, 1, 1, {})


def test_a_ledger_knows_whose_records_it_holds():
    ledger = Ledger("text", "s", "e")
    ledger.add("additive", "r2", 0.5, 7, "all", additive_level=1)
    ledger.add(
        *("edit", "edit_probing", 0.25, 8, "test"),
        ties=3,
        interval=(0.2, 0.3),
        control="random_weights",
    )
    facts = {"study": "removal", "metric": "object_recognition", "split": "test"}
    ledger.recognised(OUTCOME, CLUSTERS, **facts, removed="concepts")
    shared = {"modality": "text", "scenes": "s", "encoder": "e", "repair": None, "level": None}
    nothing = {"ci_low": None, "ci_high": None, "control": "none"}
    low, high = share_interval(np.array([1.0, 1, 1, 0, 0]), CLUSTERS[:5])
    assert [record.flat() for record in ledger.records] == [
        {
            **shared,
            **nothing,
            **{"study": "additive", "metric": "r2", "value": 0.5, "n": 7, "ties": None},
            **{"split": "all", "additive_level": 1},
        },
        {
            **shared,
            **{"study": "edit", "metric": "edit_probing", "value": 0.25, "n": 8, "ties": 3},
            **{"ci_low": 0.2, "ci_high": 0.3, "split": "test", "control": "random_weights"},
        },
        {
            **shared,
            **facts,
            **{"value": 0.6, "n": 5, "ties": 1, "ci_low": low, "ci_high": high},
            **{"control": "none", "removed": "concepts"},
        },
    ]
