"""Pictures that lie in an array file, written as a folder: pixel by pixel the same, whole after a
kill, and read back as the scenes they show.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from conceptbind.cli import main
from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.pictures import stored, write_pictures
from conceptbind.rows import shards
from conceptbind.rows.embeddings import embed
from conceptbind.rows.shards import shard_path
from conceptbind.scenes import clevr_grid, load_scenes
from factor_files import (
    colours,
    dsprites_arrays,
    mpi3d_labels,
    spoil,
    write_dsprites,
    write_npz,
)


def digests(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pixels(scenes):
    """The picture files of a table, as they are."""
    return np.stack([np.asarray(Image.open(scenes.image_folder / name)) for name in scenes.images])


def named(scenes):
    """The values of every scene by concept."""
    return [scenes.values_in(row) for row in range(len(scenes))]


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    return write_dsprites(tmp_path_factory.mktemp("sprites") / "d.npz")


@pytest.mark.parametrize("compressed", [True, False])
def test_dsprites_from_the_file_to_a_folder_and_back(tmp_path, capsys, compressed):
    path = write_dsprites(tmp_path / "d.npz", compressed=compressed)
    out = tmp_path / "p"
    assert main(["render", "--scenes", f"dsprites:{path}", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "scenes.csv")
    given, again = load_scenes(f"dsprites:{path}"), load_scenes(str(out / "scenes.csv"))
    assert np.array_equal(pixels(again), dsprites_arrays()["imgs"] * np.uint8(255))
    assert named(again) == named(given)
    assert again.space.concepts == given.space.concepts
    assert again.images[:2] == ["000.png", "001.png"]


@pytest.mark.parametrize("ending", ["npz", "npy"])
def test_coloured_pictures_keep_every_pixel(tmp_path, monkeypatch, ending):
    given, labels = colours(100, side=5), mpi3d_labels(100)
    path = tmp_path / f"m.{ending}"
    if ending == "npz":
        write_npz(path, {"images": given, "labels": labels})
    else:
        from conceptbind.scenes.readers import factors

        small = {"color": ("red", "blue"), "vertical": tuple(map(str, range(50)))}
        monkeypatch.setattr(factors, "MPI3D_KINDS", {"simple": small})
        np.save(path, given)
    out = tmp_path / "p"
    assert main(["render", "--scenes", f"mpi3d:{path}", "--out", str(out)]) == 0
    again = load_scenes(str(out / "scenes.csv"))
    assert np.array_equal(pixels(again), given)
    assert named(again) == named(load_scenes(f"mpi3d:{path}"))


def test_a_killed_call_goes_on_where_it_was(tmp_path, sprites, monkeypatch):
    scenes = load_scenes(f"dsprites:{sprites}")
    whole = write_pictures(scenes, tmp_path / "a").image_folder
    done, write = [], stored.write_whole

    def killed(path, data):
        if len(done) == 70:
            raise KeyboardInterrupt
        done.append(path)
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(stored, "WRITERS", 1)
        patch.setattr(stored, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            write_pictures(scenes, tmp_path / "b")
    assert len(list((tmp_path / "b").glob("*.png"))) == 70
    assert not (tmp_path / "b" / "scenes.csv").exists()
    seen = []
    write_pictures(scenes, tmp_path / "b", on_picture=seen.append)
    assert sum(seen) == len(scenes)
    assert digests(whole) == digests(tmp_path / "b")


def test_a_picture_that_was_changed_is_refused(tmp_path, sprites):
    scenes = load_scenes(f"dsprites:{sprites}")
    write_pictures(scenes, tmp_path / "p")
    write_pictures(scenes, tmp_path / "p")  # the control: as they were written they are taken
    near = np.asarray(Image.open(tmp_path / "p" / "007.png")).copy()
    near[0, 0] ^= 1
    Image.fromarray(near).save(tmp_path / "p" / "007.png")
    with pytest.raises(MismatchError, match=r"007\.png is not the picture that was drawn"):
        write_pictures(scenes, tmp_path / "p")


def test_a_folder_of_other_pictures_is_refused(tmp_path, sprites):
    write_pictures(load_scenes(f"dsprites:{sprites}"), tmp_path / "p")
    other = write_dsprites(tmp_path / "o.npz", imgs=dsprites_arrays(seed=1)["imgs"])
    with pytest.raises(MismatchError, match=r"holds other pictures \(pictures: "):
        write_pictures(load_scenes(f"dsprites:{other}"), tmp_path / "p")


def test_options_of_drawing_are_refused(tmp_path, sprites, capsys):
    out = str(tmp_path / "p")
    for words, told in (
        (["--size", "64"], "--size"),
        (["--kind", "flat", "--size-jitter", "0.3"], "--kind, --size_jitter"),
        (["--seed", "3", "--processes", "2"], "--seed, --processes"),
    ):
        assert main(["render", "--scenes", f"dsprites:{sprites}", "--out", out, *words]) == 2
        assert capsys.readouterr().err == (
            "conceptbind: error: the pictures of 'dsprites' are written as they are, so "
            f"{told} would decide nothing; leave out what is drawn with\n"
        )
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("fault", ["columns", "beginning"])
def test_pictures_that_cannot_be_read_leave_no_folder(tmp_path, capsys, fault):
    given = dsprites_arrays()["imgs"]
    if fault == "columns":
        given = np.asfortranarray(given)
    path = write_dsprites(tmp_path / "d.npz", imgs=given, compressed=False)
    if fault == "beginning":
        spoil(path, "imgs", 3)
    assert main(["render", "--scenes", f"dsprites:{path}", "--out", str(tmp_path / "p")]) == 2
    assert re.fullmatch("conceptbind: error: [^\n]+\n", capsys.readouterr().err)
    assert not (tmp_path / "p").exists()


def test_a_table_without_stored_pictures():
    with pytest.raises(ValueRangeError, match="have no pictures in an array file; draw_pictures"):
        write_pictures(clevr_grid(), "p")


class Means:
    """The mean of each quarter of a picture, by colour."""

    id, revision, modalities, dimension = "means", "1", ("image",), 13

    def encode_images(self, images):
        found = []
        for image in images:
            assert image.mode == "RGB"
            pixels = np.asarray(image, dtype=np.float32)
            parts = [half for side in np.split(pixels, 2) for half in np.split(side, 2, axis=1)]
            found.append([1.0, *np.concatenate([part.mean(axis=(0, 1)) for part in parts])])
        return np.array(found, dtype=np.float32)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_encoder_reads_them_from_the_file_as_it_reads_their_files(
    tmp_path, compressed, monkeypatch
):
    """144 pictures in shards of 50, so that a pass goes on where the last shard ended."""
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    path = write_dsprites(tmp_path / "d.npz", compressed=compressed)
    scenes = load_scenes(f"dsprites:{path}")
    here = embed(Means(), scenes, "image", tmp_path / "here")
    written = write_pictures(scenes, tmp_path / "p")
    there = embed(Means(), written, "image", tmp_path / "there")
    np.testing.assert_array_equal(here.values, there.values)
    # a shard in the middle that a kill left out is read by itself
    shard_path(tmp_path / "here", 50).unlink()
    again = embed(Means(), scenes, "image", tmp_path / "here")
    np.testing.assert_array_equal(again.values, there.values)


def test_pictures_may_be_asked_for_in_any_order(sprites):
    pictures = load_scenes(f"dsprites:{sprites}").stored
    whole = list(pictures)
    for start, stop in ((0, 5), (5, 9), (20, 30), (10, 12), (140, 144), (143, 144), (0, 144)):
        np.testing.assert_array_equal(list(pictures.rows(start, stop)), whole[start:stop])


def test_rows_of_pictures_that_changed_are_refused(tmp_path):
    path = write_dsprites(tmp_path / "d.npz")
    embed(Means(), load_scenes(f"dsprites:{path}"), "image", tmp_path / "rows")
    write_dsprites(path, imgs=dsprites_arrays(seed=1)["imgs"])
    with pytest.raises(MismatchError, match="CRC"):
        embed(Means(), load_scenes(f"dsprites:{path}"), "image", tmp_path / "rows")


def test_a_file_that_is_damaged_near_its_end_gives_no_rows(tmp_path):
    path = write_dsprites(tmp_path / "d.npz", compressed=False)
    spoil(path, "imgs", 9_000)
    with pytest.raises(FileError, match="is damaged"):
        embed(Means(), load_scenes(f"dsprites:{path}"), "image", tmp_path / "rows")


def test_a_measurement_needs_no_picture_files(tmp_path, sprites, capsys):
    words = ["--modality", "image", "--studies", "factors,probe", "--controls", "false"]
    words += ["--out", str(tmp_path / "run")]
    assert main(["measure", "tiny", "--scenes", f"dsprites:{sprites}", *words]) == 0
    assert "of tiny's picture embeddings in new combinations" in capsys.readouterr().out
    assert not list((tmp_path / "run").rglob("*.png"))


def test_rows_of_a_program_are_measured_without_any_picture(tmp_path, sprites, capsys):
    scenes = load_scenes(f"dsprites:{sprites}")
    parts = [np.eye(size)[scenes.table[:, 0, k]] for k, size in enumerate(scenes.space.sizes)]
    np.save(tmp_path / "rows.npy", np.concatenate(parts, axis=1).astype(np.float32))
    words = ["--modality", "image", "--studies", "probe", "--out", str(tmp_path / "run")]
    command = ["measure", f"file:{tmp_path / 'rows.npy'}", "--scenes", f"dsprites:{sprites}"]
    assert main([*command, *words]) == 0
    assert re.search(r"concept recognition \(shape\) +100 %", capsys.readouterr().out)
