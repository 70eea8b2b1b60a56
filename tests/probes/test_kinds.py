"""Probes by cosine and of pairs: planted embeddings, splits, what is said, and the command."""

from __future__ import annotations

import numpy as np
import pytest

import conceptbind
from conceptbind.core.names import Control
from conceptbind.metrics.cosines import unit_rows
from conceptbind.probes.kinds import KindsStudy, cosine_probes, kinds_study, pair_table
from conceptbind.probes.kinds import pairs as room
from conceptbind.probes.kinds.words import kinds_section, kinds_sentence
from conceptbind.probes.study import bag_of_concepts, bag_probes, fitted_probes
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, split_scenes, text20
from conceptbind.scenes.swaps import pair_ids

SCENES = text20(5, 4)
SPLIT = split_scenes(SCENES, "pair")
RANDOM = np.random.default_rng(0)
OBJECTS = RANDOM.normal(size=(SCENES.space.n_objects, 64))
SLOTTED = RANDOM.normal(size=(2, SCENES.space.n_objects, 64))


def embedded(values, modality="text"):
    rows = np.asarray(values, dtype=np.float32)
    return Embeddings(rows, modality, SCENES.content_hash, SCENES.name, "planted", "1")


def study(values):
    rows = embedded(values)
    linear = {
        "none": fitted_probes(rows, SCENES, SPLIT),
        "bag_of_concepts": bag_probes(SCENES, SPLIT),
    }
    return kinds_study(rows, SCENES, SPLIT, linear=linear)


def shares(found):
    return [found.value(kind).value for kind in ("linear", "cosine", "pairs")]


def test_sums_of_object_codes_hold_objects_and_pairs_in_every_order():
    assert shares(study(OBJECTS[SCENES.objects].sum(axis=1))) == [1.0, 1.0, 1.0]


def test_codes_of_another_kind_in_each_place_hold_objects_and_no_pair_in_the_other_order():
    """The class of a pair saw one order, and the other order looks like something else."""
    values = SLOTTED[0][SCENES.objects[:, 0]] + SLOTTED[1][SCENES.objects[:, 1]]
    linear, cosine, pairs = shares(study(values))
    assert linear == 1
    assert cosine > 0.9
    assert pairs < 0.2


def test_a_random_code_for_each_scene_holds_nothing():
    values = np.random.default_rng(1).normal(size=(len(SCENES), 64))
    assert max(shares(study(values))) < 0.1


def test_a_bag_of_concepts_stands_beside_each_kind_and_is_what_it_reaches_itself():
    found = study(bag_of_concepts(SCENES))
    for kind in ("linear", "cosine", "pairs"):
        own, bag = found.value(kind), found.value(kind, Control.BAG_OF_CONCEPTS)
        assert own.value == pytest.approx(bag.value, abs=0.12), kind
        assert own.value < 0.9, kind


def test_a_probe_by_cosine_sees_no_lengths():
    """One scale for all: directions of its rows have one length, and longer rows change nothing."""
    values = unit_rows(OBJECTS[SCENES.objects].sum(axis=1))
    found = cosine_probes(values, SCENES, SPLIT)
    assert [len(candidates) for _, candidates in found] == [5, 4, 20]
    for weight, _ in found:
        lengths = np.linalg.norm(weight, axis=1)
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6)


def test_pairs_are_divided_by_the_order_of_their_objects():
    table = pair_table(SCENES, seed=3)
    parts = [set(part.tolist()) for part in (table.train, table.validation, table.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    sets = pair_ids(SCENES)[table.rows]
    assert len(np.unique(sets[table.train])) == len(table.train) == len(np.unique(sets))
    assert not set(sets[table.validation]) & set(sets[table.test])
    train = set(table.pairs[table.train].ravel().tolist())
    assert train == set(range(table.n_pairs)), "every pair was seen"
    assert table.n_pairs == 20 * 21 // 2
    for place in (*table.validation, *table.test):
        ((own,), held) = table.pairs[place], SCENES.objects[table.rows[place]]
        (twin,) = np.flatnonzero(sets[table.train] == sets[place])
        assert table.pairs[table.train[twin]] == own
        assert (SCENES.objects[table.rows[table.train[twin]]] == held[::-1]).all()


def test_scenes_of_three_objects_hold_three_pairs():
    space = ConceptSpace(("color", "shape"), (("red", "blue"), ("square", "circle")))
    table = pair_table(full_grid(space, slots=3))
    assert table.pairs.shape[1] == 3
    assert table.n_pairs == 10


def test_of_many_objects_a_sample_has_classes(monkeypatch):
    monkeypatch.setattr(room, "MOST_PAIRS", 60)
    table = pair_table(SCENES)
    assert table.n_pairs <= 60
    assert len(np.unique(SCENES.objects[table.rows])) == 10


@pytest.mark.parametrize(
    "rows", [[[0, 0], [1, 1]], [[[0, 0], [1, 1]], [[1, 0], [0, 1]]]], ids=["alone", "no order"]
)
def test_without_two_orders_there_are_no_pairs(rows):
    table = np.array(rows)
    scenes = Scenes(SCENES.space, table[:, None] if table.ndim == 2 else table)
    assert pair_table(scenes) is None


def test_what_is_said():
    found = study(OBJECTS[SCENES.objects].sum(axis=1))
    said = kinds_sentence(found)
    assert said.startswith(
        "In the caption embeddings of planted a probe by cosine recognises all objects of 100 % ("
    )
    assert "A linear one recognises them in 100 %. A probe of 210 pairs of objects" in said
    bare = KindsStudy(found.modality, found.records.where(probe=("linear", "cosine")), None)
    assert "takes scenes that hold the same objects in two orders" in kinds_sentence(bare)
    table = kinds_section(found).data["blocks"][1]
    assert table["head"][:2] == ["probe", "recognition of"]
    assert [row[:2] for row in table["rows"]] == [
        *(["by cosine", name] for name in ("adjective", "noun", "objects")),
        *(["linear", name] for name in ("adjective", "noun", "objects")),
        ["of pairs, linear", "pairs"],
    ]


def test_a_measurement_asks_for_it_by_name(tmp_path):
    asked = {"scenes": "text20:3x3", "modality": "text", "controls": False}
    found = conceptbind.measure("tiny", **asked, studies="probe_kinds", out=tmp_path / "run")
    assert {record.study for record in found.records} == {"probe_kinds"}
    assert {record.level for record in found.records} == {1}
    text = found.text()
    assert "object recognition (cosine probe)" in text
    assert "object recognition (linear probe)" in text
    assert "pair recognition" in text
