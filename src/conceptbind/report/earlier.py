"""The page of a run that keeps no `page.json`: drawn of its records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError
from conceptbind.core.results import RESULTS, TABLE
from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.finished import load_run
from conceptbind.report.levels import HEAD, level_rows
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.page import PAGE, write_page
from conceptbind.report.words import SEEN, control_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record, Records

MOST = 200
"""Rows of a study's table; `results.csv` has all."""
COLUMNS = ("metric", "of", "control", "value", "95 % interval", "n", "ties")
MODALITIES = {**SEEN, "both": "pictures and captions"}
NOT_SHOWN = frozenset({"captions_cut", "items", "negatives", "revision", "seed"})
"""Own columns that say nothing of what a number is about."""


def draw_from_records(folder: Path) -> Path:
    """Write `report.html` of a run folder of which only `results.json` is left, perhaps of an
    earlier version: its answer, verdicts and sentences, and one table for each study.

    Pictures and curves are not in records, so the page says that they are missing. No `page.json`
    is written.

    Args:
        folder: the run folder.

    Returns:
        The page.

    Raises:
        FileError: there is no such folder, it is not a run folder, or its results are damaged.
    """
    if not folder.is_dir():
        raise FileError(
            f"there is no folder {folder}; give a run folder of measure, repair, evaluate, train "
            "or sweep, such as runs/tiny-clevr2d"
        )
    if not (folder / RESULTS).is_file():
        raise FileError(
            f"{folder} is not a run folder: it holds neither {PAGE} nor {RESULTS}, of which a page "
            "could be drawn; give a folder that measure, repair, evaluate, train or sweep wrote"
        )
    run = load_run(folder)
    why, command = run.advice
    path = folder / "report.html"
    write_page(
        path,
        "records.html.j2",
        provenance=run.provenance,
        title=_title(run.records),
        answer={"sentence": run.answer, "why": why, "next": command},
        sentences=run.sentences,
        levels={"head": HEAD, "rows": level_rows(run.verdicts)},
        sections=[vars(part) for part in study_sections(run.records)],
    )
    return path


def study_sections(records: Records) -> tuple[Section, ...]:
    """One section for each study, with a table of its records."""
    return tuple(
        section(f"study-{place}", _heading(str(study)), *_blocks(records.where(study=study)))
        for place, study in enumerate(records.distinct("study"), 1)
    )


def _heading(study: str) -> str:
    return study.replace("_", " ").capitalize()


def _blocks(records: Records) -> list[dict[str, Any]]:
    """The records of one study as a table: the first `MOST`, and how many more there are."""
    names = [name for name in records.columns() if name not in NOT_SHOWN]
    there = {name for record in records for name in record.own}
    own = [name for name in names if name in there]
    varied = [name for name in ("split", *own) if len(records.distinct(name)) > 1]
    shown = table(COLUMNS, [_row(record, varied) for record in records[:MOST]])
    left = len(records) - MOST
    return [shown] if left <= 0 else [shown, paragraph(f"{left:,} more are in {TABLE}.")]


def _row(record: Record, varied: Sequence[str]) -> tuple[str, ...]:
    told = ((name, record.get(name)) for name in varied)
    of = [f"{name.replace('_', ' ')} {cell}" for name, cell in told if cell is not None]
    repair = "" if record.repair is None else f" (repair {record.repair})"
    modality = MODALITIES.get(record.modality, record.modality)
    return (
        record.metric.replace("_", " ") + repair,
        ", ".join((modality, *of)),
        control_name(record.control),
        value_of(record),
        interval_of(record),
        f"{record.n:,}",
        "-" if record.ties is None else f"{record.ties:,}",
    )


def _title(records: Records) -> str:
    names = ", ".join(map(str, records.distinct("encoder")[:3]))
    return f"Results of {names}" if names else "Results"
