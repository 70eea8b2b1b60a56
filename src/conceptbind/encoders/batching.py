"""Batches of one length: no padding, so no work on padding and no read-out computed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.encoders.weights import one_line

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image
    from torch import Tensor

    from conceptbind.core.typing import Floats

BATCH = 64
"""Captions of one forward pass: on a CPU their activations stay in the cache."""


PICTURES = 32
"""Pictures of one forward pass."""


def equal_length_batches(lengths: Sequence[int], batch: int = BATCH) -> Iterator[list[int]]:
    """Positions of items, in batches whose items all have one length."""
    order = np.argsort(lengths, kind="stable")
    cuts = np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1
    for group in np.split(order, cuts):
        for start in range(0, len(group), batch):
            yield group[start : start + batch].tolist()


def picture_rows(
    images: Sequence[Image],
    prepared: Callable[[Image], Float[Tensor, "3 height breadth"]],
    embedded: Callable[[Float[Tensor, "pictures 3 height breadth"]], Float[Tensor, "pictures ..."]],
    weight: Float[Tensor, " ..."],
    name: str,
) -> Float[Floats, "pictures ..."]:
    """Features (n, ...) of n >= 1 RGB pictures.

    Args:
        images: the pictures.
        prepared: a picture (3, h, w) as the model takes it.
        embedded: features (b, ...) of b pictures.
        weight: one of the model's, on its device and in its precision.
        name: of the encoder, for messages.

    Raises:
        FileError: whatever the library raises.
    """
    import torch

    rows = []
    for start in range(0, len(images), PICTURES):
        with one_line(f"could not embed pictures with '{name}'"), torch.inference_mode():
            pixels = torch.stack([prepared(image) for image in images[start : start + PICTURES]])
            rows.append(embedded(pixels.to(weight)).float().cpu().numpy())
    return np.concatenate(rows)
