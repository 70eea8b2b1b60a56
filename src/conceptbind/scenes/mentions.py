"""Captions as they are first written, each once, with the values that they mention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.scenes.captions import article, caption, parts_of_template

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes


class Mentions:
    """A growing list of different captions of a table, and how often each mentions every value.

    Args:
        scenes: the table.
    """

    def __init__(self, scenes: Scenes) -> None:
        self.scenes, self.space = scenes, scenes.space
        self.inner = parts_of_template(scenes.template)[1]
        self.offsets = np.cumsum((0, *self.space.sizes[:-1]))
        self.numbers: dict[str, int] = {}
        """Caption to its row."""
        self.meanings: list[Float[Floats, " values"]] = []
        """(V,) counts of each caption."""

    def of(self, objects: Int[Ints, "slots concepts"]) -> int:
        """Row of the caption of objects (m, C), without the frame of a template."""
        return self.row(self.said(objects), self.counts(objects))

    def said(self, objects: Int[Ints, "slots concepts"]) -> str:
        """Its text."""
        return caption(self.space, objects, self.inner)

    def word(self, noun: int) -> str:
        """A value of the last concept: "circle"."""
        return self.space.values[-1][noun]

    def one(self, noun: int) -> str:
        """The same with its article: "a circle"."""
        word = self.word(noun)
        return f"{article(word)} {word}"

    def mention(self, noun: int) -> Float[Floats, " values"]:
        """(V,) counts of a noun alone."""
        counts = np.zeros(sum(self.space.sizes), dtype=np.float32)
        counts[self.offsets[-1] + noun] = 1
        return counts

    def counts(self, objects: Int[Ints, "slots concepts"]) -> Float[Floats, " values"]:
        """(V,) counts of the values of objects (m, C)."""
        counts = np.zeros(sum(self.space.sizes), dtype=np.float32)
        np.add.at(counts, objects + self.offsets, 1)
        return counts

    def row(self, text: str, values: Float[Floats, " values"]) -> int:
        """Row of a caption, which is added where it is new."""
        if text not in self.numbers:
            self.numbers[text] = len(self.numbers)
            self.meanings.append(values)
        return self.numbers[text]
