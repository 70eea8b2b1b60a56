"""Does a linear map of the query let captions find the captions that mean the same? Scored on
combinations that were not fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.probes.threads import steady
from conceptbind.repairs.labclip.cost import WORTH, clears_noise
from conceptbind.repairs.labclip.estimator import first_that_helps
from conceptbind.repairs.queries.groups import Groups
from conceptbind.repairs.queries.solver import QueryFit, Watched, fit_queries
from conceptbind.within.triplets import Scored, Triplets, scored

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.repairs.laboratory.contract import RowMap

FOLDS = 5
"""Parts of the draws; each is scored by a map that was fitted without it."""
FOLDED = 120
"""Up to so many groups are scored in folds. Of more, one part is held out: it is large enough, and
five fits would take five times as long."""
NOBODY = -1
"""Where a document belongs to no caption that asks."""
LEVEL = 2
WORDS = "words"
"""Split of the scores on words that were not fitted on; all other scores are of `test`."""
SCORES = (
    (Metric.PARAPHRASE_ACCURACY, Metric.PARAPHRASE_GAIN, False),
    (Metric.PARAPHRASE_ACCURACY_ONE_SIDED, Metric.ONE_SIDED_GAIN, True),
)
FOUND_FIRST = {
    Metric.PARAPHRASE_RECALL_AT_1: Metric.PARAPHRASE_RECALL_GAIN,
    Metric.SINGLE_OBJECT_ACCURACY: Metric.SINGLE_OBJECT_GAIN,
}
"""What searches are scored by, and the difference of each."""


@dataclass(frozen=True, eq=False)
class Search:
    """m captions that ask, and the caption that each has to find among all that are found."""

    name: str
    """What the captions are called in results."""
    rows: Float[Floats, "captions width"]
    """(c, d) unit rows."""
    queries: Int[Ints, " searches"]
    """(m,) rows that ask."""
    documents: Int[Ints, " searches"]
    """(m,) row that each has to find."""
    draws: Int[Ints, " searches"]
    """(m,) searches of one number are one draw."""
    metric: Metric = Metric.PARAPHRASE_RECALL_AT_1
    """What the share of captions that find theirs first is called."""
    chooses: Bool[Bools, " searches"] | None = None
    """(m,) searches that choose among maps, and are not scored; None for none of them."""
    others: Int[Ints, " others"] | None = None
    """(o,) rows of further captions that are found, such as negatives; None for none."""
    other_draws: Int[Ints, " others"] | None = None
    """(o,) draw of each."""

    def scored(self, draws: Int[Ints, " draws"]) -> _Sought:
        """The searches of some draws that did not choose, among the documents of these draws.

        Args:
            draws: their numbers.
        """
        there = np.isin(self.draws, draws)
        asks = there if self.chooses is None else there & ~self.chooses
        found = self.documents[there]
        if self.others is not None and self.other_draws is not None:
            found = np.concatenate([found, self.others[np.isin(self.other_draws, draws)]])
        return self._sought(there, asks, np.unique(found))

    def chosen_by(self) -> Watched | None:
        """The searches that choose, among all documents; None where there are none."""
        if self.chooses is None or not self.chooses.any():
            return None
        every = np.ones(len(self.draws), dtype=bool)
        sought = self._sought(every, self.chooses, np.unique(self.documents))
        return Watched(sought.queries, sought.documents, sought.own)

    def _sought(self, there: Bools, asks: Bools, documents: Ints) -> _Sought:
        """A caption asks once. Neither itself nor its further paraphrases stand in its way."""
        asking, first = np.unique(self.queries[asks], return_index=True)
        mine = np.flatnonzero(asks)[first]
        belongs = np.full(len(documents), NOBODY)
        for right in (self.queries[there], self.documents[there]):
            place = np.searchsorted(documents, right).clip(max=len(documents) - 1)
            who = np.searchsorted(asking, self.queries[there]).clip(max=len(asking) - 1)
            known = (documents[place] == right) & (asking[who] == self.queries[there])
            belongs[place[known]] = who[known]
        own = np.searchsorted(documents, self.documents[mine])
        queries = np.asarray(self.rows[asking])
        return _Sought(mine, queries, np.asarray(self.rows[documents]), own, belongs)


class _Sought(NamedTuple):
    """Captions that ask, and among what."""

    searches: Ints
    """(k,) which these are."""
    queries: Floats
    documents: Floats
    own: Ints
    """(k,) document that each has to find."""
    belongs: Ints
    """Caption that each document is, or says in other words; `NOBODY` for others."""

    def found(self, queries: RowMap | None) -> tuple[Bools, Bools]:
        """Whether each finds its own first, and whether by a tie, with a map of the queries."""
        asking = self.queries
        if queries is not None:
            asking = queries(asking).astype(self.documents.dtype)
        return within(*ranks(asking, self.documents, self.own, self.belongs), 1)


def watched(searches: Sequence[Search]) -> Watched | None:
    """What chooses of the first search that does; None where none does.

    Args:
        searches: captions that have to find their paraphrase.
    """
    return next(filter(None, (search.chosen_by() for search in searches)), None)


@dataclass(frozen=True, eq=False)
class QueryRepair:
    """Before and after a linear map of queries, on captions that it never saw."""

    records: Records
    fit: QueryFit
    """The fit that is written: on all parts but the one that chose; the one that was scored where
    one part was held out."""
    adapter: Adapter
    """What is written: that fit, or the identity where the gain does not clear its noise."""
    folds: int
    """1 where one part was held out."""
    recommended: bool
    by_scenes: bool
    """Whether combinations of a scene table were scored; otherwise captions of their own."""
    missed: Mapping[str, tuple[Int[Ints, " items"], Bool[Bools, " items"], Bool[Bools, " items"]]]
    """Items that were scored, and whether each was fully right before and after, by setting."""

    @property
    def unchanged(self) -> bool:
        """Whether validation preferred no repair in every part that was scored."""
        gains = own_gains(self.records)
        return all(gain.ci_low is None for gain in gains)

    def value(self, metric: str, repair: str, setting: str | None = None) -> Record:
        """The record of a metric on the captions that were not fitted on."""
        asked = {"metric": metric, "repair": repair, "setting": setting, "split": "test"}
        return self.records.one(control=Control.NONE, **asked)


@dataclass(frozen=True)
class _Part:
    """One part that is scored, and the map for it."""

    draws: Ints
    fit: QueryFit


@explains_arguments
def query_repair(
    groups: Groups,
    settings: Sequence[Triplets],
    draws: Int[Ints, " items"],
    *,
    searches: Sequence[Search] = (),
    scenes: str,
    encoder: str,
    by_scenes: bool = True,
    words: Int[Ints, " items"] | None = None,
    untrained: Float[Floats, "captions width"] | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda name: None,
) -> QueryRepair:
    """Fit a map of queries and score it on draws that it was not fitted on.

    Draws (orbits of scenes, or triplets) are dealt into five parts. Up to `FOLDED` groups, each
    part is scored by a map that was fitted on three others and chosen by a fourth. What is written
    is then fitted again, on four. Of more groups one part is held out, and the map that was
    scored is written. The identity is written where the gain does not clear its noise.

    Args:
        groups: captions to fit on.
        settings: triplets that are scored, as rows of `groups.rows`.
        draws: (i,) draw of each item of the triplets, in the numbers of `groups.draws`.
        searches: captions of others, on which the cost is told. The first has the draws of the
            groups, and each part of it is searched by the map that never saw it. Of single
            objects some may choose, too.
        scenes: name of the table, or of the captions.
        encoder: its id.
        by_scenes: whether the draws are combinations of a scene table.
        words: (i,) 0 or 1 for items whose words are all of one half, -1 for others; see
            `scenes.split.halves_of_words`. Two further maps then tell whether a map carries over:
            each is fitted on one half and scored on the other, which shares no word with it.
        untrained: (c, d) unit rows of the same captions by the same encoder with random weights:
            the control. The first part is scored with a map that was fitted on them alone.
        seed: of the parts.
        on_step: called with what was done.

    Raises:
        ValueRangeError: there are fewer draws than parts.
    """
    every = np.unique(groups.draws)
    parts, held_out = dealt(every, len(groups), seed)
    alone = watched(searches)
    with steady():
        scored_parts = []
        for k in range(1 if held_out else FOLDS):
            chooses = parts[(k + 1) % FOLDS]
            others = np.setdiff1d(every, np.concatenate([parts[k], chooses]))
            fit = fit_queries(
                groups.of_draws(others), groups.of_draws(chooses), alone=alone, seed=seed
            )
            scored_parts.append(_Part(parts[k], fit))
            on_step(f"part {k + 1}")
        final = scored_parts[0].fit
        if not held_out:
            final = _again(groups, every, parts, alone, seed)
            on_step("what is written")
        facts: dict[str, Any] = {
            "study": "repair",
            "modality": "text",
            "level": LEVEL,
            "split": "test",
            "encoder": encoder,
            "side": "query",
            "folds": len(scored_parts),
        }
        records: list[Record] = []
        missed = {}
        for triplets in settings:
            told = {**facts, "scenes": scenes, "setting": triplets.setting}
            found, missed[triplets.setting] = _settled(groups.rows, triplets, draws, scored_parts)
            records += _compared(found, draws, told, scored_parts)
        if words is not None:
            told = {**facts, "scenes": scenes}
            records += _on_other_words(groups, settings, draws, words, seed, told)
            on_step("other words")
        if untrained is not None:
            told = {**facts, "scenes": scenes, "control": Control.RANDOM_WEIGHTS, "folds": 1}
            twin = replace(groups, rows=untrained)
            records += _on_control(twin, settings, draws, (every, parts), seed, told)
            on_step("random weights")
        for place, search in enumerate(searches):
            seen = scored_parts if place == 0 else [_Part(np.unique(search.draws), final)]
            records += _searched(search, seen, {**facts, "scenes": search.name})
    good = final.helps and _recommended(records)
    records = [
        record if record.repair == Repair.NONE else record.but(recommended=good)
        for record in records
    ]
    adapter = final.adapter if good else _identity(final)
    return QueryRepair(Records(records), final, adapter, len(scored_parts), good, by_scenes, missed)


def dealt(
    every: Int[Ints, " draws"], n_groups: int, seed: int
) -> tuple[list[Int[Ints, " _"]], bool]:
    """Draws in five parts, and whether one of them alone is scored.

    Args:
        every: the different draws.
        n_groups: groups of captions; of many one part is held out.
        seed: of the parts.

    Raises:
        ValueRangeError: there are fewer draws than parts.
    """
    if len(every) < FOLDS:
        raise ValueRangeError(
            f"a repair is scored on captions that it was not fitted on, which takes {FOLDS} "
            f"combinations with a swap (of a file, rows that share no text); got {len(every)}"
        )
    order = np.random.default_rng(seed).permutation(every)
    return [np.sort(order[k::FOLDS]) for k in range(FOLDS)], n_groups > FOLDED


def _again(
    groups: Groups, every: Ints, parts: list[Ints], alone: Watched | None, seed: int
) -> QueryFit:
    """What is written: fitted on all parts but one that chooses."""

    def fitted(part: Ints) -> QueryFit:
        train, chooses = groups.of_draws(np.setdiff1d(every, part)), groups.of_draws(part)
        return fit_queries(train, chooses, alone=alone, seed=seed)

    return first_that_helps(map(fitted, parts))


def _on_other_words(
    groups: Groups,
    settings: Sequence[Triplets],
    draws: Ints,
    words: Ints,
    seed: int,
    facts: Mapping[str, Any],
) -> list[Record]:
    """Before and after, with a map for each half of the words that is scored on the other; nothing
    where a half has fewer draws than parts.
    """
    halves = [np.unique(draws[words == half]) for half in (0, 1)]
    if min(map(len, halves)) < FOLDS:
        return []
    parts = []
    for own, other in (halves, halves[::-1]):
        chooses = dealt(own, len(own), seed)[0][0]
        train = groups.of_draws(np.setdiff1d(own, chooses))
        parts.append(_Part(other, fit_queries(train, groups.of_draws(chooses), seed=seed)))
    records = []
    for triplets in settings:
        found, _ = _settled(groups.rows, triplets, draws, parts)
        told = {**facts, "split": WORDS, "setting": triplets.setting, "folds": len(parts)}
        records += _compared(found, draws, told, parts)
    return records


def _on_control(
    groups: Groups,
    settings: Sequence[Triplets],
    draws: Ints,
    dealt_draws: tuple[Ints, list[Ints]],
    seed: int,
    facts: Mapping[str, Any],
) -> list[Record]:
    """Before and after of the first part, with a map that was fitted on the rows of a control."""
    every, parts = dealt_draws
    scored_here, chooses = parts[:2]
    train = groups.of_draws(np.setdiff1d(every, np.concatenate([scored_here, chooses])))
    part = _Part(scored_here, fit_queries(train, groups.of_draws(chooses), seed=seed))
    records = []
    for triplets in settings:
        found, _ = _settled(groups.rows, triplets, draws, [part])
        records += _compared(found, draws, {**facts, "setting": triplets.setting}, [part])
    return records


def own_gains(records: Sequence[Record]) -> list[Record]:
    """What the encoder itself gains in each setting, on combinations that were not fitted on.

    Args:
        records: of `query_repair`.
    """
    asked = {"metric": Metric.PARAPHRASE_GAIN, "split": "test", "control": Control.NONE}
    return [record for record in records if record.has(**asked)]


def _identity(fit: QueryFit) -> Adapter:
    config = {**fit.adapter.config, "penalty": None}
    weight = fit.stations[0].weight.numpy().astype(np.float32)
    return replace(fit.adapter, weight=weight, config=config)


def _settled(
    rows: Floats, triplets: Triplets, draws: Ints, parts: Sequence[_Part]
) -> tuple[dict[bool, list[tuple[Ints, Floats, Bools]]], tuple[Ints, Bools, Bools]]:
    """By rule the items, shares and ties (before, then after), and which items were fully right."""
    before: list[Scored] = []
    after: list[Scored] = []
    for part in parts:
        mine = np.isin(draws[triplets.item], part.draws)
        some = triplets.of_items(mine)
        before.append(mapped_triplets(rows, some, None))
        after.append(mapped_triplets(rows, some, part.fit.adapter))
    found = {}
    for _, _, one_sided in SCORES:
        found[one_sided] = [_joined(when, one_sided=one_sided) for when in (before, after)]
    items, right, _ = found[False][0]
    return found, (items, right == 1, found[False][1][1] == 1)


def mapped_triplets(
    rows: Float[Floats, "captions width"],
    triplets: Triplets,
    queries: RowMap | None,
) -> Scored:
    """Triplets whose queries are mapped; only the rows that occur are.

    Args:
        rows: (c, d) unit rows; they may lie on disk.
        triplets: rows of it.
        queries: the map; None leaves queries as they are.
    """
    if queries is None:
        return scored(rows, triplets)
    used, here = triplets.used()
    documents = np.asarray(rows[used])
    return scored(documents, here, queries(documents).astype(documents.dtype))


def _joined(parts: list[Scored], *, one_sided: bool) -> tuple[Ints, Floats, Bools]:
    found = [part.by_item(one_sided=one_sided) for part in parts]
    items, right, tied = (np.concatenate(list(column)) for column in zip(*found, strict=True))
    return items, right, tied


def _compared(
    found: Mapping[bool, list[tuple[Ints, Floats, Bools]]],
    draws: Ints,
    facts: Mapping[str, Any],
    parts: Sequence[_Part],
) -> list[Record]:
    """Before, after, and the paired difference, by both rules; where no part has a map the
    difference is 0 and has no interval.
    """
    changed = any(part.fit.helps for part in parts)
    records = []
    for metric, gain, one_sided in SCORES:
        (items, before, tied), (_, after, tied_after) = found[one_sided]
        mine = draws[items]
        for repair, right, ties in (
            (Repair.NONE, before, tied),
            (Repair.CONVEX, after, tied_after),
        ):
            records.append(
                mean_record(metric, right, int(ties.sum()), mine, repair=repair, **facts)
            )
        change = after - before
        told = {**facts, "repair": Repair.CONVEX}
        record = mean_record(gain, change, None, mine, "difference", **told)
        records.append(record if changed else record.but(ci_low=None, ci_high=None))
    return records


def _searched(search: Search, parts: Sequence[_Part], facts: Mapping[str, Any]) -> list[Record]:
    """Recall at 1 before and after: each part among the documents of that part."""
    hits: dict[Repair, list[tuple[Bools, Bools]]] = {Repair.NONE: [], Repair.CONVEX: []}
    draws = []
    for part in parts:
        sought = search.scored(part.draws)
        hits[Repair.NONE].append(sought.found(None))
        hits[Repair.CONVEX].append(sought.found(part.fit.adapter))
        draws.append(search.draws[sought.searches])
    clusters, records = np.concatenate(draws), []
    values = {}
    for repair, outcomes in hits.items():
        right, tied = (np.concatenate(list(part)) for part in zip(*outcomes, strict=True))
        values[repair] = right.astype(float)
        told = {**facts, "repair": repair}
        records.append(
            mean_record(search.metric, values[repair], int(tied.sum()), clusters, **told)
        )
    change = values[Repair.CONVEX] - values[Repair.NONE]
    told = {**facts, "repair": Repair.CONVEX}
    gain = FOUND_FIRST[search.metric]
    records.append(mean_record(gain, change, None, clusters, "difference", **told))
    return records


def _recommended(records: Sequence[Record]) -> bool:
    """Whether the gain clears its noise in one setting, and no setting loses: neither more than a
    trifle, nor for certain.
    """
    gains = own_gains(records)
    some = any(clears_noise(record.value, record.ci_low) for record in gains)
    return some and not any(map(_loses, gains))


def _loses(gain: Record) -> bool:
    certain = gain.ci_high is not None and gain.ci_high < 0
    return certain or (gain.value or 0.0) <= -WORTH
