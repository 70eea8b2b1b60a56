"""The figures of the report, as HTML fragments. Plotly's script stands once in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.report.numbers import interval_of, percent, value_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from conceptbind.core.records import Record
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.scenes.table import Scenes

INK, ACCENT, CONTROL, GRID = "#1f2933", "#2563a8", "#b9c2cc", "#e4e8ec"


def recognition_figure(study: ProbeStudy) -> str:
    """Bars with intervals: every concept and the objects, beside the bag-of-concepts control."""
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = (
        (Control.NONE, f"{study.modality} embeddings", ACCENT),
        (Control.RANDOM_WEIGHTS, "the same model with random weights", "#d9a441"),
        (Control.BAG_TWIN, "a twin trained as a bag of concepts", "#7a9a7e"),
        (Control.BAG_OF_CONCEPTS, "a bag of concepts, same scenes", CONTROL),
    )
    for control, name, color in shown:
        records = study.records.where(control=control).scored()
        if not records:
            continue
        figure.add_bar(
            x=[str(r["concept"] or "objects") for r in records],
            y=[r.value for r in records],
            name=name,
            marker_color=color,
            error_y=intervals(records),
            **hover(records, "%{x}"),
        )
    figure.update_yaxes(range=[0, 1.05], title="share of scenes recognised", gridcolor=GRID)
    return as_html(figure, f"recognition-{study.modality}", 380)


def object_figure(study: ProbeStudy, scenes: Scenes) -> str | None:
    """Object recognition by attribute and noun; None unless there are two concepts."""
    import plotly.graph_objects as go

    if len(scenes.space.concepts) != 2:
        return None
    rows, columns = scenes.space.values
    shares = study.by_object.reshape(len(rows), len(columns))
    figure = go.Figure(
        go.Heatmap(
            z=np.where(np.isnan(shares), None, np.round(shares, 4)).tolist(),  # type: ignore[call-overload]
            x=list(columns),
            y=list(rows),
            colorscale=[[0, "#8c2d19"], [0.5, "#f4e9d8"], [1, "#2563a8"]],
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            colorbar={"title": "share", "thickness": 12},
            text=[
                [percent(None if np.isnan(share) else float(share)) for share in row]
                for row in shares
            ],
            hovertemplate="%{y} %{x}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return as_html(figure, f"objects-{study.modality}", max(300, 22 * len(rows) + 140))


def crossmodal_figure(study: CrossmodalStudy) -> str:
    """What a picture prefers: its caption to one with another concept, and to its attribute swap,
    by order of mention.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    orders = {
        "either": "all orders",
        "as listed": "first slot named first",
        "reversed": "last slot named first",
    }
    names = {
        Metric.CONCEPT_ACCURACY: "against another concept",
        Metric.BINDING_ACCURACY: "against the attribute swap",
    }
    for metric, color in ((Metric.CONCEPT_ACCURACY, CONTROL), (Metric.BINDING_ACCURACY, ACCENT)):
        records = study.records.where(metric=metric).scored()
        figure.add_bar(
            x=[orders[str(r["order"])] for r in records],
            y=[r.value for r in records],
            name=names[metric],
            marker_color=color,
            error_y=intervals(records),
            **hover(records, "%{x}"),
        )
    figure.add_hline(y=0.5, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_yaxes(range=[0, 1.05], title="share of comparisons won", gridcolor=GRID)
    return as_html(figure, "crossmodal", 380)


def swap_cosine_figure(study: CrossmodalStudy) -> str | None:
    """How similar captions are to their attribute swaps; None without swaps."""
    import plotly.graph_objects as go

    if len(study.swap_cosines) == 0:
        return None
    counts, edges = np.histogram(
        np.clip(study.swap_cosines, -1, 1),
        bins=60,
        range=(float(min(study.swap_cosines.min(), 0)), 1.0),
    )
    middles = np.round((edges[1:] + edges[:-1]) / 2, 4)
    figure = go.Figure(
        go.Bar(
            x=middles.tolist(),
            y=counts.tolist(),
            marker_color=ACCENT,
            hovertemplate="%{x:.3f}: %{y:,}<extra></extra>",
        )
    )
    figure.update_layout(bargap=0.05)
    figure.update_xaxes(title="cosine of a caption with its attribute swap")
    figure.update_yaxes(title="captions", gridcolor=GRID)
    return as_html(figure, "swap-cosines", 300)


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
