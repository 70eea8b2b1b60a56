"""A paper's table beside what was measured here: one word for every figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from conceptbind.core.records import Record, Records
from conceptbind.report.words import SEEN
from conceptbind.reproductions.tables import Cell, Command, Row, Table

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality

Word = Literal["agrees", "differs", "cannot be judged", "not published", "not run"]
FEWEST = 20
"""Scenes behind a figure; of fewer neither agreement nor difference is said."""
NEAR = 0.05
"""How far a published figure may lie beyond our interval, or beyond our value where it has none, to
agree: it has two digits, and other pictures, splits and seeds behind it."""


class Place(NamedTuple):
    """An encoder on scenes."""

    encoder: str
    scenes: str


@dataclass(frozen=True)
class Entry:
    """A published figure and ours."""

    paper: float | None
    at_least: bool
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    word: Word
    why: str
    """Why nothing was run, or empty."""


@dataclass(frozen=True)
class Filled:
    """One row of a table."""

    row: Row
    place: Place
    entries: tuple[Entry, ...]


Lookup = Callable[[Place, Command], Records | str]
"""Records of a command for an encoder on scenes, or why there are none."""


def rows_of(table: Table, given: Place | None, modalities: Sequence[Modality]) -> list[Row]:
    """The rows that are run: the paper's own, or those that stand for an encoder of yours.

    An encoder of yours is held against a row of the same modality: with the same scenes, else with
    scenes of their family, else the first one.

    Args:
        table: of a paper.
        given: your encoder and scenes; None takes the paper's.
        modalities: of your encoder on these scenes.
    """
    if given is None or table.controlled:
        return list(table.rows)
    if table.objects:
        base, _, told = given.scenes.partition(":")
        if base not in ("clevr2d", "clevr3d") or told:
            why = "scenes of more objects are drawn of clevr2d and clevr3d alone"
            return [_yours(row, given, row.name.partition(",")[0], why) for row in table.rows]
        return [
            _yours(
                row,
                Place(given.encoder, row.scenes.replace("clevr2d", base)),
                row.name.partition(",")[0],
            )
            for row in table.rows
        ]
    if table.benchmarks or table.of_one:
        own = [row.scenes if table.benchmarks else given.scenes for row in table.rows]
        places = [Place(given.encoder, scenes) for scenes in own]
        return [_yours(row, place, row.name) for row, place in zip(table.rows, places, strict=True)]
    kinds = [None] if table.rows[0].modality is None else list(modalities)
    found = []
    for modality in kinds:
        alike = [row for row in table.rows if row.modality == modality]
        if alike:
            beside = min(alike, key=lambda row: _distance(row.scenes, given.scenes))
            found.append(_yours(beside, given, f"beside {beside.name}"))
    if not found:
        first = table.rows[0]
        why = f"the paper has no row of {' and '.join(SEEN[kind] for kind in modalities)}"
        return [_yours(first, given, f"beside {first.name}", why)]
    return found


def _distance(one: str, other: str) -> int:
    """0 for the same scenes, 1 for those of one family, 2 for others."""
    if one == other:
        return 0
    names = (scenes.partition(":")[0] for scenes in (one, other))
    return len({name.removesuffix("2d").removesuffix("3d") for name in names})


def _yours(row: Row, given: Place, name: str, instead: str = "") -> Row:
    told = row.instead.replace("ENCODER", given.encoder) or instead
    return replace(row, encoder=given.encoder, scenes=given.scenes, name=name, instead=told)


def filled(
    table: Table, lookup: Lookup, given: Place | None = None, modalities: Sequence[Modality] = ()
) -> list[Filled]:
    """Every row with what was measured.

    Args:
        table: of a paper.
        lookup: records, or why there are none.
        given: your encoder and scenes; None takes the paper's.
        modalities: of your encoder on these scenes.
    """
    found = []
    for row in rows_of(table, given, modalities):
        place = Place(row.encoder, row.scenes)
        found.append(
            Filled(row, place, tuple(_entry(row, place, cell, lookup) for cell in row.cells))
        )
    return found


def _entry(row: Row, place: Place, cell: Cell, lookup: Lookup) -> Entry:
    """One figure."""
    none = Entry(cell.paper, cell.at_least, None, None, None, None, "not run", row.instead)
    if row.instead:
        return none
    records = lookup(place, cell.command)
    if isinstance(records, str):
        return replace(none, why=records)
    asked = dict(cell.asked)
    if row.modality is not None:
        asked.setdefault("modality", row.modality)
    mine = records.where(**asked)
    if not mine:
        return replace(none, why="these scenes, or this encoder, do not have it")
    value, low, high, n = _least(mine)
    said = word(cell, value, low, high)
    if n < FEWEST and cell.paper is not None:
        said = "cannot be judged"
    return Entry(cell.paper, cell.at_least, value, low, high, n, said, "")


def _least(records: Records) -> tuple[float, float | None, float | None, int]:
    """The concept that is recognised least, where there are several. Of several draws of objects
    the record that sums them up, a median with its interval; where there is none, the mean.
    """
    by_concept: dict[object, list[Record]] = {}
    whole = [record for record in records if record.get("seed") is None]
    for record in whole or records:
        by_concept.setdefault(record.get("concept"), []).append(record)

    def mean(mine: Sequence[Record]) -> float:
        return float(np.mean([record.value or 0.0 for record in mine]))

    least = min(by_concept.values(), key=mean)
    if len(least) > 1:  # draws of the objects: no interval of one table
        return mean(least), None, None, sum(record.n for record in least)
    (only,) = least
    return only.value or 0.0, only.ci_low, only.ci_high, only.n


def word(cell: Cell, value: float, low: float | None, high: float | None) -> Word:
    """Whether a published figure agrees with ours.

    Args:
        cell: with the published figure.
        value: ours.
        low: lower end of its interval; None without one.
        high: upper end.
    """
    if cell.paper is None:
        return "not published"
    bottom, top = (value if end is None else end for end in (low, high))
    # rounding must not decide
    below = round(cell.paper - top, 9) > (0 if cell.at_least else NEAR)
    above = round(bottom - cell.paper, 9) > NEAR and not cell.at_least
    return "differs" if below or above else "agrees"


def counts(rows: Mapping[str, Sequence[Filled]]) -> dict[Word, int]:
    """How many figures agree, differ and were not run.

    Args:
        rows: of each table.
    """
    words: tuple[Word, ...] = ("agrees", "differs", "cannot be judged", "not run")
    found: dict[Word, int] = dict.fromkeys(words, 0)
    for several in rows.values():
        for row in several:
            for entry in row.entries:
                if entry.paper is not None:
                    found[entry.word] += 1
    return found
