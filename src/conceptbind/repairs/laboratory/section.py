"""The laboratory as a table, a chart and a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.core.escape import markdown
from conceptbind.core.findings import Section
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.repairs.laboratory.contest import GAINS
from conceptbind.repairs.laboratory.entrants import LEFT_OUT
from conceptbind.repairs.laboratory.words import METHODS, SIDES
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Series, point_of
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.terminal import terminal_table
from conceptbind.report.words import first

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.labclip.adapter import Adapter

SHOWN = {
    Metric.BINDING_ACCURACY: "binding accuracy",
    Metric.BINDING_GAIN: "change",
    Metric.PARAPHRASE_ACCURACY: "paraphrase accuracy",
    Metric.PARAPHRASE_GAIN: "change",
    Metric.RECALL_AT_1: "recall at 1",
    Metric.SINGLE_OBJECT_ACCURACY: "single objects",
    Metric.PARAPHRASE_RECALL_AT_1: "paraphrases",
}
WITH_INTERVAL = (
    *(Metric.BINDING_ACCURACY, Metric.BINDING_GAIN),
    *(Metric.PARAPHRASE_ACCURACY, Metric.PARAPHRASE_GAIN),
)
FITTED = 6
"""Columns that say what was fitted; those behind them are scores."""
TWIN = "The recommended method on the bag twin, the same model trained so that binding never helps:"
MEANING = (
    "Every method was fitted on the same parts and scored on the part that it did not see. "
    "Validation chose its settings, and how far it is pulled towards no repair. With maps of "
    "captions an index of pictures stays valid; maps of pictures and of both need a new one. "
    "Negatives are those of each caption in the fit. Paraphrases: a caption finds its own other "
    "wording. An asterisk marks the one that is recommended."
)


OF_QUERIES = (
    "Every method was fitted on the same parts and scored on the part that it did not see. Queries "
    "are mapped and documents stay, so an index of captions stays valid. Right when each of "
    "caption and paraphrase, as a query, scores the other above the swap. The accuracy is the mean "
    "of its settings; validation goes by the lower of the two. It chose the settings of a method, "
    "and how far it is pulled towards no repair. Paraphrases: a caption finds its own other "
    "wording. An asterisk marks the one that is recommended."
)


def laboratory_rows(records: Records, control: str = Control.NONE) -> list[tuple[str, ...]]:
    """The head of the table, and one row a method.

    Args:
        records: of one laboratory.
        control: whose.
    """
    every = records.where(study="laboratory", control=control, against=None)
    settings = [name for name in every.distinct("setting") if name is not None]
    own = every.where(setting=None)
    measured = [metric for metric in SHOWN if own.first(metric=metric)]
    head = ("repair", "of", "negatives", "numbers", "seconds", "pull")
    rows = [(*head, *(SHOWN[metric] for metric in measured), *map(str, settings), "n")]
    for record in own.where(metric=_first(own)):
        told: dict[str, Any] = {name: record[name] for name in ("side", "n_negatives")}
        same = own.where(repair=record.repair, **told)
        cells = [_cell(same.first(metric=metric)) for metric in measured]
        also = every.where(repair=record.repair, **told)
        cells += [_cell(also.first(setting=setting)) for setting in settings]
        rows.append((*_named(record), *cells, f"{record.n:,}"))
    return rows


def _first(own: Records) -> Metric:
    """The metric of which every method has one record: the one that decides."""
    return next(metric for metric in GAINS if own.first(metric=metric))


def _named(record: Record) -> tuple[str, ...]:
    """What was fitted, of what, from what, and at which price."""
    repair, side = Repair(str(record.repair)), str(record["side"])
    if repair == Repair.NONE:
        return (METHODS[repair], "-", "-", "0", "-", "-")
    mark = " *" if record["recommended"] else ""  # as below the table
    where: dict[str, str] = {str(key): word for key, word in SIDES.items()}
    return (
        METHODS[repair] + mark,
        where[side],
        str(record["n_negatives"]),
        f"{record['parameters']:,}",
        f"{record['seconds']:.2f}",
        f"{record['pull']:g}",
    )


def _cell(record: Record | None) -> str:
    if record is None:
        return "-"
    if record.metric not in WITH_INTERVAL or record.ci_low is None:
        return value_of(record)
    return f"{value_of(record)} ({interval_of(record)})"


def laboratory_table(records: Records, width: int | None = None) -> str:
    """All methods, for a terminal of a width; see `terminal_table`.

    Args:
        records: of one laboratory.
        width: characters of the terminal; None folds nothing.
    """
    note = "* recommended" if records.first(recommended=True) else ""
    shown = terminal_table(laboratory_rows(records), 2, width)
    left_out = LEFT_OUT if records.first(side="query") else ""
    return "\n".join(filter(None, (shown, note, left_out)))


def laboratory_section(records: Records) -> Section:
    """All methods as a table and a chart.

    Args:
        records: of one laboratory.
    """
    blocks = [paragraph(MEANING), *_tables(records, Control.NONE)]
    if records.first(side="query"):
        blocks = [paragraph(OF_QUERIES), *blocks[1:], paragraph(LEFT_OUT)]
    if records.first(study="laboratory", control=Control.BAG_TWIN):
        blocks.append(paragraph(TWIN))
        blocks += _tables(records, Control.BAG_TWIN)
    return section("laboratory", "Many repairs side by side", *blocks, figure(_chart(records)))


def _tables(records: Records, control: str) -> list[dict[str, Any]]:
    """What the methods reach, and what they are: two tables, for one would be too wide."""
    head, *rows = laboratory_rows(records, control)
    own = records.where(study="laboratory", control=control, against=None, setting=None)
    names = [_row_name(record) for record in own.where(metric=_first(own))]
    scores = [(name, *row[FITTED:]) for name, row in zip(names, rows, strict=True)]
    fits = [(name, *row[:FITTED]) for name, row in zip(names, rows, strict=True)]
    return [
        table(("repair", *head[FITTED:]), scores),
        table(("repair", "what", *head[1:FITTED]), fits),
    ]


def _chart(records: Records) -> Chart:
    """Binding and recall of every method."""
    own = records.where(control=Control.NONE, against=None, setting=None)
    series = []
    shown = [(Metric.BINDING_ACCURACY, "own"), (Metric.RECALL_AT_1, "twin")]
    if records.first(side="query"):
        shown = [(Metric.PARAPHRASE_ACCURACY, "own"), (Metric.PARAPHRASE_RECALL_AT_1, "twin")]
    for metric, look in shown:
        points = tuple(point_of(record, _row_name(record)) for record in own.where(metric=metric))
        if points:
            series.append(Series(SHOWN[metric], points, look))  # type: ignore[arg-type]
    return Chart(
        "laboratory-bars",
        f"{first(SHOWN[shown[0][0]])} and {SHOWN[shown[1][0]]} of every repair",
        "bars",
        tuple(series),
        "repair",
        "share",
    )


def _row_name(record: Record) -> str:
    repair, side = Repair(str(record.repair)), record["side"]
    name = "none" if repair == Repair.NONE else str(repair).replace("_", " ")
    if side in ("image", "both"):
        name += f", {SIDES[side]}"  # type: ignore[index]
    several = record["n_negatives"]
    if isinstance(several, int) and several > 1:
        name += f", {several} negatives"
    return f"{name} *" if record["recommended"] else name


def laboratory_card(adapter: Adapter, records: Records, sentence: str) -> str:
    """The model card of the adapter that a laboratory wrote, in Markdown.

    Args:
        adapter: the map that is written.
        records: of the laboratory.
        sentence: the verdict in words.
    """
    config, mapped, kept = adapter.config, "captions", "Pictures"
    if records.first(side="query"):
        mapped, kept = "queries", "Documents"
    head, *rows = laboratory_rows(records)
    lines = "\n".join("| " + " | ".join(map(markdown, row)) + " |" for row in rows)
    who = "the encoder whose rows it was fitted on"
    if config.get("encoder"):
        who = markdown(f"'{config['encoder']}' (revision {config['revision']})")
    return f"""---
library_name: conceptbind
tags: [compositionality, binding]
---
# Linear repair of {mapped}

For {mapped} of {who}: `y = x @ weight.T`, divided by its length.
{kept} stay as they are, and so does an index of them.

{sentence}

| {" | ".join(head)} |
|{"---|" * len(head)}
{lines}

Fitted by conceptbind {config.get("conceptbind", "")}:
protocol {config["protocol"]}, pull {config.get("pull", 0):g}, seed {config["seed"]}.
"""
