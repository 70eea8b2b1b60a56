"""The levels of binding: their titles, their records, and a small table of what was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent, score
from conceptbind.report.words import SEEN, control_name

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Asked, Record

HEAD = ("level", "question", "answer", "number", "n", "strongest control")
CLAIMS = {
    1: "decodable from {seen}",
    2: "usable within {seen}",
    3: "usable between pictures and captions",
}
"""What is claimed at each level; see `Verdict.level`."""
REPAIR = "does a linear repair help?"
LEVELS: Mapping[str, Mapping[str, Asked]] = {
    "decodable": {"study": "probe", "metric": Metric.OBJECT_RECOGNITION},
    "within": {
        "study": ("within", "benchmark"),
        "metric": Metric.PARAPHRASE_ACCURACY,
        **dict.fromkeys(("order", "wording", "concept")),
    },
    "across": {"study": "crossmodal", "metric": Metric.BINDING_ACCURACY, "order": "either"},
}
"""The records of each level of binding, by its name. Within a modality these are of scenes, or of
a benchmark of captions alone."""


def claim(level: int, modality: str | None) -> str:
    """What is claimed at a level: "decodable from captions"."""
    return CLAIMS[level].format(seen=SEEN.get(modality or "", "rows"))


def level_title(level: int, modality: str | None = None) -> str:
    """A level and its claim: "Level 1, decodable from captions".

    Args:
        level: 1 to 3.
        modality: where the level has one.
    """
    return f"Level {level}, {claim(level, modality)}"


def own_records(records: Iterable[Record], asked: Mapping[str, Asked]) -> list[Record]:
    """The encoder's own records that hold what is asked for: of no control, after no repair.

    Args:
        records: of one run.
        asked: columns and what they hold, such as those of `LEVELS`.
    """
    own = {"control": Control.NONE, "repair": (None, Repair.NONE)}
    return [record for record in records if record.has(**own, **asked)]


def level_rows(verdicts: Iterable[Verdict]) -> list[tuple[str, ...]]:
    """A row for each verdict, with the columns of `HEAD`; a dash where there is nothing."""
    return [_row(verdict) for verdict in verdicts]


def _row(verdict: Verdict) -> tuple[str, ...]:
    level = "-" if verdict.level is None else str(verdict.level)
    n = "-" if verdict.n is None else f"{verdict.n:,}"
    return (
        level,
        question(verdict) or "-",
        verdict.answer,
        _number(verdict),
        n,
        control_name(verdict.control or Control.NONE),
    )


def question(verdict: Verdict) -> str:
    """What a verdict answers: "decodable from captions?"; empty where it does not say."""
    if verdict.judges in CLAIMS:
        return f"{claim(verdict.judges, verdict.modality)}?"
    return (verdict.asks or "") if verdict.repairs is None else REPAIR


def _number(verdict: Verdict) -> str:
    """The score: from 0 to 1 at level 1, where 0 is a bag of concepts; a share elsewhere."""
    if verdict.score is None:
        return "-"
    if verdict.judges == 1:
        return f"binding score {score(verdict.score)}"
    return percent(verdict.score)
