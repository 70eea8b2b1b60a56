"""Pictures that lie as one array in a file, written as a folder of PNG files with their table."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.escape import csv_text
from conceptbind.core.files import user_path, write_parts, write_whole
from conceptbind.core.kept import Kept
from conceptbind.pictures.folder import RECIPE, require_drawn

if TYPE_CHECKING:
    from typing import Any

    from jaxtyping import Shaped
    from numpy.typing import NDArray

    from conceptbind.scenes.table import Scenes

WRITERS = 8
"""Threads that write: most of their time they wait until a file is safe on the disk."""
AT_ONCE = 64
"""Pictures that are handed to them together."""


@explains_arguments
def write_pictures(
    scenes: Scenes, folder: str | Path, *, on_picture: Callable[[int], None] = lambda _: None
) -> Scenes:
    """Write the stored pictures of a table into a folder, or those that a killed call left out.

    They are read in order and a few megabytes at a time. Pictures without colours become grey PNG
    files. The labels go to `scenes.csv`, which `--scenes` reads.

    Args:
        scenes: a table whose reader found pictures (`Scenes.stored`).
        folder: where the files go; created if needed.
        on_picture: called with 1 for every picture.

    Returns:
        The same scenes with their pictures as files.

    Raises:
        ValueRangeError: the table has no stored pictures, or they mix two ranges of values.
        MismatchError: the folder holds other pictures, or a picture was changed since.
        ShapeError: the array stands column by column.
        FileError: the array is damaged, or the disk is full.
    """
    folder = user_path(folder)
    if scenes.stored is None:
        raise ValueRangeError(
            f"the scenes '{scenes.name}' have no pictures in an array file; draw_pictures draws "
            "those of colours and shapes"
        )
    recipe = {
        "format": 1,
        "kind": "stored",
        "scenes_hash": scenes.content_hash,
        "pictures": scenes.stored.identity(),
    }
    width = len(str(len(scenes) - 1))
    names = tuple(f"{i:0{width}d}.png" for i in range(len(scenes)))
    pictures = iter(scenes.stored)
    first = next(pictures)  # what cannot be read is known before anything is written
    Kept(folder, RECIPE, "other pictures", recipe).begin()
    with ThreadPoolExecutor(WRITERS) as pool:
        named = zip(names, chain([first], pictures), strict=True)
        while some := list(islice(named, AT_ONCE)):
            for _ in pool.map(lambda one: _keep(folder / one[0], one[1]), some):
                on_picture(1)
    write_parts(folder / "scenes.csv", _lines(scenes, names))
    return replace(scenes, images=names, image_folder=folder, stored=None)


def _keep(path: Path, values: Shaped[NDArray[Any], "height width *channels"]) -> None:
    """Write a picture, or see that it is the one that is there."""
    picture = Image.fromarray(values)
    if os.path.lexists(path):
        require_drawn(path, picture, rounding=0)
        return
    data = io.BytesIO()
    picture.save(data, "PNG", compress_level=1)
    write_whole(path, data.getvalue())


def _lines(scenes: Scenes, names: Sequence[str]) -> Iterator[str]:
    """The label table, line by line."""
    slots = range(1, scenes.n_slots + 1)
    columns = [f"{concept}_{slot}" for slot in slots for concept in scenes.space.concepts]
    yield csv_text([["filename", *columns]])
    for name, scene in zip(names, scenes.table, strict=True):
        values = [scenes.space.values[k][v] for objects in scene for k, v in enumerate(objects)]
        yield csv_text([[name, *values]])
