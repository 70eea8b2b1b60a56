"""What are the embeddings made of? The study of their geometry, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings, Section
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.geometry.section import (
    edits_csv,
    geometry_section,
    geometry_sentence,
    scaling_picture,
)
from conceptbind.geometry.study import STEPS, GeometryStudy, geometry_study
from conceptbind.report.words import seen
from conceptbind.run.bars import steps

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class MadeOf:
    """arXiv 2605.31503, sections 4 and 5."""

    name = "geometry"
    question = "Which sums of concepts and objects are the embeddings made of?"

    def applies(self, case: Case) -> str | None:
        """Always."""

    def run(self, case: Case) -> Findings:
        """One study and section for each modality, and a picture of four objects."""
        studies = tuple(self._study(case, modality) for modality in case.modalities)
        sentences = (sentence for study in studies if (sentence := geometry_sentence(study)))
        pictures = {
            f"scaling-{study.modality}.svg": scaling_picture(study.scaling, study.modality)
            for study in studies
            if study.scaling is not None
        }
        cases = {
            f"edits-{study.modality}.csv": edits_csv(study.cases, case.table)
            for study in studies
            if study.cases
        }
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            sentences=tuple(sentences),
            sections=tuple(map(self._section, studies)),
            files=pictures | cases,
            found=studies,
        )

    def _study(self, case: Case, modality: Modality) -> GeometryStudy:
        rows, heads = case.rows(modality), case.heads(modality)
        alone, controls = case.objects_alone(modality), case.controls(modality)
        random = {
            name: beside for name, beside in controls.items() if name == Control.RANDOM_WEIGHTS
        }
        with steps(f"geometry of {modality}", len(STEPS)) as step:
            return geometry_study(
                rows,
                case.table,
                case.split,
                heads,
                singles=alone,
                controls=random,
                seed=case.asked.seed,
                strength=case.asked.edit_strength,
                keep_edits=case.asked.edit_cases,
                published=case.asked.edit_protocol == "paper",
                scaling=case.asked.scaling,
                device=case.asked.device,
                on_step=step,
            )

    def _section(self, study: GeometryStudy) -> Section:
        title = f"{seen(study.modality).capitalize()}: what the embeddings are made of"
        place = f"geometry-{study.modality}"
        template = "geometry_section.html.j2"
        return Section(place, title, geometry_section(study), template, appendix=True)
