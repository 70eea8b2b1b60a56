"""dSprites and MPI3D: one object a scene, and every factor of its picture a concept (dSprites,
github.com/deepmind/dsprites-dataset; MPI3D, arXiv 1906.03292).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import (
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
)
from conceptbind.core.files import user_path
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.readers.arrays import ONLY, ArrayFile, StoredPictures
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

SPRITES = ("square", "ellipse", "heart")
"""The shapes of dSprites by their class."""
DSPRITES_CONCEPTS = ("color", "shape", "size", "orientation", "x", "y")
MOST_CLASSES = 1000
"""Classes that a factor of dSprites may have; the published one has at most 40."""
MOST_DIGITS = 6

_PLACES = tuple(map(str, range(40)))
_VIEWS: dict[str, tuple[str, ...]] = {
    "size": ("small", "large"),
    "camera": ("top", "center", "bottom"),
    "background": ("purple", "sea green", "salmon"),
    "horizontal": _PLACES,
    "vertical": _PLACES,
}
MPI3D_KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "simple": {
        "color": ("white", "green", "red", "blue", "brown", "olive"),
        "shape": ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere"),
        **_VIEWS,
    },
    "complex": {
        "color": ("yellow", "green", "olive", "red"),
        "shape": ("coffee-cup", "tennis-ball", "croissant", "beer-cup"),
        **_VIEWS,
    },
    "challenge": {
        "color": ("green", "red", "blue", "brown"),
        "shape": ("cone", "cube", "hexagonal prism", "sphere"),
        **_VIEWS,
    },
}
"""Concepts and values of the releases of MPI3D. `simple` is toy, realistic and real. `challenge` is
the first release, without the colours and shapes that the challenge held out; it has as many rows
as `complex`, which is taken where nothing is said."""
MPI3D_PICTURES = ("images", "imgs", "X", "data")
"""What the array of pictures is called; the published name first."""


def read_dsprites(path: str | Path, template: str = DEFAULT_TEMPLATE) -> Scenes:
    """DSprites in its published layout: `latents_classes` (n, 6), `latents_values` (n, 6), `imgs`.

    Values are those whose class occurs. Shapes have their names. Other values are called by
    `latents_values`, rounded so far as they stay apart. Where that array is missing, or does not
    agree with the classes, they are called by the number of their class. The member `metadata` is a
    pickle and is not touched, and no picture is unpacked.

    Args:
        path: the `.npz` file.
        template: how captions name an object.

    Returns:
        Scenes of one object with the concepts color, shape, size, orientation, x and y.

    Raises:
        FileError: the file is missing or damaged.
        UnsafeFileError: an array that is read holds Python objects.
        UnknownNameError: it has no `latents_classes`.
        ShapeError: an array has another shape.
        ValueRangeError: classes are no whole numbers, or out of range.
    """
    file = ArrayFile(user_path(path), "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz")
    classes = _labels(file, "latents_classes", len(DSPRITES_CONCEPTS))
    _require_range(
        file,
        "latents_classes",
        classes,
        [len(SPRITES) if name == "shape" else MOST_CLASSES for name in DSPRITES_CONCEPTS],
    )
    stored = None
    if "imgs" in file.names:
        stored = StoredPictures(file, "imgs", len(classes), silhouettes=True)
    values = _latents(file, len(classes))
    grey = stored is None or len(stored.size) == 2
    named: dict[str, tuple[str, ...]] = {}
    for k, concept in enumerate(DSPRITES_CONCEPTS):
        found = np.unique(classes[:, k])
        if concept == "shape":
            named[concept] = tuple(SPRITES[number] for number in found)
        elif concept == "color" and grey and len(found) == 1:
            named[concept] = ("white",)
        else:
            named[concept] = _numbers(classes[:, k], None if values is None else values[:, k])
    return _scenes(named, _ranks(classes), "dsprites", template, stored)


def read_mpi3d(
    path: str | Path, kind: str | None = None, template: str = DEFAULT_TEMPLATE
) -> Scenes:
    """MPI3D: pictures whose rows are all combinations of seven factors, the last fastest.

    The pictures are the array `images` (`imgs`, `X` and `data` are in use too), or the only one.
    The array `labels` (n, 7) holds a row of ids for each picture where a file is not the full grid;
    values are then those that occur.

    Args:
        path: the `.npz` or `.npy` file.
        kind: one of `MPI3D_KINDS`; by default what the number of rows says, and `simple` for
            labels.
        template: how captions name an object.

    Returns:
        Scenes of one object with the concepts color, shape, size, camera, background, horizontal
        and vertical.

    Raises:
        FileError: the file is missing or damaged.
        UnsafeFileError: an array that is read holds Python objects.
        UnknownNameError: there is no such kind, or it cannot be told which array holds the
            pictures.
        ShapeError: an array has another shape, or the rows are no full grid and have no labels.
        ValueRangeError: labels are no whole numbers, or out of range.
    """
    if kind is not None and kind not in MPI3D_KINDS:
        raise UnknownNameError(f"MPI3D has no kind '{cut(kind)}'; {nearest(kind, MPI3D_KINDS)}")
    file = ArrayFile(user_path(path), "mpi3d_toy.npz")
    pictures = _pictures_of(file)
    labelled = "labels" in file.names
    if labelled:
        kind = kind or "simple"
        table = _labels(file, "labels", len(MPI3D_KINDS[kind]))
    else:
        rows, kind = _grid_of(file, pictures, kind)
        table = np.stack(np.unravel_index(np.arange(rows), _sizes(kind)), axis=1)
    stored = None
    if pictures is not None:
        stored = StoredPictures(file, pictures, len(table), silhouettes=False)
    named = dict(MPI3D_KINDS[kind])
    if labelled:
        _require_range(file, "labels", table, _sizes(kind))
        for k, (concept, values) in enumerate(MPI3D_KINDS[kind].items()):
            named[concept] = tuple(values[number] for number in np.unique(table[:, k]))
        table = _ranks(table)
    name = "mpi3d" if kind == "simple" else f"mpi3d:{kind}"
    return _scenes(named, table, name, template, stored)


def _scenes(
    named: Mapping[str, tuple[str, ...]],
    table: Int[Ints, "scenes concepts"],
    name: str,
    template: str,
    stored: StoredPictures | None,
) -> Scenes:
    space = ConceptSpace(tuple(named), tuple(named.values()))
    return Scenes(space, table[:, None], name=name, template=template, stored=stored)


def _labels(file: ArrayFile, name: str, factors: int) -> Int[Ints, "scenes concepts"]:
    """An array of whole numbers, a row for each scene."""
    file.require(name, f"whole numbers, {factors} for each picture")
    shape, kind, _ = file.layout(name)
    if len(shape) != 2 or shape[1] != factors or not shape[0]:
        raise ShapeError(
            f"{file.told(name)} must hold {factors} whole numbers for each picture, (n, "
            f"{factors}); got shape {shape}"
        )
    if kind.kind not in "iu":
        raise ValueRangeError(
            f"{file.told(name)} must hold whole numbers (int64); got {kind}; write it again as "
            "integers"
        )
    found: Ints = file.read(name).astype(np.int64, copy=False)
    return found


def _require_range(
    file: ArrayFile, name: str, table: Int[Ints, "scenes concepts"], sizes: Sequence[int]
) -> None:
    wrong = np.argwhere((table < 0) | (table >= np.array(sizes)))
    if len(wrong):
        row, k = wrong[0].tolist()
        raise ValueRangeError(
            f"{file.told(name)}, row {row}, column {k}: {table[row, k]} is outside 0 to "
            f"{sizes[k] - 1}"
        )


def _ranks(table: Int[Ints, "scenes concepts"]) -> Int[Ints, "scenes concepts"]:
    """The same with the ids that occur in a column numbered from 0 on, in their order."""
    columns = [np.searchsorted(np.unique(column), column) for column in table.T]
    return np.stack(columns, axis=1)


def _latents(file: ArrayFile, n: int) -> Float[Floats, "scenes concepts"] | None:
    """What the classes stand for; None where the file does not say."""
    if "latents_values" not in file.names:
        return None
    shape, kind, _ = file.layout("latents_values")
    if shape != (n, len(DSPRITES_CONCEPTS)) or kind.kind not in "fiu":
        raise ShapeError(
            f"{file.told('latents_values')} must hold {len(DSPRITES_CONCEPTS)} numbers for each of "
            f"{n:,} pictures; got {kind} {shape}"
        )
    found: Floats = file.read("latents_values").astype(np.float64, copy=False)
    return found


def _numbers(
    classes: Int[Ints, " scenes"], values: Float[Floats, " scenes"] | None
) -> tuple[str, ...]:
    """The names of the classes that occur: the value that each stands for with two digits, fewer
    where these say it all and more where they would not tell two apart; else the class itself.
    """
    found, first, place = np.unique(classes, return_index=True, return_inverse=True)
    by_class = tuple(map(str, found.tolist()))
    if values is None or not np.isfinite(values).all() or (values != values[first][place]).any():
        return by_class
    meant = values[first]
    for digits in range(MOST_DIGITS + 1):
        rounded = np.round(meant, digits) + 0.0  # no "-0"
        names = tuple(f"{number:.{digits}f}" for number in rounded)
        exact = np.allclose(meant, rounded, rtol=0, atol=1e-9)
        if len(set(names)) == len(names) and (exact or digits > 1):
            return names
    return by_class


def _sizes(kind: str) -> tuple[int, ...]:
    return tuple(map(len, MPI3D_KINDS[kind].values()))


def _pictures_of(file: ArrayFile) -> str | None:
    """The array of pictures; None where a file holds labels alone."""
    if file.names == (ONLY,):
        return ONLY
    others = [name for name in file.names if name != "labels"]
    known = [name for name in MPI3D_PICTURES if name in others]
    if known or len(others) == 1:
        return (known or others)[0]
    if not others and "labels" in file.names:
        return None
    raise UnknownNameError(
        f"it cannot be told which array of {file.path} holds the pictures; expected 'images', or a "
        f"single array; its arrays: {file.held()}"
    )


def _grid_of(file: ArrayFile, pictures: str | None, kind: str | None) -> tuple[int, str]:
    """The number of rows of a full grid, and the release that has it."""
    assert pictures is not None  # a file without labels has another array, or was refused
    shape, _, _ = file.layout(pictures)
    rows = shape[0] if shape else 0
    kinds = MPI3D_KINDS if kind is None else (kind,)
    fitting = [one for one in kinds if math.prod(_sizes(one)) == rows]
    if fitting:
        return rows, fitting[0]
    grids = dict.fromkeys(math.prod(_sizes(one)) for one in kinds)
    told = " or ".join(f"{n:,}" for n in grids)
    raise ShapeError(
        f"{file.told(pictures)} has {rows:,} rows and no labels; expected the full grid of "
        f"{told} rows, or an array 'labels' (n, 7)"
    )
