"""Triplets of texts: a caption, a paraphrase of it, and a caption that says something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.benchmarks.base import (
    Data,
    Distinct,
    Found,
    Items,
    Making,
    Score,
    read_published,
)
from conceptbind.benchmarks.draws import linked_items
from conceptbind.benchmarks.texts import (
    ALL,
    OF_WRONG_CAPTIONS,
    WRONG_CAPTIONS,
    Alike,
    degenerate,
    hopeless_triplet,
    triplet_scores,
)
from conceptbind.core.errors import FileError, MismatchError, UnknownNameError, ValueRangeError
from conceptbind.core.limits import first_repeated
from conceptbind.core.text import require_characters
from conceptbind.scenes.readers.tables import read_columns

if TYPE_CHECKING:
    pass

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "caption": ("caption",),
    "paraphrase": ("paraphrase", "caption2"),
    "negative": ("negative", "negative_caption"),
}
"""What a row of a user's file holds, and the names that its column may have."""
TABLES = (".csv", ".tsv")
JSON = (".json", ".jsonl", ".ndjson")
MISSING = frozenset(("", "nan", "<na>", "null", "none"))
"""What stands in a cell without text."""


class Triplet(NamedTuple):
    """One row of a file."""

    caption: str
    paraphrase: str
    negative: str


class Triplets:
    """A user's own triplets: a CSV, TSV, JSON or JSON lines file, or a folder of such files.

    Columns: `caption`; `paraphrase` or `caption2`; `negative` or `negative_caption`. Rows that
    share a caption or a paraphrase are one draw of the intervals.
    """

    name = "triplets"
    title = "Your own triplets"
    published = (
        "your own file with the columns caption, paraphrase, negative "
        f"({', '.join((*TABLES, *JSON))})"
    )
    licence = "that of the texts"

    def layout(self, folder: Path) -> list[Found]:
        """The files."""
        found = [Found(path, "triplets of texts", True) for path in _files(folder)]
        return found or [Found(folder / "triplets.csv", "triplets of texts", False)]

    def read(self, folder: Path, making: Making) -> Data:
        """All files, each a subset."""
        files = _files(folder)
        if not files:
            raise FileError(f"{folder} holds no file of triplets; expected {self.published}")
        names = [path.stem for path in files]
        if (twice := first_repeated([ALL, *names] if len(names) > 1 else names)) is not None:
            raise MismatchError(
                f"the file '{twice:.80}' of {folder} needs another name: scores stand beside the "
                f"name of their file, and '{ALL}' is all of them"
            )
        captions, rows, subsets = Distinct(), [], []
        notes: list[str] = []
        hopeless: list[bool] = []
        for path in files:
            found = read_triplets(path)
            rows += [tuple(map(captions, row)) for row in found]
            subsets += [path.stem] * len(found)
            notes += degenerate(found, path.stem)
            hopeless += [hopeless_triplet(*row) for row in found]
        numbers = np.array(rows, dtype=np.int64)
        draws = numbers[linked_items(numbers[:, :2].tolist()), 0]
        items = {"rows": numbers, "subsets": np.array(subsets), "draws": draws}
        items["hopeless"] = np.array(hopeless)
        besides = frozenset({"hopeless"})
        return Data((), folder, captions.all(), items, tuple(notes), besides=besides)

    def score_texts(self, items: Items, alike: Alike) -> list[Score]:
        """Both rules, for each file and for all."""
        return triplet_scores(items, alike)


def read_triplets(path: Path) -> list[Triplet]:
    """The rows of a user's file.

    Args:
        path: of CSV, TSV, JSON (a list of objects) or JSON lines.

    Raises:
        FileError: it is missing, truncated, or no text.
        UnknownNameError: a column is missing.
        MismatchError: it is not a list of objects, or names one column twice.
        ValueRangeError: it has no rows, or a row lacks a text; names the row.
    """
    if path.suffix.lower() in JSON:
        return _of_json(path)
    columns = read_columns(path, index=True)
    named = {name.casefold(): name for name in columns}
    if len(named) < len(columns):
        raise MismatchError(
            f"{path} has columns that differ in their capitals only: {', '.join(columns)}; rename "
            "or remove one"
        )
    found = zip(*(columns[named[name]] for name in _chosen(path, list(named))), strict=True)
    rows = [_row(path, f"row {n}", cells) for n, cells in enumerate(found, start=1)]
    if not rows:
        raise ValueRangeError(f"{path} has a header and no rows; expected at least one triplet")
    require_characters([text for row in rows for text in row], f"{path}: text")
    return rows


def _of_json(path: Path) -> list[Triplet]:
    content = read_published(path, _no_objects)
    rows = []
    for n, entry in enumerate(_objects(content), start=1):
        names = _chosen(path, list(entry), f", item {n},")
        rows.append(_row(path, f"item {n}", [entry[name] for name in names]))
    return rows


def _row(path: Path, where: str, cells: Sequence[Any]) -> Triplet:
    told = zip(COLUMNS, cells, strict=True)
    return Triplet(*(_text(path, where, what, cell) for what, cell in told))


def _no_objects(content: object) -> str | None:
    rows = _objects(content)
    if rows and all(isinstance(row, dict) for row in rows):
        return None
    return "expected a list of objects with caption, paraphrase and negative"


def _objects(content: object) -> list[Any]:
    """The items of a list, or of a dictionary of items by number, as SugarCrepe has it."""
    if isinstance(content, dict):
        return [*content.values()]
    return content if isinstance(content, list) else []


def _chosen(path: Path, there: Sequence[str], where: str = "") -> list[str]:
    """The names that the columns of `COLUMNS` have."""
    found = []
    for what, names in COLUMNS.items():
        mine = [name for name in names if name in there]
        if len(mine) > 1:
            raise MismatchError(f"{path}{where} has both {' and '.join(mine)}; leave one of them")
        if not mine and WRONG_CAPTIONS in there:
            raise UnknownNameError(
                f"{path}{where} has wrong captions and no paraphrases, {OF_WRONG_CAPTIONS}"
            )
        if not mine:
            also = f" (or '{names[1]}')" if len(names) > 1 else ""
            raise UnknownNameError(
                f"{path}{where} has no column '{what}'{also}; expected caption, paraphrase and "
                f"negative, and it has {', '.join(map(repr, there)) or 'none'}"
            )
        found += mine
    return found


def _text(path: Path, where: str, what: str, cell: Any) -> str:
    """A cell's text without spaces around it."""
    if isinstance(cell, str) and cell.strip().casefold() not in MISSING:
        return cell.strip()
    if cell is None or isinstance(cell, str) or cell != cell:  # noqa: PLR0124 - NaN
        raise ValueRangeError(
            f"{path}, {where}: the {what} is missing; fill it in, or leave the row out"
        )
    raise ValueRangeError(f"{path}, {where}: the {what} must be text; got {cell!r:.60}")


def _files(place: Path) -> list[Path]:
    """A file, or those of a folder that may hold triplets."""
    if place.is_file():
        return [place]
    kinds = (*TABLES, *JSON)
    there = sorted(place.iterdir()) if place.is_dir() else []
    return [path for path in there if path.suffix.lower() in kinds and path.is_file()]
