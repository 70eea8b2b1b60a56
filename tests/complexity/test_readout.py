"""No scene is read by probes that saw it, and planted rules are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.complexity import Labelled, cover, fit_readout, make, plant
from conceptbind.complexity.readout import halves
from conceptbind.probes import fit_scene_probes
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import concept_codes, object_codes

SCENES = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdef"), tuple("uvwxyz"))))
ALL = np.arange(len(SCENES))


@pytest.mark.parametrize("by", ["pair", "orbit", "object"])
def test_each_scene_has_probes_that_never_saw_it(by):
    split = split_scenes(SCENES, by)
    first, second = halves(split)
    assert first is split
    assert not np.isin(
        np.concatenate([second.train, second.validation]),
        np.concatenate([split.train, split.validation]),
    ).any()
    readout = fit_readout("plain", object_codes(SCENES), SCENES, split)
    unseen = np.stack([rows for _, rows in readout.folds])
    assert unseen.any(axis=0).all()
    for (_, rows), half in zip(readout.folds, (first, second), strict=True):
        assert not rows[half.train].any()
        assert not rows[half.validation].any()


def test_what_was_learned_by_heart_is_not_recognised():
    """Noise of many dimensions: probes read every scene that they were fitted on, and no other."""
    noise = np.random.default_rng(0).normal(size=(len(SCENES), 1500)).astype(np.float32)
    split = split_scenes(SCENES)
    probes = fit_scene_probes(noise, SCENES, split)
    assert probes.recognise(noise, SCENES, split.train, None).accuracy > 0.9
    readout = fit_readout("plain", noise, SCENES, split)
    assert readout.recognised(noise[split.train], SCENES, split.train)[-1]["value"] < 0.05
    assert readout.recognised(noise, SCENES, ALL)[-1]["n"] == len(SCENES)


def test_order_of_rows_and_predictions_by_row():
    values, split = object_codes(SCENES), split_scenes(SCENES)
    readout = fit_readout("plain", values, SCENES, split)
    assert min(row["value"] for row in readout.recognised(values, SCENES, ALL)) > 0.99
    rows = np.random.default_rng(0).permutation(ALL)[:100]
    assert readout.recognised(values[rows], SCENES, rows)[-1]["value"] > 0.95
    assert readout.recognised(values[rows[::-1]], SCENES, rows)[-1]["value"] < 0.2
    assert {row["readout"] for row in readout.recognised(values, SCENES, ALL)} == {"plain"}


@pytest.mark.slow
def test_a_planted_rule_is_of_the_given_rank_and_size():
    scenes = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdefgh"), tuple("stuvwxyz"))))
    noise = np.random.default_rng(1).normal(size=(len(scenes), 32)) / 50
    values = (object_codes(scenes, 32) + noise).astype(np.float64)
    rule = plant(values, scenes, 2)
    assert np.square(rule - rule.mean(0)).sum() == pytest.approx(
        np.square(values - values.mean(0)).sum(), rel=0.1
    )
    parts = cover(scenes, 0.6)

    def generalisation(name, asked):
        model = make(name, (8, 8), 2, width=8).fit(
            *(Labelled(scenes.table[rows], asked[rows]) for rows in (parts.train, parts.validation))
        )
        rest = asked[parts.unseen] - model.predict(scenes.table[parts.unseen])
        return (
            1
            - np.square(rest).sum()
            / np.square(asked[parts.unseen] - asked[parts.train].mean(0)).sum()
        )

    assert generalisation("per_object_product", rule) > 0.99
    assert generalisation("additive", rule) < 0.7
    assert generalisation("per_object_product", values) < 0.7  # codes of objects were there before
    assert (plant(values, scenes, 2) == rule).all()
    assert (plant(values, scenes, 3) != rule).any()


def test_nothing_is_planted_where_nothing_can_be_told():
    few = SCENES.select(np.arange(70))  # of 2 and 36 objects, less than two scenes for each
    assert plant(object_codes(few), few, 2) is None
    assert plant(concept_codes(SCENES).astype(np.float64), SCENES, 2) is None
