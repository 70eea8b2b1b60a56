"""The map of captions as an object: what it computes, what it refuses, and whose it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError
from conceptbind.repairs.labclip import Adapter, identity, load_adapter
from repairs.labclip.planted_pairs import unit

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(6, 4)).astype(np.float32)
TEXTS = RNG.normal(size=(9, 4)).astype(np.float32)
ADAPTER = Adapter(WEIGHT, 1.5, {"encoder": "tiny", "revision": "abc"})


def test_a_caption_is_mapped_and_normalised():
    turn = Adapter(np.array([[0, -1], [2, 0]], np.float32), 0.0)
    np.testing.assert_allclose(
        turn(np.array([[3.0, 0.0], [0.0, 5.0], [3.0, 1.0]])),
        unit([[0, 1], [-1, 0], [-1, 6]]),
        atol=1e-7,
    )


def test_it_is_torchs_linear_layer_normalised():
    found = ADAPTER(TEXTS)
    expected = torch.nn.functional.normalize(
        torch.nn.functional.linear(torch.from_numpy(TEXTS), torch.from_numpy(WEIGHT)), dim=1
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=3e-7)


def test_a_published_file_maps_as_torch_does(shared_data):
    path = shared_data / "labclip_coco_neg_B32.pt"
    tensors = torch.load(path, weights_only=True, map_location="cpu")  # it was saved from a GPU
    adapter = load_adapter(path)
    assert adapter.weight.shape == (512, 512) and adapter.weight.dtype == np.float32
    np.testing.assert_array_equal(adapter.weight, tensors["linear.weight"].numpy())
    assert adapter.log_temperature == float(tensors["t"])
    texts = np.random.default_rng(0).normal(size=(200, 512)).astype(np.float32)
    expected = torch.nn.functional.normalize(
        torch.from_numpy(texts) @ tensors["linear.weight"].T, dim=1
    )
    np.testing.assert_allclose(adapter(texts), expected.numpy(), atol=1e-6)
    wrong_side = torch.nn.functional.normalize(
        torch.from_numpy(texts) @ tensors["linear.weight"], dim=1
    )
    # the matrix is not symmetric, so the side counts
    assert np.abs(adapter(texts) - wrong_side.numpy()).max() > 0.01
    np.testing.assert_array_equal(adapter.pulled(1).weight, adapter.weight)


@settings(max_examples=40, deadline=None)
@given(st.floats(-290, 290), st.sampled_from([np.float32, np.float64]))
def test_the_scale_of_a_row_does_not_matter(power, kind):
    scale = np.float64(10.0) ** (np.clip(power, -36, 36) if kind is np.float32 else power)
    np.testing.assert_allclose(
        ADAPTER((TEXTS.astype(np.float64) * scale).astype(kind)), ADAPTER(TEXTS), atol=1e-6
    )


def test_half_precision_and_whole_numbers_are_mapped():
    half = TEXTS.astype(np.float16)
    np.testing.assert_allclose(ADAPTER(half), ADAPTER(half.astype(np.float32)), atol=1e-6)
    np.testing.assert_array_equal(
        ADAPTER(np.eye(4, dtype=np.int64)), ADAPTER(np.eye(4, dtype=np.float32))
    )


def test_rows_are_mapped_alone():
    # more than one block
    many = np.random.default_rng(1).normal(size=(65_540, 4)).astype(np.float32)
    found = ADAPTER(many)
    np.testing.assert_allclose(found[65_530:], ADAPTER(many[65_530:]), atol=1e-6)
    assert ADAPTER(TEXTS[:0]).shape == (0, 6)


def test_another_width_names_both():
    with pytest.raises(
        ShapeError,
        match=r"this adapter \('tiny'\) maps rows of 4 dimensions; got an array of shape \(9, 3\)",
    ):
        ADAPTER(TEXTS[:, :3])
    with pytest.raises(
        ShapeError, match=r"this adapter maps rows of 4 dimensions; got an array of shape \(4,\)"
    ):
        Adapter(WEIGHT, 0.0)(TEXTS[0])


def test_rows_without_a_direction_are_named():
    texts = TEXTS.copy()
    texts[5] = 0
    with pytest.raises(
        ValueRangeError, match="row index 5 is mapped to zero and cannot be normalised"
    ):
        ADAPTER(texts)
    forget = Adapter(np.diag([1.0, 0, 0, 0]).astype(np.float32), 0.0)
    with pytest.raises(ValueRangeError, match="row index 1 is mapped to zero"):
        forget(np.eye(4))
    far = np.ones((65_540, 4), np.float32)
    far[65_539] = 0
    with pytest.raises(ValueRangeError, match="row index 65539 is mapped to zero"):
        ADAPTER(far)
    texts[5] = np.nan
    with pytest.raises(ValueRangeError, match="captions must be finite; .* index 5"):
        ADAPTER(texts)


@pytest.mark.parametrize(
    "weight", [np.ones(4, np.float32), np.ones((0, 4), np.float32), np.ones((2, 2, 2), np.float32)]
)
def test_a_weight_must_be_a_matrix(weight):
    with pytest.raises(ShapeError, match=r"must be \(d_out, d_in\)"):
        Adapter(weight, 0.0)


def test_a_weight_must_be_finite():
    with pytest.raises(ValueRangeError, match="the adapter's weight must be finite"):
        Adapter(np.array([[1.0, np.nan]], np.float32), 0.0)


def test_another_encoder_and_other_weights_of_it_are_refused_with_both_names():
    ADAPTER.require("tiny", "abc")
    Adapter(WEIGHT, 0.0).require("anything", "1")  # a published file does not say
    with pytest.raises(
        MismatchError,
        match=r"fitted on 'tiny' \(abc\), but the captions are embedded by 'large' \(abc\)",
    ):
        ADAPTER.require("large", "abc")
    with pytest.raises(
        MismatchError,
        match=r"fitted on 'tiny' \(abc\), but the captions are embedded by 'tiny' \(def\)",
    ):
        ADAPTER.require("tiny", "def")


def test_the_pull_goes_from_the_identity_to_the_map():
    np.testing.assert_array_equal(ADAPTER.pulled(0).weight, np.eye(6, 4))
    np.testing.assert_array_equal(ADAPTER.pulled(1).weight, WEIGHT)
    half = ADAPTER.pulled(0.5)
    np.testing.assert_allclose(half.weight, (np.eye(6, 4) + WEIGHT) / 2, atol=1e-7)
    assert half.weight.dtype == np.float32
    assert half.config == {"encoder": "tiny", "revision": "abc", "pull": 0.5}
    assert "pull" not in ADAPTER.config
    half.require("tiny", "abc")


def test_the_identity_changes_directions_of_nothing():
    np.testing.assert_allclose(identity(4)(TEXTS), unit(TEXTS), atol=1e-7)
    np.testing.assert_allclose(identity(2, 4)(TEXTS), unit(TEXTS[:, :2]), atol=1e-7)
