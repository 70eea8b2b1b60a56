"""Flat scenes in which one thing is varied and all else is held: the size of the objects, their
distance, clutter beside them, noise behind them.

What is varied is drawn after all that `draw_flat` draws. So pictures of one seed have the same
places, sizes and ground, whatever the style says of the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.pictures.flat import FlatStyle, ground, paint, placed
from conceptbind.pictures.layout import Layout

if TYPE_CHECKING:
    from PIL.Image import Image

    from conceptbind.core.typing import Floats

CLUTTER_RADIUS = 0.06
"""Of a distractor, as a share of the picture."""
CLUTTER_GAP = 0.01
"""Between a distractor and what is next to it."""
TRIES = 2000
"""Places that are tried for one distractor."""


@dataclass(frozen=True)
class VariedStyle(FlatStyle):
    """How flat scenes look, and what is changed in them. By default nothing is."""

    scale: float = 1.0
    """Radius of the objects, as a share of what it is otherwise; their centres stay."""
    distance: float | None = None
    """Distance of the centres of two objects, as a share of the picture; None leaves them where
    they are. Their middle and direction stay, but for what the frame asks."""
    clutter: int = 0
    """Distractors: small shapes that belong to no scene. The first of them stay where there are
    more."""
    clutter_shapes: tuple[str, ...] = ()
    """Their shapes."""
    clutter_colors: tuple[str, ...] = ()
    """Their colours."""
    noise: float = 0.0
    """Largest change of each channel of each pixel of the ground, as a share of 255."""


def draw_varied(
    objects: Sequence[tuple[str, str]], rng: np.random.Generator, style: VariedStyle
) -> tuple[Image, Layout]:
    """A picture of objects (colour, shape), placed from left to right, and where they stand.

    Args:
        objects: m pairs of a colour and a flat shape.
        rng: source of all jitter.
        style: how it looks.

    Raises:
        UnknownNameError: a colour or shape that is not known.
        ValueRangeError: what was asked for does not fit; see `draw_flat`.
    """
    layout = _changed(placed(len(objects), rng, style), style)
    picture = ground(rng, style)
    of_noise, of_clutter = (np.random.default_rng(seed) for seed in rng.integers(2**62, size=2))
    if style.noise:
        picture = _noisy(picture, of_noise, style.noise)
    paint(picture, objects, layout, style)
    if style.clutter:
        others, places = _distractors(layout, of_clutter, style)
        paint(picture, others, places, style)
    return picture, layout


def _changed(layout: Layout, style: VariedStyle) -> Layout:
    """The layout with other sizes, and another distance."""
    if not 0 < style.scale <= 1:
        raise ValueRangeError(
            f"objects can be scaled by a share above 0 and up to 1; got {style.scale}"
        )
    radii = layout.radii * style.scale
    if style.distance is None:
        return Layout(layout.centres, radii)
    if len(radii) != 2:
        raise ValueRangeError(f"a distance is between two objects; got {len(radii)}")
    return Layout(_apart(layout.centres, radii, style.distance), radii)


def _apart(centres: Floats, radii: Floats, distance: float) -> Floats:
    """(2, 2) centres at a distance, inside the frame."""
    if distance < radii.sum():
        raise ValueRangeError(
            f"objects at the distance {distance} would overlap: their radii sum to "
            f"{radii.sum():.3f}; use a larger distance or a smaller scale"
        )
    line = centres[1] - centres[0]
    half = distance / 2 * line / np.linalg.norm(line)
    found = centres.mean(axis=0) + np.stack([-half, half])  # (2, 2)
    low = np.maximum(radii[:, None] - found, 0).max(axis=0)
    high = np.maximum(found + radii[:, None] - 1, 0).max(axis=0)
    if (np.minimum(low, high) > 0).any():
        raise ValueRangeError(f"objects at the distance {distance} would not fit into the picture")
    moved: Floats = found + low - high
    return moved


def _noisy(picture: Image, rng: np.random.Generator, noise: float) -> Image:
    from PIL import Image as Pillow

    values = np.asarray(picture, dtype=np.float64)
    changed = values + rng.uniform(-1, 1, values.shape) * noise * 255
    return Pillow.fromarray(np.clip(np.round(changed), 0, 255).astype(np.uint8), "RGB")


def _distractors(
    layout: Layout, rng: np.random.Generator, style: VariedStyle
) -> tuple[list[tuple[str, str]], Layout]:
    """Distractors in the free space, one after the other, and where they stand."""
    if not style.clutter_shapes or not style.clutter_colors:
        raise ValueRangeError("clutter needs at least one shape and one colour")
    centres, radii, found = list(layout.centres), list(layout.radii), []
    for _ in range(style.clutter):
        color, shape = (
            names[int(rng.integers(len(names)))]
            for names in (style.clutter_colors, style.clutter_shapes)
        )
        found.append((color, shape))
        centres.append(_free(np.array(centres), np.array(radii), rng))
        radii.append(CLUTTER_RADIUS)
    n = len(layout.radii)
    return found, Layout(np.array(centres[n:]), np.array(radii[n:]))


def _free(centres: Floats, radii: Floats, rng: np.random.Generator) -> Floats:
    """(2,) a place that is free."""
    tried = rng.uniform(CLUTTER_RADIUS, 1 - CLUTTER_RADIUS, (TRIES, 2))
    away = np.linalg.norm(tried[:, None] - centres[None], axis=2)  # (tries, m)
    clear = (away >= radii + CLUTTER_RADIUS + CLUTTER_GAP).all(axis=1)
    if not clear.any():
        raise ValueRangeError(
            f"there is no room for a distractor beside {len(radii)} shapes; use less clutter or "
            "fewer objects"
        )
    place: Floats = tried[int(clear.argmax())]
    return place
