"""Pictures against captions as a section of the page: every row, word and picture by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import made
from conceptbind.core.records import Records
from conceptbind.crossmodal import CrossmodalStudy
from conceptbind.crossmodal.answer import Across, cannot_compare
from conceptbind.crossmodal.figures import crossmodal_figure, swap_cosine_figure
from conceptbind.crossmodal.section import TERMS, across_section
from conceptbind.crossmodal.study import ChosenCaption
from conceptbind.crossmodal.words import across
from conceptbind.report.page import thumbnail
from conceptbind.scenes import ConceptSpace, full_grid


def record(metric, value, low=None, high=None, ties=0, n=1234, modality="both", **extra):
    whose = {"study": "crossmodal", "modality": modality, "split": "all", "encoder": "enc"}
    return made.record(metric, value, low, high, n=n, ties=ties, **whose, **extra)


SCENES = full_grid(ConceptSpace(("color", "shape"), (("red", "blue"), ("cube", "ball"))))
RECORDS = Records(
    [
        record("binding_accuracy", 0.25, 0.2, 0.3, 4321, order="either"),
        record("binding_accuracy", 0.5, 0.4, 0.6, order="either", control="bag_twin"),
        record("binding_accuracy", None, order="reversed"),
        record("modality_gap", 0.5, ties=None),
        record("object_recognition", 1.0, 0.9, 1.0, modality="image", queries="text"),
    ]
)


IN = {
    3: {"color": ["red", "blue"], "shape": ["cube", "ball"], "object": ["red cube", "blue ball"]},
    4: {"color": ["red"], "shape": ["ball", "cube"], "object": ["red ball", "red cube"]},
    5: {"color": ["red"], "shape": ["ball"], "object": ["red ball"]},
}
"""What is in three of the scenes."""


def study(records=RECORDS, wrong=(), n_wrong=0, cosines=(0.25, 0.75)):
    return CrossmodalStudy(records, np.array(cosines), tuple(wrong), n_wrong, np.zeros(1))


def test_rows_figures_and_pictures_that_chose_another_caption(tmp_path):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.png")
    wrong = [
        ChosenCaption(3, "three", tmp_path / "a.png", "a red cube", "a blue cube", True),
        ChosenCaption(4, "four", None, "a red ball", "a blue ball", False),
        ChosenCaption(5, "five", tmp_path / "gone.png", "a ball", "a cube", False),
    ]
    found = across_section(study(wrong=wrong, n_wrong=7), SCENES)
    assert (found.id, found.title, found.template) == (
        "across",
        "Between pictures and captions",
        "across_section.html.j2",
    )
    data = dict(found.data)
    assert data.pop("figure") == crossmodal_figure(study())
    assert data.pop("cosines") == swap_cosine_figure(study())
    names = "id", "values", "picture", "true", "chosen", "swapped"
    assert data == {
        "controls": ["bag twin"],
        "rows": [
            [
                *("binding accuracy (either)", "both", "25.0 %", "20.0 % to 30.0 %", "50.0 %"),
                *("1,234", "4,321"),
            ],
            ["modality gap", "both", "0.500", "-", "-", "1,234", "-"],
            [
                *("object recognition (by text queries)", "image", "100 %", "90.0 % to 100 %"),
                *("-", "1,234", "0"),
            ],
        ],
        "n_wrong": 7,
        "wrong": [
            dict(zip(names, values, strict=True))
            for values in (
                ("three", IN[3], thumbnail(tmp_path / "a.png"), "a red cube", "a blue cube", True),
                ("four", IN[4], None, "a red ball", "a blue ball", False),
                ("five", IN[5], None, "a ball", "a cube", False),
            )
        ],
    }
    assert thumbnail(tmp_path / "a.png").startswith("data:image/jpeg;base64,")


def test_without_swaps_no_cosines_are_drawn():
    assert across_section(study(cosines=()), SCENES).data["cosines"] is None


def test_the_words_that_the_section_uses():
    assert TERMS == (
        (
            "Binding accuracy",
            "Cosine of a picture with its caption against the caption with two attributes swapped. "
            "Right when strictly higher. Both are scored with the objects named in either order "
            "(all orders: the mean of the four comparisons). A model that only knows which "
            "colour is on the left wins in one order and loses in the other.",
        ),
        (
            "Concept accuracy",
            "The same against a caption in which one value is replaced by one that is not in the "
            "picture.",
        ),
        (
            "Recall at k, swap error, concept retrieval",
            "Each picture chooses among one caption for each set of objects. Recall at k is the "
            "share with their own caption among the first k. Swap error is the share whose first "
            "caption is an attribute swap. Concept retrieval is the share with their own caption "
            "above all that hold other concepts.",
        ),
        (
            "By text queries",
            "Recognition with the caption embeddings of single concepts (“a red object”) or "
            "objects instead of a probe.",
        ),
    )


def test_the_verdict_is_that_of_the_records():
    found = across(study())
    assert (found.word, found.score, found.n) == ("no", 0.25, 1234)
    assert found.sentence.startswith(
        "The pictures and captions of enc hardly agree on binding (level 3, not usable between "
        "pictures and captions). A picture prefers its caption"
    )


@pytest.mark.parametrize(
    ("modalities", "encodes", "written", "why"),
    [
        (("text", "image"), True, None, None),
        (("image", "text"), True, None, None),
        (("text",), True, None, "it needs pictures and captions"),
        (("image",), False, ["a"], "it needs pictures and captions"),
        (
            ("text", "image"),
            False,
            ["a"],
            "it needs an encoder, which embeds captions with their attributes swapped",
        ),
        (("text", "image"), True, ["a"], "captions that came with the table cannot be swapped"),
    ],
)
def test_where_it_can_be_asked(modalities, encodes, written, why):
    case = SimpleNamespace(
        modalities=modalities,
        encodes={"text": encodes}.__getitem__,
        table=SimpleNamespace(written_captions=written),
    )
    assert cannot_compare(case) == Across().applies(case) == why
