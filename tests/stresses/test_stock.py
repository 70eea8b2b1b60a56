"""Scenes stay the same while one thing about them changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes import ConceptSpace, Scenes, load_scenes, orbit_ids
from conceptbind.stresses import FACTORS, stock_of
from conceptbind.stresses.material import Setting, captions_of, pictures_of
from conceptbind.stresses.stock import LISTED, REVERSED, SHUFFLED

N = 120


@pytest.fixture(scope="module")
def stock():
    return stock_of(load_scenes("clevr2d"), N, 3)


def ids(stock, table):
    return stock.space.object_ids(table)


@pytest.mark.parametrize("slots", [2, 3, 6, 10])
def test_a_larger_scene_is_the_smaller_one_and_more(stock, slots):
    small, large = ids(stock, stock.view().table), ids(stock, stock.view(slots).table)
    for one, other in zip(small, large, strict=True):
        assert len(set(other)) == slots  # no object stands twice
        assert [o for o in other if o in set(one)] == list(one)  # and the pair in its order


@pytest.mark.parametrize("slots", [2, 3, 10])
def test_the_swap_exchanges_the_pair_s_attributes_and_nothing_else(stock, slots):
    view = stock.view(slots)
    for scene in range(N):
        one, other, (a, b) = view.table[scene], view.swapped[scene], view.pair[scene]
        assert one[a, 0] == other[b, 0] != one[b, 0] == other[a, 0]
        assert (one[:, 1] == other[:, 1]).all()
        rest = np.setdiff1d(np.arange(slots), (a, b))
        assert (one[rest] == other[rest]).all()
        swapped = set(ids(stock, other[[a, b]]))
        assert not swapped & set(ids(stock, one))  # no further object is one of the swap


def test_values_repeat_only_where_they_must(stock):
    for slots, colors, shapes in ((3, 3, 3), (6, 6, 3), (8, 8, 3), (10, 8, 3)):
        table = stock.view(slots).table
        assert {len(set(scene[:, 0])) for scene in table} == {colors}
        assert {len(set(scene[:, 1])) for scene in table} == {shapes}


def test_a_turned_pair_has_changed_places(stock):
    view = stock.view(3)
    turned = view.turned(view.table, np.arange(N) % 2 == 0)
    assert (turned[1::2] == view.table[1::2]).all()
    for scene in range(0, N, 2):
        a, b = view.pair[scene]
        assert (turned[scene, [a, b]] == view.table[scene, [b, a]]).all()
        assert sorted(ids(stock, turned)[scene]) == sorted(ids(stock, view.table)[scene])


@pytest.mark.parametrize("concept", ["color", "shape"])
def test_a_third_object_repeats_one_value_of_the_pair(stock, concept):
    view = stock.view(3, repeated=concept)
    mine = stock.space.index(concept)
    for scene in view.table:
        assert len(set(scene[:, mine])) == 2
        assert len(set(scene[:, 1 - mine])) == 3
    assert (ids(stock, view.table) == ids(stock, stock.view(3).table)).sum() == 2 * N


def test_orders_of_mention_move_words_and_nothing_else(stock):
    views = {order: stock.view(3, order=order) for order in (LISTED, REVERSED, SHUFFLED)}
    listed = views[LISTED]
    told = {order: view.mentioned(view.table) for order, view in views.items()}
    assert (told[LISTED] == listed.table).all()
    assert (told[REVERSED] == listed.table[:, ::-1]).all()
    for order, view in views.items():
        assert (view.table == listed.table).all(), order
        assert (np.sort(ids(stock, told[order])) == np.sort(ids(stock, listed.table))).all()
    shuffled = ids(stock, told[SHUFFLED])
    assert (shuffled != ids(stock, told[LISTED])).any(axis=1).all()
    assert (shuffled != ids(stock, told[REVERSED])).any(axis=1).all()


def test_scenes_are_split_by_the_orbit_of_the_pair(stock):
    view = stock.view(6)
    pairs = np.take_along_axis(view.table, view.pair[:, :, None], axis=1)
    assert (orbit_ids(Scenes(stock.space, pairs)) == stock.orbits).all()
    split = stock.split
    parts = [set(stock.orbits[rows]) for rows in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) > 60


def test_a_seed_gives_the_same_scenes_and_another_others():
    table = load_scenes("clevr2d")
    one, same, other = (stock_of(table, 60, seed) for seed in (1, 1, 2))
    assert (one.objects == same.objects).all()
    assert (one.objects != other.objects).any()


def test_scenes_are_as_large_as_there_are_objects():
    space = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("square", "circle")))
    found = stock_of(Scenes(space, np.zeros((1, 2, 2), int)), 40, 0)
    assert found.most == 4  # two of six objects are those of the swap
    assert FACTORS["objects"].values(found) == [2, 3, 4]
    assert "three values" in FACTORS["repeat"].needs(found)
    assert "flat pictures" in FACTORS["size"].needs(found)


def test_one_value_makes_no_swap():
    space = ConceptSpace(("color", "shape"), (("red", "blue"), ("square",)))
    with pytest.raises(ValueRangeError, match="exchanges an attribute between two nouns"):
        stock_of(Scenes(space, np.zeros((1, 1, 2), int)), 40, 0)


PICTURE_FACTORS = {"size": "scale", "distance": "distance", "clutter": "clutter"}


@pytest.mark.parametrize("name", [*PICTURE_FACTORS, "background"])
def test_a_factor_of_pictures_changes_their_style_alone(stock, name):
    factor = FACTORS[name]
    views = [factor.at(stock, value) for value in factor.values(stock)]
    settings = [Setting(stock, view, lambda _: True, 0) for view in views]
    assert len({setting.key("text") for setting in settings}) == 1
    assert len({setting.key("image") for setting in settings}) == len(settings)
    pictures = [setting.pictures.material for setting in settings]
    assert len({one.table.content_hash for one in pictures}) == 1
    assert all((one.places == pictures[0].places).all() for one in pictures)
    if name in PICTURE_FACTORS:
        varied = {PICTURE_FACTORS[name]: 1, "clutter_shapes": (), "clutter_colors": ()}
        held = {replace(view.style, **varied) for view in views}
        assert len(held) == 1


def test_the_order_of_mention_leaves_pictures_as_they_are(stock):
    factor = FACTORS["order"]
    settings = [
        Setting(stock, factor.at(stock, value), lambda _: True, 0) for value in factor.values(stock)
    ]
    assert len({setting.key("image") for setting in settings}) == 1
    assert len({setting.key("text") for setting in settings}) == 3


def test_the_trap_has_the_places_of_the_anchor_and_all_else_is_drawn_again(stock):
    found = pictures_of(stock, stock.view(4))
    places, test = found.material.places, stock.split.test
    neutral, trap = found.triplets
    assert (places[trap.negative] == places[trap.anchor]).all()
    for rows in (neutral.paraphrase, neutral.negative):
        assert not set(places[rows]) & set(places[: len(stock)])
    assert (neutral.anchor == test).all()
    objects = ids(stock, found.material.table.table)
    same = np.sort(objects[neutral.anchor]) == np.sort(objects[neutral.paraphrase])
    assert same.all()
    assert (np.sort(objects[trap.anchor]) != np.sort(objects[trap.negative])).any(axis=1).all()


def test_captions_are_read_in_both_orders_or_in_one(stock):
    bank, material = captions_of(stock, stock.view())
    said = [material.table.caption(row) for row in bank.true[0]]
    assert said[0].split(" and ") == said[1].split(" and ")[::-1]
    alone, _ = captions_of(stock, stock.view(3, order=REVERSED))
    assert (alone.true[:, 0] == alone.true[:, 1]).all()
    assert (alone.swaps[:, 0] == alone.swaps[:, 1]).all()
