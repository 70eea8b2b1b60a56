"""Prepared pictures by number, kept in memory as far as they fit: an epoch should not read every
file again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from PIL.Image import Image

    from conceptbind.core.typing import Ints
    from conceptbind.repairs.finetune.towers import Trainable

KEPT_BYTES = 2**30
"""Memory for prepared pictures: 1,700 of 224 pixels, 38,000 of 48."""


class Pixels:
    """Pictures as an encoder reads them.

    Args:
        model: the encoder.
        opened: opens the picture of a number.
    """

    def __init__(self, model: Trainable, opened: Callable[[int], Image]) -> None:
        self._model, self._open = model, opened
        self._kept: dict[int, torch.Tensor] = {}
        self._bytes = 0

    def __call__(self, pictures: Int[Ints, " pictures"]) -> Float[torch.Tensor, "pictures ..."]:
        """(b, ...) as the model takes them, on the model's device."""
        missing = [int(i) for i in pictures if int(i) not in self._kept]
        # one is open at a time
        fresh = {i: self._model.pixels([self._open(i)])[0].cpu() for i in missing}
        batch = torch.stack(
            [self._kept[int(i)] if int(i) in self._kept else fresh[int(i)] for i in pictures]
        )
        for i, values in fresh.items():
            size = values.numel() * values.element_size()
            if self._bytes + size <= KEPT_BYTES:
                self._kept[i] = values.clone()  # a view would hold its whole batch
                self._bytes += size
        return batch.to(next(self._model.module.parameters()).device)
