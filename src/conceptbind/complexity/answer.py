"""How complex is the rule behind the embeddings? The sweep over approximators, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.complexity.section import complexity_section
from conceptbind.complexity.study import ComplexityStudy, complexity_study
from conceptbind.complexity.sweeps import SWEEPS
from conceptbind.complexity.words import complexity_sentence
from conceptbind.core.findings import Findings, Section
from conceptbind.core.records import Records
from conceptbind.report.words import seen
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class HowComplex:
    """arXiv 2605.31503, section 6."""

    name = "complexity"
    question = "Does a small model of the embeddings generalise to scenes of new objects?"

    def applies(self, case: Case) -> str | None:
        """Unless no approximator is asked for."""
        return "--complexity is none" if case.asked.complexity == "none" else None

    def run(self, case: Case) -> Findings:
        """One study and section for each modality."""
        studies = tuple(self._study(case, modality) for modality in case.modalities)
        sentences = (sentence for study in studies if (sentence := complexity_sentence(study)))
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            sentences=tuple(sentences),
            sections=tuple(map(self._section, studies)),
            found=studies,
        )

    def _study(self, case: Case, modality: Modality) -> ComplexityStudy:
        rows, probes, asked = case.rows(modality), case.probes(modality), case.asked
        about = f"complexity of {seen(modality)}"
        sweep = SWEEPS[asked.complexity]
        with progress(total=sweep.n_fits, desc=about, unit="fit") as bar:
            return complexity_study(
                rows,
                case.table,
                case.split,
                probes,
                own=case.own_probes,
                sweep=sweep,
                keep=case.folder / f"complexity-{modality}",
                on_cell=bar.update,
                executor=asked.executor,
                address=asked.address,
                jobs=asked.jobs,
                device=asked.device,
            )

    def _section(self, study: ComplexityStudy) -> Section:
        title = (
            f"{seen(study.modality).capitalize()}: does a small model of the embeddings "
            "generalise to new objects?"
        )
        place = f"complexity-of-{study.modality}"
        template = "complexity_section.html.j2"
        return Section(place, title, complexity_section(study), template, appendix=True)
