"""Several runs subtracted: each measure of the first beside that of every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conceptbind.report.numbers import CHANGE, NO_SHARE, percent, points
from conceptbind.report.tables import PaperTable

Rows = Sequence[Mapping[str, Any]]
"""Flat records."""
STUDIES = ("probe", "attribute_probe", "search", "crossmodal", "within", "repair", "controlled")
"""Studies whose shares are compared."""
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
)
"""What tells two measures of one name apart."""


def difference_tables(runs: Mapping[str, Rows]) -> list[PaperTable]:
    """Every share that several runs measured: its value in each, and the difference of each from
    the first; none for a single run.

    The difference has no interval: the same scenes were scored, item by item, and what became of
    each is not kept. Values are beside their own intervals. Numbers of other scenes, or of another
    count of them, are marked.

    Args:
        runs: flat records of each run, by name.
    """
    if len(runs) < 2:
        return []
    found = {name: _measures(records) for name, records in runs.items()}
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
        label = (str(key[1]), _words(base))
        rows.append((*label, first, *_cells(base), "-", "-"))
        for name, row in others:
            same = (row.get("scenes"), row["n"]) == (base.get("scenes"), base["n"])
            rows.append(
                (
                    *label,
                    name,
                    *_cells(row),
                    points(row["value"] - base["value"]),
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
        f"difference from {first}",
        "same scenes",
    )
    return [PaperTable("differences", "Differences", head, tuple(rows))] if rows else []


def _measures(records: Rows) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The shares of one run that are its encoder's own, by what they measure."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in records:
        own = row.get("control") in ("none", None) and row["study"] in STUDIES
        share = not (NO_SHARE.fullmatch(str(row["metric"])) or CHANGE.fullmatch(str(row["metric"])))
        numbers = all(
            isinstance(row.get(name), int | float) for name in ("value", "ci_low", "ci_high", "n")
        )
        if own and share and numbers:
            key = (
                row["study"],
                row["modality"],
                row["metric"],
                row.get("split"),
                *(str(row.get(name)) for name in VARIES),
            )
            found.setdefault(key, row)
    return found


def _words(row: Mapping[str, Any]) -> str:
    """What a record measures."""
    varied = [f"{name} {row[name]}" for name in VARIES if row.get(name) not in (None, "none")]
    return ", ".join([str(row["metric"]).replace("_", " "), *varied])


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        percent(row["value"]),
        f"{percent(row['ci_low'])} to {percent(row['ci_high'])}",
        f"{row['n']:,}",
    )
