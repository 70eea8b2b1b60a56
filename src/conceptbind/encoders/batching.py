"""Batches of one length: no padding, so no work on padding and no read-out computed from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.encoders.weights import one_line

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped
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


class InBatches(ABC):
    """Pictures in batches, for an encoder that prepares them apart (`typing.Prepares`)."""

    id: str
    dimension: int
    picture_batch: int = PICTURES
    workers: int | None = None
    """Threads that feed it; see `rows.feeding.threads_for`."""

    @abstractmethod
    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """See `typing.Prepares`."""

    @abstractmethod
    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """See `typing.Prepares`."""

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Raw features (n, d) of RGB pictures.

        Raises:
            FileError: whatever the library raises.
        """
        rows = [np.empty((0, self.dimension), dtype=np.float32)]
        size = self.picture_batch or PICTURES
        parts = (images[start : start + size] for start in range(0, len(images), size))
        rows += [self.encode_prepared(self.prepare_images(part)) for part in parts]
        return np.concatenate(rows)


def stacked(
    images: Sequence[Image],
    prepared: Callable[[Image], Float[Tensor, "3 height breadth"]],
    name: str,
) -> dict[str, Shaped[Tensor, "pictures ..."]]:
    """Pictures as one tensor.

    Args:
        images: the pictures, at least one.
        prepared: a picture (3, h, w) as the model takes it.
        name: of the encoder, for messages.

    Raises:
        FileError: whatever the library raises.
    """
    import torch

    with one_line(f"could not prepare pictures for '{name}'"):
        return {"pixels": torch.stack([prepared(image) for image in images])}


def features_of(
    pixels: Float[Tensor, "pictures 3 height breadth"],
    embedded: Callable[[Float[Tensor, "pictures 3 height breadth"]], Float[Tensor, "pictures ..."]],
    weight: Float[Tensor, " ..."],
    precision: str,
    name: str,
) -> Float[Floats, "pictures ..."]:
    """Features (b, ...) of prepared pictures.

    Args:
        pixels: of the pictures.
        embedded: features (b, ...) of b pictures.
        weight: one of the model's, on its device and in its precision.
        precision: see `typing.Precision`.
        name: of the encoder, for messages.

    Raises:
        FileError: whatever the library raises.
    """
    from conceptbind.encoders.weights import computing

    with (
        one_line(f"could not embed pictures with '{name}'"),
        computing(precision, weight.device),
    ):
        there = pixels.to(weight, non_blocking=True)
        found: Floats = embedded(there).float().cpu().numpy()
        return found
