"""Rows of captions and pictures, drawn and embedded once, and kept in the folder of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.files import FileHashes
from conceptbind.pictures.folder import draw_pictures
from conceptbind.stresses.material import Material

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes

HELD = 8
"""Rows that are held in memory; those before are read from disk again."""
SHORT = 16
"""Digits of a hash in the name of a folder."""


class Shelf:
    """The pictures and rows of a run.

    Args:
        folder: of the run.
        seed: of the pictures.
        on_rows: called with what is done, and how many pictures or rows of it are.
    """

    def __init__(
        self, folder: Path, seed: int, on_rows: Callable[[str, int], None] = lambda what, n: None
    ) -> None:
        self.folder, self.seed, self.on_rows = folder, seed, on_rows
        self.hash_of = FileHashes()
        self._drawn: dict[str, Scenes] = {}
        self._rows: OrderedDict[tuple[str, str], Floats] = OrderedDict()

    def rows(self, source: Source, name: str, material: Material) -> Float[Floats, "rows width"]:
        """(r, d) unit rows.

        Args:
            source: what embeds.
            name: of it, in names of folders.
            material: what is embedded.
        """
        key = name, material.key
        if key not in self._rows:
            self._rows[key] = self._embedded(source, name, material)
            while len(self._rows) > HELD:
                self._rows.popitem(last=False)
        self._rows.move_to_end(key)
        return self._rows[key]

    def _embedded(self, source: Source, name: str, material: Material) -> Floats:
        short = material.key[:SHORT]
        table = material.table if material.modality == "text" else self._pictures(material)
        place = self.folder / "embeddings" / name / f"{material.modality}-{short}"
        return (
            source.rows_for(
                table,
                material.modality,
                place,
                lambda n: self.on_rows("embedding", n),
                self.hash_of,
            )
            .unit()
            .values
        )

    def _pictures(self, material: Material) -> Scenes:
        """The table with its pictures, drawn where they are not there."""
        if material.key not in self._drawn:
            assert material.places is not None
            self._drawn[material.key] = draw_pictures(
                material.table,
                self.folder / "pictures" / material.key[:SHORT],
                style=material.style,
                seed=self.seed,
                places=material.places.tolist(),
                on_picture=lambda n: self.on_rows("drawing", n),
            )
        return self._drawn[material.key]
