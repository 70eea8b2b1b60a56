"""What an encoder must offer so that its weights can be trained, and its two towers as functions of
row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch

from conceptbind.core.errors import ModalityError
from conceptbind.core.typing import Encoder
from conceptbind.encoders.batching import equal_length_batches

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from PIL.Image import Image
    from torch import Tensor, nn

    from conceptbind.core.typing import Modality


class Trainable(Encoder, Protocol):
    """A copy of an encoder whose weights are its own, as `DualEncoder.trainable()` gives it.

    The copy's `encode_texts` and `encode_images` use the weights as they are at that moment.
    """

    id: str
    revision: str
    module: nn.Module
    """Both towers in float32. A parameter `logit_scale`, where there is one, is the logarithm of
    the temperature."""

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each caption; captions of one length are read together, without padding."""

    def pixels(self, images: Sequence[Image]) -> Float[Tensor, "pictures ..."]:
        """(n, ...) prepared pictures."""

    def text_features(self, ids: Int[Tensor, "captions tokens"]) -> Float[Tensor, "captions width"]:
        """(b, t) -> (b, d), with gradients."""

    def image_features(
        self, pixels: Float[Tensor, "pictures ..."]
    ) -> Float[Tensor, "pictures width"]:
        """(b, ...) -> (b, d), with gradients."""

    def write(self, folder: Path) -> None:
        """A model folder with these weights, as safetensors."""


def trainable_copy(encoder: Any, modality: Modality | None = None) -> Trainable:
    """A copy to train; the encoder stays as it is.

    Args:
        encoder: that is copied.
        modality: the tower that will be trained, where one is enough; None for both.

    Raises:
        ModalityError: the encoder cannot be trained; says which can.
    """
    if not hasattr(encoder, "trainable"):
        raise ModalityError(
            f"'{getattr(encoder, 'id', encoder)}' cannot be fine-tuned: expected an encoder with a "
            "method trainable(): tiny, tiny-bound, tiny-bag, or hf:NAME with a picture and a "
            "caption tower (CLIP, SigLIP)"
        )
    if modality is None:
        return cast(Trainable, encoder.trainable())
    return cast(Trainable, encoder.trainable(modality))


def text_rows(model: Trainable, tokens: Sequence[Sequence[int]]) -> Float[Tensor, "captions width"]:
    """(n, d) features of captions of any lengths, in their order."""
    device = next(model.module.parameters()).device
    groups = list(equal_length_batches([len(ids) for ids in tokens], len(tokens)))

    def features(alike: list[int]) -> Tensor:
        """Of captions of one length."""
        ids = torch.tensor([list(tokens[i]) for i in alike], device=device)
        return model.text_features(ids)

    rows = torch.cat([features(group) for group in groups])
    back = torch.empty(len(tokens), dtype=torch.long, device=device)
    back[[i for group in groups for i in group]] = torch.arange(len(tokens), device=device)
    return rows[back]
