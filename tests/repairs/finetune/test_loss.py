"""The loss that carries gradients is the one of LABCLIP, and what means the same is no
comparison.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from conceptbind.core.errors import FileError, MismatchError, ShapeError, ValueRangeError
from conceptbind.repairs.finetune.data import Captioned
from conceptbind.repairs.finetune.loss import contrastive
from conceptbind.repairs.labclip import Pairs
from conceptbind.repairs.labclip.loss import loss_and_gradient

COLOURS = ["red", "blue", "green", "gray"]
PICTURES = [Image.new("RGB", (4, 4), colour) for colour in COLOURS]


def captioned(n=4, **changes):
    given = {
        "pictures": PICTURES,
        "captions": [f"a {c} star" for c in COLOURS[:n]],
        "negatives": [f"no {c} star" for c in COLOURS[:n]],
        **changes,
    }
    return Captioned.of(
        given.pop("pictures"), given.pop("captions"), given.pop("negatives"), **given
    )


def test_it_equals_the_loss_of_labclip_with_its_gradient():
    rng = np.random.default_rng(0)
    x, y, z = (rng.normal(size=(6, 5)).astype(np.float32) for _ in range(3))
    x[3] = x[0]
    text_ids, negative_ids = np.array([0, 1, 2, 1, 4, 5]), np.array([6, 7, 0, 8, 9, 2])
    pairs = Pairs.of(x, y, z, text_ids=text_ids, negative_ids=negative_ids)
    expected = loss_and_gradient(torch.eye(5), 0.7, pairs.batch(np.arange(6)))
    pictures = [*PICTURES, *PICTURES]
    data = Captioned.of(
        [pictures[i] for i in (0, 1, 2, 0, 3, 3)],
        list("abcdef"),
        list("ghijkl"),
        text_ids=text_ids,
        negative_ids=negative_ids,
    )
    same = data.same(np.arange(6))
    same[4, 5] = same[5, 4] = False  # those two pictures are equal here and were not there
    weight, t = torch.eye(5, requires_grad=True), torch.tensor(0.7, requires_grad=True)
    unit = [torch.nn.functional.normalize(torch.from_numpy(part), dim=1) for part in (x, y, z)]
    loss = contrastive(unit[0], torch.cat(unit[1:]) @ weight.T, t, torch.from_numpy(same))
    loss.backward()
    assert loss.item() == pytest.approx(expected.loss, abs=1e-5)
    np.testing.assert_allclose(weight.grad, expected.weight, atol=1e-5)
    assert t.grad is not None and t.grad.item() == pytest.approx(expected.log_temperature, abs=1e-5)


def test_what_says_the_same_is_no_comparison():
    data = captioned(
        pictures=PICTURES[:2],
        image_of=[0, 0, 1, 1],
        text_ids=np.array([0, 0, 1, 2]),
        negative_ids=np.array([1, 3, 4, 0]),
    )
    found = data.same(np.array([0, 1, 2, 3])).astype(int)
    np.testing.assert_array_equal(
        found[:, :4], [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    )
    np.testing.assert_array_equal(
        found[:, 4:], [[0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    )


def test_equal_texts_and_equal_pictures_are_found(tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(2)]
    for file in files:
        PICTURES[0].save(file)
    data = captioned(
        pictures=[*files, PICTURES[1], PICTURES[1].copy()],
        captions=["a", "b", "a", "c"],
        negatives=["b", "a", "d", "e"],
    )
    assert data.picture_ids[0] == data.picture_ids[1] and data.picture_ids[2] == data.picture_ids[3]
    np.testing.assert_array_equal(
        data.same(np.array([0, 2])), [[False, True, False, False], [True, False, False, False]]
    )
    assert data.same(np.array([0, 1]))[0].tolist() == [False, True, False, True]


def test_a_masked_pair_costs_nothing():
    x = torch.nn.functional.normalize(
        torch.randn(2, 4, generator=torch.Generator().manual_seed(0)), dim=1
    )
    mask = torch.tensor([[False, True, True, True], [True, False, True, True]])
    assert contrastive(x, torch.cat([x, x]), torch.tensor(0.0), mask).item() == pytest.approx(0)
    assert (
        contrastive(x, torch.cat([x, x]), torch.tensor(0.0), torch.zeros_like(mask)).item()
        > math.log(2) / 2
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"negatives": ["no"]},
            ShapeError,
            "one negative and one picture: 4 captions, 1 negative, 4 pictures; give image_of",
        ),
        ({"pictures": PICTURES[:3]}, ShapeError, "4 captions, 4 negatives, 3 pictures"),
        (
            {"image_of": [0, 1, 2, 4]},
            ShapeError,
            r"image_of must give one picture \(0 to 3\) for each of 4 captions",
        ),
        ({"text_ids": np.arange(4)}, ShapeError, "give both or neither"),
        (
            {"text_ids": np.arange(4), "negative_ids": np.arange(3)},
            ShapeError,
            "must number each of 4 captions",
        ),
        (
            {"text_ids": np.arange(4), "negative_ids": np.array([9, 1, 8, 3])},
            ValueRangeError,
            "2 of 4 negatives equal their caption",
        ),
        (
            {"pictures": ["nowhere.png", *PICTURES[1:]]},
            FileError,
            "nowhere.png, which is not there",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        captioned(**changes)


def test_what_was_fitted_on_cannot_choose():
    data = captioned(pictures=[PICTURES[0], PICTURES[1], PICTURES[0], PICTURES[3]])
    with pytest.raises(
        MismatchError,
        match=r"1 picture\(s\) belong to captions of train and of validation, the first at index 0",
    ):
        data.require_apart(np.array([0, 1]), np.array([2, 3]))
    with pytest.raises(ValueRangeError, match="validation has 1"):
        data.require_apart(np.array([0, 1]), np.array([3]))
    with pytest.raises(ValueRangeError, match=r"the train rows must lie in 0\.\.3; got 0 to 4"):
        data.require_apart(np.array([0, 4]), np.array([1, 3]))
    data.require_apart(np.array([0, 2]), np.array([1, 3]))
