"""The study of sums over concepts, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ConceptBindError, ValueRangeError
from conceptbind.core.findings import Findings
from conceptbind.core.records import Records
from conceptbind.factors.means import labels_of
from conceptbind.factors.section import TERMS, factor_section
from conceptbind.factors.study import FactorStudy, factor_study
from conceptbind.factors.words import factor_sentences
from conceptbind.run.bars import steps

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats, Modality
    from conceptbind.studies.case import Case


class AddUp:
    """One vector for each value: do embeddings add up over concepts?"""

    name = "factors"
    question = "Are embeddings sums of one vector per value, also in new combinations?"

    def applies(self, case: Case) -> str | None:
        """Where a concept has two values."""
        try:
            labels_of(case.table)
        except ValueRangeError:
            return "no concept has two values"
        return None

    def run(self, case: Case) -> Findings:
        """A study, its sentences and a section for each modality."""
        studies = [_study(case, modality) for modality in case.modalities]
        encoder = case.source.id
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            sentences=tuple(
                sentence
                for study in studies
                for sentence in factor_sentences(study.records, study.modality, encoder)
            ),
            sections=tuple(map(factor_section, studies)),
            terms=TERMS,
            found=tuple(studies),
        )


def _study(case: Case, modality: Modality) -> FactorStudy:
    controls = case.controls(modality)
    with steps(f"adding up {modality}", len(controls) + 2) as step:
        return factor_study(
            case.rows(modality),
            case.table,
            case.split,
            controls=controls,
            queries=_queries(case),
            seed=case.asked.seed,
            on_step=lambda name: step(str(name)),
        )


def _queries(case: Case) -> dict[str, Floats]:
    """Captions of single values, for scenes of one object; by name of the concept. Words that the
    encoder does not read leave their concept out.
    """
    space = case.table.space
    found: dict[str, Floats] = {}
    if case.table.n_slots != 1 or not case.encodes("text"):
        return found
    for k, concept in enumerate(space.concepts):
        if space.sizes[k] < 2:
            continue
        try:
            found[concept] = np.asarray(case.queries(k))
        except ConceptBindError:
            continue
    return found
