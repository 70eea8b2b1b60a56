"""The solvers against torch's own, and the places that a fit may choose."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from conceptbind.repairs.labclip import Pairs, fit_pairs
from conceptbind.repairs.labclip.solver import (
    Candidate,
    Course,
    Judge,
    best,
    published,
    quick,
    split_evenly,
)
from repairs.labclip.planted_pairs import binding_accuracy, planted, planted_pairs, unit


@pytest.fixture(scope="module")
def rotated():
    return planted_pairs("rotated"), planted_pairs("rotated", 500, seed=1)


def autograd_way(pairs, *, rate, batch, epochs, seed):
    """The published training as torch users write it: a linear layer, cross-entropies,
    torch.optim.Adam.
    """
    linear = torch.nn.Linear(
        pairs.texts.shape[1], pairs.images.shape[1], bias=False, dtype=torch.float64
    )
    torch.nn.init.eye_(linear.weight)
    t = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
    adam = torch.optim.Adam([linear.weight, t], lr=rate)
    rng = np.random.default_rng(seed)
    x, y, z = (
        torch.from_numpy(unit(part))
        for part in (pairs.images[pairs.image_of], pairs.texts, pairs.negatives)
    )
    texts, negatives = torch.from_numpy(pairs.text_ids), torch.from_numpy(pairs.negative_ids)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(pairs)), math.ceil(len(pairs) / batch)):
            mapped = torch.nn.functional.normalize(linear(torch.cat([y[rows], z[rows]])), dim=1)
            scores = t.exp() * x[rows] @ mapped.T
            same = texts[rows][:, None] == torch.cat([texts[rows], negatives[rows]])
            scores = scores.masked_fill(
                same & ~torch.eye(len(rows), 2 * len(rows), dtype=torch.bool), -torch.inf
            )
            own = torch.arange(len(rows))
            loss = torch.nn.functional.cross_entropy(
                scores, own
            ) + torch.nn.functional.cross_entropy(scores[:, : len(rows)].T, own)
            adam.zero_grad()
            (loss / 2).backward()
            adam.step()
        yield linear.weight.detach().clone(), float(t.detach())


def test_the_published_solver_is_a_plain_autograd_loop_with_torchs_adam():
    images, texts, negatives = planted("rotated", 200)
    # a caption twice, and a negative that says another's caption
    texts[7], negatives[9] = (
        texts[8],
        texts[10],
    )
    pairs = Pairs.of(images, texts, negatives)
    options = {"rate": 1e-3, "batch": 64, "epochs": 5, "seed": 3}
    judge = Judge(pairs, 64, 0)
    found, reference = (
        list(published(pairs, judge, Course(**options))),
        list(autograd_way(pairs, **options)),
    )
    assert [place.step for place in found] == [4, 8, 12, 16, 20]
    for place, (weight, _) in zip(found, reference, strict=True):
        moved = (weight - torch.eye(48)).abs().max()
        assert moved > 3e-3  # it has gone somewhere
        torch.testing.assert_close(place.weight.double(), weight, atol=1e-5, rtol=0)


def test_the_published_temperature_is_learned_as_torchs_adam_learns_it():
    pairs = planted_pairs("aligned", 100)
    seen = []

    class Spy(Judge):
        def __call__(self, weight, log_temperature, step):
            seen.append(log_temperature)
            return super().__call__(weight, log_temperature, step)

    options = {"rate": 1e-2, "batch": 50, "epochs": 4, "seed": 0}
    list(published(pairs, Spy(pairs, 50, 0), Course(**options)))
    np.testing.assert_allclose(seen, [t for _, t in autograd_way(pairs, **options)], atol=1e-6)
    assert seen[-1] > 0.07


def test_one_quick_pass_reaches_at_least_what_ten_published_epochs_reach(rotated):
    train, validation = rotated
    slow = fit_pairs(train, validation, solver="published", batch=256)
    fast = fit_pairs(train, validation, solver="quick", batch=256)
    assert slow.candidates[-1].loss < slow.candidates[0].loss  # ten epochs do learn
    assert fast.chosen.loss <= slow.chosen.loss
    assert fast.chosen.binding >= slow.chosen.binding


def test_both_solvers_report_every_step(rotated):
    train, validation = rotated
    for solver, steps in (("quick", 100), ("published", 2 * 8)):
        seen = []
        fit_pairs(
            train,
            validation,
            solver=solver,
            batch=256,
            epochs=2,
            on_step=lambda *now, seen=seen: seen.append(now),
        )
        assert seen == [(step, steps) for step in range(1, steps + 1)]


def test_the_quick_solver_is_asked_ten_times_and_ends_where_its_rate_is_zero(rotated):
    train, validation = rotated
    judge = Judge(validation, 256, 0)
    course = Course(rate=2e-2, batch=256, epochs=1, seed=0)
    way = list(quick(train, judge, judge.identity(torch.eye(48)), course))
    assert [place.step for place in way] == list(range(10, 101, 10))
    moved = [float((b.weight - a.weight).norm()) for a, b in itertools.pairwise(way)]
    assert moved[-1] < moved[0] / 5


def test_turning_all_rows_turns_the_quick_fit_with_them(rotated):
    """The quick solver steps along the axes of the data, so it does not matter in which basis an
    encoder writes its rows.
    """
    train, validation = rotated
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(48, 48)))[0]
    turned = [
        Pairs.of(*((part @ turn).astype(np.float32) for part in (p.images, p.texts, p.negatives)))
        for p in rotated
    ]
    one, two = fit_pairs(train, validation, batch=256), fit_pairs(*turned, batch=256)
    assert two.chosen.loss == pytest.approx(one.chosen.loss, rel=2e-2)
    assert one.chosen.loss < one.candidates[0].loss / 2


def test_validation_is_judged_by_the_definition(rotated):
    images, texts, negatives = planted("rotated", 300, seed=4)
    weight = np.linalg.qr(np.random.default_rng(2).normal(size=(48, 48)))[0].astype(np.float32)
    for place in (weight, np.eye(48, dtype=np.float32)):
        found = Judge(Pairs.of(images, texts, negatives), 64, 0)(torch.from_numpy(place), 1.0, 1)
        assert found.binding == pytest.approx(binding_accuracy(place, images, texts, negatives))
    assert Judge(Pairs.of(images, texts), 64, 0)(torch.from_numpy(weight), 1.0, 1).binding is None


def test_a_tie_with_the_negative_is_a_miss():
    """A map that forgets what the two differ in: captions and negatives coincide."""
    images, texts, negatives = planted("rotated", 50, noise=0)
    forget = torch.diag(torch.cat([torch.ones(24), torch.zeros(24)]))
    judge = Judge(Pairs.of(images, texts, negatives), 50, 0)
    assert judge(forget, 1.0, 1).binding == 0.0
    assert judge(torch.eye(48), 1.0, 1).binding > 0.2


def test_the_identity_is_judged_at_a_temperature_that_serves_it():
    pairs = planted_pairs("aligned", 200)
    served = Judge(pairs, 200, 0).identity(torch.eye(48))
    fixed = Judge(pairs, 200, 0)(torch.eye(48), 0.0, 1)
    assert served.loss < fixed.loss / 2
    assert served.log_temperature > 1


def place(step, loss, binding):
    return Candidate(torch.eye(2), 0.0, step, loss, binding)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(1.0, 0.6), (0.5, 0.7), (0.7, 0.9)], 1),  # the least loss
        ([(1.0, 0.6), (0.5, 0.5), (0.7, 0.6)], 2),  # not one that binds worse than no repair
        ([(1.0, 0.6), (0.5, 0.5), (1.1, 0.9)], 0),  # nor one whose loss is worse
        ([(1.0, 0.6), (1.0, 0.6)], 0),  # of equals no repair
        ([(1.0, None), (0.9, None)], 1),
        ([(1.0, 0.6), (math.nan, 0.9)], 0),
    ],
)
def test_the_best_place_by_hand(places, expected):
    assert best([place(step, *says) for step, says in enumerate(places)]).step == expected


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (1000, 128), (7, 7), (5, 100), (1, 2), (0, 3)])
def test_batches_are_even_and_none_is_larger_than_asked(n, batch):
    parts = split_evenly(np.arange(n), batch)
    sizes = [len(part) for part in parts]
    np.testing.assert_array_equal(np.concatenate([*parts, []]), np.arange(n))
    assert len(parts) == math.ceil(n / batch)
    assert max(sizes, default=0) <= batch
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
