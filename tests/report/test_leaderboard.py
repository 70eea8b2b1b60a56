"""Ranks with their ties and paired differences, on hand-made outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.outcomes import Outcome, Outcomes
from conceptbind.core.records import Record, Records
from conceptbind.metrics.intervals import share_interval
from conceptbind.report.lead import leading
from conceptbind.report.leaderboard import (
    PAIRS,
    RANKING,
    Board,
    Competitor,
    Entry,
    board_tables,
    boards,
    levels_table,
    pair_rows,
    ranking_rows,
)
from conceptbind.report.numbers import with_interval

ABOUT = {"study": "crossmodal", "modality": "both", "metric": "binding_accuracy"}


def run(name, hits, n=100, items="scenes", kept=True, scenes="clevr2d", start=0):
    """A run that is right in the first scenes."""
    right = np.arange(n) < hits
    low, high = share_interval(right)
    facts = {"value": float(right.mean()), "n": n, "ties": 0, "ci_low": low, "ci_high": high}
    about = {**ABOUT, "order": "either"}
    told = {"split": "all", "scenes": scenes, "encoder": f"model {name}"}
    outcome = Outcome(about, right, np.zeros(n, dtype=bool), start + np.arange(n))
    outcomes = {"": Outcomes(items, (outcome,))} if kept else {}
    return Competitor(name, Records([Record.of(**about, **told, **facts)]), outcomes)


def ranks(*runs):
    (board,) = boards(runs)
    return {entry.run: (entry.rank, entry.tied) for entry in board.entries}


def test_runs_that_cannot_be_told_apart_share_a_rank():
    """Of 100 scenes 2 differ between a and b, 30 more between these and c."""
    assert ranks(run("c", 50), run("a", 82), run("b", 80)) == {
        "a": (1, ("b",)),
        "b": (1, ("a",)),
        "c": (3, ()),
    }


def test_a_chain_of_ties_does_not_hide_a_difference():
    """Each step of 6 scenes is p = 0.03 alone and no difference among three pairs; two are one."""
    assert ranks(run("a", 62), run("b", 57), run("c", 52)) == {
        "a": (1, ("b",)),
        "b": (1, ("a", "c")),
        "c": (2, ("b",)),
    }


def test_the_exact_test_is_corrected_for_all_pairs():
    """Six scenes of difference: p = 2 / 2**6 alone, times three with a third model."""
    (two,) = boards([run("a", 56), run("b", 50)])
    assert two.duels[0].p == two.duels[0].adjusted == pytest.approx(2 / 2**6)
    assert [entry.rank for entry in two.entries] == [1, 2]
    (three,) = boards([run("a", 56), run("b", 50), run("c", 50)])
    assert three.duels[0].adjusted == pytest.approx(3 * 2 / 2**6)
    assert [entry.rank for entry in three.entries] == [1, 1, 1]


def test_what_is_not_paired_says_why_and_goes_by_intervals():
    far, near = run("old", 20, kept=False), run("seed 1", 75, items="others")
    (board,) = boards([run("a", 80), near, far])
    told = {(duel.one, duel.other): duel for duel in board.duels}
    assert told["a", "seed 1"].basis == "not paired: other scenes or pictures"
    assert told["a", "old"].basis == "not paired: no outcomes kept"
    assert told["a", "old"].change == pytest.approx(0.6)
    assert told["a", "seed 1"].change is None
    rows = {row[1:3]: row[3] for row in pair_rows(board)}
    assert rows["a", "seed 1"] == "-"
    for duel in board.duels:
        assert (duel.p, duel.n, duel.interval) == (None, None, (None, None))
    assert [(entry.run, entry.rank) for entry in board.entries] == [
        ("a", 1),
        ("seed 1", 1),
        ("old", 3),
    ]
    (board,) = boards([run("a", 80), run("b", 80, start=500)])
    assert board.duels[0].basis == "not paired: no scene in common"


def test_scenes_that_both_scored_are_paired():
    """b scored scenes 50 to 149; of the 50 in common a has 30 right, b all."""
    (board,) = boards([run("a", 80), run("b", 60, start=50)])
    (duel,) = board.duels
    assert (duel.one, duel.n, duel.basis) == ("a", 50, "the scenes that both scored")
    assert duel.change == pytest.approx(-0.4)
    assert duel.apart == -1
    assert [(entry.run, entry.rank) for entry in board.entries] == [("b", 1), ("a", 2)]


def test_other_scenes_are_another_board():
    found = boards([run("a", 80), run("b", 20, scenes="clevr2d:3"), run("c", 60)])
    assert [(board.id, board.scenes, len(board.entries)) for board in found] == [
        ("across-1", "clevr2d", 2),
        ("across-2", "clevr2d:3", 1),
    ]
    assert found[1].duels == ()


def test_every_run_on_every_level_in_one_table():
    found = boards([run("a", 80), run("b", 20, scenes="clevr2d:3"), run("c", 60)])
    table = levels_table(found)
    assert table.columns == ("run", "level 3 (clevr2d)", "level 3 (clevr2d:3)")
    assert [row[0] for row in table.rows] == ["a", "c", "b"]
    value = with_interval(found[0].entries[0].record)
    assert table.rows[0] == ("a", value, "-")
    assert value.startswith("80.0 % (")
    assert table.rows[2][1] == "-"
    assert boards([run("a", 80), run("c", 60)])[0].short == "level 3"


def test_heads_of_levels_say_whose_and_where():
    record = run("a", 80).records[0]

    def short(name, **changed):
        entry = Entry("a", record.but(**changed), 1, ())
        return Board(name, f"Level {changed['level']}, long", "clevr2d", (entry,), ()).short

    assert short("recall-2", modality="both", level=3) == "level 3, recall at 1"
    within = {"modality": "image", "level": 2, "study": "within", "setting": "trap"}
    assert short("within-image-trap", **within) == "level 2, pictures, trap"
    told = {"modality": "text", "level": 2, "study": "benchmark"}
    assert short("within-text-benchmark", **told) == "level 2, captions, benchmark"


def test_rows_and_sentences():
    (board,) = boards([run("b", 50), run("a", 82), run("c", 50)])
    title = "Level 3, usable between pictures and captions"
    assert board.sentence == f"{title}: a is first (82.0 %)."
    assert [len(row) for row in ranking_rows(board)] == [len(RANKING)] * 3
    assert ranking_rows(board)[1][2:5] == ("2", "b", "model b")
    assert ranking_rows(board)[1][-1] == "c"
    rows = pair_rows(board)
    assert [len(row) for row in rows] == [len(PAIRS)] * 3
    assert rows[0][1:3] == ("a", "b")
    assert rows[0][3].startswith("+32.0 points (+")
    assert rows[2][3:] == ("+0.0 points (-2.7 to +2.7)", "1", "1", "100", "the same scenes")
    (tie,) = boards([run("b", 50), run("c", 50)])
    assert tie.sentence == f"{title}: b and c share the first place (50.0 %)."
    chart = board.chart()
    assert (chart.id, chart.title) == ("board-across", f"{title} (clevr2d)")
    assert (chart.kind, chart.x, chart.y) == ("dots", "run", "binding accuracy")
    assert [(point.x, point.y) for point in chart.series[0].points] == [
        ("a", 0.82),
        ("b", 0.5),
        ("c", 0.5),
    ]
    assert chart.series[0].points[0].more.startswith("rank 1, n = 100")


def test_controls_repairs_and_other_orders_are_not_ranked():
    (whole,) = run("a", 50).records
    others = [
        whole.but(control="random_weights"),
        whole.but(repair="HNB"),
        whole.but(order="reversed"),
        whole.but(value=None),
    ]
    assert boards([Competitor("a", Records(others), {})]) == ()
    facts = {"study": "probe", "metric": "object_recognition", "order": None}
    parts = [whole.but(modality=modality, **facts) for modality in ("image", "text")]
    found = boards([Competitor("a", Records(parts), {})])
    assert [(board.id, board.title) for board in found] == [
        ("decodable-text", "Level 1, decodable from captions"),
        ("decodable-image", "Level 1, decodable from pictures"),
    ]


def test_the_tables_have_their_heads_and_a_dash_for_nothing():
    _, ranking, pairs = board_tables(boards([run("a", 90), run("b", 50, kept=False)]))
    assert (ranking.name, pairs.name) == ("ranking", "pairs")
    assert ranking.columns == (
        *("level", "scenes", "rank", "run", "encoder"),
        *("value", "95 % interval", "n", "not told apart from"),
    )
    assert pairs.columns == (
        *("level", "run", "other run", "difference (95 % interval)"),
        *("exact p", "p of all pairs", "n", "pairs"),
    )
    title = "Level 3, usable between pictures and captions"
    assert pairs.rows == (
        (title, "a", "b", "+40.0 points", "-", "-", "-", "not paired: no outcomes kept"),
    )
    assert [row[-1] for row in ranking.rows] == ["-", "-"]


def test_a_single_run_has_no_ranking_table():
    assert board_tables(boards([run("a", 50)])) == []
    assert boards([Competitor("a", Records(), {})]) == ()


def test_the_lead_names_who_is_first_and_how_often():
    topic = "picking a picture's own caption over its swap"
    ahead = boards([run("b", 50), run("a", 82), run("c", 50)])
    assert leading(ahead) == (
        f"a is best at {topic} (82.0 %, next is b with 50.0 %). a is clearly ahead of all others."
    )
    tied = boards([run("b", 50), run("c", 51)])
    assert leading(tied) == (
        f"c and b cannot be told apart at {topic} (51.0 % to 50.0 %). "
        "No run is clearly ahead of all others."
    )
    many = leading(boards([run(f"r{place}", 50) for place in range(6)]))
    assert many.startswith("r0, r1, r2 and 3 others cannot be told apart")
    assert many.count("50.0 %") == 1
    elsewhere = boards([run(name, 50, scenes=scenes) for name in "ab" for scenes in ("x", "y")])
    assert leading(elsewhere).startswith("On x, a and b")
    assert leading(boards([run("a", 50)])) == ""
    within = [replace(board, id="within-text-trap") for board in ahead]
    assert leading(within).startswith("a is best at telling captions from their swaps by cosine")
