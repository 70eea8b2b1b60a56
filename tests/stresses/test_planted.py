"""Encoders whose curves are known, and pictures that are read back pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from conceptbind.pictures.folder import _drawn
from conceptbind.pictures.vocabulary import COLORS
from conceptbind.probes.study import bag_of_concepts
from conceptbind.scenes import load_scenes
from conceptbind.stresses import FACTORS, stock_of, stress_study
from conceptbind.stresses.material import pictures_of
from conceptbind.stresses.study import bag_reader
from conceptbind.stresses.words import carries, curves_of, fall

BOTH = ("text", "image")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def objects_of(meaning):
    """(r, |O|) how often each object is there."""
    rows = np.zeros((len(meaning), meaning.space.n_objects), np.float32)
    np.add.at(rows, (np.arange(len(meaning))[:, None], meaning.objects), 1)
    return rows


def object_reader(material):
    """Perfect: whole objects, and nothing else."""
    return unit(objects_of(material.meaning))


def fading_reader(material):
    """Whole objects up to three of them; from six on a bag of concepts, four in between."""
    meaning = material.meaning
    share = {2: 0.0, 3: 0.0, 4: 0.5}.get(meaning.n_slots, 1.0)
    whole = unit(objects_of(meaning))
    return np.concatenate(
        [(1 - share) * whole, 0.1 * unit(bag_of_concepts(meaning))], axis=1
    ).astype(np.float32)


@pytest.fixture(scope="module")
def stock():
    return stock_of(load_scenes("clevr2d"), 160, 0)


def studied(stock, reader, names):
    return stress_study(
        stock, [FACTORS[name] for name in names], {"none": reader}, BOTH, encoder="planted"
    )


def values(study, **asked):
    asked = {"repair": "none", "control": "none", **asked}
    return {r["factor_value"]: r.value for r in study.records.where(**asked)}


@pytest.fixture(scope="module")
def perfect(stock):
    return studied(stock, object_reader, ("objects", "order", "repeat"))


def test_an_encoder_of_objects_stays_at_all_at_levels_2_and_3(perfect):
    for metric in ("paraphrase_accuracy", "binding_accuracy"):
        own = perfect.records.where(metric=metric, control="none")
        assert len(own) > 10
        assert {record.value for record in own} == {1.0}
        assert {record.ties for record in own} == {0}
    changes = perfect.records.where(metric="binding_change", control="none")
    assert {record.value for record in changes} == {0.0}


def test_an_encoder_of_objects_is_decodable_wherever_there_is_room_to_learn_it(perfect):
    found = values(perfect, metric="attribute_recognition", factor="objects", modality="image")
    assert min(found[n] for n in (2, 3, 4, 6)) > 0.95
    bag = values(
        perfect,
        metric="attribute_recognition",
        factor="objects",
        modality="image",
        control="bag_of_concepts",
    )
    assert all(found[n] > bag[n] + 0.3 for n in found)


def test_a_bag_of_concepts_ties_at_levels_2_and_3_at_every_value(stock, perfect):
    bag = perfect.records.where(
        control="bag_of_concepts", metric=("paraphrase_accuracy", "binding_accuracy")
    )
    assert len(bag) > 10
    for record in bag:
        assert (record.value, record.ties) == (0.0, record.n)
    alone = studied(stock, bag_reader, ("order",))
    own = alone.records.where(metric=("paraphrase_accuracy", "binding_accuracy"), control="none")
    assert {record.value for record in own} == {0.0}


def test_a_planted_loss_is_the_curve_and_its_paired_change(stock):
    study = studied(stock, fading_reader, ("objects",))
    for about in (
        {"metric": "binding_accuracy"},
        {"metric": "paraphrase_accuracy", "modality": "text", "setting": "trap"},
        {"metric": "paraphrase_accuracy", "modality": "image", "setting": "neutral"},
    ):
        assert values(study, **about) == {2: 1.0, 3: 1.0, 4: 1.0, 6: 0.0, 8: 0.0, 10: 0.0}
    change = values(study, metric="binding_change")
    assert change == {3: 0.0, 4: 0.0, 6: -1.0, 8: -1.0, 10: -1.0}
    (curve,) = [one for one in curves_of(study) if one.measure.level == 3]
    said = fall(curve)
    assert "prefer their caption to its swap in 0 %" in said
    assert "against 100 % with 2 objects" in said
    assert "The paired change is -100.0 points" in said
    assert {record["against"] for record in study.records.where(metric="binding_change")} == {"2"}


def test_every_point_has_its_n_its_interval_and_the_test_scenes(stock, perfect):
    for record in perfect.records.where(metric=("binding_accuracy", "binding_change")):
        assert record.n == len(stock.split.test)
        assert record.split == "test"
        assert record.ci_low is not None
        assert record.ci_low <= record.value <= record.ci_high


@pytest.mark.long
def test_the_repair_never_sees_what_it_is_scored_on(stock):
    """Test scenes whose rows are nonsense change no fitted map."""
    seen = {}

    def reader(material, spoil):
        rows = fading_reader(material)
        if material.modality == "image":
            rows = rows.copy()
            if spoil:
                rows[stock.split.test] = np.roll(rows[stock.split.test], 1, axis=1)
        return unit(rows)

    for spoil in (False, True):
        study = stress_study(
            stock,
            [FACTORS["order"]],
            {"none": lambda material, spoil=spoil: reader(material, spoil)},
            BOTH,
            encoder="planted",
        )
        seen[spoil] = study.pulls
    assert seen[False] == seen[True]


def test_a_repair_that_is_learned_at_the_base_is_applied_elsewhere(stock):
    """Pictures are captions in other axes: cosine sees nothing, a linear map all."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(24, 24)))[0].astype(np.float32)

    def reader(material):
        rows = object_reader(material)
        return rows @ rotation if material.modality == "image" else rows

    study = studied(stock, reader, ("clutter", "repeat"))
    assert study.pulls["none"] > 0
    for factor in ("clutter", "repeat"):
        before = values(study, metric="binding_accuracy", factor=factor)
        after = values(study, metric="binding_accuracy", factor=factor, repair="HNB")
        gains = values(study, metric="binding_gain", factor=factor, repair="HNB")
        assert all(0.2 < value < 0.8 for value in before.values())
        assert all(value > 0.9 for value in after.values())
        for value, gain in gains.items():
            assert gain == pytest.approx(after[value] - before[value])


def surface_reader(material):
    """Captions: whole objects faintly, single values, and loudly how the caption begins."""
    names = material.table.captions()
    surface = np.array([np.random.default_rng(sum(map(ord, c[:4]))).normal(size=8) for c in names])
    parts = (0.3 * unit(objects_of(material.meaning)), unit(bag_of_concepts(material.meaning)))
    return unit(np.concatenate([*parts, unit(surface)], axis=1)).astype(np.float32)


def test_captions_alone_have_a_map_of_queries_that_is_fitted_at_the_base(stock):
    factors = [FACTORS["objects"], FACTORS["clutter"]]
    study = stress_study(stock, factors, {"none": surface_reader}, ("text",), encoder="planted")
    assert (study.pulls, study.repaired) == ({"none": 1.0}, 2)
    assert "Clutter is left out" in study.notes[0]
    asked = {"metric": "paraphrase_accuracy", "setting": "trap"}
    before, after = values(study, **asked), values(study, **asked, repair="HNB")
    gains = values(study, metric="paraphrase_gain", setting="trap", repair="HNB")
    assert before[2] < 0.2
    assert after[2] > 0.9
    for n, gain in gains.items():
        assert gain == pytest.approx(after[n] - before[n])
    # a map of queries leaves the rows of an index as they are, so also level 1
    assert {r.level for r in study.records.where(repair="HNB")} == {2}
    said = [carries(c, 1.0) for c in curves_of(study) if c.measure.level == 2]
    assert said[1].startswith("Over the number of objects (trap), the repair of the base setting")


FILLED = {"square": 1.0, "circle": 0.785, "triangle": 0.5}
"""Share of its bounding box that a shape fills."""
SMALLEST = {"clutter": 30}
"""Pixels across, below which what is seen is a distractor."""


def read(picture, colours, smallest):
    """The objects of a flat picture from left to right: connected pixels of one colour."""
    pixels, found = np.asarray(picture).astype(int), []
    for colour in colours:
        parts, _ = ndimage.label((pixels == COLORS[colour]).all(axis=2))
        for place in ndimage.find_objects(parts):
            part = parts[place] > 0
            if min(part.shape) < smallest:
                continue
            share = part.mean()
            shape = min(FILLED, key=lambda name: abs(FILLED[name] - share))
            found.append(((place[1].start + place[1].stop) / 2, (colour, shape)))
    return [name for _, name in sorted(found)]


@pytest.mark.parametrize("name", FACTORS)
def test_pictures_show_the_objects_of_their_scene_whatever_is_varied(stock, name):
    factor, (colours, shapes) = FACTORS[name], stock.space.values
    for value in factor.values(stock):
        material = pictures_of(stock, factor.at(stock, value)).material
        for row in (0, 1, 2, 165, 200, 300):  # pictures of scenes, paraphrases and swaps
            rng = np.random.default_rng([0, material.places[row]])
            said = [(colours[a], shapes[b]) for a, b in material.table.table[row].tolist()]
            picture, layout = _drawn(said, rng, material.style)
            assert len(layout.radii) == len(said)
            found = read(picture, colours, SMALLEST.get(name, 5))
            if len(said) > 3:  # some stand above each other
                found, said = sorted(found), sorted(said)
            assert found == said, (value, row)
