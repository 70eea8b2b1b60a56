"""Batches of one length: no padding, so no work on padding and no read-out computed from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

BATCH = 64
"""Captions of one forward pass: on a CPU their activations stay in the cache."""


def equal_length_batches(lengths: Sequence[int], batch: int = BATCH) -> Iterator[list[int]]:
    """Positions of items, in batches whose items all have one length."""
    order = np.argsort(lengths, kind="stable")
    cuts = np.flatnonzero(np.diff(np.asarray(lengths)[order])) + 1
    for group in np.split(order, cuts):
        for start in range(0, len(group), batch):
            yield group[start : start + batch].tolist()
