"""Is binding decodable? The study of probes, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings
from conceptbind.core.names import CONTROL_TEXTS, Control, Metric
from conceptbind.core.outcomes import Outcome, recognition_outcome
from conceptbind.core.records import Records
from conceptbind.probes.section import INTERVAL, probe_section, shown_controls, terms
from conceptbind.probes.study import ProbeStudy, probe_study
from conceptbind.probes.words import verdict
from conceptbind.run.bars import steps
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


def _outcome(case: Case, study: ProbeStudy) -> Outcome:
    """The scenes behind object recognition of one modality."""
    test = case.split.test
    about = {"study": "probe", "metric": Metric.OBJECT_RECOGNITION, "modality": study.modality}
    return recognition_outcome(study.objects, test, pair_ids(case.table)[test], **about)


class Decodable:
    """Level 1 (arXiv 2605.31503, section 3)."""

    name = "probe"
    question = "Which concepts and which objects does a linear probe recognise in the test scenes?"

    def applies(self, case: Case) -> str | None:
        """Always."""

    def run(self, case: Case) -> Findings:
        """One study, verdict and section for each modality."""
        studies = tuple(self._study(case, modality) for modality in case.modalities)
        records = Records(record for study in studies for record in study.records)
        controls = [CONTROL_TEXTS[Control(name)] for name in shown_controls(records)]
        return Findings(
            self.name,
            records,
            tuple(map(verdict, studies)),
            sections=tuple(probe_section(study, case.table) for study in studies),
            terms=(
                *terms(case.split),
                *controls,
                INTERVAL,
            ),
            found=studies,
            outcomes=tuple(_outcome(case, study) for study in studies),
        )

    def _study(self, case: Case, modality: Modality) -> ProbeStudy:
        rows, probes = case.rows(modality), case.probes(modality)
        controls = case.controls(modality)
        with steps(f"studying {modality}", 2 + len(controls)) as step:
            return probe_study(
                rows,
                case.table,
                case.split,
                controls=controls,
                device=case.asked.device,
                on_step=step,
                probes=probes,
                bag=case.bag_probes,
            )
