"""The concept space: which concepts there are, which values each can take, and the objects that
they span.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import (
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.core.text import require_characters

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints


MOST_OBJECTS = 2**62
"""Objects that have numbers of 64 bits."""


@dataclass(frozen=True)
class ConceptSpace:
    """C concepts with V_1, ..., V_C named values; an object is one value of each (arXiv 2605.31503,
    section 2).
    """

    concepts: tuple[str, ...]
    """Names of the concepts, for example ("color", "shape"). By convention the last one is the
    noun."""
    values: tuple[tuple[str, ...], ...]
    """Names of the values of each concept, in the order of their integer ids."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "concepts", tuple(self.concepts))
        object.__setattr__(self, "values", tuple(map(tuple, self.values)))
        if not self.concepts or len(self.concepts) != len(self.values):
            raise ShapeError(
                f"a concept space needs at least one concept and one list of values for each; "
                f"got {counted(len(self.concepts), 'concept')} and {len(self.values)} lists of "
                "values"
            )
        _refuse_duplicates("concept", self.concepts)
        reserved = [concept for concept in self.concepts if concept in ("a", "object", "objects")]
        if reserved:
            raise ValueRangeError(
                f"a concept cannot be called '{reserved[0]}', which captions and reports use "
                "otherwise; rename it"
            )
        for concept, values in zip(self.concepts, self.values, strict=True):
            if not values:
                raise ValueRangeError(f"concept '{concept}' has no values; give at least one")
            _refuse_duplicates(f"value of concept '{concept}'", values)

        if self.n_objects > MOST_OBJECTS:
            raise ValueRangeError(
                f"{counted(len(self.concepts), 'concept')} with "
                f"{', '.join(map(str, self.sizes))} values span "
                "more objects than can be numbered; "
                "leave out concepts that do not belong to the question"
            )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """(V_1, ..., V_C)."""
        return tuple(len(values) for values in self.values)

    @property
    def n_objects(self) -> int:
        """|O| = V_1 x ... x V_C."""
        return math.prod(self.sizes)

    def object_ids(self, table: Int[Ints, "*objects concepts"]) -> Int[Ints, " *objects"]:
        """Ids in 0..|O|-1 of objects given by their values: (..., C) -> (...). The last concept
        varies fastest.
        """
        return np.ravel_multi_index(tuple(np.moveaxis(np.asarray(table), -1, 0)), self.sizes)

    def object_values(self, ids: Int[Ints, " *objects"]) -> Int[Ints, "*objects concepts"]:
        """Values (..., C) of object ids (...); the inverse of `object_ids`."""
        return np.stack(np.unravel_index(np.asarray(ids), self.sizes), axis=-1)

    def object_name(self, object_id: int) -> str:
        """Readable name of one object: its value names joined by spaces."""
        return " ".join(
            self.values[k][v] for k, v in enumerate(self.object_values(np.array(object_id)))
        )

    def index(self, concept: str) -> int:
        """Position of a concept.

        Raises:
            UnknownNameError: there is no such concept.
        """
        if concept not in self.concepts:
            raise UnknownNameError(
                f"unknown concept '{cut(concept)}'; {nearest(concept, self.concepts)}"
            )
        return self.concepts.index(concept)

    def encode(
        self, concept: str, names: Sequence[str], first_row: int = 0
    ) -> Int[Ints, " scenes"]:
        """Integer ids (n,) of n value names of one concept; error messages count rows from
        `first_row`.

        Raises:
            UnknownNameError: a name is not a value of the concept; names the row and the nearest
                values.
        """
        values = self.values[self.index(concept)]
        ids = {value: i for i, value in enumerate(values)}
        for row, name in enumerate(names, start=first_row):
            if name not in ids:
                raise UnknownNameError(
                    f"{'data row' if first_row else 'index'} {row}: '{cut(name)}' is not a "
                    f"value of concept '{concept}'; "
                    f"{nearest(name, values)}"
                )
        return np.array([ids[name] for name in names], dtype=np.int64)


def _refuse_duplicates(what: str, names: Sequence[str]) -> None:
    require_characters(names, f"{what}, number")
    if "" in names:
        raise ValueRangeError(f"empty {what}: names must not be empty")
    if len(set(names)) < len(names):
        name, times = Counter(names).most_common(1)[0]
        raise ValueRangeError(
            f"duplicate {what}: '{name}' appears {times} times; names must be unique"
        )
