"""Level 2, usable within one modality, asked of a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.findings import Findings, Section, Verdict
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.metrics.cosines import unit_rows
from conceptbind.pictures.folder import draw_pictures
from conceptbind.probes.study import bag_of_concepts
from conceptbind.rows.source import source_of
from conceptbind.run.bars import progress, steps
from conceptbind.scenes.paraphrases import (
    FEWEST,
    ParaphraseBank,
    paraphrase_bank,
    read_by,
    wordings,
)
from conceptbind.scenes.swaps import all_swaps, orbit_ids
from conceptbind.scenes.table import Scenes
from conceptbind.within.pictures import given_triplets, picture_bank
from conceptbind.within.section import TERMS, within_section
from conceptbind.within.study import Items, WithinStudy, within_study
from conceptbind.within.triplets import Triplets, text_triplets
from conceptbind.within.words import not_judged, usable_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Ints, Modality
    from conceptbind.studies.case import Case

DRAWN = "pictures-again"
"""Folder of a run with the pictures that are drawn for it."""


class Usable:
    """Level 2: does cosine tell a scene from its swap?"""

    name = "within"
    question = "Is a scene nearer to its paraphrase than to its swap, within one modality?"
    splits = False

    def applies(self, case: Case) -> str | None:
        """Where attributes can be swapped, and captions or pictures can be made or are there
        several times.
        """
        if len(case.table.space.concepts) < 2:
            return "it needs two concepts, one of which is exchanged"
        attributes = range(len(case.table.space.concepts) - 1)
        if not len(all_swaps(case.table, attributes)[0]):
            return "no scene has an attribute swap"
        reasons = [_cannot(case, modality) for modality in case.modalities]
        return None if None in reasons else "; ".join(filter(None, reasons))

    def unjudged(self, case: Case, why: str) -> tuple[Verdict, ...]:
        """A verdict for each modality, which says why."""
        reasons = {modality: _cannot(case, modality) or why for modality in case.modalities}
        return tuple(
            not_judged(modality, case.rows(modality).encoder, reason)
            for modality, reason in reasons.items()
        )

    def run(self, case: Case) -> Findings:
        """A study, a verdict and a section for each modality that can be judged; for others the
        verdict says why not.
        """
        records: list[Records] = []
        verdicts: list[Verdict] = []
        sections: list[Section] = []
        studies: list[WithinStudy] = []
        for modality in case.modalities:
            reason = _cannot(case, modality)
            if reason is not None:
                verdicts.append(not_judged(modality, case.rows(modality).encoder, reason))
                continue
            study, section = _of_captions(case) if modality == "text" else _of_pictures(case)
            studies.append(study)
            sections.append(section)
            records.append(study.records)
            verdicts.append(usable_within(study.records, modality, case.rows(modality).encoder))
        return Findings(
            self.name,
            Records(record for part in records for record in part),
            tuple(verdicts),
            sections=tuple(sections),
            terms=TERMS,
            found=tuple(studies),
            outcomes=tuple(outcome for study in studies for outcome in study.outcomes),
        )


def _cannot(case: Case, modality: Modality) -> str | None:
    """Why a modality cannot be judged; None where it can."""
    if modality == "text":
        return _cannot_reword(case)
    drawn = case.table.drawing is not None and case.encodes("image")
    if drawn or given_triplets(case.table, case.asked.seed) is not None:
        return None
    return "no scene has a second picture and one of its swap"


def _cannot_reword(case: Case) -> str | None:
    """Why captions cannot be put in other words; None where they can."""
    if not case.encodes("text"):
        return "rows of captions are given, and an encoder is needed to embed paraphrases"
    if case.table.written_captions is not None:
        return "captions that came with the table cannot be put in other words"
    assert case.encoder is not None
    known, unknown = wordings(case.table, read_by(case.encoder))
    if len(known) >= FEWEST:
        return None
    named = ", ".join(f"'{wording.name}'" for wording in unknown)
    return f"the encoder does not know the words of the paraphrases {named}, or cuts them"


def _of_captions(case: Case) -> tuple[WithinStudy, Section]:
    """Captions in other words."""
    assert case.encoder is not None
    bank = paraphrase_bank(
        case.table,
        most=case.asked.paraphrased or None,
        synonyms=case.asked.synonyms,
        reads=read_by(case.encoder),
        seed=case.asked.seed,
    )
    rows = _embedded(case, "text", "paraphrases", bank.captions)
    rows[str(Control.BAG_OF_CONCEPTS)] = unit_rows(_bag(case.table, bank))
    rows[str(Control.BLIND_LENGTH)] = length_rows(bank.captions.written_captions or ())
    items = items_of(bank, case.table)
    with steps("comparing paraphrases", len(rows)) as step:
        study = within_study(
            rows,
            text_triplets(bank),
            items,
            modality="text",
            scenes=case.table.name,
            encoder=case.rows("text").encoder,
            on_step=step,
        )
    return study, within_section(study, case.table, lambda row: (bank.captions.caption(row),))


def items_of(bank: ParaphraseBank, table: Scenes) -> Items:
    """What the comparisons of a bank of paraphrases are about.

    Args:
        bank: captions in other words.
        table: the scenes.
    """
    orbits, concepts = orbit_ids(table)[bank.scene], table.space.concepts
    return Items(bank.scene, bank.concept, orbits, concepts, bank.wordings, bank.left_out)


def _of_pictures(case: Case) -> tuple[WithinStudy, Section]:
    """Pictures that are drawn for it, or that are there."""
    table, seed = case.table, case.asked.seed
    if table.drawing is not None and case.encodes("image"):
        bank = picture_bank(table, most=case.asked.redrawn or None, seed=seed)
        drawn = _drawn(bank.pictures, bank.places, case)
        items = bank.items
        settings: tuple[Triplets, ...] = bank.settings
        rows = _embedded(case, "image", "pictures drawn again", drawn)
    else:
        found = given_triplets(table, seed)
        assert found is not None
        drawn, items, settings = table, found[0], (found[1],)
        rows = {str(Control.NONE): case.rows("image").values}
        rows |= {name: twin.values for name, twin in case.controls("image").items()}
    rows[str(Control.BAG_OF_CONCEPTS)] = unit_rows(bag_of_concepts(drawn))
    with steps("comparing pictures", len(rows)) as step:
        study = within_study(
            rows,
            settings,
            items,
            modality="image",
            scenes=table.name,
            encoder=case.rows("image").encoder,
            on_step=step,
        )
    folder, images = drawn.image_folder or Path(), drawn.images

    def told(row: int) -> tuple[str | Path, ...]:
        caption = drawn.caption(row)
        return (caption,) if images is None else (caption, folder / images[row])

    return study, within_section(study, table, told)


def _drawn(pictures: Scenes, places: Ints, case: Case) -> Scenes:
    with progress(total=len(pictures), desc="drawing pictures again", unit="picture") as bar:
        return draw_pictures(
            pictures,
            case.folder / DRAWN,
            seed=case.asked.seed,
            places=places.tolist(),
            on_picture=bar.update,
        )


def _embedded(case: Case, modality: Modality, what: str, table: Scenes) -> dict[str, Floats]:
    """(r, d) unit rows of the encoder (`none`) and of its twins, by name."""
    twins = {name: source_of(twin) for name, twin in case.twins.items()}
    rows = {}
    for name, source in {str(Control.NONE): case.source, **twins}.items():
        told = what if name == Control.NONE else f"{what}, {name}"
        place = told.replace(", ", "-").replace(" ", "-")
        rows[name] = case.embedded(source, modality, place, told, table).values
    return rows


def _bag(table: Scenes, bank: ParaphraseBank) -> Float[Floats, "captions values"]:
    """How often each value occurs in what each caption says."""
    return bag_of_concepts(Scenes(table.space, bank.meaning))


def length_rows(captions: Sequence[str]) -> Float[Floats, "captions 2"]:
    """Unit rows whose cosine falls with the difference of lengths: a blind baseline, which goes
    by nothing but how long a caption is.

    Args:
        captions: (n,)
    """
    lengths = np.array([len(caption) for caption in captions], dtype=np.float64)
    angles = lengths / max(lengths.max(initial=1.0), 1.0) * np.pi / 2
    return np.column_stack([np.cos(angles), np.sin(angles)])
