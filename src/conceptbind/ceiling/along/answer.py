"""An encoder trained for the very question, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.ceiling.along.study import STUDY, AlongStudy, along_study
from conceptbind.ceiling.along.words import TERMS, along_section, along_sentence
from conceptbind.core.errors import ModalityError
from conceptbind.core.findings import Findings
from conceptbind.core.records import Records
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class Along:
    """The ceiling of the attribute of a noun (arXiv 2502.03566, section 4)."""

    name = STUDY
    question = "Which attribute does a noun have, where the encoder is trained for this question?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where there is an encoder that can be trained, and nouns with attributes."""
        if case.encoder is None:
            return "it trains the encoder, and rows cannot be trained"
        if not hasattr(case.encoder, "trainable"):
            return f"it trains the encoder, and '{case.source.id}' cannot be trained"
        if len(case.table.space.concepts) < 2:
            return "it asks for the attribute of a noun, and there is one concept only"
        if max(case.table.space.sizes[:-1]) < 2:
            return "it asks which attribute a noun has, and no attribute has two values"
        return None

    def run(self, case: Case) -> Findings:
        """A study, a sentence and a section for each modality.

        Raises:
            ModalityError: the encoder has no tower that can be trained.
            ValueRangeError: the scenes cannot be divided.
        """
        asked = (_study(case, modality) for modality in case.modalities)
        studies = tuple(study for study in asked if study is not None)
        if not studies:
            raise ModalityError(
                f"the study {STUDY} found no noun with enough scenes in '{case.table.name}'; give "
                "more scenes"
            )
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            sentences=tuple(said for study in studies for said in along_sentence(study)),
            sections=tuple(map(along_section, studies)),
            terms=TERMS,
            found=studies,
        )


def _study(case: Case, modality: Modality) -> AlongStudy | None:
    assert case.encoder is not None
    rows = case.rows(modality)
    with progress(desc=f"training along, {modality}", unit="step") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return along_study(
            case.encoder,
            rows,
            case.table,
            epochs=case.asked.along_epochs,
            rate=case.asked.along_rate,
            flip=case.asked.flip and modality == "image",
            seed=case.asked.seed,
            on_step=step,
        )
