"""Which items of a benchmark are one draw of its intervals: those that share a picture or text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints


def linked_items(members: Sequence[Sequence[int]]) -> Int[Ints, " items"]:
    """The first item that each is linked with, by whatever steps: two items are linked that share a
    member. An item that shares none is its own.

    Args:
        members: of each of n items the numbers of its pictures, or of its texts; at least one.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(members)
    items = np.repeat(np.arange(n), [len(one) for one in members])
    held = np.unique([number for one in members for number in one], return_inverse=True)[1]
    # items and members are the nodes of one graph
    size = n + int(held.max(initial=-1)) + 1
    edges = coo_matrix((np.ones(len(items), dtype=bool), (items, n + held)), shape=(size, size))
    groups = connected_components(edges, directed=False)[1][:n]
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    found: Ints = first[group]
    return found
