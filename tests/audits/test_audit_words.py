"""The verdict on an index: every branch and threshold by a hand-made case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from conceptbind.audits.words import audit_verdict, next_step
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records


def record(metric, value, low, high, n=336, **told):
    facts = {"study": "audit", "modality": "image", "split": "all", "scenes": "shop", "ties": 0}
    facts |= {"encoder": "minilm", "level": 3, **told}
    return Record.of(metric=metric, value=value, ci_low=low, ci_high=high, n=n, **facts)


def judged(value, low, high, control=None, modality="image"):
    records = Records(
        [
            record(Metric.BINDING_ACCURACY, value, low, high),
            record(Metric.SWAP_ERROR, 1 - value, 1 - high, 1 - low),
        ]
    )
    if control is not None:
        records += [record(Metric.BINDING_ACCURACY, *control, control=Control.BLIND_LENGTH)]
    audit = SimpleNamespace(modality=modality, name="shop", encoder="minilm")
    return audit_verdict(SimpleNamespace(records=records, audit=audit))


@pytest.mark.parametrize(
    ("value", "low", "high", "word"),
    [
        (0.90, 0.88, 0.92, "yes"),
        (0.899, 0.88, 0.92, "partly"),
        (0.90, 0.60, 0.99, "unclear"),  # it may be no more than usable in part
        (0.60, 0.501, 0.65, "partly"),
        (0.60, 0.50, 0.65, "unclear"),  # chance is inside
        (0.599, 0.55, 0.5999, "no"),
        (0.599, 0.55, 0.60, "unclear"),  # the interval holds the threshold
        (0.00, 0.00, 0.02, "no"),
    ],
)
def test_every_threshold(value, low, high, word):
    found = judged(value, low, high)
    assert (found.word, found.score, found.level, found.n) == (word, value, 3, 336)
    assert found.control == "chance"


def test_captions_are_judged_at_level_2():
    assert (judged(0.95, 0.9, 0.97, modality="text").level) == 2


@pytest.mark.parametrize(
    ("control", "word", "told"),
    [
        ((0.5, 0.4, 0.6), "partly", "chance: 50 %)."),  # no more than a coin: not named
        ((0.55, 0.5, 0.619), "partly", "the blind control by length, reaches 55.0 %."),
        ((0.55, 0.5, 0.62), "unclear", "reaches 55.0 %, which is not clearly less."),
        ((0.7, 0.6, 0.8), "unclear", "Many more captions with two attribute-noun phrases"),
    ],
)
def test_what_the_length_alone_reaches_too_is_no_binding(control, word, told):
    found = judged(0.68, 0.62, 0.74, control)
    assert found.word == word
    assert told in found.sentence


@pytest.mark.parametrize(
    ("recommended", "word", "embeds", "why", "command"),
    [
        (
            True,
            "no",
            True,
            "Map the queries",
            "query {index} * --encoder {encoder} --adapter {out}",
        ),
        (True, "no", False, "Map the rows", "apply {out} --texts QUERIES.npy --out mapped.npy"),
        (False, "unclear", True, "Look at more", "audit {encoder} * --sample 10000"),
        (False, "unclear", False, "Look at more", "audit file:more.npy * --sample 10000"),
        (
            False,
            "yes",
            True,
            "Nothing has to be",
            "query {index} * --encoder {encoder} --way whole",
        ),
        (False, "yes", False, "Nothing has to be", "query {index} * --encoder ENCODER --way whole"),
        (False, "partly", False, "No linear map", "query {index} * --encoder ENCODER --way sum"),
    ],
)
def test_what_to_do_next(recommended, word, embeds, why, command):
    item = SimpleNamespace(attributes=("red", "blue"), nouns=("cube", "ball"))
    audit = SimpleNamespace(drawn=SimpleNamespace(items=[item]))
    study = SimpleNamespace(
        audit=audit, pairs=[SimpleNamespace(example=0)], recommended=recommended
    )
    told, form = next_step(study, SimpleNamespace(word=word), embeds=embeds)
    assert told.startswith(why)
    first, _, rest = command.partition(" * ")
    assert form.startswith(f"conceptbind {first}")
    assert rest in form
