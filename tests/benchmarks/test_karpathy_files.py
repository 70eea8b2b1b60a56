"""Karpathy's files by hand: which names and forms are read, and what is said of others, whole."""

from __future__ import annotations

import json

import pytest

from conceptbind.benchmarks import Making, read_benchmark, read_karpathy_train
from conceptbind.core.errors import FileError, MismatchError

ROWS = [{"image": "a.jpg", "caption": "one"}, {"image": "b.jpg", "caption": "two"}]


def written(folder, name, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    for picture in ("a.jpg", "b.jpg"):
        (folder / picture).touch()
    return folder


def coco_form(*captions):
    """COCO's form, with the captions of a.jpg."""
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"image_id": 1, "caption": caption} for caption in captions],
    }


@pytest.mark.parametrize("name", ["coco_karpathy_train.json", "coco_train_karpathy.json"])
def test_train_rows_under_both_names(tmp_path, name):
    pictures, captions, of = read_karpathy_train(written(tmp_path, name, [*ROWS, ROWS[0]]))
    assert (pictures, captions, of.tolist()) == (
        ("a.jpg", "b.jpg"),
        ["one", "two", "one"],
        [0, 1, 0],
    )


def test_train_rows_in_coco_form_have_one_caption_each(tmp_path):
    folder = written(tmp_path, "coco_train_karpathy.json", coco_form("one", "two"))
    pictures, captions, of = read_karpathy_train(folder)
    assert (pictures, captions, of.tolist()) == (("a.jpg",), ["one", "two"], [0, 0])


def test_a_train_file_of_another_form(tmp_path):
    for content, words in (
        ({}, "expected a list with one row per caption"),
        ([], "expected a list with one row per caption"),
        (
            [{"image": "a.jpg", "caption": ["one", "two"]}, {"image": "b.jpg"}],
            "each row has a list of captions, as Karpathy's val and test files have; give the "
            "train file, whose rows hold one caption each",
        ),
        (
            [ROWS[0], {"image": "b.jpg", "caption": ["two"]}],
            "'caption' must be text; an entry has ['two']",
        ),
    ):
        path = tmp_path / "coco_karpathy_train.json"
        with pytest.raises(MismatchError) as said:
            read_karpathy_train(written(tmp_path, path.name, content))
        assert str(said.value) == f"{path} is not the file it should be: {words}"


def test_missing_pictures_are_counted_and_the_first_five_named(tmp_path):
    rows = [{"image": f"{i}.jpg", "caption": f"{i}"} for i in range(1234)]
    folder = written(tmp_path, "coco_karpathy_train.json", [*ROWS, *rows])
    with pytest.raises(FileError) as said:
        read_karpathy_train(folder)
    assert str(said.value) == (
        f"1,234 of 1,236 pictures are not in {folder}: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, ...; "
        "put them there"
    )
    written(tmp_path, "coco_karpathy_train.json", [*ROWS, *rows[:2]])
    with pytest.raises(FileError, match=r": 0\.jpg, 1\.jpg; put them there$"):
        read_karpathy_train(folder)


def test_a_line_that_is_no_picture_with_its_caption(tmp_path):
    line = "x" * 59 + "yz"
    path = tmp_path / "flickr30k_test_karpathy.txt"
    written(tmp_path, path.name, f"image,caption\na.jpg,one, two\n{line}\n")
    with pytest.raises(MismatchError) as said:
        read_benchmark("flickr30k", tmp_path, Making(tmp_path))
    assert str(said.value) == (
        f"{path}, line 3: expected a picture, a comma and its caption; got '{line[:60]}'"
    )


@pytest.mark.parametrize("captions", [[], [1]])
def test_a_picture_without_captions_is_named(tmp_path, captions):
    path = tmp_path / "coco_karpathy_test.json"
    rows = [{"image": "a.jpg", "caption": ["one"]}, {"image": "b.jpg", "caption": captions}]
    written(tmp_path, path.name, rows)
    with pytest.raises(MismatchError) as said:
        read_benchmark("coco", tmp_path, Making(tmp_path))
    assert str(said.value) == (
        f"{path} is not the file it should be: the picture b.jpg has no captions, or captions "
        "that are not text"
    )
