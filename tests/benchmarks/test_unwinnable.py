"""Items whose wrong candidate equals a right one: one count of them, and true words on them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conceptbind.benchmarks import BENCHMARKS, Making
from conceptbind.benchmarks.declared import benchmark_of
from conceptbind.benchmarks.description import described
from conceptbind.benchmarks.in_common import lost_captions, lost_pictures
from conceptbind.benchmarks.scoring import recalls
from conceptbind.benchmarks.texts import by_rows
from conceptbind.metrics.retrieval import ranks

HEAD = {"name": "mine", "title": "t", "published": "p", "licence": "l"}


def read(folder, entries, **task):
    (folder / "a.json").write_text(json.dumps(entries))
    benchmark = benchmark_of(described({**HEAD, "files": ["a.json"], **task}, "mine.yaml"))
    return benchmark, benchmark.read(folder, Making(folder / "made"))


def test_an_encoder_that_sees_capitals_wins_and_no_note_says_otherwise(tmp_path):
    """The note said that they count as misses."""
    entries = [{"i": f"{n}.png", "c": f"a {n}", "d": f"A  {n}"} for n in range(2)]
    task = {"form": "captions", "pictures": ["i"], "captions": ["c", "d"]}
    benchmark, data = read(tmp_path, entries, **task)
    (note,) = data.notes
    assert note == (
        "in 2 of 2 items a wrong candidate equals a right one, capitals and spaces apart. They "
        "stay in n, and `unwinnable` counts them. Where the encoder sees no difference either they "
        "tie: by `strict` a miss."
    )
    sees = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])  # c before d, twice
    (cased,) = benchmark.score(data.items, np.array([[1.0, 0.0]] * 2), sees)
    (blind,) = benchmark.score(data.items, np.array([[1.0, 0.0]] * 2), np.ones((4, 2)) / 2**0.5)
    assert (cased.value, cased.unwinnable, cased.n) == (1.0, 2, 2)
    assert (blind.value, blind.unwinnable, int(blind.tied.sum())) == (0.0, 2, 2)


ROWS = [
    ("A dog", "a  dog", "x"),  # caption and paraphrase are one text
    ("A dog", "y", "a dog"),  # the wrong caption is the caption
    ("z", "q", "Q"),  # and the paraphrase
    ("1", "2", "3"),
]


def test_triplets_have_one_count_whoever_wrote_the_file(tmp_path):
    """A note of equal texts to the letter stood beside a count that looked past capitals."""
    entries = [dict(zip("abc", row, strict=True)) for row in ROWS]
    described_one, data = read(tmp_path, entries, form="triplets", captions=[*"abc"])
    place = tmp_path / "own"
    place.mkdir()
    lines = ["caption\tparaphrase\tnegative", *("\t".join(row) for row in ROWS)]
    (place / "mine.tsv").write_text("\n".join(lines))
    own = BENCHMARKS["triplets"].read(place, Making(place / "made"))
    for benchmark, found, name in (
        (described_one, data, "all"),
        (BENCHMARKS["triplets"], own, "mine"),
    ):
        rows = np.eye(len(found.captions))
        scores = benchmark.score_texts(found.items, by_rows(rows, rows))
        assert {score.unwinnable for score in scores} == {2}
        wrong, same = found.notes
        assert wrong.startswith(f"{name}: in 2 of 4 items the wrong caption equals a true one")
        assert same.startswith(f"{name}: in 1 of 4 items caption and paraphrase are one text")


def test_captions_that_several_pictures_have_cannot_all_be_found(tmp_path):
    """Six of twelve captions are one text but for a capital."""
    texts = ["Same text", *["same text"] * 5, *(f"t {n}" for n in range(6))]
    entries = [{"i": f"{n}.png", "c": text} for n, text in enumerate(texts)]
    task = {"form": "retrieval", "pictures": ["i"], "captions": ["c"]}
    benchmark, data = read(tmp_path, entries, **task)
    assert data.notes == (
        "6 of 12 captions are another picture's too, capitals and spaces apart. They stay in n; "
        "`unwinnable` says how many cannot be found, at each rank and each way.",
    )
    rows = np.eye(12)
    scores = benchmark.score(data.items, rows, rows[: len(data.captions)])
    assert {(s.subset, s.metric): s.unwinnable for s in scores} == {
        ("text to image", "recall_at_1"): 5,
        ("text to image", "recall_at_5"): 1,
        ("text to image", "recall_at_10"): 0,
        ("image to text", "recall_at_1"): 6,
        ("image to text", "recall_at_5"): 6,  # a tie with five others ranks sixth
        ("image to text", "recall_at_10"): 0,
    }


@pytest.mark.parametrize("seed", range(6))
def test_no_encoder_finds_more_than_the_winnable(seed):
    """Perfect but for captions that are one text: each is as near as can be to all its pictures."""
    rng = np.random.default_rng(seed)
    owner, said = np.repeat(np.arange(8), 2), rng.integers(5, size=16)
    # a picture is nearest to the texts of its own captions, in a random order of preference
    texts, pictures = np.eye(5), np.zeros((8, 5))
    for place in range(16):
        pictures[owner[place], said[place]] = rng.uniform(0.5, 1)
    for k in (1, 2, 3):
        rank, _ = ranks(texts[said], pictures, owner)
        assert (rank > k).sum() >= lost_pictures(owner, said, k)
        order = np.lexsort((-np.einsum("cd,cd->c", pictures[owner], texts[said]), owner))
        best = order[np.unique(owner[order], return_index=True)[1]]
        rank, _ = ranks(pictures, texts[said], best, belongs=owner)
        assert (rank > k).sum() >= lost_captions(owner, said, k)
    assert all(score.unwinnable == 0 for score in recalls(owner, pictures, texts[said]))


def test_the_winnable_can_be_found():
    """One caption of three pictures, one of its own each: the bounds are reached."""
    owner, said = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 2, 0, 3])
    assert [lost_pictures(owner, said, k) for k in (1, 2, 3)] == [2, 1, 0]
    assert [lost_captions(owner, said, k) for k in (1, 2)] == [0, 0]
    pictures = np.array([[0.9, 1.0, 0, 0], [0.8, 0, 1.0, 0], [0.7, 0, 0, 1.0]])
    texts = np.eye(4)[said]
    rank, _ = ranks(texts, pictures, owner)
    assert [int((rank > k).sum()) for k in (1, 2, 3)] == [2, 1, 0]


@pytest.mark.parametrize("ties", ["first", "last", "hit"])
def test_what_a_tie_decides_is_counted_by_every_rule(tmp_path, ties):
    """Of two pictures and of two queries; by rules that give ties to somebody it was 0."""
    scores = [{"protocol": "mine", "of": "all", "ties": ties}]
    entries = [
        dict(zip("abcd", (f"{n}", f"q {n}", f"x {n}", f"y {n}"), strict=True)) for n in (0, 1)
    ]
    task = {"form": "queries", "captions": [*"abcd"], "scores": scores}
    benchmark, data = read(tmp_path, entries, **task)
    ones = np.ones((len(data.captions), 1))
    ours, theirs = benchmark.score_texts(data.items, by_rows(ones, ones))
    assert (theirs.value, int(theirs.tied.sum())) == ({"hit": 1.0}.get(ties, 0.0), 2)
    assert (ours.value, int(ours.tied.sum())) == (0.0, 2)
