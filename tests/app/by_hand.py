"""Two encoders that a reader can follow: a bag of words, and one that binds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from conceptbind.app.phrases import drawn_pairs
from conceptbind.core.errors import UnknownNameError
from conceptbind.scenes.builtin import CLEVR_COLORS

Pair = tuple[str, str]
Row = np.ndarray[Any, np.dtype[np.float64]]
SHAPES = ("square", "circle")


class Bound:
    """One number for each object that a caption names: the swap of a scene is at right angles."""

    id, revision, modalities = "bound", "1", ("text", "image")
    objects = tuple(product(CLEVR_COLORS, SHAPES))
    dimension = len(objects)

    def place(self, pair: Pair) -> int:
        return self.objects.index(pair)

    def row(self, pairs: Iterable[Pair]) -> Row:
        row = np.zeros(self.dimension)
        for pair in pairs:
            row[self.place(pair)] += 1
        return row

    def sees(self, pairs: Iterable[Pair]) -> Row:
        """The unit row of a picture of objects."""
        row = self.row(pairs)
        return row / np.linalg.norm(row)

    def encode_texts(self, texts: Sequence[str]) -> Row:
        return np.array([self.row(self.pairs(text)) for text in texts])

    def pairs(self, text: str) -> frozenset[Pair]:
        pairs = drawn_pairs(text)
        if pairs is None or not pairs <= set(self.objects):
            raise UnknownNameError(f"'{text}' has words that are not known")
        return pairs

    def encode_images(self, images: Sequence[object]) -> Row:
        raise NotImplementedError


class Bag(Bound):
    """Counts of words."""

    id = "bag"
    dimension = len(CLEVR_COLORS) + len(SHAPES)

    def row(self, pairs: Iterable[Pair]) -> Row:
        words = [word for pair in pairs for word in pair]
        return np.array([float(words.count(word)) for word in (*CLEVR_COLORS, *SHAPES)])
