"""A model is what its files hold: another spelling of its path is the same encoder, and a note
beside it changes nothing.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import small_models
from conceptbind.core.errors import MismatchError
from conceptbind.encoders import resolve
from conceptbind.encoders.weights import same_encoder
from conceptbind.repairs.labclip import Adapter
from conceptbind.rows import embeddings
from conceptbind.scenes import text20


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A CLIP in the folder `models/clip` of the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    small_models.save("clip", tmp_path / "models" / "clip")
    (tmp_path / "link").symlink_to(tmp_path / "models" / "clip")
    return tmp_path / "models" / "clip"


SPELT = [
    "models/clip",
    "./models/clip",
    "models/clip/",
    "models/../models/clip",
    "link",
    "~/models/clip",
]


@pytest.mark.parametrize("spelt", SPELT)
def test_an_adapter_fits_its_encoder_by_any_path(model, spelt):
    fitted, again = resolve(f"hf:{model}", device="cpu"), resolve(f"hf:{spelt}", device="cpu")
    assert again.revision == fitted.revision
    adapter = Adapter(
        np.eye(24, dtype=np.float32), 0.0, {"encoder": fitted.id, "revision": fitted.revision}
    )
    adapter.require(again.id, again.revision)


def test_an_adapter_fits_a_copy_and_no_other_model(model, tmp_path):
    fitted = resolve(f"hf:{model}", device="cpu")
    adapter = Adapter(
        np.eye(24, dtype=np.float32), 0.0, {"encoder": fitted.id, "revision": fitted.revision}
    )
    shutil.copytree(model, tmp_path / "copy")
    copy = resolve(f"hf:{tmp_path / 'copy'}", device="cpu")
    adapter.require(copy.id, copy.revision)
    small_models.save("metaclip_2", tmp_path / "other")
    other = resolve(f"hf:{tmp_path / 'other'}", device="cpu")
    with pytest.raises(MismatchError, match="this adapter was fitted on"):
        adapter.require(other.id, other.revision)
    # the same files, but other features: normalised, with a prompt
    with pytest.raises(MismatchError):
        adapter.require(f"st:{model}", fitted.revision)


def test_rows_that_are_kept_are_those_of_the_model_by_any_path(model, tmp_path):
    table = text20(2, 2)
    first = embeddings.embed(resolve(f"hf:{model}", device="cpu"), table, "text", tmp_path / "rows")
    again = embeddings.embed(
        resolve("hf:models/clip/", device="cpu"), table, "text", tmp_path / "rows"
    )
    np.testing.assert_array_equal(first.values, again.values)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        ".DS_Store",
        "notes.txt",
        "training_args.bin",
        "trainer_state.json",
        "onnx/model.onnx",
        "my.safetensors",
        "x.model",
    ],
)
def test_a_file_that_is_not_read_changes_nothing(model, name):
    before = resolve(f"hf:{model}", device="cpu").revision
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text('{"a": 1}')
    assert resolve(f"hf:{model}", device="cpu").revision == before


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "preprocessor_config.json", "config.json"]
)
def test_a_file_that_is_read_changes_the_revision(model, name):
    before = resolve(f"hf:{model}", device="cpu").revision
    path = model / name
    if name == "model.safetensors":
        shutil.copy(path, model / "kept")
        from safetensors.torch import load_file, save_file

        state = load_file(path)
        state["logit_scale"] += 1
        save_file(state, path, metadata={"format": "pt"})
    else:
        path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    assert resolve(f"hf:{model}", device="cpu").revision != before


def test_weights_in_the_form_that_is_not_loaded_change_nothing(model):
    before = resolve(f"hf:{model}", device="cpu").revision
    (model / "pytorch_model.bin").write_bytes(b"old")
    assert resolve(f"hf:{model}", device="cpu").revision == before


def test_the_parts_of_a_pipeline_count(tmp_path):
    pytest.importorskip("sentence_transformers")
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    before = {
        scheme: resolve(f"{scheme}:{folder}", device="cpu").revision for scheme in ("hf", "st")
    }
    (folder / "README.md").write_text("A model.")
    assert {
        scheme: resolve(f"{scheme}:{folder}", device="cpu").revision for scheme in ("hf", "st")
    } == before
    small_models.pooling(folder, "cls")
    for scheme, revision in before.items():
        assert resolve(f"{scheme}:{folder}", device="cpu").revision != revision


CONTENT, COMMIT = "0123456789abcdef", "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("hf:a", CONTENT), ("hf:/b/a", CONTENT), True),
        (("hf:a", CONTENT), ("hf:a", CONTENT[::-1]), False),
        (("hf:a", CONTENT), ("st:a", CONTENT), False),
        (("st:x/model", CONTENT), ("minilm", CONTENT), True),
        (("hf:a", COMMIT), ("hf:b", COMMIT), False),  # two repositories
        (("hf:a (random weights)", "random:0"), ("hf:b (random weights)", "random:0"), False),
        (("open_clip:ViT-B-32@w.pt", CONTENT), ("open_clip:ViT-B-32@./w.pt", CONTENT), True),
        (
            ("open_clip:ViT-B-32@w.pt", CONTENT),
            ("open_clip:ViT-B-32-quickgelu@w.pt", CONTENT),
            False,
        ),
        (("open_clip:local-dir:a", CONTENT), ("open_clip:local-dir:a/", CONTENT), True),
        (("mine", CONTENT), ("yours", CONTENT), False),
    ],
)
def test_two_names_are_one_encoder_by_content_only(one, other, same):
    assert same_encoder(one, other) is same
    assert same_encoder(other, one) is same
