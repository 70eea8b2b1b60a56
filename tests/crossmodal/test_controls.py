"""Controls where pictures are compared with captions: planted ones with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import MismatchError
from conceptbind.crossmodal import caption_bank, crossmodal_study
from conceptbind.crossmodal.controls import control_records
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid

SPACE = ConceptSpace(
    ("color", "shape"), (("red", "blue", "green", "gray"), ("square", "circle", "star"))
)
SCENES = full_grid(SPACE)
BANK = caption_bank(SCENES)


def codes(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 64))


def by_objects(scenes):
    """Knows which objects are there."""
    return codes(SPACE.n_objects)[scenes.objects].sum(1)


def rows(encode, noise=0.0):
    """Of pictures and captions, each with a noise of its own."""
    found = []
    for seed, (modality, table) in enumerate((("image", SCENES), ("text", BANK.scenes))):
        values = encode(table) + noise * np.random.default_rng(seed).normal(size=(len(table), 64))
        about = (modality, table.content_hash, table.name, "e", "1")
        found.append(Embeddings(values.astype(np.float32), *about))
    return tuple(found)


def nothing(scenes):
    return np.zeros((len(scenes), 64))


def test_a_bag_ties_with_every_swap_a_binder_wins_and_noise_is_a_coin():
    twins = {"random_weights": rows(nothing, 1.0), "bag_twin": rows(by_objects)}
    found = control_records(twins, SCENES, BANK, encoder="mine")
    asked = {"metric": "binding_accuracy", "order": "either"}
    bag, random, twin = (found.one(control=name, **asked) for name in ("bag_of_concepts", *twins))
    assert (bag.value, bag.ties, twin.value, twin.ties) == (0.0, bag.n, 1.0, 0)
    assert random.ci_low < 0.5 < random.ci_high
    assert (
        found.one(control="bag_of_concepts", metric="concept_accuracy", order="either").value == 1
    )
    assert {(r.encoder, r.study, r.modality, r.level) for r in found} == {
        ("mine", "crossmodal", "both", 3)
    }


def test_a_control_is_scored_as_the_encoder_is():
    """The same rows under both names have the same numbers, intervals, n and ties."""
    mixed = rows(by_objects, 3.0)
    own = crossmodal_study(*mixed, SCENES, BANK).records
    found = control_records({"bag_twin": mixed}, SCENES, BANK, encoder="e")
    twin = found.where(control="bag_twin")
    assert len(twin) == 6
    for record in twin:
        other = own.one(metric=record.metric, order=record["order"])
        assert 0.5 < record.value < 1
        assert record.but(control="none") == other


def test_without_encoders_that_are_controls_a_bag_is_left():
    found = control_records({}, SCENES, BANK, encoder="e")
    assert found.distinct("control") == ("bag_of_concepts",)


def test_rows_of_another_table_are_refused():
    other = SCENES.select(np.arange(10))
    images, captions = rows(by_objects)
    with pytest.raises(MismatchError):
        control_records({"bag_twin": (images, captions)}, other, caption_bank(other), encoder="e")
