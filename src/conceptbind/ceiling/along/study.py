"""The attribute of a noun, by an encoder as it is and by one that was trained for the question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conceptbind.ceiling.along.training import BATCH, EPOCHS, RATE, train_along
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record, share_record
from conceptbind.metrics.recognitions import join
from conceptbind.probes.study import bag_of_concepts
from conceptbind.scenes.split import split_scenes
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.within.attributes import (
    FRACTIONS,
    holds,
    noun_probe,
    noun_recognition,
)

if TYPE_CHECKING:
    from conceptbind.ceiling.along.training import Question, TrainedAlong
    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Encoder, Floats, Ints, Modality
    from conceptbind.metrics.recognitions import Recognition
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

STUDY = "trained_along"
FROZEN, TRAINED = "frozen", "trained"
"""What the column `weights` says."""
MOST_TRAIN, MOST_VALIDATION, MOST_TEST = 4_000, 1_000, 2_000
"""Scenes of each part; of more, a seeded sample."""


@dataclass(frozen=True, eq=False)
class AlongStudy:
    """One modality of one encoder, before and after it was trained for the question."""

    modality: Modality
    records: Records
    trained: TrainedAlong

    def value(self, weights: str, concept: str) -> Record:
        """The recognition of a concept by `frozen` or `trained` weights."""
        return self._one(Metric.ATTRIBUTE_RECOGNITION, Control.NONE, weights, concept)

    def gain(self, concept: str) -> Record:
        """Trained minus frozen, noun by noun; only where validation chose to train."""
        return self._one(Metric.ATTRIBUTE_GAIN, Control.NONE, TRAINED, concept)

    def bag(self, concept: str) -> Record:
        """What a bag of concepts recognises by classifiers of its own."""
        return self._one(Metric.ATTRIBUTE_RECOGNITION, Control.BAG_OF_CONCEPTS, FROZEN, concept)

    def _one(self, metric: str, control: str, weights: str, concept: str) -> Record:
        return self.records.one(metric=metric, control=control, weights=weights, concept=concept)


@explains_arguments
def along_study(
    encoder: Encoder,
    embeddings: Embeddings,
    scenes: Scenes,
    *,
    epochs: int = EPOCHS,
    rate: float = RATE,
    batch: int = BATCH,
    flip: bool = False,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> AlongStudy | None:
    """Train an encoder along with classifiers of each noun's attribute, and score both on test
    scenes.

    A combination and all its swaps are on one side of the split, as for the frozen classifiers of
    `within.attribute_study`. Frozen and trained see the same scenes, and test scenes are scored
    once.

    Args:
        encoder: a shipped dual encoder, or `hf:`; it stays as it is.
        embeddings: its rows for all scenes, of the modality that is trained.
        scenes: the table, with pictures where those are trained on.
        epochs: passes over the train scenes.
        rate: highest rate of AdamW for the encoder.
        batch: scenes of a step.
        flip: whether pictures are mirrored left to right by chance.
        seed: of the split, the batches and the mirrors.
        on_step: called with steps done and steps in all.

    Returns:
        None where no noun has enough scenes.

    Raises:
        ModalityError: an encoder that cannot be trained, or scenes without pictures.
        ValueRangeError: options out of range, scenes that cannot be divided, or scenes that speak
            of sides with `flip`.
        MismatchError: the embeddings belong to another table.
    """
    split = _few(split_scenes(scenes, "orbit", fractions=FRACTIONS, seed=seed), seed)
    options: dict[str, Any] = {"epochs": epochs, "rate": rate, "batch": batch, "flip": flip}
    found = train_along(encoder, embeddings, scenes, split, **options, seed=seed, on_step=on_step)
    if found is None:
        return None
    bag, test = bag_of_concepts(scenes), split.test
    counts = {
        asked: probe.weight
        for asked in found.frozen
        if (probe := noun_probe(bag, scenes, split, *asked)) is not None
    }
    scored = (
        _Scored(FROZEN, Control.NONE, embeddings.unit().values[test], found.frozen),
        _Scored(TRAINED, Control.NONE, found.rows(test), found.trained),
        _Scored(FROZEN, Control.BAG_OF_CONCEPTS, bag[test], counts),
    )
    records: list[Record] = []
    for k, concept in enumerate(scenes.space.concepts[:-1]):
        facts: dict[str, Any] = {"modality": embeddings.modality, "encoder": embeddings.encoder}
        facts |= {"study": STUDY, "level": 1, "split": "test", "scenes": scenes.name}
        told: dict[str, Value] = {"concept": concept, "split_by": split.by, "seed": seed}
        mine = _records(scored, scenes, test, k, facts, told)
        # what was not trained changed nothing, and its interval would say that it might have
        kept = (one for one in mine if found.helps or one.metric != Metric.ATTRIBUTE_GAIN)
        records += kept
    return AlongStudy(embeddings.modality, Records(records), found)


class _Scored(NamedTuple):
    """Whose rows of the test scenes, and the classifiers on them."""

    weights: str
    control: str
    unit: Floats
    classifiers: Mapping[Question, Floats]


def _records(
    several: tuple[_Scored, ...],
    scenes: Scenes,
    rows: Ints,
    k: int,
    facts: dict[str, Any],
    told: Mapping[str, Value],
) -> Iterator[Record]:
    """The recognition of one concept by each, and what training changes, noun by noun."""
    frozen: Recognition | None = None
    for one in several:
        found = _outcome(one, scenes, rows, k)
        if found is None:
            continue
        outcome, which = found
        orbits, own = orbit_ids(scenes)[which], {**told, "weights": one.weights}
        metric = Metric.ATTRIBUTE_RECOGNITION
        yield share_record(outcome, orbits, metric=metric, control=one.control, own=own, **facts)
        there = outcome.scored
        if one.weights == TRAINED and frozen is not None and there.any():
            change = outcome.correct[there].astype(float) - frozen.correct[there]
            yield mean_record(
                *(Metric.ATTRIBUTE_GAIN, change, None, orbits[there], "difference"),
                **{**facts, **own},
            )
        frozen = outcome


def _few(split: Split, seed: int) -> Split:
    """The split, with a seeded sample of its large parts."""
    random = np.random.default_rng(seed)

    def some(rows: Ints, most: int) -> Ints:
        return rows if len(rows) <= most else np.sort(random.permutation(rows)[:most])

    train, validation = some(split.train, MOST_TRAIN), some(split.validation, MOST_VALIDATION)
    return replace(split, train=train, validation=validation, test=some(split.test, MOST_TEST))


def _outcome(one: _Scored, scenes: Scenes, rows: Ints, k: int) -> tuple[Recognition, Ints] | None:
    """Of all nouns of one concept together, and the scene of each item."""
    outcomes: list[Recognition] = []
    which: list[Ints] = []
    for (concept, noun), weight in one.classifiers.items():
        here = holds(scenes, rows, noun)
        if concept == k and here.any():
            mine = rows[here]
            outcomes.append(noun_recognition(weight, one.unit[here], scenes, mine, k, noun))
            which.append(mine)
    return (join(outcomes), np.concatenate(which)) if outcomes else None
