"""A map of queries, as a table for a terminal, a page and a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.escape import markdown
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.repairs.queries.study import WORDS
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.terminal import terminal_table

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.queries.study import QueryRepair

NAMES = {
    Metric.PARAPHRASE_ACCURACY: ("paraphrase accuracy", Metric.PARAPHRASE_GAIN),
    Metric.PARAPHRASE_ACCURACY_ONE_SIDED: ("one-sided", Metric.ONE_SIDED_GAIN),
    Metric.PARAPHRASE_RECALL_AT_1: ("paraphrase found first", Metric.PARAPHRASE_RECALL_GAIN),
    Metric.SINGLE_OBJECT_ACCURACY: ("single object found first", Metric.SINGLE_OBJECT_GAIN),
}
HEAD = ("measure", "no repair", "map of the query", "change", "n", "ties")


def query_rows(records: Records) -> list[tuple[str, ...]]:
    """One row for each measure, setting and list of captions: before, after, the difference.

    Args:
        records: of `query_repair`.
    """
    rows: list[tuple[str, ...]] = []
    for now in records.where(repair=Repair.CONVEX):
        if now.metric not in NAMES:
            continue
        name, gain = NAMES[Metric(now.metric)]
        about = {
            "scenes": now.scenes,
            "setting": now["setting"],
            "split": now["split"],
            "control": now.control,
        }
        then = records.one(metric=now.metric, repair=Repair.NONE, **about)
        change = records.one(metric=gain, **about)
        told = now.scenes if now["setting"] is None else str(now["setting"])
        if now["split"] == WORDS:
            told += ", other words"
        if now.control != Control.NONE:
            told += f", {str(now.control).replace('_', ' ')}"
        cells = (_cell(then), _cell(now), f"{value_of(change)} ({interval_of(change)})")
        rows.append((f"{name} ({told})", *cells, f"{now.n:,}", f"{then.ties} / {now.ties}"))
    return rows


def query_table(records: Records, width: int | None = None) -> str:
    """Before and after, for a terminal of a width; see `terminal_table`.

    Args:
        records: of `query_repair`.
        width: characters of the terminal; None folds nothing.
    """
    return terminal_table([HEAD, *query_rows(records)], 1, width)


def _cell(record: Record) -> str:
    return f"{value_of(record)} ({interval_of(record)})"


def query_section(study: QueryRepair) -> Section:
    """Before and after, and the path of penalties.

    Args:
        study: what `query_repair` returned.
    """
    looks: tuple[tuple[str, Repair, Look], ...] = (
        ("no repair", Repair.NONE, "bag"),
        ("map of the query", Repair.CONVEX, "own"),
    )
    asked = {"metric": Metric.PARAPHRASE_ACCURACY, "split": "test", "control": Control.NONE}
    rule = study.records.where(**asked)

    def series(name: str, repair: Repair, look: Look) -> Series:
        mine = rule.where(repair=repair)
        return Series(name, tuple(point_of(r, str(r["setting"])) for r in mine), look)

    bars = Chart(
        "query-repair",
        "Paraphrase accuracy before and after",
        "bars",
        tuple(series(*look) for look in looks),
        "setting",
        "share of comparisons won",
        reference=1 / 3,
        reference_name="chance",
    )
    path: list[tuple[str, ...]] = []
    for station in study.fit.stations:
        name = "no repair" if station.penalty is None else f"{station.penalty:g}"
        mark = "chosen" if station is study.fit.chosen else "-"
        kept = ["-" if one is None else percent(one) for one in (station.kept, station.alone)]
        path.append((name, percent(station.score), *kept, mark))
    return section(
        "query-repair",
        "A linear map of the query",
        paragraph(
            "Queries are mapped and documents stay as they are, so an index of captions stays "
            "valid. Right when each of caption and paraphrase, as a query, scores the other above "
            "the swap."
        ),
        figure(bars),
        table(HEAD, query_rows(study.records)),
        paragraph(
            "Other words: a map is fitted on one half of the words of each concept, and scored on "
            "scenes that have words of the other half alone. Random weights: the same encoder "
            "untrained, with a map that was fitted on its own captions."
        ),
        paragraph(
            "The penalties that were tried, and what each reaches on validation. Scenes are found "
            "where their paraphrase scores above all scenes of other groups, single objects where "
            "theirs scores above all others. A map that finds fewer of either than no repair, by "
            "more than a point, is refused."
        ),
        table(("penalty", "comparisons won", "scenes found", "objects found", "choice"), path),
    )


def query_card(adapter: Adapter, study: QueryRepair, sentence: str) -> str:
    """The model card of a map of queries, in Markdown.

    Args:
        adapter: the map that is written.
        study: what it was scored on.
        sentence: the verdict in words.
    """
    config = adapter.config
    chosen = f"penalty {config.get('penalty')}, seed {config.get('seed')}"
    who = markdown(f"'{config.get('encoder')}' (revision {config.get('revision')})")
    rows = [f"| {' | '.join(map(markdown, row))} |" for row in query_rows(study.records)]
    table_text = "\n".join(rows)
    return f"""---
library_name: conceptbind
tags: [compositionality, binding, sentence-similarity]
---
# Linear map of queries

For queries of {who}: `y = x @ weight.T`, divided by its length.
Documents stay as they are, and so does an index of them.

{sentence}

| {" | ".join(HEAD)} |
|{"---|" * len(HEAD)}
{table_text}

Fitted by conceptbind {config.get("conceptbind", "")} on {config.get("groups"):,} groups of captions
(hash {str(config.get("data_hash"))[:16]}), {chosen}.

```python
import numpy as np
from safetensors.numpy import load_file

weight = load_file("adapter.safetensors")["weight"]
y = x @ weight.T
y /= np.linalg.norm(y, axis=1, keepdims=True)
```
"""
