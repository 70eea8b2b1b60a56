"""What an encoder's probes recognise, as a share of what free embeddings of its width allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.ceiling.free import (
    SIMILARITIES,
    STARTS,
    FreeEmbeddings,
    free_embeddings,
    least_dimension,
)
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import recognised
from conceptbind.core.records import Records
from conceptbind.core.scored import Ledger

if TYPE_CHECKING:
    from conceptbind.ceiling.free import Similarity
    from conceptbind.core.typing import Modality
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.table import Scenes

STUDY = "ceiling"
MOST_SCENES = 3_000
"""Scenes that free embeddings are fitted to; of more, a seeded sample."""


@dataclass(frozen=True, eq=False)
class CeilingStudy:
    """The best of three starts, for products and for cosines."""

    modality: Modality
    records: Records
    dimension: int
    n: int
    """Scenes that were fitted."""
    best: Mapping[Similarity, FreeEmbeddings]
    """The start that recognises most objects, by similarity."""
    fewest: int | None
    """Fewest dimensions that were found in which all objects are recognised; None where the
    encoder's own are not enough."""


@explains_arguments
def ceiling_study(
    embeddings: Embeddings,
    scenes: Scenes,
    *,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> CeilingStudy:
    """Free embeddings of an encoder's width on its scenes (the published code of arXiv 2605.31503).

    Args:
        embeddings: of the encoder; only their width counts.
        scenes: the table that they belong to.
        seed: of starts, and of the sample where there are many scenes.
        on_step: called with the name of each similarity that is done.

    Raises:
        MismatchError: the embeddings belong to another table.
        ValueRangeError: there are too many objects.
    """
    embeddings.check(scenes)
    some = _sample(scenes, seed)
    ledger = Ledger(embeddings.modality, scenes.name, embeddings.encoder)
    width = embeddings.values.shape[1]
    best: dict[Similarity, FreeEmbeddings] = {}
    for similarity in SIMILARITIES:
        tried = []
        for start in STARTS:  # one that recognises all cannot be bettered
            found = free_embeddings(some, width, start=start, similarity=similarity, seed=seed)
            tried.append(found)
            if found.objects.accuracy == 1:
                break
        best[similarity] = max(tried, key=lambda one: one.objects.accuracy)
        for concept, outcome in enumerate((*best[similarity].concepts, best[similarity].objects)):
            name = (*scenes.space.concepts, None)[concept]
            ledger.add(
                STUDY,
                recognised(name),
                outcome.accuracy,
                outcome.n,
                "all",
                ties=outcome.ties,
                concept=name,
                protocol=similarity,
                width=width,
            )
        on_step(similarity)
    fewest = least_dimension(some, width, seed=seed)
    on_step("fewest dimensions")
    return CeilingStudy(
        embeddings.modality, Records(ledger.records), width, len(some), best, fewest
    )


def _sample(scenes: Scenes, seed: int) -> Scenes:
    """The scenes, or a seeded sample of them; only their labels count."""
    if len(scenes) <= MOST_SCENES:
        return scenes
    rows = np.sort(np.random.default_rng(seed).permutation(len(scenes))[:MOST_SCENES])
    return replace(
        scenes,
        table=scenes.table[rows],
        ids=tuple(scenes.ids[row] for row in rows.tolist()),
        written_captions=None,
        images=None,
        boxes=None,
    )
