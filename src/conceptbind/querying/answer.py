"""Which way to ask for several parts? The study of queries, asked of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.findings import Findings
from conceptbind.core.names import Control, Repair
from conceptbind.crossmodal.bank import caption_bank
from conceptbind.metrics.cosines import unit_rows
from conceptbind.probes.study import bag_of_concepts
from conceptbind.querying.items import QueryBank, query_bank
from conceptbind.querying.section import TERMS, query_section
from conceptbind.querying.study import QueryStudy, Rows, query_study
from conceptbind.querying.words import no_queries, query_verdict
from conceptbind.repairs.held_scenes import HeldScenes
from conceptbind.repairs.labclip.estimator import fit_pairs
from conceptbind.repairs.queries.groups import groups_of_bank
from conceptbind.repairs.queries.solver import Watched, fit_queries
from conceptbind.report.advice import RUN
from conceptbind.rows.source import source_of
from conceptbind.run.bars import steps
from conceptbind.scenes.paraphrases import (
    drawn_scenes,
    paraphrase_bank,
    read_by,
    single_objects_said,
    wordings,
)
from conceptbind.scenes.split import Split, split_scenes
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Encoder, Floats, Ints, Modality
    from conceptbind.rows.source import Source
    from conceptbind.studies.case import Case

    RowMap = Callable[[Floats], Floats]

FRACTIONS = (0.4, 0.2, 0.4)
"""Orbits to fit a repair on, to choose by, and to ask about."""
MOST_PICTURES = 4000
"""Pictures that are searched; of more, whole orbits are drawn."""
FEWEST = 2
"""Queries that a part of the split needs."""


@dataclass(frozen=True, eq=False)
class _Searched:
    """What is searched."""

    modality: Modality
    table: Scenes
    """The documents."""
    rows: Int[Ints, " documents"]
    """Their rows in the case's table."""
    split: Split


class SeveralParts:
    """Queries of several parts, joined in several ways."""

    name = "query"
    question = "Which way of joining the parts of a query finds the right scenes first?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where an encoder embeds captions that are made here, about several objects."""
        if not case.encodes("text"):
            return "it needs an encoder of captions"
        if case.table.written_captions is not None:
            return "captions that came with the table cannot be taken apart"
        if case.table.n_slots < 2:
            return "it needs scenes of two objects or more"
        return None

    def run(self, case: Case) -> Findings:
        """A study, a verdict and a section: among pictures where there are any, else among
        captions.
        """
        searched = _searched(case)
        reads = read_by(_encoder(case))
        told = f"Queries of several parts cannot be judged on {case.table.name}: "
        if searched is None:
            why = f"{told}it has too few combinations."
            return Findings(self.name, verdicts=(no_queries(_modality(case), why),))
        seed = case.asked.seed
        validation = query_bank(searched.table, searched.split.validation, reads, seed)
        test = query_bank(searched.table, searched.split.test, reads, seed)
        if min(_fewest(validation), _fewest(test)) < FEWEST:
            why = f"{told}too few scenes have two different objects."
            return Findings(self.name, verdicts=(no_queries(_modality(case), why),))
        study = _study(case, searched, validation, test)
        return Findings(
            self.name,
            study.records,
            (query_verdict(study),),
            sections=(query_section(study),),
            terms=TERMS,
            found=(study,),
            next=_next(case, study),
        )


def _next(case: Case, study: QueryStudy) -> tuple[str, str]:
    """A query for one object and without another, in the way that validation prefers."""
    several = (case.table.objects != case.table.objects[:, :1]).any(axis=1)
    one, *_, other = case.table.objects[np.flatnonzero(several)[0]].tolist()
    name, way = case.table.space.object_name, study.chosen.way
    text = f"{name(one)}, -{name(other)}" if way != "whole" else name(one)
    how = f"--way {way}" + (f" --minus {study.minus[study.chosen.repair]:g}" * (way == "sum"))
    repaired = "" if study.chosen.repair == Repair.NONE else ", without the repair"
    why = f"To ask so in these embeddings{repaired}:"
    return why, f"conceptbind query {RUN} {quote(text)} {how}"


def _encoder(case: Case) -> Encoder:
    assert case.encoder is not None
    return case.encoder


def _modality(case: Case) -> Modality:
    """What is searched: pictures where they are studied, else captions."""
    return "image" if "image" in case.modalities else "text"


def _fewest(bank: QueryBank) -> int:
    return min(map(len, bank.queries), default=0)


def _searched(case: Case) -> _Searched | None:
    """Pictures where they are studied, else captions; None where they cannot be divided."""
    pictures = _modality(case) == "image"
    most = MOST_PICTURES if pictures else case.asked.paraphrased or None
    every = np.arange(len(case.table))
    rows = drawn_scenes(case.table, every, most, case.asked.seed)
    table = case.table.select(rows)
    try:
        split = split_scenes(table, "orbit", fractions=FRACTIONS, seed=case.asked.seed)
    except ValueRangeError:  # fewer orbits than parts
        return None
    return _Searched(_modality(case), table, rows, split)


def _study(case: Case, searched: _Searched, validation: QueryBank, test: QueryBank) -> QueryStudy:
    sources = {str(Control.NONE): case.source}
    sources |= {name: source_of(twin) for name, twin in case.twins.items()}
    rows: dict[str, Rows] = {}
    chosen_by: dict[str, Rows] = {}
    for name, source in sources.items():
        after = "" if name == Control.NONE else f"-{name}"
        documents = _documents(case, source, searched, after)
        for bank, part, held in ((validation, "validation", chosen_by), (test, "test", rows)):
            if part == "validation" and name != Control.NONE:
                continue
            place, told = f"queries-{part}{after}", f"queries, {part}{after.replace('-', ', ')}"
            captions = case.embedded(source, "text", place, told, bank.captions).values
            held[name] = Rows(captions, documents)
    counted = unit_rows(bag_of_concepts(searched.table))
    rows[str(Control.BAG_OF_CONCEPTS)] = Rows(unit_rows(test.meaning), counted)
    repairs = _repairs(case, searched)
    with steps("asking queries", len(rows) + 1) as step:
        return query_study(
            rows,
            repairs,
            validation,
            test,
            captions=chosen_by,
            modality=searched.modality,
            scenes=case.table.name,
            encoder=case.source.id,
            on_step=step,
        )


def _documents(case: Case, source: Source, searched: _Searched, after: str) -> Floats:
    """(t, d) unit rows of what is searched. Captions are put in other words than queries, so that
    none is the query itself.
    """
    if searched.modality == "image":
        place, told = f"image{after}", f"pictures{after.replace('-', ', ')}"
        if not after:
            return case.rows("image").values[searched.rows]
        return case.embedded(source, "image", place, told).values[searched.rows]
    table = _reworded(searched.table, _encoder(case))
    told = f"captions to search{after.replace('-', ', ')}"
    return case.embedded(source, "text", f"searched{after}", told, table).values


def _reworded(table: Scenes, encoder: Encoder) -> Scenes:
    """The captions of a table in other words, where the encoder reads any."""
    known, _ = wordings(table, read_by(encoder))
    if not known:
        texts = tuple(table.captions())
    else:
        texts = tuple(known[0].of(table.space, one, table.template) for one in table.table)
    return Scenes.unlabelled(f"captions of {table.name}", captions=texts)


def _repairs(case: Case, searched: _Searched) -> Mapping[str, RowMap]:
    """No repair, and one that was fitted on other orbits; validation may prefer the identity."""
    found: dict[str, RowMap] = {Repair.NONE: lambda rows: rows}
    try:
        fit = _of_captions if searched.modality == "text" else _of_pictures
        adapter = fit(case, searched)
    except ValueRangeError:  # nothing can be swapped in one of the parts
        return found
    found[Repair.HNB] = adapter
    return found


def _of_pictures(case: Case, searched: _Searched) -> RowMap:
    """LABCLIP on the pictures of the train orbits."""
    bank = caption_bank(searched.table, case.asked.seed)
    told = "captions and their swaps"
    captions = case.embedded(case.source, "text", "queries-captions", told, bank.scenes).values
    pictures = case.rows("image").values[searched.rows]
    held = HeldScenes(pictures, captions, searched.table, bank, None)
    parts = searched.split.train, searched.split.validation
    train, chooses = (held.pairs.select(_of_scenes(held, rows)) for rows in parts)
    return fit_pairs(train, chooses, seed=case.asked.seed).adapter


def _of_scenes(held: HeldScenes, rows: Ints) -> Ints:
    return np.flatnonzero(np.isin(held.pair_scene, rows))


def _of_captions(case: Case, searched: _Searched) -> RowMap:
    """A map of the query on the captions of the train orbits, in several wordings."""
    encoder, seed = _encoder(case), case.asked.seed
    groups = []
    for part in ("train", "validation"):
        table = searched.table.select(getattr(searched.split, part))
        bank = paraphrase_bank(table, reads=read_by(encoder), seed=seed)
        told = f"paraphrases, {part}"
        place = f"queries-paraphrases-{part}"
        rows = case.embedded(case.source, "text", place, told, bank.captions).values
        groups.append(groups_of_bank(rows, bank, table, seed))
    return fit_queries(*groups, alone=_alone(case, searched), seed=seed).adapter


def _alone(case: Case, searched: _Searched) -> Watched | None:
    """Single objects, of which the map may not lose any; None where no other wording is read."""
    said = single_objects_said(searched.table, read_by(_encoder(case)))
    if said is None:
        return None
    own, others = said
    captions = Scenes.unlabelled(searched.table.name, captions=[*own, *others])
    place = "queries-single"
    rows = case.embedded(case.source, "text", place, "single objects", captions).values
    n = len(own)
    return Watched(rows[:n], rows[n:], np.arange(n))
