"""The study of the ceiling, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.ceiling.free import MOST_OBJECTS, SIMILARITIES
from conceptbind.ceiling.section import TERMS, ceiling_section
from conceptbind.ceiling.study import STUDY, CeilingStudy, ceiling_study
from conceptbind.ceiling.words import ceiling_sentence
from conceptbind.core.findings import Findings, Section
from conceptbind.core.names import Metric, recognised
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import share_record
from conceptbind.metrics.recognitions import recognised_by
from conceptbind.run.bars import steps
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class Ceiling:
    """How much of what its width allows does an encoder use?"""

    name = "ceiling"
    question = "How much of what so many dimensions can hold does a linear probe recognise?"

    def applies(self, case: Case) -> str | None:
        """Where objects are few enough to have a probe each."""
        if case.table.space.n_objects > MOST_OBJECTS:
            return f"it fits a probe for each object, at most {MOST_OBJECTS:,}"
        return None

    def run(self, case: Case) -> Findings:
        """A study, a sentence and a section for each modality."""
        studies, sentences, sections = [], list[str](), list[Section]()
        records: list[Record] = []
        for modality in case.modalities:
            study, own = _study(case, modality), _own(case, modality)
            objects = own.one(metric=Metric.OBJECT_RECOGNITION)
            sentences.append(ceiling_sentence(study, objects, case.source.id))
            sections.append(ceiling_section(study, own))
            studies.append(study)
            records += [*study.records, *own]
        return Findings(
            self.name,
            Records(records),
            sentences=tuple(sentences),
            sections=tuple(sections),
            terms=TERMS,
            found=tuple(studies),
        )


def _study(case: Case, modality: Modality) -> CeilingStudy:
    rows = case.rows(modality)
    with steps(f"free embeddings, {modality}", len(SIMILARITIES) + 1) as step:
        return ceiling_study(rows, case.table, seed=case.asked.seed, on_step=step)


def _own(case: Case, modality: Modality) -> Records:
    """What the encoder's probes recognise in test scenes."""
    rows, test, probes = case.rows(modality), case.split.test, case.heads(modality)
    names = (*case.table.space.concepts, None)
    clusters, found = pair_ids(case.table)[test], []
    for head, (name, probe) in enumerate(
        zip(names, (*probes.concepts, probes.objects), strict=True)
    ):
        there = case.table.presence(None if name is None else head, test)
        outcome = recognised_by(probe.weight, rows.values[test], there[:, probe.candidates])
        found.append(
            share_record(
                outcome,
                clusters,
                study=STUDY,
                modality=modality,
                metric=recognised(name),
                split="test",
                scenes=case.table.name,
                encoder=case.source.id,
                own={"concept": name},
            )
        )
    return Records(found)
