"""One fixed set of scenes, drawn once and kept, on which every look at a model is scored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.crossmodal.bank import CaptionBank, caption_bank
from conceptbind.pictures.folder import draw_pictures
from conceptbind.probes.study import bag_probes
from conceptbind.rows.source import table_of
from conceptbind.scenes.paraphrases import (
    FEWEST,
    ParaphraseBank,
    paraphrase_bank,
    read_by,
    wordings,
)
from conceptbind.scenes.split import split_scenes
from conceptbind.scenes.swaps import all_swaps
from conceptbind.scenes.table import Scenes
from conceptbind.within.pictures import given_triplets, picture_bank
from conceptbind.within.usable import DRAWN, items_of

if TYPE_CHECKING:
    from conceptbind.core.records import Records
    from conceptbind.core.typing import Encoder
    from conceptbind.probes.scene_probes import SceneProbes
    from conceptbind.scenes.split import Split
    from conceptbind.within.study import Items
    from conceptbind.within.triplets import Triplets

PARAPHRASED, REDRAWN = 1000, 200
"""Most scenes whose captions are put in other words, and of which more pictures are drawn: those of
`measure`."""


class SuiteError(FileError):
    """The suite itself cannot be written: no fault of a model."""


class Suite:
    """Scenes with their pictures, captions, paraphrases and swaps, for any number of looks.

    Args:
        folder: where pictures are drawn once and kept.
        scenes: as `measure` takes them.
        seed: of the split, of drawings and of samples.

    Raises:
        ConceptBindError: there are no such scenes, or no attributes that can be exchanged.
    """

    def __init__(self, folder: Path, scenes: Any = "clevr2d", seed: int = 0) -> None:
        self.folder, self.seed = folder, seed
        self.scenes = table_of(scenes)
        name, concepts = self.scenes.name, len(self.scenes.space.concepts)
        if self.scenes.written_captions is not None:
            raise ValueRangeError(
                f"the captions of '{name}' came with the table and cannot be swapped; leave out "
                "the column 'caption', or watch on clevr2d"
            )
        if concepts < 2 or not len(all_swaps(self.scenes, range(concepts - 1))[0]):
            raise ValueRangeError(
                f"no scene of '{name}' has an attribute swap, so binding cannot be judged; watch "
                "on clevr2d"
            )
        self.controls: dict[str, Records] = {}
        """Records of the controls of level 2, by modality, which no encoder changes."""
        self._known: tuple[str, ...] | None = None
        self._reworded: tuple[ParaphraseBank, Items] | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the numbers besides the model."""
        return {"scenes": self.scenes.name, "hash": self.scenes.content_hash, "seed": self.seed}

    @cached_property
    def split(self) -> Split:
        """Train, validation and test scenes, as `measure` divides them."""
        return split_scenes(self.scenes, "pair", seed=self.seed)

    @cached_property
    def drawn(self) -> Scenes:
        """The scenes with pictures, drawn where they have none."""
        if self.scenes.drawing is None or self.scenes.images is not None:
            return self.scenes
        with _of_the_suite():
            return draw_pictures(self.scenes, self.folder / "pictures", seed=self.seed)

    @cached_property
    def bag(self) -> SceneProbes:
        """Probes of a bag of concepts, the control of level 1."""
        return bag_probes(self.scenes, self.split)

    @cached_property
    def captions(self) -> CaptionBank:
        """Captions of all scenes and of their swaps."""
        return caption_bank(self.scenes, self.seed)

    @cached_property
    def redrawn(self) -> tuple[Scenes, Items, tuple[Triplets, ...]] | None:
        """Pictures to compare with each other, and how; None where there are none."""
        if self.scenes.drawing is None:
            given = given_triplets(self.scenes, self.seed)
            return None if given is None else (self.scenes, given[0], (given[1],))
        bank = picture_bank(self.scenes, most=REDRAWN, seed=self.seed)
        places = bank.places.tolist()
        with _of_the_suite():
            drawn = draw_pictures(bank.pictures, self.folder / DRAWN, seed=self.seed, places=places)
        return drawn, bank.items, bank.settings

    def reworded(self, encoder: Encoder) -> tuple[ParaphraseBank, Items] | None:
        """Captions in other words, and what they are about; None where the encoder does not know
        the words. The first encoder decides, so that all looks have one list.

        Args:
            encoder: of captions.

        Raises:
            MismatchError: it knows the words of other wordings than the first one did.
        """
        reads = read_by(encoder)
        known = tuple(one.name for one in wordings(self.scenes, reads)[0])
        first = known if self._known is None else self._known
        if known != first:
            raise MismatchError(
                f"its tokenizer knows the paraphrases {', '.join(known) or 'none'}, and that of "
                f"the first look {', '.join(first) or 'none'}; watch it into another folder"
            )
        self._known = first
        if len(known) < FEWEST:
            return None
        if self._reworded is None:
            bank = paraphrase_bank(self.scenes, most=PARAPHRASED, reads=reads, seed=self.seed)
            self._reworded = bank, items_of(bank, self.scenes)
        return self._reworded


@contextmanager
def _of_the_suite() -> Iterator[None]:
    """Raise what keeps the suite's own pictures from being written as that."""
    try:
        yield
    except FileError as error:
        raise SuiteError(str(error)) from error
