"""What a linear probe recognises, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Control
from conceptbind.report.figures import ACCENT, CONTROL, GRID, as_html, hover, intervals
from conceptbind.report.numbers import percent

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats
    from conceptbind.probes.study import ProbeStudy
    from conceptbind.scenes.table import Scenes


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
            text=list(map(_percents, shares)),
            hovertemplate="%{y} %{x}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return as_html(figure, f"objects-{study.modality}", max(300, 22 * len(rows) + 140))


def _percents(shares: Floats) -> list[str]:
    """Shares as people read them; NaN is none."""
    return [percent(None if np.isnan(share) else float(share)) for share in shares]
