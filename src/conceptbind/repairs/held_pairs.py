"""Pairs that a fit never saw, scored before or after a map of captions, of pictures, or of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.crossmodal.comparing import dot
from conceptbind.metrics.choices import forced_choice
from conceptbind.repairs.labclip.cost import Scores
from conceptbind.repairs.labclip.pairs import Pairs, read_unit

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints

    RowMap = Callable[[Floats], Floats]

Outcome = dict[str, "tuple[Floats | Bools, Bools | None]"]
"""Metric to its values (k,), and which of them are ties; of binding accuracy with several negatives
(k, several), one for each comparison."""


@dataclass(frozen=True, eq=False)
class HeldPairs:
    """Unit rows of pairs that are scored."""

    images: Float[Floats, "pairs width"]
    texts: Float[Floats, "pairs width"]
    negatives: Float[Floats, "pairs *several width"] | None
    rows: Int[Ints, " pairs"]
    """(k,) which of all pairs these are."""
    same: tuple[Int[Ints, " pairs"], Int[Ints, " pairs"]]
    """Captions and pictures that belong together: none of them is a wrong answer."""

    @classmethod
    def of(cls, pairs: Pairs, part: Int[Ints, " part"], most: int, seed: int) -> HeldPairs:
        """Some of the pairs of a part.

        Args:
            pairs: all pairs.
            part: rows of them.
            most: how many are drawn at most.
            seed: of the draw.
        """
        rows = np.sort(np.random.default_rng(seed).permutation(part)[:most])
        negatives = None if pairs.negatives is None else read_unit(pairs.negatives, rows)
        pictures = np.unique(pairs.picture_ids[pairs.image_of[rows]], return_inverse=True)[1]
        texts = np.unique(pairs.text_ids[rows], return_inverse=True)[1]
        return cls(
            read_unit(pairs.images, pairs.image_of[rows]),
            read_unit(pairs.texts, rows),
            negatives,
            rows,
            (texts, pictures),
        )

    def outcome(self, captions: RowMap | None = None, pictures: RowMap | None = None) -> Outcome:
        """Values and ties, for every metric.

        Args:
            captions: what is done to captions and negatives; None leaves them as they are.
            pictures: what is done to pictures.
        """
        images = self.images if pictures is None else pictures(self.images)
        texts = self.texts if captions is None else captions(self.texts)
        found: Outcome = {}
        if self.negatives is not None:
            found |= _against(images, texts, self.negatives, captions)
        (first, caption), (shown, picture) = (
            np.unique(ids, return_index=True, return_inverse=True)[1:] for ids in self.same
        )
        # a picture may have several captions, a caption several pictures
        belong = np.zeros((len(shown), len(first)), dtype=bool)
        belong[picture, caption] = True
        scores = images[shown] @ texts[first].T
        found[Metric.RECALL_AT_1] = _at(_first_is_own(scores, belong), picture)
        found[Metric.PICTURE_RECALL_AT_1] = _at(_first_is_own(scores.T, belong.T), caption)
        return found

    def scores(self, captions: RowMap | None = None, pictures: RowMap | None = None) -> Scores:
        """What a map achieves; retrieval is the mean of both directions."""
        outcome = self.outcome(captions, pictures)
        found = {metric: float(value.mean()) for metric, (value, _) in outcome.items()}
        return Scores(
            found.get(Metric.BINDING_ACCURACY),
            (found[Metric.RECALL_AT_1] + found[Metric.PICTURE_RECALL_AT_1]) / 2,
        )


def joined(outcomes: list[Outcome]) -> Outcome:
    """The outcomes of all folds, one behind the other."""

    def both(metric: str, side: int) -> Any:
        parts: list[Any] = [outcome[metric][side] for outcome in outcomes]
        return None if parts[0] is None else np.concatenate(parts)

    return {metric: (both(metric, 0), both(metric, 1)) for metric in outcomes[0]}


def by_pair(
    values: Float[Floats, " pairs *several"] | Bool[Bools, " pairs *several"],
) -> Float[Floats, " pairs"]:
    """(k,) the mean over each pair's comparisons."""
    means: Floats = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
    return means


def _against(images: Floats, texts: Floats, negatives: Floats, captions: RowMap | None) -> Outcome:
    """Captions against their negatives, and how near they are to each other."""
    false = negatives.reshape(-1, negatives.shape[-1])
    false = false if captions is None else captions(false)
    several = np.moveaxis(false.reshape(len(texts), -1, false.shape[-1]), 1, 0)
    choices = [forced_choice(dot(images, texts), dot(images, part), 1.0) for part in several]
    won, tied = (np.stack(parts, axis=1) for parts in zip(*choices, strict=True))
    near = np.stack([dot(texts, part) for part in several], axis=1)
    if negatives.ndim == 2:
        won, tied, near = won[:, 0], tied[:, 0], near[:, 0]
    return {
        Metric.BINDING_ACCURACY: (won, tied),
        Metric.CAPTION_SWAP_COSINE: (near, None),
    }


def _first_is_own(scores: Floats, belong: Bools) -> tuple[Bools, Bools]:
    """(q,) whether the best of what belongs to a query scores strictly above all that does not, and
    ties.
    """
    # no cosine is so small
    own, other = (
        np.where(belong, scores, -2.0).max(1),
        np.where(belong, -2.0, scores).max(1),
    )
    return forced_choice(own, other, 1.0)


def _at(outcome: tuple[Bools, Bools], rows: Ints) -> tuple[Bools, Bools]:
    return outcome[0][rows], outcome[1][rows]
