"""The one store: a folder for one identity, every difference named, pieces believed only as they
were written.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from conceptbind.core.errors import FileError, MismatchError
from conceptbind.core.files import aside_of
from conceptbind.core.kept import (
    Kept,
    differences,
    read_header,
    read_piece,
    require_same,
    write_piece,
)
from conceptbind.core.ownership import LOCK

IDENTITY = {"encoder": "tiny", "seed": 0, "style": {"size": 64, "halves": True}}


def kept(folder, identity=IDENTITY, **options):
    return Kept(folder, "label.json", "another run", identity, **options)


def test_every_difference_is_named_with_both_values():
    there = {"seed": 0, "style": {"size": 48, "halves": True}, "old": 1, "out": "a", "names": [1]}
    now = {"seed": 1, "style": {"size": 64, "halves": True}, "rate": 0.5, "out": "b", "names": (1,)}
    assert differences(there, now, apart=("out",)) == (
        "seed: 0 there, 1 now; style.size: 48 there, 64 now; old: 1 there, none now; "
        "rate: none there, 0.5 now"
    )
    assert differences(there, there) == ""


def test_one_form_of_message(tmp_path):
    with pytest.raises(MismatchError) as caught:
        require_same({"seed": 0}, {"seed": 1}, place=tmp_path, holds="another run")
    assert str(caught.value) == (
        f"{tmp_path} holds another run (seed: 0 there, 1 now); choose another folder with --out, "
        "or delete that one"
    )
    with pytest.raises(MismatchError) as caught:
        require_same({"a": "x" * 10_000}, {"a": None}, place=tmp_path, holds="another run")
    assert len(str(caught.value)) < 500


def test_a_folder_belongs_to_one_identity(tmp_path):
    folder = tmp_path / "new"
    assert kept(folder).check() is None
    assert not folder.exists()  # to look claims nothing
    told = kept(folder).begin(versions={"numpy": "2"})
    assert told == {**IDENTITY, "versions": {"numpy": "2"}}
    assert kept(folder).check() == told
    assert kept(folder).begin(versions={"numpy": "3"}) == told
    (folder / "piece").write_text("computed")
    with pytest.raises(MismatchError, match=r"another run \(seed: 0 there, 1 now\)"):
        kept(folder, {**IDENTITY, "seed": 1}).begin()
    assert [path.name for path in kept(folder).done()] == ["piece"]


def test_a_label_alone_is_written_anew_where_its_names_are_ours(tmp_path):
    kept(tmp_path).begin()
    (tmp_path / LOCK).touch()
    aside_of(tmp_path / "piece").touch()
    (tmp_path / "empty").mkdir()
    assert kept(tmp_path, {**IDENTITY, "seed": 1}).begin()["seed"] == 1
    with pytest.raises(MismatchError, match="colour: none there, 'red' now"):
        kept(tmp_path, {**IDENTITY, "colour": "red"}).begin()  # may be a file of something else


def test_files_without_a_label_are_not_ours(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "notes.txt").write_text("mine")
    with pytest.raises(MismatchError, match=r"holds files but no label\.json"):
        kept(tmp_path).begin()
    assert kept(tmp_path, pieces="rows-*").check() is None  # only such files can be pieces
    (tmp_path / "rows-1").touch()
    with pytest.raises(MismatchError, match=r"holds files but no label\.json"):
        kept(tmp_path, pieces="rows-*").begin()


def test_what_lies_behind_a_link_may_be_a_piece(tmp_path):
    (tmp_path / "volume").mkdir()
    folder = tmp_path / "run"
    kept(folder).begin()
    (folder / "embeddings").symlink_to(tmp_path / "volume")
    with pytest.raises(MismatchError, match="seed"):
        kept(folder, {**IDENTITY, "seed": 1}).begin()


@pytest.mark.parametrize("text", ["[]", "3", "{", "", '{"seed": 0, "seed": 1}'])
def test_a_broken_label_is_refused(tmp_path, text):
    (tmp_path / "label.json").write_text(text)
    with pytest.raises((FileError, MismatchError), match=r"label\.json"):
        kept(tmp_path).begin()
    assert (tmp_path / "label.json").read_text() == text


def test_a_seal_goes_with_a_new_piece(tmp_path):
    store = kept(tmp_path)
    told = store.begin()
    store.seal("abc")
    assert store.check() == {**told, "checksum": "abc"}
    store.seal(None)
    assert store.check() == told


ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],
    "one": np.array(2.5),
    "none": np.zeros((0, 4), dtype=np.int64),
}


def test_a_piece_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "deep" / "p.safetensors"
    facts = {"of": "tiny", "history": [{"step": 1, "loss": 0.1}], "none": None}
    checksum = write_piece(path, ARRAYS, facts)
    found = read_piece(path)
    assert (found.facts, found.checksum) == (facts, checksum)
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)
    assert (read_header(path).facts, read_header(path).checksum) == (facts, checksum)


def damaged(path, facts=lambda text: text, **arrays):
    with safe_open(path, framework="numpy") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = file.metadata()
    save_file(found | arrays, path, metadata=said | {"facts": facts(said["facts"])})


@pytest.mark.parametrize(
    "change",
    [
        {"a": np.zeros((2, 3), dtype=np.float32)},
        {"a": np.arange(6, dtype=np.float32).reshape(3, 2)},
        {"one": np.array(2.5, dtype=np.float32)},
        {"more": np.zeros(1)},
        {"facts": lambda text: text.replace("tiny", "tins")},
        {"facts": lambda text: json.dumps(json.loads(text) | {"b": 1})},
    ],
    ids=["numbers", "shape", "kind", "an array more", "a fact", "a fact more"],
)
def test_a_piece_that_changed_is_refused(tmp_path, change):
    path = tmp_path / "p.safetensors"
    write_piece(path, ARRAYS, {"of": "tiny"})
    damaged(path)
    assert read_piece(path).facts == {"of": "tiny"}  # the control: saved again without a change
    damaged(path, **change)
    with pytest.raises(FileError, match=r"p\.safetensors was changed or damaged .*; copy it again"):
        read_piece(path, "copy it again")


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
def test_a_file_that_is_no_piece_is_refused(tmp_path, content):
    path = tmp_path / "p.safetensors"
    if content is None:
        save_file({"a": np.zeros(1)}, path, metadata={"format": "pt"})
    else:
        path.write_bytes(content)
    for read in (read_piece, read_header):
        with pytest.raises(FileError, match=r"p\.safetensors is broken"):
            read(path)
        with pytest.raises(FileError, match="missing"):
            read(tmp_path / "missing")


def test_a_piece_has_the_same_bytes_whenever_it_is_written(tmp_path):
    arrays = {name: np.arange(5.0) for name in "dcab"}
    written = set()
    for _ in range(20):  # the library orders what it is told anew in every write
        write_piece(tmp_path / "piece", arrays, {"b": "\u00e9", "a": 1})
        written.add((tmp_path / "piece").read_bytes())
    assert len(written) == 1
    piece = read_piece(tmp_path / "piece")
    assert piece.facts == {"b": "\u00e9", "a": 1}
    assert {name: array.tolist() for name, array in piece.arrays.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
