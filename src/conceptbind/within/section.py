"""Paraphrases against swaps, the attribute of a noun, and one object among many, as sections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.findings import Section
from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.crossmodal.study import by_object
from conceptbind.probes.figures import table_by_object
from conceptbind.probes.section import cells, shown_controls
from conceptbind.report.blocks import card, gallery, paragraph, section, table
from conceptbind.report.items import list_id
from conceptbind.report.numbers import value_of
from conceptbind.report.page import small_picture, thumbnail
from conceptbind.report.words import seen
from conceptbind.within.figures import cosine_figure, sensitivity_figure, wording_figure
from conceptbind.within.study import main_record
from conceptbind.within.triplets import NEUTRAL, SETTINGS, TRAP

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.core.typing import Modality
    from conceptbind.scenes.table import Scenes
    from conceptbind.within.search import Missed, SearchStudy
    from conceptbind.within.study import WithinStudy

TERMS = (
    (
        "Paraphrase accuracy",
        "A caption, the same scene in other words, and the caption with attributes swapped. Right "
        "when caption and paraphrase are strictly nearer to each other than either is to the swap. "
        "For pictures the paraphrase is another picture of the same objects. By chance a third is "
        "right. One-sided: the paraphrase is nearer to the caption than the swap is; by chance a "
        "half.",
    ),
    (
        "Neutral, trap",
        "Neutral: caption, paraphrase and swap are worded in three ways, or all drawn again. Trap: "
        "the swap is worded as the caption is, or drawn in the places of the picture, and the "
        "paraphrase is not. An encoder that goes by the surface falls into it.",
    ),
    (
        "Lexical sensitivity",
        "Paraphrase accuracy in the trap minus that in the neutral setting: how much the surface "
        "decides. 0 is an encoder that goes by the scene alone.",
    ),
)
ROWS = {
    Metric.PARAPHRASE_ACCURACY: "both sides",
    Metric.PARAPHRASE_ACCURACY_ONE_SIDED: "one-sided",
}


def within_section(
    study: WithinStudy, scenes: Scenes, told: Callable[[int], tuple[str | Path, ...]]
) -> Section:
    """Paraphrases against swaps: both settings beside their controls, cosines, and traps.

    Args:
        study: of one modality.
        scenes: the table.
        told: from a row of the study's arrays to the caption, or the file of the picture.
    """
    records, what = study.records, seen(study.modality)
    controls = {**shown_controls(records)}
    blind = Control.BLIND_LENGTH
    if blind in records.distinct("control"):
        controls[blind] = "blind by length"
    shown = TRAP if TRAP in study.settings else NEUTRAL
    items, right, _ = study.settings[shown].by_item()
    title = f"{what.capitalize()} against {what}: is a paraphrase nearer than a swap?"
    data = {
        "title": "Paraphrases against swaps",
        "text": _text(study),
        "head": ("setting", "right", "95 % interval", *controls.values(), "n", "ties"),
        "rows": _rows(study, controls),
        "wordings": wording_figure(study),
        "cosines": cosine_figure(study),
        "curve": sensitivity_figure(study),
        "objects": _objects(study, scenes, shown),
        "n": len(items),
        "n_missed": int((right < 1).sum()),
        "missed": [_missed(study, item, scenes, told, shown) for item in study.worst(shown)],
    }
    return Section(f"within-{study.modality}", title, data, "within_section.html.j2")


def _text(study: WithinStudy) -> str:
    sensitivity = study.records.first(metric=Metric.LEXICAL_SENSITIVITY)
    words = (
        "Each scene with an attribute swap is compared by cosine with the same scene in other "
        "words and with its swap. "
        if study.modality == "text"
        else "Each picture is compared by cosine with another picture of the same objects and with "
        "pictures of its attribute swap. "
    )
    if sensitivity is None:
        return words + "These pictures were not drawn for it, so there is no trap."
    change = value_of(sensitivity)
    words += f"Trap minus neutral, the lexical sensitivity, is {change}."
    left_out = study.items.left_out
    if not left_out:
        return words
    named = ", ".join(left_out)
    return f"{words} Wordings whose words the encoder does not know, or that it cuts: {named}."


def _rows(study: WithinStudy, controls: dict[str, str]) -> list[tuple[str, ...]]:
    """Each setting by both rules, then its parts."""
    found: list[tuple[str, ...]] = []
    for setting in SETTINGS:
        if setting not in study.settings:
            continue
        for metric, rule in ROWS.items():
            own = main_record(study.records, setting, metric)
            others = [_control(study.records, own, name) for name in controls]
            value, interval, n, ties = cells(own, study.records, {})
            found.append((f"{setting}, {rule}", value, interval, *others, n, ties))
    dashes = ["-"] * len(controls)
    own_parts = study.records.where(metric=Metric.PARAPHRASE_ACCURACY, control=Control.NONE)
    for record in own_parts:
        name = next(
            (str(record[part]) for part in ("order", "concept") if record[part] is not None), None
        )
        if name is not None:
            value, interval, n, ties = cells(record, study.records, {})
            found.append((f"{record['setting']}, {name}", value, interval, *dashes, n, ties))
    return found


def _control(records: Records, own: Record, control: str) -> str:
    return value_of(main_record(records, str(own["setting"]), own.metric, control))


def _objects(study: WithinStudy, scenes: Scenes, setting: str) -> dict[str, Any] | None:
    """The strict share of the scenes that hold each object; None unless there are two concepts."""
    which, right, _ = study.settings[setting].by_item()
    scene = study.items.scene[which]
    counts = np.bincount(scene, minlength=len(scenes))
    with np.errstate(invalid="ignore"):
        means = np.bincount(scene, right, len(scenes)) / counts
    held = scenes.presence(None)[counts > 0].sum(axis=0)
    found = table_by_object(by_object(means, scenes), held, scenes)
    caption = f"Right in the {setting} setting, by {' × '.join(scenes.space.concepts)}"
    if found is None:
        return None
    listed = list_id(Metric.PARAPHRASE_ACCURACY, study.modality, setting)
    return {"caption": caption, "listed": f"{listed}-missed", **found}


def _missed(
    study: WithinStudy,
    item: int,
    scenes: Scenes,
    told: Callable[[int], tuple[str | Path, ...]],
    setting: str,
) -> dict[str, Any]:
    """An item as a card: its worst triplet."""
    found = study.settings[setting]
    mine = np.flatnonzero(found.triplets.item == item)
    nearest = np.maximum(found.to_negative, found.between)[mine]
    worst = mine[(found.to_paraphrase[mine] - nearest).argmin()]
    triplets, row = found.triplets, int(study.items.scene[item])
    rows = [int(part[worst]) for part in (triplets.anchor, triplets.paraphrase, triplets.negative)]
    same, swap, between = (
        float(part[worst]) for part in (found.to_paraphrase, found.to_negative, found.between)
    )
    names = (seen(study.modality)[:-1], "same", "swap")
    cards = [told(which) for which in rows]
    cosines = ["", f" ({same:.3f})", f" ({swap:.3f}; {between:.3f} with the same)"]
    texts = [f"{card[0]}{cosine}" for card, cosine in zip(cards, cosines, strict=True)]
    return {
        "id": scenes.ids[row],
        "values": scenes.shown_in(row),
        "texts": list(zip(names, texts, strict=True)),
        "pictures": [
            (name, thumbnail(Path(card[1])))
            for name, card in zip(names, cards, strict=True)
            if len(card) > 1
        ],
        "right": percent(float(found.outcome.correct[mine].mean())),
    }


def noun_section(records: Records, modality: Modality) -> Section | None:
    """Which attribute each noun has, of one modality; None where no noun could be asked about."""
    mine = records.where(study="attribute_probe", modality=modality)
    if not mine:
        return None
    controls = shown_controls(mine)
    head = ("noun", "right", "95 % interval", *controls.values(), "scenes (n)", "ties")
    tables = []
    for concept in mine.where(control=Control.NONE).distinct("concept"):
        own = mine.where(control=Control.NONE, concept=concept)
        rows = [(f"{r['noun'] or 'all nouns'} ({concept})", *cells(r, mine, controls)) for r in own]
        listed = list_id(Metric.ATTRIBUTE_RECOGNITION, modality, concept=str(concept))
        # a space finds all scenes; where all is right there is no list
        finds = [str(r["noun"] or " ") if r.value != 1 else "" for r in own]
        tables.append(table(head, rows, f"{listed}-missed", finds))
    return section(
        f"attribute-{modality}",
        f"{seen(modality).capitalize()}: which attribute does a noun have?",
        paragraph(
            "One linear classifier for every noun recognises the noun's attributes. A combination "
            "and all its swaps stay on one side of the split."
        ),
        *tables,
    )


def search_section(study: SearchStudy) -> Section:
    """One object among many, in pictures, with fields that were missed."""
    records = study.records
    controls = shown_controls(records)
    names: dict[str, str] = {
        Metric.SEARCH_ACCURACY: "linear classifier",
        Metric.SEARCH_IN_ORDER: "caption alone",
    }
    rows = [
        (f"{names[r.metric]} ({r['objects']} objects)", *cells(r, records, controls))
        for r in records.where(control=Control.NONE)
    ]
    shown = [_field(missed) for missed in study.missed]
    of = records.first(metric=Metric.SEARCH_ACCURACY, control=Control.NONE)
    assert of is not None
    told = f"The classifier was wrong about {study.n_missed:,} of {of.n:,} test fields."
    if len(shown) < study.n_missed:
        told += f" Here are {len(shown)} of them."
    missed = (paragraph(told), gallery("Fields that were missed", shown)) if shown else ()
    return section(
        "search",
        "Pictures: can one object be found among many?",
        paragraph(
            "Fields of two kinds of objects, half of them with the one object that joins the "
            "colour of one kind with the shape of the other. A classifier on the picture says "
            "whether it is there; its caption alone (zero-shot) orders pairs of fields. Chance is "
            "50 %."
        ),
        table(("search", "right", "95 % interval", *controls.values(), "n", "ties"), rows),
        *missed,
    )


def _field(missed: Missed) -> dict[str, Any]:
    """A missed field as a card."""
    there = "there" if missed.present else "not there"
    if missed.tied:
        said = "both answers scored the same"
    else:
        said = "not there" if missed.present else "there"
    return card(
        small_picture(missed.picture),
        f"{missed.objects} objects",
        {"look for": missed.target, "true": there, "said": said},
        {"object": missed.target},
        f"field {missed.row}",
    )
