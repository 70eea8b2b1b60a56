"""Checks that every metric makes of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError

if TYPE_CHECKING:
    from jaxtyping import Num

    from conceptbind.core.typing import Floats


@explains_arguments
def refuse_non_finite(values: Num[Floats, "rows ..."], what: str) -> None:
    """Raise ValueRangeError that names the first row with a NaN or an infinite number.

    Args:
        values: (n, ...) numbers, one row per item.
        what: what they are, for the message.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(values, dtype=np.float64)
    if np.isfinite(total):  # one cheap pass; a sum that overflows falls through to the exact one
        return
    rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(rows):
        raise ValueRangeError(
            f"{what} must be finite; {len(rows)} of {len(values)} rows hold NaN or infinite "
            f"numbers, the first at index {rows[0]}"
        )
