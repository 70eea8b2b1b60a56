"""`st:` gives what the library's own call gives, for captions and pictures; prompts; random weights
of a pipeline.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

import small_models
from conceptbind.core.errors import ModalityError, UnknownNameError, ValueRangeError
from conceptbind.encoders import resolve
from conceptbind.encoders.told import pictures_told
from conceptbind.encoders.weights import same_encoder

CAPTIONS = ["a red square", "a blue circle and a red square", "red"]


@pytest.fixture(scope="module")
def dense_folder(minilm_folder, tmp_path_factory):
    """MiniLM with a layer of its own at the end."""
    folder = tmp_path_factory.mktemp("dense") / "model"
    pipeline = SentenceTransformer(str(minilm_folder), device="cpu")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        pipeline.append(Dense(384, 16))
    pipeline.save(str(folder))
    return folder


@pytest.mark.parametrize("folder", ["minilm_folder", "dense_folder"])
def test_random_weights_of_the_same_pipeline(folder, request):
    trained = resolve(f"st:{request.getfixturevalue(folder)}", device="cpu")
    before = trained.encode_texts(CAPTIONS)
    one, two, other = (trained.untrained(seed) for seed in (0, 0, 1))
    rows = [encoder.encode_texts(CAPTIONS) for encoder in (one, two, other)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 1e-3
    assert np.abs(rows[0] - before).max() > 1e-3
    np.testing.assert_array_equal(trained.encode_texts(CAPTIONS), before)
    assert (one.revision, one.dimension) == ("random:0", trained.dimension)
    assert one.id == f"{trained.id} (random weights)"


def test_every_weight_is_drawn_again(dense_folder):
    trained = resolve(f"st:{dense_folder}", device="cpu")
    kept = trained._model.state_dict()
    drawn = trained.untrained()._model.state_dict()
    assert drawn.keys() == kept.keys()
    # transformers sets scales and biases to one and zero, whatever the seed
    matrices = [name for name, part in kept.items() if part.is_floating_point() and part.dim() > 1]
    assert len(matrices) > 30
    assert [name for name in matrices if torch.equal(kept[name], drawn[name])] == []


class Scaled(nn.Module):
    """A module of a pipeline with a weight that nothing draws."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def test_a_module_that_nothing_draws_again_leaves_the_control_out(minilm_folder):
    trained = resolve(f"st:{minilm_folder}", device="cpu")
    trained._model.append(Scaled())
    assert trained.untrained() is None


# Pictures


PICTURES = [
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 36 + 8 * i, 3), dtype=np.uint8))
    for i in range(3)
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A CLIP that was saved as sentence-transformers saves one, under the name of its class that
    older versions know too.
    """
    folder = tmp_path_factory.mktemp("clip")
    small_models.save("clip", folder / "0_CLIPModel")
    part = {"idx": 0, "name": "0", "path": "0_CLIPModel"}
    kind = "sentence_transformers.models.CLIPModel"
    (folder / "modules.json").write_text(json.dumps([part | {"type": kind}]))
    settings = {"prompts": {"photo": "a an ", "query": ""}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return folder


def test_a_pipeline_embeds_pictures_where_it_has_them(clip):
    encoder = resolve(f"st:{clip}", device="cpu")
    assert (encoder.modalities, encoder.dimension) == (("text", "image"), 24)
    library = SentenceTransformer(str(clip), device="cpu")
    model = transformers.CLIPModel.from_pretrained(clip / "0_CLIPModel").eval()
    processor = transformers.AutoImageProcessor.from_pretrained(clip / "0_CLIPModel")
    for picture, row in zip(PICTURES, encoder.encode_images(PICTURES), strict=True):
        np.testing.assert_allclose(row, library.encode([picture])[0], atol=1e-5)
        with torch.no_grad():
            own = model.get_image_features(**processor(images=picture, return_tensors="pt"))
        own = getattr(own, "pooler_output", own)
        np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)
    for caption, row in zip(CAPTIONS, encoder.encode_texts(CAPTIONS), strict=True):
        np.testing.assert_allclose(row, library.encode([caption])[0], atol=1e-5)
    assert encoder.encode_images([]).shape == (0, 24)
    assert encoder.details["pictures"].startswith("resized to 32 x 32 (bicubic), mean 0.5 0.5 0.5")
    drawn = encoder.untrained()
    assert np.abs(drawn.encode_images(PICTURES) - encoder.encode_images(PICTURES)).max() > 1e-3


def test_a_siglip_is_told_to_be_read_in_another_way_than_it_was_trained(tmp_path):
    folder = small_models.save("siglip", tmp_path)
    with pytest.warns(UserWarning, match="trained on lower case padded to full length.*use hf:"):
        encoder = resolve(f"st:{folder}", device="cpu")
    assert encoder.details["text"] == "without padding, in capitals too"


def test_a_pipeline_of_pictures_alone(tmp_path):
    folder = small_models.save("dinov2", tmp_path)
    encoder = resolve(f"st:{folder}", device="cpu")
    assert encoder.modalities == ("image",)
    library = SentenceTransformer(str(folder), device="cpu")
    for picture, row in zip(PICTURES, encoder.encode_images(PICTURES), strict=True):
        np.testing.assert_allclose(row, library.encode([picture])[0], atol=1e-5)
    with pytest.raises(ModalityError, match="encodes image, not text"):
        encoder.encode_texts(CAPTIONS)


@pytest.mark.filterwarnings("ignore:.*is a SigLIP model")
def test_the_width_is_asked_of_the_model_and_must_be_one(tmp_path):
    small_models.save("siglip", tmp_path / "equal")  # the library says 32 of rows of 48
    assert resolve(f"st:{tmp_path / 'equal'}", device="cpu").dimension == 48
    vision = small_models.VISION | {"hidden_size": 48}
    small_models.towers("Siglip", small_models.CLIP_TEXT, vision).save_pretrained(tmp_path)
    small_models.word_tokenizer(tmp_path)
    small_models.picture_processor(tmp_path)
    with pytest.raises(ModalityError, match="one vector of one width"):
        resolve(f"st:{tmp_path}", device="cpu")


# Prompts


@pytest.fixture(scope="module")
def prompted(minilm_folder, tmp_path_factory):
    """MiniLM with the prompts of E5, none of which is the default."""
    folder = tmp_path_factory.mktemp("prompted") / "model"
    prompts = {"query": "query: ", "passage": "passage: "}
    SentenceTransformer(str(minilm_folder), device="cpu", prompts=prompts).save(str(folder))
    return folder


def test_prompts_are_chosen_in_the_name_and_recorded(prompted):
    library = SentenceTransformer(str(prompted), device="cpu")
    plain = resolve(f"st:{prompted}", device="cpu")
    query = resolve(f"st:{prompted}?prompt_name=query", device="cpu")
    written = resolve(f"st:{prompted}?prompt=query:%20", device="cpu")
    np.testing.assert_allclose(plain.encode_texts(CAPTIONS), library.encode(CAPTIONS), atol=1e-6)
    expected = library.encode(CAPTIONS, prompt_name="query")
    np.testing.assert_allclose(query.encode_texts(CAPTIONS), expected, atol=1e-6)
    np.testing.assert_array_equal(written.encode_texts(CAPTIONS), query.encode_texts(CAPTIONS))
    assert np.abs(expected - library.encode(CAPTIONS)).max() > 1e-2
    without = "without a prompt (the model has query, passage), at most 256 tokens"
    assert plain.details["text"] == without
    assert query.details["text"] == "after the prompt 'query: ', at most 256 tokens"
    assert plain.details["parts"] == "Transformer, Pooling (mean), Normalize"
    ids = [(encoder.id, encoder.revision) for encoder in (plain, query, written)]
    assert not same_encoder(ids[0], ids[1])
    assert not same_encoder(ids[1], ids[2])
    # a caption is longer with a prompt before it
    long = " ".join(["red"] * 253)
    assert (plain.find_long([long]), query.find_long([long])) == ([], [0])


def test_a_prompt_that_is_empty_asks_for_none(minilm_folder, tmp_path):
    """Documents of a model that puts its query prompt before every caption."""
    prompts = {"query": "query: ", "document": ""}
    model = SentenceTransformer(str(minilm_folder), device="cpu", prompts=prompts)
    model.default_prompt_name = "query"
    model.save(str(tmp_path / "model"))
    usual, plain = (
        resolve(f"st:{tmp_path / 'model'}{asked}", device="cpu")
        for asked in ("", "?prompt_name=document")
    )
    library = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    for encoder, name in ((usual, "query"), (plain, "document")):
        expected = library.encode(CAPTIONS, prompt_name=name)
        np.testing.assert_allclose(encoder.encode_texts(CAPTIONS), expected, atol=1e-6)
    assert np.abs(usual.encode_texts(CAPTIONS) - plain.encode_texts(CAPTIONS)).max() > 1e-2
    assert plain.details["text"].startswith("without a prompt (the model has query")
    same = resolve(f"hf:{tmp_path / 'model'}?prompt_name=document", device="cpu")
    rows = same.encode_texts(CAPTIONS)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)  # the pipeline's last part
    np.testing.assert_allclose(rows, plain.encode_texts(CAPTIONS), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ("prompt_name=qury", UnknownNameError, "has no prompt 'qury'; did you mean 'query'"),
        ("prompt_name=title", UnknownNameError, "has no prompt 'title'; known: document"),
        ("prompt=a&prompt_name=query", ValueRangeError, "prompt or prompt_name, not both"),
        ("promt=a", UnknownNameError, "has no option 'promt' in its name; did you mean 'prompt'"),
        ("prompt=", ValueRangeError, "must be there once and have a value"),
    ],
)
def test_prompts_that_are_not_there_are_one_line(prompted, options, error, said):
    with pytest.raises(error, match=said):
        resolve(f"st:{prompted}?{options}", device="cpu")


def test_an_exported_pipeline_keeps_the_prompt(prompted, tmp_path):
    encoder = resolve(f"st:{prompted}?prompt_name=query", device="cpu")
    encoder._model.save(str(tmp_path / "saved"))
    again = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(again.encode(CAPTIONS), encoder.encode_texts(CAPTIONS), atol=1e-6)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {
                "size": {"shortest_edge": 224},
                "resample": 3,
                "crop_size": {"height": 224, "width": 224},
                "do_center_crop": True,
                "image_mean": [0.48145466, 0.5, 0.25],
                "image_std": [1, 1, 1],
            },
            "the short side 224 (bicubic), the middle 224 x 224 cut out, mean 0.4815 0.5 0.25, "
            "deviation 1 1 1",
        ),
        (
            {"size": [384, 256], "resample": 2, "do_normalize": False},
            "resized to 384 x 256 (bilinear)",
        ),
        (
            {"max_num_patches": 256, "patch_size": 16, "resample": 2},
            "at most 256 patches of 16 x 16 (bilinear)",
        ),
        ({"do_resize": False, "size": 224, "do_pad": True}, "padded"),
        ({"size": 224, "resample": "odd"}, "resized to 224 x 224"),
        ({"size": {"height": 2}, "resample": 99}, ""),
        ({}, ""),
    ],
)
def test_what_is_done_to_pictures_is_told(config, said):
    assert pictures_told(config) == said
