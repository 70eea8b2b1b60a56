"""Rows whose inner products are cosines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats


@explains_arguments
def unit_rows(rows: Float[Floats, "rows width"]) -> Float[Floats, "rows width"]:
    """Rows divided by their length.

    Args:
        rows: (n, d) none of them all zeros.
    """
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
