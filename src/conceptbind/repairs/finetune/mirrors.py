"""Pictures mirrored left to right while an encoder is trained: colour and shape stay, sides do not.

A picture of a red square and a blue circle shows the same objects in its mirror. What speaks of
sides would become false, so it is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.core.errors import ValueRangeError, cut

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.scenes.table import Scenes

SIDES = re.compile(
    r"\b(left|right|lefts|rights|leftmost|rightmost|leftward|rightward|leftwards|rightwards|"
    r"clockwise|counterclockwise|anticlockwise|west|east|western|eastern|westward|eastward|"
    r"links|rechts|linke[mnrs]?|rechte[mnrs]?|mirrored)\b",
    re.I,
)
"""Words of captions and values that a mirror turns false."""
PLACES = re.compile(
    r"\b(x|side|sides|orientation|rotation|angle|azimuth|yaw|heading|direction|horizontal|"
    r"position|place)\b",
    re.I,
)
"""Words in the name of a concept that a mirror changes."""


def refuse_sides(texts: Iterable[str], what: str = "caption") -> None:
    """Raise where a text speaks of sides.

    Args:
        texts: captions, or values of a concept.
        what: what one of them is called.

    Raises:
        ValueRangeError: one does; it and the word are named.
    """
    for text in texts:
        found = SIDES.search(_words(text))
        if found:
            raise ValueRangeError(
                f"pictures cannot be mirrored: the {what} '{cut(text, 80)}' says "
                f"'{found[0]}', which is false of a mirrored picture; leave the option out"
            )


def refuse_sided_scenes(scenes: Scenes) -> None:
    """Raise where a concept, a value or a caption of scenes speaks of sides.

    Args:
        scenes: the table.

    Raises:
        ValueRangeError: one does; it is named.
    """
    for concept, values in zip(scenes.space.concepts, scenes.space.values, strict=True):
        found = PLACES.search(_words(concept)) or SIDES.search(_words(concept))
        if found:
            raise ValueRangeError(
                f"pictures cannot be mirrored: the concept '{cut(concept, 40)}' of the scenes is "
                "about sides, which a mirrored picture exchanges; leave the option out"
            )
        refuse_sides(values, f"value of {cut(concept, 40)}")
    refuse_sides([scenes.template], "template")
    refuse_sides(scenes.written_captions or ())


def mirrored(
    pixels: Float[torch.Tensor, "pictures ..."], random: np.random.Generator
) -> Float[torch.Tensor, "pictures ..."]:
    """Each picture as it is or mirrored left to right, by chance.

    Args:
        pixels: (b, ..., width) prepared pictures; the last axis goes from left to right.
        random: decides which.
    """
    turned = torch.from_numpy(random.random(len(pixels)) < 0.5).to(pixels.device)
    shape = (-1, *(1 for _ in pixels.shape[1:]))
    return torch.where(turned.view(shape), pixels.flip(-1), pixels)


def _words(text: str) -> str:
    """A text whose joined words are apart: `position_x`, `posX`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)
