"""PUG:SPAR and PUG:SPARE in their published layouts: worlds, blank animals, natural textures,
picture folders.
"""

from __future__ import annotations

import re
from itertools import product

import pytest

from conceptbind.core.errors import ConceptBindError, FileError, UnknownNameError, ValueRangeError
from conceptbind.scenes import (
    load_scenes,
    orbit_ids,
    read_pug_animals,
    read_pug_spar,
    read_pug_spare,
)

HEADER = "filename,world_name,character_name,character2_name,character_pos,character2_pos,character_texture,character2_texture\n"  # noqa: E501
ANIMALS = ("Cat", "Dog", "Elephant", "blank")
LOOKS = (
    ("Default", "Default", "left", "right"),
    ("Default", "Default", "below", "above"),
    ("Blue", "Red", "left", "right"),
    ("Grass", "Stone", "left", "right"),
)


def spar(path, worlds=("Desert",), position="character_pos"):
    """`labels.csv` as it is published: every pair of animals or blanks in every look and world."""
    lines = [
        f"{world}_{i}.png,{world},{first},{second},{pos},{pos2},{look},{look2}"
        for world in worlds
        for i, (first, second, (look, look2, pos, pos2)) in enumerate(
            product(ANIMALS, ANIMALS, LOOKS)
        )
    ]
    path.write_text(HEADER.replace("character_pos", position) + "\n".join(lines) + "\n")
    return path


def rows(scenes):
    return [[scenes.space.object_name(int(i)) for i in objects] for objects in scenes.objects]


def test_spar_keeps_two_different_animals_with_an_attribute_each(tmp_path):
    scenes = load_scenes(f"pug-spar:{spar(tmp_path / 'labels.csv')}")
    assert rows(scenes) == [
        [f"{look} {first}", f"{look2} {second}"]
        for first, second, (look, look2) in product(
            ANIMALS[:3], ANIMALS[:3], (("Blue", "Red"), ("Grass", "Stone"))
        )
        if first != second
    ]
    assert scenes.space.concepts == ("texture", "animal")
    assert scenes.space.values == (("Blue", "Grass", "Red", "Stone"), ("Cat", "Dog", "Elephant"))
    assert scenes.image_folder == tmp_path
    assert (scenes.ids[0], scenes.images[0], scenes.name) == (
        "Desert_6.png",
        "Desert_6.png",
        "pug-spar",
    )
    assert scenes.caption(0) == "a Blue Cat and a Red Dog"
    assert len(set(orbit_ids(scenes))) == 6  # 3 pairs of animals x 2 pairs of textures


def test_spar_by_its_folder_and_with_the_other_name_of_the_position(tmp_path):
    expected = read_pug_spar(spar(tmp_path / "labels.csv"))
    assert load_scenes(f"pug-spar:{tmp_path}").content_hash == expected.content_hash
    spar(tmp_path / "labels.csv", position="character1_pos")
    assert load_scenes(f"pug-spar:{tmp_path}").content_hash == expected.content_hash


def test_spar_with_one_animal(tmp_path):
    scenes = load_scenes(f"pug-spar:{spar(tmp_path / 'labels.csv')}:one")
    assert scenes.n_slots == 1
    assert {name for (name,) in rows(scenes)} == {
        f"{look} {animal}" for look in ("Blue", "Grass", "Red", "Stone") for animal in ANIMALS[:3]
    }
    # the same objects as in pairs
    assert scenes.space == read_pug_spar(tmp_path / "labels.csv").space
    assert scenes.name == "pug-spar:one"


def test_spar_of_several_worlds_asks_which(tmp_path):
    path = spar(tmp_path / "labels.csv", ("Desert", "Arena", "Opera house"))
    text = (
        f"{path} has scenes of 3 worlds (Arena, Desert, Opera house); choose one with "
        f"pug-spar:{path}:Arena, or take them together with"
    )
    with pytest.raises(ValueRangeError, match=re.escape(f"{text} pug-spar:{path}:all")):
        load_scenes(f"pug-spar:{path}")
    with pytest.raises(ValueRangeError, match="has scenes of 3 worlds"):
        load_scenes(f"pug-spar:{path}:one")
    opera = load_scenes(f"pug-spar:{path}:Opera house")
    assert {name.split("_")[0] for name in opera.ids} == {"Opera house"}
    assert opera.name == "pug-spar:Opera house"
    assert load_scenes(f"pug-spar:{tmp_path}:Arena:one").name == "pug-spar:Arena:one"
    assert len(load_scenes(f"pug-spar:{path}:all")) == 3 * len(opera) == 3 * 12


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            ":Dessert",
            UnknownNameError,
            "has no rows of the world 'Dessert'; did you mean 'Desert'?",
        ),
        (":Moon", UnknownNameError, "has no rows of the world 'Moon'; known: Desert"),
        (
            ":Desert:two",
            ValueRangeError,
            "says too much after its path; expected pug-spar:PATH[:WORLD][:one]",
        ),
        (":one:Desert", ValueRangeError, "says too much after its path"),
    ],
)
def test_wrong_options_of_spar(tmp_path, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        load_scenes(f"pug-spar:{spar(tmp_path / 'labels.csv')}{options}")


def test_spar_without_any_attribute_has_nothing_to_measure(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        HEADER
        + "0.png,Desert,Cat,Dog,left,right,Default,Default\n1.png,Desert,Cat,Cat,left,right,Blue,Red\n"  # noqa: E501
    )
    text = (
        f"{path} has no scene of the world 'Desert' with two different animals in textures "
        "other than 'Default'; choose another world, or"
    )
    with pytest.raises(
        ValueRangeError, match=f"{re.escape(text)} add :one for the scenes with one animal"
    ):
        load_scenes(f"pug-spar:{path}")
    with pytest.raises(
        ValueRangeError, match="with a single animal in textures .* or leave out :one"
    ):
        load_scenes(f"pug-spar:{path}:one")


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("x.png,Desert,,Dog,left,right,Blue,Red", "character_name"),
        ("x.png,Desert,Cat,Dog,left,right,Blue,", "character2_texture"),
    ],
)
def test_an_empty_cell_of_spar_is_named_by_the_row_of_the_file(tmp_path, row, column):
    path = spar(tmp_path / "labels.csv")
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(
        ValueRangeError,
        match=f"^{path}, data row 65: column '{column}' is empty; PUG:SPAR writes 'blank'",
    ):
        load_scenes(f"pug-spar:{path}")


def test_spar_names_the_columns_it_lacks(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("filename,world_name,character_name\n0.png,Desert,Cat\n")
    lacks = "character2_name, character_texture, character2_texture, character_pos"
    with pytest.raises(
        UnknownNameError, match=f"^{path} is not a PUG:SPAR table: it lacks the columns {lacks}$"
    ):
        load_scenes(f"pug-spar:{path}")


def test_spar_has_one_or_two_animals(tmp_path):
    with pytest.raises(
        ValueRangeError, match="PUG:SPAR has scenes with 1 and with 2 animals; got 3"
    ):
        read_pug_spar(spar(tmp_path / "labels.csv"), animals=3)


SPARE = (
    "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos,character2_pos\n"
    "0.png,Desert,Crow,Fox,Red,Blue,,\n1.png,Island,Crow,Bear,Red,Blue,,\n2.png,Island,Crow,Bear,Red,Blue,left,right\n"
)


def test_spare_has_a_picture_folder_for_every_world(tmp_path):
    path = tmp_path / "PUG_SPARE.csv"
    path.write_text(SPARE)
    desert, island = load_scenes(f"pug-spare:{tmp_path}"), load_scenes(f"pug-spare:{path}:Island")
    assert (desert.ids, desert.image_folder, desert.name) == (
        ("0.png",),
        tmp_path / "Desert",
        "pug-spare",
    )
    assert (island.ids, island.image_folder, island.name) == (
        ("1.png",),
        tmp_path / "Island",
        "pug-spare:Island",
    )
    assert island.content_hash == read_pug_spare(path, "Island").content_hash
    with pytest.raises(
        UnknownNameError, match="has no rows of the world 'Moon'; known: Desert, Island"
    ):
        load_scenes(f"pug-spare:{path}:Moon")
    with pytest.raises(
        ValueRangeError, match="says too much after its path; expected pug-spare:PATH"
    ):
        load_scenes(f"pug-spare:{path}:Desert:one")


def test_the_published_table_has_the_desert_only(shared_data):
    path = shared_data / "pug_spare_labels.csv"
    assert len(load_scenes(f"pug-spare:{path}:Desert")) == 7_392
    with pytest.raises(UnknownNameError, match="known: Desert"):
        load_scenes(f"pug-spare:{path}:Island")


def test_a_missing_table_is_named_with_and_without_options(tmp_path):
    for options in ("", ":Desert", ":Desert:one"):
        with pytest.raises(
            FileError, match=f"^could not read the table {tmp_path}/no.csv: No such file"
        ):
            load_scenes(f"pug-spar:{tmp_path}/no.csv{options}")


FACTORS = "filename,world_name,character_name,character_scale,camera_yaw,character_texture\n"


def animals(path, *more):
    """PUG:Animals as it is published: all combinations."""
    factors = (("Desert", "Egypt"), ("Cat", "Goldfish"), ("0.7", "1.3"), ("0", "45"), ("Default",))
    lines = [f"{i}.png,{','.join(row)}" for i, row in enumerate(product(*factors))]
    path.write_text(FACTORS + "\n".join((*lines, *more)) + "\n")
    return path


def test_animals_are_scenes_of_one_with_five_concepts(tmp_path):
    scenes = load_scenes(f"pug-animals:{animals(tmp_path / 'labels.csv')}")
    assert scenes.space.concepts == ("world", "animal", "size", "texture", "yaw")
    assert scenes.space.values == (
        ("Desert", "Egypt"),
        ("Cat", "Goldfish"),
        ("0.7", "1.3"),
        ("Default",),  # one value, which is a concept still
        ("0", "45"),
    )
    assert (len(scenes), scenes.n_slots, scenes.name) == (16, 1, "pug-animals")
    assert scenes.caption(0) == "a Desert Cat 0.7 Default 0"
    assert scenes.caption(15) == "an Egypt Goldfish 1.3 Default 45"
    by_folder = load_scenes(f"pug-animals:{tmp_path}")
    assert by_folder.content_hash == scenes.content_hash


def test_pictures_of_animals_lie_in_the_folder_of_each(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(FACTORS + "0.png,Desert,Cat,1,0,Sky\n0.png,Desert,Goldfish,1,0,Sky\n")
    scenes = read_pug_animals(path)
    assert scenes.images == ["Cat/0.png", "Goldfish/0.png"]
    assert scenes.ids == ("Cat/0.png", "Goldfish/0.png")
    assert scenes.image_folder == tmp_path


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.png,Desert,,1,0,Sky", "data row 17: column 'character_name' is empty"),
        (",Desert,Cat,1,0,Sky", "data row 17: column 'filename' is empty"),
        ("0.png,Desert,..,1,0,Sky", "'../0.png', which lies outside the folder of the table"),
        ("0.png,Desert,Cat,1,0,Sky", "duplicate scene id 'Cat/0.png'"),
    ],
)
def test_a_wrong_row_of_animals(tmp_path, row, message):
    path = animals(tmp_path / "labels.csv", row)
    if message.startswith("duplicate"):
        path.write_text(FACTORS + f"{row}\n{row}\n")
    with pytest.raises(ConceptBindError, match=re.escape(message)):
        load_scenes(f"pug-animals:{path}")


def test_a_wrong_table_of_animals(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("filename,world_name,character_name\n0.png,Desert,Cat\n")
    lacks = "character_scale, character_texture, camera_yaw"
    with pytest.raises(
        UnknownNameError, match=f"^{path} is not a PUG:Animals table: it lacks the columns {lacks}$"
    ):
        load_scenes(f"pug-animals:{path}")
    animals(tmp_path / "other.csv")
    with pytest.raises(FileError, match=r"must hold one .csv file, .* labels.csv, other.csv; name"):
        load_scenes(f"pug-animals:{tmp_path}")
    with pytest.raises(ValueRangeError, match="says too much after its path; expected pug-animals"):
        load_scenes(f"pug-animals:{tmp_path / 'other.csv'}:Desert")
