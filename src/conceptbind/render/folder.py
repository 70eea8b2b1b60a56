"""A scene table as a folder of pictures: PNG files, and `scenes.csv`, which `--scenes` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.errors import MismatchError, ValueRangeError
from conceptbind.files import read_json, write_json, write_whole
from conceptbind.render.flat import FlatStyle, draw_flat
from conceptbind.render.vocabulary import FLAT_SHAPES, colour_and_shape

if TYPE_CHECKING:
    from conceptbind.scenes import Scenes

RECIPE = "pictures.json"


def draw_pictures(
    scenes: Scenes,
    folder: Path,
    *,
    kind: str | None = None,
    style: FlatStyle | None = None,
    seed: int = 0,
    on_picture: Callable[[int], None] = lambda _: None,
) -> Scenes:
    """Draw every scene into a folder, or the pictures that a killed call left out.

    Args:
        scenes: the table; its concepts must be a colour and a shape that the renderer knows.
        folder: where the files go; created if needed.
        kind: `flat` or `solid`; by default what the table says.
        style: how the pictures look.
        seed: of all jitter; picture i is drawn from (seed, i), whatever is drawn before it.
        on_picture: called with 1 for every picture.

    Returns:
        The same scenes with their pictures.

    Raises:
        UnknownNameError: a colour or shape that the renderer does not know.
        MismatchError: the folder holds pictures of another table, style or seed.
        FileError: the disk is full.
    """
    kind = kind or scenes.drawing or "flat"
    if kind != "flat":
        raise ValueRangeError(f"expected flat pictures; got '{kind}'")
    style = style or FlatStyle()
    color, shape = colour_and_shape(scenes.space, FLAT_SHAPES)
    recipe = {"format": 1, "kind": kind, "scenes_hash": scenes.content_hash, "seed": seed, "style": asdict(style)}
    _claim(folder, recipe)
    width = len(str(len(scenes) - 1))
    names = tuple(f"{i:0{width}d}.png" for i in range(len(scenes)))
    places: list[list[float]] = []
    for i, name in enumerate(names):
        objects = [
            (scenes.space.values[color][values[color]], scenes.space.values[shape][values[shape]])
            for values in scenes.table[i].tolist()
        ]
        picture, layout = draw_flat(objects, np.random.default_rng([seed, i]), style)
        places.append(np.round(np.column_stack([layout.centres, layout.radii]), 4).ravel().tolist())
        if not (folder / name).exists():
            data = io.BytesIO()
            picture.save(data, "PNG", compress_level=1)
            write_whole(folder / name, data.getvalue())
        on_picture(1)
    write_whole(folder / "scenes.csv", _table(scenes, names, places))
    return replace(scenes, images=names, image_folder=folder)


def _claim(folder: Path, recipe: dict[str, Any]) -> None:
    """Make the folder ours, or see that it already is."""
    path = folder / RECIPE
    if path.exists():
        found = read_json(path)
        other = [name for name in recipe if found.get(name) != recipe[name]]
        if other:
            differences = "; ".join(f"{name}: {found.get(name)!r} there, {recipe[name]!r} now" for name in other)
            raise MismatchError(f"{folder} holds other pictures ({differences}); choose another folder or delete that one")
    elif folder.is_dir() and any(folder.iterdir()):
        raise MismatchError(f"{folder} holds other files and no {RECIPE}; choose an empty or new folder")
    else:
        write_json(path, recipe)


def _table(scenes: Scenes, names: tuple[str, ...], places: list[list[float]]) -> str:
    """The label table with a column for each concept and slot, and where each object stands (shares of the picture)."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    slots = range(1, scenes.n_slots + 1)
    labels = [f"{concept}_{slot}" for slot in slots for concept in scenes.space.concepts]
    rows.writerow(["filename", *labels, *(f"{part}{slot}" for slot in slots for part in ("x", "y", "radius"))])
    for name, scene, place in zip(names, scenes.table.tolist(), places, strict=True):
        values = [scenes.space.values[k][v] for objects in scene for k, v in enumerate(objects)]
        rows.writerow([name, *values, *place])
    return text.getvalue()
