"""What validation says of the weights at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.repairs.finetune.towers import text_rows
from conceptbind.repairs.labclip.pairs import Pairs
from conceptbind.repairs.labclip.solver import Judge, split_evenly

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.repairs.finetune.data import Captioned
    from conceptbind.repairs.finetune.pixels import Pixels
    from conceptbind.repairs.finetune.towers import Trainable


@dataclass(frozen=True)
class Checkpoint:
    """The weights after an epoch, and what validation says of them."""

    epoch: int
    """Passes over the training captions until here; 0 is the encoder as it was."""
    loss: float
    """The contrastive loss on validation captions, at the temperature where it is least."""
    binding: float
    """Share of validation captions that score strictly above their negative."""

    def beats(self, other: Checkpoint, start: Checkpoint) -> bool:
        """Less validation loss than another, and binding at least as good as before (as
        `labclip` chooses).
        """
        return self.loss < other.loss and self.binding >= start.binding


def judged(
    model: Trainable,
    pixels: Pixels,
    data: Captioned,
    rows: Int[Ints, " rows"],
    *,
    epoch: int,
    batch: int,
    seed: int,
) -> Checkpoint | None:
    """Score the validation rows; None where training has run away and features are no longer
    numbers.
    """
    pictures, of = np.unique(data.image_of[rows], return_inverse=True)
    model.module.eval()
    with torch.no_grad():
        images = torch.cat(
            [model.image_features(pixels(part)) for part in split_evenly(pictures, batch)]
        )
        texts = _texts(model, [data.captions[i] for i in rows], batch)
        negatives = _texts(model, [data.negatives[i] for i in rows], batch)
    arrays: list[Floats] = [part.float().cpu().numpy() for part in (images, texts, negatives)]
    if not all(np.isfinite(array).all() and array.any(axis=1).all() for array in arrays):
        return None
    pairs = Pairs.of(
        *arrays,
        image_of=of.reshape(-1),
        text_ids=data.text_ids[rows],
        negative_ids=data.negative_ids[rows],
    )
    found = Judge(pairs, batch, seed).identity(torch.eye(arrays[0].shape[1]))
    assert found.binding is not None
    return Checkpoint(epoch, found.loss, found.binding)


def _texts(model: Trainable, texts: list[str], batch: int) -> torch.Tensor:
    tokens = model.tokens(texts)

    def rows_of(part: Ints) -> torch.Tensor:
        return text_rows(model, [tokens[i] for i in part])

    return torch.cat([rows_of(part) for part in split_evenly(np.arange(len(tokens)), batch)])
