"""Pictures on their way to an encoder: the same rows for any number of threads."""

from __future__ import annotations

import hashlib
import threading
import time

import numpy as np
import pytest
from PIL import Image

from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.core.files import FileHashes, file_hash
from conceptbind.encoders import resolve
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.pictures.files import read_picture
from conceptbind.rows.embeddings import embed
from conceptbind.rows.feeding import picture_rows, prepares, threads_for
from conceptbind.scenes import Scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of several sizes, more than one batch of `tiny`, with names out of order."""
    place = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(150):
        size = (40 + number % 7, 56 - number % 5, 3)
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(
            place / f"{(7 * number) % 150}.{'png' if number % 2 else 'jpg'}"
        )
    return place


def paths_of(folder):
    return sorted(folder.iterdir())


class Plain:
    """An encoder that takes pictures as they are: the mean of each channel."""

    id, revision, dimension, modalities = "plain", "1", 3, ("image",)

    def __init__(self):
        self.sizes = []

    def encode_images(self, images):
        self.sizes.append(len(images))
        return np.stack([np.asarray(image, dtype=np.float32).mean(axis=(0, 1)) for image in images])


def rows_of(encoder, paths, workers, boxes=None):
    fed = list(picture_rows(encoder, paths, boxes, workers))
    return np.concatenate([part.rows for part in fed]), [h for part in fed for h in part.hashes]


@pytest.mark.parametrize("make", [Plain, lambda: resolve("tiny", device="cpu")])
def test_any_number_of_threads_gives_the_same_rows_and_hashes(folder, make):
    paths = paths_of(folder)
    encoder = make()
    expected, hashes = rows_of(encoder, paths, 0)
    assert hashes == [file_hash(path) for path in paths]
    for workers in (1, 2, 5):
        rows, found = rows_of(encoder, paths, workers)
        np.testing.assert_array_equal(rows, expected)
        assert found == hashes
    whole = np.concatenate(
        [
            encoder.encode_images([read_picture(path) for path in paths[start : start + 64]])
            for start in range(0, len(paths), 64)
        ]
    )
    np.testing.assert_array_equal(expected, whole)


def test_the_shipped_encoder_prepares_apart_and_a_plain_one_does_not():
    tiny = resolve("tiny", device="cpu")
    assert prepares(tiny) is tiny
    assert prepares(Plain()) is None


def test_boxes_are_seen(folder):
    paths = paths_of(folder)[:5]
    boxes = [(1, 2, 10, 12), None, (0, 0, 5, 5), None, (3, 3, 20, 20)]
    rows, _ = rows_of(Plain(), paths, 2, boxes)
    seen = [read_picture(path, box) for path, box in zip(paths, boxes, strict=True)]
    np.testing.assert_array_equal(rows, Plain().encode_images(seen))


@pytest.mark.parametrize("workers", [0, 3])
def test_the_first_broken_picture_is_named(tmp_path, folder, workers):
    paths = paths_of(folder)[:6]
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(b"no picture")
    mixed = [*paths[:4], tmp_path / "b.png", *paths[4:], tmp_path / "c.png"]
    with pytest.raises(FileError, match=r"b\.png cannot be read"):
        rows_of(Plain(), mixed, workers)
    with pytest.raises(FileError, match="gone.png, which is not there"):
        rows_of(Plain(), [*paths, tmp_path / "gone.png"], workers)
    assert not [one for one in threading.enumerate() if one.name.startswith("pictures")]


def test_a_picture_of_too_many_pixels_is_refused_by_every_thread(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(FileError, match="decompression bomb"):
        rows_of(Plain(), paths_of(folder), 3)


def test_few_pictures_are_in_memory_at_once(folder):
    """However many there are, and however slow the encoder is."""
    held, most = [], 0

    class Slow(Plain):
        picture_batch = 4

        def prepare_images(self, images):
            import torch

            held.append(1)
            return {"x": torch.from_numpy(self.encode_images(images))}

        def encode_prepared(self, prepared):
            nonlocal most
            time.sleep(0.002)
            most = max(most, len(held))
            del held[: len(prepared["x"])]
            return prepared["x"].numpy()

    paths = paths_of(folder)
    rows, _ = rows_of(Slow(), paths, 3)
    np.testing.assert_array_equal(rows, rows_of(Plain(), paths, 0)[0])
    assert 4 <= most <= 4 * 3 + 3 + 1  # the batch that computes, one that is joined, and what waits


def test_pictures_are_hashed_while_they_are_read(folder, tmp_path, monkeypatch):
    names = [path.name for path in paths_of(folder)]
    scenes = Scenes.unlabelled("mine", images=names, image_folder=folder)
    hashes = FileHashes()
    embed(Plain(), scenes, "image", tmp_path / "rows", hash_of=hashes)
    monkeypatch.setattr("conceptbind.core.files.file_hash", lambda path: pytest.fail("read again"))
    digests = [hashes(path) for path in paths_of(folder)]
    assert digests[0] == hashlib.sha256(paths_of(folder)[0].read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"workers": -1}, "--workers must lie between 0 and 256; got -1"),
        ({"workers": 1000}, "--workers must lie between 0 and 256; got 1000"),
        ({"picture_batch": 0}, "--picture-batch must lie between 1 and 65536; got 0"),
    ],
)
def test_what_is_out_of_range_is_refused(asked, message):
    with pytest.raises(ValueRangeError, match=message):
        open_encoder("tiny", Opening(device="cpu", **asked))


def test_an_encoder_is_fed_as_it_was_opened(folder):
    tiny = open_encoder("tiny", Opening(device="cpu", workers=3, picture_batch=10))
    assert threads_for(tiny) == 3
    assert threads_for(tiny, 0) == 0
    paths = paths_of(folder)
    assert [len(part.hashes) for part in picture_rows(tiny, paths)] == [10] * 15
    expected, _ = rows_of(resolve("tiny", device="cpu"), paths, 0)
    np.testing.assert_allclose(rows_of(tiny, paths, None)[0], expected, atol=1e-5)
    plain = Plain()
    assert threads_for(plain) >= 1
    plain.workers = 0
    assert threads_for(plain) == 0
