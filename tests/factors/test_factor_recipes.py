"""The recipes of factors: what they cannot use is told in one line, and each model counts once."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from conceptbind.controlled import make_recipe, train
from conceptbind.controlled.store import write_model
from conceptbind.controlled.study import controlled_study, model_name
from conceptbind.core.results import Results, write_results
from conceptbind.factors import factor_study
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import split_scenes, text20

RECIPES = Path(__file__).parents[2] / "recipes"


def run(name, monkeypatch, *words):
    """What the recipe exits with."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(RECIPES / name), run_name="__main__")
    return ended.value.code


def test_a_sweep_that_is_named_twice_counts_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("conceptbind.factors.carried.SCENES", 200)
    small = {"width": 16, "heads": 2, "feed_forward": 16, "dimension": 16, "batch": 8}
    trained = train(make_recipe("small", 0.5, sizes=(4, 4), steps=2, depth=1, **small))
    write_model(trained, tmp_path / "sw" / "models" / "4x4-coverage-0.5-abcd")
    records = controlled_study(trained, model_name(trained.recipe), probes=())
    write_results(tmp_path / "sw", Results(records, {}))
    said = run("linearity.py", monkeypatch, "--sweeps", tmp_path / "sw", f"{tmp_path}/./sw")
    assert "two numbers of each of at least four models; got shapes (1,)" in said
    rows = capsys.readouterr().out.splitlines()
    assert len([row for row in rows if row.startswith("| sw, 4x4")]) == 1


def test_what_is_no_sweep_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    said = run("linearity.py", monkeypatch, "--sweeps", tmp_path)
    assert said.startswith("linearity.py: error: ") and "\n" not in said
    assert run("linearity.py", monkeypatch) == 2
    assert "give folders with --sweeps or --runs" in capsys.readouterr().err


def test_runs_of_another_modality_are_told_in_one_line(tmp_path, monkeypatch):
    scenes = text20(4, 4)
    values = np.random.default_rng(0).normal(size=(len(scenes), 8)).astype(np.float32)
    rows = Embeddings(values, "image", scenes.content_hash, scenes.name, "e", "1")
    records = factor_study(rows, scenes, split_scenes(scenes)).records
    write_results(tmp_path, Results(records, {}))
    said = run("linearity.py", monkeypatch, "--runs", tmp_path)
    assert "was measured with --modality image, not text" in said and "\n" not in said
    said = run("linearity.py", monkeypatch, "--sweeps", tmp_path)
    assert "is no sweep: it has no models" in said


@pytest.mark.parametrize("sizes", ["2 1 1 60 60", "4 1 1 2 2", "0 1 1 2 2"])
def test_sprites_that_no_reader_takes_are_not_written(tmp_path, monkeypatch, capsys, sizes):
    out = tmp_path / "few.npz"
    assert run("make_dsprites.py", monkeypatch, out, "--sizes", *sizes.split()) == 2
    assert f"got {sizes}" in capsys.readouterr().err
    assert not out.exists()


def test_no_sprite_leaves_its_picture():
    made = runpy.run_path(str(RECIPES / "make_dsprites.py"))
    for shape in range(3):
        for angle in np.linspace(0, 2 * np.pi, 40):
            sprite = made["outline"](shape, 1.0, angle)
            around = [sprite[0], sprite[-1], sprite[:, 0], sprite[:, -1]]
            assert not np.any(around)  # whole
            for place in (0, 31):  # of the middle: see `pictures`
                reach = len(sprite) // 2
                assert 16 + place - reach >= 0 and 16 + place + reach < 64
