"""`file:` embeddings that somebody else computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.errors import FileError, MismatchError, ModalityError, ShapeError, UnsafeFileError
from conceptbind.files import file_hash
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from conceptbind.scenes import Scenes
    from conceptbind.typing import Floats, Modality

PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}
ARRAYS = {".npy", ".npz", ".safetensors"}


@dataclass(frozen=True, eq=False)
class FileEmbeddings:
    """Arrays read from one file.

    A `.npy` holds one array. A `.npz` or `.safetensors` holds `embeddings`, or `text` and `image`; an `.npz` may hold `ids`, which
    must then be the ids of the scene table and decide which row belongs to which scene.
    """

    id: str
    revision: str
    """Hash of the file."""
    arrays: dict[str, Floats]
    """By modality, or under "embeddings" where the file does not say."""
    ids: tuple[str, ...] | None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the file says it holds; a single unnamed array can be either."""
        named: tuple[Modality, ...] = ("text", "image")
        return tuple(modality for modality in named if modality in self.arrays)

    def rows(self, scenes: Scenes, modality: Modality) -> Floats:
        """The rows (n, d) of n scenes, in the order of the table.

        Raises:
            ModalityError: the file does not hold the modality.
            MismatchError: rows and scenes do not belong together; both are named.
        """
        if modality not in self.arrays and "embeddings" not in self.arrays:
            raise ModalityError(f"{self.id} holds {' and '.join(self.arrays)}, not {modality}")
        array = self.arrays.get(modality, self.arrays.get("embeddings"))
        assert array is not None
        if len(array) != len(scenes):
            raise MismatchError(
                f"{self.id} has {len(array)} rows but the scenes '{scenes.name}' have {len(scenes)}; "
                "give one row per scene, in the order of the table"
            )
        if self.ids is None:
            return array
        position = {name: row for row, name in enumerate(self.ids)}
        missing = [name for name in scenes.ids if name not in position]
        if missing or len(position) != len(self.ids):
            problem = f"lacks {len(missing)} of them, the first is '{missing[0]}'" if missing else "has duplicate ids"
            raise MismatchError(f"the ids in {self.id} are not those of the scenes '{scenes.name}': it {problem}")
        return array[[position[name] for name in scenes.ids]]


def read_embeddings_file(path: Path) -> FileEmbeddings:
    """Read a `.npy`, `.npz` or `.safetensors` file; pickled content is refused.

    Raises:
        UnsafeFileError: a pickle, or an array of Python objects.
        FileError: missing, unreadable, or of an unknown kind.
        ShapeError: an array is not (rows, d).
        ValueRangeError: NaN or infinite numbers.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise UnsafeFileError(
            f"{path} may be a pickle, and reading a pickle can execute code; save the array with numpy.save (.npy) or as .safetensors"
        )
    if not path.exists():
        raise FileError(f"no such file: {path}")
    if suffix not in ARRAYS:
        raise FileError(f"{path}: expected embeddings as {', '.join(sorted(ARRAYS))}, or a folder written by conceptbind embed")
    try:
        arrays = _read(path, suffix)
    except ValueError as error:
        if "pickle" in str(error) or "object" in str(error).lower():
            raise UnsafeFileError(f"{path} holds Python objects, which only a pickle can restore; save plain numbers") from error
        raise FileError(f"could not read {path}: {error}") from error
    except Exception as error:  # safetensors and zipfile raise errors of their own for a broken file
        raise FileError(f"could not read {path}: {error}") from error
    ids = _row_names(path, arrays)
    known = {name: array for name, array in arrays.items() if name in ("embeddings", "text", "image")}
    if len(arrays) == 1 and not known:
        known = {"embeddings": next(iter(arrays.values()))}
    if not known:
        raise FileError(f"{path} holds {', '.join(arrays) or 'nothing'}; expected an array 'embeddings', or 'text' and 'image'")
    for name, array in known.items():
        if array.ndim != 2 or array.shape[1] == 0 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise ShapeError(f"{path}: '{name}' must be real numbers of shape (rows, dimensions); got {array.dtype} {array.shape}")
        if array.dtype not in (np.float32, np.float64):
            known[name] = array.astype(np.float32)
        refuse_non_finite(known[name], f"{path}: '{name}'")
    return FileEmbeddings(f"file:{path}", file_hash(path)[:16], known, ids)


def _row_names(path: Path, arrays: dict[str, Any]) -> tuple[str, ...] | None:
    """Take the array `ids` out of a file's arrays: the names of its rows, if it has any."""
    ids = arrays.pop("ids", None)
    if ids is None:
        return None
    if ids.ndim != 1 or any(len(array) != len(ids) for array in arrays.values() if array.ndim):
        raise ShapeError(f"{path}: 'ids' must be one name a row; got shape {ids.shape}")
    return tuple(map(str, (np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids).tolist()))


def _read(path: Path, suffix: str) -> dict[str, Any]:
    if suffix == ".npy":
        return {"embeddings": np.load(path, mmap_mode="r", allow_pickle=False)}
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    from safetensors.torch import load_file

    return {
        name: (tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor).numpy()
        for name, tensor in load_file(path).items()
    }
