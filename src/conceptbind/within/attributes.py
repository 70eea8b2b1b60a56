"""Is the binding inside each modality? For every noun, which attribute does it have? (arXiv
2502.03566, section 4.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Control, Metric
from conceptbind.core.outcomes import Outcome, recognition_outcome
from conceptbind.core.records import Records
from conceptbind.core.scored import share_record
from conceptbind.metrics.recognitions import Recognition, join, recognised_by
from conceptbind.probes.scene_probes import Probe, fit_probe, whitened
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.scenes.split import Split, split_scenes
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.rows.embeddings import Embeddings

FRACTIONS = (0.8, 0.1, 0.1)
"""Train, validation, test, by orbit: a combination, its other order and its attribute swaps are on
one side."""
FEWEST = 8
"""Train scenes that a noun needs."""
MOST = 4000
"""Train scenes of a noun from which on every second, third, ... is left out, to keep large grids
quick."""


class AttributeStudy(NamedTuple):
    """Which attribute each noun has, and the scenes behind it."""

    records: Records
    outcomes: tuple[Outcome, ...]
    """One for each attribute concept over all nouns, of the encoder itself: an item is a scene and
    a noun that it holds."""


NOTHING = AttributeStudy(Records(), ())


@explains_arguments
def attribute_records(
    embeddings: Embeddings,
    scenes: Scenes,
    *,
    controls: Mapping[str, Embeddings] | None = None,
    seed: int = 0,
) -> Records:
    """The records of `attribute_study`.

    Args:
        embeddings: of one modality.
        scenes: the table.
        controls: embeddings of other encoders for the same scenes, by name.
        seed: of the split.
    """
    return attribute_study(embeddings, scenes, controls=controls, seed=seed).records


@explains_arguments
@steady()
def attribute_study(
    embeddings: Embeddings,
    scenes: Scenes,
    *,
    controls: Mapping[str, Embeddings] | None = None,
    seed: int = 0,
) -> AttributeStudy:
    """One linear classifier (with bias) for every noun and attribute, from the scene's embedding to
    the attributes that the noun has there.

    Right when the values that score highest are exactly the set of the noun's attributes in the
    scene. The noun is the last concept. Penalties are chosen on validation; test scenes are scored
    once.

    The control `bag_of_concepts` fits the same classifiers on how often each value occurs in the
    scene. It knows which attributes are there, so it is right where the scene leaves no choice, and
    guesses among the few that are there elsewhere: far above one in all values. The interval takes
    the scenes of an orbit as one draw.

    Args:
        embeddings: of one modality.
        scenes: the table.
        controls: embeddings of other encoders for the same scenes, by name.
        seed: of the split.

    Returns:
        Records: for each attribute concept and control one over all nouns; for the encoder itself
        also one for each noun. And the outcomes. Empty where the scenes cannot be split by orbit.
    """
    embeddings.check(scenes)
    if len(scenes.space.concepts) < 2:
        return NOTHING
    try:
        split = split_scenes(scenes, "orbit", fractions=FRACTIONS, seed=seed)
    except ValueRangeError:  # fewer orbits than parts
        return NOTHING
    records, found_by = [], []
    orbits = orbit_ids(scenes)
    compared: dict[str, Floats] = {
        Control.NONE: embeddings.unit().values,
        Control.BAG_OF_CONCEPTS: bag_of_concepts(scenes),
    }
    for control, other in (controls or {}).items():
        other.check(scenes)
        compared[control] = other.unit().values
    for control, unit in compared.items():
        for k in range(len(scenes.space.concepts) - 1):
            outcomes = {}
            for noun in range(scenes.space.sizes[-1]):
                found = noun_outcome(unit, scenes, split, k, noun)
                if found is not None and found[0].n:
                    outcomes[noun] = found
            if not outcomes:
                continue
            together = (
                join([outcome for outcome, _ in outcomes.values()]),
                np.concatenate([rows for _, rows in outcomes.values()]),
            )
            parts: list[tuple[str | None, tuple[Recognition, Ints]]] = [(None, together)]
            if control == Control.NONE:
                parts += [
                    (scenes.space.values[-1][noun], found) for noun, found in outcomes.items()
                ]
                about = {
                    "study": "attribute_probe",
                    "metric": str(Metric.ATTRIBUTE_RECOGNITION),
                    "modality": str(embeddings.modality),
                    "concept": scenes.space.concepts[k],
                }
                joined, rows = together
                found_by.append(recognition_outcome(joined, rows, orbits[rows], **about))
            records += [
                share_record(
                    outcome,
                    orbits[rows],
                    study="attribute_probe",
                    level=1,
                    modality=embeddings.modality,
                    metric=Metric.ATTRIBUTE_RECOGNITION,
                    split="test",
                    scenes=scenes.name,
                    encoder=embeddings.encoder,
                    control=control,
                    own={
                        "concept": scenes.space.concepts[k],
                        "noun": name,
                        "split_by": split.by,
                        "seed": split.seed,
                    },
                )
                for name, (outcome, rows) in parts
            ]
    return AttributeStudy(Records(records), tuple(found_by))


def noun_outcome(
    unit: Float[Floats, "scenes width"], scenes: Scenes, split: Split, k: int, noun: int
) -> tuple[Recognition, Int[Ints, " tested"]] | None:
    """The outcome of one noun's classifier on the test scenes that hold the noun, and these; None
    where there are too few scenes.

    Args:
        unit: (n, d) unit rows.
        scenes: the table.
        split: of the scenes.
        k: which concept is recognised.
        noun: of which noun.
    """
    test = holding(scenes, split.test, noun)
    probe = noun_probe(unit, scenes, split, k, noun) if len(test) else None
    if probe is None:
        return None
    return noun_recognition(probe.weight, unit[test], scenes, test, k, noun), test


def noun_probe(
    unit: Float[Floats, "scenes width"], scenes: Scenes, split: Split, k: int, noun: int
) -> Probe | None:
    """The classifier of one noun, fitted on the train scenes that hold it; those of validation
    choose its penalty. None where there are too few scenes. Its last column is the bias.

    Args:
        unit: (n, d) unit rows; those of test scenes are not read.
        scenes: the table.
        split: of the scenes.
        k: which concept is recognised.
        noun: of which noun.
    """
    train, validation = (holding(scenes, part, noun) for part in (split.train, split.validation))
    if len(train) < FEWEST or not len(validation):
        return None
    train = train[:: max(1, len(train) // MOST)]  # twenty values of a noun's attribute need no more

    def validate(weight: Floats) -> float:
        found = noun_recognition(weight, unit[validation], scenes, validation, k, noun)
        return found.accuracy if found.n else 1.0

    counts = values_of(scenes, train, k, noun)
    targets = torch.tensor(
        counts / counts.sum(axis=1, keepdims=True), dtype=torch.from_numpy(unit[:1]).dtype
    )
    coordinates = whitened(torch.from_numpy(_with_bias(unit[train])))
    moments = [targets.T @ rows.rotated / len(train) for rows in coordinates]
    return fit_probe(coordinates, moments, np.arange(scenes.space.sizes[k]), validate)


def noun_recognition(
    weight: Float[Floats, "values _"],
    unit: Float[Floats, "rows width"],
    scenes: Scenes,
    rows: Int[Ints, " rows"],
    k: int,
    noun: int,
) -> Recognition:
    """Whether the values of a noun score above all others in each of some scenes that hold it.

    Args:
        weight: (V_k, d + 1) a classifier; its last column is the bias.
        unit: (b, d) unit rows of these scenes.
        scenes: the table.
        rows: (b,) scenes that hold the noun.
        k: which concept is recognised.
        noun: of which noun.
    """
    return recognised_by(weight, _with_bias(unit), values_of(scenes, rows, k, noun) > 0)


def holding(scenes: Scenes, rows: Int[Ints, " rows"], noun: int) -> Int[Ints, " some"]:
    """Those of some scenes that hold a noun."""
    return rows[holds(scenes, rows, noun)]


def holds(scenes: Scenes, rows: Int[Ints, " rows"], noun: int) -> Bool[Bools, " rows"]:
    """(b,) whether each of some scenes holds a noun."""
    found: Bools = (scenes.table[rows, :, -1] == noun).any(axis=1)
    return found


def values_of(
    scenes: Scenes, rows: Int[Ints, " rows"], k: int, noun: int
) -> Float[Floats, "rows values"]:
    """(b, V_k) how many objects of some scenes with the noun have each value of a concept."""
    counts = np.zeros((len(rows), scenes.space.sizes[k]))
    for slot in range(scenes.n_slots):
        here = scenes.table[rows, slot, -1] == noun
        counts[np.flatnonzero(here), scenes.table[rows, slot, k][here]] += 1
    return counts


def _with_bias(unit: Floats) -> Floats:
    """(b, d + 1) rows with a last column for the bias."""
    return np.column_stack([unit, np.ones(len(unit), unit.dtype)])
