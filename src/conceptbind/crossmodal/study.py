"""Is the binding usable between pictures and captions? (arXiv 2502.03566, sections 2 and 4)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MismatchError
from conceptbind.core.names import Metric, recognised
from conceptbind.core.outcomes import Outcome
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record, plain_record, share_record
from conceptbind.crossmodal.comparing import (
    compare,
    comparison_records,
    comparisons,
    dot,
    either_order,
)
from conceptbind.encoders.weights import same_encoder
from conceptbind.metrics.choices import forced_choice
from conceptbind.metrics.recognitions import recognition
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.probes.threads import steady
from conceptbind.scenes.captions import article, caption
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Bools, Floats
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.rows.embeddings import Embeddings


CHUNK = 1024
ACROSS = {"study": "crossmodal", "modality": "both"}
"""Columns of every outcome."""
GALLERY = 24


@dataclass(frozen=True)
class ChosenCaption:
    """A picture whose best caption is not its own."""

    row: int
    id: str
    image: Path | None
    true: str
    chosen: str
    swapped: bool
    """What was chosen is an attribute swap of the true caption."""


@dataclass(frozen=True, eq=False)
class CrossmodalStudy:
    """Binding between pictures and captions."""

    records: Records
    swap_cosines: Float[Floats, " swaps"]
    """(s,) cosine of each caption with its swap, in the order as listed."""
    wrong: tuple[ChosenCaption, ...]
    n_wrong: int
    by_object: Float[Floats, " objects"]
    """(|O|,) binding accuracy of the scenes that hold each object; NaN where none does."""
    outcomes: tuple[Outcome, ...] = ()
    """Binding accuracy in either order, and recall at 1, of every scene."""

    def value(self, metric: str, **asked: Value) -> Record:
        """The record of a metric."""
        return self.records.one(metric=metric, **asked)


@explains_arguments
@steady()
def crossmodal_study(
    images: Embeddings,
    captions: Embeddings,
    scenes: Scenes,
    bank: CaptionBank,
    *,
    extra: Sequence[Record] = (),
    seed: int = 0,
) -> CrossmodalStudy:
    """Score pictures against captions by cosine. Nothing is fitted, so every scene is scored.

    Args:
        images: of the n scenes.
        captions: of the bank's captions, by the same encoder.
        scenes: the table.
        bank: `caption_bank(scenes)`.
        extra: records to keep beside, such as `query_record`'s.
        seed: of the gallery.

    Raises:
        MismatchError: the rows belong to other tables or to two encoders.
    """
    images.check(scenes)
    captions.check(bank.scenes)
    if not same_encoder((images.encoder, images.revision), (captions.encoder, captions.revision)):
        raise MismatchError(
            f"pictures were embedded by '{images.encoder}' ({images.revision}), captions by "
            f"'{captions.encoder}' ({captions.revision})"
        )
    x, y = images.unit().values, captions.unit().values
    # pictures of one orbit choose among the same captions, so they are one draw
    orbits = orbit_ids(scenes)
    common = {
        "study": "crossmodal",
        "scenes": scenes.name,
        "encoder": images.encoder,
        "split": "all",
    }
    records: list[Record] = []
    outcomes: list[Outcome] = []
    right_by_scene = np.full(len(scenes), np.nan)
    for false in comparisons(bank):
        of = false.of
        outcome = compare(x[of], y, bank.true[of], false.captions)
        records += comparison_records(false.metric, outcome, orbits[of], **common)
        if false.metric == Metric.BINDING_ACCURACY:
            correct, tied_any = either_order(outcome)
            total, count = (
                np.bincount(of, correct, len(scenes)),
                np.bincount(of, minlength=len(scenes)),
            )
            right_by_scene = np.divide(total, count, out=right_by_scene, where=count > 0)
            about = {**ACROSS, "metric": Metric.BINDING_ACCURACY, "order": "either"}
            outcomes.append(Outcome(about, correct, tied_any, of, clusters=orbits[of]))
    retrieved, wrong, n_wrong, recalled = _retrieve(x, y, scenes, bank, common, seed)
    records += retrieved
    outcomes += recalled
    cosines = dot(y[bank.true[bank.swap_of, 0]], y[bank.swaps[:, 0]])
    if len(cosines):
        records.append(
            mean_record(
                Metric.CAPTION_SWAP_COSINE, cosines, None, orbits[bank.swap_of], "mean", **common
            )
        )
    gap = float(np.linalg.norm(x.mean(0) - y[np.unique(bank.true)].mean(0)))
    records.append(plain_record(Metric.MODALITY_GAP, gap, len(x), None, None, **common))
    return CrossmodalStudy(
        Records((*records, *extra)),
        cosines,
        tuple(wrong),
        n_wrong,
        by_object(right_by_scene, scenes),
        tuple(outcomes),
    )


@explains_arguments
def query_texts(scenes: Scenes, concept: int | None) -> list[str]:
    """What to ask for each value of a concept ("a red object", "a square"), or for each object
    (None: "a red square").

    Args:
        scenes: the scene table.
        concept: position of the concept; None for objects.
    """
    space = scenes.space
    if concept is None:
        values = space.object_values(np.arange(space.n_objects))
        return [caption(space, scene[None], scenes.template) for scene in values]
    noun = concept == len(space.concepts) - 1
    return [
        f"{article(value)} {value}" + ("" if noun else " object") for value in space.values[concept]
    ]


@explains_arguments
def query_record(
    rows: Embeddings,
    queries: Float[Floats, "candidates width"],
    scenes: Scenes,
    concept: int | None,
    kind: str = "text",
) -> Record:
    """Recognition by queries, without any probe: does every query for what is there score above all
    others?

    Args:
        rows: of the n scenes, pictures or captions.
        queries: (V, d) one row a value of the concept, or one an object; see `query_texts`.
        scenes: the table.
        concept: which concept; None for objects.
        kind: what the queries are: captions (`text`), or the vectors of a controlled model (`own`).
    """
    rows.check(scenes)
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    outcome = recognition(rows.unit().values @ unit.T, scenes.presence(concept), np.ones(len(rows)))
    return share_record(
        outcome,
        pair_ids(scenes),
        study="crossmodal",
        modality=rows.modality,
        metric=recognised(concept),
        split="all",
        scenes=scenes.name,
        encoder=rows.encoder,
        own={
            "concept": None if concept is None else scenes.space.concepts[concept],
            "queries": kind,
        },
    )


def _retrieve(
    x: Floats, y: Floats, scenes: Scenes, bank: CaptionBank, common: dict[str, str], seed: int
) -> tuple[list[Record], list[ChosenCaption], int, list[Outcome]]:
    """Each picture among the captions of all different sets of objects, objects named in the order
    of their ids.

    Rendered objects stand anywhere relative to that order, so a rule such as "the first named is on
    the left" cannot help.
    """
    caption_rows, own = np.unique(bank.sets, return_inverse=True)
    sets = bank.scenes.select(caption_rows)
    # captions with the same values of every concept; those of other objects are swaps
    orbits = orbit_ids(sets)
    candidates = y[caption_rows]
    rank, ties = ranks(x, candidates, own)
    mine = np.einsum("nd,nd->n", x, candidates[own])
    # the best swap, and the best caption with other concepts
    best = np.empty((2, len(x)), dtype=np.int64)
    scores_of_best = np.empty((2, len(x)), dtype=x.dtype)
    for start in range(0, len(x), CHUNK):
        part = slice(start, start + CHUNK)
        scores = x[part] @ candidates.T  # (b, t)
        np.put_along_axis(scores, own[part, None], -np.inf, 1)
        same = orbits[None] == orbits[own[part], None]
        for i, kind in enumerate((same, ~same)):
            among = np.where(kind, scores, -np.inf)
            best[i, part] = among.argmax(1)
            scores_of_best[i, part] = among.max(1)
    swap, elsewhere = scores_of_best
    # A swap error: the best swap is not below the picture's own caption, nor below any other. A tie
    # is an error, and is counted.
    own_above, own_tied = _above(mine, swap)
    others_above, others_tied = _above(elsewhere, swap)
    swapped = ~own_above & ~others_above
    by_tie = swapped & (own_tied | others_tied)
    chosen = np.where(swapped, best[0], np.where(swap > elsewhere, *best))
    draws = orbit_ids(scenes)

    def scored(metric: str, right: Bools, tied: Bools) -> Record:
        hits, ties_in_all = right.astype(float), int(tied.sum())
        return mean_record(metric, hits, ties_in_all, draws, candidates=len(sets), **common)

    # a tie counts where without it the caption would be among the first k
    records = [
        scored(f"recall_at_{k}", *within(rank, ties, k)) for k in (1, 5, 10) if k < len(sets)
    ]
    records.append(scored(Metric.SWAP_ERROR, swapped, by_tie))
    if len(np.unique(orbits)) > 1:  # otherwise there is no caption with other concepts to lose to
        records.append(scored(Metric.CONCEPT_RETRIEVAL, *_above(mine, elsewhere)))
    wrong = np.flatnonzero(rank > 1)
    shown = np.sort(np.random.default_rng(seed).permutation(wrong)[:GALLERY])
    gallery = [
        ChosenCaption(
            row,
            scenes.ids[row],
            None if scenes.images is None else (scenes.image_folder or Path()) / scenes.images[row],
            bank.scenes.caption(int(caption_rows[own[row]])),
            bank.scenes.caption(int(caption_rows[chosen[row]])),
            bool(swapped[row]),
        )
        for row in shown.tolist()
    ]
    recalled = []
    if len(sets) > 1:
        about = {**ACROSS, "metric": Metric.RECALL_AT_1}
        hits, tied = within(rank, ties, 1)
        recalled.append(Outcome(about, hits, tied, np.arange(len(x)), clusters=draws))
    return records, gallery, len(wrong), recalled


def _above(one: Floats, other: Floats) -> tuple[Bools, Bools]:
    """(n,) whether one score is strictly above the other, and ties; the other may be -inf where
    there is nothing to compare with.
    """
    there, above, tied = (
        np.isfinite(one) & np.isfinite(other),
        one > other,
        np.zeros(len(one), dtype=bool),
    )
    above[there], tied[there] = forced_choice(one[there], other[there], 1.0)
    return above, tied


def by_object(values: Float[Floats, " scenes"], scenes: Scenes) -> Float[Floats, " objects"]:
    """Mean over the scenes that hold each object."""
    scored = ~np.isnan(values)
    present = scenes.presence(None)[scored]
    with np.errstate(invalid="ignore"):
        shares: Floats = (present * values[scored, None]).sum(0) / present.sum(0)
    return shares
