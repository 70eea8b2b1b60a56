"""DSprites in its published layout: what each row is, what is never read, and what is refused in
one line.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from conceptbind.cli import main
from conceptbind.core import limits
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    ShapeError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.scenes import Scenes, load_scenes, read_dsprites
from factor_files import (
    LATENTS,
    SIZES,
    colours,
    dsprites_arrays,
    load_pickle,
    names_of,
    spoil,
    write_dsprites,
    write_npz,
)


def test_a_row_of_dsprites_is_an_object_of_six_values(tmp_path):
    scenes = load_scenes(f"dsprites:{write_dsprites(tmp_path / 'd.npz')}")
    assert scenes.space.concepts == ("color", "shape", "size", "orientation", "x", "y")
    assert scenes.space.values == (
        ("white",),
        ("square", "ellipse", "heart"),
        ("0.5", "0.6"),
        ("0.00", "0.16", "0.32", "0.48"),
        ("0.00", "0.03", "0.06"),
        ("0.00", "0.03"),
    )
    assert np.array_equal(scenes.table[:, 0], dsprites_arrays()["latents_classes"])
    assert (scenes.name, scenes.n_slots, len(scenes)) == ("dsprites", 1, int(np.prod(SIZES)))
    assert scenes.caption(0) == "a white square 0.5 0.00 0.00 0.00"
    assert (scenes.images, scenes.drawing) == (None, None)
    assert load_scenes(f"dsprites:{tmp_path / 'd.npz'}", "a {size} {shape}").caption(0) == (
        "a 0.5 square"
    )


def test_published_values_have_names_that_stay_apart(tmp_path):
    classes = np.zeros((40, 6), dtype=np.int64)
    for k, values in enumerate(LATENTS):
        classes[:, k] = np.arange(40) % len(values)
    latents = np.stack([values[classes[:, k]] for k, values in enumerate(LATENTS)], axis=1)
    path = write_dsprites(
        tmp_path / "d.npz", imgs=None, latents_classes=classes, latents_values=latents
    )
    sizes, turns, x, _ = read_dsprites(path).space.values[2:]
    assert sizes == ("0.5", "0.6", "0.7", "0.8", "0.9", "1.0")
    assert [float(name) for name in turns] == np.round(LATENTS[3], 2).tolist()
    assert [float(name) for name in x] == np.round(LATENTS[4], 2).tolist()


def test_values_nearer_than_two_digits_get_more(tmp_path):
    arrays = dsprites_arrays()
    near = arrays["latents_values"].copy()
    near[:, 4] = 0.5 + arrays["latents_classes"][:, 4] / 1000
    scenes = read_dsprites(write_dsprites(tmp_path / "d.npz", latents_values=near))
    assert scenes.space.values[4] == ("0.500", "0.501", "0.502")


def test_a_value_that_rounds_to_nothing_has_no_sign(tmp_path):
    arrays = dsprites_arrays()
    signed = arrays["latents_values"].copy()
    signed[:, 4] = np.array([-0.001, -0.5, 0.25])[arrays["latents_classes"][:, 4]]
    scenes = read_dsprites(write_dsprites(tmp_path / "d.npz", latents_values=signed))
    assert scenes.space.values[4] == ("0.00", "-0.50", "0.25")


@pytest.mark.parametrize("change", ["none", "disagrees", "nan", "same"])
def test_values_that_say_nothing_leave_the_number_of_the_class(tmp_path, change):
    values = dsprites_arrays()["latents_values"].copy()
    if change == "disagrees":
        values[-1, 4] = 7
    elif change == "nan":
        values[3, 4] = np.nan
    elif change == "same":
        values[:, 4] = 1.5
    path = write_dsprites(tmp_path / "d.npz", latents_values=None if change == "none" else values)
    assert read_dsprites(path).space.values[4] == ("0", "1", "2")


def test_only_classes_that_occur_are_values(tmp_path):
    arrays = dsprites_arrays()
    kept = (arrays["latents_classes"][:, 1] != 1) & (arrays["latents_classes"][:, 3] > 1)
    path = write_dsprites(tmp_path / "d.npz", **{name: a[kept] for name, a in arrays.items()})
    scenes, whole = read_dsprites(path), read_dsprites(write_dsprites(tmp_path / "w.npz"))
    assert scenes.space.values[1] == ("square", "heart")
    assert scenes.space.values[3] == ("0.32", "0.48")
    assert names_of(scenes) == [
        row for row, keep in zip(names_of(whole), kept, strict=True) if keep
    ]


def test_coloured_pictures_have_a_number_for_their_colour(tmp_path):
    path = write_dsprites(tmp_path / "d.npz", imgs=colours(144))
    assert read_dsprites(path).space.values[0] == ("1",)


def test_the_pickled_member_is_not_loaded(tmp_path):
    marker = tmp_path / "loaded"
    path = write_dsprites(tmp_path / "d.npz", marker)
    assert len(load_scenes(f"dsprites:{path}")) == 144
    assert main(["render", "--scenes", f"dsprites:{path}", "--out", str(tmp_path / "p")]) == 0
    assert not marker.exists()
    # positive control: the pickle does write a file where it is loaded
    load_pickle(path)
    assert marker.exists()


@pytest.mark.parametrize("name", ["latents_classes", "latents_values"])
def test_an_array_of_python_objects_is_refused_unread(tmp_path, name):
    from factor_files import Bomb

    path = write_dsprites(
        tmp_path / "d.npz", **{name: np.array([Bomb(tmp_path / "loaded")] * 2, dtype=object)}
    )
    with pytest.raises(UnsafeFileError, match=f"'{name}' of .* holds Python objects"):
        read_dsprites(path)
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize("compressed", [True, False])
def test_labels_are_read_without_the_pictures(tmp_path, compressed):
    noise = np.random.default_rng(0).integers(0, 2, (144, 64, 64), dtype=np.uint8)
    path = write_dsprites(tmp_path / "d.npz", compressed=compressed, imgs=noise)
    spoil(path, "imgs", 200)
    scenes = read_dsprites(path)
    assert len(scenes) == 144
    # positive control: who reads the pictures finds the damage
    with pytest.raises(FileError, match="is damaged: "):
        list(scenes.stored)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", ["imgs", "latents_classes"])
def test_an_array_whose_checksum_does_not_fit_is_refused(tmp_path, name, compressed):
    path = write_dsprites(tmp_path / "d.npz", compressed=compressed)
    with zipfile.ZipFile(path) as archive:
        stated = archive.getinfo(f"{name}.npy").CRC
    data = path.read_bytes()
    path.write_bytes(data.replace(stated.to_bytes(4, "little"), bytes(4)))
    with pytest.raises(FileError, match="is damaged: Bad CRC-32 for file"):
        list(read_dsprites(path).stored)


@pytest.mark.parametrize("compressed", [True, False])
def test_pictures_take_a_few_megabytes_however_many_there_are(tmp_path, compressed):
    pictures = np.zeros((12_288, 64, 64), dtype=np.uint8)  # 48 MiB
    path = tmp_path / "d.npz"
    write_dsprites(
        path,
        compressed=compressed,
        imgs=pictures,
        latents_values=None,
        latents_classes=np.zeros((len(pictures), 6), dtype=np.int64),
    )
    stored = read_dsprites(path).stored
    del pictures
    tracemalloc.start()
    assert sum(1 for _ in stored) == 12_288
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20


@pytest.mark.parametrize("published", [0, 1, 255])
def test_zero_and_one_are_black_and_white(tmp_path, published):
    given = dsprites_arrays()["imgs"] * np.uint8(published)
    given[0, 0, 0] = published
    path = write_dsprites(tmp_path / "d.npz", imgs=given)
    found = np.stack(list(read_dsprites(path).stored))
    assert np.array_equal(found, (given > 0) * np.uint8(255))


def test_two_ranges_of_values_in_one_file_are_refused(tmp_path):
    given = dsprites_arrays()["imgs"]
    given[5, 2, 2] = 200
    path = write_dsprites(tmp_path / "d.npz", imgs=given)
    with pytest.raises(
        ValueRangeError, match="only the values 0 and 1, and the one of row 5 has 200; write all"
    ):
        list(read_dsprites(path).stored)


def test_truth_values_are_pictures_too(tmp_path):
    given = dsprites_arrays()["imgs"].astype(bool)
    path = write_dsprites(tmp_path / "d.npz", imgs=given)
    assert np.array_equal(np.stack(list(read_dsprites(path).stored)), given * np.uint8(255))


ROWS = 144


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"latents_classes": None},
            UnknownNameError,
            r"lacks the array 'latents_classes' \(whole numbers, 6 for each picture\); its "
            "arrays: 'imgs', 'latents_values'$",
        ),
        (
            {"latents_classes": np.zeros((ROWS, 5), int)},
            ShapeError,
            r"must hold 6 whole numbers for each picture, \(n, 6\); got shape \(144, 5\)",
        ),
        ({"latents_classes": np.zeros(ROWS, int)}, ShapeError, r"got shape \(144,\)"),
        ({"latents_classes": np.zeros((0, 6), int)}, ShapeError, r"got shape \(0, 6\)"),
        (
            {"latents_classes": np.zeros((ROWS, 6))},
            ValueRangeError,
            "must hold whole numbers .* got float64; write it again as integers",
        ),
        (
            {"latents_classes": np.full((ROWS, 6), 3)},
            ValueRangeError,
            "row 0, column 1: 3 is outside 0 to 2$",
        ),
        (
            {"latents_classes": np.full((ROWS, 6), -1)},
            ValueRangeError,
            "row 0, column 0: -1 is outside 0 to 999$",
        ),
        (
            {"latents_values": np.zeros((ROWS, 5))},
            ShapeError,
            r"must hold 6 numbers for each of 144 pictures; got float64 \(144, 5\)",
        ),
        (
            {"latents_values": np.full((ROWS, 6), "a")},
            ShapeError,
            "must hold 6 numbers for each of 144 pictures; got <U1",
        ),
        (
            {"imgs": np.zeros((ROWS, 8), np.uint8)},
            ShapeError,
            r"must hold pictures \(n, height, width, 3\) or \(n, height, width\) of uint8, at most "
            r"4096 pixels wide and high; got uint8 \(144, 8\)",
        ),
        ({"imgs": np.zeros((ROWS, 8, 8, 4), np.uint8)}, ShapeError, r"got uint8 \(144, 8, 8, 4\)"),
        ({"imgs": np.zeros((ROWS, 8, 8))}, ShapeError, r"got float64 \(144, 8, 8\)"),
        ({"imgs": np.zeros((ROWS, 0, 8), np.uint8)}, ShapeError, r"got uint8 \(144, 0, 8\)"),
        ({"imgs": np.zeros((ROWS, 1, 5000), np.uint8)}, ShapeError, r"got uint8 \(144, 1, 5000\)"),
        (
            {"imgs": np.zeros((ROWS - 1, 8, 8), np.uint8)},
            ShapeError,
            "holds 143 pictures, and the labels are of 144 scenes; expected one picture for each",
        ),
    ],
)
def test_a_layout_that_is_not_that_of_dsprites(tmp_path, capsys, changed, error, message):
    path = write_dsprites(tmp_path / "d.npz", **changed)
    with pytest.raises(error, match=message) as caught:
        read_dsprites(path)
    assert isinstance(caught.value, ConceptBindError)
    assert str(path) in str(caught.value)
    assert main(["render", "--scenes", f"dsprites:{path}", "--out", str(tmp_path / "p")]) == 2
    assert capsys.readouterr().err == f"conceptbind: error: {caught.value}\n"


def _cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def _short(path):
    """A member whose header states more rows than there are."""
    whole = path.read_bytes()
    assert whole.count(b"(144, 6)") == 2
    path.write_bytes(whole.replace(b"(144, 6)", b"(145, 6)"))


def _broken(path):
    spoil(path, "latents_classes", 100)


def _header(path):
    path.write_bytes(path.read_bytes().replace(b"'descr'", b"'d'scr'"))


def _twice(path):
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("latents_classes.npy", b"")


def _empty(path):
    path.write_bytes(b"")


def _folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "is damaged: File is not a zip file; copy it again"),
        (_empty, "is damaged: File is not a zip file; copy it again"),
        (_short, r"is damaged: its header states \S+ of shape \(145, 6\)"),
        (_broken, "is damaged: Bad CRC-32"),
        (_header, "its header is damaged"),
        (_twice, "is damaged: it holds 'latents_classes.npy' twice"),
        (_folder, "could not read the array file .*: it is a folder; expected an array file"),
        (lambda path: path.unlink(), "could not read the array file .*: No such file"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path, capsys, damage, message):
    path = write_dsprites(tmp_path / "d.npz", compressed=False)
    damage(path)
    with pytest.raises(FileError, match=message) as caught:
        read_dsprites(path)
    assert main(["render", "--scenes", f"dsprites:{path}", "--out", str(tmp_path / "p")]) == 2
    told = " ".join(str(caught.value).split())
    assert capsys.readouterr().err == f"conceptbind: error: {told}\n"
    assert not (tmp_path / "p").exists()


def test_a_compressed_member_that_ends_early(tmp_path):
    path = write_dsprites(tmp_path / "d.npz", compressed=True)
    spoil(path, "latents_classes", 40)
    with pytest.raises(FileError, match=f"^{path} is damaged: .*; copy it again$"):
        read_dsprites(path)


def test_labels_that_unpack_to_far_more_than_the_file_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "d.npz"
    classes = np.zeros((100_000, 6), dtype=np.int64)
    write_dsprites(path, imgs=None, latents_values=None, latents_classes=classes)
    assert len(read_dsprites(path)) == 100_000  # the control: below the bound it is read
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 1 << 20)
    with pytest.raises(FileError, match="is refused: its .* would unpack to 4.6 MiB"):
        read_dsprites(path)


@pytest.mark.parametrize("name", ["d.csv", "d.npy", "d.pkl"])
def test_a_file_of_another_kind_is_not_dsprites(tmp_path, name):
    path = tmp_path / name
    np.save(tmp_path / "d.npy", np.zeros(3))
    path.touch()
    message = "its name must end in .npz or .npy|its arrays: one without a name"
    with pytest.raises(ConceptBindError, match=message):
        read_dsprites(path)


def test_a_selection_and_another_template_of_stored_pictures(tmp_path):
    from dataclasses import replace

    scenes = read_dsprites(write_dsprites(tmp_path / "d.npz"))
    assert replace(scenes, template="{shape}").stored is scenes.stored
    assert scenes.select([3, 1]).stored is None  # whose rows are no longer those of the file
    without = replace(scenes, stored=None)
    assert without.content_hash == scenes.content_hash


FULL = """
import re, sys
from conceptbind.scenes import load_scenes
scenes = load_scenes(sys.argv[1])
# ru_maxrss would count what the process that started this one held
status = open("/proc/self/status").read()
print(len(scenes), scenes.content_hash, int(re.search("VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


@pytest.mark.slow
def test_the_labels_of_all_published_pictures_load_within_a_gibibyte(tmp_path):
    sizes = tuple(map(len, LATENTS))
    arrays = dsprites_arrays(sizes) | {"imgs": np.zeros((737_280, 1, 1), np.uint8)}
    path = tmp_path / "d.npz"
    write_npz(path, arrays, compressed=True)
    run = [sys.executable, "-c", FULL, f"dsprites:{path}"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    n, digest, mebibytes = done.stdout.split()
    scenes = read_dsprites(path)
    straight = Scenes(scenes.space, arrays["latents_classes"][:, None], name="dsprites")
    assert (int(n), digest) == (737_280, straight.content_hash)
    assert int(mebibytes) < 1024
