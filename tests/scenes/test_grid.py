"""Full grids hold every ordered choice of objects exactly once; text20 has 160,000 scenes whose
captions are all right.
"""

import itertools

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes import ConceptSpace, clevr_grid, full_grid, text20

SPACE = ConceptSpace(("color", "shape"), (("red", "blue"), ("cube", "ball", "cone")))

# Typed from the specification, not imported, so that a lost or misspelt word is found.
ADJECTIVES = (
    "red blue green yellow purple orange pink brown gray black small large tiny round "
    "sharp rough bumpy smooth matte glossy"
).split()
NOUNS = (
    "circle square triangle star heart spiral sphere cylinder cone pyramid car cat dog man "
    "woman tree flower rock bird fish"
).split()


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_grid_is_the_product_of_its_objects_first_slot_slowest(slots):
    scenes = full_grid(SPACE, slots)
    assert scenes.objects.tolist() == [
        list(choice) for choice in itertools.product(range(6), repeat=slots)
    ]
    assert scenes.n_slots == slots
    assert scenes.table.shape == (6**slots, slots, 2)


def test_a_grid_keeps_its_name_and_template():
    scenes = full_grid(SPACE, 2, name="mine", template="the {object}")
    assert scenes.name == "mine"
    assert scenes.caption(1) == "the red cube and the red ball"


@pytest.mark.parametrize("slots", [0, -1])
def test_a_grid_without_slots_is_refused(slots):
    with pytest.raises(ValueRangeError, match=f"a grid needs at least one slot; got {slots}"):
        full_grid(SPACE, slots)


def test_a_grid_too_big_for_memory_says_how_big_and_what_to_do():
    space = text20().space
    with pytest.raises(
        ValueRangeError,
        match="400 objects in 3 slots has 64,000,000 scenes, more than 20,000,000; use fewer values",  # noqa: E501
    ):
        full_grid(space, 3)


def test_text20_in_full():
    scenes = text20()
    assert scenes.name == "text20"
    assert scenes.space.concepts == ("adjective", "noun")
    assert scenes.space.values == (tuple(ADJECTIVES), tuple(NOUNS))
    assert len(scenes) == 160_000
    assert len(np.unique(scenes.objects, axis=0)) == 160_000


def test_every_caption_of_text20_is_right():
    phrases = [
        f"{'an' if adjective == 'orange' else 'a'} {adjective} {noun}"
        for adjective in ADJECTIVES
        for noun in NOUNS
    ]
    expected = [f"{first} and {second}" for first in phrases for second in phrases]
    captions = list(text20().captions())
    assert captions == expected
    assert len(set(captions)) == 160_000


def test_a_smaller_text20_takes_the_first_words():
    scenes = text20(3, 2)
    assert scenes.name == "text20:3x2"
    assert scenes.space.values == (("red", "blue", "green"), ("circle", "square"))
    assert len(scenes) == 36


@pytest.mark.parametrize("size", [(1, 20), (20, 1), (21, 20), (20, 21), (0, 0), (-2, 5)])
def test_text20_refuses_sizes_that_it_does_not_have(size):
    adjectives, nouns = size
    with pytest.raises(
        ValueRangeError, match=f"2 to 20 adjectives and 2 to 20 nouns; got {adjectives} x {nouns}"
    ):
        text20(adjectives, nouns)


def test_clevr_has_576_scenes_of_24_objects():
    scenes = clevr_grid()
    assert (len(scenes), scenes.space.n_objects, scenes.name) == (576, 24, "clevr")
    assert scenes.space.values == (
        ("blue", "brown", "cyan", "gray", "green", "purple", "red", "yellow"),
        ("cube", "cylinder", "sphere"),
    )
    assert scenes.caption(0) == "a blue cube and a blue cube"
    assert scenes.images is None


def test_clevr_with_three_objects():
    scenes = clevr_grid(3)
    assert (len(scenes), scenes.n_slots, scenes.name) == (24**3, 3, "clevr:3")
    assert scenes.caption(1) == "a blue cube, a blue cube and a blue cylinder"
