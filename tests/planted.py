"""Embeddings whose answer is known."""

from __future__ import annotations

import numpy as np

from conceptbind.scenes import Scenes


def object_codes(scenes: Scenes, dimension: int = 48, seed: int = 0) -> np.ndarray:
    """Embeddings that bind perfectly: the sum of one random code for each object."""
    codes = (
        np.random.default_rng(seed)
        .normal(size=(scenes.space.n_objects, dimension))
        .astype(np.float32)
    )
    return codes[scenes.objects].sum(axis=1)


def concept_codes(scenes: Scenes, dimension: int = 48, seed: int = 0) -> np.ndarray:
    """Embeddings that are a bag of concepts: the sum of one random code for each value."""
    rng = np.random.default_rng(seed)
    total = np.zeros((len(scenes), dimension), dtype=np.float32)
    for k, size in enumerate(scenes.space.sizes):
        codes = rng.normal(size=(size, dimension)).astype(np.float32)
        total += codes[scenes.table[:, :, k]].sum(axis=1)
    return total
