"""`conceptbind query`: what is searched, what is printed and written, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import conceptbind
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError, MismatchError, ModalityError
from conceptbind.core.escape import plain_cell
from conceptbind.rows.embeddings import Embeddings

CAPTIONS = [
    "a red square and a blue circle",
    "a blue square and a red circle",
    "a red square and a blue triangle",
    "a red square",
]


class Values:
    """Captions as how often each of some words stands in them."""

    id, revision, modalities = "values", "1", ("text",)
    words = ("red", "blue", "square", "circle", "triangle")
    dimension = len(words) + 1

    def encode_texts(self, texts):
        rows = [[*(text.split().count(word) for word in self.words), 0.1] for text in texts]
        return np.array(rows, dtype=np.float32)

    def encode_images(self, images):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path):
    """Rows of tiny for the captions of a table of scenes."""
    (made,) = conceptbind.embed("tiny", scenes="clevr2d", modality="text", out=tmp_path / "rows")
    return made


def test_captions_are_searched_and_kept(tmp_path):
    hits = conceptbind.query(Values(), "red square, -circle", captions=CAPTIONS, top=2)
    assert hits.names == ("a red square", "a red square and a blue triangle")
    assert hits.rows.tolist() == [3, 2]
    assert hits.of_parts.shape == (2, 2)
    assert hits.n == 4
    assert len(list((tmp_path / "runs").glob("query-values-*/manifest.json"))) == 1
    again = conceptbind.query(Values(), "red square", captions=CAPTIONS, way="min", top=9)
    assert len(again) == 4
    assert len(list((tmp_path / "runs").iterdir())) == 1, "embedded once, whatever is asked"
    assert again.frame().columns.tolist() == ["rank", "score", "red square", "row", "name"]
    assert "a red square" in repr(again)
    assert "<table" in again._repr_html_()


def test_a_folder_names_its_encoder_and_a_table_names_its_rows(folder, capsys):
    words = [
        "query",
        str(folder),
        "a red square, a blue circle",
        "--scenes",
        "clevr2d",
        "--top",
        "2",
    ]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "2 of 576 by --way sum, embedded by tiny" in shown
    assert "a red square and a blue circle" in shown
    hits = conceptbind.query(folder, "a red square")
    assert hits.names == tuple(map(str, hits.rows)), "row numbers where nothing names them"


def test_hits_are_written_as_csv_and_json(folder, tmp_path):
    for suffix in ("csv", "json"):
        conceptbind.query(folder, "a red square, -circle", top=3, out=tmp_path / f"hits.{suffix}")
    head, *rows = (tmp_path / "hits.csv").read_text().splitlines()
    assert list(map(plain_cell, head.split(","))) == [
        *("rank", "score", "a red square", "-circle", "row", "name")
    ]
    assert len(rows) == 3
    told = json.loads((tmp_path / "hits.json").read_text())
    assert told["parts"][1] == {"text": "circle", "negated": True}
    assert [hit["rank"] for hit in told["hits"]] == [1, 2, 3]
    assert told["hits"][0]["score"] == pytest.approx(float(rows[0].split(",")[1]))


def test_arrays_need_an_encoder_and_stay_on_disk(folder, tmp_path):
    rows = conceptbind.Embeddings
    assert rows is Embeddings
    values = conceptbind.resolve(f"file:{folder}").values
    np.save(tmp_path / "rows.npy", 3 * values)
    with pytest.raises(ConceptBindError, match="does not say which encoder made it"):
        conceptbind.query(tmp_path / "rows.npy", "a red square")
    (tmp_path / "names.txt").write_text("\n".join(f"picture {row}" for row in range(576)))
    asked = {"encoder": "tiny", "names": tmp_path / "names.txt"}
    on_disk = conceptbind.query(tmp_path / "rows.npy", "a red square", **asked)
    held = conceptbind.query(values, "a red square", encoder="tiny")
    assert on_disk.rows.tolist() == held.rows.tolist()
    assert on_disk.names[0] == f"picture {on_disk.rows[0]}"
    (tmp_path / "few.txt").write_text("one\n")
    with pytest.raises(MismatchError, match="names has 1 names, and the index 576 rows"):
        conceptbind.query(values, "a red square", encoder="tiny", names=tmp_path / "few.txt")


def test_pictures_are_searched(tmp_path):
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        picture = Image.new("RGB", (64, 64), (200, 200, 200))
        picture.paste(colour, (16, 16, 48, 48))
        (tmp_path / "photos").mkdir(exist_ok=True)
        picture.save(tmp_path / "photos" / f"{name}.png")
    hits = conceptbind.query("tiny", "a red square, -a blue square", pictures=tmp_path / "photos")
    assert hits.names == ("red.png", "blue.png")


def test_a_repair_maps_the_query(tmp_path):
    from conceptbind.repairs.labclip.adapter import Adapter

    turned = np.eye(6, dtype=np.float32)[[1, 0, 2, 3, 4, 5]]  # red and blue change places
    adapter = Adapter(turned, 0.0, {"encoder": "values", "revision": "1"})
    hits = conceptbind.query(Values(), "blue, circle", captions=["red circle", "blue circle"])
    assert hits.names[0] == "blue circle"
    mapped = conceptbind.query(
        Values(), "blue, circle", captions=["red circle", "blue circle"], adapter=adapter
    )
    assert mapped.names[0] == "red circle"
    other = Adapter(turned, 0.0, {"encoder": "tiny", "revision": "x"})
    with pytest.raises(MismatchError, match="fitted on 'tiny'"):
        conceptbind.query(Values(), "blue", captions=["red circle"], adapter=other)


def test_a_run_folder_is_searched_by_its_pictures_or_captions(tmp_path):
    run = conceptbind.measure("tiny", scenes="clevr2d", studies="negation", modality="text")
    hits = conceptbind.query(run, "a red square, a blue circle", way="whole", top=1)
    assert hits.names[0] in ("a red square and a blue circle", "a blue circle and a red square")
    with pytest.raises(ConceptBindError, match="holds no embeddings of image"):
        conceptbind.query(run, "a red square", modality="image")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny", "a"], "'tiny' is an encoder, and there is nothing to search"),
        (["nowhere", "a"], "'nowhere' is neither a folder of embeddings nor an array file"),
        (["tiny", "a,", "--captions", "c.txt"], "part 2 of the query is empty"),
        (["tiny", "a", "--captions", "c.txt", "--top", "0"], "--top must be at least 1"),
        (["tiny", "a", "--captions", "c.txt", "--minus", "0"], "--minus must be a number above 0"),
        (["tiny", "a", "--captions", "c.txt", "--pictures", "p"], "not both"),
        (["tiny", "a", "--captions", "c.txt", "--encoder", "tiny"], "leave out --encoder"),
        (["tiny", "a", "--captions", "c.txt", "--out", "h.txt"], "must be a .csv or .json file"),
        (["tiny", "a", "--pictures", "p"], "--pictures must be a folder; there is none"),
        (["tiny", "a", "--captions", "c.txt"], "c.txt"),
    ],
)
def test_what_is_refused_is_said_in_one_line(words, message, capsys):
    assert main(["query", *words]) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told


def test_one_caption_for_all_needs_a_word_for_what_is_absent():
    with pytest.raises(ConceptBindError, match="tiny does not know a word for what is absent"):
        conceptbind.query("tiny", "a red square, -circle", captions=["a red square"], way="whole")


def test_an_index_opens_no_code_and_no_other_encoder(folder):
    rows = Embeddings(np.eye(3, dtype=np.float32), "text", "h", "s", "py:evil:make", "1")
    with pytest.raises(ConceptBindError, match="which is not opened from there"):
        conceptbind.query(rows, "a")
    with pytest.raises(MismatchError, match="the index was embedded by 'tiny'"):
        conceptbind.query(folder, "a red square", encoder="tiny-bound")
    with pytest.raises(ModalityError, match="does not embed captions"):
        conceptbind.query(np.eye(3), "a", encoder=np.eye(3))


@pytest.mark.long
def test_a_hundred_thousand_rows_are_searched_without_a_copy(tmp_path):
    import tracemalloc

    rng = np.random.default_rng(0)
    np.save(tmp_path / "many.npy", rng.normal(size=(100_000, 6)).astype(np.float32))
    values = np.load(tmp_path / "many.npy", mmap_mode="r")
    tracemalloc.start()
    hits = conceptbind.query(tmp_path / "many.npy", "red, blue, -circle", encoder=Values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(hits) == 10
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    parts = Values().encode_texts(["red", "blue", "circle"])
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    slow = (unit @ parts.T) @ np.array([1, 1, -1]) / 3
    assert hits.rows.tolist() == np.argsort(-np.round(slow, 6), kind="stable")[:10].tolist()
    assert peak < 60 * 2**20
