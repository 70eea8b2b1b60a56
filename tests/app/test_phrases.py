"""Which words of a typed caption are attributes and nouns, without a tagger."""

from __future__ import annotations

import pytest

from conceptbind.app import phrases
from conceptbind.app.phrases import (
    WordList,
    alternatives,
    drawn_pairs,
    pairs_said,
    phrases_of,
    replaced,
    tagged,
    wordings_of,
)
from conceptbind.scenes.builtin import CLEVR_COLORS


def found(caption):
    (tokens,) = WordList().tag([caption])
    return [(one.attribute, one.noun) for one in phrases_of(tokens)]


@pytest.mark.parametrize(
    ("caption", "pairs"),
    [
        ("a red square and a blue circle", [("red", "square"), ("blue", "circle")]),
        ("A Red shirt, blue trousers", [("red", "shirt"), ("blue", "trousers")]),
        ("a red and blue shirt", [("blue", "shirt")]),
        ("the red of the sky", []),
        ("a small dog near a large cat", [("small", "dog"), ("large", "cat")]),
        ("a red 7", []),
        ("nothing of the kind", []),
        ("", []),
    ],
)
def test_phrases_are_found_by_known_attributes(caption, pairs):
    assert found(caption) == pairs


@pytest.mark.parametrize(
    ("caption", "swap"),
    [
        ("a red square and a blue circle", "a blue square and a red circle"),
        ("An orange star beside a red ring", "A red star beside an orange ring"),
        ("a red shirt with blue trousers", "a blue shirt with red trousers"),
    ],
)
def test_the_swap_is_made_without_a_tagger(caption, swap, monkeypatch):
    monkeypatch.setattr(phrases, "_installed", lambda: None)
    assert tagged(caption)[1].swap == swap


@pytest.mark.parametrize("caption", ["a red square", "a red square and a red circle", "red", "!?"])
def test_no_swap_is_made_up(caption, monkeypatch):
    monkeypatch.setattr(phrases, "_installed", lambda: None)
    assert tagged(caption)[1] is None


@pytest.mark.slow
def test_other_words_are_read_by_a_tagger_where_one_is_installed():
    pytest.importorskip("spacy")
    caption = "a fluffy dog and a shaggy cat"
    assert tagged(caption)[1].swap == "a shaggy dog and a fluffy cat"


def test_wordings_that_the_encoder_does_not_read_are_left_out():
    tokens, swap = tagged("a red square and a blue circle")
    names = [
        one.name
        for one in wordings_of(swap, tokens, lambda texts: ["that" not in text for text in texts])
    ]
    assert names == ["as written", "the other order", "there is", "a picture of"]
    assert [one.name for one in wordings_of(swap, tokens, lambda texts: [False] * len(texts))] == [
        "as written"
    ]
    every = {
        one.name: (one.caption, one.swap)
        for one in wordings_of(swap, tokens, lambda texts: [True] * len(texts))
    }
    assert every["the attribute last"] == (
        "a square that is red and a circle that is blue",
        "a square that is blue and a circle that is red",
    )
    assert every["there is"][1] == "there is a blue square and a red circle"


@pytest.mark.parametrize(
    ("caption", "framed"),
    [
        ("a red square near a blue circle", True),
        ("a red square is near a blue circle", False),
        ("a red car drives behind a blue car and a small dog", False),
        ("the red square and the blue circle", False),
        ("A red square and a blue circle", False),
    ],
)
def test_there_is_stands_only_before_things(caption, framed, monkeypatch):
    """No "a picture of a red car drives"."""
    monkeypatch.setattr(phrases, "_installed", lambda: None)
    tokens, swap = tagged(caption)
    names = [one.name for one in wordings_of(swap, tokens, lambda texts: [True] * len(texts))]
    assert ("there is" in names) == ("a picture of" in names) == framed


def test_an_article_follows_the_word_that_is_put_in():
    caption = "A red square"
    (tokens,) = WordList().tag([caption])
    assert replaced(caption, tokens, 1, "orange") == "An orange square"
    assert replaced("the red square", *WordList().tag(["the red square"]), 1, "orange") == (
        "the orange square"
    )


def test_alternatives_are_the_other_attributes_and_of_a_colour_all_colours():
    (tokens,) = WordList().tag(["a red square and a small circle"])
    two = phrases_of(tokens)
    assert alternatives("small", two) == ()  # what is small may be red too
    assert set(alternatives("red", two)) == {*CLEVR_COLORS} - {"red"}
    assert "gray" not in alternatives("grey", two)
    assert "blue" not in alternatives("red", two, ["blue"])
    (tokens,) = WordList().tag(["a pink square, a small circle, a tiny star"])
    three = phrases_of(tokens)
    assert alternatives("small", three) == ("tiny",)
    assert alternatives("green", three)[0] == "pink"


@pytest.mark.parametrize(
    ("caption", "behind", "turned"),
    [
        (
            "a big red shiny square and a little blue matte circle",
            "a big red square that is shiny and a little blue circle that is matte",
            "a little blue matte circle and a big red shiny square",
        ),
        ("a red wine glass and a blue plate", None, None),  # of what is it said?
        ("a red dog barks and a blue cat sleeps", None, None),
    ],
)
def test_captions_of_other_words_are_put_in_other_words_only_where_that_is_safe(
    caption, behind, turned, monkeypatch
):
    monkeypatch.setattr(phrases, "_installed", lambda: None)
    found = tagged(caption)[1]
    assert (found.behind, found.reversed) == (behind, turned)


def test_what_a_noun_owns_is_no_phrase_of_it():
    assert tagged("a red square's corner and a blue circle's edge")[1] is None


@pytest.mark.parametrize(
    ("caption", "pairs"),
    [
        ("a red square and a blue circle", {("red", "square"), ("blue", "circle")}),
        ("a picture of a grey square", {("gray", "square")}),
        ("a red square left of a blue circle", None),  # who knows what is left of what
        ("no red square", None),
        ("a crimson square", None),  # is that red?
        ("a red ball", None),
        ("a large square", None),
        ("squares", None),
    ],
)
def test_only_plain_captions_can_be_told_true_or_false(caption, pairs):
    assert drawn_pairs(caption) == (None if pairs is None else frozenset(pairs))


@pytest.mark.parametrize(
    "caption",
    [
        "a red square without a blue circle",
        "a red square isn’t there",
        "a red square left of a blue circle",
        "a red square and a dog",
        "a large red square",
        "a dark red square",
        "two red squares",
        "a red square, and",
    ],
)
def test_captions_that_say_more_are_not_taken_for_lists(caption):
    assert pairs_said(caption) is None


def test_lists_are_read_in_every_usual_form():
    both = {("red", "shirt"), ("blue", "trousers")}
    for caption in (
        "a red shirt with blue trousers",
        "Red shirt, blue trousers.",
        "A photo of a red shirt, and the blue trousers",
        "there is a red shirt. Blue trousers.",
    ):
        assert pairs_said(caption) == both, caption
    assert pairs_said("a grey square") == {("gray", "square")}
