"""The written-out loss against torch's own derivatives, and against cases that a reader can
compute.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.repairs.labclip.loss import loss_and_gradient, loss_only
from conceptbind.repairs.labclip.pairs import Batch


def pairs_of(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = mask.nonzero().T
    return rows, columns


def plain_loss(weight, t, images, texts, mask):
    """Equation (1) with torch's cross-entropy: B x B or 2 B from pictures to captions, B x B from
    captions to pictures.
    """
    own = torch.arange(len(images))
    scores = t.exp() * images @ torch.nn.functional.normalize(texts @ weight.T, dim=1).T
    scores = scores.masked_fill(mask, -torch.inf)
    to_image = scores[:, : len(images)].T
    return (
        torch.nn.functional.cross_entropy(scores, own)
        + torch.nn.functional.cross_entropy(to_image, own)
    ) / 2


def random_case(b, d_out, d_in, with_negatives, masked, seed):
    g = torch.Generator().manual_seed(seed)

    def rows(n, d):
        return torch.nn.functional.normalize(
            torch.randn(n, d, generator=g, dtype=torch.float64), dim=1
        )

    images, texts = rows(b, d_out), rows(2 * b if with_negatives else b, d_in)
    mask = torch.rand(b, len(texts), generator=g) < masked
    mask[torch.arange(b), torch.arange(b)] = False
    return images, texts, mask, torch.randn(d_out, d_in, generator=g, dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(
    b=st.integers(1, 7),
    d_out=st.integers(1, 6),
    d_in=st.integers(1, 6),
    with_negatives=st.booleans(),
    masked=st.sampled_from([0.0, 0.3, 1.0]),
    t=st.floats(-1, 4.6),
    seed=st.integers(0, 10**6),
)
def test_the_gradient_is_autograds(b, d_out, d_in, with_negatives, masked, t, seed):
    images, texts, mask, weight = random_case(b, d_out, d_in, with_negatives, masked, seed)
    weight.requires_grad_()
    log_temperature = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    reference = plain_loss(weight, log_temperature, images, texts, mask)
    reference.backward()
    step = loss_and_gradient(weight.detach(), t, Batch(images, texts, pairs_of(mask)))
    assert step.loss == pytest.approx(reference.item(), abs=1e-12)
    torch.testing.assert_close(step.weight, weight.grad, atol=1e-11, rtol=1e-9)
    assert step.log_temperature == pytest.approx(log_temperature.grad.item(), abs=1e-11)


def test_several_temperatures_at_once_are_each_their_own():
    images, texts, mask, weight = random_case(6, 5, 4, True, 0.2, 3)
    ladder = torch.tensor([-1.0, 0.0, 2.0, 4.6], dtype=torch.float64)
    found = loss_only(weight, ladder, Batch(images, texts, pairs_of(mask)))
    torch.testing.assert_close(
        found, torch.stack([plain_loss(weight, t, images, texts, mask) for t in ladder])
    )


NOTHING = (torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
EYE = torch.eye(2, dtype=torch.float64)


@pytest.mark.parametrize("s", [1.0, 3.0])
def test_two_pairs_by_hand(s):
    """Pictures and captions are the axes, negatives point away: scores of picture 1 are s (1, 0,
    -1, 0).
    """
    step = loss_and_gradient(EYE, math.log(s), Batch(EYE, torch.cat([EYE, -EYE]), NOTHING))
    e = math.exp(s)
    to_text = math.log(e + 1 + 1 / e + 1) - s  # two captions and two negatives
    to_image = math.log(e + 1) - s  # two pictures: negatives are never asked for theirs
    assert step.loss == pytest.approx((to_text + to_image) / 2)
    slope = (e - 1 / e) / (e + 2 + 1 / e) - 1 + e / (e + 1) - 1  # with respect to s; ds/dt = s
    assert step.log_temperature == pytest.approx(s * slope / 2)
    without = loss_and_gradient(EYE, math.log(s), Batch(EYE, EYE, NOTHING))
    assert without.loss == pytest.approx(to_image)  # both directions are the same table


def test_what_is_no_comparison_is_as_if_it_were_not_there():
    """Two pairs with one caption: nothing is left to tell apart, whatever the scores are."""
    mask = (torch.tensor([0, 1]), torch.tensor([1, 0]))
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    step = loss_and_gradient(EYE, 1.0, Batch(EYE, texts, mask))
    assert step.loss == 0.0
    assert not step.weight.any()
    assert step.log_temperature == 0.0
    # without the mask they repel each other
    assert loss_and_gradient(EYE, 1.0, Batch(EYE, texts, NOTHING)).loss > 0.5


def test_pictures_see_every_negative_and_not_only_their_own():
    images, texts, mask, weight = random_case(5, 4, 4, True, 0.0, 1)
    moved = torch.cat([texts[:5], texts[5:].roll(1, 0)])
    one, two = (
        loss_and_gradient(weight, 0.5, Batch(images, part, pairs_of(mask)))
        for part in (texts, moved)
    )
    assert one.loss == pytest.approx(two.loss)
    torch.testing.assert_close(one.weight, two.weight)


def test_order_of_pairs_does_not_matter():
    images, texts, mask, weight = random_case(6, 5, 4, True, 0.3, 2)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    both = torch.cat([order, order + 6])
    shuffled = Batch(images[order], texts[both], pairs_of(mask[order][:, both]))
    one, two = (
        loss_and_gradient(weight, 0.5, Batch(images, texts, pairs_of(mask))),
        loss_and_gradient(weight, 0.5, shuffled),
    )
    assert one.loss == pytest.approx(two.loss)
    torch.testing.assert_close(one.weight, two.weight)


def test_the_scale_of_the_map_does_not_matter():
    """Captions are normalised after the map, so its gradient stands at right angles to it."""
    images, texts, mask, weight = random_case(6, 5, 4, True, 0.3, 2)
    one, ten = (
        loss_and_gradient(k * weight, 0.5, Batch(images, texts, pairs_of(mask))) for k in (1, 10)
    )
    assert one.loss == pytest.approx(ten.loss)
    torch.testing.assert_close(one.weight, 10 * ten.weight)
    assert float((one.weight * weight).sum()) == pytest.approx(0, abs=1e-12)
    assert one.weight.norm() > 1e-3
