"""Traps of captions alone: triplets whose wrong caption wins by most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.benchmarks.texts import ALL, by_rows
from conceptbind.report.numbers import number
from conceptbind.rows.embeddings import load

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.benchmarks.base import Data
    from conceptbind.core.typing import Floats

EACH = 5
"""Traps of each file that are shown."""
HEAD = ("file", "caption", "paraphrase", "wrong caption", "paraphrase is at", "wrong is at")


@dataclass(frozen=True)
class Trap:
    """One triplet that was missed, of different texts."""

    subset: str
    """The file that it stands in."""
    caption: str
    paraphrase: str
    negative: str
    near: float
    """Cosine of caption and paraphrase."""
    far: float
    """Cosine of the negative with the nearer of the two."""

    def cells(self) -> tuple[str, ...]:
        """Under the columns of `HEAD`."""
        texts = self.subset, self.caption, self.paraphrase, self.negative
        return (*texts, number(self.near), number(self.far))


def traps_of(
    data: Data, captions: Float[Floats, "captions width"], each: int = EACH
) -> tuple[Trap, ...]:
    """The misses by most, those of each file together, the widest first.

    Args:
        data: triplets; `rows` (n, 3) are numbers of captions.
        captions: (c, d) unit rows.
        each: how many of each file.
    """
    rows, alike, subsets = data.items["rows"], by_rows(captions, captions), data.items["subsets"]
    if rows.shape[1] != 3:  # queries and documents
        return ()
    caption, paraphrase, negative = rows.T
    near = alike(caption, paraphrase)
    far = np.maximum(alike(caption, negative), alike(paraphrase, negative))
    # a negative that is one of the captions says nothing of the encoder
    lead = np.where((negative == caption) | (negative == paraphrase), -np.inf, far - near)
    found = []
    for name in dict.fromkeys(subsets.tolist()):
        mine = np.flatnonzero((subsets == name) & (lead > 0))
        for item in mine[np.argsort(-lead[mine], kind="stable")][:each].tolist():
            one, other, wrong = (data.captions[text] for text in rows[item].tolist())
            found.append(Trap(name or ALL, one, other, wrong, float(near[item]), float(far[item])))
    return tuple(found)


def kept_traps(data: Data, keep: Path) -> tuple[Trap, ...]:
    """The same from the rows that `evaluate_benchmark` kept in a folder."""
    return traps_of(data, load(keep / "captions").unit().values)


def trap_rows(traps: Sequence[Trap]) -> list[tuple[str, ...]]:
    """Traps as rows of a table; see `HEAD`."""
    return [trap.cells() for trap in traps]
