"""A verdict as the page shows it: its question and answer, its sentence, how its score is read, and
where the scenes behind it are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.core.rounding import score
from conceptbind.report.items import anchor
from conceptbind.report.levels import question
from conceptbind.report.words import first

if TYPE_CHECKING:
    from conceptbind.core.findings import Findings, Verdict
    from conceptbind.core.outcomes import Outcome

SCALES = {
    1: "Binding score {score}: 0 is a bag of concepts, 1 is all that can be recognised; from 0.8 "
    "on we call binding decodable, from 0.2 on decodable in part.",
    2: "By chance a third is right; from 90 % on in both settings we call binding usable, from "
    "50 % on in one of them usable in part.",
    3: "Chance is 50 %; from 90 % on we call binding usable, from 60 % on usable in part.",
}
"""How a score is read, by the level of its verdict."""
JUDGED = {1: "object_recognition", 2: "paraphrase_accuracy", 3: "binding_accuracy"}
"""The metric that a level is judged by."""
MISSED, TURNED = "Which scenes were missed", "Scenes before and after"


def verdict_card(found: Findings, verdict: Verdict) -> dict[str, Any]:
    """A verdict for `report.html.j2`, as plain data.

    Args:
        found: what the study of the verdict found.
        verdict: one of its verdicts.
    """
    listed = _turned(found) if verdict.repairs is not None else _missed(found, verdict)
    return {
        "id": _place(found, verdict),
        "word": verdict.word,
        "title": _title(verdict),
        "sentence": verdict.sentence,
        "scale": _scale(verdict),
        "missed": listed,
        "others": _others(found, verdict, listed),
        "listed": TURNED if verdict.repairs is not None else MISSED,
    }


def _place(found: Findings, verdict: Verdict) -> str:
    """What the card is linked by."""
    places = {1: verdict.modality, 2: f"within-{verdict.modality}", 3: "across"}
    if verdict.judges in places:
        return str(places[verdict.judges])
    if verdict.modality is not None and verdict.repairs is None:
        return f"{found.study}-{verdict.modality}"
    return found.study


def _title(verdict: Verdict) -> str:
    """Question and answer: "Level 2, usable within captions? Partly."; empty without a question."""
    asked = question(verdict)
    if not asked:
        return ""
    asked = first(asked) if verdict.judges is None else f"Level {verdict.level}, {asked}"
    return f"{asked} {first(verdict.answer)}."


def _scale(verdict: Verdict) -> str | None:
    scale = SCALES.get(verdict.judges or 0)
    if scale is None or verdict.score is None:
        return None
    return scale.format(score=score(verdict.score))


def _missed(found: Findings, verdict: Verdict) -> str | None:
    """Where the page lists the scenes of a verdict's number; None where it does not."""
    listed = _outcomes(found, verdict)
    # level 2 is judged by the setting where it is lower
    return anchor(min(listed, key=lambda outcome: outcome.value)) if listed else None


def _others(found: Findings, verdict: Verdict, listed: str | None) -> list[tuple[str, str]]:
    """Where the scenes behind the other numbers of a sentence are, with the setting of each."""
    there = [(anchor(one), one.about.get("setting", "")) for one in _outcomes(found, verdict)]
    return [(place, setting) for place, setting in there if setting and place != listed]


def _outcomes(found: Findings, verdict: Verdict) -> list[Outcome]:
    """The scenes that a verdict judges, by setting where there are several."""
    metric = JUDGED.get(verdict.judges or 0)
    return [
        outcome
        for outcome in found.outcomes
        if outcome.rows is not None
        and outcome.about["metric"] == metric
        and outcome.about.get("modality") == verdict.modality
    ]


def _turned(found: Findings) -> str | None:
    """Where the page shows scenes before and after a repair; None where it shows none."""
    galleries = (section.id for section in found.sections if section.data.get("gallery"))
    return next((f"{place}-gallery" for place in galleries), None)
