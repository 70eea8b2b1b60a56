"""What is embedded at a setting: captions, their paraphrases and swaps, pictures of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.files import content_hash
from conceptbind.crossmodal.bank import CaptionBank
from conceptbind.pictures.varied import VariedStyle
from conceptbind.scenes.paraphrases import FEWEST, ParaphraseBank, paraphrase_bank, wordings
from conceptbind.scenes.table import Scenes
from conceptbind.stresses.stock import Stock, View
from conceptbind.within.triplets import NEUTRAL, TRAP, Triplets

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints, Modality


@dataclass(frozen=True, eq=False)
class Material:
    """r captions or pictures of one setting."""

    modality: Modality
    table: Scenes
    """What is embedded."""
    meaning: Scenes
    """(r,) the objects that each caption names, or each picture shows."""
    places: Int[Ints, " rows"] | None = None
    """(r,) of pictures to draw; see `pictures.folder.draw_pictures`."""
    style: VariedStyle | None = None
    """How flat pictures look; None for solid ones and captions."""

    @cached_property
    def key(self) -> str:
        """A hash of all that decides the rows."""
        places = b"" if self.places is None else self.places.astype("<i8").tobytes()
        return content_hash(self.modality, self.table.content_hash, places, repr(self.style))


@dataclass(frozen=True, eq=False)
class Pictured:
    """The pictures of a setting: one of each scene first."""

    material: Material
    triplets: tuple[Triplets, Triplets]
    """Neutral and trap, one item for each test scene."""


def captions_of(stock: Stock, view: View) -> tuple[CaptionBank, Material]:
    """The caption of each scene and of its swap, in the orders of mention.

    Args:
        stock: n scenes.
        view: of them.
    """
    n, (_, m, concepts) = len(stock), view.table.shape
    told = [view.mentioned(view.table), view.mentioned(view.swapped)]  # (n, m, C) each
    reverse = [table[:, ::-1] if view.both else table for table in told]
    every = np.stack([*told, *reverse], axis=1)  # (n, 4, m, C): true, swap, both in reverse
    unique, inverse = np.unique(every.reshape(-1, m * concepts), axis=0, return_inverse=True)
    rows = inverse.reshape(n, 4)
    table = _as_scenes(stock, unique.reshape(-1, m, concepts), "captions")
    true, swaps = rows[:, [0, 2]], rows[:, [1, 3]]
    nothing = np.empty((0, 2), dtype=np.int64)
    bank = CaptionBank(
        table, true, true.min(axis=1), swaps, np.arange(n), nothing, np.empty(0, dtype=np.int64)
    )
    return bank, Material("text", table, table)


def paraphrases_of(
    stock: Stock,
    view: View,
    reads: Callable[[str], bool],
    seed: int,
    rows: Int[Ints, " some"],
) -> tuple[ParaphraseBank, Material] | None:
    """Some scenes in other words, and their swaps; None where the encoder knows too few wordings.

    Args:
        stock: n scenes.
        view: of them.
        reads: whether the encoder reads a caption.
        seed: of the bank.
        rows: numbers of the scenes.
    """
    told = _as_scenes(stock, view.mentioned(view.table)[rows], "scenes")
    known, _ = wordings(told, reads)
    if len(known) < FEWEST:
        return None
    swapped = view.mentioned(view.swapped)[rows]
    swaps = (np.arange(len(rows)), swapped, np.zeros(len(rows), dtype=np.int64))
    bank = paraphrase_bank(told, swaps=swaps, reads=reads, seed=seed)
    return bank, Material("text", bank.captions, Scenes(stock.space, bank.meaning))


def pictures_of(stock: Stock, view: View) -> Pictured:
    """A picture of each scene, and of each test scene three more: drawn again (the paraphrase),
    its swap drawn again (neutral), and its swap with the places, sizes and ground of the first
    (trap). In half of them, by chance, the pair has changed places.

    Args:
        stock: n scenes.
        view: of them.
    """
    n, test = len(stock), stock.split.test
    tables = [view.table] + [
        view.turned(table, stock.flips[:, flip])[test]
        for flip, table in enumerate((view.table, view.swapped, view.swapped))
    ]
    places = [3 * np.arange(n), *(3 * test + place for place in (1, 2, 0))]
    table = _as_scenes(stock, np.concatenate(tables), "pictures")
    flat = stock.given.drawing == "flat"
    material = Material("image", table, table, np.concatenate(places), view.style if flat else None)
    item = np.arange(len(test))
    again, neutral, trap = (n + part * len(test) + item for part in range(3))
    return Pictured(
        material,
        (Triplets(NEUTRAL, test, again, neutral, item), Triplets(TRAP, test, again, trap, item)),
    )


@dataclass(frozen=True, eq=False)
class Setting:
    """The scenes at one setting, and what is embedded of them, each made when it is asked for."""

    stock: Stock
    view: View
    reads: Callable[[str], bool]
    """Whether the encoder reads a caption."""
    seed: int

    @cached_property
    def readable(self) -> bool:
        """Whether its captions are read."""
        told = _as_scenes(self.stock, self.view.mentioned(self.view.table), "scenes")
        return self.reads(max(told.captions(), key=len))

    @cached_property
    def captions(self) -> tuple[CaptionBank, Material]:
        """See `captions_of`."""
        return captions_of(self.stock, self.view)

    @cached_property
    def paraphrases(self) -> tuple[ParaphraseBank, Material] | None:
        """Test scenes; see `paraphrases_of`."""
        test = self.stock.split.test
        return paraphrases_of(self.stock, self.view, self.reads, self.seed, test)

    @cached_property
    def pictures(self) -> Pictured:
        """See `pictures_of`."""
        return pictures_of(self.stock, self.view)

    def key(self, modality: str) -> tuple[object, ...]:
        """What decides a measure of a modality (`text`, `image` or `both`)."""
        said: tuple[object, ...] = ()
        if modality != "image":
            bank, material = self.captions
            said = (material.key, bank.true.tobytes())
        return said if modality == "text" else (*said, self.pictures.material.key)


def _as_scenes(stock: Stock, table: Ints, what: str) -> Scenes:
    named = f"{what} of {stock.given.name}"
    return replace(
        Scenes(stock.space, table, name=named, template=stock.given.template),
        drawing=stock.given.drawing,
    )
