"""A repair of scenes: what is scored, at which pull, what is written, and when."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conceptbind.crossmodal import caption_bank, crossmodal_study
from conceptbind.repairs import repair_study
from conceptbind.repairs import study as module
from conceptbind.repairs.held_scenes import FOLDS, parts_of_scenes
from conceptbind.repairs.labclip import Adapter, Fit
from conceptbind.repairs.labclip.solver import Candidate
from conceptbind.repairs.words import repair_verdict
from conceptbind.scenes import load_scenes, orbit_ids
from repairs.planted_repair import WIDTH, grid, planted


@pytest.fixture(scope="module")
def table():
    return grid()


@pytest.fixture(scope="module")
def helped(table):
    return repair_study(*planted(*table, held=0.7), *table)


@pytest.fixture(scope="module")
def useless(table):
    return repair_study(*planted(*table, held=0.0, seed=3), *table)


def test_a_hidden_binding_is_found_and_recommended(helped):
    before, after, gain = (
        helped.value(*of)
        for of in (("binding_accuracy", "none"), ("binding_accuracy",), ("binding_gain",))
    )
    assert before.value < 0.7 < 0.9 < after.value
    assert helped.recommended
    assert gain.ci_low > 0
    assert repair_verdict(helped).word == "yes"


def test_one_pull_everywhere(helped):
    assert 0 < helped.pull <= 1
    assert helped.adapter.config["pull"] == helped.pull
    np.testing.assert_array_equal(
        helped.adapter.weight, helped.fit.adapter.pulled(helped.pull).weight
    )
    scored = [r for r in helped.records if r.repair == "HNB"]
    assert {r["pull"] for r in scored} == {helped.pull}
    assert {r["recommended"] for r in scored} == {True}
    assert {r["pull"] for r in helped.records if r.repair == "none"} == {0.0}
    points = {point.at: point.scores for point in helped.curve if point.over == "pull"}
    best = max(
        scores.binding
        for scores in points.values()
        if scores.retrieval >= points[0.0].retrieval - 0.01
    )
    # the curve that is shown is the one that chose
    assert points[helped.pull].binding >= best - 0.01 - 1e-9


def test_before_is_what_the_study_across_modalities_says_of_the_same_arrays(table, helped):
    """Value, n, ties and interval: every scene is scored, those without a swap too."""
    across = crossmodal_study(*planted(*table, held=0.7), *table)
    for metric, order in (
        ("binding_accuracy", "either"),
        ("recall_at_1", None),
        ("recall_at_5", None),
        ("caption_swap_cosine", None),
    ):
        one = next(r for r in across.records if r.metric == metric and r["order"] == order)
        two = helped.value(metric, "none")
        assert (one.value, one.n, one.ties) == pytest.approx((two.value, two.n, two.ties))
        assert (one.ci_low, one.ci_high) == pytest.approx((two.ci_low, two.ci_high))
    gap = next(r.value for r in across.records if r.metric == "modality_gap")
    assert helped.value("modality_gap", "none").value == pytest.approx(gap)


def test_the_comparisons_that_were_turned_are_the_gain(helped, useless):
    for study in (helped, useless):
        gain = study.value("binding_gain")
        assert gain.n == len(study.comparisons)
        assert study.n_compared == 4 * gain.n
        assert (study.n_mended - study.n_spoiled) / study.n_compared == pytest.approx(gain.value)
        for scored in study.comparisons:
            assert scored.right_after == scored.right_before + scored.mended - scored.spoiled
        after = sum(scored.right_after for scored in study.comparisons) / study.n_compared
        assert after == pytest.approx(study.value("binding_accuracy").value)


def test_where_nothing_can_be_repaired_the_identity_is_written(useless):
    assert not useless.recommended
    assert useless.adapter.config["pull"] == 0.0
    np.testing.assert_array_equal(useless.adapter.weight, np.eye(WIDTH))
    tried = [r for r in useless.records if r.repair == "HNB"]
    # what was tried is told as it was scored
    assert {r["pull"] for r in tried} == {useless.pull}
    assert {r["recommended"] for r in tried} == {False}
    assert repair_verdict(useless).word in ("no", "unclear")
    assert repair_verdict(useless).score == useless.value("binding_accuracy", "none").value


def quick_fit(weight):
    """A fit that is over at once, and remembers what it was given."""
    seen = []

    def fit_pairs(train, validation, seed, **options):
        seen.append((train, validation))
        protocol = "HNB" if train.negatives is not None else "SB"
        adapter = Adapter(weight, 0.0, {"protocol": protocol})
        return Fit(adapter, (), Candidate(torch.from_numpy(weight), 0.0, 1, 0.0, None))

    return fit_pairs, seen


def test_a_pull_that_was_asked_for_is_written_whatever_it_gains(table, monkeypatch):
    weight = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0].astype(
        np.float32
    )
    monkeypatch.setattr(module, "fit_pairs", quick_fit(weight)[0])
    rows = planted(*table, held=0.0)
    asked = repair_study(*rows, *table, pull=0.5)
    assert (asked.asked, asked.recommended, asked.pull, asked.adapter.config["pull"]) == (
        True,
        False,
        0.5,
        0.5,
    )
    chosen = repair_study(*rows, *table)
    assert (chosen.asked, chosen.adapter.config["pull"]) == (False, 0.0)
    nothing = repair_study(*rows, *table, pull=0.0)
    gain = nothing.value("binding_gain")
    # there is nothing to be unsure of
    assert (gain.value, gain.ci_low, gain.ci_high) == (
        0.0,
        None,
        None,
    )
    assert (
        nothing.value("binding_accuracy").value == nothing.value("binding_accuracy", "none").value
    )


def test_no_orbit_is_on_two_sides(table, monkeypatch):
    """Of every scored scene neither its captions nor its swaps were fitted on, nor chose."""
    scenes, bank = table
    fit_pairs, seen = quick_fit(np.eye(WIDTH, dtype=np.float32))
    tested = []
    add = module._Outcome.add

    def remember(self, rows, adapter):
        tested.append(rows)
        add(self, rows, adapter)

    monkeypatch.setattr(module, "fit_pairs", fit_pairs)
    monkeypatch.setattr(module._Outcome, "add", remember)
    assert repair_study(*planted(*table, held=0.5), *table, pull=0.5) is not None
    orbits = orbit_ids(scenes)
    for fold in range(FOLDS):
        rows = tested[fold]
        for train, validation in seen[fold : len(seen) - 1 : FOLDS]:
            parts = [set(orbits[part.image_of]) for part in (train, validation)]
            assert not parts[0] & parts[1]
            assert not set(orbits[rows]) & (parts[0] | parts[1])
            assert parts[0] | parts[1] | set(orbits[rows]) >= set(orbits[bank.swap_of])
    assert sorted(np.concatenate(tested[:FOLDS])) == list(range(len(scenes)))


@pytest.mark.parametrize("name", ["clevr2d", "4x4", "8x7"])
def test_parts_are_alike_scenes_without_a_swap_included(name):
    """56 objects make 3,136 scenes, of which 672 have no swap; all of these once landed in the part
    that was scored.
    """
    scenes = load_scenes("clevr2d") if name == "clevr2d" else grid(*map(int, name.split("x")))[0]
    bank = caption_bank(scenes)
    orbits = orbit_ids(scenes)
    swappable = np.isin(np.arange(len(scenes)), bank.swap_of)
    assert 0 < swappable.mean() < 1
    for seed in range(3):
        part_of = parts_of_scenes(orbits, bank.swap_of, seed)
        assert set(part_of) == set(range(FOLDS))
        for orbit in np.unique(orbits):
            assert len(set(part_of[orbits == orbit])) == 1
        shares = [swappable[part_of == part].mean() for part in range(FOLDS)]
        assert max(abs(share - swappable.mean()) for share in shares) < 0.1
        sizes = np.bincount(part_of)
        assert max(sizes) < 1.3 * min(sizes)


def test_too_few_swaps_give_no_study():
    small = grid(2, 3)
    assert repair_study(*planted(*small, held=0.5), *small) is None


SEEDS = [pytest.param(20, marks=pytest.mark.slow), pytest.param(40, marks=pytest.mark.long)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("many", SEEDS)
def test_noise_is_left_alone_and_a_hidden_binding_is_not(table, monkeypatch, many):
    """Simulated: of noisy bags the identity is written in 95 % of the seeds at least, and weaker
    and stronger bindings are found.
    """
    monkeypatch.setattr(module, "PROTOCOLS", ("none", "HNB"))  # SB decides nothing
    for held, seeds, least, most in (
        (0.0, many, 0.0, 0.05),
        (0.1, many // 10, 0.8, 1.0),
        (0.3, many // 10, 1.0, 1.0),
    ):
        found = [
            repair_study(*planted(*table, held=held, seed=seed), *table, seed=seed).recommended
            for seed in range(seeds)
        ]
        print(
            f"captions hold turned objects {held} times: recommended in {sum(found)} of {seeds} "
            "seeds"
        )
        assert least <= np.mean(found) <= most
