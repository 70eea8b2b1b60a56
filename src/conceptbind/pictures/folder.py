"""A scene table as a folder of pictures: PNG files, and `scenes.csv`, which `--scenes` reads."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError
from conceptbind.core.escape import csv_text
from conceptbind.core.files import content_hash, user_path, write_whole
from conceptbind.core.kept import Kept
from conceptbind.core.limits import require_regular
from conceptbind.core.ownership import Process, end_with
from conceptbind.pictures.flat import FlatStyle, draw_flat
from conceptbind.pictures.solid import SolidStyle, draw_solid
from conceptbind.pictures.varied import VariedStyle, draw_varied
from conceptbind.pictures.vocabulary import FLAT_SHAPES, SOLID_SHAPES, colour_and_shape

if TYPE_CHECKING:
    from PIL.Image import Image as PictureImage

    from conceptbind.pictures.layout import Layout
    from conceptbind.pictures.solid import SolidLayout
    from conceptbind.scenes.table import Scenes

RECIPE = "pictures.json"
ROUNDING = 2
"""Levels of 255 that another processor may draw differently."""
LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
"""How a PNG file ends."""


@explains_arguments
def draw_pictures(
    scenes: Scenes,
    folder: str | Path,
    *,
    kind: str | None = None,
    style: FlatStyle | SolidStyle | None = None,
    seed: int = 0,
    places: Sequence[int] | None = None,
    processes: int = 1,
    on_picture: Callable[[int], None] = lambda _: None,
) -> Scenes:
    """Draw every scene into a folder, or the pictures that a killed call left out.

    Args:
        scenes: the table; its concepts must be a colour and a shape that the renderer knows.
        folder: where the files go; created if needed.
        kind: `flat` or `solid`; by default what the table says.
        style: how the pictures look; decides the kind where it is given.
        seed: of all jitter; picture i is drawn from (seed, i), whatever is drawn before it and in
            whichever process.
        places: (n,) a number for each picture, in place of i. Pictures with the same number and as
            many objects have the same places, sizes and ground.
        processes: how many draw at once.
        on_picture: called with 1 for every picture.

    Returns:
        The same scenes with their pictures.

    Raises:
        UnknownNameError: a colour or shape that the renderer does not know.
        ValueRangeError: no such kind, or more objects than fit.
        ShapeError: not one number of `places` for each picture.
        MismatchError: the folder holds pictures of another table, style or seed.
        MissingExtraError: solids need mitsuba.
        FileError: the disk is full.
    """
    folder = user_path(folder)
    kind = kind or scenes.drawing or "flat"
    if style is None and kind not in ("flat", "solid"):
        raise ValueRangeError(f"expected flat or solid pictures; got '{kind}'")
    style = style or (FlatStyle() if kind == "flat" else SolidStyle())
    kind = "flat" if isinstance(style, FlatStyle) else "solid"
    color, shape = colour_and_shape(scenes.space, FLAT_SHAPES if kind == "flat" else SOLID_SHAPES)
    recipe = {
        "format": 1,
        "kind": kind,
        "scenes_hash": scenes.content_hash,
        "seed": seed,
        "style": asdict(style),
    }
    numbers: Sequence[int] = range(len(scenes))
    if places is not None:
        numbers = [int(number) for number in places]
        recipe["places"] = content_hash(*map(str, numbers))
        if len(numbers) != len(scenes):
            raise ShapeError(
                f"expected one number of places for each of {len(scenes):,} scenes; got "
                f"{len(numbers):,}"
            )
    width = len(str(len(scenes) - 1))
    names = tuple(f"{i:0{width}d}.png" for i in range(len(scenes)))
    colors, shapes = scenes.space.values[color], scenes.space.values[shape]

    def objects_of(scene: list[list[int]]) -> list[tuple[str, str]]:
        """Colour and shape of each object."""
        return [(colors[values[color]], shapes[values[shape]]) for values in scene]

    jobs = [
        (folder / name, objects_of(scene), seed, number, style)
        for number, name, scene in zip(numbers, names, scenes.table.tolist(), strict=True)
    ]
    _draw(jobs[0], write=False)  # what cannot be drawn is known before anything is written
    Kept(folder, RECIPE, "other pictures", recipe).begin()
    stand = []
    for place in map(_draw, jobs) if processes == 1 else _at_once(jobs, processes):
        stand.append(place)
        on_picture(1)
    write_whole(folder / "scenes.csv", _table(scenes, names, stand))
    return replace(scenes, images=names, image_folder=folder)


Job = tuple[Path, list[tuple[str, str]], int, int, "FlatStyle | SolidStyle"]


def _draw(job: Job, write: bool = True) -> list[float]:
    """Draw one picture unless it is there; where its objects stand: x, y, radius of each."""
    path, objects, seed, i, style = job
    rng = np.random.default_rng([seed, i])
    picture, layout = _drawn(objects, rng, style)
    if write and os.path.lexists(path):
        require_drawn(path, picture)
    elif write:
        data = io.BytesIO()
        picture.save(data, "PNG", compress_level=1)
        write_whole(path, data.getvalue())
    place: list[float] = (
        np.round(np.column_stack([layout.centres, layout.radii]), 4).ravel().tolist()
    )
    return place


def _drawn(
    objects: list[tuple[str, str]], rng: np.random.Generator, style: FlatStyle | SolidStyle
) -> tuple[PictureImage, Layout | SolidLayout]:
    """The picture of a style."""
    if isinstance(style, VariedStyle):
        return draw_varied(objects, rng, style)
    if isinstance(style, FlatStyle):
        return draw_flat(objects, rng, style)
    return draw_solid(objects, rng, style)


def require_drawn(path: Path, picture: PictureImage, rounding: int = ROUNDING) -> None:
    """Raise MismatchError unless a file of an earlier call holds the picture that would be written;
    rounding is not a difference.

    Args:
        path: the file.
        picture: that would be written.
        rounding: levels of 255 that may differ.
    """
    try:
        content = require_regular(path).read_bytes()
        with Image.open(io.BytesIO(content)) as there:
            same = (
                there.size == picture.size
                and there.mode == picture.mode
                and content.endswith(LAST_CHUNK)
            )
            same = (
                same
                and int(
                    np.abs(
                        np.asarray(there, dtype=np.int16) - np.asarray(picture, dtype=np.int16)
                    ).max()
                )
                <= rounding
            )
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        same = False
    if not same:
        raise MismatchError(
            f"{path} is not the picture that was drawn: it is damaged or was replaced; delete it "
            "and run the same command again"
        )


def _at_once(jobs: list[Job], processes: int) -> Iterator[list[float]]:
    """The same in several processes, in the same order."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    context, owner = get_context("spawn"), Process.this()
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=end_with, initargs=(owner,)
    ) as pool:
        yield from pool.map(_draw, jobs, chunksize=max(1, min(16, len(jobs) // processes)))


def _table(scenes: Scenes, names: tuple[str, ...], places: list[list[float]]) -> str:
    """The label table with a column for each concept and slot, and where each object stands (shares
    of the picture).
    """
    slots = range(1, scenes.n_slots + 1)
    labels = [f"{concept}_{slot}" for slot in slots for concept in scenes.space.concepts]
    rows: list[list[object]] = [
        ["filename", *labels, *(f"{part}{slot}" for slot in slots for part in ("x", "y", "radius"))]
    ]
    for name, scene, place in zip(names, scenes.table.tolist(), places, strict=True):
        values = [scenes.space.values[k][v] for objects in scene for k, v in enumerate(objects)]
        rows.append([name, *values, *place])
    return csv_text(rows)
