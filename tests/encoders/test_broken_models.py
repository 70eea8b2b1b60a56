"""Whatever is wrong with a model folder, a library or a device is one line that says what, never a
traceback.
"""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import small_models
from conceptbind.cli import main
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MissingExtraError,
    ModalityError,
    UnknownNameError,
)
from conceptbind.encoders import resolve
from conceptbind.encoders.weights import reason_of


def rewrite(name, change):
    def apply(folder):
        found = json.loads((folder / name).read_text())
        change(found)
        (folder / name).write_text(json.dumps(found))

    return apply


def cut(name, to):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:to])


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def remove(pattern):
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def pooled(then):
    def apply(folder):
        small_models.pooling(folder, "mean")
        then(folder)

    return apply


CLIP = {
    "no weights": (remove("model.safetensors"), "holds no weights: expected model.safetensors"),
    "weights without their header": (
        cut("model.safetensors", 5000),
        "model.safetensors is cut or broken",
    ),
    "weights without their end": (
        cut("model.safetensors", -5000),
        "model.safetensors is cut or broken",
    ),
    "empty weights": (cut("model.safetensors", 0), "model.safetensors is cut or broken"),
    "no configuration": (
        remove("config.json"),
        "there is no config.json; expected a folder written by save_pretrained",
    ),
    "configuration that is no JSON": (write("config.json", "{"), "could not load"),
    "configuration that is a list": (write("config.json", "[]"), "could not load"),
    "type that nobody knows": (
        rewrite("config.json", lambda c: c.update(model_type="wonder")),
        "transformers does not know its type",
    ),
    "no type": (write("config.json", "{}"), "transformers does not know its type"),
    "weights of another size": (
        rewrite("config.json", lambda c: c.update(projection_dim=30)),
        "other shapes than its configuration",
    ),
    "no processor": (remove("preprocessor_config.json"), "there is no preprocessor_config.json"),
    "empty processor": (
        write("preprocessor_config.json", "{}"),
        "preprocessor_config.json is empty",
    ),
    "processor that is a list": (
        write("preprocessor_config.json", "[]"),
        "could not load the picture processor",
    ),
    "pictures of another size": (
        rewrite("preprocessor_config.json", lambda c: c.update(size={"height": 24, "width": 24})),
        "doesn't match model",
    ),
    "no tokenizer": (
        remove("*token*"),
        "has no tokenizer: its vocabulary holds only special tokens",
    ),
    "tokenizer that is no JSON": (write("tokenizer.json", "{"), "could not load the tokenizer"),
    "tokens beyond the model": (
        rewrite("tokenizer.json", lambda c: c["model"]["vocab"].update(red=999)),
        "tokens that the model lacks",
    ),
}


def refused(name, match, kind=ConceptBindError):
    with pytest.raises(kind, match=match) as caught:
        resolve(name, device="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 500
    return str(caught.value)


@pytest.mark.parametrize("case", CLIP)
def test_a_damaged_dual_model_is_one_line(tmp_path, case):
    change, match = CLIP[case]
    folder = small_models.save("clip", tmp_path)
    change(folder)
    refused(f"hf:{folder}", match)


PIPELINE = {
    "pooling that is no JSON": (
        pooled(write("1_Pooling/config.json", "{")),
        ("is not valid JSON", "could not load"),
    ),
    "pooling that is a list": (
        pooled(write("1_Pooling/config.json", "[]")),
        ("could not read", "could not load"),
    ),
    "pooling that nobody knows": (
        pooled(write("1_Pooling/config.json", '{"pooling_mode": "wonder"}')),
        ("asks for the pooling 'wonder'", "could not load"),
    ),
    "parts that are not a list": (
        pooled(write("modules.json", '{"a": 1}')),
        ("must be a list of parts", "could not load"),
    ),
    "parts that are words": (
        pooled(write("modules.json", '["x"]')),
        ("must be a list of parts", "could not load"),
    ),
    "weights that are cut": (
        pooled(cut("model.safetensors", 4000)),
        ("cut or broken", "cut or broken"),
    ),
    "no weights": (pooled(remove("model.safetensors")), ("holds no weights", "could not load")),
}


@pytest.mark.parametrize("case", PIPELINE)
def test_a_damaged_pipeline_is_one_line_for_both_schemes(tmp_path, case):
    pytest.importorskip("sentence_transformers")
    change, matches = PIPELINE[case]
    folder = small_models.save("bert", tmp_path)
    change(folder)
    for scheme, match in zip(("hf", "st"), matches, strict=True):
        refused(f"{scheme}:{folder}", match)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "modules.json", "1_Pooling/config.json", "vocabulary.txt"],
)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_in_a_model_folder_is_not_waited_at(tmp_path, name, kind):
    pytest.importorskip("sentence_transformers")
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name) if kind == "pipe" else (folder / name).symlink_to("/dev/zero")
    for scheme in ("hf", "st"):
        refused(f"{scheme}:{folder}", "it is a (named pipe|device)")


def test_what_hf_would_leave_out_of_a_pipeline_is_refused_with_the_other_scheme(tmp_path):
    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))
    refused(
        f"hf:{folder}", rf"a part that hf: leaves out \(Dense\); use st:{folder}", ModalityError
    )
    (folder / "modules.json").write_text(json.dumps(modules))
    settings = {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"}
    write("config_sentence_transformers.json", json.dumps(settings))(folder)
    refused(
        f"hf:{folder}",
        f"puts the prompt 'query: ' before every caption, .* use st:{folder}",
        ModalityError,
    )
    write(
        "config_sentence_transformers.json", json.dumps(settings | {"default_prompt_name": None})
    )(folder)
    assert resolve(f"hf:{folder}", device="cpu").dimension == 32
    write("config_sentence_transformers.json", json.dumps({"truncate_dim": 8}))(folder)
    refused(f"hf:{folder}", "keeps 8 dimensions only", ModalityError)


def test_a_tokenizer_without_padding_is_enough_where_nothing_is_padded(tmp_path):
    pytest.importorskip("sentence_transformers")
    texts = ["a red circle", "a", "a blue square and a red circle"]
    folder = small_models.save("qwen3", tmp_path / "qwen")
    small_models.word_tokenizer(folder, pad=None)
    small_models.pooling(folder, "lasttoken")
    rows = {
        scheme: resolve(f"{scheme}:{folder}", device="cpu").encode_texts(texts)
        for scheme in ("hf", "st")
    }
    np.testing.assert_allclose(rows["hf"], rows["st"], atol=1e-5)
    folder = small_models.save("siglip", tmp_path / "siglip")  # which is padded
    small_models.word_tokenizer(folder, pad=None)
    refused(f"hf:{folder}", "its tokenizer has no padding token; name one in tokenizer_config.json")


def test_a_tokenizer_that_cannot_be_called_is_one_line(tmp_path, monkeypatch):
    import transformers

    folder = small_models.save("bert", tmp_path)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: False)
    refused(f"hf:{folder}", "no tokenizer that can be called: transformers gives a bool")


def test_static_vectors_have_a_tokenizer_of_another_kind(tmp_path):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    small_models.word_tokenizer(tmp_path / "words")
    words = Tokenizer.from_file(str(tmp_path / "words" / "tokenizer.json"))
    pipeline = SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=8)], device="cpu")
    pipeline.save(str(tmp_path / "static"))
    texts = ["a red circle", "a"]
    expected = pipeline.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(
        resolve(f"st:{tmp_path / 'static'}", device="cpu").encode_texts(texts), expected, atol=1e-6
    )


SAID = {
    "operator torchvision::nms does not exist": "the torchvision that is installed was built for "
    "another torch",
    "SiglipTokenizer requires the SentencePiece library but it was not found in your environment": "pip install sentencepiece",  # noqa: E501
    "`tiktoken` is required to read a `tiktoken` file": "pip install tiktoken",
    "requires the protobuf library but it was not found in your environment": "pip install protobuf",  # noqa: E501
    "Asking to pad but the tokenizer does not have a padding token": "no padding token",
    "The repository x contains custom code which must be executed to correctly load the model": "add --trust-remote-code",  # noqa: E501
    "Can't load tokenizer for 'x'. If you were trying to load it from": "it has no tokenizer",
    "x does not appear to have a file named preprocessor_config.json. Checkout": "there is no preprocessor_config.json",  # noqa: E501
    "Weights only load failed. This file can still be loaded": "hold more than tensors",
    "The checkpoint you are trying to load has model type `x` but Transformers does not recognize "
    "this architecture": "update transformers",
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("raised", [ImportError, RuntimeError, ValueError, OSError])
def test_what_libraries_say_is_said_in_words_whatever_they_raise(
    tmp_path, monkeypatch, said, raised
):
    import transformers

    folder = small_models.save("bert", tmp_path)

    def fail(*_, **__):
        raise raised(f"\n{said}\nand more\nlines " + "x" * 1000)

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", fail)
    assert SAID[said] in refused(f"hf:{folder}", "could not load the tokenizer of")


def test_a_cause_is_found_behind_the_error_that_hides_it():
    hidden = RuntimeError("operator torchvision::nms does not exist")
    shown = ImportError(
        "Could not import module 'CLIPModel'. Are this object's requirements defined correctly?"
    )
    shown.__cause__ = hidden
    assert "built for another torch" in reason_of(shown)
    assert reason_of(ValueError("a\nb\n" + "c" * 999)).startswith("ValueError: a b ccc")
    assert len(reason_of(ValueError("c" * 999))) <= 300


@pytest.mark.parametrize(
    ("scheme", "module"),
    [
        ("hf", "transformers"),
        ("st", "sentence_transformers"),
        ("open_clip", "open_clip"),
        ("timm", "timm"),
    ],
)
def test_a_library_that_is_there_and_cannot_be_imported_is_not_called_missing(
    tmp_path, monkeypatch, scheme, module
):
    (tmp_path / f"{module}.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(
        FileError,
        match=f"'{module}' is installed but cannot be imported: the torchvision that is installed",
    ):
        resolve(f"{scheme}:x", device="cpu")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError):
        resolve(f"{scheme}:x", device="cpu")


@pytest.mark.parametrize("device", ["meta", "hpu", "xpu", "nonsense", "", "cpu:999999999999"])
def test_a_device_that_computes_nothing_is_refused_before_the_work(device, tmp_path, capsys):
    with pytest.raises(
        UnknownNameError, match=f"cannot compute on the device '{device}'.*use cpu, or auto"
    ) as error:
        resolve("tiny", device=device)
    assert "\n" not in str(error.value)
    assert main(["embed", "tiny", "--out", str(tmp_path / "out"), "--device", device]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_picture_that_the_processor_refuses_is_one_line(tmp_path):
    folder = small_models.save("clip", tmp_path)
    encoder = resolve(f"hf:{folder}", device="cpu")
    encoder._processor = lambda **_: (_ for _ in ()).throw(RuntimeError("no\nsuch\npicture"))
    with pytest.raises(
        FileError, match="could not prepare pictures for 'hf:.*': RuntimeError: no such picture"
    ):
        encoder.encode_images([Image.new("RGB", (8, 8))])


def test_siglip_2_reads_lower_case_and_says_so(tmp_path):
    folder = small_models.save("siglip", tmp_path)
    encoder = resolve(f"hf:{folder}", device="cpu")
    assert encoder.details["text"] == "lower case, padded to 16 tokens"
    upper, lower = encoder.encode_texts(["A RED Circle", "a red circle"])
    np.testing.assert_array_equal(upper, lower)
    # no model's captions are lowered unasked
    clip = resolve(f"hf:{small_models.save('clip', tmp_path / 'clip')}", device="cpu")
    upper, lower = clip.encode_texts(["A RED Circle", "a red circle"])
    assert np.abs(upper - lower).max() > 1e-3
