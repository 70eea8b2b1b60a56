"""A repair of arrays: folds, what is scored, and what is written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.repairs import array_repair, require_repairable
from conceptbind.repairs import arrays as module
from conceptbind.repairs.labclip import Pairs, groups_of, parts_of
from conceptbind.repairs.labclip.cost import clears_noise
from conceptbind.repairs.words import pull_in_words, repair_sentence
from repairs.labclip.planted_pairs import planted

N = 240


@pytest.fixture(scope="module")
def helped():
    return array_repair(Pairs.of(*planted("rotated", N)))


@pytest.fixture(scope="module")
def useless():
    return array_repair(Pairs.of(*planted("lost", N)))


def test_every_pair_is_scored_once(helped, useless):
    for study in (helped, useless):
        assert study.folds == module.FOLDS
        assert sorted(study.rows) == list(range(N))
        assert (
            study.value("binding_accuracy", "none").n
            == study.value("binding_gain", "HNB").n
            == study.n_compared
            == N
        )


def test_the_comparisons_that_were_turned_are_the_gain(helped, useless):
    for study in (helped, useless):
        gain = study.value("binding_gain", "HNB").value
        assert (study.n_mended - study.n_spoiled) / study.n_compared == pytest.approx(gain)
        for side, name in enumerate(("none", "HNB")):
            assert study.right[side].mean() == pytest.approx(
                study.value("binding_accuracy", name).value
            )


def test_before_is_written_out_from_the_definition(helped):
    images, texts, negatives = (
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in planted("rotated", N)
    )
    right = (images * texts).sum(1) > (images * negatives).sum(1)
    np.testing.assert_array_equal(helped.right[0], right[helped.rows])


def test_what_helps_is_written_at_the_pull_that_was_scored(helped):
    assert helped.recommended
    assert (
        helped.value("binding_accuracy", "none").value
        < 0.75
        < 0.95
        < helped.value("binding_accuracy", "HNB").value
    )
    assert (
        helped.adapter.config["pull"]
        == helped.pull
        == helped.value("binding_accuracy", "HNB")["pull"]
    )
    np.testing.assert_array_equal(
        helped.adapter.weight, helped.fit.adapter.pulled(helped.pull).weight
    )


def test_what_does_not_help_is_not_written(useless):
    assert not useless.recommended
    np.testing.assert_array_equal(useless.adapter.weight, np.eye(48))
    assert useless.adapter.config["pull"] == 0.0
    assert "brings" not in repair_sentence(useless)


def test_a_large_set_is_held_out_and_the_map_that_was_scored_is_written(monkeypatch):
    monkeypatch.setattr(module, "FOLDED", N - 1)
    study = array_repair(Pairs.of(*planted("rotated", N)), pull=1.0)
    assert study.folds == 1
    assert len(study.rows) == N // 10
    assert "The adapter is the map that was scored." in pull_in_words(study)
    images, texts, negatives = (part[study.rows] for part in planted("rotated", N))
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    right = (images * study.adapter(texts)).sum(1) > (images * study.adapter(negatives)).sum(1)
    np.testing.assert_array_equal(study.right[1], right)


def test_a_part_that_would_stop_at_the_identity_does_not_decide_what_is_written(monkeypatch):
    real, calls = module.fit_pairs, []

    def stops_at_first(train, validation, **options):
        """The sixth fit, the first of those that may be written, chooses the identity; so do all of
        them where `calls` says so.
        """
        fit = real(train, validation, **options)
        calls.append(len(train))
        stopped = len(calls) == 6 or (len(calls) > 6 and always)
        return (
            replace(fit, adapter=fit.adapter.pulled(0.0), chosen=fit.candidates[0])
            if stopped
            else fit
        )

    monkeypatch.setattr(module, "fit_pairs", stops_at_first)
    always = False
    study = array_repair(Pairs.of(*planted("rotated", 120)))
    assert (len(calls), study.recommended) == (7, True)
    assert not np.array_equal(study.adapter.weight, np.eye(48))
    calls.clear()
    always = True
    study = array_repair(Pairs.of(*planted("rotated", 120)))
    assert (len(calls), study.recommended) == (10, False)
    np.testing.assert_array_equal(study.adapter.weight, np.eye(48))
    assert "brings" not in repair_sentence(study)


def test_without_negatives_recall_decides():
    images, texts, _ = planted("rotated", 120)
    study = array_repair(Pairs.of(images, texts))
    assert {r.repair for r in study.records} == {"none", "SB"}
    gain = study.value("recall_gain", "SB")
    assert (study.n_mended - study.n_spoiled) / study.n_compared == pytest.approx(gain.value)
    assert study.recommended == clears_noise(gain.value, gain.ci_low)
    assert "cannot be judged without negatives" in repair_sentence(study)


def test_captions_of_a_picture_are_one_draw_and_on_one_side():
    images, texts, negatives = planted("rotated", 60)
    of = np.repeat(np.arange(60), 4)
    noise = 0.01 * np.random.default_rng(0).normal(size=(240, 48)).astype(np.float32)
    pairs = Pairs.of(images, texts[of] + noise, negatives[of] + noise, image_of=of)
    plan, again = require_repairable(pairs, seed=0)
    assert (len(plan), len(again)) == (5, 5)
    for parts in (*plan, *again):
        pictures = [set(of[rows]) for rows in parts]
        assert sum(map(len, pictures)) == 60  # none is in two
    wide = array_repair(pairs, pull=0.0).value("binding_accuracy", "none")
    single = array_repair(Pairs.of(images, texts, negatives), pull=0.0).value(
        "binding_accuracy", "none"
    )
    # 60 draws, not 240
    assert wide.ci_high - wide.ci_low == pytest.approx(single.ci_high - single.ci_low, abs=0.05)


def test_parts_are_even_and_keep_groups_together():
    images, texts, negatives = planted("rotated", 200)
    of = np.minimum(np.arange(200) // 3, 50)  # one picture with many captions
    pairs = Pairs.of(images, texts, negatives, image_of=of)
    groups = groups_of(pairs)
    part_of = parts_of(pairs, 5, seed=1)
    assert np.ptp(np.bincount(part_of)) <= 50
    assert all(len(set(part_of[groups == group])) == 1 for group in np.unique(groups))
    np.testing.assert_array_equal(part_of, parts_of(pairs, 5, seed=1))
    assert (part_of != parts_of(pairs, 5, seed=2)).any()
    few = Pairs.of(images[:4], texts[:12], negatives[:12], image_of=np.arange(12) // 3)
    assert set(parts_of(few, 5, 0)) == {0, 1, 2, 3}  # as many parts as groups
    rows = np.random.default_rng(0).normal(size=(9, 4))
    chained = Pairs.of(rows[[0] * 20 + [*range(1, 7)]], rows[[0] * 20 + [*range(1, 7)]])
    # five would leave a part of one pair
    assert np.bincount(parts_of(chained, 5, 0)).tolist() == [
        20,
        2,
        2,
        2,
    ]


@pytest.mark.parametrize("n_groups", [1, 2])
def test_pairs_that_cannot_be_divided_are_refused(n_groups):
    images, texts, negatives = planted("rotated", 12)
    pairs = Pairs.of(images[:n_groups], texts, negatives, image_of=np.arange(12) % n_groups)
    with pytest.raises(
        ValueRangeError,
        match="12 pairs cannot be divided into parts to fit on, to choose on and to score",
    ):
        array_repair(pairs)


def test_two_widths_are_refused():
    images, texts, _ = planted("rotated", 30)
    with pytest.raises(ShapeError, match="pictures have 48 dimensions and captions 40"):
        array_repair(Pairs.of(images, texts[:, :40]))


def test_an_equal_negative_is_a_tie_and_a_miss():
    images, texts, negatives = planted("aligned", 120)
    negatives[:30] = texts[:30]
    pairs = Pairs.of(images, texts, negatives, keep_equal=True)
    np.testing.assert_array_equal(pairs.equal, np.arange(30))
    found = array_repair(pairs, pull=0.5)
    for name in ("none", "HNB"):
        assert found.value("binding_accuracy", name).ties == 30
        assert found.value("binding_accuracy", name).value <= 0.75
    with pytest.raises(
        ValueRangeError, match="30 of 120 negatives equal their caption, the first at index 0"
    ):
        Pairs.of(images, texts, negatives)


def test_a_negative_that_is_another_caption_of_the_picture_is_found():
    images, texts, negatives = planted("rotated", 20)
    of = np.arange(20) // 2
    negatives[4] = texts[5]  # of the same picture
    negatives[6] = texts[9]  # of another
    negatives[8] = texts[8]
    pairs = Pairs.of(images, texts, negatives, image_of=of, keep_equal=True)
    assert (pairs.true_negatives.tolist(), pairs.equal.tolist()) == ([4], [8])
    assert Pairs.of(images, texts, image_of=of).true_negatives.tolist() == []


SEEDS = [pytest.param(8, marks=pytest.mark.slow), pytest.param(40, marks=pytest.mark.long)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seeds", SEEDS)
def test_noise_is_left_alone_and_a_hidden_binding_is_not(seeds):
    left = [
        not array_repair(Pairs.of(*planted("lost", N, seed=seed)), seed=seed).recommended
        for seed in range(seeds)
    ]
    print(f"captions that lost their binding: identity in {sum(left)} of {seeds} seeds")
    assert np.mean(left) >= 0.95
    found = [
        array_repair(Pairs.of(*planted("rotated", N, seed=seed)), seed=seed).recommended
        for seed in range(seeds // 4)
    ]
    assert all(found)


@pytest.mark.slow
def test_threads_change_no_digit():
    images, texts, negatives = planted("rotated", 600)
    pairs = Pairs.of(
        images.astype(np.float32), texts.astype(np.float32), negatives.astype(np.float32)
    )
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            study = array_repair(pairs)
            found.append(
                (
                    [(r.metric, r.value, r.ci_low, r.ci_high) for r in study.records],
                    study.adapter.weight.tobytes(),
                )
            )
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
