"""LabClip keeps scikit-learn's contract, and holds pairs out without leaks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.repairs.labclip import LabClip, Pairs, hold_out
from repairs.labclip.planted_pairs import binding_accuracy, planted, unit

LABELS = "the check gives labels (n,), some of them zero, and pictures are rows"
EXPECTED = {
    "check_transformer_general": LABELS,
    "check_transformer_data_not_an_array": LABELS,
    "check_estimators_dtypes": "the check cuts random numbers to integers, and a row of zeros has "
    "no direction",
}


@pytest.fixture(scope="module")
def rows():
    return planted("rotated", 1000)


@pytest.fixture(scope="module")
def fitted(rows):
    images, texts, negatives = rows
    return LabClip(batch=256).fit(texts, images, negatives=negatives)


def test_scikit_learns_checks_pass_and_those_that_cannot_are_known():
    found = check_estimator(LabClip(), expected_failed_checks=EXPECTED, on_skip=None)
    assert {check["check_name"] for check in found if check["status"] == "xfail"} == set(EXPECTED)
    assert sum(check["status"] == "passed" for check in found) >= 40


def test_what_the_expected_failures_would_have_checked(rows):
    """Fit and transform in one, lists, and whole numbers without a zero row."""
    images, texts, _ = (part[:60].astype(np.float64) for part in rows)
    expected = LabClip().fit(texts, images).transform(texts)
    np.testing.assert_array_equal(LabClip().fit_transform(texts, images), expected)
    np.testing.assert_array_equal(
        LabClip().fit(texts.tolist(), images.tolist()).transform(texts.tolist()), expected
    )
    whole = np.random.default_rng(0).integers(1, 9, size=(60, 5))
    np.testing.assert_array_equal(
        LabClip().fit(whole, whole).transform(whole),
        LabClip().fit(whole * 1.0, whole * 1.0).transform(whole * 1.0),
    )


def test_fit_stores_what_it_found_and_leaves_its_parameters(fitted, rows):
    images, texts, negatives = rows
    assert fitted.get_params() == LabClip(batch=256).get_params()
    assert fitted.n_features_in_ == 48
    assert fitted.helps_
    assert fitted.weight_ is fitted.adapter_.weight
    assert len(fitted.candidates_) == 11
    assert binding_accuracy(fitted.weight_, images, texts, negatives) > 0.98
    copy = clone(fitted)
    assert not hasattr(copy, "adapter_")
    assert copy.fit(texts, images, negatives=negatives) is copy
    np.testing.assert_array_equal(copy.weight_, fitted.weight_)


def test_transform_is_the_map_normalised(fitted, rows):
    mapped = fitted.transform(rows[1])
    np.testing.assert_allclose(
        mapped, unit(rows[1].astype(np.float64) @ fitted.weight_.T.astype(np.float64)), atol=1e-6
    )
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(rows[1]), mapped)


def test_it_stands_in_a_pipeline(rows):
    images, texts, _ = rows
    line = make_pipeline(FunctionTransformer(), LabClip(batch=256)).fit(texts, images)
    assert line.transform(texts).shape == texts.shape


def test_nothing_is_transformed_before_a_fit(rows):
    with pytest.raises(NotFittedError):
        LabClip().transform(rows[1])


@pytest.mark.parametrize("broken", [1, 2])
def test_broken_rows_and_other_lengths_are_named(rows, broken):
    images, texts, negatives = (part.copy() for part in rows)
    with pytest.raises(ShapeError, match="the pictures has 999 rows, the captions 1,000"):
        LabClip().fit(texts, images[1:], negatives=negatives)
    with pytest.raises(
        ShapeError, match=r"the captions has shape \(1000, 48\), the negatives \(999, 48\)"
    ):
        LabClip().fit(texts, images, negatives=negatives[1:])
    with pytest.raises(
        ValueRangeError, match="1 of 1,000 negatives equal their caption, the first at index 5"
    ):
        LabClip().fit(
            texts, images, negatives=np.vstack([negatives[:5], texts[5:6], negatives[6:]])
        )
    (images, texts, negatives)[broken][3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        LabClip().fit(texts, images, negatives=negatives)


def test_several_captions_of_a_picture_are_fitted_with_image_of(rows):
    images, texts, negatives = rows
    twice = np.repeat(np.arange(500), 2)
    pairs = LabClip(batch=128).fit(texts, images[:500], negatives=negatives, image_of=twice)
    # equal rows are one picture as well
    copied = LabClip(batch=128).fit(texts, images[twice], negatives=negatives)
    np.testing.assert_array_equal(pairs.weight_, copied.weight_)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_one_picture_and_one_caption_stay_on_one_side(data):
    n = data.draw(st.integers(4, 40))
    kinds = data.draw(st.integers(n, 3 * n))  # fewer would hang together
    ids = st.lists(st.integers(0, kinds - 1), min_size=n, max_size=n)
    image_of, says = data.draw(ids), data.draw(ids)
    codes = np.random.default_rng(0).normal(size=(kinds, 4))
    pairs = Pairs.of(codes, codes[says], image_of=image_of)
    share, seed = data.draw(st.floats(0.05, 0.9)), data.draw(st.integers(0, 99))
    try:
        train, chooses = hold_out(pairs, share, seed)
    except ValueRangeError:
        reject()  # all hang together, or nearly
    assert sorted([*train, *chooses]) == list(range(n))
    assert min(len(train), len(chooses)) >= 2
    for column in (image_of, says):
        assert not {column[row] for row in train} & {column[row] for row in chooses}
    again = hold_out(pairs, share, seed)
    np.testing.assert_array_equal(again[0], train)


def test_a_chain_of_pictures_and_captions_stays_on_one_side():
    """Pairs 0-1 share a caption, 1-2 a picture, 2-3 a caption: none may be parted, and the other
    pairs can.
    """
    codes = np.random.default_rng(0).normal(size=(12, 4))
    image_of, says = [0, 1, 1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 3, 4, 5]
    pairs = Pairs.of(codes, codes[says], image_of=image_of)
    sides = set()
    for seed in range(20):
        _, chooses = hold_out(pairs, 0.5, seed)
        assert len({0, 1, 2, 3} & set(chooses.tolist())) in (0, 4)
        sides.add(tuple(chooses))
    assert len(sides) > 3
    assert any(0 in side for side in sides) and any(0 not in side for side in sides)


def test_the_share_is_a_share_of_the_pictures():
    codes = np.random.default_rng(0).normal(size=(1000, 4))
    train, chooses = hold_out(Pairs.of(codes, codes[:, :3]), 0.2, 0)
    assert (len(train), len(chooses)) == (800, 200)
    train, chooses = hold_out(Pairs.of(codes[:10], codes[:10]), 0.1, 0)
    assert (len(train), len(chooses)) == (8, 2)  # one pair could not choose


def test_what_hangs_together_and_is_larger_than_the_part_is_fitted_on():
    """Half of the pairs have one caption: a tenth of the groups must not be most of the pairs."""
    codes = np.random.default_rng(0).normal(size=(400, 4))
    pairs = Pairs.of(codes, codes[np.maximum(np.arange(400) - 200, 0)])
    for seed in range(20):
        train, chooses = hold_out(pairs, 0.1, seed)
        assert 2 <= len(chooses) <= 60
        assert np.isin(np.arange(200), train).all()


def test_which_pairs_are_held_out_does_not_depend_on_what_the_rows_hold():
    """Two encoders, or one encoder in two precisions, choose on the same pairs."""
    image_of, says = [0, 0, 1, 2, 3, 4, 5, 6, 7, 7], [0, 1, 2, 3, 3, 4, 5, 6, 7, 8]
    codes = np.random.default_rng(0).normal(size=(3, 9, 4))
    splits = [
        hold_out(Pairs.of(rows, rows[says], image_of=image_of), 0.4, 1)[1].tolist()
        for rows in (*codes, codes[0].astype(np.float16))
    ]
    assert all(split == splits[0] for split in splits)


def test_what_cannot_be_divided_is_said():
    codes = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(ValueRangeError, match="6 pairs cannot be divided"):
        hold_out(Pairs.of(codes[:1], codes, image_of=[0] * 6), 0.5, 0)
    for share in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueRangeError, match="validation share must lie between 0 and 1"):
            hold_out(Pairs.of(codes, codes), share, 0)
