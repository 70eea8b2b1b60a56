"""Conjunctive search: is the one object there that joins the features of the others? (arXiv
2502.03566, section 4.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Bools, Encoder, Floats, Ints

N_FIELDS = 600
COUNTS = (4, 8, 16)
"""Objects in a field."""
TRAIN, VALIDATION = 0.5, 0.2
BATCH = 64


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
    fields = search_fields(n_fields, colors, shapes, counts=counts, seed=seed)
    facts: dict[str, Value] = {"objects": ", ".join(map(str, counts)), "seed": seed}
    records: list[Record] = []
    embedded = _embedded({Control.NONE: encoder, **(controls or {})}, fields, seed, style)
    own = embedded[Control.NONE]
    for control, rows in embedded.items():
        rng = np.random.default_rng(seed)
        outcomes = [
            _classify(rows[mine], fields.present[mine], rng) for _, mine in _by_target(fields)
        ]
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
                question=None,
                pairs=sum(right.size for right in ordered),
                **facts,
            )
        )
    return Records(records)


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
def _classify(rows: Floats, present: Bools, rng: np.random.Generator) -> Recognition:
    """The outcome of one present / absent classifier on its test fields, half of them with the
    target.
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
    return outcome(probe.weight, test)
