"""How complex the binding function is, as a table and a figure beside the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conceptbind.complexity.words import NAMES, complexity_sentence, weakest
from conceptbind.core.names import Metric
from conceptbind.report.figures import ACCENT, CONTROL, GRID, INK, as_html
from conceptbind.report.numbers import value_of
from conceptbind.report.page import drawn
from conceptbind.report.tables import complexity_cells

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.records import Record

LABELS = {"embeddings": "the real embeddings", "bag_of_concepts": "a bag of concepts", **NAMES}
COLORS = {
    "embeddings": INK,
    "bag_of_concepts": CONTROL,
    "additive": "#8fb3d9",
    "per_object_product": "#d9a441",
    "global_product": "#8c2d19",
    "per_object_product_alone": "#e3c58f",
    "global_product_alone": "#c98b7f",
    "mlp": ACCENT,
    "boosting": "#7a9a7e",
    "forest": "#4f7355",
}
DASHES = ("solid", "dash", "dot", "dashdot")
"""Of one approximator's widths."""
PAPER = ((0.9,), (0.2,)), ((0.3, 0.9), (0.8, 0.8))
"""CLIP in arXiv 2605.31503, section 6, read off its text: objects near 0.20 even at width 4096 and
coverage 0.9; concepts at 0.80 or more from coverage 0.3. Boosting and forests agree."""


def complexity_section(study: ComplexityStudy) -> dict[str, Any]:
    """What the template shows."""
    return {
        "modality": study.modality,
        "sentence": complexity_sentence(study),
        "readout": study.readouts[0],
        "figure": drawn(coverage_figure(study)) if study.scores() else None,
        "rows": complexity_cells(study.records),
        "notes": study.notes,
    }


def coverage_figure(study: ComplexityStudy) -> str:
    """Recognition in scenes of new objects over coverage: objects and the hardest concept side by
    side, with intervals over draws.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        subplot_titles=("objects", "hardest concept"),
        horizontal_spacing=0.05,
    )
    owners = ((str(r["approximator"]), r["width"]) for r in study.records)
    shown = dict.fromkeys(owner for owner in owners if owner[0] in LABELS)
    widths = Counter(name for name, _ in shown)
    several = [name for name in LABELS if widths[name] > 1]
    for name, width in sorted(
        shown, key=lambda pair: (list(LABELS).index(pair[0]), int(pair[1] or 0))
    ):
        wide = int(width) if isinstance(width, int) else None
        same = sorted(int(other or 0) for owner, other in shown if owner == name)
        label = LABELS[name] + (f" {wide}" if name in several else "")
        dash = (
            "dot"
            if name in ("embeddings", "bag_of_concepts")
            else DASHES[same.index(wide or 0) % len(DASHES)]
        )
        for column, records in enumerate(
            (study.curve(Metric.OBJECT_RECOGNITION, name, wide), weakest(study, name, wide)),
            start=1,
        ):
            records = [record for record in records if record.value is not None]  # noqa: PLW2901
            figure.add_scatter(
                x=[r["coverage"] for r in records],
                y=[r.value for r in records],
                name=label,
                legendgroup=label,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": COLORS[name], "dash": dash},
                error_y=_error_bars(records),
                customdata=[[r["n_seeds"], r.n, value_of(r)] for r in records],
                hovertemplate="coverage %{x}: %{customdata[2]}<br>%{customdata[0]} draws, n = "
                "%{customdata[1]:,}<extra>" + label + "</extra>",
                row=1,
                col=column,
            )
    for column, (x, y) in enumerate(PAPER, start=1):
        figure.add_scatter(
            x=x,
            y=y,
            name="CLIP, as published (about)",
            legendgroup="paper",
            showlegend=column == 1,
            mode="lines+markers",
            line={"color": "#6b3fa0", "dash": "dash"},
            marker={"symbol": "x"},
            row=1,
            col=column,
        )
    figure.update_xaxes(title="share of objects trained on", range=[0, 1], gridcolor=GRID)
    figure.update_yaxes(range=[-0.02, 1.05], gridcolor=GRID)
    figure.update_yaxes(title="share of scenes recognised", col=1)
    return as_html(figure, f"complexity-{study.modality}", 460, legend_at=-0.2)


def _error_bars(records: Sequence[Record]) -> dict[str, Any]:
    """From each value to the ends of its interval; of no length where a record has none."""
    above, below = [], []
    for r in records:
        value = r.value or 0
        above.append((value if r.ci_high is None else r.ci_high) - value)
        below.append(value - (value if r.ci_low is None else r.ci_low))
    return {"array": above, "arrayminus": below, "thickness": 1, "width": 2}
