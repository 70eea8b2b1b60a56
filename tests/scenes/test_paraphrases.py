"""Paraphrases and swaps of scenes, by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.scenes import ConceptSpace, Scenes, text20
from conceptbind.scenes.paraphrases import (
    drawn_scenes,
    paraphrase_bank,
    single_objects_said,
    swaps_by_concept,
    synonyms_of,
    wordings,
)
from conceptbind.scenes.swaps import orbit_ids, pair_ids

SPACE = ConceptSpace(("color", "shape"), (("red", "blue"), ("square", "circle")))
PAIR = np.array([[[0, 0], [1, 1]]])
"""A red square and a blue circle."""


def table(rows: np.ndarray = PAIR, **options: object) -> Scenes:
    return Scenes(SPACE, rows, **options)  # type: ignore[arg-type]


def test_every_wording_by_hand() -> None:
    found, left_out = wordings(table())
    said = {wording.name: wording.of(SPACE, PAIR[0], "{a} {object}") for wording in found}
    assert said == {
        "there is": "there is a red square and a blue circle",
        "next to": "a red square next to a blue circle",
        "picture of": "a picture of a red square and a blue circle",
        "comma": "a red square, a blue circle",
        "there is each": "there is a red square and there is a blue circle",
        "that is": "a square that is red and a circle that is blue",
        "is": "a square is red and a circle is blue",
    }
    assert left_out == ()


def test_three_objects_are_joined_as_people_do() -> None:
    objects = np.array([[0, 0], [1, 1], [0, 1]])
    found, _ = wordings(table(objects[None]))
    said = {wording.name: wording.of(SPACE, objects, "{a} {object}") for wording in found}
    assert said["there is"] == "there is a red square, a blue circle and a red circle"
    assert said["next to"] == "a red square next to a blue circle next to a red circle"
    assert said["there is each"] == (
        "there is a red square, there is a blue circle and there is a red circle"
    )


def test_the_table_s_own_template_is_no_paraphrase() -> None:
    names = [w.name for w in wordings(table(template="there is [{a} {object}]"))[0]]
    assert "there is" not in names
    assert "next to" in names


def test_a_template_of_its_own_keeps_its_objects() -> None:
    found, _ = wordings(table(template="one {shape} painted {color}"))
    assert len(found) >= 5, "six templates with the table's own"
    texts = [wording.of(SPACE, PAIR[0], "one {shape} painted {color}") for wording in found]
    assert all("one square painted red" in text for text in texts)


def test_words_that_an_encoder_does_not_know() -> None:
    found, left_out = wordings(table(), lambda text: "next" not in text and "that" not in text)
    assert {wording.name for wording in left_out} == {"next to", "that is"}
    assert len(found) == 5
    with pytest.raises(ValueRangeError, match="does not read paraphrases"):
        paraphrase_bank(table(), reads=lambda text: "that" in text)


def test_a_bank_by_hand() -> None:
    bank = paraphrase_bank(table())
    said = bank.captions.written_captions
    assert said is not None
    assert len(bank) == 1
    assert said[bank.anchor[0]] == "a red square and a blue circle"
    assert [said[row] for row in bank.trap[0]] == [
        "a blue square and a red circle",
        "a red circle and a blue square",
    ]
    which = bank.wordings.index("next to")
    assert [said[row] for row in bank.paraphrase[0, which]] == [
        "a red square next to a blue circle",
        "a blue circle next to a red square",
    ]
    assert [said[row] for row in bank.neutral[0, which]] == [
        "a blue square next to a red circle",
        "a red circle next to a blue square",
    ]
    assert len(set(said)) == len(said), "each caption once"


def test_each_caption_says_what_it_means() -> None:
    bank = paraphrase_bank(table())
    meant = pair_ids(Scenes(SPACE, bank.meaning))
    own, swap = meant[bank.anchor[0]], meant[bank.trap[0, 0]]
    assert own != swap
    assert set(meant[bank.paraphrase[0]].ravel()) == {own}
    assert set(meant[bank.neutral[0]].ravel()) == {swap}


def test_synonyms_stand_in_paraphrases_and_in_swaps_that_are_worded_otherwise() -> None:
    bank = paraphrase_bank(table(), synonyms={"red": ["crimson", "scarlet"], "square": ["box"]})
    said = bank.captions.written_captions
    assert said is not None
    assert said[bank.anchor[0]] == "a red square and a blue circle"
    assert said[bank.trap[0, 0]] == "a blue square and a red circle"
    others = [said[row] for row in (*bank.paraphrase[0].ravel(), *bank.neutral[0].ravel())]
    assert not any("red " in f"{text} " or "square" in text for text in others)
    used = Counter(word for text in others for word in ("crimson", "scarlet") if word in text)
    assert set(used) == {"crimson", "scarlet"}


@pytest.mark.parametrize(
    ("synonyms", "error", "words"),
    [
        ({"rot": ["red"]}, UnknownNameError, "'rot'"),
        ({"red": ["blue"]}, ValueRangeError, "'blue' would stand for two values"),
        ({"red": ["dark"], "blue": ["dark"]}, ValueRangeError, "'dark' would stand for two"),
        ({"red": []}, ValueRangeError, "a list of one word or more"),
        ({"red": "crimson"}, ValueRangeError, "a list of one word or more"),
    ],
)
def test_synonyms_that_do_not_fit(
    synonyms: dict[str, list[str]], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        paraphrase_bank(table(), synonyms=synonyms)


def test_synonyms_as_a_command_line_has_them() -> None:
    assert synonyms_of(["red=crimson, scarlet", "square=box"]) == {
        "red": ("crimson", "scarlet"),
        "square": ("box",),
    }
    for wrong in ("red", "red=", "=box", "red=a,,b"):
        with pytest.raises(ValueRangeError, match="VALUE=WORD,WORD"):
            synonyms_of([wrong])
    with pytest.raises(ValueRangeError, match="twice"):
        synonyms_of(["red=a", "red=b"])


def test_tables_that_cannot_be_compared() -> None:
    with pytest.raises(ValueRangeError, match="came with the table"):
        paraphrase_bank(table(written_captions=["a red square and a blue circle"]))
    one = Scenes(ConceptSpace(("color",), (("red", "blue"),)), np.array([[[0], [1]]]))
    with pytest.raises(ValueRangeError, match="single concept"):
        paraphrase_bank(one)
    with pytest.raises(ValueRangeError, match="no scene of"):
        paraphrase_bank(table(np.array([[[0, 0], [0, 1]]])))


def test_whole_orbits_are_drawn() -> None:
    space = ConceptSpace(("color", "shape"), (tuple("rgbyk"), tuple("scto")))
    pairs = np.array([[a, b] for a in range(20) for b in range(20) if a != b])
    scenes = Scenes(space, space.object_values(pairs))
    of, _, _ = swaps_by_concept(scenes)
    rows = drawn_scenes(scenes, of, 50, seed=1)
    orbits = orbit_ids(scenes)
    assert 0 < len(rows) <= 50
    others = np.setdiff1d(np.unique(of), rows)
    assert not set(orbits[rows]) & set(orbits[others]), "no orbit is divided"
    assert len(np.unique(orbits[drawn_scenes(scenes, of, 1, seed=1)])) == 1, "at least one orbit"
    assert (drawn_scenes(scenes, of, None, seed=1) == np.unique(of)).all()
    assert (drawn_scenes(scenes, of, 50, seed=2) != rows).any()


def test_three_concepts_are_swapped_one_by_one() -> None:
    space = ConceptSpace(
        ("size", "color", "shape"), (("small", "large"), ("red", "blue"), ("square", "circle"))
    )
    scenes = Scenes(space, np.array([[[0, 0, 0], [1, 1, 1]]]))
    bank = paraphrase_bank(scenes)
    said = bank.captions.written_captions
    assert said is not None
    assert bank.concept.tolist() == [0, 1]
    assert [said[row] for row in bank.trap[:, 0]] == [
        "a large red square and a small blue circle",
        "a small blue square and a large red circle",
    ]
    that = bank.wordings.index("that is")
    assert said[bank.paraphrase[0, that, 0]] == (
        "a square that is small and red and a circle that is large and blue"
    )


def test_single_objects_in_two_wordings():
    table = text20(2, 2)
    own, others = single_objects_said(table)
    (adjective, _), (noun, _) = table.space.values
    assert own[0] == f"a {adjective} {noun}"
    assert others[0] == f"there is a {adjective} {noun}"
    assert len(own) == len(others) == 4
    known = single_objects_said(table, lambda text: "there" not in text)
    assert known[1][0] == f"a picture of a {adjective} {noun}"
    assert single_objects_said(table, lambda text: text in own) is None
