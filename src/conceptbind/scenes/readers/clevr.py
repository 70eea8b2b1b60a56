"""CLEVR in the three forms that are about: a label table with a header, LABCLIP's table without
one, and CLEVR's scene file.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conceptbind.core.errors import (
    FileError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
    quoted,
)
from conceptbind.core.files import user_path
from conceptbind.core.text import parse_json, read_text
from conceptbind.scenes.builtin import CLEVR_COLORS, CLEVR_SHAPES
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.readers.tables import (
    cells_of,
    labelled,
    read_columns,
    read_lines,
    slot_columns,
)
from conceptbind.scenes.table import Scenes

VOCABULARY = {"color": CLEVR_COLORS, "shape": CLEVR_SHAPES}

_LABCLIP_TABLE = re.compile(r"output_(\d+)obj\.csv")
_PICTURE = re.compile(r".+\.(png|jpe?g|webp|bmp|gif|tiff?)", re.IGNORECASE)
_EXPECTED = "clevr_labels.csv, output_{n}obj.csv (LABCLIP) or a scene file *_scenes.json"


def read_clevr(
    path: str | Path, template: str = DEFAULT_TEMPLATE, objects: int | None = None
) -> Scenes:
    """CLEVR scenes, with the concepts color and shape.

    Three forms are told apart by what the file holds:

    - a label table, `filename, object1_color, object1_shape, object2_color, ...`, with its pictures
      beside it;
    - LABCLIP's `output_{n}obj.csv` without a header, `filename, noun1, attribute1, noun2,
      attribute2, ...`, its pictures in `images_{n}obj/` beside it;
    - CLEVR's scene file (JSON). Its objects are ordered from left to right; their size and material
      are not used. The pictures lie beside it, in `images/`, `../images/` or `../images/<split>/`.

    Args:
        path: the file, or a folder that holds exactly one of them.
        template: how captions name an object.
        objects: how many objects a scene holds: picks the table in a folder of several, and the
            scenes of a scene file.

    Raises:
        FileError: the file cannot be read, or the folder does not hold exactly one; names those it
            holds.
        UnknownNameError: a column is missing, or a label is not one of CLEVR's.
        ValueRangeError: the scenes hold different numbers of objects, or not the number asked for.
    """
    path = user_path(path)
    if path.is_dir():
        path = _only_file(path, objects)
    if path.suffix.lower() == ".json":
        return _scene_file(path, template, objects)
    first = read_lines(path)[0][1]
    if _LABCLIP_TABLE.fullmatch(path.name) or _PICTURE.fullmatch(first[0]):
        return _labclip_table(path, template, objects)
    columns = read_columns(path)
    slots = {key: name for key, name in slot_columns(columns).items() if key[1] in VOCABULARY}
    if not slots:
        raise UnknownNameError(
            f"{path} is not a CLEVR label table: expected columns object1_color, object1_shape, "
            f"object2_color, ...; got {', '.join(columns)}"
        )
    scenes = labelled(path, columns, slots, VOCABULARY, "clevr", template)
    _require_count(path, scenes.n_slots, objects)
    return scenes


def _only_file(folder: Path, objects: int | None) -> Path:
    """The one file of CLEVR scenes in a folder; LABCLIP's tables of another number of objects do
    not count.
    """
    tables = {
        file: _LABCLIP_TABLE.fullmatch(file.name) for file in sorted(folder.glob("output_*obj.csv"))
    }
    found = [file for file, match in tables.items() if match and objects in (None, int(match[1]))]
    found += [folder / "clevr_labels.csv"] if (folder / "clevr_labels.csv").is_file() else []
    found += [*sorted(folder.glob("*_scenes.json")), *sorted(folder.glob("scenes/*_scenes.json"))]
    if len(found) == 1:
        return found[0]
    if found:
        raise FileError(
            f"the folder {folder} holds {counted(len(found), 'file')} of CLEVR scenes: "
            f"{', '.join(str(file.relative_to(folder)) for file in found)}; "
            f"name one of them, for example clevr:{found[0]}"
        )
    others = f"; it has {', '.join(file.name for file in tables)}" if tables else ""
    wanted = "" if objects is None else f" with {counted(objects, 'object')}"
    raise FileError(
        f"the folder {folder} holds no CLEVR scenes{wanted}: expected {_EXPECTED}{others}"
    )


def _require_count(path: Path, found: int, asked: int | None) -> None:
    if asked not in (None, found):
        raise ValueRangeError(
            f"{path} holds scenes of {found} objects, not of {asked}; write clevr:{path}, or name "
            "another file"
        )


def _labclip_table(path: Path, template: str, objects: int | None) -> Scenes:
    rows = read_lines(path)
    named = _LABCLIP_TABLE.fullmatch(path.name)
    n = int(named[1]) if named else len(rows[0][1]) // 2
    _require_count(path, n, objects)
    for number, cells in rows:
        if len(cells) != 1 + 2 * n:
            raise ValueRangeError(
                f"{path}, line {number}: expected {1 + 2 * n} cells (filename, noun1, attribute1, "
                f"... for {counted(n, 'object')}, without a header), "
                f"got {len(cells)}"
            )
    slots = {
        (slot, concept): f"{kind}{slot}"
        for slot in range(1, n + 1)
        for kind, concept in (("noun", "shape"), ("attribute", "color"))
    }
    names = ("filename", *slots.values())
    columns = {name: cells_of(rows, i) for i, name in enumerate(names)}
    places = (path.parent / f"images_{n}obj", path.parent)
    try:
        return labelled(
            path, columns, slots, VOCABULARY, "clevr" if n == 2 else f"clevr:{n}", template, places
        )
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error}; expected lines of filename, noun1, attribute1, ..., the noun first, and no "
            "header"
        ) from error


def _scene_file(path: Path, template: str, objects: int | None) -> Scenes:
    scenes = _scene_list(path)
    counts = Counter(len(scene["objects"]) for scene in scenes)
    if objects is None and len(counts) == 1:
        objects = next(iter(counts))
    if objects not in counts:
        held = ", ".join(
            f"{count} objects ({counted(number, 'scene')})"
            for count, number in sorted(counts.items())
        )
        raise ValueRangeError(
            f"{path} holds scenes of {held}; one table takes scenes of one number of objects, "
            f"which {'has to be chosen' if objects is None else f'cannot be {objects}'}: write for "
            f"example clevr:{path}:{min(counts)}"
        )
    if not objects:
        raise ValueRangeError(
            f"the scenes of {path} hold no objects; expected objects with color, shape and "
            "pixel_coords"
        )
    kept = [
        (number, scene) for number, scene in enumerate(scenes) if len(scene["objects"]) == objects
    ]
    rows = [_left_to_right(path, number, scene["objects"]) for number, scene in kept]
    slots = {
        (slot, concept): f"{concept}_{slot}"
        for slot in range(1, objects + 1)
        for concept in VOCABULARY
    }
    columns = {"filename": [scene["image_filename"] for _, scene in kept]}
    for (slot, concept), name in slots.items():
        columns[name] = [row[slot - 1][concept] for row in rows]
    name = "clevr" if objects == 2 else f"clevr:{objects}"
    return labelled(
        path, columns, slots, VOCABULARY, name, template, _picture_places(path, kept[0][1])
    )


def _scene_list(path: Path) -> list[dict[str, Any]]:
    """The scenes of a scene file, each with a picture and a list of objects."""
    expected = "expected CLEVR's JSON with a list 'scenes'"
    content = parse_json(
        read_text(path, "the scene file", expected), f"the scene file {path}", expected
    )
    scenes = content.get("scenes") if isinstance(content, dict) else None
    if not isinstance(scenes, list) or not scenes:
        raise ValueRangeError(
            f"{path} is not a CLEVR scene file: expected a list 'scenes' with at least one scene; "
            f"{_got(content)}"
        )
    for number, scene in enumerate(scenes, start=1):
        if not isinstance(scene, dict):
            raise ValueRangeError(
                f"{path}, scene {number}: expected an object with image_filename and objects; "
                f"{_got(scene)}"
            )
        if not isinstance(scene.get("image_filename"), str) or not isinstance(
            scene.get("objects"), list
        ):
            raise ValueRangeError(
                f"{path}, scene {number}: expected image_filename (text) and objects (a list); "
                f"{_got(scene)}"
            )
    return scenes


def _got(value: object) -> str:
    """What came instead, in few words."""
    return (
        f"got the fields {cut(', '.join(map(str, value)), 200) or '(none)'}"
        if isinstance(value, dict)
        else f"got {json.dumps(value)[:60]}"
    )


def _left_to_right(path: Path, number: int, objects: Sequence[Any]) -> list[Mapping[str, str]]:
    """The objects of a scene by the x of their pixel; those with the same x in the order of the
    file.
    """
    for position, thing in enumerate(objects, start=1):
        where = f"{path}, scene {number + 1}, object {position}"
        if not isinstance(thing, dict) or not {*VOCABULARY, "pixel_coords"} <= thing.keys():
            raise ValueRangeError(
                f"{where}: expected the fields color, shape and pixel_coords; {_got(thing)}"
            )
        x = (
            thing["pixel_coords"][0]
            if isinstance(thing["pixel_coords"], list) and thing["pixel_coords"]
            else None
        )
        if not isinstance(x, int | float) or not math.isfinite(x):
            raise ValueRangeError(
                f"{where}: expected pixel_coords to be numbers [x, y, depth]; got "
                f"{quoted(thing['pixel_coords'])}"
            )
        for concept, values in VOCABULARY.items():
            if thing[concept] not in values:
                raise UnknownNameError(
                    f"{where}: {quoted(thing[concept])} is not a {concept} of CLEVR; "
                    f"{nearest(str(thing[concept]), values)}"
                )
    return sorted(objects, key=lambda thing: thing["pixel_coords"][0])


def _picture_places(path: Path, scene: Mapping[str, Any]) -> tuple[Path, ...]:
    """Where the pictures of a scene file may lie: beside it, and in `images/` beside it or beside
    its folder, with and without the split.
    """
    named = re.fullmatch(r"CLEVR_(.+)_scenes", path.stem)
    splits = dict.fromkeys(
        split
        for split in (named and named[1], scene.get("split"))
        if isinstance(split, str) and split
    )
    folders = (path.parent / "images", path.parent.parent / "images")
    return (path.parent, *folders, *(folder / split for folder in folders for split in splits))
