"""Conjunctive search: fields of distractors of two kinds, with or without the one object that joins
their features.

Among green spheres and red cubes, a red sphere has no colour and no shape of its own: finding it
needs colours bound to shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.pictures.flat import FlatStyle, draw_flat
from conceptbind.pictures.solid import SolidLayout, SolidStyle, draw_solid
from conceptbind.pictures.vocabulary import COLORS, FLAT_SHAPES, SOLID_SHAPES

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from PIL.Image import Image

    from conceptbind.core.typing import Bools, Ints
    from conceptbind.pictures.layout import Layout

Kind = tuple[str, str]
"""A colour and a shape."""
FEWEST, MOST = 4, 35
"""Objects in a field. Below four there is no room for two distractors of one kind beside the
target."""
SPREAD = 0.1
"""How far the share of the first kind may be from half, so that counts of a colour or a shape do
not tell whether the target is there."""


@dataclass(frozen=True, eq=False)
class SearchFields:
    """A table of n search fields, half of them with the target."""

    objects: tuple[tuple[Kind, ...], ...]
    """(n,) the colour and shape of every object, in random order; the renderers put the first one
    furthest left."""
    present: Bool[Bools, " fields"]
    """(n,) whether the target is among them."""
    kinds: tuple[tuple[Kind, Kind], ...]
    """(n,) the two kinds of distractors, which share neither colour nor shape."""
    targets: tuple[Kind, ...]
    """(n,) the colour of one kind joined with the shape of the other: the object to look for, there
    or not."""

    def __len__(self) -> int:
        return len(self.objects)

    @cached_property
    def n_objects(self) -> Int[Ints, " fields"]:
        """(n,) objects in each field."""
        return np.array([len(field) for field in self.objects])

    @cached_property
    def orbits(self) -> Int[Ints, " fields"]:
        """(n,) numbers that are equal where two colours and two shapes are: fields of the same
        distractors, or of their attribute swaps.

        A split that keeps them together tests on features that were never searched for together in
        training.
        """
        names = [_in_any_order(*pair) for pair in self.kinds]
        numbers = {name: i for i, name in enumerate(sorted(set(names)))}
        return np.array([numbers[name] for name in names])


def _in_any_order(one: Kind, other: Kind) -> tuple[tuple[str, ...], ...]:
    """The colours, and the shapes, of two kinds: the same for their attribute swap."""
    return tuple(tuple(sorted(values)) for values in zip(one, other, strict=True))


def search_fields(
    n_fields: int,
    colors: Sequence[str],
    shapes: Sequence[str],
    *,
    counts: Sequence[int] = range(FEWEST, MOST + 1),
    seed: int = 0,
) -> SearchFields:
    """Make a table of fields.

    Fields come in twins, one with the target and one without, that agree in the number of objects
    and the kinds of distractors. Two pairs of twins in a row share their kinds and look for the one
    and the other object that joins them. Every pair of kinds, and every count, is used about
    equally often. The rows are then shuffled.

    Args:
        n_fields: n, an even number.
        colors: at least two colours of the vocabulary.
        shapes: at least two shapes, all flat or all solid.
        counts: numbers of objects, each from 4 to 35.
        seed: decides everything.

    Raises:
        UnknownNameError: a colour or a shape that the renderers do not know.
        ValueRangeError: an odd or too small number of fields, fewer than two colours or shapes,
            names that mean the same, or a count that is out of range.
    """
    _check(n_fields, colors, shapes, counts)
    rng = np.random.default_rng(seed)
    choices: list[tuple[Kind, Kind]] = []
    for (a, b), (s, t) in (
        (c, x) for c in combinations(colors, 2) for x in combinations(shapes, 2)
    ):
        choices += [((a, s), (b, t)), ((a, t), (b, s))]
    n_twins = n_fields // 2
    which = _shuffled_cycle(len(choices), -(-n_twins // 2), rng)
    sizes = np.asarray(counts)[_shuffled_cycle(len(counts), n_twins, rng)]
    first_join = rng.integers(2, size=len(which))
    rows: list[tuple[tuple[Kind, ...], bool, tuple[Kind, Kind], Kind]] = []
    for twin in range(n_twins):
        kinds = choices[which[twin // 2]]
        one, other = kinds if (twin + first_join[twin // 2]) % 2 else kinds[::-1]
        target = (one[0], other[1])
        rows += [
            (
                _field(kinds, target if present else None, int(sizes[twin]), rng),
                present,
                kinds,
                target,
            )
            for present in (True, False)
        ]
    rows = [rows[i] for i in rng.permutation(n_fields)]
    objects, present, pairs, targets = zip(*rows, strict=True)
    return SearchFields(objects, np.array(present), pairs, targets)


def draw_field(
    fields: SearchFields, row: int, *, seed: int = 0, style: FlatStyle | SolidStyle | None = None
) -> tuple[Image, Layout | SolidLayout]:
    """The picture of one field, and where its objects stand.

    Args:
        fields: the table.
        row: which of its fields, from 0.
        seed: with the row, the source of all jitter: rows may be drawn in any order and by many
            processes.
        style: how it looks, and whether it is flat (a `FlatStyle`, the default) or solid (a
            `SolidStyle`).

    Raises:
        MissingExtraError: a solid picture without mitsuba.
        UnknownNameError: a shape that the renderer of that style does not know.
        ValueRangeError: a row that is not in the table, or more objects than fit on the pixels.
    """
    if not 0 <= row < len(fields):
        raise ValueRangeError(f"the table has rows 0 to {len(fields) - 1}; got {row}")
    rng = np.random.default_rng([seed, row])
    if isinstance(style, SolidStyle):
        return draw_solid(fields.objects[row], rng, style)
    return draw_flat(fields.objects[row], rng, style)


def _field(
    kinds: tuple[Kind, Kind], target: Kind | None, size: int, rng: np.random.Generator
) -> tuple[Kind, ...]:
    """Distractors, about half of each kind; the target takes the place of one of them."""
    spread = max(1, round(SPREAD * size))
    first = int(
        np.clip((size + rng.integers(2)) // 2 + rng.integers(-spread, spread + 1), 1, size - 1)
    )
    field = [kinds[0]] * first + [kinds[1]] * (size - first)
    if target is not None:
        # never the only one of its kind, and the kinds equally often: the share of a kind says
        # nothing
        kind = int(rng.integers(2)) if 1 < first < size - 1 else int(first == 1)
        field[field.index(kinds[kind])] = target
    return tuple(field[i] for i in rng.permutation(size))


def _shuffled_cycle(n: int, length: int, rng: np.random.Generator) -> Ints:
    """`length` numbers below n, each about equally often, in random order within every n of
    them.
    """
    return np.concatenate([rng.permutation(n) for _ in range(-(-length // n))])[:length]


def _check(
    n_fields: int, colors: Sequence[str], shapes: Sequence[str], counts: Sequence[int]
) -> None:
    """Refuse what makes no table."""
    if n_fields < 2 or n_fields % 2:
        raise ValueRangeError(
            "half of the fields hold the target, so their number must be even and at least 2; got "
            f"{n_fields}"
        )
    for what, names, known in (
        ("colour", colors, tuple(COLORS)),
        ("shape", shapes, (*FLAT_SHAPES, *SOLID_SHAPES)),
    ):
        for name in names:
            if name not in known:
                raise UnknownNameError(
                    f"the renderers know no {what} '{cut(name)}'; {nearest(name, known)}"
                )
        looks = [COLORS.get(name, name) for name in names]
        if len(set(looks)) < max(2, len(names)):
            raise ValueRangeError(
                f"a search field needs at least two {what}s that all look different; got "
                f"{', '.join(names) or 'none'}"
            )
    if not any(set(shapes) <= set(known) for known in (FLAT_SHAPES, SOLID_SHAPES)):
        raise ValueRangeError(
            f"the shapes of a field must be all flat ({', '.join(FLAT_SHAPES)}) or all solid "
            f"({', '.join(SOLID_SHAPES)}); "
            f"got {', '.join(shapes)}"
        )
    wrong = [count for count in counts if not FEWEST <= count <= MOST]
    if wrong or not len(counts):
        raise ValueRangeError(
            f"a field holds {FEWEST} to {MOST} objects; got {wrong[0] if wrong else 'no count'}"
        )
