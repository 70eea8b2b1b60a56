"""`hf:` gives exactly what transformers gives, for dual, text and picture models saved to a folder
and read back.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from conceptbind.core.errors import CutCaptionWarning, FileError, ModalityError, ValueRangeError
from conceptbind.encoders import resolve

CAPTIONS = [
    "a red circle",
    "a blue square and a red circle",
    "a green star",
    "a red circle and a blue square",
]


def pictures(n=3, size=40):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8)) for _ in range(n)
    ]


def direct_features(model, ids):
    with torch.inference_mode():
        output = model.get_text_features(input_ids=ids)
    return getattr(output, "pooler_output", output).numpy()[0]


def test_clip_texts_equal_transformers_own_call(clip_folder):
    encoder = resolve(f"hf:{clip_folder}", device="cpu")
    assert encoder.modalities == ("text", "image")
    assert encoder.dimension == 16
    rows = encoder.encode_texts(CAPTIONS)
    assert rows.shape == (4, 16)
    assert rows.dtype == np.float32
    model, tokenizer = (
        transformers.CLIPModel.from_pretrained(clip_folder),
        transformers.AutoTokenizer.from_pretrained(clip_folder),
    )
    # one by one: no padding, no order, no batch
    for caption, row in zip(CAPTIONS, rows, strict=True):
        np.testing.assert_allclose(
            row,
            direct_features(model, tokenizer(caption, return_tensors="pt")["input_ids"]),
            atol=1e-5,
        )


def test_clip_pictures_equal_transformers_own_call(clip_folder):
    encoder = resolve(f"hf:{clip_folder}", device="cpu")
    rows = encoder.encode_images(pictures())
    assert rows.shape == (3, 16)
    model = transformers.CLIPModel.from_pretrained(clip_folder)
    for picture, row in zip(pictures(), rows, strict=True):
        pixels = (
            np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float32) / 255
        )
        values = torch.tensor((pixels - 0.5) / 0.5).permute(2, 0, 1)[None]
        with torch.inference_mode():
            output = model.get_image_features(pixel_values=values)
        np.testing.assert_allclose(
            row, getattr(output, "pooler_output", output).numpy()[0], atol=2e-2
        )


def test_features_are_raw(clip_folder):
    rows = resolve(f"hf:{clip_folder}", device="cpu").encode_texts(CAPTIONS)
    assert not np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_siglip_pads_to_full_length(siglip_folder):
    encoder = resolve(f"hf:{siglip_folder}", device="cpu")
    model, tokenizer = (
        transformers.AutoModel.from_pretrained(siglip_folder),
        transformers.AutoTokenizer.from_pretrained(siglip_folder),
    )
    ids = tokenizer(CAPTIONS[0], padding="max_length", max_length=16, return_tensors="pt")[
        "input_ids"
    ]
    np.testing.assert_allclose(
        encoder.encode_texts(CAPTIONS[:1])[0], direct_features(model, ids), atol=1e-5
    )
    assert encoder.encode_images(pictures()).shape == (3, encoder.dimension)


def test_dino_gives_its_class_token_and_refuses_text(dino_folder):
    encoder = resolve(f"hf:{dino_folder}", device="cpu")
    assert encoder.modalities == ("image",)
    assert encoder.encode_images(pictures()).shape == (3, 32)
    with pytest.raises(ModalityError, match="encodes image, not text"):
        encoder.encode_texts(CAPTIONS)


def test_text_model_refuses_pictures(minilm_folder):
    encoder = resolve(f"hf:{minilm_folder}", device="cpu")
    assert encoder.modalities == ("text",)
    with pytest.raises(ModalityError, match="encodes text, not images"):
        encoder.encode_images(pictures())


def test_minilm_agrees_with_sentence_transformers(minilm_folder):
    raw = resolve(f"hf:{minilm_folder}", device="cpu").encode_texts(CAPTIONS)
    pipeline = resolve(f"st:{minilm_folder}", device="cpu").encode_texts(CAPTIONS)
    np.testing.assert_allclose(
        raw / np.linalg.norm(raw, axis=1, keepdims=True), pipeline, atol=1e-6
    )


def test_order_and_batch_do_not_matter(minilm_folder):
    encoder = resolve("minilm", device="cpu")
    rows = encoder.encode_texts(CAPTIONS)
    np.testing.assert_allclose(encoder.encode_texts(CAPTIONS[::-1])[::-1], rows, atol=1e-6)
    np.testing.assert_allclose(
        np.concatenate([encoder.encode_texts([c]) for c in CAPTIONS]), rows, atol=1e-6
    )


def test_sentence_transformers_equals_its_own_encode(minilm_folder):
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(minilm_folder), device="cpu").encode(
        CAPTIONS, show_progress_bar=False
    )
    np.testing.assert_allclose(
        resolve(f"st:{minilm_folder}", device="cpu").encode_texts(CAPTIONS), expected, atol=1e-6
    )


def test_captions_longer_than_the_model_reads_are_cut_as_transformers_cuts_them(clip_folder):
    long = "a blue square and " + "red " * 20
    encoder = resolve(f"hf:{clip_folder}", device="cpu")
    with pytest.warns(
        CutCaptionWarning, match="1 of 2 captions are longer than the 16 tokens that .* reads"
    ):
        rows = encoder.encode_texts([long, CAPTIONS[0]])
    model, tokenizer = (
        transformers.CLIPModel.from_pretrained(clip_folder),
        transformers.AutoTokenizer.from_pretrained(clip_folder),
    )
    ids = tokenizer(long, truncation=True, max_length=16, return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(rows[0], direct_features(model, ids), atol=1e-5)
    with pytest.raises(
        ValueRangeError, match="1 of 1 captions are longer .* --long-captions truncate"
    ):
        resolve(f"hf:{clip_folder}", device="cpu", long_captions="refuse").encode_texts([long])


def test_revision_follows_the_weights(clip_folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(clip_folder, copy)
    one, two = (resolve(f"hf:{folder}", device="cpu").revision for folder in (clip_folder, copy))
    assert one == two
    model = transformers.CLIPModel.from_pretrained(copy)
    with torch.no_grad():
        model.text_projection.weight += 1
    model.save_pretrained(copy)
    assert resolve(f"hf:{copy}", device="cpu").revision != one


@pytest.mark.filterwarnings("ignore:this processor computes .* slower in bfloat16")
@pytest.mark.parametrize(("precision", "least"), [("bf16", 0.98), ("fp16", 0.9999)])
def test_lower_precision_is_close_and_recorded(clip_folder, precision, least):
    full = resolve(f"hf:{clip_folder}", device="cpu")
    low = resolve(f"hf:{clip_folder}", precision=precision, device="cpu")
    assert low.details["precision"] == precision
    a, b = full.encode_texts(CAPTIONS), low.encode_texts(CAPTIONS)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > least
    assert np.abs(a - b).max() > 0
    assert b.dtype == np.float32


def test_half_precision_is_torch_s_own_autocast(clip_folder):
    low = resolve(f"hf:{clip_folder}", precision="fp16", device="cpu")
    model = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    tokens = low._tokenize(CAPTIONS[:1])
    asked = {key: torch.tensor(value) for key, value in tokens.items()}
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16):
        wanted = model.get_text_features(**asked)
    wanted = getattr(wanted, "pooler_output", wanted).float().numpy()
    np.testing.assert_array_equal(low.encode_texts(CAPTIONS[:1]), wanted)


def test_random_weights_of_the_same_architecture(clip_folder):
    trained = resolve(f"hf:{clip_folder}", device="cpu")
    one, two = trained.untrained(1), trained.untrained(1)
    rows = [encoder.encode_texts(CAPTIONS) for encoder in (trained, one, two)]
    np.testing.assert_array_equal(rows[1], rows[2])
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert (one.revision, one.dimension) == ("random:1", trained.dimension)


def test_a_folder_that_is_no_model_is_an_error(tmp_path):
    with pytest.raises(FileError, match="no model folder at"):
        resolve(f"hf:{tmp_path / 'nothing'}")
    with pytest.raises(FileError, match="could not load"):
        resolve(f"hf:{tmp_path}")
    with pytest.raises(FileError, match="could not load"):
        resolve(f"st:{tmp_path}")
