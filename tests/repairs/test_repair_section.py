"""What a repair did as a table, figures, a card and a page: whole, by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
from PIL import Image

from conceptbind.core.records import Records
from conceptbind.repairs.card import repair_card
from conceptbind.repairs.labclip.cost import Point, Scores
from conceptbind.repairs.section import (
    repair_section,
    repair_summary,
    repair_table,
    rows_of_table,
    write_repair_report,
)
from conceptbind.repairs.study import RepairedScene
from conceptbind.repairs.words import pull_in_words, repair_verdict, turned
from conceptbind.report import charts
from conceptbind.report.page import thumbnail
from repairs.test_repair_words import record, study

MEASURED = {
    "binding_accuracy": ("binding accuracy", "25.0 %"),
    "binding_gain": ("change in binding accuracy", "+25.0 points"),
    "recall_at_1": ("recall at 1", "25.0 %"),
    "recall_gain": ("change in recall at 1", "+25.0 points"),
    "recall_at_5": ("recall at 5", "25.0 %"),
    "picture_recall_at_1": ("recall at 1 of pictures", "25.0 %"),
    "picture_recall_gain": ("change in recall at 1 of pictures", "+25.0 points"),
    "single_object_accuracy": ("recognition of single objects", "25.0 %"),
    "single_object_gain": ("change in recognition of single objects", "+25.0 points"),
    "caption_swap_cosine": ("cosine of caption and swap", "0.250"),
    "probe_cosine": ("cosine of picture and caption probes", "0.250"),
    "modality_gap": ("modality gap", "0.250"),
}


def test_a_row_for_each_measure_in_one_order():
    records = Records([record(metric, "SB", 0.25) for metric in reversed(MEASURED)])
    assert rows_of_table(records) == [
        (name, "-", told, "-", "400", "0") for name, told in MEASURED.values()
    ]


def test_values_intervals_and_ties_under_each_protocol():
    records = Records(
        [
            record("binding_accuracy", "HNB", 0.75, 0.7, 0.8, n=1234, ties=1234),
            record("binding_accuracy", "SB", None, ties=None),
            record("binding_accuracy", "none", 0.5, 0.4, 0.6, n=4321, ties=5),
            record("modality_gap", "none", 0.25, ties=None),
            record("binding_gain", "HNB", 0.1, 0.0, 0.2, control="bag_twin"),
        ]
    )
    row = (
        *("binding accuracy", "50.0 % (40.0 % to 60.0 %)", "-", "75.0 % (70.0 % to 80.0 %)"),
        *("4,321", "5 / 1,234"),
    )
    assert rows_of_table(records) == [row, ("modality gap", "0.250", "-", "-", "400", "-")]
    assert rows_of_table(records, "bag_twin") == [
        ("change in binding accuracy", "-", "-", "+10.0 points (+0.0 to +20.0)", "400", "0")
    ]
    head, first, *_ = repair_table(records).splitlines()
    assert head.split("  ")[0] == "metric"
    assert [cell.strip() for cell in head.split("  ") if cell] == [
        *("metric", "no repair", "without negatives (SB)", "with negatives (HNB)", "n", "ties"),
    ]
    assert first.startswith("binding accuracy  50.0 % (40.0 % to 60.0 %)  ")


def bare(**changes):
    """A study of arrays, with a curve."""
    points = (
        Point("pull", 0.0, Scores(0.5, 0.4)),
        Point("pull", 1.0, Scores(0.9, 0.3)),
    )
    return SimpleNamespace(**{**vars(study(scenes=False)), "curve": points, **changes})


def test_below_the_table_stand_what_was_turned_and_the_map():
    found = study()
    assert repair_summary(found).split("\n") == [turned(found), pull_in_words(found)]


CARD = """---
library_name: conceptbind
tags: [labclip, compositionality, binding]
---
# Linear repair of captions

For captions of {who}: `y = x @ weight.T`, divided by its length.
Pictures stay as they are, and so does an index of them.

A sentence.

| | no repair | without negatives (SB) | with negatives (HNB) | n | ties |
|---|---|---|---|---|---|
| binding accuracy | 50.0 % (45.0 % to 55.0 %) | - | 95.0 % (92.0 % to 97.0 %) | 400 | 0 / 0 |
| change in binding accuracy | - | - | +45.0 points (+40.0 to +50.0) | 400 | 0 |
| recall at 1 | 40.0 % (0 % to 100 %) | - | 40.0 % (0 % to 100 %) | 400 | 0 / 0 |

Fitted by conceptbind {version}:
protocol HNB (LABCLIP, arXiv 2502.03566), solver quick,
rate 0.02, batch 8, 9 steps
on 1,000 pairs (hash aaaaaaaaaaaaaaaa), seed 0.
{pull}
{turned}{left}

It changes how captions rank pictures; it does not make an encoder know what it
does not know.

```python
import numpy as np
from safetensors.numpy import load_file

weight = load_file("adapter.safetensors")["weight"]
y = x @ weight.T
y /= np.linalg.norm(y, axis=1, keepdims=True)
```
"""


def test_the_whole_card():
    found = study()
    words = {"pull": pull_in_words(found), "turned": turned(found)}
    unknown = CARD.format(
        who="the encoder whose rows it was fitted on", version="", left="", **words
    )
    assert repair_card(found.adapter, found, "A sentence.") == unknown
    found.adapter.config |= {
        "encoder": "a|b",
        "revision": "r1",
        "conceptbind": "9.9",
        "dropped": 1234,
    }
    left = " 1,234 rows were left out; dropped.csv lists them."
    known = CARD.format(who=r"'a\|b' (revision r1)", version="9.9", left=left, **words)
    assert repair_card(found.adapter, found, "A sentence.") == known


def test_a_section_of_arrays_has_no_gallery_no_objects_and_no_cosines():
    found = bare()
    shown = repair_section(found)
    assert (shown.id, shown.title, shown.template) == (
        *("repair", "A linear repair of the captions", "repair_section.html.j2"),
    )
    data = dict(shown.data)
    assert data.pop("bars").id == "repair-bars"
    assert data.pop("curve").id == "repair-curve"
    assert data == {
        "names": {
            "none": "no repair",
            "SB": "without negatives (SB)",
            "HNB": "with negatives (HNB)",
        },
        "rows": rows_of_table(found.records),
        "twin": [],
        "cosines": None,
        "pull": "0.3",
        "pull_in_words": pull_in_words(found),
        "turned": turned(found),
        "gallery": [],
        "nouns": [],
    }
    assert repair_section(bare(pull=1.0)).data["pull"] == "1"


def test_bars_of_shares_before_and_after():
    records = [
        record("recall_at_1", "none", 0.4, 0.3, 0.5),
        record("recall_at_1", "HNB", 0.25, 0.0, 0.5),
        record("picture_recall_at_1", "none", 0.1, 0.05, 0.2),
        record("binding_accuracy", "none", 0.5, 0.4, 0.6),
        record("binding_accuracy", "HNB", 0.75, 0.7, 0.8, n=1234, ties=5),
        record("single_object_accuracy", "HNB", 1.0),
        record("binding_accuracy", "HNB", 0.01, 0.0, 0.1, control="bag_twin"),
        record("recall_at_5", "SB", 0.9, 0.8, 1.0),
        record("binding_gain", "HNB", 0.25, 0.2, 0.3),
    ]
    chart = repair_section(bare(records=Records(records))).data["bars"]
    assert (chart.id, chart.kind, chart.y) == ("repair-bars", "bars", "share")
    before, after = chart.series
    assert (before.name, [(p.x, p.y) for p in before.points]) == (
        "no repair",
        [("binding accuracy", 0.5), ("recall at 1", 0.4), ("recall at 1 of pictures", 0.1)],
    )
    told = "n = 1,234, ties 5"
    recall = "n = 400, ties 0"
    points = (
        charts.Point(
            "binding accuracy", 0.75, 0.7, 0.8, "75.0 %", told, interval="70.0 % to 80.0 %"
        ),
        charts.Point("recall at 1", 0.25, 0.0, 0.5, "25.0 %", recall, interval="0 % to 50.0 %"),
        charts.Point("recognition of single objects", 1.0, None, None, "100 %", "n = 400, ties 0"),
    )
    assert after == charts.Series("with negatives (HNB)", points, "own")


def test_what_each_pull_and_rank_costs():
    curve = (
        Point("rank", 1, Scores(0.6, 0.5, 0.25)),
        Point("pull", 0.0, Scores(0.5, 0.4)),
        Point("pull", 1.0, Scores(0.9, 0.3)),
    )
    chart = repair_section(bare(curve=curve)).data["curve"]
    assert (chart.id, chart.panels, chart.logarithmic) == (
        *("repair-curve", ("pull (0: no repair, 1: the whole map)", "rank of the change"), (1,)),
    )
    assert chart.reference == 0.3  # the pull that was scored
    assert [(s.name, s.panel, [(p.x, p.y, p.said) for p in s.points]) for s in chart.series] == [
        ("binding", 0, [(0.0, 0.5, "50.0 %"), (1.0, 0.9, "90.0 %")]),
        ("recall at 1", 0, [(0.0, 0.4, "40.0 %"), (1.0, 0.3, "30.0 %")]),
        ("binding", 1, [(1, 0.6, "60.0 %")]),
        ("recall at 1", 1, [(1, 0.5, "50.0 %")]),
        ("single objects", 1, [(1, 0.25, "25.0 %")]),
    ]
    assert len({(s.line, s.marker) for s in chart.series}) == 3
    alone = repair_section(bare()).data["curve"]
    assert (alone.panels, alone.logarithmic) == (("pull (0: no repair, 1: the whole map)",), ())


def test_cosines_objects_and_gallery(tmp_path):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.png")
    found = bare(
        cosines={"none": np.array([0.99, 1.0000001, 0.51]), "HNB": np.array([0.01, 0.99])},
        by_object={"none": np.array([0.5, 0.25, np.nan, 1]), "HNB": np.array([0.75, 1, 0, np.nan])},
        probe_cosines={
            "before": np.array([[0.1, 0.2], [0.3, 0.4]]),  # noun by value
            "after": np.array([[0.5, 0.6], [0.7, np.nan]]),
        },
        object_names=("red cube", "red ball", "blue cube", "blue ball"),
        gallery=(
            RepairedScene("one", {"color": ["red"]}, tmp_path / "a.png", "a", "b", False, True),
            RepairedScene("two", {"color": ["blue"]}, None, "c", "d", True, False),
        ),
    )
    data = repair_section(found).data
    assert data["nouns"] == [
        ("red cube", "50.0 %", "75.0 %", "0.100", "0.500"),
        ("red ball", "25.0 %", "100 %", "0.300", "0.700"),
        ("blue cube", "-", "0 %", "0.200", "0.600"),
        ("blue ball", "100 %", "-", "0.400", "-"),
    ]
    fields = "id", "values", "picture", "true", "swap", "right_before", "right_after"
    rows = [
        ("one", {"color": ["red"]}, thumbnail(tmp_path / "a.png"), "a", "b", False, True),
        ("two", {"color": ["blue"]}, None, "c", "d", True, False),
    ]
    assert data["gallery"] == [dict(zip(fields, row, strict=True)) for row in rows]
    chart = data["cosines"]
    before, after = chart.series
    assert (chart.id, chart.kind, chart.share) == ("repair-cosines", "histogram", False)
    assert (before.name, after.name) == ("no repair", "with negatives (HNB)")
    assert before.line != after.line
    middles = [round(0.01 + 0.02 * i, 4) for i in range(50)]
    assert [p.x for p in before.points] == [p.x for p in after.points] == middles
    assert {p.x: p.y for p in before.points if p.y} == {0.51: 1, 0.99: 2}
    assert {p.x: p.y for p in after.points if p.y} == {0.01: 1, 0.99: 1}
    assert (chart.x, chart.y) == ("cosine of a caption with its attribute swap", "captions")
    # three concepts: no probe of a noun and its attribute is one of an object
    many = bare(**{**vars(found), "object_names": ("x", "y", "z")})
    assert repair_section(many).data["nouns"][1] == ("y", "25.0 %", "100 %", "-", "-")
    # axes reach below 0 where a cosine does
    low = bare(**{**vars(found), "cosines": {"none": np.array([-1.0]), "HNB": np.array([])}})
    assert repair_section(low).data["cosines"].series[0].points[0].x == -0.98


def test_a_page_of_its_own(tmp_path):
    found = bare()
    verdict = repair_verdict(found)
    answer = {"sentence": verdict.sentence, "why": "To see it:", "next": "look --at 'it'"}
    write_repair_report(tmp_path / "report.html", found, verdict, {"conceptbind": "9.9"}, answer)
    kept = json.loads((tmp_path / "page.json").read_text())
    kept = kept.get("content", kept)
    assert kept["template"] == "repair.html.j2"
    assert kept["provenance"] == {"conceptbind": "9.9"}
    assert kept["parts"]["title"] == "Can a linear map repair the binding of enc?"
    assert kept["parts"]["verdict"]["sentence"] == verdict.sentence
    assert [section["id"] for section in kept["parts"]["sections"]] == ["repair"]
    page = (tmp_path / "report.html").read_text().replace("\u00a0", " ")
    assert verdict.sentence in page
    assert "look --at &#39;it&#39;" in page
