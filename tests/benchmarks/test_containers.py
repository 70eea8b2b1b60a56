"""The same three items from every container: one picture, a right and a wrong caption each."""

from __future__ import annotations

import csv
import io
import json
import tarfile

import numpy as np
import pytest

from conceptbind.benchmarks import Making, evaluate_benchmark, registry
from conceptbind.benchmarks.declared import benchmark_of
from conceptbind.benchmarks.description import described
from conceptbind.benchmarks.evaluate import look_at_benchmark, read_benchmark
from conceptbind.core.errors import ConceptBindError
from published_layouts import by_digit, inside, png, write_parquet, write_picture

ITEMS = ((0, "0 right", "1 wrong"), (1, "0 wrong, “quoted”", "1 right"), (2, "2 a", "2 b"))
HEAD = {"name": "mine", "title": "t", "published": "p", "licence": "l", "form": "captions"}
FIELDS = {"pictures": ["image"], "captions": ["caption", "wrong"], "places": ["."]}


def rows():
    return [
        {"image": f"{n}.png", "caption": right, "wrong": wrong}
        for n, (_, right, wrong) in enumerate(ITEMS)
    ]


def with_files(folder):
    for n, (level, *_) in enumerate(ITEMS):
        write_picture(folder / f"{n}.png", level)


def as_json(folder):
    with_files(folder)
    (folder / "items.json").write_text(json.dumps({str(n): row for n, row in enumerate(rows())}))


def as_lines(folder):
    with_files(folder)
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows())))


def as_csv(folder):
    """With the index of pandas in front."""
    with_files(folder)
    with (folder / "items.csv").open("w", newline="") as file:
        told = csv.writer(file)
        told.writerow(["", "image", "caption", "wrong"])
        told.writerows([n, *row.values()] for n, row in enumerate(rows()))


def as_parquet(folder):
    """Two shards, pictures inside."""
    held = [{**row, "image": inside(level)} for row, (level, *_) in zip(rows(), ITEMS, strict=True)]
    write_parquet(folder / "data/test-00000-of-00002.parquet", held[:2])
    write_parquet(folder / "data/test-00001-of-00002.parquet", held[2:])


def saved(folder, chosen=False):
    from datasets import Dataset

    held = [{**row, "image": inside(level)} for row, (level, *_) in zip(rows(), ITEMS, strict=True)]
    table = Dataset.from_list(held)
    return table.select([2, 0]) if chosen else table


def as_saved(folder):
    saved(folder).save_to_disk(folder / "test")


def as_webdataset(folder):
    """The files of a sample apart from each other, in the order in which they were done; one
    picture is an array.
    """
    with tarfile.open(folder / "00000.tar", "w") as archive:

        def add(name, data):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        for n in (0, 1, 2):
            add(f"s/00{n}.txt", ITEMS[n][1].encode())
        for n in (2, 0, 1):
            add(f"s/00{n}.json", json.dumps({"wrong": ITEMS[n][2], "key": "x"}).encode())
            if n == 1:
                buffer = io.BytesIO()
                np.save(buffer, np.full((8, 8, 3), (1, 0, 0), dtype=np.uint8))
                add(f"s/00{n}.npy", buffer.getvalue())
            else:
                add(f"s/00{n}.png", png(ITEMS[n][0]))


CONTAINERS = {
    as_json: ["items.json"],
    as_lines: ["items.jsonl"],
    as_csv: ["items.csv"],
    as_parquet: ["tables"],
    as_saved: ["tables"],
    as_webdataset: ["tables"],
}


@pytest.fixture
def known(monkeypatch):
    """Makes a description known under its name."""

    def make(**told):
        benchmark = benchmark_of(described({**HEAD, **FIELDS, **told}, "here"))
        monkeypatch.setitem(registry.BENCHMARKS, "mine", benchmark)
        return benchmark

    return make


@pytest.mark.parametrize("write", CONTAINERS, ids=lambda one: one.__name__)
def test_every_container_gives_the_same_items(write, known, tmp_path):
    for package in ("pyarrow", "datasets"):
        pytest.importorskip(package)
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder)
    known(files=CONTAINERS[write])
    making = Making(tmp_path / "made")
    looked = look_at_benchmark("mine", folder, making)
    assert not (tmp_path / "made").exists()  # nothing is written before the run folder is opened
    data = read_benchmark("mine", folder, making)
    assert looked is None or looked.hash == data.hash
    records = evaluate_benchmark(by_digit(), "mine", data, tmp_path / "kept")
    found = records.one(control="none", metric="accuracy", protocol="strict")
    assert (found.value, found.n, found.ties) == (pytest.approx(1 / 3), 3, 1)
    assert data.captions == tuple(text for _, *texts in ITEMS for text in texts)


def test_chosen_rows_of_a_saved_data_set_are_not_taken_for_all(known, tmp_path):
    """Its files hold all rows; which are chosen stands in another file."""
    pytest.importorskip("datasets")
    saved(tmp_path, chosen=True).save_to_disk(tmp_path / "test")
    state = tmp_path / "test/state.json"
    told = json.loads(state.read_text())
    state.write_text(json.dumps({**told, "_indices_files": [{"filename": "indices.arrow"}]}))
    known(files=["tables"])
    with pytest.raises(ConceptBindError, match=r"save it again after flatten_indices\(\)"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


def test_damaged_containers_are_named(known, tmp_path):
    known(files=["tables"])
    as_webdataset(tmp_path)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(whole[:700])
    with pytest.raises(ConceptBindError, match="00000.tar is not a whole tar file"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))
    (tmp_path / "00000.tar").unlink()
    known(files=["items.csv"])
    (tmp_path / "items.csv").write_text("image,caption,wrong\na,b\n")
    with pytest.raises(ConceptBindError, match="line 2: expected 3 cells as in the header, got 2"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


@pytest.mark.parametrize(
    "pixels", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3)), np.array([{}], dtype=object)]
)
def test_an_array_that_is_no_picture_is_refused(pixels, known, tmp_path):
    np.save(tmp_path / "0.npy", pixels)
    (tmp_path / "items.json").write_text(json.dumps([{**rows()[0], "image": "0.npy"}]))
    known(files=["items.json"], npy="bgr")
    with pytest.raises(ConceptBindError, match=r"0\.npy"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


@pytest.mark.parametrize("name", ["../0.png", "/etc/0.png"])
def test_pictures_outside_the_folder_are_refused(name, known, tmp_path):
    (tmp_path / "items.json").write_text(json.dumps([{**rows()[0], "image": name}]))
    known(files=["items.json"])
    with pytest.raises(ConceptBindError, match="only pictures below it are read"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))


def test_rows_that_make_one_item_must_be_there_together(known, tmp_path):
    known(form="swaps", files=["a.txt"], group=2, captions=["0", "1"], pictures=[])
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    with pytest.raises(ConceptBindError, match="expected 2 rows for each item, and 1 are left"):
        read_benchmark("mine", tmp_path, Making(tmp_path / "made"))
