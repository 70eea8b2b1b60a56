"""One look: every number of an encoder on a suite, equal to what `conceptbind measure` reports on
the same scenes and seed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control, Metric
from conceptbind.core.outcomes import Outcome, recognition_outcome
from conceptbind.core.records import Records
from conceptbind.core.scored import plain_record
from conceptbind.crossmodal.study import crossmodal_study
from conceptbind.crossmodal.words import across
from conceptbind.metrics.cosines import unit_rows
from conceptbind.metrics.intervals import mean_interval
from conceptbind.probes.study import bag_of_concepts, probe_study
from conceptbind.probes.words import verdict as decodable
from conceptbind.rows.embeddings import Embeddings
from conceptbind.rows.encoding import encode_piece, piece_of
from conceptbind.rows.source import EncoderSource
from conceptbind.scenes.swaps import pair_ids
from conceptbind.scenes.table import Scenes
from conceptbind.watching.parts import angle_items, binding_items
from conceptbind.watching.scores import ModelLook, Number, about_of, mean_number, share_number
from conceptbind.within.study import Items, WithinStudy, main_record, within_study
from conceptbind.within.triplets import Triplets, text_triplets
from conceptbind.within.usable import length_rows
from conceptbind.within.words import usable_within

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Encoder, Floats, Ints, Modality
    from conceptbind.watching.suite import Suite


@explains_arguments
def look_at(
    suite: Suite, encoder: Encoder, step: int = 0, name: str = "", numbered: bool = True
) -> ModelLook:
    """Every number of an encoder that the scenes allow.

    Args:
        suite: the scenes.
        encoder: of captions, pictures or both.
        step: of its training.
        name: of its checkpoint.
        numbered: whether the step is that of a training.

    Raises:
        ConceptBindError: its rows cannot be made, are not finite, or are all the same.
    """
    start, eye = time.perf_counter(), _Eye(suite, encoder)
    for modality in eye.modalities:
        eye.decodable(modality)
    if "text" in eye.modalities:
        eye.captions()
    if "image" in eye.modalities:
        eye.pictures()
    if len(eye.modalities) == 2:
        eye.across()
    for modality in eye.modalities:
        eye.parts(modality)
    seconds = time.perf_counter() - start
    return ModelLook(step, name, tuple(eye.numbers), tuple(eye.verdicts), seconds, numbered)


class _Eye:
    """What was found so far of one encoder."""

    def __init__(self, suite: Suite, encoder: Encoder) -> None:
        self.suite, self.encoder = suite, encoder
        self.modalities = EncoderSource(encoder).able(suite.scenes, "auto")
        self.table = suite.drawn if "image" in self.modalities else suite.scenes
        self.rows = {part: self.embedded(self.table, part) for part in self.modalities}
        self.numbers: list[Number] = []
        self.verdicts: list[Verdict] = []

    def embedded(self, table: Scenes, modality: Modality) -> Embeddings:
        """Unit rows of a table; nothing is written."""
        found = encode_piece(self.encoder, piece_of(table, modality, 0, len(table))).rows
        who = self.encoder.id, self.encoder.revision
        return Embeddings(found, modality, table.content_hash, table.name, *who).unit()

    def share(self, record: Record, outcome: Outcome) -> None:
        """Add a share."""
        told = Outcome(
            about_of(record), outcome.right, outcome.tied, outcome.rows, clusters=outcome.clusters
        )
        self.numbers.append(share_number(record, told))

    def decodable(self, modality: Modality) -> None:
        """Level 1."""
        suite, rows = self.suite, self.rows[modality]
        study = probe_study(rows, self.table, suite.split, bag=suite.bag)
        test = suite.split.test
        clusters = pair_ids(self.table)[test]
        record = study.value(Metric.OBJECT_RECOGNITION)
        self.share(record, recognition_outcome(study.objects, test, clusters))
        self.verdicts.append(decodable(study))

    def captions(self) -> None:
        """Level 2 of captions."""
        found = self.suite.reworded(self.encoder)
        if found is None:
            return
        bank, items = found
        own = self.embedded(bank.captions, "text")
        beside = {
            str(Control.BAG_OF_CONCEPTS): unit_rows(
                bag_of_concepts(Scenes(self.table.space, bank.meaning))
            ),
            str(Control.BLIND_LENGTH): length_rows(bank.captions.written_captions or ()),
        }
        self.within(own, beside, text_triplets(bank), items)

    def pictures(self) -> None:
        """Level 2 of pictures."""
        found = self.suite.redrawn
        if found is None:
            return
        table, items, settings = found
        own = self.embedded(table, "image")
        beside = {str(Control.BAG_OF_CONCEPTS): unit_rows(bag_of_concepts(table))}
        self.within(own, beside, settings, items)

    def within(
        self,
        own: Embeddings,
        beside: Mapping[str, Floats],
        settings: tuple[Triplets, ...],
        items: Items,
    ) -> None:
        """Level 2 of one modality; its controls are the same for every encoder."""
        modality, suite = own.modality, self.suite
        rows = {str(Control.NONE): own.values}
        if modality not in suite.controls:
            rows |= beside
        study: WithinStudy = within_study(
            rows,
            settings,
            items,
            modality=modality,
            scenes=self.table.name,
            encoder=own.encoder,
        )
        suite.controls.setdefault(modality, _but_own(study.records))
        for outcome in study.outcomes:
            record = main_record(study.records, outcome.about["setting"])
            self.share(record, outcome)
        mine = study.records.where(control=Control.NONE)
        records = Records((*mine, *suite.controls[modality]))
        self.verdicts.append(usable_within(records, modality, own.encoder))

    def across(self) -> None:
        """Level 3."""
        bank = self.suite.captions
        captions = self.embedded(bank.scenes, "text")
        study = crossmodal_study(
            self.rows["image"], captions, self.table, bank, seed=self.suite.seed
        )
        metric = Metric.BINDING_ACCURACY
        found = (one for one in study.outcomes if one.about["metric"] == metric)
        self.share(study.value(metric, order="either"), next(found))
        self.verdicts.append(across(study))

    def parts(self, modality: Modality) -> None:
        """What the embeddings are made of."""
        suite, rows = self.suite, self.rows[modality]
        clusters = pair_ids(self.table)
        share, items = binding_items(rows.values, self.table)
        told = {"kind": "object", "study": "spectrum", "split": "all"}
        self.mean(Metric.BINDING_SHARE, share, len(rows), items, clusters, rows, told)
        angle, pairs, items = angle_items(rows.values, self.table, suite.split.train, suite.seed)
        told = {"study": "factors", "split": "train"}
        each = range(len(items))
        self.mean(Metric.ACROSS_VALUE_COSINE, angle, pairs, items, each, rows, told)

    def mean(
        self,
        metric: Metric,
        value: float,
        n: int,
        items: Floats | None,
        clusters: Ints | Iterable[int],
        rows: Embeddings,
        told: Mapping[str, str],
    ) -> None:
        """Add a mean of real numbers; without items it has no interval and is left out of
        comparisons.
        """
        import numpy as np

        draws = np.asarray(list(clusters))
        low, high = (None, None) if items is None else mean_interval(items, draws, (0.0, 1.0))
        who = {"scenes": rows.scenes_name, "encoder": rows.encoder, "modality": rows.modality}
        record = plain_record(metric, value, n, low, high, ties=None, **who, **told, level=None)
        known, mine = (items, draws) if items is not None else (np.array([value]), np.zeros(1, int))
        self.numbers.append(mean_number(record, known, mine))


def _but_own(records: Records) -> Records:
    return Records(one for one in records if one.control != Control.NONE)
