"""The figures of the report, as HTML fragments. Plotly's script stands once in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conceptbind.report.numbers import interval_of, value_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from conceptbind.core.records import Record

INK, ACCENT, CONTROL, GRID = "#1f2933", "#2563a8", "#b9c2cc", "#e4e8ec"


def hover(records: Sequence[Record], where: str) -> dict[str, Any]:
    """What the pointer shows of each record, in the words of the tables: plotly's own formats round
    halves another way.

    Args:
        records: in the order of the points.
        where: what stands in front of the value, in plotly's terms (`%{x}`).
    """
    told = [
        [value_of(r), interval_of(r), f"{r.n:,}", "-" if r.ties is None else f"{r.ties:,}"]
        for r in records
    ]
    words = (
        "%{customdata[0]}<br>95 %: %{customdata[1]}<br>n = %{customdata[2]}, ties "
        "%{customdata[3]}<extra></extra>"
    )
    return {"customdata": told, "hovertemplate": f"{where}: {words}"}


def intervals(records: Sequence[Record]) -> dict[str, Any]:
    """Error bars from each value to the ends of its interval; none where a record has no
    interval.
    """
    return {
        "type": "data",
        "symmetric": False,
        "array": [_length(r.value, r.ci_high) for r in records],
        "arrayminus": [_length(r.ci_low, r.value) for r in records],
        "color": INK,
        "thickness": 1.2,
    }


def _length(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else high - low


def as_html(figure: go.Figure, name: str, height: int, legend_at: float = 1.12) -> str:
    """A figure as a fragment of HTML, in the report's look; `legend_at` is the height of its
    legend, 0 at the axis and 1 at the top.
    """
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 10 if legend_at > 1 else 32, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "color": INK, "size": 13},
        legend={"orientation": "h", "y": legend_at, "x": 0},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": CONTROL, "activecolor": ACCENT},
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    config: dict[str, Any] = {
        "responsive": True,
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
    }
    html: str = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    return html
