"""From a number to its items: which scenes were missed, on the page and in `items.csv`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import counted
from conceptbind.core.escape import csv_text
from conceptbind.core.findings import Section
from conceptbind.core.rounding import percent
from conceptbind.report.words import first, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.core.outcomes import Outcome
    from conceptbind.scenes.table import Scenes

ITEMS = "items.csv"
"""File of a run folder with every scene behind every number."""
MOST = 200
"""Missed scenes of a number that the page lists."""
HEAD = ("scene", "caption", "right", "tie")
TOLD = ("setting", "concept")
"""What tells lists of one metric and modality apart."""
ABOUT = ("study", "metric", "modality", "order", "setting", "concept")
COLUMNS = (*ABOUT, "scene", "caption", "right", "tied")
ELSEWHERE = {"object_recognition": "probe-{modality}-wrong"}
"""Where the page lists items by itself, with what was found in their place: the heading's id."""
NAMES = {
    "binding_accuracy": "a picture prefers its caption to the swapped one",
    "recall_at_1": "a picture finds its caption first",
    "paraphrase_accuracy": "a paraphrase is nearer than the swap",
    "attribute_recognition": "a linear classifier recognises the attribute of a noun",
    "negated_accuracy": "a negated caption finds the scene without the object",
}
"""What was asked of each scene, by metric."""


def anchor(outcome: Outcome) -> str:
    """The id of the list of an outcome's items on the page."""
    elsewhere = ELSEWHERE.get(outcome.about["metric"])
    if elsewhere is not None:
        return elsewhere.format(**outcome.about)
    return list_id(*(outcome.about.get(name, "") for name in ("metric", "modality", *TOLD)))


def list_id(metric: str, modality: str, setting: str = "", concept: str = "") -> str:
    """The id of the heading of a list; its table has `-missed` behind it.

    Args:
        metric: what was asked.
        modality: of the scenes.
        setting: of paraphrases; empty for others.
        concept: of an attribute; empty for others.
    """
    # a concept is any text, and an id holds no spaces
    words = re.findall(r"[^\W_]+", " ".join((metric, modality, setting, concept)))
    return "-".join(("items", *words))


def items_section(outcomes: Sequence[Outcome], scenes: Scenes) -> Section | None:
    """The missed scenes behind each number, folded; those of `ELSEWHERE` are not repeated.

    Args:
        outcomes: of scenes of the table, each with its `rows`.
        scenes: the table.

    Returns:
        None where there is nothing to list.
    """
    lists = [
        _list(o, scenes)
        for o in outcomes
        if o.about["metric"] not in ELSEWHERE and o.rows is not None
    ]
    if not lists:
        return None
    return Section("items", "Which scenes were missed", {"lists": lists}, "items_section.html.j2")


def items_csv(outcomes: Sequence[Outcome], scenes: Scenes) -> str:
    """Every scene behind every number, missed or not: one line each.

    Args:
        outcomes: of scenes of the table.
        scenes: the table.
    """
    rows: list[tuple[object, ...]] = [COLUMNS]
    for outcome in outcomes:
        if outcome.rows is None:
            continue
        about = [outcome.about.get(name, "") for name in ABOUT]
        told = zip(outcome.rows.tolist(), outcome.right, outcome.tied.tolist(), strict=True)
        rows += (
            (*about, scenes.ids[row], scenes.caption(row), float(right), int(tied))
            for row, right, tied in told
        )
    return csv_text(rows)


def _list(outcome: Outcome, scenes: Scenes) -> dict[str, Any]:
    """The missed scenes of one number, the worst first."""
    assert outcome.rows is not None
    right = outcome.right.astype(float)
    missed = np.flatnonzero(right < 1)
    missed = missed[np.argsort(right[missed], kind="stable")]
    rows = [_row(outcome, place, scenes) for place in missed[:MOST].tolist()]
    what = NAMES.get(outcome.about["metric"], outcome.about["metric"].replace("_", " "))
    told = [outcome.about[name] for name in TOLD if name in outcome.about]
    if told:  # a number of one modality by itself
        what = f"{what} ({', '.join((seen(outcome.about.get('modality')), *told))})"
    unit = "comparison" if len(np.unique(outcome.rows)) < outcome.n else "scene"
    return {
        "id": anchor(outcome),
        "what": first(what),
        "value": percent(outcome.value),
        "scored": counted(outcome.n, unit),
        "missed": f"{len(missed):,}",
        "partly": bool(((right > 0) & (right < 1)).any()),
        "head": list(HEAD),
        "rows": rows,
        "more": len(missed) - len(rows),
    }


def _row(outcome: Outcome, place: int, scenes: Scenes) -> list[str]:
    """A missed scene: its id, its caption, what was right of it, and whether it was a tie."""
    assert outcome.rows is not None
    row, right = int(outcome.rows[place]), float(outcome.right[place])
    tie = "tie" if outcome.tied[place] else "-"
    return [scenes.ids[row], scenes.caption(row), percent(right) if right else "no", tie]
