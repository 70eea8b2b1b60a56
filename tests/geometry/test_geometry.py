"""The geometry study: planted embeddings end to end, holes, samples, and what it refuses to make
up.
"""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from conceptbind.core.errors import MismatchError
from conceptbind.geometry import STEPS, geometry_study
from conceptbind.geometry import study as module
from conceptbind.geometry.section import edits_csv, geometry_sentence
from conceptbind.probes import fit_scene_probes
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import concept_codes, object_codes

SPACE = ConceptSpace(("color", "shape"), (tuple("rgbyk"), tuple("stc")))
GRID = full_grid(SPACE, 2)


def study(values, scenes=GRID, **options):
    rows = Embeddings(
        np.asarray(values, np.float32), "text", scenes.content_hash, scenes.name, "planted", "1"
    )
    split = split_scenes(scenes, "pair", seed=0)
    return geometry_study(
        rows, scenes, split, fit_scene_probes(rows.unit().values, scenes, split), **options
    )


def positions(scenes=GRID, noise=0.05):
    """Codes of objects in slots: additive, and the two orders differ."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(scenes.n_slots, scenes.space.n_objects, 64))
    values = sum(codes[slot][scenes.objects[:, slot]] for slot in range(scenes.n_slots))
    return values + noise * rng.normal(size=values.shape), codes


@pytest.fixture(scope="module")
def additive():
    steps = []
    values, codes = positions()
    found = study(values, singles=codes[0] / 1.4, controls=None, on_step=steps.append)
    assert tuple(steps) == STEPS
    return found


def test_planted_objects_are_found_by_every_part(additive):
    (r2,) = [
        r
        for r in additive.records.where(
            study="additive", metric="r2", additive_level=1, estimator="avg+pos"
        )
        if r.split == "all"
    ]
    assert r2.value > 0.97
    assert additive.spectra["none"].share("objects") < 0.03
    search = additive.records.one(
        study="edit", metric="edit_retrieval", estimator="avg+pos", steering=1.0, attribute="all"
    )
    probing = additive.records.one(
        study="edit", metric="edit_probing", estimator="avg+pos", steering=1.0, attribute="all"
    )
    assert search.value > 0.97
    assert probing.value > 0.95
    parts = [
        additive.records.where(
            study="edit", metric="edit_retrieval", estimator="avg+pos", steering=1.0, attribute=name
        )
        for name in ("same", "different")
    ]
    assert search.n == sum(record.n for (record,) in parts)
    still = additive.records.one(
        study="edit", metric="edit_retrieval", estimator="avg+pos", steering=0.0
    )
    assert still.value == 0
    gone = additive.records.one(study="removal", metric="object_recognition", removed="objects")
    kept = additive.records.one(
        study="removal", metric="object_recognition", removed="permuted_objects"
    )
    assert gone.value < 0.2 < 0.8 < kept.value


def test_every_number_is_a_number_with_its_facts(additive):
    for record in additive.records:
        assert record.value is not None
        assert math.isfinite(record.value)
        assert record.n > 0
        assert record.control == "none"
        if record.study == "edit":
            assert record.ci_low <= record.value + 0.01
            assert record.value - 0.01 <= record.ci_high
            assert record["protocol"] == "strict"
    assert additive.scaling is not None


def test_a_bag_has_no_binding_share_and_its_objects_are_not_read_from_sums():
    found = study(
        concept_codes(GRID) + 1e-3 * np.random.default_rng(0).normal(size=(len(GRID), 48))
    )
    assert found.spectra["none"].binding_share < 0.03
    record = found.records.one(
        study="additive", metric="object_recognition", additive_level=2, estimator="least_squares"
    )
    assert record.value < 0.6


def test_a_table_with_holes_and_few_scenes_says_what_it_leaves_out():
    rows = np.flatnonzero(GRID.objects[:, 0] != GRID.objects[:, 1])
    holes = GRID.select(rows)
    found = study(positions(holes)[0], holes)
    assert found.spectra["none"].method == "sequential least squares"
    few = GRID.select(np.random.default_rng(0).permutation(len(GRID))[:40])
    found = study(np.random.default_rng(1).normal(size=(40, 16)), few)
    assert all(record.value is None or math.isfinite(record.value) for record in found.records)
    assert any("least squares has" in note for note in found.notes)


def test_one_object_alone():
    one = full_grid(ConceptSpace(("color", "shape"), (tuple("rgbykwpo"), tuple("stc"))), 1)
    found = study(object_codes(one) + concept_codes(one), one)
    assert found.scaling is None
    assert found.spectra["none"].share("concept", "object") == pytest.approx(1)
    assert any("no object of an edit stands in a second scene" in note for note in found.notes)


def test_what_is_too_much_is_sampled_and_said(monkeypatch):
    monkeypatch.setattr(module, "MOST_PRODUCTS", 1.0)
    monkeypatch.setattr(module, "MOST_EDITS", 10)
    monkeypatch.setattr(module, "REMOVAL_SCENES", 50)
    found = study(positions()[0])
    notes = " ".join(found.notes)
    for words in ("one new value is drawn", "fitted on 50 of"):
        assert words in notes
    record = found.records.one(study="removal", metric="object_recognition", removed="none")
    assert record["n_train"] == 50


def test_rows_of_another_table_are_refused():
    rows = Embeddings(positions()[0].astype(np.float32), "text", "0" * 64, "other", "planted", "1")
    with pytest.raises(MismatchError):
        geometry_study(rows, GRID, split_scenes(GRID, "pair"), None)


def test_every_edit_is_kept_with_what_it_hit():
    values, codes = positions()
    found = study(values, singles=codes[0] / 1.4, strength=0.4, keep_edits=True)
    plain = study(values, singles=codes[0] / 1.4)
    assert plain.cases == ()
    at_one = found.records.where(study="edit", steering=1.0)
    assert list(at_one) == list(plain.records.where(study="edit", steering=1.0))
    kinds = {(case.metric, case.vectors, case.strength) for case in found.cases}
    assert len(kinds) == len(found.cases) == 2 * 3 * 2
    for case in found.cases:
        facts = {"estimator": case.vectors, "steering": case.strength, "attribute": "all"}
        record = found.records.one(study="edit", metric=case.metric, **facts)
        assert (record.n, record.value) == (len(case.edits), case.hits.hit.mean())
    rows = list(csv.DictReader(edits_csv(found.cases, GRID).splitlines()))
    assert len(rows) == sum(len(case.edits) for case in found.cases)
    assert sum(int(row["hit"]) for row in rows) == sum(c.hits.hit.sum() for c in found.cases)
    for row in rows[:: len(rows) // 50]:
        scene, target = (GRID.ids.index(row[name]) for name in ("scene", "target"))
        slot, concept = int(row["slot"]) - 1, SPACE.concepts.index(row["concept"])
        changed = GRID.table[scene].copy()
        assert SPACE.values[concept][changed[slot, concept]] == row["old"]
        changed[slot, concept] = SPACE.values[concept].index(row["new"])
        assert (changed == GRID.table[target]).all()


def test_the_published_protocol_stands_beside_ours():
    values, _ = positions(noise=1.2)
    found, plain = study(values, published=True), study(values)
    ours = {"study": "edit", "protocol": "strict"}
    assert list(found.records.where(**ours)) == list(plain.records.where(**ours))
    both = found.records.where(study="edit", steering=1.0, attribute="all", estimator="avg+pos")
    strict, paper = (both.one(metric="edit_retrieval", protocol=p) for p in ("strict", "paper"))
    assert paper.n == strict.n
    # the vector of the new object has seen the answer
    assert paper.value > strict.value + 0.05
    assert geometry_sentence(found) == geometry_sentence(plain)
