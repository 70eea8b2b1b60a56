"""One picture is one row, whichever command sees it; boxes are in the file's own pixels; memory
holds few pictures at once.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark
from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.pictures.files import as_seen, cut_out, picture_batches, read_picture
from conceptbind.repairs.finetune.data import Captioned
from conceptbind.repairs.finetune.pixels import Pixels
from conceptbind.rows.embeddings import embed
from conceptbind.rows.source import source_of
from conceptbind.scenes import Scenes

RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def colours(size=(24, 16)):
    values = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(values).resize(size, Image.Resampling.NEAREST)


def half_transparent(mode="RGBA"):
    picture = colours().convert(mode)
    alpha = np.zeros((16, 24), dtype=np.uint8)
    alpha[:8], alpha[8:, :12] = 255, 100
    picture.putalpha(Image.fromarray(alpha))
    return picture


def palette():
    return colours().quantize(16)


KINDS = {
    "rgb.png": lambda path: colours().save(path),
    "rgb.jpg": lambda path: colours().save(path, quality=95),
    "rgba.png": lambda path: half_transparent().save(path),
    "la.png": lambda path: half_transparent("LA").save(path),
    "palette.png": lambda path: palette().save(path),
    "clear_palette.png": lambda path: palette().save(path, transparency=bytes([0, 128] * 8)),
    "colour_key.png": lambda path: colours().save(path, transparency=colours().getpixel((0, 0))),
    "clear.gif": lambda path: palette().save(path, transparency=3),
    "clear.webp": lambda path: half_transparent().save(path, lossless=True, exact=True),
    "grey.png": lambda path: colours().convert("L").save(path),
    "black_or_white.png": lambda path: colours().convert("1").save(path),
    "ink.jpg": lambda path: colours().convert("CMYK").save(path, quality=95),
    "video.tiff": lambda path: colours().convert("YCbCr").save(path),
    "turned.jpg": lambda path: colours().save(path, quality=95, exif=exif(6)),
    "mirrored.jpg": lambda path: colours().save(path, quality=95, exif=exif(5)),
    "turned.png": lambda path: half_transparent().save(path, exif=exif(8)),
}


def opened(path):
    return Image.open(io.BytesIO(path.read_bytes()))


class Eye:
    """Its row is the picture itself, small."""

    id, revision, modalities, dimension = "eye", "1", ("text", "image"), 6 * 6 * 3 + 1

    def encode_images(self, images):
        for image in images:
            assert image.mode == "RGB"
        small = [np.asarray(image.resize((6, 6), Image.Resampling.BOX)).ravel() for image in images]
        return np.concatenate(
            [np.array(small, dtype=np.float32) / 255, np.ones((len(images), 1), dtype=np.float32)],
            axis=1,
        )

    def encode_texts(self, texts):
        return np.ones((len(texts), self.dimension), dtype=np.float32)

    def pixels(self, images):
        import torch

        return torch.from_numpy(self.encode_images(images))

    @property
    def module(self):
        import torch

        return torch.nn.Linear(1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    for name, save in KINDS.items():
        save(place / name)
    return place


@pytest.fixture(scope="module")
def expected(folder):
    return Eye().encode_images([read_picture(folder / name) for name in KINDS])


def test_the_kinds_differ(expected):
    """What is treated otherwise would be seen: a conversion without care changes most rows."""
    assert len(np.unique(expected.round(2), axis=0)) > 9


def test_measure_and_embed(folder, expected, tmp_path):
    scenes = Scenes.unlabelled("kinds", images=tuple(KINDS), image_folder=folder)
    np.testing.assert_array_equal(embed(Eye(), scenes, "image", tmp_path / "a").values, expected)
    np.testing.assert_array_equal(
        source_of(Eye()).rows_for(scenes, "image", tmp_path / "b").values, expected
    )


def test_evaluate(folder, expected, tmp_path):
    for label in ("one", "two"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for name in KINDS:
            os.link(folder / name, tmp_path / "data" / label / name)
    data = read_benchmark("zeroshot", tmp_path / "data", Making(tmp_path / "made"))
    evaluate_benchmark(Eye(), "zeroshot", data, tmp_path / "kept")
    from conceptbind.rows.embeddings import load

    found = dict(zip(data.pictures, load(tmp_path / "kept" / "pictures").values, strict=True))
    kinds = [name for name in KINDS if f"one/{name}" in found]
    assert len(kinds) == len(KINDS)
    np.testing.assert_array_equal([found[f"two/{name}"] for name in kinds], expected)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("decoded_by", ["pillow", "datasets"])
def test_mteb(folder, expected, decoded_by):
    pytest.importorskip("mteb")
    from conceptbind.repairs.exports import mteb_model

    if decoded_by == "datasets":  # which turns pictures upright itself
        datasets = pytest.importorskip("datasets")
        rows = datasets.Dataset.from_dict(
            {"image": [str(folder / name) for name in KINDS]}
        ).cast_column("image", datasets.Image())
        pictures = [row["image"] for row in rows]
    else:
        pictures = [opened(folder / name) for name in KINDS]
    found = mteb_model(Eye()).encode([{"image": pictures}], task_metadata=None)
    np.testing.assert_array_equal(found, expected)
    for picture in pictures:
        picture.close()  # pillow leaves the file of a GIF open, which may have further frames


@pytest.mark.parametrize("as_files", [True, False])
def test_fine_tuning(folder, expected, as_files):
    pictures = [folder / name if as_files else opened(folder / name) for name in KINDS]
    texts = [f"caption {i}" for i in range(len(KINDS))]
    data = Captioned.of(pictures, texts, [f"not {text}" for text in texts])
    found = Pixels(Eye(), data.open)(np.arange(len(KINDS)))
    np.testing.assert_array_equal(found.numpy(), expected)


def test_what_is_refused_is_refused_in_memory_too(tmp_path):
    grey = Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16))
    with pytest.raises(FileError, match="picture 3 of a batch has more than 8 bits"):
        as_seen(grey, "picture 3 of a batch")
    frames = io.BytesIO()
    Image.new("RGB", (8, 8), RED).save(
        frames, "GIF", save_all=True, append_images=[Image.new("RGB", (8, 8), WHITE)]
    )
    with pytest.raises(FileError, match="animated"):
        as_seen(Image.open(frames))


def test_seeing_twice_is_seeing_once(folder):
    for name in KINDS:
        once = read_picture(folder / name)
        np.testing.assert_array_equal(np.asarray(as_seen(once)), np.asarray(once), name)


# Boxes


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_box_is_in_the_pixels_of_the_file_and_what_it_shows_is_turned_upright(
    tmp_path, orientation
):
    """Red stands at the upper left of the file, with a blue corner that says where it turns to."""
    stored = Image.new("RGB", (64, 32), WHITE)
    stored.paste(RED, (16, 8, 32, 16))
    stored.paste(BLUE, (16, 8, 20, 10))
    stored.save(tmp_path / "a.png", exif=exif(orientation))
    seen = read_picture(tmp_path / "a.png", (16, 8, 16, 8))
    from PIL import ImageOps

    alone = stored.crop((16, 8, 32, 16))
    alone.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(np.asarray(seen), np.asarray(ImageOps.exif_transpose(alone)))
    assert np.asarray(seen).reshape(-1, 3).sum(axis=0).tolist() == [255 * 120, 0, 255 * 8]


def test_a_box_beyond_the_picture_is_black_there_whatever_the_mode(tmp_path):
    for mode in ("RGB", "RGBA", "L", "P", "CMYK"):
        Image.new("RGB", (4, 4), WHITE).convert(mode).save(tmp_path / "a.tiff")
        seen = np.asarray(read_picture(tmp_path / "a.tiff", (2, 2, 4, 4)))
        assert seen[0, 0].tolist() == [255] * 3, mode
        assert seen[3, 3].tolist() == [0] * 3, mode


@pytest.mark.parametrize(
    "box", [(0, 0, 10**6, 10**6), (0, 0, 10**12, 1), (-(10**9), 0, 2 * 10**9, 40), (0, 0, 81, 60)]
)
def test_a_box_much_larger_than_its_picture_is_refused(box):
    with pytest.raises(
        ValueRangeError, match="more than 4 times as large as the picture a.png, which has 40 x 30"
    ):
        cut_out(Image.new("RGB", (40, 30)), box, "the picture a.png")


def aro(folder, **changed):
    entry = {
        "image_path": "a.png",
        "bbox_x": 1,
        "bbox_y": 1,
        "bbox_w": 2,
        "bbox_h": 2,
        "true_caption": "t",
        "false_caption": "f",
        "attributes": ["a", "b"],
    }
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    (folder / "visual_genome_attribution.json").write_text(json.dumps([entry | changed]))
    return read_benchmark("vg_attribution", folder, Making(folder / "made"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bbox_w": 10**6, "bbox_h": 10**6},
        {"bbox_w": 1e300},
        {"bbox_x": -(10**40)},
        {"bbox_w": 0},
        {"bbox_h": -3},
        {"bbox_x": "one"},
        {"bbox_x": None},
        {"bbox_x": True},
        {"bbox_y": [1]},
    ],
)
def test_boxes_that_are_none_are_refused_as_the_list_is_read(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"the box of a\.png") as caught:
        aro(tmp_path, **wrong)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("infinite", ["Infinity", "-Infinity", "NaN", "1e999"])
def test_boxes_without_end_are_refused(tmp_path, infinite):
    aro(tmp_path)
    path = tmp_path / "visual_genome_attribution.json"
    path.write_text(path.read_text().replace('"bbox_w": 2', f'"bbox_w": {infinite}'))
    with pytest.raises(ValueError, match=r"the box of a\.png"):
        read_benchmark("vg_attribution", tmp_path, Making(tmp_path / "made"))


def test_sixty_boxes_of_9000_pixels_on_a_small_picture_take_no_memory(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    boxes = tuple((i, 0, 9_000, 9_000) for i in range(60))
    scenes = Scenes.unlabelled("boxes", images=("a.png",) * 60, image_folder=tmp_path, boxes=boxes)
    with pytest.raises(ValueRangeError, match="more than 4 times as large"):
        embed(Eye(), scenes, "image", tmp_path / "e")


# Memory


def test_batches_hold_few_bytes_and_few_pictures():
    def of(side):
        return lambda: Image.new("RGB", (side, side))

    sizes = [10, 10, 10, 100, 10, 10, 200, 200, 10]
    found = [
        [image.width for image in batch]
        for batch in picture_batches(map(of, sizes), most=2, most_bytes=3 * 101**2)
    ]
    assert found == [[10, 10], [10, 100], [10, 10], [200], [200], [10]]
    assert [len(batch) for batch in picture_batches(map(of, [8] * 130))] == [64, 64, 2]


PEAK = """
import resource, sys
from pathlib import Path
from conceptbind.rows.embeddings import embed
from conceptbind.encoders import resolve
from conceptbind.scenes import Scenes
folder = Path(sys.argv[1])
def run(names, out):
    scenes = Scenes.unlabelled("photographs", images=names, image_folder=folder)
    embed(resolve("tiny", device="cpu"), scenes, "image", folder / out)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
few = run(["0.jpg"], "few")
print(run([f"{i}.jpg" for i in range(16)], "many") - few)
"""


@pytest.mark.slow
def test_photographs_of_12_megapixels_do_not_stand_in_memory_together(tmp_path):
    """16 of them are 576 MB of pixels; at most 268 MB and the one that is decoded are held."""
    Image.new("RGB", (4_000, 3_000), RED).save(tmp_path / "0.jpg", quality=50)
    for i in range(1, 16):
        os.link(tmp_path / "0.jpg", tmp_path / f"{i}.jpg")
    grown = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path], capture_output=True, text=True, check=True
    ).stdout
    assert float(grown) < 400
