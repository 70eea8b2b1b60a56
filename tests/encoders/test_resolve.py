"""One string names an encoder; a wrong one says what would have been right."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import conceptbind
from conceptbind.core.errors import MissingExtraError, UnknownNameError, ValueRangeError
from conceptbind.encoders import resolve


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("minlm", "did you mean 'minilm'"),
        ("openclip:ViT-B-32", "did you mean 'open_clip:'"),
        ("", "known:"),
    ],
)
def test_unknown_names_give_the_nearest(name, hint):
    with pytest.raises(UnknownNameError, match=hint):
        resolve(name)


def test_paths_without_a_scheme_are_told_apart(tmp_path):
    with pytest.raises(UnknownNameError, match="for a model folder write hf:FOLDER"):
        resolve(str(tmp_path))
    (tmp_path / "x.npy").touch()
    with pytest.raises(UnknownNameError, match="for an array write file:"):
        resolve(str(tmp_path / "x.npy"))


def test_scheme_without_a_name():
    with pytest.raises(ValueRangeError, match="needs a name or a path"):
        resolve("hf:")


def test_own_factory(tmp_path, monkeypatch):
    (tmp_path / "mymodel_for_test.py").write_text(
        textwrap.dedent("""
            import numpy as np

            class Constant:
                id, revision, dimension, modalities = "mine", "1", 2, ("text",)
                def encode_texts(self, texts):
                    return np.ones((len(texts), 2), dtype=np.float32)
                def encode_images(self, images):
                    raise AssertionError

            def make():
                return Constant()

            def wrong():
                return object()
        """)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert resolve("py:mymodel_for_test:make").encode_texts(["a"]).tolist() == [[1, 1]]
    with pytest.raises(
        ValueRangeError,
        match="object lacks id, revision, dimension, modalities, encode_texts, encode_images",
    ):
        resolve("py:mymodel_for_test:wrong")
    with pytest.raises(UnknownNameError, match="has no function 'nothing'"):
        resolve("py:mymodel_for_test:nothing")
    with pytest.raises(UnknownNameError, match="could not import the module 'no_such_module_here'"):
        resolve("py:no_such_module_here:make")
    with pytest.raises(ValueRangeError, match="expected py:module:factory"):
        resolve("py:mymodel_for_test")


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("hf:x/y", "transformers", "hf"),
        ("st:x/y", "sentence_transformers", "st"),
        ("open_clip:ViT-B-32", "open_clip", "open-clip"),
        ("timm:vit_tiny_patch16_224", "timm", "timm"),
    ],
)
def test_a_missing_package_names_the_install_command(monkeypatch, name, package, extra):
    # what Python itself does for a module that must not import
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'conceptbind\[{extra}\]'"):
        resolve(name)


@pytest.mark.parametrize(
    "statement", ["import conceptbind", "import conceptbind.cli", "import conceptbind.commands"]
)
def test_importing_is_light(statement):
    heavy = [
        "torch",
        "transformers",
        "sentence_transformers",
        "open_clip",
        "timm",
        "torchvision",
        "matplotlib",
        "pandas",
        "sklearn",
    ]
    code = f"import sys; {statement}; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.parametrize("part", ["id", "revision"])
@pytest.mark.parametrize("value", [3, "", " ", "two\nlines", "\x1b[31mred", None])
def test_an_encoder_has_a_name_that_can_be_printed(part, value):
    class Named:
        id, revision, dimension, modalities = "named", "1", 2, ("text",)

        def encode_texts(self, texts):
            return [[1.0, 0.0]] * len(texts)

        encode_images = encode_texts

    setattr(Named, part, value)
    with pytest.raises(ValueRangeError, match=f"{part} must be a text of printable letters"):
        conceptbind.measure(Named(), scenes="text20:2x2", out="run")
    assert not Path("run").exists()
