"""Captions that several pictures of a retrieval have in common: not all of them can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from conceptbind.core.typing import Bools, Ints


def shared_captions(owner: Int[Ints, " texts"], said: Int[Ints, " texts"]) -> Bool[Bools, " texts"]:
    """(n,) whether another picture has the same caption.

    Args:
        owner: (n,) picture of each caption.
        said: (n,) equal numbers for captions that are equal.
    """
    pairs = np.unique(np.stack([said, owner]), axis=1)
    owners = np.bincount(pairs[0], minlength=int(said.max(initial=0)) + 1)
    found: Bools = owners[said] > 1
    return found


def lost_pictures(owner: Int[Ints, " texts"], said: Int[Ints, " texts"], k: int) -> int:
    """How many captions cannot find their picture among the first k, since more pictures than that
    have the same one: all but those of k pictures.

    Args:
        owner: (n,) picture of each caption.
        said: (n,) equal numbers for captions that are equal.
        k: ranks.
    """
    pairs, count = np.unique(np.stack([said, owner]), axis=1, return_counts=True)
    order = np.lexsort((-count, pairs[0]))
    group, count = pairs[0][order], count[order]
    place = np.arange(len(group)) - np.searchsorted(group, group)
    return int(count[place >= k].sum())


def lost_captions(owner: Int[Ints, " texts"], said: Int[Ints, " texts"], k: int) -> int:
    """How many pictures cannot find a caption of theirs among the first k: of each of theirs at
    least k others are equal, and a tie ranks behind.

    Args:
        owner: (n,) picture of each caption.
        said: (n,) equal numbers for captions that are equal.
        k: ranks.
    """
    size = int(said.max(initial=0)) + 1
    pairs, count = np.unique(np.stack([owner, said]), axis=1, return_counts=True)
    others = np.bincount(said, minlength=size)[pairs[1]] - count
    fewest = np.full(int(owner.max(initial=0)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(fewest, pairs[0], others)
    return int((fewest[np.unique(owner)] >= k).sum())


def told_shared(shared: int, n: int) -> str:
    """A note on them.

    Args:
        shared: captions that another picture has too.
        n: all captions.
    """
    return (
        f"{shared:,} of {n:,} captions are another picture's too, capitals and spaces apart. They "
        "stay in n; `unwinnable` says how many cannot be found, at each rank and each way."
    )
