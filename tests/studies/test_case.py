"""What studies share is made once in a default run: rows, hashes of pictures, the bag's probes."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml

from conceptbind import measure
from conceptbind.core.errors import ConceptBindError
from conceptbind.rows import source_of
from conceptbind.scenes import ConceptSpace, full_grid, load_scenes, split_scenes
from conceptbind.studies import Asked, Case
from conceptbind.within.usable import DRAWN
from planted import object_codes


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


def test_a_run_makes_each_thing_once(main_job):
    """Each array is made unit rows once, the bag's probes are fitted once, and no picture is read
    for its hash alone: it is hashed while it is read for an encoder.
    """
    made = json.loads((main_job.folder.parent / "made.json").read_text())
    assert len(made["units"]) == 15
    assert set(made["units"].values()) == {1}
    drawn = [len(list((main_job.folder / folder).glob("*.png"))) for folder in ("pictures", DRAWN)]
    assert drawn == [576, 600]
    assert made["hashes"] == {}
    bag = sum(load_scenes("clevr2d").space.sizes)
    assert made["fits"][f"{bag}"] == 1
    assert made["fits"].keys() > {f"{bag}"}


@pytest.mark.slow
def test_arrays_frames_and_paths_are_taken_wherever_a_name_is(scenes, tmp_path):
    rows = object_codes(scenes, 12)
    np.save(tmp_path / "rows.npy", rows)
    columns = [f"{concept}_{slot}" for slot in (1, 2) for concept in scenes.space.concepts]
    names = [
        [scenes.space.values[k][value] for slot in row for k, value in enumerate(slot)]
        for row in scenes.table.tolist()
    ]
    frame = pd.DataFrame(names, columns=columns)
    frame.to_csv(tmp_path / "scenes.csv", index=False)
    how = {"modality": "text", "studies": "probe"}
    named = measure(
        f"file:{tmp_path / 'rows.npy'}",
        scenes=str(tmp_path / "scenes.csv"),
        out=str(tmp_path / "a"),
        **how,
    )
    for i, encoder in enumerate(
        (
            rows,
            pd.DataFrame(rows),
            {"text": rows},
            rows.tolist(),
            tmp_path / "rows.npy",
            source_of(rows),
        )
    ):
        table = (frame, tmp_path / "scenes.csv")[i % 2]
        found = measure(encoder, scenes=table, out=tmp_path / f"run{i}", **how)
        assert [r.value for r in found.records] == [r.value for r in named.records]
        assert yaml.safe_load((found.folder / "config.yaml").read_text())["encoder"]


def test_two_arrays_are_two_runs(scenes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = object_codes(scenes, 12)
    how = {"scenes": scenes, "modality": "text", "studies": "probe"}
    one, other = measure(rows, **how), measure(rows[:, ::-1].copy(), **how)
    assert one.folder != other.folder
    assert measure(rows, **how).folder == one.folder


def test_what_is_neither_rows_nor_an_encoder_is_named(scenes, tmp_path):
    for given, words in (
        (np.zeros(9), r"must be real numbers of shape \(rows, dimensions\); got float64 \(9,\)"),
        ({"sound": np.eye(9)}, "expected arrays named 'text' and 'image'; got sound"),
        (np.full((36, 4), np.nan), "NaN"),
        (3, "is not an encoder: int lacks"),
    ):
        with pytest.raises(ConceptBindError, match=words):
            measure(given, scenes=scenes, modality="text", out=tmp_path / "run")
    with pytest.raises(ConceptBindError, match="expected scenes as a name, the path of a table"):
        measure("tiny", scenes=3, out=tmp_path / "run")
    with pytest.raises(ConceptBindError, match="the data frame 'table' is empty"):
        measure("tiny", scenes=pd.DataFrame({"color": []}), out=tmp_path / "run")
