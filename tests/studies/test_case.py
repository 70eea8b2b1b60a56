"""What studies share is made once in a default run: rows, hashes of pictures, the bag's probes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from conceptbind import measure
from conceptbind.core import files
from conceptbind.probes import study
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from conceptbind.studies import Asked, Case
from planted import object_codes

SHAPES = ("square", "triangle", "circle")


@pytest.fixture(scope="module")
def scenes():
    return full_grid(ConceptSpace(("color", "shape"), (tuple("rgb"), tuple("xyz"))))


def test_rows_are_embedded_when_they_are_asked_for_and_once(scenes, tmp_path):
    asked = Counter()

    class Encoder:
        id, revision, dimension, modalities = "codes", "1", 12, ("text",)

        def encode_texts(self, texts):
            asked.update(texts)
            words = [text.encode()[:12].ljust(12) for text in texts]
            return np.stack([np.frombuffer(word, np.uint8) for word in words]).astype(np.float32)

        def encode_images(self, images):
            raise AssertionError

    case = Case(Encoder(), scenes, split_scenes(scenes), ("text",), tmp_path, Asked(controls=False))
    assert not asked
    assert case.rows("text") is case.rows("text")
    assert set(asked.values()) == {1}
    assert case.twins == {}
    assert case.controls("text") == {}
    assert case.probes("text") is case.probes("text") is case.heads("text")
    assert case.bag_probes is case.bag_probes
    assert case.singles is None


def test_an_array_has_rows_and_no_encoder(scenes, tmp_path):
    values = object_codes(scenes, 12)
    case = Case(values, scenes, split_scenes(scenes), ("image",), tmp_path)
    np.testing.assert_allclose(np.linalg.norm(case.rows("image").values, axis=1), 1, rtol=1e-6)
    assert case.encoder is None
    assert not case.encodes("image")
    assert case.objects_alone("image") is None
    assert case.objects_alone("text") is None
    assert case.twins == {}


def test_a_run_makes_each_thing_once(scenes, tmp_path, monkeypatch):
    """Each array is made unit rows once, each picture hashed once, the bag's probes fitted once."""
    divided, hashed, bags = Counter(), Counter(), Counter()
    made, hash_of, fit = Embeddings._divided.func, files.file_hash, study.fit_scene_probes

    def counted(rows):
        divided[rows.encoder, rows.modality, rows.scenes_name] += 1
        return made(rows)

    def counted_hash(path):
        hashed[path.name] += path.suffix == ".png"
        return hash_of(path)

    def counted_fit(rows, *args, **options):
        bags["bag"] += rows.shape[1] == sum(scenes.space.sizes)
        return fit(rows, *args, **options)

    monkeypatch.setattr(Embeddings._divided, "func", counted)
    monkeypatch.setattr(files, "file_hash", counted_hash)
    monkeypatch.setattr(study, "fit_scene_probes", counted_fit)
    table = replace(
        full_grid(ConceptSpace(("color", "shape"), (("red", "blue", "green"), SHAPES))),
        drawing="flat",
    )
    run = measure("tiny", scenes=table, complexity="none", out=str(tmp_path / "run"))
    assert len(run.records) > 100
    assert len(divided) == 8
    assert set(divided.values()) == {1}
    pictures = {name: n for name, n in hashed.items() if n}
    assert len(pictures) == len(table)
    assert set(pictures.values()) == {1}
    assert bags["bag"] == 1
