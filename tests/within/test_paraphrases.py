"""Level 2 on planted rows: what each kind of encoder must get, in both settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from conceptbind.core.names import Control, Metric
from conceptbind.core.outcomes import mean_of
from conceptbind.probes.study import bag_of_concepts
from conceptbind.scenes import Scenes, text20
from conceptbind.scenes.paraphrases import ParaphraseBank, paraphrase_bank
from conceptbind.scenes.swaps import orbit_ids
from conceptbind.within.study import Items, WithinStudy, area_under_curve, within_study
from conceptbind.within.triplets import NEUTRAL, TRAP, scored, text_triplets
from conceptbind.within.usable import length_rows
from conceptbind.within.words import usable_within

SCENES = text20(5, 4)
BANK = paraphrase_bank(SCENES)
MEANT = Scenes(SCENES.space, BANK.meaning)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def objects() -> np.ndarray:
    """Which objects a caption names: all of its binding, and no word of its surface."""
    return MEANT.presence(None).astype(np.float32)


def wording_of(bank: ParaphraseBank) -> np.ndarray:
    """One column for each wording, the table's own first."""
    which = np.zeros(len(bank.captions), dtype=int)
    for number in range(len(bank.wordings)):
        which[bank.paraphrase[:, number]] = number + 1
        which[bank.neutral[:, number]] = number + 1
    return np.eye(len(bank.wordings) + 1, dtype=np.float32)[which]


def study(rows: np.ndarray, **controls: np.ndarray) -> WithinStudy:
    items = Items(
        BANK.scene,
        BANK.concept,
        orbit_ids(SCENES)[BANK.scene],
        SCENES.space.concepts,
        BANK.wordings,
    )
    return within_study(
        {Control.NONE: unit(rows), **{name: unit(other) for name, other in controls.items()}},
        text_triplets(BANK),
        items,
        modality="text",
        scenes=SCENES.name,
        encoder="planted",
    )


def strict(rows: np.ndarray) -> tuple[float, float]:
    found = study(rows)
    neutral, trap = found.value(NEUTRAL).value, found.value(TRAP).value
    assert neutral is not None
    assert trap is not None
    return neutral, trap


def test_an_encoder_of_objects_passes_both() -> None:
    assert strict(objects()) == (1.0, 1.0)


def test_a_bag_of_concepts_ties_everywhere() -> None:
    found = study(bag_of_concepts(MEANT))
    for setting in (NEUTRAL, TRAP):
        record = found.value(setting)
        assert (record.value, record.ties) == (0.0, record.n)
        one_sided = found.value(setting, Metric.PARAPHRASE_ACCURACY_ONE_SIDED)
        assert (one_sided.value, one_sided.ties) == (0.0, one_sided.n)


def test_a_constant_encoder_ties_everywhere() -> None:
    assert strict(np.ones((len(BANK.captions), 3), dtype=np.float32)) == (0.0, 0.0)


def test_an_encoder_of_the_wording_alone_ties_in_neutral_and_falls_into_the_trap() -> None:
    found = study(wording_of(BANK))
    assert found.value(NEUTRAL).value == 0
    assert found.value(NEUTRAL).ties == len(BANK)
    assert found.value(TRAP).value == 0
    assert found.value(TRAP).ties == 0, "lost, not tied"


def test_an_encoder_that_hears_the_wording_most_passes_neutral_and_falls_into_the_trap() -> None:
    assert strict(np.hstack([objects(), 5 * wording_of(BANK)])) == (1.0, 0.0)


def test_an_encoder_that_hears_the_wording_little_passes_both() -> None:
    assert strict(np.hstack([objects(), 0.5 * wording_of(BANK)])) == (1.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_surface_alone_wins_half_of_neutral_and_no_verdict_says_that_it_binds(seed: int) -> None:
    """An angle for each wording and no word of the scene: which wordings are near each other is
    chance, and each is the paraphrase's as often as the swap's.
    """
    angles = np.random.default_rng(seed).uniform(0, 2, len(BANK.wordings) + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = study((wording_of(BANK) @ circle).astype(np.float32))
    assert found.value(NEUTRAL, Metric.PARAPHRASE_ACCURACY_ONE_SIDED).value == pytest.approx(0.5)
    neutral = found.value(NEUTRAL).value
    assert neutral is not None
    assert neutral <= 0.5
    assert found.value(TRAP).value == 0
    assert usable_within(found.records, "text", "surface").word == "no"


def test_each_pair_of_wordings_stands_in_both_places() -> None:
    neutral, _ = text_triplets(BANK)
    worded = wording_of(BANK).argmax(axis=1)
    pairs = np.stack([worded[neutral.paraphrase], worded[neutral.negative]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    w = len(BANK.wordings)
    assert len(found) == w * (w - 1)
    assert set(counts.tolist()) == {4 * len(BANK)}, "both orders of each"


def test_tiled_triplets_are_scored_as_plain_ones() -> None:
    rows = unit(np.hstack([objects(), wording_of(BANK)]) + 0.2 * _noise()).astype(np.float32)
    asking = unit(rows + 0.1 * _noise())
    for triplets in text_triplets(BANK):
        plain = replace(triplets, tile=None)
        some = triplets.item % 3 == 1
        used, here = triplets.used()
        pairs = [
            (scored(rows, triplets, asking), scored(rows, plain, asking)),
            (scored(rows, triplets.of_items(some)), scored(rows, plain.of_items(some))),
            (scored(rows[used], here), scored(rows, plain)),
        ]
        odd = triplets.of_items(np.arange(len(triplets)) % 5 == 0)  # no whole item
        assert odd.tile is None
        for one, other in pairs:
            for part in ("to_paraphrase", "to_negative", "between"):
                np.testing.assert_allclose(getattr(one, part), getattr(other, part), atol=1e-6)
            assert (one.outcome.correct == other.outcome.correct).mean() > 0.999
            assert (one.triplets.item == other.triplets.item).all()


def test_an_encoder_of_the_first_object_alone_is_right_in_half_of_neutral() -> None:
    """Paraphrases in the anchor's order are right, those in reverse are not, whatever the swap."""
    first = np.eye(SCENES.space.n_objects, dtype=np.float32)[MEANT.objects[:, 0]]
    found = study(first)
    by_order = {
        str(r["order"]): r.value
        for r in found.records.where(metric=Metric.PARAPHRASE_ACCURACY, setting=NEUTRAL)
        if r["order"]
    }
    assert by_order == {"as listed": 1.0, "reversed": 0.0}
    assert found.value(NEUTRAL).value == 0.5
    assert found.value(TRAP).value == 0.0, "the paraphrase of a trap is in the reverse order"


def test_the_length_of_captions_is_blind() -> None:
    rows = length_rows(BANK.captions.written_captions or ())
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    cosines = rows @ rows[0]
    lengths = np.array([len(text) for text in BANK.captions.written_captions or ()])
    order = np.argsort(np.abs(lengths - lengths[0]), kind="stable")
    assert (np.diff(cosines[order]) <= 1e-12).all(), "the nearer in length, the higher"
    assert strict(rows)[1] < 0.05


def test_each_record_has_its_parts() -> None:
    found = study(objects() + 0.3 * wording_of(BANK)[:, :1], bag_of_concepts=bag_of_concepts(MEANT))
    mine = found.records.where(metric=Metric.PARAPHRASE_ACCURACY, setting=NEUTRAL)
    whole = found.value(NEUTRAL)
    worded = [r for r in mine if r["wording"]]
    assert [r["wording"] for r in worded] == list(BANK.wordings)
    assert np.mean([r.value for r in worded]) == pytest.approx(whole.value)
    assert {(r.study, r.modality, r.level, r.n) for r in mine} == {("within", "text", 2, len(BANK))}
    assert [r.control for r in mine if r["wording"] is None and r["order"] is None] == [
        "none",
        "bag_of_concepts",
    ]
    assert whole.ci_low is not None
    for outcome, setting in zip(found.outcomes, (NEUTRAL, TRAP), strict=True):
        assert outcome.about["setting"] == setting
        assert mean_of(outcome.right, None) == pytest.approx(found.value(setting).value)


def test_lexical_sensitivity_is_the_difference_of_the_settings() -> None:
    found = study(np.hstack([objects(), 1.05 * wording_of(BANK)]) + 0.2 * _noise())
    change = found.records.one(metric=Metric.LEXICAL_SENSITIVITY).value
    neutral, trap = found.value(NEUTRAL).value, found.value(TRAP).value
    assert trap < neutral
    assert change == pytest.approx(trap - neutral)


def _noise() -> np.ndarray:
    rng = np.random.default_rng(0)
    width = SCENES.space.n_objects + len(BANK.wordings) + 1
    return rng.normal(size=(len(BANK.captions), width)).astype(np.float32)


def test_the_neutral_setting_has_three_wordings_and_the_trap_one_twice() -> None:
    worded = wording_of(BANK).argmax(axis=1)
    neutral, trap = text_triplets(BANK)
    three = np.stack([worded[part] for part in (neutral.anchor, neutral.paraphrase)])
    assert (three[0] == 0).all()
    assert (worded[neutral.negative] != three[1]).all()
    assert (worded[neutral.negative] != 0).all()
    assert (worded[trap.anchor] == 0).all()
    assert (worded[trap.negative] == 0).all()
    assert (worded[trap.paraphrase] != 0).all()


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    above, below = rng.normal(0.4, 0.2, 300), rng.normal(0.3, 0.2, 500)
    wanted = roc_auc_score(np.r_[np.ones(300), np.zeros(500)], np.r_[above, below])
    assert area_under_curve(above, below) == pytest.approx(wanted)
    assert area_under_curve(np.ones(4), np.ones(5)) == 0, "ties are misses"


def test_rows_on_disk_give_the_same(tmp_path: object) -> None:
    rows = unit(np.hstack([objects(), wording_of(BANK)])).astype(np.float32)
    path = f"{tmp_path}/rows.npy"
    np.save(path, rows)
    mapped = np.load(path, mmap_mode="r")
    for triplets in text_triplets(BANK):
        one, two = scored(rows, triplets), scored(mapped, triplets)
        assert (one.outcome.correct == two.outcome.correct).all()


def test_worst_items_come_first() -> None:
    found = study(np.hstack([objects(), 1.05 * wording_of(BANK)]) + 0.2 * _noise())
    items, right, _ = found.settings[TRAP].by_item()
    worst = found.worst(most=5)
    assert len(worst) == 5
    chosen = right[np.searchsorted(items, worst)]
    assert (np.diff(chosen) >= 0).all()
    assert chosen.max() <= np.sort(right)[4]
