"""Ways to score documents for a query of several parts.

Each way asks with a few vectors, and all it needs to know of a document is its cosine with each of
them. So documents are read once, in blocks, and never copied.

- whole: one caption that says everything, negation included;
- sum: the mean of the parts' cosines, those of negated parts subtracted with a weight;
- min: the least part. Cosines of each part are first stretched over the documents to 0..1, since
  one part is near to all of them and another to none. A negated part counts 1 minus that;
- project: the mean of the parts that are asked for, without the directions of the negated ones. The
  query is turned (`project`), or the documents are (`project_documents`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, UnknownNameError, ValueRangeError, nearest
from conceptbind.metrics.ties import ULPS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from conceptbind.core.typing import Bools, Floats
    from conceptbind.rows.indexes.contract import Rows

Way = Literal["whole", "sum", "min", "project", "project_documents"]
WAYS: tuple[Way, ...] = get_args(Way)
BLOCK = 16_384
"""Documents whose rows are looked at together."""


class QueryScores(NamedTuple):
    """Documents scored for queries."""

    values: Float[Floats, "*queries documents"]
    """The higher, the better."""
    size: Float[Floats, " *queries"]
    """How large the terms of a score are: what rounding explains is a share of it."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries of one form: the same parts are negated in all of them."""

    parts: Float[Floats, "*queries parts width"]
    """Unit rows of the parts."""
    negated: Bool[Bools, " parts"]
    whole: Float[Floats, "*queries width"] | None = None
    """Unit rows of one caption for everything; None where there is none."""

    def __post_init__(self) -> None:
        if self.parts.shape[-2] != len(self.negated):
            raise ShapeError(
                f"expected one sign for each part; got {self.parts.shape[-2]} parts and "
                f"{len(self.negated)} signs"
            )

    def vectors(self, way: Way) -> Float[Floats, "*queries vectors width"]:
        """What a way asks with: all that it needs of a document is its cosine with each.

        Args:
            way: one of `WAYS`.

        Raises:
            ValueRangeError: there is no caption for the whole query, or nothing is asked for that
                could be projected.
            UnknownNameError: there is no such way.
        """
        if way == "whole":
            if self.whole is None:
                raise ValueRangeError("there is no caption for the whole query; choose another way")
            return self.whole[..., None, :]
        if way in ("sum", "min"):
            return self.parts
        if way not in WAYS:
            raise UnknownNameError(f"unknown way '{way:.60}'; {nearest(way, WAYS)}")
        asked = self.parts[..., ~self.negated, :]
        if not asked.shape[-2]:
            raise ValueRangeError(
                "every part of the query is negated, so there is nothing to project; ask for "
                "something, or choose --way sum"
            )
        middle = _unit(asked.mean(axis=-2, keepdims=True))
        if not self.negated.any():
            return middle
        basis = _basis(self.parts[..., self.negated, :])
        within = (middle @ np.swapaxes(basis, -1, -2)) @ basis
        if way == "project":
            return _unit(middle - within)
        return np.concatenate([middle - within, basis], axis=-2)

    def scored(
        self, way: Way, cosines: Float[Floats, "*queries vectors documents"], minus: float = 1.0
    ) -> QueryScores:
        """The scores of documents.

        Args:
            way: one of `WAYS`.
            cosines: of each document with each of `vectors(way)`.
            minus: weight of a negated part in the sum; that of others is 1.
        """
        ones = np.ones(cosines.shape[:-2])
        if way == "sum":
            weights = (
                np.where(self.negated, -minus, 1.0)
                / np.abs(np.where(self.negated, minus, 1.0)).sum()
            )
            summed = np.einsum("p,...pt->...t", weights.astype(cosines.dtype), cosines)
            return QueryScores(summed, ones)
        if way == "min":
            stretched, width = _stretched(cosines)
            held = np.where(self.negated[:, None], 1 - stretched, stretched)
            return QueryScores(held.min(axis=-2), (1 / width).max(axis=-1))
        if way != "project_documents" or not self.negated.any():
            return QueryScores(cosines[..., 0, :], ones)
        left = np.maximum(1 - np.square(cosines[..., 1:, :]).sum(axis=-2), TINY)
        # a document that lies in the negated directions has nothing left, and no direction
        shown = np.where(left > TINY, cosines[..., 0, :] / np.sqrt(left), -1.0)
        return QueryScores(shown, ones / np.sqrt(left.min(axis=-1)))


TINY = 1e-6
"""Squared length below which nothing is left of a document."""


def _stretched(cosines: Floats) -> tuple[Floats, Floats]:
    """Cosines of each vector from 0 (the furthest document) to 1 (the nearest), and how far these
    are apart. What does not vary beyond rounding is 0.
    """
    least = cosines.min(axis=-1, keepdims=True)
    width = cosines.max(axis=-1, keepdims=True) - least
    varies = width > ULPS * np.finfo(cosines.dtype).eps
    scale = np.where(varies, width, 1)
    return np.where(varies, (cosines - least) / scale, 0), scale[..., 0]


def _unit(rows: Floats) -> Floats:
    """Rows of length 1; one that is no longer than rounding stays 0: nothing is near to it."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    there = lengths > ULPS * np.finfo(rows.dtype).eps
    unit: Floats = np.where(there, rows / np.where(there, lengths, 1), 0)
    return unit


def _basis(rows: Floats) -> Floats:
    """Orthonormal rows that span the same space; rows that add nothing to it are 0."""
    found = np.zeros_like(rows)
    for k in range(rows.shape[-2]):
        left = rows[..., k, :]
        for _ in range(2):  # twice is enough for rounding
            inside = np.einsum("...kd,...d->...k", found, left)
            left = left - np.einsum("...k,...kd->...d", inside, found)
        lengths = np.linalg.norm(left, axis=-1, keepdims=True)
        there = lengths > 1e-4
        found[..., k, :] = np.where(there, left / np.where(there, lengths, 1), 0)
    return found


@explains_arguments
def cosines_with(
    vectors: Float[Floats, "vectors width"], documents: Float[Floats, "documents width"] | Rows
) -> Float[Floats, "vectors documents"]:
    """(k, n) cosine of each vector with each document, whose rows are read in blocks: they may be
    raw, and may lie on disk.

    Args:
        vectors: (k, d) unit rows.
        documents: (n, d) rows of any length.

    Raises:
        ShapeError: the widths differ; both are named.
        ValueRangeError: a document is zero or not finite, so that it has no direction.
    """
    if documents.ndim != 2 or vectors.shape[1] != documents.shape[1]:
        raise ShapeError(
            f"the query has {vectors.shape[1]} dimensions, the documents are an array of shape "
            f"{documents.shape}; give the encoder that made them, and its adapter"
        )
    found = np.empty((len(vectors), len(documents)), dtype=np.float32)
    asked = vectors.astype(np.float32, copy=False).T
    for start in range(0, len(documents), BLOCK):
        block = np.asarray(documents[start : start + BLOCK], dtype=np.float32)
        lengths = np.linalg.norm(block, axis=1)
        good = np.isfinite(lengths) & (lengths > 0)
        if not good.all():
            row = start + int(np.argmin(good))
            raise ValueRangeError(
                f"row {row} of the index is zero or not finite, so it has no direction; leave it "
                "out"
            )
        found[:, start : start + len(block)] = ((block @ asked) / lengths[:, None]).T
    return found
