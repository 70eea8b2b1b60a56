"""R^2 of predicted embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats


@explains_arguments
def r2(
    embeddings: Float[Floats, "rows width"],
    predicted: Float[Floats, "rows width"],
    mean: Float[Floats, " width"] | None = None,
) -> float:
    """Explained share of the variance of the centred embeddings, over all dimensions together.

    Args:
        embeddings: (n, d)
        predicted: (n, d)
        mean: (d,) centre; for held-out rows the mean of the rows that the prediction was fitted on.
            Their own by default.

    Raises:
        ShapeError: the shapes differ, or the mean is not (d,).
        ValueRangeError: a value is not finite, or all rows are the same, so that there is no
            variance to explain.
    """
    embeddings, predicted = (
        np.asarray(embeddings, dtype=np.float64),
        np.asarray(predicted, dtype=np.float64),
    )
    if embeddings.ndim != 2 or embeddings.shape != predicted.shape:
        raise ShapeError(
            f"embeddings and predictions must have one shape (n, d); got {embeddings.shape} and "
            f"{predicted.shape}"
        )
    refuse_non_finite(embeddings, "embeddings")
    refuse_non_finite(predicted, "predictions")
    if len(embeddings) == 0 or (embeddings == embeddings[0]).all():
        raise ValueRangeError(
            "all embeddings are the same, so there is no variance to explain and R^2 is undefined"
        )
    if mean is not None:
        mean = np.asarray(mean, dtype=np.float64)
        if mean.shape != embeddings.shape[1:]:
            raise ShapeError(f"the mean must have shape {embeddings.shape[1:]}; got {mean.shape}")
        refuse_non_finite(mean[None], "the mean")
    centre = embeddings.mean(axis=0) if mean is None else mean
    left, total = squared_sums(embeddings, predicted, centre)
    return 1 - left / total


def squared_sums(
    values: Float[Floats, "rows width"],
    predicted: Float[Floats, "rows width"],
    centre: Float[Floats, " width"],
) -> tuple[float, float]:
    """What a prediction leaves of values (n, d), and what they are about a centre (d,): sums of
    squares, of which R^2 is 1 - left / total.
    """
    left, total = (float(np.square(values - other).sum()) for other in (predicted, centre))
    return left, total
