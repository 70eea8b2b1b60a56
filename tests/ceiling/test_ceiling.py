"""Free embeddings: what so many dimensions can hold, by hand, against a loop, and as a study."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import conceptbind
from browsing import assert_fits, in_browser
from conceptbind.ceiling import ceiling_study, free_embeddings, least_dimension
from conceptbind.ceiling import study as room
from conceptbind.ceiling.answer import Ceiling
from conceptbind.ceiling.free import SIMILARITIES, STARTS
from conceptbind.ceiling.words import ceiling_sentence
from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.core.names import Metric
from conceptbind.core.records import Record
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import text20

SCENES = text20(3, 3)


@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("start", STARTS)
def test_with_a_dimension_for_each_object_and_value_all_is_held(start, similarity):
    found = free_embeddings(SCENES, 15, start=start, similarity=similarity)
    assert found.values.shape == (81, 15)
    assert found.objects.accuracy == 1
    assert [one.accuracy for one in found.concepts] == [1, 1]


def test_one_dimension_orders_objects_in_two_ways():
    """Without a bias a row is a sign: one order of the objects or its reverse. In each the first
    two objects are a scene in two orders of mention, and the first twice is one.
    """
    found = [free_embeddings(SCENES, 1, start=start).objects for start in STARTS]
    assert max(outcome.correct.sum() for outcome in found) == 6


@pytest.mark.slow
def test_a_plain_loop_finds_no_more():
    """Adam for many steps, from the same kind of start, where it is no longer trivial."""
    dimension, best = 4, 0.0
    target = torch.zeros(81, 9)
    for row, held in enumerate(SCENES.objects):
        for item in held:
            target[row, item] += 0.5
    for seed in range(3):
        torch.manual_seed(seed)
        rows = torch.randn(81, dimension, requires_grad=True)
        weight = torch.randn(9, dimension, requires_grad=True)
        solver = torch.optim.Adam([rows, weight], lr=0.05)
        for _ in range(1500):
            solver.zero_grad()
            torch.nn.functional.cross_entropy(rows @ weight.T, target).backward()
            solver.step()
        scores = (rows @ weight.T).detach().numpy()
        there = target.numpy() > 0
        low = np.where(there, scores, np.inf).min(1)
        best = max(best, float((low > np.where(there, -np.inf, scores).max(1)).mean()))
    ours = max(free_embeddings(SCENES, dimension, start=start).objects.accuracy for start in STARTS)
    # the loop has objects alone to hold, ours the values, too
    assert ours >= best - 0.1


@pytest.mark.slow
def test_the_fewest_dimensions_are_those_of_a_search_one_by_one():
    fewest = least_dimension(SCENES, 15)
    held = [
        any(free_embeddings(SCENES, d, start=start).objects.accuracy == 1 for start in STARTS)
        for d in range(1, fewest + 1)
    ]
    assert held[-1]
    assert not any(held[: fewest - 1])
    assert least_dimension(SCENES, fewest - 1) is None
    assert least_dimension(SCENES, 15, enough=0.02) <= fewest


def test_a_seed_gives_the_same_rows():
    one, other = (free_embeddings(SCENES, 5, seed=3).values for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, free_embeddings(SCENES, 5, seed=4).values)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"dimension": 0}, ValueRangeError, "at least 1; got 0"),
        ({"dimension": 3, "start": "ball"}, UnknownNameError, "unknown start 'ball'"),
        ({"dimension": 3, "similarity": "l2"}, UnknownNameError, "unknown similarity 'l2'"),
    ],
)
def test_what_cannot_be_is_named(options, error, said):
    with pytest.raises(error, match=said):
        free_embeddings(SCENES, **options)


def test_too_many_objects_are_refused(monkeypatch):
    monkeypatch.setattr("conceptbind.ceiling.free.MOST_OBJECTS", 8)
    with pytest.raises(ValueRangeError, match="a probe for each of 9 objects; at most 8"):
        free_embeddings(SCENES, 3)


@pytest.fixture(scope="module")
def study():
    rows = np.random.default_rng(0).normal(size=(81, 6)).astype(np.float32)
    return ceiling_study(
        Embeddings(rows, "image", SCENES.content_hash, SCENES.name, "e", "1"), SCENES
    )


def test_a_study_has_both_similarities_and_the_width_of_the_encoder(study):
    assert (study.dimension, study.n) == (6, 81)
    found = study.records.where(metric=Metric.OBJECT_RECOGNITION)
    assert {one["protocol"] for one in found} == {"dot", "cosine"}
    assert {one["width"] for one in found} == {6}
    for similarity, best in study.best.items():
        one = found.one(protocol=similarity)
        assert (one.value, one.n) == (best.objects.accuracy, 81)


def test_many_scenes_are_sampled(monkeypatch):
    monkeypatch.setattr(room, "MOST_SCENES", 20)
    rows = np.ones((81, 4), np.float32)
    found = ceiling_study(
        Embeddings(rows, "text", SCENES.content_hash, SCENES.name, "e", "1"), SCENES
    )
    assert found.n == 20
    assert {one.n for one in found.records} == {20}


def own(value, n):
    told = {"study": "ceiling", "modality": "image", "metric": "object_recognition"}
    told |= {"value": value, "n": n, "ties": 0, "ci_low": 0.2, "ci_high": 0.5}
    return Record.of(**told, split="test", scenes="s", encoder="e")


def test_the_sentence_tells_the_share_with_n_or_that_it_cannot_be_judged(study):
    said = ceiling_sentence(study, own(0.4, 20), "e")
    assert "Free embeddings of 6 dimensions" in said
    assert "The picture embeddings of e use" in said
    assert "40.0 % of new scenes (20.0 % to 50.0 %, n = 20)" in said
    assert "cannot be judged: 19 test scenes" in ceiling_sentence(study, own(0.4, 19), "e")
    assert "cannot be judged" in ceiling_sentence(study, own(None, 40), "e")


class Words:
    """Hashed words, added."""

    id, revision, dimension, modalities = "words", "1", 12, ("text",)

    def encode_images(self, images):
        raise NotImplementedError

    def encode_texts(self, texts):
        table = np.random.default_rng(0).normal(size=(997, 12))
        return np.stack(
            [sum(table[sum(map(ord, word)) * 31 % 997] for word in text.split()) for text in texts]
        ).astype(np.float32)


@pytest.mark.slow
@in_browser
def test_measure_asks_it_where_it_is_named(tmp_path, browser):
    run = conceptbind.measure(Words(), scenes=SCENES, studies="ceiling", out=tmp_path / "run")
    assert {record.study for record in run.records} == {"ceiling"}
    (sentence,) = run.sentences
    assert "Free embeddings of 12 dimensions" in sentence
    assert "n = 40" in sentence
    page = (run.folder / "report.html").read_text()
    assert "what 12 dimensions can hold" in page
    assert_fits(browser, run.folder / "report.html")


def test_more_objects_than_probes_are_not_asked():
    class Case:
        table = SCENES

    assert Ceiling().applies(Case()) is None
    Case.table = type("Table", (), {"space": type("Space", (), {"n_objects": 20_001})})
    assert Ceiling().applies(Case()) == "it fits a probe for each object, at most 20,000"
