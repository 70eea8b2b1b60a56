"""Models that are trained at once are those that are trained one by one."""

from __future__ import annotations

import pytest
import torch

from conceptbind.controlled import (
    Sampler,
    make_recipe,
    split_objects,
    sweep_study,
    train,
    train_stacked,
)
from conceptbind.controlled.data import StackedSampler
from conceptbind.controlled.muon import StackedMuon, orthogonalised
from conceptbind.controlled.stacked import clip_each
from conceptbind.controlled.study import stacks
from conceptbind.core.errors import ConceptBindError


def recipe(coverage, seed, **changed):
    settings = {
        "values": 6,
        "width": 32,
        "depth": 2,
        "feed_forward": 64,
        "dimension": 32,
        "batch": 32,
        "steps": 12,
    } | changed
    return make_recipe("small", coverage, seed, **settings)


@pytest.fixture(scope="module")
def one_by_one():
    return [train(recipe(share, seed)) for share, seed in ((0.4, 0), (0.7, 1), (0.7, 2))]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.recipe == other.recipe
        assert [look.step for look in one.history] == [look.step for look in other.history]
        assert [look.loss for look in one.history] == pytest.approx(
            [look.loss for look in other.history], rel=2e-3
        )
        for weight, name in zip(
            one.model.parameters(), dict(other.model.named_parameters()), strict=True
        ):
            torch.testing.assert_close(weight, other.model.get_parameter(name), rtol=0, atol=5e-3)


def test_together_as_one_by_one(one_by_one):
    """Their batches have different numbers of queries, which are filled up and must not count."""
    looks = []
    found = train_stacked(
        [one.recipe for one in one_by_one],
        on_look=lambda number, look: looks.append((number, look.step)),
    )
    assert_same(found, one_by_one)
    assert sorted(looks) == [(i, look.step) for i, one in enumerate(found) for look in one.history]


@pytest.mark.parametrize(
    "changed",
    [
        {"similarity": "dot"},
        {"attention": "causal", "most_swaps": 1, "negatives": 1},
        {"most_object_queries": 8, "most_concept_queries": 6},
    ],
)
def test_every_kind_of_model_and_of_queries_together(changed):
    recipes = [recipe(share, seed, **changed) for share, seed in ((0.4, 0), (0.7, 1))]
    assert_same(train_stacked(recipes), [train(one) for one in recipes])


def test_a_killed_stack_continues(one_by_one, tmp_path):
    """Killed between two states: the models stand at different steps, and each goes on from its
    own.
    """
    recipes, folders = [one.recipe for one in one_by_one], [tmp_path / str(i) for i in range(3)]
    seen = []

    def stop(number, _):
        seen.append(number)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stacked(recipes, folders, on_look=stop)
    assert_same(train_stacked(recipes, folders), one_by_one)


def test_what_cannot_be_stacked():
    for others in (
        [recipe(0.5, 0), recipe(0.5, 1, width=64)],
        [recipe(0.5, 0, objective="scenes")],
        [],
    ):
        with pytest.raises(ConceptBindError, match="differ in coverage and seed only"):
            train_stacked(others)


@pytest.mark.long
def test_a_sweep_in_stacks(tmp_path):
    recipes = [
        recipe(share, seed, values=n) for n in (5, 6) for share in (0.4, 0.7) for seed in range(2)
    ]
    groups = stacks(recipes, 3)
    assert sorted(map(len, groups)) == [1, 1, 3, 3]
    assert all(len({one.shape for one in group}) == 1 for group in groups)
    apart = sweep_study(recipes, tmp_path / "apart", probes=(), jobs=1)
    together = sweep_study(recipes, tmp_path / "together", probes=(), jobs=1, stack=3)
    assert [(r.encoder, r.metric, r.split) for r in apart] == [
        (r.encoder, r.metric, r.split) for r in together
    ]
    differences = [
        abs((a.value or 0) - (b.value or 0)) for a, b in zip(apart, together, strict=True)
    ]
    assert sum(differences) / len(differences) < 0.02


def test_batches_drawn_together_are_those_drawn_one_by_one():
    """Models with other train objects and other random numbers; what fills up stands last, and is
    no one's target.
    """
    sizes, shares = (6, 5), (0.3, 0.6, 0.8)
    trains = [split_objects(sizes, share, seed).train for seed, share in enumerate(shares)]
    together = StackedSampler(sizes, trains, 3, 20, round_to=16).draw(
        [torch.Generator().manual_seed(i) for i in range(3)]
    )
    assert together.queries.shape[1] % 16 == 0
    for e, train_objects in enumerate(trains):
        alone = Sampler(sizes, train_objects, 3, 20).draw(torch.Generator().manual_seed(e))
        n = len(alone.queries)
        assert not alone.filler.any()
        assert together.filler[e].tolist() == [False] * n + [True] * (together.queries.shape[1] - n)
        assert torch.equal(together.queries[e, :n], alone.queries)
        assert torch.equal(together.targets[e, :, :n], alone.targets)
        assert not together.targets[e, :, n:].any()
        assert torch.equal(together.concept_targets[e], alone.concept_targets)
        assert all(
            torch.equal(group[e], one)
            for group, one in zip(together.scenes, alone.scenes, strict=True)
        )


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_muon_of_a_stack_is_that_of_each_matrix(shape):
    random = torch.Generator().manual_seed(0)
    first = torch.randn(3, *shape, generator=random)
    stack = first.clone().requires_grad_()
    apart = [matrix.clone().requires_grad_() for matrix in first]
    options = {"lr": 0.1, "weight_decay": 0.01}
    ours, theirs = StackedMuon([stack], **options), torch.optim.Muon(apart, **options)
    for _ in range(4):
        stack.grad = torch.randn(3, *shape, generator=random)
        for matrix, slope in zip(apart, stack.grad, strict=True):
            matrix.grad = slope.clone()
        ours.step()
        theirs.step()
    # products in bfloat16
    torch.testing.assert_close(stack.detach(), torch.stack(apart).detach(), rtol=0, atol=2e-2)


def test_newton_schulz_keeps_the_singular_vectors():
    """By hand: of a diagonal matrix only the sizes of its entries change, to about one; the rest of
    Muon is in the test above.
    """
    stack = torch.stack(
        [torch.diag(torch.tensor(row)) for row in ([3.0, -2.0, 1.0], [0.5, 0.4, -0.3])]
    )
    found = orthogonalised(stack).float()
    signs = torch.diagonal(stack, dim1=1, dim2=2).sign()
    diagonal = torch.diagonal(found, dim1=1, dim2=2)
    assert ((diagonal * signs - 1).abs() < 0.5).all()
    assert (found - torch.diag_embed(diagonal)).abs().max() < 1e-2


def test_gradients_are_clipped_for_each_model_apart():
    weights = [torch.zeros(2, 3, 4, requires_grad=True), torch.zeros(2, requires_grad=True)]
    weights[0].grad, weights[1].grad = torch.randn(2, 3, 4), torch.tensor([0.2, -0.1])
    weights[0].grad[1] *= 1e-3  # small enough to stay as it is
    expected = []
    for e in range(2):
        alone = [torch.zeros_like(weight[e], requires_grad=True) for weight in weights]
        for one, weight in zip(alone, weights, strict=True):
            one.grad = weight.grad[e].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.0)
        expected.append([one.grad for one in alone])
    clip_each(weights, 1.0)
    for e in range(2):
        for weight, one in zip(weights, expected[e], strict=True):
            torch.testing.assert_close(weight.grad[e], one)
