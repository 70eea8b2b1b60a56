"""A repair fitted and scored on three arrays: pictures, captions, hard negatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.errors import ShapeError
from conceptbind.labclip import Adapter, Fit, Pairs, fit_pairs, hold_out
from conceptbind.labclip.cost import PULLS, Point, Scores, recommend, trade_off
from conceptbind.labclip.pairs import read_unit
from conceptbind.metrics import forced_choice
from conceptbind.studies.crossmodal import dot, mean_record

if TYPE_CHECKING:
    from conceptbind.results import Record
    from conceptbind.typing import Bools, Floats, Ints

HELD_OUT = 0.1
"""Share of the pictures that is scored, and of the rest that chooses."""
MOST = 5000
"""Pairs that are scored at most, drawn at random: recall is among the captions of these."""


@dataclass(frozen=True, eq=False)
class ArrayRepair:
    """Before and after a linear repair, on pairs that it never saw."""

    records: tuple[Record, ...]
    fit: Fit
    adapter: Adapter
    """The fit at its recommended pull."""
    curve: tuple[Point, ...]
    """What each pull and rank achieves on validation."""

    def value(self, metric: str, repair: str) -> Record:
        """The record of a metric; `repair` is none, HNB or SB."""
        return next(r for r in self.records if (r.metric, r.extra["repair"]) == (metric, repair))


def array_repair(
    pairs: Pairs, *, pull: float | None = None, options: Mapping[str, Any] | None = None, seed: int = 0, names: Mapping[str, str] | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> ArrayRepair:  # fmt: skip
    """Fit on most pairs, choose on some, score the rest once. Captions of one picture, and equal captions, are on one side.

    Args:
        pairs: pictures, captions and, for HNB, negatives.
        pull: share of the way from the identity; None for the recommended one, chosen on validation.
        options: of `fit_pairs`.
        seed: of the parts, the fit and the intervals.
        names: `scenes` and `encoder` of the records.
        on_step: called with steps done and steps in all.
    """
    widths = pairs.images.shape[1], pairs.texts.shape[1]
    if widths[0] != widths[1]:
        raise ShapeError(
            f"pictures have {widths[0]} dimensions and captions {widths[1]}, so without a repair they have no score to compare with; "
            "give rows of one encoder, or fit such a map with conceptbind.LabClip"
        )
    rest, test = hold_out(pairs, HELD_OUT, seed)
    inner = pairs.select(rest)
    train, chooses = (inner.select(rows) for rows in hold_out(inner, HELD_OUT, seed))
    fit = fit_pairs(train, chooses, seed=seed, on_step=on_step, **(options or {}))
    validation = _Held.of(chooses, seed)
    points = trade_off(fit.adapter, validation.scores, PULLS if pull is None else (0.0, pull))
    adapter = fit.adapter.pulled(recommend(points) if pull is None else pull)
    held = _Held.of(pairs.select(test), seed)
    facts = {"study": "repair", "split": "test", "control": "none", **{"scenes": "arrays", "encoder": "arrays", **(names or {})}}
    protocol = str(fit.adapter.config["protocol"])
    before, after = held.outcome(None), held.outcome(adapter)
    records = []
    for name, outcome in (("none", before), (protocol, after)):
        extra = {"repair": name, "pull": adapter.config["pull"] if name != "none" else 0.0}
        records += [
            mean_record(metric, right.astype(float), int(tied.sum()), held.groups, **facts, **extra)
            for metric, (right, tied) in outcome.items()
        ]
        if held.negatives is not None:
            captions, negatives = (part if name == "none" else adapter(part) for part in (held.texts, held.negatives))
            records.append(
                mean_record("caption_swap_cosine", dot(captions, negatives), None, held.groups, "mean", **facts, **extra)
            )
    for metric, gain in (("binding_accuracy", "binding_gain"), ("recall_at_1", "recall_gain")):
        if metric in before:
            difference = after[metric][0].astype(float) - before[metric][0]
            records.append(mean_record(gain, difference, None, held.groups, "difference", **facts, repair=protocol))
    return ArrayRepair(tuple(records), fit, adapter, points)


@dataclass(frozen=True, eq=False)
class _Held:
    """Unit rows of pairs that are scored."""

    images: Floats
    texts: Floats
    negatives: Floats | None
    groups: Ints
    """(n,) pairs of one picture are drawn together."""
    same: tuple[Ints, Ints]
    """Captions and pictures that belong together: none of them is a wrong answer."""

    @classmethod
    def of(cls, pairs: Pairs, seed: int) -> _Held:
        rows = np.sort(np.random.default_rng(seed).permutation(len(pairs))[:MOST])
        negatives = None if pairs.negatives is None else read_unit(pairs.negatives, rows)
        groups = np.unique(pairs.picture_ids[pairs.image_of[rows]], return_inverse=True)[1]
        texts = np.unique(pairs.text_ids[rows], return_inverse=True)[1]
        return cls(read_unit(pairs.images, pairs.image_of[rows]), read_unit(pairs.texts, rows), negatives, groups, (texts, groups))

    def outcome(self, adapter: Adapter | None) -> dict[str, tuple[Bools, Bools]]:
        """Right and tied, for every metric."""
        texts = self.texts if adapter is None else adapter(self.texts)
        found: dict[str, tuple[Bools, Bools]] = {}
        if self.negatives is not None:
            false = self.negatives if adapter is None else adapter(self.negatives)
            found["binding_accuracy"] = forced_choice(dot(self.images, texts), dot(self.images, false), 1.0)
        (captions, caption), (pictures, picture) = (np.unique(ids, return_index=True, return_inverse=True)[1:] for ids in self.same)
        belong = np.zeros(
            (len(pictures), len(captions)), dtype=bool
        )  # a picture may have several captions, a caption several pictures
        belong[picture, caption] = True
        scores = self.images[pictures] @ texts[captions].T
        found["recall_at_1"] = _at(_first_is_own(scores, belong), picture)
        found["picture_recall_at_1"] = _at(_first_is_own(scores.T, belong.T), caption)
        return found

    def scores(self, adapter: Adapter) -> Scores:
        """What a map achieves; retrieval is the mean of both directions."""
        found = {metric: float(right.mean()) for metric, (right, _) in self.outcome(adapter).items()}
        return Scores(found.get("binding_accuracy"), (found["recall_at_1"] + found["picture_recall_at_1"]) / 2)


def _first_is_own(scores: Floats, belong: Bools) -> tuple[Bools, Bools]:
    """(q,) whether the best of what belongs to a query scores strictly above all that does not, and ties."""
    own, other = np.where(belong, scores, -2.0).max(1), np.where(belong, -2.0, scores).max(1)  # no cosine is so small
    return forced_choice(own, other, 1.0)


def _at(outcome: tuple[Bools, Bools], rows: Ints) -> tuple[Bools, Bools]:
    return outcome[0][rows], outcome[1][rows]
