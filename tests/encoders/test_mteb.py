"""`mteb:` gives what mteb's own call gives, for models that are put into its registry here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import small_models
from conceptbind.core.errors import (
    FileError,
    ModalityError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.encoders import resolve
from conceptbind.rows.embeddings import embed
from conceptbind.scenes import text20

CAPTIONS = ["a red square", "a blue circle and a red square", "red"]
PICTURES = [
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (40, 36 + 8 * i, 3), dtype=np.uint8))
    for i in range(3)
]


@pytest.fixture(scope="module", autouse=True)
def mteb():
    """Slow to import, so not while tests are collected."""
    return pytest.importorskip("mteb")


class Spoken:
    """A loader of one's own."""

    def __init__(self, name, revision, device=None, **_):
        self.name = name


@pytest.fixture
def registered(monkeypatch):
    """Put a model into mteb's registry for one test."""
    from mteb.models import ModelMeta
    from mteb.models.model_implementations import MODEL_REGISTRY

    def register(folder, loader, loader_kwargs=None, **more):
        given = {
            "name": str(folder),
            "revision": "one",
            "loader": loader,
            "loader_kwargs": loader_kwargs or {},
            "modalities": ["text"],
            "model_type": ["dense"],
        }
        meta = ModelMeta.create_empty(overwrites=given | more)
        monkeypatch.setitem(MODEL_REGISTRY, str(folder), meta)
        return f"mteb:{folder}"

    return register


@pytest.fixture
def wrapper():
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    return SentenceTransformerEncoderWrapper


def own_call(name, items, part="text", prompt_type=None, task="STSBenchmark"):
    """The rows that mteb itself computes, from a data set of its own making."""
    import mteb
    from datasets import Dataset
    from mteb.types import PromptType
    from torch.utils.data import DataLoader

    model = mteb.get_model_meta(name.removeprefix("mteb:")).load_model(device="cpu")
    # one by one: no padding, no order, no batch
    rows = []
    for item in items:
        table = Dataset.from_dict({part: [item]})
        batches = DataLoader(
            table, batch_size=1, collate_fn=lambda b: {key: [r[key] for r in b] for key in b[0]}
        )
        found = model.encode(
            batches,
            task_metadata=mteb.get_task(task).metadata,
            hf_split="test",
            hf_subset="default",
            prompt_type=None if prompt_type is None else PromptType(prompt_type),
            show_progress_bar=False,
        )
        rows.append(np.asarray(found)[0])
    return np.stack(rows)


@pytest.mark.filterwarnings("ignore")
def test_captions_and_prompts_are_those_of_mteb(registered, wrapper, minilm_folder, tmp_path):
    prompts = {"query": "query: ", "document": "passage: ", "STS": "compare: "}
    name = registered(minilm_folder, wrapper, {"model_prompts": prompts})
    for options, asked in (
        ("", {}),
        ("?prompt_type=query", {"prompt_type": "query", "task": "STSBenchmark"}),
        ("?task=NFCorpus&prompt_type=document", {"prompt_type": "document", "task": "NFCorpus"}),
        ("?task=NFCorpus", {"task": "NFCorpus"}),
    ):
        encoder = resolve(name + options, device="cpu")
        rows = encoder.encode_texts(CAPTIONS)
        assert (encoder.dimension, encoder.modalities) == (384, ("text",))
        np.testing.assert_allclose(rows, own_call(name, CAPTIONS, **asked), atol=1e-5)
        used = {
            "": "after the prompt 'compare: '",
            "?prompt_type=query": "after the prompt 'compare: '",
            "?task=NFCorpus&prompt_type=document": "after the prompt 'passage: '",
            "?task=NFCorpus": "without a prompt of mteb's",
        }[options]
        assert encoder.details["text"] == used
    assert encoder.details["mteb"] == "task NFCorpus, prompt type none"
    assert encoder.details["precision"] == "float32"
    assert (encoder.id, encoder.revision) == (f"{name}?task=NFCorpus", "one")
    assert encoder.encode_texts([]).shape == (0, 384)
    with pytest.raises(ModalityError, match="encodes text, not images"):
        encoder.encode_images(PICTURES)
    kept = embed(encoder, text20(2, 2), "text", tmp_path / "rows")
    assert kept.details["loader"] == "SentenceTransformerEncoderWrapper"


@pytest.mark.filterwarnings("ignore")
def test_instructions_are_those_of_mteb(registered, minilm_folder):
    from mteb.models.instruct_wrapper import InstructSentenceTransformerModel

    name = registered(
        minilm_folder,
        InstructSentenceTransformerModel,
        {
            "instruction_template": "Instruct: {instruction}. ",
            "apply_instruction_to_passages": False,
        },
    )
    plain = resolve(f"{name}?prompt_type=document", device="cpu")
    query = resolve(f"{name}?task=NFCorpus&prompt_type=query", device="cpu")
    asked = {"prompt_type": "query", "task": "NFCorpus"}
    np.testing.assert_allclose(
        query.encode_texts(CAPTIONS), own_call(name, CAPTIONS, **asked), atol=1e-5
    )
    assert query.details["text"].startswith("after the prompt 'Instruct: Given a question")
    assert plain.details["text"] == "without a prompt of mteb's"
    assert np.abs(plain.encode_texts(CAPTIONS) - query.encode_texts(CAPTIONS)).max() > 1e-2


@pytest.mark.filterwarnings("ignore")
def test_pictures_are_those_of_mteb(registered, wrapper, tmp_path, monkeypatch):
    # mteb asks for torchvision, which is not needed here, but for models of this name
    monkeypatch.chdir(tmp_path)
    folder = "mteb/baseline-clip"
    small_models.save("clip", tmp_path / folder)
    name = registered(folder, wrapper, modalities=["image", "text"])
    encoder = resolve(name, device="cpu")
    assert (encoder.dimension, encoder.modalities) == (24, ("text", "image"))
    rows = encoder.encode_images(PICTURES)
    assert encoder.encode_images([]).shape == (0, 24)
    np.testing.assert_allclose(rows, own_call(name, PICTURES, "image"), atol=1e-5)
    direct = resolve(f"hf:{folder}", device="cpu")
    np.testing.assert_allclose(rows, direct.encode_images(PICTURES), atol=1e-5)
    np.testing.assert_allclose(
        encoder.encode_texts(CAPTIONS), direct.encode_texts(CAPTIONS), atol=1e-5
    )


@pytest.mark.filterwarnings("ignore")
def test_code_of_a_model_needs_consent(registered, wrapper, tmp_path):
    folder = small_models.save("bert", tmp_path / "bert")
    for loader, told in ((wrapper, {"trust_remote_code": True}), (Spoken, {})):
        with pytest.raises(UnsafeFileError, match="may run Python code .* --trust-remote-code"):
            resolve(registered(folder, loader, told), device="cpu")
    name = registered(folder, wrapper, {"trust_remote_code": True})
    assert resolve(name, device="cpu", trust_remote_code=True).dimension == 32
    part = {"idx": 0, "name": "0", "path": "", "type": "payload.Module"}
    (folder / "modules.json").write_text(json.dumps([part]))
    with pytest.raises(UnsafeFileError, match=r"code of its own \(payload.Module\)"):
        resolve(registered(folder, wrapper), device="cpu")


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_is_one_line(registered, wrapper, minilm_folder, tmp_path):
    name = registered(minilm_folder, wrapper)
    for asked, error, said in (
        (
            "mteb:intfloat/multilingual-e5-smal",
            UnknownNameError,
            "nearest names are intfloat/multilingual-e5-small, ",
        ),
        (f"{name}?task=NoSuch", UnknownNameError, "mteb has no task 'NoSuch'; expected one of"),
        (f"{name}?prompt_type=quary", UnknownNameError, "did you mean 'query'"),
        (f"{name}?promt=a", UnknownNameError, "has no option 'promt' in its name"),
    ):
        with pytest.raises(error, match=said):
            resolve(asked, device="cpu")
    for kind, said in (("cross-encoder", "as cross-encoder for text"), ("sparse", "as sparse")):
        with pytest.raises(ModalityError, match=f"{said}.*expected a dense model"):
            resolve(registered(tmp_path, wrapper, model_type=[kind]), device="cpu")
    with pytest.raises(ModalityError, match="for audio; expected a dense model of text or images"):
        resolve(registered(tmp_path, wrapper, modalities=["audio"]), device="cpu")
    with pytest.raises(ValueRangeError, match="leave --precision out"):
        resolve(name, device="cpu", precision="bf16")
    with pytest.raises(ValueRangeError, match="does not tell how many tokens"):
        resolve(name, device="cpu", long_captions="refuse")
    with pytest.raises(FileError, match="could not load 'mteb:"):
        resolve(registered(tmp_path, wrapper), device="cpu")
