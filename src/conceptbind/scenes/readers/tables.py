"""Tables of text: reading them, one's own tables and vocabularies, and scenes from columns of
labels.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    MismatchError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
    counted,
)
from conceptbind.core.escape import plain_cell
from conceptbind.core.files import user_path
from conceptbind.core.text import read_table
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Ints

ID_COLUMNS = ("id", "filename", "image")
"""Columns that name a scene, first found first used."""

SLOTS = "color_1, shape_1, color_2, shape_2"
"""Columns of a table of scenes, for messages."""

_SLOT_COLUMN = re.compile(r"object_?(?P<a>\d{1,6})_(?P<x>.+?)|(?P<y>.+?)_(?P<b>\d{1,6})")
"""`object1_color` (CLEVR's label release) or `color_1`."""
_NUMBERED = re.compile(r"(?P<concept>.*?[^\W\d_])[ .-]?(?P<slot>\d{1,6})")
"""`color2`, `color 2`, and `color.2` as pandas writes the second of two columns."""


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line of a table that is not blank; what separates cells is
    found out.

    Raises:
        UnsafeFileError, FileError: see `text.read_table`.
        ValueRangeError: there are none.
    """
    lines = [(number, list(map(plain_cell, line))) for number, line in read_table(path)]
    if not lines:
        raise _empty(path)
    return lines


def read_columns(path: Path, *, index: bool = False) -> dict[str, list[str]]:
    """A table with a header as columns of text.

    Args:
        path: a CSV or TSV file in UTF-8.
        index: whether a first column without a name may stand there, which is left out: the index
            of pandas.

    Raises:
        UnsafeFileError: the file is a pickle.
        FileError: the file is missing or no text.
        ValueRangeError: no rows, a duplicate or missing column name, or a row of another length;
            names the line.
    """
    (_, header), *rows = read_lines(path)
    if not rows:
        raise _empty(path)
    if index and len(header) > 1 and not header[0]:
        header, rows = header[1:], [(number, line[1:]) for number, line in rows]
    if "" in header or len(set(header)) != len(header):
        advice = (
            "; number them by slot, as color_1, shape_1, color_2, shape_2"
            if len(set(header)) != len(header)
            else ""
        )
        if header[0] == "" and len(header) > 1 and "" not in header[1:]:
            advice = (
                "; where the first column is the index of pandas, save the table with index=False"
            )
        raise ValueRangeError(
            f"the header of {path} has empty or duplicate column names: {', '.join(header)}{advice}"
        )
    for number, line in rows:
        if len(line) != len(header):
            raise ValueRangeError(
                f"{path}, line {number}: expected {counted(len(header), 'cell')} as in the "
                "header, got "
                f"{len(line)}"
            )
    return {name: cells_of(rows, i) for i, name in enumerate(header)}


def cells_of(lines: Sequence[tuple[int, list[str]]], column: int) -> list[str]:
    """The cells of one column, from numbered lines."""
    return [line[column] for _, line in lines]


def _empty(path: Path) -> ValueRangeError:
    return ValueRangeError(
        f"the table {path} is empty; expected a header line and at least one row"
    )


def read_scenes(
    path: str | Path, template: str = DEFAULT_TEMPLATE, *, pictures_anywhere: bool = False
) -> Scenes:
    """A table of one's own: of scenes, or a vocabulary.

    A **table** has one row per scene and a column for every concept and slot, `color_1, shape_1,
    color_2, shape_2` (or `object1_color, ...`, or `color, shape, color2, shape2`); `id` or
    `filename`, and `caption`, are used where present. A **vocabulary** has one column per concept
    and lists its values below; the scenes are all ordered pairs of objects. The last concept is the
    noun.

    Args:
        path: the table.
        template: how captions name an object.
        pictures_anywhere: pictures may lie outside the folder of the table.
    """
    path = user_path(path)
    columns = read_columns(path)
    return _scenes_of(columns, path, template, pictures_anywhere=pictures_anywhere)


def scenes_of_frame(frame: Any, template: str = DEFAULT_TEMPLATE, name: str = "table") -> Scenes:
    """The same from a data frame, whose columns are those of the file.

    Args:
        frame: a pandas data frame, or anything else with `columns` whose items are columns.
        template: how captions name an object.
        name: of the scenes.

    Raises:
        ValueRangeError: it has no rows, two columns of one name, or is neither a table of scenes
            nor a vocabulary.
    """
    names = [str(column) for column in frame.columns]
    if "" in names or len(set(names)) != len(names):
        raise ValueRangeError(
            f"the data frame '{name}' has empty or duplicate column names: {', '.join(names)}; "
            "number them by slot, as color_1, shape_1, color_2, shape_2"
        )
    columns = {str(column): list(map(_cell, frame[column])) for column in frame.columns}
    if not any(columns.values()):
        raise ValueRangeError(f"the data frame '{name}' is empty; expected at least one row")
    return _scenes_of(columns, Path(name), template, pictures_anywhere=True)


def _cell(value: object) -> str:
    """A value of a data frame as a file would hold it; missing ones are empty."""
    missing = value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN
    return "" if missing else str(value).strip()


def _scenes_of(
    columns: dict[str, list[str]], path: Path, template: str, *, pictures_anywhere: bool
) -> Scenes:
    slots = slot_columns(columns) or _numbered_columns(path, columns)
    if not slots:
        _refuse_odd_vocabulary(path, columns)
        values = {name: tuple(_filled(column)) for name, column in columns.items()}
        return full_grid(
            ConceptSpace(tuple(values), tuple(values.values())), name=path.stem, template=template
        )
    concepts = tuple(dict.fromkeys(concept for _, concept in slots))
    return labelled(
        path,
        columns,
        slots,
        dict.fromkeys(concepts),
        path.stem,
        template,
        pictures_anywhere=pictures_anywhere,
    )


def _filled(column: Sequence[str]) -> list[str]:
    """The cells that are not empty."""
    return [cell for cell in column if cell]


def _refuse_odd_vocabulary(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Raise for a scene table that would be taken for a vocabulary."""
    labels = [name for name in columns if name in (*ID_COLUMNS, "caption")]
    if labels:
        raise ValueRangeError(
            f"{path} has the column '{labels[0]}' but none that names a concept and a slot; a "
            "table of scenes needs columns such as "
            f"{SLOTS} (one object: color_1, shape_1), a vocabulary only one column per concept"
        )
    held = {name: set(_filled(column)) for name, column in columns.items()}
    for first, second in combinations(held, 2):
        if len(shared := held[first] & held[second]) > 1:
            raise ValueRangeError(
                f"{path}: the columns '{first}' and '{second}' share "
                f"{counted(len(shared), 'value')}, such "
                f"as '{min(shared):.60}'. Slots of a table do, concepts of a vocabulary do not; "
                f"if rows are scenes, name the columns {SLOTS}"
            )
    for name, column in columns.items():
        value, times = (
            Counter(value for value in column if value).most_common(1)[0]
            if any(column)
            else ("", 1)
        )
        if times > 1:
            raise ValueRangeError(
                f"{path}: duplicate value of concept '{name}': '{value:.60}' appears {times:,} "
                "times; a vocabulary lists each value once. "
                f"A table of scenes needs columns that name concept and slot, such as {SLOTS} (one "
                "object: color_1, shape_1); "
                f"this one has {', '.join(columns)}"
            )


def slot_columns(columns: Mapping[str, Sequence[str]]) -> dict[tuple[int, str], str]:
    """{(slot, concept): column} of the columns that name a slot; index columns (`..._idx`) repeat
    the names.

    Beside `color_2` a column `color2` is a slot too, and `color` is the one before the first that
    has a number.
    """
    found: dict[tuple[int, str], str] = {}

    def add(slot: int, concept: str, name: str) -> None:
        if (slot, concept) in found:
            raise ValueRangeError(
                f"columns '{found[slot, concept]}' and '{name}' both name concept '{concept}' of "
                f"slot {slot}"
            )
        found[slot, concept] = name

    for name in columns:
        match = _SLOT_COLUMN.fullmatch(name)
        if match and not name.endswith("_idx"):
            add(int(match["a"] or match["b"]), match["x"] or match["y"], name)
    concepts = {concept for _, concept in found}
    for name in columns:
        loose = _NUMBERED.fullmatch(name)
        if loose and loose["concept"] in concepts and name not in found.values():
            add(int(loose["slot"]), loose["concept"], name)
    first = min((slot for slot, _ in found), default=1)
    for name in sorted(concepts & set(columns)):
        add(first - 1, name, name)
    return found


def _numbered_columns(
    path: Path, columns: Mapping[str, Sequence[str]]
) -> dict[tuple[int, str], str]:
    """The slots of a table whose columns are all `color2` or `color`, every concept with the same
    numbers; none for other tables.

    Raises:
        ValueRangeError: it may as well be a vocabulary, since no column holds a value twice.
    """
    matches = {
        name: _NUMBERED.fullmatch(name)
        for name in columns
        if name not in (*ID_COLUMNS, "caption") and not name.endswith("_idx")
    }
    numbers = {
        name: (match["concept"], int(match["slot"])) if match else (name, -1)
        for name, match in matches.items()
    }
    of: dict[str, set[int]] = {}
    for concept, number in numbers.values():
        of.setdefault(concept, set()).add(number)
    if not of or any(held != next(iter(of.values())) or len(held) < 2 for held in of.values()):
        return {}
    if not any(name in columns for name in (*ID_COLUMNS, "caption")) and all(
        len(set(columns[name])) == len(columns[name]) for name in numbers
    ):
        raise ValueRangeError(
            f"{path} may be a table of scenes or a vocabulary: its columns are "
            f"{', '.join(columns)}, and none holds a value twice; "
            f"name the columns of a table {SLOTS}, and those of a vocabulary without numbers"
        )
    first = min(number for number in next(iter(of.values())) if number >= 0)
    return {
        (number if number >= 0 else first - 1, concept): name
        for name, (concept, number) in numbers.items()
    }


def require_inside(path: Path, names: Sequence[str], what: str = "picture") -> None:
    """Refuse names of files that lead out of the folder of a table: absolute ones, and those with
    `..`.

    Raises:
        UnsafeFileError: names the first.
    """
    for name in names:
        if name[:1] in "/\\~" or ".." in name or ":" in name:
            windows = PureWindowsPath(name)
            if (
                PurePosixPath(name).is_absolute()
                or windows.drive
                or windows.root
                or ".." in windows.parts
            ):
                raise UnsafeFileError(
                    f"{path} names the {what} '{name:.200}', which lies outside the folder of the "
                    "table; only pictures below that folder "
                    "are read. Write names relative to it, or, where you trust the table, give it "
                    f"as anywhere:{path}"
                )


def labelled(
    path: Path,
    columns: Mapping[str, Sequence[str]],
    slots: Mapping[tuple[int, str], str],
    vocabulary: Mapping[str, Sequence[str] | None],
    name: str,
    template: str,
    places: Sequence[Path] = (),
    *,
    pictures_anywhere: bool = False,
) -> Scenes:
    """Scenes from columns of labels.

    Args:
        path: the table, for error messages.
        columns: cells by column; one of `ID_COLUMNS` names the scenes, `image` or `filename` their
            pictures.
        slots: the column of every (slot, concept).
        vocabulary: the values of every concept; None takes the values found, in alphabetical order.
        name: of the scenes.
        template: how captions name an object.
        places: where the pictures may lie; the first folder that has the first picture is taken. By
            default beside the table.
        pictures_anywhere: pictures may lie outside these folders.

    Raises:
        UnsafeFileError: a picture lies outside the folder.
        MismatchError: a slot has no column for a concept.
        ValueRangeError: a cell is empty; names the row and the column.
        UnknownNameError: a label is not in the vocabulary; names the row and the nearest values.
    """
    numbers = sorted({slot for slot, _ in slots})
    missing = [
        f"'{concept}' of slot {slot}"
        for slot in numbers
        for concept in vocabulary
        if (slot, concept) not in slots
    ]
    if missing:
        raise MismatchError(
            f"{path} lacks the column for {', '.join(missing)}; every slot needs a column for "
            "every concept"
        )
    cells = {key: columns[column] for key, column in slots.items()}
    for column in (
        *slots.values(),
        *(name for name in (*ID_COLUMNS, "caption") if name in columns),
    ):
        if "" in columns[column]:
            raise ValueRangeError(
                f"{path}, data row {columns[column].index('') + 1}: column '{column}' is empty; "
                "every scene needs the same number of objects"
            )
    known = {}
    for concept, values in vocabulary.items():
        found = {label for slot in numbers for label in cells[slot, concept]}
        known[concept] = tuple(sorted(found) if values is None else values)
    space = ConceptSpace(tuple(known), tuple(known.values()))

    def objects_in(slot: int) -> Ints:
        """(n, |C|) value numbers of the objects in a slot."""
        values = [space.encode(concept, cells[slot, concept], first_row=1) for concept in known]
        return np.stack(values, axis=1)

    try:
        table = np.stack([objects_in(slot) for slot in numbers], axis=1)
    except UnknownNameError as error:
        raise UnknownNameError(f"{path}: {error}") from error
    id_column = next((column for column in ID_COLUMNS if column in columns), None)
    image_column = next((column for column in ("image", "filename") if column in columns), None)
    images = columns[image_column] if image_column else None
    if images is not None and not pictures_anywhere:
        require_inside(path, images)
    places = tuple(places) or (path.parent,)
    return Scenes(
        space,
        table,
        ids=columns[id_column] if id_column else (),
        name=name,
        template=template,
        written_captions=columns.get("caption"),
        images=images,
        image_folder=next(
            (place for place in places if images and os.path.isfile(place / images[0])), places[0]
        ),
        image_places=places,
    )
