"""`--scenes` finds every set by its name, and says what it knows when a name is wrong."""

import re

import pytest

from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.scenes import (
    clevr_grid,
    load_scenes,
    read_clevr,
    read_pug_spare,
    read_scenes,
    text20,
)

TABLE = "filename,object1_color,object1_shape\n0.png,red,cube\n"
PUG = (
    "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos\n"
    "0.png,Desert,Crow,Fox,Red,Blue,\n"
)


@pytest.mark.parametrize(
    ("spec", "scenes"),
    [
        ("text20", text20),
        ("text20:10x7", lambda: text20(10, 7)),
        ("text20:2x2", lambda: text20(2, 2)),
        ("clevr", clevr_grid),
    ],
)
def test_built_in_sets(spec, scenes):
    loaded, expected = load_scenes(spec), scenes()
    assert loaded.content_hash == expected.content_hash
    assert loaded.name == expected.name == spec


def test_tables_by_scheme_and_by_ending(tmp_path):
    clevr, pug = tmp_path / "labels.csv", tmp_path / "pug.csv"
    clevr.write_text(TABLE)
    pug.write_text(PUG)
    assert load_scenes(f"clevr:{clevr}").content_hash == read_clevr(clevr).content_hash
    assert load_scenes(f"pug-spare:{pug}").content_hash == read_pug_spare(pug).content_hash
    assert load_scenes(str(clevr)).content_hash == read_scenes(clevr).content_hash
    # the second knows all of CLEVR's values
    assert read_scenes(clevr).content_hash != read_clevr(clevr).content_hash


def test_a_tsv_by_ending(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text(TABLE.replace(",", "\t"))
    assert load_scenes(str(path)).caption(0) == "a red cube"


@pytest.mark.parametrize("kind", ["text20:2x2", "clevr", "csv", "clevr:", "pug-spare:"])
def test_the_template_reaches_every_set(tmp_path, kind):
    path = tmp_path / "t.csv"
    path.write_text(PUG if kind == "pug-spare:" else TABLE)
    spec = str(path) if kind == "csv" else f"{kind}{path}" if kind.endswith(":") else kind
    scenes = load_scenes(spec, template="the [{object}] here")
    assert scenes.template == "the [{object}] here"
    assert scenes.caption(0).startswith("the ")
    assert load_scenes(spec).caption(0).startswith("a ")


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("text2", "did you mean 'text20'"),
        ("clever", "did you mean 'clevr'"),
        (
            "qqqq",
            "known: FILE.csv, anywhere:FILE.csv, clevr, clevr2d, clevr2d:N, clevr3d, clevr3d:N, "
            "clevr:PATH[:OBJECTS], dsprites:FILE.npz, mpi3d:FILE.npz[:KIND], "
            "pug-animals:PATH, pug-spar:PATH[:WORLD][:one], pug-spare:PATH[:WORLD], "
            "text20, text20:AxN",
        ),
    ],
)
def test_an_unknown_name_is_told_the_nearest_ones(spec, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=f"^unknown scenes '{spec}'; {re.escape(hint)}"):
        load_scenes(spec)


@pytest.mark.parametrize(
    "spec",
    ["text20:10", "text20:10x", "text20:axb", "text20:10x10x10", "text20:-2x5", "text20:2.0x2"],
)
def test_a_size_that_is_not_two_numbers_is_shown_an_example(spec):
    with pytest.raises(
        ValueRangeError,
        match=re.escape(f"expected text20 or text20:AxN, for example text20:10x10; got '{spec}'"),
    ):
        load_scenes(spec)


def test_a_size_that_text20_does_not_have():
    with pytest.raises(ValueRangeError, match="2 to 20 adjectives and 2 to 20 nouns; got 21 x 2"):
        load_scenes("text20:21x2")


@pytest.mark.parametrize("spec", ["clevr:", "pug-spare:", "pug-spare"])
def test_a_scheme_without_its_path_is_shown_an_example(spec):
    scheme = spec.rstrip(":")
    with pytest.raises(
        ValueRangeError,
        match=f"^'{scheme}:' needs the path of its label table, for example {scheme}:labels.csv$",
    ):
        load_scenes(spec)


@pytest.mark.parametrize("ending", ["pkl", "pickle"])
def test_a_pickle_is_refused(tmp_path, ending):
    path = tmp_path / f"scenes.{ending}"
    path.write_bytes(b"")
    with pytest.raises(
        UnsafeFileError,
        match="is a pickle, and reading a pickle can execute code; save the table as CSV instead",
    ):
        load_scenes(str(path))


@pytest.mark.parametrize("name", ["scenes.json", "folder"])
def test_something_else_that_exists_is_not_a_table(tmp_path, name):
    path = tmp_path / name
    path.write_text("{}") if name.endswith("json") else path.mkdir()
    with pytest.raises(
        FileError,
        match=re.escape(
            f"{path} is not a table that conceptbind reads: expected a .csv or .tsv file"
        ),
    ):
        load_scenes(str(path))


@pytest.mark.parametrize(
    "spec", ["missing.csv", "clevr:missing.csv", "pug-spare:missing.csv", "missing.tsv"]
)
def test_a_missing_table_is_named(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileError,
        match=f"could not read the table {spec.rpartition(':')[2]}: No such file or directory",
    ) as caught:
        load_scenes(spec)
    assert isinstance(caught.value, ConceptBindError)
    assert isinstance(caught.value, OSError)
