"""The shipped dual encoders: the same rows as transformers gives, words they know, controls that
differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conceptbind import encoders, resolve
from conceptbind.core.errors import CutCaptionWarning, FileError, UnknownNameError, ValueRangeError
from conceptbind.encoders.dual import DualEncoder
from conceptbind.encoders.registry import SHIPPED
from conceptbind.pictures import draw_flat

MODELS = Path(encoders.__file__).parent / "models"
CAPTIONS = [
    "a red square and a blue circle",
    "an orange star",
    "circle",
    "a picture of a gray cross and a pink ring",
]


def pictures():
    drawn = [
        draw_flat([("red", "square"), ("blue", "circle")], np.random.default_rng(seed))[0]
        for seed in range(3)
    ]
    return [
        *drawn,
        drawn[0].crop((0, 0, 224, 150)),
        drawn[1].resize((48, 48)),
        drawn[2].resize((33, 70)),
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_transformers_loads_the_same_folder_and_gives_the_same_rows(name):
    pytest.importorskip("transformers")
    ours, theirs = resolve(name, device="cpu"), resolve(f"hf:{MODELS / name}", device="cpu")
    assert ours.dimension == theirs.dimension
    np.testing.assert_allclose(
        ours.encode_texts(CAPTIONS), theirs.encode_texts(CAPTIONS), atol=2e-5
    )
    np.testing.assert_allclose(
        ours.encode_images(pictures()), theirs.encode_images(pictures()), atol=2e-4
    )


def whole_then_middle(encoder, picture):
    """The whole is enlarged, then the middle is cut out."""
    side, short = encoder._size, min(picture.size)
    whole = tuple(int(side * length / short) for length in picture.size)
    enlarged = picture.resize(whole, Image.Resampling.BICUBIC)
    left, top = ((length - side) // 2 for length in whole)
    cut = np.asarray(enlarged.crop((left, top, left + side, top + side)), dtype=np.float32)
    return ((cut / 255 - encoder._mean) / encoder._std).transpose(2, 0, 1)


def noise(width, height):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_usual_pictures_keep_their_pixels_and_thin_ones_take_no_memory(monkeypatch):
    encoder = resolve("tiny", device="cpu")
    for size in ((300, 200), (48, 48), (20, 20), (70, 7), (9, 120)):
        expected = whole_then_middle(encoder, noise(*size))
        assert np.array_equal(encoder._pixels(noise(*size)), expected), size
    for size in ((33, 900), (2000, 1), (1, 999), (7, 700)):
        apart = encoder._pixels(noise(*size)) - whole_then_middle(encoder, noise(*size))
        assert np.abs(apart).max() * encoder._std.max() * 255 < 1.01, size  # one step of 256
    resized, resize = [], Image.Image.resize

    def watched(picture, size, *rest, **named):
        resized.append(size[0] * size[1])
        return resize(picture, size, *rest, **named)

    monkeypatch.setattr(Image.Image, "resize", watched)
    encoder.encode_images([Image.new("RGB", (400_000, 1), "red")])
    assert resized == [48 * 48]  # 19,200,000 x 48 before


def test_the_models_are_small_and_described():
    assert sum(path.stat().st_size for path in MODELS.rglob("*")) < 10e6
    for name in SHIPPED:
        card = (MODELS / name / "README.md").read_text()
        assert f"recipes/train_dual.py {name}" in card
        assert not list((MODELS / name).glob("*.bin"))


def test_batches_do_not_change_rows():
    encoder = resolve("tiny", device="cpu")
    together = encoder.encode_texts(CAPTIONS)
    alone = np.concatenate([encoder.encode_texts([text]) for text in CAPTIONS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_random_weights_are_the_same_every_time_and_not_the_trained_ones():
    encoder = resolve("tiny", device="cpu")
    one, two, other = (encoder.untrained(seed) for seed in (0, 0, 1))
    rows = [model.encode_texts(CAPTIONS) for model in (encoder, one, two, other)]
    np.testing.assert_array_equal(rows[1], rows[2])
    assert np.abs(rows[1] - rows[3]).max() > 1e-3
    assert np.abs(rows[1] - rows[0]).max() > 1e-3
    assert one.revision == "random:0"


def test_words_it_never_saw_and_are_refused():
    encoder = resolve("tiny", device="cpu")
    with pytest.raises(
        UnknownNameError,
        match="the word 'rad' of 'a rad square' is not in the model's vocabulary; did you mean "
        "'red'",
    ):
        encoder.encode_texts(["a rad square"])


def test_captions_too_long_are_cut_with_a_warning_or_refused():
    long, cut = " ".join(["red"] * 64), " ".join(["red"] * 62)
    encoder = resolve("tiny", device="cpu")
    with pytest.warns(
        CutCaptionWarning, match="1 of 2 captions are longer than the 64 tokens that 'tiny' reads"
    ):
        rows = encoder.encode_texts(["red", long])
    np.testing.assert_array_equal(rows, encoder.encode_texts(["red", cut]))  # the end token is kept
    with pytest.raises(ValueRangeError, match="--long-captions truncate"):
        resolve("tiny", device="cpu", long_captions="refuse").encode_texts([long])


def test_a_broken_folder_is_an_error(tmp_path):
    for path in (MODELS / "tiny").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(FileError, match="could not load the weights"):
        DualEncoder(tmp_path, "mine")
