"""The text20 scenes: 20 adjectives x 20 nouns, all ordered pairs (arXiv 2605.31503, section 3), and CLEVR's label grid."""

from __future__ import annotations

from conceptbind.errors import ValueRangeError
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

# fmt: off
ADJECTIVES = (
    "red", "blue", "green", "yellow", "purple", "orange", "pink", "brown", "gray", "black", "small",
    "large", "tiny", "round", "sharp", "rough", "bumpy", "smooth", "matte", "glossy",
)
NOUNS = (
    "circle", "square", "triangle", "star", "heart", "spiral", "sphere", "cylinder", "cone", "pyramid",
    "car", "cat", "dog", "man", "woman", "tree", "flower", "rock", "bird", "fish",
)
# fmt: on
CLEVR_COLORS = ("blue", "brown", "cyan", "gray", "green", "purple", "red", "yellow")
CLEVR_SHAPES = ("cube", "cylinder", "sphere")


def text20(adjectives: int = 20, nouns: int = 20) -> Scenes:
    """All ordered pairs of objects from the first adjectives and nouns; 160,000 scenes in full.

    Raises:
        ValueRangeError: counts outside 2..20.
    """
    if not (2 <= adjectives <= len(ADJECTIVES) and 2 <= nouns <= len(NOUNS)):
        raise ValueRangeError(f"text20 has 2 to 20 adjectives and 2 to 20 nouns; got {adjectives} x {nouns}")
    space = ConceptSpace(("adjective", "noun"), (ADJECTIVES[:adjectives], NOUNS[:nouns]))
    name = "text20" if (adjectives, nouns) == (20, 20) else f"text20:{adjectives}x{nouns}"
    return full_grid(space, slots=2, name=name)


def clevr_grid(slots: int = 2) -> Scenes:
    """All ordered choices of CLEVR's 24 objects, as captions only: 576 scenes for two slots."""
    space = ConceptSpace(("color", "shape"), (CLEVR_COLORS, CLEVR_SHAPES))
    return full_grid(space, slots=slots, name="clevr" if slots == 2 else f"clevr:{slots}")
