"""`conceptbind train` and `conceptbind sweep`: what is finished stays, what is wrong is said."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

import conceptbind.controlled
from conceptbind.cli import main
from conceptbind.controlled import CHECKPOINT, ControlledEncoder
from conceptbind.core.files import read_checked_json, write_checked_json
from conceptbind.core.records import FIELDS, Records
from conceptbind.core.results import load_results

TINY = {
    "width": 16,
    "depth": 2,
    "heads": 2,
    "feed_forward": 32,
    "dimension": 16,
    "batch": 32,
    "steps": 12,
}


def run(command, out, *more, **changed):
    options = [f"--{name}={value}" for name, value in {**TINY, **changed}.items()]
    return main([command, f"--out={out}", *options, *more])


@pytest.fixture
def trained(monkeypatch):
    """Recipes of the trainings that were started by the command; the second one is interrupted
    once.
    """
    started, whole = [], conceptbind.controlled.training.train

    def train(recipe, *rest, **more):
        started.append(recipe)
        if len(started) == 2:
            raise KeyboardInterrupt
        return whole(recipe, *rest, **more)

    monkeypatch.setattr(conceptbind.controlled.training, "train", train)
    return started


def test_a_finished_model_is_not_trained_again(tmp_path, trained):
    """Stopped in the second of two models, and started again twice."""
    out = tmp_path / "run"
    assert run("train", out, values=5) == 130
    weights = (out / "coverage-0.8" / "model.safetensors").read_bytes()
    assert not (out / "results.json").exists()
    assert run("train", out, values=5) == 0
    assert [recipe.coverage for recipe in trained] == [0.8, 0.2, 0.2]
    results = (out / "results.json").read_bytes()
    assert run("train", out, values=5) == 0
    assert len(trained) == 3
    assert (out / "coverage-0.8" / "model.safetensors").read_bytes() == weights
    assert (
        json.loads((out / "results.json").read_bytes())["records"] == json.loads(results)["records"]
    )
    assert not list(out.rglob(CHECKPOINT))


def test_a_model_of_another_recipe_is_never_overwritten(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("train", out, values=5, coverage=0.6) == 0
    config = out / "coverage-0.6" / "config.json"
    config.write_text(config.read_text().replace('"rate": 0.0007', '"rate": 0.5'))
    assert run("train", out, values=5, coverage=0.6) == 2
    assert "was changed or damaged since it was written" in capsys.readouterr().err
    assert run("train", tmp_path / "other", values=5, coverage=0.6, steps=11) == 0
    shutil.rmtree(config.parent)
    shutil.copytree(tmp_path / "other" / "coverage-0.6", config.parent)
    assert run("train", out, values=5, coverage=0.6) == 2
    assert "holds another model (steps: 11 there, 12 now)" in capsys.readouterr().err
    (out / "coverage-0.6" / "model.safetensors").write_bytes(b"cut")
    assert run("train", out, values=5, coverage=0.6) == 2
    assert "model.safetensors was changed or damaged" in capsys.readouterr().err


def test_the_precision_of_a_run_is_settled_when_it_is_started(tmp_path, monkeypatch):
    def able(yes):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": yes}, raising=False)

    able(True)
    assert run("train", tmp_path / "run", values=5, coverage=0.6) == 0
    able(False)  # continued on another machine
    assert run("train", tmp_path / "run", values=5, coverage=0.6) == 0
    for name in ("coverage-0.6/config.json",):
        assert json.loads((tmp_path / "run" / name).read_text())["recipe"]["precision"] == "bf16"
    assert "precision: bf16" in (tmp_path / "run" / "config.yaml").read_text()


def test_scenes_of_one_object(tmp_path):
    """There is nothing to exchange, so that concepts and objects alone are scored."""
    assert run("train", tmp_path / "run", values=5, coverage=0.6, objects=1) == 0
    found = {(row["metric"], row["split"]) for row in load_results(tmp_path / "run").records}
    assert ("object_recognition", "unseen") in found
    assert ("concept_accuracy", "unseen") in found
    assert not {metric for metric, _ in found} & {"binding_accuracy"}


@pytest.mark.long
def test_a_sweep_holds_all_models_of_its_folder(tmp_path):
    """Another object space, a probe, another probe: nothing is lost, and probes that are not asked
    for are left out of the table.
    """
    sweep = ("--coverages=[0.6,0.6]", "--seeds=1", "--jobs=1")
    assert run("sweep", tmp_path, *sweep, "--spaces=[5x5,5x5]", "--probes=[additive]") == 0
    first = load_results(tmp_path).records
    assert len({row["encoder"] for row in first}) == 1  # the same twice is one model
    assert run("sweep", tmp_path, *sweep, "--spaces=[4x3]", "--probes=[forest]") == 0
    second = load_results(tmp_path).records
    assert {row["values"] for row in second} == {"5x5", "4x3"}
    assert {row.get("control") for row in second} == {"none", "counts_of_concepts", "forest"}
    assert run("sweep", tmp_path, *sweep, "--spaces=[5x5]", "--probes=[forest,additive]") == 0
    cells = {
        path.parent.name[:3]: json.loads(path.read_text())
        for path in tmp_path.glob("models/*/cell.json")
    }
    assert cells["5x5"]["probes"] == ["additive", "forest"]
    assert cells["4x3"]["probes"] == ["forest"]
    third = load_results(tmp_path).records
    assert all(row in third for row in first)
    (folder,) = tmp_path.glob("models/4x3-coverage-0.6-seed-0-*")
    assert ControlledEncoder(folder).encode_texts(["p1 q2"]).shape == (1, 16)
    for broken in ("[]", "{}"):
        (folder / "cell.json").write_text(broken)
        assert run("sweep", tmp_path, *sweep, "--spaces=[4x3]") == 2


def test_a_sweep_over_sizes_of_models(tmp_path):
    options = [
        f"--{name}={value}" for name, value in TINY.items() if name not in ("width", "depth")
    ]
    sweep = [
        "sweep",
        "--spaces",
        "5x5",
        "--coverages",
        "0.6",
        "--seeds=1",
        "--jobs=1",
        "--probes=[]",
        f"--out={tmp_path}",
        *options,
    ]
    assert main([*sweep, "--width", "8", "--depth", "1"]) == 0
    assert main([*sweep, "--width", "16", "--depth", "1", "--first_seed", "2"]) == 0
    found = {(row["width"], row["depth"], row["seed"]) for row in load_results(tmp_path).records}
    assert found == {(8, 1, 0), (16, 1, 2)}
    assert "5x5, width 8, depth 1" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": 100, "concepts": 7}, "may be at most 10,000,000"),
        ({"values": 2, "concepts": 64}, "from 1 to 25; got 64"),
        ({"values": 5, "seed": 10**23}, "--seed must be a whole number from 0"),
        ({"values": 5, "seed": -1}, "--seed must be a whole number from 0"),
        ({"values": 5, "concept_weight": -1}, "--concept_weight must be a number from 0"),
    ],
)
def test_what_is_too_large(options, message, tmp_path, capsys):
    assert run("train", tmp_path / "run", coverage=0.5, **options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "space", ["5y5", "", "5x", "5x5.0", "x", "100000x100000x100000", "99999999999999999999999x5"]
)
def test_object_spaces_that_cannot_be_read(space, capsys, tmp_path):
    assert main(["sweep", f"--spaces=['{space}']", f"--out={tmp_path / 'new'}"]) == 2
    said = capsys.readouterr().err
    assert "such as 50x50 or 20x20x20" in said or "may be at most 10,000,000" in said
    assert not (tmp_path / "new").exists()


def test_scenes_are_not_stacked(tmp_path, capsys):
    assert run("sweep", tmp_path / "new", "--objective=scenes", "--stack=2", "--spaces=[5x5]") == 2
    assert "--stack is for the objective 'queries'" in capsys.readouterr().err


def test_cells_that_an_earlier_version_kept_are_read(tmp_path):
    """It kept what a study varies in a dictionary of its own, and no control of comparisons."""
    sweep = ("--coverages=[0.6]", "--seeds=1", "--jobs=1", "--spaces=[5x5]", "--probes=[]")
    assert run("sweep", tmp_path, *sweep) == 0
    first = load_results(tmp_path).records
    (path,) = tmp_path.glob("models/*/cell.json")
    content = read_checked_json(path)
    by_number = [row for row in content["records"] if row["metric"].endswith("by_number")]
    assert len(by_number) == 10  # of one and of two objects, beside counts of concepts
    content["records"] = [row for row in content["records"] if row not in by_number]
    for row in content["records"]:
        row["extra"] = {name: row.pop(name) for name in set(row) - set(FIELDS)}
        control = row.pop("control")
        del row["repair"], row["level"]
        if row["metric"].endswith("recognition"):
            row["extra"]["control"] = control
    write_checked_json(path, content)
    assert run("sweep", tmp_path, *sweep) == 0
    again = load_results(tmp_path).records
    assert again == Records(r for r in first if not r.metric.endswith("by_number"))
    assert len(again) > 5
