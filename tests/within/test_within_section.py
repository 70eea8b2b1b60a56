"""The attribute of a noun, and one object among many: whole sections by hand."""

from __future__ import annotations

from PIL import Image

import made
from conceptbind.core.findings import GENERAL, Section
from conceptbind.core.records import Records
from conceptbind.within.search import Missed, SearchStudy
from conceptbind.within.section import noun_section, search_section


def record(study, metric, value, low=None, high=None, ties=0, n=1234, modality="image", **extra):
    facts = {"study": study, "modality": modality, "n": n, "ties": ties, **extra}
    return made.record(metric, value, low, high, **facts)


def shown(name, title, text, head, rows, **links):
    paragraph = {"kind": "paragraph", "text": text}
    table = {"kind": "table", "head": head, "rows": rows, **links}
    return Section(name, title, {"blocks": [paragraph, table]}, GENERAL)


def test_which_attribute_a_noun_has():
    def noun(value, name, *interval, **extra):
        facts = {"concept": "color", "noun": name, **extra}
        return record("attribute_probe", "attribute_recognition", value, *interval, **facts)

    records = Records(
        [
            noun(0.9, None, 0.8, 1.0, ties=4321),
            noun(0.5, None, 0.4, 0.6, control="bag_of_concepts"),
            noun(0.75, "cube", ties=None),
            noun(0.1, "cube", modality="text", control="bag_twin"),
            record("probe", "object_recognition", 0.2),
        ]
    )
    assert noun_section(records, "image") == shown(
        "attribute-image",
        "Pictures: which attribute does a noun have?",
        "One linear classifier for every noun recognises the noun's attributes. A combination and "
        "all its swaps stay on one side of the split.",
        ["noun", "right", "95 % interval", "bag of concepts", "scenes (n)", "ties"],
        [
            ["all nouns (color)", "90.0 %", "80.0 % to 100 %", "50.0 %", "1,234", "4,321"],
            ["cube (color)", "75.0 %", "-", "-", "1,234", "-"],
        ],
        listed="items-attribute-recognition-image-color-missed",
        finds=[" ", "cube"],
    )
    right = [record.but(value=1.0) for record in records[:1]]
    (_, table) = noun_section(Records(right), "image").data["blocks"]
    assert table["finds"] == [""], "where all is right there is no list"
    assert noun_section(Records(records[-1:]), "image") is None


def test_whether_an_object_is_found_among_many():
    records = Records(
        [
            record("search", "search_accuracy", 0.9, 0.8, 1.0, objects="4, 8"),
            record("search", "search_accuracy", 0.5, objects="4, 8", control="random_weights"),
            record("search", "search_in_order", 0.6, 0.5, 0.7, 5, modality="both", objects="4, 8"),
        ]
    )
    assert search_section(SearchStudy(records, (), 0)) == shown(
        "search",
        "Pictures: can one object be found among many?",
        "Fields of two kinds of objects, half of them with the one object that joins the colour "
        "of one kind with the shape of the other. A classifier on the picture says whether it is "
        "there; its caption alone (zero-shot) orders pairs of fields. Chance is 50 %.",
        ["search", "right", "95 % interval", "random weights", "n", "ties"],
        [
            [
                "linear classifier (4, 8 objects)",
                *("90.0 %", "80.0 % to 100 %", "50.0 %", "1,234", "0"),
            ],
            ["caption alone (4, 8 objects)", "60.0 %", "50.0 % to 70.0 %", "-", "1,234", "5"],
        ],
    )


def test_fields_that_were_missed_are_cards():
    records = Records([record("search", "search_accuracy", 0.9, n=20, objects="4")])
    picture = Image.new("RGB", (40, 40), "red")
    missed = tuple(
        Missed(row, "red circle", 4, present, tied, picture)
        for row, present, tied in ((3, True, False), (5, False, False), (7, True, True))
    )
    *_, told, cards = search_section(SearchStudy(records, missed, 4)).data["blocks"]
    assert told["text"] == (
        "The classifier was wrong about 4 of 20 test fields. Here are 3 of them."
    )
    assert [card["told"] for card in cards["cards"]] == [
        [("look for", "red circle"), ("true", "there"), ("said", "not there")],
        [("look for", "red circle"), ("true", "not there"), ("said", "there")],
        [("look for", "red circle"), ("true", "there"), ("said", "both answers scored the same")],
    ]
    assert [card["tag"] for card in cards["cards"]] == ["field 3", "field 5", "field 7"]
    assert all(card["picture"].startswith("data:image/jpeg;base64,") for card in cards["cards"])
    assert cards["cards"][0]["values"] == {"object": "red circle"}
