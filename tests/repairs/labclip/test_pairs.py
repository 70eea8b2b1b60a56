"""What pairs accept, what they refuse, and which of their comparisons are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import FileError, ShapeError, UnsafeFileError, ValueRangeError
from conceptbind.repairs.labclip import Pairs, open_rows
from repairs.labclip.planted_pairs import unit

CODES = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


def rows(*numbers):
    return CODES[list(numbers)]


def same_table(pairs, chosen=None):
    chosen = np.arange(len(pairs)) if chosen is None else chosen
    batch = pairs.batch(chosen)
    table = np.zeros((len(batch.images), len(batch.texts)), dtype=bool)
    table[tuple(part.numpy() for part in batch.same)] = True
    return table


def test_a_caption_that_stands_twice_is_not_its_own_negative():
    table = same_table(Pairs.of(rows(0, 1, 2), rows(5, 6, 5), rows(7, 8, 9)))
    expected = np.zeros((3, 6), dtype=bool)
    expected[0, 2] = expected[2, 0] = True
    np.testing.assert_array_equal(table, expected)


def test_a_negative_that_says_what_another_caption_says_is_none_for_that_picture():
    table = same_table(Pairs.of(rows(0, 1, 2), rows(5, 6, 7), rows(6, 8, 8)))
    expected = np.zeros((3, 6), dtype=bool)
    expected[1, 3] = True  # the negative of pair 0 is the caption of picture 1
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize(
    "pictures", [(rows(0, 1), [0, 0, 1]), (rows(0, 0, 1), None)], ids=["image_of", "equal rows"]
)
def test_captions_of_one_picture_are_not_each_others_negatives(pictures):
    images, image_of = pictures
    table = same_table(Pairs.of(images, rows(5, 6, 7), image_of=image_of))
    expected = np.zeros((3, 3), dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(table, expected)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_no_comparison_agrees_with_two_loops(data):
    n = data.draw(st.integers(2, 9))
    ids = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    image_of, texts, negatives = data.draw(ids), data.draw(ids), data.draw(ids)
    negatives = [no if no != yes else no + 4 for yes, no in zip(texts, negatives, strict=True)]
    pairs = Pairs.of(rows(0, 1, 2, 2), rows(*texts), rows(*negatives), image_of=image_of)
    picture = [min(row, 2) for row in image_of]  # rows 2 and 3 are one picture
    chosen = np.array(data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))])
    b = len(chosen)
    expected = np.zeros((b, 2 * b), dtype=bool)
    for i, one in enumerate(chosen):
        for j, two in enumerate(chosen):
            expected[i, j] = i != j and (texts[one] == texts[two] or picture[one] == picture[two])
            expected[i, b + j] = texts[one] == negatives[two]
    np.testing.assert_array_equal(same_table(pairs, chosen), expected)
    np.testing.assert_array_equal(same_table(pairs.select(chosen)), expected)
    np.testing.assert_array_equal(same_table(pairs.without_negatives(), chosen), expected[:, :b])


def test_given_ids_say_what_means_the_same():
    """Two orders of mention are other rows and the same meaning."""
    pairs = Pairs.of(
        rows(0, 1), rows(5, 6), rows(7, 8), text_ids=np.array([1, 1]), negative_ids=np.array([2, 2])
    )
    assert same_table(pairs)[0, 1]
    with pytest.raises(
        ValueRangeError, match="1 of 2 negatives equal their caption, the first at index 1"
    ):
        Pairs.of(
            rows(0, 1),
            rows(5, 6),
            rows(7, 8),
            text_ids=np.array([1, 2]),
            negative_ids=np.array([3, 2]),
        )
    with pytest.raises(
        ShapeError, match=r"ids of texts must be one number for each of 2 rows; got \(3,\)"
    ):
        Pairs.of(rows(0, 1), rows(5, 6), text_ids=np.array([1, 2, 3]))
    with pytest.raises(ShapeError, match="both texts and negatives, or of neither"):
        Pairs.of(rows(0, 1), rows(5, 6), rows(7, 8), text_ids=np.array([1, 2]))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_negative_that_equals_its_caption_is_an_error_that_names_the_row(kind):
    texts = np.array([[1.0, 2.0], [0.0, 0.5], [3.0, 1.0]], np.float32)
    # equal in any precision, and with either zero
    negatives = np.array([[2.0, 1.0], [-0.0, 0.5], [3.0, 1.0]], kind)
    with pytest.raises(
        ValueRangeError,
        match="2 of 3 negatives equal their caption, the first at index 1; leave those rows out",
    ):
        Pairs.of(texts, texts, negatives)
    assert len(Pairs.of(texts[:1], texts[:1], negatives[:1])) == 1


def with_row(value, at=2):
    array = CODES[:4].copy()
    array[at, 1] = value
    return array


ZERO = CODES[:4].copy()
ZERO[3] = 0


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((rows(0, 1), rows(5, 6, 7)), ShapeError, "images has 2 rows, texts 3; give image_of"),
        (
            (rows(0, 1), rows(5, 6), rows(7, 8, 9)),
            ShapeError,
            r"texts has shape \(2, 5\), negatives \(3, 5\)",
        ),
        (
            (rows(0, 1), rows(5, 6), rows(7, 8)[:, :4]),
            ShapeError,
            r"texts has shape \(2, 5\), negatives \(2, 4\)",
        ),
        (
            (rows(0, 1)[0], rows(5, 6)),
            ShapeError,
            r"images must be \(rows, dimensions\) of real numbers; got float32 \(5,\)",
        ),
        ((rows(0, 1), rows(5, 6).astype(complex)), ShapeError, "texts must be .* complex"),
        ((rows(0, 1), rows(5, 6).tolist()), ShapeError, "texts must be"),
        ((rows(0, 1)[:0], rows(5, 6)[:0]), ShapeError, r"images must be .* \(0, 5\)"),
        (
            (with_row(np.nan), CODES[4:8]),
            ValueRangeError,
            "row index 2 of images holds NaN or infinite",
        ),
        (
            (CODES[4:8], with_row(np.inf, 1)),
            ValueRangeError,
            "row index 1 of texts holds NaN or infinite",
        ),
        (
            (CODES[4:8], CODES[8:], with_row(-np.inf, 0)),
            ValueRangeError,
            "row index 0 of negatives holds NaN or infinite",
        ),
        (
            (CODES[4:8], CODES[8:], ZERO),
            ValueRangeError,
            "row index 3 of negatives is all zeros and has no direction",
        ),
        ((ZERO, CODES[8:]), ValueRangeError, "row index 3 of images is all zeros"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_named(arguments, error, says):
    with pytest.raises(error, match=says):
        Pairs.of(*arguments)


@pytest.mark.parametrize("image_of", [[0], [0, 2], [-1, 0], [[0, 1]]])
def test_image_of_must_name_a_picture_for_every_caption(image_of):
    with pytest.raises(
        ShapeError,
        match=r"image_of must give one whole number, a row of images \(0 to 1\) for each of 2 "
        r"captions",
    ):
        Pairs.of(rows(0, 1), rows(5, 6), image_of=image_of)


def test_pictures_and_captions_may_differ_in_width():
    batch = Pairs.of(rows(0, 1)[:, :3], rows(5, 6), rows(7, 8)).batch(np.array([1, 0]))
    assert batch.images.shape == (2, 3)
    assert batch.texts.shape == (4, 5)
    np.testing.assert_allclose(batch.images, unit(rows(1, 0)[:, :3]), atol=1e-7)
    np.testing.assert_allclose(batch.texts, unit(rows(6, 5, 8, 7)), atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.floats(-300, 300))
def test_the_scale_of_rows_does_not_matter(power):
    big = CODES.astype(np.float64) * 10.0**power
    batch = Pairs.of(big[:4], big[4:8], big[8:]).batch(np.arange(4))
    np.testing.assert_allclose(batch.images, unit(CODES[:4]), atol=3e-7)
    np.testing.assert_allclose(batch.texts, unit(CODES[4:]), atol=3e-7)


def test_the_hash_tells_pairs_apart():
    base = Pairs.of(rows(0, 1), rows(5, 6), rows(7, 8))
    assert base.hash == Pairs.of(rows(0, 1), rows(5, 6), rows(7, 8)).hash
    others = [
        Pairs.of(rows(0, 2), rows(5, 6), rows(7, 8)),
        Pairs.of(rows(0, 1), rows(5, 9), rows(7, 8)),
        Pairs.of(rows(0, 1), rows(5, 6), rows(7, 9)),
        Pairs.of(rows(0, 1), rows(5, 6), rows(7, 8), image_of=[1, 0]),
        base.without_negatives(),
        base.select(np.array([0])),
    ]
    assert len({base.hash, *(other.hash for other in others)}) == 7


def test_only_plain_npy_files_are_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    np.save(tmp_path / "objects.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(UnsafeFileError, match=r"objects\.npy holds Python objects"):
        open_rows(tmp_path / "objects.npy")
    for name in ("rows.pkl", "rows.pickle", "rows.pt", "rows.pth"):
        with pytest.raises(
            UnsafeFileError,
            match="can execute code when read, so it is not; save the rows with numpy.save",
        ):
            open_rows(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    np.load(tmp_path / "objects.npy", allow_pickle=True)
    assert (tmp_path / "ran").exists()  # the trap was live
    with pytest.raises(FileError, match="must be a .npy file"):
        open_rows(tmp_path / "rows.csv")
    with pytest.raises(FileError, match="could not read"):
        open_rows(tmp_path / "missing.npy")
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(FileError, match="could not read .*broken.npy"):
        open_rows(tmp_path / "broken.npy")
