"""What becomes of the captions of an index: against their swaps, among texts, after a linear
repair, and in search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from conceptbind.audits.retrieval import search_index, unit_rows
from conceptbind.benchmarks.texts import by_length, by_words
from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError, counted
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.core.scored import mean_record
from conceptbind.crossmodal.comparing import dot
from conceptbind.metrics.choices import forced_choice
from conceptbind.metrics.triplets import triplet_choice
from conceptbind.repairs.arrays import ArrayRepair, array_repair
from conceptbind.repairs.labclip.estimator import linked
from conceptbind.repairs.labclip.pairs import Pairs
from conceptbind.repairs.queries.groups import groups_of_triplets
from conceptbind.repairs.queries.study import QueryRepair, query_repair
from conceptbind.within.triplets import NEUTRAL, TRAP, Scored, Triplets, scored

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.audits.draw import Drawn
    from conceptbind.benchmarks.texts import Alike
    from conceptbind.core.typing import Bools, Floats, Ints, Modality
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.rows.indexes.contract import Rows, Texts

CAPTION, SWAP, BEHIND, SWAP_BEHIND, REVERSED, SWAP_REVERSED = range(6)
"""Columns of the numbers of texts."""
FITS = 0.6
"""Share of comparisons in which a row must be nearer to its own caption than to another; by chance
it is a half. Below it the encoder is not that of the index."""
FEWEST, QUARTERS, SURELY = 20, 4, 5e-4
"""Rows with a neighbour; with fewer it is not asked whether the neighbours fit better. Parts of an
index that are asked by themselves. One-sided level of each of the ten tests."""
COMPARED = 256
"""Rows and captions that are compared for that."""
FIRSTS = {Metric.RECALL_AT_1: 1, Metric.RECALL_AT_10: 10}
GALLERY = 12


@dataclass(frozen=True, eq=False)
class Audit:
    """What is audited: rows of an index, and texts that an encoder embedded."""

    drawn: Drawn
    numbers: Int[Ints, "items 6"]
    """(k, 6) row of each item's texts; -1 where there is none."""
    texts: tuple[str, ...]
    """t different texts; behind those of the items the captions that search."""
    text_rows: Float[Floats, "texts width"]
    """(t, d) unit rows of them."""
    index: Rows
    """(n, d) the index."""
    modality: Modality
    """What its rows are of."""
    name: str
    """What the index is called in results."""
    encoder: str
    captions: Texts | None = None
    """(n,) captions of the index, by which neighbours of one caption are known."""

    @cached_property
    def joined(self) -> Bool[Bools, " items"]:
        """(k,) whether the two phrases can change places."""
        return self.numbers[:, REVERSED] >= 0

    @cached_property
    def draws(self) -> Int[Ints, " items"]:
        """(k,) items of one number share a row, a caption or a swap, and are one draw."""
        captions, swaps = (self.numbers[:, column] for column in (CAPTION, SWAP))
        return linked(self.drawn.rows, captions, swaps)

    @cached_property
    def searching(self) -> Int[Ints, " searches"]:
        """(m,) rows of the texts that search."""
        place = {text: number for number, text in enumerate(self.texts)}
        return np.array([place[text] for text in self.drawn.searches], dtype=np.int64)

    @cached_property
    def controls(self) -> list[tuple[Control, Alike]]:
        """What knows the words of captions, or their length, and no row of the index. Articles
        follow their words, so "an" counts as "a".
        """
        plain = [f" {text} ".replace(" an ", " a ").replace("An ", "A ") for text in self.texts]
        return [
            (Control.BAG_OF_WORDS, by_words(plain)),
            (Control.BLIND_LENGTH, by_length([text.strip() for text in plain])),
        ]

    @property
    def compared(
        self,
    ) -> list[tuple[Int[Ints, " items"], Int[Ints, " items"], Bool[Bools, " items"]]]:
        """True and false text of each comparison with the row of an item, and which items have it.

        A picture's row is compared with its caption. The row of a caption is that caption itself,
        so it is compared with the caption in other words. The swap comes in both orders.
        """
        captions, swaps = self.numbers[:, CAPTION], self.numbers[:, SWAP]
        if self.modality == "text":
            captions = np.where(self.joined, self.numbers[:, REVERSED], self.numbers[:, BEHIND])
        always = np.ones(len(captions), dtype=bool)
        other = self.numbers[:, SWAP_REVERSED]
        return [(captions, swaps, always), (captions, other, self.joined)]


@dataclass(frozen=True, eq=False)
class Pair:
    """What becomes of captions with one pair of attributes."""

    attributes: tuple[str, str]
    record: Record
    """Share of the comparisons that the swap wins."""
    example: int
    """An item that shows it."""


@dataclass(frozen=True, eq=False)
class AuditStudy:
    """What was found."""

    audit: Audit
    records: Records
    pairs: tuple[Pair, ...]
    """Pairs of attributes, the worst first."""
    right: Float[Floats, " items"]
    """(k,) share of an item's comparisons that its caption wins."""
    swapped: Float[Floats, " items"]
    """(k,) share that its swap wins."""
    scores: Float[Floats, "items 2"]
    """(k, 2) cosine of the row with its caption and with the swap; of a caption's row with the
    caption in other words."""
    repair: ArrayRepair | QueryRepair | None
    """None where there is too little to fit on."""
    why_not: str
    """Why nothing was fitted."""
    adapter: Adapter | None
    """What is written: the map, or the identity."""
    fit: Fit
    """Whether the rows belong to their captions."""

    @property
    def recommended(self) -> bool:
        """Whether a map is written that changes something."""
        return self.repair is not None and self.repair.recommended


@dataclass(frozen=True)
class Fit:
    """Whether rows belong to their captions."""

    share: float
    """Share of the comparisons in which a row is nearer to its own caption than to another one."""
    n: int
    """Rows and captions that were compared, each with each."""


def require_fit(audit: Audit) -> Fit:
    """How surely rows are nearer to their own caption than to others.

    Args:
        audit: rows and texts.

    Raises:
        ShapeError: the encoder's rows have another width.
        MismatchError: the rows do not fit the captions, or fit them better one row further, with
            the evidence.
    """
    if audit.index.width != audit.text_rows.shape[1]:
        raise ShapeError(
            f"the index has rows of {counted(audit.index.width, 'dimension')} and those of "
            f"'{audit.encoder}' have {audit.text_rows.shape[1]}; give the encoder of the index"
        )
    own = np.concatenate([audit.drawn.rows, audit.drawn.own])
    captions = np.concatenate([audit.numbers[:, CAPTION], audit.searching])
    _, first = np.unique(captions, return_index=True)
    chosen = np.sort(first)[:COMPARED]
    places = own[chosen]
    rows = unit_rows(audit.index[places], places)
    cosines = rows @ audit.text_rows[captions[chosen]].T
    matched = np.diagonal(cosines)
    n = len(chosen)
    above = (matched[:, None] > cosines).sum(axis=1) / max(n - 1, 1)
    share = float(above.mean())
    others = (cosines.sum() - matched.sum()) / max(n * (n - 1), 1)
    if n > 1 and share < FITS:
        raise MismatchError(
            f"the rows of {audit.name} do not fit the captions of '{audit.encoder}': the mean "
            f"cosine is {matched.mean():.3f} with the own caption and {others:.3f} with others, "
            f"the own is nearer in {percent(share)} (chance: 50 %, n = {n}); give the encoder of "
            "the index, or captions in its order"
        )
    _require_in_step(audit, places, captions[chosen], cosines)
    return Fit(share, n)


def _require_in_step(audit: Audit, places: Ints, captions: Ints, own: Floats) -> None:
    """Raise MismatchError where the rows before or behind surely fit the captions better, of all
    rows or of a quarter of the index.

    How well a row fits a caption is the standard score of their cosine, among the cosines of that
    row with all captions here. So it does not matter how sharp a picture is. Rows with the same
    caption say nothing.
    """
    order = np.argsort(places, kind="stable")
    texts = np.array(audit.texts, dtype=object)
    for step in (1, -1):
        there = order[(places[order] + step >= 0) & (places[order] + step < len(audit.index))]
        beside = places[there] + step
        if audit.captions is not None:
            told = np.array([text or "" for text in audit.captions.at(beside)], dtype=object)
            other = told != texts[captions[there]]
            there, beside = there[other], beside[other]
        if len(there) < FEWEST:
            continue
        rows = unit_rows(audit.index[beside], beside)
        near = _standing(rows @ audit.text_rows[captions].T, there)
        better = near - _standing(own[there], there)
        for part in (better, *np.array_split(better, QUARTERS)):
            if len(part) >= FEWEST and _surely_above_zero(part):
                side = "behind" if step > 0 else "before"
                raise MismatchError(
                    f"captions of {audit.name} are one row out of step: the row {side} fits a "
                    f"caption better than its own, by {part.mean():.2f} standard scores on "
                    f"average (n = {len(part)}); give captions in the order of the index"
                )


def _standing(cosines: Floats, own: Ints) -> Floats:
    """(n,) standard score of the cosine with the own caption among those with all captions."""
    spread = cosines.std(axis=1)
    score: Floats = cosines[np.arange(len(own)), own] - cosines.mean(axis=1)
    return score / np.where(spread > 0, spread, 1)


def _surely_above_zero(values: Floats) -> bool:
    """Whether a mean lies above zero beyond what chance allows in ten such looks."""
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return bool(values.mean() > student.isf(SURELY, len(values) - 1) * error > 0)


def audit_study(
    audit: Audit,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    on_step: Callable[[str], None] = lambda name: None,
    on_rows: Callable[[int], None] = lambda n: None,
) -> AuditStudy:
    """Score captions against their swaps, fit a repair, and search the index with and without it.

    Args:
        audit: rows and texts.
        seed: of the parts of the repair.
        options: of `repairs.labclip.fit_pairs`.
        on_step: called with what was done.
        on_rows: called with the rows of the index that were searched since the last call.

    Raises:
        MismatchError: the rows do not fit the captions.
    """
    fit = require_fit(audit)
    rows = unit_rows(audit.index[audit.drawn.rows], audit.drawn.rows)
    draws = audit.draws
    right, swapped, tied, scores = _against(audit, rows)
    level = 3 if audit.modality == "image" else 2
    facts = _facts(audit) | {"level": level, "split": "all"}
    facts["modality"] = "both" if audit.modality == "image" else "text"
    records = [
        mean_record(Metric.BINDING_ACCURACY, right, int(tied.sum()), draws, **facts),
        mean_record(Metric.SWAP_ERROR, swapped, int(tied.sum()), draws, **facts),
    ]
    for control, alike in audit.controls:
        won, _, ties, _ = _against(audit, rows, alike)
        told = facts | {"control": control}
        records.append(mean_record(Metric.BINDING_ACCURACY, won, int(ties.sum()), draws, **told))
    records += _among_texts(audit, draws)
    on_step("compared")
    found, why_not = _repaired(audit, rows, draws, seed, options or {}, on_step)
    adapter = None
    if found is not None:
        records += found.records
        adapter = found.adapter
    records += _searched(audit, adapter if found and found.recommended else None, on_rows)
    on_step("searched")
    pairs = _by_attributes(audit, right, swapped, tied, draws, facts)
    return AuditStudy(
        audit, Records(records), pairs, right, swapped, scores, found, why_not, adapter, fit
    )


def _facts(audit: Audit) -> dict[str, Any]:
    return {"study": "audit", "scenes": audit.name, "encoder": audit.encoder}


def _against(
    audit: Audit, rows: Floats, alike: Alike | None = None
) -> tuple[Floats, Floats, Bools, Floats]:
    """Shares of each item's comparisons that its caption wins, and its swap; whether any is a tie;
    the two scores of the first comparison.
    """
    k = len(rows)
    right, wrong, ties, n = (np.zeros(k) for _ in range(4))
    scores = np.zeros((k, 2))
    for place, (true, false, there) in enumerate(audit.compared):
        some = np.flatnonzero(there)
        if not len(some):
            continue
        both = []
        for texts in (true[some], false[some]):
            if alike is None:
                both.append(dot(rows[some], audit.text_rows[texts]))
            else:
                both.append(alike(audit.numbers[some, CAPTION], texts))
        won, tied = forced_choice(both[0], both[1], 1.0)
        right[some] += won
        ties[some] += tied
        wrong[some] += ~won & ~tied
        n[some] += 1
        if place == 0:
            scores[some] = np.stack(both, axis=1)
    return right / n, wrong / n, ties > 0, scores


def triplets_of(audit: Audit) -> list[Triplets]:
    """Level 2 of captions: a caption, its paraphrase, its swap.

    As a trap the swap keeps the caption's wording, in both orders, and the paraphrase has its
    attributes behind the nouns. In the neutral setting the paraphrase is in the other order and the
    swap has its attributes behind the nouns, or the reverse.

    Args:
        audit: rows and texts.
    """
    behind = audit.numbers[:, BEHIND] >= 0
    items, movable = np.flatnonzero(behind), np.flatnonzero(audit.joined & behind)
    asked = {
        TRAP: [(items, BEHIND, SWAP), (movable, BEHIND, SWAP_REVERSED)],
        NEUTRAL: [(movable, REVERSED, SWAP_BEHIND), (movable, BEHIND, SWAP_REVERSED)],
    }
    found = []
    for setting, parts in asked.items():
        item = np.concatenate([some for some, _, _ in parts])
        if not len(item):
            continue
        anchor = audit.numbers[item, CAPTION]
        paraphrase = np.concatenate([audit.numbers[some, column] for some, column, _ in parts])
        negative = np.concatenate([audit.numbers[some, column] for some, _, column in parts])
        found.append(Triplets(setting, anchor, paraphrase, negative, item))
    return found


def _among_texts(audit: Audit, draws: Ints) -> list[Record]:
    """Level 2 of the captions, beside controls."""
    records = []
    for triplets in triplets_of(audit):
        outcomes: dict[str, Scored] = {str(Control.NONE): scored(audit.text_rows, triplets)}
        for name, alike in audit.controls:
            outcomes[str(name)] = _scored_by(alike, triplets)
        for control, outcome in outcomes.items():
            facts = _facts(audit) | {"modality": "text", "level": 2, "split": "all"}
            facts |= {"setting": triplets.setting, "control": control}
            for metric, one_sided in (
                (Metric.PARAPHRASE_ACCURACY, False),
                (Metric.PARAPHRASE_ACCURACY_ONE_SIDED, True),
            ):
                items, right, tied = outcome.by_item(one_sided=one_sided)
                records.append(mean_record(metric, right, int(tied.sum()), draws[items], **facts))
    return records


def _scored_by(alike: Alike, triplets: Triplets) -> Scored:
    to_paraphrase = alike(triplets.anchor, triplets.paraphrase)
    to_negative = alike(triplets.anchor, triplets.negative)
    between = alike(triplets.paraphrase, triplets.negative)
    outcome = triplet_choice(to_paraphrase, to_negative, between)
    return Scored(triplets, outcome, to_paraphrase, to_negative, between)


def _repaired(
    audit: Audit,
    rows: Floats,
    draws: Ints,
    seed: int,
    options: Mapping[str, Any],
    on_step: Callable[[str], None],
) -> tuple[ArrayRepair | QueryRepair | None, str]:
    """A linear repair, fitted and scored on other captions; None, and why, where they are few."""
    try:
        if audit.modality == "text":
            settings = triplets_of(audit)
            if not settings:
                return None, no_words(audit)
            triplets = audit.numbers[:, [CAPTION, BEHIND, SWAP]]
            triplets[:, 1] = np.where(
                triplets[:, 1] < 0, audit.numbers[:, REVERSED], triplets[:, 1]
            )
            groups = groups_of_triplets(audit.text_rows, triplets, draws)
            found: Any = query_repair(
                groups,
                settings,
                draws,
                scenes=audit.name,
                encoder=audit.encoder,
                by_scenes=False,
                seed=seed,
                on_step=on_step,
            )
        else:
            names = {"scenes": audit.name, "encoder": audit.encoder}
            found = array_repair(_pairs(audit, rows), options=options, seed=seed, names=names)
            on_step("fitted")
    except ValueRangeError as error:
        return None, str(error)
    return found, ""


def no_words(audit: Audit) -> str:
    """Why captions are not compared in other words.

    Args:
        audit: rows and texts.
    """
    if audit.drawn.unread:
        return "the encoder does not read captions in other words (a cube that is red)"
    return "the captions cannot be put in other words that mean the same"


def _pairs(audit: Audit, rows: Floats) -> Pairs:
    """Pictures, captions and swaps; both orders of the swap where every caption has them."""
    captions, swaps = audit.numbers[:, CAPTION], audit.numbers[:, SWAP]
    if audit.joined.all():
        swaps = audit.numbers[:, [SWAP, SWAP_REVERSED]]
    return Pairs.of(
        rows,
        audit.text_rows[captions],
        audit.text_rows[swaps],
        text_ids=captions,
        negative_ids=swaps,
        names=("the index", "the captions", "the swaps"),
    )


def _searched(
    audit: Audit, adapter: Adapter | None, on_rows: Callable[[int], None]
) -> list[Record]:
    """Recall of captions that nothing was fitted on, among all rows of the index."""
    asking = audit.text_rows[audit.searching]
    if not len(asking):
        return []
    maps = [asking] if adapter is None else [asking, adapter(asking)]
    drawn = audit.drawn
    found = search_index(audit.index, np.stack(maps), drawn.own, drawn.same, on_rows)
    clusters = np.unique(audit.searching, return_inverse=True)[1]
    records = []
    facts = _facts(audit) | {"split": "sample"}
    facts["modality"] = "both" if audit.modality == "image" else "text"
    for metric, k in FIRSTS.items():
        values = [part.first(k).astype(float) for part in found]
        for repair, part, value in zip((Repair.NONE, Repair.HNB), found, values, strict=False):
            ties = int(((part.ranks > k) & (part.ranks - part.ties <= k)).sum())
            told = facts | {"repair": repair}
            records.append(mean_record(metric, value, ties, clusters, **told))
        if len(values) > 1 and metric == Metric.RECALL_AT_1:
            told = facts | {"repair": Repair.HNB}
            change = values[1] - values[0]
            records.append(
                mean_record(Metric.RECALL_GAIN, change, None, clusters, "difference", **told)
            )
    return records


def _by_attributes(
    audit: Audit,
    right: Floats,
    swapped: Floats,
    tied: Bools,
    draws: Ints,
    facts: Mapping[str, Any],
) -> tuple[Pair, ...]:
    """Pairs of attributes, the one first whose swaps surely win most often."""
    of: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(audit.drawn.items):
        one, two = sorted(item.attributes)
        of.setdefault((one, two), []).append(number)
    pairs = []
    for attributes, numbers in of.items():
        mine = np.array(numbers)
        ties = int(tied[mine].sum())
        record = mean_record(Metric.SWAP_ERROR, swapped[mine], ties, draws[mine], **facts)
        worst = int(mine[np.argmin(right[mine] - 1e-3 * swapped[mine])])
        pairs.append(Pair(attributes, record, worst))
    pairs.sort(key=_worst)
    return tuple(pairs)


def _worst(pair: Pair) -> tuple[float, float, int, tuple[str, str]]:
    record = pair.record
    low = -1.0 if record.ci_low is None else record.ci_low
    return -low, -(record.value or 0.0), -record.n, pair.attributes


def numbered(
    items: Sequence[Any], searches: Sequence[str]
) -> tuple[tuple[str, ...], Int[Ints, "items 6"]]:
    """All different texts of items and searches, and the numbers of each item's texts.

    Args:
        items: captions in their wordings; see `phrases.Worded`.
        searches: captions that search.
    """
    numbers: dict[str, int] = {}

    def number(text: str | None) -> int:
        return -1 if text is None else numbers.setdefault(text, len(numbers))

    found = [
        (
            *(number(item.caption), number(item.swap), number(item.behind)),
            *(number(item.swap_behind), number(item.reversed), number(item.swap_reversed)),
        )
        for item in items
    ]
    for text in searches:
        number(text)
    return tuple(numbers), np.array(found, dtype=np.int64).reshape(-1, 6)
