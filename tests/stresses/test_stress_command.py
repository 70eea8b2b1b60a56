"""`conceptbind stress` end to end, on a small encoder: its folder, its continuing, its errors."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import conceptbind
from browsing import assert_fits, in_browser
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError


class Small:
    """Hashed words in order, and pixels of a coarse picture, through one random map each."""

    id = "small"
    revision = "1"
    dimension = 24
    modalities = ("text", "image")

    def __init__(self, most=None):
        self.most = most
        """Calls after which it is stopped."""

    def encode_texts(self, texts):
        rows = np.zeros((len(texts), 24), np.float32)
        for row, text in enumerate(texts):
            for place, word in enumerate(text.split()):
                rows[row, (sum(map(ord, word)) + 3 * place) % 24] += 1
        return rows

    def encode_images(self, images):
        if self.most is not None:
            self.most -= 1
            if self.most < 0:
                raise KeyboardInterrupt
        rng = np.random.default_rng(0)
        pixels = np.stack([np.asarray(i.convert("RGB").resize((6, 6))).ravel() for i in images])
        return (pixels / 255.0) @ rng.normal(size=(108, 24)).astype(np.float32)


OPTIONS = {"factors": "order,clutter", "drawn": 60}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return conceptbind.stress(Small(), out=tmp_path_factory.mktemp("run") / "a", **OPTIONS)


def test_the_folder_holds_records_a_page_and_a_table(run):
    names = {path.name for path in run.folder.iterdir()}
    assert names >= {"results.json", "results.csv", "report.html", "config.yaml"}
    page = (run.folder / "report.html").read_text()
    for title in ("Order of mention", "Clutter", "Level 3, usable between pictures and captions"):
        assert title in page
    again = conceptbind.load_run(run.folder)
    assert again.records == run.records
    assert {r.study for r in again.records} == {"stress"}
    assert {r["factor"] for r in again.records} == {"order", "clutter"}
    assert {r["factor_value"] for r in again.records.where(factor="clutter")} == {0, 2, 4, 8}
    assert again.sentences == run.sentences


@in_browser
def test_its_tables_fit_every_screen(run, browser):
    assert_fits(browser, run.folder / "report.html")


def test_a_finished_run_is_returned_and_not_computed(run):
    class Idle(Small):
        def encode_images(self, images):
            raise AssertionError

    same = conceptbind.stress(Idle(), out=run.folder, **OPTIONS)
    assert same.records == run.records
    assert same.text() == run.text()


@pytest.mark.slow
def test_a_stopped_run_continues_and_ends_with_the_same_results(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        conceptbind.stress(Small(most=2), out=tmp_path / "b", **OPTIONS)
    assert not (tmp_path / "b" / "results.json").exists()
    done = conceptbind.stress(Small(), out=tmp_path / "b", **OPTIONS)
    assert done.records == run.records


def test_runs_are_compared_beside_other_commands(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run.folder, other)
    found = conceptbind.compare([run.folder, other], out=tmp_path / "tables")
    (table,) = [one for one in found.tables if one.name == "differences"]
    told = [row for row in table.rows if "factor clutter, factor_value 8" in " ".join(row)]
    assert len(told) >= 2
    assert any("+0.0 points" in row for row in told)


def test_what_it_prints_is_the_answer_and_a_row_for_each_curve(run):
    lines = run.text().splitlines()
    assert lines[0] == run.sentences[0]
    assert sum(line.startswith(("order ", "clutter ")) for line in lines) == 3 + 1 + 4
    assert lines[-1].endswith("report.html")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"drawn": 59}, "drawn must be at least 60 scenes; got 59"),
        (
            {"encoder": "minilm", "scenes": "text20:6x6", "factors": "size,clutter"},
            "none of these factors can be varied here .size: ",
        ),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"factors": "clutterr"}, "unknown factor 'clutterr'"),
        ({"factors": ","}, "factors names none"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(options, said, tmp_path):
    with pytest.raises(ConceptBindError, match=said):
        conceptbind.stress(**{"encoder": Small(), "out": tmp_path / "c", **options})
    assert not (tmp_path / "c").exists()


def test_rows_cannot_be_varied(tmp_path, capsys):
    np.save(tmp_path / "rows.npy", np.ones((576, 4), np.float32))
    assert main(["stress", f"file:{tmp_path / 'rows.npy'}", "--out", str(tmp_path / "d")]) == 2
    error = capsys.readouterr().err
    assert "needs an encoder that embeds new captions and pictures" in error
    assert "Traceback" not in error


def test_captions_alone_have_levels_1_and_2(tmp_path):
    class Reading(Small):
        modalities = ("text",)

    options = {"scenes": "text20:6x6", "factors": "order,size", "drawn": 60}
    found = conceptbind.stress(Reading(), out=tmp_path / "e", **options)
    assert {r.level for r in found.records} == {1, 2}
    assert {r.modality for r in found.records} == {"text"}
    assert (
        "Size of objects is left out: it changes no embedding that the encoder has." in found.said
    )
    # the repair is a map of queries, so each setting of level 2 has a chart with it
    assert {r.level for r in found.records.where(repair="HNB")} == {2}
    page = (found.folder / "report.html").read_text()
    assert "stress-order-2-text-neutral" in page
    assert "stress-order-2-text-trap" in page


def test_results_are_plain_json(run):
    kept = json.loads((run.folder / "results.json").read_text())
    assert kept["records"][0]["study"] == "stress"
    assert {"factor", "factor_value"} <= set(kept["records"][0])
