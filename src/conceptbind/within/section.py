"""The attribute of a noun, and one object among many, as sections of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Section
from conceptbind.core.names import Control, Metric
from conceptbind.probes.section import cells, shown_controls
from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.words import seen

if TYPE_CHECKING:
    from conceptbind.core.records import Records
    from conceptbind.core.typing import Modality


def noun_section(records: Records, modality: Modality) -> Section | None:
    """Which attribute each noun has, of one modality; None where no noun could be asked about."""
    mine = records.where(study="attribute_probe", modality=modality)
    if not mine:
        return None
    controls = shown_controls(mine)
    rows = [
        (f"{r['noun'] or 'all nouns'} ({r['concept']})", *cells(r, mine, controls))
        for r in mine.where(control=Control.NONE)
    ]
    return section(
        f"within-{modality}",
        f"{seen(modality).capitalize()}: which attribute does a noun have?",
        paragraph(
            "One linear classifier for every noun recognises the noun's attributes. A combination "
            "and all its swaps stay on one side of the split."
        ),
        table(("noun", "right", "95 % interval", *controls.values(), "scenes (n)", "ties"), rows),
    )


def search_section(records: Records) -> Section:
    """One object among many, in pictures."""
    controls = shown_controls(records)
    names: dict[str, str] = {
        Metric.SEARCH_ACCURACY: "linear classifier",
        Metric.SEARCH_IN_ORDER: "caption alone",
    }
    rows = [
        (f"{names[r.metric]} ({r['objects']} objects)", *cells(r, records, controls))
        for r in records.where(control=Control.NONE)
    ]
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
    )
