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
    caption_choice,
    holds_pictures,
    lacks,
    picture_folder,
    read_published,
)
from conceptbind.benchmarks.sugarcrepe import PLACES
from conceptbind.benchmarks.texts import (
    ALL,
    Alike,
    degenerate,
    parts_of,
    triplet_scores,
)
from conceptbind.core.errors import FileError, MismatchError, UnknownNameError, ValueRangeError
from conceptbind.core.limits import first_repeated
from conceptbind.core.text import require_characters
from conceptbind.metrics.choices import every
from conceptbind.scenes.readers.tables import read_columns

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

SUBSETS = ("swap_obj", "swap_att", "replace_obj", "replace_att", "replace_rel")
FIELDS = ("filename", "caption", "caption2", "negative_caption")
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


class SugarCrepePlus:
    """SugarCrepe++ (arXiv 2406.11171): the text-only task, and with pictures the picture task.

    Text only: a caption must be strictly nearer to its paraphrase than the wrong caption is to
    either of them (and, one-sided, to the caption). Pictures: a picture must be strictly nearer to
    both true captions than to the wrong one. The published rules are the same.
    """

    name = "sugarcrepe_pp"
    title = "SugarCrepe++"
    published = (
        "https://github.com/Sri-Harsha/scpp (data/*.json), pictures: COCO val2017 from "
        "https://cocodataset.org"
    )
    licence = "CC BY 4.0 (captions); the pictures' licences are their photographers'"
    swapped = ("swap_obj", "swap_att")

    def layout(self, folder: Path) -> list[Found]:
        """The five files, and the pictures, which only the picture task needs."""
        files = [folder / f"{subset}.json" for subset in SUBSETS]
        found = [Found(path, f"subset {path.stem}", path.is_file()) for path in files]
        what = "COCO pictures val2017, for the picture task only"
        return [*found, Found(folder / PLACES[0], what, _has_pictures(folder))]

    def read(self, folder: Path, making: Making) -> Data:
        """All files that are there, at least one."""
        there = [subset for subset in SUBSETS if (folder / f"{subset}.json").is_file()]
        if not there:
            raise FileError(
                f"{folder} holds none of SugarCrepe++'s files "
                f"({', '.join(f'{s}.json' for s in SUBSETS)}); {self.published}"
            )
        pictures, captions = Distinct(), Distinct()
        rows, seen, subsets = [], [], []
        notes: list[str] = []
        absent = [subset for subset in SUBSETS if subset not in there]
        if absent:
            notes.append(f"without {', '.join(absent)}, whose files are not there.")
        for subset in there:
            content = read_published(folder / f"{subset}.json", _wrong)
            texts = [_triplet(entry) for entry in content]
            rows += [tuple(map(captions, row)) for row in texts]
            seen += [pictures(entry["filename"]) for entry in content]
            subsets += [subset] * len(content)
            notes += degenerate(texts, subset)
        draws = np.array(seen, dtype=np.int64)
        shown = making.pictures and _has_pictures(folder)
        if not shown:
            why = "lie in the folder" if making.pictures else "are embedded by the encoder"
            notes.append(f"the text-only task alone: no pictures {why}.")
        items = {
            "rows": np.array(rows, dtype=np.int64),
            "subsets": np.array(subsets),
            "draws": draws,
            "pictures": draws if shown else np.full(len(draws), -1),
        }
        names = pictures.all() if shown else ()
        place = picture_folder(folder, pictures.all()[0], PLACES)
        besides = frozenset(("pictures",))
        return Data(names, place, captions.all(), items, tuple(notes), besides=besides)

    @staticmethod
    def keep(items: Items, number: Int[Ints, " pictures"]) -> tuple[Items, int]:
        """All items; those whose picture is missing are scored by their texts alone."""
        renumbered = number[items["pictures"]]
        return {**items, "pictures": renumbered}, int((renumbered < 0).sum())

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Accuracy of the picture task, for each file and for all."""
        shown = np.flatnonzero(items["pictures"] >= 0)
        rows, seen = items["rows"][shown], items["pictures"][shown]
        correct, tied = every(
            [
                caption_choice(np.stack([seen, rows[:, true], rows[:, 2]], 1), pictures, captions)
                for true in (0, 1)
            ]
        )
        return [
            Score(
                "accuracy",
                subset,
                "strict",
                correct[chosen],
                tied[chosen],
                clusters=seen[chosen],
                rows=shown[chosen],
            )
            for subset, chosen in parts_of(items["subsets"][shown]).items()
        ]

    def score_texts(self, items: Items, alike: Alike) -> list[Score]:
        """Both rules of the text-only task, for each file and for all."""
        return triplet_scores(items, alike)


class Triplets:
    """A user's own triplets: a CSV, TSV, JSON or JSON lines file, or a folder of such files.

    Columns: `caption`; `paraphrase` or `caption2`; `negative` or `negative_caption`. Rows with one
    caption are one draw of the intervals.
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
        for path in files:
            found = read_triplets(path)
            rows += [tuple(map(captions, row)) for row in found]
            subsets += [path.stem] * len(found)
            notes += degenerate(found, path.stem)
        numbers = np.array(rows, dtype=np.int64)
        items = {"rows": numbers, "subsets": np.array(subsets), "draws": numbers[:, 0]}
        return Data((), folder, captions.all(), items, tuple(notes))

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
    columns = read_columns(path)
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


def _triplet(entry: Mapping[str, str]) -> Triplet:
    """An item of SugarCrepe++."""
    return Triplet(*(entry[name] for name in FIELDS[1:]))


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


def _has_pictures(folder: Path) -> bool:
    return any(holds_pictures(folder / place, 0) for place in PLACES)


def _wrong(content: object) -> str | None:
    if not isinstance(content, list) or not content:
        return "expected a list of items"
    kinds = dict.fromkeys(FIELDS, str)
    return next(filter(None, (lacks(entry, FIELDS, kinds) for entry in content)), None)
