"""A table that cannot be read is refused by name: the file, the line or row, what was expected, and
the nearest known word.
"""

import pickle
import re

import pytest

from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.scenes import read_clevr, read_pug_spare, read_scenes

CLEVR = (
    "filename,object1_color,object1_shape,object2_color,object2_shape\n0.png,red,cube,blue,cube\n"
)
PUG = (
    "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos\n"
    "0.png,Desert,Crow,Fox,Red,Blue,\n1.png,Arena,Crow,Fox,Red,Blue,left\n"
)


@pytest.fixture
def refused(tmp_path):
    """Writes a table, reads it, and gives the text of the error, which must name the file."""

    def attempt(text, error, read=read_scenes, name="t.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(error) as caught:
            read(path, **options)
        assert isinstance(caught.value, ConceptBindError)
        assert str(path) in str(caught.value)
        return str(caught.value).replace(str(path), "FILE")

    return attempt


@pytest.mark.parametrize("name", ["t.pkl", "t.pickle"])
@pytest.mark.parametrize("read", [read_scenes, read_clevr, read_pug_spare])
def test_a_pickle_is_not_opened(refused, name, read):
    text = refused(b"not even a pickle", UnsafeFileError, read, name)
    assert (
        text
        == "FILE is a pickle, and reading a pickle can execute code; save the table as CSV instead"
    )


def test_a_pickle_under_another_name_is_not_executed(refused, tmp_path):
    marker = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return marker.touch, ()

    assert "expected a CSV file (UTF-8) with a header line" in refused(
        pickle.dumps(Bomb()), FileError
    )
    assert not marker.exists()
    # positive control: the bomb does go off when it is unpickled
    pickle.loads(pickle.dumps(Bomb()))
    assert marker.exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileError,
        match=re.escape(
            f"could not read the table {tmp_path / 'no.csv'}: No such file or directory; expected "
            "a CSV"
        ),
    ):
        read_scenes(tmp_path / "no.csv")


def test_a_file_that_is_not_utf8_is_named(refused):
    text = refused("color\nrosé\n".encode("latin-1"), FileError)
    assert text == (
        "could not read the table FILE: it is not UTF-8 (line 2 has the byte 0xe9); if it is "
        "Windows-1252 or Latin-1, convert it: "
        "iconv -f WINDOWS-1252 -t UTF-8 t.csv > utf8-t.csv; expected a CSV file (UTF-8) with a "
        "header line"
    )


@pytest.mark.parametrize("text", ["", "\n", "color,shape\n", "color_1,shape_1\n\n\n"])
def test_an_empty_table_is_refused(refused, text):
    assert (
        refused(text, ValueRangeError)
        == "the table FILE is empty; expected a header line and at least one row"
    )


@pytest.mark.parametrize(
    ("line", "cells"), [("red,cube,blue", 3), ("red,cube,blue,ball,extra", 5), ("red", 1)]
)
def test_a_ragged_row_is_named_by_its_line(refused, line, cells):
    text = refused(
        f"color_1,shape_1,color_2,shape_2\nred,cube,blue,ball\n\n{line}\n", ValueRangeError
    )
    assert text == f"FILE, line 4: expected 4 cells as in the header, got {cells}"


@pytest.mark.parametrize("header", ["color_1,color_1", "color_1,", "color_1, color_1"])
def test_a_header_with_empty_or_duplicate_names_is_refused(refused, header):
    text = refused(f"{header}\nred,blue\n", ValueRangeError)
    assert text.startswith("the header of FILE has empty or duplicate column names: color_1,")


def test_a_missing_column_of_a_slot_is_named(refused):
    text = refused("color_1,shape_1,color_2\nred,cube,blue\n", MismatchError)
    assert (
        text == "FILE lacks the column for 'shape' of slot 2; every slot needs a column for every "
        "concept"
    )


def test_clevr_needs_its_two_concepts(refused):
    text = refused(
        "filename,object1_color,object2_color\n0.png,red,blue\n", MismatchError, read_clevr
    )
    assert text.startswith("FILE lacks the column for 'shape' of slot 1, 'shape' of slot 2;")


def test_a_table_that_is_not_clevr_says_what_was_expected(refused):
    text = refused("a,b\nx,y\n", UnknownNameError, read_clevr)
    assert (
        text == "FILE is not a CLEVR label table: expected columns object1_color, object1_shape, "
        "object2_color, ...; got a, b"
    )


def test_an_empty_cell_is_named_by_row_and_column(refused):
    text = refused(
        "color_1,shape_1,color_2,shape_2\nred,cube,blue,ball\nred,cube,blue,\n", ValueRangeError
    )
    assert (
        text == "FILE, data row 2: column 'shape_2' is empty; every scene needs the same number of "
        "objects"
    )


def test_an_unknown_value_is_named_with_the_nearest_one(refused):
    text = refused(CLEVR + "1.png,red,cube,purpel,cube\n", UnknownNameError, read_clevr)
    assert re.fullmatch(
        r"FILE: data row 2: 'purpel' is not a value of concept 'color'; did you mean 'purple'\?",
        text,
    )


def test_values_are_told_apart_by_case(refused):
    text = refused(CLEVR.replace("red", "RED"), UnknownNameError, read_clevr)
    assert "'RED' is not a value of concept 'color'" in text


def test_one_concept_in_two_columns_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("color_1,object1_color\nred,blue\n")
    with pytest.raises(
        ValueRangeError,
        match="^columns 'color_1' and 'object1_color' both name concept 'color' of slot 1$",
    ):
        read_scenes(path)


def test_a_duplicate_id_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(CLEVR + "0.png,blue,cube,red,cube\n")
    with pytest.raises(ValueRangeError, match=r"^duplicate scene id '0\.png' \(2 times\)"):
        read_clevr(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "color,shape\nred,cube\nred,ball\n",
            "duplicate value of concept 'color': 'red' appears 2 times",
        ),
        ("color,shape\nred,\nblue,\n", "concept 'shape' has no values"),
    ],
)
def test_a_vocabulary_that_spans_no_space_is_refused(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ValueRangeError, match=message):
        read_scenes(path)


def test_a_vocabulary_too_big_for_a_grid_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("first,second\n" + "".join(f"a{i},b{i}\n" for i in range(100)))
    with pytest.raises(
        ValueRangeError,
        match="10,000 objects in 2 slots has 100,000,000 scenes, more than 20,000,000",
    ):
        read_scenes(path)


def test_pug_names_every_column_that_it_lacks(refused):
    text = refused(
        "filename,world_name,character_pos\n0.png,Desert,\n", UnknownNameError, read_pug_spare
    )
    assert text == (
        "FILE is not a PUG:SPARE table: it lacks the columns character_name, character2_name, "
        "character_texture, character2_texture"
    )


def test_pug_names_the_nearest_world(refused):
    text = refused(PUG, UnknownNameError, read_pug_spare, world="Dessert")
    assert text == "FILE has no rows of the world 'Dessert'; did you mean 'Desert'?"


def test_pug_with_positions_only_has_nothing_to_measure(refused):
    text = refused(PUG, ValueRangeError, read_pug_spare, world="Arena")
    assert (
        text
        == "FILE has no row of the world 'Arena' with an empty character_pos; nothing to measure"
    )


def test_pug_with_an_empty_label_is_refused(refused):
    text = refused(
        PUG.replace("Crow,Fox,Red,Blue,\n", "Crow,Fox,,Blue,\n"), ValueRangeError, read_pug_spare
    )
    assert (
        text == "FILE, data row 1: column 'character_texture' is empty; every scene needs the same "
        "number of objects"
    )
