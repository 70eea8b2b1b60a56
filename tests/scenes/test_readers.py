"""Tables that people already have are read row by row: own tables, vocabularies, CLEVR and
PUG:SPARE labels, CSV and TSV.
"""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.scenes import read_clevr, read_pug_spare, read_scenes
from conceptbind.scenes.readers import read_columns

TABLE = "color_1,shape_1,color_2,shape_2\nred,cube,blue,ball\ngreen,ball,red,cube\n"


@pytest.fixture
def table(tmp_path):
    """Writes a file and gives its path."""

    def write(text, name="mine.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def rows(scenes):
    return [[scenes.space.object_name(int(i)) for i in objects] for objects in scenes.objects]


def test_a_table_gives_one_scene_a_row(table):
    scenes = read_scenes(table(TABLE))
    assert rows(scenes) == [["red cube", "blue ball"], ["green ball", "red cube"]]
    assert scenes.space.concepts == ("color", "shape")
    # in alphabetical order
    assert scenes.space.values == (
        ("blue", "green", "red"),
        ("ball", "cube"),
    )
    assert (scenes.name, scenes.ids, scenes.images, scenes.written_captions) == (
        "mine",
        ("0", "1"),
        None,
        None,
    )
    assert scenes.caption(0) == "a red cube and a blue ball"


@pytest.mark.parametrize(
    "header",
    [
        "object1_color,object1_shape,object2_color,object2_shape",
        "color_1,shape_1,object2_color,object2_shape",
        " color_1 , shape_1,color_2 ,shape_2",
    ],
)
def test_both_ways_to_name_a_slot_mean_the_same(table, header):
    scenes = read_scenes(table(header + TABLE[TABLE.index("\n") :]))
    assert scenes.content_hash == read_scenes(table(TABLE)).content_hash


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        (TABLE, "bom.csv", "utf-8-sig"),
        (TABLE.replace("\n", "\r\n"), "windows.csv", "utf-8"),
        (TABLE.replace(",", "\t"), "tabs.tsv", "utf-8"),
        (TABLE.replace(",", "\t"), "both.tsv", "utf-8-sig"),
        (TABLE.replace("\n", "\n\n"), "blank_lines.csv", "utf-8"),
        (TABLE.rstrip("\n"), "no_last_newline.csv", "utf-8"),
        (
            TABLE.replace("blue", '"blue"').replace(",ball", ", ball "),
            "quotes_and_spaces.csv",
            "utf-8",
        ),
    ],
    ids=lambda value: value if str(value).endswith("sv") else "",
)
def test_how_the_file_is_written_does_not_matter(table, text, name, encoding):
    assert (
        read_scenes(table(text, name, encoding)).content_hash
        == read_scenes(table(TABLE)).content_hash
    )


def test_one_and_three_slots(table):
    assert rows(read_scenes(table("color_1,shape_1\nred,cube\n"))) == [["red cube"]]
    three = read_scenes(table("c_1,c_2,c_3\na,b,c\n"))
    assert rows(three) == [["a", "b", "c"]]


def test_slots_follow_their_numbers_not_their_columns(table):
    scenes = read_scenes(table("color_10,color_2,shape_2,shape_10\nred,blue,ball,cube\n"))
    assert rows(scenes) == [["blue ball", "red cube"]]


def test_index_columns_repeat_the_names_and_are_left_out(table):
    scenes = read_scenes(
        table("object1_color,object1_color_idx,object2_color,object2_color_idx\nred,6,blue,0\n")
    )
    assert scenes.space.concepts == ("color",)
    assert rows(scenes) == [["red", "blue"]]


def test_a_concept_may_have_an_underscore(table):
    scenes = read_scenes(table("hair_color_1,object2_hair_color\nred,gray\n"))
    assert scenes.space.concepts == ("hair_color",)
    assert rows(scenes) == [["red", "gray"]]


def test_id_caption_and_picture_columns_are_kept(table):
    path = table("id,image,caption,color_1\nx,x.png,look at x,red\ny,y.png,look at y,blue\n")
    scenes = read_scenes(path)
    assert scenes.ids == ("x", "y")
    assert list(scenes.images) == ["x.png", "y.png"]
    assert list(scenes.captions()) == ["look at x", "look at y"]
    assert scenes.image_folder == path.parent


def test_a_filename_is_both_the_name_and_the_picture(table):
    scenes = read_scenes(table("filename,color_1\nx.png,red\ny.png,blue\n"))
    assert scenes.ids == ("x.png", "y.png")
    assert list(scenes.images) == ["x.png", "y.png"]


def test_a_vocabulary_gives_all_ordered_pairs(table):
    scenes = read_scenes(table("color,shape\nred,cube\norange,ball\nblue,\n", "toys.csv"))
    # in the order of the file
    assert scenes.space.values == (
        ("red", "orange", "blue"),
        ("cube", "ball"),
    )
    assert (len(scenes), scenes.name) == (36, "toys")
    assert scenes.caption(1) == "a red cube and a red ball"
    assert len({tuple(pair) for pair in scenes.objects.tolist()}) == 36


def test_the_template_is_passed_on(table):
    assert read_scenes(table(TABLE), "the {object}").caption(0) == "the red cube and the blue ball"
    assert (
        read_scenes(table("color\nred\nblue\n"), "[{a} {object} one]").caption(1)
        == "a red one and a blue one"
    )


@given(
    st.permutations([("red", "cube"), ("blue", "ball"), ("red", "ball"), ("green", "cone")]),
    st.permutations(range(4)),
)
@settings(max_examples=30, deadline=None)
def test_row_and_column_order_only_move_things(tmp_path_factory, objects, order):
    header = ["color_1", "shape_1", "color_2", "shape_2"]
    lines = [[*objects[i], *objects[(i + 1) % 4]] for i in range(4)]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[line[i] for i in order] for line in [header, *lines]])
    scenes = read_scenes(path)
    color, shape = scenes.space.index("color"), scenes.space.index("shape")
    read = [
        [
            word
            for values in slots
            for word in (
                scenes.space.values[color][values[color]],
                scenes.space.values[shape][values[shape]],
            )
        ]
        for slots in scenes.table
    ]
    assert read == lines


def test_clevr_keeps_its_own_vocabulary(table):
    text = "filename,object1_color,object1_shape,object2_color,object2_shape,object1_color_idx\n0.png,red,cube,blue,sphere,99\n"  # noqa: E501
    scenes = read_clevr(table(text))
    assert scenes.space.sizes == (8, 3)
    assert rows(scenes) == [["red cube", "blue sphere"]]
    assert (scenes.name, scenes.ids) == ("clevr", ("0.png",))


def test_clevr_is_found_by_its_folder(table):
    path = table("filename,object1_color,object1_shape\n0.png,red,cube\n", "clevr_labels.csv")
    assert read_clevr(path.parent).content_hash == read_clevr(path).content_hash


PUG_HEADER = "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos\n"  # noqa: E501
PUG = PUG_HEADER + (
    "0.png,Desert,Crow,Fox,Red,Blue,\n1.png,Desert,Crow,Fox,Red,Blue,left\n2.png,Arena,Crow,Bear,Red,Blue,\n3.png,Desert,Fox,Crow,Blue,Red,\n"
)


def test_pug_keeps_the_rows_of_one_world_without_a_position(table):
    path = table(PUG)
    scenes = read_pug_spare(path)
    assert scenes.ids == ("0.png", "3.png")
    assert rows(scenes) == [["Red Crow", "Blue Fox"], ["Blue Fox", "Red Crow"]]
    assert scenes.space.concepts == ("texture", "animal")
    # no Bear: it lives in another world
    assert scenes.space.values == (
        ("Blue", "Red"),
        ("Crow", "Fox"),
    )
    assert scenes.image_folder == path.parent / "Desert"
    assert rows(read_pug_spare(path, world="Arena")) == [["Red Crow", "Blue Bear"]]


def test_pug_is_found_by_its_folder(table):
    path = table(PUG, "PUG_SPARE.csv")
    assert read_pug_spare(path.parent).content_hash == read_pug_spare(path).content_hash


def test_columns_of_text(table):
    path = table("a, b\n1,  x \n\n2,\n")
    assert read_columns(path) == {"a": ["1", "2"], "b": ["x", ""]}
