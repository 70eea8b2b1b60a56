"""What a figure says, without its looks."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

LOOKS = {"line", "marker", "font", "template", "width", "height", "margin", "gridcolor", "modebar"}
LOOKS |= {"automargin", "anchor", "domain", "matches", "opacity", "legend", "bargap", "color"}
LOOKS |= {"paper_bgcolor", "plot_bgcolor", "thickness", "backgroundcolor", "showticklabels"}


class Plotted(NamedTuple):
    """A figure: the id of its element, its traces, its layout."""

    id: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]


def plotted(html: str) -> Plotted:
    """What plotly's script draws."""
    text, found, read = html[html.index("Plotly.newPlot(") :], [], json.JSONDecoder().raw_decode
    at = text.index("(") + 1
    for _ in range(3):
        while text[at] in " ,\n\r\t":
            at += 1
        part, at = read(text, at)
        found.append(_told(part))
    return Plotted(*found)


def _told(part: Any) -> Any:
    """Without looks but for dashes, which tell lines apart; fractions to ten digits."""
    if isinstance(part, dict):
        told = {name: _told(value) for name, value in part.items() if name not in LOOKS}
        dash = part["line"].get("dash") if isinstance(part.get("line"), dict) else None
        return told | ({"dash": dash} if dash else {})
    if isinstance(part, list):
        return [_told(value) for value in part]
    return round(part, 10) if isinstance(part, float) else part
