"""Does a linear map repair the captions? The study of a repair, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings
from conceptbind.core.names import Control
from conceptbind.crossmodal.answer import cannot_compare
from conceptbind.repairs.card import described, repair_card
from conceptbind.repairs.labclip.adapter import save_adapter
from conceptbind.repairs.section import repair_section
from conceptbind.repairs.study import repair_study
from conceptbind.repairs.words import repair_verdict
from conceptbind.run.bars import steps

if TYPE_CHECKING:
    from conceptbind.studies.case import Case

ADAPTER = "adapter"
"""Folder of a run in which the fitted map is kept."""


class LinearRepair:
    """LABCLIP (arXiv 2502.03566, section 5)."""

    name = "repair"
    question = "Does one linear map of the captions let pictures find the right ones?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where one encoder embeds both, and captions can be swapped."""
        return cannot_compare(case)

    def run(self, case: Case) -> Findings:
        """One study, verdict and section; nothing where too few captions can be swapped."""
        controls = {
            name: (case.controls("image")[name], case.captions(name))
            for name in case.twins
            if name == Control.BAG_TWIN
        }
        images, captions = case.rows("image"), case.captions()
        with steps("repairing") as step:
            study = repair_study(
                images,
                captions,
                case.table,
                case.bank,
                singles=case.singles,
                controls=controls,
                seed=case.asked.seed,
                on_step=step,
            )
        if study is None:
            return Findings(self.name)
        verdict = repair_verdict(study)
        adapter = described(
            study, encoder=images.encoder, revision=images.revision, scenes=case.table.name
        )
        save_adapter(adapter, case.folder / ADAPTER, repair_card(adapter, study, verdict.sentence))
        return Findings(
            self.name,
            study.records,
            (verdict,),
            sections=(repair_section(study),),
            found=(study,),
        )
