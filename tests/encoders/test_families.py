"""Each family of transformers models gives what the library's own call gives, row by row, or is
refused in words.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import small_models
from conceptbind.core.errors import FileError, ModalityError, UnknownNameError
from conceptbind.encoders import resolve
from conceptbind.encoders.families import sees_what_follows

CAPTIONS = [
    "a red circle",
    "a blue square and a red circle",
    "a green star",
    "a red circle and a blue square",
]


def pictures(n=3, size=40):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 255, (size, size + 8 * i, 3), dtype=np.uint8))
        for i in range(n)
    ]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders by name, each written when it is first asked for."""
    made = {}

    def folder(name):
        if name not in made:
            made[name] = small_models.save(name, tmp_path_factory.mktemp(name))
        return made[name]

    return folder


def own_inputs(folder, picture=None, caption=None, **options):
    """What the library itself prepares for one picture or one caption."""
    if picture is not None:
        return transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
            images=picture, return_tensors="pt"
        )
    ids = transformers.AutoTokenizer.from_pretrained(folder)(
        caption, return_tensors="pt", **options
    )
    return {"input_ids": ids["input_ids"]}


def vector(output):
    return getattr(output, "pooler_output", output)


@pytest.mark.parametrize("name", small_models.DUALS)
def test_dual_models_give_the_features_of_both_towers(models, name):
    folder = models(name)
    encoder, model = (
        resolve(f"hf:{folder}", device="cpu"),
        transformers.AutoModel.from_pretrained(folder).eval(),
    )
    assert encoder.modalities == ("text", "image")
    padded = {"padding": "max_length", "max_length": 16} if name == "siglip" else {}
    texts, images = encoder.encode_texts(CAPTIONS), encoder.encode_images(pictures())
    assert texts.shape[1] == images.shape[1] == encoder.dimension
    with torch.no_grad():
        for caption, row in zip(CAPTIONS, texts, strict=True):
            own = vector(model.get_text_features(**own_inputs(folder, caption=caption, **padded)))
            # FLAVA projects every token and compares the first
            own = own[:, 0] if name == "flava" else own
            np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)
        for picture, row in zip(pictures(), images, strict=True):
            own = vector(model.get_image_features(**own_inputs(folder, picture)))
            own = own[:, 0] if name == "flava" else own
            np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)


PATCHES = {"vit", "deit", "vit_msn", "vit_mae"}


@pytest.mark.parametrize("name", small_models.PICTURES)
def test_picture_models_give_what_they_pool(models, name):
    folder = models(name)
    encoder = resolve(f"hf:{folder}", device="cpu")
    assert encoder.modalities == ("image",)
    kind = {
        "clip_vision_projection": transformers.CLIPVisionModelWithProjection,
        "metaclip_2_vision": transformers.MetaClip2VisionModel,
    }.get(name, transformers.AutoModel)
    model = kind.from_pretrained(folder).eval()
    more = {}
    if name == "vit_mae":
        model.config.mask_ratio = 0.0
        more["noise"] = torch.arange(16)[None] / 16
    rows = encoder.encode_images(pictures())
    assert rows.shape == (3, encoder.dimension)
    for picture, row in zip(pictures(), rows, strict=True):
        with torch.no_grad():
            output = model(**own_inputs(folder, picture), **more)
        if name in PATCHES:
            own = output.last_hidden_state[:, 0]
        elif name == "ijepa":
            own = output.last_hidden_state.mean(dim=1)
        else:
            own = (
                output.image_embeds
                if name == "clip_vision_projection"
                else output.pooler_output.flatten(1)
            )
        np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("name", small_models.PICTURES)
def test_the_same_picture_gives_the_same_row_every_time(models, name):
    encoder = resolve(f"hf:{models(name)}", device="cpu")
    first, again = encoder.encode_images(pictures()), encoder.encode_images(pictures())
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0
    np.testing.assert_array_equal(
        resolve(f"hf:{models(name)}", device="cpu").encode_images(pictures()), first
    )


LAST = {"qwen2", "qwen3", "llama", "gpt2"}
PADDED = {"siglip_text"}


@pytest.mark.parametrize("name", small_models.TEXTS)
def test_text_models_give_the_mean_the_last_token_or_what_they_project(models, name):
    folder = models(name)
    encoder = resolve(f"hf:{folder}", device="cpu")
    assert encoder.modalities == ("text",)
    kind = {
        "t5": transformers.T5EncoderModel,
        "t5_whole": transformers.T5EncoderModel,
        "clip_text_projection": transformers.CLIPTextModelWithProjection,
        "siglip_text": transformers.SiglipTextModel,
        "aimv2_text": transformers.Aimv2TextModel,
        "metaclip_2_text": transformers.MetaClip2TextModel,
    }.get(name, transformers.AutoModel)
    model = kind.from_pretrained(folder).eval()
    for caption, row in zip(CAPTIONS, encoder.encode_texts(CAPTIONS), strict=True):
        with torch.no_grad():
            padded = {"padding": "max_length", "max_length": 16} if name in PADDED else {}
            output = model(**own_inputs(folder, caption=caption, **padded))
        if name == "clip_text_projection":
            own = output.text_embeds
        elif name in ("clip_text", "siglip_text", "metaclip_2_text", "aimv2_text"):
            own = output.pooler_output
        else:
            hidden = output.last_hidden_state
            own = hidden[:, -1] if name in LAST else hidden.mean(dim=1)
        np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", ["qwen2", "qwen3", "llama"])
def test_the_last_token_is_that_of_a_batch_padded_on_either_side(models, name, side):
    """Captions are read here without padding; a batch that the library pads gives the same rows."""
    folder = models(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side=side)
    batch = tokenizer(CAPTIONS, padding=True, return_tensors="pt")
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    assert 0 in inputs["attention_mask"]
    with torch.no_grad():
        model = transformers.AutoModel.from_pretrained(folder).eval()
        hidden = model(**inputs).last_hidden_state
    places = torch.arange(hidden.shape[1]) * inputs["attention_mask"]
    own = hidden[torch.arange(len(CAPTIONS)), places.argmax(dim=1)]
    rows = resolve(f"hf:{folder}", device="cpu").encode_texts(CAPTIONS)
    np.testing.assert_allclose(rows, own.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["roberta", "xlm_roberta", "camembert", "mpnet", "bert"])
def test_positions_that_start_behind_the_padding_are_those_of_a_padded_batch(models, name):
    """RoBERTa and its kin count positions from the padding token's number on."""
    folder = models(name)
    batch = transformers.AutoTokenizer.from_pretrained(folder)(
        CAPTIONS, padding=True, return_tensors="pt"
    )
    mask = batch["attention_mask"]
    with torch.no_grad():
        model = transformers.AutoModel.from_pretrained(folder).eval()
        hidden = model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    own = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    rows = resolve(f"hf:{folder}", device="cpu").encode_texts(CAPTIONS)
    np.testing.assert_allclose(rows, own.numpy(), atol=1e-5)


PROMPTED = {
    "e5": ("bert", "mean", {"query": "a red ", "passage": "an "}),
    "bge": ("bert", "cls", {"query": "a star and a cube for "}),
    "qwen3-embedding": ("qwen3", "lasttoken", {"query": "a cube and a star ", "document": ""}),
}


@pytest.mark.parametrize("name", PROMPTED)
def test_prompts_of_retrieval_models_are_those_of_sentence_transformers(tmp_path, name):
    kind, mode, prompts = PROMPTED[name]
    folder = small_models.save(kind, tmp_path)
    small_models.pooling(folder, mode)
    settings = {"prompts": prompts, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    plain = resolve(f"hf:{folder}", device="cpu")
    one = resolve(f"hf:{folder}?prompt_name=query", device="cpu")
    written = resolve(f"hf:{folder}?prompt={prompts['query']}", device="cpu")
    library = resolve(f"st:{folder}?prompt_name=query", device="cpu")
    rows = one.encode_texts(CAPTIONS)
    np.testing.assert_allclose(rows, library.encode_texts(CAPTIONS), atol=1e-5)
    np.testing.assert_array_equal(written.encode_texts(CAPTIONS), rows)
    assert np.abs(plain.encode_texts(CAPTIONS) - rows).max() > 1e-3
    assert one.details["text"].startswith(f"after the prompt {prompts['query']!r}, at most ")
    with pytest.raises(UnknownNameError, match="has no prompt 'quary'; did you mean 'query'"):
        resolve(f"hf:{folder}?prompt_name=quary", device="cpu")


def test_a_prompt_whose_tokens_are_left_out_of_the_mean_is_refused(tmp_path):
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    path = folder / "1_Pooling" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"include_prompt": False}))
    with pytest.raises(ModalityError, match="leaves the tokens of its prompt out of the mean"):
        resolve(f"hf:{folder}?prompt=a red ", device="cpu")
    assert resolve(f"hf:{folder}", device="cpu").dimension == 32


def test_what_is_done_before_the_model_is_told(models):
    told = resolve(f"hf:{models('clip')}?prompt=a ", device="cpu").details
    assert told["text"] == "after the prompt 'a ', at most 16 tokens"
    pictures = "resized to 32 x 32 (bicubic), mean 0.5 0.5 0.5, deviation 0.5 0.5 0.5"
    assert told["pictures"] == pictures


@pytest.mark.parametrize(
    ("name", "both"),
    [("qwen2", False), ("gpt2", False), ("xlnet", True), ("bert-generation", True)],
)
def test_whether_tokens_see_what_follows_is_tried_on_the_model(models, name, both):
    """XLNet and BertGeneration are listed among models that write text, and read both ways; no key
    of theirs says so.
    """
    model = transformers.AutoModel.from_pretrained(models(name)).eval()
    assert sees_what_follows(model, [1, 5, 6, 7, 2]) is both
    assert sees_what_follows(model, [5, 5, 5]) is False  # one kind of token shows nothing
    assert sees_what_follows(model, []) is False


@pytest.mark.parametrize("said", [None, [], ["Foo"], ["SiglipModel"], "SiglipTextModel", 5])
def test_a_tower_whose_class_is_not_said_is_refused_in_words(models, tmp_path, said):
    folder = tmp_path / "tower"
    shutil.copytree(models("siglip_text"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": said}))
    with pytest.raises(
        FileError,
        match=r"names (no class|'\w+', which is none of type 'siglip_text_model',) under "
        r"architectures",
    ):
        resolve(f"hf:{folder}", device="cpu")


@pytest.mark.parametrize(
    "mode", ["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
)
def test_every_pooling_is_that_of_sentence_transformers(tmp_path, mode):
    pytest.importorskip("sentence_transformers")
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, mode)
    encoder = resolve(f"hf:{folder}", device="cpu")
    assert encoder.details["pooling"] == mode
    expected = resolve(f"st:{folder}", device="cpu").encode_texts(CAPTIONS)
    np.testing.assert_allclose(encoder.encode_texts(CAPTIONS), expected, atol=1e-5)


def test_naflex_reads_the_mask_and_the_shapes_of_its_patches(tmp_path):
    vision = {key: value for key, value in small_models.VISION.items() if key != "image_size"} | {
        "num_patches": 16
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small_models.towers("Siglip2", small_models.CLIP_TEXT, vision).save_pretrained(tmp_path)
    small_models.word_tokenizer(tmp_path)
    small_models.picture_processor(
        tmp_path, image_processor_type="Siglip2ImageProcessor", patch_size=8, max_num_patches=16
    )
    encoder, model = (
        resolve(f"hf:{tmp_path}", device="cpu"),
        transformers.AutoModel.from_pretrained(tmp_path).eval(),
    )
    wide = [
        Image.fromarray(
            np.random.default_rng(i).integers(0, 255, (20, 20 + 30 * i, 3), dtype=np.uint8)
        )
        for i in range(3)
    ]
    assert encoder.details["pictures"].startswith("at most 16 patches of 8 x 8 (bilinear), mean")
    upper, lower = encoder.encode_texts(["A RED Circle", "a red circle"])
    np.testing.assert_array_equal(upper, lower)  # trained on lower case
    ids = own_inputs(tmp_path, caption="a red circle", padding="max_length", max_length=16)
    with torch.no_grad():
        own = vector(model.get_text_features(**ids))
    np.testing.assert_allclose(lower, own[0].numpy(), atol=1e-5)
    shapes = [
        tuple(own_inputs(tmp_path, picture)["spatial_shapes"][0].tolist()) for picture in wide
    ]
    assert len(set(shapes)) > 1
    for picture, row in zip(wide, encoder.encode_images(wide), strict=True):
        with torch.no_grad():
            own = vector(model.get_image_features(**own_inputs(tmp_path, picture)))
        np.testing.assert_allclose(row, own[0].numpy(), atol=1e-5)
    with pytest.raises(ModalityError, match="cannot be fine-tuned"):
        encoder.trainable()


def test_a_still_picture_is_a_video_of_equal_frames_to_xclip(tmp_path):
    small_models.towers(
        "XCLIP", small_models.CLIP_TEXT, small_models.XCLIP_VISION, projection_dim=16
    ).save_pretrained(tmp_path)
    small_models.word_tokenizer(tmp_path)
    small_models.picture_processor(tmp_path)
    encoder, model = (
        resolve(f"hf:{tmp_path}", device="cpu"),
        transformers.AutoModel.from_pretrained(tmp_path).eval(),
    )
    assert encoder.details["pictures"].endswith(", each as a video of 4 equal frames")
    for picture, row in zip(pictures(), encoder.encode_images(pictures()), strict=True):
        frames = own_inputs(tmp_path, picture)["pixel_values"][:, None].repeat(1, 4, 1, 1, 1)
        with torch.no_grad():
            np.testing.assert_allclose(
                row, vector(model.get_video_features(frames))[0].numpy(), atol=1e-5
            )
    with torch.no_grad():
        own = vector(model.get_text_features(**own_inputs(tmp_path, caption=CAPTIONS[0])))
    np.testing.assert_allclose(encoder.encode_texts(CAPTIONS[:1])[0], own[0].numpy(), atol=1e-5)


REFUSED = {
    "bart": lambda: small_models.alone(
        "Bart",
        {
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "vocab_size": 40,
        },
    ),
    "yolos": lambda: small_models.alone("Yolos", small_models.VISION | {"image_size": [32, 32]}),
    "segformer": lambda: small_models.alone(
        "Segformer",
        {
            "num_encoder_blocks": 2,
            "depths": [1, 1],
            "hidden_sizes": [16, 32],
            "num_attention_heads": [1, 1],
            "sr_ratios": [2, 1],
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "mlp_ratios": [2, 2],
        },
    ),
    "wav2vec2": lambda: small_models.alone(
        "Wav2Vec2",
        {
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": [32, 32],
            "conv_stride": [2, 2],
            "conv_kernel": [3, 3],
            "num_feat_extract_layers": 2,
        },
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_families_are_refused_in_words_that_name_another_way(tmp_path, name):
    REFUSED[name]().save_pretrained(tmp_path)
    small_models.word_tokenizer(tmp_path)
    small_models.picture_processor(tmp_path)
    with pytest.raises(
        ModalityError,
        match=rf"model of the type '{name}', for which hf: knows no embedding .* py:module:factory",
    ):
        resolve(f"hf:{tmp_path}", device="cpu")


def test_a_picture_tower_without_its_pooling_is_refused(tmp_path):
    small_models.alone(
        "SiglipVision", small_models.VISION | {"vision_use_head": False}
    ).save_pretrained(tmp_path)
    small_models.picture_processor(tmp_path)
    with pytest.raises(ModalityError, match="one vector for each token and none for the whole"):
        resolve(f"hf:{tmp_path}", device="cpu")


def test_weights_that_are_missing_are_an_error_only_where_the_features_need_them(tmp_path):
    # A classifier's checkpoint has no pooler; the class token does not need it.
    classifier = small_models.alone("ViT", small_models.VISION, "ForImageClassification")
    classifier.save_pretrained(tmp_path / "vit")
    small_models.picture_processor(tmp_path / "vit")
    encoder = resolve(f"hf:{tmp_path / 'vit'}", device="cpu")
    with torch.no_grad():
        own = (
            classifier.eval()
            .vit(**own_inputs(tmp_path / "vit", pictures()[0]))
            .last_hidden_state[0, 0]
        )
    np.testing.assert_allclose(encoder.encode_images(pictures()[:1])[0], own.numpy(), atol=1e-5)
    # BEiT pools with a normalisation that a model of masked pictures was never trained with.
    small_models.alone("Beit", small_models.VISION, "ForMaskedImageModeling").save_pretrained(
        tmp_path / "beit"
    )
    small_models.picture_processor(tmp_path / "beit")
    with pytest.raises(FileError, match=r"lacks weights that its features need \(.*pooler"):
        resolve(f"hf:{tmp_path / 'beit'}", device="cpu")


@pytest.mark.parametrize("prefix", ["", "beit."])
def test_missing_weights_are_found_under_either_name(tmp_path, monkeypatch, prefix):
    """transformers 4 reports `beit.pooler.layernorm.weight` where the model has
    `pooler.layernorm.weight`.
    """
    small_models.alone("Beit", small_models.VISION, "ForMaskedImageModeling").save_pretrained(
        tmp_path
    )
    small_models.picture_processor(tmp_path)
    load = transformers.AutoModel.from_pretrained

    def reported(*given, **options):
        model, found = load(*given, **options)
        own = [str(key).removeprefix("beit.") for key in found["missing_keys"]]
        return model, found | {"missing_keys": [prefix + key for key in own]}

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", reported)
    with pytest.raises(FileError, match=r"lacks weights that its features need \(pooler"):
        resolve(f"hf:{tmp_path}", device="cpu")


def test_towers_of_unequal_widths_are_refused(tmp_path):
    small_models.towers(
        "Siglip", small_models.CLIP_TEXT, small_models.VISION | {"hidden_size": 48}
    ).save_pretrained(tmp_path)
    small_models.word_tokenizer(tmp_path)
    small_models.picture_processor(tmp_path)
    with pytest.raises(
        ModalityError,
        match=r"one vector of one width for each caption and picture \(text 32, image 48\)",
    ):
        resolve(f"hf:{tmp_path}", device="cpu")


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("roberta", 16),
        ("xlm_roberta", 16),
        ("camembert", 16),
        ("mpnet", 16),
        ("bert", 16),
        ("clip_text", 16),
    ],
)
def test_the_longest_caption_is_asked_of_the_table_of_positions(models, name, longest):
    encoder = resolve(f"hf:{models(name)}", device="cpu")
    assert encoder.longest == longest
    assert np.isfinite(
        encoder.encode_texts([" ".join(["red"] * (longest - 2))])
    ).all()  # the last position is there
    assert encoder.find_long([" ".join(["red"] * n) for n in (longest - 2, longest - 1)]) == [1]
