"""No code of a model is run without consent: not from its folder, not from its weights."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest
import torch

import small_models
from conceptbind.cli import main
from conceptbind.core.errors import FileError, UnsafeFileError
from conceptbind.encoders import resolve

CAPTIONS = ["a red circle", "a blue square and a red circle"]
OWN_MODEL = """
from pathlib import Path
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

class OwnConfig(PretrainedConfig):
    model_type = "own"
    def __init__(self, width=8, **more):
        self.width = width
        super().__init__(**more)

class OwnModel(PreTrainedModel):
    config_class = OwnConfig
    main_input_name = "input_ids"
    def __init__(self, config):
        super().__init__(config)
        Path("{ran}").touch()
        self.words = torch.nn.Embedding(40, config.width)
        self.post_init()
    def forward(self, input_ids=None, **_):
        return BaseModelOutput(last_hidden_state=self.words(input_ids))
"""


@pytest.fixture
def own_code(tmp_path):
    """A folder that brings its own Python code, which leaves a file when it runs."""
    folder, ran = tmp_path / "own", tmp_path / "ran"
    folder.mkdir()
    (folder / "modeling_own.py").write_text(OWN_MODEL.replace("{ran}", str(ran)))
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "own",
                "width": 8,
                "architectures": ["OwnModel"],
                "auto_map": {
                    "AutoConfig": "modeling_own.OwnConfig",
                    "AutoModel": "modeling_own.OwnModel",
                },
            }
        )
    )
    from safetensors.torch import save_file

    save_file(
        {"words.weight": torch.randn(40, 8)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    small_models.word_tokenizer(folder)
    small_models.pooling(folder, "mean")
    return folder, ran


class Asked:
    """Standard input that must not be read."""

    def readline(self, *_):
        raise AssertionError("asked on standard input")

    read = readline


@pytest.fixture
def modules_elsewhere(tmp_path, monkeypatch):
    """transformers copies a model's code into a cache before it runs it; not into the user's."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("scheme", ["hf", "st"])
def test_code_of_a_folder_is_not_run_and_nobody_is_asked(own_code, scheme, monkeypatch):
    pytest.importorskip("sentence_transformers")
    monkeypatch.setattr(sys, "stdin", Asked())
    folder, ran = own_code
    with pytest.raises(
        UnsafeFileError,
        match="brings Python code of its own, which is not run; .* --trust-remote-code",
    ):
        resolve(f"{scheme}:{folder}", device="cpu")
    assert not ran.exists()


@pytest.mark.usefixtures("modules_elsewhere")
def test_code_of_a_folder_is_run_with_consent(own_code):
    folder, ran = own_code
    encoder = resolve(f"hf:{folder}", device="cpu", trust_remote_code=True)
    assert ran.exists()
    rows = encoder.encode_texts(CAPTIONS)
    assert rows.shape == (2, 8)
    before = encoder.revision
    (folder / "modeling_own.py").write_text(
        (folder / "modeling_own.py").read_text() + "\n# changed\n"
    )
    # the code decides the rows too
    assert resolve(f"hf:{folder}", device="cpu", trust_remote_code=True).revision != before


@pytest.mark.parametrize("command", ["embed", "measure"])
def test_the_commands_have_the_option_and_one_line_for_its_absence(
    own_code, command, tmp_path, capsys
):
    folder, ran = own_code
    arguments = [
        command,
        f"hf:{folder}",
        "--scenes",
        "text20:2x2",
        "--modality",
        "text",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "--trust-remote-code" in said[0]
    assert not ran.exists()


@pytest.mark.usefixtures("modules_elsewhere")
def test_the_option_gives_consent_and_a_configuration_file_alone_does_not(
    own_code, tmp_path, capsys
):
    folder, ran = own_code
    arguments = ["embed", f"hf:{folder}", "--scenes", "text20:2x2", "--modality", "text"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--trust-remote-code"]) == 0
    assert ran.exists()
    (tmp_path / "options.yaml").write_text("trust_remote_code: true\nlong_captions: refuse\n")
    again = [
        *arguments,
        "--out",
        str(tmp_path / "again"),
        "--config",
        str(tmp_path / "options.yaml"),
    ]
    ran.unlink()
    assert main(again) == 2
    assert "add --trust-remote-code" in capsys.readouterr().err
    assert not ran.exists()
    assert main([*again, "--trust-remote-code"]) == 0
    assert ran.exists()


def test_modules_of_a_pipeline_are_not_imported(tmp_path):
    pytest.importorskip("sentence_transformers")
    folder = small_models.save("bert", tmp_path / "model")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "payload.Module"}])
    )
    (folder / "payload.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Module: pass\n"
    )
    with pytest.raises(
        UnsafeFileError,
        match=r"code of its own \(payload.Module\), which is not run; .* --trust-remote-code",
    ):
        resolve(f"st:{folder}", device="cpu")
    assert not (tmp_path / "ran").exists()


OWN_DUAL = """
import torch
from transformers import PretrainedConfig, PreTrainedModel

class OwnConfig(PretrainedConfig):
    model_type = "own_dual"
    def __init__(self, width=8, **more):
        self.width = width
        super().__init__(**more)

class OwnModel(PreTrainedModel):
    config_class = OwnConfig
    def __init__(self, config):
        super().__init__(config)
        self.words = torch.nn.Embedding(40, config.width)
        self.pixels = torch.nn.Linear(3, config.width)
        self.post_init()
    def get_text_features(self, input_ids=None, attention_mask=None):
        return (self.words(input_ids) * attention_mask[..., None]).sum(1)
    def get_image_features(self, pixel_values=None):
        return self.pixels(pixel_values.mean(dim=(2, 3)))
    def forward(self, input_ids=None, attention_mask=None, pixel_values=None):
        return self.get_text_features(input_ids, attention_mask)
"""


@pytest.mark.usefixtures("modules_elsewhere")
def test_two_towers_of_a_folders_own_code_give_what_they_call_features(tmp_path):
    """As jina-clip does: code beside the weights, with `get_text_features` and
    `get_image_features`.
    """
    from PIL import Image
    from safetensors.torch import save_file

    folder = tmp_path / "dual"
    folder.mkdir()
    (folder / "modeling_dual.py").write_text(OWN_DUAL)
    places = {"AutoConfig": "modeling_dual.OwnConfig", "AutoModel": "modeling_dual.OwnModel"}
    config = {"model_type": "own_dual", "architectures": ["OwnModel"], "auto_map": places}
    (folder / "config.json").write_text(json.dumps(config))
    weights = {
        "words.weight": torch.randn(40, 8),
        "pixels.weight": torch.randn(8, 3),
        "pixels.bias": torch.randn(8),
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    small_models.word_tokenizer(folder)
    small_models.picture_processor(folder)
    with pytest.raises(UnsafeFileError, match="--trust-remote-code"):
        resolve(f"hf:{folder}", device="cpu")
    encoder = resolve(f"hf:{folder}", device="cpu", trust_remote_code=True)
    assert (encoder.modalities, encoder.dimension) == (("text", "image"), 8)
    ids = torch.tensor(encoder.tokens(CAPTIONS[:1])[0])
    own = weights["words.weight"][ids].sum(0)
    np.testing.assert_allclose(encoder.encode_texts(CAPTIONS[:1])[0], own.numpy(), atol=1e-5)
    picture = Image.new("RGB", (32, 32), (255, 0, 0))
    channels = torch.tensor([1.0, -1.0, -1.0])  # after the mean and the deviation of 0.5
    own = weights["pixels.weight"] @ channels + weights["pixels.bias"]
    np.testing.assert_allclose(encoder.encode_images([picture])[0], own.numpy(), atol=1e-5)


# Weights as .bin


def as_bin(folder, wrap=lambda state: state):
    from safetensors.torch import load_file

    torch.save(wrap(load_file(folder / "model.safetensors")), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


@pytest.mark.parametrize("scheme", ["hf", "st"])
def test_bin_files_of_tensors_are_read(tmp_path, scheme):
    pytest.importorskip("sentence_transformers")
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    expected = resolve(f"{scheme}:{folder}", device="cpu").encode_texts(CAPTIONS)
    as_bin(folder)
    np.testing.assert_array_equal(
        resolve(f"{scheme}:{folder}", device="cpu").encode_texts(CAPTIONS), expected
    )


def test_bin_files_are_read_and_count_beside_safetensors_of_something_else(tmp_path):
    folder = small_models.save("bert", tmp_path)
    expected = resolve(f"hf:{folder}", device="cpu").encode_texts(CAPTIONS)
    as_bin(folder)
    (folder / "adapter_model.safetensors").write_bytes(b"of something else")
    encoder = resolve(f"hf:{folder}", device="cpu")
    np.testing.assert_array_equal(encoder.encode_texts(CAPTIONS), expected)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save({name: weight + 1 for name, weight in state.items()}, folder / "pytorch_model.bin")
    assert resolve(f"hf:{folder}", device="cpu").revision != encoder.revision


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("scheme", ["hf", "st"])
@pytest.mark.parametrize("how", ["torch", "plain"])
def test_bin_files_that_would_run_code_are_not_read(tmp_path, scheme, how):
    pytest.importorskip("sentence_transformers")
    folder, ran = small_models.save("bert", tmp_path / "model"), tmp_path / "ran"
    small_models.pooling(folder, "mean")
    as_bin(folder, lambda state: state | {"payload": Payload(ran)})
    if how == "plain":
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"payload": Payload(ran)}))
    with pytest.raises((UnsafeFileError, FileError), match=r"model\.safetensors|could not load"):
        resolve(f"{scheme}:{folder}", device="cpu")
    assert not ran.exists()
