"""Captions: the article fits the word that follows, templates say what they promise, and a bad
template names its fault.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.scenes import ConceptSpace, Scenes, caption, full_grid
from conceptbind.scenes.captions import article, describe

SPACE = ConceptSpace(("color", "shape"), (("red", "orange"), ("cube", "umbrella")))
RED_CUBE, RED_UMBRELLA, ORANGE_CUBE = (0, 0), (0, 1), (1, 0)


@pytest.mark.parametrize(
    "word",
    "apple orange umbrella uninvited unimportant hour honest honor honour heir ugly oak igloo egg".split(),  # noqa: E501
)
def test_an_before_a_vowel_sound(word):
    assert article(word) == "an"


@pytest.mark.parametrize(
    "word",
    "cube hot house unicorn uniform used usual one once one-eyed European ewe UFO university "
    "yellow ukulele utensil".split(),
)
def test_a_before_a_consonant_sound(word):
    assert article(word) == "a"


@given(st.sampled_from("apple hour unicorn one red uninvited".split()))
def test_the_article_ignores_capitals(word):
    assert article(word.upper()) == article(word.capitalize()) == article(word)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{a} {object}", "an orange cube"),
        ("{object}", "orange cube"),
        ("the {object}", "the orange cube"),
        ("{color} {shape}", "orange cube"),
        ("{a} {shape} that is {color}", "a cube that is orange"),
        ("{shape}, {color}, {shape}", "cube, orange, cube"),
        ("{a} shiny {object}", "a shiny orange cube"),
        ("{a} old {object}", "an old orange cube"),
        ("{{{color}}}", "{orange}"),
    ],
)
def test_fields_of_a_template(template, text):
    assert describe(SPACE, ORANGE_CUBE, template) == text


def test_each_article_sees_its_own_word():
    assert (
        describe(SPACE, ORANGE_CUBE, "{a} {color} thing, {a} {shape}") == "an orange thing, a cube"
    )
    assert (
        describe(SPACE, RED_UMBRELLA, "{a} {color} thing, {a} {shape}")
        == "a red thing, an umbrella"
    )


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ([RED_CUBE], "a red cube"),
        ([RED_CUBE, ORANGE_CUBE], "a red cube and an orange cube"),
        ([ORANGE_CUBE, RED_CUBE], "an orange cube and a red cube"),
        ([RED_CUBE, ORANGE_CUBE, RED_UMBRELLA], "a red cube, an orange cube and a red umbrella"),
        ([RED_CUBE] * 4, "a red cube, a red cube, a red cube and a red cube"),
    ],
)
def test_objects_stand_in_slot_order(objects, text):
    assert caption(SPACE, np.array(objects)) == text


def test_text_around_the_bracket_stands_once():
    objects = np.array([RED_CUBE, ORANGE_CUBE])
    assert (
        caption(SPACE, objects, "a photo of [{a} {object}] on grass")
        == "a photo of a red cube and an orange cube on grass"
    )
    assert (
        caption(SPACE, objects, "a photo of {object}")
        == "a photo of red cube and a photo of orange cube"
    )
    assert caption(SPACE, objects[:1], "look: [{object}]!") == "look: red cube!"


def test_an_unknown_field_is_named_with_all_that_are_known():
    text = (
        r"^the caption template '\{a\} \{colour\}' has the unknown field '\{colour\}'; known: "
        r"\{a\}, \{object\}, \{color\}, \{shape\}$"
    )
    with pytest.raises(UnknownNameError, match=text):
        describe(SPACE, RED_CUBE, "{a} {colour}")


@pytest.mark.parametrize("template", ["{}", "{0}", "{color.upper}", "{shape[0]}"])
def test_other_fields_of_python_are_unknown(template):
    with pytest.raises(UnknownNameError, match="unknown field"):
        describe(SPACE, RED_CUBE, template)


@pytest.mark.parametrize("template", ["{color", "color}", "{color}}", "{a} {"])
def test_braces_must_match(template):
    with pytest.raises(ValueRangeError, match=r"cannot be read: .*; write fields as \{color\}"):
        describe(SPACE, RED_CUBE, template)


@pytest.mark.parametrize(
    "template",
    ["[{object}", "{object}]", "[{a}] [{object}]", "[[{object}]]", "]{object}[", "photo of []"],
)
def test_there_is_exactly_one_bracket(template):
    with pytest.raises(
        ValueRangeError,
        match=r"needs exactly one \[\.\.\.\] around what is repeated for each object",
    ):
        caption(SPACE, np.array([RED_CUBE]), template)


def test_a_scene_set_writes_its_captions_one_by_one():
    scenes = full_grid(SPACE, slots=1, template="{a} {object}")
    assert list(scenes.captions()) == [
        "a red cube",
        "a red umbrella",
        "an orange cube",
        "an orange umbrella",
    ]
    assert list(scenes.captions(1, 3)) == ["a red umbrella", "an orange cube"]
    assert list(scenes.captions(3)) == ["an orange umbrella"]


def test_written_captions_come_before_the_template():
    scenes = Scenes(
        SPACE,
        np.array([[RED_CUBE], [ORANGE_CUBE]]),
        written_captions=("one", "two"),
        template="{nonsense}",
    )
    assert list(scenes.captions()) == ["one", "two"]


@given(
    st.lists(st.sampled_from([RED_CUBE, RED_UMBRELLA, ORANGE_CUBE, (1, 1)]), min_size=1, max_size=4)
)
@settings(max_examples=50, deadline=None)
def test_a_caption_tells_every_scene_apart(objects):
    """Read back from its words, the caption gives the objects in their order."""
    text = caption(SPACE, np.array(objects))
    words = [phrase.split()[1:] for phrase in text.replace(" and ", ", ").split(", ")]
    assert [
        (SPACE.values[0].index(color), SPACE.values[1].index(shape)) for color, shape in words
    ] == objects
