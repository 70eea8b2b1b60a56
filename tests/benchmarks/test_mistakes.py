"""What a description says in vain, and names that two scores would share, are refused when it is
read; so are files that would be read otherwise than they are meant.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import conceptbind
from conceptbind.benchmarks import BENCHMARKS, Making, read_benchmark
from conceptbind.benchmarks.base import Data, Score, without_missing
from conceptbind.benchmarks.declared import own_benchmark
from conceptbind.benchmarks.evaluate import scores_of
from conceptbind.benchmarks.texts import by_rows
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.scored import unit_of
from conceptbind.report.numbers import interval_told
from known_vectors import picture
from published_layouts import by_digit

HEAD = {"name": "mine", "title": "t", "published": "p", "licence": "l"}
TASK = {"form": "captions", "files": ["a.csv"], "pictures": ["i"], "captions": ["c", "d"]}
TEXTS = {"form": "swaps", "files": ["a.csv"], "captions": ["c", "d"]}
PARTS = {"files": [], "parts": {"one": ["a.csv"], "two": ["b.csv"]}}
ROW = {"i": "0.png", "c": "0 a", "d": "1 b", "kind": "x", "finer": "y", "right": "0"}
REFERENCE = {"metric": "accuracy", "subset": "all", "value": 0.5}


def own(folder, told):
    (folder / "mine.yaml").write_text(json.dumps(told))
    return own_benchmark(folder / "mine.yaml")


def rows_of(folder, *changes, name="a.csv"):
    """A table of one row for each change, with its picture."""
    with (folder / name).open("w", newline="") as file:
        table = csv.DictWriter(file, [*ROW])
        table.writeheader()
        table.writerows({**ROW, **change} for change in changes)
    picture(folder / "images", "0.png", 0)


def refused(folder, told, said):
    with pytest.raises(ConceptBindError) as error:
        own(folder, told).read(folder, Making(folder / "made"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def rule(of, **more):
    return {"protocol": "paper", "of": of, **more}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # what no form asks for
        ({"swapped": ["x"]}, "'swapped' is of the form triplets; leave it out"),
        ({"form": "retrieval", "right": "i"}, "'right' is of the form captions or pictures"),
        ({"form": "two_by_two", "positives": 2}, "'positives' is of the form captions"),
        ({"form": "retrieval", "detail": "finer"}, "leave it out of the form retrieval"),
        ({"literals": ["e"]}, "'literals' names 'e', which is no field of captions"),
        ({"starts": {"a": "b"}}, "'starts' needs 'subset'"),
        # lists that are empty
        ({"places": []}, "'places' is empty; name the folder of the pictures"),
        ({"endings": []}, "'endings' is empty; leave it out"),
        ({**PARTS, "parts": {"one": []}}, "the part 'one' has no files"),
        # rules
        ({"scores": rule("all", protocol=" ")}, "'protocol' is empty; say whose rule it is"),
        (
            {"scores": rule("each", protocol="strict")},
            "the rule 'strict' scores accuracy of 'each' twice",
        ),
        (
            {"scores": rule("all", protocol="strict", average="macro")},
            "the rule 'strict' scores accuracy of 'all' twice",
        ),
        ({"form": "two_by_two", "scores": rule("same words")}, "is of the form captions"),
        # names that the description gives
        (
            {**PARTS, "parts": {"all": ["a.csv"], "two": ["b.csv"]}},
            "two scores would be called 'all' (accuracy, strict), of the subset 'all' and of 'all'",
        ),
        (
            {**PARTS, "families": {"all": "*"}, "scores": [rule("families"), rule("all")]},
            "of the family 'all' and of 'all'; give a subset, family or task another name",
        ),
        (
            {**PARTS, "families": {"one": "t*"}, "scores": [rule("families"), rule("each")]},
            "two scores would be called 'one' (accuracy, paper)",
        ),
        # references of no score
        ({"references": {**REFERENCE, "metric": "acc"}}, "unknown metric 'acc'; did you mean"),
        ({"references": {**REFERENCE, "protocol": "paper"}}, "the unknown rule 'paper'"),
        ({"references": {**REFERENCE, "subset": "al"}}, "unknown subset 'al'; did you mean 'all'"),
    ],
)
def test_a_mistake_in_a_description_is_told_when_it_is_read(tmp_path, change, said):
    refused(tmp_path, {**HEAD, **TASK, **change}, f"mine.yaml: {said}" if said[0] == "'" else said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"box": [*"abcd"]}, "'box' is of the form"),
        ({"places": ["photos"]}, "'places' is about pictures, and this task has none"),
        ({"form": "triplets", "swapped": ["x"], **PARTS}, "'swapped' names 'x', which is no"),
    ],
)
def test_a_mistake_in_a_description_of_texts_is_told(tmp_path, change, said):
    refused(tmp_path, {**HEAD, **TEXTS, **change}, said)


def test_a_family_may_be_called_like_a_subset_of_another_rule(tmp_path):
    told = {**PARTS, "families": {"one": "t*"}, "scores": [rule("families")]}
    assert own(tmp_path, {**HEAD, **TASK, **told}).name == "mine"


@pytest.mark.parametrize(
    ("changes", "told", "said"),
    [
        (
            [{"kind": "all"}, {}],
            {"subset": "kind"},
            "two scores would be called 'all' (accuracy, strict), of the subset 'all' and of 'all'",
        ),
        (
            [{"kind": "x"}, {"kind": "z"}],
            {"subset": "kind", "families": {"x": "*"}, "scores": [rule("families"), rule("each")]},
            "of the family 'x' and of the subset 'x'",
        ),
        (
            [{"kind": "x y", "finer": ""}, {"kind": "x"}],
            {"subset": "kind", "detail": "finer"},
            "two scores would be called 'x y' (accuracy, strict)",
        ),
        (
            [{}, {"kind": "z"}],
            {"subset": "kind", "families": {"f": "*", "g": "q*"}, "scores": [rule("families")]},
            "no subset fits a family (q*); the subsets are x, z",
        ),
    ],
)
def test_names_that_files_give_are_looked_at_before_anything_is_embedded(
    tmp_path, changes, told, said
):
    rows_of(tmp_path, *changes)
    refused(tmp_path, {**HEAD, **TASK, **told}, said)


def test_a_reference_of_no_subset_is_said(tmp_path):
    rows_of(tmp_path, {"kind": "x"}, {"kind": "z"})
    references = [{**REFERENCE, "subset": name} for name in ("all", "x", "y")]
    told = {**HEAD, **TASK, "subset": "kind", "references": references}
    (note,) = own(tmp_path, told).read(tmp_path, Making(tmp_path / "made")).notes
    assert note.startswith("no score is of accuracy for 'y' by the rule 'strict', as a reference")


def test_tasks_and_their_subsets_may_not_share_a_name(tmp_path):
    rows_of(tmp_path, {"kind": "x"}, {"kind": "z"})
    tasks = [{**TASK, "name": "mine", "subset": "kind"}, {**TASK, "name": "mine x"}]
    refused(tmp_path, {**HEAD, "tasks": tasks}, "'mine x' of the task 'mine' and of the")


def test_no_benchmark_gives_two_scores_of_one_name(monkeypatch):
    """Also those that are written rather than described."""

    class Twice:
        name = title = published = licence = "twice"

        def layout(self, folder):
            return []

        def read(self, folder, making):
            return None

        def score_texts(self, items, alike):
            right = np.ones(2, dtype=bool)
            return [Score("accuracy", "all", "strict", right, ~right)] * 2

    monkeypatch.setitem(BENCHMARKS, "twice", Twice())
    ones = np.ones((1, 1))
    with pytest.raises(ConceptBindError, match="twice gives two scores of accuracy for 'all'"):
        scores_of("twice", Data((), None, ("a",), {}), None, ones, by_rows(ones, ones))


@pytest.mark.parametrize(
    ("told", "splits"),
    [
        ({"strict": ["all"]}, {("strict", "all")}),
        ({"strict": ["all", "same words"]}, {("strict", "all")}),
        ({"strict": ["all"], "subset": "kind"}, {("strict", "all")}),
        (
            {"scores": [rule("each", metrics=["accuracy"]), rule("all")]},
            {("strict", "all"), ("paper", "all")},
        ),
        (
            {"subset": "kind", "detail": "finer", "strict": ["each", "details"]},
            {("strict", "x"), ("strict", "x y")},
        ),
        ({"scores": [rule("same words")]}, {("strict", "all")}),
    ],
)
def test_every_rule_has_its_record_once(tmp_path, told, splits):
    """Of one unnamed set, and of one subset."""
    rows_of(tmp_path, {}, {})
    benchmark = own(tmp_path, {**HEAD, **TASK, **told})
    data = benchmark.read(tmp_path, Making(tmp_path / "made"))
    scores = benchmark.score(data.items, np.eye(4)[:1], np.eye(4)[:2])
    assert sorted((score.protocol, score.subset) for score in scores) == sorted(splits)


def test_what_is_no_number_is_not_kept(tmp_path):
    rows_of(tmp_path, {"right": "3"}, {"right": "nan"}, {"right": "1"})
    data = own(tmp_path, {**HEAD, **TASK, "keep": {"right": 2}}).read(tmp_path, Making(tmp_path))
    assert len(data.items["rows"]) == 1
    left = [note for note in data.notes if note.startswith("left out")]
    assert left == [
        "left out: 1 item whose right is no number (NaN).",
        "left out: 1 item whose right is below 2.",
    ]


@pytest.mark.parametrize("name", ["", " ", "."])
def test_a_picture_without_a_name_is_told_by_its_row(tmp_path, name):
    rows_of(tmp_path, {}, {"i": name})
    benchmark = own(tmp_path, {**HEAD, **TASK})
    data = benchmark.read(tmp_path, Making(tmp_path / "made"))
    with pytest.raises(ConceptBindError, match=r"1 of 2 pictures .*: a\.csv, item 2 \(its 'i' is"):
        without_missing(data, benchmark.keep, allow=False)
    assert len(without_missing(data, benchmark.keep, allow=True).items["rows"]) == 1


def abc6k(folder, text):
    (folder / "ABC-6K.txt").write_text(text)
    return read_benchmark("abc6k", folder, Making(folder / "made"))


def test_blank_lines_stand_between_pairs_alone(tmp_path):
    assert len(abc6k(tmp_path, "0 a.\n1 b .\n\n0 c.\n1 d .\n\n").items["rows"]) == 2
    with pytest.raises(ConceptBindError, match="line 2: a blank line within an item; expected 2"):
        abc6k(tmp_path, "0 a.\n\n1 b .\n0 c.\n")
    with pytest.raises(ConceptBindError, match="and 1 are left at its end"):
        abc6k(tmp_path, "0 a.\n1 b .\n\n0 c.\n")


def test_ends_that_nobody_could_read_are_rounded_outwards():
    assert interval_told("share", 1e-9, 0.9999999999) == "0 % to 100 %"
    assert interval_told("share", 0.9999999, 0.99998) == "99.99999 % to 99.998 %"
    assert interval_told("share", 0.1234, 0.99994) == "12.3 % to 99.99 %"
    assert unit_of("accuracy") == "share"


def test_a_run_by_one_rule_of_all_is_written_whole(tmp_path):
    """It ended in an IndexError, and its distances were of a set without a name."""
    lines = [{"c": "0 a", "d": "1 b", "e": "2 c"}, {"c": "0 d", "d": "0 e", "e": "1 f"}]
    (tmp_path / "a.json").write_text(json.dumps(lines))
    task = {"form": "triplets", "files": ["a.json"], "captions": [*"cde"], "strict": ["all"]}
    own(tmp_path, {**HEAD, **task})
    encoder = by_digit()
    encoder.modalities = ("text",)
    done = conceptbind.evaluate(
        encoder, benchmark=str(tmp_path / "mine.yaml"), data=tmp_path, out=tmp_path / "run"
    )
    del BENCHMARKS["mine"]
    assert {r.split for r in done.records} == {"all"}
    assert "lexical_distance" in {r.metric for r in done.records}
    assert (tmp_path / "run/report.html").is_file()
