"""Swaps without paraphrases: what chance and untrained encoders reach, and true words."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark
from conceptbind.benchmarks.description import Task
from conceptbind.benchmarks.evaluate import kept_distances, random_vectors
from conceptbind.benchmarks.field import field_table, swap_table
from conceptbind.benchmarks.recording import mean_distance
from conceptbind.benchmarks.scoring import chance_of_queries, chance_of_swaps, scores_of_texts
from conceptbind.benchmarks.texts import by_rows
from conceptbind.benchmarks.words import NO_POWER, benchmark_answer, benchmark_sentence
from conceptbind.core.records import Record, Records


def items_of(rows):
    n = len(rows)
    return {"rows": rows, "subsets": np.array([""] * n), "draws": np.arange(n)}


def test_chance_is_certain_where_a_text_is_compared_with_itself():
    """Another spelling; the same one; a swap that is the caption, or the caption as spelled."""
    items = items_of(np.array([[0, 1, 2], [3, 3, 4], [5, 6, 5], [7, 8, 8]]))
    assert chance_of_swaps(items).tolist() == [1 / 3, 1.0, 0.0, 0.0]
    queries = items_of(np.array([[0, 1, 2, 3], [0, 0, 1, 2], [0, 1, 2, 2]]))
    assert chance_of_queries(queries).tolist() == [1 / 4, 0.0, 0.0]


@pytest.mark.parametrize(
    ("form", "same", "chance"),
    [("swaps", 0.0, 1 / 3), ("swaps", 1.0, 1.0), ("queries", 0.0, 1 / 4)],
)
def test_random_vectors_reach_chance(form, same, chance):
    rows = np.arange(8000).reshape(2000, 4)
    if form == "swaps":
        rows = rows[:, :3].copy()
        rows[:, 1] = rows[:, 0] if same else rows[:, 1]
    vectors = random_vectors(8000, 32)
    (score, *_) = scores_of_texts(
        Task(form, files=("a",), captions=("c",)), items_of(rows), by_rows(vectors, vectors)
    )
    assert score.facts["chance"] == pytest.approx(chance)
    assert score.value == pytest.approx(chance, abs=0.03)


class Words:
    """A caption is its colours: a bag, or with half the weight on what comes first."""

    id, revision, dimension, modalities = "words", "1", 4, ("text",)

    def __init__(self, order=0.0):
        self.order = order

    def encode_texts(self, texts):
        rows = np.zeros((len(texts), 4), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for place, word in enumerate(text.split()):
                row["abcd".index(word)] += 1 - self.order * place / 2
        return rows


PAIRS = [("a b", "b a"), ("c d", "d c"), ("a c", "c a")]


@pytest.fixture
def abc6k(tmp_path):
    (tmp_path / "ABC-6K.txt").write_text("\n".join(line for pair in PAIRS for line in pair))
    return read_benchmark("abc6k", tmp_path, Making(tmp_path / "made"))


def scored(encoder, data, tmp_path):
    found = evaluate_benchmark(encoder, "abc6k", data, tmp_path / "kept")
    return Records([*found, *kept_distances(encoder, "abc6k", data, tmp_path / "kept")])


def test_what_is_said_of_swaps_claims_no_binding(abc6k, tmp_path):
    records = scored(Words(order=0.5), abc6k, tmp_path)
    (own,) = records.where(metric="swap_noticed", control="none")
    (drawn,) = records.where(metric="swap_noticed", control="random_vectors")
    assert (own.value, own["chance"], drawn.value) == (1.0, 1.0, 1.0)  # no other spelling
    answer = benchmark_answer(records)
    assert answer == (
        "words gives a swap an embedding other than its caption's in 100 % of 3 items (chance: "
        "100 %). That is not clearly more than its strongest control (random vectors: 100 %). "
        f"{NO_POWER}"
    )
    said = benchmark_sentence(records)
    assert NO_POWER in said
    assert "A swap lies at 0.0" in said


def test_a_swap_is_measured_by_the_distance_of_other_captions(abc6k, tmp_path):
    """(1, 3/4) against (3/4, 1), of length 5/4: a cosine of 24/25. The captions: 0 and two times
    12/25 or 16/25 of the words that they share.
    """
    (found,) = scored(Words(order=0.5), abc6k, tmp_path).where(metric="swap_distance")
    shared = [0.0, 16 / 25, 12 / 25]  # ab and cd; ab and ac; cd and ac
    assert found.value == pytest.approx((1 / 25) / (1 - np.mean(shared)))
    assert (found.n, found.ci_low, found["control"]) == (3, None, "none")
    table = swap_table({"": Records([found])})
    assert [row[:3] for row in table.rows] == [("abc6k", "all", "none")]
    (bag,) = scored(Words(), abc6k, tmp_path / "bag").where(metric="swap_distance")
    assert bag.value == pytest.approx(0, abs=1e-6)


def test_the_distance_of_other_captions_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 9, 4))
    pairs = [1 - one[i] @ two[j] for i in range(9) for j in range(9) if i != j]
    assert mean_distance(one, two) == pytest.approx(np.mean(pairs))
    assert mean_distance(one[:1], two[:1]) == 0.0


def test_one_vector_for_all_has_no_distances(abc6k, tmp_path):
    class One(Words):
        def encode_texts(self, texts):
            return np.ones((len(texts), 4), dtype=np.float32)

    records = scored(One(), abc6k, tmp_path)
    assert not records.where(metric="swap_distance")
    (own,) = records.where(metric="swap_noticed", control="none")
    assert (own.value, own.ties) == (0.0, 3)


def record(value, low, high, **facts):
    told = {"study": "benchmark", "metric": "pair_accuracy", "split": "all", "scenes": "nevir"}
    about = {"modality": "text", "level": None, "encoder": "e", "n": 100, "ties": 0}
    rest = {"protocol": "strict", "average": "micro", "repair": "none", "control": "none"}
    told |= {**about, **rest, "value": value, "ci_low": low, "ci_high": high}
    return Record.of(**{**told, **facts})


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (
            [record(0.5, 0.4, 0.6, chance=0.25), record(0.2, 0.1, 0.3, control="blind_length")],
            "e finds the right document for both queries in 50.0 % of 100 items (chance: 25.0 %). "
            "That is clearly more than its strongest control (blind by length: 20.0 %).",
        ),
        (
            [record(0.1, 0.05, 0.2, chance=0.25), record(0.2, 0.1, 0.3, control="blind_length")],
            "e finds the right document for both queries in 10.0 % of 100 items (chance: 25.0 %). "
            "That is not clearly more than its strongest control (blind by length: 20.0 %), but "
            "clearly less than chance.",
        ),
        (
            [record(0.1, 0.05, 0.2, chance=0.25)],
            "e finds the right document for both queries in 10.0 % of 100 items (chance: 25.0 %). "
            "That is clearly less than chance.",
        ),
        (
            [record(0.5, 0.4, 0.6, split="one"), record(0.6, 0.5, 0.7, protocol="paper")],
            "e finds the right document for both queries in 50.0 % of 100 items.",
        ),
    ],
)
def test_queries_have_an_answer(records, said):
    assert benchmark_answer(Records(records)) == said


def shown(name, *told):
    """The scores that stand for a benchmark on the page of all."""
    base = {"scenes": name, "modality": "both", "metric": "accuracy"}
    records = Records([record(0.5, 0.4, 0.6, **{**base, **one}) for one in told])
    return [row[2] for row in field_table(records).rows]


def test_the_published_score_stands_for_a_benchmark():
    assert shown(
        "cola",
        {"metric": "group_score"},
        {"metric": "image_score"},
        {"metric": "image_score", "protocol": "paper"},
    ) == ["image score, all (paper, micro)"]
    assert shown("valse", {}, {"protocol": "paper", "average": "macro"}) == [
        "accuracy, all (paper, macro)"
    ]
    families = [
        {"protocol": "paper", "average": "macro", "split": name} for name in ("object", "relation")
    ]
    assert shown("vl_checklist", {}, *families) == [
        "accuracy, object (paper, macro)",
        "accuracy, relation (paper, macro)",
    ]
    assert shown("eqben", {"metric": "group_score"}, {"metric": "text_score"}) == [
        "group score, all (strict, micro)"
    ]


def test_a_mean_that_lacks_parts_says_so_beside_its_name():
    told = {"split": "atom", "protocol": "paper", "average": "macro", "parts": "2 of 9"}
    assert shown("crepe", told) == ["accuracy, atom (paper, macro; 2 of 9 parts)"]
