"""`conceptbind measure` without arguments, and what the shipped models are there to show."""

from __future__ import annotations

import html
import json
import re

import pytest

from conceptbind import measure
from conceptbind.report.numbers import interval_of, value_of
from documented import PAGES

pytestmark = pytest.mark.timeout(900)  # two whole jobs, on a machine that may be busy


@pytest.fixture(scope="module")
def runs(main_job, tmp_path_factory):
    """The main job with the default model, and with the one that binds: the slow reference runs
    hold all of that one, with its controls.
    """
    folder = tmp_path_factory.mktemp("runs") / "tiny-bound"
    bound = measure("tiny-bound", studies="probe,crossmodal,repair", controls=False, out=folder)
    return {"tiny": main_job, "tiny-bound": bound}


def value(run, metric, modality, **extra):
    return next(
        record.value
        for record in run.records
        if record.metric == metric
        and record.modality == modality
        and all(record[name] == wanted for name, wanted in ({"control": "none"} | extra).items())
    )


def test_it_writes_the_contract(runs):
    folder = runs["tiny"].folder
    results = json.loads((folder / "results.json").read_text())
    studies = {(row["study"], row["modality"]) for row in results["records"]}
    both = ("text", "image")
    assert studies >= {("crossmodal", "both")} | {
        (name, part) for name in ("probe", "attribute_probe", "crossmodal") for part in both
    }
    assert len(list((folder / "pictures").glob("*.png"))) == 576
    assert (folder / "pictures" / "scenes.csv").is_file()
    controls = {row["control"] for row in results["records"]}
    assert controls == {*("none", "bag_of_concepts", "random_weights", "bag_twin", "blind_length")}
    assert {row["encoder"] for row in results["records"]} == {"tiny"}


def plain(page):
    """The words of a page, without scripts, styles and pictures."""
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def test_one_quantity_has_one_value_one_interval_and_one_rounding(runs):
    """Wherever it stands: in two studies, in the page, and in what a terminal shows."""
    run = runs["tiny"]
    found = {}
    for record in run.records:
        told = record.repair or "none", record["order"] or "either"
        if record.study in ("crossmodal", "repair") and told == ("none", "either"):
            key = (
                record.metric,
                record.modality,
                *(record[name] for name in ("control", "concept", "queries")),
            )
            found.setdefault(key, set()).add(
                (record.value, record.ci_low, record.ci_high, record.n, record.ties)
            )
    both = {"binding_accuracy", "recall_at_1", "recall_at_5", "caption_swap_cosine", "modality_gap"}
    assert {record.metric for record in run.records if record.study == "repair"} >= both
    assert [key for key, values in found.items() if len(values) > 1] == []
    shown = {
        (value_of(record), interval_of(record))
        for record in run.records
        if record.value is not None
    }
    number = r"[+-]?\d[\d.,]*(?: %| points)?"
    pattern = re.compile(rf"({number})[^()%.;:0-9]{{0,60}}?\(({number} to {number})[,)]")
    page = plain((run.folder / "report.html").read_text())
    for text, least in ((page, 20), (re.sub(r"\s+", " ", run.text()), 8)):
        pairs = pattern.findall(text)
        assert len(pairs) >= least
        assert [pair for pair in pairs if pair not in shown] == []


def test_the_pages_show_rows_that_it_prints(runs):
    run = runs["tiny"]
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for mark, said in (("conceptbind measure", run.text()), ("print(result)", str(run))):
        printed = said.replace(str(run.folder), "runs/tiny-clevr2d").split("\n")
        marked = re.compile(rf"<!-- of {re.escape(mark)} -->\n```text\n(.*?)```", re.DOTALL)
        rows = "".join(marked.findall(texts)).splitlines()
        assert len(rows) > 5
        assert [row for row in rows if not any(alike(row, line) for line in printed)] == []


def alike(documented: str, printed: str) -> bool:
    """Whether two lines have the same words, and numbers that differ by a last digit or two: a
    fitted map rounds otherwise on another processor.
    """
    number = re.compile(r"\d+(?:\.\d+)?")
    words = [" ".join(number.sub("#", line).split()) for line in (documented, printed)]
    ours, theirs = (list(map(float, number.findall(line))) for line in (documented, printed))
    near = all(abs(one - two) < 0.25 for one, two in zip(ours, theirs, strict=False))
    return words[0] == words[1] and near


def test_lines_that_are_alike():
    line = "both  binding accuracy   68.2 %   63.2 % to 72.8 %  336     0"
    assert alike(line, "both binding accuracy 68.3 % 63.0 % to 72.8 % 336 0")
    assert not alike(line, "both binding accuracy 68.5 % 63.2 % to 72.8 % 336 0")
    assert not alike(line, "both binding accuracy 68.2 % 63.2 % to 72.8 % 337 0")
    assert not alike(line, "both concept accuracy 68.2 % 63.2 % to 72.8 % 336 0")


def test_the_page_shows_every_control_of_the_attribute_of_a_noun(runs):
    run = runs["tiny"]
    table = (
        plain((run.folder / "report.html").read_text())
        .split("Captions: which attribute does a noun have?")[-1]
        .partition("square (")[0]
    )
    rows = [
        r
        for r in run.records
        if (r.study, r.modality, r["noun"]) == ("attribute_probe", "text", None)
    ]
    assert {row.control for row in rows} == {
        "none",
        "bag_of_concepts",
        "random_weights",
        "bag_twin",
    }
    assert all(value_of(row) in table for row in rows)


def test_tiny_is_what_clip_is(runs):
    """Concepts across modalities, objects within each, no binding between them."""
    run = runs["tiny"]
    assert 0.5 <= value(run, "binding_accuracy", "both", order="either") <= 0.75
    assert value(run, "concept_accuracy", "both", order="either") >= 0.9
    for modality in ("text", "image"):
        assert value(run, "object_recognition", modality, queries=None) >= 0.9
        for control in ("bag_of_concepts", "bag_twin"):
            assert value(run, "object_recognition", modality, control=control) < 0.7
    assert run.verdicts[2].word in ("no", "partly")


def test_tiny_bound_binds_across_modalities(runs):
    run = runs["tiny-bound"]
    for order in ("either", "as listed", "reversed"):  # no position shortcut
        assert value(run, "binding_accuracy", "both", order=order) >= 0.9
    assert value(run, "concept_accuracy", "both", order="either") >= 0.9
    assert value(run, "swap_error", "both") < 0.05 < 0.1 < value(runs["tiny"], "swap_error", "both")
    assert run.verdicts[2].word == "yes"


def test_a_linear_repair_brings_the_binding_of_tiny_back(runs):
    """On combinations that it was not fitted on; at no cost to retrieval and single objects; and
    not where there is nothing to bring back.
    """
    run = runs["tiny"]
    assert (
        value(run, "binding_accuracy", "both", repair="none")
        <= 0.75
        < 0.9
        <= value(run, "binding_accuracy", "both", repair="HNB")
    )
    assert value(run, "recall_at_1", "both", repair="HNB") >= value(
        run, "recall_at_1", "both", repair="none"
    )
    assert value(run, "single_object_accuracy", "both", repair="HNB") >= 0.95
    assert value(run, "binding_accuracy", "both", repair="HNB", control="bag_twin") < 0.65
    assert "brings the binding accuracy" in run.verdicts[5].sentence
    assert "nothing to add" in runs["tiny-bound"].verdicts[3].sentence
