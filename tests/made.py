"""A record by hand: what a test does not care about has one value everywhere."""

from __future__ import annotations

from conceptbind.core.records import Record

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
