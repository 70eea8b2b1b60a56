"""Do pictures and captions agree on binding? The study of level 3, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings
from conceptbind.crossmodal.controls import control_records
from conceptbind.crossmodal.section import TERMS, across_section
from conceptbind.crossmodal.study import crossmodal_study, query_record
from conceptbind.crossmodal.words import across, not_judged

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.studies.case import Case


def cannot_compare(case: Case) -> str | None:
    """Why pictures and captions of a case cannot be compared; None where they can."""
    if set(case.modalities) != {"text", "image"}:
        return "it needs pictures and captions"
    if not case.encodes("text"):
        return "it needs an encoder, which embeds captions with their attributes swapped"
    if case.table.written_captions is not None:
        return "captions that came with the table cannot be swapped"
    return None


class Across:
    """Level 3 (arXiv 2502.03566, section 3)."""

    name = "crossmodal"
    question = "Does a picture prefer its caption to the caption with the attributes swapped?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where one encoder embeds both, and captions can be swapped."""
        return cannot_compare(case)

    def unjudged(self, case: Case, why: str) -> tuple[Verdict, ...]:
        """A verdict that says why, where pictures and captions are there."""
        if set(case.modalities) != {"text", "image"}:
            return ()
        return (not_judged(case.rows("image").encoder, why),)

    def run(self, case: Case) -> Findings:
        """One study, verdict and section."""
        queried = [
            query_record(case.rows(modality), case.queries(concept), case.table, concept)
            for modality in case.modalities
            for concept in (*range(len(case.table.space.concepts)), None)
        ]
        images, pictures = case.rows("image"), case.controls("image")
        controls = control_records(
            {name: (rows, case.captions(name)) for name, rows in pictures.items()},
            case.table,
            case.bank,
            encoder=images.encoder,
        )
        study = crossmodal_study(
            images,
            case.captions(),
            case.table,
            case.bank,
            extra=(*queried, *controls),
            seed=case.asked.seed,
        )
        return Findings(
            self.name,
            study.records,
            (across(study),),
            sections=(across_section(study, case.table),),
            terms=TERMS,
            found=(study,),
            outcomes=study.outcomes,
        )
