"""Label tables and vocabularies that people already have, read into `Scenes`."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from conceptbind.errors import FileError, MismatchError, UnknownNameError, UnsafeFileError, ValueRangeError, nearest
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes
from conceptbind.scenes.text20 import CLEVR_COLORS, CLEVR_SHAPES

ID_COLUMNS = ("id", "filename", "image")
"""Columns that name a scene, first found first used."""

_SLOT_COLUMN = re.compile(r"object(?P<a>\d+)_(?P<x>.+?)|(?P<y>.+?)_(?P<b>\d+)")
"""`object1_color` (CLEVR's label release) or `color_1`."""


def read_columns(path: Path) -> dict[str, list[str]]:
    """A CSV or TSV file with a header as columns of text.

    Raises:
        UnsafeFileError: the file is a pickle.
        FileError: the file is missing or not UTF-8 text.
        ValueRangeError: no rows, a duplicate or missing column name, or a row of another length; names the line.
    """
    if path.suffix.lower() in {".pkl", ".pickle"}:
        raise UnsafeFileError(f"{path} is a pickle, and reading a pickle can execute code; save the table as CSV instead")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileError(f"could not read the table {path}: {reason}; expected a CSV file (UTF-8) with a header line") from error
    rows = [(number, line) for number, line in enumerate(lines[1:], start=2) if line]
    if not lines or not rows:
        raise ValueRangeError(f"the table {path} is empty; expected a header line and at least one row")
    header = [name.strip() for name in lines[0]]
    if "" in header or len(set(header)) != len(header):
        raise ValueRangeError(f"the header of {path} has empty or duplicate column names: {', '.join(header)}")
    for number, line in rows:
        if len(line) != len(header):
            raise ValueRangeError(f"{path}, line {number}: expected {len(header)} cells as in the header, got {len(line)}")
    return {name: [line[i].strip() for _, line in rows] for i, name in enumerate(header)}


def read_scenes(path: Path, template: str = DEFAULT_TEMPLATE) -> Scenes:
    """A CSV of one's own: a table of scenes, or a vocabulary.

    A **table** has one row a scene and a column for every concept and slot, `color_1, shape_1, color_2, shape_2` (or
    `object1_color, ...`); `id` or `filename`, and `caption`, are used where present. A **vocabulary** has one column a
    concept and lists its values below; the scenes are all ordered pairs of objects. The last concept is the noun.
    """
    columns = read_columns(path)
    slots = _slot_columns(columns)
    if not slots:
        values = {name: tuple(value for value in column if value) for name, column in columns.items()}
        return full_grid(ConceptSpace(tuple(values), tuple(values.values())), name=path.stem, template=template)
    concepts = tuple(dict.fromkeys(concept for _, concept in slots))
    return _labelled(path, columns, slots, dict.fromkeys(concepts), path.stem, template)


def read_clevr(path: Path, template: str = DEFAULT_TEMPLATE) -> Scenes:
    """CLEVR label table: `filename, object1_color, object1_shape, object2_color, ...` (any number of objects)."""
    path = _table_in(path, "clevr_labels.csv")
    columns = read_columns(path)
    slots = {key: name for key, name in _slot_columns(columns).items() if key[1] in ("color", "shape")}
    if not slots:
        raise UnknownNameError(
            f"{path} is not a CLEVR label table: expected columns object1_color, object1_shape, object2_color, ...; "
            f"got {', '.join(columns)}"
        )
    return _labelled(path, columns, slots, {"color": CLEVR_COLORS, "shape": CLEVR_SHAPES}, "clevr", template)


def read_pug_spare(path: Path, world: str = "Desert", template: str = DEFAULT_TEMPLATE) -> Scenes:
    """PUG:SPARE label table: rows of one world whose `character_pos` is empty (arXiv 2605.31503, section 3)."""
    path = _table_in(path, "PUG_SPARE.csv")
    columns = read_columns(path)
    names = ("filename", "world_name", "character_name", "character2_name", "character_texture", "character2_texture")
    missing = [name for name in (*names, "character_pos") if name not in columns]
    if missing:
        raise UnknownNameError(f"{path} is not a PUG:SPARE table: it lacks the columns {', '.join(missing)}")
    worlds = sorted(set(columns["world_name"]))
    if world not in worlds:
        raise UnknownNameError(f"{path} has no rows of the world '{world}'; {nearest(world, worlds)}")
    pairs = zip(columns["world_name"], columns["character_pos"], strict=True)
    kept = [row for row, (found, position) in enumerate(pairs) if found == world and not position]
    if not kept:
        raise ValueRangeError(f"{path} has no row of the world '{world}' with an empty character_pos; nothing to measure")
    columns = {name: [column[row] for row in kept] for name, column in columns.items()}
    slots = {
        (1, "texture"): "character_texture",
        (1, "animal"): "character_name",
        (2, "texture"): "character2_texture",
        (2, "animal"): "character2_name",
    }
    return _labelled(path, columns, slots, {"texture": None, "animal": None}, "pug-spare", template, folder=path.parent / world)


def _table_in(path: Path, default: str) -> Path:
    """A table given by itself or by its folder."""
    return path / default if path.is_dir() else path


def _slot_columns(columns: Mapping[str, Sequence[str]]) -> dict[tuple[int, str], str]:
    """{(slot, concept): column} of the columns that name a slot; index columns (`..._idx`) repeat the names."""
    found: dict[tuple[int, str], str] = {}
    for name in columns:
        match = _SLOT_COLUMN.fullmatch(name)
        if match and not name.endswith("_idx"):
            key = (int(match["a"] or match["b"]), match["x"] or match["y"])
            if key in found:
                raise ValueRangeError(f"columns '{found[key]}' and '{name}' both name concept '{key[1]}' of slot {key[0]}")
            found[key] = name
    return found


def _labelled(
    path: Path,
    columns: Mapping[str, Sequence[str]],
    slots: Mapping[tuple[int, str], str],
    vocabulary: Mapping[str, Sequence[str] | None],
    name: str,
    template: str,
    folder: Path | None = None,
) -> Scenes:
    """Scenes from label columns. A concept without a given vocabulary takes the values found, in alphabetical order."""
    numbers = sorted({slot for slot, _ in slots})
    missing = [f"'{concept}' of slot {slot}" for slot in numbers for concept in vocabulary if (slot, concept) not in slots]
    if missing:
        raise MismatchError(f"{path} lacks the column for {', '.join(missing)}; every slot needs a column for every concept")
    cells = {key: columns[column] for key, column in slots.items()}
    for column in (*slots.values(), *(name for name in (*ID_COLUMNS, "caption") if name in columns)):
        if "" in columns[column]:
            raise ValueRangeError(
                f"{path}, data row {columns[column].index('') + 1}: column '{column}' is empty; "
                "every scene needs the same number of objects"
            )
    known = {
        concept: tuple(values) if values is not None else tuple(sorted({v for s in numbers for v in cells[s, concept]}))
        for concept, values in vocabulary.items()
    }
    space = ConceptSpace(tuple(known), tuple(known.values()))
    try:
        table = np.stack(
            [np.stack([space.encode(concept, cells[slot, concept], first_row=1) for concept in known], axis=1) for slot in numbers],
            axis=1,
        )
    except UnknownNameError as error:
        raise UnknownNameError(f"{path}: {error}") from error
    id_column = next((column for column in ID_COLUMNS if column in columns), None)
    image_column = next((column for column in ("image", "filename") if column in columns), None)
    return Scenes(
        space,
        table,
        ids=columns[id_column] if id_column else (),
        name=name,
        template=template,
        written_captions=columns.get("caption"),
        images=columns[image_column] if image_column else None,
        image_folder=folder or path.parent,
    )
