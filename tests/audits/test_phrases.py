"""Two attribute-noun phrases, exchanged and put in other words; cases that a reader checks."""

from __future__ import annotations

import pytest

from conceptbind.audits.phrases import worded
from conceptbind.repairs.negatives.taggers import Token

ADJECTIVES = {"red", "blue", "big", "large", "old", "young", "small", "wooden", "orange"}
NOUNS = {
    *("cube", "ball", "car", "street", "man", "shirt", "umbrella", "dogs", "cat", "apples"),
    *("apple", "woman", "benches", "table", "glass"),
}


def tokens(caption: str) -> list[Token]:
    found, end = [], 0
    for word in caption.replace(",", " ,").replace(".", " .").split():
        start = caption.index(word, end)
        end = start + len(word)
        part = "other"
        if word.lower() in ADJECTIVES:
            part = "adjective"
        elif word.lower() in NOUNS:
            part = "noun"
        found.append(Token(start, end, word, part))
    return found


CASES = {
    "a photo of a red cube and an orange ball": (
        "a photo of an orange cube and a red ball",
        "a photo of a cube that is red and a ball that is orange",
        "a photo of a cube that is orange and a ball that is red",
        "a photo of an orange ball and a red cube",
        "a photo of a red ball and an orange cube",
    ),
    "An old woman and a young man sit on benches.": (
        "A young woman and an old man sit on benches.",
        "A woman that is old and a man that is young sit on benches.",
        "A woman that is young and a man that is old sit on benches.",
        "A young man and an old woman sit on benches.",
        "An old man and a young woman sit on benches.",
    ),
    "Two small dogs next to a big old cat": (
        "Two old dogs next to a big small cat",
        "Two dogs that are small next to a big cat that is old",
        "Two dogs that are old next to a big cat that is small",
        "A big old cat next to two small dogs",
        "A big small cat next to two old dogs",
    ),
    "Red apples, blue glass": (
        "Blue apples, red glass",
        "Apples that are red, glass that is blue",
        "Apples that are blue, glass that is red",
        "Blue glass, red apples",
        "Red glass, blue apples",
    ),
    "a man in a red shirt holding a blue umbrella": (
        "a man in a blue shirt holding a red umbrella",
        "a man in a shirt that is red holding an umbrella that is blue",
        "a man in a shirt that is blue holding an umbrella that is red",
        None,
        None,
    ),
}


@pytest.mark.parametrize("caption", CASES)
def test_a_caption_its_swap_and_both_in_other_words(caption):
    found = worded(caption, tokens(caption))
    told = (
        *(found.swap, found.behind, found.swap_behind),
        *(found.reversed, found.swap_reversed),
    )
    assert told == CASES[caption]
    assert found.texts == (caption, *(text for text in told if text is not None))


@pytest.mark.parametrize(
    ("caption", "behind", "turned"),
    [
        # "no" goes with its phrase; "not" may be about both
        (
            "a man with no red shirt and a blue umbrella",
            "a man with no shirt that is red and an umbrella that is blue",
            "a man with a blue umbrella and no red shirt",
        ),
        (
            "a man without a red shirt and a blue umbrella",
            "a man without a shirt that is red and an umbrella that is blue",
            None,
        ),
        # a degree goes with its attribute
        ("a very red cube and a blue ball", None, "a blue ball and a very red cube"),
        ("a dark blue car and a red ball", None, "a red ball and a dark blue car"),
        ("half a red apple and a blue ball", None, None),
        # what stands before the attribute is of the same noun
        ("old and young dogs and a small cat", None, None),
        ("a table red glass and a blue ball", None, None),
        ("a spotted red cube and a blue ball", None, None),
        (
            "A RED CUBE AND AN ORANGE BALL",
            "A CUBE THAT IS RED AND A BALL THAT IS ORANGE",
            "AN ORANGE BALL AND A RED CUBE",
        ),
    ],
)
def test_other_words_say_the_same_or_are_left_out(caption, behind, turned):
    found = worded(caption, tokens(caption))
    assert (found.behind, found.reversed) == (behind, turned)


def test_a_swap_in_capitals_has_its_articles_in_capitals():
    caption = "A RED CUBE AND AN ORANGE BALL"
    assert worded(caption, tokens(caption)).swap == "AN ORANGE CUBE AND A RED BALL"


@pytest.mark.parametrize(
    "caption",
    [
        "a big cube and a large ball",  # the same attribute in other words
        "a red cube and a red ball",  # the same attribute
        "a red cube and a blue cube",  # the same noun
        "a red cube and a ball",
        "red and blue",
        "",
    ],
)
def test_captions_without_two_that_differ_have_no_swap(caption):
    assert worded(caption, tokens(caption)) is None


def test_a_swap_of_the_swap_is_the_caption():
    for caption in CASES:
        swap = worded(caption, tokens(caption)).swap
        assert worded(swap, tokens(swap)).swap == caption


def test_two_phrases_that_can_change_places_are_preferred():
    caption = "an old man in a red shirt and a blue apple"
    found = worded(caption, tokens(caption))
    assert found.attributes == ("red", "blue")
    assert found.nouns == ("shirt", "apple")
    assert found.swap == "an old man in a blue shirt and a red apple"
