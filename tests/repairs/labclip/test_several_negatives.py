"""Captions with several hard negatives each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.core.names import Metric
from conceptbind.repairs.arrays import array_repair
from conceptbind.repairs.labclip import LabClip, Pairs, fit_pairs, groups_of, open_rows
from conceptbind.repairs.labclip.loss import loss_and_gradient
from repairs.labclip.planted_pairs import binding_accuracy, planted, unit
from repairs.labclip.test_pairs import rows, same_table


def two_kinds(n: int = 1200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planted pairs with the swap, and beside it the caption of another scene."""
    images, texts, swaps = planted("rotated", n, seed)
    return images, texts, np.stack([swaps, np.roll(texts, n // 2, axis=0)], axis=1)


def test_one_negative_in_an_axis_of_its_own_is_one_negative():
    images, texts, swaps = planted("rotated", 400)
    flat, deep = Pairs.of(images, texts, swaps), Pairs.of(images, texts, swaps[:, None])
    assert flat.n_negatives == deep.n_negatives == 1
    np.testing.assert_array_equal(groups_of(flat), groups_of(deep))
    half, rest = np.arange(300), np.arange(300, 400)
    weights = [
        fit_pairs(pairs.select(half), pairs.select(rest)).adapter.weight for pairs in (flat, deep)
    ]
    np.testing.assert_array_equal(*weights)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_no_comparison_agrees_with_loops(data):
    n, k = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 3))
    ids = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    image_of, texts = data.draw(ids), data.draw(ids)
    negatives = np.array([data.draw(ids) for _ in range(k)]).T  # (n, k)
    negatives = np.where(negatives == np.array(texts)[:, None], negatives + 4, negatives)
    false = np.stack([rows(*some) for some in negatives.T.tolist()], axis=1)
    pairs = Pairs.of(rows(0, 1, 2, 2), rows(*texts), false, image_of=image_of)
    picture = [min(row, 2) for row in image_of]
    chosen = np.array(data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))])
    b = len(chosen)
    expected = np.zeros((b, (1 + k) * b), dtype=bool)
    for i, one in enumerate(chosen):
        for j, two in enumerate(chosen):
            expected[i, j] = i != j and (texts[one] == texts[two] or picture[one] == picture[two])
            for which in range(k):
                expected[i, (1 + which) * b + j] = texts[one] == negatives[two, which]
    np.testing.assert_array_equal(same_table(pairs, chosen), expected)
    np.testing.assert_array_equal(same_table(pairs.select(chosen)), expected)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_rows_that_occur_often_are_multiplied_once_and_change_no_digit_but_the_last(k):
    """Five pictures and six captions in sixty pairs, as in scenes."""
    rng = np.random.default_rng(k)
    pictures, captions = (rng.normal(size=(n, 12)).astype(np.float32) for n in (5, 6))
    image_of, said = rng.integers(0, 5, 60), rng.integers(0, 6, 60)
    other = (said[:, None] + 1 + np.arange(k)) % 6
    negatives = None if k == 0 else captions[other if k > 1 else other[:, 0]]
    pairs = Pairs.of(pictures, captions[said], negatives, image_of=image_of)
    pairs = pairs.select(np.arange(2, 60))
    batch = pairs.batch(rng.permutation(58)[:50])
    assert batch.distinct is not None
    assert (len(batch.distinct.images), len(batch.distinct.texts)) == (5, 6)
    few, every = batch.distinct, replace(batch, distinct=None)
    assert torch.equal(few.images[few.image_of], batch.images)
    assert torch.equal(few.texts[few.text_of], batch.texts)
    weight = torch.from_numpy(rng.normal(size=(12, 12)).astype(np.float32))
    left, right = (torch.linalg.qr(torch.randn(12, 12))[0] for _ in range(2))
    one, two = (loss_and_gradient(weight, 0.7, part) for part in (batch, every))
    assert one.loss == pytest.approx(two.loss, rel=1e-5)
    assert one.log_temperature == pytest.approx(two.log_temperature, abs=1e-5)
    torch.testing.assert_close(one.weight, two.weight, atol=1e-6, rtol=1e-4)
    # in other axes the loss is the same and the gradient is turned
    for part in (batch, every):
        turned = loss_and_gradient(left.T @ weight @ right, 0.7, part.turned(left, right))
        assert turned.loss == pytest.approx(two.loss, rel=1e-5)
        torch.testing.assert_close(left @ turned.weight @ right.T, two.weight, atol=1e-5, rtol=1e-3)


def test_rows_that_occur_once_are_left_as_they_are():
    images, texts, negatives = two_kinds(40)
    assert Pairs.of(images, texts, negatives).batch(np.arange(40)).distinct is None


def test_the_loss_is_a_softmax_over_captions_and_all_negatives():
    images, texts, negatives = two_kinds(40)
    batch = Pairs.of(images, texts, negatives).batch(np.arange(40))
    rng = np.random.default_rng(0)
    weight = torch.from_numpy(rng.normal(size=(48, 48)).astype(np.float32))
    found = loss_and_gradient(weight, 0.7, batch).loss
    x, every = unit(images), [texts, negatives[:, 0], negatives[:, 1]]
    v = np.concatenate([unit(part @ weight.numpy().T) for part in every])
    scores = np.exp(0.7) * x @ v.T
    same = tuple(part.numpy() for part in batch.same)
    assert len(same[0]) == 40  # every second negative is the caption of another picture
    scores[same] = -np.inf
    to_text = np.diag(scores) - np.log(np.exp(scores).sum(1))
    to_image = np.diag(scores) - np.log(np.exp(scores[:, :40]).sum(0))
    assert found == pytest.approx(-(to_text.mean() + to_image.mean()) / 2, rel=1e-4)


def test_negatives_on_disk_are_those_in_memory(tmp_path):
    images, texts, negatives = two_kinds(60)
    np.save(tmp_path / "n.npy", negatives)
    held = Pairs.of(images, texts, negatives)
    opened = Pairs.of(images, texts, open_rows(tmp_path / "n.npy"))
    assert held.hash == opened.hash
    some = np.array([5, 2, 40])
    for pairs in (opened, opened.select(np.arange(50))):
        assert torch.equal(pairs.batch(some).texts, held.batch(some).texts)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((30, 9, 48), "1 to 8 negatives; negatives has 9 of each"),
        ((29, 2, 48), "every caption needs one negative of the same width"),
        ((30, 2, 47), "every caption needs one negative of the same width"),
    ],
)
def test_negatives_that_do_not_fit_are_refused(shape, message):
    images, texts, _ = planted("rotated", 30)
    false = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with pytest.raises(ShapeError, match=message):
        Pairs.of(images, texts, false)


def test_a_negative_that_equals_its_caption_is_found_among_several():
    images, texts, negatives = two_kinds(30)
    negatives[7, 1] = texts[7]
    with pytest.raises(ValueRangeError, match="1 of 30 negatives equal their caption, the first"):
        Pairs.of(images, texts, negatives)
    kept = Pairs.of(images, texts, negatives, keep_equal=True)
    assert kept.equal.tolist() == [7]
    negatives[7, 1] = np.nan
    with pytest.raises(ValueRangeError, match="row index 7 of negatives holds NaN"):
        Pairs.of(images, texts, negatives)


def test_a_negative_that_is_true_of_the_picture_is_found_among_several():
    images, texts = rows(0, 1), rows(4, 5, 6)
    negatives = np.stack([rows(7, 7, 7), rows(8, 6, 8)], axis=1)
    pairs = Pairs.of(images, texts, negatives, image_of=[0, 1, 1])
    assert pairs.true_negatives.tolist() == [1]


def test_binding_is_the_mean_over_all_comparisons():
    images, texts, negatives = two_kinds(300)
    found = array_repair(Pairs.of(images, texts, negatives))
    eye = np.eye(48, dtype=np.float32)
    both = [binding_accuracy(eye, images, texts, negatives[:, which]) for which in (0, 1)]
    before = found.value(Metric.BINDING_ACCURACY, "none")
    assert before.value == pytest.approx(np.mean(both), abs=1e-9)
    assert (before.n, found.n_compared) == (300, 600)
    gain = found.gain
    assert gain.value == pytest.approx((found.n_mended - found.n_spoiled) / 600, abs=1e-9)
    assert gain.value > 0.1


def test_the_estimator_takes_several(tmp_path):
    images, texts, negatives = two_kinds(300)
    np.save(tmp_path / "n.npy", negatives)
    held = LabClip().fit(texts, images, negatives=negatives)
    opened = LabClip().fit(texts, images, negatives=np.load(tmp_path / "n.npy", mmap_mode="r"))
    np.testing.assert_array_equal(held.weight_, opened.weight_)
    assert held.helps_
