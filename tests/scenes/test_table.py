"""`Scenes` holds what it was given, never shifts a row, and refuses tables that do not fit their
space.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.scenes import ConceptSpace, Scenes, full_grid

SPACE = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("cube", "ball")))
PAIRS = np.array([[[0, 0], [1, 1]], [[2, 1], [2, 0]], [[1, 0], [1, 0]]])  # (3, 2, 2)


def full():
    return Scenes(
        SPACE,
        PAIRS,
        ("a", "b", "c"),
        "mine",
        "{object}",
        ("A", "B", "C"),
        ("a.png", "b.png", "c.png"),
        Path("pics"),
    )


def test_a_table_by_hand():
    scenes = Scenes(SPACE, PAIRS)
    assert len(scenes) == 3
    assert scenes.n_slots == 2
    assert scenes.ids == ("0", "1", "2")
    assert scenes.objects.tolist() == [[0, 3], [5, 4], [2, 2]]


def test_presence_by_hand():
    scenes = Scenes(SPACE, PAIRS)
    assert scenes.presence(0).astype(int).tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]
    assert scenes.presence(1).astype(int).tolist() == [[1, 1], [1, 1], [1, 0]]
    assert scenes.presence().astype(int).tolist() == [
        [1, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 1, 0, 0, 0],
    ]


@given(st.integers(1, 3), st.data())
@settings(max_examples=50, deadline=None)
def test_presence_agrees_with_a_plain_loop_on_any_rows(slots, data):
    grid = full_grid(SPACE, slots)
    rows = np.array(data.draw(st.lists(st.integers(0, len(grid) - 1), min_size=1, max_size=6)))
    for concept, width in ((0, 3), (1, 2), (None, 6)):
        held = grid.objects if concept is None else grid.table[:, :, concept]
        expected = [
            [any(held[row, slot] == value for slot in range(slots)) for value in range(width)]
            for row in rows
        ]
        assert grid.presence(concept, rows).tolist() == expected
    assert (grid.presence(0, slice(1, 3)) == grid.presence(0)[1:3]).all()


def test_the_table_is_a_read_only_copy():
    given_table = PAIRS.copy()
    scenes = Scenes(SPACE, given_table)
    given_table[0, 0, 0] = 2
    assert scenes.table[0, 0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        scenes.table[0, 0, 0] = 1


def test_select_moves_whole_rows():
    picked = full().select(np.array([2, 0]), name="two")
    assert picked.ids == ("c", "a")
    assert picked.table.tolist() == PAIRS[[2, 0]].tolist()
    assert list(picked.captions()) == ["C", "A"]
    assert picked.images == ("c.png", "a.png")
    assert (picked.name, picked.template, picked.image_folder) == ("two", "{object}", Path("pics"))
    assert full().select(np.array([1])).name == "mine"


@given(st.permutations(range(3)))
@settings(max_examples=20, deadline=None)
def test_select_by_a_permutation_and_back_changes_nothing(order):
    scenes = full()
    again = scenes.select(np.array(order)).select(np.argsort(order))
    assert again.content_hash == scenes.content_hash


@pytest.mark.parametrize(
    ("table", "shape"),
    [(PAIRS[0], r"\(2, 2\)"), (PAIRS[..., :1], r"\(3, 2, 1\)"), (PAIRS[None], r"\(1, 3, 2, 2\)")],
)
def test_a_table_of_another_shape_is_refused(table, shape):
    with pytest.raises(
        ShapeError,
        match=rf"^the scene table must be \(scenes, slots, 2 concepts\); got shape {shape}$",
    ):
        Scenes(SPACE, table)


@pytest.mark.parametrize("shape", [(0, 2, 2), (3, 0, 2)])
def test_an_empty_table_is_refused(shape):
    with pytest.raises(
        ValueRangeError,
        match="the scene table is empty: .* give at least one scene with one object",
    ):
        Scenes(SPACE, np.empty(shape, dtype=int))


@pytest.mark.parametrize("value", [2, -1])
def test_a_value_out_of_range_is_named_with_its_place(value):
    table = PAIRS.copy()
    table[1, 0, 1] = value
    with pytest.raises(
        ValueRangeError,
        match=r"^scene index 1, slot index 0: value id "
        rf"{value} of concept 'shape' is outside 0\.\.1$",
    ):
        Scenes(SPACE, table)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"ids": ("a", "b")}, "3 scenes but 2 ids"),
        ({"written_captions": ("a", "b", "c", "d")}, "3 scenes but 4 captions"),
        ({"images": ("a.png",)}, "3 scenes but 1 images"),
        ({"images": ()}, "3 scenes but 0 images"),
    ],
)
def test_columns_of_another_length_are_refused_not_trimmed(columns, text):
    with pytest.raises(ShapeError, match=f"^one entry per scene: {text}$"):
        Scenes(SPACE, PAIRS, **columns)


def test_a_duplicate_id_is_named():
    with pytest.raises(
        ValueRangeError,
        match=r"^duplicate scene id 'b' \(2 times\); every scene needs an id of its own$",
    ):
        Scenes(SPACE, PAIRS, ids=("a", "b", "b"))


def test_ids_are_text():
    assert Scenes(SPACE, PAIRS, ids=(7, 8, 9)).ids == ("7", "8", "9")


def test_a_repeated_row_cannot_be_selected_twice():
    with pytest.raises(ValueRangeError, match="duplicate scene id 'a'"):
        full().select(np.array([0, 0]))
