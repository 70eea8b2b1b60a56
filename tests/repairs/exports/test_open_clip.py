"""Repaired open_clip models, whose projection is a bare parameter or a layer; not run where
open_clip cannot be imported.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from conceptbind.core.errors import MismatchError
from conceptbind.encoders import resolve
from conceptbind.repairs.exports import wrap_open_clip

open_clip = pytest.importorskip("open_clip", exc_type=Exception)

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16}
KINDS = {
    "parameter": {},
    "parameter in a text tower": {"custom_text": True},
    "layer with bias": {"custom_text": True, "text_cfg": TEXT | {"proj_bias": True}},
}


@pytest.fixture(params=KINDS)
def model(request, monkeypatch):
    config = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT} | KINDS[request.param]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = open_clip.create_model("ViT-B-32").eval()
        for name, part in model.named_parameters():
            if name.endswith("text_projection.bias"):
                torch.nn.init.normal_(part)  # a bias of zero would prove nothing
    return model


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_repaired_model_gives_mapped_captions_and_the_same_pictures(
    model, make_adapter, tmp_path
):
    adapter = make_adapter(24, 24)
    ids, pixels = (
        open_clip.get_tokenizer("ViT-B-32")(["a red cube", "a blue sphere and a cube"]),
        torch.rand(2, 3, 32, 32),
    )
    repaired = wrap_open_clip(model, adapter)
    with torch.inference_mode():
        before, after = model.encode_text(ids).numpy(), repaired.encode_text(ids).numpy()
        assert torch.equal(model.encode_image(pixels), repaired.encode_image(pixels))
    np.testing.assert_allclose(unit(after), adapter(before), atol=2e-6)
    assert not np.allclose(unit(after), unit(before), atol=0.01)
    save_file(repaired.state_dict(), tmp_path / "repaired.safetensors")
    again = resolve(f"open_clip:ViT-B-32@{tmp_path / 'repaired.safetensors'}", device="cpu")
    np.testing.assert_allclose(
        again.encode_texts(["a red cube", "a blue sphere and a cube"]), after, rtol=1e-4, atol=1e-5
    )


def test_another_width_is_refused_with_both_numbers(model, make_adapter):
    with pytest.raises(
        MismatchError, match=r"maps 8 dimensions to 8, but \w+\.[a-z._]*text_projection gives 24"
    ):
        wrap_open_clip(model, make_adapter(8, 8))


@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_a_text_tower_of_transformers_is_repaired_in_its_last_layer(
    make_adapter, minilm_folder, monkeypatch, projection
):
    text = {
        "hf_model_name": str(minilm_folder),
        "hf_tokenizer_name": str(minilm_folder),
        "hf_proj_type": projection,
    }
    config = {
        "embed_dim": 24,
        "vision_cfg": VISION,
        "text_cfg": text | {"context_length": 16},
        "custom_text": True,
    }
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    model, adapter = (
        open_clip.create_model("ViT-B-32", pretrained_hf=False).eval(),
        make_adapter(24, 24),
    )
    ids = torch.randint(5, 1000, (3, 16))
    with torch.inference_mode():
        before, after = (
            model.encode_text(ids).numpy(),
            wrap_open_clip(model, adapter).encode_text(ids).numpy(),
        )
    np.testing.assert_allclose(unit(after), adapter(before), atol=2e-6)
