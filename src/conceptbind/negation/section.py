"""Negated captions beside their twins, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.negation.study import CAPTION, SCENE
from conceptbind.negation.wordings import CLAUSE, FORMS
from conceptbind.negation.words import SHOWN
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import interval_of, number, value_of
from conceptbind.report.words import CONTROLS, OF_WORDS, control_name

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record
    from conceptbind.negation.study import NegationStudy

TERMS = (
    (
        "Negated accuracy",
        'A caption with "no circle" chooses between two scenes that differ in one object: one has '
        "a circle, the other a triangle in its place. Right when the scene without the circle is "
        "strictly nearer. By chance a half is right. Affirmative accuracy: the same with "
        '"a circle", where the other scene is right.',
    ),
    (
        "Negation ignored",
        "Share of negated captions that choose the scene that their affirmative twin chooses: as "
        'if "no" were not there. Mention pull: share of clauses ("and no circle") that bring the '
        "scene with the object nearer than the caption without the clause does.",
    ),
    (
        "Clause, alone, exchanged",
        '"A red square and no circle"; "no circle"; and "a triangle and no circle" beside "a '
        'circle and no triangle", which are the same words to a bag.',
    ),
)
WORST = 12
"""Negated captions of the list of misses."""
NAMES = {
    Metric.NEGATED_ACCURACY: "negated caption is right",
    Metric.AFFIRMATIVE_ACCURACY: "affirmative twin is right",
    Metric.NEGATION_IGNORED: "both choose the same",
    Metric.MENTION_PULL: "the clause pulls towards the object",
}
ASKING = {CAPTION: "a caption chooses", SCENE: "a scene chooses"}


def negation_section(study: NegationStudy) -> Section:
    """All numbers beside their controls, by wording, and captions that went wrong."""
    what = SHOWN[study.modality]
    controls = _controls(study)
    head = ("asked", "share", "95 % interval", *controls.values(), "n", "ties")
    near = [study.records.first(metric=m, control=Control.NONE) for m in _COSINES]
    told = [
        f"{name} {number(one.value)}"
        for name, one in zip(_COSINES.values(), near, strict=True)
        if one
    ]
    left_out = ", ".join(study.bank.left_out)
    said = (
        f"Each pair of {what} differs in the noun of one object. A caption says that this noun is "
        "absent, and its twin that it is there."
    )
    if left_out:
        said += f" Wordings that the encoder does not read, or cuts: {left_out}."
    return section(
        f"negation-{study.modality}",
        f'Captions against {what}: does the encoder react to "no"?',
        paragraph(said),
        table(head, _rows(study, controls)),
        figure(_figure(study)),
        paragraph(f"Cosines: {'; '.join(told)}."),
        paragraph("Negated captions that are furthest from right, one for each pair of scenes:"),
        table(("caption", "without the object", "with it", "lead"), _misses(study)),
    )


_COSINES = {
    Metric.NEGATION_COSINE: "of a caption and its negation",
    Metric.UNRELATED_COSINE: "of captions of other scenes",
}


def _controls(study: NegationStudy) -> dict[str, str]:
    there = study.records.distinct("control")
    known = {**CONTROLS, **{str(name): control_name(name) for name in OF_WORDS}}
    return {name: words for name, words in known.items() if name in there}


def _rows(study: NegationStudy, controls: dict[str, str]) -> list[tuple[str, ...]]:
    """Everything that is a share, of all wordings together and of each form."""
    rows = []
    own = study.records.where(control=Control.NONE, wording=None, chooser=(CAPTION, SCENE))
    for record in own:
        others = [_beside(study, record, name) for name in controls]
        form = "clauses and alone" if record["form"] is None else str(record["form"])
        name = f"{ASKING[str(record['chooser'])]}: {NAMES[Metric(record.metric)]} ({form})"
        ties = "-" if record.ties is None else f"{record.ties:,}"
        row = (name, value_of(record), interval_of(record), *others, f"{record.n:,}", ties)
        rows.append(row)
    return rows


def _beside(study: NegationStudy, record: Record, control: str) -> str:
    about = {name: record[name] for name in ("metric", "chooser", "form", "wording")}
    found = study.records.first(control=control, **about)
    return "-" if found is None else value_of(found)


def _figure(study: NegationStudy) -> Chart:
    """Negated captions beside their twins, by wording."""
    looks: dict[Metric, tuple[Look, str]] = {
        Metric.NEGATED_ACCURACY: ("own", "with negation"),
        Metric.AFFIRMATIVE_ACCURACY: ("random", "the same without"),
        Metric.NEGATION_IGNORED: ("bag", "both choose the same"),
    }
    series = []
    for metric, (look, name) in looks.items():
        mine = study.records.where(metric=metric, chooser=CAPTION, control=Control.NONE, form=None)
        points = [point_of(one, str(one["wording"])) for one in mine if one["wording"] is not None]
        series.append(Series(name, tuple(points), look))
    return Chart(
        f"negation-{study.modality}-wordings",
        "Captions with a negation beside the same captions without, by wording",
        "bars",
        tuple(series),
        "wording",
        "share",
        reference=0.5,
        reference_name="chance",
    )


def _misses(study: NegationStudy) -> list[tuple[str, ...]]:
    """The clause of each pair that prefers the scene with the object by most."""
    bank, captions = study.bank, study.bank.captions
    clause = np.flatnonzero(bank.form == FORMS.index(CLAUSE))
    if not len(clause):
        clause = np.arange(len(bank))
    lead = study.leads[0, clause]
    order = np.argsort(lead, kind="stable")
    _, place = np.unique(bank.item[clause[order]], return_index=True)
    rows = []
    for at in np.sort(place)[:WORST]:
        query = clause[order[at]]
        if study.leads[0, query] >= 0:
            break
        pair, target = bank.described[bank.item[query]], bank.target[query]
        texts = (bank.negated[query], pair[1 - target], pair[target])
        rows.append(
            (
                *(captions.caption(int(row)) for row in texts),
                number(float(study.leads[0, query])),
            )
        )
    return rows
