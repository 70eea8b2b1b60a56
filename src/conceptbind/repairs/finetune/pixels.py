"""Prepared pictures by number, kept in memory as far as they fit: an epoch should not read every
file again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Ints
    from conceptbind.repairs.finetune.data import Captioned
    from conceptbind.repairs.finetune.towers import Trainable

KEPT_BYTES = 2**30
"""Memory for prepared pictures: 1,700 of 224 pixels, 38,000 of 48."""


class Pixels:
    """The pictures of a data set, as an encoder reads them."""

    def __init__(self, model: Trainable, data: Captioned) -> None:
        self._model, self._data = model, data
        self._kept: dict[int, torch.Tensor] = {}
        self._bytes = 0

    def __call__(self, pictures: Int[Ints, " pictures"]) -> Float[torch.Tensor, "pictures ..."]:
        """(b, ...) as the model takes them, on the model's device."""
        missing = [int(i) for i in pictures if int(i) not in self._kept]
        # one is open at a time
        fresh = {i: self._model.pixels([self._data.open(i)])[0].cpu() for i in missing}
        batch = torch.stack(
            [self._kept[int(i)] if int(i) in self._kept else fresh[int(i)] for i in pictures]
        )
        for i, values in fresh.items():
            size = values.numel() * values.element_size()
            if self._bytes + size <= KEPT_BYTES:
                self._kept[i] = values.clone()  # a view would hold its whole batch
                self._bytes += size
        return batch.to(next(self._model.module.parameters()).device)
