"""How wide a row of a pipeline is: asked of the pipeline, since what it says is not always so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import ModalityError

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality


def asked_width(
    embed: Callable[[Any, Modality], Any], modalities: Sequence[Modality], name: str
) -> int:
    """The width of a row, from a caption and a picture.

    Args:
        embed: gives the row (1, d) of one caption or one picture, an array.
        modalities: what the encoder embeds.
        name: of the encoder, for messages.

    Raises:
        ModalityError: there is not one vector of one width for each.
    """
    from PIL import Image as Pillow

    noise = Pillow.effect_noise((64, 64), 64).convert("RGB")
    examples: dict[Modality, Any] = {"text": "a red circle", "image": noise}
    widths = {part: embed(examples[part], part).shape[1:] for part in modalities}
    if len(set(widths.values())) != 1 or len(widths[modalities[0]]) != 1:
        told = ", ".join(f"{part} {shape}" for part, shape in widths.items())
        raise ModalityError(
            f"'{name}' does not give one vector of one width for each caption and picture ({told})"
        )
    return int(widths[modalities[0]][0])
