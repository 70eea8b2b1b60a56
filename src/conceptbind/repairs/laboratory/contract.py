"""What every repair of the laboratory is: a method with `fit`, and the frozen map that it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

import numpy as np

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.core.names import Repair
from conceptbind.repairs.labclip.adapter import Adapter, identity

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.pairs import Pairs

Side = Literal["text", "image", "both", "query"]
"""What a map is applied to: captions, pictures, both; or queries, where documents are captions."""


class RowMap(Protocol):
    """A frozen map of rows."""

    def __call__(self, rows: Float[Floats, "rows width_in"], /) -> Float[Floats, "rows width_out"]:
        """Mapped rows of unit length."""

    def pulled(self, share: float, /) -> RowMap:
        """The map a share of the way from the identity (0) to this one (1)."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear map of pictures; `Adapter` is the one of captions."""

    weight: Float[Floats, "width_out width_in"]
    """(d_out, d_in)"""

    def __call__(self, rows: Float[Floats, "rows width_in"]) -> Float[Floats, "rows width_out"]:
        """(n, d_out) `rows @ weight.T`, each divided by its length.

        Raises:
            ShapeError: rows of another width.
            ValueRangeError: a row is mapped to zero.
        """
        _require_width(rows, self.weight.shape[1])
        return _unit(rows.astype(np.float32) @ self.weight.T)

    def pulled(self, share: float) -> Linear:
        """The map a share of the way from the identity (0) to this one (1)."""
        eye = np.eye(*self.weight.shape, dtype=np.float32)
        return Linear((1 - share) * eye + np.float32(share) * self.weight)


@dataclass(frozen=True, eq=False)
class TwoLayer:
    """The identity and a small network beside it: y + second relu(first y + bias)."""

    first: Float[Floats, "hidden width"]
    """(h, d)"""
    bias: Float[Floats, " hidden"]
    """(h,)"""
    second: Float[Floats, "width hidden"]
    """(d, h)"""

    def __call__(self, rows: Float[Floats, "rows width"]) -> Float[Floats, "rows width"]:
        """(n, d) mapped rows of unit length; their scale does not matter.

        Raises:
            ShapeError: rows of another width.
            ValueRangeError: a row is mapped to zero.
        """
        _require_width(rows, self.first.shape[1])
        unit = _unit(rows.astype(np.float32))
        hidden = np.maximum(unit @ self.first.T + self.bias, 0)
        return _unit(unit + hidden @ self.second.T)

    def pulled(self, share: float) -> TwoLayer:
        """The map with a share of the network beside the identity."""
        return replace(self, second=np.float32(share) * self.second)


def _require_width(rows: Floats, width: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ShapeError(f"this map takes rows of {width} dimensions; got shape {rows.shape}")


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueRangeError(f"row index {int(np.argmin(lengths))} is mapped to zero")
    unit: Floats = (rows / lengths).astype(np.float32, copy=False)
    return unit


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a method fitted: frozen maps of captions, of pictures, or of both."""

    method: Repair
    side: Side
    captions: RowMap | None = None
    """None leaves captions as they are."""
    pictures: RowMap | None = None
    """None leaves pictures as they are, so that an index of them stays valid."""
    parameters: int = 0
    """Numbers that were fitted."""
    chosen: str = ""
    """What validation chose, in words."""
    helps: bool = False
    """Whether validation preferred it to no repair."""

    def pulled(self, share: float) -> Fitted:
        """The same a share of the way from no repair (0) to the fitted maps (1)."""
        captions = None if self.captions is None else self.captions.pulled(share)
        pictures = None if self.pictures is None else self.pictures.pulled(share)
        return replace(self, captions=captions, pictures=pictures)

    @property
    def adapter(self) -> Adapter | None:
        """The map as `conceptbind apply` takes it: one matrix of captions; None where it is
        more.
        """
        alone = self.pictures is None and isinstance(self.captions, Adapter)
        return self.captions if alone else None  # type: ignore[return-value]

    def but(self, **changes: object) -> Self:
        """The same with other fields."""
        return replace(self, **changes)  # type: ignore[arg-type]


@runtime_checkable
class Method(Protocol):
    """A way to fit a repair."""

    @property
    def name(self) -> Repair:
        """As records call it."""

    @property
    def side(self) -> Side:
        """What its maps are applied to."""

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:
        """Fit on pairs; validation chooses, and no repair is always a candidate.

        Args:
            pairs: pictures, captions and, where there are any, negatives. Documents and queries
                may stand in the place of pictures and captions.
            validation: pairs that choose.
            seed: of whatever is drawn.

        Raises:
            ValueRangeError: the method needs what these pairs lack; says what.
        """


@dataclass(frozen=True)
class NoRepair:
    """The identity, which is a candidate like all others; between two widths it keeps the first
    dimensions.
    """

    side: Side = "text"
    name = Repair.NONE

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        widths = pairs.images.shape[1], pairs.texts.shape[1]
        captions = None if widths[0] == widths[1] else identity(*widths)
        return Fitted(self.name, self.side, captions)
