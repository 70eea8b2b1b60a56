"""The levels of binding that a run judged, as a small table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from conceptbind.report.numbers import percent, score
from conceptbind.report.words import CONTROLS, SEEN

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict

HEAD = ("level", "question", "answer", "number", "n", "strongest control")
QUESTIONS = {
    1: "decodable from {seen}?",
    2: "usable within {seen}?",
    3: "usable between pictures and captions?",
}
"""What is asked at each level; see `Verdict.level`."""
REPAIR = "does a linear repair help?"


def level_rows(verdicts: Iterable[Verdict]) -> list[tuple[str, ...]]:
    """A row for each verdict, with the columns of `HEAD`; a dash where there is nothing."""
    return [_row(verdict) for verdict in verdicts]


def _row(verdict: Verdict) -> tuple[str, ...]:
    control = verdict.control or "-"
    level = "-" if verdict.level is None else str(verdict.level)
    n = "-" if verdict.n is None else f"{verdict.n:,}"
    return (
        level,
        _question(verdict),
        verdict.word,
        _number(verdict),
        n,
        CONTROLS.get(control, control.replace("_", " ")),
    )


def _question(verdict: Verdict) -> str:
    if verdict.level in QUESTIONS:
        return QUESTIONS[verdict.level].format(seen=SEEN.get(verdict.modality or "", "rows"))
    return "-" if verdict.repairs is None else REPAIR


def _number(verdict: Verdict) -> str:
    """The score: from 0 to 1 at level 1, where 0 is a bag of concepts; a share elsewhere."""
    if verdict.score is None:
        return "-"
    return f"score {score(verdict.score)}" if verdict.level == 1 else percent(verdict.score)
