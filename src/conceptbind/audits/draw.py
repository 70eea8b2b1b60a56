"""Which captions of an index are looked at: one pass over all of them, a few of which are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.audits.phrases import Worded, worded
from conceptbind.core.errors import ValueRangeError, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.repairs.negatives.taggers import Tagger
    from conceptbind.rows.indexes.contract import Texts

TAGGED = 20_000
"""Captions whose words are tagged at most: a tagger reads a few hundred a second."""
LOOKED_AT = 3
"""Captions that an encoder tries to read in other words."""
TOGETHER = 250
"""Captions that are tagged before it is asked whether there are enough."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Captions of an index that were drawn."""

    items: tuple[Worded, ...]
    """k captions with two attribute-noun phrases."""
    rows: Int[Ints, " items"]
    """(k,) row of each."""
    searches: tuple[str, ...]
    """m captions of any kind, which search the index."""
    own: Int[Ints, " searches"]
    """(m,) row of each; none of them is among `rows`."""
    same: Int[Ints, "pairs 2"]
    """(p, 2) search and row of all captions of the index that are equal to one that searches, its
    own row among them."""
    n: int
    """Captions of the index."""
    missing: int
    """Rows without a caption, which are left out."""
    tagged: int
    """Captions that were looked at for phrases."""
    unread: bool = False
    """Whether the encoder does not read captions with attributes behind their nouns."""

    def read(self, reads: Callable[[str], bool], *, reworded: bool) -> Drawn:
        """The same in the wordings that an encoder reads.

        Args:
            reads: whether it knows the words of a text; see `scenes.paraphrases.read_by`.
            reworded: leave captions out of which no other wording is read.

        Raises:
            ValueRangeError: no caption is left.
        """
        behind = [item.behind for item in self.items if item.behind is not None]
        unread = not all(map(reads, behind[:LOOKED_AT]))
        items = self.items
        if unread:
            items = tuple(replace(item, behind=None, swap_behind=None) for item in items)
        kept = [k for k, item in enumerate(items) if item.reworded is not None or not reworded]
        if not kept:
            why = "no caption is of two things that can be named in other words"
            if unread:
                why = (
                    f"the encoder does not read captions such as '{behind[0]:.60}', and no caption "
                    "names two things side by side"
                )
            raise ValueRangeError(
                f"{why}, so none can be put in other words that mean the same; give an index with "
                "captions such as 'a red cube and a blue ball'"
            )
        items = tuple(items[k] for k in kept)
        return replace(self, items=items, rows=self.rows[kept], unread=unread)


def draw_items(
    captions: Texts,
    tagger: Tagger,
    *,
    most: int,
    searches: int,
    seed: int,
    allow_missing: bool = False,
    on_captions: Callable[[int], None] = lambda _: None,
) -> Drawn:
    """Draw captions with two attribute-noun phrases, and captions that search.

    Args:
        captions: of all rows; read once, in blocks.
        tagger: what finds nouns and adjectives.
        most: captions with two phrases that are wanted.
        searches: captions that search.
        seed: of the draw.
        allow_missing: leave rows without a caption out, instead of refusing them.
        on_captions: called with the number of captions that were tagged since the last call.

    Raises:
        ValueRangeError: rows without a caption, or no caption with two such phrases.
    """
    n = len(captions)
    rng = np.random.default_rng(seed)
    order = rng.choice(n, min(n, TAGGED + searches), replace=False)
    hashes, texts, missing = _read(captions, order)
    if len(missing) and not allow_missing:
        raise ValueRangeError(
            f"{len(missing):,} of {counted(n, 'row')} have no caption, the first is row "
            f"{missing[0]:,}; give each row one, or add --allow-missing to leave them out"
        )
    order = np.array([row for row in order.tolist() if texts.get(row)], dtype=np.int64)
    # a small index is for the phrases first
    asking = order[: min(searches, len(order) // 2)]
    items: list[Worded] = []
    rows, tagged = [], 0
    left = order[len(asking) :].tolist()
    for start in range(0, len(left), TOGETHER):
        some = left[start : start + TOGETHER]
        lines = [texts[row] for row in some]
        for row, line, tokens in zip(some, lines, tagger.tag(lines), strict=True):
            found = worded(line, tokens)
            if found is not None and len(items) < most:
                items.append(found)
                rows.append(row)
        tagged += len(some)
        on_captions(len(some))
        if len(items) >= most:
            break
    if not items:
        raise ValueRangeError(
            f"binding cannot be judged here: none of {counted(tagged, 'tagged caption')} names two "
            "things with an attribute each (a red cube and a blue ball); give an index with such "
            "captions"
        )
    return Drawn(
        tuple(items),
        np.array(rows, dtype=np.int64),
        tuple(texts[row] for row in asking.tolist()),
        asking,
        _equal(hashes, asking),
        n,
        len(missing),
        tagged,
    )


def _read(captions: Texts, wanted: Ints) -> tuple[Ints, dict[int, str], Ints]:
    """A hash of every caption, the texts of some rows, and the rows without one."""
    hashes = np.empty(len(captions), dtype=np.int64)
    chosen = np.sort(wanted)
    texts: dict[int, str] = {}
    missing = []
    for start, block in captions.blocks(65_536):
        stop = start + len(block)
        hashes[start:stop] = [hash(text) for text in block]
        low, high = np.searchsorted(chosen, (start, stop))
        texts |= {row: block[row - start] or "" for row in chosen[low:high].tolist()}
        missing += [start + place for place, text in enumerate(block) if not text]
    return hashes, texts, np.array(missing, dtype=np.int64)


def _equal(hashes: Ints, asking: Ints) -> Ints:
    """(p, 2) search and row of equal captions."""
    rows = np.flatnonzero(np.isin(hashes, hashes[asking]))
    order = np.argsort(hashes[rows], kind="stable")
    rows, found = rows[order], hashes[rows][order]
    low, high = (np.searchsorted(found, hashes[asking], side) for side in ("left", "right"))
    counts = high - low
    search = np.repeat(np.arange(len(asking)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pairs: Ints = np.stack([search, rows[np.repeat(low, counts) + within]], axis=1)
    return pairs
