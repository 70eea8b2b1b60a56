"""What a repair did: words, a table, a model card and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.escape import markdown
from conceptbind.core.findings import Section, Verdict
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.repairs.words import pull_in_words, turned
from conceptbind.report.figures import ACCENT, CONTROL, GRID, INK, as_html, hover, intervals
from conceptbind.report.numbers import interval_of, number, percent, value_of
from conceptbind.report.page import drawn, render_page, thumbnail
from conceptbind.report.terminal import terminal_table

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.study import RepairedScene, RepairStudy

METRICS = {
    Metric.BINDING_ACCURACY: "binding accuracy",
    Metric.BINDING_GAIN: "change in binding accuracy",
    Metric.RECALL_AT_1: "recall at 1",
    Metric.RECALL_GAIN: "change in recall at 1",
    Metric.RECALL_AT_5: "recall at 5",
    Metric.PICTURE_RECALL_AT_1: "recall at 1 of pictures",
    Metric.PICTURE_RECALL_GAIN: "change in recall at 1 of pictures",
    Metric.SINGLE_OBJECT_ACCURACY: "recognition of single objects",
    Metric.SINGLE_OBJECT_GAIN: "change in recognition of single objects",
    Metric.CAPTION_SWAP_COSINE: "cosine of caption and swap",
    Metric.PROBE_COSINE: "cosine of picture and caption probes",
    Metric.MODALITY_GAP: "modality gap",
}
NAMES = {
    Repair.NONE: "no repair",
    Repair.SB: "without negatives (SB)",
    Repair.HNB: "with negatives (HNB)",
}


def repair_table(records: Records, width: int | None = None) -> str:
    """Before and after, for a terminal of a width; see `terminal_table`."""
    lines = [("metric", *NAMES.values(), "n", "ties"), *rows_of_table(records)]
    return terminal_table(lines, 1, width)


def rows_of_table(records: Records, control: str = Control.NONE) -> list[tuple[str, ...]]:
    """One row a metric: its name, its value under each protocol with its interval, n and ties."""
    rows = []
    whose = records.where(control=control)
    for metric, name in METRICS.items():
        values = [whose.first(metric=metric, repair=repair) for repair in NAMES]
        some = next((record for record in values if record), None)
        if some is not None:
            ties = (
                "-"
                if some.ties is None
                else " / ".join(
                    f"{record.ties:,}" for record in values if record and record.ties is not None
                )
            )
            rows.append((name, *(_cell(record) for record in values), f"{some.n:,}", ties))
    return rows


def _cell(record: Record | None) -> str:
    if record is None or record.value is None:
        return "-"
    return (
        value_of(record) if record.ci_low is None else f"{value_of(record)} ({interval_of(record)})"
    )


def repair_summary(study: RepairStudy | ArrayRepair, sentence: str) -> str:
    """What a terminal shows below the table."""
    return "\n".join((turned(study), pull_in_words(study), "", sentence))


def repair_card(adapter: Adapter, study: RepairStudy | ArrayRepair, sentence: str) -> str:
    """The model card of an adapter, in Markdown."""
    config = adapter.config
    table = "\n".join(
        "| " + " | ".join(map(markdown, row)) + " |" for row in rows_of_table(study.records)
    )
    who = (
        markdown(f"'{config['encoder']}' (revision {config['revision']})")
        if config.get("encoder")
        else "the encoder whose rows it was fitted on"
    )
    return f"""---
library_name: conceptbind
tags: [labclip, compositionality, binding]
---
# Linear repair of captions

For captions of {who}: `y = x @ weight.T`, divided by its length.
Pictures stay as they are, and so does an index of them.

{sentence}

| | {" | ".join(NAMES.values())} | n | ties |
|---|{"---|" * (len(NAMES) + 2)}
{table}

Fitted by conceptbind {config.get("conceptbind", "")}:
protocol {config["protocol"]} (LABCLIP, arXiv 2502.03566), solver {config["solver"]},
rate {config["rate"]}, batch {config["batch"]}, {config["steps"]} steps
on {config["pairs"]:,} pairs (hash {str(config["data_hash"])[:16]}), seed {config["seed"]}.
{pull_in_words(study)}
{turned(study)}{_left_out(config)}

It changes how captions rank pictures; it does not make an encoder know what it
does not know.

```python
import numpy as np
from safetensors.numpy import load_file

weight = load_file("adapter.safetensors")["weight"]
y = x @ weight.T
y /= np.linalg.norm(y, axis=1, keepdims=True)
```
"""


def _left_out(config: Mapping[str, Any]) -> str:
    return (
        f" {config['dropped']:,} rows were left out; dropped.csv lists them."
        if config.get("dropped")
        else ""
    )


def write_repair_report(
    path: Path, study: RepairStudy | ArrayRepair, verdict: Verdict, provenance: Mapping[str, Any]
) -> None:
    """Write `report.html` of a repair on its own."""
    render_page(
        path,
        "repair.html.j2",
        title=f"Can a linear map repair the binding of {study.records[0].encoder}?",
        verdict=vars(verdict),
        sections=[vars(repair_section(study))],
        provenance=provenance,
    )


def repair_section(study: RepairStudy | ArrayRepair) -> Section:
    """Before and after, what it costs, what the map does, and pictures."""
    cosines = drawn(_cosines(study)) if getattr(study, "cosines", None) else None
    data = {
        "names": NAMES,
        "rows": rows_of_table(study.records),
        "twin": rows_of_table(study.records, Control.BAG_TWIN),
        "bars": drawn(_bars(study.records)),
        "curve": drawn(_curve(study)),
        "cosines": cosines,
        "pull": f"{study.pull:g}",
        "pull_in_words": pull_in_words(study),
        "turned": turned(study),
        "gallery": list(map(_in_gallery, getattr(study, "gallery", ()))),
        "nouns": _by_noun(study),
    }
    return Section("repair", "A linear repair of the captions", data, "repair_section.html.j2")


def _in_gallery(scene: RepairedScene) -> dict[str, Any]:
    """A picture of the gallery with its two captions."""
    return {
        "id": scene.id,
        "picture": thumbnail(scene.image) if scene.image else None,
        "true": scene.true,
        "swap": scene.swap,
        "right_before": bool(scene.right_before),
        "right_after": bool(scene.right_after),
    }


def _bars(records: Records) -> str:
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = (
        Metric.BINDING_ACCURACY,
        Metric.RECALL_AT_1,
        Metric.SINGLE_OBJECT_ACCURACY,
        Metric.PICTURE_RECALL_AT_1,
    )
    own = records.where(control=Control.NONE)
    for repair, color in ((Repair.NONE, CONTROL), (Repair.SB, "#d9a441"), (Repair.HNB, ACCENT)):
        measured = (own.first(metric=metric, repair=repair) for metric in shown)
        values = [record for record in measured if record is not None]
        if values:
            figure.add_bar(
                x=[METRICS[Metric(r.metric)] for r in values],
                y=[r.value for r in values],
                name=NAMES[repair],
                marker_color=color,
                error_y=intervals(values),
                **hover(values, "%{x}"),
            )
    figure.update_yaxes(range=[0, 1.05], title="share", gridcolor=GRID)
    return as_html(figure, "repair-bars", 380)


def _curve(study: RepairStudy | ArrayRepair) -> str:
    """Binding, retrieval and single objects over the pull towards the identity, and over rank."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    drawn_over = {point.over for point in study.curve}
    over = [name for name in ("pull", "rank") if name in drawn_over]
    titles = {"pull": "share of the way from the identity", "rank": "rank of the change"}
    figure = make_subplots(rows=1, cols=len(over), shared_yaxes=True, horizontal_spacing=0.06)
    for column, name in enumerate(over, 1):
        points = [point for point in study.curve if point.over == name]
        for field, words, color in (
            ("binding", "binding", ACCENT),
            ("retrieval", "recall at 1", "#7a9a7e"),
            ("singles", "single objects", "#d9a441"),
        ):
            y = [getattr(point.scores, field) for point in points]
            if any(value is not None for value in y):
                line = go.Scatter(
                    x=[point.at for point in points],
                    y=y,
                    name=words,
                    line={"color": color},
                    mode="lines+markers",
                    legendgroup=field,
                    showlegend=column == 1,
                    text=[percent(value) for value in y],
                    hovertemplate=words + ": %{text}<extra></extra>",
                )
                figure.add_trace(line, row=1, col=column)
        figure.update_xaxes(
            title=titles[name], type="log" if name == "rank" else "linear", row=1, col=column
        )
    figure.add_vline(x=study.pull, line={"color": INK, "dash": "dot", "width": 1}, row=1, col=1)  # type: ignore[arg-type]
    figure.update_yaxes(range=[0, 1.05], gridcolor=GRID)
    return as_html(figure, "repair-curve", 360)


def _cosines(study: Any) -> str:
    import plotly.graph_objects as go

    figure = go.Figure()
    low = min(0.0, *(float(values.min()) for values in study.cosines.values() if len(values)))
    for repair, color in ((Repair.NONE, CONTROL), (Repair.HNB, ACCENT)):
        counts, edges = np.histogram(
            np.clip(study.cosines[repair], -1, 1), bins=50, range=(low, 1.0)
        )
        middles = np.round((edges[1:] + edges[:-1]) / 2, 4)
        figure.add_bar(
            x=middles.tolist(),
            y=counts.tolist(),
            name=NAMES[repair],
            marker_color=color,
            opacity=0.75,
        )
    figure.update_layout(bargap=0.05, barmode="overlay")
    figure.update_xaxes(title="cosine of a caption with its attribute swap")
    figure.update_yaxes(title="captions", gridcolor=GRID)
    return as_html(figure, "repair-cosines", 300)


def _by_noun(study: Any) -> list[tuple[str, str, str, str, str]]:
    """Object, binding accuracy before and after, probe cosine before and after, as text; empty for
    arrays.
    """
    if not hasattr(study, "by_object"):
        return []
    before, after = study.by_object[Repair.NONE], study.by_object[Repair.HNB]
    probes = study.probe_cosines
    n_nouns, n_values = probes["before"].shape
    names = study.object_names

    def cells(values: tuple[Any, Any], words: Callable[[float], str]) -> tuple[str, str]:
        one, other = ("-" if np.isnan(value) else words(float(value)) for value in values)
        return one, other

    rows = []
    for i, name in enumerate(names):
        cosines = ("-", "-")
        # two concepts: object i has attribute i // nouns and noun i % nouns
        if n_nouns * n_values == len(names):
            place = (i % n_nouns, i // n_nouns)
            cosines = cells((probes["before"][place], probes["after"][place]), number)
        rows.append((name, *cells((before[i], after[i]), percent), *cosines))
    return rows
