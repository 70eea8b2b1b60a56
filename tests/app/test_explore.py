"""A finished run: its failures, its nearest captions and its edits, held against plain NumPy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.serving import served
from app.test_trial import run_text
from conceptbind import load_adapter, load_scenes
from conceptbind.app import explored
from conceptbind.commands import Try
from conceptbind.commands.trying import page_for
from conceptbind.core.errors import FileError, MismatchError, UnknownNameError, ValueRangeError
from conceptbind.core.files import write_checked_json
from conceptbind.geometry import Editor, all_edits, retrieve
from conceptbind.rows.embeddings import load
from conceptbind.scenes.swaps import orbit_ids, pair_ids


@pytest.fixture(scope="module")
def run(whole_site):
    return whole_site.page.explored


def test_failures_are_those_of_the_run_the_worst_first(run):
    found = run.failures(0, {}, 0)
    assert found["title"] == "A picture finds its caption first"
    assert (found["n"], found["missed"], found["partly"]) == (36, 3, True)
    assert [(one["row"], one["right"], one["tie"]) for one in found["listed"]] == [
        (3, 0.0, False),
        (30, 0.0, True),
        (5, 0.5, False),
    ]
    assert found["listed"][0]["caption"] == run.table.caption(3)
    assert [one["row"] for one in run.failures(0, {}, 2)["listed"]] == [5]


def test_failures_are_filtered_by_values_of_one_object(run):
    space, table = run.table.space, run.table.table
    for color in space.values[0]:
        for shape in space.values[1]:
            wanted = [space.values[0].index(color), space.values[1].index(shape)]
            held = (table == wanted).all(axis=2).any(axis=1)
            found = run.failures(0, {"color": color, "shape": shape}, 0)
            assert [one["row"] for one in found["listed"]] == [r for r in (3, 30, 5) if held[r]]


def test_what_the_run_does_not_have_is_said(run):
    for asked, error, said in (
        (lambda: run.failures(9, {}, 0), ValueRangeError, "1 questions; got 9"),
        (lambda: run.failures(0, {"size": "x"}, 0), UnknownNameError, "unknown concept 'size'"),
        (lambda: run.failures(0, {"color": "x"}, 0), UnknownNameError, "not a value"),
        (lambda: run.item(36), ValueRangeError, "has 36 scenes; got row 36"),
        (lambda: run.item(-1), ValueRangeError, "got row -1"),
        (lambda: run.edited("image", 1, 10_000, 1.0), ValueRangeError, "no edit 10000"),
        (lambda: run.edited("image", 5, 0, 9.0), ValueRangeError, "between 0 and 2"),
        (lambda: run.edited("sound", 5, 0, 1.0), ValueRangeError, "no sound embeddings"),
    ):
        with pytest.raises(error, match=said):
            asked()


def test_nearest_captions_are_those_of_plain_cosines(run, run_folder):
    """Of every scene, before and after the map, with the marks of its orbit."""
    pictures = load(run_folder / "embeddings" / "image").unit().values.astype(float)
    captions = load(run_folder / "embeddings" / "text")
    mapped = load_adapter(run_folder)(captions.values)
    pairs, orbits = pair_ids(run.table), orbit_ids(run.table)
    for row in (0, 7, 20, 35):
        found = run.item(row)
        assert found["caption"] == run.table.caption(row)
        assert found["picture"].startswith("data:image/jpeg")
        for name, bank in (("before", captions.unit().values), ("after", mapped)):
            scores = bank @ pictures[row]
            first = np.argsort(-np.round(scores, 6), kind="stable")[:5].tolist()
            shown = found["nearest"][name]
            assert [one.caption for one in shown] == [run.table.caption(place) for place in first]
            assert [one.score for one in shown] == pytest.approx(scores[first].tolist(), abs=1e-6)
            marks = [
                "own"
                if pairs[place] == pairs[row]
                else ("swap" if orbits[place] == orbits[row] else "other")
                for place in first
            ]
            assert [one.mark for one in shown] == marks


@pytest.mark.parametrize("modality", ["image", "text"])
def test_edits_of_strength_one_hit_where_the_study_of_edits_says_so(run, run_folder, modality):
    values = load(run_folder / "embeddings" / modality).unit().values.astype(float)
    scenes = load_scenes(run_folder.parent / "pictures" / "scenes.csv")
    editor, edits = Editor.fit(values, scenes, "avg+pos"), all_edits(scenes)
    hits = retrieve(editor, edits).hit
    rows = np.unique(edits.source)[::3]
    for row in rows.tolist():
        wanted = hits[edits.source == row].tolist()
        found = [run.edited(modality, row, k, 1.0)["near"][0].mark for k in range(len(wanted))]
        assert [mark == "target" for mark in found] == wanted
        assert run.edited(modality, row, 0, 0.0)["near"][0].mark == "own"  # nothing is exchanged
    assert len(run.item(int(rows[0]))["edits"][modality]) == len(hits[edits.source == rows[0]])


def test_the_same_objects_in_another_order_are_no_other_scene(run):
    marks = [one.mark for one in run.edited("text", 1, 0, 1.0)["near"]]
    target = run.edited("text", 1, 0, 1.0)["target"]
    turned = [one.caption for one in run.edited("text", 1, 0, 1.0)["near"] if one.mark == "turned"]
    assert "turned" in marks
    assert all(set(one.split(" and ")) == set(target.split(" and ")) for one in turned)
    with pytest.raises(ValueRangeError, match="at least 0; got -5"):
        run.failures(0, {}, -5)


def test_the_python_of_a_scene_and_of_an_edit_gives_the_numbers(run):
    item = run.item(20)
    printed = [line.split("  ") for line in run_text(item["python"]).splitlines()]
    shown = [(name, one) for name, near in item["nearest"].items() for one in near]
    assert [(line[0], line[2]) for line in printed] == [(name, one.caption) for name, one in shown]
    assert [float(line[1]) for line in printed] == pytest.approx(
        [one.score for _, one in shown], abs=2e-6
    )
    row = int(np.unique(all_edits(run.table).source)[0])
    edited = run.edited("image", row, 1, 0.75)
    printed = [line.split("  ") for line in run_text(edited["python"]).splitlines()]
    assert [line[2] for line in printed] == [one.caption for one in edited["near"]]
    assert [float(line[1]) for line in printed] == pytest.approx(
        [one.score for one in edited["near"]], abs=2e-6
    )


def test_the_page_shows_the_scaling_figure_and_names_as_text(whole_site, run):
    content = whole_site.send("GET", f"/?key={whole_site.page.key}")[2].decode()
    assert "Scaling figure: captions" in content
    assert content.count("<svg") == 2  # for wide and for narrow screens
    assert "3 of 36 not wholly right" in content


def test_another_table_and_damaged_files_are_refused(run_folder, tmp_path):
    table = load_scenes(run_folder.parent / "pictures" / "scenes.csv")
    with pytest.raises(FileError, match="keeps no embeddings of scenes"):
        explored(tmp_path, table)
    with pytest.raises(MismatchError, match="belong to the scenes"):
        explored(run_folder, table.select(np.arange(35)))
    (tmp_path / "embeddings").symlink_to(run_folder / "embeddings")
    head = "study,metric,modality,order,setting,concept,scene,caption,right,tied\n"
    known = table.ids[0]
    wrong = [f"a,b,both,,,,{known},x,{right},0\n" for right in ("much", "nan", "-1", "2")]
    for line in ("a,b,both,,,,nobody,x,0,0\n", *wrong):
        (tmp_path / "items.csv").write_text(head + line)
        with pytest.raises(MismatchError, match="does not belong to the scenes of its run"):
            explored(tmp_path, table)
    (tmp_path / "items.csv").unlink()
    for content in ({"parts": []}, {"parts": {"sections": [3]}}, {"parts": {"sections": [{}]}}):
        write_checked_json(tmp_path / "page.json", content)
        with pytest.raises(FileError, match="not of the form that this version reads"):
            explored(tmp_path, table)
    (tmp_path / "page.json").unlink()
    assert explored(tmp_path, table).questions == ()


def test_a_run_without_a_repair_and_markup_in_its_values(run_folder, tiny, tmp_path):
    """Values of a table are a user's: on the page they are text."""
    import yaml

    from conceptbind.core.records import Records
    from conceptbind.core.results import Results, write_results
    from conceptbind.rows.embeddings import embed

    (tmp_path / "scenes.csv").write_text(
        "color_1,shape_1,color_2,shape_2,caption\n<b>red</b>,square,blue,circle,a red square\n"
        "blue,square,<b>red</b>,circle,a blue square\n"
    )
    table = load_scenes(tmp_path / "scenes.csv")
    embed(tiny, table, "text", tmp_path / "embeddings" / "text")
    config = {"encoder": "tiny", "scenes": str(tmp_path / "scenes.csv"), "template": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    write_results(tmp_path, Results(Records(), {"config": config}))
    page = page_for(Try(run_folder=str(tmp_path)))
    assert page.model.adapter is None
    with served(page) as site:
        content = site.send("GET", f"/?key={page.key}")[2].decode()
        assert "<b>red" not in content
        found = site.ask("/item", {"row": 0})
        assert list(found["nearest"]) == ["before"]
        assert [one["caption"] for one in found["nearest"]["before"]] == ["a blue square"]
        assert found["picture"] is None
        hits = site.ask("/search", {"text": "red square"})
        assert hits["after"] is None


def test_a_picture_that_is_lost_is_said(run):
    assert run.item(3)["lost"] == ""
    found = replace(run, image_of=lambda _: Path("nowhere.png")).item(3)
    assert found["picture"] is None
    assert found["lost"] == "The picture nowhere.png is not there, or cannot be read."


def test_a_run_whose_pictures_have_gone_is_explored_without_them(main_job, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(main_job.folder, folder, ignore=shutil.ignore_patterns("pictures*"))
    found = page_for(Try(run_folder=str(folder))).explored.item(3)
    assert found["nearest"]["before"]
    assert "003.png is not there" in found["lost"]


def test_the_main_job_can_be_explored(main_job):
    """A real run: each list is as long as its number says."""
    page = page_for(Try(run_folder=str(main_job.folder)))
    titles = [one.title for one in page.explored.questions]
    place = next(k for k, title in enumerate(titles) if title.startswith("A picture prefers"))
    found = page.explored.failures(place, {}, 0)
    record = main_job.records.one(
        metric="binding_accuracy", order="either", control=None, repair=None
    )
    assert found["n"] == record.n
    asked = page.explored.questions[place]
    assert 1 - sum(1 - right for right in asked.missed.values()) / asked.n == pytest.approx(
        record.value
    )
    assert set(page.explored.charts) == {"image", "text"}
    item = page.explored.item(found["listed"][0]["row"])
    assert set(item["nearest"]) == {"before", "after"}
    assert item["picture"].startswith("data:image/jpeg")
