"""The open_clip adapter gives open_clip's own raw features, and says what is wrong with a name or a
file.
"""

from __future__ import annotations

import json
import logging
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from conceptbind.core.errors import (
    CutCaptionWarning,
    FileError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.encoders import Opening, resolve
from conceptbind.encoders.open_clip import OpenClipEncoder, cut_off, quickgelu_warning

open_clip = pytest.importorskip("open_clip", exc_type=Exception)

TEXTS = ["a red cube and a blue sphere", "a blue cube and a red sphere", "a"]
NO_BF16 = "ignore:this processor computes .* slower in bfloat16"
TINY = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


class Payload:
    """Something that only a pickle can hold."""


def pictures(n=3):
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(256, size=(40 + 5 * i, 50, 3), dtype=np.uint8))
        for i in range(n)
    ]


def raw_features(model, preprocess, arch, texts, images):
    """What open_clip itself computes."""
    with torch.inference_mode():
        text = model.eval().encode_text(open_clip.get_tokenizer(arch)(texts))
        image = model.encode_image(torch.stack([preprocess(picture) for picture in images]))
    return text.numpy(), image.numpy()


@pytest.fixture
def tiny(monkeypatch):
    """ViT-B-32 and ViT-B-32-quickgelu with few and narrow layers; their pretrained tags stay what
    they are.
    """
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", TINY)
    monkeypatch.setitem(
        open_clip.factory._MODEL_CONFIGS, "ViT-B-32-quickgelu", TINY | {"quick_gelu": True}
    )
    return "ViT-B-32"


@pytest.fixture
def weights(tiny, tmp_path):
    """A weight file of the tiny model that differs from the random weights which the adapter
    draws.
    """
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = open_clip.create_model(tiny)
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    return path


def test_the_real_architecture_gives_open_clips_own_features():
    encoder = resolve("open_clip:ViT-B-32", device="cpu")
    text, image = encoder.encode_texts(TEXTS), encoder.encode_images(pictures())
    assert encoder.dimension == 512
    assert encoder.modalities == ("text", "image")
    assert encoder.details == {"precision": "float32", "activation": "gelu"}
    assert encoder.revision == f"{open_clip.__version__}:random"
    assert text.shape == image.shape == (3, 512)
    assert text.dtype == image.dtype == np.float32
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    expected_text, expected_image = raw_features(model, preprocess, "ViT-B-32", TEXTS, pictures())
    np.testing.assert_allclose(text, expected_text, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(image, expected_image, rtol=1e-4, atol=1e-5)
    norms = np.linalg.norm(np.concatenate([text, image]), axis=1)
    assert not np.allclose(norms, 1)  # raw, not normalised


def test_a_weight_file_gives_the_features_of_those_weights(tiny, weights):
    encoder = OpenClipEncoder(f"{tiny}@{weights}")
    model, _, preprocess = open_clip.create_model_and_transforms(tiny, pretrained=str(weights))
    expected_text, expected_image = raw_features(model, preprocess, tiny, TEXTS, pictures())
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected_text, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        encoder.encode_images(pictures()), expected_image, rtol=1e-4, atol=1e-6
    )
    assert encoder.dimension == 24
    assert not np.allclose(OpenClipEncoder(tiny).encode_texts(TEXTS), expected_text, atol=1e-3)


@pytest.mark.parametrize(
    "wrap",
    [lambda state: state, lambda state: {"state_dict": state, "epoch": 3}],
    ids=["state", "training"],
)
def test_a_pt_file_gives_what_the_safetensors_file_gives(tiny, weights, tmp_path, wrap):
    path = tmp_path / "weights.pt"
    torch.save(wrap(load_file(weights)), path)
    by_pt, by_safetensors = OpenClipEncoder(f"{tiny}@{path}"), OpenClipEncoder(f"{tiny}@{weights}")
    np.testing.assert_array_equal(by_pt.encode_texts(TEXTS), by_safetensors.encode_texts(TEXTS))
    assert by_pt.revision != by_safetensors.revision


def test_random_weights_are_the_same_every_time_and_leave_the_users_generator_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second = OpenClipEncoder(tiny), OpenClipEncoder(tiny)
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first.encode_texts(TEXTS), second.encode_texts(TEXTS))
    np.testing.assert_array_equal(first.encode_images(pictures()), second.encode_images(pictures()))


def test_batches_do_not_change_the_rows_or_their_order(tiny):
    encoder = OpenClipEncoder(tiny)
    many, images = [f"a {i} cube" for i in range(150)], pictures(35)
    some_texts, some_images = [0, 63, 64, 149], [0, 31, 32, 34]  # the ends of the batches
    alone = np.concatenate([encoder.encode_texts([many[i]]) for i in some_texts])
    np.testing.assert_allclose(encoder.encode_texts(many)[some_texts], alone, rtol=1e-4, atol=1e-6)
    alone = np.concatenate([encoder.encode_images([images[i]]) for i in some_images])
    np.testing.assert_allclose(
        encoder.encode_images(images)[some_images], alone, rtol=1e-4, atol=1e-6
    )


@pytest.mark.filterwarnings(NO_BF16)
@pytest.mark.parametrize(("precision", "angle"), [("bf16", 0.03), ("fp16", 0.001)])
def test_low_precision_gives_float32_rows_near_those_of_float32(tiny, precision, angle):
    full = OpenClipEncoder(tiny)
    low = OpenClipEncoder(tiny, Opening(device="cpu", precision=precision))
    assert low.details["precision"] == precision
    for expected, rows in (
        (full.encode_texts(TEXTS), low.encode_texts(TEXTS)),
        (full.encode_images(pictures()), low.encode_images(pictures())),
    ):
        assert rows.dtype == np.float32
        cosine = (
            (expected * rows).sum(1)
            / np.linalg.norm(expected, axis=1)
            / np.linalg.norm(rows, axis=1)
        )
        assert (cosine > 1 - angle).all()
        assert not np.array_equal(expected, rows)


def test_loading_says_nothing_and_installs_no_log_handler(tiny, weights, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    OpenClipEncoder(tiny)
    OpenClipEncoder(f"{tiny}@{weights}")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == []


# QuickGELU


def test_openai_weights_in_the_gelu_architecture_are_warned_of_once(tiny, weights, monkeypatch):
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(weights))
    with pytest.warns(UserWarning, match="QuickGELU") as caught:
        wrong = OpenClipEncoder("ViT-B-32@openai")
    assert [str(warning.message) for warning in caught] == [
        quickgelu_warning("ViT-B-32", "openai", False, True)
    ]
    right = OpenClipEncoder("ViT-B-32-quickgelu@openai")  # a warning would be an error here
    assert (wrong.details["activation"], right.details["activation"]) == ("gelu", "quick_gelu")
    assert right.revision == f"{open_clip.__version__}:openai"
    assert not np.allclose(wrong.encode_texts(TEXTS), right.encode_texts(TEXTS), rtol=1e-3)


def test_a_tag_of_gelu_weights_is_not_warned_of(tiny, weights, monkeypatch):
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(weights))
    encoder = OpenClipEncoder("ViT-B-32@laion2b_s34b_b79k")
    np.testing.assert_array_equal(
        encoder.encode_texts(TEXTS), OpenClipEncoder(f"ViT-B-32@{weights}").encode_texts(TEXTS)
    )


def test_every_warning_about_open_clips_own_tags_names_weights_that_exist(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no network")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", refuse)
    known, warned = set(open_clip.list_pretrained()), []
    for arch, tag in known:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(FileError, match="no network"):
                OpenClipEncoder(f"{arch}@{tag}")
        for warning in caught:
            better = str(warning.message).rpartition("open_clip:")[2]
            assert tuple(better.split("@")) in known
            assert better.split("@")[0] in open_clip.list_models()
            warned.append((arch, tag))
    assert ("ViT-B-32", "openai") in warned
    assert ("ViT-L-14", "metaclip_fullcc") in warned
    assert not any(arch.endswith("-quickgelu") or tag.startswith("laion2b") for arch, tag in warned)


# Names and files


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B32", "unknown open_clip architecture 'ViT-B32'; did you mean 'ViT-B-32'"),
        (
            "ViT-B-32@openia",
            "'openia' is neither a file nor a pretrained tag of ViT-B-32; did you mean 'openai'",
        ),
        (
            "ViT-B-32@no/such.safetensors",
            "'no/such.safetensors' is neither a file nor a pretrained tag of ViT-B-32",
        ),
        ("coca_base@x", "coca_base has no pretrained tags"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, message):
    with pytest.raises(UnknownNameError) as error:
        resolve(f"open_clip:{name}")
    assert message in str(error.value)


def test_a_tag_wins_over_a_file_of_the_same_name(tiny, weights, tmp_path, monkeypatch):
    (tmp_path / "laion2b_s34b_b79k").write_text("no weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(weights))
    assert OpenClipEncoder("ViT-B-32@laion2b_s34b_b79k").revision.endswith(":laion2b_s34b_b79k")
    (tmp_path / "here.safetensors").write_bytes(weights.read_bytes())
    assert OpenClipEncoder("ViT-B-32@here.safetensors").dimension == 24


def test_weights_that_cannot_be_downloaded_are_an_error_that_says_so(tiny, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", refuse)
    with pytest.raises(
        FileError, match=r"could not load 'open_clip:ViT-B-32@laion2b_e16'.*no network"
    ):
        OpenClipEncoder("ViT-B-32@laion2b_e16")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", ["text", "other", "empty"])
def test_a_file_that_holds_no_such_weights_is_refused(tiny, tmp_path, suffix, content):
    path = tmp_path / f"wrong{suffix}"
    state = {"other": torch.zeros(2)} if content == "other" else {}
    if content == "text":
        path.write_text("hello")
    elif suffix == ".pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    with pytest.raises(
        (FileError, UnsafeFileError), match=r"could not load|not a plain file of tensors"
    ) as error:
        OpenClipEncoder(f"{tiny}@{path}")
    assert str(path) in str(error.value)
    assert ".safetensors" in str(error.value)


def test_weights_of_another_architecture_are_refused_with_what_is_missing(tiny, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"other": torch.zeros(2)}, path)
    with pytest.raises(FileError, match="Missing key.*expected a state_dict of ViT-B-32"):
        OpenClipEncoder(f"{tiny}@{path}")


def test_a_pickle_of_more_than_tensors_is_not_read(tiny, tmp_path):
    path = tmp_path / "unsafe.pt"
    torch.save({"state_dict": {}, "payload": Payload()}, path)
    with pytest.raises(
        UnsafeFileError, match="could execute code; save its state_dict as .safetensors"
    ):
        OpenClipEncoder(f"{tiny}@{path}")


# Pictures of a weight file


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        (
            "ViT-B-16-SigLIP",
            {"image_mean": (0.5,) * 3, "image_std": (0.5,) * 3, "image_resize_mode": "squash"},
        ),
        ("ViT-B-32", {"image_resize_mode": "shortest", "image_interpolation": "bicubic"}),
        ("ViT-S-32", {}),
    ],
    ids=["agree", "default", "no tags"],
)
def test_a_weight_file_is_prepared_for_like_the_tags_of_its_architecture(
    arch, expected, tmp_path, monkeypatch
):
    asked = {}

    def spy(_, **options):
        asked.update(options)
        raise RuntimeError("seen")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", spy)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"")
    with pytest.raises(FileError, match="seen"):
        OpenClipEncoder(f"{arch}@{path}")
    asked = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in asked.items()
        if name.startswith("image_")
    }
    assert asked.items() >= expected.items()
    assert asked or not expected


# Models with a configuration of their own


@pytest.fixture
def own_folder(tmp_path):
    """A folder as open_clip's `push_to_hf_hub` writes it."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = open_clip.model.CLIP(**TINY)
    folder = tmp_path / "own"
    folder.mkdir()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    prepare = {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "squash",
        "size": [32, 32],
    }
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY, "preprocess_cfg": prepare})
    )
    return folder


def test_a_folder_of_open_clip_gives_open_clips_own_features(own_folder):
    encoder = resolve(f"open_clip:local-dir:{own_folder}", device="cpu")
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{own_folder}")
    expected_text, expected_image = raw_features(
        model, preprocess, f"local-dir:{own_folder}", TEXTS, pictures()
    )
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected_text, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        encoder.encode_images(pictures()), expected_image, rtol=1e-4, atol=1e-6
    )
    assert encoder.dimension == 24
    before = encoder.revision
    (own_folder / "README.md").write_text("A model.")
    assert resolve(f"open_clip:local-dir:{own_folder}/", device="cpu").revision == before


def test_a_folder_that_is_no_open_clip_model_is_one_line(own_folder, tmp_path):
    for name, message in (
        ("nowhere", "there is no such folder"),
        (tmp_path, "it has no open_clip_config.json"),
    ):
        with pytest.raises(FileError, match=message):
            resolve(f"open_clip:local-dir:{name}", device="cpu")
    (own_folder / "open_clip_config.json").write_text('{"a": 1}')
    with pytest.raises(FileError, match="no open_clip_config.json with a 'model_cfg'"):
        resolve(f"open_clip:local-dir:{own_folder}", device="cpu")
    (own_folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY}))
    (own_folder / "open_clip_model.safetensors").write_bytes(b"cut")
    with pytest.raises(FileError, match=f"could not load 'open_clip:local-dir:{own_folder}'"):
        resolve(f"open_clip:local-dir:{own_folder}", device="cpu")
    (own_folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(FileError, match="the folder holds no weights"):
        resolve(f"open_clip:local-dir:{own_folder}", device="cpu")
    with pytest.raises(FileError, match="hf-hub:nobody/nothing"):
        resolve("open_clip:hf-hub:nobody/nothing", device="cpu")


def test_a_configuration_that_asks_for_code_of_its_own_is_refused(own_folder):
    text = TINY["text_cfg"] | {
        "hf_tokenizer_name": "x",
        "tokenizer_kwargs": {"trust_remote_code": True},
    }
    (own_folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": TINY | {"text_cfg": text}})
    )
    with pytest.raises(
        UnsafeFileError, match="asks for Python code of its own .* --trust-remote-code"
    ):
        resolve(f"open_clip:local-dir:{own_folder}", device="cpu")


# Captions that are too long


def test_a_caption_that_fills_the_context_is_read_and_a_longer_one_is_cut_or_refused(tiny):
    encoder = OpenClipEncoder(tiny)
    # 16 and 17 tokens with the start and the end
    fits, long = (
        " ".join(["cube"] * 14),
        " ".join(["cube"] * 15),
    )
    assert encoder.encode_texts([fits]).shape == (1, 24)
    with pytest.warns(
        CutCaptionWarning,
        match="1 of 2 captions are longer than the 16 tokens that 'open_clip:ViT-B-32' reads",
    ):
        rows = encoder.encode_texts(["a", long])
    np.testing.assert_allclose(rows[1], encoder.encode_texts([fits])[0], rtol=1e-4, atol=1e-6)
    strict = OpenClipEncoder(tiny, Opening(device="cpu", long_captions="refuse"))
    with pytest.raises(ValueRangeError, match="--long-captions truncate"):
        strict.encode_texts(["a", long])


def words(texts, context_length, *, start=(), end=(1,), pad=1, last=()):
    """A tokenizer of words, truncated and padded as open_clip's wrappers do it."""
    rows = []
    for text in texts:
        inner = [10 + len(word) for word in text.split()]
        room = context_length - len(start) - len(end) - len(last)
        ids = [*start, *inner[:room], *end]
        rows.append([*ids, *[pad] * (context_length - len(ids) - len(last)), *last])
    return torch.tensor(rows)


@pytest.mark.parametrize(
    ("special", "longest"),
    [
        ({"start": (2,), "end": (3,), "pad": 0}, 6),  # CLIP
        ({"end": (1,), "pad": 1}, 7),  # SigLIP: the padding is the end of the text
        ({"start": (0,), "end": (2,), "pad": 1}, 6),  # RoBERTa: the padding is not 0
        # CLIPS: a class token comes last
        (
            {"start": (2,), "end": (3,), "pad": 0, "last": (9,)},
            5,
        ),
    ],
    ids=["clip", "siglip", "roberta", "clips"],
)
def test_what_is_cut_off_is_found_whatever_pads(special, longest):
    def tokenizer(texts, context_length=8):
        return words(texts, context_length, **special)

    texts = [" ".join(["word"] * n) for n in range(1, 12)]
    assert cut_off(tokenizer, texts, 8) == list(range(longest, 11))


# Text towers of transformers


@pytest.fixture
def with_bert(minilm_folder, tmp_path, monkeypatch):
    """An architecture whose text tower and tokenizer are those of a folder, so that nothing is
    downloaded.
    """
    pytest.importorskip("transformers")
    text = {
        "hf_model_name": str(minilm_folder),
        "hf_tokenizer_name": str(minilm_folder),
        "hf_proj_type": "linear",
        "context_length": 16,
    }
    config = TINY | {"text_cfg": text, "custom_text": True}
    (tmp_path / "bert-tiny.json").write_text(json.dumps(config))
    monkeypatch.setattr(
        open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS]
    )
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
    open_clip.add_model_config(tmp_path / "bert-tiny.json")
    return "bert-tiny"


def test_a_text_tower_of_transformers_is_random_too_where_no_weights_are_named(with_bert):
    encoder, again = OpenClipEncoder(with_bert), OpenClipEncoder(with_bert)
    rows = encoder.encode_texts(TEXTS)
    np.testing.assert_array_equal(rows, again.encode_texts(TEXTS))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(with_bert, pretrained_hf=False).eval()
    with torch.inference_mode():
        expected = model.encode_text(open_clip.get_tokenizer(with_bert)(TEXTS)).numpy()
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-6)
    with pytest.warns(CutCaptionWarning, match="longer than the 16 tokens"):
        encoder.encode_texts([" ".join(["cube"] * 20)])


@pytest.mark.parametrize("source", ["file", "folder"])
def test_the_control_has_random_weights_of_the_same_architecture(tiny, weights, own_folder, source):
    name = f"local-dir:{own_folder}" if source == "folder" else f"{tiny}@{weights}"
    encoder = OpenClipEncoder(name)
    one, two, other = (encoder.untrained(seed) for seed in (3, 3, 4))
    for embed in ("encode_texts", "encode_images"):
        given = TEXTS if embed == "encode_texts" else pictures()
        rows = [getattr(model, embed)(given) for model in (encoder, one, two, other)]
        np.testing.assert_array_equal(rows[1], rows[2])
        assert np.abs(rows[1] - rows[3]).max() > 1e-3
        assert np.abs(rows[1] - rows[0]).max() > 1e-3
    assert (one.revision, one.dimension) == ("random:3", encoder.dimension)
