"""Swaps that change nothing do not exist; pairs and orbits equal their brute-force definitions."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import UnknownNameError
from conceptbind.scenes import (
    ConceptSpace,
    Scenes,
    attribute_swaps,
    full_grid,
    orbit_ids,
    pair_ids,
    text20,
)

SPACE = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("cube", "ball")))
THREE = ConceptSpace(
    ("size", "color", "shape"), (("big", "tiny"), ("red", "blue"), ("cube", "ball"))
)
GRIDS = [full_grid(SPACE, 2), full_grid(SPACE, 3), full_grid(THREE, 2), full_grid(SPACE, 1)]
GRID_IDS = ["two slots", "three slots", "three concepts", "one slot"]


def scene(*objects):
    return Scenes(
        SPACE,
        np.array(
            [[[SPACE.values[k].index(word) for k, word in enumerate(o.split())] for o in objects]]
        ),
    )


def words(table):
    return [[SPACE.object_name(int(i)) for i in SPACE.object_ids(slots)] for slots in table]


def as_tuples(table):
    return [tuple(map(tuple, slots)) for slots in table.tolist()]


def swapped(slots, i, j, k):
    exchanged = [list(values) for values in slots]
    exchanged[i][k], exchanged[j][k] = exchanged[j][k], exchanged[i][k]
    return tuple(map(tuple, exchanged))


def closure(start):
    """Everything that orders and attribute swaps reach from one scene, by plain search."""
    reached, open_ends = {start}, [start]
    while open_ends:
        slots = open_ends.pop()
        steps = set(permutations(slots))
        steps |= {
            swapped(slots, i, j, k)
            for i, j in combinations(range(len(slots)), 2)
            for k in range(len(slots[0]))
        }
        open_ends.extend(steps - reached)
        reached |= steps
    return frozenset(reached)


def grouping(keys):
    """The same partition as first-seen numbers, so that two partitions can be compared."""
    seen = {}
    return [seen.setdefault(key, len(seen)) for key in keys]


def test_a_swap_by_hand():
    rows, tables = attribute_swaps(scene("red cube", "blue ball"), "color")
    assert rows.tolist() == [0]
    assert words(tables) == [["blue cube", "red ball"]]
    assert words(attribute_swaps(scene("red cube", "blue ball"), "shape")[1]) == [
        ["red ball", "blue cube"]
    ]


@pytest.mark.parametrize(
    "objects",
    [("red cube", "red ball"), ("red cube", "blue cube"), ("red cube", "red cube"), ("red cube",)],
)
@pytest.mark.parametrize("concept", ["color", "shape"])
def test_a_swap_that_changes_nothing_does_not_exist(objects, concept):
    rows, tables = attribute_swaps(scene(*objects), concept)
    assert rows.shape == (0,)
    assert tables.shape == (0, len(objects), 2)


def test_three_objects_swap_in_every_pair():
    rows, tables = attribute_swaps(scene("red cube", "blue ball", "green ball"), "color")
    assert rows.tolist() == [0, 0]  # the two balls have nothing to exchange
    assert words(tables) == [
        ["blue cube", "red ball", "green ball"],
        ["green cube", "blue ball", "red ball"],
    ]


@pytest.mark.parametrize("grid", GRIDS, ids=GRID_IDS)
def test_swaps_agree_with_a_plain_loop(grid):
    for k, concept in enumerate(grid.space.concepts):
        expected = []
        for row, slots in enumerate(as_tuples(grid.table)):
            for i, j in combinations(range(grid.n_slots), 2):
                other = swapped(slots, i, j, k)
                if sorted(other) != sorted(slots):
                    expected.append((row, other))
        rows, tables = attribute_swaps(grid, concept)
        assert sorted(zip(rows.tolist(), as_tuples(tables), strict=True)) == sorted(expected)


def test_text20_has_as_many_swaps_as_pairs_that_differ_in_both():
    rows, _ = attribute_swaps(text20(5, 4), "adjective")
    assert len(rows) == (5 * 4) * (4 * 3)
    assert len(np.unique(rows)) == len(rows)


def test_swapping_twice_gives_the_scene_back():
    grid = GRIDS[0]
    rows, tables = attribute_swaps(grid, "shape")
    again, back = attribute_swaps(Scenes(grid.space, tables), "shape")
    assert again.tolist() == list(range(len(rows)))
    assert (back == grid.table[rows]).all()


def test_swaps_leave_the_scenes_alone():
    before = GRIDS[1].table.copy()
    attribute_swaps(GRIDS[1], "color")
    assert (GRIDS[1].table == before).all()


def test_an_unknown_concept_is_named():
    with pytest.raises(UnknownNameError, match="unknown concept 'colr'; did you mean 'color'"):
        attribute_swaps(GRIDS[0], "colr")


@pytest.mark.parametrize("grid", GRIDS, ids=GRID_IDS)
def test_orbits_are_the_closure_under_swaps_and_orders(grid):
    assert grouping(orbit_ids(grid).tolist()) == grouping(
        [closure(slots) for slots in as_tuples(grid.table)]
    )


@pytest.mark.parametrize("grid", GRIDS, ids=GRID_IDS)
def test_pairs_are_the_orders_of_the_same_objects(grid):
    assert grouping(pair_ids(grid).tolist()) == grouping(
        [tuple(sorted(slots)) for slots in as_tuples(grid.table)]
    )


def test_pairs_and_orbits_by_hand():
    same = Scenes(
        SPACE,
        np.array(
            [
                [[0, 0], [1, 1]],  # red cube, blue ball
                [[1, 1], [0, 0]],  # the other order
                [[1, 0], [0, 1]],  # blue cube, red ball: the colours exchanged
                [[0, 0], [1, 0]],  # red cube, blue cube: another orbit
            ]
        ),
    )
    pairs, orbits = pair_ids(same), orbit_ids(same)
    assert (pairs[0] == pairs[1], pairs[0] == pairs[2], pairs[0] == pairs[3]) == (
        True,
        False,
        False,
    )
    assert (orbits[0] == orbits[1], orbits[0] == orbits[2], orbits[0] == orbits[3]) == (
        True,
        True,
        False,
    )


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=8),
    st.permutations(range(3)),
    st.data(),
)
@settings(max_examples=50, deadline=None)
def test_groups_do_not_see_slot_order_row_order_or_value_names(objects, slots, data):
    table = SPACE.object_values(np.array(objects))
    colors, shapes = data.draw(st.permutations(range(3))), data.draw(st.permutations(range(2)))
    rows = np.array(data.draw(st.permutations(range(len(table)))))
    renamed = np.stack([np.array(colors)[table[..., 0]], np.array(shapes)[table[..., 1]]], axis=-1)
    for groups in (pair_ids, orbit_ids):
        expected = grouping(groups(Scenes(SPACE, table)).tolist())
        assert grouping(groups(Scenes(SPACE, table[:, slots])).tolist()) == expected
        assert grouping(groups(Scenes(SPACE, renamed)).tolist()) == expected
        assert (grouping(groups(Scenes(SPACE, table))[rows].tolist())) == grouping(
            groups(Scenes(SPACE, table[rows])).tolist()
        )


def test_a_pair_never_leaves_its_orbit():
    pairs, orbits = pair_ids(GRIDS[1]), orbit_ids(GRIDS[1])
    assert all(len(set(orbits[pairs == pair])) == 1 for pair in set(pairs.tolist()))
    assert len(set(orbits.tolist())) < len(set(pairs.tolist()))
