"""Probes by cosine of the concepts and objects of scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.metrics.recognitions import recognised_by
from conceptbind.probes.cosine import CosineProbe

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

SCALES = (10.0, 30.0, 100.0)
"""Largest scales of cosines that validation chooses from; of equals the smallest."""
TOLERANCE = 1e-6
"""Share of the loss that a step must win; see `CosineProbe`."""
MOST_TRAIN = 4_000
"""Train scenes that a probe by cosine is fitted to; of more, a seeded sample. Its loss is not
convex, and takes hundreds of passes."""


@explains_arguments
def cosine_probes(
    rows: Float[Floats, "scenes width"], scenes: Scenes, split: Split, *, seed: int = 0
) -> tuple[tuple[Float[Floats, "_ width"], Int[Ints, " _"]], ...]:
    """One probe by cosine for each concept and one for objects, fitted on the train rows;
    validation chooses the largest scale.

    Args:
        rows: (n, d) unit rows.
        scenes: the n scenes.
        split: rows to fit on and to choose with; the test rows are not read.
        seed: of the sample of train rows, and of the starts.

    Returns:
        For each concept, then for objects: (K, d) scaled directions and the (K,) ids of values or
        objects that they stand for.
    """
    order = np.random.default_rng(seed).permutation(split.train)
    train = np.sort(order[:MOST_TRAIN])
    found = []
    for concept in (*range(len(scenes.space.concepts)), None):
        present = scenes.presence(concept)
        candidates = np.flatnonzero(present.any(axis=0))
        asked = present[:, candidates]
        found.append((_fitted(rows, asked, train, split.validation, seed), candidates))
    return tuple(found)


def _fitted(rows: Floats, present: Bools, train: Ints, validation: Ints, seed: int) -> Floats:
    """(K, d) the directions that recognise most on validation."""
    if present.shape[1] < 2:  # a concept of one value says nothing
        return np.zeros((present.shape[1], rows.shape[1]))
    target = present[train] / present[train].sum(axis=1, keepdims=True)
    best, chosen = -1.0, np.zeros((present.shape[1], rows.shape[1]))
    for scale in SCALES:
        probe = CosineProbe(most_scale=scale, tol=TOLERANCE, seed=seed)
        weight = probe.fit(rows[train], target).coef_
        reached = recognised_by(weight, rows[validation], present[validation]).accuracy
        if reached > best:
            best, chosen = reached, weight
        if best == 1:
            break
    return chosen
