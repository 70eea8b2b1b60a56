"""The exported folder is loaded by sentence-transformers alone and gives the adapter's rows."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.errors import FileError, MismatchError, ModalityError
from conceptbind.encoders import resolve
from conceptbind.repairs.exports import export_sentence_transformers


@pytest.fixture(autouse=True)
def library():
    """Imported where a test runs: processes that only collect tests need not wait for it."""
    return pytest.importorskip("sentence_transformers")


TEXTS = [
    "a red square and a blue circle",
    "a blue square and a red circle",
    "a star",
    "a red square and a blue circle and a star",
]
WIDTH = 384  # of MiniLM


def plain(folder):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.fixture
def minilm(minilm_folder):
    return resolve("minilm", device="cpu")


@pytest.mark.parametrize("d_out", [WIDTH, 128])
def test_plain_sentence_transformers_loads_the_folder_and_gives_the_adapters_rows(
    make_adapter, minilm, tmp_path, d_out
):
    adapter = make_adapter(d_out, WIDTH, encoder=minilm.id, revision=minilm.revision)
    export_sentence_transformers(adapter, "minilm", tmp_path / "repaired")
    before, after = minilm.encode_texts(TEXTS), plain(tmp_path / "repaired").encode(TEXTS)
    assert after.shape == (len(TEXTS), d_out)
    np.testing.assert_allclose(after, adapter(before), atol=1e-5)
    if d_out == WIDTH:
        assert not np.allclose(after, before, atol=0.01)


def test_every_module_of_the_folder_is_the_librarys_own(make_adapter, minilm_folder, tmp_path):
    export_sentence_transformers(make_adapter(8, WIDTH), minilm_folder, tmp_path / "repaired")
    types = [
        module["type"]
        for module in json.loads((tmp_path / "repaired" / "modules.json").read_text())
    ]
    assert [name.rpartition(".")[2] for name in types] == [
        "Transformer",
        "Pooling",
        "Normalize",
        "Dense",
        "Normalize",
    ]
    assert all(name.startswith("sentence_transformers.") for name in types)


def test_our_own_encoder_reads_the_folder_too(make_adapter, minilm, tmp_path):
    adapter = make_adapter(WIDTH, WIDTH)
    export_sentence_transformers(adapter, "minilm", tmp_path / "repaired")
    again = resolve(f"st:{tmp_path / 'repaired'}", device="cpu")
    np.testing.assert_allclose(
        again.encode_texts(TEXTS), adapter(minilm.encode_texts(TEXTS)), atol=1e-5
    )
    assert again.revision != minilm.revision


def test_a_folder_and_a_loaded_model_give_the_same_and_the_model_stays_as_it_is(
    make_adapter, minilm_folder, tmp_path
):
    adapter, model = make_adapter(8, WIDTH), plain(minilm_folder)
    before = model.encode(TEXTS)
    export_sentence_transformers(adapter, model, tmp_path / "from-model")
    export_sentence_transformers(adapter, minilm_folder, tmp_path / "from-folder")
    np.testing.assert_array_equal(model.encode(TEXTS), before)
    np.testing.assert_array_equal(
        plain(tmp_path / "from-model").encode(TEXTS), plain(tmp_path / "from-folder").encode(TEXTS)
    )


def test_a_pipeline_that_does_not_normalise_gives_the_same_rows(
    make_adapter, minilm_folder, tmp_path
):
    """The adapter is fitted on rows of unit length, and a row's scale does not matter."""
    shutil.copytree(minilm_folder, tmp_path / "raw")
    modules = json.loads((tmp_path / "raw" / "modules.json").read_text())
    (tmp_path / "raw" / "modules.json").write_text(json.dumps(modules[:2]))
    assert not np.allclose(
        np.linalg.norm(plain(tmp_path / "raw").encode(TEXTS), axis=1), 1, atol=0.01
    )
    adapter = make_adapter(8, WIDTH)
    for name, encoder in (("a", tmp_path / "raw"), ("b", minilm_folder)):
        export_sentence_transformers(adapter, encoder, tmp_path / name)
    np.testing.assert_allclose(
        plain(tmp_path / "a").encode(TEXTS), plain(tmp_path / "b").encode(TEXTS), atol=1e-6
    )


def test_weights_are_safetensors_and_the_card_names_the_encoder(make_adapter, minilm, tmp_path):
    export_sentence_transformers(
        make_adapter(8, WIDTH, encoder="minilm", revision=minilm.revision),
        "minilm",
        tmp_path / "repaired",
    )
    files = {
        path.relative_to(tmp_path / "repaired").as_posix()
        for path in (tmp_path / "repaired").rglob("*")
        if path.is_file()
    }
    assert "3_Dense/model.safetensors" in files
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in files)
    card = (tmp_path / "repaired" / "README.md").read_text()
    assert "- encoder: minilm\n" in card
    assert "a linear map (8 x 384" in card
    assert [path.name for path in tmp_path.iterdir()] == ["repaired"]


def test_another_width_is_refused_with_both_numbers(make_adapter, minilm_folder, tmp_path):
    with pytest.raises(
        MismatchError, match="the adapter maps rows of 16 dimensions, but the pipeline gives 384;"
    ):
        export_sentence_transformers(make_adapter(16, 16), minilm_folder, tmp_path / "repaired")
    assert not list(tmp_path.iterdir())


def test_a_truncated_pipeline_is_refused(make_adapter, minilm_folder, tmp_path):
    model = plain(minilm_folder)
    model.truncate_dim = 64
    with pytest.raises(MismatchError, match="gives 64 and is truncated"):
        export_sentence_transformers(make_adapter(64, 64), model, tmp_path / "repaired")


def test_other_weights_than_those_fitted_on_are_refused_and_a_commit_is_not_compared(
    make_adapter, minilm, minilm_folder, tmp_path
):
    adapter = make_adapter(8, WIDTH, encoder="st:mine", revision="0123456789abcdef")
    with pytest.raises(
        MismatchError,
        match=r"fitted on 'st:mine' \(0123456789abcdef\), but .* other weights "
        rf"\({minilm.revision}\)",
    ):
        export_sentence_transformers(adapter, minilm_folder, tmp_path / "repaired")
    commit = replace(adapter, config={"revision": "0" * 40})
    export_sentence_transformers(commit, minilm_folder, tmp_path / "repaired")


@pytest.mark.parametrize("encoder", ["tiny", "tiny-bound"])
def test_an_encoder_of_another_kind_is_refused(make_adapter, tmp_path, encoder):
    with pytest.raises(ModalityError, match=f"'{encoder}' is not a sentence-transformers model"):
        export_sentence_transformers(make_adapter(8, 8), encoder, tmp_path / "repaired")


def test_a_pipeline_of_pictures_and_captions_is_refused(
    make_adapter, minilm_folder, tmp_path, monkeypatch
):
    model = plain(minilm_folder)
    monkeypatch.setattr(type(model), "modalities", ["text", "image"], raising=False)
    with pytest.raises(ModalityError, match="encodes pictures too.*wrap_transformers_clip"):
        export_sentence_transformers(make_adapter(8, WIDTH), model, tmp_path / "repaired")


def test_a_folder_that_holds_something_is_left_alone(make_adapter, minilm_folder, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="is not empty; choose a new folder"):
        export_sentence_transformers(make_adapter(8, WIDTH), minilm_folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
