"""From a number to its items: lists of missed scenes on the page, and all scenes in a file."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest

from conceptbind.core.outcomes import Outcome
from conceptbind.report.items import COLUMNS, MOST, anchor, items_csv, items_section
from conceptbind.scenes import ConceptSpace, Scenes, text20

SCENES = text20(4, 4)
RECOGNISED = {"study": "probe", "metric": "object_recognition", "modality": "image"}
RECALLED = {"study": "crossmodal", "metric": "recall_at_1", "modality": "both"}
PREFERRED = {"study": "crossmodal", "metric": "binding_accuracy", "modality": "both"}


def outcome(right, tied=None, rows=None, **about):
    right = np.asarray(right)
    tied = np.zeros(len(right), bool) if tied is None else np.asarray(tied)
    rows = np.arange(len(right)) if rows is None else np.asarray(rows)
    return Outcome(about or RECALLED, right, tied, rows)


def lists(*outcomes):
    return items_section(outcomes, SCENES).data["lists"]


def test_a_missed_scene_is_named_by_its_id_and_caption():
    (found,) = lists(outcome([True, False, True, False], [False, False, False, True], [3, 8, 1, 5]))
    assert found["rows"] == [
        [SCENES.ids[8], SCENES.caption(8), "no", "-"],
        [SCENES.ids[5], SCENES.caption(5), "no", "tie"],
    ]
    assert (found["what"], found["value"]) == ("A picture finds its caption first", "50.0 %")
    assert (found["missed"], found["scored"], found["more"]) == ("2", "4 scenes", 0)
    assert not found["partly"]


def test_comparisons_of_several_orders_are_listed_the_worst_first():
    (found,) = lists(outcome([0.5, 1.0, 0.0, 0.75], rows=[2, 2, 4, 6], **PREFERRED))
    assert [row[0] for row in found["rows"]] == [SCENES.ids[row] for row in (4, 2, 6)]
    assert [row[2] for row in found["rows"]] == ["no", "50.0 %", "75.0 %"]
    assert found["partly"]
    assert found["scored"] == "4 comparisons"


def test_a_long_list_ends_and_says_so():
    n = MOST + 7
    rows = np.arange(n) % len(SCENES)
    (found,) = lists(outcome(np.zeros(n), rows=rows))
    assert (len(found["rows"]), found["more"], found["missed"]) == (MOST, 7, f"{n:,}")


def test_all_right_has_no_list_and_benchmark_items_are_none_of_the_table():
    (found,) = lists(outcome([True] * 3))
    assert (found["rows"], found["missed"]) == ([], "0")
    of_no_table = Outcome(RECALLED, np.ones(3), np.zeros(3, bool))
    assert items_section([of_no_table], SCENES) is None
    assert items_csv([of_no_table], SCENES).splitlines() == [",".join(COLUMNS)]


def test_what_a_section_lists_itself_is_not_repeated():
    assert items_section([outcome([False], **RECOGNISED)], SCENES) is None


def test_each_number_has_its_own_place():
    about = [RECOGNISED, {**RECOGNISED, "modality": "text"}, PREFERRED]
    places = [anchor(outcome([True], **each)) for each in about]
    assert places == [
        "probe-image-wrong",
        "probe-text-wrong",
        "items-binding-accuracy-both",
    ]


def test_the_file_holds_every_scene_and_no_formula():
    space = ConceptSpace(("color", "shape"), (("red", "blue"), ("=1+1", "cube")))
    scenes = Scenes(space, np.array([[[0, 0], [1, 1]], [[0, 1], [1, 0]]]), template="{shape}")
    text = items_csv([outcome([0.25, True], [True, False], **PREFERRED)], scenes)
    head, *rows = csv.reader(io.StringIO(text))
    assert tuple(head) == COLUMNS
    assert [row[-2:] for row in rows] == [["0.25", "1"], ["1.0", "0"]]
    assert rows[0][7].startswith("'=1+1")


@pytest.mark.parametrize("asked", [RECOGNISED, {**RECOGNISED, "modality": "text"}, PREFERRED])
def test_the_page_of_a_run_leads_from_its_verdicts_to_their_scenes(asked, main_job):
    page = (main_job.folder / "report.html").read_text()
    place = anchor(outcome([True], **asked))
    assert f'<a href="#{place}">Which scenes were missed</a>' in page
    assert f'id="{place}"' in page
    with (main_job.folder / "items.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == asked["metric"]]
    rows = [row for row in rows if row["modality"] == asked["modality"]]
    order = {"order": "either"} if asked is PREFERRED else {}
    kept = main_job.records.where(**asked, control="none", repair=None, **order)[0]
    assert len(rows) == kept.n
    assert np.mean([float(row["right"]) for row in rows]) == pytest.approx(kept.value)
    assert "built-in method" not in page


def test_a_verdict_leads_to_the_scenes_of_its_own_number(main_job):
    """Level 2 has two settings; its score is that of the lower one."""
    page = (main_job.folder / "report.html").read_text()
    for verdict in main_job.verdicts:
        if verdict.level != 2:
            continue
        card = page[page.index(f'id="verdict-within-{verdict.modality}"') :]
        place = re.search(r'href="#([\w-]+)">Which scenes were missed', card)[1]
        setting = place.rsplit("-", 1)[1]
        record = main_job.records.where(study="within", modality=verdict.modality).one(
            metric="paraphrase_accuracy",
            setting=setting,
            control="none",
            wording=None,
            order=None,
            concept=None,
        )
        assert record.value == pytest.approx(verdict.score)
