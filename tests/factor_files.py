"""Small files in the layouts of dSprites and MPI3D, made for tests."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conceptbind.scenes import Scenes

Array: TypeAlias = NDArray[Any]

SIZES = (1, 3, 2, 4, 3, 2)
"""Classes of the small dSprites: 144 pictures."""
LATENTS = (
    np.array([1.0]),
    np.array([1.0, 2.0, 3.0]),
    np.linspace(0.5, 1, 6),
    np.linspace(0, 2 * np.pi, 40),
    np.linspace(0, 1, 32),
    np.linspace(0, 1, 32),
)
"""What the published classes stand for."""


class Bomb:
    """What makes a file where its pickle is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return self.marker.touch, ()


def dsprites_arrays(sizes: Sequence[int] = SIZES, seed: int = 0) -> dict[str, Array]:
    """Classes, values and pictures (8 x 8) of a full grid, the last factor fastest."""
    classes = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
    values = np.stack([LATENTS[k][classes[:, k]] for k in range(len(sizes))], axis=1)
    pictures = np.random.default_rng(seed).integers(0, 2, (len(classes), 8, 8), dtype=np.uint8)
    return {"imgs": pictures, "latents_values": values, "latents_classes": classes}


def write_dsprites(
    path: Path, marker: Path | None = None, compressed: bool = True, **changed: Array | None
) -> Path:
    """The small file; arrays can be replaced, and left out with None. `marker` is the file that
    appears where somebody loads the pickled member `metadata`.
    """
    arrays = {name: a for name, a in (dsprites_arrays() | changed).items() if a is not None}
    if marker is not None:
        arrays["metadata"] = np.array(Bomb(marker), dtype=object)
    write_npz(path, arrays, compressed)
    return path


def mpi3d_labels(
    n: int = 60, sizes: Sequence[int] = (6, 6, 2, 3, 3, 40, 40), seed: int = 0
) -> Array:
    """Labels of a few rows of the full grid."""
    rows = np.random.default_rng(seed).permutation(np.prod(sizes))[:n]
    return np.stack(np.unravel_index(rows, sizes), axis=1)


def colours(n: int, side: int = 8, seed: int = 1) -> Array:
    """Pictures of noise."""
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def write_npz(path: Path, arrays: Mapping[str, Array], compressed: bool = False) -> None:
    """Arrays as numpy writes them; one of objects is pickled."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", stream.getvalue())


def load_pickle(path: Path) -> None:
    """Load the pickled member as a careless reader would."""
    with zipfile.ZipFile(path) as archive, archive.open("metadata.npy") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        pickle.load(stream)


def spoil(path: Path, name: str, at: int) -> None:
    """Turn the bits of one byte of a member, counted from the end of its data."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        with path.open("rb") as file:
            file.seek(member.header_offset + 26)
            lengths = np.frombuffer(file.read(4), "<u2")
    end = member.header_offset + 30 + int(lengths.sum()) + member.compress_size
    data = bytearray(path.read_bytes())
    data[end - at] ^= 0xFF
    path.write_bytes(data)


def names_of(scenes: Scenes) -> list[tuple[str, ...]]:
    """The values of every scene, one object each."""
    values = scenes.space.values
    return [tuple(values[k][v] for k, v in enumerate(row)) for (row,) in scenes.table.tolist()]
