"""The sweep: its records, its score on planted functions, and how it goes on after a kill."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.embeddings import Embeddings
from conceptbind.errors import UnknownNameError, ValueRangeError
from conceptbind.probes import fit_scene_probes
from conceptbind.report import complexity_sentence, paper_tables
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from conceptbind.studies import SHORT, Sweep, complexity_study
from planted import concept_codes

SCENES = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdefgh"), tuple("stuvwxyz"))))
SWEEP = Sweep((0.4, 0.7), (("additive", None), ("per_object_product", 4)), 2, 2000, 1)


def bound(dimension: int = 32) -> np.ndarray:
    """Objects are products of four-dimensional vectors of their values: a simple function that binds.

    A large constant keeps the length of a row nearly the same for all scenes, so that unit rows are still such a function.
    """
    rng = np.random.default_rng(0)
    sums = sum(rng.normal(size=(8, dimension))[SCENES.table[:, :, k]].sum(axis=1) for k in range(2))
    colors, shapes = rng.normal(size=(2, 8, 4))
    products = (colors[SCENES.table[:, :, 0]] * shapes[SCENES.table[:, :, 1]]).sum(axis=1)
    values = sums + 2 * products @ rng.normal(size=(4, dimension))
    return np.hstack([values, np.full((len(values), 1), 100.0)]).astype(np.float32)


def run(values, sweep=SWEEP, **options):
    split = split_scenes(SCENES)
    rows = Embeddings(values, "text", SCENES.content_hash, SCENES.name, "planted", "1")
    probes = fit_scene_probes(rows.unit().values, SCENES, split)
    return complexity_study(rows, SCENES, split, probes, sweep=sweep, jobs=1, **options)


@pytest.fixture(scope="module")
def study():
    return run(bound(), Sweep((0.6, 0.8), (("additive", None), ("per_object_product", 12), ("global_product", 12)), 2, 2000, 1))


def test_the_contract_of_the_records(study):
    rows = [record.flat() for record in study.records]
    assert {row["study"] for row in rows} == {"complexity"}
    assert {row["split"] for row in rows} == {"train", "mixed", "unseen"}
    assert {row["metric"] for row in rows} == {"r2", "mse", "concept_recognition", "object_recognition", "generalisation_score"}
    means = [
        row for row in rows if row["seed"] is None and row["metric"] == "object_recognition" and row["approximator"] == "additive"
    ]
    for mean in means:
        cells = [
            row["value"] for row in rows
            if row["seed"] is not None and all(row[k] == mean[k] for k in ("approximator", "width", "coverage", "split", "metric"))
        ]  # fmt: skip
        assert mean["value"] == pytest.approx(np.mean(cells))
        assert mean["n_seeds"] == len(cells) == 2


def test_binding_that_is_a_product_is_simple_and_not_additive(study):
    scores = {record.extra["approximator"]: record.value for record in study.scores()}
    assert scores["additive"] == 0
    assert scores["per_object_product"] > 0.4  # one random start may end in a local minimum
    for name in ("global_product", "chosen"):
        assert scores["embeddings"] >= scores[name] > 0.9 * scores["embeddings"] > 0.5


def test_a_bag_of_concepts_is_simple_in_its_concepts_only():
    study = run(concept_codes(SCENES), SWEEP)
    scores = {record.extra["approximator"]: record.value for record in study.scores()}
    assert max(scores.values()) < 0.1
    assert all(record.value > 0.9 for record in study.curve("concept_recognition", "additive", None, "color"))
    assert "does not carry over" in complexity_sentence(study)


def test_a_killed_sweep_continues(tmp_path):
    class Killed(Exception):
        pass

    done = []

    def kill(n):
        done.append(n)
        if sum(done) == 3:
            raise Killed

    with pytest.raises(Killed):
        run(bound(), keep=tmp_path, on_cell=kill)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(files) == 3
    counted = []
    again = run(bound(), keep=tmp_path, on_cell=counted.append)
    assert counted == [3, *[1] * (len(SWEEP.cells()) - 3)]
    assert all(path.stat().st_mtime_ns == at for path, at in files.items())
    assert [record.flat() for record in again.records] == [record.flat() for record in run(bound()).records]
    run(bound() + 1, keep=tmp_path)  # other embeddings take nothing from the folder
    assert len(list(tmp_path.glob("*.json"))) == 2 * len(SWEEP.cells())
    next(iter(files)).write_text("{")
    assert [record.flat() for record in run(bound(), keep=tmp_path).records] == [record.flat() for record in again.records]


def test_a_table_of_several_runs(study):
    tables = {table.name: table for table in paper_tables({"one": [record.flat() for record in study.records]})}
    names = [row[2] for row in tables["complexity"].rows]
    assert {"additive", "per object product", "global product", "chosen", "embeddings"} <= set(names)
    assert "\\toprule" in tables["complexity"].latex()
    assert tables["binding"].rows[0][-1] != "-"


def test_coverages_without_scenes_are_named():
    study = run(bound(), Sweep((0.01, 0.5, 0.99), (("additive", None),), 1, 500, 1))
    assert any("0.99" in note for note in study.notes)
    assert {record.extra["coverage"] for record in study.records if record.extra["seed"] == 0} <= {0.01, 0.5}


def test_bad_sweeps():
    with pytest.raises(UnknownNameError, match="did you mean 'forest'"):
        Sweep((0.5,), (("forrest", None),), 1, 100, 1)
    with pytest.raises(ValueRangeError, match="coverages"):
        Sweep((1.5,), (("additive", None),), 1, 100, 1)
    with pytest.raises(ValueRangeError, match="at least one"):
        Sweep((), SHORT.models, 1, 100, 1)
