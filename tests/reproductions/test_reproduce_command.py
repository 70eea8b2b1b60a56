"""`conceptbind reproduce`: our figures are those of `measure`, and nothing is fetched."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from conceptbind import load_run, reproduce, resolve
from conceptbind.cli import main
from conceptbind.controlled import study
from conceptbind.core.errors import ConceptBindError
from conceptbind.repairs.labclip import Adapter, save_adapter
from conceptbind.reproductions import binding, controlled
from conceptbind.run import executors


def test_without_an_encoder_and_data_nothing_is_run_and_it_says_what_is_missing(tmp_path):
    found = reproduce("labclip", tables=["binding", "benchmarks"], out=tmp_path / "a")
    assert not found.records
    assert found.said[0].startswith("None of the ")
    with (tmp_path / "a" / "binding-figures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["word"] for row in rows} == {"not run"}
    assert "published at https://github.com/kdariina" in rows[0]["why"]
    assert not (tmp_path / "a" / "runs").exists()
    page = (tmp_path / "a" / "report.html").read_text()
    assert "needs --data with the folder vg_attribution, published at" in page


def test_the_paper_s_encoder_is_not_fetched(tmp_path):
    (tmp_path / "CLEVR").mkdir()
    found = reproduce("labclip", tables=["probing"], data=tmp_path, out=tmp_path / "a")
    with (tmp_path / "a" / "probing-figures.csv").open() as file:
        why = next(csv.DictReader(file))["why"]
    assert why.startswith("hf:openai/clip-vit-large-patch14 is not on this machine: --encoder")
    assert not found.records


def test_ours_are_the_figures_of_measure(tmp_path):
    found = reproduce("binding", tables=["probes"], encoder="tiny", out=tmp_path / "a")
    (folder,) = (tmp_path / "a" / "runs").iterdir()
    assert folder.name == "tiny-clevr2d-measure"
    run = load_run(folder)
    assert found.records == run.records
    with (tmp_path / "a" / "probes-figures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == [
        *["beside captions, CLIP ViT-B/32"] * 2,
        *["beside pictures, CLIP ViT-B/32"] * 2,
    ]
    for row, modality in ((rows[1], "text"), (rows[3], "image")):
        record = run.records.one(
            study="probe", metric="object_recognition", modality=modality, control="none"
        )
        assert float(row["ours"]) == pytest.approx(record.value, abs=1e-3)
        assert int(row["n"].replace(",", "")) == record.n
    again = reproduce("binding", tables=["probes"], encoder="tiny", out=tmp_path / "a")
    assert again.said == found.said
    assert "Linear probes (paper / ours)" in found.text()


def sugarcrepe(folder):
    """Two items in the published layout, whose captions `tiny` reads."""
    (folder / "val2017").mkdir(parents=True)
    pictures = {"a.jpg": ("red", "blue"), "b.jpg": ("green", "yellow")}
    items = {}
    for number, (name, (one, other)) in enumerate(pictures.items()):
        Image.new("RGB", (32, 32), one).save(folder / "val2017" / name)
        items[str(number)] = {
            "filename": name,
            "caption": f"a {one} square and a {other} circle",
            "negative_caption": f"a {other} square and a {one} circle",
        }
    for subset in ("swap_att", "swap_obj"):
        (folder / f"{subset}.json").write_text(json.dumps(items))


def test_benchmarks_that_are_there_are_scored_before_and_after_a_map(tmp_path):
    sugarcrepe(tmp_path / "data" / "sugarcrepe")
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(256, 256)))[0]
    named = {"encoder": "tiny", "revision": resolve("tiny").revision}
    save_adapter(Adapter(turned.astype(np.float32), 1.0, named), tmp_path / "map")
    told = {"tables": ["benchmarks"], "encoder": "tiny", "data": tmp_path / "data"}
    found = reproduce("labclip", **told, out=tmp_path / "a")
    with (tmp_path / "a" / "benchmarks-figures.csv").open() as file:
        rows = {(row["row"], row["column"]): row for row in csv.DictReader(file)}
    swap = rows["SugarCrepe, swap", "CLIP"]
    record = found.records.one(split="swap", protocol="paper", control="none", repair="none")
    assert float(swap["ours"]) == pytest.approx(record.value, abs=1e-3)
    assert int(swap["n"]) == record.n == 4
    assert "needs --adapter with a map of captions" in rows["SugarCrepe, swap", "LABCLIP"]["why"]
    assert rows["VG-A", "CLIP"]["why"].startswith("needs --data with the folder vg_attribution")
    mapped = reproduce("labclip", **told, adapter=tmp_path / "map", out=tmp_path / "b")
    with (tmp_path / "b" / "benchmarks-figures.csv").open() as file:
        rows = {(row["row"], row["column"]): row for row in csv.DictReader(file)}
    after = mapped.records.one(split="swap", protocol="paper", control="none", repair="adapter")
    assert float(rows["SugarCrepe, swap", "LABCLIP"]["ours"]) == pytest.approx(
        after.value, abs=1e-3
    )
    assert rows["SugarCrepe, replace", "CLIP"]["word"] == "not run"


@pytest.mark.slow
def test_both_papers_whole(tmp_path):
    for paper in ("binding", "labclip"):
        words = ["reproduce", paper, "--encoder", "tiny", "--models", "none"]
        assert main([*words, "--out", str(tmp_path / paper)]) == 0
        names = {file.name for file in (tmp_path / paper).iterdir()}
        assert {"report.html", "results.json", "runs"} < names
        with (
            tmp_path / paper / f"{'edits' if paper == 'binding' else 'search'}.tex"
        ).open() as file:
            assert r"\toprule" in file.read()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tables": ["nope"]}, "has no table 'nope' here; known: "),
        ({"scenes": "text20"}, "scenes text20 is of an encoder of yours"),
        ({"encoder": "tiny", "scenes": "text20"}, "is not in the model's vocabulary"),
        ({"encoder": "nothing"}, "nothing"),
    ],
)
def test_inputs_that_do_not_fit(options, words, tmp_path):
    with pytest.raises(ConceptBindError, match=words):
        reproduce(**{"paper": "binding", "out": tmp_path / "a", **options})


def transition(folder, **told):
    found = reproduce("binding", tables=["transition"], out=folder, **told)
    with (folder / "transition-figures.csv").open() as file:
        return found, list(csv.DictReader(file))


@pytest.mark.slow
def test_controlled_models_are_trained_and_told_as_their_sweep_tells_them(tmp_path, monkeypatch):
    """The setting of the table, but for its length, the fit of its probe and the coverages."""
    space = {(controlled.SMALL, "20x20"): (0.5,)}
    monkeypatch.setattr(controlled, "COVERAGES", {**controlled.COVERAGES, **space})
    steps = {controlled.SMALL: {**controlled.SETTINGS[controlled.SMALL], "steps": 20}}
    monkeypatch.setattr(controlled, "SETTINGS", {**controlled.SETTINGS, **steps})
    monkeypatch.setattr(study, "PROBE_SCENES", 300)
    monkeypatch.setattr(study, "PROBE_RANK", 2)
    monkeypatch.setattr(executors, "cores", lambda: 1)
    rows = [controlled._row(controlled.SMALL, "20x20", 0.5), *controlled.TRANSITION.rows[-1:]]
    table = replace(controlled.TRANSITION, rows=tuple(rows))
    monkeypatch.setattr(binding, "BINDING", (table,))
    found, told = transition(tmp_path / "a", encoder="tiny", seed=3)
    run = load_run(tmp_path / "a" / "runs" / "controlled-models-small-20x20-sweep")
    assert found.records == run.records
    asked = {"metric": "object_recognition", "split": "unseen", "among": "all"}
    for row, control in zip(told[:2], ("none", "global_product"), strict=True):
        record = run.records.one(**asked, control=control)
        assert record["seed"] == 3
        assert float(row["ours"]) == pytest.approx(record.value, abs=1e-3)
        assert (row["word"], int(row["n"])) == ("not published", record.n)
    assert told[0]["row"] == "400 objects, 50 % of them seen, small setting"
    assert told[2]["word"] == "not run" and "needs a GPU for hours" in told[2]["why"]


def test_controlled_models_are_left_out_where_none_is_asked_for(tmp_path):
    found, told = transition(tmp_path / "a", models="none")
    assert {row["why"] for row in told} == {"left out by --models none"}
    assert len(told) == 10
    assert not found.records
