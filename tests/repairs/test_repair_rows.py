"""Rows that `conceptbind repair` leaves out, rows on which its map fails, and what a killed run
left behind.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import conceptbind
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError, ShapeError, ValueRangeError
from conceptbind.repairs.labclip import load_adapter
from conceptbind.rows.embeddings import HALF, embed_half
from conceptbind.scenes import Scenes
from repairs.labclip.planted_pairs import planted

N = 150


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def saved(folder, **arrays):
    for name, rows in arrays.items():
        np.save(folder / f"{name}.npy", rows)
    return {name: str(folder / f"{name}.npy") for name in arrays}


def repaired(folder, out="out", **arrays):
    return conceptbind.repair(**saved(folder, **arrays), out=str(folder / out))


@pytest.fixture(scope="module")
def some_equal(tmp_path_factory):
    """150 rows of which 40 hold a negative that equals its caption."""
    folder = tmp_path_factory.mktemp("equal")
    images, texts, negatives = planted("rotated", N, noise=0.4)
    equal = np.sort(np.random.default_rng(0).permutation(N)[:40])
    negatives[equal] = texts[equal]
    with pytest.warns(
        UserWarning,
        match="40 of 150 rows are left out: 40 times the negative equals the caption; dropped.csv",
    ):
        found = repaired(folder, images=images, texts=texts, negatives=negatives)
    return found, equal, (images, texts, negatives)


def test_rows_that_equal_their_caption_are_left_out_counted_and_listed(some_equal):
    found, equal, _ = some_equal
    dropped = table(found.folder / "dropped.csv")
    assert [int(row["row"]) for row in dropped] == equal.tolist()
    assert {row["reason"] for row in dropped} == {"the negative equals the caption"}
    results = json.loads((found.folder / "results.json").read_text())
    assert (results["provenance"]["data"]["dropped"], results["provenance"]["data"]["pairs"]) == (
        40,
        110,
    )
    assert {row["n"] for row in results["records"]} == {110}
    assert json.loads((found.folder / "config.json").read_text())["dropped"] == 40
    assert "40 rows were left out" in (found.folder / "README.md").read_text()
    assert "dropped.csv" in found.text()


def test_failing_rows_are_listed_by_the_users_own_numbers(some_equal):
    found, equal, arrays = some_equal
    failures = table(found.folder / "failures.csv")
    records = {(r.metric, r.repair): r for r in found.records}
    assert records["binding_gain", "HNB"]["recommended"]
    after = records["binding_accuracy", "HNB"]
    assert len(failures) == round((1 - after.value) * after.n) > 0
    rows = [int(row["row"]) for row in failures]
    assert rows == sorted(set(rows))
    assert not set(rows) & set(equal)
    images, texts, negatives = (
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in arrays
    )
    for row in failures:
        i = int(row["row"])
        assert row["right before"] == str(bool(images[i] @ texts[i] > images[i] @ negatives[i]))
        assert (row["right after"], row["image"]) == ("False", str(i))


def test_where_nothing_helps_the_failing_rows_are_those_without_a_repair(tmp_path):
    images, texts, negatives = planted("lost", N)
    found = repaired(tmp_path, images=images, texts=texts, negatives=negatives)
    np.testing.assert_array_equal(load_adapter(found.folder).weight, np.eye(48))
    images, texts, negatives = (
        part / np.linalg.norm(part, axis=1, keepdims=True) for part in (images, texts, negatives)
    )
    wrong = np.flatnonzero((images * texts).sum(1) <= (images * negatives).sum(1))
    assert [int(row["row"]) for row in table(found.folder / "failures.csv")] == wrong.tolist()
    assert not (found.folder / "dropped.csv").exists()


def test_a_negative_that_is_true_of_the_picture_is_left_out(tmp_path):
    images, texts, negatives = planted("rotated", 60)
    of = np.arange(60) // 2
    negatives[10] = texts[11]
    with pytest.warns(
        UserWarning,
        match="1 of 60 rows are left out: 1 times the negative equals another caption of the same "
        "picture",
    ):
        found = repaired(
            tmp_path, images=images[:30], texts=texts, negatives=negatives, image_of=of
        )
    assert [(row["row"], row["reason"]) for row in table(found.folder / "dropped.csv")] == [
        ("10", "the negative equals another caption of the same picture")
    ]


def test_rows_that_occur_twice_are_one_draw_and_on_one_side(tmp_path):
    images, texts, negatives = (np.repeat(part, 3, axis=0) for part in planted("rotated", 50))
    found = repaired(tmp_path, images=images, texts=texts, negatives=negatives)
    before = next(r for r in found.records if (r.metric, r.repair) == ("binding_accuracy", "none"))
    assert before.n == 150
    assert before.ci_high - before.ci_low > 0.2  # of 50 draws; 150 would give 0.16


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (
            {"negatives": "texts"},
            ValueRangeError,
            "60 of 60 rows cannot be used .60 times the negative equals the caption",
        ),
        ({"texts": "short"}, ShapeError, "texts has shape"),
        ({"texts": "short", "negatives": "short"}, ShapeError, "images has 60 rows, texts 20"),
        ({"images": "short"}, ShapeError, "images has 20 rows, texts 60"),
        ({"images": "nan"}, ValueRangeError, "row index 7 of images holds NaN"),
        ({"texts": "infinite"}, ValueRangeError, "row index 7 of texts holds NaN or infinite"),
        ({"negatives": "zero"}, ValueRangeError, "row index 7 of negatives is all zeros"),
        ({"images": "wide"}, ShapeError, "pictures have 49 dimensions and captions 48"),
        ({"texts": "whole"}, ShapeError, "texts must be .* of real numbers; got int64"),
        ({"texts": "complex"}, ShapeError, "texts must be .* of real numbers; got complex"),
        ({"image_of": "far"}, ShapeError, "image_of must give one whole number"),
        (
            {"texts": "four", "negatives": "other", "images": "four"},
            ValueRangeError,
            "4 pairs cannot be divided",
        ),
    ],
)
def test_arrays_that_cannot_be_used_leave_nothing(tmp_path, change, error, says):
    images, texts, negatives = planted("rotated", 60)
    kinds = {
        "images": images,
        "texts": texts,
        "negatives": negatives,
        "short": texts[:20],
        "wide": np.column_stack([images, images[:, 0]]),
        "nan": np.where(np.arange(60)[:, None] == 7, np.nan, images),
        "infinite": np.where(np.arange(60)[:, None] == 7, np.inf, texts),
        "zero": np.where(np.arange(60)[:, None] == 7, 0, negatives),
        "whole": np.ones((60, 48), np.int64),
        "complex": texts.astype(complex),
        "far": np.arange(60) + 1,
        "four": texts[:4],
        "other": negatives[:4],
    }
    given = {"images": "images", "texts": "texts", "negatives": "negatives"} | change
    with pytest.raises(error, match=says) as caught:
        repaired(tmp_path, **{name: kinds[kind] for name, kind in given.items()})
    assert len(str(caught.value)) <= 500
    assert not (tmp_path / "out").exists()


class Words:
    """An encoder of captions that sums a code of every word: an exact bag, or one that stops after
    some words.
    """

    revision, dimension, modalities = "1", 16, ("text",)

    def __init__(self, ordered=0.0, most=None):
        self.id, self.ordered, self.most = f"words-{ordered}-{most}", ordered, most

    def encode_texts(self, texts):
        return np.stack([self.one(text) for text in texts])

    def one(self, text):
        total = np.zeros(16)
        for place, word in enumerate(text.split()[: self.most]):
            # sums of whole numbers are exact
            code = np.round(np.random.default_rng(list(word.encode())).normal(size=16) * 8)
            total += code * (1 + self.ordered * place)
        return total.astype(np.float32)

    def encode_images(self, images):
        raise NotImplementedError


COLORS, THINGS = ("red", "blue", "green", "black", "white"), ("car", "bus", "dog", "chair", "boat")
LINES = [
    f"a {a} {x} beside a {b} {y} in the sun"
    for a in COLORS
    for b in COLORS
    for x in THINGS
    for y in THINGS
    if a < b and x < y
]


def captioned(folder, encoder, lines):
    pytest.importorskip("HanTa")
    (folder / "captions.txt").write_text("\n".join(lines))
    pictures = np.random.default_rng(0).normal(size=(len(lines), 16)).astype(np.float32)
    pictures += 3 * Words(ordered=0.3).encode_texts(lines) / 8
    np.save(folder / "x.npy", pictures)
    return conceptbind.repair(
        encoder,
        images=str(folder / "x.npy"),
        captions=str(folder / "captions.txt"),
        tagger="hanta",
        out=str(folder / "out"),
    )


@pytest.mark.filterwarnings("ignore:.*no hard negative")
def test_an_exact_bag_ties_with_every_negative(tmp_path):
    """Its rows equal, the texts do not: that is what is measured, and nothing to leave out."""
    with pytest.warns(
        UserWarning, match="gives 100 of 100 captions the same row as their negative"
    ):
        found = captioned(tmp_path, Words(), [*LINES, "it rains"])
    before = next(r for r in found.records if (r.metric, r.repair) == ("binding_accuracy", "none"))
    assert (before.value, before.ties, before.n) == (0.0, 100, 100)
    np.testing.assert_array_equal(found.adapter.weight, np.eye(16))
    assert "does not help" in found.sentence
    dropped = table(found.folder / "dropped.csv")
    assert [(row["row"], row["caption"]) for row in dropped] == [("100", "it rains")]
    failures = table(found.folder / "failures.csv")
    assert len(failures) == 100
    assert failures[0]["caption"] == LINES[0]
    assert failures[0]["negative"] != LINES[0]


@pytest.mark.filterwarnings("ignore:.*no hard negative")
def test_captions_that_are_read_in_part_tie_where_the_difference_is_not_read(tmp_path):
    lines = [line if i % 2 else f"well well well well {line}" for i, line in enumerate(LINES)]
    with pytest.warns(UserWarning, match="captions the same row as their negative"):
        found = captioned(tmp_path, Words(ordered=0.3, most=6), lines)
    before = next(r for r in found.records if (r.metric, r.repair) == ("binding_accuracy", "none"))
    assert 0 < before.ties < before.n


def test_rows_of_another_encoder_are_refused_before_captions_are_embedded(tmp_path):
    class Narrow(Words):
        dimension = 8

        def encode_texts(self, texts):
            raise AssertionError("embedded")

    with pytest.raises(
        ShapeError,
        match="images has rows of 16 dimensions and the captions of 'words-0.0-None' have 8",
    ):
        captioned(tmp_path, Narrow(), LINES)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "of", [np.arange(100) + 1, np.arange(100) * 1.0, np.arange(99), np.zeros((100, 1), int)]
)
def test_image_of_is_checked_before_captions_are_embedded(tmp_path, of):
    (tmp_path / "captions.txt").write_text("\n".join(LINES))
    places = saved(tmp_path, images=np.ones((100, 16), np.float32), image_of=of)
    with pytest.raises(ConceptBindError, match="image_of"):
        conceptbind.repair(
            Words(), captions=str(tmp_path / "captions.txt"), out=str(tmp_path / "out"), **places
        )
    assert not (tmp_path / "out").exists()


def test_negatives_beside_captions_are_refused(tmp_path, capsys):
    (tmp_path / "captions.txt").write_text("\n".join(LINES))
    places = saved(
        tmp_path, images=np.ones((100, 16), np.float32), negatives=np.ones((100, 16), np.float32)
    )
    words = [word for name, place in places.items() for word in (f"--{name}", place)]
    assert (
        main(
            [
                "repair",
                "tiny",
                *words,
                "--captions",
                str(tmp_path / "captions.txt"),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 2
    )
    assert "negatives of --captions are made from the captions" in capsys.readouterr().err


def test_shards_that_were_joined_go_with_the_next_run(tmp_path):
    """A run was killed after it had joined its shards and before it had removed them."""
    scenes = Scenes.unlabelled("captions", captions=LINES)
    rows = np.array(embed_half(Words(), scenes, "text", tmp_path / "e"))
    stale = tmp_path / "e" / "rows-000000000.safetensors"
    stale.write_bytes(b"whole once")
    mine = tmp_path / "e" / "rows-of-mine.safetensors"
    mine.write_bytes(b"not ours")
    np.testing.assert_array_equal(embed_half(Words(), scenes, "text", tmp_path / "e"), rows)
    assert not stale.exists()
    assert mine.exists()
    assert (tmp_path / "e" / HALF).is_file()
