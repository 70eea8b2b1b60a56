"""The plain answer and the next command: every word of every level by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from conceptbind.core.findings import Verdict
from conceptbind.report.advice import Answer, at
from conceptbind.studies.answer import (
    next_command,
    other_answers,
    plain_answer,
    worth_applying,
)

WHAT = "which color belongs to which shape"


def probe(word, modality="text"):
    return Verdict(word, "", None, 1, modality)


def across(word, score=0.682):
    return Verdict(word, "", score, 3, "both")


def repair(word, score=0.983, *, helps=False):
    return Verdict(word, "", score, 3, "both", repairs=helps)


def said(*verdicts, concepts=("color", "shape")):
    return plain_answer("tiny", concepts, verdicts)


@pytest.mark.parametrize(
    ("word", "claim"),
    [
        ("yes", f"tiny knows {WHAT}."),
        ("partly", f"tiny knows {WHAT} only in part."),
        ("no", f"tiny hardly knows {WHAT}."),
        ("unclear", f"tiny may or may not know {WHAT}, which cannot be judged here."),
    ],
)
def test_one_word_for_what_the_embeddings_hold(word, claim):
    assert said(probe(word)) == claim
    assert said(probe(word), probe(word, "image")) == claim


@pytest.mark.parametrize(
    ("text", "image", "claim"),
    [
        ("yes", "partly", f"tiny knows {WHAT} from captions, only in part from pictures."),
        ("no", "yes", f"tiny knows {WHAT} from pictures, hardly from captions."),
        ("partly", "no", f"tiny knows {WHAT} only in part from captions, hardly from pictures."),
        ("yes", "unclear", f"tiny knows {WHAT} from captions, from pictures it cannot be judged."),
    ],
)
def test_modalities_that_differ_are_named_the_better_first(text, image, claim):
    assert said(probe(text), probe(image, "image")) == claim


@pytest.mark.parametrize(
    ("held", "word", "clause"),
    [
        ("yes", "yes", ", and its picture-caption match uses it (68.2 %)."),
        ("yes", "partly", ", but its picture-caption match uses it only partly (68.2 %)."),
        (
            "yes",
            "no",
            ", but its picture-caption match hardly uses it (68.2 %; a coin reaches 50 %).",
        ),
        ("yes", "unclear", ", but whether its picture-caption match uses it cannot be judged."),
        ("no", "yes", ", but its picture-caption match uses it (68.2 %)."),
        (
            "no",
            "no",
            ", and its picture-caption match hardly uses it (68.2 %; a coin reaches 50 %).",
        ),
    ],
)
def test_what_the_match_of_pictures_and_captions_makes_of_it(held, word, clause):
    assert said(probe(held), across(word)).endswith(clause)


@pytest.mark.parametrize(
    ("match", "word", "helps", "end"),
    [
        ("partly", "yes", True, " A linear repair brings it to 98.3 % on new combinations."),
        ("no", "partly", True, " A linear repair brings it to 98.3 % on new combinations."),
        ("partly", "no", False, " A linear repair does not help."),
        ("no", "unclear", False, " It cannot be judged whether a linear repair helps."),
        ("yes", "no", False, ""),
        ("unclear", "no", False, ""),
    ],
)
def test_what_a_repair_brings(match, word, helps, end):
    with_it = said(probe("yes"), across(match), repair(word, helps=helps))
    assert with_it == said(probe("yes"), across(match)) + end


def test_a_gain_that_leaves_binding_unusable_is_no_advice():
    low, enough = repair("partly", 0.599, helps=True), repair("partly", 0.6, helps=True)
    assert said(probe("no"), across("no", 0.491), low).endswith(
        " A linear repair brings it only to 59.9 % on new combinations."
    )
    assert not worth_applying(low)
    assert worth_applying(enough)
    assert not worth_applying(repair("no", 0.967))
    assert not worth_applying(probe("yes"))


def test_the_main_example_of_the_docs():
    assert said(
        probe("yes"), probe("yes", "image"), across("partly"), repair("yes", helps=True)
    ) == (
        "tiny knows which color belongs to which shape, but its picture-caption match uses it only "
        "partly (68.2 %). A linear repair brings it to 98.3 % on new combinations."
    )


def test_other_numbers_of_concepts_and_missing_questions():
    assert said(probe("yes"), concepts=("a", "b", "c")) == (
        "tiny knows which values belong to one object."
    )
    assert said(across("partly")) == (
        "tiny prefers a picture's own caption to the one with attributes swapped in 68.2 % of the "
        "comparisons; a coin reaches 50 %."
    )
    assert said(across("unclear", None)) == (
        "It cannot be judged whether tiny matches pictures with their own captions."
    )
    assert said() == said(repair("yes", helps=True)) == ""


COMPARED = "conceptbind compare 'my runs/r'"


def within(word, modality="text"):
    return Verdict(word, "", 0.5, 2, modality, 100)


@pytest.mark.parametrize(
    ("verdicts", "options", "command"),
    [
        (
            [probe("yes"), across("partly")],
            {"adapter": True},
            "conceptbind apply 'my runs/r'/adapter --texts 'my runs/r'/embeddings/text "
            "--out 'my runs/r'/repaired.npy",
        ),
        (
            [probe("yes"), across("no")],
            {"trainable": True},
            "conceptbind finetune 'hf:a b' --out 'my runs/r'-finetuned",
        ),
        (
            [probe("yes"), across("partly")],
            {"trainable": True, "reads": True, "scenes": "clevr2d"},
            "conceptbind repair 'hf:a b' --scenes clevr2d --out 'my runs/r'-repaired",
        ),
        (
            [probe("yes"), across("partly"), repair("no", helps=False)],
            {"trainable": True, "reads": True, "scenes": "clevr2d"},
            "conceptbind finetune 'hf:a b' --out 'my runs/r'-finetuned",
        ),
        ([probe("yes"), across("no")], {}, "conceptbind compare 'my runs/r'"),
        (
            [probe("unclear")],
            {"reads": True},
            "conceptbind measure 'hf:a b' --scenes text20:10x10",
        ),
        (
            [probe("yes"), within("no"), across("yes")],
            {"reads": True, "scenes": "my table.csv"},
            "conceptbind repair 'hf:a b' --scenes 'my table.csv' --side query "
            "--out 'my runs/r'-queries",
        ),
        ([probe("yes"), within("yes")], {"reads": True, "scenes": "x"}, COMPARED),
        ([probe("yes"), within("no", "image")], {"reads": True, "scenes": "x"}, COMPARED),
        ([probe("yes"), within("no")], {"reads": True}, COMPARED),
        ([probe("unclear")], {}, "conceptbind compare 'my runs/r'"),
        ([], {}, "conceptbind report 'my runs/r'"),
        ([probe("yes")], {"trainable": True}, "conceptbind compare 'my runs/r'"),
    ],
)
def test_the_next_command_fits_the_answer(verdicts, options, command):
    how = {"adapter": False, "trainable": False, "reads": False, **options}
    why, form = next_command("hf:a b", verdicts, **how)
    assert at(form, Path("my runs/r")) == command
    assert why.endswith(":")


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ([within("no")], "Compared with each other, captions hardly use it (50.0 %)."),
        (
            [within("partly"), within("yes", "image")],
            "Compared with each other, captions use it only partly (50.0 %) and pictures use it "
            "(50.0 %).",
        ),
        (
            [within("yes"), within("yes", "image")],
            "Compared with each other, captions and pictures use it (50.0 % and 50.0 %).",
        ),
        ([within("unclear"), within("no", "image")], "pictures hardly use it (50.0 %)."),
        ([within("unclear")], "tiny knows which color belongs to which shape."),
    ],
)
def test_what_each_modality_uses_by_itself_stands_last(verdicts, sentence):
    found = plain_answer("tiny", ("color", "shape"), [probe("yes"), *verdicts])
    assert found.endswith(sentence)


def test_all_that_was_measured_is_not_called_a_part():
    """Given pictures have one setting alone: 100 % right is "partly", for want of the other."""
    whole = Verdict("partly", "", 1.0, 2, "image", 100)
    found = plain_answer("clip", ("a", "b"), [probe("yes"), whole])
    assert found.endswith("pictures use it in the one setting that was measured (100 %).")
    found = plain_answer("clip", ("a", "b"), [whole])
    assert found == (
        "Compared with each other, pictures of clip show which a belongs to which b in the one "
        "setting that was measured (100 %)."
    )


def test_level_two_alone_is_a_sentence_of_its_own():
    said = plain_answer("tiny", ("a", "b"), [within("no"), within("unclear", "image")])
    assert said == (
        "Compared with each other, captions of tiny hardly show which a belongs to which b "
        "(50.0 %). Whether pictures of tiny show which a belongs to which b by cosine cannot be "
        "judged here."
    )


def test_every_question_besides_levels_is_answered():
    heard = Verdict("no", "It hardly reacts.", 0.0, modality="text", asks='reacts to "no"?')
    asked = Verdict("yes", "Parts find more.", 0.9, modality="text", asks="is a way better?")
    assert other_answers([heard]) == 'Reacts to "no"? No.'
    assert other_answers([heard, asked]) == 'Reacts to "no"? No. Is a way better? Yes.'
    assert other_answers([probe("yes"), heard]) == 'Reacts to "no"? No.'
    assert other_answers([probe("yes"), repair("no")]) == ""
    assert plain_answer("tiny", ("a", "b"), [heard, asked]) == ""


def test_an_answer_is_kept_and_printed():
    answer = Answer("It binds.", "To go on:", "conceptbind x runs/a", "conceptbind x {run}")
    assert Answer.from_json(answer.as_json(), Path("runs/a")) == answer
    assert Answer.from_json(answer.as_json(), Path("b c")).next == "conceptbind x 'b c'"
    answer = Answer("It binds.", "To go on:", "conceptbind x")
    assert Answer.from_json(answer.as_json(), Path("b")) == answer  # of an earlier version
    assert str(answer) == "It binds.\n\nTo go on:\n  conceptbind x"
    assert str(Answer("It binds.")) == "It binds."
