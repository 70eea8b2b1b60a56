"""Negated captions beside their affirmative twins, against scenes with and without the object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.core.outcomes import Outcome
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record
from conceptbind.metrics.choices import forced_choice
from conceptbind.metrics.triplets import cosines
from conceptbind.negation.items import NOTHING, NegationBank, Twins
from conceptbind.negation.wordings import ALONE, CLAUSE, EXCHANGED, FORMS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints, Modality

CAPTION, SCENE = "caption", "scene"
"""Who chooses: a caption between two scenes, or a scene between two captions."""
WHOLE: Mapping[str, None] = dict.fromkeys(("form", "wording"))
"""Columns that a record over clauses and objects alone, in all wordings, leaves empty."""
ABOUT: Mapping[str, Mapping[str, Any]] = {
    "text": {"modality": "text", "level": 2},
    "image": {"modality": "both", "level": 3},
}
"""What records are about, by modality of the scenes."""
CHUNK = 65_536
"""Queries whose rows are held at once."""


class Rows(NamedTuple):
    """Unit rows of one encoder or control."""

    captions: Float[Floats, "captions width"]
    """(c, d) of the bank's captions."""
    scenes: Float[Floats, "items 2 width"]
    """(i, 2, d) of the pair's scenes: pictures, or descriptions."""


class Found(NamedTuple):
    """What became of some queries."""

    query: Int[Ints, " some"]
    """(k,) rows of the bank."""
    right: Bool[Bools, " some"]
    tied: Bool[Bools, " some"]


@dataclass(frozen=True, eq=False)
class NegationStudy:
    """How far the encoder reacts to "no", against scenes of one modality."""

    modality: Modality
    """What the scenes are: pictures (`image`), or their descriptions (`text`)."""
    records: Records
    bank: NegationBank
    twins: Twins
    found: Mapping[tuple[str, str], Found]
    """The encoder's own outcomes, by who chooses and metric."""
    leads: Float[Floats, "2 queries"]
    """(2, q) by how much a caption is nearer to the scene without the object: the negated caption,
    and its twin (0 where there is none)."""
    outcomes: tuple[Outcome, ...]

    def value(self, metric: str, chooser: str = CAPTION, **asked: Any) -> Record:
        """The encoder's own record of a metric over all wordings.

        Args:
            metric: its name.
            chooser: `caption` or `scene`.
            **asked: another form, wording or control.
        """
        return main_record(self.records, metric, chooser, **asked)


def main_record(records: Records, metric: str, chooser: str = CAPTION, **asked: Any) -> Record:
    """The record of a metric over all wordings, of the encoder itself unless another is asked for.

    Args:
        records: of one modality.
        metric: its name.
        chooser: `caption` or `scene`.
        **asked: another form, wording or control.

    Raises:
        RecordError: there is none.
    """
    wanted = {**WHOLE, "control": Control.NONE, **asked}
    return records.one(metric=metric, chooser=chooser, **wanted)


def negation_study(
    rows: Mapping[str, Rows],
    bank: NegationBank,
    twins: Twins,
    *,
    modality: Modality,
    scenes: str,
    encoder: str,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda name: None,
) -> NegationStudy:
    """Score negated captions and their twins by cosine. Nothing is fitted, so all pairs are scored.

    A pair of scenes is right by the share of its queries that are. Queries are never counted as
    draws of their own, and pairs of one orbit are one draw. By chance a half is right.

    Args:
        rows: unit rows of the encoder (`none`) and of its controls, by name.
        bank: the captions and queries.
        twins: the pairs.
        modality: of the scenes.
        scenes: name of the table.
        encoder: its id.
        seed: of the draw of unrelated captions.
        on_step: called with the name of each control that is done.
    """
    common: dict[str, Any] = {
        "study": "negation",
        **ABOUT[modality],
        "split": "all",
        "scenes": scenes,
        "encoder": encoder,
    }
    records: list[Record] = []
    own: dict[tuple[str, str], Found] = {}
    leads = np.zeros((2, len(bank)))
    for control, held in rows.items():
        facts = {**common, "control": control}
        scores = _scores(held, bank)
        found = {**_by_caption(scores, bank), **_by_scene(scores, bank)}
        for (chooser, metric), choices in found.items():
            told = {**facts, "chooser": chooser}
            records += _shares(metric, choices, bank, twins, told, parts=control == Control.NONE)
        if control == Control.NONE:
            own = found
            leads = np.stack([_lead(scores.negated, bank), _lead(scores.affirmative, bank)])
            records += _nearness(held.captions, bank, twins, facts, seed)
        on_step(control)
    outcome = _outcome(own[CAPTION, Metric.NEGATED_ACCURACY], bank, twins, common["modality"])
    return NegationStudy(modality, Records(records), bank, twins, own, leads, (outcome,))


class _Scores(NamedTuple):
    """(q, 2) cosine of each caption of a query with both scenes of its pair; 0 where there is no
    such caption.
    """

    negated: Floats
    affirmative: Floats
    plain: Floats


def _scores(held: Rows, bank: NegationBank) -> _Scores:
    found = []
    for asked in (bank.negated, bank.affirmative, bank.plain):
        scores = np.zeros((len(bank), 2), dtype=held.captions.dtype)
        there = np.flatnonzero(asked != NOTHING)
        for start in range(0, len(there), CHUNK):
            part = there[start : start + CHUNK]
            captions, shown = held.captions[asked[part]], held.scenes[bank.item[part]]
            for scene in range(2):
                scores[part, scene] = cosines(captions, shown[:, scene])
        found.append(scores)
    return _Scores(*found)


def _of(scores: Floats, scene: Ints) -> Floats:
    """(q,) the score with one of the two scenes."""
    taken: Floats = np.take_along_axis(scores, scene[:, None], axis=1)[:, 0]
    return taken


def _lead(scores: Floats, bank: NegationBank) -> Floats:
    """(q,) by how much the scene without the negated noun is nearer."""
    return _of(scores, 1 - bank.target) - _of(scores, bank.target)


def _by_caption(scores: _Scores, bank: NegationBank) -> dict[tuple[str, str], Found]:
    """A caption chooses between the scene with the object and the one without."""
    every = np.arange(len(bank))
    with_it, without = bank.target, 1 - bank.target
    negated = forced_choice(_of(scores.negated, without), _of(scores.negated, with_it), 1.0)
    found: dict[tuple[str, str], Found] = {}
    found[CAPTION, Metric.NEGATED_ACCURACY] = Found(every, *negated)
    told = every[bank.affirmative != NOTHING]
    if len(told):
        twin = forced_choice(
            _of(scores.affirmative, with_it), _of(scores.affirmative, without), 1.0
        )
        found[CAPTION, Metric.AFFIRMATIVE_ACCURACY] = _some(Found(every, *twin), told)
        same = _same_choice(negated, twin)
        found[CAPTION, Metric.NEGATION_IGNORED] = _some(Found(every, *same), told)
    told = every[bank.plain != NOTHING]
    if len(told):
        # how much nearer the scene with the object is, after the clause and without it
        moved = forced_choice(-_lead(scores.negated, bank), -_lead(scores.plain, bank), 2.0)
        found[CAPTION, Metric.MENTION_PULL] = _some(Found(every, *moved), told)
    return found


def _same_choice(negated: tuple[Bools, Bools], twin: tuple[Bools, Bools]) -> tuple[Bools, Bools]:
    """Whether two captions choose the same scene (one of them is then wrong), and where one ties
    and does not choose.
    """
    (right, tied), (also, other_tied) = negated, twin
    undecided = tied | other_tied
    return ~undecided & (right != also), undecided


def _by_scene(scores: _Scores, bank: NegationBank) -> dict[tuple[str, str], Found]:
    """A scene chooses between two captions: the negated one and its twin, or the two captions of
    which each negates what the other says.
    """
    every = np.arange(len(bank))
    without = _of(scores.negated, 1 - bank.target), _of(scores.affirmative, 1 - bank.target)
    negated = forced_choice(*without, 1.0)
    moved = np.flatnonzero(bank.form == FORMS.index(EXCHANGED))
    other = _partners(bank, moved)
    choice = forced_choice(
        _of(scores.negated, 1 - bank.target)[moved],
        scores.negated[other, 1 - bank.target[moved]],
        1.0,
    )
    for whole, part in zip(negated, choice, strict=True):
        whole[moved] = part
    found: dict[tuple[str, str], Found] = {}
    found[SCENE, Metric.NEGATED_ACCURACY] = Found(every, *negated)
    told = every[bank.affirmative != NOTHING]
    if len(told):
        twin = forced_choice(
            _of(scores.affirmative, bank.target), _of(scores.negated, bank.target), 1.0
        )
        found[SCENE, Metric.AFFIRMATIVE_ACCURACY] = _some(Found(every, *twin), told)
        same = _same_choice(negated, twin)
        found[SCENE, Metric.NEGATION_IGNORED] = _some(Found(every, *same), told)
    return found


def _partners(bank: NegationBank, moved: Ints) -> Ints:
    """(k,) the query of the same pair and wording that negates the other noun."""
    key = np.stack([bank.item[moved], bank.wording[moved], bank.target[moved]])
    order = np.lexsort(key[::-1])
    pairs = moved[order].reshape(-1, 2)
    partner = np.empty(len(bank), dtype=np.int64)
    partner[pairs] = pairs[:, ::-1]
    return partner[moved]


def _some(found: Found, rows: Ints) -> Found:
    return Found(rows, found.right[rows], found.tied[rows])


def _shares(
    metric: str,
    found: Found,
    bank: NegationBank,
    twins: Twins,
    facts: Mapping[str, Any],
    *,
    parts: bool,
) -> Iterator[Record]:
    """Clauses and objects alone together, then each form, and each wording."""
    form = bank.form[found.query]
    together = np.isin(form, [FORMS.index(CLAUSE), FORMS.index(ALONE)])
    yield from _share(metric, found, together, bank, twins, facts)
    for number, name in enumerate(FORMS):
        yield from _share(metric, found, form == number, bank, twins, {**facts, "form": name})
    for number, name in enumerate(bank.wordings if parts else ()):
        some = together & (bank.wording[found.query] == number)
        yield from _share(metric, found, some, bank, twins, {**facts, "wording": name})


def _share(
    metric: str,
    found: Found,
    some: Bools,
    bank: NegationBank,
    twins: Twins,
    facts: Mapping[str, Any],
) -> Iterator[Record]:
    """The mean over pairs of their shares; nothing where no query is meant."""
    if not some.any():
        return
    items, right, tied = _by_item(_some_of(found, some), bank)
    yield mean_record(metric, right, int(tied.sum()), twins.clusters[items], **facts)


def _some_of(found: Found, some: Bools) -> Found:
    return Found(found.query[some], found.right[some], found.tied[some])


def _by_item(found: Found, bank: NegationBank) -> tuple[Ints, Floats, Bools]:
    """The pairs that are asked about, the share of their queries that is right, and whether any is
    a tie.
    """
    items, place = np.unique(bank.item[found.query], return_inverse=True)
    counts = np.bincount(place)
    return items, np.bincount(place, found.right) / counts, np.bincount(place, found.tied) > 0


def _nearness(
    captions: Floats, bank: NegationBank, twins: Twins, facts: Mapping[str, Any], seed: int
) -> Iterator[Record]:
    """Cosine of a caption with its negation, and with the same wording about another pair."""
    told = np.flatnonzero(bank.affirmative != NOTHING)
    if not len(told):
        return
    other = unrelated(bank, told, seed)
    pairs = {
        Metric.NEGATION_COSINE: bank.negated[told],
        Metric.UNRELATED_COSINE: bank.affirmative[other],
    }
    items, place = np.unique(bank.item[told], return_inverse=True)
    for metric, beside in pairs.items():
        near = np.concatenate(
            [
                cosines(captions[bank.affirmative[told[part]]], captions[beside[part]])
                for part in _chunks(len(told))
            ]
        )
        means = np.bincount(place, near) / np.bincount(place)
        yield mean_record(metric, means, None, twins.clusters[items], "mean", **facts)


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, n, CHUNK))


def unrelated(
    bank: NegationBank, queries: Int[Ints, " queries"], seed: int = 0, tried: int = 16
) -> Int[Ints, " queries"]:
    """For each query another in the same form and wording, whose twin shares the fewest values with
    its own among some that are drawn.

    Args:
        bank: the queries.
        queries: (k,) rows of queries that have a twin.
        seed: of the draw.
        tried: queries that are drawn for each.
    """
    rng = np.random.default_rng(seed)
    chosen = np.empty(len(queries), dtype=np.int64)
    kind = bank.form[queries] * len(bank.wordings) + bank.wording[queries]
    for one in np.unique(kind):
        mine = np.flatnonzero(kind == one)
        drawn = queries[mine][rng.integers(len(mine), size=(len(mine), tried))]
        own = bank.meaning[bank.affirmative[queries[mine]]][:, None]
        shared = np.minimum(own, bank.meaning[bank.affirmative[drawn]]).sum(axis=2)
        chosen[mine] = drawn[np.arange(len(mine)), shared.argmin(axis=1)]
    return chosen


def _outcome(found: Found, bank: NegationBank, twins: Twins, modality: str) -> Outcome:
    """Shares of every pair, over clauses and objects alone."""
    together = bank.form[found.query] != FORMS.index(EXCHANGED)
    items, right, tied = _by_item(_some_of(found, together), bank)
    about = {
        "study": "negation",
        "metric": str(Metric.NEGATED_ACCURACY),
        "modality": modality,
    }
    return Outcome(about, right, tied, twins.row[items], clusters=twins.clusters[items])
