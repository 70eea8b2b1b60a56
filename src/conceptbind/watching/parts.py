"""Intervals of what has none in `measure`: the binding share, and how far concepts lie from right
angles. Each is written as the mean of one number per item, so that two looks can be subtracted item
by item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.factors.means import Labels, effects_of, labels_of, value_means
from conceptbind.factors.measures import cosines_of
from conceptbind.geometry.spectra import spectrum
from conceptbind.probes.threads import steady
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

PARTS = 60
"""Groups of scenes, each of which is left out once: as many as an interval of a mean needs."""


def binding_items(
    values: Float[Floats, "scenes width"], scenes: Scenes
) -> tuple[float, Float[Floats, " scenes"] | None]:
    """The binding share, and one number per scene whose mean it is: how the share moves with the
    weight of the scene (its influence). None for the latter where the scenes are no full grid.

    Args:
        values: (n, d) unit rows.
        scenes: the table.

    Raises:
        ValueRangeError: the rows are all alike.
    """
    found = spectrum(values, scenes)
    share = found.binding_share
    if found.method != "exact":
        return share, None
    about = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    part = np.zeros_like(about)
    for slot in range(scenes.n_slots):
        part += _means(about, scenes.objects[:, slot])
        for concept in range(len(scenes.space.concepts)):
            part -= _means(about, scenes.table[:, slot, concept])
    # of a mean of squared projections: the projection moves with the scene, too
    own = np.einsum("nd,nd->n", part, 2 * about - part)
    total = np.einsum("nd,nd->n", about, about)
    return share, share + (own - share * total) / total.mean()


def _means(rows: Floats, ids: Ints) -> Floats:
    """(n, d) each row's mean over the rows of its id."""
    known, place = np.unique(ids, return_inverse=True)
    sums = np.zeros((len(known), rows.shape[1]))
    np.add.at(sums, place, rows)
    found: Floats = (sums / np.bincount(place)[:, None])[place]
    return found


@steady()
def angle_items(
    values: Float[Floats, "scenes width"], scenes: Scenes, rows: Int[Ints, " rows"], seed: int = 0
) -> tuple[float, int, Float[Floats, " parts"]]:
    """Mean |cos| of value vectors of different concepts, how many pairs it is of, and one number
    for each of `PARTS` groups of scenes whose mean it is: how it moves when the group is left out
    (jackknife).

    Args:
        values: (n, d) unit rows.
        scenes: the table.
        rows: (r,) those that vectors are fitted on.
        seed: decides the groups, which are the same for all looks.

    Raises:
        ValueRangeError: there is one concept only, so that nothing is across.
    """
    labels = labels_of(scenes)
    group = _groups(pair_ids(scenes)[rows], seed)
    whole = cosines_of(effects_of(value_means(values, labels, rows)))
    assert whole.across is not None
    without = np.array([_across(values, labels, rows[group != part]) for part in range(PARTS)])
    moves = (PARTS - 1) * (without.mean() - without)
    return whole.across, whole.n_across, whole.across + moves


def _across(values: Floats, labels: Labels, rows: Ints) -> float:
    found = cosines_of(effects_of(value_means(values, labels, rows))).across
    return 0.0 if found is None else found


def _groups(clusters: Ints, seed: int) -> Ints:
    """(r,) a group for each row, the same for rows of one cluster; all about equally large."""
    known, place = np.unique(clusters, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(known))
    found: Ints = (order % PARTS)[place]
    return found
