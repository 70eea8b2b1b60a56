"""How the embedding of a scene is read: by probes that were not fitted on that scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.names import Metric, recognised
from conceptbind.metrics.recognitions import Recognition, join
from conceptbind.probes.scene_probes import WHITENING, SceneProbes, fit_scene_probes
from conceptbind.scenes.split import Split

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.scenes.table import Scenes

Reading = Literal["plain", "whitened", "own"]
PLAIN: Reading = "plain"
WHITENED: Reading = "whitened"
OWN: Reading = "own"
HELD = 0.2
"""Share of the second half's groups that choose its penalty: 40 % of all train, 10 % choose, as in
the first half."""


@dataclass(frozen=True, eq=False)
class Readout:
    """Probes fitted twice, on either half of the scenes, so that each scene has probes that never
    saw it.

    `plain` probes are those of arXiv 2605.31503: a bias-free linear map, cross-entropy against soft
    targets. The paper runs Adam for 10,000 steps without a penalty; here the convex problem is
    solved and validation chooses a penalty. `whitened` probes punish weights on whitened
    embeddings, which recognises as much or more in real embeddings, and much less in predictions of
    approximators: these are wrong mostly in directions of little variance, which whitening makes as
    large as any other. `own` are an encoder's own queries.
    """

    name: Reading
    folds: tuple[tuple[SceneProbes, Bool[Bools, " scenes"]], ...]
    """Probes, and (n,) the scenes of the table that they did not see; each scene is read by the
    first fold that may."""

    def recognised(
        self, values: Float[Floats, "rows width"], scenes: Scenes, rows: Int[Ints, " rows"]
    ) -> list[dict[str, Any]]:
        """Recognition of every concept and of objects as plain rows; the value is None where
        nothing could be scored.

        Args:
            values: (r, d) an embedding, real or predicted, for each of the rows.
            scenes: the whole table.
            rows: (r,) of the table.
        """
        left, parts = np.ones(len(rows), dtype=bool), []
        for probes, readable in self.folds:
            mine = np.flatnonzero(left & readable[rows])
            left[mine] = False
            if len(mine):
                parts.append(
                    (probes, np.ascontiguousarray(values[mine]), scenes.select(rows[mine]))
                )
        found = []
        for concept in (*range(len(scenes.space.concepts)), None):
            outcomes = [
                probes.recognise(part, some, np.arange(len(some)), concept)
                for probes, part, some in parts
            ]
            found.append(
                {
                    "metric": recognised(concept),
                    "concept": None if concept is None else scenes.space.concepts[concept],
                    **_joined(outcomes),
                    "readout": self.name,
                }
            )
        return found


def _joined(outcomes: list[Recognition]) -> dict[str, Any]:
    """The outcomes of several probes as one; no value where no scene is scored."""
    if not outcomes:
        return {"value": None, "n": 0, "ties": 0}
    joined = join(outcomes)
    return {"value": joined.accuracy if joined.n else None, "n": joined.n, "ties": joined.ties}


@explains_arguments
def fit_readout(
    name: Reading,
    values: Float[Floats, "scenes width"],
    scenes: Scenes,
    split: Split,
    *,
    first: SceneProbes | None = None,
    device: str = "cpu",
) -> Readout:
    """Fit a read-out on both halves of a table.

    Args:
        name: `plain` or `whitened`.
        values: (n, d) real embeddings.
        scenes: the table.
        split: the first half is its train and validation part; the second half is its test part.
        first: probes that are already fitted on the first half.
        device: where torch computes.
    """
    whitenings = (0.0,) if name == PLAIN else WHITENING
    folds = []
    for number, half in enumerate(halves(split)):
        probes = first if number == 0 else None
        if probes is None:
            probes = fit_scene_probes(values, scenes, half, whitenings=whitenings, device=device)
        unseen = np.ones(len(scenes), dtype=bool)
        unseen[np.concatenate([half.train, half.validation])] = False
        folds.append((probes, unseen))
    return Readout(name, tuple(folds))


@explains_arguments
def own_readout(probes: SceneProbes, n_scenes: int) -> Readout:
    """An encoder's own queries, which were fitted on no scene of the table.

    Args:
        probes: the encoder's own queries, one row per value and per object.
        n_scenes: scenes of the table.
    """
    return Readout(OWN, ((probes, np.ones(n_scenes, dtype=bool)),))


def halves(split: Split) -> list[Split]:
    """The split, and the split turned around: fitted on its test part. Only the first where the
    test part is too small to fit on.
    """
    groups = np.unique(split.members[split.test])
    order = np.random.default_rng([split.seed, 1]).permutation(groups)
    held = order[: max(round(HELD * len(order)), 1)]
    inside = np.isin(split.members[split.test], held)  # (n, g)
    train, validation = split.test[~inside.any(axis=1)], split.test[inside.all(axis=1)]
    seen = np.sort(np.concatenate([split.train, split.validation]))
    try:
        return [split, Split(train, validation, seen, split.by, split.seed, split.members)]
    except ConceptBindError:
        return [split]


def hardest(rows: Sequence[dict[str, Any]]) -> tuple[float | None, float | None]:
    """Recognition of the hardest concept, and of objects."""
    concepts = [
        row["value"]
        for row in rows
        if row["metric"] == Metric.CONCEPT_RECOGNITION and row["value"] is not None
    ]
    objects = [row["value"] for row in rows if row["metric"] == Metric.OBJECT_RECOGNITION]
    return min(concepts, default=None), objects[0] if objects else None
