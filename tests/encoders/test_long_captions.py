"""Captions longer than a model reads are cut as the model's own tools cut them, counted and said
once; or refused before the work.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import small_models
from conceptbind.cli import main
from conceptbind.core.errors import CutCaptionWarning, ValueRangeError
from conceptbind.encoders import resolve
from conceptbind.encoders.captions import too_long

LONG = "a red circle and " + "a blue square and " * 8 + "a green star"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A CLIP that reads 16 tokens."""
    return small_models.save("clip", tmp_path_factory.mktemp("clip"))


@pytest.fixture
def table(tmp_path):
    """Scenes with captions of their own, two of five too long."""
    rows = [
        "red,circle,a red circle",
        "blue,circle,a blue circle",
        f"red,square,{LONG}",
        f"blue,square,{LONG} and a cube",
        "red,star,a red star",
    ]
    path = tmp_path / "scenes.csv"
    path.write_text("\n".join(["color_1,shape_1,caption", *rows]) + "\n")
    return path


def test_a_long_caption_is_counted_exactly():
    def count(some):
        return [len(text.split()) for text in some]

    texts = ["a b c", "a b c d", "x" * 50, "é " * 3, "a b c d e"]
    assert too_long(texts, 3, count) == [1, 4]
    assert too_long(texts, None, count) == []
    asked = []
    too_long(["a b", "é"], 20, lambda some: asked.extend(some) or count(some))
    assert asked == ["é"]  # of ASCII letters a short caption needs no counting


@pytest.mark.filterwarnings("default::conceptbind.core.errors.CutCaptionWarning")
def test_embed_cuts_counts_and_says_so_once(clip, table, tmp_path, capsys):
    arguments = ["embed", f"hf:{clip}", "--scenes", str(table), "--modality", "text", "--out"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 1
    assert "2 of 5, after 16 tokens" in said[0]
    assert (
        json.loads((tmp_path / "out" / "manifest.json").read_text())["details"]["captions_cut"]
        == "2 of 5, after 16 tokens"
    )
    assert main([*arguments, str(tmp_path / "refused"), "--long-captions", "refuse"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "2 of 5 captions are longer than the 16 tokens" in error
    assert "--long-captions truncate" in error
    assert not list((tmp_path / "refused").glob("*.safetensors"))


@pytest.mark.filterwarnings("default::conceptbind.core.errors.CutCaptionWarning")
def test_measure_says_so_once_and_refuses_before_the_work(clip, tmp_path, capsys):
    arguments = [
        "measure",
        f"hf:{clip}",
        "--scenes",
        "text20:4x4",
        "--template",
        "a a a a {a} {object}",
        "--complexity",
        "none",
        "--no-controls",
    ]
    main([*arguments, "--geometry", "false", "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert sum("their ends are cut off (256 of 256, after 16 tokens)" in line for line in said) == 1
    assert sum("longer than" in line for line in said) == 1
    assert main([*arguments, "--out", str(tmp_path / "refused"), "--long-captions", "refuse"]) == 2
    assert "256 of 256 captions are longer than the 16 tokens" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()


@pytest.mark.filterwarnings("default::conceptbind.core.errors.CutCaptionWarning")
def test_evaluate_reads_a_data_set_with_long_captions(clip, tmp_path, capsys):
    data = tmp_path / "data"
    (data / "flickr30k-images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    items = []
    for i, caption in enumerate(["a red circle", "a blue square", LONG]):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(
            data / "flickr30k-images" / f"{i}.jpg"
        )
        items.append(
            {
                "image": f"flickr30k-images/{i}.jpg",
                "caption": [
                    caption,
                    *(f"{caption} and a {w}" for w in "cube star square sphere".split()),
                ],
            }
        )
    (data / "flickr30k_test.json").write_text(json.dumps(items))
    arguments = ["evaluate", f"hf:{clip}", "--benchmark", "flickr30k", "--data", str(data), "--out"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    assert "5 of 15, after 16 tokens" in capsys.readouterr().err
    assert "5 of 15, after 16 tokens" in (tmp_path / "out" / "results.json").read_text()
    assert main([*arguments, str(tmp_path / "refused"), "--long-captions", "refuse"]) == 2
    assert "5 of 15 captions are longer" in capsys.readouterr().err
    # before pictures were embedded
    assert not list((tmp_path / "refused").rglob("rows-*.safetensors"))


def test_sentence_transformers_cut_as_they_always_did(tmp_path):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    folder = small_models.save("bert", tmp_path)
    small_models.pooling(folder, "mean")
    (folder / "sentence_bert_config.json").write_text(
        '{"max_seq_length": 8, "do_lower_case": false}'
    )
    expected = SentenceTransformer(str(folder), device="cpu").encode(
        [LONG, "a red circle"], show_progress_bar=False
    )
    for scheme in ("st", "hf"):
        encoder = resolve(f"{scheme}:{folder}", device="cpu")
        assert encoder.longest == 8
        with pytest.warns(CutCaptionWarning, match="1 of 2 captions are longer than the 8 tokens"):
            np.testing.assert_allclose(
                encoder.encode_texts([LONG, "a red circle"]), expected, atol=1e-6
            )
        with pytest.raises(ValueRangeError, match="--long-captions truncate"):
            resolve(f"{scheme}:{folder}", device="cpu", long_captions="refuse").encode_texts([LONG])
