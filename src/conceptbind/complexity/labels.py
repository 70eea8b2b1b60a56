"""What approximators are fitted to: tables of labels with one embedding a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class Labelled:
    """Scenes as labels, and what they should be mapped to.

    Raises:
        ShapeError: not one embedding per scene.
        ValueRangeError: no scene, or an embedding that is not finite.
    """

    labels: Int[Ints, "scenes slots concepts"]
    """(n, m, C) value ids."""
    values: Float[Floats, "scenes width"]
    """(n, d)"""

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.values.ndim != 2 or len(self.labels) != len(self.values):
            raise ShapeError(
                "expected labels (n, slots, concepts) and one embedding each; got shapes "
                f"{self.labels.shape} and {self.values.shape}"
            )
        if len(self.labels) == 0:
            raise ValueRangeError(
                "an approximator needs at least one scene to fit and one to choose with"
            )
        refuse_non_finite(self.values, "embeddings")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Scale:
    """Centre and size of the fitted embeddings, so that one penalty means the same for every
    encoder.
    """

    mean: Float[Floats, " width"]
    """(d,)"""
    size: float
    """Root mean square distance from the mean; 1 where all rows are the same."""

    @classmethod
    def of(cls, values: Float[Floats, "scenes width"]) -> Scale:
        """Of the rows that are fitted."""
        mean = values.mean(axis=0, dtype=np.float64)
        size = float(np.sqrt(np.square(values - mean).sum(axis=1).mean()))
        return cls(mean, size if size > 1e-12 * float(np.abs(mean).max()) else 1.0)

    def to(self, values: Float[Floats, "scenes width"]) -> Float[Floats, "scenes width"]:
        """Scaled rows, in double precision."""
        return (values - self.mean) / self.size

    def back(self, scaled: Float[Floats, "scenes width"]) -> Float[Floats, "scenes width"]:
        """Rows as they came."""
        return scaled * self.size + self.mean


def check_labels(part: Labelled, sizes: tuple[int, ...], n_slots: int) -> None:
    """Raise ShapeError or ValueRangeError unless the labels are of this many slots, concepts and
    values.
    """
    if part.labels.shape[1:] != (n_slots, len(sizes)):
        raise ShapeError(
            f"expected labels (n, {n_slots} slots, {len(sizes)} concepts); got shape "
            f"{part.labels.shape}"
        )
    if (part.labels < 0).any() or (part.labels >= np.array(sizes)).any():
        raise ValueRangeError(f"a label is outside of the {sizes} values of the concepts")
