"""Embedding survives kill -9, never mixes rows of two encoders, and never lets rows and scenes get
out of step.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save_file

from conceptbind.core.errors import (
    FileError,
    MismatchError,
    ModalityError,
    ShapeError,
    ValueRangeError,
)
from conceptbind.core.kept import Kept, write_piece
from conceptbind.rows import embeddings, encoding, shards
from conceptbind.rows.embeddings import embed, load
from conceptbind.scenes import text20


class Letters:
    """A deterministic encoder of captions: how often each letter occurs, and which caption came
    when.
    """

    id, revision, dimension, modalities = "letters", "1", 26, ("text",)
    details = {"precision": "float32"}

    def __init__(self):
        self.seen = []

    def encode_texts(self, texts):
        self.seen += texts
        return np.array(
            [[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32
        )

    def encode_images(self, images):
        return np.array(
            [np.asarray(image.resize((2, 1)), dtype=np.float32).ravel()[:6] for image in images]
        )


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    monkeypatch.setattr(encoding, "TEXT_BATCH", 20)


@pytest.mark.usefixtures("small_shards")
def test_rows_are_those_of_the_captions_in_order(tmp_path, small_scenes):
    encoder, done = Letters(), []
    rows = embed(encoder, small_scenes, "text", tmp_path / "e", on_rows=done.append)
    assert encoder.seen == list(small_scenes.captions())
    np.testing.assert_array_equal(
        rows.values, Letters().encode_texts(list(small_scenes.captions()))
    )
    assert sum(done) == len(small_scenes)
    rows.check(small_scenes)


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_embedding_continues_after_its_last_shard(tmp_path, small_scenes):
    class Dies(Letters):
        def encode_texts(self, texts):
            if len(self.seen) >= 120:
                raise KeyboardInterrupt
            return super().encode_texts(texts)

    with pytest.raises(KeyboardInterrupt):
        embed(Dies(), small_scenes, "text", tmp_path / "e")
    with pytest.raises(FileError, match="unfinished: 2 of 6 shards"):
        load(tmp_path / "e")
    second = Letters()
    rows = embed(second, small_scenes, "text", tmp_path / "e")
    assert second.seen == list(small_scenes.captions(100))
    np.testing.assert_array_equal(
        rows.values, Letters().encode_texts(list(small_scenes.captions()))
    )


def test_kill_9_in_the_middle_gives_the_same_rows(tmp_path):
    """A real process is killed while it embeds; the next one finishes its folder."""
    script = tmp_path / "work.py"
    script.write_text(
        textwrap.dedent("""
            import sys, time, zlib
            from pathlib import Path
            import numpy as np
            from conceptbind.rows import embeddings, encoding, shards
            from conceptbind.scenes import text20
            shards.SHARD_ROWS, encoding.TEXT_BATCH = 20, 10

            class Slow:
                id, revision, dimension, modalities = "slow", "1", 3, ("text",)
                def encode_texts(self, texts):
                    time.sleep(float(sys.argv[2]))
                    return np.array([[zlib.crc32(t.encode()) % 1000, len(t), 1] for t in texts], dtype=np.float32)
                encode_images = None

            embeddings.embed(Slow(), text20(4, 4), "text", Path(sys.argv[1]))
        """)  # noqa: E501
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, str(script), str(killed), "0.05"])
    deadline = time.monotonic() + 60
    while len(list(killed.glob("rows-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_before = len(list(killed.glob("rows-*")))
    assert 3 <= n_before < 13
    for folder in (killed, whole):
        subprocess.run([sys.executable, str(script), str(folder), "0"], check=True)
    np.testing.assert_array_equal(load(killed).values, load(whole).values)
    assert not list(killed.glob("*.part*"))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("id", "other"), ("revision", "2"), ("dimension", 27), ("details", {"precision": "bf16"})],
)
def test_rows_of_another_encoder_are_never_reused(tmp_path, small_scenes, attribute, value):
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    other = Letters()
    setattr(other, attribute, value)
    with pytest.raises(
        MismatchError,
        match=r"(encoder|revision|dimension|details\.precision): "
        f".*{value if attribute != 'details' else 'bf16'}",
    ):
        embed(other, small_scenes, "text", tmp_path / "e")
    assert other.seen == []


def test_rows_of_other_scenes_are_never_reused(tmp_path, small_scenes):
    rows = embed(Letters(), small_scenes, "text", tmp_path / "e")
    for other in (
        text20(4, 5),
        replace(small_scenes, template="{object}"),
        small_scenes.select(np.arange(256)[::-1]),
    ):
        with pytest.raises(MismatchError, match="scenes_hash"):
            embed(Letters(), other, "text", tmp_path / "e")
        with pytest.raises(
            MismatchError, match=r"belong to the scenes 'text20:4x4' .* not to '.*' \(\d+ scenes"
        ):
            rows.check(other)


@pytest.mark.usefixtures("small_shards")
def test_a_foreign_shard_is_found(tmp_path, small_scenes):
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    shard = tmp_path / "e" / "rows-000000050.safetensors"
    write_piece(
        shard, {"embeddings": np.zeros((50, 26), dtype=np.float32)}, {"manifest": "another"}
    )
    with pytest.raises(MismatchError, match="for the manifest another"):
        load(tmp_path / "e")
    shard.write_bytes(shard.read_bytes()[:40])
    with pytest.raises(FileError, match="is broken"):
        load(tmp_path / "e")


def test_manifest_says_whose_rows_these_are(tmp_path, small_scenes):
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    expected = {
        "encoder": "letters",
        "revision": "1",
        "dimension": 26,
        "modality": "text",
        "rows": 256,
        "normalisation": "none",
    }
    assert expected.items() <= manifest.items()
    assert manifest["scenes_hash"] == small_scenes.content_hash
    assert "conceptbind" in manifest["versions"]


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (
            np.full((256, 26), np.nan, np.float32),
            ValueRangeError,
            "for the scenes 0..255, in single precision, must be finite",
        ),
        (
            np.zeros((255, 26), np.float32),
            ShapeError,
            r"given 256 scenes and returned an array of shape \(255, 26\)",
        ),
        (np.zeros((256, 25), np.float32), ShapeError, r"expected \(256, 26\)"),
    ],
)
def test_wrong_features_are_refused_and_nothing_is_written(
    tmp_path, small_scenes, result, error, text
):
    encoder = Letters()
    encoder.encode_texts = lambda _: result
    with pytest.raises(error, match=text):
        embed(encoder, small_scenes, "text", tmp_path / "e")
    assert not list((tmp_path / "e").glob("rows-*"))


def test_modalities_that_cannot_be_done(tmp_path, small_scenes):
    with pytest.raises(ModalityError, match="'letters' encodes text, not image"):
        embed(Letters(), small_scenes, "image", tmp_path / "e")
    encoder = Letters()
    encoder.modalities = ("text", "image")
    with pytest.raises(ModalityError, match="have no pictures"):
        embed(encoder, small_scenes, "image", tmp_path / "e")


def test_pictures_are_embedded_and_a_missing_one_is_named(tmp_path):
    scenes = text20(2, 2)
    scenes = replace(scenes, images=tuple(f"{i}.png" for i in range(16)), image_folder=tmp_path)
    for i in range(16):
        Image.new("RGB", (2, 1), (i, 2 * i, 3 * i)).save(tmp_path / f"{i}.png")
    encoder = Letters()
    encoder.modalities, encoder.dimension = ("image",), 6
    rows = embed(encoder, scenes, "image", tmp_path / "e")
    assert rows.values[5].tolist() == [5, 10, 15, 5, 10, 15]
    (tmp_path / "7.png").unlink()
    with pytest.raises(FileError, match=r"names the picture .*7\.png, which is not there"):
        embed(encoder, scenes, "image", tmp_path / "again")


def test_full_disk_is_one_clear_error_and_leaves_no_half_file(tmp_path):
    """A process whose files may not grow beyond 4 kB stands for a full disk: the write itself
    fails.
    """
    code = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from conceptbind.core.errors import FileError
        from conceptbind.core.files import write_whole
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_whole(Path(sys.argv[1]) / "big.bin", bytes(100_000))
        except FileError as error:
            print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "could not write" in done.stdout
    assert "free some space" in done.stdout
    assert list(tmp_path.iterdir()) == []


@given(st.integers(1, 6), st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_unit_rows_have_length_one(n, scale):
    rows = embeddings.Embeddings(
        np.random.default_rng(n).normal(size=(n, 5)) * scale, "text", "", "s", "e", "1"
    )
    unit = rows.unit()
    np.testing.assert_allclose(np.linalg.norm(unit.values, axis=1), 1)
    assert unit.normalisation == "unit"


def test_a_zero_row_cannot_be_normalised():
    rows = embeddings.Embeddings(np.array([[1.0, 0], [0, 0]]), "text", "", "s", "e", "1")
    with pytest.raises(ValueRangeError, match="row index 1 of the embeddings of 'e' is all zeros"):
        rows.unit()


def test_pictures_that_were_replaced_are_embedded_again(tmp_path):
    """The same names, other pixels: the rows on disk are not theirs."""

    class Mean(Letters):
        dimension, modalities = 3, ("image",)

        def encode_images(self, images):
            return np.array(
                [np.asarray(image).mean(axis=(0, 1)) for image in images], dtype=np.float32
            )

    scenes = replace(
        text20(2, 2), images=tuple(f"{i}.png" for i in range(16)), image_folder=tmp_path
    )
    for color in ("red", "blue"):
        for name in scenes.images:
            Image.new("RGB", (4, 4), color).save(tmp_path / name)
        rows = embed(Mean(), scenes, "image", tmp_path / "e")
        np.testing.assert_array_equal(
            rows.values, [[255, 0, 0] if color == "red" else [0, 0, 255]] * 16
        )


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def _resave(change):
    def damage(path):
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as shard:
            rows, facts = shard.get_tensor("embeddings"), shard.metadata()
        save_file({"embeddings": np.ascontiguousarray(change(rows))}, path, metadata=facts)

    return damage


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        _resave(lambda rows: rows[::-1]),
        _resave(lambda rows: rows.astype(np.int64)),
        _resave(lambda rows: rows.astype(np.float64)),
    ],
    ids=["a flipped bit", "reversed rows", "integers", "another precision"],
)
def test_rows_that_changed_on_disk_are_refused(tmp_path, small_scenes, damage):
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    load(tmp_path / "e")  # the control: as they were written they are read
    damage(tmp_path / "e" / "rows-000000050.safetensors")
    for read in (
        lambda: load(tmp_path / "e"),
        lambda: embed(Letters(), small_scenes, "text", tmp_path / "e"),
    ):
        with pytest.raises(
            FileError, match=r"rows-000000050.* changed or damaged since it was written"
        ):
            read()
    (tmp_path / "e" / "rows-000000050.safetensors").unlink()  # as the message says
    np.testing.assert_array_equal(
        embed(Letters(), small_scenes, "text", tmp_path / "e").values,
        Letters().encode_texts(list(small_scenes.captions())),
    )


@pytest.mark.usefixtures("small_shards")
def test_shards_of_the_same_folder_cannot_be_exchanged(tmp_path, small_scenes):
    """Each is whole and of this manifest; the checksum of all tells."""
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    first, second = (tmp_path / "e" / f"rows-{start:09d}.safetensors" for start in (0, 50))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    with pytest.raises(FileError, match="not those of the checksum"):
        load(tmp_path / "e")


def test_stored_rows_that_changed_are_refused(tmp_path, small_scenes):
    values = np.random.default_rng(0).normal(size=(256, 4))
    rows = embeddings.Embeddings(
        values, "text", small_scenes.content_hash, small_scenes.name, "e", "1"
    )
    embeddings.store(rows, tmp_path / "e")
    embeddings.store(rows, tmp_path / "e")
    _flip(tmp_path / "e" / "rows-000000000.safetensors")
    with pytest.raises(FileError, match="changed or damaged"):
        embeddings.store(rows, tmp_path / "e")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("rows", 10**12, "damaged at rows: expected int <= 1000000000"),
        ("rows", 10**9, "is unfinished: 1 of 244,141 shards"),
        ("rows", 0, "damaged at rows: expected int >= 1"),
        ("rows", "256", "damaged at rows: expected int, got str"),
        ("rows", True, "damaged at rows: expected int, got bool"),
        ("shard_rows", 0, "damaged at shard_rows: expected int >= 1"),
        ("shard_rows", 10**9, "holds"),
        ("dimension", 10**9, "damaged at dimension: expected int <= 1000000"),
        ("dimension", 10**6, "expects"),
        ("modality", "sound", "damaged at modality: unknown value 'sound'"),
        ("normalisation", None, "damaged at normalisation: expected str, got null"),
        ("details", [], "damaged at details: expected names and values, got list"),
        ("scenes", ..., "is damaged: it lacks scenes"),
        ("encoder", 3, "damaged at encoder: expected str, got int"),
        ("format", 1, "written by another version"),
        ("checksum", "0" * 64, "not those of the checksum"),
    ],
)
def test_manifests_that_state_what_cannot_be(tmp_path, small_scenes, field, value, message):
    embed(Letters(), small_scenes, "text", tmp_path / "e")
    path = tmp_path / "e" / "manifest.json"
    content = {**json.loads(path.read_text()), field: value}
    path.write_text(json.dumps({n: v for n, v in content.items() if v is not ...}))
    started = time.monotonic()
    with pytest.raises((FileError, MismatchError), match=message):
        load(tmp_path / "e")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-44])
def test_rows_beyond_single_precision_are_refused(tmp_path, small_scenes, factor):
    values = np.random.default_rng(0).normal(size=(256, 4)) * factor
    rows = embeddings.Embeddings(
        values, "text", small_scenes.content_hash, small_scenes.name, "e", "1"
    )
    with pytest.raises(ValueRangeError, match="in single precision, must"):
        embeddings.store(rows, tmp_path / "e")
    encoder = Letters()
    encoder.encode_texts, encoder.dimension = lambda _: values, 4
    with pytest.raises(ValueRangeError, match="in single precision, must"):
        embed(encoder, small_scenes, "text", tmp_path / "f")
    assert not list(tmp_path.rglob("rows-*"))


def test_a_joined_file_that_changed_is_refused(tmp_path, small_scenes):
    encoder = Letters()
    encoder.encode_texts = lambda texts: np.array(
        [[len(text), 1, i] for i, text in enumerate(texts)], dtype=np.float32
    )
    encoder.dimension = 3
    rows = np.array(embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e"))
    assert [path.name for path in sorted((tmp_path / "e").iterdir())] == [
        "manifest.json",
        "rows.npy",
    ]
    encoder.encode_texts = lambda _: pytest.fail("it is there")
    np.testing.assert_array_equal(
        embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e"), rows
    )
    _flip(tmp_path / "e" / "rows.npy")
    with pytest.raises(FileError, match="changed or damaged"):
        embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e")


def test_a_kill_between_joining_and_deleting_leaves_nothing(tmp_path, small_scenes, monkeypatch):
    """At each of the two places: before the checksum is written, and before the shards are gone."""
    encoder = Letters()
    encoder.encode_texts = lambda texts: np.array(
        [[len(text), 1, i] for i, text in enumerate(texts)], dtype=np.float32
    )
    encoder.dimension = 3
    whole = Kept.seal

    def killed(kept, checksum):
        if checksum is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(Kept, "seal", killed)
    with pytest.raises(KeyboardInterrupt):
        embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e")
    monkeypatch.setattr(Kept, "seal", whole)
    assert len(list((tmp_path / "e").iterdir())) == 3
    shard = next((tmp_path / "e").glob("rows-*"))
    data = shard.read_bytes()
    rows = np.array(embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e"))
    assert [path.name for path in sorted((tmp_path / "e").iterdir())] == [
        "manifest.json",
        "rows.npy",
    ]
    shard.write_bytes(data)
    np.testing.assert_array_equal(
        embeddings.embed_half(encoder, small_scenes, "text", tmp_path / "e"), rows
    )
    assert [path.name for path in sorted((tmp_path / "e").iterdir())] == [
        "manifest.json",
        "rows.npy",
    ]
