"""Models of transformers: both towers learn, and the folder that is saved gives the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import CutCaptionWarning, ModalityError
from conceptbind.encoders import resolve
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.finetune import finetune
from conceptbind.repairs.finetune.towers import trainable_copy

pytest.importorskip("transformers")


def rows_of(encoder, few):
    return encoder.encode_texts(few.captions[:5]), encoder.encode_images(
        [read_picture(path) for path in few.paths[:5]]
    )


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_a_model_of_transformers_is_trained_saved_and_loaded(kind, few, request, tmp_path):
    folder = request.getfixturevalue(kind)
    encoder = resolve(f"hf:{folder}", device="cpu")
    before = rows_of(encoder, few)
    result = finetune(encoder, *few.arguments(), **few.options(), epochs=3, rate=2e-3)
    assert result.helps  # random weights: any epoch is better
    assert result.encoder.id == f"hf:{folder} (fine-tuned)"
    for old, still, new in zip(
        before, rows_of(encoder, few), rows_of(result.encoder, few), strict=True
    ):
        np.testing.assert_array_equal(old, still)
        assert np.abs(old - new).max() > 1e-3  # both towers moved
    assert not encoder.module.training and not result.model.module.training
    result.save(tmp_path / "tuned")
    again = resolve(f"hf:{tmp_path / 'tuned'}", device="cpu")
    for one, two in zip(rows_of(again, few), rows_of(result.encoder, few), strict=True):
        np.testing.assert_array_equal(one, two)
    assert list((tmp_path / "tuned").glob("*.safetensors")) and not list(
        (tmp_path / "tuned").glob("*.bin")
    )


def test_the_temperature_of_the_model_is_learned(clip_folder, few):
    encoder = resolve(f"hf:{clip_folder}", device="cpu")
    result = finetune(encoder, *few.arguments(), **few.options(), epochs=1, rate=2e-3)
    assert result.helps
    assert result.model.module.logit_scale.item() != encoder.module.logit_scale.item()


@pytest.mark.filterwarnings("ignore:this processor computes")
def test_low_precision_is_trained_in_full(clip_folder):
    encoder = resolve(f"hf:{clip_folder}", precision="bf16", device="cpu")
    model = trainable_copy(encoder)
    assert {str(parameter.dtype) for parameter in model.module.parameters()} == {"torch.float32"}
    assert (model.details["precision"], encoder.details["precision"]) == ("float32", "bf16")
    with pytest.warns(CutCaptionWarning, match="longer than the 16 tokens"):
        assert [len(ids) for ids in model.tokens(["a red circle", "red " * 20])] == [5, 16]


def test_one_tower_is_not_enough(dino_folder, few):
    with pytest.raises(
        ModalityError,
        match=r"encodes image only, so it cannot be fine-tuned on pictures with captions; use "
        r"tiny, .* or hf:NAME",
    ):
        finetune(resolve(f"hf:{dino_folder}", device="cpu"), *few.arguments(), **few.options())
