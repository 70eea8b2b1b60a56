"""What became of every item, kept beside the embeddings, so that two runs can be compared pair by
pair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conceptbind.benchmarks.base import Score, mean_of
from conceptbind.core.errors import FileError
from conceptbind.core.files import CHECKSUM, arrays_hash, write_whole
from conceptbind.core.limits import open_tensors
from conceptbind.metrics.intervals import Interval, difference_interval

FILE = "outcomes.safetensors"


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
    """The paired difference of two scores of the same items."""
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


def save_outcomes(folder: Path, scores: Mapping[str, Sequence[Score]], items: str) -> None:
    """Write the outcomes of one benchmark; `scores` by what was done to captions (`none`,
    `adapter`), `items` is `Data.hash`.
    """
    from safetensors.numpy import save

    arrays: dict[str, Any] = {}
    names = []
    for repair, found in scores.items():
        for number, score in enumerate(found):
            names.append(
                {
                    "repair": repair,
                    "metric": score.metric,
                    "subset": score.subset,
                    "protocol": score.protocol,
                }
            )
            for field in ("correct", "tied", "groups", "clusters"):
                values = getattr(score, field)
                if values is not None:
                    arrays[f"{repair}.{number}.{field}"] = np.ascontiguousarray(values)
    facts = {"items": items, "scores": json.dumps(names)}
    write_whole(
        folder / FILE, save(arrays, metadata={**facts, CHECKSUM: arrays_hash(repr(facts), arrays)})
    )


def load_outcomes(folder: Path) -> tuple[dict[str, list[Score]], str]:
    """What `save_outcomes` wrote.

    Raises:
        FileError: there is none, or it is broken.
    """
    from safetensors import SafetensorError

    path = folder / FILE
    try:
        with open_tensors(path) as file:
            facts = file.metadata() or {}
            # No dictionary.
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = {"items": facts["items"], "scores": facts["scores"]}
        if facts.get(CHECKSUM) != arrays_hash(repr(told), arrays):
            raise ValueError(
                "it was changed or damaged since it was written: its checksum does not fit"
            )
        found: dict[str, list[Score]] = {}
        for name in json.loads(facts["scores"]):
            mine = found.setdefault(name["repair"], [])
            key = f"{name['repair']}.{len(mine)}"
            mine.append(
                Score(
                    name["metric"],
                    name["subset"],
                    name["protocol"],
                    arrays[f"{key}.correct"],
                    arrays[f"{key}.tied"],
                    groups=arrays.get(f"{key}.groups"),
                    clusters=arrays.get(f"{key}.clusters"),
                )
            )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FileError(
            f"{path} is no whole file of outcomes ({error}); run conceptbind evaluate again in "
            "that folder"
        ) from error
    return found, facts["items"]


def outcome_folders(run: Path) -> dict[str, Path]:
    """Where the outcomes of a run lie, by benchmark."""
    return {
        path.parent.name: path.parent for path in sorted((run / "embeddings").glob(f"*/{FILE}"))
    }
