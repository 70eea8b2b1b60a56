"""A table as a folder of pictures: complete, the same however it is drawn, and read back as the
scenes it shows.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from conceptbind.cli import main
from conceptbind.core.errors import MismatchError, UnknownNameError
from conceptbind.pictures import FlatStyle, draw_pictures
from conceptbind.scenes import ConceptSpace, Scenes, load_scenes

SPACE = ConceptSpace(("color", "shape"), (("red", "blue"), ("square", "circle")))
SCENES = Scenes(
    SPACE, np.array([[[0, 0], [1, 1]], [[1, 0], [0, 1]], [[0, 1], [0, 0]]]), name="three"
)
SMALL = FlatStyle(size=48)


def digests(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_is_read_back_as_the_scenes_it_shows(tmp_path):
    drawn = draw_pictures(SCENES, tmp_path / "p", style=SMALL)
    again = load_scenes(str(tmp_path / "p" / "scenes.csv"))
    names = [[again.caption(row) for row in range(3)], [SCENES.caption(row) for row in range(3)]]
    assert names[0] == names[1]
    assert tuple(again.images) == drawn.images == ("0.png", "1.png", "2.png")
    with Image.open(again.image_folder / "0.png") as picture:
        assert picture.size == (48, 48)


def test_processes_and_killed_calls_do_not_change_a_byte(tmp_path):
    whole = draw_pictures(SCENES, tmp_path / "a", style=SMALL).image_folder
    several = draw_pictures(SCENES, tmp_path / "b", style=SMALL, processes=2).image_folder
    assert digests(whole) == digests(several)
    (several / "1.png").unlink()
    (several / "scenes.csv").unlink()
    draw_pictures(SCENES, several, style=SMALL)
    assert digests(whole) == digests(several)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def _other(path):
    path.write_bytes((path.parent / "0.png").read_bytes())


def _folder(path):
    path.unlink()
    path.mkdir()


def _larger(path):
    Image.new("RGB", (50, 50)).save(path)


def _grown(path):
    path.write_bytes(path.read_bytes() + b"behind the picture")


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [_cut, _other, _folder, _larger, _grown, _pipe, lambda path: path.write_text("no picture")],
)
def test_pictures_that_changed_are_refused(tmp_path, damage):
    draw_pictures(SCENES, tmp_path / "p", style=SMALL)
    # the control: as they were drawn they are taken
    draw_pictures(SCENES, tmp_path / "p", style=SMALL)
    damage(tmp_path / "p" / "1.png")
    for processes in (1, 2) if damage is _cut else (1,):
        with pytest.raises(MismatchError, match=r"1\.png is not the picture that was drawn"):
            draw_pictures(SCENES, tmp_path / "p", style=SMALL, processes=processes)


@pytest.mark.parametrize("change", [{"seed": 1}, {"style": FlatStyle(size=50)}])
def test_pictures_of_another_recipe_are_refused(tmp_path, change):
    draw_pictures(SCENES, tmp_path / "p", style=SMALL)
    with pytest.raises(MismatchError, match=r"holds other pictures \((seed|style\.size): "):
        draw_pictures(SCENES, tmp_path / "p", **({"style": SMALL} | change))


@pytest.mark.parametrize(
    ("concepts", "values", "message"),
    [
        (("color", "shape"), (("red", "rad"), ("square",)), "no colour 'rad'; did you mean 'red'"),
        (("color", "shape"), (("red",), ("square", "blob")), "no shape 'blob'"),
        (
            ("color", "hue", "shape"),
            (("red",), ("blue",), ("square",)),
            "'hue' cannot be drawn beside 'color'",
        ),
        (("color",), (("red",),), "need a concept 'shape' beside color"),
    ],
)
def test_what_the_renderer_does_not_know_is_told_before_anything_is_written(
    tmp_path, concepts, values, message
):
    scenes = Scenes(ConceptSpace(concepts, values), np.zeros((1, 2, len(concepts)), dtype=int))
    with pytest.raises(UnknownNameError, match=message):
        draw_pictures(scenes, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_the_command(tmp_path, capsys):
    (tmp_path / "words.csv").write_text("color,shape\nred,star\nteal,heart\n")
    out = tmp_path / "p"
    assert (
        main(["render", "--scenes", str(tmp_path / "words.csv"), "--out", str(out), "--size", "64"])
        == 0
    )
    assert capsys.readouterr().out.strip() == str(out / "scenes.csv")
    assert len(list(out.glob("*.png"))) == 16
    assert main(["render", "--scenes", "text20:11x4", "--out", str(tmp_path / "q")]) == 2
    assert "the renderer knows no colour" in capsys.readouterr().err
    assert not (tmp_path / "q").exists()


def test_drawn_scenes_by_name():
    flat = load_scenes("clevr2d")
    assert len(flat) == 576
    assert flat.drawing == "flat"
    assert flat.space.values[1] == ("square", "triangle", "circle")
    three = load_scenes("clevr3d:3")
    assert (len(three), three.n_slots, three.drawing) == (2000, 3, "solid")
    assert len(np.unique(three.objects, axis=0)) == 2000
    assert flat.content_hash != Scenes(flat.space, flat.table).content_hash
