"""The published CLEVR and PUG:SPARE label tables are read whole and in order, against a plain
reading of the same files.
"""

import csv
from collections import Counter
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from conceptbind.scenes import clevr_grid, load_scenes, read_clevr, read_pug_spare, split_scenes

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published label tables are not on this machine"
)


def plain(name):
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def clevr():
    return read_clevr(DATA / "clevr_labels.csv")


@pytest.fixture(scope="module")
def pug():
    return read_pug_spare(DATA / "pug_spare_labels.csv")


def names(scenes, row):
    return [
        tuple(scenes.space.values[k][v] for k, v in enumerate(values))
        for values in scenes.table[row]
    ]


def test_clevr_is_every_ordered_pair_of_24_objects(clevr):
    assert (len(clevr), clevr.n_slots, clevr.space.n_objects) == (576, 2, 24)
    assert set(map(tuple, clevr.objects.tolist())) == set(product(range(24), repeat=2))
    assert clevr.space == clevr_grid().space


def test_clevr_rows_are_the_lines_of_the_file(clevr):
    for row, line in enumerate(plain("clevr_labels.csv")):
        assert clevr.ids[row] == clevr.images[row] == line["filename"]
        assert names(clevr, row) == [
            (line[f"object{slot}_color"], line[f"object{slot}_shape"]) for slot in (1, 2)
        ]


def test_clevr_colours_have_the_numbers_of_the_file(clevr):
    lines = plain("clevr_labels.csv")
    published = [[int(line[f"object{slot}_color_idx"]) for slot in (1, 2)] for line in lines]
    assert clevr.table[:, :, 0].tolist() == published


def test_clevr_shapes_have_the_numbers_of_the_file_up_to_a_renaming(clevr):
    """The file counts cube, sphere, cylinder; the specification lists cube, cylinder, sphere."""
    lines = plain("clevr_labels.csv")
    published = [int(line[f"object{slot}_shape_idx"]) for line in lines for slot in (1, 2)]
    assert set(zip(clevr.table[:, :, 1].ravel().tolist(), published, strict=True)) == {
        (0, 0),
        (1, 2),
        (2, 1),
    }


def test_pug_is_every_ordered_pair_of_different_animals_and_textures(pug):
    assert (len(pug), pug.n_slots, pug.space.n_objects) == (7_392, 2, 96)
    assert pug.space.concepts == ("texture", "animal")
    assert pug.space.sizes == (8, 12)
    expected = {
        ((first_texture, first), (second_texture, second))
        for first, second in permutations(range(12), 2)
        for first_texture, second_texture in permutations(range(8), 2)
    }
    assert len(expected) == 12 * 11 * 8 * 7 == 7_392
    assert {tuple(map(tuple, slots)) for slots in pug.table.tolist()} == expected


def test_pug_rows_are_the_lines_of_the_file(pug):
    lines = [
        line
        for line in plain("pug_spare_labels.csv")
        if line["world_name"] == "Desert" and not line["character_pos"]
    ]
    assert list(pug.ids) == list(pug.images) == [line["filename"] for line in lines]
    for row, line in enumerate(lines):
        assert names(pug, row) == [
            (line["character_texture"], line["character_name"]),
            (line["character2_texture"], line["character2_name"]),
        ]
    assert pug.image_folder == DATA / "Desert"


@pytest.mark.parametrize(
    ("spec", "scenes"), [("clevr:clevr_labels.csv", 576), ("pug-spare:pug_spare_labels.csv", 7_392)]
)
def test_the_same_by_name(spec, scenes):
    scheme, _, file = spec.partition(":")
    assert len(load_scenes(f"{scheme}:{DATA / file}")) == scenes
    if scheme == "clevr":
        assert len(load_scenes(f"{scheme}:{DATA}")) == scenes


def test_captions_of_pug(pug):
    assert pug.caption(0) == "a Red Crow and a Blue Fox"
    assert len(set(pug.captions())) == len(pug)
    animals = Counter(text.split()[2] for text in pug.captions())
    assert len(animals) == 12
    assert set(animals.values()) == {11 * 8 * 7}


@pytest.mark.parametrize("by", ["pair", "orbit"])
def test_splits_of_the_published_tables_cover_them_without_a_shared_pair(clevr, pug, by):
    """Published code split PUG by sampled combinations without position swaps, so that validation
    and test overlapped.
    """
    for scenes in (clevr, pug):
        split = split_scenes(scenes, by)
        rows = [split.train, split.validation, split.test]
        assert sorted(np.concatenate(rows).tolist()) == list(range(len(scenes)))
        train, validation, test = (
            {frozenset(pair) for pair in scenes.objects[part].tolist()} for part in rows
        )
        assert not (train & validation or train & test or validation & test)
