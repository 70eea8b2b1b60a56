"""Rows of single objects that are given: as if the encoder had embedded them, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import conceptbind
from conceptbind.core.errors import ConceptBindError
from conceptbind.encoders import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.scenes import text20

TABLE = text20(3, 3)
ASKED = {"scenes": TABLE, "modality": "text", "studies": "geometry", "controls": False}


def edits(found):
    return [r for r in found.records.where(study="edit", estimator="single") if r.value is not None]


def test_given_rows_are_what_the_encoder_would_embed(tmp_path):
    encoder = open_encoder("tiny", Opening())
    rows = np.asarray(encoder.encode_texts(tuple(TABLE.captions())))
    names = [f"a {TABLE.space.object_name(item)}" for item in range(TABLE.space.n_objects)]
    np.save(tmp_path / "alone.npy", np.asarray(encoder.encode_texts(names)))
    by_encoder = conceptbind.measure(encoder, **ASKED, out=tmp_path / "a")
    without = conceptbind.measure(rows, **ASKED, out=tmp_path / "b")
    given = conceptbind.measure(rows, **ASKED, singles=tmp_path / "alone.npy", out=tmp_path / "c")
    assert edits(by_encoder)
    assert not edits(without)
    expected = [(r.metric, r["attribute"], r.value, r.n) for r in edits(by_encoder)]
    assert [(r.metric, r["attribute"], r.value, r.n) for r in edits(given)] == expected
    # an array of a program is taken as a file is
    rows_of_one = np.load(tmp_path / "alone.npy")
    again = conceptbind.measure(rows, **ASKED, singles=rows_of_one, out=tmp_path / "d")
    assert [r.value for r in edits(again)] == [r.value for r in edits(given)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.ones((8, 4)), "one row for each of 9 objects; got shape"),
        (np.ones(9), "one row for each of 9 objects"),
        (np.full((9, 4), np.nan), "singles must be finite"),
        (np.zeros((9, 4)), "a row of length 0"),
    ],
)
def test_rows_that_are_not_one_for_each_object_are_refused(rows, said, tmp_path):
    own = np.random.default_rng(0).normal(size=(81, 4))
    with pytest.raises(ConceptBindError, match=said):
        conceptbind.measure(own, **ASKED, singles=rows, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_array_cannot_be_of_two_modalities(tmp_path):
    asked = {**ASKED, "modality": "both", "scenes": "clevr2d"}
    with pytest.raises(ConceptBindError, match="say which with"):
        conceptbind.measure("tiny", **asked, singles=np.ones((24, 4)), out=tmp_path / "run")
