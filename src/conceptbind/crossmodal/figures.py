"""What pictures prefer, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.report.figures import ACCENT, CONTROL, GRID, INK, as_html, hover, intervals

if TYPE_CHECKING:
    from conceptbind.crossmodal.study import CrossmodalStudy


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
