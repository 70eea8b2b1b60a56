"""Tables of text: reading them, one's own tables and vocabularies, and scenes from columns of labels."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from conceptbind.errors import FileError, MismatchError, UnknownNameError, UnsafeFileError, ValueRangeError
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

ID_COLUMNS = ("id", "filename", "image")
"""Columns that name a scene, first found first used."""

_SLOT_COLUMN = re.compile(r"object(?P<a>\d+)_(?P<x>.+?)|(?P<y>.+?)_(?P<b>\d+)")
"""`object1_color` (CLEVR's label release) or `color_1`."""


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line of a CSV or TSV file that is not blank.

    Raises:
        UnsafeFileError: the file is a pickle.
        FileError: the file is missing or not UTF-8 text.
        ValueRangeError: there are none.
    """
    if path.suffix.lower() in {".pkl", ".pickle"}:
        raise UnsafeFileError(f"{path} is a pickle, and reading a pickle can execute code; save the table as CSV instead")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileError(f"could not read the table {path}: {reason}; expected a CSV file (UTF-8) with a header line") from error
    if not lines:
        raise _empty(path)
    return lines


def read_columns(path: Path) -> dict[str, list[str]]:
    """A CSV or TSV file with a header as columns of text.

    Raises:
        UnsafeFileError: the file is a pickle.
        FileError: the file is missing or not UTF-8 text.
        ValueRangeError: no rows, a duplicate or missing column name, or a row of another length; names the line.
    """
    (_, header), *rows = read_lines(path)
    if not rows:
        raise _empty(path)
    if "" in header or len(set(header)) != len(header):
        raise ValueRangeError(f"the header of {path} has empty or duplicate column names: {', '.join(header)}")
    for number, line in rows:
        if len(line) != len(header):
            raise ValueRangeError(f"{path}, line {number}: expected {len(header)} cells as in the header, got {len(line)}")
    return {name: [line[i] for _, line in rows] for i, name in enumerate(header)}


def _empty(path: Path) -> ValueRangeError:
    return ValueRangeError(f"the table {path} is empty; expected a header line and at least one row")


def read_scenes(path: Path, template: str = DEFAULT_TEMPLATE) -> Scenes:
    """A CSV of one's own: a table of scenes, or a vocabulary.

    A **table** has one row a scene and a column for every concept and slot, `color_1, shape_1, color_2, shape_2` (or
    `object1_color, ...`); `id` or `filename`, and `caption`, are used where present. A **vocabulary** has one column a
    concept and lists its values below; the scenes are all ordered pairs of objects. The last concept is the noun.
    """
    columns = read_columns(path)
    slots = slot_columns(columns)
    if not slots:
        _refuse_odd_vocabulary(path, columns)
        values = {name: tuple(value for value in column if value) for name, column in columns.items()}
        return full_grid(ConceptSpace(tuple(values), tuple(values.values())), name=path.stem, template=template)
    concepts = tuple(dict.fromkeys(concept for _, concept in slots))
    return labelled(path, columns, slots, dict.fromkeys(concepts), path.stem, template)


def _refuse_odd_vocabulary(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Raise for a scene table, or a table with other separators, that would be taken for a vocabulary."""
    only = next(iter(columns))
    if len(columns) == 1 and any(mark in only for mark in ";\t|"):
        raise ValueRangeError(f"{path} has the single column '{only}'; separate cells by commas, or by tabs in a .tsv file")
    labels = [name for name in columns if name in (*ID_COLUMNS, "caption")]
    if labels:
        raise ValueRangeError(
            f"{path} has the column '{labels[0]}' but none that names a concept and a slot; a table of scenes needs columns such as "
            "color_1, shape_1, color_2, shape_2 (one object: color_1, shape_1), a vocabulary only one column a concept"
        )


def slot_columns(columns: Mapping[str, Sequence[str]]) -> dict[tuple[int, str], str]:
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


def labelled(
    path: Path,
    columns: Mapping[str, Sequence[str]],
    slots: Mapping[tuple[int, str], str],
    vocabulary: Mapping[str, Sequence[str] | None],
    name: str,
    template: str,
    places: Sequence[Path] = (),
) -> Scenes:
    """Scenes from columns of labels.

    Args:
        path: the table, for error messages.
        columns: cells by column; one of `ID_COLUMNS` names the scenes, `image` or `filename` their pictures.
        slots: the column of every (slot, concept).
        vocabulary: the values of every concept; None takes the values found, in alphabetical order.
        name: of the scenes.
        template: how captions name an object.
        places: where the pictures may lie; the first folder that has the first picture is taken. By default beside the table.

    Raises:
        MismatchError: a slot has no column for a concept.
        ValueRangeError: a cell is empty; names the row and the column.
        UnknownNameError: a label is not in the vocabulary; names the row and the nearest values.
    """
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
    images = columns[image_column] if image_column else None
    places = tuple(places) or (path.parent,)
    return Scenes(
        space,
        table,
        ids=columns[id_column] if id_column else (),
        name=name,
        template=template,
        written_captions=columns.get("caption"),
        images=images,
        image_folder=next((place for place in places if images and (place / images[0]).is_file()), places[0]),
        image_places=places,
    )
