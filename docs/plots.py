"""Draw the figures of speed.md, questions/controlled.md and howto/watch.md from kept results:
`python docs/plots.py`.

`speed/NAME.csv` and `controlled/transition.csv` hold a table of the page, cell by cell as a command
printed it (a test compares the two). `controlled/history.csv` holds what two models recognised
while they were trained, and `watched/NAME.csv` is the table of a watch. The figures beside these
files are drawn from them.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from conceptbind.controlled.section import history_figure, probe_figure, transition_figure
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.report import svg
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke
from conceptbind.watching.words import Row

SPEED = Path(__file__).parent / "speed"
COLORS = ("#00509d", "#e07a1f", "#4d4d4d")
"""Dark enough on white (3:1 and more); patterns tell the bars apart where colours do not."""
PATTERNS = ("", "///", "...")


@dataclass(frozen=True)
class Plot:
    """Bars of some columns of a table, a group of bars for each row."""

    name: str
    label: str
    """What the axis says, with the unit."""
    columns: tuple[str, ...]
    rows: tuple[str, ...] = ()
    """Columns that name a row; the first by default."""
    log: bool = True


PLOTS = (
    Plot("probes", "seconds, shorter is faster", ("ours", "paper")),
    Plot(
        "embedding",
        "captions a second, longer is faster",
        ("EPYC, captions a second", "Xeon, captions a second"),
        log=False,
    ),
    Plot("repair", "seconds, shorter is faster", ("seconds",), log=False),
    Plot("geometry", "seconds, shorter is faster", ("ours", "paper, or loop")),
    Plot("complexity", "seconds, shorter is faster", ("ours", "paper"), ("fit", "coverage")),
    Plot(
        "stacked",
        "models of 2,400 steps an hour, longer is faster",
        ("one by one, models of 2,400 steps an hour", "stacked"),
        ("values, width", "precision"),
        log=False,
    ),
)


def read(name: str) -> list[dict[str, str]]:
    """The rows of a table, cells as text; an empty first cell repeats the one above it."""
    with (SPEED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(iter(rows[0]))
    for above, row in pairwise(rows):
        row[first] = row[first] or above[first]
    return rows


def number(cell: str) -> float:
    """The number with which a cell begins: 5707 of "5,707 s (60 steps timed, extrapolated)"."""
    found = re.match(r"[\d,]+(\.\d+)?", cell)
    return float(found[0].replace(",", "")) if found else float("nan")


def shown(cell: str) -> str:
    """A cell as the label of its bar: what stands in brackets is left to the table."""
    return re.sub(r"\s*\(.*\)", "", cell)


def draw(plot: Plot) -> None:
    """Write one figure, with the same bytes for the same version of matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": plot.name, "font.size": 10})
    import matplotlib.pyplot as plt

    rows = read(plot.name)
    names = plot.rows or (next(iter(rows[0])),)
    thick = 0.8 / len(plot.columns)
    figure, axes = plt.subplots(figsize=(8, 0.7 + 0.32 * len(rows) * len(plot.columns)))
    for at, column in enumerate(plot.columns):
        places = [row + at * thick for row in range(len(rows))]
        bars = axes.barh(
            places,
            [number(row[column]) for row in rows],
            thick * 0.9,
            color=COLORS[at],
            edgecolor="white",
            hatch=PATTERNS[at],
            label=column.partition(",")[0],
        )
        axes.bar_label(bars, [shown(row[column]) for row in rows], padding=3)
    ticks = [row + thick * (len(plot.columns) - 1) / 2 for row in range(len(rows))]
    labels = [", ".join(row[name] for name in names).replace("`", "") for row in rows]
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.set_xlabel(plot.label)
    if plot.log:
        axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    if len(plot.columns) > 1:
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, frameon=False)
    figure.savefig(SPEED / f"{plot.name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


# --- controlled models, as their pages show them
# --------------------------------------------------------------------------------------------------


CONTROLLED = Path(__file__).parent / "controlled"
PROBE = "global_product"


def history() -> Chart:
    """What the two models of `conceptbind train` recognise over steps."""
    models: dict[str, Any] = {}
    with (CONTROLLED / "history.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            new = SimpleNamespace(history=[], recipe=SimpleNamespace(objective="queries"))
            model = models.setdefault(f"trained on {percent(float(row['coverage']))}", new)
            seen = {name: float(row[name]) for name in ("step", "train", "validation")}
            model.history.append(SimpleNamespace(**seen))
    return history_figure(models)


def sweep() -> Records:
    """The records of the sweep that the table of the page shows."""
    found = []
    with (CONTROLLED / "transition.csv").open(encoding="utf-8", newline="") as file:
        for number_of, row in enumerate(csv.DictReader(file)):
            kind = re.fullmatch(r"([\d,]+) objects \((.*)\)", row["trained on a share of"])
            assert kind is not None
            own = {
                "n_objects": int(kind[1].replace(",", "")),
                "values": kind[2],
                "coverage": float(row["coverage"]),
                "among": "all",
                "seed": 0,
            }
            for control, column in (
                (Control.NONE, "scenes of new objects recognised among all objects"),
                (PROBE, "global product"),
            ):
                value = float(row[column])
                about = ("controlled", "symbols", Metric.OBJECT_RECOGNITION, value, 2_000, None)
                place = (None, None, "unseen", "symbols", f"model {number_of}", own)
                found.append(Record(*about, *place, control=control))
    return Records(found)


def controlled() -> dict[str, Chart]:
    """The figures of questions/controlled.md, by the names of their files."""
    records = sweep()
    rule = probe_figure(records, PROBE)
    assert rule is not None
    return {"history": history(), "transition": transition_figure(records), "rule": rule}


WATCHED = Path(__file__).parent / "watched"
CURVES: dict[str, tuple[tuple[str, ...], Look, Stroke]] = {
    "probe recognises objects, captions": (("probe", "text", ""), "own", "solid"),
    "the same, pictures": (("probe", "image", ""), "random", "solid"),
    "captions tell the swap (trap)": (("within", "text", "trap"), "own", "dashed"),
    "pictures tell the swap (trap)": (("within", "image", "trap"), "random", "dashed"),
    "pictures prefer their caption": (("crossmodal", "both", ""), "twin", "solid"),
}
"""Study, modality and setting of each curve."""


def watch(name: str) -> Chart:
    """Levels 1, 2 and 3 of a model while it was trained, from the table of the watch."""
    with (WATCHED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [Row.of(cells) for cells in csv.DictReader(file)]
    series = []
    for told, ((study, modality, setting), look, line) in CURVES.items():
        mine = [row for row in rows if (row.key[0], *row.key[2:]) == (study, modality, setting)]
        points = [Point(float(r.step), r.value, r.low, r.high, said=r.said) for r in mine]
        series.append(Series(told, tuple(points), look, line))
    axis = "share of scenes, or of comparisons"
    return Chart(name, f"Binding of {name}", "lines", tuple(series), "step of training", axis)


def watched() -> dict[str, Chart]:
    """The figures of howto/watch.md, by the names of their files."""
    return {path.stem: watch(path.stem) for path in sorted(WATCHED.glob("*.csv"))}


def save_charts() -> None:
    """Write them, and those of controlled models."""
    for folder, charts in ((CONTROLLED, controlled()), (WATCHED, watched())):
        for name, chart in charts.items():
            drawn = svg.draw(chart, svg.WIDE, plain=True) + "\n"
            (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    for one in PLOTS:
        draw(one)
    save_charts()
