"""A user's own benchmark as a description, and everything that is there at once."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

import conceptbind
from conceptbind.benchmarks import BENCHMARKS, Making
from conceptbind.benchmarks.containers import literal
from conceptbind.benchmarks.declared import benchmark_of
from conceptbind.benchmarks.description import described, read_description
from conceptbind.benchmarks.section import field_tables
from conceptbind.core.errors import ConceptBindError
from conceptbind.repairs.labclip import Adapter, save_adapter
from known_vectors import ByName, picture
from published_layouts import CHOICES, abc6k, by_digit, cola, nevir, whole_spec

PAGE = Path(__file__).parents[2] / "docs/howto/benchmark.md"


def of_the_page():
    """A description, lines that say which items its rules count, and one of NegCLIP's table."""
    told: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    assert len(told) == 3
    return told


@pytest.fixture
def garments(tmp_path):
    """The description of the page, and its folder: shirts right and wrong, trousers the rest."""
    (tmp_path / "garments.yaml").write_text(of_the_page()[0])
    lines = []
    for n, (level, (right, wrong)) in enumerate(CHOICES):
        entry = {"photo": f"{n}.png", "right": right, "wrong": wrong}
        lines.append(json.dumps({**entry, "garment": "shirt" if n < 2 else "trousers"}))
        picture(tmp_path / "data/garments/photos", f"{n}.png", level)
    (tmp_path / "data/garments/items.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.slow
def test_the_description_of_the_page_is_scored(garments):
    done = conceptbind.evaluate(
        by_digit(),
        benchmark=str(garments / "garments.yaml"),
        data=garments / "data",
        out=garments / "run",
    )
    found = {
        (r["protocol"], r.split): (r.value, r.ties)
        for r in done.records.where(control="none", metric="accuracy")
    }
    assert found["strict", "shirt"] == (1 / 2, 0)
    assert found["strict", "trousers"] == (pytest.approx(1 / 3), 2)
    assert found["strict", "all"] == (2 / 5, 2)
    assert found["paper", "all"] == ((1 / 2 + 1) / 2, 2)  # of equals the first wins
    page = (garments / "run/report.html").read_text()
    assert "Shirts and trousers" in page
    del BENCHMARKS["garments"]


def test_the_rules_of_the_page_are_read():
    whole, rules, _ = map(yaml.safe_load, of_the_page())
    (task,) = described({**whole, **rules}, "garments.yaml").tasks
    ours, paper = task.scores
    assert ours.distinct
    assert (task.strict, paper.fewest, paper.without) == (("all",), 25, ("hat",))


GOOD = yaml.safe_load(
    "{name: mine, title: t, published: p, licence: l, form: captions, files: [a.json], "
    "pictures: [x], captions: [y, z]}"
)


ALL = {"protocol": "paper", "of": "all"}


def scored(**change):
    return {"scores": [{**ALL, **change}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"captoins": ["y"]}, "mine.yaml: unknown field 'captoins'; did you mean 'captions'"),
        ({"form": "caption"}, "mine.yaml: unknown form 'caption'; did you mean 'captions'"),
        ({"captions": []}, "mine.yaml: 'captions' is missing"),
        ({"captions": 3.5}, "captions: expected text, or a list of texts; got 3.5"),
        ({"name": "a b"}, "the name must be of letters, digits and '_'"),
        ({"box": ["x"]}, "a box has four fields"),
        ({"parts": {"a": "b.json"}}, "give one of files, parts and index"),
        ({"prompt": "a photo"}, "the prompt must have {} once"),
        ({"scores": {"protocol": "paper", "ties": "frist"}}, "unknown rule for ties 'frist'"),
        ({"scores": [{"of": "all"}]}, "'protocol' is missing"),
        ({"group": True}, "group: expected a whole number; got True"),
        ({"keep": {"a": "b"}}, "keep: expected numbers; got 'b'"),
        ({"references": {"metric": "a", "subset": "b", "value": 75.8}}, "a share from 0 to 1"),
        ({"form": "swaps"}, "the form swaps has no pictures"),
        ({"pictures": []}, "the form captions needs 'pictures'"),
        ({"tasks": [{"form": "captions"}]}, "stand beside 'tasks'"),
        ({"strict": []}, "'strict' must have 'each' or 'all'"),
        ({"files": ["/etc/a.json"]}, "files are named below the data folder"),
        ({"files": ["../a.json"]}, "files are named below the data folder"),
        (scored(metrics=["acuracy"]), "unknown metric 'acuracy'; did you mean 'accuracy'"),
        (scored(of="details"), "a score of details needs 'detail'"),
        (scored(ties="first", protocol="strict"), "'strict' has ties 'miss' and 'first'"),
        (
            {"form": "swaps", "pictures": [], **scored(ties="hit")},
            "a tie is always a miss of swap_noticed; leave 'ties: hit' of the rule 'paper' out",
        ),
        ({"scores": [ALL, {**ALL, "ties": "hit"}]}, "'paper' has ties 'miss' and 'hit'"),
        ({"scores": [ALL, {**ALL, "average": "macro"}]}, "scores accuracy of 'all' twice"),
        ({"keep": {"a": math.nan}}, "keep: expected numbers; got nan"),
        ({"positives": 2, "right": "r"}, "leave one of them out"),
        ({"form": "retrieval", "scores": [ALL]}, "recall at 1, 5 and 10 alone"),
        (
            {"files": [], "parts": {"a": "b.json"}, "families": {"f": "c*"}},
            "no part fits the family 'f' ('c*'); the parts are a",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(change, said):
    with pytest.raises(ConceptBindError) as error:
        described({**GOOD, **change}, "mine.yaml")
    told = str(error.value)
    assert said in told
    assert "\n" not in told


def test_tasks_are_told_apart_by_their_names():
    head = {name: GOOD[name] for name in ("name", "title", "published", "licence")}
    task = {name: value for name, value in GOOD.items() if name not in head}
    described({**head, "tasks": [{**task, "name": "a"}, {**task, "name": "b"}]}, "mine.yaml")
    with pytest.raises(ConceptBindError, match="tasks 1 and 2 both give accuracy and have no name"):
        described({**head, "tasks": [task, task]}, "mine.yaml")
    with pytest.raises(ConceptBindError, match="'tasks' is empty"):
        described({**head, "tasks": []}, "mine.yaml")


def test_families_of_no_subset_are_refused(tmp_path):
    told = {
        **GOOD,
        "subset": "kind",
        "families": {"f": "b*"},
        "scores": [{**ALL, "of": "families"}],
    }
    (tmp_path / "a.json").write_text('[{"x": "0.png", "y": "a", "z": "b", "kind": "c"}]')
    benchmark = benchmark_of(described(told, "mine.yaml"))
    with pytest.raises(ConceptBindError, match=r"fits a family \(b\*\); the subsets are c"):
        benchmark.read(tmp_path, Making(tmp_path / "made"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: &a x\ntitle: *a", "the anchor or alias"),
        ("!!python/object/apply:os.system ['true']", "is not a file of options"),
        ("- a", "holds no options"),
        ("", "holds no options"),
    ],
)
def test_a_file_that_is_no_description_is_refused(tmp_path, text, said):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConceptBindError, match=said):
        read_description(tmp_path / "mine.yaml")


def test_a_description_cannot_take_the_name_of_a_benchmark(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**GOOD, "name": "sugarcrepe"}))
    with pytest.raises(ConceptBindError, match="this package has already; choose another name"):
        conceptbind.evaluate(
            by_digit(), benchmark=str(tmp_path / "mine.yaml"), data=tmp_path, out=tmp_path / "run"
        )


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "[1", "[" * 60 + "]" * 60, "x" * (1 << 20) + "y"]
)
def test_python_is_parsed_and_never_evaluated(text):
    with pytest.raises(ConceptBindError, match="file, item 1: expected a list written as a Python"):
        literal(text, "file, item 1")


@pytest.fixture
def several(tmp_path):
    """Two benchmarks of pictures, two of captions alone, one that is damaged."""
    for write in (cola, whole_spec, abc6k, nevir):
        write(tmp_path / "data" / write.__name__.removeprefix("whole_"))
    (tmp_path / "data/valse/data").mkdir(parents=True)
    (tmp_path / "data/valse/data/existence.json").write_text('{"a": ')
    return tmp_path


@pytest.mark.slow
def test_all_takes_what_is_there_and_says_what_is_missing(several):
    """A map that does nothing stands for a repair."""
    import numpy as np

    unchanged = Adapter(np.eye(4, dtype=np.float32), 0.0, {"encoder": "by-name", "revision": "1"})
    save_adapter(unchanged, several / "fixed")
    done = conceptbind.evaluate(
        by_digit(),
        benchmark="all",
        data=several / "data",
        out=several / "run",
        adapter=several / "fixed",
    )
    assert set(done.records.distinct("scenes")) == {"cola", "spec", "abc6k", "nevir"}
    (broken,) = (note for note in done.notes if note.startswith("valse: left out"))
    assert "existence.json is not valid JSON" in broken
    (absent,) = (note for note in done.notes if note.startswith("not there: "))
    assert "sugarcrepe, " in absent
    assert "cola" not in absent
    page = " ".join((several / "run/report.html").read_text().split())
    table = page[page.index('id="field-1"') :]
    # SPEC's published numbers of CLIP beside ours, repaired and not
    assert table.index("two pictures, two captions") < table.index("33.4 %") < table.index("30.6 %")
    assert "CLIP ViT-B/32, published" in table
    assert "repaired" in table


def own_queries(folder):
    """A description of one's own, of captions alone, and its file in a folder of its name."""
    told = {"name": "mine", "title": "t", "published": "p", "licence": "l", "form": "queries"}
    told |= {"files": ["items.csv"], "captions": ["q1", "q2", "doc1", "doc2"]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(told))
    nevir(folder / "data/mine")
    (folder / "data/mine/test.csv").rename(folder / "data/mine/items.csv")
    return folder / "mine.yaml"


def test_all_of_an_encoder_of_captions_is_captions_alone(several):
    """With a benchmark of one's own beside it, on one page."""
    encoder = by_digit()
    encoder.modalities = ("text",)
    asked = {"benchmark": f"all,{own_queries(several)}", "data": several / "data"}
    done = conceptbind.evaluate(encoder, **asked, out=several / "run")
    assert set(done.records.distinct("scenes")) == {"abc6k", "nevir", "mine"}
    assert "cola: left out: 'by-name' embeds no pictures." in done.notes
    assert isinstance(encoder, ByName)
    (table, *_) = (one for one in field_tables(done.records) if one.name == "field")
    assert {row[1] for row in table.rows} == {"abc6k", "nevir", "mine"}
    # what was asked for by its name is never left out
    (several / "data/mine/items.csv").write_text("q1,q2\na,b\n")
    with pytest.raises(ConceptBindError, match="expected the field 'doc1'"):
        conceptbind.evaluate(encoder, **asked, out=several / "other")
    assert not (several / "other").exists()
    del BENCHMARKS["mine"]


def test_all_of_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConceptBindError, match="holds no benchmark; put each into a folder"):
        conceptbind.evaluate(by_digit(), benchmark="all", data=tmp_path, out=tmp_path / "run")
    with pytest.raises(ConceptBindError, match="of benchmarks of your own; leave 'coco' out"):
        conceptbind.evaluate(by_digit(), benchmark="all,coco", data=tmp_path)


def test_check_of_all_lists_every_benchmark(several):
    done = conceptbind.evaluate(by_digit(), benchmark="all", data=several / "data", check=True)
    assert set(done.checked) >= {"cola", "sugarcrepe", "bivlc"}
    assert "missing" in str(done)
