"""The studies that `conceptbind measure` runs on one modality's embeddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError, counted
from conceptbind.core.files import content_hash
from conceptbind.core.names import Control, recognised
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import share_record
from conceptbind.core.version import __version__
from conceptbind.metrics.recognitions import Recognition, held_among, magnitude
from conceptbind.metrics.ties import rounding
from conceptbind.probes.scene_probes import (
    CHUNK,
    L2_GRID,
    WHITENING,
    Probe,
    SceneProbes,
    fit_scene_probes,
)
from conceptbind.probes.store import load_probes, save_probes
from conceptbind.probes.threads import steady
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes.split import Split
from conceptbind.scenes.swaps import pair_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Bools, Floats, Ints, Modality

Mistake = tuple[str, str, str]
"""A concept, its value that is there and was not found, and the value found in its place."""
GALLERY = 24
"""Wrong scenes that the report shows."""
LISTED = 300
"""Wrong scenes that the report lists, so that its page stays small."""


@dataclass(frozen=True)
class WrongScene:
    """A test scene whose objects the probe did not recognise."""

    row: int
    id: str
    caption: str
    image: Path | None
    true: tuple[str, ...]
    """Objects that are there."""
    read: tuple[str, ...]
    """The objects that score highest, as many as are there; of equals, one that is not there comes
    first."""
    tied: bool
    misbound: bool
    """What was recognised is joined from values that are in the scene: an illusory conjunction."""
    mistakes: tuple[Mistake, ...] = ()
    """Values that were found in place of others."""


@dataclass(frozen=True, eq=False)
class ProbeStudy:
    """Concept and object recognition of one modality, beside the bag-of-concepts control."""

    modality: Modality
    records: Records
    probes: SceneProbes
    objects: Recognition
    """Per test scene."""
    by_object: Float[Floats, " objects"]
    """(|O|,) object recognition of the test scenes that hold each object; NaN where none does."""
    n_by_object: Int[Ints, " objects"]
    """(|O|,) test scenes that hold each object."""
    wrong: tuple[WrongScene, ...]
    n_wrong: int
    ceiling: float | None
    """Share of the scored test scenes whose objects all occur in a train scene: no probe can
    recognise more. None where none is scored."""
    n_misbound: int
    """Wrong scenes whose misread objects are joined from values that are in the scene."""
    confused: Mapping[Mistake, int]
    """Confusions in wrong scenes: a concept, a value that is there and was not found, the value
    found in its place, and in how many scenes; the most frequent first."""
    notes: tuple[str, ...]
    """What a reader must know to trust the numbers."""
    missed: tuple[WrongScene, ...] = ()
    """The first `LISTED` wrong scenes, in table order."""

    def value(self, metric: str, control: str = Control.NONE, concept: str | None = None) -> Record:
        """The record of a metric."""
        return self.records.one(metric=metric, control=control, concept=concept)


@explains_arguments
@steady()
def probe_study(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    *,
    controls: Mapping[str, Embeddings] | None = None,
    keep: Path | None = None,
    l2_grid: Sequence[float] = L2_GRID,
    device: str = "cpu",
    on_step: Callable[[str], None] = lambda _: None,
    probes: SceneProbes | None = None,
    bag: SceneProbes | None = None,
) -> ProbeStudy:
    """Fit probes on the train rows, choose whitening and penalty on validation, score the test rows
    once.

    The same is done with a pure bag of concepts (the count of every value in the scene, and nothing
    else): what it reaches on these scenes is the level that recognition of objects must exceed to
    be evidence of binding.

    Args:
        embeddings: one modality of one encoder.
        scenes: the table that they belong to.
        split: by scene pair, as in arXiv 2605.31503, section 3.
        controls: embeddings of other encoders for the same scenes, by name: random weights, a
            bag twin.
        keep: a file in which fitted probes are kept, and from which they are taken when they fit
            the same input.
        l2_grid: penalties to choose from.
        device: where torch computes.
        on_step: called with the name of each step.
        probes: `fitted_probes` of the same embeddings and split, where they are there.
        bag: `bag_probes` of the same scenes and split, where they are there.

    Raises:
        MismatchError: the embeddings belong to another table.
        ValueRangeError: an embedding is NaN, infinite or zero.
    """
    embeddings.check(scenes)
    on_step("normalise")
    unit = embeddings.unit()
    if probes is None:
        probes = fitted_probes(
            unit,
            scenes,
            split,
            keep=keep,
            l2_grid=l2_grid,
            device=device,
            on_step=lambda head: on_step(f"probe {head}"),
        )
    bag_rows = bag_of_concepts(scenes)
    on_step("probe control")
    if bag is None:
        bag = fit_scene_probes(bag_rows, scenes, split, l2_grid=l2_grid, device=device)
    compared: list[tuple[str, SceneProbes, Floats]] = [
        (Control.NONE, probes, unit.values),
        (Control.BAG_OF_CONCEPTS, bag, bag_rows),
    ]
    for name, other in (controls or {}).items():
        on_step(f"probe {name}")
        other.check(scenes)
        rows = other.unit().values
        compared.append(
            (name, fit_scene_probes(rows, scenes, split, l2_grid=l2_grid, device=device), rows)
        )
    records, outcomes, pairs = [], {}, pair_ids(scenes)[split.test]
    for control, heads, rows in compared:
        for concept in (*range(len(scenes.space.concepts)), None):
            outcome = heads.recognise(rows, scenes, split.test, concept)
            outcomes[control, concept] = outcome
            probe = heads.head(concept)
            facts: dict[str, Value] = {
                "concept": None if concept is None else scenes.space.concepts[concept],
                "candidates": len(probe.candidates),
                "whitening": probe.whitening,
                "l2": probe.l2,
                "gradient_norm": probe.gradient_norm,
                "relative_gradient_norm": probe.relative_gradient_norm,
                "gap": probe.gap,
                "gap_bound": probe.gap_bound,
                "validation": probe.validation,
                "normalisation": unit.normalisation,
                "split_by": split.by,
                "seed": split.seed,
            }
            if control == Control.BAG_OF_CONCEPTS and concept is None:
                facts["no_choice"] = (
                    float(leaves_no_choice(scenes)[split.test][outcome.scored].mean())
                    if outcome.n
                    else None
                )
            records.append(
                share_record(
                    outcome,
                    pairs,
                    study="probe",
                    level=1,
                    control=control,
                    modality=embeddings.modality,
                    metric=recognised(concept),
                    split="test",
                    scenes=scenes.name,
                    encoder=embeddings.encoder,
                    own=facts,
                )
            )
    objects = outcomes[Control.NONE, None]
    wrong, missed, n_misbound, confused = _wrong_scenes(probes, unit.values, scenes, split, objects)
    by_object, n_by_object = _by_object(objects, scenes, split.test)
    return ProbeStudy(
        embeddings.modality,
        Records(records),
        probes,
        objects,
        by_object,
        n_by_object,
        tuple(wrong),
        objects.n - objects.hits,
        _ceiling(objects, scenes, split),
        n_misbound,
        confused,
        tuple(_notes(probes, scenes, split)),
        tuple(missed),
    )


def own_probes(source: object, table: Scenes) -> SceneProbes | None:
    """The encoder's own queries for the values and objects of a table, as probes, where it was
    trained on any: those of controlled models.
    """
    rows = getattr(source, "query_rows", None)
    if not callable(rows) or getattr(source, "details", {}).get("objective") == "scenes":
        return None
    heads = []
    for concept in (*range(len(table.space.concepts)), None):
        weight = np.asarray(rows(table.space, concept))
        heads.append(
            Probe(weight, np.arange(len(weight)), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, converged=True)
        )
    return SceneProbes(tuple(heads[:-1]), heads[-1])


def _ceiling(objects: Recognition, scenes: Scenes, split: Split) -> float | None:
    # (n, m)
    known = np.isin(scenes.objects[split.test][objects.scored], scenes.objects[split.train])
    return float(np.all(known, axis=1).mean()) if objects.n else None


def leaves_no_choice(scenes: Scenes) -> Bool[Bools, " scenes"]:
    """(n,) whether the values in a scene go with one set of objects only: no exchange of values
    makes others of them.
    """
    alone = np.ones(len(scenes), dtype=bool)
    for one, other in combinations(range(scenes.n_slots), 2):
        alone &= (scenes.table[:, one] != scenes.table[:, other]).sum(axis=1) <= 1
    return alone


@explains_arguments
def bag_of_concepts(scenes: Scenes) -> Float[Floats, "scenes values"]:
    """(n, V_1 + ... + V_C) how often each value occurs in each scene: all concepts, no binding.

    Args:
        scenes: the table of n scenes.
    """
    columns = scenes.table + np.cumsum((0, *scenes.space.sizes[:-1]))  # (n, m, C)
    bag = np.zeros((len(scenes), sum(scenes.space.sizes)), dtype=np.float32)
    for slot in range(scenes.n_slots):
        bag[np.arange(len(scenes))[:, None], columns[:, slot]] += (
            1  # values of one object are distinct columns
        )
    return bag


@steady()
def fitted_probes(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    *,
    keep: Path | None = None,
    l2_grid: Sequence[float] = L2_GRID,
    device: str = "cpu",
    on_step: Callable[[str], None] = lambda _: None,
) -> SceneProbes:
    """Probes of one modality; those that are kept in a file if they were fitted on the same rows
    and split.

    Args:
        embeddings: see `probe_study`, as are the rest.
        scenes: the table.
        split: train and validation scenes.
        keep: the file, which is written where it does not hold them.
        l2_grid: penalties to choose from.
        device: where torch computes.
        on_step: called with the name of each head.

    Raises:
        ValueRangeError: an embedding is NaN, infinite or zero, or all are the same.
    """
    unit = embeddings.unit()
    if (unit.values == unit.values[0]).all():
        raise ValueRangeError(
            f"all {counted(len(unit), 'row')} of '{unit.encoder}' are the same, so there is "
            "nothing to recognise; check that the encoder sees its captions or pictures"
        )
    parts = (
        np.ascontiguousarray(part).tobytes()
        for part in (unit.values, split.train, split.validation)
    )
    known = repr((tuple(l2_grid), WHITENING))
    key = content_hash(__version__, scenes.content_hash, known, *parts) if keep else ""
    probes = load_probes(keep, key) if keep else None
    if probes is None:
        probes = fit_scene_probes(
            unit.values, scenes, split, l2_grid=l2_grid, device=device, on_step=on_step
        )
        if keep:
            save_probes(probes, keep, key)
    return probes


@steady()
def bag_probes(scenes: Scenes, split: Split, device: str = "cpu") -> SceneProbes:
    """Probes of a bag of concepts, the control of `probe_study`."""
    return fit_scene_probes(bag_of_concepts(scenes), scenes, split, device=device)


def _by_object(objects: Recognition, scenes: Scenes, test: Ints) -> tuple[Floats, Ints]:
    """(|O|,) the share of test scenes recognised among those that hold each object, and how many
    these are.
    """
    held = scenes.objects[test]  # (n_test, m)
    # An object that stands in two slots of a scene counts once there.
    first = np.ones(held.shape, dtype=bool)
    for slot in range(1, held.shape[1]):
        first[:, slot] = (held[:, slot : slot + 1] != held[:, :slot]).all(axis=1)
    n = np.bincount(held[first], minlength=scenes.space.n_objects)
    hits = np.bincount(held[first & objects.correct[:, None]], minlength=scenes.space.n_objects)
    with np.errstate(invalid="ignore"):
        shares: Floats = hits / n
    return shares, n


def _wrong_scenes(
    probes: SceneProbes, rows: Floats, scenes: Scenes, split: Split, objects: Recognition
) -> tuple[list[WrongScene], list[WrongScene], int, dict[Mistake, int]]:
    """Test scenes that went wrong: a seeded sample in table order, and the first of them. Then how
    many of all misbound what they hold, and which values were found in place of others.
    """
    failed = objects.scored & ~objects.correct
    wrong, tied = split.test[failed], objects.tied[failed]
    read = np.concatenate(
        [
            _read(probes.objects, rows, scenes, wrong[i : i + CHUNK])
            for i in range(0, len(wrong), CHUNK)
        ]
        or [wrong[:, None]]
    )
    values, none = scenes.space.object_values(np.maximum(read, 0)), read < 0  # (w, m, C), (w, m)
    # (w, m)
    in_scene = (values[:, :, None, :] == scenes.table[wrong][:, None, :, :]).any(axis=2).all(axis=2)
    there = (read[:, :, None] == scenes.objects[wrong][:, None, :]).any(axis=2)  # (w, m)
    misbound = (in_scene | none).all(axis=1) & ~(there | none).all(axis=1)
    mistakes = _mistakes(scenes, scenes.table[wrong], values, ~none)
    shown = np.sort(np.random.default_rng(split.seed).permutation(len(wrong))[:GALLERY])

    def scene(i: int) -> WrongScene:
        row = int(wrong[i])
        return WrongScene(
            row,
            scenes.ids[row],
            scenes.caption(row),
            None if scenes.images is None else (scenes.image_folder or Path()) / scenes.images[row],
            tuple(map(scenes.space.object_name, scenes.objects[row].tolist())),
            tuple(map(scenes.space.object_name, read[i][~none[i]].tolist())),
            bool(tied[i]),
            bool(misbound[i]),
            tuple(mistakes[i]),
        )

    sample = [scene(i) for i in shown.tolist()]
    missed = [scene(i) for i in range(min(len(wrong), LISTED))]
    counts = Counter(mistake for own in mistakes for mistake in own)
    confused = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    return sample, missed, int(misbound.sum()), confused


def _mistakes(scenes: Scenes, there: Ints, found: Ints, known: Bools) -> list[list[Mistake]]:
    """Which values of each scene were found in place of others: where the values of a concept
    differ from those that were found by one.

    Args:
        scenes: their names.
        there: (w, m, C) values in the scenes.
        found: (w, m, C) values of the objects that were found.
        known: (w, m) whether an object was found.
    """
    mistakes: list[list[Mistake]] = [[] for _ in there]
    whole = np.flatnonzero(known.all(axis=1))
    for k, (concept, names) in enumerate(
        zip(scenes.space.concepts, scenes.space.values, strict=True)
    ):
        pairs = zip(there[whole, :, k].tolist(), found[whole, :, k].tolist(), strict=True)
        for scene, (true, read) in zip(whole.tolist(), pairs, strict=True):
            missed, instead = Counter(true) - Counter(read), Counter(read) - Counter(true)
            if missed.total() == 1:
                ((one,), (other,)) = missed, instead
                mistakes[scene].append((concept, names[one], names[other]))
    return mistakes


def _read(probe: Probe, rows: Floats, scenes: Scenes, wrong: Ints) -> Ints:
    """(w, m) the objects that score highest, as many as are there; -1 behind them. A tie is a miss:
    of equals, what is there comes last.
    """
    block = rows[wrong]
    scores = block @ probe.weight.T
    present = held_among(probe.candidates, scenes.objects[wrong])
    margin = rounding(scores, magnitude(block, probe.weight))
    best = np.argsort(np.where(present, 2 * margin[:, None], 0) - scores, axis=1, kind="stable")[
        :, : scenes.n_slots
    ]
    read = np.full((len(wrong), scenes.n_slots), -1)
    read[:, : best.shape[1]] = np.where(
        np.arange(best.shape[1]) < present.sum(axis=1)[:, None], probe.candidates[best], -1
    )
    return read


def _notes(probes: SceneProbes, scenes: Scenes, split: Split) -> list[str]:
    notes = []
    seen, tested = np.unique(scenes.objects[split.train]), np.unique(scenes.objects[split.test])
    new = np.setdiff1d(tested, seen)
    if len(new):
        notes.append(
            f"{len(new)} of the {counted(len(tested), 'object')} in the test scenes never "
            "occur in a train "
            "scene, so their probe could not learn "
            "them; object recognition is lower for it. More scenes would help."
        )
    for concept, probe in zip(
        (*scenes.space.concepts, "objects"), (*probes.concepts, probes.objects), strict=True
    ):
        if not probe.converged:
            notes.append(
                f"the probe of {concept} stopped before its optimum (estimated gap {probe.gap:.1e} "
                "nats)."
            )
    return notes
