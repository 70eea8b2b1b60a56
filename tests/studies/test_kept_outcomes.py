"""What `measure` keeps of every scene says what its records say."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind import load_run
from conceptbind.core.outcomes import outcomes_of, paired
from conceptbind.metrics.intervals import share_interval
from conceptbind.report.leaderboard import Competitor, boards


def test_the_kept_outcomes_are_those_of_the_records(main_job):
    kept = outcomes_of(main_job.folder)[""]
    records = load_run(main_job.folder).records
    assert [(one.about["metric"], one.about["modality"]) for one in kept.found] == [
        ("object_recognition", "text"),
        ("object_recognition", "image"),
        *2 * [("paraphrase_accuracy", "text")],
        *2 * [("paraphrase_accuracy", "image")],
        ("attribute_recognition", "text"),
        ("attribute_recognition", "image"),
        ("binding_accuracy", "both"),
        ("recall_at_1", "both"),
    ]
    for one in kept.found:
        whole = {"wording": None, "concept": None, "order": one.about.get("order"), "noun": None}
        record = records.where(control="none", queries=None, repair=None).one(
            **{**whole, **one.about}
        )
        assert (one.n, int(one.tied.sum())) == (record.n, record.ties)
        assert one.value == pytest.approx(record.value)
        interval = share_interval(one.right.astype(float), one.clusters)
        assert interval == pytest.approx((record.ci_low, record.ci_high))
        # a scene is asked about each of its nouns
        asked = 2 if one.about["metric"] == "attribute_recognition" else 1
        assert one.n / asked <= len(np.unique(one.rows)) <= one.n
        assert paired(one, one).change == 0


def test_every_board_pairs_two_runs_of_the_same_scenes(main_job):
    records, outcomes = load_run(main_job.folder).records, outcomes_of(main_job.folder)
    found = boards([Competitor(name, records, outcomes) for name in ("one", "other")])
    assert len(found) == 8
    for board in found:
        (duel,) = board.duels
        assert duel.basis == "the same scenes", board.title
        assert duel.change == 0
        assert duel.interval[0] < 0 < duel.interval[1]
