"""Pictures of the page: drawn from what was placed, or dropped as a file."""

from __future__ import annotations

import io
from itertools import combinations
from math import hypot
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta

from conceptbind.app.phrases import same_colour
from conceptbind.core.errors import FileError, ValueRangeError, cut
from conceptbind.pictures.files import quiet_pillow, read_picture
from conceptbind.pictures.flat import draw_placed
from conceptbind.pictures.layout import Layout
from conceptbind.pictures.vocabulary import APART
from conceptbind.report.page import small_picture

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "MPO")
"""Kinds of files that are read; Pillow hands some others to programs of the machine."""
MOST_BYTES = 20 << 20
"""Of one picture file."""
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 100
"""Times the shorter side, at most: encoders enlarge the shorter one."""
SHOWN = 448
"""Pixels of a picture on the page, at most."""
MOST_PLACED = 12
OVERLAP = 0.8
"""Share of the sum of two radii that centres are apart, at least, where neither object is
hidden."""


class Placed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object of the scene builder."""

    color: str
    shape: str
    x: Annotated[float, Meta(ge=0, le=1)]
    """Its centre from the left, as a share of the picture."""
    y: Annotated[float, Meta(ge=0, le=1)]
    radius: Annotated[float, Meta(ge=0.03, le=0.5)] = 0.16


def draw(objects: list[Placed]) -> Image:
    """The picture of what was placed; nothing placed is an empty ground.

    Args:
        objects: later ones cover earlier ones.

    Raises:
        ValueRangeError: there are too many.
        UnknownNameError: a colour or shape that the renderer does not know.
    """
    if len(objects) > MOST_PLACED:
        raise ValueRangeError(
            f"expected at most {MOST_PLACED} objects; got {len(objects)}; remove some"
        )
    centres = np.array([(one.x, one.y) for one in objects], dtype=float).reshape(-1, 2)
    radii = np.array([one.radius for one in objects], dtype=float)
    return draw_placed([(one.color, one.shape) for one in objects], Layout(centres, radii))


def shown_by(objects: list[Placed]) -> tuple[tuple[str, str], ...] | None:
    """The colour and the shape of each object, one by one; None where one may be hidden by another,
    or is of a colour that the builder does not offer.

    Args:
        objects: what was placed.
    """
    if any(one.color not in APART for one in objects):
        return None
    for one, other in combinations(objects, 2):
        apart = hypot(one.x - other.x, one.y - other.y)
        if apart < OVERLAP * (one.radius + other.radius):
            return None
    return tuple((same_colour(one.color), one.shape) for one in objects)


def read_dropped(data: bytes, name: str) -> Image:
    """A picture file that was dropped, as every command sees it.

    Args:
        data: what it holds.
        name: what it is called, for messages.

    Raises:
        FileError: it is too large, broken, animated, or no picture.
    """
    from PIL import Image as Pillow

    told = cut(PurePath(name.replace("\\", "/")).name or "the picture", 60)
    if len(data) > MOST_BYTES:
        raise FileError(f"{told} has more than {MOST_BYTES >> 20} MiB; save a smaller one")
    try:
        with quiet_pillow(), Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
    except Pillow.DecompressionBombError as error:
        raise FileError(
            f"{told} has too many pixels; expected at most {MOST_PIXELS:,}; save a smaller one"
        ) from error
    except Exception as error:  # a decoder that is fed a broken file raises what it likes
        raise FileError(
            f"{told} is no picture that can be read; expected PNG, JPEG, WebP, BMP, GIF or TIFF; "
            "save it again as PNG or JPEG"
        ) from error
    if width * height > MOST_PIXELS:
        raise FileError(
            f"{told} has {width:,} x {height:,} pixels; expected at most {MOST_PIXELS:,} in all; "
            "save a smaller one"
        )
    if max(width, height) > LONGEST_SIDE * min(width, height):
        raise FileError(
            f"{told} has {width:,} x {height:,} pixels; expected a side at most {LONGEST_SIDE} "
            "times as long as the other; cut out a part of it"
        )
    with quiet_pillow():
        return read_picture(Path(told), data=data)


def as_address(picture: Image) -> str:
    """A picture as a data address, at most `SHOWN` wide and high.

    Args:
        picture: RGB; it is left as it is.
    """
    return small_picture(picture, SHOWN, "png")
