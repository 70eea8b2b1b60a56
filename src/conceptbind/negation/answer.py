"""The study of negation, asked of a case: does an encoder react to "no"?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.findings import Findings, Section
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.negation.controls import bag_of_concepts, bag_of_words, blind
from conceptbind.negation.items import NegationBank, Twins, negation_bank, twin_scenes
from conceptbind.negation.section import TERMS, negation_section
from conceptbind.negation.study import NegationStudy, Rows, negation_study
from conceptbind.negation.wordings import NAMES, lacks_no, read_wordings
from conceptbind.negation.words import negation_verdict, not_judged
from conceptbind.pictures.folder import draw_pictures
from conceptbind.rows.source import source_of
from conceptbind.run.bars import progress, steps
from conceptbind.scenes.captions import caption, parts_of_template
from conceptbind.scenes.paraphrases import read_by
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Modality
    from conceptbind.studies.case import Case

DRAWN = "pictures-negation"
"""Folder of a run with the pairs of pictures that are drawn for it."""


class NegationHeard:
    """A caption with "no", against scenes with and without the object."""

    name = "negation"
    question = 'Does the encoder react to "no", or does a caption find what it says is absent?'
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where an encoder embeds captions that are made here."""
        if not case.encodes("text"):
            return "it needs an encoder of captions"
        if case.table.written_captions is not None:
            return "captions that came with the table cannot be negated"
        return None

    def run(self, case: Case) -> Findings:
        """A verdict for descriptions and one for pictures, with a study and a section where they
        can be judged.
        """
        assert case.encoder is not None
        reads = read_by(case.encoder)
        base, noun = _example(case.table)
        known, left_out = read_wordings(reads, base, noun)
        encoder = case.encoder.id
        if not known:
            reason = _no_words(encoder, lacks_no=lacks_no(reads, base, noun))
            verdicts = [not_judged(encoder, modality, reason) for modality in case.modalities]
            return Findings(self.name, verdicts=tuple(verdicts))
        verdicts, studies, sections = [], [], list[Section]()
        for modality in case.modalities:
            twins = _twins(case, modality)
            if not len(twins):
                verdicts.append(not_judged(encoder, modality, _no_pairs(modality)))
                continue
            bank = negation_bank(case.table, twins, known, left_out)
            study = _study(case, bank, twins, modality)
            studies.append(study)
            sections.append(negation_section(study))
            verdicts.append(negation_verdict(study.records, modality, encoder))
        return Findings(
            self.name,
            Records(record for study in studies for record in study.records),
            tuple(verdicts),
            sections=tuple(sections),
            terms=TERMS if studies else (),
            found=tuple(studies),
            outcomes=tuple(outcome for study in studies for outcome in study.outcomes),
        )


def _example(table: Scenes) -> tuple[str, str]:
    """The rest of a scene and a noun, by which wordings are tried."""
    inner = parts_of_template(table.template)[1]
    objects = table.table[0]
    rest = objects[:-1] if len(objects) > 1 else objects
    return caption(table.space, rest, inner), table.space.values[-1][objects[-1, -1]]


def _no_words(encoder: str, *, lacks_no: bool) -> str:
    if lacks_no:
        return f"{encoder}'s vocabulary has no word for 'no'"
    named = ", ".join(f"'{name}'" for name in NAMES)
    return f"{encoder} reads none of the wordings {named}, or cuts them"


def _no_pairs(modality: str) -> str:
    if modality == "image":
        return "no two pictures differ in the noun of one object alone"
    return "no scene has a noun that could be another"


def _twins(case: Case, modality: Modality) -> Twins:
    """Pairs of scenes: of descriptions and of pictures that are drawn any, else of those given."""
    asked = case.asked
    if modality == "text":
        return twin_scenes(case.table, most=asked.paraphrased or None, seed=asked.seed)
    given = case.table.drawing is None
    return twin_scenes(case.table, most=asked.redrawn or None, seed=asked.seed, given=given)


def _study(case: Case, bank: NegationBank, twins: Twins, modality: Modality) -> NegationStudy:
    encoder = case.source.id
    sources = {name: source_of(twin) for name, twin in case.twins.items()}
    shown = None if modality == "text" else _pictures(case, twins)
    rows = {}
    for name, source in {str(Control.NONE): case.source, **sources}.items():
        place, told = f"negation-{modality}", f"negations, {modality}"
        if name != Control.NONE:
            place, told = f"{place}-{name}", f"{told}, {name}"
        captions = case.embedded(source, "text", place, told, bank.captions).values
        if shown is None:
            rows[name] = Rows(captions, captions[bank.described])
            continue
        table, which = shown
        pictures = case.embedded(source, "image", f"{place}-pictures", f"pairs of {told}", table)
        rows[name] = Rows(captions, pictures.values[which])
    rows[str(Control.BAG_OF_CONCEPTS)] = bag_of_concepts(bank, case.table, twins)
    if modality == "text":
        rows[str(Control.BAG_OF_WORDS)] = bag_of_words(bank)
    rows[str(Control.BLIND_LENGTH)] = blind(bank, described=modality == "text")
    with steps(f"comparing negations, {modality}", len(rows)) as step:
        return negation_study(
            rows,
            bank,
            twins,
            modality=modality,
            scenes=case.table.name,
            encoder=encoder,
            seed=case.asked.seed,
            on_step=step,
        )


def _pictures(case: Case, twins: Twins) -> tuple[Scenes, np.ndarray]:
    """Pictures of the pairs, and (i, 2) their rows. Both of a pair that is drawn have the same
    places, sizes and ground.
    """
    n = len(twins)
    if case.table.drawing is None:
        return case.table, np.stack([twins.row, twins.partner], axis=1)
    both = np.concatenate([twins.first, twins.second])
    ids = tuple(f"{row}{side}" for side in "ab" for row in range(n))
    table = replace(
        case.table,
        table=both,
        ids=ids,
        name=f"negation pairs of {case.table.name}",
        images=None,
        image_folder=None,
        boxes=None,
    )
    places = [*range(n), *range(n)]
    with progress(total=len(table), desc="drawing pairs of pictures", unit="picture") as bar:
        drawn = draw_pictures(
            table,
            case.folder / DRAWN,
            seed=case.asked.seed,
            places=places,
            on_picture=bar.update,
        )
    return drawn, np.stack([np.arange(n), np.arange(n) + n], axis=1)
