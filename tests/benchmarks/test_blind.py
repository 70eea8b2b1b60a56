"""What captions give away without pictures and meaning, by hand; and how far paraphrases and wrong
captions lie.
"""

from __future__ import annotations

import json
from math import log

import numpy as np
import pytest

from conceptbind.benchmarks import blind
from conceptbind.benchmarks.evaluate import evaluate_benchmark, kept_distances
from conceptbind.repairs.labclip import Adapter
from known_vectors import by_name, read_benchmark
from published_layouts import abc6k, by_digit


def test_spaces_before_marks_count_before_commas():
    values = blind.surface(["a cat.", "a cat .", "a, b, c.", "a , b ."])
    assert values.tolist() == [0.0, -1000 / 2001, -2 / 2001, -1.0]


def test_a_pair_of_words_that_is_known_is_more_plausible_than_its_order_turned():
    pytest.importorskip("wordsegment")
    values, told = blind.plausibility(["a red car on the street", "a street red car on the"])
    assert values[0] > values[1] >= -1
    assert told.startswith("pairs of words of the web (wordsegment ")


def test_without_a_package_the_other_captions_tell(monkeypatch):
    """Three captions: of the first, "red" follows "a" in one other caption that has "a" once."""
    monkeypatch.setattr(blind, "packaged_pairs", lambda: None)
    values, told = blind.plausibility(["a red", "a red dog", "dog"])
    assert told == "pairs of words of the other captions of the benchmark"
    # 6 words in all; without the caption's own 2, "a" stands once among 4, and "red" follows it
    first = (log(0.4 * 1 / 4) + log(1.0)) / 2
    # without its own 3, of 3 words: a once, red after a always, dog once and never after red
    second = (log(0.4 / 3) + log(1.0) + log(0.4 / 3)) / 3
    third = log(0.4 * 1 / 5)  # dog once among the other five words
    found = np.array([first, second, third])
    assert values == pytest.approx(found / np.abs(found).max())


def test_spelling_does_not_tell_a_caption_in_its_swaps_spelling_from_the_swap(tmp_path):
    """All swapped lines have a space before their mark. A caption in that spelling looks like the
    swap and not like itself, so that to the spelling the swap is never further.
    """
    abc6k(tmp_path / "data")
    data = read_benchmark("abc6k", tmp_path / "data")
    records = evaluate_benchmark(by_digit(), "abc6k", data, tmp_path / "kept")
    found = records.one(control="blind_surface", protocol="strict")
    assert (found.value, found.ties, found["unwinnable"]) == (0.0, 0, 1)


@pytest.fixture
def triplets(tmp_path):
    """Caption, paraphrase, wrong caption by axis: the last row's wrong caption is its caption."""
    rows = [("0 a", "0 b", "1 c"), ("1 d", "2 e", "1 f"), ("2 g", "2 h", "2 g")]
    names = ("caption", "paraphrase", "negative")
    content = [dict(zip(names, row, strict=True)) for row in rows]
    (tmp_path / "mine.json").write_text(json.dumps(content))
    return tmp_path


def test_distances_of_paraphrases_and_wrong_captions_by_hand(triplets, tmp_path):
    """1 minus the cosine: 0 and 1 to the paraphrases, 1 and 0 to the wrong captions. A map that
    exchanges the axes 0 and 1 of the caption that asks turns three of the four.
    """
    swap = np.eye(4, dtype=np.float32)[[1, 0, 2, 3]]
    adapter = Adapter(swap, 0.0, {"encoder": "by-name", "revision": "1"})
    data, keep = read_benchmark("triplets", triplets), tmp_path / "kept"
    evaluate_benchmark(by_name(), "triplets", data, keep)
    found = kept_distances(by_name(), "triplets", data, keep, adapter)
    told = {(r.repair, r.metric): (r.value, r.n) for r in found}
    assert told == {
        ("none", "lexical_distance"): (0.5, 2),
        ("none", "semantic_distance"): (0.5, 2),
        ("adapter", "lexical_distance"): (1.0, 2),
        ("adapter", "semantic_distance"): (0.5, 2),
    }
