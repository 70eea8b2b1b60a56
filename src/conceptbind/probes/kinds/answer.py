"""Further kinds of probes, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.probes.kinds.study import STUDY, KindsStudy, kinds_study
from conceptbind.probes.kinds.words import TERMS, kinds_section, kinds_sentence
from conceptbind.run.bars import steps

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class Kinds:
    """Probes by cosine and of pairs (the published code of arXiv 2605.31503)."""

    name = STUDY
    question = "What do probes by cosine, and probes of pairs of objects, recognise?"

    def applies(self, case: Case) -> str | None:
        """Always."""

    def run(self, case: Case) -> Findings:
        """A study, a sentence and a section for each modality."""
        studies = tuple(_study(case, modality) for modality in case.modalities)
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            sentences=tuple(map(kinds_sentence, studies)),
            sections=tuple(map(kinds_section, studies)),
            terms=TERMS,
            found=studies,
        )


def _study(case: Case, modality: Modality) -> KindsStudy:
    linear = {
        str(Control.NONE): case.probes(modality),
        str(Control.BAG_OF_CONCEPTS): case.bag_probes,
    }
    with steps(f"kinds of probes, {modality}", len(linear)) as step:
        return kinds_study(
            case.rows(modality),
            case.table,
            case.split,
            linear=linear,
            seed=case.asked.seed,
            device=case.asked.device,
            on_step=step,
        )
