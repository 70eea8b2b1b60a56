"""The main numbers of a run for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.terminal import terminal_table
from conceptbind.report.words import CONTROLS, controls_of, metric_name

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

IN_THE_REPORT = ("additive", "spectrum", "removal", "edit", "complexity", "factors")
"""Studies whose tables the report shows, and the terminal does not."""


def _in_the_report(record: Record) -> bool:
    """Whether only the report shows a record: of some studies all, of paraphrases their parts."""
    if record.study in IN_THE_REPORT:
        return True
    parts = (record["order"], record["wording"], record["concept"], record["form"])
    return record.study in ("within", "negation") and any(part is not None for part in parts)


@explains_arguments
def summary_table(records: Records, width: int | None = None) -> str:
    """The main numbers, for a terminal of a width; see `terminal_table`.

    Args:
        records: records of one run.
        width: characters of the terminal; None folds nothing.

    Returns:
        An empty text where no record has a place in it.
    """
    shown = [
        record
        for record in records.where(control=Control.NONE, noun=None, repair=None)
        if record.ci_low is not None and not _in_the_report(record)
    ]
    if not shown:
        return ""
    controls = [name for name in CONTROLS if name in records.distinct("control")]
    lines = [
        (
            "modality",
            "metric",
            "value",
            "95 % interval",
            *(CONTROLS[name] for name in controls),
            "n",
            "ties",
        )
    ]
    for record in shown:
        beside = controls_of(record, records)
        others = [value_of(beside[name]) if name in beside else "-" for name in controls]
        ties = "-" if record.ties is None else f"{record.ties:,}"
        lines.append(
            (
                record.modality,
                metric_name(record),
                value_of(record),
                interval_of(record),
                *others,
                f"{record.n:,}",
                ties,
            )
        )
    return terminal_table(lines, 2, width)
