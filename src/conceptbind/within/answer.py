"""Is the binding inside one modality? Two studies of classifiers, asked of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Findings
from conceptbind.core.records import Records
from conceptbind.crossmodal.study import query_record
from conceptbind.run.bars import steps
from conceptbind.within.attributes import AttributeStudy, attribute_study
from conceptbind.within.search import search_study
from conceptbind.within.section import noun_section, search_section

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case


class AttributeOfNoun:
    """arXiv 2502.03566, section 4."""

    name = "attribute_probe"
    question = "Which attribute does each noun of a scene have, by a linear classifier?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Always; a table without nouns or attributes has no records."""

    def run(self, case: Case) -> Findings:
        """Records and a section for each modality."""
        studies = [self._study(case, modality) for modality in case.modalities]
        records = Records(record for study in studies for record in study.records)
        sections = (noun_section(records, modality) for modality in case.modalities)
        return Findings(
            self.name,
            records,
            sections=tuple(filter(None, sections)),
            found=records,
            outcomes=tuple(outcome for study in studies for outcome in study.outcomes),
        )

    def _study(self, case: Case, modality: Modality) -> AttributeStudy:
        rows, controls = case.rows(modality), case.controls(modality)
        with steps(f"attributes of nouns in {modality}", 1) as step:
            found = attribute_study(rows, case.table, controls=controls, seed=case.asked.seed)
            step("attributes of nouns")
        if case.own_probes is None:
            return found
        own = (
            query_record(rows, case.own_probes.head(concept).weight, case.table, concept, "own")
            for concept in (*range(len(case.table.space.concepts)), None)
        )
        return found._replace(records=found.records + own)


class Search:
    """arXiv 2502.03566, section 4."""

    name = "search"
    question = "Is one object found among many others in a picture?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where pictures are encoded and drawn flat."""
        if "image" not in case.modalities or not case.encodes("image"):
            return "it needs an encoder of pictures"
        if case.table.drawing != "flat":
            return "it draws flat scenes, and these are not"
        return None

    def run(self, case: Case) -> Findings:
        """Records and one section."""
        assert case.encoder is not None
        found = search_study(
            case.encoder,
            controls=case.twins,
            scenes_name=f"{case.table.name} search",
            seed=case.asked.seed,
        )
        records = found.records
        return Findings(self.name, records, sections=(search_section(found),), found=records)
