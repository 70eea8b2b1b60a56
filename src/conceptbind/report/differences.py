"""Several runs subtracted: each measure of the first beside that of every other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Repair
from conceptbind.core.rounding import percent
from conceptbind.core.scored import unit_of
from conceptbind.report.numbers import interval_of, points
from conceptbind.report.tables import PaperTable

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.records import Record, Records
    from conceptbind.report.leaderboard import Board

STUDIES = (
    "probe",
    "attribute_probe",
    "search",
    "crossmodal",
    "within",
    "repair",
    "finetune",
    "controlled",
    "stress",
    "audit",
)
"""Studies whose shares are compared."""
TITLE = "Every share beside that of the first run"
ALIKE = ("study", "modality", "metric", "split")
"""Columns of one measure."""
VARIES = (
    "concept",
    "noun",
    "order",
    "queries",
    "repair",
    "side",
    "setting",
    "protocol",
    "objects",
    "among",
    "values",
    "coverage",
    "factor",
    "factor_value",
)
"""What tells two measures of one name apart."""


PAIRED = "see the pairs"
"""What stands for the difference of numbers that are ranked."""


def difference_tables(
    runs: Mapping[str, Records], boards: Iterable[Board] = ()
) -> list[PaperTable]:
    """Every share that several runs measured: its value in each, and the difference of each from
    the first; none for a single run.

    The difference has no interval here: values stand beside their own. What is ranked is subtracted
    in the table of pairs alone, item by item, so that a difference has one value. Numbers of other
    scenes, or of another count of them, are marked and not subtracted.

    Args:
        runs: records of each run, by name.
        boards: the runs on each level.
    """
    if len(runs) < 2:
        return []
    found = {name: _measures(records) for name, records in runs.items()}
    ranked = {_key(entry.record) for board in boards for entry in board.entries}
    first = next(iter(runs))
    rows = []
    for key, base in found[first].items():
        others = [
            (name, measures[key])
            for name, measures in found.items()
            if name != first and key in measures
        ]
        if not others:
            continue
        label = (base.modality, _words(base))
        rows.append((*label, first, *_cells(base), "-", "-"))
        for name, row in others:
            same = (row.scenes, row.n) == (base.scenes, base.n)
            change = (row.value or 0.0) - (base.value or 0.0) if same else None
            told = PAIRED if same and key in ranked else points(change)
            rows.append(
                (
                    *label,
                    name,
                    *_cells(row),
                    told,
                    "yes" if same else "no",
                )
            )
    head = (
        "modality",
        "measure",
        "run",
        "value",
        "95 % interval",
        "n",
        f"difference from {first} (without interval)",
        "same scenes",
    )
    return [PaperTable("differences", TITLE, head, tuple(rows))] if rows else []


def _measures(records: Records) -> dict[tuple[Value, ...], Record]:
    """The shares of one run that are its encoder's own, by what they measure."""
    found: dict[tuple[Value, ...], Record] = {}
    for row in records.where(control=Control.NONE, study=STUDIES).scored():
        share = unit_of(row.metric) == "share"
        if share and row.ci_low is not None and row.ci_high is not None:
            found.setdefault(_key(row), row)
    return found


def _key(row: Record) -> tuple[Value, ...]:
    """What tells a measure from all others."""
    return tuple(row.get(name) for name in (*ALIKE, *VARIES))


def _words(row: Record) -> str:
    """What a record measures."""
    varied = [f"{name} {row[name]}" for name in VARIES if row.get(name) not in (None, Repair.NONE)]
    return ", ".join([row.metric.replace("_", " "), *varied])


def _cells(row: Record) -> tuple[str, str, str]:
    return percent(row.value), interval_of(row), f"{row.n:,}"
