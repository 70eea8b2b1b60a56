"""Sections of paragraphs, tables and figures, for studies that need no template of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conceptbind.core.findings import Section
from conceptbind.report.charts import Chart


def section(id: str, title: str, *blocks: Mapping[str, Any]) -> Section:
    """A section of paragraphs, tables and figures, which needs no template of its own.

    Args:
        id: of the HTML element, so that it can be linked to.
        title: the heading.
        blocks: of `paragraph`, `table`, `figure` and `gallery`, in order.
    """
    return Section(id, title, {"blocks": list(blocks)})


def paragraph(text: str) -> dict[str, Any]:
    """Text of a section."""
    return {"kind": "paragraph", "text": text}


def table(
    head: tuple[str, ...],
    rows: list[tuple[str, ...]],
    listed: str = "",
    finds: Sequence[str] = (),
) -> dict[str, Any]:
    """A table of a section: its head, and one tuple of cells a row.

    Args:
        head: names of the columns.
        rows: cells.
        listed: id of a list of the page that the last cells lead to; empty for none.
        finds: words by which that list is searched, for each row; a space finds all.
    """
    cells = [list(row) for row in rows]
    found = {"kind": "table", "head": list(head), "rows": cells}
    return found | {"listed": listed, "finds": list(finds)} if listed else found


def figure(chart: Chart) -> dict[str, Any]:
    """A chart of a section; its id is unique on the page."""
    return {"kind": "figure", "chart": chart}


def gallery(label: str, cards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Cards of a section, six of them at once.

    Args:
        label: what they are.
        cards: of `card`.
    """
    return {"kind": "gallery", "label": label, "cards": list(cards)}


def card(
    picture: str, shows: str, told: Mapping[str, str], values: Mapping[str, str], tag: str
) -> dict[str, Any]:
    """One item of a gallery. The last of what is told is marked as missed.

    Args:
        picture: a data address.
        shows: what is on the picture.
        told: about it, by name.
        values: what the gallery is filtered by, by concept.
        tag: where the item is.
    """
    lines = list(told.items())
    return {"picture": picture, "shows": shows, "told": lines, "values": values, "tag": tag}
