"""The attribute of a noun, and one object among many, as sections of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conceptbind.core.findings import Section
from conceptbind.probes.section import cells, shown_controls
from conceptbind.report.blocks import paragraph, section, table

if TYPE_CHECKING:
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Modality


def noun_section(records: Sequence[Record], modality: Modality) -> Section | None:
    """Which attribute each noun has, of one modality; None where no noun could be asked about."""
    mine = [r for r in records if (r.study, r.modality) == ("attribute_probe", modality)]
    if not mine:
        return None
    controls = shown_controls(mine)
    rows = [
        (f"{r.extra.get('noun') or 'all nouns'} ({r.extra['concept']})", *cells(r, mine, controls))
        for r in mine
        if r.extra["control"] == "none"
    ]
    return section(
        f"within-{modality}",
        f"{modality.capitalize()}: which attribute does a noun have?",
        paragraph(
            "One linear classifier for every noun recognises the noun's attributes. A combination "
            "and all its swaps stay on one side of the split."
        ),
        table(("noun", "right", "95 % interval", *controls.values(), "scenes (n)", "ties"), rows),
    )


def search_section(records: Sequence[Record]) -> Section:
    """One object among many, in pictures."""
    controls = shown_controls(records)
    names = {"search_accuracy": "linear classifier", "search_in_order": "caption alone"}
    rows = [
        (f"{names[r.metric]} ({r.extra['objects']} objects)", *cells(r, records, controls))
        for r in records
        if r.extra["control"] == "none"
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
