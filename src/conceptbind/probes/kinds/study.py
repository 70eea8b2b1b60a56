"""Probes by cosine and probes of pairs beside the linear ones, on the same embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control, Metric, recognised
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import share_record
from conceptbind.metrics.cosines import unit_rows
from conceptbind.metrics.recognitions import recognised_by
from conceptbind.probes.kinds.cosine_heads import cosine_probes
from conceptbind.probes.kinds.pairs import pair_recognition, pair_table
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats, Ints, Modality
    from conceptbind.metrics.recognitions import Recognition
    from conceptbind.probes.scene_probes import SceneProbes
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

STUDY = "probe_kinds"
LINEAR, COSINE, PAIRS = "linear", "cosine", "pairs"
"""Kinds of probes, as the column `probe` names them."""
FACTS: Mapping[str, Any] = {"study": STUDY, "level": 1, "split": "test"}


@dataclass(frozen=True, eq=False)
class KindsStudy:
    """What each kind of probe recognises."""

    modality: Modality
    records: Records
    n_pairs: int | None
    """Pairs that had a class; None where no scene stands in two orders."""

    def value(self, kind: str, control: str = Control.NONE) -> Record | None:
        """The recognition of objects, or of pairs, by a kind of probe."""
        metric = Metric.PAIR_RECOGNITION if kind == PAIRS else Metric.OBJECT_RECOGNITION
        return self.records.first(probe=kind, control=control, metric=metric)


@explains_arguments
@steady()
def kinds_study(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    *,
    linear: Mapping[str, SceneProbes],
    seed: int = 0,
    device: str = "cpu",
    on_step: Callable[[str], None] = lambda _: None,
) -> KindsStudy:
    """Fit probes by cosine and of pairs, and score them beside linear ones.

    Probes by cosine have the split of the linear ones. Probes of pairs are fitted on one order of
    every scene's objects and scored on the others (see `pairs`).

    Args:
        embeddings: one modality of one encoder.
        scenes: the table that they belong to.
        split: by scene pair.
        linear: linear probes of the embeddings (`none`) and of a bag of concepts, by control.
        seed: of samples and starts.
        device: where torch computes.
        on_step: called with the name of each control that is done.

    Raises:
        MismatchError: the embeddings belong to another table.
        ValueRangeError: a row has length 0.
    """
    embeddings.check(scenes)
    pairs, draws = pair_table(scenes, seed), pair_ids(scenes)[split.test]
    counts = bag_of_concepts(scenes)
    rows = {
        str(Control.NONE): embeddings.unit().values,
        str(Control.BAG_OF_CONCEPTS): unit_rows(counts),
    }
    # linear probes of a bag are fitted on its counts, as they are
    plain = {**rows, str(Control.BAG_OF_CONCEPTS): counts}
    records: list[Record] = []
    for control, values in rows.items():
        about = {"modality": embeddings.modality, "scenes": scenes.name, "control": control}
        facts: dict[str, Any] = {**FACTS, **about, "encoder": embeddings.encoder}
        heads = [(COSINE, values, cosine_probes(values, scenes, split, seed=seed))]
        if control in linear:
            fitted = (*linear[control].concepts, linear[control].objects)
            weights = tuple((probe.weight, probe.candidates) for probe in fitted)
            heads.append((LINEAR, plain[control], weights))
        for kind, asked, found in heads:
            outcomes = _recognised(asked, found, scenes, split.test)
            for name, outcome in zip((*scenes.space.concepts, None), outcomes, strict=True):
                told = {**facts, "own": {"concept": name, "probe": kind}}
                records.append(share_record(outcome, draws, metric=recognised(name), **told))
        if pairs is not None:
            outcome, drawn = pair_recognition(values, pairs, device)
            told = {**facts, "own": {"concept": None, "probe": PAIRS}}
            records.append(share_record(outcome, drawn, metric=Metric.PAIR_RECOGNITION, **told))
        on_step(control)
    n_pairs = None if pairs is None else pairs.n_pairs
    return KindsStudy(embeddings.modality, Records(records), n_pairs)


def _recognised(
    rows: Floats, heads: Sequence[tuple[Floats, Ints]], scenes: Scenes, test: Ints
) -> Iterator[Recognition]:
    """What the probe of each concept recognises in test scenes, then that of objects."""
    for concept, (weight, candidates) in zip(
        (*range(len(scenes.space.concepts)), None), heads, strict=True
    ):
        present = scenes.presence(concept, test)[:, candidates]
        yield recognised_by(weight, rows[test], present)
