"""What a linear probe recognises as a section of the page: every row, word and scene by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from PIL import Image

import made
from conceptbind.core.records import Records
from conceptbind.metrics import Recognition
from conceptbind.probes.section import INTERVAL, probe_section, shown_controls, terms
from conceptbind.probes.study import ProbeStudy, WrongScene
from conceptbind.probes.words import verdict
from conceptbind.report.page import thumbnail
from conceptbind.scenes import ConceptSpace, full_grid

SCENES = full_grid(ConceptSpace(("color", "shape"), (("red", "blue"), ("cube", "ball"))))


def record(metric, value, low=None, high=None, ties=0, n=1234, **extra):
    facts = {"modality": "image", "n": n, "ties": ties, "encoder": "enc", **extra}
    return made.record(metric, value, low, high, **facts)


RECORDS = [
    record("concept_recognition", 0.9, 0.8, 1.0, 4321, concept="color"),
    record("concept_recognition", 0.5, concept="color", control="random_weights"),
    record("object_recognition", 0.6, 0.5, 0.7, ties=None),
    record("object_recognition", 0.3, 0.25, 0.35, control="bag_of_concepts"),
    record("object_recognition", 0.2, 0.1, 0.3, control="random_weights"),
]


def study(records, wrong=(), modality="image"):
    three = np.array([True, True, True])
    outcome = Recognition(three, ~three, np.array([True, True, False]))
    shares = np.array([0.0, 0.5, 1.0, 0.25])
    return ProbeStudy(
        *(modality, Records(records), None, outcome, shares, np.array([3, 4, 5, 6]), tuple(wrong)),
        *(9, 1.0, 4, {("color", "red", "blue"): 1234}, ("a note",), tuple(wrong)),
    )


def test_recognition_beside_the_controls_that_there_are(tmp_path):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.png")
    wrong = [
        WrongScene(
            *(1, "one", "a", tmp_path / "a.png", ("red cube",), ("blue cube",), True, False),
            (("color", "red", "blue"),),
        ),
        WrongScene(2, "two", "b", None, ("red ball",), ("red cube", "x"), False, True),
    ]
    found = probe_section(study(RECORDS, wrong), SCENES)
    assert (found.id, found.title, found.template) == (
        "probe-image",
        "Pictures: what a linear probe recognises",
        "probe_section.html.j2",
    )
    data = dict(found.data)
    chart = data.pop("figure")
    assert (chart.id, chart.kind, chart.y) == (
        *("recognition-image", "bars", "share of test scenes recognised"),
    )
    assert [
        (s.name, s.look, [(p.x, p.y, p.low, p.high) for p in s.points]) for s in chart.series
    ] == [
        ("picture embeddings", "own", [("color", 0.9, 0.8, 1.0), ("objects", 0.6, 0.5, 0.7)]),
        (
            "the same model with random weights",
            "random",
            [("color", 0.5, None, None), ("objects", 0.2, 0.1, 0.3)],
        ),
        ("a bag of concepts, same scenes", "bag", [("objects", 0.3, 0.25, 0.35)]),
    ]
    told = chart.series[0].points[0]
    assert (told.said, told.interval) == ("90.0 %", "80.0 % to 100 %")
    assert told.more == "n = 1,234, ties 4,321"
    assert data == {
        "modality": "image",
        "controls": ["bag of concepts", "random weights"],
        "rows": [
            ["color", "90.0 %", "80.0 % to 100 %", "-", "50.0 %", "1,234", "4,321"],
            ["objects", "60.0 %", "50.0 % to 70.0 %", "30.0 %", "20.0 %", "1,234", "-"],
        ],
        "notes": ["a note"],
        "objects": {
            "corner": "color × shape",
            "columns": ["cube", "ball"],
            "rows": [
                (
                    "red",
                    [
                        {"share": 0.0, "text": "0 %", "n": 3, "object": "red cube"},
                        {"share": 0.5, "text": "50.0 %", "n": 4, "object": "red ball"},
                    ],
                ),
                (
                    "blue",
                    [
                        {"share": 1.0, "text": "100 %", "n": 5, "object": "blue cube"},
                        {"share": 0.25, "text": "25.0 %", "n": 6, "object": "blue ball"},
                    ],
                ),
            ],
        },
        "confused": [["color", "red", "blue", "1,234"]],
        "mistakes": ["color: “blue” in place of “red”"],
        "missed_head": ["scene", "caption", "found", "mistaken", "kind"],
        "n": 2,
        "n_wrong": 9,
        "missed": [
            ("one", "a", "blue cube", "color: “blue” in place of “red”", "tie"),
            ("two", "b", "red cube, x", "-", "misbound"),
        ],
        "n_misbound": 4,
        "wrong": [
            {
                "id": "one",
                "values": {
                    "color": ["red"],
                    "shape": ["cube", "ball"],
                    "object": ["red cube", "red ball"],
                },
                "caption": "a",
                "picture": thumbnail(tmp_path / "a.png"),
                "true": ["red cube"],
                "read": ["blue cube"],
                "misbound": False,
                "tied": True,
            },
            {
                "id": "two",
                "values": {
                    "color": ["red", "blue"],
                    "shape": ["cube"],
                    "object": ["red cube", "blue cube"],
                },
                "caption": "b",
                "picture": None,
                "true": ["red ball"],
                "read": ["red cube", "x"],
                "misbound": True,
                "tied": False,
            },
        ],
    }
    # captions have no picture, though their scenes have
    texts = [r.but(modality="text") for r in RECORDS]
    (first, _) = probe_section(study(texts, wrong, "text"), SCENES).data["wrong"]
    assert first["picture"] is None


def test_controls_stand_in_one_order_and_only_where_a_record_is_of_them():
    assert shown_controls(Records(RECORDS)) == {
        "bag_of_concepts": "bag of concepts",
        "random_weights": "random weights",
    }
    assert shown_controls(Records(RECORDS[:1])) == {}


def test_the_words_that_the_section_uses():
    split = SimpleNamespace(train=range(2345), validation=range(1111), test=range(1234))
    assert terms(split) == (
        (
            "Recognition",
            "A scene counts when everything that is in it scores strictly above everything that "
            "is not: all its values of one concept, or all its objects. A tie is a miss, and is "
            "counted.",
        ),
        (
            "Linear probe",
            "One linear map without bias from the embedding to all values, or all objects, fitted "
            "on 2,345 scenes, its penalty chosen on 1,111 others, scored once on the remaining "
            "1,234. The orders of one set of objects are always on the same side.",
        ),
    )
    assert INTERVAL == (
        "95 % interval",
        "Scenes that are right or wrong together are one draw. For probes, edits and "
        "retrieval of sums these are the two orders of a pair. For attributes, comparisons of "
        "pictures with captions, and repairs they are the scenes of an orbit (the same values of "
        "every concept). Mid-P intervals with as many draws as these are worth; a "
        "dash where no interval can be given.",
    )


def test_the_verdict_is_that_of_the_records_under_the_ceiling():
    found = verdict(study([r.but(ci_low=0.5, ci_high=0.7) for r in RECORDS]))
    assert (found.modality, found.level, found.n) == ("image", 1, 1234)
    assert found.score == round((0.6 - 0.3) / (1 - 0.3), 9)
