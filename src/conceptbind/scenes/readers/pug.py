"""PUG:SPAR and PUG:SPARE: photorealistic scenes of two animals with textures; PUG:Animals: of one
animal (arXiv 2308.03977, arXiv 2502.03566).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from conceptbind.core.errors import FileError, UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.core.files import user_path
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.readers.tables import labelled, read_columns
from conceptbind.scenes.table import Scenes

NO_ANIMAL = "blank"
"""What PUG:SPAR writes for an animal that is not there."""
NO_TEXTURE = "Default"
"""What PUG:SPAR writes for an animal in its natural look, which is not an attribute that could be
bound."""
ALL_WORLDS = "all"
"""What asks for the scenes of every world."""

_CONCEPTS = ("texture", "animal")
_COLUMNS = (
    "filename",
    "world_name",
    "character_name",
    "character2_name",
    "character_texture",
    "character2_texture",
)
_SLOTS = {
    (1, "texture"): "character_texture",
    (1, "animal"): "character_name",
    (2, "texture"): "character2_texture",
    (2, "animal"): "character2_name",
}
_ANIMALS = {
    "world": "world_name",
    "animal": "character_name",
    "size": "character_scale",
    "texture": "character_texture",
    "yaw": "camera_yaw",
}
"""Concepts of PUG:Animals, and their columns."""


def read_pug_spare(
    path: str | Path, world: str = "Desert", template: str = DEFAULT_TEMPLATE
) -> Scenes:
    """PUG:SPARE label table: rows of one world whose `character_pos` is empty (arXiv 2605.31503,
    section 3).

    Args:
        path: `PUG_SPARE.csv`, or the folder that holds it; the pictures are `<world>/<filename>`
            beside it.
        world: which background.
        template: how captions name an object.

    Returns:
        Scenes of two objects with the concepts texture and animal.

    Raises:
        UnknownNameError: a column is missing, or no row has the world; names the worlds.
        ValueRangeError: every row of the world says where its first animal stands.
    """
    path = user_path(path)
    path = path / "PUG_SPARE.csv" if path.is_dir() else path
    columns = read_columns(path)
    _require(path, "PUG:SPARE", columns, ("character_pos",))
    worlds = sorted(set(columns["world_name"]))
    if world not in worlds:
        raise UnknownNameError(
            f"{path} has no rows of the world '{cut(world)}'; {nearest(world, worlds)}"
        )
    pairs = zip(columns["world_name"], columns["character_pos"], strict=True)
    kept = [row for row, (found, position) in enumerate(pairs) if found == world and not position]
    if not kept:
        raise ValueRangeError(
            f"{path} has no row of the world '{world}' with an empty character_pos; nothing to "
            "measure"
        )
    name = "pug-spare" if world == "Desert" else f"pug-spare:{world}"
    return labelled(
        path,
        _rows(columns, kept),
        _SLOTS,
        {"texture": None, "animal": None},
        name,
        template,
        places=(path.parent / world,),
    )


def read_pug_spar(
    path: str | Path,
    world: str | None = None,
    template: str = DEFAULT_TEMPLATE,
    *,
    animals: int = 2,
) -> Scenes:
    """PUG:SPAR label table: scenes with two different animals (or with one), each with a texture
    that is not its natural look.

    These are the scenes on which binding is asked for (arXiv 2502.03566, section 3). Left out are
    rows with the texture `Default`, with the same animal twice, and with another number of animals.

    Args:
        path: `labels.csv`, or the folder that holds it; the pictures lie beside it.
        world: which background; `all` for all of them together. Needed where the table has several.
        template: how captions name an object.
        animals: 2, or 1 for the scenes with a single animal.

    Returns:
        Scenes of one or two objects with the concepts texture and animal. Their values are those of
        the whole table, so that one-animal and two-animal scenes have the same objects.

    Raises:
        UnknownNameError: a column is missing, or no row has the world; names the worlds.
        ValueRangeError: there are several worlds and none was chosen, or no scene is left.
    """
    path = user_path(path)
    if animals not in (1, 2):
        raise ValueRangeError(f"PUG:SPAR has scenes with 1 and with 2 animals; got {animals}")
    path = path / "labels.csv" if path.is_dir() else path
    columns = read_columns(path)
    # readers differ; both are in use
    position = "character1_pos" if "character1_pos" in columns else "character_pos"
    _require(path, "PUG:SPAR", columns, (position,))
    world = _chosen_world(path, columns["world_name"], world)
    present = _present(path, columns)
    kept = [
        row
        for row, found in enumerate(present)
        if _has_textured_animals(found, animals)
        and world in (ALL_WORLDS, columns["world_name"][row])
    ]
    if not kept:
        where = "" if world == ALL_WORLDS else f" of the world '{world}'"
        what, instead = ("a single animal", "leave out :one for the scenes with two animals")
        if animals == 2:
            what, instead = ("two different animals", "add :one for the scenes with one animal")
        raise ValueRangeError(
            f"{path} has no scene{where} with {what} in textures other than '{NO_TEXTURE}'; choose "
            f"another world, or {instead}"
        )
    slots = {(slot, what): f"{what}{slot}" for slot in range(1, animals + 1) for what in _CONCEPTS}
    labels = {"filename": [columns["filename"][row] for row in kept]}
    for (slot, what), name in slots.items():
        labels[name] = [present[row][slot - 1][_CONCEPTS.index(what)] for row in kept]
    vocabulary = {
        "texture": sorted({texture for found in present for texture, _ in found} - {NO_TEXTURE}),
        "animal": sorted({animal for found in present for _, animal in found}),
    }
    name = "pug-spar"
    if len(set(columns["world_name"])) > 1:
        name = f"{name}:{world}"
    if animals == 1:
        name = f"{name}:one"
    return labelled(path, labels, slots, vocabulary, name, template)


def read_pug_animals(path: str | Path, template: str = DEFAULT_TEMPLATE) -> Scenes:
    """PUG:Animals label table: scenes of one animal (arXiv 2308.03977). All rows are kept.

    Args:
        path: the table, or the folder whose only `.csv` file it is; the pictures are
            `<character_name>/<filename>` beside it.
        template: how captions name an object.

    Returns:
        Scenes of one object with the concepts world, animal, size, texture and yaw. A scene is
        called by its picture, `<character_name>/<filename>`.

    Raises:
        FileError: a folder does not hold exactly one table.
        UnknownNameError: a column is missing.
        ValueRangeError: a cell is empty, or a picture appears twice.
    """
    path = user_path(path)
    path = _only_table(path) if path.is_dir() else path
    columns = read_columns(path)
    missing = [name for name in ("filename", *_ANIMALS.values()) if name not in columns]
    if missing:
        raise UnknownNameError(
            f"{path} is not a PUG:Animals table: it lacks the columns {', '.join(missing)}"
        )
    if "" in columns["filename"]:
        raise ValueRangeError(
            f"{path}, data row {columns['filename'].index('') + 1}: column 'filename' is empty"
        )
    named = zip(columns["character_name"], columns["filename"], strict=True)
    pictures = [f"{animal}/{name}" for animal, name in named]
    labels = {name: columns[name] for name in _ANIMALS.values()}
    return labelled(
        path,
        {"id": pictures, "image": pictures, **labels},
        {(1, concept): name for concept, name in _ANIMALS.items()},
        dict.fromkeys(_ANIMALS),
        "pug-animals",
        template,
    )


def _only_table(folder: Path) -> Path:
    """The one table of a folder."""
    found = sorted(folder.glob("*.csv"))
    if len(found) != 1:
        held = cut(", ".join(file.name for file in found), 200) or "none"
        raise FileError(
            f"the folder {folder} must hold one .csv file, the table of PUG:Animals; its tables: "
            f"{held}; name one, for example pug-animals:{folder / 'labels.csv'}"
        )
    return found[0]


def _has_textured_animals(found: Sequence[tuple[str, str]], animals: int) -> bool:
    """Whether that many animals are there, no two of one kind, each in a texture."""
    kinds = {animal for _, animal in found}
    textured = all(texture != NO_TEXTURE for texture, _ in found)
    return len(kinds) == len(found) == animals and textured


def _present(path: Path, columns: Mapping[str, Sequence[str]]) -> list[list[tuple[str, str]]]:
    """(texture, animal) of the animals that are there, row by row; 0 to 2 of them.

    Raises:
        ValueRangeError: a cell is empty; names the row and the column.
    """
    rows: list[list[tuple[str, str]]] = [[] for _ in columns["filename"]]
    for slot in ("", "2"):
        name, texture = f"character{slot}_name", f"character{slot}_texture"
        for row, (animal, look) in enumerate(zip(columns[name], columns[texture], strict=True)):
            if not animal or (not look and animal != NO_ANIMAL):
                raise ValueRangeError(
                    f"{path}, data row {row + 1}: column '{texture if animal else name}' is empty; "
                    f"PUG:SPAR writes '{NO_ANIMAL}' for an animal that is not there, and the "
                    "texture of every other"
                )
            if animal != NO_ANIMAL:
                rows[row].append((look, animal))
    return rows


def _rows(columns: Mapping[str, Sequence[str]], kept: Sequence[int]) -> dict[str, list[str]]:
    rows = {}
    for name, column in columns.items():
        rows[name] = [column[row] for row in kept]
    return rows


def _require(
    path: Path, what: str, columns: Mapping[str, Sequence[str]], more: Sequence[str]
) -> None:
    missing = [name for name in (*_COLUMNS, *more) if name not in columns]
    if missing:
        raise UnknownNameError(
            f"{path} is not a {what} table: it lacks the columns {', '.join(missing)}"
        )


def _chosen_world(path: Path, column: Sequence[str], world: str | None) -> str:
    """The world asked for, or the only one there is."""
    worlds = sorted(set(column))
    if world is None:
        if len(worlds) == 1:
            return worlds[0]
        raise ValueRangeError(
            f"{path} has scenes of {len(worlds)} worlds ({', '.join(worlds)}); choose one with "
            f"pug-spar:{path}:{worlds[0]}, "
            f"or take them together with pug-spar:{path}:{ALL_WORLDS}"
        )
    if world not in (ALL_WORLDS, *worlds):
        raise UnknownNameError(
            f"{path} has no rows of the world '{cut(world)}'; {nearest(world, worlds)}"
        )
    return world
