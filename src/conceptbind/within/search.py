"""Conjunctive search: is the one object there that joins the features of the others? (arXiv
2502.03566, section 4.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import plain_record, share_record
from conceptbind.metrics.cosines import unit_rows
from conceptbind.metrics.intervals import ordering_interval
from conceptbind.metrics.recognitions import Recognition, join, recognised_by
from conceptbind.metrics.ties import rounding
from conceptbind.pictures.flat import FlatStyle
from conceptbind.pictures.search import SearchFields, draw_field, search_fields
from conceptbind.pictures.solid import SolidStyle
from conceptbind.probes.scene_probes import fit_probe, whitened
from conceptbind.probes.threads import steady
from conceptbind.scenes.captions import article

if TYPE_CHECKING:
    from PIL.Image import Image

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Bools, Encoder, Floats, Ints

N_FIELDS = 600
COUNTS = (4, 8, 16)
"""Objects in a field."""
TRAIN, VALIDATION = 0.5, 0.2
BATCH = 64
LISTED = 6
"""Missed fields that are kept with their pictures."""


class Missed(NamedTuple):
    """A field about which the classifier was wrong."""

    row: int
    """Its place among the fields."""
    target: str
    """The object to look for."""
    objects: int
    """How many it holds."""
    present: bool
    """Whether the target is there."""
    tied: bool
    """Whether both answers scored the same."""
    picture: Image


class SearchStudy(NamedTuple):
    """What was measured, and what was missed."""

    records: Records
    missed: tuple[Missed, ...]
    """Fields that the encoder's own classifier missed: at most `LISTED`, evenly from all."""
    n_missed: int


@explains_arguments
def search_records(
    encoder: Encoder,
    *,
    controls: Mapping[str, Encoder] | None = None,
    colors: Sequence[str] = ("red", "green"),
    shapes: Sequence[str] = ("square", "circle"),
    n_fields: int = N_FIELDS,
    counts: Sequence[int] = COUNTS,
    style: FlatStyle | SolidStyle | None = None,
    scenes_name: str = "search",
    seed: int = 0,
) -> Records:
    """Can the target be found, by a linear classifier on picture embeddings, and by the caption of
    the target alone?

    For every target one classifier (with bias) says present or absent; each part of the split is
    half with the target. The zero-shot counterpart compares the cosines of a target's caption with
    all fields that have it and all that do not: the share of such pairs in the right order
    (`search_in_order`), chance 0.5. It is the area under the ROC curve, but for ties, which are
    misses here as everywhere. The record's `ties` are the fields with the target that tie with one
    without it.

    Args:
        encoder: embeds pictures; captions too for the zero-shot part.
        controls: other encoders for the same fields, by name.
        colors: two or more colours.
        shapes: two or more shapes.
        n_fields: pictures drawn, half with the target.
        counts: numbers of objects in a field.
        style: flat or solid.
        scenes_name: recorded.
        seed: of fields, pictures and splits.
    """
    return search_study(
        encoder,
        controls=controls,
        colors=colors,
        shapes=shapes,
        n_fields=n_fields,
        counts=counts,
        style=style,
        scenes_name=scenes_name,
        seed=seed,
    ).records


def search_study(
    encoder: Encoder,
    *,
    controls: Mapping[str, Encoder] | None = None,
    colors: Sequence[str] = ("red", "green"),
    shapes: Sequence[str] = ("square", "circle"),
    n_fields: int = N_FIELDS,
    counts: Sequence[int] = COUNTS,
    style: FlatStyle | SolidStyle | None = None,
    scenes_name: str = "search",
    seed: int = 0,
) -> SearchStudy:
    """As `search_records`, with the fields that were missed.

    Args:
        encoder: as there.
        controls: as there.
        colors: as there.
        shapes: as there.
        n_fields: as there.
        counts: as there.
        style: as there.
        scenes_name: as there.
        seed: as there.
    """
    fields = search_fields(n_fields, colors, shapes, counts=counts, seed=seed)
    facts: dict[str, Value] = {"objects": ", ".join(map(str, counts)), "seed": seed}
    records: list[Record] = []
    embedded = _embedded({Control.NONE: encoder, **(controls or {})}, fields, seed, style)
    own = embedded[Control.NONE]
    wrong: list[tuple[int, bool]] = []
    for control, rows in embedded.items():
        rng = np.random.default_rng(seed)
        outcomes = []
        for _, mine in _by_target(fields):
            tested, outcome = _classify(rows[mine], fields.present[mine], rng)
            outcomes.append(outcome)
            if control == Control.NONE:
                lost = ~outcome.correct
                wrong += zip(mine[tested][lost].tolist(), outcome.tied[lost].tolist(), strict=True)
        records.append(
            share_record(
                join(outcomes),
                study="search",
                modality="image",
                metric=Metric.SEARCH_ACCURACY,
                split="test",
                scenes=scenes_name,
                encoder=encoder.id,
                control=control,
                own=facts,
            )
        )
    if "text" in encoder.modalities:
        found = [
            _in_order(encoder, target, own[mine], fields.present[mine])
            for target, mine in _by_target(fields)
        ]
        ordered = [right.astype(float) for right, _ in found]
        n, ties = sum(map(len, ordered)), sum(int(tied.any(axis=1).sum()) for _, tied in found)
        value = float(
            np.average(
                [right.mean() for right in ordered], weights=[len(right) for right in ordered]
            )
        )
        low, high = ordering_interval(ordered)
        records.append(
            plain_record(
                Metric.SEARCH_IN_ORDER,
                value,
                n,
                low,
                high,
                study="search",
                ties=ties,
                split="all",
                scenes=scenes_name,
                encoder=encoder.id,
                level=None,
                pairs=sum(right.size for right in ordered),
                **facts,
            )
        )
    spread = np.linspace(0, len(wrong) - 1, min(LISTED, len(wrong))).round().astype(int)
    missed = (_missed(fields, wrong[i], seed, style) for i in spread)
    return SearchStudy(Records(records), tuple(missed), len(wrong))


def _missed(
    fields: SearchFields, wrong: tuple[int, bool], seed: int, style: FlatStyle | SolidStyle | None
) -> Missed:
    row, tied = wrong
    picture, _ = draw_field(fields, row, seed=seed, style=style)
    target, n_objects = " ".join(fields.targets[row]), int(fields.n_objects[row])
    return Missed(row, target, n_objects, bool(fields.present[row]), tied, picture)


def _by_target(fields: SearchFields) -> list[tuple[tuple[str, str], Ints]]:
    """Each target and the fields that are about it."""
    found: list[tuple[tuple[str, str], Ints]] = []
    for target in sorted(set(fields.targets)):
        about_it = [other == target for other in fields.targets]
        found.append((target, np.flatnonzero(about_it)))
    return found


def _embedded(
    encoders: Mapping[str, Encoder],
    fields: SearchFields,
    seed: int,
    style: FlatStyle | SolidStyle | None,
) -> dict[str, Floats]:
    """Unit rows (n, d) of the pictures of all fields, by each encoder; each picture is drawn
    once.
    """
    parts: dict[str, list[Floats]] = {name: [] for name in encoders}
    for first in range(0, len(fields), BATCH):
        pictures = [
            draw_field(fields, i, seed=seed, style=style)[0]
            for i in range(first, min(first + BATCH, len(fields)))
        ]
        for name, encoder in encoders.items():
            parts[name].append(np.asarray(encoder.encode_images(pictures), dtype=np.float32))
    return {name: unit_rows(np.concatenate(found)) for name, found in parts.items()}


def _in_order(
    encoder: Encoder, target: tuple[str, str], rows: Floats, present: Bools
) -> tuple[Bools, Bools]:
    """(p, a) for each of p fields with the target and a without it: whether it is strictly nearer
    to the target's caption, and ties.
    """
    name = " ".join(target)
    query = np.asarray(encoder.encode_texts([f"{article(name)} {name}"]), dtype=np.float32)[0]
    cosines = rows @ (query / np.linalg.norm(query))
    there, absent = cosines[present], cosines[~present]
    lead = there[:, None] - absent[None]
    margin = rounding(lead, 1.0)
    return lead > margin, np.abs(lead) <= margin


@steady()
def _classify(rows: Floats, present: Bools, rng: np.random.Generator) -> tuple[Ints, Recognition]:
    """The test fields of one present / absent classifier, half of them with the target, and its
    outcome on them.
    """
    sides = np.empty(len(rows))
    for answer in (False, True):  # the same shares of both
        members = np.flatnonzero(present == answer)
        sides[rng.permutation(members)] = np.arange(len(members)) / len(members)
    train, validation, test = (
        sides < TRAIN,
        (sides >= TRAIN) & (sides < TRAIN + VALIDATION),
        sides >= TRAIN + VALIDATION,
    )
    # the last column is the bias
    features = np.column_stack([rows, np.ones(len(rows), rows.dtype)])
    answers = np.stack([~present, present], axis=1)

    def outcome(weight: Floats, rows: Bools) -> Recognition:
        return recognised_by(weight, features[rows], answers[rows])

    def validate(weight: Floats) -> float:
        return outcome(weight, validation).accuracy

    coordinates = whitened(torch.from_numpy(features[train]))
    targets = torch.tensor(answers[train], dtype=coordinates[0].rotated.dtype)
    moments = [targets.T @ part.rotated / len(targets) for part in coordinates]
    probe = fit_probe(coordinates, moments, np.arange(2), validate)
    return np.flatnonzero(test), outcome(probe.weight, test)
