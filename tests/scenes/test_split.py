"""Splits never let train, validation and test share what belongs together, hold the fractions asked
for, follow their seed and nothing else, and refuse to be built with an overlap.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import MismatchError, UnknownNameError, ValueRangeError
from conceptbind.scenes import (
    ConceptSpace,
    Scenes,
    Split,
    attribute_swaps,
    clevr_grid,
    full_grid,
    split_scenes,
    text20,
)
from conceptbind.scenes.split import halves_of_words

SPACE = ConceptSpace(
    ("color", "shape"), (("red", "blue", "green", "pink"), ("cube", "ball", "cone"))
)
GRID = full_grid(SPACE, 2)
KINDS = ("pair", "object", "orbit")


def parts(split):
    return {"train": split.train, "validation": split.validation, "test": split.test}


def keys(scenes, by):
    """What a scene must not share with another part, from the names alone: a set for each row."""
    found = []
    for slots in scenes.table.tolist():
        objects = sorted(map(tuple, slots))
        found.append(
            {
                "pair": {tuple(objects)},
                "object": set(objects),
                "orbit": {tuple(tuple(sorted(values)) for values in zip(*objects, strict=True))},
            }[by]
        )
    return found


def held(scenes, rows, by):
    found = keys(scenes, by)
    return set().union(*(found[row] for row in rows))


@given(
    st.sampled_from(KINDS),
    st.integers(0, 10_000),
    st.sampled_from([(0.4, 0.1, 0.5), (0.6, 0.2, 0.2), (0.25, 0.25, 0.5)]),
)
@settings(max_examples=40, deadline=None)
def test_parts_never_share_what_belongs_together(by, seed, fractions):
    split = split_scenes(GRID, by, fractions=fractions, seed=seed)
    train, validation, test = (held(GRID, rows, by) for rows in parts(split).values())
    assert not train & validation
    assert not train & test
    assert not validation & test


@pytest.mark.parametrize("by", ["pair", "orbit"])
def test_every_scene_is_in_exactly_one_part(by):
    split = split_scenes(GRID, by)
    assert sorted(np.concatenate(list(parts(split).values())).tolist()) == list(range(len(GRID)))


def test_split_by_object_leaves_out_exactly_the_mixed_scenes():
    split = split_scenes(GRID, "object")
    sides = [held(GRID, rows, "object") for rows in parts(split).values()]
    assert sum(map(len, sides)) == SPACE.n_objects  # every object is on a side
    expected = [
        row
        for row, objects in enumerate(keys(GRID, "object"))
        if any(objects <= side for side in sides)
    ]
    assert sorted(np.concatenate(list(parts(split).values())).tolist()) == expected
    assert len(expected) < len(GRID)


@pytest.mark.parametrize("by", KINDS)
@pytest.mark.parametrize("fractions", [(0.4, 0.1, 0.5), (0.7, 0.15, 0.15), (1 / 3, 1 / 3, 1 / 3)])
def test_a_part_holds_its_fraction_of_the_groups(by, fractions):
    split = split_scenes(GRID, by, fractions=fractions)
    counts = [len(held(GRID, rows, by)) for rows in parts(split).values()]
    total = sum(counts)
    assert total == {"pair": 12 * 13 // 2, "object": 12, "orbit": 10 * 6}[by]
    assert all(
        abs(count - fraction * total) <= 1
        for count, fraction in zip(counts, fractions, strict=True)
    )


def test_text20_by_object_by_hand():
    """400 objects: 160 to train on, 40 to choose with, 200 to score."""
    split = split_scenes(text20(), "object")
    assert [len(rows) for rows in parts(split).values()] == [160**2, 40**2, 200**2]


def test_the_default_is_the_papers_forty_percent_by_pair():
    split = split_scenes(clevr_grid())
    assert split.by == "pair"
    assert len(held(clevr_grid(), split.train, "pair")) == round(0.4 * 300)  # 24 * 25 / 2 pairs


@pytest.mark.parametrize("by", KINDS)
def test_the_seed_decides_and_nothing_else(by):
    first, again, other = (split_scenes(GRID, by, seed=seed) for seed in (3, 3, 4))
    for name, rows in parts(first).items():
        assert rows.tolist() == parts(again)[name].tolist()
    assert first.test.tolist() != other.test.tolist()
    assert (first.seed, other.seed) == (3, 4)


@given(st.sampled_from(KINDS), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_reordering_the_rows_leaves_every_scene_on_its_side(by, random):
    order = list(range(len(GRID)))
    random.shuffle(order)
    split, moved = split_scenes(GRID, by), split_scenes(GRID.select(np.array(order)), by)
    for name, rows in parts(split).items():
        assert sorted(order[row] for row in parts(moved)[name]) == rows.tolist()


def test_both_orders_of_a_pair_are_on_one_side():
    split = split_scenes(GRID, "pair")
    reverse = {tuple(objects): row for row, objects in enumerate(GRID.objects.tolist())}
    for rows in parts(split).values():
        assert {reverse[b, a] for a, b in GRID.objects[rows].tolist()} == set(rows.tolist())


@pytest.mark.parametrize(("by", "separates"), [("orbit", False), ("pair", True)])
def test_only_the_orbit_split_keeps_a_scene_with_its_attribute_swap(by, separates):
    """Positive control: the split by pair does put some scene and its swap on different sides."""
    split = split_scenes(GRID, by)
    side = np.empty(len(GRID), dtype=int)
    for number, rows in enumerate(parts(split).values()):
        side[rows] = number
    row_of = {tuple(objects): row for row, objects in enumerate(GRID.objects.tolist())}
    rows, tables = attribute_swaps(GRID, "color")
    targets = [row_of[tuple(objects)] for objects in SPACE.object_ids(tables).tolist()]
    assert len(rows) > 0
    assert bool((side[rows] != side[targets]).any()) is separates


def build(train, validation, test, members, by="pair"):
    return Split(np.array(train), np.array(validation), np.array(test), by, 0, np.array(members))


def test_disjoint_parts_are_accepted():
    split = build([0, 1], [2], [3], [[7], [7], [8], [9]])
    assert split.train.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (([0], [1], [2]), "train and validation"),
        (([0], [2], [1]), "train and test"),
        (([2], [0], [1]), "validation and test"),
    ],
)
@pytest.mark.parametrize("by", KINDS)
def test_parts_that_share_a_group_are_refused(rows, names, by):
    with pytest.raises(
        MismatchError, match=rf"^{names} overlap: they share 1 {by} group\(s\), the first is 7$"
    ):
        build(*rows, members=[[7], [7], [8]], by=by)


def test_parts_that_share_one_object_of_two_are_refused():
    with pytest.raises(
        MismatchError,
        match=r"train and test overlap: they share 1 object group\(s\), the first is 2",
    ):
        build([0], [1], [2], members=[[1, 2], [3, 4], [2, 5]], by="object")


def test_the_same_row_twice_is_an_overlap():
    with pytest.raises(MismatchError, match="train and test overlap"):
        build([0, 1], [2], [1], members=[[0], [1], [2]])


@pytest.mark.parametrize(("position", "name"), [(0, "train"), (1, "validation"), (2, "test")])
def test_an_empty_part_is_refused_by_name(position, name):
    rows = [[0], [1], [2]]
    rows[position] = []
    with pytest.raises(
        ValueRangeError,
        match=rf"^the {name} part of the split by pair is empty \(3 scenes, 3 groups\); use more "
        r"scenes",
    ):
        build(*rows, members=[[0], [1], [2]])


@pytest.mark.parametrize("by", KINDS)
def test_too_few_groups_say_so(by):
    one = Scenes(SPACE, np.array([[[0, 0], [1, 1]], [[1, 1], [0, 0]]]))
    with pytest.raises(
        ValueRangeError,
        match=f"part of the split by {by} is empty .* use more scenes or other fractions",
    ):
        split_scenes(one, by)


@pytest.mark.parametrize(
    "fractions",
    [
        (0.5, 0.5),
        (0.4, 0.1, 0.4, 0.1),
        (0.5, 0.0, 0.5),
        (0.6, -0.1, 0.5),
        (0.4, 0.1, 0.4),
        (0.5, 0.5, 0.5),
        (40, 10, 50),
    ],
)
def test_fractions_are_three_positive_numbers_with_sum_one(fractions):
    with pytest.raises(
        ValueRangeError,
        match=r"three positive numbers that sum to 1 \(train, validation, test\); got \(",
    ):
        split_scenes(GRID, fractions=fractions)


@pytest.mark.parametrize(
    ("kind", "hint"), [("pairs", "did you mean 'pair'"), ("scene", "known: object, orbit, pair")]
)
def test_an_unknown_kind_of_split_is_named(kind, hint):
    with pytest.raises(UnknownNameError, match=f"^unknown kind of split '{kind}'; {hint}"):
        split_scenes(GRID, kind)


def test_halves_of_words_share_no_value_of_any_concept():
    scenes = text20(6, 5)
    half = halves_of_words(scenes, seed=2)
    assert half.shape == (len(scenes),)
    one, two = (scenes.table[half == side] for side in (0, 1))
    for concept, (ours, theirs) in enumerate([(3, 3), (3, 2)]):
        here, there = (set(rows[:, :, concept].ravel()) for rows in (one, two))
        assert (len(here), len(there)) == (ours, theirs)
        assert not here & there
    # two objects of 3 x 3, and of 3 x 2
    assert (len(one), len(two)) == (81, 36)
    assert (half == -1).sum() == len(scenes) - 117
    np.testing.assert_array_equal(half, halves_of_words(scenes, seed=2))
