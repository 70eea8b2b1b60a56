"""A run that is made again after a file changed: what it no longer has is shown nowhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

import conceptbind
from conceptbind.core.outcomes import Outcome, outcomes_of, save_outcomes
from conceptbind.core.records import Record, Records
from conceptbind.core.results import load_results
from conceptbind.report.elsewhere import write_elsewhere
from published_layouts import abc6k, by_digit, nevir


@pytest.fixture
def again(tmp_path):
    """Two benchmarks; of one the file is another when the run is made again."""
    for write in (abc6k, nevir):
        write(tmp_path / "data" / write.__name__)
    encoder = by_digit()
    encoder.modalities = ("text",)
    asked = {"benchmark": "all", "data": tmp_path / "data"}
    conceptbind.evaluate(encoder, **asked, out=tmp_path / "run")
    table = tmp_path / "data/nevir/test.csv"
    table.write_text(table.read_text().replace("0 a", "0 another"))
    conceptbind.evaluate(encoder, **asked, out=tmp_path / "run")
    return tmp_path


def test_compare_shows_only_what_the_results_have(again):
    assert (again / "run/embeddings/nevir/outcomes.safetensors").is_file()
    assert set(load_results(again / "run").records.distinct("scenes")) == {"abc6k"}
    done = conceptbind.compare([again / "run"])
    assert [table.name for table in done.tables] == ["benchmark-abc6k", "swap_distances"]


def record(name, **more):
    about = {"encoder": "e", "revision": "1", "repair": "none", "control": "none", "n": 2}
    told = {"study": "benchmark", "metric": "accuracy", "split": "all", "protocol": "strict"}
    return Record.of(**told, **about, **more, scenes=name, modality="both", level=None, value=0.5)


def test_outcomes_of_other_items_are_not_those_of_the_results(tmp_path):
    """As a run leaves them that was killed before it wrote its results."""
    about = {"metric": "accuracy", "subset": "all", "protocol": "strict", "repair": "none"}
    right = np.ones(2, dtype=bool)
    for name, items in (("mine", "new"), ("same", "old")):
        save_outcomes(tmp_path / "embeddings" / name, [Outcome(about, right, ~right)], items)
    records = Records(record(name, items="old") for name in ("mine", "same"))
    assert set(outcomes_of(tmp_path)) == {"mine", "same"}
    assert set(outcomes_of(tmp_path, records)) == {"same"}


def test_files_for_other_tools_go_with_the_results_that_they_were_of(tmp_path):
    before = Records(map(record, ("one", "two", "three")))
    write_elsewhere(tmp_path, before)
    changed = tmp_path / "clip_benchmark/three.json"
    changed.write_text(json.dumps({"mine": 1}))  # of the user's own
    write_elsewhere(tmp_path, Records([record("one")]), before)
    assert {path.name for path in changed.parent.iterdir()} == {"one.json", "three.json"}
