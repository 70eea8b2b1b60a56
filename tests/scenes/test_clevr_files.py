"""CLEVR as LABCLIP and as its own authors lay it out: tables without a header, scene files, and
their picture folders.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from conceptbind.core.errors import FileError, MismatchError, UnknownNameError, ValueRangeError
from conceptbind.scenes import clevr_grid, load_scenes, read_clevr

LABCLIP = {
    2: "CLEVR_0.png,cube,red,sphere,blue\nCLEVR_1.png,cylinder,gray,cube,gray\n",
    3: "CLEVR_0.png,cube,red,sphere,blue,cylinder,cyan\n",
    10: "CLEVR_0.png," + ",".join(["sphere,green"] * 9) + ",cube,yellow\n",
}


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), (9, 9, 9)).save(path)


def rows(scenes):
    return [[scenes.space.object_name(int(i)) for i in objects] for objects in scenes.objects]


@pytest.fixture
def labclip(tmp_path):
    """LABCLIP's folder with tables and pictures of the numbers of objects given."""

    def write(*numbers):
        for n in numbers:
            (tmp_path / f"output_{n}obj.csv").write_text(LABCLIP[n])
            for line in LABCLIP[n].splitlines():
                picture(tmp_path / f"images_{n}obj" / line.split(",")[0])
        return tmp_path

    return write


def thing(color, shape, x, **more):
    return {
        "color": color,
        "shape": shape,
        "pixel_coords": [x, 50, 9.5],
        "size": "large",
        "material": "metal",
        "3d_coords": [0, 1, 2],
    } | more


TWO = {
    "image_filename": "CLEVR_val_000000.png",
    "objects": [thing("red", "cube", 300), thing("blue", "sphere", 20)],
    "split": "val",
}
THREE = {
    "image_filename": "CLEVR_val_000001.png",
    "objects": [thing("gray", "cube", 5), thing("cyan", "cube", 7), thing("red", "sphere", 6)],
}
OTHER = {
    "image_filename": "CLEVR_val_000002.png",
    "objects": [thing("green", "cube", 5), thing("green", "cylinder", 5)],
}


@pytest.fixture
def scene_file(tmp_path):
    """Writes a scene file where CLEVR has it, `scenes/CLEVR_val_scenes.json`."""

    def write(*scenes, content=None, name="CLEVR_val_scenes.json"):
        path = tmp_path / "scenes" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps({"info": {"split": "val"}, "scenes": scenes}) if content is None else content
        )
        return path

    return write


@pytest.mark.parametrize("n", LABCLIP)
def test_labclip_writes_the_noun_first_and_no_header(labclip, n):
    folder = labclip(n)
    scenes = load_scenes(f"clevr:{folder / f'output_{n}obj.csv'}")
    lines = [line.split(",") for line in LABCLIP[n].splitlines()]
    assert rows(scenes) == [
        [f"{line[2 * i + 2]} {line[2 * i + 1]}" for i in range(n)] for line in lines
    ]
    assert scenes.space == clevr_grid().space
    assert list(scenes.images) == list(scenes.ids) == [line[0] for line in lines]
    assert scenes.image_folder == folder / f"images_{n}obj"
    assert scenes.name == ("clevr" if n == 2 else f"clevr:{n}")
    # the only table of the folder
    assert load_scenes(f"clevr:{folder}").content_hash == scenes.content_hash


def test_a_folder_of_several_tables_is_listed_and_a_number_chooses(labclip):
    folder = labclip(2, 3, 10)
    text = (
        f"the folder {folder} holds 3 files of CLEVR scenes: output_10obj.csv, "
        "output_2obj.csv, output_3obj.csv; name one of them"
    )
    with pytest.raises(
        FileError, match=f"^{re.escape(text)}, for example clevr:{folder}/output_10obj.csv$"
    ):
        load_scenes(f"clevr:{folder}")
    assert load_scenes(f"clevr:{folder}:3").n_slots == 3
    with pytest.raises(
        FileError,
        match="holds no CLEVR scenes with 4 objects: expected .*; it has output_10obj.csv, "
        "output_2obj.csv",
    ):
        load_scenes(f"clevr:{folder}:4")


def test_a_table_without_a_header_under_another_name(tmp_path):
    (tmp_path / "mine.csv").write_text(LABCLIP[3])
    picture(tmp_path / "CLEVR_0.png")
    scenes = read_clevr(tmp_path / "mine.csv")
    assert rows(scenes) == [["red cube", "blue sphere", "cyan cylinder"]]
    assert scenes.image_folder == tmp_path


@pytest.mark.parametrize(
    ("n", "text", "error", "message"),
    [
        (
            2,
            LABCLIP[3],
            ValueRangeError,
            "line 1: expected 5 cells (filename, noun1, attribute1, ... for 2 objects, without a "
            "header), got 7",
        ),
        (2, LABCLIP[2] + "a.png,cube,red\n", ValueRangeError, "line 3: expected 5 cells"),
        (
            2,
            "0.png,red,cube,blue,sphere\n",
            UnknownNameError,
            "row 1: 'cube' is not a value of concept 'color'",
        ),
        (
            2,
            "0.png,red,cube,blue,sphere\n",
            UnknownNameError,
            "; expected lines of filename, noun1, attribute1, ..., the noun first",
        ),
        (
            2,
            "filename,noun1,attribute1,noun2,attribute2\n" + LABCLIP[2],
            UnknownNameError,
            "and no header",
        ),
        (
            2,
            "0.png,cube,rde,cube,blue\n",
            UnknownNameError,
            "row 1: 'rde' is not a value of concept 'color'; did you mean 'red'",
        ),
        (2, "0.png,cube,red,cube,\n", ValueRangeError, "data row 1: column 'attribute2' is empty"),
        (2, "", ValueRangeError, "is empty"),
    ],
)
def test_mistakes_in_a_table_of_labclip(tmp_path, n, text, error, message):
    path = tmp_path / f"output_{n}obj.csv"
    path.write_text(text)
    with pytest.raises(error, match=re.escape(message)) as caught:
        read_clevr(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["output_3obj.csv", "clevr_labels.csv"])
def test_a_table_of_another_number_than_asked_for(tmp_path, name):
    path = tmp_path / name
    path.write_text(
        LABCLIP[3] if "3" in name else "filename,object1_color,object1_shape\n0.png,red,cube\n"
    )
    held = 3 if "3" in name else 1
    with pytest.raises(
        ValueRangeError,
        match=f"^{path} holds scenes of {held} objects, not of 2; write clevr:{path}, or name "
        "another",
    ):
        load_scenes(f"clevr:{path}:2")
    assert load_scenes(f"clevr:{path}:{held}").n_slots == held


def test_a_folder_without_clevr(tmp_path):
    message = (
        "holds no CLEVR scenes: expected clevr_labels.csv, output_{n}obj.csv (LABCLIP) or a "
        "scene file *_scenes.json"
    )
    with pytest.raises(FileError, match=re.escape(message)):
        load_scenes(f"clevr:{tmp_path}")


@pytest.mark.parametrize("option", ["three", "0", "-1", "2:3", "2.5"])
def test_what_stands_behind_the_path_is_a_number(tmp_path, option):
    (tmp_path / "output_3obj.csv").write_text(LABCLIP[3])
    with pytest.raises((ValueRangeError, FileError), match=re.escape(option)):
        load_scenes(f"clevr:{tmp_path}:{option}")


def test_a_path_may_have_colons(tmp_path):
    folder = tmp_path / "mine:3"
    folder.mkdir()
    (folder / "output_3obj.csv").write_text(LABCLIP[3])
    assert load_scenes(f"clevr:{folder}").n_slots == load_scenes(f"clevr:{folder}:3").n_slots == 3


def test_a_scene_file_is_read_from_left_to_right(scene_file):
    scenes = load_scenes(f"clevr:{scene_file(TWO, OTHER)}")
    # the same x: the order of the file
    assert rows(scenes) == [
        ["blue sphere", "red cube"],
        ["green cube", "green cylinder"],
    ]
    assert scenes.ids == ("CLEVR_val_000000.png", "CLEVR_val_000002.png")
    assert (scenes.name, scenes.space) == ("clevr", clevr_grid().space)


def test_scenes_of_different_numbers_of_objects_do_not_share_a_table(scene_file):
    path = scene_file(TWO, THREE, OTHER)
    text = (
        f"{path} holds scenes of 2 objects (2 scenes), 3 objects (1 scene); one table takes "
        "scenes of one number of objects, which "
    )
    with pytest.raises(
        ValueRangeError,
        match=re.escape(f"{text}has to be chosen: write for example clevr:{path}:2"),
    ):
        load_scenes(f"clevr:{path}")
    with pytest.raises(ValueRangeError, match=re.escape(f"{text}cannot be 4: write")):
        load_scenes(f"clevr:{path}:4")
    assert rows(load_scenes(f"clevr:{path}:3")) == [["gray cube", "red sphere", "cyan cube"]]
    assert load_scenes(f"clevr:{path}:3").name == "clevr:3"
    assert load_scenes(f"clevr:{path}:2").content_hash == read_clevr(path, objects=2).content_hash
    # CLEVR's own folder, with its scenes/ below
    assert len(load_scenes(f"clevr:{path.parents[1]}:2")) == 2


@pytest.mark.parametrize(
    "place", ["scenes", "scenes/images", "images", "images/val", "scenes/images/val"]
)
def test_pictures_are_found_where_people_keep_them(scene_file, tmp_path, place):
    path = scene_file(TWO)
    # nowhere: captions can still be studied
    assert load_scenes(f"clevr:{path}").image_folder == tmp_path / "scenes"
    picture(tmp_path / place / TWO["image_filename"])
    assert load_scenes(f"clevr:{path}").image_folder == tmp_path / place


def test_the_split_is_known_from_the_file_or_from_its_scenes(scene_file, tmp_path):
    for name, scene, split in (
        ("CLEVR_trainA_scenes.json", THREE, "trainA"),
        ("mine.json", TWO, "val"),
    ):
        path = scene_file(scene, name=name)
        picture(tmp_path / "images" / split / scene["image_filename"])
        assert load_scenes(f"clevr:{path}").image_folder == tmp_path / "images" / split


def test_places_go_with_a_selection(scene_file):
    scenes = load_scenes(f"clevr:{scene_file(TWO, OTHER)}")
    assert len(scenes.image_places) == 5
    assert scenes.select(np.array([1])).image_places == scenes.image_places


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("{", FileError, "is not valid JSON (Expecting property name"),
        ("[]", ValueRangeError, "expected a list 'scenes' with at least one scene; got []"),
        (
            '{"questions": [], "info": 1}',
            ValueRangeError,
            "expected a list 'scenes' with at least one scene; got the fields questions, info",
        ),
        ('{"scenes": []}', ValueRangeError, "with at least one scene"),
        (
            '{"scenes": [3]}',
            ValueRangeError,
            "scene 1: expected an object with image_filename and objects; got 3",
        ),
        (
            '{"scenes": [{"objects": []}]}',
            ValueRangeError,
            "scene 1: expected image_filename (text) and objects (a list); got the fields objects",
        ),
        (
            '{"scenes": [{"image_filename": "a.png", "objects": []}]}',
            ValueRangeError,
            "hold no objects",
        ),
    ],
)
def test_what_is_not_a_scene_file(scene_file, content, error, message):
    path = scene_file(content=content)
    with pytest.raises(error, match=re.escape(message)) as caught:
        load_scenes(f"clevr:{path}")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            thing("pink", "cube", 1),
            UnknownNameError,
            "scene 2, object 2: 'pink' is not a color of CLEVR; known: blue, brown",
        ),
        (
            thing("red", "cubes", 1),
            UnknownNameError,
            "'cubes' is not a shape of CLEVR; did you mean 'cube'?",
        ),
        (
            thing("red", "cube", "left"),
            ValueRangeError,
            "expected pixel_coords to be numbers [x, y, depth]; got ['left', 50, 9.5]",
        ),
        (
            thing("red", "cube", float("nan")),
            ValueRangeError,
            "expected pixel_coords to be numbers",
        ),
        (thing("red", "cube", 1, pixel_coords=[]), ValueRangeError, "got []"),
        (
            {"color": "red", "shape": "cube"},
            ValueRangeError,
            "expected the fields color, shape and pixel_coords; got the fields color, shape",
        ),
        (["red", "cube"], ValueRangeError, 'got ["red", "cube"]'),
    ],
)
def test_a_wrong_object_is_named_by_its_scene(scene_file, wrong, error, message):
    path = scene_file(TWO, {"image_filename": "b.png", "objects": [thing("red", "cube", 3), wrong]})
    with pytest.raises(error, match=re.escape(message)):
        load_scenes(f"clevr:{path}")


def test_a_missing_scene_file_is_named(tmp_path):
    for option in ("", ":3"):
        with pytest.raises(
            FileError,
            match=f"^could not read the scene file {tmp_path}/no.json: No such file or directory; "
            "expected",
        ):
            load_scenes(f"clevr:{tmp_path}/no.json{option}")


def test_a_scene_file_without_its_scheme_is_told_the_scheme(scene_file):
    path = scene_file(TWO)
    with pytest.raises(FileError, match=f"for CLEVR's scene file write clevr:{path}$"):
        load_scenes(str(path))


def test_a_picture_named_twice_is_refused(scene_file):
    with pytest.raises(
        ValueRangeError, match=r"duplicate scene id 'CLEVR_val_000000\.png' \(2 times\)"
    ):
        load_scenes(f"clevr:{scene_file(TWO, TWO)}")


def test_an_uneven_label_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text(
        "filename,object1_color,object1_shape,object2_color\n0.png,red,cube,red\n"
    )
    with pytest.raises(MismatchError, match="lacks the column for 'shape' of slot 2"):
        load_scenes(f"clevr:{tmp_path / 't.csv'}")
