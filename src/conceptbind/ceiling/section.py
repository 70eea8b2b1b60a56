"""An encoder beside free embeddings of its width, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import seen

if TYPE_CHECKING:
    from conceptbind.ceiling.study import CeilingStudy
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Records

TERMS = (
    (
        "Free embeddings",
        "A table of one row for each scene, fitted together with linear probes of all values and "
        "objects. No encoder makes the rows, so only their width limits them. They are scored on "
        "the scenes that they were fitted to: a ceiling, and no measure of an encoder.",
    ),
)
HEAD = (
    *("recognition of", "the encoder", "95 % interval", "n"),
    *("free, by product", "free, by cosine", "scenes"),
)


def ceiling_section(study: CeilingStudy, own: Records) -> Section:
    """Each concept and objects: the encoder on new scenes, free embeddings on all.

    Args:
        study: free embeddings of the encoder's width.
        own: recognition by the encoder's own probes, on test scenes.
    """
    rows: list[tuple[str, ...]] = []
    for free in study.records.where(protocol="dot"):
        about = {"metric": free.metric, "concept": free["concept"]}
        mine, cosine = own.one(**about), study.records.one(protocol="cosine", **about)
        told = (value_of(mine), interval_of(mine), f"{mine.n:,}")
        name = str(free["concept"] or "objects")
        rows.append((name, *told, value_of(free), value_of(cosine), f"{free.n:,}"))
    best = study.best["dot"]
    fewest = "more than these" if study.fewest is None else str(study.fewest)
    return section(
        f"ceiling-{study.modality}",
        f"{seen(study.modality).capitalize()}: what {study.dimension} dimensions can hold",
        table(HEAD, rows),
        paragraph(
            f"Best start: {best.start}, after {best.steps} steps. Fewest dimensions in which all "
            f"objects were recognised: {fewest}. With fewer, rows that were not found may exist."
        ),
    )
