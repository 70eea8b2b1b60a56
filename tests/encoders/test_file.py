"""`file:` reads plain numbers, keeps rows and scenes together, and refuses what could execute
code.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from conceptbind.core.errors import (
    FileError,
    MismatchError,
    ModalityError,
    ShapeError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.rows.source import resolve
from conceptbind.scenes import text20

ROWS = np.random.default_rng(0).normal(size=(256, 6)).astype(np.float32)


@pytest.fixture
def scenes():
    return text20(4, 4)


def test_npy(tmp_path, scenes):
    np.save(tmp_path / "x.npy", ROWS)
    np.testing.assert_array_equal(resolve(f"file:{tmp_path / 'x.npy'}").rows(scenes, "text"), ROWS)


def test_float16_is_widened(tmp_path, scenes):
    np.save(tmp_path / "x.npy", ROWS.astype(np.float16))
    rows = resolve(f"file:{tmp_path / 'x.npy'}").rows(scenes, "text")
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, ROWS.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_named_modalities(tmp_path, scenes, kind):
    path = tmp_path / f"x.{kind}"
    arrays = {"text": ROWS, "image": ROWS * 2}
    np.savez(path, **arrays) if kind == "npz" else save_file(arrays, path)
    source = resolve(f"file:{path}")
    assert source.modalities == ("text", "image")
    np.testing.assert_array_equal(source.rows(scenes, "image"), ROWS * 2)


def test_missing_modality(tmp_path, scenes):
    np.savez(tmp_path / "x.npz", text=ROWS)
    with pytest.raises(ModalityError, match="holds text, not image"):
        resolve(f"file:{tmp_path / 'x.npz'}").rows(scenes, "image")


def test_ids_put_rows_in_the_order_of_the_table(tmp_path, scenes):
    order = np.random.default_rng(1).permutation(256)
    np.savez(tmp_path / "x.npz", embeddings=ROWS[order], ids=np.array(scenes.ids)[order])
    np.testing.assert_array_equal(resolve(f"file:{tmp_path / 'x.npz'}").rows(scenes, "text"), ROWS)


def test_foreign_ids_are_refused(tmp_path, scenes):
    np.savez(tmp_path / "x.npz", embeddings=ROWS, ids=np.array([f"s{i}" for i in range(256)]))
    with pytest.raises(MismatchError, match="lacks 256 of them, the first is '0'"):
        resolve(f"file:{tmp_path / 'x.npz'}").rows(scenes, "text")


def test_wrong_row_count_names_both(tmp_path, scenes):
    np.save(tmp_path / "x.npy", ROWS[:-1])
    with pytest.raises(
        MismatchError, match=r"x\.npy has 255 rows but the scenes 'text20:4x4' have 256"
    ):
        resolve(f"file:{tmp_path / 'x.npy'}").rows(scenes, "text")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_rows_are_named(tmp_path, bad):
    rows = ROWS.copy()
    rows[[7, 9], 2] = bad
    np.save(tmp_path / "x.npy", rows)
    with pytest.raises(
        ValueRangeError, match="2 of 256 rows hold NaN or infinite numbers, the first at index 7"
    ):
        resolve(f"file:{tmp_path / 'x.npy'}")


@pytest.mark.parametrize(
    "array", [ROWS[0], ROWS[None], ROWS.astype(str), ROWS.astype(complex), ROWS[:, :0]]
)
def test_arrays_that_are_no_table_of_numbers(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ShapeError, match=r"must be real numbers of shape \(rows, dimensions\)"):
        resolve(f"file:{tmp_path / 'x.npy'}")


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.mark.parametrize("name", ["x.pkl", "x.pickle", "x.pt", "x.bin", "x.npy", "x.npz"])
def test_nothing_is_unpickled(tmp_path, name):
    target, path = tmp_path / "executed", tmp_path / name
    array = np.array([Bomb(str(target))], dtype=object)
    if name.endswith(".npy"):
        np.save(path, array, allow_pickle=True)
    elif name.endswith(".npz"):
        np.savez(path, embeddings=array)
    else:
        path.write_bytes(pickle.dumps(Bomb(str(target))))
    with pytest.raises(UnsafeFileError, match="pickle"):
        resolve(f"file:{path}")
    assert not target.exists()


def test_missing_broken_and_unknown_files(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        resolve(f"file:{tmp_path / 'x.npy'}")
    (tmp_path / "y.npy").write_bytes(b"not an array")
    with pytest.raises((FileError, UnsafeFileError), match=r"y\.npy"):
        resolve(f"file:{tmp_path / 'y.npy'}")
    (tmp_path / "y.safetensors").write_bytes(b"short")
    with pytest.raises(FileError, match="could not read"):
        resolve(f"file:{tmp_path / 'y.safetensors'}")
    (tmp_path / "y.txt").write_text("1 2 3")
    with pytest.raises(FileError, match=r"expected embeddings as \.npy, \.npz, \.safetensors"):
        resolve(f"file:{tmp_path / 'y.txt'}")
    np.savez(tmp_path / "y.npz", a=ROWS, b=ROWS)
    with pytest.raises(FileError, match="holds a, b; expected an array 'embeddings'"):
        resolve(f"file:{tmp_path / 'y.npz'}")
