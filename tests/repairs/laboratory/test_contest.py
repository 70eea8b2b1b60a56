"""All methods on the same folds: what is recommended, and what the records say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Metric, Repair
from conceptbind.repairs.arrays import array_repair
from conceptbind.repairs.held_scenes import HeldScenes
from conceptbind.repairs.labclip import Pairs
from conceptbind.repairs.labclip.cost import Point, Scores, recommend
from conceptbind.repairs.laboratory import alone, contenders, grounds, laboratory
from conceptbind.repairs.laboratory.contest import Entry, preferred
from conceptbind.repairs.laboratory.grounds import PairGround, Paraphrases, SceneGround, pooled
from conceptbind.repairs.study import repair_study
from repairs.labclip.planted_pairs import planted as planted_arrays
from repairs.laboratory import planted_truths as truths
from repairs.planted_repair import grid, planted

QUICK = (Repair.RIDGE, Repair.PROCRUSTES, Repair.DIAGONAL, Repair.ERASURE)
NAMES = {"scenes": "planted", "encoder": "none"}


def compared(arrays, names=QUICK, seed=0, **more):
    ground = PairGround(Pairs.of(*arrays), NAMES, seed, **more)
    ticks = itertools.count()
    return laboratory(
        ground, alone(names, ground.n_negatives), seed=seed, clock=lambda: next(ticks)
    )


@pytest.fixture(scope="module")
def mended():
    return compared(truths.turned(300))


def test_the_map_that_repairs_is_recommended_and_written(mended):
    assert mended.recommended
    assert mended.best.method == Repair.PROCRUSTES  # as good as ridge, with fewer numbers
    assert mended.adapter.weight.shape == (16, 16)
    assert not np.allclose(mended.adapter.weight, np.eye(16))
    images, texts, negatives = truths.turned(500, seed=4)
    x = images / np.linalg.norm(images, axis=1, keepdims=True)
    true, false = mended.adapter(texts), mended.adapter(negatives)
    assert ((x * true).sum(1) > (x * false).sum(1)).mean() > 0.95


def test_records_say_which_method_on_which_side_with_how_many_numbers(mended):
    record = mended.record(mended.best, Metric.BINDING_ACCURACY)
    assert record is not None
    assert record.value > 0.95
    assert record.has(study="laboratory", repair="procrustes", side="text", n_negatives=1)
    assert record["parameters"] == 120
    assert record["seconds"] == 1.0  # of the clock that was given
    assert record["recommended"] is True
    others = mended.records.where(metric=Metric.BINDING_ACCURACY, recommended=False)
    assert {other.repair for other in others} == {"ridge", "diagonal", "erasure"}
    gain = mended.record(mended.best, Metric.BINDING_GAIN)
    before = mended.record(mended.entries[0], Metric.BINDING_ACCURACY)
    assert gain.value == pytest.approx(record.value - before.value)


def test_a_method_without_negatives_is_judged_by_them_and_chooses_without_them():
    found = compared(truths.turned(300), (Repair.SB,))
    assert (found.recommended, found.best.method) == (True, "SB")
    assert found.record(found.best, Metric.BINDING_ACCURACY).value > 0.95
    assert found.best.validation.binding > 0.95
    assert not np.allclose(found.adapter.weight, np.eye(16))
    blind = [Point(p.over, p.at, Scores(None, p.scores.retrieval)) for p in found.best.curve]
    assert found.best.pull == recommend(blind)


def test_what_binds_no_better_is_not_written_for_what_it_retrieves():
    found = compared(truths.bag(200), (Repair.SB,))
    assert not found.recommended
    np.testing.assert_array_equal(found.adapter.weight, np.eye(16))


@pytest.mark.parametrize("seed", range(3))
def test_where_captions_hold_no_binding_nothing_is_recommended(seed):
    found = compared(truths.bag(200, seed=seed), seed=seed)
    assert not found.recommended
    np.testing.assert_array_equal(found.adapter.weight, np.eye(16))
    assert found.pull == 0


def test_where_nothing_is_to_repair_nothing_is_changed():
    found = compared(planted_arrays("aligned", 300))
    assert not found.recommended
    assert found.record(found.entries[0], Metric.BINDING_ACCURACY).value > 0.99


def test_no_method_is_scored_as_worse_than_none_by_more_than_noise():
    for arrays in (truths.turned(200), truths.bag(200), truths.stretched(200)):
        found = compared(arrays)
        for entry in found.entries[1:]:
            gain = found.record(entry, Metric.BINDING_GAIN)
            assert gain.value > -0.05


@pytest.mark.slow
def test_hnb_has_the_numbers_of_the_repair_alone():
    pairs = Pairs.of(*planted_arrays("rotated", 300))
    repaired = array_repair(pairs)
    ground = PairGround(pairs, NAMES, 0)
    found = laboratory(ground, alone((Repair.SB, Repair.HNB), 1))
    for metric in (Metric.BINDING_ACCURACY, Metric.RECALL_AT_1, Metric.PICTURE_RECALL_AT_1):
        for place, repair in ((0, "none"), (2, "HNB")):
            record = found.record(found.entries[place], metric)
            other = repaired.value(metric, repair)
            assert record.n == other.n
            ours, theirs = ((r.value, r.ci_low, r.ci_high) for r in (record, other))
            assert ours == pytest.approx(theirs, rel=1e-9)
    difference = found.negatives
    after, before = (
        found.record(found.entries[place], Metric.BINDING_ACCURACY).value for place in (2, 1)
    )
    assert difference.value == pytest.approx(after - before)
    assert difference["against"] == "SB"


@pytest.mark.slow
def test_on_scenes_too():
    scenes, bank = grid()
    images, captions = planted(scenes, bank, held=0.7)
    repaired = repair_study(images, captions, scenes, bank)
    held = HeldScenes(images.unit().values, captions.unit().values, scenes, bank, None)
    ground = SceneGround(held, NAMES, 0)
    assert ground.n_negatives == 2
    found = laboratory(ground, alone((Repair.SB, Repair.HNB, Repair.RIDGE), 2))
    for place, repair in ((0, "none"), (1, "SB"), (2, "HNB")):
        for metric in (Metric.BINDING_ACCURACY, Metric.RECALL_AT_1):
            record = found.record(found.entries[place], metric)
            other = repaired.value(metric, repair)
            ours, theirs = ((r.value, r.n, r.ci_low) for r in (record, other))
            assert ours == pytest.approx(theirs, rel=1e-9)
    assert found.recommended


def test_scenes_give_every_caption_all_its_swaps_in_both_orders():
    scenes, bank = grid()
    images, captions = planted(scenes, bank, held=0.7)
    held = HeldScenes(images.unit().values, captions.unit().values, scenes, bank, None)
    ground = SceneGround(held, NAMES, 0)
    train = ground.folds[0].train
    one, two = (ground.pairs(train, several=several) for several in (False, True))
    assert (one.n_negatives, two.n_negatives) == (1, 2)
    assert len(one) == len(two)
    both = {tuple(sorted(ids)) for ids in two.negatives[:, :, 0].tolist()}
    for scene in np.unique(bank.swap_of[np.isin(bank.swap_of, train)]).tolist():
        swaps = captions.unit().values[bank.swaps[bank.swap_of == scene].reshape(-1), 0]
        assert tuple(sorted(swaps.tolist())) in both


def test_several_negatives_are_a_row_of_their_own():
    def fits(n):
        return [
            (found.method.name, found.method.side)
            for found in contenders(n)
            if found.several or found.method.name in ("HNB", "erasure")
        ]

    assert fits(0) == []
    assert fits(1) == [("HNB", "text"), ("HNB", "both"), ("erasure", "text")]
    assert fits(2) == [("HNB", "text"), ("HNB", "text"), ("HNB", "both"), ("erasure", "text")]


def test_one_negative_of_several_is_the_first():
    images, texts, negatives = truths.turned(200)
    several = np.stack([negatives, np.roll(texts, 1, axis=0)], axis=1)
    first = Pairs.of(images, texts, several).with_first_negative()
    lengths = np.linalg.norm(negatives, axis=1, keepdims=True)
    np.testing.assert_allclose(first.negatives, negatives / lengths, atol=1e-6)
    assert first.n_negatives == 1
    assert first.with_first_negative() is first


@pytest.mark.parametrize("name", ["HNB", "erasure"])
def test_a_method_of_negatives_is_refused_without(name):
    with pytest.raises(ValueRangeError, match=f"{name} needs negatives, and there are none; give"):
        alone((Repair(name),), 0)


def test_a_method_by_name_is_a_map_of_captions():
    names = (Repair.CCA, Repair.HNB, Repair.RIDGE, Repair.SB)
    found = alone(names, 2, "query")
    assert [(one.method.name, one.method.side, one.several) for one in found] == [
        (name, "query", False) for name in names
    ]


def test_paraphrases_are_found_again_and_count_once():
    images, texts, negatives = truths.turned(200)
    rng = np.random.default_rng(1)
    given = Paraphrases(texts[:50], 7 * texts[:50] + 0.01 * rng.normal(size=(50, 16)))
    found = compared((images, texts, negatives), (Repair.PROCRUSTES,), paraphrases=given)
    record = found.record(found.entries[1], Metric.PARAPHRASE_RECALL_AT_1)
    assert (record.value, record.n) == (1.0, 50)
    gain = found.record(found.entries[1], Metric.PARAPHRASE_RECALL_GAIN)
    assert gain.value == 0  # long rows and short ones are the same captions


def test_items_of_several_folds_are_averaged():
    def part(values, ids):
        tied = np.array(values) == 0
        return grounds.Scored(np.array(values, float), tied, np.array(ids), np.array(ids) * 10)

    found = pooled([part([1, 0, 1], [3, 1, 2]), part([0, 0], [3, 1])])
    np.testing.assert_array_equal(found.ids, [1, 2, 3])
    np.testing.assert_array_equal(found.values, [0, 1, 0.5])
    np.testing.assert_array_equal(found.ties, [True, False, True])
    np.testing.assert_array_equal(found.clusters, [10, 20, 30])


def entry(method, binding, retrieval, parameters, *, keeps=True):
    curve = (Point("pull", 0.0, Scores(binding, retrieval)),)
    return Entry(method, "text", 1, parameters, 0.0, curve, 0.0, "", keeps, {})


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # nothing is clearly better than none
        ([entry("none", 0.7, 0.8, 0), entry("ridge", 0.705, 0.8, 9)], "none"),
        # equals up to a hundredth: the one with fewest numbers
        ([entry("none", 0.7, 0.8, 0), entry("ridge", 0.99, 0.9, 9), entry("cca", 0.985, 0.9, 4)],
         "cca"),
        # equals in binding: the one that retrieves better
        ([entry("none", 0.7, 0.8, 0), entry("ridge", 0.99, 0.9, 9), entry("cca", 0.985, 0.8, 4)],
         "ridge"),
        # a new index is never asked for
        ([entry("none", 0.7, 0.8, 0), entry("ridge", 0.8, 0.8, 9),
          entry("cca", 1.0, 0.9, 4, keeps=False)], "ridge"),
        # without negatives recall alone decides
        ([entry("none", None, 0.8, 0), entry("SB", None, 0.9, 9)], "SB"),
    ],
)  # fmt: skip
def test_validation_prefers(entries, expected):
    assert preferred(entries).method == expected
