"""The colours and shapes that the renderers know, and how a scene's concepts name them."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

from PIL import ImageColor

from conceptbind.core.errors import UnknownNameError, nearest

if TYPE_CHECKING:
    from conceptbind.scenes.space import ConceptSpace

# The first eight are CLEVR's, in its release's values.
APART: dict[str, tuple[int, int, int]] = {
    "blue": (42, 75, 215),
    "brown": (129, 74, 25),
    "cyan": (41, 208, 208),
    "gray": (87, 87, 87),
    "green": (29, 105, 20),
    "purple": (129, 38, 192),
    "red": (173, 35, 35),
    "yellow": (255, 238, 51),
    "orange": (240, 130, 20),
    "pink": (245, 150, 190),
    "black": (15, 15, 15),
    "white": (252, 252, 252),
    "lime": (150, 235, 60),
    "navy": (15, 25, 95),
    "maroon": (95, 5, 25),
    "teal": (10, 120, 120),
    "grey": (87, 87, 87),
}
"""Colours that are told apart on flat and on solid shapes alike."""
COLORS = APART | {
    name: ImageColor.getrgb(name)[:3] for name in ImageColor.colormap if name not in APART
}
"""Our colours, and the others that CSS names."""
SUCH_AS = f"{', '.join(APART)} and all others that CSS names"
"""The known colours in words."""


def _regular(corners: int, turn: float = -pi / 2) -> list[tuple[float, float]]:
    return [
        (cos(turn + 2 * pi * i / corners), sin(turn + 2 * pi * i / corners)) for i in range(corners)
    ]


def _star(points: int, inner: float) -> list[tuple[float, float]]:
    corners = []
    for i in range(2 * points):
        radius, turn = 1 if i % 2 == 0 else inner, pi * i / points - pi / 2
        corners.append((radius * cos(turn), radius * sin(turn)))
    return corners


def _heart(steps: int = 48) -> list[tuple[float, float]]:
    angles = [2 * pi * i / steps for i in range(steps)]
    return [
        (
            0.9 * sin(a) ** 3,
            -0.9 * (13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) / 17 - 0.08,
        )
        for a in angles
    ]


POLYGONS: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.7, -0.7), (0.7, -0.7), (0.7, 0.7), (-0.7, 0.7)],
    "triangle": _regular(3),
    "diamond": [(0, -1), (0.65, 0), (0, 1), (-0.65, 0)],
    "pentagon": _regular(5),
    "hexagon": _regular(6, 0),
    "star": _star(5, 0.42),
    "heart": _heart(),
    "cross": [
        (-0.3, -0.95),
        (0.3, -0.95),
        (0.3, -0.3),
        (0.95, -0.3),
        (0.95, 0.3),
        (0.3, 0.3),
        (0.3, 0.95),
        (-0.3, 0.95),
        (-0.3, 0.3),
        (-0.95, 0.3),
        (-0.95, -0.3),
        (-0.3, -0.3),
    ],
    "arrow": [
        (-0.95, -0.28),
        (0.1, -0.28),
        (0.1, -0.75),
        (1, 0),
        (0.1, 0.75),
        (0.1, 0.28),
        (-0.95, 0.28),
    ],
}
"""Flat shapes with straight or finely divided edges, inside the unit circle; y points down."""
FLAT_SHAPES = (*POLYGONS, "circle", "ring", "crescent")
SOLID_SHAPES = ("cube", "cylinder", "sphere")


def colour_and_shape(space: ConceptSpace, shapes: tuple[str, ...]) -> tuple[int, int]:
    """Positions of the concepts that give an object's colour and its shape.

    Raises:
        UnknownNameError: there is no colour or no shape among the concepts, another concept that
            cannot be drawn, or a value that the renderer does not know; names the known ones.
    """
    by_role: dict[str, int] = {}
    for k, values in enumerate(space.values):
        role = max(
            ("color", COLORS), ("shape", shapes), key=lambda item: len(set(values) & set(item[1]))
        )
        if not set(values) & set(role[1]):
            role = ("shape", shapes) if space.concepts[k] == "shape" else ("color", COLORS)
        if role[0] in by_role:
            raise UnknownNameError(
                f"the concept '{space.concepts[k]}' cannot be drawn beside "
                f"'{space.concepts[by_role[role[0]]]}'; "
                "pictures show one colour and one shape of each object"
            )
        for value in values:
            if value not in role[1]:
                kind = "colour" if role[0] == "color" else "shape"
                near = nearest(value, role[1])
                known = SUCH_AS if kind == "colour" else ", ".join(sorted(role[1]))
                said = f"known: {known}" if near.startswith("known") else f"{near} (known: {known})"
                raise UnknownNameError(f"the renderer knows no {kind} '{value}'; {said}")
        by_role[role[0]] = k
    for role_name in ("color", "shape"):
        if role_name not in by_role:
            raise UnknownNameError(
                f"pictures need a concept '{role_name}' beside {', '.join(space.concepts)}; "
                f"known colours: {SUCH_AS}; known shapes: {', '.join(shapes)}"
            )
    return by_role["color"], by_role["shape"]
