"""Hits before and after a repair, on documents whose order a reader sees at once."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from app.by_hand import Bag, Bound
from app.test_trial import run_text
from conceptbind import query
from conceptbind.app import Model
from conceptbind.app.phrases import pairs_said
from conceptbind.app.search import Searched, Wanted, meaning_of
from conceptbind.app.words import of_search
from conceptbind.commands import Try
from conceptbind.commands.trying import page_for
from conceptbind.core.errors import ConceptBindError, UnknownNameError, ValueRangeError
from conceptbind.querying import parse_query
from conceptbind.repairs.labclip import Adapter

RED_SQUARE, BLUE_CIRCLE = ("red", "square"), ("blue", "circle")
DOCUMENTS = [
    "a blue square and a red circle",
    "a red square and a blue circle",
    "a green square and a blue circle",
]


def searched(encoder, documents=DOCUMENTS):
    rows = np.stack([encoder.sees(pairs_said(text)) for text in documents])
    held = [pairs_said(text) for text in documents]
    return Searched(rows, documents.__getitem__, "documents", {}, held.__getitem__)


@pytest.mark.parametrize(
    ("query", "held", "mark"),
    [
        ("red square", {RED_SQUARE, BLUE_CIRCLE}, "right"),
        ("red square, blue circle", {RED_SQUARE, BLUE_CIRCLE}, "right"),
        ("red square, blue circle", {("blue", "square"), ("red", "circle")}, "swap"),
        ("red square, blue circle", {("blue", "square"), ("green", "circle")}, "other"),
        ("red square, -blue circle", {RED_SQUARE, BLUE_CIRCLE}, "other"),
        ("red square, -blue circle", {RED_SQUARE, ("red", "circle")}, "right"),
        ("red square", None, ""),
        # what is absent is looked at first
        (
            "red square, -blue circle",
            {("red", "circle"), ("blue", "square"), BLUE_CIRCLE},
            "other",
        ),
        ("grey square", {("gray", "square")}, "right"),
        # a blouse may be called a shirt
        ("red shirt", {("red", "blouse")}, ""),
        ("red shirt", {("red", "shirt")}, "right"),
        ("red shirt, blue hat", {("blue", "shirt"), ("red", "hat")}, "swap"),
        ("red shirt, -blue hat", {("red", "shirt"), ("navy", "cap")}, ""),
    ],
)
def test_what_a_document_is_to_a_query(query, held, mark):
    wanted = meaning_of(parse_query(query))
    assert wanted.mark(None if held is None else frozenset(held)) == mark


def test_a_query_of_other_words_has_no_marks():
    for text in ("something nice, red square", "large red square", "red square, -circle"):
        assert meaning_of(parse_query(text)) is None
    for text in ("red square above a blue circle", "red square and a dog"):
        assert meaning_of(parse_query(text)) is None
    assert meaning_of(parse_query("red square")) == Wanted(frozenset([RED_SQUARE]), ())


def test_an_encoder_that_binds_finds_the_right_one_and_its_map_loses_it():
    encoder = Bound()
    weight = np.eye(encoder.dimension, dtype=np.float32)
    for noun in ("square", "circle"):  # after the map red is blue and blue is red
        places = [encoder.place((colour, noun)) for colour in ("red", "blue")]
        weight[places] = weight[places[::-1]]
    model = Model(encoder, Adapter(weight, 0.0))
    found = searched(encoder).found(model, "red square, blue circle", "sum")
    assert [hit.name for hit in found.before] == [DOCUMENTS[k] for k in (1, 2, 0)]
    assert [hit.mark for hit in found.before] == ["right", "other", "swap"]
    assert [hit.mark for hit in found.after] == ["error", "right", "other"]
    assert found.sentences[0] == (
        "1 of 3 documents holds what was asked for. Before the repair 1 of the first 3 does, and "
        "no swap stands before any of them. After the repair 1 of the first 3 does, and 1 swap "
        "stands before or level with one."
    )


def test_a_swap_that_is_level_with_the_right_one_is_an_error():
    found = searched(Bag()).found(Model(Bag()), "red square, blue circle", "sum")
    assert [hit.mark for hit in found.before] == ["error", "right", "other"]
    assert found.before[0].score == pytest.approx(found.before[1].score)
    assert found.after is None
    # also where the right one is listed first
    turned = searched(Bag(), DOCUMENTS[1::-1]).found(Model(Bag()), "red square, blue circle", "min")
    assert [hit.mark for hit in turned.before] == ["right", "error"]


def test_what_nobody_knows_is_not_marked():
    unknown = Searched(searched(Bound()).rows, DOCUMENTS.__getitem__, "documents")
    found = unknown.found(Model(Bound()), "red square", "sum")
    assert [hit.mark for hit in found.before] == ["", "", ""]
    assert found.sentences[0].startswith("No hit is marked.")


@pytest.mark.parametrize(
    ("marks", "n", "known", "said"),
    [
        ([["right"]], 1, ["right"], "1 of 1 document holds what was asked for. Here 1 of the "),
        ([["other"] * 10], 50, ["other"] * 50, "None of 50 documents holds what was asked for."),
        ([["other", ""]], 5, ["other"] * 3, "None of 3 documents holds what was asked for. "
         "Of 2 more nobody knows, which have no mark."),
        ([["error", "error", "right", "right"]], 9, ["right"] * 2 + ["swap"] * 7,
         "2 of 9 documents hold what was asked for. "
         "Here 2 of the first 4 do, and 2 swaps stand before or level with one."),
        ([["swap"]], 9, None, "No hit is marked. "),
    ],
)  # fmt: skip
def test_every_sentence(marks, n, known, said):
    told = of_search(marks, n, known)
    assert told[0].startswith(said)
    assert told[1].startswith("This is one query, not a measurement")


def test_documents_that_say_more_have_no_mark_and_are_counted():
    """The others keep theirs."""
    documents = [*DOCUMENTS, "a red square left of a blue circle"]
    held = [pairs_said(text) for text in documents]
    rows = np.stack([*searched(Bound()).rows, Bound().sees([RED_SQUARE, BLUE_CIRCLE])])
    place = Searched(rows, documents.__getitem__, "documents", {}, held.__getitem__)
    found = place.found(Model(Bound()), "red square, blue circle", "sum")
    assert {hit.name: hit.mark for hit in found.before} == dict(
        zip(documents, ("swap", "right", "other", ""), strict=True)
    )
    assert found.sentences[0].startswith(
        "1 of 3 documents holds what was asked for. Of 1 more nobody knows, which has no mark."
    )


def test_values_of_a_table_exclude_each_other(whole_site):
    page = whole_site.page
    for text, marks in (("red square", {"right", "other", "swap"}), ("red ball", {""})):
        found = page.searched._marks(meaning_of(parse_query(text)))
        assert set(found or [""]) == marks


def test_bad_queries_are_said():
    place, model = searched(Bound()), Model(Bound())
    for text, way, error, said in (
        ("", "sum", ValueRangeError, "the query is empty"),
        ("red square,", "sum", ValueRangeError, "part 2 of the query is empty"),
        ("x" * 10_000, "sum", ValueRangeError, "at most 2,000 characters; got 10,000"),
        (", ".join(["red square"] * 13), "sum", ValueRangeError, "at most 12 parts; got 13"),
        ("red square", "sideways", UnknownNameError, "unknown way 'sideways'"),
        ("a dragon", "sum", UnknownNameError, "not known"),
        ("red square, -blue circle", "whole", ValueRangeError, "does not know a word"),
    ):
        with pytest.raises(error, match=said):
            place.found(model, text, way)


def numbers(text):
    return [float(one) for one in re.findall(r"-?\d\.\d{3}", text)]


def test_the_pictures_of_a_run_are_searched_as_query_searches_them(whole_site, run_folder):
    for way in ("sum", "whole"):
        found = whole_site.ask("/search", {"text": "red square, blue circle", "way": way})
        hits = query(run_folder, "red square, blue circle", way=way, encoder="tiny")
        # a run names its rows where its table still has as many scenes
        assert [hit["name"] for hit in found["before"]] == list(hits.names)
        assert [hit["score"] for hit in found["before"]] == pytest.approx(
            hits.scores.tolist(), abs=1e-6
        )
        assert all(hit["picture"].startswith("data:image/jpeg") for hit in found["before"])
        adapted = query(
            run_folder, "red square, blue circle", way=way, encoder="tiny", adapter=run_folder
        )
        assert [hit["name"] for hit in found["after"]] == list(adapted.names)
    printed = run_text(found["python"])
    shown = [f"{hit['score']:.3f}" for hit in (*found["before"], *found["after"])]
    assert [
        line.split()[-4] for line in printed.splitlines() if re.match(r"a \w+ \w+ and", line)
    ] == shown


def test_a_folder_of_pictures_is_embedded_once_and_marked_by_its_table(
    run_folder, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pictures = run_folder.parent / "pictures"
    page = page_for(Try(tiny, search=pictures))
    found = page.searched.found(page.model, "red square, blue circle", "sum")
    assert {hit.mark for hit in found.before} >= {"right", "other"}
    assert found.before[0].name.endswith(".png")
    assert page.explored is None
    (kept,) = (tmp_path / "runs").iterdir()
    assert kept.name.startswith("query-tiny-pictures")
    again = page_for(Try(tiny, search=pictures))
    assert again.searched.found(page.model, "red square", "sum").python == (
        "import conceptbind\n\nprint(conceptbind.query(index='tiny', "
        f"pictures={str(pictures)!r}, text='red square', way='sum', top=10))\n"
    )
    with pytest.raises(ConceptBindError, match="neither a folder of embeddings"):
        page_for(Try(tiny, search=tmp_path / "nothing"))


def test_empty_files_are_left_out_and_counted(run_folder, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("00.png", "07.png"):
        shutil.copy(run_folder.parent / "pictures" / name, tmp_path)
    (tmp_path / "broken-off.png").touch()
    with pytest.warns(UserWarning, match="1 empty file of .* left out"):
        page = page_for(Try(tiny, search=tmp_path))
    assert page.searched.told.startswith("2 pictures of ")
    assert page.searched.told.endswith("(1 empty file left out)")
    hits = page.searched.found(page.model, "red square", "sum").before
    assert {hit.name for hit in hits} == {"00.png", "07.png"}


def test_an_index_is_searched_and_one_of_another_encoder_is_refused(run_folder, tiny, tmp_path):
    page = page_for(Try(tiny, search=run_folder / "embeddings" / "text"))
    found = page.searched.found(page.model, "red square", "sum")
    assert found.before[0].mark == ""  # nobody says what row 7 holds
    np.save(tmp_path / "narrow.npy", np.eye(4, dtype=np.float32))
    narrow = page_for(Try(tiny, search=tmp_path / "narrow.npy"))
    with pytest.raises(ConceptBindError, match="256 dimensions"):
        narrow.searched.found(narrow.model, "red square", "sum")
    with pytest.raises(ConceptBindError, match="was embedded by 'tiny'"):
        page_for(Try("tiny-bag", search=run_folder / "embeddings" / "text"))
