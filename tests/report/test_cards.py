"""A verdict as the page shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.findings import Findings, Section, Verdict
from conceptbind.core.outcomes import Outcome
from conceptbind.report.cards import MISSED, TURNED, verdict_card

USED = Verdict("partly", "Used.", 0.6, 2, "text", 10, "bag_twin")
REPAIRED = Verdict("no", "Does not help.", 0.7, 3, "both", n=10, repairs=False)
NEGATED = Verdict("unclear", "Who knows.", None, modality="text", asks='reacts to "no"?')


def outcome(setting: str, hits: int) -> Outcome:
    about = {"metric": "paraphrase_accuracy", "modality": "text", "setting": setting}
    return Outcome(about, *_scored(hits))


def _scored(hits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.arange(10)
    return rows < hits, np.zeros(10, dtype=bool), rows


FOUND = Findings("within", outcomes=(outcome("neutral", 9), outcome("trap", 6)))


def test_a_card_asks_and_answers():
    card = verdict_card(FOUND, USED)
    assert card["title"] == "Level 2, usable within captions? Partly."
    assert (card["id"], card["word"]) == ("within-text", "partly")
    assert "By chance a third is right" in card["scale"]


def test_its_scenes_are_those_of_its_own_number():
    card = verdict_card(FOUND, USED)
    assert (card["missed"], card["listed"]) == ("items-paraphrase-accuracy-text-trap", MISSED)
    one_sided = Outcome({**FOUND.outcomes[0].about, "metric": "one_sided"}, *_scored(6))
    found = replace(FOUND, outcomes=(one_sided, *FOUND.outcomes))  # of the same value
    assert verdict_card(found, USED)["missed"] == card["missed"]
    assert card["others"] == [("items-paraphrase-accuracy-text-neutral", "neutral")]
    assert verdict_card(Findings("within"), USED)["missed"] is None
    assert verdict_card(FOUND, replace(USED, modality="image"))["missed"] is None


def test_a_repair_leads_to_its_scenes_before_and_after():
    shown = Section("repair", "Repair", {"gallery": [{"id": "s0"}]})
    card = verdict_card(Findings("repair", sections=(shown,)), REPAIRED)
    assert card["title"] == "Does a linear repair help? No."
    assert (card["missed"], card["listed"]) == ("repair-gallery", TURNED)
    assert (card["id"], card["scale"]) == ("repair", None)  # those of level 3 are another card's
    none = Section("repair", "Repair", {"gallery": []})
    assert verdict_card(Findings("repair", sections=(none,)), REPAIRED)["missed"] is None


def test_another_question_is_asked_in_its_own_words():
    card = verdict_card(Findings("negation"), NEGATED)
    assert card["title"] == 'Reacts to "no"? Cannot be judged.'
    assert (card["id"], card["scale"], card["missed"]) == ("negation-text", None, None)
    assert verdict_card(Findings("mine"), Verdict("no", "No.", None))["title"] == ""


@pytest.mark.parametrize("level", [1, 2, 3])
def test_without_a_score_nothing_is_said_of_its_scale(level):
    verdict = Verdict("unclear", "Too few.", None, level, "text", 0)
    assert verdict_card(FOUND, verdict)["scale"] is None
    assert verdict_card(FOUND, replace(verdict, score=0.5))["scale"]
