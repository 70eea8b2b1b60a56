"""Files of two pictures and two captions by hand: names of pictures without their ending, and ids
that stand twice.
"""

from __future__ import annotations

import json

import pytest

from conceptbind.benchmarks import Making, read_benchmark
from conceptbind.core.errors import MismatchError


def written(folder, *ids):
    """`examples.jsonl` of Winoground, whose pictures are a and b, by these ids."""
    entry = {"image_0": "a", "image_1": "b", "caption_0": "one", "caption_1": "two"}
    lines = (json.dumps({"id": number, **entry}) for number in ids)
    (folder / "examples.jsonl").write_text("\n".join(lines))
    (folder / "images").mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("there", "read"), [([""], ""), ([".png"], ".png"), ([".jpg"], ".jpg"), (["", ".jpg"], "")]
)
def test_names_of_pictures_may_lack_their_ending(tmp_path, there, read):
    folder = written(tmp_path, 0)
    for name in ("a", "b"):
        for ending in there:
            (folder / "images" / (name + ending)).touch()
    data = read_benchmark("winoground", folder, Making(tmp_path))
    assert data.pictures == (f"a{read}", f"b{read}")
    assert data.captions == ("one", "two")
    assert data.items["rows"].tolist() == [[0, 1, 0, 1]]


@pytest.mark.parametrize(("twice", "told"), [("7", "7"), ("x" * 99 + "yz", "x" * 99 + "y")])
def test_an_id_that_stands_twice_is_named_with_its_file(tmp_path, twice, told):
    folder = written(tmp_path, "other", twice, twice)
    with pytest.raises(MismatchError) as said:
        read_benchmark("winoground", folder, Making(tmp_path))
    assert str(said.value) == (
        f"{folder / 'examples.jsonl'} has the id {told} twice; every item must have one of its own"
    )
