"""A paper's tables beside ours: which row stands for an encoder, and every branch of the word."""

from __future__ import annotations

import pytest

import made
from conceptbind.core.records import Records
from conceptbind.reproductions import BINDING, LABCLIP, Cell, Place, Row, Table, filled
from conceptbind.reproductions.fill import counts, rows_of, word
from conceptbind.reproductions.section import figures, laid_out, sentence

TABLES = {table.name: table for table in (*BINDING, *LABCLIP)}
TINY = Place("tiny", "clevr2d")


def cell(paper, *, at_least=False):
    return Cell(paper, {"metric": "object_recognition", "modality": "text"}, at_least)


def one_row(*cells, **more):
    columns = tuple(f"column {place}" for place in range(len(cells)))
    row = Row("captions, CLIP", "hf:clip", "text20", "text", cells)
    return Table("one", "One", "1", "section 1", columns, (row,), **more)


@pytest.mark.parametrize(
    ("paper", "at_least", "ours", "said"),
    [
        (0.95, False, (0.90, None, None), "agrees"),  # exactly as far as two digits may be
        (0.951, False, (0.90, None, None), "differs"),
        (0.85, False, (0.90, None, None), "agrees"),
        (0.849, False, (0.90, None, None), "differs"),
        (0.97, False, (0.90, 0.88, 0.92), "agrees"),  # within the same of the interval
        (0.971, False, (0.90, 0.88, 0.92), "differs"),
        (0.83, False, (0.90, 0.88, 0.92), "agrees"),
        (0.829, False, (0.90, 0.88, 0.92), "differs"),
        (0.8, True, (0.99, 0.98, 1.0), "agrees"),  # passed
        (0.8, True, (0.7, 0.6, 0.8), "agrees"),  # not surely below
        (0.8, True, (0.7, 0.6, 0.799), "differs"),
        (0.8, True, (0.799, None, None), "differs"),
        (None, False, (0.9, 0.8, 1.0), "not published"),
    ],
)
def test_the_word_of_a_figure(paper, at_least, ours, said):
    assert word(cell(paper, at_least=at_least), *ours) == said


def test_of_concepts_the_least_is_told_and_of_draws_the_mean():
    records = Records(
        [
            made.record("object_recognition", 0.9, 0.8, 1.0, concept="color", n=10),
            made.record("object_recognition", 0.5, 0.4, 0.6, concept="shape", n=20),
        ]
    )
    ((entry,),) = (row.entries for row in filled(one_row(cell(0.5)), lambda *_: records))
    assert (entry.value, entry.low, entry.high, entry.n) == (0.5, 0.4, 0.6, 20)
    draws = Records([made.record("object_recognition", v, 0.1, 0.9, n=9) for v in (0.2, 0.4)])
    ((entry,),) = (row.entries for row in filled(one_row(cell(0.3)), lambda *_: draws))
    assert (entry.value, entry.low, entry.n) == (pytest.approx(0.3), None, 18)


def test_what_was_not_run_says_why():
    table = one_row(cell(0.5), Cell(None, {"metric": "recall_at_1"}))
    (row,) = filled(table, lambda *_: "needs a folder")
    assert [entry.word for entry in row.entries] == ["not run", "not run"]
    assert {entry.why for entry in row.entries} == {"needs a folder"}
    (row,) = filled(table, lambda *_: Records([made.record("object_recognition", 0.5, n=100)]))
    assert row.entries[1].why == "these scenes, or this encoder, do not have it"
    assert counts({"one": [row]}) == {
        "agrees": 1,
        "differs": 0,
        "cannot be judged": 0,
        "not run": 0,
    }


def test_an_encoder_is_held_against_the_row_that_is_nearest():
    names = [row.name for row in rows_of(TABLES["edits"], TINY, ("text", "image"))]
    assert names == ["beside CLEVR-2D, CLIP"]
    names = [row.name for row in rows_of(TABLES["additive"], TINY, ("text", "image"))]
    assert names == ["beside text20, CLIP", "beside CLEVR, CLIP"]
    spare = Place("mine", "pug-spare:there")
    names = [row.name for row in rows_of(TABLES["additive"], spare, ("image",))]
    assert names == ["beside PUG:SPARE, CLIP"]
    (row,) = rows_of(TABLES["edits"], Place("minilm", "text20"), ("text",))
    assert row.instead == "the paper has no row of captions"
    rows = rows_of(TABLES["removal"], TINY, ("text", "image"))
    assert [row.name for row in rows][:2] == ["original", "minus concept part"]
    assert {(row.encoder, row.scenes) for row in rows} == {TINY}


def test_scenes_of_more_objects_are_those_of_the_encoder():
    rows = rows_of(TABLES["objects"], Place("tiny", "clevr3d"), ("text", "image"))
    assert [row.scenes for row in rows][:3] == ["clevr3d", "clevr3d:3", "clevr3d:4"]
    assert [row.name for row in rows][:2] == ["2 objects", "3 objects"]
    rows = rows_of(TABLES["objects"], Place("minilm", "text20:6x6"), ("text",))
    assert all("drawn of clevr2d and clevr3d alone" in row.instead for row in rows)


def test_without_an_encoder_the_rows_are_the_paper_s():
    for table in TABLES.values():
        assert rows_of(table, None, ()) == list(table.rows)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_figure_for_every_column_and_every_figure_is_a_share(name):
    table = TABLES[name]
    for row in table.rows:
        assert len(row.cells) == len(table.columns)
        assert all(one.paper is None or 0 <= one.paper <= 1 for one in row.cells)
        assert row.instead or all(one.asked for one in row.cells)


def test_how_a_table_is_laid_out():
    records = Records([made.record("object_recognition", 0.934, 0.9, 0.95, n=1234)])
    table = one_row(cell(0.94), cell(0.8, at_least=True), cell(None))
    rows = filled(table, lambda *_: records)
    whole = laid_out(table, rows)
    assert (whole.title, whole.columns[0]) == ("One (paper / ours)", "")
    assert whole.rows[0][1:] == (
        "94 % / 93.4 %, agrees",
        "at least 80 % / 93.4 %, agrees",
        "- / 93.4 %",
    )
    every = figures(table, rows)
    assert every.rows[0] == (
        *("captions, CLIP", "column 0", "94 %", "93.4 %", "90.0 % to 95.0 %", "1,234"),
        *("agrees", "hf:clip", "text20", "-"),
    )
    cosine = one_row(cell(0.2), unit="number")
    assert laid_out(cosine, filled(cosine, lambda *_: records)).rows[0][1] == (
        "0.20 / 0.934, differs"
    )
    missing = filled(table, lambda *_: "no")
    assert laid_out(table, missing).rows[0][1:] == (
        *("94 % / -, not run", "at least 80 % / -, not run", "-"),
    )


def test_the_sentence_counts_and_claims_no_more():
    records = Records([made.record("object_recognition", 0.934, 0.9, 0.95, n=100)])
    table = one_row(cell(0.94), cell(0.2))
    rows = {"one": filled(table, lambda *_: records)}
    assert sentence("binding", rows, None) == (
        "1 of 2 figures of binding agree with those of the paper's own encoders, 1 differ, and 0 "
        "were not run."
    )
    assert sentence("binding", rows, "tiny").endswith(
        "The paper's encoders are others, so they need not agree."
    )
    none = {"one": filled(table, lambda *_: "no")}
    assert sentence("binding", none, None).startswith("None of the 2 figures of binding could be")


def test_figures_that_the_paper_does_not_have_are_told_and_not_counted():
    records = Records([made.record("object_recognition", 0.5, 0.4, 0.6, n=90)])
    rows = filled(one_row(cell(0.5), cell(None)), lambda *_: records)
    assert [entry.word for entry in rows[0].entries] == ["agrees", "not published"]
    assert counts({"one": rows}) == {"agrees": 1, "differs": 0, "cannot be judged": 0, "not run": 0}
    said = sentence("binding", {"one": rows}, "tiny")
    assert said.endswith("The tables have 1 figure of ours for which the paper has none.")
    assert "for which the paper has none" not in sentence("binding", {"one": []}, "tiny")


def test_of_draws_the_record_that_sums_them_up_is_told():
    """The draws are in the same table; averaged with their median they would count twice."""
    asked = {"seed": None, "n": 45}
    draws = [made.record("object_recognition", v, n=9, seed=k) for k, v in enumerate((0.3, 0, 0))]
    whole = made.record("object_recognition", 0.0, 0.0, 0.333, **asked)
    ((entry,),) = (
        row.entries for row in filled(one_row(cell(0.2)), lambda *_: Records([*draws, whole]))
    )
    assert (entry.value, entry.low, entry.high, entry.n) == (0.0, 0.0, 0.333, 45)
    assert entry.word == "agrees"


@pytest.mark.parametrize(("n", "said"), [(19, "cannot be judged"), (20, "agrees")])
def test_on_few_scenes_neither_is_said(n, said):
    records = Records([made.record("object_recognition", 0.5, 0.1, 0.9, n=n)])
    table = one_row(cell(0.5))
    rows = filled(table, lambda *_: records)
    assert rows[0].entries[0].word == said
    told = sentence("binding", {"one": rows}, "tiny")
    assert ("1 cannot be judged on so few scenes" in told) is (n == 19)
    none = filled(one_row(cell(None)), lambda *_: records)
    assert none[0].entries[0].word == "not published"
