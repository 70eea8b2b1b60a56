"""A record and a run by hand: what a test does not care about has one value everywhere."""

from __future__ import annotations

import numpy as np

from conceptbind.core.outcomes import Outcome, save_outcomes
from conceptbind.core.records import Record, Records
from conceptbind.core.results import Results, write_results
from conceptbind.metrics.intervals import share_interval

USUAL = {
    "study": "probe",
    "modality": "text",
    "n": 10,
    "ties": 0,
    "split": "test",
    "scenes": "s",
    "encoder": "e",
}


def record(metric, value, low=None, high=None, **facts):
    """A record of a metric with its interval; `facts` are all other fields and columns."""
    found = {**USUAL, **facts}
    return Record.of(metric=metric, value=value, ci_low=low, ci_high=high, **found)


def run_folder(folder, hits, n=100, kept=True, encoder="tiny"):
    """A folder of a run whose probe recognised the first scenes, with or without outcomes."""
    folder.mkdir(parents=True)
    about = {"study": "probe", "modality": "text", "metric": "object_recognition"}
    right = np.arange(n) < hits
    low, high = share_interval(right)
    facts = {"value": float(right.mean()), "n": n, "ties": 0, "ci_low": low, "ci_high": high}
    told = {"split": "test", "scenes": "clevr2d", "encoder": encoder}
    write_results(folder, Results(Records([Record.of(**about, **told, **facts)]), {}))
    if kept:
        outcome = Outcome(about, right, np.zeros(n, dtype=bool), np.arange(n))
        save_outcomes(folder, [outcome], "scenes")
    return folder
