"""The repaired model is an ordinary checkpoint: its captions are the adapter's rows, its pictures
are the same to the last bit.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import conceptbind.encoders
from conceptbind.core.errors import MismatchError, ValueRangeError
from conceptbind.encoders import resolve
from conceptbind.repairs.exports import wrap_transformers_clip

transformers = pytest.importorskip("transformers")

TEXTS = ["a red square and a blue circle", "a blue square and a red circle", "a green triangle"]
TINY = Path(conceptbind.encoders.__file__).parent / "models" / "tiny"


def pictures(n=3):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(256, size=(40 + 5 * i, 50, 3), dtype=np.uint8))
        for i in range(n)
    ]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def load(folder):
    return transformers.AutoModel.from_pretrained(folder).float().eval()


def saved(model, like, folder):
    """The model in a folder, with the tokenizer and the processor of another."""
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    model.save_pretrained(folder)
    return resolve(f"hf:{folder}", device="cpu")


def check_round_trip(folder, adapter, target):
    before = resolve(f"hf:{folder}", device="cpu")
    model = load(folder)
    original = {name: value.clone() for name, value in model.state_dict().items()}
    after = saved(wrap_transformers_clip(model, adapter), folder, target)
    np.testing.assert_allclose(
        unit(after.encode_texts(TEXTS)), adapter(before.encode_texts(TEXTS)), atol=2e-6
    )
    assert not np.allclose(
        unit(after.encode_texts(TEXTS)), unit(before.encode_texts(TEXTS)), atol=0.01
    )
    np.testing.assert_array_equal(after.encode_images(pictures()), before.encode_images(pictures()))
    assert after.revision != before.revision
    # the user's model
    assert all(torch.equal(value, original[name]) for name, value in model.state_dict().items())


def test_a_repaired_clip_is_saved_and_loaded_as_any_other(clip_folder, make_adapter, tmp_path):
    check_round_trip(clip_folder, make_adapter(16, 16), tmp_path / "repaired")


def test_a_repaired_siglip_maps_its_bias_too(siglip_folder, make_adapter, tmp_path):
    biased = load(siglip_folder)
    with torch.no_grad():  # random weights start with a bias of zero, which would prove nothing
        biased.text_model.head.bias.copy_(torch.linspace(-2, 2, 32))
    saved(biased, siglip_folder, tmp_path / "biased")
    check_round_trip(tmp_path / "biased", make_adapter(32, 32), tmp_path / "repaired")


def test_the_shipped_encoder_is_repaired_as_a_clip(make_adapter, tmp_path):
    tiny = resolve("tiny", device="cpu")
    adapter = make_adapter(tiny.dimension, tiny.dimension)
    check_round_trip(TINY, adapter, tmp_path / "repaired")
    own = resolve(f"hf:{tmp_path / 'repaired'}", device="cpu").encode_texts(TEXTS)
    np.testing.assert_allclose(unit(own), adapter(tiny.encode_texts(TEXTS)), atol=5e-6)


def test_only_the_projection_changes(clip_folder, make_adapter):
    model = load(clip_folder)
    repaired = wrap_transformers_clip(model, make_adapter(16, 16))
    pairs = zip(model.named_parameters(), repaired.named_parameters(), strict=True)
    assert [name for (name, ours), (_, other) in pairs if not torch.equal(ours, other)] == [
        "text_projection.weight"
    ]
    assert type(repaired) is type(model)


def test_scores_of_the_repaired_model_are_cosines_with_mapped_captions(clip_folder, make_adapter):
    model, adapter = load(clip_folder), make_adapter(16, 16)
    ids, pixels = torch.tensor([[1, 5, 6, 2], [1, 7, 8, 2]]), torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        old = model(input_ids=ids, pixel_values=pixels)
        new = wrap_transformers_clip(model, adapter)(input_ids=ids, pixel_values=pixels)
    cosine = old.image_embeds.numpy() @ adapter(old.text_embeds.numpy()).T
    np.testing.assert_allclose(
        new.logits_per_image.numpy(), model.logit_scale.exp().item() * cosine, atol=1e-4
    )


def test_a_text_tower_alone_is_repaired(clip_folder, make_adapter):
    config = transformers.CLIPConfig.from_pretrained(clip_folder).text_config
    config.projection_dim = 16
    tower, adapter = transformers.CLIPTextModelWithProjection(config).eval(), make_adapter(16, 16)
    ids = torch.tensor([[1, 5, 6, 2]])
    with torch.inference_mode():
        before, after = (
            model(input_ids=ids).text_embeds.numpy()
            for model in (tower, wrap_transformers_clip(tower, adapter))
        )
    np.testing.assert_allclose(unit(after), adapter(before), atol=2e-6)


def test_the_identity_changes_no_bit(clip_folder, make_adapter):
    model = load(clip_folder)
    repaired = wrap_transformers_clip(
        model, replace(make_adapter(16, 16), weight=np.eye(16, dtype=np.float32))
    )
    assert all(
        torch.equal(value, model.state_dict()[name])
        for name, value in repaired.state_dict().items()
    )


def test_half_precision_stays_half(clip_folder, make_adapter):
    model, adapter = load(clip_folder).to(torch.bfloat16), make_adapter(16, 16)
    repaired = wrap_transformers_clip(model, adapter)
    assert repaired.text_projection.weight.dtype == torch.bfloat16
    expected = (
        adapter.weight.astype(np.float64) @ model.text_projection.weight.double().detach().numpy()
    )
    # rounded once
    np.testing.assert_allclose(
        repaired.text_projection.weight.double().detach().numpy(), expected, rtol=2**-8
    )


@pytest.mark.parametrize("shape", [(8, 8), (16, 8), (8, 16)], ids=str)
def test_another_width_is_refused_with_both_numbers(clip_folder, make_adapter, shape):
    with pytest.raises(
        MismatchError,
        match=f"maps {shape[1]} dimensions to {shape[0]}, but CLIPModel.text_projection gives 16",
    ):
        wrap_transformers_clip(load(clip_folder), make_adapter(*shape))


def test_a_model_without_a_projection_is_refused(make_adapter, minilm_folder):
    with pytest.raises(MismatchError, match="BertModel has no linear projection of captions"):
        wrap_transformers_clip(load(minilm_folder), make_adapter(384, 384))


def test_numbers_that_do_not_fit_are_refused(clip_folder, make_adapter):
    large = replace(make_adapter(16, 16), weight=np.full((16, 16), 1e9, dtype=np.float32))
    with pytest.raises(
        ValueRangeError,
        match=r"does not fit into torch.float16; convert the model with .float\(\) first",
    ):
        wrap_transformers_clip(load(clip_folder).half(), large)
