"""The sweep: its records, its score on planted functions, and how it goes on after a kill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind.complexity import SHORT, Sweep, complexity_sentence, complexity_study
from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.probes import fit_scene_probes
from conceptbind.report import paper_tables
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import concept_codes, object_codes

SCENES = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdefgh"), tuple("stuvwxyz"))))
SMALL = full_grid(ConceptSpace(("color", "shape"), (tuple("abcde"), tuple("uvwxy"))))
SWEEP = Sweep((0.4, 0.7), (("additive", None), ("per_object_product", 2)), 2, 100, 1, planted=())


def bound(scenes=SCENES, dimension: int = 32) -> np.ndarray:
    """Objects are products of four-dimensional vectors of their values: a simple function that
    binds.

    A large constant keeps the length of a row nearly the same for all scenes, so that unit rows are
    still such a function."""
    rng, table = np.random.default_rng(0), scenes.table
    sums = sum(rng.normal(size=(8, dimension))[table[:, :, k]].sum(axis=1) for k in range(2))
    colors, shapes = rng.normal(size=(2, 8, 4))
    products = (colors[table[:, :, 0]] * shapes[table[:, :, 1]]).sum(axis=1)
    values = sums + 2 * products @ rng.normal(size=(4, dimension))
    return np.hstack([values, np.full((len(values), 1), 100.0)]).astype(np.float32)


def run(values, sweep=SWEEP, scenes=SCENES, **options):
    split = split_scenes(scenes)
    rows = Embeddings(values, "text", scenes.content_hash, scenes.name, "planted", "1")
    return complexity_study(rows, scenes, split, sweep=sweep, jobs=1, **options)


@pytest.fixture(scope="module")
def study():
    return run(
        bound(), Sweep((0.7,), (("additive", None), ("per_object_product", 8)), 5, 200, 1, (2,))
    )


def scores(study, readout=None):
    return {str(r["approximator"]): r.value for r in study.scores(readout)}


def test_the_contract_of_the_records(study):
    rows = [record.flat() for record in study.records]
    assert {row["study"] for row in rows} == {"complexity"}
    assert {row["split"] for row in rows} == {"train", "mixed", "unseen", "all"}
    assert {row["metric"] for row in rows} == {
        "r2",
        "mse",
        "concept_recognition",
        "object_recognition",
        "generalisation_score",
        "binding_gap",
        "planted_gap",
        "products_needed",
    }
    assert (
        {row["readout"] for row in rows if "recognition" in row["metric"]}
        == {"plain", "whitened"}
        == set(study.readouts)
    )
    medians = [
        row
        for row in rows
        if row["seed"] is None
        and row["metric"] == "object_recognition"
        and row["approximator"] == "additive"
    ]
    for median in medians:
        same = ("approximator", "width", "coverage", "split", "metric", "readout")
        cells = [
            row["value"]
            for row in rows
            if row["seed"] is not None and all(row[k] == median[k] for k in same)
        ]
        assert median["value"] == pytest.approx(np.median(cells))
        assert median["n_seeds"] == len(cells) == 5
        if median["ci_low"] is None:
            assert len(set(cells)) == 1
        else:
            # five draws give their range
            assert (median["ci_low"], median["ci_high"]) == (
                min(cells),
                max(cells),
            )
            assert median["ci_low"] < median["ci_high"]


def test_binding_that_is_a_product_is_simple_and_not_additive(study):
    for readout in study.readouts:
        found = scores(study, readout)
        assert found["additive"] < 0.1
        assert found["per_object_product"] > 0.7
        assert found["chosen"] > 0.7
        assert found["planted"] > 0.2
    assert complexity_sentence(study).startswith(
        "A small model of the caption embeddings generalises to new objects. "
    )


def test_the_score_is_a_share_of_what_the_embeddings_reach(study):
    """By hand from the records of each draw."""
    for readout in study.readouts:
        at = {
            (r["approximator"], r["coverage"], r["seed"]): r.value
            for r in study.records
            if r.metric == "object_recognition"
            and r.split == "unseen"
            and r["readout"] == readout
            and r["seed"] is not None
        }
        shares = []
        for seed in range(5):
            mine, real, bag = (
                [at[name, coverage, seed] for coverage in (0.7,)]
                for name in ("per_object_product", "embeddings", "bag_of_concepts")
            )
            above = sum(max(min(m, r) - b, 0) for m, r, b in zip(mine, real, bag, strict=True))
            shares.append(above / sum(r - b for r, b in zip(real, bag, strict=True)))
        assert scores(study, readout)["per_object_product"] == pytest.approx(np.median(shares))


@pytest.mark.long
def test_codes_are_complex_and_a_bag_does_not_bind():
    sweep = Sweep((0.7,), (("additive", None), ("per_object_product", 4)), 5, 200, 1, (1,))
    codes = run(object_codes(SCENES), sweep)
    assert scores(codes)["chosen"] < 0.1 < 0.2 < scores(codes)["planted"]
    assert complexity_sentence(codes).startswith(
        "A small model of the caption embeddings does not generalise to new objects. "
    )
    bag = run(concept_codes(SCENES), replace(sweep, models=(("additive", None),), planted=()))
    assert set(scores(bag).values()) == {None}
    assert all(
        record.value > 0.9 for record in bag.curve("concept_recognition", "additive", None, "color")
    )
    assert "hold no more than a bag of concepts" in complexity_sentence(bag)


def test_the_bag_is_scored_on_scenes_that_its_probes_never_saw(study):
    """The level of a bag of concepts by probes of one half is the same on the scenes of the other
    half, with no more n than scenes.
    """
    for record in study.curve("object_recognition", "bag_of_concepts"):
        seen = [
            r
            for r in study.records
            if r["approximator"] == "embeddings" and r.metric == record.metric
        ]
        assert record.n == sum(
            r.n
            for r in seen
            if (r["coverage"], r["readout"]) == (record["coverage"], "plain")
            and r["seed"] is not None
        )
        assert record.value < 0.6


def test_the_chosen_approximator_is_the_best_on_validation_for_what_is_asked(study):
    rows = [
        r
        for r in study.records
        if r.split == "unseen" and r["seed"] is not None and r["readout"] == "plain"
    ]
    for r in rows:
        if r["approximator"] == "chosen" and "recognition" in r.metric:
            asked = (
                "validation_objects" if r.metric == "object_recognition" else "validation_concepts"
            )
            rivals = [
                o
                for o in rows
                if o["approximator"] in ("additive", "per_object_product")
                and o.metric == r.metric
                and (o["coverage"], o["seed"]) == (r["coverage"], r["seed"])
            ]
            assert r[asked] >= max(o[asked] for o in rivals) - 0.01
            assert r["n_validation"] >= 50


def test_few_scenes_of_new_objects_are_no_negative():
    study = run(object_codes(SMALL), Sweep((0.8,), (("additive", None),), 5, 2000, 1), SMALL)
    assert max(r["n_scenes"] for r in study.curve("object_recognition", "embeddings")) < 30
    assert "cannot be judged" in complexity_sentence(study)
    assert any("a simple rule would have been found is not known" in note for note in study.notes)


@pytest.mark.slow
def test_rounding_turns_no_answer():
    """Embeddings that differ in the last digits, as they do between thread counts and instruction
    sets.
    """
    values = bound(SMALL)
    other = values * (1 + 1e-6 * np.random.default_rng(0).normal(size=values.shape)).astype(
        np.float32
    )
    sweep = Sweep((0.6,), (("per_object_product", 2),), 5, 100, 1, planted=())
    one, two = (run(rows, sweep, SMALL) for rows in (values, other))
    for first in one.curve("object_recognition", "per_object_product"):
        second = two.curve("object_recognition", "per_object_product")[0]
        assert (
            (first.ci_low or first.value) - 1e-9
            <= second.value
            <= (first.ci_high or first.value) + 1e-9
        )
    assert complexity_sentence(one).split(".")[0] == complexity_sentence(two).split(".")[0]


@pytest.mark.parametrize("threads", [2])
def test_the_same_digits_with_any_number_of_threads(threads):
    import torch

    before, sweep = (
        torch.get_num_threads(),
        Sweep((0.6,), (("per_object_product", 2), ("mlp", 16)), 1, 100, 1, planted=()),
    )
    records = []
    try:
        for n in (1, threads):
            torch.set_num_threads(n)
            records.append([record.flat() for record in run(bound(SMALL), sweep, SMALL).records])
    finally:
        torch.set_num_threads(before)
    assert records[0] == records[1]


def test_own_queries_come_first_and_are_held_against_plain_probes():
    values = object_codes(SMALL)
    own = fit_scene_probes(values, SMALL, split_scenes(SMALL))
    study = run(values, SWEEP, SMALL, own=own)
    assert study.readouts == ("own", "plain")
    assert {r["readout"] for r in study.records if "recognition" in r.metric} == {
        "own",
        "plain",
    }


@pytest.mark.slow
def test_a_killed_sweep_continues(tmp_path):
    class Killed(Exception):
        pass

    done = []

    def kill(n):
        done.append(n)
        if sum(done) == 3:
            raise Killed

    with pytest.raises(Killed):
        run(bound(SMALL), scenes=SMALL, keep=tmp_path, on_cell=kill)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(files) == 3
    counted = []
    again = run(bound(SMALL), scenes=SMALL, keep=tmp_path, on_cell=counted.append)
    assert counted == [3, *[1] * (len(SWEEP.cells()) - 3)]
    assert all(path.stat().st_mtime_ns == at for path, at in files.items())
    assert [record.flat() for record in again.records] == [
        record.flat() for record in run(bound(SMALL), scenes=SMALL).records
    ]
    # other embeddings take nothing from the folder
    run(bound(SMALL) + 1, scenes=SMALL, keep=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 2 * len(SWEEP.cells())
    next(iter(files)).write_text("{")
    assert [record.flat() for record in run(bound(SMALL), scenes=SMALL, keep=tmp_path).records] == [
        record.flat() for record in again.records
    ]


def test_a_table_of_several_runs(study):
    tables = {table.name: table for table in paper_tables({"one": study.records})}
    names = [row[2] for row in tables["complexity"].rows]
    assert {
        "additive",
        "per object product",
        "chosen",
        "embeddings",
        "planted",
        "bag of concepts",
    } <= set(names)
    assert {row[4] for row in tables["complexity"].rows} == {"plain", "whitened"}
    assert "\\toprule" in tables["complexity"].latex()
    assert [row[2] for row in tables["binding"].rows] == ["generalisation"]


def test_coverages_without_scenes_are_named():
    study = run(bound(SMALL), Sweep((0.01, 0.5, 0.99), (("additive", None),), 1, 500, 1), SMALL)
    assert any("0.99" in note for note in study.notes)
    assert {record["coverage"] for record in study.records if record["seed"] == 0} <= {
        0.01,
        0.5,
    }
    assert "cannot be judged" in complexity_sentence(study)


def test_bad_sweeps():
    with pytest.raises(UnknownNameError, match="did you mean 'forest'"):
        Sweep((0.5,), (("forrest", None),), 1, 100, 1)
    with pytest.raises(ValueRangeError, match="coverages"):
        Sweep((1.5,), (("additive", None),), 1, 100, 1)
    with pytest.raises(ValueRangeError, match="at least one"):
        Sweep((), SHORT.models, 1, 100, 1)
