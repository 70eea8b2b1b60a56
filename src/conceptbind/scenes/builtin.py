"""Scenes that need no file: text20, CLEVR's label grid, CLEVR-2D and CLEVR-3D (arXiv 2605.31503,
section 3).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

ADJECTIVES = (
    *("red", "blue", "green", "yellow", "purple", "orange", "pink", "brown", "gray", "black"),
    *("small", "large", "tiny", "round", "sharp", "rough", "bumpy", "smooth", "matte", "glossy"),
)
NOUNS = (
    *("circle", "square", "triangle", "star", "heart", "spiral", "sphere", "cylinder", "cone"),
    *("pyramid", "car", "cat", "dog", "man", "woman", "tree", "flower", "rock", "bird", "fish"),
)
CLEVR_COLORS = ("blue", "brown", "cyan", "gray", "green", "purple", "red", "yellow")
CLEVR_SHAPES = ("cube", "cylinder", "sphere")
FLAT_CLEVR_SHAPES = ("square", "triangle", "circle")
SAMPLED = 2000
"""Scenes of three and more objects that are drawn at random, since all would be too many."""


def text20(adjectives: int = 20, nouns: int = 20) -> Scenes:
    """All ordered pairs of objects from the first adjectives and nouns; 160,000 scenes in full.

    Args:
        adjectives: how many of the 20 adjectives, at least 2.
        nouns: how many of the 20 nouns, at least 2.

    Raises:
        ValueRangeError: counts outside 2..20.
    """
    if not (2 <= adjectives <= len(ADJECTIVES) and 2 <= nouns <= len(NOUNS)):
        raise ValueRangeError(
            f"text20 has 2 to 20 adjectives and 2 to 20 nouns; got {adjectives} x {nouns}"
        )
    space = ConceptSpace(("adjective", "noun"), (ADJECTIVES[:adjectives], NOUNS[:nouns]))
    name = "text20" if (adjectives, nouns) == (20, 20) else f"text20:{adjectives}x{nouns}"
    return full_grid(space, slots=2, name=name)


def clevr_grid(slots: int = 2) -> Scenes:
    """All ordered choices of CLEVR's 24 objects, as captions only: 576 scenes for two slots.

    Args:
        slots: objects in a scene, at least 1.
    """
    space = ConceptSpace(("color", "shape"), (CLEVR_COLORS, CLEVR_SHAPES))
    return full_grid(space, slots=slots, name="clevr" if slots == 2 else f"clevr:{slots}")


def drawn_clevr(kind: str, slots: int = 2, seed: int = 0) -> Scenes:
    """CLEVR-2D (`flat`: square, triangle, circle) or CLEVR-3D (`solid`), whose pictures are
    rendered.

    With one or two slots all scenes; with more, 2,000 different ones drawn from a seed.

    Args:
        kind: `flat` or `solid`.
        slots: objects in a scene, 1 to 10.
        seed: decides the draw of three objects and more.

    Raises:
        ValueRangeError: not 1 to 10 objects.
    """
    if not 1 <= slots <= 10:
        raise ValueRangeError(f"rendered CLEVR scenes hold 1 to 10 objects; got {slots}")
    space = ConceptSpace(
        ("color", "shape"), (CLEVR_COLORS, FLAT_CLEVR_SHAPES if kind == "flat" else CLEVR_SHAPES)
    )
    name = "clevr2d" if kind == "flat" else "clevr3d"
    if slots != 2:
        name = f"{name}:{slots}"
    if slots <= 2:
        return replace(full_grid(space, slots=slots, name=name), drawing=kind)
    objects = np.unique(
        np.random.default_rng(seed).integers(space.n_objects, size=(2 * SAMPLED, slots)), axis=0
    )
    chosen = np.random.default_rng(seed).permutation(len(objects))[:SAMPLED]
    return Scenes(space, space.object_values(objects[np.sort(chosen)]), name=name, drawing=kind)
