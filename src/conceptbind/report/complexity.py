"""How complex the binding function is, as a sentence, a table and a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.report.figures import ACCENT, CONTROL, GRID, INK, as_html
from conceptbind.report.numbers import percent
from conceptbind.report.tables import complexity_cells

if TYPE_CHECKING:
    from conceptbind.results import Record
    from conceptbind.studies import ComplexityStudy

NAMES = {
    "embeddings": "the real embeddings",
    "bag_of_concepts": "a bag of concepts",
    "chosen": "best on validation",
    "additive": "additive",
    "per_object_product": "products in an object",
    "global_product": "product of all",
    "per_object_product_alone": "products in an object, alone",
    "global_product_alone": "product of all, alone",
    "mlp": "MLP",
    "boosting": "boosting",
    "forest": "forest",
}
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
SIMPLE, SOMEWHAT = 0.8, 0.2
"""Generalisation scores from which a binding function is simple, or simple in part."""


def complexity_sentence(study: ComplexityStudy) -> str | None:
    """One sentence on whether a small approximator knows the embeddings of unseen objects; None where nothing was scored."""
    scores = {str(record.extra["approximator"]): record for record in study.scores()}
    chosen = scores.get("chosen")
    if chosen is None or chosen.value is None:
        return None
    objects, concepts = study.curve("object_recognition", "chosen"), _weakest(study, "chosen", None)
    last = objects[-1]
    who = f"The rule from labels to the {study.modality} embeddings"
    level = (
        "is simple"
        if chosen.value >= SIMPLE
        else "is simple in part"
        if chosen.value >= SOMEWHAT
        else "does not carry over to new objects"
    )
    spread = "" if chosen.ci_low is None else f" ({chosen.ci_low:.2f} to {chosen.ci_high:.2f})"
    words = (
        f"{who} {level}: from {percent(float(last.extra['coverage'] or 0))} of the objects the best approximator foretells embeddings of "
        f"unseen ones in which the probes read the objects of {percent(last.value)} of the scenes"
    )
    if concepts:
        words += f" and the hardest concept of {percent(concepts[-1].value)}"
    return f"{words}; generalisation score {chosen.value:.2f}{spread} on a scale from 0, no more than a bag of concepts, to 1."


def complexity_section(study: ComplexityStudy) -> dict[str, Any]:
    """What the template shows."""
    from markupsafe import Markup

    return {
        "modality": study.modality,
        "sentence": complexity_sentence(study),
        "figure": Markup(coverage_figure(study)) if study.scores() else None,  # noqa: S704 - made by plotly, which escapes labels
        "rows": complexity_cells([record.flat() for record in study.records]),
        "notes": study.notes,
    }


def coverage_figure(study: ComplexityStudy) -> str:
    """Recognition in scenes of unseen objects over coverage: objects and the hardest concept side by side, with intervals over seeds."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, subplot_titles=("objects", "hardest concept"), horizontal_spacing=0.05
    )
    shown = dict.fromkeys(
        (str(r.extra["approximator"]), r.extra["width"]) for r in study.records if r.extra["approximator"] != "chosen"
    )
    several = [name for name in NAMES if sum(name == other for other, _ in shown) > 1]
    for name, width in sorted(shown, key=lambda pair: (list(NAMES).index(pair[0]), int(pair[1] or 0))):
        wide = int(width) if isinstance(width, int) else None
        same = sorted(int(other or 0) for owner, other in shown if owner == name)
        label = NAMES[name] + (f" {wide}" if name in several else "")
        dash = "dot" if name in ("embeddings", "bag_of_concepts") else DASHES[same.index(wide or 0) % len(DASHES)]
        for column, records in enumerate((study.curve("object_recognition", name, wide), _weakest(study, name, wide)), start=1):
            records = [record for record in records if record.value is not None]  # noqa: PLW2901
            figure.add_scatter(
                x=[r.extra["coverage"] for r in records],
                y=[r.value for r in records],
                name=label,
                legendgroup=label,
                showlegend=column == 1,
                mode="lines+markers",
                line={"color": COLORS[name], "dash": dash},
                error_y={
                    "array": [(r.ci_high if r.ci_high is not None else r.value or 0) - (r.value or 0) for r in records],
                    "arrayminus": [(r.value or 0) - (r.ci_low if r.ci_low is not None else r.value or 0) for r in records],
                    "thickness": 1,
                    "width": 2,
                },
                customdata=[[r.extra["n_seeds"], r.n] for r in records],
                hovertemplate="coverage %{x}: %{y:.3f}<br>%{customdata[0]} seeds, n = %{customdata[1]:,}<extra>"
                + label
                + "</extra>",
                row=1,
                col=column,
            )
    figure.update_xaxes(title="share of objects trained on", range=[0, 1], gridcolor=GRID)
    figure.update_yaxes(range=[-0.02, 1.05], gridcolor=GRID)
    figure.update_yaxes(title="share of scenes read", col=1)
    return as_html(figure, f"complexity-{study.modality}", 460, legend_at=-0.2)


def _weakest(study: ComplexityStudy, approximator: str, width: int | None) -> list[Record]:
    """At each coverage the concept that is read worst."""
    concepts = dict.fromkeys(
        str(r.extra["concept"]) for r in study.records if r.metric == "concept_recognition" and r.extra.get("concept")
    )
    curves = [study.curve("concept_recognition", approximator, width, concept) for concept in concepts]
    at: dict[float, list[Record]] = {}
    for record in (record for curve in curves for record in curve):
        at.setdefault(float(record.extra["coverage"] or 0), []).append(record)
    return [min(at[coverage], key=lambda record: record.value or 0.0) for coverage in sorted(at)]
