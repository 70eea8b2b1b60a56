"""What a stress curve varies: one declaration for each factor, and nothing else knows of it.

A factor is a name, its values, and the view of the scenes at a value; all else is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import UnknownNameError, ValueRangeError, nearest
from conceptbind.pictures.varied import VariedStyle
from conceptbind.pictures.vocabulary import FLAT_SHAPES, colour_and_shape
from conceptbind.stresses.stock import LISTED, MOST, NOTHING, PAIR, REVERSED, SHUFFLED, Stock, View

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality

Value = str | int | float
PICTURES: tuple[Modality, ...] = ("image",)
CAPTIONS: tuple[Modality, ...] = ("text",)
ALL: tuple[Modality, ...] = ("text", "image")
NEAR = 0.6
"""Scale of objects whose distance is varied, so that there is room for it."""


@dataclass(frozen=True)
class Factor:
    """One thing that is varied."""

    name: str
    """One word, as `--factors` takes it."""
    title: str
    """What is varied, as a phrase."""
    at: Callable[[Stock, Any], View]
    """The scenes at a value."""
    values: Callable[[Stock], Sequence[Value]]
    """Values that the scenes allow, the base among them."""
    base: Value
    """What the others are compared with."""
    said: str
    """A value in a sentence, {} for the value: "{} objects"."""
    changes: tuple[Modality, ...] = ALL
    """Embeddings that it changes; levels within other ones do not depend on it."""
    needs: Callable[[Stock], str | None] = lambda stock: None
    """Why the scenes cannot be varied so; None where they can."""
    held: str = "two objects"
    """What is held, in words."""

    def told(self, value: object) -> str:
        """A value in words: "6 objects"."""
        return self.said.format(value)


def _fixed(*values: Value) -> Callable[[Stock], Sequence[Value]]:
    return lambda stock: values


def _numbers(stock: Stock) -> Sequence[Value]:
    return [n for n in (2, 3, 4, 6, 8, MOST) if n <= stock.most]


def _flat(stock: Stock) -> str | None:
    if stock.given.drawing == "flat":
        return None
    return "it changes flat pictures, and none are drawn of these scenes"


def _three(stock: Stock) -> str | None:
    return None if stock.most > PAIR and stock.thirds else "it needs three values of each concept"


def _free_shapes(stock: Stock) -> tuple[str, ...]:
    """Shapes that no caption names."""
    named = set(chain.from_iterable(stock.space.values))
    return tuple(shape for shape in FLAT_SHAPES if shape not in named)


def _cluttered(stock: Stock, n: int) -> View:
    colour, _ = colour_and_shape(stock.space, FLAT_SHAPES)
    colours = stock.space.values[colour]
    style = VariedStyle(clutter=n, clutter_shapes=_free_shapes(stock), clutter_colors=colours)
    return stock.view(style=style if n else None)


def _clutterable(stock: Stock) -> str | None:
    if _flat(stock) is None and not _free_shapes(stock):
        return "captions name every shape that can be drawn"
    return _flat(stock)


GROUNDS = {
    "plain": VariedStyle(),
    "coloured": VariedStyle(background_jitter=0.2),
    "weak noise": VariedStyle(noise=0.1),
    "strong noise": VariedStyle(noise=0.4),
}
"""Grounds by name."""

FACTORS: dict[str, Factor] = {
    factor.name: factor
    for factor in (
        Factor(
            "objects",
            "Number of objects",
            lambda stock, n: stock.view(n),
            _numbers,
            PAIR,
            "{} objects",
            held="the pair that is swapped",
        ),
        Factor(
            "size",
            "Size of objects",
            lambda stock, scale: stock.view(style=VariedStyle(scale=scale)),
            _fixed(1.0, 0.7, 0.5, 0.3),
            1.0,
            "objects scaled by {}",
            PICTURES,
            _flat,
            "two objects, and where they stand",
        ),
        Factor(
            "distance",
            "Distance between objects",
            lambda stock, far: stock.view(style=VariedStyle(scale=NEAR, distance=far)),
            _fixed(0.25, 0.35, 0.5, 0.75),
            0.5,
            "centres {} of the picture apart",
            PICTURES,
            _flat,
            f"two objects scaled by {NEAR}",
        ),
        Factor(
            "clutter",
            "Clutter",
            _cluttered,
            _fixed(0, 2, 4, 8),
            0,
            "{} distractors",
            PICTURES,
            _clutterable,
            "two objects, their size and where they stand",
        ),
        Factor(
            "order",
            "Order of mention",
            lambda stock, order: stock.view(3, order=order),
            _fixed(LISTED, REVERSED, SHUFFLED),
            LISTED,
            "the order {}",
            CAPTIONS,
            lambda stock: None if stock.most > PAIR else "it needs three objects",
            "three objects and their pictures",
        ),
        Factor(
            "repeat",
            "Repeated values",
            lambda stock, repeated: stock.view(3, repeated=repeated),
            lambda stock: (NOTHING, stock.space.concepts[0], stock.space.concepts[-1]),
            NOTHING,
            "{} repeated",
            needs=_three,
            held="three objects, of which two are swapped",
        ),
        Factor(
            "background",
            "Background",
            lambda stock, name: stock.view(style=GROUNDS[name]),
            _fixed(*GROUNDS),
            "plain",
            "the background {}",
            PICTURES,
            _flat,
            "two objects, their size and where they stand",
        ),
    )
}
"""All factors, in the order in which they are shown."""


def known_factors(names: str) -> tuple[Factor, ...]:
    """The factors that are asked for.

    Args:
        names: `all`, or names separated by commas.

    Raises:
        UnknownNameError: there is no such factor; names the nearest ones.
        ValueRangeError: none is named.
    """
    asked = [name.strip() for name in names.split(",") if name.strip()]
    if asked == ["all"]:
        return tuple(FACTORS.values())
    for name in asked:
        if name not in FACTORS:
            raise UnknownNameError(f"unknown factor '{name:.60}'; {nearest(name, FACTORS)}")
    if not asked:
        raise ValueRangeError(f"--factors names none; give all, or some of {', '.join(FACTORS)}")
    return tuple(factor for factor in FACTORS.values() if factor.name in asked)
