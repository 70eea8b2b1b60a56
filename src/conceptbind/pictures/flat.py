"""Flat scenes: coloured shapes on a plain ground, supersampled. The same seed and Pillow version
give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import UnknownNameError, ValueRangeError, counted, nearest
from conceptbind.pictures.layout import Layout, place
from conceptbind.pictures.vocabulary import COLORS, FLAT_SHAPES, POLYGONS

if TYPE_CHECKING:
    from PIL.Image import Image

GROUND = 200
"""Grey of the ground without jitter: neither white nor gray objects vanish on it."""


@dataclass(frozen=True)
class FlatStyle:
    """How flat scenes look."""

    size: int = 224
    """Width and height in pixels."""
    supersampling: int = 4
    """Samples along each side of a pixel."""
    position_jitter: float = 0.5
    """Share of the free space around an object that it may use."""
    size_jitter: float = 0.15
    """Objects are up to this share smaller."""
    background_jitter: float = 0.0
    """Largest change of each channel of the ground, as a share of 255."""
    halves: bool = True
    """Two objects stand left and right."""


def draw_flat(
    objects: Sequence[tuple[str, str]], rng: np.random.Generator, style: FlatStyle | None = None
) -> tuple[Image, Layout]:
    """A picture of objects (colour, shape), placed from left to right, and where they stand.

    Args:
        objects: m pairs of a colour and a flat shape.
        rng: source of all jitter.
        style: how it looks.

    Raises:
        UnknownNameError: a colour or shape that is not known.
        ValueRangeError: more objects than fit, or so many on so few pixels that shapes could not be
            told apart.
    """
    style = style or FlatStyle()
    layout = placed(len(objects), rng, style)
    picture = ground(rng, style)
    paint(picture, objects, layout, style)
    return picture, layout


def draw_placed(
    objects: Sequence[tuple[str, str]], layout: Layout, style: FlatStyle | None = None
) -> Image:
    """A picture of objects that stand where a layout says, on a ground without jitter. Where they
    overlap, later ones cover earlier ones.

    Args:
        objects: m pairs of a colour and a flat shape.
        layout: where they stand.
        style: how it looks; its jitter has no effect.

    Raises:
        UnknownNameError: a colour or shape that is not known.
        ValueRangeError: an object is so small that its shape could not be told.
    """
    style = replace(style or FlatStyle(), background_jitter=0.0)
    picture = ground(np.random.default_rng(0), style)
    if objects:
        paint(picture, objects, layout, style)
    return picture


def placed(n_objects: int, rng: np.random.Generator, style: FlatStyle) -> Layout:
    """Where the objects of a picture stand.

    Args:
        n_objects: m.
        rng: source of all jitter.
        style: how the picture looks.

    Raises:
        ValueRangeError: more objects than fit.
    """
    return place(
        n_objects,
        rng,
        position_jitter=style.position_jitter,
        size_jitter=style.size_jitter,
        halves=style.halves,
    )


def ground(rng: np.random.Generator, style: FlatStyle) -> Image:
    """A picture without objects.

    Args:
        rng: source of its colour.
        style: how it looks.
    """
    from PIL import Image as Pillow

    shift = rng.uniform(-1, 1, 3) * style.background_jitter * 255
    red, green, blue = (int(v) for v in np.clip(np.round(GROUND + shift), 0, 255))
    return Pillow.new("RGB", (style.size, style.size), (red, green, blue))


def paint(
    picture: Image, objects: Sequence[tuple[str, str]], layout: Layout, style: FlatStyle
) -> None:
    """Draw objects (colour, shape) onto a picture.

    Args:
        picture: is changed.
        objects: m pairs of a colour and a flat shape.
        layout: where they stand.
        style: how they look.

    Raises:
        UnknownNameError: a colour or shape that is not known.
        ValueRangeError: so many on so few pixels that shapes could not be told apart.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    if layout.radii.min() * style.size < 3:
        raise ValueRangeError(
            f"{counted(len(objects), 'object')} on {style.size} pixels would be "
            f"{2 * layout.radii.min() * style.size:.0f} pixels wide; "
            "use a larger size or fewer objects"
        )
    s = style.supersampling
    for (color, shape), (x, y), radius in zip(
        objects, layout.centres * style.size, layout.radii * style.size, strict=True
    ):
        if color not in COLORS:
            raise UnknownNameError(
                f"the renderer knows no colour '{color}'; {nearest(color, COLORS)}"
            )
        left, top = floor(x - radius), floor(y - radius)
        side = ceil(2 * radius) + 2
        mask = Pillow.new("L", (side * s, side * s), 0)
        _shape(ImageDraw.Draw(mask), shape, (x - left) * s, (y - top) * s, radius * s)
        picture.paste(COLORS[color], (left, top), mask.reduce(s))


def _shape(pen: object, shape: str, x: float, y: float, radius: float) -> None:
    """Draw one shape in white on its mask."""
    from PIL import ImageDraw

    assert isinstance(pen, ImageDraw.ImageDraw)
    disc = (x - radius * 0.92, y - radius * 0.92, x + radius * 0.92, y + radius * 0.92)
    if shape in POLYGONS:
        pen.polygon([(x + radius * px, y + radius * py) for px, py in POLYGONS[shape]], fill=255)
    elif shape == "circle":
        pen.ellipse(disc, fill=255)
    elif shape == "ring":
        pen.ellipse(disc, fill=255)
        inner = radius * 0.5
        pen.ellipse((x - inner, y - inner, x + inner, y + inner), fill=0)
    elif shape == "crescent":
        pen.ellipse(disc, fill=255)
        cut, at = radius * 0.75, x + radius * 0.45
        pen.ellipse((at - cut, y - cut, at + cut, y + cut), fill=0)
    else:
        raise UnknownNameError(
            f"the flat renderer knows no shape '{shape}'; {nearest(shape, FLAT_SHAPES)}"
        )
