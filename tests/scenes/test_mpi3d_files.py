"""MPI3D in its published layout: the grid that its rows are, labels, and what is refused in one
line.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.cli import main
from conceptbind.core.errors import ShapeError, UnknownNameError, ValueRangeError
from conceptbind.scenes import load_scenes, read_mpi3d
from factor_files import colours, mpi3d_labels, names_of, write_npz

COMPLEX = 460_800


def mpi3d(path, **arrays):
    write_npz(path, arrays)
    return path


@pytest.mark.parametrize("pictures", ["images", "imgs", "X", "data", "anything"])
def test_labels_of_mpi3d_name_the_factors(tmp_path, pictures):
    labels = mpi3d_labels()
    path = mpi3d(tmp_path / "m.npz", **{pictures: colours(60), "labels": labels})
    scenes = load_scenes(f"mpi3d:{path}")
    assert scenes.space.concepts == (
        *("color", "shape", "size", "camera", "background", "horizontal", "vertical"),
    )
    assert scenes.name == "mpi3d"
    tables = (
        ("white", "green", "red", "blue", "brown", "olive"),
        ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere"),
        ("small", "large"),
        ("top", "center", "bottom"),
        ("purple", "sea green", "salmon"),
        tuple(map(str, range(40))),
        tuple(map(str, range(40))),
    )
    assert names_of(scenes) == [
        tuple(tables[k][v] for k, v in enumerate(row)) for row in labels.tolist()
    ]
    assert len(scenes.space.values[5]) == len(set(labels[:, 5]))
    assert scenes.stored.name == pictures


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (
            "",
            "a yellow coffee-cup small top purple 0 0",
            "a red beer-cup large bottom salmon 39 39",
        ),
        (":challenge", "a green cone small top purple 0 0", "a brown sphere large bottom salmon"),
    ],
)
def test_the_rows_of_a_grid_are_its_combinations_in_order(tmp_path, kind, first, last):
    np.save(tmp_path / "m.npy", np.zeros((COMPLEX, 1, 1, 3), np.uint8))
    scenes = load_scenes(f"mpi3d:{tmp_path / 'm.npy'}{kind}")
    assert scenes.name == f"mpi3d:{kind[1:] or 'complex'}"
    assert scenes.caption(0) == first
    assert scenes.caption(COMPLEX - 1).startswith(last)
    # a step of one factor, counted by hand: 40 x 40 rows to a background, 3 x 1600 to a camera
    steps = (115_200, 28_800, 14_400, 4_800, 1_600, 40, 1)
    for k, row in enumerate(steps):
        assert scenes.table[row, 0].tolist() == [int(k == j) for j in range(7)]


def test_the_full_grid_of_mpi3d(tmp_path):
    path = mpi3d(tmp_path / "m.npz", images=np.zeros((1_036_800, 1, 1, 3), np.uint8))
    scenes = load_scenes(f"mpi3d:{path}")
    assert (scenes.name, scenes.space.sizes) == ("mpi3d", (6, 6, 2, 3, 3, 40, 40))
    assert np.array_equal(scenes.objects[:, 0], np.arange(1_036_800))
    assert scenes.caption(1_036_799) == "an olive sphere large bottom salmon 39 39"


def test_labels_of_the_complex_release_are_named_by_its_kind(tmp_path):
    path = mpi3d(
        tmp_path / "m.npz", labels=mpi3d_labels(9, (4, 4, 2, 3, 3, 40, 40)), images=colours(9)
    )
    simple, other = read_mpi3d(path), load_scenes(f"mpi3d:{path}:complex")
    assert set(simple.space.values[1]) <= {"cone", "cube", "cylinder", "hexagonal"}
    assert set(other.space.values[1]) <= {"coffee-cup", "tennis-ball", "croissant", "beer-cup"}
    assert np.array_equal(simple.table, other.table)


def test_labels_alone_are_scenes_without_pictures(tmp_path):
    scenes = read_mpi3d(mpi3d(tmp_path / "m.npz", labels=mpi3d_labels(5)))
    assert (len(scenes), scenes.stored) == (5, None)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (
            {"images": colours(7)},
            ShapeError,
            "has 7 rows and no labels; expected the full grid of 1,036,800 or 460,800 rows, or an "
            r"array 'labels' \(n, 7\)$",
        ),
        ({"images": np.array(3)}, ShapeError, "has 0 rows and no labels"),
        (
            {"a": colours(7), "b": colours(7)},
            UnknownNameError,
            "it cannot be told which array of .* holds the pictures; expected 'images', or a "
            "single array; its arrays: 'a', 'b'$",
        ),
        ({}, UnknownNameError, "it cannot be told which array .* its arrays: none$"),
        (
            {"images": colours(7), "labels": mpi3d_labels(6)},
            ShapeError,
            "holds 7 pictures, and the labels are of 6 scenes",
        ),
        (
            {"images": colours(7), "labels": mpi3d_labels(7)[:, :6]},
            ShapeError,
            r"must hold 7 whole numbers .* got shape \(7, 6\)",
        ),
        (
            {"images": colours(7), "labels": mpi3d_labels(7).astype(float)},
            ValueRangeError,
            "got float64; write it again as integers",
        ),
        (
            {"images": colours(1), "labels": np.array([[0, 6, 0, 0, 0, 0, 0]])},
            ValueRangeError,
            "row 0, column 1: 6 is outside 0 to 5$",
        ),
        (
            {"images": colours(1)[..., 0], "labels": mpi3d_labels(1)},
            ShapeError,
            r"must hold pictures \(n, height, width, 3\) of uint8",
        ),
        (
            {"images": colours(1).astype(float), "labels": mpi3d_labels(1)},
            ShapeError,
            r"got float64 \(1, 8, 8, 3\)",
        ),
    ],
)
def test_a_layout_that_is_not_that_of_mpi3d(tmp_path, capsys, arrays, error, message):
    path = mpi3d(tmp_path / "m.npz", **arrays)
    with pytest.raises(error, match=message) as caught:
        read_mpi3d(path)
    assert main(["render", "--scenes", f"mpi3d:{path}", "--out", str(tmp_path / "p")]) == 2
    assert capsys.readouterr().err == f"conceptbind: error: {caught.value}\n"


def test_what_stands_behind_the_path(tmp_path):
    path = mpi3d(tmp_path / "m.npz", images=colours(4), labels=mpi3d_labels(4))
    with pytest.raises(UnknownNameError, match="no kind 'complexx'; did you mean 'complex'"):
        load_scenes(f"mpi3d:{path}:complexx")
    with pytest.raises(ValueRangeError, match=r"too much .* expected mpi3d:FILE\.npz\[:KIND\]"):
        load_scenes(f"mpi3d:{path}:complex:more")
    with pytest.raises(ValueRangeError, match=r"too much .* expected dsprites:FILE\.npz"):
        load_scenes(f"dsprites:{path}:complex")
    for scheme, example in (("dsprites", "dsprites.npz"), ("mpi3d", "mpi3d_toy.npz")):
        with pytest.raises(
            ValueRangeError,
            match=f"^'{scheme}:' needs the path of its array file, for example {scheme}:{example}$",
        ):
            load_scenes(f"{scheme}:")
    np.save(tmp_path / "c.npy", np.zeros((COMPLEX, 1, 1, 3), np.uint8))
    with pytest.raises(ShapeError, match="expected the full grid of 1,036,800 rows, or an array"):
        load_scenes(f"mpi3d:{tmp_path / 'c.npy'}:simple")


def test_pictures_column_by_column_are_refused(tmp_path):
    path = mpi3d(tmp_path / "m.npz", images=np.asfortranarray(colours(4)), labels=mpi3d_labels(4))
    with pytest.raises(ShapeError, match=r"stands column by column .* numpy.ascontiguousarray"):
        list(read_mpi3d(path).stored)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint64, ">i4"])
def test_whole_numbers_of_any_width_are_labels(tmp_path, kind):
    labels = mpi3d_labels(9)
    path = mpi3d(tmp_path / "m.npz", labels=labels.astype(kind))
    assert (
        read_mpi3d(path).content_hash
        == read_mpi3d(mpi3d(tmp_path / "n.npz", labels=labels)).content_hash
    )


def test_labels_column_by_column_are_read(tmp_path):
    labels = mpi3d_labels(4)
    path = mpi3d(tmp_path / "m.npz", images=colours(4), labels=np.asfortranarray(labels))
    straight = mpi3d(tmp_path / "n.npz", images=colours(4), labels=labels)
    assert read_mpi3d(path).content_hash == read_mpi3d(straight).content_hash


def test_a_nearly_black_first_picture_stays_as_it_is(tmp_path):
    given = colours(3)
    given[0] = given[0] % 2
    path = mpi3d(tmp_path / "m.npz", images=given, labels=mpi3d_labels(3))
    assert np.array_equal(np.stack(list(read_mpi3d(path).stored)), given)
