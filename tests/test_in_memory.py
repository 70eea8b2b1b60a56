"""In Python, arrays, data frames, captions, paths and objects are taken wherever a name is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import conceptbind
from conceptbind.commands import Apply, Evaluate, Measure, Repair
from conceptbind.commands.common import default_folder
from conceptbind.core.errors import (
    FileError,
    MismatchError,
    ModalityError,
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    cut_left,
)
from conceptbind.repairs.labclip import load_adapter, save_adapter
from conceptbind.rows.embeddings import Embeddings, embed
from conceptbind.rows.held import as_array, held_captions, held_rows
from conceptbind.scenes import load_scenes

QUICK = {"epochs": 1, "pull": 1.0}


@pytest.fixture(scope="module")
def arrays():
    """Pictures, captions, and captions of something else."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 60, 8)).astype(np.float32)
    return {"images": rows[0], "texts": rows[0] + rows[1] / 4, "negatives": rows[2]}


@pytest.fixture(scope="module")
def repaired(arrays, tmp_path_factory):
    return conceptbind.repair(**arrays, out=tmp_path_factory.mktemp("held") / "fixed", **QUICK)


def test_a_repair_of_arrays_is_that_of_their_files(arrays, repaired, tmp_path):
    files = {name: tmp_path / f"{name}.npy" for name in arrays}
    for name, file in files.items():
        np.save(file, arrays[name])
    other = conceptbind.repair(**files, out=tmp_path / "fixed", **QUICK)
    values = [[record.value for record in found.records] for found in (repaired, other)]
    assert values[0] == values[1]
    assert np.array_equal(repaired.adapter.weight, other.adapter.weight)


def test_what_is_held_is_named_by_its_content(arrays):
    config = Repair(**arrays, image_of=np.arange(60), out="fixed").configuration()
    assert config["images"].startswith("array-")
    assert len({config[name] for name in (*arrays, "image_of")}) == 4
    again = Repair(**{name: rows.copy() for name, rows in arrays.items()}, out="fixed")
    assert again.configuration()["texts"] == config["texts"]
    changed = Repair(**{**arrays, "texts": arrays["texts"] + 1}, out="fixed")
    assert changed.configuration()["texts"] != config["texts"]


def test_another_array_in_the_same_folder_is_refused(arrays, repaired):
    other = {**arrays, "negatives": arrays["negatives"] + 1}
    with pytest.raises(MismatchError, match="negatives: 'array-"):
        conceptbind.repair(**other, out=repaired.folder, **QUICK)


def test_rows_are_mapped_by_whatever_holds_the_map(arrays, repaired, tmp_path):
    expected = repaired.adapter(arrays["texts"])
    frame = pd.DataFrame(arrays["texts"])
    for i, adapter in enumerate(
        (repaired, repaired.adapter, repaired.folder, str(repaired.folder))
    ):
        for j, texts in enumerate((arrays["texts"], frame, torch.from_numpy(arrays["texts"]))):
            out = conceptbind.apply(adapter, texts=texts, out=tmp_path / f"{i}{j}.npy")
            assert np.array_equal(np.load(out), expected)


def test_an_adapter_that_no_folder_names_has_a_name(repaired):
    named = [Evaluate(benchmark="coco", data="d", adapter=a) for a in (repaired, repaired.adapter)]
    found = [command.configuration()["adapter"] for command in named]
    assert found[0] == found[1] == repaired.adapter.id
    assert repaired.adapter.pulled(0.5).id != repaired.adapter.id
    assert load_adapter(repaired) is load_adapter(repaired.adapter) is repaired.adapter


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    tiny = conceptbind.resolve("tiny", device="cpu")
    return embed(tiny, load_scenes("text20:3x3"), "text", tmp_path_factory.mktemp("rows") / "text")


def test_embeddings_say_what_they_are_of(rows, repaired, tmp_path):
    assert isinstance(rows, Embeddings)
    with pytest.raises(ModalityError, match="images must be rows of the modality image; got text"):
        Repair(images=rows, out="fixed")
    mine = conceptbind.repairs.labclip.adapter.identity(256)
    out = conceptbind.apply(mine, texts=rows, out=tmp_path / "out.npy")
    assert np.load(out).shape == (len(rows.values), 256)
    named = type(mine)(mine.weight, 0.0, {"encoder": "hf:other", "revision": "1"})
    with pytest.raises(MismatchError, match="fitted on 'hf:other'"):
        conceptbind.apply(named, texts=rows, out=tmp_path / "out.npy")


def test_an_adapter_that_was_saved_is_the_same(repaired, tmp_path):
    save_adapter(repaired.adapter, tmp_path / "saved")
    assert load_adapter(tmp_path / "saved").id == repaired.adapter.id


@pytest.mark.slow
def test_captions_are_taken_as_a_list(tmp_path):
    shapes = ("circle", "square", "triangle", "star")
    lines = [f"a red {one} and a blue {two}" for one in shapes for two in shapes if one != two]
    rng = np.random.default_rng(0)
    images = rng.normal(size=(len(lines), 256)).astype(np.float32)
    found = conceptbind.repair(
        "tiny", images=images, captions=lines, tagger="hanta", out=tmp_path / "fixed", **QUICK
    )
    assert found.records
    config = conceptbind.load_run(found.folder).provenance["config"]
    assert config["captions"] == held_captions(lines, "captions").id


@pytest.mark.parametrize(
    "given",
    [
        torch.arange(6.0).reshape(2, 3).bfloat16(),
        torch.arange(6.0).reshape(2, 3).requires_grad_(),
        torch.arange(6).reshape(2, 3),
        pd.DataFrame(np.arange(6).reshape(2, 3)),
        [[0, 1, 2], [3, 4, 5]],
    ],
    ids=["bfloat16", "gradients", "integers", "frame", "list"],
)
def test_every_kind_of_array_is_read(given):
    assert as_array(given, "rows").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert held_rows(given, "texts").values.shape == (2, 3)


@pytest.mark.parametrize("given", [[["a"]], [[1], [1, 2]], object(), np.array([1j])])
def test_what_is_not_an_array_is_refused_in_words(given):
    with pytest.raises(ShapeError, match="^texts (is not an array of numbers|must hold real numb)"):
        Apply("adapter", texts=given, out="out.npy")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (7, "a list of captions; got int"),
        (["a", 7], "index 1 holds 7"),
        (["a", " "], "index 1 holds ' '"),
    ],
)
def test_what_are_not_captions_is_refused_in_words(given, said):
    with pytest.raises(ValueRangeError, match=said):
        Repair("tiny", images=Path("x.npy"), captions=given, out="fixed")


def test_tensors_and_frames_are_rows_and_scenes(tmp_path):
    """The rows of the captions of 81 scenes, whose table is a data frame."""
    scenes = load_scenes("text20:3x3")
    values = conceptbind.resolve("tiny", device="cpu").encode_texts(list(scenes.captions()))
    words = [
        [scenes.space.values[k][v] for held in row.tolist() for k, v in enumerate(held)]
        for row in scenes.table
    ]
    names = [f"{concept}_{slot}" for slot in (1, 2) for concept in scenes.space.concepts]
    frame = pd.DataFrame(words, columns=names)
    found = [
        conceptbind.measure(
            given,
            scenes=frame,
            modality="text",
            studies="probe",
            controls=False,
            out=tmp_path / str(i),
        )
        for i, given in enumerate((torch.from_numpy(values), pd.DataFrame(values), values))
    ]
    first, *others = ([record.value for record in one.records] for one in found)
    assert all(values == first for values in others)


def test_embed_says_what_it_wrote_and_compare_takes_results(tmp_path):
    folders = conceptbind.embed("tiny", scenes="text20:3x3", modality="text", out=tmp_path / "rows")
    assert folders == [tmp_path / "rows"]
    where = cut_left(str(tmp_path / "rows"), 50)
    assert repr(folders) == f"<Embedded: {where}; .frame() says what they hold>"
    (row,) = folders.frame().to_dict("records")
    assert (row["modality"], row["rows"], row["width"], row["encoder"]) == ("text", 81, 256, "tiny")
    html = folders._repr_html_()
    assert ">256</td>" in html
    assert str(tmp_path) in html
    options = {"studies": "probe", "controls": False, "modality": "text"}
    run = conceptbind.measure(folders[0], scenes="text20:3x3", out=tmp_path / "run", **options)
    both = conceptbind.compare([run, run.folder, conceptbind.load_run(run.folder)])
    assert str(both) == str(conceptbind.compare([str(run.folder)] * 3))


def test_python_mistakes_are_one_line():
    with pytest.raises(UnknownNameError, match="measure has no option 'scene'; did you mean 'sc"):
        conceptbind.measure("tiny", scene="text20")
    for wrong in (None, 3):
        with pytest.raises(FileError, match=f"expected a path; got {wrong}"):
            conceptbind.load_run(wrong)


def test_scenes_and_adapters_show_themselves_in_a_line(small_scenes):
    from conceptbind.repairs.labclip.adapter import identity

    assert repr(small_scenes) == (
        "<Scenes 'text20:4x4': 256 of 2 objects each; values: 4 adjective, 4 noun>"
    )
    assert repr(identity(16)).startswith("<Adapter of unknown: captions of width 16 to 16>")


def test_the_folder_of_an_array_has_a_short_name():
    rows = f"array-{'0123456789abcdef' * 4}"
    folder = default_folder((rows, "text20"), Measure(rows), ("encoder", "scenes"))
    assert folder.name == "array-0123456789abcdef-text20"


@pytest.mark.parametrize("name", ["encoder", "scenes"])
def test_nothing_is_no_name_of_anything(name, tmp_path):
    given = {"encoder": "tiny", name: None}
    said = f"^{name}: expected a name, a path or an object; got nothing$"
    with pytest.raises(ValueRangeError, match=said):
        conceptbind.measure(**given, out=tmp_path / "run")
