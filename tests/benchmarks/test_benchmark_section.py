"""Tables, figures and the page of benchmarks, and runs side by side: whole, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.test_benchmark_sentences import beside, score
from browsing import assert_fits, in_browser
from conceptbind.benchmarks.base import Found, Score
from conceptbind.benchmarks.registry import benchmark_named
from conceptbind.benchmarks.section import (
    benchmark_cells,
    benchmark_figure,
    benchmark_sentence,
    benchmark_table,
    check_table,
    paired_tables,
    write_benchmark_report,
)
from conceptbind.core.names import CONTROL_TEXTS
from conceptbind.core.outcomes import Outcomes
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent
from conceptbind.metrics.intervals import share_interval
from conceptbind.report.charts import Point

HEAD = ["benchmark", "subset", "metric", "protocol", "tie rule", "value", "95 % interval"]
RULE = {"average": "macro", "protocol": "paper", "tie_rule": "first"}
PLAIN = [
    score(0.75, 0.7, 0.8, subset="a", n=1234, ties=4321).but(metric="recall_at_1"),
    score(0.5, None, None, subset="b").but(**RULE),
    *beside("a"),
    score(0.55, 0.4, 0.6, subset="a", control="blind_norm").but(metric="recall_at_1"),
    score(0.65, 0.4, 0.6, subset="a", control="blind_length", scenes="aro").but(
        metric="recall_at_1"
    ),
]


def test_a_line_for_each_score_beside_its_own_baseline():
    """The first is of an earlier version, which did not say what it did with ties."""
    head, rows = benchmark_cells(Records(PLAIN))
    assert head == [*HEAD, "blind", "ties", "n"]
    assert rows == [
        [
            *("sugarcrepe", "a", "recall at 1", "strict, micro", "-", "75.0 %"),
            *("70.0 % to 80.0 %", "55.0 %", "4,321", "1,234"),
        ],
        [
            *("sugarcrepe", "b", "accuracy", "paper, macro", "the first of equals wins"),
            *("50.0 %", "-", "-", "0", "100"),
        ],
    ]
    first, second, _ = benchmark_table(Records(PLAIN)).splitlines()
    assert first.split() == " ".join([*HEAD, "blind", "ties", "n"]).split()
    assert second.split()[:8] == "sugarcrepe a recall at 1 strict, micro -".split()


def test_a_baseline_that_was_repaired_is_none_of_the_score_before():
    """A repair may turn captions alone; the score before it is not compared with what comes out."""
    before = score(0.7, 0.6, 0.8, subset="b")
    after, gain = before.but(repair="adapter"), before.but(value=0.0, repair="difference")
    mended = [record.but(value=0.95, repair="adapter") for record in beside("b")]
    records = Records([before, after, gain, *mended])
    head, (row,) = benchmark_cells(records)
    assert dict(zip(head, row, strict=True))["blind"] == "-"
    assert [series.name for series in benchmark_figure(records, "sugarcrepe").series] == [
        "before",
        "repaired",
    ]
    assert "1 without such a baseline" in benchmark_sentence(records)


def test_what_a_repair_reaches_and_changes_stands_beside_the_score():
    records = [
        *PLAIN[:1],
        PLAIN[0].but(value=0.9, repair="adapter"),
        PLAIN[0].but(value=0.15, ci_low=0.1, ci_high=0.2, repair="difference", ties=None),
    ]
    head, rows = benchmark_cells(Records(records))
    assert head == [*HEAD, "repaired", "difference", "blind", "ties", "n"]
    assert rows == [
        [
            *("sugarcrepe", "a", "recall at 1", "strict, micro", "-", "75.0 %"),
            *("70.0 % to 80.0 %", "90.0 %", "+15.0 points (+10.0 to +20.0)"),
            *("-", "4,321", "1,234"),
        ]
    ]


def test_long_lists_name_three_and_ties_are_shared_out_by_items():
    records = [
        score(0.5, 0.4, 0.6, subset=name, ties=ties, n=n)
        for name, ties, n in (("a", 90, 1000), ("b", 10, 100), ("c", 0, 10), ("d", 0, 10))
    ]
    records += [r for one in "abcd" for r in beside(one)]
    assert benchmark_sentence(Records(records)) == (
        "4 scores of 1 benchmark. 0 clearly above the best of the baselines that never see a "
        "picture (95 % intervals apart), 4 not to be told from it (sugarcrepe a accuracy, "
        "sugarcrepe b accuracy, sugarcrepe c accuracy, ...). Ties are misses. Most are in "
        "sugarcrepe b (10.0 % of 100)."
    )
    records[0] = records[0].but(ties=900)
    assert "Most are in sugarcrepe a (90.0 % of 1,000)." in benchmark_sentence(Records(records))
    ruled = Records([records[0].but(tie_rule="first"), *records[1:]])
    assert "Ties are misses, unless a rule says otherwise. Most" in benchmark_sentence(ruled)
    scored_twice = [r.but(n=0) for r in records[1:4]]
    assert benchmark_sentence(Records([*records[:1], *beside("a"), *scored_twice])).startswith(
        "1 score of 1 benchmark. 0 clearly above"
    )


def test_scores_and_their_baselines_drawn():
    chart = benchmark_figure(Records(PLAIN), "sugarcrepe")
    assert (chart.id, chart.kind, chart.y) == ("benchmark-sugarcrepe", "bars", "share right")
    shown, blind = chart.series
    one, other = "a, recall at 1 (strict)", "b, accuracy (paper)"
    ties = "n = 1,234, ties 4,321"
    assert (shown.name, shown.points) == (
        "score",
        (
            Point(one, 0.75, 0.7, 0.8, "75.0 %", ties, interval="70.0 % to 80.0 %"),
            Point(other, 0.5, None, None, "50.0 %", "n = 100, ties 0"),
        ),
    )
    assert (blind.name, [(p.x, p.y) for p in blind.points]) == ("blind", [(one, 0.55)])


def outcomes(name, right, metric="accuracy", subset="all", protocol="strict", groups=None):
    correct = np.array(list(right)) == "1"
    return Score(
        metric, subset, protocol, correct, np.zeros(len(correct), bool), groups, facts={"a": name}
    )


def test_runs_side_by_side_on_the_same_items():
    """Ten items: the second run mends three and spoils one; McNemar: 2 (1 + 4) / 16 = 0.625."""
    groups = np.arange(10) % 2
    one = [
        outcomes("one", "1100000000"),
        outcomes("one", "1111100000", metric="recall_at_1", groups=groups),
        outcomes("one", "1" * 10, protocol="paper"),
    ]
    two = [
        outcomes("two", "1011100000"),
        outcomes("two", "1111110000", metric="recall_at_1", groups=groups),
        outcomes("two", "0" * 10, subset="a", protocol="paper"),
    ]

    def kept(items, **scores):
        found = [score.outcome(repair) for repair, mine in scores.items() for score in mine]
        return Outcomes(items, tuple(found))

    runs = {
        "first": {"drawn": kept("items", none=one)},
        "second": {"drawn": kept("items", none=one, adapter=two), "more": kept("i", none=two)},
        "third": {"drawn": kept("others", none=[outcomes("three", "1" * 1010)])},
    }
    table, more = paired_tables(runs)
    assert (table.name, table.title) == ("benchmark-drawn", "drawn, on the same items")
    assert table.columns == (
        *("subset", "metric", "protocol", "tie rule", "run", "value", "95 % interval", "n"),
        *("difference from first", "fixed, broken", "McNemar p"),
    )
    change, _, ends = table.rows[2][8].partition(" points ")
    assert change == "+20.0"
    assert ends.startswith("(-")
    low, high = share_interval(np.arange(10) < 2)
    assert table.rows[0][6] == f"{percent(low)} to {percent(high)}"
    assert {row[3] for row in table.rows} == {"a tie is a miss"}
    assert [(*row[:3], *row[4:6], row[7], *row[9:]) for row in table.rows] == [
        ("all", "accuracy", "strict", "first", "20.0 %", "10", "-", "-"),
        ("all", "accuracy", "strict", "second", "20.0 %", "10", "+0 -0", "1"),
        ("all", "accuracy", "strict", "second (adapter)", "40.0 %", "10", "+3 -1", "0.62"),
        ("all", "accuracy", "strict", "third", "100 %", "1,010", "-", "-"),
        ("all", "recall at 1", "strict", "first", "50.0 %", "10", "-", "-"),
        ("all", "recall at 1", "strict", "second", "50.0 %", "10", "+0 -0", "-"),
        ("all", "recall at 1", "strict", "second (adapter)", "60.0 %", "10", "+1 -0", "-"),
        ("all", "accuracy", "paper", "first", "100 %", "10", "-", "-"),
        ("all", "accuracy", "paper", "second", "100 %", "10", "+0 -0", "1"),
    ]
    assert [row[8] for row in table.rows if row[4] in ("first", "third")] == [
        *("-", "other items", "-", "-"),
    ]
    assert (more.name, [row[4] for row in more.rows]) == ("benchmark-more", ["second"] * 3)


def test_runs_by_other_tie_rules_are_not_subtracted():
    """An earlier version did not keep what it did with ties; its scores are compared as before."""
    one, two = (replace(outcomes("", "1100", protocol="paper"), ties=t) for t in ("first", "hit"))
    kept = {name: score.outcome("none") for name, score in (("one", one), ("two", two))}
    about = {key: value for key, value in kept["one"].about.items() if key != "tie_rule"}
    kept["old"] = replace(kept["one"], about=about)
    runs = {name: {"drawn": Outcomes("items", (found,))} for name, found in kept.items()}
    (table,) = paired_tables(runs)
    assert [(row[3], row[-2]) for row in table.rows] == [
        ("the first of equals wins", "-"),
        ("the right one wins a tie", "-"),
        ("-", "+0 -0"),
    ]
    assert table.rows[1][-3] == "another tie rule"


def test_what_is_there_of_each_benchmark():
    files = [Found(Path("a.json"), "items", True), Found(Path("pictures"), "pictures", False)]
    sugarcrepe = benchmark_named("sugarcrepe")
    assert check_table({"sugarcrepe": files}).splitlines() == [
        f"{sugarcrepe.title}: {sugarcrepe.published}; licence: {sugarcrepe.licence}",
        "  there    a.json  (items)",
        "  missing  pictures  (pictures)",
    ]


def test_a_page(tmp_path):
    about = {"title": "SugarCrepe", "pictures": 3, "captions": 4, "published": "https://x.org"}
    facts = {"conceptbind": "9.9", "benchmarks": {"sugarcrepe": about, "aro": about}}
    records = Records(PLAIN[:4])
    answer = {"sentence": "Well.", "why": "To see it:", "next": "look"}
    page = tmp_path / "report.html"
    write_benchmark_report(page, records, ["a note"], facts, answer=answer)
    told = page.read_text()
    assert told.index("<p>Well.</p>") < told.index("To see it:") < told.index("verdict-benchmarks")
    kept = json.loads((tmp_path / "page.json").read_text())
    kept = kept.get("content", kept)
    head, rows = benchmark_cells(records)
    ((name, first, figure),) = kept["parts"].pop("figures")
    assert (name, first) == ("figure-sugarcrepe", about)
    assert figure["chart"]["id"] == "benchmark-sugarcrepe"
    assert (kept["template"], kept["provenance"]) == ("benchmarks.html.j2", facts)
    assert kept["parts"] == {
        "answer": answer,
        "title": "e on sugarcrepe",
        "sentence": benchmark_sentence(records),
        "verdicts": [],
        "notes": ["a note"],
        "head": head,
        "rows": rows,
        "controls": [list(CONTROL_TEXTS[name]) for name in ("blind_length", "blind_norm")],
        "traps": [],
    }
    two = Records([*PLAIN[:1], PLAIN[0].but(scenes="aro", encoder="other")])
    write_benchmark_report(tmp_path / "report.html", two, [], facts)
    kept = json.loads((tmp_path / "page.json").read_text())
    assert kept.get("content", kept)["parts"]["title"] == "e on sugarcrepe, aro"


@in_browser
def test_the_page_fits_every_screen(tmp_path, browser):
    records = Records(PLAIN)
    about = {"title": "SugarCrepe", "pictures": 3, "captions": 4, "published": "https://x.org"}
    facts = {"conceptbind": "9.9", "benchmarks": {"sugarcrepe": about, "aro": about}}
    write_benchmark_report(tmp_path / "report.html", records, ["a note"], facts)
    assert_fits(browser, tmp_path / "report.html")
