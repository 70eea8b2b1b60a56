"""Indexes whose binding is known: that bind, that are bags, that a linear map repairs or not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from conceptbind.core.files import content_hash

ATTRIBUTES = ("red", "blue", "green", "yellow", "black", "white")
NOUNS = ("cube", "ball", "chair", "cup", "hat", "table")
WIDTH = 24
BEHIND = re.compile(r"(\w+) that is (\w+)")
BEFORE = re.compile(rf"({'|'.join(ATTRIBUTES)}) ({'|'.join(NOUNS)})")


def captions(n: int, seed: int = 0) -> list[str]:
    """Captions of two things, all of whose attributes and nouns differ."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        (a, b), (x, y) = rng.choice(ATTRIBUTES, 2, False), rng.choice(NOUNS, 2, False)
        found.append(f"a {a} {x} and a {b} {y}")
    return found


def objects(text: str) -> list[tuple[int, int]]:
    """Attribute and noun of each thing that a text names."""
    turned = BEHIND.sub(r"\2 \1", text.lower())
    return [(ATTRIBUTES.index(a), NOUNS.index(n)) for a, n in BEFORE.findall(turned)]


class Planted:
    """Texts as a bag of attributes and nouns and, `held` times, codes of the things in them.

    Pictures have the codes as they are, texts turned, by a rotation that one linear map undoes.
    """

    revision, modalities, dimension = "1", ("text",), WIDTH

    def __init__(
        self, held: float, *, turned: bool = False, noise: float = 0.0, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        self.id = f"planted-{held}-{turned}-{noise}-{seed}"
        self.held, self.noise = held, noise
        self.attributes = rng.normal(size=(len(ATTRIBUTES), WIDTH))
        self.nouns = rng.normal(size=(len(NOUNS), WIDTH))
        self.codes = rng.normal(size=(len(ATTRIBUTES), len(NOUNS), WIDTH))
        self.turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0] if turned else np.eye(WIDTH)

    def rows(self, texts: Sequence[str], held: float, turn: np.ndarray, seed: int) -> Any:
        """(n, d), unit rows in half precision."""
        found = np.zeros((len(texts), WIDTH))
        for place, text in enumerate(texts):
            row = found[place]
            for a, n in sorted(objects(text)):
                row += held * self.codes[a, n] @ turn
            # summed one after the other, so that a caption and its swap are one to the last bit
            parts = sorted(a for a, _ in objects(text)), sorted(n for _, n in objects(text))
            row += sum(self.attributes[a] for a in parts[0]) + sum(self.nouns[n] for n in parts[1])
            if self.noise:
                number = int(content_hash(text)[:15], 16)
                row += self.noise * np.random.default_rng([seed, number]).normal(size=WIDTH)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Texts."""
        return self.rows(texts, self.held, self.turn, 1)

    def encode_images(self, images: Sequence[Any]) -> Any:
        """Nothing is drawn."""
        raise NotImplementedError

    def pictures(self, texts: Sequence[str], held: float = 0.7) -> Any:
        """Rows of pictures that show what texts say."""
        return self.rows(texts, held, np.eye(WIDTH), 2)
