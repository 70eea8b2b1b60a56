"""Files in other orders, places and kinds than published: what belongs together is found, or it is
said in one line why not.
"""

from __future__ import annotations

import csv
import json
import shutil

import pytest

import conceptbind
from conceptbind.benchmarks import Making, read_benchmark
from conceptbind.benchmarks.registry import benchmarks_at_hand
from conceptbind.core.errors import ConceptBindError, FileError, MismatchError
from published_layouts import EXPECTED, PUBLISHED, abc6k, by_digit, cola, mmvp, vl_checklist


def read(name, folder):
    return read_benchmark(name, folder, Making(folder / "made"))


def means(folder):
    """The published means of VL-CheckList by family."""
    data = read("vl_checklist", folder)
    found = conceptbind.benchmarks.evaluate_benchmark(
        by_digit(), "vl_checklist", data, folder / "kept"
    ).where(control="none", protocol="paper")
    return {(r.split, r.metric): r.value for r in found}, data.notes


WHOLE = {
    **PUBLISHED["vl_checklist"],
    ("attribute", "accuracy"): EXPECTED["vl_checklist"]["Attribute/vg/color", "accuracy"][0],
}


@pytest.mark.parametrize("how", ["as published", "by the place", "by the name", "by the words"])
def test_families_go_by_the_corpus_where_the_files_do_not_say_them(how, tmp_path):
    vl_checklist(tmp_path)
    for n, index in enumerate(sorted((tmp_path / "corpus/v1").rglob("*.yaml"))):
        family = index.relative_to(tmp_path / "corpus/v1").parts[0]
        file = index.read_text().split("\n")[0].removeprefix("ANNO_PATH: ")
        if how == "as published":
            continue
        plain = f"data/{family.lower()}s_{n}.json" if how == "by the words" else f"data/{n}.json"
        shutil.move(tmp_path / file, tmp_path / plain)
        told = index.read_text().replace(file, plain)
        index.unlink()
        flat = {"by the name": f"{family.upper()}_{n}", "by the words": f"{n}"}
        place = tmp_path / f"corpus/v1/{flat[how]}.yaml" if how in flat else index
        place.write_text(told)
    found, notes = means(tmp_path)
    assert found == {key: pytest.approx(value) for key, value in WHOLE.items()}
    assert not any("family" in note for note in notes)


def test_a_part_of_no_family_is_said(tmp_path):
    vl_checklist(tmp_path)
    index = tmp_path / "corpus/v1/Relation/swig/action.yaml"
    shutil.move(tmp_path / "data/Relation/swig/action.json", tmp_path / "data/action.json")
    index.unlink()
    (index.parents[2] / "x.yaml").write_text("ANNO_PATH: data/action.json\nIMG_ROOT: datasets/VG\n")
    found, notes = means(tmp_path)
    assert ("relation", "accuracy") not in found
    assert "of no family, so in none of their means: action." in notes


def questions(folder, change):
    """`Questions.csv` with its rows changed."""
    mmvp(folder)
    path = folder / "Questions.csv"
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *change(rows)])
    return path


def test_pairs_go_by_their_numbers_whatever_the_order(tmp_path):
    mmvp(tmp_path / "whole")
    questions(tmp_path / "mixed", lambda rows: rows[::2] + rows[1::2])
    whole, mixed = (read("mmvp", tmp_path / name) for name in ("whole", "mixed"))
    assert mixed.captions == whole.captions
    assert mixed.hash == whole.hash


def with_type(rows):
    return [*rows[:5], [rows[5][0], "Another", rows[5][2]], *rows[6:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            with_type,
            "rows 5 to 6: the rows of one item must have one 'Type|type'; they have 'Color and",
        ),
        (lambda rows: rows[:2] + rows[3:], "the rows 3 to 4 by 'Question ID|id' are one item, and"),
        (lambda rows: [*rows, rows[3]], "two rows have the number 4 ('Question ID|id')"),
        (lambda rows: [["0", *rows[0][1:]], *rows[1:]], "numbers begin with 1"),
        (
            lambda rows: [["one", *rows[0][1:]], *rows[1:]],
            "row 1: 'Question ID|id' must be a whole",
        ),
    ],
)
def test_pairs_that_do_not_follow_are_refused_in_one_line(change, said, tmp_path):
    path = questions(tmp_path, change)
    with pytest.raises(MismatchError) as error:
        read("mmvp", tmp_path)
    assert said in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.fixture
def kinds(tmp_path):
    """A benchmark that is there, and files of other kinds than are read."""
    abc6k(tmp_path / "abc6k")
    for name, content in {
        "winoground/examples.csv": "id,image_0\n",
        "bivlc/bivlc.json": "[]",
        "aro/visual_genome_relation.csv": "image_path\n",
        "cola/README.md": "get it",
        "sugarcrepe_pp/swap_att.csv": "id\n",
        "coco/captions.zip": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    entry = {"id": 1, "filename": "a.jpg", "caption": "0 a", "caption2": "0 b"}
    told = json.dumps([{**entry, "negative_caption": "1 c"}])
    (tmp_path / "sugarcrepe_pp/swap_obj.json").write_text(told)
    return tmp_path


def test_a_file_of_another_kind_is_named_with_the_reason(kinds):
    folders, missing = benchmarks_at_hand(kinds)
    assert set(folders) == {"abc6k", "sugarcrepe_pp"}
    told = {name: why for name, why in missing.items() if "files are not there" not in why}
    assert set(told) == {"winoground", "bivlc", "vg_relation", "coco"}
    for name, said in {
        "winoground": "examples.csv is there, and examples.jsonl is what is read; https://",
        "bivlc": "there is bivlc.json, and nothing that is called *.parquet or data/*.parquet or",
        "vg_relation": "visual_genome_relation.csv is there, and visual_genome_relation.json is",
        "coco": "there is captions.zip, and nothing that is called coco_karpathy_test.json or",
    }.items():
        assert told[name].startswith(f"in {kinds / name.replace('vg_relation', 'aro')} {said}")
        assert "\n" not in told[name]


def test_all_says_which_file_was_not_taken(kinds):
    encoder = by_digit()
    encoder.modalities = ("text",)
    done = conceptbind.evaluate(encoder, benchmark="all", data=kinds, out=kinds / "run")
    assert sum("winoground: left out: in " in note for note in done.notes) == 1
    assert "sugarcrepe_pp: swap_att.csv is there, and swap_att.json is what is read." in done.notes
    (absent,) = (note for note in done.notes if note.startswith("not there: "))
    assert "cola" in absent
    assert "winoground" not in absent


def test_a_folder_with_nothing_else_names_the_file(tmp_path):
    cola(tmp_path / "cola")
    file = tmp_path / "cola/data/COLA_multiobjects_matching_benchmark.json"
    file.rename(file.with_suffix(".tsv"))
    with pytest.raises(FileError, match=r"no benchmark \(cola: in .*benchmark\.tsv is there, and"):
        conceptbind.evaluate(by_digit(), benchmark="all", data=tmp_path, out=tmp_path / "run")


def test_rows_that_make_no_item_together_have_no_numbers(tmp_path):
    from conceptbind.benchmarks.description import described

    told = {"name": "mine", "title": "t", "published": "p", "licence": "l", "form": "captions"}
    told |= {"files": ["a.csv"], "pictures": ["p"], "captions": ["a", "b"], "numbered": "n"}
    with pytest.raises(ConceptBindError, match="'numbered' and 'same' are about rows that make"):
        described(told, "mine.yaml")
