"""Indexes that others built: every container gives the rows and captions that were put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import conceptbind
import containers as made
from conceptbind.cli import main
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    ShapeError,
    UnknownNameError,
    ValueRangeError,
)
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.rows.indexes import Index, open_container

ROWS = made.planted()


def _faiss(path, kind):
    faiss = pytest.importorskip("faiss")
    rows = ROWS.astype(np.float32)
    index = faiss.index_factory(made.WIDTH, kind)
    index.train(rows)
    if "IDMap" in kind:
        index.add_with_ids(rows, np.arange(made.N) * 7 + 3)
    else:
        index.add(rows)
    faiss.write_index(index, str(path))
    return path


def _webdataset(folder, told):
    folder.mkdir()
    made.tar(folder / "00000.tar", ROWS[:20], failed=3, told=told)
    made.tar(folder / "00001.tar", ROWS[20:], 20, told=told)
    return folder


MAKE = {
    "clip-retrieval": lambda place: made.clip_retrieval(place / "clip", ROWS),
    "npy": lambda place: made.shards(place / "npy", ROWS),
    "npy file": lambda place: made.one_array(place / "x.npy", ROWS),
    "npy by column": lambda place: made.one_array(place / "x.npy", np.asfortranarray(ROWS)),
    "npy big-endian": lambda place: made.one_array(place / "x.npy", ROWS.astype(">f4")),
    "npy folder": lambda place: made.shards(place / "npy", ROWS).rpartition("/")[0],
    "npy braces": lambda place: made.shards(place / "npy", ROWS).replace("*", "{0..11}"),
    "parquet": lambda place: made.parquet(place / "x.parquet", ROWS),
    "parquet lists": lambda place: made.parquet(place / "x.parquet", ROWS, fixed=False),
    "parquet nulls": lambda place: made.parquet(place / "x.parquet", ROWS, missing=20),
    "parquet ::": lambda place: f"{made.parquet(place / 'x.parquet', ROWS)}::vector",
    "lance": lambda place: made.lance(place / "x.lance", ROWS),
    "lance nulls": lambda place: made.lance(place / "x.lance", ROWS, missing=20),
    "duckdb": lambda place: made.duck(place / "x.duckdb", ROWS),
    "duckdb nulls": lambda place: (
        f"{made.duck(place / 'x.duckdb', ROWS, missing=20)}::items.vector"
    ),
    "faiss flat": lambda place: _faiss(place / "x.faiss", "Flat"),
    "faiss numbered": lambda place: _faiss(place / "x.index", "IDMap,Flat"),
    "faiss lists": lambda place: _faiss(place / "x.index", "IVF2,Flat"),
    "faiss graph": lambda place: _faiss(place / "x.index", "HNSW8"),
}


@pytest.fixture(params=MAKE, name="index")
def _index(request, tmp_path) -> Index:
    found = open_container(MAKE[request.param](tmp_path))
    assert found is not None
    assert request.param.startswith(found.container)
    assert found.failed == (20 if "nulls" in request.param else 0)
    return found


def test_all_rows_come_back_by_slice_by_number_and_in_blocks(index):
    rows = index.rows()[1]
    assert (index.n, index.dimension, rows.shape) == (made.N, made.WIDTH, (made.N, made.WIDTH))
    np.testing.assert_allclose(np.asarray(rows), ROWS.astype(np.float32), atol=1e-3)
    np.testing.assert_array_equal(np.concatenate([part for _, part in rows.blocks(7)]), rows[:])
    np.testing.assert_array_equal([start for start, _ in rows.blocks(7)], range(0, made.N, 7))
    wanted = np.random.default_rng(2).integers(0, made.N, (5, 9))  # some of them several times
    np.testing.assert_array_equal(rows[wanted], rows[:][wanted])
    np.testing.assert_array_equal(rows[[-1, 3]], rows[:][[-1, 3]])
    np.testing.assert_array_equal(rows[40:10:-3], rows[:][40:10:-3])
    assert rows[9:9].shape == (0, made.WIDTH)
    with pytest.raises(IndexError):
        rows[[made.N]]


def test_captions_belong_to_their_rows(index):
    if index.captions is None:
        assert index.container in ("npy", "faiss")
        return
    assert list(index.captions) == made.CAPTIONS
    rows = np.array([30, 2, 30, 49])
    assert index.captions.at(rows) == [made.CAPTIONS[row] for row in rows]
    assert index.captions[17] == made.CAPTIONS[17]


@pytest.mark.parametrize("told", ["txt", "json", "table"])
def test_samples_of_webdataset_are_joined_by_key(tmp_path, told):
    """The order of a shard is not that of its table: what is joined by row is wrong."""
    index = open_container(_webdataset(tmp_path / "web", told))
    assert (index.container, index.n, index.failed) == ("webdataset", made.N, 3)
    keys = [int(key) for key in index.keys]
    assert keys != sorted(keys)
    np.testing.assert_array_equal(index.rows()[1][:], ROWS[keys].astype(np.float32))
    assert list(index.captions) == [made.CAPTIONS[key] for key in keys]


def _members(path, members):
    """A shard of members with an embedding of one number, or with a text."""
    import io
    import tarfile

    with tarfile.open(path, "w") as archive:
        for name, held in members:
            content = io.BytesIO()
            if isinstance(held, int):
                np.save(content, np.array([held], np.float32))
            else:
                content.write(held.encode())
            head = tarfile.TarInfo(name)
            head.size = content.tell()
            content.seek(0)
            archive.addfile(head, content)


def test_what_tells_the_caption_of_a_sample(tmp_path):
    """Its .txt, else the table, else its .json; members of a sample need not be neighbours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    members = [("a/\u00e9.txt", " one "), ("b.json", '{"caption": "two"}'), ("c.json", "broken")]
    members += [("d.npy", 4), ("lost.txt", "no row"), ("b.npy", 2), ("a/\u00e9.npy", 1)]
    members += [("c.npy", 3), ("e.npy", 5), ("e.json", '{"caption": "not read"}'), ("d.txt", "")]
    _members(tmp_path / "x.tar", members)
    table = {"key": ["e", "gone", "a/\u00e9"], "caption": ["five", "nothing", "not read"]}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    index = open_container(tmp_path / "x.tar")
    rows, captions = np.asarray(index.rows()[1])[:, 0], index.captions.at(np.arange(index.n))
    found = zip(index.keys, rows.tolist(), captions, strict=True)
    assert {key: (row, text) for key, row, text in found} == {
        "a/\u00e9": (1, "one"),
        "b": (2, "two"),
        "c": (3, None),
        "d": (4, None),
        "e": (5, "five"),
    }
    assert index.failed == 2  # a caption without a row, and a key of the table


def test_a_sample_takes_its_key_and_a_few_numbers(tmp_path):
    import tracemalloc

    n = 4000
    ends = (("npy", 1), ("txt", "x"))
    members = [(f"{row:08}.{end}", held) for row in range(n) for end, held in ends]
    _members(tmp_path / "x.tar", members)
    open_container(tmp_path / "x.tar")  # what is imported is no memory of the index
    tracemalloc.start()
    index = open_container(tmp_path / "x.tar")
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert index.n == n
    assert kept / n < 120, f"{kept / n:.0f} bytes a sample"


def test_revisions_follow_content(tmp_path):
    first = open_container(made.shards(tmp_path / "a", ROWS)).revision
    assert open_container(made.shards(tmp_path / "b", ROWS)).revision == first
    assert open_container(made.shards(tmp_path / "c", ROWS[::-1])).revision != first


def test_an_index_is_searched(index, tmp_path):
    hits = conceptbind.query(index.id, "anything", encoder=_Fixed(), top=3)
    near = np.argsort(-(ROWS.astype(np.float32) @ _Fixed().row), kind="stable")[:3]
    assert sorted(hits.rows.tolist()) == sorted(near.tolist())
    if index.captions is not None:
        assert hits.names[0] == made.CAPTIONS[hits.rows[0]]


class _Fixed:
    id, revision, modalities, dimension = "fixed", "1", ("text",), made.WIDTH
    row = np.linspace(-1, 1, made.WIDTH, dtype=np.float32)

    def encode_texts(self, texts):
        return np.tile(self.row, (len(texts), 1))

    def encode_images(self, images):
        raise NotImplementedError


def test_a_repair_maps_an_index_block_by_block(index, tmp_path):
    if index.modalities == ("image",):
        pytest.skip("captions alone are mapped")
    linear = Adapter(np.eye(made.WIDTH, dtype=np.float32)[::-1].copy(), 0.0, {})
    target = conceptbind.apply(linear, texts=index.id, out=tmp_path / "mapped.npy")
    np.testing.assert_allclose(np.load(target), linear(index.rows()[1][:]), atol=1e-6)


def test_an_index_is_measured_where_its_rows_are_as_many_as_the_scenes(tmp_path):
    scenes = conceptbind.load_scenes("text20:4x4")
    rows = np.random.default_rng(0).normal(size=(len(scenes), 6)).astype(np.float32)
    pattern = made.shards(tmp_path / "rows", rows)
    found = conceptbind.measure(
        f"file:{pattern}",
        scenes=scenes,
        modality="text",
        complexity="none",
        studies="probe",
        out=tmp_path / "run",
    )
    assert found.records.where(metric="object_recognition")
    with pytest.raises(MismatchError, match="has 50 rows but the scenes"):
        conceptbind.measure(
            f"file:{made.shards(tmp_path / 'other', ROWS)}",
            scenes=scenes,
            modality="text",
            out=tmp_path / "no",
        )
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({3: "b0x"}, "lacks 1 of the scenes 'some', the first is 'b03'.*or leave its keys out"),
        ({3: "b04"}, "two rows under the key 'b04'"),
    ],
)
def test_one_wrong_key_does_not_join_by_row(tmp_path, change, words):
    """The keys of a table's own column decide, or nothing does."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from conceptbind.rows.indexes.measured import rows_of_index

    class Named:
        name, ids = "some", tuple(f"b{row:02}" for row in range(8))

    order = [5, 2, 7, 0, 1, 6, 3, 4]
    for place, changed in (("whole", {}), ("changed", change)):
        keys = [changed.get(row, f"b{row:02}") for row in order]
        table = pa.table({"id": keys, "embedding": [ROWS[row].tolist() for row in order]})
        pq.write_table(table, tmp_path / f"{place}.parquet")
    found = rows_of_index(open_container(str(tmp_path / "whole.parquet")), Named())
    np.testing.assert_allclose(
        next(iter(found.arrays.values())), ROWS[:8].astype(np.float32), rtol=1e-3
    )
    with pytest.raises(MismatchError, match=words):
        rows_of_index(open_container(str(tmp_path / "changed.parquet")), Named())


def test_a_change_in_the_middle_of_a_file_is_another_index(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    before = open_container(made.shards(tmp_path / "one", rows)).revision
    rows[1900:1950] = rows[1900:1950][::-1]
    assert open_container(made.shards(tmp_path / "two", rows)).revision != before


def test_metadata_without_the_captions_of_the_others_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = made.clip_retrieval(tmp_path / "clip", ROWS)
    last = folder / "metadata" / "metadata_10.parquet"
    pq.write_table(pa.table({"image_path": ["x"] * pq.read_table(last).num_rows}), last)
    with pytest.raises(MismatchError, match="metadata_10.parquet has no column 'caption'"):
        open_container(str(folder))


def test_scenes_find_their_rows_by_key(tmp_path):
    from conceptbind.rows.indexes.measured import rows_of_index
    from conceptbind.scenes.table import Scenes

    index = open_container(_webdataset(tmp_path / "web", "txt"))
    table = Scenes.unlabelled("some", captions=["one", "two"])
    named = [str(name) for name in table.ids]
    with pytest.raises(MismatchError, match="lacks 2 of the scenes 'some', the first is"):
        rows_of_index(index, table)

    class Named:
        name, ids = "some", ("00033", "00004")

    found = rows_of_index(index, Named())
    np.testing.assert_array_equal(found.arrays["embeddings"], ROWS[[33, 4]].astype(np.float32))
    assert len(named) == 2


def _two_widths(place):
    made.shards(place / "npy", ROWS)
    np.save(place / "npy" / "part-3.npy", np.zeros((4, 9), np.float32))
    return place / "npy" / "part-*.npy"


def _lists_of_two_widths(place):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"v": [[1.0, 2.0], [1.0, 2.0, 3.0]]}), place / "x.parquet")
    return place / "x.parquet"


def _holes(place):
    rows = ROWS.astype(np.float32)
    rows[33, 2] = np.nan
    return made.shards(place / "npy", rows)


def _tars_of_two_widths(place):
    made.tar(place / "0.tar", ROWS[:4])
    made.tar(place / "1.tar", np.zeros((2, 9), np.float16), 4)
    return place / "*.tar"


def _same_key(place):
    made.tar(place / "0.tar", ROWS[:4])
    made.tar(place / "1.tar", ROWS[:4])
    return place / "*.tar"


def _uneven(place):
    made.clip_retrieval(place / "clip", ROWS, made.CAPTIONS[:-1])
    return place / "clip"


def _lonely(place):
    made.clip_retrieval(place / "clip", ROWS)
    (place / "clip" / "metadata" / "metadata_10.parquet").unlink()
    return place / "clip"


def _two_columns(place):
    import pyarrow as pa

    more = {"other": pa.array([[1.0]] * made.N, pa.list_(pa.float32(), 1))}
    return made.parquet(place / "x.parquet", ROWS, **more)


def _scattered(place):
    faiss = pytest.importorskip("faiss")
    rows = ROWS.astype(np.float32)
    index = faiss.index_factory(made.WIDTH, "IVF2,Flat")
    index.train(rows)
    index.add_with_ids(rows, np.arange(made.N) + 1000)
    faiss.write_index(index, str(place / "x.faiss"))
    return place / "x.faiss"


def _twice(place):
    """An upsert that was meant to replace a row."""
    faiss = pytest.importorskip("faiss")
    rows = ROWS.astype(np.float32)
    index = faiss.index_factory(made.WIDTH, "IVF2,Flat")
    index.train(rows)
    numbers = np.arange(made.N)
    numbers[30] = 31
    index.add_with_ids(rows, numbers)
    faiss.write_index(index, str(place / "x.faiss"))
    return place / "x.faiss"


def _numbered_inside(place):
    """faiss ends the process where such a row is asked for."""
    faiss = pytest.importorskip("faiss")
    rows, numbers = ROWS.astype(np.float32), np.arange(made.N)
    numbers[8] = 7
    turn, inner = faiss.PCAMatrix(made.WIDTH, made.WIDTH), faiss.IndexFlatL2(made.WIDTH)
    turn.train(rows)
    numbered = faiss.IndexIDMap2(inner)
    whole = faiss.IndexPreTransform(turn, numbered)
    whole.add_with_ids(rows, numbers)
    faiss.write_index(whole, str(place / "x.faiss"))
    return place / "x.faiss"


def _own_rowid(place):
    path = made.duck(place / "x.duckdb", ROWS)
    with pytest.importorskip("duckdb").connect(str(path)) as database:
        database.execute("ALTER TABLE items ADD COLUMN ROWID INTEGER DEFAULT 5")
    return path


def _schemas(place):
    """A table, a view of it, and a table in a schema of its own."""
    path = made.duck(place / "x.duckdb", ROWS)
    with pytest.importorskip("duckdb").connect(str(path)) as database:
        database.execute("CREATE VIEW seen AS FROM items")
        database.execute("CREATE SCHEMA mine; CREATE TABLE mine.other AS FROM items")
        database.execute("UPDATE mine.other SET vector = NULL WHERE rowid < 4")
    return path


def _halves(place):
    made.parquet(place / "a.parquet", ROWS)
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pq.read_table(place / "a.parquet").select(["vector"]), place / "b.parquet")
    return place


def _of_other_keys(place):
    made.tar(place / "00000.tar", ROWS[:20], told="table")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(place / "00000.parquet")
    named = table.set_column(0, "key", [[f"x/{key}" for key in table["key"].to_pylist()]])
    pq.write_table(named, place / "00000.parquet")
    return place / "00000.tar"


def _written(place, name, content=b"not what it says"):
    (place / name).write_bytes(content)
    return place / name


REFUSED = {
    "two widths": (
        _two_widths,
        ShapeError,
        "part-0.npy has rows of 8 dimensions and part-3.npy of 9",
    ),
    "lists of two widths": (_lists_of_two_widths, ShapeError, "rows of 2 dimensions and one of 3"),
    "tars of two widths": (
        _tars_of_two_widths,
        ShapeError,
        "0.tar has rows of 8 dimensions and 1.tar",
    ),
    "a key twice": (_same_key, MismatchError, "the key '00000' stands in two shards"),
    "NaN": (_holes, ValueRangeError, "row 33 of .* holds NaN or infinite numbers"),
    "fewer captions": (_uneven, MismatchError, "metadata_10.parquet has 33 rows and the first"),
    "a shard alone": (_lonely, FileError, "the shards of metadata are not those"),
    "no column": (
        lambda place: f"{made.parquet(place / 'x.parquet', ROWS)}::vectors",
        UnknownNameError,
        "x.parquet has no column 'vectors'; .*vector",
    ),
    "a column of texts": (
        lambda place: f"{made.parquet(place / 'x.parquet', ROWS)}::caption",
        ShapeError,
        "'caption' of x.parquet does not hold lists of numbers",
    ),
    "two columns": (_two_columns, UnknownNameError, "several columns of embeddings .vector, other"),
    "no table": (
        lambda place: f"{made.duck(place / 'x.duckdb', ROWS)}::thing",
        UnknownNameError,
        "x.duckdb has no table 'thing'",
    ),
    "no parquet": (
        lambda place: _written(place, "x.parquet"),
        FileError,
        "could not read .*x.parquet",
    ),
    "no tar": (lambda place: _written(place, "x.tar"), FileError, "could not read .* as a tar"),
    "no faiss": (lambda place: _written(place, "x.faiss"), FileError, "as a faiss index"),
    "no database": (lambda place: _written(place, "x.duckdb"), FileError, "as a DuckDB database"),
    "no file": (lambda place: place / "x-*.npy", FileError, "no file is called"),
    "a lacking shard": (lambda place: place / "x-{0..3}.npy", FileError, "names x-0.npy, which is"),
    "a column of an array": (
        lambda place: f"{_written(place, 'x.txt')}::column",
        UnknownNameError,
        "has no columns",
    ),
    "bits of faiss": (
        lambda place: _faiss(place / "x.faiss", "LSH"),
        ShapeError,
        r"x.faiss holds bits of each row \(LSH\), from which no row can be had",
    ),
    "bits behind a transform": (
        lambda place: _faiss(place / "x.faiss", "PCA4,LSH"),
        ShapeError,
        "holds bits of each row",
    ),
    "bits that are numbered": (
        lambda place: _faiss(place / "x.faiss", "IDMap,LSH"),
        ShapeError,
        "holds bits of each row",
    ),
    "a column of a file of rows": (
        lambda place: f"{made.one_array(place / 'x.npy', ROWS)}::column",
        UnknownNameError,
        "names the column 'column' of what has no columns",
    ),
    "rows that faiss does not find": (_scattered, ShapeError, "other numbers are there"),
    "a row that faiss has twice": (_twice, ShapeError, "the number 31 stands twice"),
    "duck view": (
        lambda place: f"{_schemas(place)}::seen",
        FileError,
        "'seen' of x.duckdb is a view, whose rows have no numbers",
    ),
    "duck rowid": (
        _own_rowid,
        FileError,
        "the table 'items' of x.duckdb has a column called rowid, which hides",
    ),
    "numbers behind a transform": (_numbered_inside, ShapeError, "the number 7 stands twice"),
    "captions in one file of two": (
        _halves,
        MismatchError,
        "b.parquet has no column 'caption', which other files have",
    ),
    "a table of other keys": (
        _of_other_keys,
        MismatchError,
        "00000.parquet lies beside 00000.tar and has none of its keys, such as '00",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(case, tmp_path, capsys):
    if "duck" in case or case in ("no table", "no database"):
        pytest.importorskip("duckdb")
    make, kind, said = REFUSED[case]
    place = make(tmp_path)
    with pytest.raises(kind, match=said):
        np.asarray(open_container(place).rows()[1])
    words = [
        "apply",
        str(_saved(tmp_path)),
        "--texts",
        str(place),
        "--out",
        str(tmp_path / "y.npy"),
    ]
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert len(shown.strip().splitlines()) == 1, shown
    assert not (tmp_path / "y.npy").exists()


def _saved(folder):
    from conceptbind import save_adapter

    where = folder / "adapter"
    save_adapter(Adapter(np.eye(made.WIDTH, dtype=np.float32), 0.0, {}), where, "card")
    return where


def test_packages_are_named_where_they_are_missing(tmp_path, monkeypatch):
    import sys

    cases = (
        (made.parquet(tmp_path / "x.parquet", ROWS), "pyarrow", "parquet"),
        (_written(tmp_path, "x.faiss"), "faiss", "faiss"),
        (_written(tmp_path, "x.duckdb"), "duckdb", "duckdb"),
    )
    for place, package, extra in cases:
        monkeypatch.setitem(sys.modules, package, None)
        if package == "pyarrow":
            monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        with pytest.raises(ConceptBindError, match=rf"pip install 'conceptbind\[{extra}\]'"):
            open_container(place)
        monkeypatch.undo()


def test_objects_are_never_unpickled(tmp_path):
    (tmp_path / "x").mkdir()
    np.save(tmp_path / "x" / "a-0.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(ConceptBindError, match="Python objects"):
        open_container(tmp_path / "x")


@pytest.mark.parametrize(
    ("kind", "noted"),
    [
        ("Flat", False),
        ("IVF2,Flat", False),
        ("SQ8", True),
        ("PQ4x4", True),
        ("IVF2,PQ4x4", True),
        ("PCA4,Flat", True),
        ("LSH,RFlat", False),
    ],
)
def test_it_is_noted_where_faiss_does_not_keep_all_of_a_row(tmp_path, kind, noted):
    index = open_container(_faiss(tmp_path / "x.faiss", kind))
    assert any("which is not all of each row" in note for note in index.notes) is noted
    assert index.rows()[1].shape == (made.N, made.WIDTH)
    if not noted:
        np.testing.assert_array_equal(np.asarray(index.rows()[1]), ROWS.astype(np.float32))


def test_a_file_that_becomes_shorter_while_it_is_read_is_told(tmp_path):
    path = made.one_array(tmp_path / "x.npy", ROWS)
    rows = open_container(path).rows()[1]
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 10)
    for key in (slice(None), [3, made.N - 1]):
        with pytest.raises(FileError, match="became shorter while it was read"):
            rows[key]


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
import conceptbind
from conceptbind.querying.index import open_index

class Fixed:
    id, revision, modalities, dimension = "fixed", "1", ("text",), 256

    def encode_texts(self, texts):
        return np.ones((len(texts), 256), np.float32)

    def encode_images(self, images):
        raise NotImplementedError

found = conceptbind.query(sys.argv[1], "anything", encoder=Fixed(), top=3)
rows = open_index(sys.argv[1]).rows
rows[np.random.default_rng(0).integers(0, len(rows), 2000)]
# what getrusage tells begins with the memory of the process that started this one
status = Path("/proc/self/status").read_text()
print(len(rows), re.search("VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="read from /proc")
def test_the_pages_of_one_file_are_no_memory_of_this_process(tmp_path):
    """A file of 400 MB takes no more than one of 40 MB, searched and read at random."""
    import subprocess
    import sys

    peaks = []
    for n in (80_000, 800_000):
        path = tmp_path / f"{n}.npy"
        np.save(path, np.ones((n, 256), np.float16))
        words = [sys.executable, "-c", PEAK, str(path)]
        run = subprocess.run(words, capture_output=True, text=True, check=True)
        total, peak = map(int, run.stdout.split())
        assert total == n
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 40 * 1024, f"{peaks} KiB"  # the file is 400,000 KiB


@pytest.mark.long
def test_memory_does_not_grow_with_the_rows(tmp_path):
    """4,000,000 rows of 512 float16 in shards with holes on disk are searched in less than 2 GiB;
    an array in memory would take 4 GB in half precision, and 8 GB in single.
    """
    import subprocess
    import sys

    for number in range(4):
        with (tmp_path / f"x-{number}.npy").open("wb") as file:
            header = {"descr": "<f2", "fortran_order": False, "shape": (1_000_000, 512)}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            file.truncate(start + 1_000_000 * 1024)
    code = f"""
import re
import numpy as np
from conceptbind.rows.indexes import open_container
index = open_container({str(tmp_path / "x-*.npy")!r})
total = 0
for start, rows in index.blocks():
    total += len(rows)
index.rows()[1][np.random.default_rng(0).integers(0, index.n, 2000)]
status = open("/proc/self/status").read()  # ru_maxrss would count what the parent held
print(total, re.search("VmHWM:\\s+(\\d+)", status)[1])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    total, peak = map(int, run.stdout.split())
    assert total == 4_000_000
    assert peak < 2 * 1024**2, f"{peak / 1024**2:.2f} GiB"


def test_tables_of_another_schema_are_named_with_it(tmp_path):
    index = open_container(f"{_schemas(tmp_path)}::mine.other")
    assert (index.n, index.failed) == (made.N - 4, 4)
    np.testing.assert_allclose(np.asarray(index.rows()[1]), ROWS[4:], atol=1e-3)
    with pytest.raises(UnknownNameError, match=r"3 tables \(items, seen, mine.other\)"):
        open_container(tmp_path / "x.duckdb")


def test_a_database_without_tables_says_so(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    with pytest.raises(UnknownNameError, match=r"x.duckdb has 0 tables; name one"):
        open_container(tmp_path / "x.duckdb")


@pytest.mark.parametrize("beside", [False, True])
def test_a_column_with_a_dot_in_its_name(tmp_path, beside):
    """A column `image` with a field `embedding` has the same path in the file."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    cells = [None, *ROWS.astype(np.float32).tolist()]
    fields = [[{"embedding": [0.0], "path": "x.png"}] * len(cells)] * beside
    names = ["image"] * beside
    table = pa.table([*fields, cells], names=[*names, "image.embedding"])
    pq.write_table(table, tmp_path / "x.parquet")
    index = open_container(f"{tmp_path / 'x.parquet'}::image.embedding")
    assert (index.n, index.failed, index.modalities) == (made.N, 1, ("image",))
    np.testing.assert_allclose(np.asarray(index.rows()[1]), ROWS, atol=1e-3)
    assert (index.pictures is not None) is beside
    if beside:
        assert set(index.pictures) == {"x.png"}


def _with_cells(place, kind, cells):
    """The same rows, with `cells` in front."""
    pa = pytest.importorskip("pyarrow")
    rows = [*cells, *ROWS.astype(np.float32).tolist()]
    captions = ["lost"] * len(cells) + made.CAPTIONS
    table = pa.table({"vector": pa.array(rows, pa.list_(pa.float32())), "caption": captions})
    if kind == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, place / "x.parquet")
        return place / "x.parquet"
    if kind == "lance":
        pytest.importorskip("lance").write_dataset(table, str(place / "x.lance"))
        return place / "x.lance"
    with pytest.importorskip("duckdb").connect(str(place / "x.duckdb")) as database:
        database.register("given", table)
        database.execute("CREATE TABLE items AS FROM given")
    return place / "x.duckdb"


@pytest.mark.parametrize("kind", ["parquet", "lance", "duckdb"])
@pytest.mark.parametrize("cells", [[[]], [[], None, []]])
def test_an_empty_list_marks_a_failure_as_null_does(tmp_path, kind, cells):
    index = open_container(_with_cells(tmp_path, kind, cells))
    assert (index.n, index.failed, index.dimension) == (made.N, len(cells), made.WIDTH)
    np.testing.assert_allclose(np.asarray(index.rows()[1]), ROWS, atol=1e-3)
    np.testing.assert_allclose(index.rows()[1][[3, 0]], ROWS[[3, 0]], atol=1e-3)
    assert list(index.captions) == made.CAPTIONS


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        ([["a red cube", "a cube"], [], None], ["a red cube", "", ""]),
        ([b"a red cube", b"\xc3\xa9", None], ["a red cube", "é", ""]),
        (
            [{"bytes": b"x", "path": "a.png"}, {"bytes": b"y", "path": None}, None],
            ["a.png", "", ""],
        ),
        ([3, 12, None], ["3", "12", ""]),
        ([3.0, float("nan"), None], ["3", "", ""]),  # as pandas writes whole numbers with gaps
        ([[None, "a cube"], ["", "a ball"], [""]], ["a cube", "a ball", ""]),
    ],
)
def test_cells_that_are_no_plain_texts(tmp_path, cells, read):
    """Lists have the first caption, as in COCO's tables; pictures of `datasets` have a path."""
    made.parquet(tmp_path / "x.parquet", ROWS[:3], url=cells, caption=["a", "b", "c"])
    assert list(open_container(tmp_path / "x.parquet").pictures) == read


@pytest.mark.parametrize("cell", [1.5, {"text": "a red cube"}, True])
def test_cells_that_hold_no_text_are_refused(tmp_path, cell):
    made.parquet(tmp_path / "x.parquet", ROWS[:3], caption=[cell] * 3)
    with pytest.raises(ShapeError, match="a cell of the column 'caption' must hold a text; got"):
        list(open_container(tmp_path / "x.parquet").captions)


@pytest.mark.parametrize("numbers", [False, True])
def test_a_table_is_joined_where_names_begin_with_a_dot_or_keys_are_numbers(tmp_path, numbers):
    """`tar cf x.tar .` writes `./KEY.npy`; a data frame reads 00012 as 12."""
    import tarfile

    made.tar(tmp_path / "a.tar", ROWS[:20], told="table")
    with tarfile.open(tmp_path / "a.tar") as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            member.name = f"././{member.name.replace('.npy', '.NPY')}"
            new.addfile(member, content)
            member.name, member.size = f"./._{member.name[4:]}", 0  # as macOS packs
            new.addfile(member)
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    if numbers:
        table = table.set_column(0, "key", [[int(key) for key in table["key"].to_pylist()]])
    pq.write_table(table, tmp_path / "b.parquet")
    index = open_container(tmp_path / "b.tar")
    assert (index.n, index.failed) == (20, 0)
    told = {int(key): caption for key, caption in zip(index.keys, index.captions, strict=True)}
    assert told == dict(enumerate(made.CAPTIONS[:20]))


def test_a_number_that_single_precision_cannot_hold_is_told_without_a_warning(tmp_path, recwarn):
    rows = ROWS.astype(np.float64)
    rows[7] = 1e300
    made.one_array(tmp_path / "x.npy", rows)
    with pytest.raises(ValueRangeError, match="row 7 of"):
        open_container(tmp_path / "x.npy").rows()[1][:]
    with pytest.raises(ValueRangeError, match="row 7 of"):
        open_container(tmp_path / "x.npy").rows()[1][[7]]
    assert not recwarn.list


def test_files_that_are_not_read_and_folders_of_folders_are_told(tmp_path):
    from conceptbind.querying.index import open_index

    (tmp_path / "in" / "2024").mkdir(parents=True)
    made.parquet(tmp_path / "in" / "2024" / "x.parquet", ROWS)
    with pytest.raises(FileError, match=r"for the files in its folders, .* '.*in/\*/\*.parquet'"):
        open_index(tmp_path / "in")
    assert open_container(f"{tmp_path}/in/*/*.parquet").n == made.N
    (tmp_path / "x.tar.gz").write_bytes(b"x")
    with pytest.raises(FileError, match=r"names x.tar.gz, which is no file of an index .* unpack"):
        open_container(f"{tmp_path}/*.tar.gz")


def test_captions_of_json_may_be_several(tmp_path):
    import io
    import json
    import tarfile

    told = [{"caption": ["a red cube", "a cube"]}, {"caption": None}, {"text": "a ball"}]
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for row, fields in enumerate(told):
            held = io.BytesIO()
            np.save(held, ROWS[row])
            for ending, content in (
                ("npy", held.getvalue()),
                ("json", json.dumps(fields).encode()),
            ):
                member = tarfile.TarInfo(f"{row}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    assert list(open_container(tmp_path / "x.tar").captions) == ["a red cube", "", "a ball"]


def test_keys_in_one_file_alone_are_no_keys(tmp_path):
    made.parquet(tmp_path / "a.parquet", ROWS, key=[str(row) for row in range(made.N)])
    made.parquet(tmp_path / "b.parquet", ROWS)
    index = open_container(tmp_path)
    assert index.keys is None
    assert list(index.captions) == 2 * made.CAPTIONS
