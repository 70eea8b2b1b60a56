"""Embeddings of a given size that are about as hard to read as real ones: power-law spectrum,
common mean, noise.
"""

from __future__ import annotations

import numpy as np

from conceptbind.scenes import ConceptSpace, Scenes, full_grid


def scenes_like(name: str) -> Scenes:
    """The scene tables of CLEVR (576) and PUG:SPARE (7,392)."""
    if name == "clevr":
        return full_grid(
            ConceptSpace(
                ("color", "shape"),
                (tuple(f"c{i}" for i in range(8)), tuple(f"s{i}" for i in range(3))),
            ),
            name=name,
        )
    grid = full_grid(
        ConceptSpace(
            ("texture", "animal"),
            (tuple(f"t{i}" for i in range(8)), tuple(f"a{i}" for i in range(12))),
        )
    )
    different = (grid.table[:, 0] != grid.table[:, 1]).all(axis=1)
    return grid.select(np.flatnonzero(different), name="pug-spare")


def embeddings_of(
    scenes: Scenes, dimension: int = 512, noise: float = 4.0, seed: int = 0
) -> np.ndarray:
    """Unit rows (n, d): values, objects and slots each add a vector, then noise, a decaying
    spectrum and a common mean.
    """
    rng = np.random.default_rng(seed)
    rows = noise * rng.normal(size=(len(scenes), dimension))
    for slot in range(scenes.n_slots):
        for k, size in enumerate(scenes.space.sizes):
            rows += rng.normal(size=(size, dimension))[scenes.table[:, slot, k]] + rng.normal(
                size=dimension
            )
        rows += 0.7 * rng.normal(size=(scenes.space.n_objects, dimension))[scenes.objects[:, slot]]
    shared = rng.normal(size=(scenes.space.n_objects, dimension))
    rows += shared[scenes.objects].sum(axis=1)
    spectrum = np.arange(1, dimension + 1) ** -0.5
    rotation = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    rows = (rows * spectrum) @ rotation + 2 * rng.normal(size=dimension) / np.sqrt(dimension)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
