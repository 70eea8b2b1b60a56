"""Probes of pairs of objects: which two objects stand in a scene, in whatever order?

A probe of pairs has a class for each pair of objects, as the published code of arXiv 2605.31503
has. It is fitted on one order of every scene and scored on the others, so that every pair that is
asked for was seen, and no scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.core.arguments import explains_arguments
from conceptbind.metrics.recognitions import Recognition, held_among, magnitude, recognition
from conceptbind.probes.scene_probes import fit_probe, whitened
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

MOST_PAIRS = 1_000
"""Pairs that have a class each; of more, those of a seeded sample of the objects."""
VALIDATION = 4
"""One of so many sets of objects chooses, the others are scored."""


@dataclass(frozen=True, eq=False)
class PairTable:
    """Scenes with the pairs that they hold, divided by the order of their objects."""

    rows: Int[Ints, " scenes"]
    """(s,) rows of the table whose pairs have a class."""
    pairs: Int[Ints, "scenes pairs"]
    """(s, m (m - 1) / 2) numbers of the pairs of each."""
    n_pairs: int
    train: Int[Ints, " train"]
    """Places in `rows`: one order of each set of objects."""
    validation: Int[Ints, " validation"]
    """Other orders of some sets of objects."""
    test: Int[Ints, " test"]
    """Other orders of the other sets."""
    draws: Int[Ints, " scenes"]
    """(s,) scenes of the same objects are one draw."""


@explains_arguments
def pair_table(scenes: Scenes, seed: int = 0) -> PairTable | None:
    """The pairs of a table; None where no two scenes hold the same objects in two orders, or hold
    no pair.

    Args:
        scenes: the table of n scenes of m objects.
        seed: decides which order is fitted on, which sets choose, and which objects have classes
            where they are many.
    """
    if scenes.n_slots < 2:
        return None
    random = np.random.default_rng(seed)
    rows = _of_few_objects(scenes, random)
    objects = np.sort(scenes.objects[rows], axis=1)
    both = [objects[:, i] * scenes.space.n_objects + objects[:, j] for i, j in _slots(scenes)]
    keys, pairs = np.unique(np.stack(both, axis=1), return_inverse=True)
    pairs = pairs.reshape(len(rows), -1)
    draws = pair_ids(scenes)[rows]
    # the first of each set in a random order is fitted on
    order = random.permutation(len(rows))
    first = order[np.unique(draws[order], return_index=True)[1]]
    others = np.setdiff1d(np.arange(len(rows)), first)
    sets = random.permutation(np.unique(draws[others]))
    chooses = np.isin(draws[others], sets[: len(sets) // VALIDATION])
    if not chooses.any() or chooses.all():
        return None
    return PairTable(
        rows, pairs, len(keys), np.sort(first), others[chooses], others[~chooses], draws
    )


def _slots(scenes: Scenes) -> list[tuple[int, int]]:
    return list(combinations(range(scenes.n_slots), 2))


def _of_few_objects(scenes: Scenes, random: np.random.Generator) -> Ints:
    """Rows of scenes of so few objects that their pairs are not too many."""
    n_objects = scenes.space.n_objects
    most = int((2 * MOST_PAIRS + 0.25) ** 0.5 - 0.5)  # k (k + 1) / 2 pairs of k objects
    if n_objects <= most:
        return np.arange(len(scenes))
    kept = random.permutation(n_objects)[:most]
    return np.flatnonzero(np.isin(scenes.objects, kept).all(axis=1))


@explains_arguments
def pair_recognition(
    values: Float[Floats, "scenes width"], table: PairTable, device: str = "cpu"
) -> tuple[Recognition, Int[Ints, " test"]]:
    """Whether all pairs of each test scene score above all others, by a probe of pairs whose
    whitening and penalty validation chooses.

    Args:
        values: (n, d) unit rows of all scenes.
        table: see `pair_table`.
        device: where torch computes.

    Returns:
        The outcome of the test scenes, and the draw of each.
    """
    rows = np.asarray(values)[table.rows]
    candidates = np.arange(table.n_pairs)

    def recognised(weight: Floats, places: Ints) -> Recognition:
        block = rows[places]
        present = held_among(candidates, table.pairs[places])
        return recognition(block @ weight.T, present, magnitude(block, weight))

    coordinates = whitened(torch.tensor(rows[table.train], device=device))
    classes = torch.tensor(table.pairs[table.train], device=device)
    moments = [part.moment(classes, table.n_pairs) for part in coordinates]
    probe = fit_probe(
        coordinates,
        moments,
        candidates,
        lambda weight: recognised(weight, table.validation).accuracy,
    )
    return recognised(probe.weight, table.test), table.draws[table.test]
