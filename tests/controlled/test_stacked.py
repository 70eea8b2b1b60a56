"""Models that are trained at once are those that are trained one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from conceptbind.controlled import make_recipe, train, train_stacked
from conceptbind.errors import ConceptBindError
from conceptbind.studies import sweep_study
from conceptbind.studies.controlled import stacks


def recipe(coverage, seed, **changed):
    settings = {"values": 6, "width": 32, "depth": 2, "feed_forward": 64, "dimension": 32, "batch": 32, "steps": 12} | changed
    return make_recipe("small", coverage, seed, **settings)


@pytest.fixture(scope="module")
def one_by_one():
    return [train(recipe(share, seed)) for share, seed in ((0.4, 0), (0.7, 1), (0.7, 2))]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.recipe == other.recipe
        assert [look.step for look in one.history] == [look.step for look in other.history]
        assert [look.loss for look in one.history] == pytest.approx([look.loss for look in other.history], rel=2e-3)
        for weight, name in zip(one.model.parameters(), dict(other.model.named_parameters()), strict=True):
            torch.testing.assert_close(weight, other.model.get_parameter(name), rtol=0, atol=5e-3)


def test_together_as_one_by_one(one_by_one):
    """Their batches have different numbers of queries, which are filled up and must not count."""
    looks = []
    found = train_stacked([one.recipe for one in one_by_one], on_look=lambda number, look: looks.append((number, look.step)))
    assert_same(found, one_by_one)
    assert sorted(looks) == [(i, look.step) for i, one in enumerate(found) for look in one.history]


def test_a_killed_stack_continues(one_by_one, tmp_path):
    """Killed between two states: the models stand at different steps, and each goes on from its own."""
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
    for others in ([recipe(0.5, 0), recipe(0.5, 1, width=64)], [recipe(0.5, 0, objective="scenes")], []):
        with pytest.raises(ConceptBindError, match="differ in coverage and seed only"):
            train_stacked(others)


def test_a_sweep_in_stacks(tmp_path):
    recipes = [recipe(share, seed, values=n) for n in (5, 6) for share in (0.4, 0.7) for seed in range(2)]
    groups = stacks(recipes, 3)
    assert sorted(map(len, groups)) == [1, 1, 3, 3]
    assert all(len({one.shape for one in group}) == 1 for group in groups)
    apart = sweep_study(recipes, tmp_path / "apart", probes=(), jobs=1)
    together = sweep_study(recipes, tmp_path / "together", probes=(), jobs=1, stack=3)
    assert [(r.encoder, r.metric, r.split) for r in apart] == [(r.encoder, r.metric, r.split) for r in together]
    differences = [abs((a.value or 0) - (b.value or 0)) for a, b in zip(apart, together, strict=True)]
    assert sum(differences) / len(differences) < 0.02
    assert replace(recipes[0], seed=9) not in recipes
