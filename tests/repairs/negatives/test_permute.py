"""Captions by hand: what may come out, how it is written, and why a caption has no negative."""

from collections import Counter

import numpy as np
import pytest

from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError
from conceptbind.repairs.negatives import Token, hard_negatives, permute
from conceptbind.repairs.negatives.permutations import ALL_TAKEN, SAME_MEANING, TOO_FEW
from repairs.negatives.marked import MarkedTagger, marked


def outcomes(text, draws=200, **options):
    """Every text that comes out, with how often it does."""
    caption, tokens = marked(text)
    found = [
        permute(caption, tokens, np.random.default_rng(seed), **options) for seed in range(draws)
    ]
    return Counter(None if one is None else one.text for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the dog/n bites the man/n", {"the man bites the dog"}),
        ("a dog/n  near,\ta cat/n !", {"a cat  near,\ta dog !"}),
        ("A dog/n near a cat/n.", {"A cat near a dog."}),
        ("Dogs/n near cats/n.", {"Cats near dogs."}),
        ("dogs/n near cats/n", {"cats near dogs"}),
        ("Dogs/n near a TV/n", {"TV near a dogs"}),
        ("TVs/n near an iPad/n", {"iPad near a TVs"}),
        ("Paris/p near a dog/n", {"Dog near a Paris"}),
        ("DOGS/n NEAR A OWL/n", {"OWL NEAR A DOGS"}),
        ("A DOG/n NEAR AN OWL/n", {"AN OWL NEAR A DOG"}),
        ("A dog/n near an owl/n", {"An owl near a dog"}),
        ("A dog/n near an IPA/n", {"An IPA near a dog"}),
        ("an hour/n in a unicorn/n", {"a unicorn in an hour"}),
        ("a “dog/n” near an “owl/n”", {"an “owl” near a “dog”"}),
        ("It rains. Dogs/n see cats/n", {"It rains. Cats see dogs"}),
        # in the middle of a sentence a capital belongs to the word
        (
            "a Dog/n near a cat/n",
            {"a cat near a Dog"},
        ),
    ],
)
def test_the_only_permutation_is_written_well(text, expected):
    assert set(outcomes(text, 20)) == expected


def test_articles_are_kept_on_request():
    assert set(outcomes("A dog/n near an owl/n", 20, articles="keep")) == {"A owl near an dog"}


def test_an_article_changes_only_before_a_moved_word():
    assert set(outcomes("a old/a owl/n sees a eagle/n", 20)) == {"a old eagle sees an owl"}
    assert set(outcomes("a red/a owl/n saw an orange/a owl/n", 20)) == {
        "an orange owl saw a red owl"
    }


def test_nouns_and_adjectives_never_mix():
    expected = {
        "a blue cube near a red ball",
        "a red ball near a blue cube",
        "a blue ball near a red cube",
    }
    assert set(outcomes("a red/a cube/n near a blue/a ball/n")) == expected


def test_both_at_once_is_a_mere_reordering_of_joined_phrases():
    text = "a red/a cube/n and an orange/a ball/n"
    swapped = {"an orange cube and a red ball", "a red ball and an orange cube"}
    assert set(outcomes(text)) == swapped
    assert set(outcomes(text, reorderings="keep")) == swapped | {"an orange ball and a red cube"}


@pytest.mark.parametrize(
    "text",
    [
        "a cat/n and a dog/n",
        "an owl/n and a dog/n",
        "a cat/n, a dog/n, and a cow/n",
        "a big/a red/a ball/n",
        "a black/a and white/a cat/n",
        "cats/n, dogs/n & cows/n, pigs/n, hens/n, ducks/n or geese/n",  # too many to list: drawn
    ],
)
def test_reorderings_are_no_negatives(text):
    assert set(outcomes(text, 3)) == {None}
    assert None not in outcomes(text, 3, reorderings="keep")


def test_different_determiners_are_no_reordering():
    assert set(outcomes("two cats/n and a dog/n", 20)) == {"two dog and a cats"}


@pytest.mark.parametrize(
    "text", ["a dog/n", "a dog/n sees a Dog/n", "red/a", "", "and so on", "a red/a dog/n"]
)
def test_too_few_distinct_words(text):
    assert set(outcomes(text, 3)) == {None}


@pytest.mark.parametrize(
    ("text", "n_permitted"),
    [
        ("the cat/n sees the dog/n eat the cow/n", 5),
        ("red/a cat/n sees blue/a dog/n eat green/a cow/n", 35),
        ("cat/n sees dog/n by cat/n", 2),
        ("a/n of b/n of c/n of d/n of e/n of f/n of g/n of a/n of a/n of a/n of a/n of a/n", None),
    ],
    ids=["nouns", "both", "repeated", "drawn"],
)
def test_permutations_are_equally_likely(text, n_permitted):
    draws = 4000
    found = outcomes(text, draws, articles="keep")
    assert None not in found
    if n_permitted is None:  # 12! / 6! arrangements: hardly one comes twice
        assert len(found) > 0.98 * draws
        return
    assert len(found) == n_permitted
    expected = draws / n_permitted
    assert (
        sum((count - expected) ** 2 / expected for count in found.values())
        < n_permitted + 5 * (2 * n_permitted) ** 0.5
    )


def test_the_order_says_where_each_word_came_from():
    caption, tokens = marked("red/a cat/n sees blue/a dog/n eat green/a cow/n")
    found = permute(caption, tokens, np.random.default_rng(0))
    nouns, adjectives = np.array(["cat", "dog", "cow"]), np.array(["red", "blue", "green"])
    words = found.text.split()
    assert [words[1], words[4], words[7]] == nouns[list(found.nouns)].tolist()
    assert [words[0], words[3], words[6]] == adjectives[list(found.adjectives)].tolist()


def test_the_captions_of_a_picture_are_no_negatives_of_each_other():
    texts = [
        "the dog/n bites the man/n",
        "The man/n bites the  dog/n.",
        "the cat/n eats",
        "the cat/n and the dog/n",
    ]
    captions = [marked(text)[0] for text in texts]
    tagger = MarkedTagger(*texts)
    alone = hard_negatives(captions, tagger=tagger)
    assert alone.texts == ("the man bites the dog", "The dog bites the  man.", None, None)
    assert alone.skipped == {TOO_FEW: 1, SAME_MEANING: 1}
    assert hard_negatives(captions, tagger=tagger, groups=[0, 1, 0, 1]).texts == alone.texts
    together = hard_negatives(captions, tagger=tagger, groups=[0, 0, 0, 0])
    assert together.texts == (None, None, None, None)
    assert together.skipped == {ALL_TAKEN: 2, TOO_FEW: 1, SAME_MEANING: 1}
    assert (alone.rows, alone.skipped_share, together.rows, together.skipped_share) == (
        (0, 1),
        0.5,
        (),
        1.0,
    )


def test_the_result_says_what_made_it():
    done = []
    found = hard_negatives(
        ["a cat"], tagger=MarkedTagger("a cat/n"), seed=3, on_captions=done.append
    )
    assert (found.tagger, found.tagger_version, found.seed, done) == ("marked", "1", 3, [1])
    assert hard_negatives([], tagger=MarkedTagger()).skipped_share == 0


def test_user_mistakes_are_named():
    tagger = MarkedTagger("a cat/n")
    with pytest.raises(
        ShapeError, match="expected one picture number for each of 1 captions; got 2"
    ):
        hard_negatives(["a cat"], tagger=tagger, groups=[1, 2])
    with pytest.raises(ValueRangeError, match="the seed must be 0 or more; got -1"):
        hard_negatives(["a cat"], tagger=tagger, seed=-1)
    with pytest.raises(ValueRangeError, match="articles must be fix or keep; got 'fixed'"):
        hard_negatives(["a cat"], tagger=tagger, articles="fixed")
    with pytest.raises(ValueRangeError, match="reorderings must be drop or keep"):
        hard_negatives(["a cat"], tagger=tagger, reorderings="no")


@pytest.mark.parametrize(
    "token", [Token(0, 3, "cat", "noun"), Token(4, 9, "catty", "noun"), Token(2, 2, "", "noun")]
)
def test_tokens_outside_the_caption_are_refused(token):
    with pytest.raises(MismatchError, match="is not at its place in the caption 'a cat'"):
        permute("a cat", [token], np.random.default_rng(0))


def test_tokens_out_of_order_are_refused():
    caption, tokens = marked("cat/n sees dog/n")
    with pytest.raises(MismatchError, match="in order"):
        permute(caption, tokens[::-1], np.random.default_rng(0))


def test_a_tagger_that_stops_early_is_refused():
    class Short(MarkedTagger):
        def tag(self, captions):
            return iter(list(super().tag(captions))[:1])

    with pytest.raises(
        MismatchError,
        match="the tagger 'marked' gave the tokens of 1 caption; expected those of 2",
    ):
        hard_negatives(["a cat", "a cat"], tagger=Short("a cat/n"))
