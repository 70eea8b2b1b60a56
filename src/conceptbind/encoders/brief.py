"""What encoders show of themselves in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.errors import cut_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.core.typing import Modality

EMBEDS = {"text": "captions", "image": "pictures"}


class Brief:
    """An encoder whose `repr` is one line: its name, what it embeds, and the width of its rows."""

    id: str
    dimension: int
    modalities: tuple[Modality, ...]

    def __repr__(self) -> str:
        return described(self.id, self.modalities, self.dimension)


def described(name: str, modalities: Sequence[str], dimension: int) -> str:
    """An encoder in a line.

    Args:
        name: its id; of a long one the end is shown.
        modalities: what it embeds.
        dimension: width of its rows.
    """
    what = " and ".join(EMBEDS.get(modality, modality) for modality in modalities)
    return f"<encoder {cut_left(name, 45)}: {what}, {dimension:,} dimensions>"
