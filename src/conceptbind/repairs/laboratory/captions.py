"""Captions and their paraphrases, as a ground of the laboratory: documents stay as they are,
queries are mapped, and the negatives of a query are captions of its swap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Metric, Repair
from conceptbind.repairs.labclip.cost import Scores
from conceptbind.repairs.labclip.estimator import linked
from conceptbind.repairs.labclip.pairs import MOST_NEGATIVES, Pairs, flat_ids, read_unit
from conceptbind.repairs.laboratory.contract import Fitted, Side
from conceptbind.repairs.laboratory.grounds import Fold, Scored
from conceptbind.repairs.queries.groups import grouped
from conceptbind.repairs.queries.solver import fit_queries
from conceptbind.repairs.queries.study import (
    Search,
    dealt,
    mapped_triplets,
    watched,
)

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.repairs.queries.groups import Groups
    from conceptbind.within.triplets import Triplets

    Rows = Int[Ints, " rows"]

MOST_PAIRS = 8192
"""Pairs of one part that are fitted on at most, drawn at random."""


class QueryGround:
    """Triplets of captions, divided by their draws as `query_repair` divides them.

    What decides is the paraphrase accuracy by the rule of both sides. Validation goes by the
    setting where it is lower, so that no setting is bought with another.

    Args:
        rows: (c, d) unit rows of the captions.
        settings: triplets that are fitted on and scored.
        draws: (i,) draw of each item of the triplets; a draw is in one part alone.
        names: `scenes` and `encoder` of the records.
        seed: decides the parts and which pairs are drawn.
        searches: captions that have to find their paraphrase. The first has the draws of the
            triplets, and validation sees it too. So it does single objects that choose. Of the
            others the last of each metric is told in its place.
        groups: the captions as `query_repair` takes them, of the same draws; by default they are
            made of the pairs.

    Raises:
        ValueRangeError: there are fewer draws than parts.
    """

    side: Side = "query"

    def __init__(
        self,
        rows: Float[Floats, "captions width"],
        settings: Sequence[Triplets],
        draws: Int[Ints, " items"],
        names: Mapping[str, Any],
        seed: int,
        searches: Sequence[Search] = (),
        groups: Groups | None = None,
    ) -> None:
        self.groups = groups
        self.rows, self.settings, self.draws, self.names = rows, settings, draws, names
        self.seed, self.searches, self._alone = seed, searches, watched(searches)
        every = np.unique(draws)
        parts, held_out = dealt(every, len(every), seed)
        self.folds = []
        for k in range(1 if held_out else len(parts)):
            chooses = parts[(k + 1) % len(parts)]
            train = np.setdiff1d(every, np.concatenate([parts[k], chooses]))
            self.folds.append(Fold(train, chooses, parts[k]))
        self.again = [] if held_out else [(np.setdiff1d(every, part), part) for part in parts]
        self._meaning = meanings(len(rows), settings)
        self._asked, self._negatives, item = asked_pairs(settings, seed)
        self._draw = draws[item]
        self.n_negatives = self._negatives.shape[1]

    def pairs(self, rows: Rows, *, several: bool) -> Pairs:  # noqa: D102
        mine = np.flatnonzero(np.isin(self._draw, rows))
        if len(mine) > MOST_PAIRS:
            mine = np.sort(np.random.default_rng(self.seed).permutation(mine)[:MOST_PAIRS])
        (query, document), negatives = self._asked[mine].T, self._negatives[mine]
        if not several:
            negatives = negatives[:, 0]
        documents, of = np.unique(document, return_inverse=True)
        found = Pairs.of(
            np.asarray(self.rows[documents]),
            np.asarray(self.rows[query]),
            np.asarray(self.rows[negatives]),
            image_of=of,
            text_ids=self._meaning[query],
            negative_ids=self._meaning[negatives],
            names=("documents", "queries", "negatives"),
            keep_equal=True,
        )
        if self.groups is None:
            return found
        return replace(found, linked=self.groups.of_draws(rows), watched=self._alone)

    def scores(self, fitted: Fitted, rows: Rows) -> Scores:  # noqa: D102
        lowest = min(float(part.values.mean()) for part in self.by_setting(fitted, rows).values())
        own = self._found(self.searches[0], fitted, rows) if self.searches else None
        alone = None
        if self._alone is not None:
            asking = self._alone.queries
            alone = self._alone.kept(asking if fitted.captions is None else fitted.captions(asking))
        return Scores(lowest, None if own is None else float(own.values.mean()), alone)

    def by_setting(self, fitted: Fitted, rows: Rows) -> dict[str, Scored]:
        """The paraphrase accuracy of each setting on some draws."""
        found = {}
        for triplets in self.settings:
            mine = triplets.of_items(np.isin(self.draws[triplets.item], rows))
            outcome = mapped_triplets(self.rows, mine, fitted.captions)
            items, right, tied = outcome.by_item()
            found[triplets.setting] = Scored(right, tied, items, self.draws[items])
        return found

    def outcome(self, fitted: Fitted, rows: Rows) -> dict[Metric, Scored]:  # noqa: D102
        parts = list(self.by_setting(fitted, rows).values())
        mean = np.mean([part.values for part in parts], axis=0)
        ties = np.any([part.ties for part in parts], axis=0)
        found = {Metric.PARAPHRASE_ACCURACY: parts[0]._replace(values=mean, ties=ties)}
        for place, search in enumerate(self.searches):
            seen = rows if place == 0 else np.unique(search.draws)
            found[search.metric] = self._found(search, fitted, seen)
        return found

    def _found(self, search: Search, fitted: Fitted, rows: Rows) -> Scored:
        """Whether captions find their paraphrase first, among those of the same draws."""
        sought = search.scored(rows)
        hits, ties = sought.found(fitted.captions)
        mine = sought.searches
        return Scored(hits.astype(float), ties, mine, search.draws[mine])


def meanings(n: int, settings: Sequence[Triplets]) -> Int[Ints, " captions"]:
    """(n,) equal numbers for captions that are paraphrases of each other, by whatever steps.

    Args:
        n: captions.
        settings: triplets of them.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    one = np.concatenate([triplets.anchor for triplets in settings])
    two = np.concatenate([triplets.paraphrase for triplets in settings])
    same = coo_matrix((np.ones(len(one), dtype=bool), (one, two)), shape=(n, n))
    found: Ints = connected_components(same, directed=False)[1]
    return found


def asked_pairs(
    settings: Sequence[Triplets], seed: int
) -> tuple[Int[Ints, "pairs 2"], Int[Ints, "pairs several"], Int[Ints, " pairs"]]:
    """Queries and documents (p, 2), each with negatives of all settings (p, k), and the item of
    each (p,). Caption and paraphrase ask for each other. Those that have fewer negatives have some
    twice.

    Args:
        settings: triplets.
        seed: of the order of the negatives.
    """
    told = [
        (query, document, triplets.negative, triplets.item)
        for triplets in settings
        for query, document in (
            (triplets.anchor, triplets.paraphrase),
            (triplets.paraphrase, triplets.anchor),
        )
    ]
    query, document, negative, item = (np.concatenate(part) for part in zip(*told, strict=True))
    order = np.random.default_rng(seed).permutation(len(query))
    order = order[np.lexsort((document[order], query[order]))]
    both = np.stack([query, document], axis=1)[order]
    first = np.flatnonzero(np.r_[True, (both[1:] != both[:-1]).any(axis=1)])
    counts = np.diff(np.r_[first, len(both)])
    several = min(int(counts.max()), MOST_NEGATIVES)
    place = first[:, None] + np.arange(several) % counts[:, None]
    return both[first], negative[order][place], item[order][first]


@dataclass(frozen=True)
class ConvexQueries:
    """The convex comparison of all captions of an orbit, which `repair` takes for queries."""

    side: Side = "query"
    name = Repair.CONVEX

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        try:
            train, chooses = (
                part.linked if part.linked is not None else groups_of_pairs(part, seed)
                for part in (pairs, validation)
            )
            found = fit_queries(train, chooses, alone=pairs.watched, seed=seed)
        except ValueRangeError:  # rows so alike that nothing can be compared
            return Fitted(self.name, self.side)
        penalty = found.chosen.penalty
        said = "no repair" if penalty is None else f"penalty {penalty:g}"
        size = found.adapter.weight.size
        return Fitted(self.name, self.side, found.adapter, None, size, said, found.helps)


def groups_of_pairs(pairs: Pairs, seed: int) -> Groups:
    """Pairs as groups: all captions that are linked by a negative are one, and those that mean the
    same one class of it.

    Args:
        pairs: documents, queries and negatives.
        seed: of the draw of captions.
    """
    every = np.arange(len(pairs))
    queries, documents = read_unit(pairs.texts, every), read_unit(pairs.images, pairs.image_of)
    assert pairs.negatives is not None
    negatives = read_unit(pairs.negatives, every).reshape(len(pairs), -1, queries.shape[1])
    false = np.concatenate(list(np.moveaxis(negatives, 1, 0)))
    rows = np.concatenate([queries, documents, false])
    meaning = np.concatenate([pairs.text_ids, pairs.text_ids, flat_ids(pairs.negative_ids)])
    draw = linked(pairs.text_ids, pairs.text_ids, flat_ids(pairs.negative_ids))
    group = np.tile(draw, len(rows) // len(pairs))
    _, kept = np.unique(rows, axis=0, return_index=True)  # a caption in several pairs counts once
    kept = np.sort(kept)
    return grouped(rows[kept], group[kept], meaning[kept], seed)
