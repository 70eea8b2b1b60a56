"""What training an encoder for the question adds, in words and as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.ceiling.along.study import FROZEN, TRAINED
from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import embeddings_of, seen

if TYPE_CHECKING:
    from conceptbind.ceiling.along.study import AlongStudy
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record

TERMS = (
    (
        "Trained along",
        "A copy of the encoder learns together with its classifiers, so that its weights follow "
        "the question. What it then recognises in test scenes is what the architecture can reach "
        "with so many scenes, and no measure of the encoder itself.",
    ),
)
ENOUGH = 20
"""Nouns in test scenes below which no share is told."""
HEAD = ("attribute", "weights", "right", "95 % interval", "bag of concepts", "n", "ties")


def along_sentence(study: AlongStudy) -> tuple[str, ...]:
    """For each attribute: the encoder trained for the question, beside it as it is and a bag of
    concepts.

    Args:
        study: what `along_study` returned.
    """
    concepts = [str(name) for name in study.records.distinct("concept")]
    return tuple(_sentence(study, concept) for concept in concepts)


def _sentence(study: AlongStudy, concept: str) -> str:
    before, after = (study.value(weights, concept) for weights in (FROZEN, TRAINED))
    who, bag = f"{embeddings_of(study.modality)} of {before.encoder}", study.bag(concept)
    if before.n < ENOUGH:
        return (
            f"Whether training the encoder for the question helps its {who} cannot be judged: "
            f"{before.n} nouns in test scenes, and at least {ENOUGH} are needed."
        )
    if not study.trained.helps:
        why = "all is right already" if study.trained.chosen.accuracy == 1 else "nothing is better"
        return (
            f"Training the encoder along with its classifiers was not chosen: on validation {why}. "
            f"The {who} tell the {concept} of a noun in {_share(before)}{_bag(bag)}."
        )
    gain = study.gain(concept)
    return (
        f"Trained along with its classifiers, the encoder tells the {concept} of a noun in "
        f"{_share(after)} of new combinations. The {who}, as they are, do in "
        f"{value_of(before)}{_bag(bag)}. {_judged(gain, after, bag)}"
    )


def _judged(gain: Record, after: Record, bag: Record) -> str:
    """Whether more could be in the embeddings, and whether that is more than concepts."""
    low, high = gain.ci_low, gain.ci_high
    change = f"{value_of(gain)}, {interval_of(gain)}"
    if low is None or high is None or low <= 0 <= high:
        return f"Whether training adds anything cannot be judged ({change})."
    if high < 0:
        return f"Trained, it is worse on new combinations ({change})."
    if after.ci_low is None or bag.value is None or after.ci_low <= bag.value:
        return (
            f"Training adds to them ({change}), but not clearly above a bag of concepts, so that "
            "nothing is claimed of binding."
        )
    return f"So the architecture can hold more than they do ({change})."


def _share(record: Record) -> str:
    return f"{value_of(record)} ({interval_of(record)}, n = {record.n:,})"


def _bag(bag: Record) -> str:
    return f"; a bag of concepts: {value_of(bag)}"


def along_section(study: AlongStudy) -> Section:
    """Both weights beside a bag of concepts, and what validation said of every epoch.

    Args:
        study: what `along_study` returned.
    """
    rows: list[tuple[str, ...]] = []
    for concept in map(str, study.records.distinct("concept")):
        bag = value_of(study.bag(concept))
        for weights in (FROZEN, TRAINED):
            one = study.value(weights, concept)
            told = (value_of(one), interval_of(one), bag, f"{one.n:,}", str(one.ties))
            rows.append((concept, weights, *told))
    tried, chosen = study.trained.epochs, study.trained.chosen
    said = ", ".join(f"{one.epoch}: {100 * one.accuracy:.1f} %" for one in tried)
    return section(
        f"trained-along-{study.modality}",
        f"{seen(study.modality).capitalize()}: an encoder trained for the question",
        *(paragraph(one) for one in along_sentence(study)),
        table(HEAD, rows),
        paragraph(
            f"Right on validation after each pass over the train scenes: {said}. Pass 0 is the "
            f"encoder as it was. Chosen: {chosen.epoch}."
        ),
    )
