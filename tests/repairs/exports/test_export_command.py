"""`conceptbind export`: what it writes is loaded by the lines that it prints, without this package,
and gives the adapter's rows; a mistake is one line.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import conceptbind
from conceptbind import cli
from conceptbind.core.files import aside_of, folder_written_aside
from conceptbind.encoders import resolve
from conceptbind.repairs.exports import checkpoints, sentence
from conceptbind.repairs.labclip.adapter import Adapter, save_adapter

TEXTS = ["a red square and a blue circle", "a blue square and a red circle", "a green triangle"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def fitted(make_adapter):
    """An adapter folder that names an encoder as `repair` does."""

    def write(encoder: str, width: int | None = None, **config) -> Adapter:
        loaded = resolve(encoder, device="cpu")
        width = width or loaded.dimension
        said = {"encoder": loaded.id, "revision": loaded.revision, **config}
        adapter = make_adapter(width, width, **said)
        save_adapter(adapter, Path("fixed"))
        return adapter

    return write


def done(capsys, *words: str) -> tuple[str, dict]:
    """Run the command; the sentence that it prints, and what its lines of Python make."""
    assert cli.main(["export", *words]) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    told, code = printed.split("\n\n", 1)
    assert "\n" not in told
    assert "conceptbind" not in code
    made = {"texts": np.zeros((0, 0)), "captions": TEXTS}
    if "onnxruntime" not in code:
        exec(code, made)
    return printed, made


def refused(capsys, *words: str, code: int = 2) -> str:
    """The one line that a mistake is."""
    assert cli.main(["export", *words]) == code
    printed, told = capsys.readouterr()
    assert printed == ""
    lines = [line for line in told.splitlines() if not line.startswith("conceptbind: warning")]
    assert len(lines) == 1, told
    assert len(lines[0]) <= 500
    return lines[0]


def nothing_written(*there: str) -> bool:
    return {path.name for path in Path().iterdir()} == {"fixed", *there}


def text_rows(made: dict) -> np.ndarray:
    """Features of captions as transformers alone gives them, each read by itself."""
    rows = []
    for text in TEXTS:
        padding = {"padding": "max_length", "max_length": 16} if "Siglip" in str(made) else {}
        ids = made["tokenizer"](text, return_tensors="pt", **padding)["input_ids"]
        with torch.inference_mode():
            found = made["model"].eval().get_text_features(input_ids=ids)
        rows.append(getattr(found, "pooler_output", found))
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("name", ["tiny", "clip", "siglip"])
def test_a_transformers_model_gives_the_adapters_rows_and_the_same_pictures(
    name, fitted, capsys, clip_folder, siglip_folder
):
    encoder = {"tiny": "tiny", "clip": f"hf:{clip_folder}", "siglip": f"hf:{siglip_folder}"}[name]
    adapter = fitted(encoder)
    printed, made = done(capsys, "fixed", "--to", "transformers", "--out", "out")
    kind = "SiglipModel" if name == "siglip" else "CLIPModel"
    assert printed.startswith("out holds a transformers model whose captions come out mapped")
    assert type(made["model"]).__name__ == kind
    before = resolve(encoder, device="cpu")
    expected = adapter(before.encode_texts(TEXTS))
    np.testing.assert_allclose(unit(text_rows(made)), expected, atol=5e-6)
    after = resolve("hf:out", device="cpu")
    np.testing.assert_allclose(unit(after.encode_texts(TEXTS)), expected, atol=5e-6)
    from PIL import Image

    noise = [Image.effect_noise((40, 50), 64).convert("RGB")]
    np.testing.assert_allclose(
        after.encode_images(noise), before.encode_images(noise), rtol=1e-4, atol=1e-5
    )
    assert nothing_written("out")


def test_a_sentence_transformers_model_gives_the_adapters_rows(fitted, capsys, minilm_folder):
    adapter = fitted("minilm")
    printed, made = done(capsys, "fixed", "--to", "sentence-transformers", "--out", "deep/out")
    assert printed.startswith("deep/out holds a sentence-transformers model whose captions")
    expected = adapter(resolve("minilm", device="cpu").encode_texts(TEXTS))
    np.testing.assert_allclose(made["rows"], expected, atol=1e-5)
    assert [path.name for path in Path("deep").iterdir()] == ["out"]


@pytest.mark.parametrize("published", [False, True])
def test_a_graph_gives_the_adapters_rows_and_needs_no_encoder(
    make_adapter, capsys, published, monkeypatch
):
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr("conceptbind.rows.source.source_of", None)
    adapter, name = make_adapter(12, 16, encoder="py:nothing:here"), "fixed"
    if published:
        name = "adapter.pt"
        torch.save({"linear.weight": torch.from_numpy(adapter.weight), "t": torch.ones(())}, name)
    else:
        save_adapter(adapter, Path(name))
    printed, _ = done(capsys, name, "--to", "onnx", "--out", "out")
    rows = np.random.default_rng(1).normal(size=(5, 16)).astype(np.float32)
    made = {"texts": rows}
    exec(printed.split("\n\n", 1)[1], made)
    np.testing.assert_allclose(made["mapped"], adapter(rows), atol=1e-6)
    assert isinstance(made["session"], runtime.InferenceSession)
    assert "`texts` (n, 16)" in Path("out/README.md").read_text()


def test_an_open_clip_model_gives_the_adapters_rows(fitted, capsys, monkeypatch):
    open_clip = pytest.importorskip("open_clip", exc_type=Exception)
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {
            **{"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
        },
        "quick_gelu": True,
    }
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    adapter = fitted("open_clip:ViT-B-32")
    _, made = done(capsys, "fixed", "--to", "open_clip", "--out", "out")
    before = resolve("open_clip:ViT-B-32", device="cpu")
    with torch.inference_mode():
        rows = made["model"].eval().encode_text(made["tokenizer"](TEXTS)).numpy()
    np.testing.assert_allclose(unit(rows), adapter(before.encode_texts(TEXTS)), atol=5e-6)
    from PIL import Image

    noise = Image.effect_noise((40, 50), 64).convert("RGB")
    with torch.inference_mode():
        image = made["model"].encode_image(made["preprocess"](noise)[None]).numpy()
    np.testing.assert_allclose(image, before.encode_images([noise]), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_command_runs_as_a_program_and_from_python(fitted, capsys):
    adapter = fitted("tiny")
    words = ["export", "fixed", "--to", "transformers", "--out", "out"]
    ran = subprocess.run(
        [sys.executable, "-m", "conceptbind", *words], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    found = conceptbind.export("fixed", to="transformers", out="again")
    assert str(found) == ran.stdout.rstrip("\n").replace("out", "again", 1).replace(
        '"out"', '"again"'
    )
    assert found.folder == Path("again")
    one, two = (resolve(f"hf:{name}", device="cpu") for name in ("out", "again"))
    np.testing.assert_array_equal(one.encode_texts(TEXTS), two.encode_texts(TEXTS))
    assert f"({adapter.weight.shape[0]} x 256)" in Path("out/README.md").read_text()


def test_an_encoder_that_was_moved_is_given_by_its_new_place(fitted, capsys, clip_folder):
    shutil.copytree(clip_folder, "model")
    adapter = fitted("hf:model")
    Path("model").rename("elsewhere")
    words = ("fixed", "--to", "transformers", "--out", "out")
    told = refused(capsys, *words)
    assert "'hf:model'" in told
    assert "--encoder gives another place of it" in told
    _, made = done(capsys, *words, "--encoder", "hf:elsewhere")
    expected = adapter(resolve("hf:elsewhere", device="cpu").encode_texts(TEXTS))
    np.testing.assert_allclose(unit(text_rows(made)), expected, atol=5e-6)


# What a file from elsewhere must not do

CODE = """
from pathlib import Path
from conceptbind.encoders import resolve
Path("ran").touch()
def make():
    return resolve("tiny", device="cpu")
"""


def test_an_adapter_runs_no_code_and_its_user_may(make_adapter, capsys, monkeypatch):
    Path("mine_to_export.py").write_text(CODE)
    adapter = make_adapter(256, 256, encoder="py:mine_to_export:make")
    save_adapter(adapter, Path("fixed"))
    words = ("fixed", "--to", "transformers", "--out", "out")
    for more in ((), ("--trust-py",), ("--trust-remote-code",)):
        told = refused(capsys, *words, *more)
        assert "names the encoder 'py:mine_to_export:make', which runs code" in told
    assert nothing_written("mine_to_export.py")
    Path("c.yaml").write_text("encoder: py:mine_to_export:make\n")
    assert "add --trust-py" in refused(capsys, *words, "--config", "c.yaml")
    assert not Path("ran").exists()
    monkeypatch.syspath_prepend(str(Path.cwd()))
    _, made = done(capsys, *words, "--encoder", "py:mine_to_export:make")
    assert Path("ran").exists()
    expected = adapter(resolve("tiny", device="cpu").encode_texts(TEXTS))
    np.testing.assert_allclose(unit(text_rows(made)), expected, atol=5e-6)


def test_a_models_own_code_asks_for_the_switch(make_adapter, capsys, clip_folder):
    """`trust_remote_code` in an adapter's own file means nothing."""
    shutil.copytree(clip_folder, "model")
    config = json.loads(Path("model/config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    Path("model/config.json").write_text(json.dumps(config))
    Path("model/mine.py").write_text('open("ran", "w").close()\n')
    save_adapter(make_adapter(16, 16, encoder="hf:model", trust_remote_code=True), Path("fixed"))
    told = refused(capsys, "fixed", "--to", "transformers", "--out", "out")
    assert "brings Python code of its own, which is not run" in told
    assert nothing_written("model")


# Mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["none", "--to", "onnx", "--out", "out"],
            "none is not an adapter: expected a folder with",
        ),
        (["fixed", "--to", "tflite", "--out", "out"], "expected one of 'onnx', 'sentence-transf"),
        (["fixed", "--out", "out"], "--to is missing"),
        (["fixed", "--to", "onnx"], "--out is missing"),
        (
            ["fixed", "--to", "onnx", "--out", "a.onnx"],
            "--out is a folder, into which adapter.onnx",
        ),
        (["fixed", "--to", "onnx", "--out", "fixed"], "is not empty; choose a new folder"),
        (
            ["fixed", "--to", "sentence-transformers", "--out", "out"],
            "the adapter's encoder 'tiny' does not go to sentence-transformers, which takes "
            "minilm, st:NAME or st:FOLDER; use --to transformers or --to onnx",
        ),
        (
            ["fixed", "--to", "open_clip", "--out", "out"],
            "does not go to open_clip, which takes open_clip:ARCH@TAG",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "minilm"],
            "'minilm' does not go to transformers, which takes tiny, tiny-bound, tiny-bag, hf:NAME",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "file:x.npy"],
            "'file:x.npy' does not go to transformers",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "tiny-bond"],
            "unknown encoder 'tiny-bond'; did you mean 'tiny-bound'?",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "tiny-bound"],
            "this adapter was fitted on 'tiny'",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "hf:CLIP"],
            "but 'hf:CLIP' holds other weights",
        ),
        (
            ["fixed", "--to", "transformers", "--out", "out", "--encoder", "hf:nowhere/"],
            "could not load 'hf:nowhere/'",
        ),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing(words, message, fitted, capsys, clip_folder):
    fitted("tiny")
    shutil.copytree(clip_folder, "CLIP")
    assert message in refused(capsys, *words)
    assert nothing_written("CLIP")


def test_an_adapter_of_arrays_asks_for_its_encoder(make_adapter, capsys):
    save_adapter(make_adapter(256, 256, encoder=None), Path("fixed"))
    words = ("fixed", "--to", "transformers", "--out", "out")
    told = refused(capsys, *words)
    assert "does not say which encoder it belongs to; give it with --encoder: tiny, " in told
    done(capsys, *words, "--encoder", "tiny")


def test_another_width_is_refused_with_both_numbers(make_adapter, capsys):
    save_adapter(make_adapter(16, 16, encoder="tiny"), Path("fixed"))
    told = refused(capsys, "fixed", "--to", "transformers", "--out", "out")
    assert "the adapter maps 16 dimensions to 16, but DualModel.text_projection gives 256" in told
    assert nothing_written()


def test_a_text_encoder_is_told_where_it_can_go(make_adapter, capsys, minilm_folder):
    save_adapter(make_adapter(384, 384, encoder=f"hf:{minilm_folder}"), Path("fixed"))
    told = refused(capsys, "fixed", "--to", "transformers", "--out", "out")
    assert "BertModel has no linear projection of captions" in told
    assert "export the adapter to onnx (of a text encoder, also to sentence-transformers)" in told
    words = ("fixed", "--to", "sentence-transformers", "--out", "out")
    assert f"'hf:{minilm_folder}' does not go to sentence-tr" in refused(capsys, *words)
    done(capsys, *words, "--encoder", f"st:{minilm_folder}")


@pytest.mark.parametrize(
    ("library", "to", "encoder", "extra"),
    [
        ("open_clip", "open_clip", "open_clip:ViT-B-32", "open-clip"),
        ("onnx", "onnx", "tiny", "onnx"),
        ("sentence_transformers", "sentence-transformers", "minilm", "st"),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_extra(
    library, to, encoder, extra, make_adapter, capsys, monkeypatch
):
    save_adapter(make_adapter(8, 8, encoder=encoder), Path("fixed"))
    monkeypatch.setitem(sys.modules, library, None)
    told = refused(capsys, "fixed", "--to", to, "--out", "out")
    assert f"run: pip install 'conceptbind[{extra}]'" in told
    assert nothing_written()


@pytest.mark.filterwarnings("always:the adapter changes nothing")
def test_a_map_that_changes_nothing_is_told(make_adapter, capsys):
    save_adapter(Adapter(np.eye(4, dtype=np.float32), 0.0), Path("fixed"))
    assert cli.main(["export", "fixed", "--to", "onnx", "--out", "out"]) == 0
    assert "warning: the adapter changes nothing" in capsys.readouterr().err
    save_adapter(make_adapter(4, 4), Path("fixed"))
    assert cli.main(["export", "fixed", "--to", "onnx", "--out", "other"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("to", ["transformers", "sentence-transformers"])
def test_a_model_that_would_give_other_rows_is_not_written(to, fitted, capsys, monkeypatch):
    """As of an encoder that does more behind its projection than the library lets on."""
    fitted("tiny" if to == "transformers" else "minilm")
    monkeypatch.setattr(checkpoints, "wrap_transformers_clip", lambda model, _: model)
    monkeypatch.setattr(sentence, "_repaired", lambda _, model: model)
    told = refused(capsys, "fixed", "--to", to, "--out", "out")
    assert "would not give the adapter's rows, so it is not written" in told
    assert nothing_written()


def test_options_are_read_from_a_file(make_adapter, capsys):
    save_adapter(make_adapter(4, 4), Path("fixed"))
    Path("c.yaml").write_text(yaml.safe_dump({"adapter": "fixed", "to": "onnx", "out": "out"}))
    done(capsys, "--config", "c.yaml")
    assert Path("out/adapter.onnx").is_file()


# A folder that appears whole


def test_what_a_killed_command_left_goes_and_what_is_being_written_stays(make_adapter, capsys):
    save_adapter(make_adapter(4, 4), Path("fixed"))
    left, other = (aside_of(Path(name).absolute()) for name in ("out", "outer"))
    for folder in (left, other):
        folder.mkdir()
        (folder / "half").write_text("")
    Path(".out.mine.part").mkdir()
    with folder_written_aside(Path("out").absolute(), "a model") as held:
        assert not left.exists()
        (held / "half").write_text("")
        done(capsys, "fixed", "--to", "onnx", "--out", "out")
        assert (held / "half").exists()
        shutil.rmtree("out")
    assert Path("out/half").exists()
    assert nothing_written("out", ".out.mine.part", other.name)
