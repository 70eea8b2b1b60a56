"""Which way of joining parts finds the right scenes first, before and after a repair?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record, plain_record
from conceptbind.metrics.precision import average_precision, chance_precision, first_right
from conceptbind.probes.threads import steady
from conceptbind.querying.items import TOGETHER, PartQueries, QueryBank
from conceptbind.querying.ways import WAYS, Asked, Way

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from conceptbind.core.typing import Bools, Floats, Ints, Modality

    RowMap = Callable[[Floats], Floats]

MINUS = (0.25, 0.5, 1.0, 2.0)
"""Weights of a negated part in the sum, of which validation chooses one."""
PLAIN = 1.0
"""Of equal weights the one that is nearest to this."""
CHOSEN_AMONG: tuple[Way, ...] = ("whole", "sum", "min", "project")
"""Ways that can be recommended: those of the command. Documents are projected for comparison."""
BLOCK = 128
"""Queries that are scored at once."""
ABOUT: Mapping[str, Mapping[str, Any]] = {
    "text": {"modality": "text", "level": 2},
    "image": {"modality": "both", "level": 3},
}
"""What records are about, by modality of the documents."""


class Found(NamedTuple):
    """What became of the queries of one form."""

    right: Bool[Bools, " queries"]
    """(q,) a right document is first."""
    tied: Bool[Bools, " queries"]
    """(q,) it would be without a tie."""
    precision: Float[Floats, " queries"]
    """(q,) average precision."""
    swapped: Bool[Bools, " queries"]
    """(q,) a swap scores at least as high as all right documents, and as all other wrong ones."""


class Rows(NamedTuple):
    """Unit rows of one encoder or control."""

    captions: Float[Floats, "captions width"]
    """(c, d) of the bank's captions."""
    documents: Float[Floats, "documents width"]


class Choice(NamedTuple):
    """One way to ask."""

    repair: str
    way: Way


@dataclass(frozen=True, eq=False)
class QueryStudy:
    """Ways of asking for several parts, on combinations that no repair was fitted on."""

    modality: Modality
    """What the documents are: captions (`text`) or pictures (`image`)."""
    records: Records
    chosen: Choice
    """What validation prefers; of equals the simplest."""
    minus: Mapping[str, float]
    """Weight of a negated part in the sum, by repair."""
    n_validation: int

    def value(self, metric: str, way: str, repair: str = Repair.NONE, **asked: Any) -> Record:
        """A record of the encoder over all forms, unless one is asked for.

        Args:
            metric: its name.
            way: how parts are joined.
            repair: before (`none`) or after one.
            **asked: another form or control.
        """
        wanted = {"form": None, "control": Control.NONE, **asked}
        return self.records.one(metric=metric, way=way, repair=repair, **wanted)


@steady()
def query_study(
    rows: Mapping[str, Rows],
    repairs: Mapping[str, RowMap],
    validation: QueryBank,
    test: QueryBank,
    *,
    captions: Mapping[str, Rows],
    modality: Modality,
    scenes: str,
    encoder: str,
    on_step: Callable[[str], None] = lambda name: None,
) -> QueryStudy:
    """Ask in every way, before and after a repair. Validation chooses the weight of the sum and the
    way that is recommended; test queries are scored once.

    Args:
        rows: rows for the test queries, of the encoder (`none`) and of controls, by name.
        repairs: maps of captions: `NONE`, and one that was fitted without the combinations that
            are asked about.
        validation: queries that choose.
        test: queries that are scored.
        captions: rows for the validation queries, under `none`.
        modality: of the documents.
        scenes: name of the table.
        encoder: its id.
        on_step: called with what was done.
    """
    common = {"study": "query", "scenes": scenes, "encoder": encoder, **ABOUT[modality]}
    minus, merits = _validated(captions[Control.NONE], repairs, validation)
    best = max(merits.values())
    chosen = next(choice for choice, merit in merits.items() if merit >= best - 1e-9)
    on_step("queries, validation")
    records: list[Record] = []
    for merit_of, merit in merits.items():
        facts = {**common, "split": "validation", "repair": merit_of.repair, "way": merit_of.way}
        n = sum(map(len, validation.queries))
        records.append(plain_record(Metric.QUERY_PRECISION, merit, n, form=None, **facts))
    told = {**common, "split": "test"}
    own: dict[Choice, dict[str, Found]] = {}
    for control, held in rows.items():
        for repair, mapped in repairs.items() if control == Control.NONE else _NO_REPAIR.items():
            # controls are asked as the way that validation prefers asks
            weight = minus[repair if control == Control.NONE else chosen.repair]
            for way in WAYS:
                found = _answers(held, mapped, test, way, weight)
                facts = {**told, "control": control, "repair": repair, "way": way}
                if control == Control.NONE:
                    facts |= {"minus": weight if way == "sum" else None}
                    facts |= {"recommended": Choice(repair, way) == chosen}
                    own[Choice(repair, way)] = found
                records += _records(found, test.queries, facts)
        on_step(f"queries, {control}")
    records += _gains(own, chosen, test.queries, told)
    records += _chances(test.queries, told)
    n = sum(map(len, validation.queries))
    return QueryStudy(modality, Records(records), chosen, minus, n)


_NO_REPAIR: Mapping[str, RowMap] = {Repair.NONE: lambda rows: rows}


def _validated(
    held: Rows, repairs: Mapping[str, RowMap], bank: QueryBank
) -> tuple[dict[str, float], dict[Choice, float]]:
    """The weight of the sum for each repair, and what each way is worth: its mean average
    precision, every form alike. Ways that cannot ask in all forms are left out.
    """
    minus: dict[str, float] = {}
    merits: dict[Choice, float] = {}
    for repair, mapped in repairs.items():
        tried = {weight: _merit(held, mapped, bank, "sum", weight) for weight in MINUS}
        best = max(worth or 0.0 for worth in tried.values())
        near = [weight for weight, worth in tried.items() if (worth or 0.0) >= best - 1e-9]
        minus[repair] = min(near, key=lambda weight: abs(weight - PLAIN))
        for way in CHOSEN_AMONG:
            worth = _merit(held, mapped, bank, way, minus[repair])
            if worth is not None:
                merits[Choice(repair, way)] = worth
    return minus, merits


def _merit(held: Rows, mapped: RowMap, bank: QueryBank, way: Way, minus: float) -> float | None:
    found = _answers(held, mapped, bank, way, minus)
    if len(found) < len(bank.queries):
        return None
    return float(np.mean([one.precision.mean() for one in found.values()]))


def _answers(
    held: Rows, mapped: RowMap, bank: QueryBank, way: Way, minus: float
) -> dict[str, Found]:
    """What becomes of the queries of each form that the way can ask."""
    captions = mapped(held.captions)
    found = {}
    for queries in bank.queries:
        if way != "whole" or queries.whole is not None:
            found[queries.form] = _asked(captions, held.documents, queries, way, minus)
    return found


def _asked(
    captions: Floats, documents: Floats, queries: PartQueries, way: Way, minus: float
) -> Found:
    parts = []
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        whole = None if queries.whole is None else captions[queries.whole[part]]
        asked = Asked(captions[queries.parts[part]], queries.negated, whole)
        cosines = asked.vectors(way) @ documents.T.astype(captions.dtype)
        values, size = asked.scored(way, cosines, minus)
        parts.append(_found(values, size, queries.right[part], queries.swapped[part]))
    return Found(*(np.concatenate(list(column)) for column in zip(*parts, strict=True)))


def _found(values: Floats, size: Floats, right: Bools, swapped: Bools) -> Found:
    hit, tied = first_right(values, right, size)
    best = np.where(right, -np.inf, values).max(axis=1)
    swap = np.where(swapped, values, -np.inf).max(axis=1)
    return Found(hit, tied, average_precision(values, right, size), ~hit & (swap >= best))


def _records(
    found: Mapping[str, Found], queries: Sequence[PartQueries], facts: Mapping[str, Any]
) -> Iterator[Record]:
    """Each form, and all together where the way can ask in all."""
    by_form = {one.form: one for one in queries}
    for form, outcome in found.items():
        yield from _shares(outcome, by_form[form].clusters, {**facts, "form": form})
    if len(found) == len(queries):
        together = _joined(list(found.values()))
        clusters = np.concatenate([by_form[form].clusters for form in found])
        yield from _shares(together, clusters, {**facts, "form": None})


def _joined(parts: Sequence[Found]) -> Found:
    return Found(*(np.concatenate(list(column)) for column in zip(*parts, strict=True)))


def _shares(found: Found, clusters: Ints, facts: Mapping[str, Any]) -> Iterator[Record]:
    hits, ties = found.right.astype(float), int(found.tied.sum())
    yield mean_record(Metric.QUERY_RECALL_AT_1, hits, ties, clusters, **facts)
    yield mean_record(Metric.QUERY_PRECISION, found.precision, None, clusters, **facts)
    if facts["form"] == TOGETHER:
        swapped = found.swapped.astype(float)
        yield mean_record(Metric.SWAP_ERROR, swapped, None, clusters, **facts)


def _gains(
    own: Mapping[Choice, Mapping[str, Found]],
    chosen: Choice,
    queries: Sequence[PartQueries],
    facts: Mapping[str, Any],
) -> Iterator[Record]:
    """The recommended way beside one caption with the same repair, query by query, in the forms
    that one caption can say.
    """
    before, after = own[Choice(chosen.repair, "whole")], own[chosen]
    both = [one for one in queries if one.form in before and one.form in after]
    if not both:
        return
    changes = [
        after[one.form].right.astype(float) - before[one.form].right.astype(float) for one in both
    ]
    clusters = np.concatenate([one.clusters for one in both])
    told = {**facts, "repair": chosen.repair, "way": chosen.way, "form": None}
    forms = None if len(both) == len(queries) else both[0].form
    told |= {"against": "whole", "form": forms}
    yield mean_record(
        Metric.QUERY_GAIN, np.concatenate(changes), None, clusters, "difference", **told
    )


def _chances(queries: Sequence[PartQueries], facts: Mapping[str, Any]) -> Iterator[Record]:
    """What a random order reaches: exact, so there is no interval."""
    first = [one.right.mean(axis=1) for one in queries]
    pure = [chance_precision(one.right) for one in queries]
    for metric, values in ((Metric.QUERY_CHANCE, first), (Metric.QUERY_CHANCE_PRECISION, pure)):
        for one, share in zip(queries, values, strict=True):
            yield plain_record(metric, float(share.mean()), len(one), form=one.form, **facts)
        every = np.concatenate(values)
        yield plain_record(metric, float(every.mean()), len(every), form=None, **facts)
