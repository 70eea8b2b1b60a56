"""Scenes whose captions hold binding where pictures cannot see it, or do not hold it at all."""

from __future__ import annotations

import numpy as np

from conceptbind.core.typing import Modality
from conceptbind.crossmodal import caption_bank
from conceptbind.crossmodal.bank import CaptionBank
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, Scenes, full_grid

WIDTH = 24


def grid(colors: int = 4, shapes: int = 4) -> tuple[Scenes, CaptionBank]:
    """All scenes of two objects; in almost half of them nothing can be swapped."""
    names = tuple(f"color{i}" for i in range(colors)), tuple(f"shape{i}" for i in range(shapes))
    scenes = full_grid(ConceptSpace(("color", "shape"), names))
    return scenes, caption_bank(scenes)


def planted(
    scenes: Scenes, bank: CaptionBank, *, held: float, seed: int = 0, noise: float = 0.3
) -> tuple[Embeddings, Embeddings]:
    """Pictures that bind, and captions that are a noisy bag of concepts with turned codes of the
    objects in it, `held` times.

    At `held` 0 nothing can be repaired; above it one rotation repairs all.
    """
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(size, WIDTH)) for size in scenes.space.sizes]
    objects = rng.normal(size=(scenes.space.n_objects, WIDTH))
    turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]

    def rows(table: Scenes, codes: np.ndarray) -> np.ndarray:
        bag = sum(values[k][table.table[:, :, k]].sum(1) for k in range(2))
        return bag + codes[table.objects].sum(1) + noise * rng.normal(size=(len(table), WIDTH))

    parts: tuple[tuple[Scenes, Modality, np.ndarray], ...] = (
        (scenes, "image", rows(scenes, 0.7 * objects)),
        (bank.scenes, "text", rows(bank.scenes, held * objects @ turn)),
    )
    images, captions = (
        Embeddings(
            found.astype(np.float32), modality, table.content_hash, table.name, "planted", "1"
        )
        for table, modality, found in parts
    )
    return images, captions
