"""What one faulty item does to its benchmark, and to the others of `all`."""

from __future__ import annotations

import csv
import json
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import conceptbind
from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark, registry
from conceptbind.benchmarks.containers import entries_of, literal
from conceptbind.benchmarks.declared import benchmark_of
from conceptbind.benchmarks.description import described
from conceptbind.benchmarks.field import field_table
from conceptbind.core.errors import ConceptBindError, FileError
from published_layouts import (
    abc6k,
    bivlc,
    by_digit,
    cola,
    eqben,
    imagecode,
    inside,
    negbench_mcq,
    png,
    spec,
    whole_spec,
    write_parquet,
    write_picture,
)

HEAD = {"name": "mine", "title": "t", "published": "p", "licence": "l", "form": "captions"}
FIELDS = {"pictures": ["image"], "captions": ["caption", "wrong"], "places": ["."]}


@pytest.fixture
def known(monkeypatch):
    """Makes a description known under its name."""

    def make(**told):
        benchmark = benchmark_of(described({**HEAD, **FIELDS, **told}, "here"))
        monkeypatch.setitem(registry.BENCHMARKS, "mine", benchmark)

    return make


def items(folder, *rows):
    (folder / "0.png").write_bytes(png(0))
    named = [{"image": "0.png", "caption": right, "wrong": wrong} for right, wrong in rows]
    (folder / "items.json").write_text(json.dumps(named))


@pytest.fixture
def damaged(tmp_path):
    """Two benchmarks with an item that cannot be read, and one of captions that can."""
    pytest.importorskip("pyarrow")
    data = tmp_path / "data"
    for write in (bivlc, cola, eqben, negbench_mcq, abc6k):
        write(data / write.__name__)
    # bytes of a table that are no picture
    (data / "bivlc/data/test-00001-of-00002.parquet").unlink()
    table = data / "bivlc/data/test-00000-of-00002.parquet"
    row = {"caption": "0 a", "negative_caption": "1 b", "type": "swap", "subtype": "object"}
    broken = {"bytes": b"no picture", "path": None}
    write_parquet(table, [{"image": inside(0), "negative_image": broken, **row}])
    table.rename(data / "bivlc/data/test-00000-of-00001.parquet")
    # an array that is cut off
    array = sorted((data / "eqben").rglob("*.npy"))[0]
    array.write_bytes(array.read_bytes()[:100])
    # a picture file that holds none
    picture = sorted((data / "negbench_mcq").rglob("*.jpg"))[0]
    picture.write_bytes(b"no picture")
    return tmp_path


def test_all_scores_the_others_and_names_what_is_damaged(damaged, monkeypatch):
    monkeypatch.chdir(damaged)
    done = conceptbind.evaluate(by_digit(), benchmark="all", data="data", out="run")
    assert set(done.records.distinct("scenes")) == {"cola", "abc6k"}
    for name in ("bivlc", "eqben", "negbench_mcq"):
        (said,) = (note for note in done.notes if note.startswith(f"{name}: left out: "))
        assert "\n" not in said
    told = json.loads((damaged / "run/results.json").read_text())
    assert "bivlc" not in json.dumps(told["records"])


def test_pictures_inside_tables_are_found_below_a_relative_folder(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    bivlc(tmp_path / "data/bivlc")
    monkeypatch.chdir(tmp_path)
    data = read_benchmark("bivlc", tmp_path / "data/bivlc", Making(Path("run/made")))
    found = evaluate_benchmark(by_digit(), "bivlc", data, tmp_path / "kept")
    record = found.first(metric="group_score", split="all", control="none")
    assert (record.value, record.n) == (1 / 5, 5)


def test_a_refused_run_leaves_its_folder_to_a_corrected_one(damaged):
    """The array is the second thing that is made."""
    asked = {"data": damaged / "data", "out": damaged / "run"}
    with pytest.raises(FileError, match=r"\.npy"):
        conceptbind.evaluate(by_digit(), benchmark="eqben", **asked)
    assert not (damaged / "run/made").exists()
    conceptbind.evaluate(by_digit(), benchmark="cola", **asked)


@pytest.mark.parametrize("name", ["winoground", "colorswap"])
def test_groups_without_a_place_in_clip_benchmark_end_whole(name, tmp_path):
    """GroupMatch is ours alone."""
    field = {"winoground": "{}_0 {}_1", "colorswap": "{}_1 {}_2"}[name]
    file = {"winoground": "examples.jsonl", "colorswap": "test.json"}[name]
    pictures = field.format("image", "image").split()
    captions = field.format("caption", "caption").split()
    folder = tmp_path / name
    (folder / "images").mkdir(parents=True)
    for level in (0, 1):
        (folder / "images" / f"{level}.png").write_bytes(png(level))
    entry = dict(zip((*pictures, *captions), ("0.png", "1.png", "0 a", "1 b"), strict=True))
    line = json.dumps({"id": 1, **entry})
    (folder / file).write_text(line if file.endswith("l") else f"[{line}]")
    conceptbind.evaluate(by_digit(), benchmark=name, data=tmp_path, out=tmp_path / "run")
    written = json.loads((tmp_path / f"run/clip_benchmark/{name}.json").read_text())
    assert written["metrics"] == {"text_acc": 1.0, "image_acc": 1.0, "acc": 1.0}


def test_a_caption_that_is_null_is_named(known, tmp_path):
    known(files=["items.json"])
    items(tmp_path, ("0 a", "1 b"), ("0 c", None))
    with pytest.raises(ConceptBindError, match="item 2: 'wrong' must be text; got None"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


def test_empty_captions_are_counted(known, tmp_path):
    known(files=["items.json"])
    items(tmp_path, ("0 a", "1 b"), ("0 c", " "))
    notes = read_benchmark("mine", tmp_path, Making(tmp_path / "made")).notes
    assert "in 1 item a caption is empty; they count, as they stand." in notes


def test_an_array_that_states_more_than_it_holds_takes_no_memory(known, tmp_path):

    pytest.importorskip("pyarrow")
    buffer = BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**5, 3)}
    )
    row = {"image": buffer.getvalue(), "caption": "0 a", "wrong": "1 b"}
    write_parquet(tmp_path / "items.parquet", [row])
    known(files=["items.parquet"])
    with pytest.raises(FileError, match=r"image is damaged: its header states uint8 of shape"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


@pytest.fixture
def sets(tmp_path):
    """Ten pictures of each of two sets, one of them away and one too many."""
    imagecode(tmp_path)
    (tmp_path / "image-sets/video_7/img1.jpg").unlink()
    write_picture(tmp_path / "image-sets/video_7/img10.jpg", 1)
    write_picture(tmp_path / "image-sets/video_7/img copy.jpg", 1)
    return tmp_path


def test_pictures_of_a_set_go_by_their_number(sets):
    with pytest.raises(FileError, match=r"not in .*: video_7/img1\.jpg; put them there"):
        read_benchmark("imagecode", sets, Making(sets / "made"))
    data = read_benchmark("imagecode", sets, Making(sets / "made"), allow_missing=True)
    # the two captions of that set are left out
    assert any("2 items left out" in note for note in data.notes)
    shown = [[data.pictures[n].rsplit("/")[-1] for n in row[1:]] for row in data.items["rows"]]
    assert shown == [[f"img{n}.jpg" for n in range(10)]] * 3


def archive(path, *files):
    with tarfile.open(path, "w") as into:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            into.addfile(member, BytesIO(data))


def sample(key, *, caption="0 a ", shown=True):
    told = json.dumps({"caption": caption, "wrong": "1 b"}).encode()
    files = [(f"{key}.jpg", png(0))] if shown else []
    return [*files, (f"{key}.txt", caption.encode()), (f"{key}.json", told)]


def test_a_caption_that_stands_twice_may_end_in_a_space(known, tmp_path):
    archive(tmp_path / "0.tar", *sample("00"))
    known(files=["0.tar"])
    data = read_benchmark("mine", tmp_path, Making(tmp_path / "made"))
    assert data.captions == ("0 a", "1 b")


def test_a_folder_of_img2dataset_is_read_by_its_archives(known, tmp_path):
    """Beside each lies a table of what is in it. One sample has no picture."""
    pytest.importorskip("pyarrow")
    archive(tmp_path / "00000.tar", *sample("0"), *sample("1", shown=False))
    write_parquet(tmp_path / "00000.parquet", [{"url": "u", "key": "0"}])
    known(files=["tables"])
    with pytest.raises(FileError, match=r"00000\.tar/1; put them there, or add --allow-missing"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))
    data = read_benchmark("mine", tmp_path, Making(tmp_path / "made"), allow_missing=True)
    assert len(data.items["rows"]) == 1


def test_equal_pictures_inside_a_table_are_one(known, tmp_path):
    pytest.importorskip("pyarrow")
    row = {"image": inside(0), "wrong": "1 b"}
    rows = [{**row, "caption": "0 a"}, {**row, "caption": "0 c"}, {**row, "image": inside(1)}]
    write_parquet(tmp_path / "items.parquet", [{"caption": "0 d", **one} for one in rows])
    known(files=["items.parquet"])
    data = read_benchmark("mine", tmp_path, Making(tmp_path / "made"))
    assert len(data.pictures) == 2
    assert data.items["rows"][:, 0].tolist() == [0, 0, 1]
    assert data.items["draws"].tolist() == [0, 0, 1]
    # and in the tables that are not described
    rows = [{"image_0": inside(0), "image_1": inside(0), "caption_0": "0", "caption_1": "1"}]
    write_parquet(tmp_path / "w/data/test.parquet", rows)
    data = read_benchmark("winoground", tmp_path / "w", Making(tmp_path / "made"))
    assert data.items["rows"][0, :2].tolist() == [0, 0]


def test_brackets_in_a_text_are_not_those_of_a_list():
    texts = ["so sad :(", 'he said "(["'] * 60
    assert literal(repr(texts), "here") == texts
    with pytest.raises(ConceptBindError, match="expected a list written as a Python literal"):
        literal("[" * 60 + "'x'" + "]" * 60, "here")


def test_a_cell_may_hold_a_long_list(tmp_path):
    texts = ["0 " + "a" * 100] * 2000
    (tmp_path / "a.csv").write_text('x,y\n"' + repr(texts) + '",1\n')
    (entry,) = entries_of([tmp_path / "a.csv"])
    assert literal(entry["x"], "here") == texts
    assert csv.field_size_limit() < len(entry["x"])


@pytest.mark.parametrize(
    ("write", "parts", "beside"),
    [(spec, "2 of 6", {"-"}), (whole_spec, None, {"33.4 %", "30.6 %"})],
)
def test_a_part_of_a_published_mean_is_not_beside_it(write, parts, beside, tmp_path):
    write(tmp_path / "spec")
    data = read_benchmark("spec", tmp_path / "spec", Making(tmp_path / "made"))
    records = evaluate_benchmark(by_digit(), "spec", data, tmp_path / "kept")
    asked = {"metric": "accuracy", "split": "image to text", "protocol": "paper", "control": "none"}
    assert records.first(**asked)["parts"] == parts
    assert {row[5] for row in field_table(records).rows} == beside
