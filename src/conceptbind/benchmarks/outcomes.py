"""What became of every item, kept beside the embeddings, so that two runs can be compared pair by
pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conceptbind.benchmarks.base import Score, mean_of
from conceptbind.core.errors import FileError
from conceptbind.core.kept import read_piece, write_piece
from conceptbind.core.names import Repair
from conceptbind.metrics.intervals import Interval, difference_interval

FILE = "outcomes.safetensors"
ARRAYS = ("correct", "tied", "groups", "clusters")
AGAIN = "run conceptbind evaluate again in that folder"


@dataclass(frozen=True)
class Paired:
    """After minus before on the same items."""

    change: float
    interval: Interval
    """95 %, see `metrics.difference_interval`: what is one draw for the score's own interval is one
    here."""
    fixed: int
    """Items that were missed before and are right now."""
    broken: int
    """Items that were right before and are missed now."""
    mcnemar: float | None
    """Exact p of as many changes to one side, counted by pictures where these have several items;
    None for means over groups."""


def paired(before: Score, after: Score) -> Paired:
    """The paired difference of two scores of the same items.

    Args:
        before: outcomes of n items without the repair.
        after: outcomes of the same n items, in the same order, with it.
    """
    change = after.correct.astype(float) - before.correct.astype(float)
    fixed, broken = int((change > 0).sum()), int((change < 0).sum())
    p = None
    if before.groups is None:
        from scipy.stats import binomtest

        moved = (
            change
            if before.clusters is None
            else np.bincount(np.unique(before.clusters, return_inverse=True)[1], change)
        )
        up, down = int((moved > 0).sum()), int((moved < 0).sum())
        p = float(binomtest(up, up + down).pvalue) if up + down else 1.0
    interval = difference_interval(change, before.clusters, before.groups)
    return Paired(mean_of(change, before.groups), interval, fixed, broken, p)


def save_outcomes(folder: Path, scores: Mapping[Repair, Sequence[Score]], items: str) -> None:
    """Write the outcomes of one benchmark; `scores` by what was done to captions (`none`,
    `adapter`), `items` is `Data.hash`.
    """
    arrays: dict[str, Any] = {}
    told = []
    for repair, found in scores.items():
        for number, score in enumerate(found):
            named = {name: getattr(score, name) for name in ("metric", "subset", "protocol")}
            told.append({"repair": repair, **named})
            for field in ARRAYS:
                values = getattr(score, field)
                if values is not None:
                    arrays[f"{repair}.{number}.{field}"] = values
    write_piece(folder / FILE, arrays, {"items": items, "scores": told})


def load_outcomes(folder: Path) -> tuple[dict[str, list[Score]], str]:
    """What `save_outcomes` wrote.

    Args:
        folder: the folder of one benchmark in a run.

    Raises:
        FileError: there is none, or it is broken.
    """
    path = folder / FILE
    piece = read_piece(path, AGAIN)
    found: dict[str, list[Score]] = {}
    try:
        for facts in piece.facts["scores"]:
            mine = found.setdefault(facts["repair"], [])
            key = f"{facts['repair']}.{len(mine)}"
            correct, tied, groups, clusters = (piece.arrays.get(f"{key}.{n}") for n in ARRAYS)
            if correct is None or tied is None:
                raise KeyError(key)
            named = (facts["metric"], facts["subset"], facts["protocol"])
            mine.append(Score(*named, correct, tied, groups, clusters))
        return found, piece.facts["items"]
    except (KeyError, TypeError) as error:
        raise FileError(f"{path} is not a file of outcomes ({error}); {AGAIN}") from error


def outcome_folders(run: Path) -> dict[str, Path]:
    """Where the outcomes of a run lie, by benchmark.

    Args:
        run: a run folder of `evaluate`.
    """
    return {
        path.parent.name: path.parent for path in sorted((run / "embeddings").glob(f"*/{FILE}"))
    }
