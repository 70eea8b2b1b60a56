"""mteb's own compositionality tasks on files at hand, and its results beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import conceptbind
from conceptbind.benchmarks import benchmark_task, evaluate_benchmark
from conceptbind.benchmarks.mteb_tasks import MtebResult, mteb_files, mteb_table, read_mteb
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.records import Record, Records
from conceptbind.core.results import Results, write_results
from known_vectors import picture, read_benchmark
from published_layouts import CHOICES, GROUPS, by_digit, imagecode, write_json


def sugarcrepe(folder):
    entries = {}
    for n, (level, (caption, negative)) in enumerate(CHOICES):
        names = ("filename", "caption", "negative_caption")
        entries[str(n)] = dict(zip(names, (f"{n}.png", caption, negative), strict=True))
        picture(folder / "val2017", f"{n}.png", level)
    write_json(folder / "swap_obj.json", entries)


def winoground(folder):
    lines = []
    for n, (levels, captions) in enumerate(GROUPS):
        for place, level in enumerate(levels):
            picture(folder / "images", f"ex_{n}_img_{place}.png", level)
        names = {f"image_{place}": f"ex_{n}_img_{place}" for place in (0, 1)}
        told = {f"caption_{place}": captions[place] for place in (0, 1)}
        lines.append(json.dumps({"id": n, **names, **told}))
    (folder / "examples.jsonl").write_text("\n".join(lines))


WANTED = {
    "sugarcrepe": {"text_acc": 4 / 5},  # two right, and two ties that the right one wins
    # of equals the first is taken: in the third both captions of the second picture tie, where the
    # first is wrong; likewise in the fourth and fifth
    "winoground": {"text_acc": 1 / 5, "image_acc": 1 / 5, "accuracy": 1 / 5},
    "imagecode": {"image_acc": 4 / 5},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "write"),
    [("sugarcrepe", sugarcrepe), ("winoground", winoground), ("imagecode", imagecode)],
)
def test_our_encoder_in_a_task_of_mteb_itself(name, write, tmp_path):
    """mteb scores; where nothing ties its number is ours, and where something does its rule is."""
    mteb = pytest.importorskip("mteb")
    from conceptbind.repairs.exports import mteb_model

    write(tmp_path / name)
    task = benchmark_task(name, tmp_path / name, tmp_path / "made")
    model = mteb_model(by_digit())
    found = mteb.evaluate(model, task, cache=None, show_progress_bar=False).task_results[0]
    (scores,) = found.scores["test"]
    assert {key: scores[key] for key in WANTED[name]} == pytest.approx(WANTED[name])
    place = tmp_path / "theirs" / "conceptbind__by-name" / "1" / f"{task.metadata.name}.json"
    place.parent.mkdir(parents=True)
    found.to_disk(place)
    # what mteb wrote is read back, beside ours
    records = evaluate_benchmark(
        by_digit(), name, read_benchmark(name, tmp_path / name), tmp_path / "kept"
    )
    (file,) = mteb_files(tmp_path / "theirs")
    read = read_mteb(file)
    assert model.mteb_model_meta.name == read.name
    assert (read.model, read.benchmark) == ("conceptbind/by-name@1", name)
    assert read.scores == pytest.approx(WANTED[name])
    table = mteb_table([read], {"ours": records})
    assert {row[0] for row in table.rows} == {name}
    if name == "sugarcrepe":
        assert [row[3:] for row in table.rows] == [
            ("conceptbind/by-name@1", "80.0 %", "-", "-"),
            ("ours", "80.0 %", "+0.0 points", "2 of 5"),  # two win by a tie, as there
        ]


def test_compare_takes_what_mteb_wrote(tmp_path, capsys):
    """A run of ours, and a folder as mteb's cache has it, of the same model and of another."""
    sugarcrepe(tmp_path / "sugarcrepe")
    records = evaluate_benchmark(
        by_digit(),
        "sugarcrepe",
        read_benchmark("sugarcrepe", tmp_path / "sugarcrepe"),
        tmp_path / "kept",
    )
    (tmp_path / "run").mkdir()
    write_results(tmp_path / "run", Results(records, {}))
    row = {"text_acc": 0.75, "main_score": 0.75, "hf_subset": "default"}
    whole = {"task_name": "SugarCrepe", "scores": {"test": [row]}}
    for name, revision in (("some/model", "abc"), ("conceptbind/by-name", "1")):
        place = tmp_path / "theirs" / name.replace("/", "__") / revision
        write_json(place / "SugarCrepe.json", whole)
        write_json(place / "model_meta.json", {"name": name, "revision": revision})
    done = conceptbind.compare([tmp_path / "run", tmp_path / "theirs"])
    (table,) = (one for one in done.tables if one.name == "mteb")
    about = ("sugarcrepe", "accuracy", "mteb, text_acc")
    assert table.rows[0] == (*about, "conceptbind/by-name@1", "75.0 %", "-", "-")
    assert table.rows[1][3:] == ("run", "80.0 %", "-5.0 points", "2 of 5")
    assert table.rows[2:] == ((*about, "some/model@abc", "75.0 %", "-", "-"),)
    alone = conceptbind.compare([place / "SugarCrepe.json"])
    assert [one.name for one in alone.tables] == ["mteb"]
    write_json(place / "SugarCrepe.json", {"task_name": "SugarCrepe", "scores": {"test": []}})
    assert main(["compare", str(tmp_path / "theirs")]) == 2
    assert "is not a result of mteb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "revision", "beside"),
    [
        ("conceptbind/hf-org-model-32", "w1", "plain"),  # what `mteb_model` calls it
        ("conceptbind/hf-org-model-32", "w2", None),  # other weights
        ("conceptbind/hf-org-model-32-repaired", "w1", "repaired"),
        ("org/model-32", "a commit", "plain"),  # mteb's own name; our revision is of the weights
        ("org/model-16", "a commit", None),
        ("SugarCrepe", None, None),  # a file without a name of a model
    ],
)
def test_a_result_of_mteb_stands_beside_runs_of_the_same_model_alone(name, revision, beside):
    told = {"study": "benchmark", "metric": "accuracy", "split": "all", "protocol": "mieb"}
    told |= {"scenes": "sugarcrepe", "modality": "both", "level": None, "n": 4, "ties": 0}
    mine = {**told, "encoder": "hf:org/model-32", "revision": "w1", "control": "none"}
    records = Records(
        Record.of(**mine, repair=repair, value=value)
        for repair, value in (("none", 0.5), ("adapter", 0.75))
    )
    result = MtebResult(name, revision, "sugarcrepe", {"text_acc": 0.5}, Path("x.json"))
    table = mteb_table([result], {"run": records})
    shown = {"plain": [("run", "50.0 %")], "repaired": [("run", "75.0 %")], None: []}
    assert [row[3:5] for row in table.rows[1:]] == shown[beside]


@pytest.mark.parametrize(
    "told", [{}, [], {"task_name": "X", "scores": {}}, {"task_name": "SugarCrepe", "scores": 3}]
)
def test_another_file_is_no_result_of_mteb(told, tmp_path):
    write_json(tmp_path / "SugarCrepe.json", told)
    with pytest.raises(ConceptBindError, match="is not a result of mteb"):
        read_mteb(tmp_path / "SugarCrepe.json")


def test_a_share_beyond_1_is_refused(tmp_path):
    row = {"text_acc": 75.0}
    write_json(tmp_path / "SugarCrepe.json", {"task_name": "SugarCrepe", "scores": {"test": [row]}})
    with pytest.raises(ConceptBindError, match=r"must lie in 0\.\.1; got 75"):
        read_mteb(tmp_path / "SugarCrepe.json")


def test_mteb_has_no_task_of_a_benchmark(tmp_path):
    with pytest.raises(ConceptBindError, match="mteb has no task of 'cola'"):
        benchmark_task("cola", tmp_path, tmp_path)
