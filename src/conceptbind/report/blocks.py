"""Sections of paragraphs, tables and figures, for studies that need no template of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conceptbind.core.findings import Section
from conceptbind.report.charts import Chart


def section(id: str, title: str, *blocks: Mapping[str, Any]) -> Section:
    """A section of paragraphs, tables and figures, which needs no template of its own.

    Args:
        id: of the HTML element, so that it can be linked to.
        title: the heading.
        blocks: of `paragraph`, `table` and `figure`, in order.
    """
    return Section(id, title, {"blocks": list(blocks)})


def paragraph(text: str) -> dict[str, Any]:
    """Text of a section."""
    return {"kind": "paragraph", "text": text}


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> dict[str, Any]:
    """A table of a section: its head, and one tuple of cells a row."""
    return {"kind": "table", "head": list(head), "rows": [list(row) for row in rows]}


def figure(chart: Chart) -> dict[str, Any]:
    """A chart of a section; its id is unique on the page."""
    return {"kind": "figure", "chart": chart}
