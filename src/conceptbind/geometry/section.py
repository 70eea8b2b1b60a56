"""What embeddings are made of, as a sentence, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.report.figures import ACCENT, CONTROL, GRID, INK, as_html, hover, intervals
from conceptbind.report.numbers import interval_of, percent, value_of
from conceptbind.report.page import drawn
from conceptbind.report.tables import edit_cells, r2_cells, removal_cells

if TYPE_CHECKING:
    from conceptbind.geometry.scaling import Scaling
    from conceptbind.geometry.spectra import Kind, Spectrum
    from conceptbind.geometry.study import GeometryStudy

KINDS = {
    "concept": ("single concepts", "#8fb3d9"),
    "object": ("concepts of one object (the binding share)", ACCENT),
    "objects": ("concepts of different objects", "#d9a441"),
    "rest": ("the rest of an incomplete grid", CONTROL),
}
WHOSE: dict[str, str] = {
    Control.NONE: "the encoder",
    Control.RANDOM_WEIGHTS: "random weights",
    Control.BAG_TWIN: "bag twin",
}


def geometry_sentence(study: GeometryStudy) -> str | None:
    """What explains the variance, beside random weights and noise, and what edits reach; None where
    no spectrum could be made.
    """
    found = study.spectra.get(Control.NONE)
    if found is None:
        return None
    scored = study.records.where(metric=Metric.VARIANCE_SHARE, control=Control.NONE)
    words = f"Of the variance of the {study.modality} embeddings" + (
        f" of {scored[0].n:,} scenes" if scored else ""
    )
    words += (
        f", single concepts explain {percent(found.share('concept'))} "
        f"({_beside(study, found, 'concept')})"
    )
    if any(part.kind == "object" for part in found.parts):
        words += (
            f", whole objects {percent(found.binding_share)} more "
            f"({_beside(study, found, 'object')})"
        )
    words += (
        f", and everything that joins different objects {percent(found.share('objects', 'rest'))}"
    )
    hits = study.records.first(
        metric=Metric.EDIT_RETRIEVAL, estimator="avg+pos", steering=1.0, attribute="all"
    )
    if hits is not None:
        words += (
            "; after one object's vector is exchanged the nearest scene is the intended one in "
            f"{value_of(hits)} of the edits "
            f"({interval_of(hits)}, n = {hits.n:,})"
        )
    return words + "."


def _beside(study: GeometryStudy, found: Spectrum, kind: Kind) -> str:
    """What the share of a kind would be without training, and without any rule: few scenes explain
    much of noise.
    """
    random = study.spectra.get(Control.RANDOM_WEIGHTS)
    untrained = "" if random is None else f"random weights: {percent(random.share(kind))}, "
    return f"{untrained}pure noise: {percent(found.freedom(kind))}"


def geometry_section(study: GeometryStudy) -> dict[str, Any]:
    """What the template shows."""
    sweep, records = sweep_figure(study), study.records
    own = study.spectra.get(Control.NONE)
    spectrum = drawn(spectrum_figure(study)) if study.spectra else None
    method = own.method if own else None
    return {
        "modality": study.modality,
        "sentence": geometry_sentence(study),
        "spectrum": spectrum,
        "method": method,
        "r2": r2_cells(records),
        "removal": removal_cells(records),
        "edits": edit_cells(records),
        "sweep": drawn(sweep) if sweep else None,
        **_scaling_shown(study),
        "notes": study.notes,
    }


def _scaling_shown(study: GeometryStudy) -> dict[str, Any]:
    """What the template shows of the scaling: nothing where there is none."""
    if not study.scaling:
        return dict.fromkeys(("scaling", "picture", "stress"))
    return {
        "scaling": drawn(scaling_figure(study.scaling, study.modality)),
        "picture": drawn(scaling_picture(study.scaling)),
        "stress": study.scaling.stress,
    }


def spectrum_figure(study: GeometryStudy) -> str:
    """One stacked bar for the encoder and for each control: which factors act alone and which
    together.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    names = [WHOSE.get(name, name) for name in study.spectra]
    noise = next(iter(study.spectra.values()))
    for kind, (words, color) in KINDS.items():
        shares = [found.share(kind) for found in study.spectra.values()]  # type: ignore[arg-type]
        if not any(part.kind == kind for found in study.spectra.values() for part in found.parts):
            continue
        details = [_details(found, kind) for found in study.spectra.values()]
        figure.add_bar(
            y=[*names, "pure noise"],
            x=[*shares, noise.freedom(kind)],  # type: ignore[arg-type]
            name=words,
            orientation="h",
            marker_color=color,
            customdata=[*details, "by degrees of freedom"],
            text=[percent(share) for share in (*shares, noise.freedom(kind))],  # type: ignore[arg-type]
            textposition="none",
            hovertemplate="%{text}<br>%{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title="share of the variance", range=[0, 1], gridcolor=GRID)
    figure.update_yaxes(autorange="reversed")
    return as_html(figure, f"spectrum-{study.modality}", 150 + 40 * (len(names) + 1))


def _details(found: Spectrum, kind: str) -> str:
    """The largest parts of a kind, for the hover text."""
    parts = sorted(
        (part for part in found.parts if part.kind == kind), key=lambda part: -part.share
    )[:6]
    return "<br>".join(
        f"{' x '.join(part.factors) or 'rest'}: {percent(part.share)}" for part in parts
    )


def sweep_figure(study: GeometryStudy) -> str | None:
    """Hits over the strength of an edit; None without edits."""
    import plotly.graph_objects as go

    figure = go.Figure()
    hits = (
        (Metric.EDIT_RETRIEVAL, "the nearest scene is the target", ACCENT),
        (Metric.EDIT_PROBING, "the probes recognise the target", "#d9a441"),
    )
    for metric, name, color in hits:
        swept = study.records.where(metric=metric, estimator="avg+pos", attribute="all")
        records = sorted(swept, key=lambda record: float(record["steering"] or 0))
        if len(records) < 2:
            continue
        figure.add_scatter(
            x=[r["steering"] for r in records],
            y=[r.value for r in records],
            name=name,
            mode="lines+markers",
            line={"color": color},
            error_y=intervals(records),
            **hover(records, "strength %{x}"),
        )
    if not figure.data:
        return None
    figure.update_xaxes(title="strength k of the edit", gridcolor=GRID)
    figure.update_yaxes(title="share of edits that hit", range=[0, 1.05], gridcolor=GRID)
    return as_html(figure, f"edits-{study.modality}", 320)


MARKS = {
    "concept": ("means of concepts", "#7a9a7e", "diamond"),
    "object": ("means of objects", "#d9a441", "square"),
    "scene": ("scenes", ACCENT, "circle"),
    "sum": ("predicted sums", INK, "circle-open"),
}


def scaling_figure(scaling: Scaling, modality: str) -> str:
    """The quadruple in 3-D, with a line from each predicted sum to its scene."""
    import plotly.graph_objects as go

    figure = go.Figure()
    ends: list[list[float | None]] = [[], [], []]
    for start, stop in scaling.lines.tolist():
        for axis in range(3):
            ends[axis] += [
                float(scaling.points[start, axis]),
                float(scaling.points[stop, axis]),
                None,
            ]
    figure.add_scatter3d(
        x=ends[0],
        y=ends[1],
        z=ends[2],
        mode="lines",
        line={"color": CONTROL, "width": 4},
        hoverinfo="skip",
        name="sum to scene",
    )
    for kind, (name, color, symbol) in MARKS.items():
        rows = [i for i, found in enumerate(scaling.kinds) if found == kind]
        x, y, z = scaling.points[rows].T
        figure.add_scatter3d(
            x=x.tolist(),
            y=y.tolist(),
            z=z.tolist(),
            mode="markers",
            name=name,
            text=[scaling.names[i] for i in rows],
            marker={"size": 5, "color": color, "symbol": symbol},
            hovertemplate="%{text}<extra>" + name + "</extra>",
        )
    blank = {
        "showticklabels": False,
        "title": "",
        "backgroundcolor": "rgba(0,0,0,0)",
        "gridcolor": GRID,
    }
    figure.update_layout(
        scene={"xaxis": blank, "yaxis": blank, "zaxis": blank, "aspectmode": "data"}
    )
    return as_html(figure, f"scaling-{modality}", 460)


def scaling_picture(scaling: Scaling) -> str:
    """The same as a static SVG for papers: the two directions of largest spread, the third as
    size.
    """
    centred = scaling.points - scaling.points.mean(axis=0)
    turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T  # (p, 3) by spread
    flat = turned[:, :2] / np.abs(turned[:, :2]).max()
    depth = turned[:, 2] / max(float(np.abs(turned[:, 2]).max()), 1e-12)
    at = np.round(30 + 270 * (flat + 1), 1)

    def point(i: int) -> str:
        name, color, _ = MARKS[scaling.kinds[i]]
        radius = round(
            (7.0 if scaling.kinds[i] in ("concept", "object") else 4.5) * (1 + 0.25 * depth[i]), 1
        )
        fill = "none" if scaling.kinds[i] == "sum" else color
        title = f"{scaling.names[i]} ({name})".replace("&", "&amp;").replace("<", "&lt;")
        place = f'cx="{at[i, 0]}" cy="{at[i, 1]}" r="{radius}"'
        return (
            f'<circle {place} fill="{fill}" stroke="{color}" '
            f'stroke-width="1.5"><title>{title}</title></circle>'
        )

    lines = [
        f'<line x1="{at[a, 0]}" y1="{at[a, 1]}" x2="{at[b, 0]}" y2="{at[b, 1]}" stroke="{CONTROL}" '
        'stroke-width="1.5"/>'
        for a, b in scaling.lines.tolist()
    ]
    key = [
        f'<circle cx="{20 + 150 * i}" cy="620" r="6" fill="{"none" if kind == "sum" else color}" '
        f'stroke="{color}"/><text x="{32 + 150 * i}" y="625">{name}</text>'
        for i, (kind, (name, color, _)) in enumerate(MARKS.items())
    ]
    labels = _labels(scaling, at)
    body = "\n".join([*lines, *map(point, range(len(scaling.names))), *labels, *key])
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 630 640" font-family="sans-serif" '
        'font-size="13">\n'
        f'<rect width="630" height="640" fill="white"/>\n{body}\n</svg>\n'
    )


def _labels(scaling: Scaling, at: Any) -> Sequence[str]:
    """Names beside the means of concepts and objects."""
    return [
        f'<text x="{at[i, 0] + 9}" '
        f'y="{at[i, 1] + 4}">{scaling.names[i].replace("&", "&amp;").replace("<", "&lt;")}</text>'
        for i in range(len(scaling.names))
        if scaling.kinds[i] in ("concept", "object")
    ]
