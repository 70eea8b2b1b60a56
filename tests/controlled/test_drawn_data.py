"""Objects, scenes, queries, swap negatives and targets, against plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from conceptbind.controlled import Sampler, draw_objects, object_ids, object_values, split_objects
from conceptbind.controlled.data import swapped
from conceptbind.core.errors import ConceptBindError

SIZES = (5, 4, 3)


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.9])
def test_every_object_belongs_to_one_part_and_every_value_is_trained_on(coverage):
    split = split_objects(SIZES, coverage, seed=3)
    together = torch.cat([split.train, split.validation, split.test])
    assert together.sort().values.tolist() == list(range(60))
    assert len(split.train) == round(60 * coverage)
    values = object_values(split.train, SIZES)
    for k, size in enumerate(SIZES):
        assert values[:, k].unique().numel() == size
    again = split_objects(SIZES, coverage, seed=3)
    assert torch.equal(split.train, again.train)
    assert not torch.equal(split.train, split_objects(SIZES, coverage, seed=4).train)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 0.01, 0.99])
def test_coverage_that_leaves_nothing(coverage):
    with pytest.raises(ConceptBindError, match="coverage"):
        split_objects((4, 4), coverage)


def test_ids_and_values_are_each_others_inverse():
    ids = torch.arange(60).view(6, 10)
    assert torch.equal(object_ids(object_values(ids, SIZES), SIZES), ids)
    assert object_values(torch.tensor(59), SIZES).tolist() == [4, 3, 2]


def test_drawn_objects_differ_and_every_order_is_equally_likely():
    among = torch.tensor([2, 3, 5, 7])
    drawn = draw_objects(among, 24_000, 3, torch.Generator().manual_seed(0))
    rows, counts = torch.unique(drawn, dim=0, return_counts=True)
    assert len(rows) == math.perm(4, 3)
    assert all(len(set(row)) == 3 and set(row) <= {2, 3, 5, 7} for row in rows.tolist())
    assert (counts - 1000).abs().max() < 150  # five standard deviations


def test_too_few_objects_for_a_scene():
    with pytest.raises(ConceptBindError, match="at least 3 objects"):
        draw_objects(torch.tensor([1, 2]), 5, 3, torch.Generator())


def test_swapped_takes_one_attribute_from_another_object():
    values = torch.tensor([[[0, 1, 2], [4, 3, 0]]])
    found = {tuple(object_values(item, SIZES).tolist()) for item in swapped(values, SIZES)[0]}
    assert found == {(4, 1, 2), (0, 3, 2), (0, 1, 0), (0, 3, 0), (4, 1, 0), (4, 3, 2)}


@pytest.mark.parametrize("swaps", [None, 0])
def test_a_batch_equals_the_plain_loop(swaps):
    split = split_objects(SIZES, 0.5)
    sampler = Sampler(SIZES, split.train, 3, 40, most_swaps=swaps)
    batch = sampler.draw(torch.Generator().manual_seed(1))
    train, scenes = (
        set(split.train.tolist()),
        [row for group in batch.scenes for row in group.tolist()],
    )
    assert [len(group) for group in batch.scenes] == [14, 13, 13]
    asked = {item for scene in scenes for item in scene}
    if swaps is None:
        for scene in scenes:
            for item in scene:
                for other in scene:
                    for k in range(3):
                        taken = object_values(torch.tensor(item), SIZES)
                        taken[k] = object_values(torch.tensor(other), SIZES)[k]
                        asked.add(int(object_ids(taken, SIZES)))
    assert set(batch.queries.tolist()) == asked & train  # new objects are never queries
    for row, scene in enumerate(scenes):
        expected = [1 / len(scene) if query in scene else 0.0 for query in batch.queries.tolist()]
        assert batch.targets[row].tolist() == pytest.approx(expected)
        for k, size in enumerate(SIZES):
            held = {int(object_values(torch.tensor(item), SIZES)[k]) for item in scene}
            expected = [1 / len(held) if v in held else 0.0 for v in range(size)] + [0.0] * (
                5 - size
            )
            assert batch.concept_targets[row, k].tolist() == pytest.approx(expected)


def drawn(seed=0, batch=40, **how):
    split = split_objects(SIZES, 0.5)
    sampler = Sampler(SIZES, split.train, 3, batch, **how)
    found = sampler.draw(torch.Generator().manual_seed(seed))
    scenes = [row for group in found.scenes for row in group.tolist()]
    return found, scenes, set(split.train.tolist())


def test_few_of_the_objects_are_asked_for():
    """Scenes that hold none of them have no mass, and the others share it among those they hold."""
    batch, scenes, _ = drawn(most_swaps=0, most_object_queries=5)
    asked = batch.queries[~batch.filler].tolist()
    held = {item for scene in scenes for item in scene}
    assert len(asked) == 5 < len(held)
    assert set(asked) < held
    for row, scene in enumerate(scenes):
        there = [query in scene for query in asked]
        mass = [here / max(1, sum(there)) for here in there]
        assert batch.targets[row, :5].tolist() == pytest.approx(mass)
    assert (batch.targets.sum(dim=1) == 0).any()


def test_few_of_the_values_are_asked_for():
    batch, scenes, _ = drawn(most_concept_queries=4)
    asked = [(k, v) for k, v in (~batch.concept_filler).nonzero().tolist()]
    assert len(asked) == 4
    for row, scene in enumerate(scenes):
        for k in range(len(SIZES)):
            held = {int(object_values(torch.tensor(item), SIZES)[k]) for item in scene}
            mine = {v for j, v in asked if j == k} & held
            found = batch.concept_targets[row, k]
            assert set(found.nonzero()[:, 0].tolist()) == mine
            assert float(found.sum()) == pytest.approx(1.0 if mine else 0.0)


def test_so_many_swaps_of_each_scene_are_drawn():
    every, scenes, train = drawn(batch=6)
    held = {item for scene in scenes for item in scene}
    assert set(drawn(batch=6, most_swaps=0)[0].queries.tolist()) == held
    some = set(drawn(batch=6, most_swaps=1)[0].queries.tolist())
    assert held < some <= set(every.queries.tolist())
    swaps = {
        item
        for scene in scenes
        if len(scene) > 1
        for item in swapped(object_values(torch.tensor(scene), SIZES)[None], SIZES)[0].tolist()
    }
    assert some - held <= swaps & train
    assert len(some - held) <= sum(len(scene) > 1 for scene in scenes)


def test_further_train_objects_are_negatives():
    plain, scenes, train = drawn(most_swaps=0)
    more = drawn(most_swaps=0, negatives=2)[0]
    held = {item for scene in scenes for item in scene}
    asked = set(more.queries.tolist())
    assert set(plain.queries.tolist()) == held < asked <= train
    assert len(asked) <= 3 * len(held)
    columns = [query in held for query in more.queries.tolist()]
    assert float(more.targets[:, ~torch.tensor(columns)].sum()) == 0


@pytest.mark.parametrize(
    "how",
    [{"most_swaps": 1}, {"negatives": 1}, {"most_object_queries": 4}, {"most_concept_queries": 3}],
)
def test_one_seed_gives_one_batch_of_every_kind(how):
    one, other = (drawn(seed=3, **how)[0] for _ in range(2))
    assert torch.equal(one.queries, other.queries)
    assert torch.equal(one.targets, other.targets)
    assert torch.equal(one.concept_targets, other.concept_targets)


def test_one_seed_gives_one_batch():
    sampler = Sampler(SIZES, split_objects(SIZES, 0.5).train, 2, 16)
    first, second = (sampler.draw(torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.scenes, second.scenes, strict=True))
    assert torch.equal(first.targets, second.targets)


def test_all_train_objects_as_queries():
    split = split_objects(SIZES, 0.5)
    batch = Sampler(SIZES, split.train, 2, 4, all_queries=True).draw(
        torch.Generator().manual_seed(0)
    )
    assert torch.equal(batch.queries, split.train)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_one_seed_gives_one_batch_on_every_device():
    train = split_objects(SIZES, 0.5).train
    one, other = (
        Sampler(SIZES, train.to(to), 3, 40).draw(torch.Generator().manual_seed(2))
        for to in ("cpu", "cuda")
    )
    assert other.targets.is_cuda
    assert torch.equal(one.queries, other.queries.cpu())
    assert torch.equal(one.targets, other.targets.cpu())
    assert all(torch.equal(a, b.cpu()) for a, b in zip(one.scenes, other.scenes, strict=True))
