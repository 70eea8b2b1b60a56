"""What each kind of probe recognises, in words and as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.names import Control
from conceptbind.probes.kinds.study import COSINE, LINEAR, PAIRS
from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import embeddings_of, seen

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record
    from conceptbind.probes.kinds.study import KindsStudy

TERMS = (
    (
        "Probe by cosine",
        "One direction for each value or object, all of length 1, and one scale for all: what the "
        "cosine of an embedding with a learned query recognises.",
    ),
    (
        "Probe of pairs",
        "One class for each pair of objects. It is fitted on one order of the objects of every "
        "scene, and scored on the other orders.",
    ),
)
ASKED = {LINEAR: "linear", COSINE: "by cosine", PAIRS: "of pairs, linear"}
"""Kinds of probes in words."""
HEAD = ("probe", "recognition of", "share", "95 % interval", "bag of concepts", "n", "ties")
NO_ORDERS = (
    "Pairs of objects were not asked for: it takes scenes that hold the same objects in two orders."
)


def kinds_sentence(study: KindsStudy) -> str:
    """What probes by cosine and of pairs recognise beside linear ones.

    Args:
        study: what `kinds_study` returned.
    """
    linear, cosine, pairs = (study.value(kind) for kind in (LINEAR, COSINE, PAIRS))
    assert cosine is not None
    beside = "" if linear is None else f" A linear one recognises them in {value_of(linear)}."
    words = (
        f"In the {embeddings_of(study.modality)} of {cosine.encoder} a probe by cosine recognises "
        f"all objects of {_share(cosine)} of the test scenes{_bag(study, COSINE)}.{beside}"
    )
    if pairs is None:
        return f"{words} {NO_ORDERS}"
    return (
        f"{words} A probe of {counted(study.n_pairs or 0, 'pair')} of objects, fitted on one order "
        f"of each, recognises the pairs in {_share(pairs)} of the scenes in other orders"
        f"{_bag(study, PAIRS)}."
    )


def _share(record: Record) -> str:
    return f"{value_of(record)} ({interval_of(record)}, n = {record.n:,})"


def _bag(study: KindsStudy, kind: str) -> str:
    """What a bag of concepts reaches by the same kind of probe."""
    bag = study.value(kind, Control.BAG_OF_CONCEPTS)
    return "" if bag is None else f"; a bag of concepts: {value_of(bag)}"


def kinds_section(study: KindsStudy) -> Section:
    """Each kind of probe and what it recognises, beside a bag of concepts.

    Args:
        study: what `kinds_study` returned.
    """
    rows: list[tuple[str, ...]] = []
    for one in study.records.where(control=Control.NONE):
        told = {"metric": one.metric, "concept": one["concept"], "probe": one["probe"]}
        bag = study.records.first(control=Control.BAG_OF_CONCEPTS, **told)
        name = str(one["concept"] or ("pairs" if one["probe"] == PAIRS else "objects"))
        beside = "-" if bag is None else value_of(bag)
        share = (value_of(one), interval_of(one), beside, f"{one.n:,}", str(one.ties))
        rows.append((ASKED[str(one["probe"])], name, *share))
    return section(
        f"probe-kinds-{study.modality}",
        f"{seen(study.modality).capitalize()}: probes by cosine, and of pairs of objects",
        paragraph(kinds_sentence(study)),
        table(HEAD, rows),
    )
