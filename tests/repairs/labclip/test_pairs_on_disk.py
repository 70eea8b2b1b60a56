"""Rows mapped from a file are the rows of the file, however numpy cut or copied them before."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.repairs.labclip import LabClip, Pairs, fit_pairs, open_rows
from repairs.labclip.planted_pairs import planted, unit

N = 300


@pytest.fixture(scope="module")
def halves():
    return [part.astype(np.float16) for part in planted("rotated", N)]


@pytest.fixture
def on_disk(halves, tmp_path):
    for name, part in zip("itn", halves, strict=True):
        np.save(tmp_path / f"{name}.npy", part)
        np.save(tmp_path / f"{name}_fortran.npy", np.asfortranarray(part))
    return tmp_path


def opened(folder, end=""):
    found = [open_rows(folder / f"{name}{end}.npy") for name in "itn"]
    assert all(isinstance(part, np.memmap) and part.dtype == np.float16 for part in found)
    return found


@pytest.mark.parametrize("end", ["", "_fortran"])
def test_a_fit_from_files_is_the_fit_from_memory(halves, on_disk, end):
    mapped = opened(on_disk, end)
    assert mapped[0].flags.f_contiguous == bool(end)
    options = {"batch": 64, "validation": 0.2}
    from_memory = LabClip(**options).fit(halves[1], halves[0], negatives=halves[2])
    from_files = LabClip(**options).fit(mapped[1], mapped[0], negatives=mapped[2])
    assert from_memory.helps_  # there is something to compare
    np.testing.assert_array_equal(from_files.weight_, from_memory.weight_)
    np.testing.assert_array_equal(from_files.transform(mapped[1]), from_memory.transform(halves[1]))
    # the hash of the data among it
    assert from_files.adapter_.config == from_memory.adapter_.config


@pytest.mark.parametrize("end", ["", "_fortran"])
def test_rows_of_a_selection_of_a_selection_are_the_rows(halves, on_disk, end):
    rng = np.random.default_rng(0)
    first, second = rng.permutation(N)[:200], rng.permutation(200)[:50]
    pairs = Pairs.of(*opened(on_disk, end)).select(first).select(second)
    batch = pairs.batch(np.array([3, 3, 0, 49]))
    rows = first[second][[3, 3, 0, 49]]
    assert len(pairs) == 50
    np.testing.assert_allclose(batch.images, unit(halves[0][rows]), atol=3e-7)
    np.testing.assert_allclose(
        batch.texts, unit(np.vstack([halves[1][rows], halves[2][rows]])), atol=3e-7
    )


CUTS = {
    "later rows": lambda rows: rows[100:],
    "a part of a part": lambda rows: rows[50:][20:90],
    "every other row": lambda rows: rows[::2],
    "backwards": lambda rows: rows[::-1],
    "some columns": lambda rows: rows[:, 5:40],
    "another precision": lambda rows: rows.astype(np.float32),
    "a copy": lambda rows: rows.copy(),
    "a plain view": lambda rows: np.asarray(rows)[7:],
    "chosen rows": lambda rows: rows[[5, 3, 9]],
}


@pytest.mark.parametrize("end", ["", "_fortran"])
@pytest.mark.parametrize("cut", CUTS)
def test_parts_and_copies_of_a_mapped_array_are_read_right(halves, on_disk, cut, end):
    """numpy calls all of these memmap and leaves the offset of the whole file on them."""
    of_files = Pairs.of(*(CUTS[cut](part) for part in opened(on_disk, end)))
    of_memory = Pairs.of(*(CUTS[cut](part) for part in halves))
    assert of_files.hash == of_memory.hash
    rows = np.arange(len(of_memory))[::-1]
    for one, two in ((of_files, of_memory), (of_files.select(rows), of_memory.select(rows))):
        found, expected = one.batch(rows[:3]), two.batch(rows[:3])
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.texts, expected.texts)


def test_changes_that_are_not_in_the_file_are_read(on_disk):
    """Copy on write: what the array says counts, not what the file says."""
    rows = np.load(on_disk / "i.npy", mmap_mode="c")
    rows[0] = np.arange(1, 49)
    batch = Pairs.of(rows, rows).batch(np.array([0, 1]))
    np.testing.assert_allclose(batch.images[0], unit(np.arange(1, 49)[None])[0], atol=3e-7)


def test_broken_rows_are_found_on_disk_behind_the_first_block(tmp_path):
    rows = np.ones((20_000, 2), np.float16)
    rows[:, 1] = np.arange(20_000) / 20_000
    rows[17_000] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(ValueRangeError, match="row index 17000 of texts holds NaN"):
        Pairs.of(rows[:17_000], open_rows(tmp_path / "rows.npy"), image_of=np.zeros(20_000, int))


def test_a_fit_on_selections_from_files_does_not_depend_on_where_rows_lie(halves, on_disk):
    rows = np.random.default_rng(1).permutation(N)
    fits = [
        fit_pairs(pairs.select(rows[:200]), pairs.select(rows[200:]), batch=64)
        for pairs in (
            Pairs.of(*halves),
            Pairs.of(*opened(on_disk)),
            Pairs.of(*opened(on_disk, "_fortran")),
        )
    ]
    for other in fits[1:]:
        np.testing.assert_array_equal(other.adapter.weight, fits[0].adapter.weight)
        assert other.chosen.loss == fits[0].chosen.loss
