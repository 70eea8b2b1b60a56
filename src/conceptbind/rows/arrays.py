"""`file:` embeddings that somebody else computed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    FileError,
    MismatchError,
    ModalityError,
    ShapeError,
    UnsafeFileError,
    ValueRangeError,
    counted,
    cut,
    cut_left,
)
from conceptbind.core.files import content_hash, file_hash, user_path
from conceptbind.core.limits import header_of, require_archive, require_regular
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.rows.held import as_array

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Modality
    from conceptbind.scenes.table import Scenes

PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}
ARRAYS = {".npy", ".npz", ".safetensors"}
NAMES = ("embeddings", "text", "image")


@dataclass(frozen=True, eq=False, repr=False)
class FileEmbeddings:
    """Arrays read from one file.

    A `.npy` holds one array. A `.npz` or `.safetensors` holds `embeddings`, or `text` and `image`.
    An `.npz` may hold `ids`, which must then be the ids of the scene table and decide which row
    belongs to which scene.
    """

    id: str
    revision: str
    """Hash of the file."""
    arrays: dict[str, Float[Floats, "_ _"]]
    """Arrays by modality, or under "embeddings" where the file does not say."""
    ids: tuple[str, ...] | None

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {array.shape}" for name, array in self.arrays.items())
        return f"<rows of {cut_left(self.id, 40)}: {cut(held, 45)}>"

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What the file says it holds; a single unnamed array can be either."""
        named: tuple[Modality, ...] = ("text", "image")
        return tuple(modality for modality in named if modality in self.arrays)

    def rows(self, scenes: Scenes, modality: Modality) -> Float[Floats, "scenes width"]:
        """The rows (n, d) of n scenes, in the order of the table.

        Raises:
            ModalityError: the file does not hold the modality.
            MismatchError: rows and scenes do not belong together; both are named.
        """
        if modality not in self.arrays and "embeddings" not in self.arrays:
            raise ModalityError(f"{self.id} holds {' and '.join(self.arrays)}, not {modality}")
        array = self.arrays.get(modality, self.arrays.get("embeddings"))
        assert array is not None
        _require_rows(self.id, len(array), scenes)
        if self.ids is None:
            return array
        position = {name: row for row, name in enumerate(self.ids)}
        missing = [name for name in scenes.ids if name not in position]
        if missing or len(position) != len(self.ids):
            problem = (
                f"lacks {len(missing)} of them, the first is '{missing[0]}'"
                if missing
                else "has duplicate ids"
            )
            raise MismatchError(
                f"the ids in {self.id} are not those of the scenes '{scenes.name}': it {problem}"
            )
        return array[[position[name] for name in scenes.ids]]


@explains_arguments
def read_embeddings_file(path: str | Path, scenes: Scenes | None = None) -> FileEmbeddings:
    """Read a `.npy`, `.npz` or `.safetensors` file; pickled content is refused.

    What its headers state is checked before any array is unpacked.

    Args:
        path: the file.
        scenes: which the rows are to belong to, where that is known.

    Raises:
        UnsafeFileError: a pickle, or an array of Python objects.
        FileError: missing, damaged, larger than memory, or of an unknown kind.
        ShapeError: an array is not (rows, d).
        MismatchError: an array has another number of rows.
        ValueRangeError: NaN or infinite numbers.
    """
    path = user_path(path)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise UnsafeFileError(
            f"{path} may be a pickle, and reading a pickle can execute code; save the array with "
            "numpy.save (.npy) or as .safetensors"
        )
    require_regular(path, "an array file")
    if suffix not in ARRAYS:
        raise FileError(
            f"{path}: expected embeddings as {', '.join(sorted(ARRAYS))}, or a folder written by "
            "conceptbind embed"
        )
    shapes = _shapes(path, suffix)
    if shapes is not None:
        for name in _known(path, [name for name in shapes if name != "ids"]):
            shape, kind = shapes[name]
            _require_table(path, name, shape, kind)
            if scenes is not None:
                _require_rows(f"file:{path}", shape[0], scenes)
    try:
        arrays = _read(path, suffix)
    except (
        Exception
    ) as error:  # safetensors and zipfile raise errors of their own for a broken file
        reason = " ".join((str(error) or type(error).__name__).split())
        raise FileError(f"could not read {path}: {reason:.200}") from error
    ids = _row_names(path, arrays)
    known = {name: arrays[name] for name in _known(path, arrays)}
    if len(known) == 1 == len(arrays) and not {*known} & set(NAMES):
        known = {"embeddings": next(iter(known.values()))}
    for name, array in known.items():
        _require_table(path, name, array.shape, array.dtype)
        if array.dtype not in (np.float32, np.float64):
            # what single precision does not hold is infinite, and refused
            with np.errstate(over="ignore"):
                known[name] = array.astype(np.float32)
        refuse_non_finite(known[name], f"{path}: '{name}'")
    return FileEmbeddings(f"file:{path}", file_hash(path)[:16], known, ids)


def arrays_in_memory(given: Any) -> FileEmbeddings:
    """Rows that a Python program holds.

    Args:
        given: an array (n, d), a data frame (whose index, where it is of names, says which row
            belongs to which scene), or a mapping of `text` and `image` to arrays.

    Raises:
        ShapeError: an array is not (rows, d).
        ValueRangeError: NaN or infinite numbers, or arrays of other names.
    """
    named = dict(given) if isinstance(given, Mapping) else {"embeddings": given}
    if not named or not set(named) <= set(NAMES):
        raise ValueRangeError(
            f"expected arrays named 'text' and 'image'; got {', '.join(map(str, named)):.200}"
        )
    arrays = {name: as_array(array, f"the array '{name}'") for name, array in named.items()}
    where = Path("the array")
    for name, array in arrays.items():
        _require_table(where, name, array.shape, array.dtype)
        if array.dtype not in (np.float32, np.float64):
            arrays[name] = array.astype(np.float32)
        refuse_non_finite(arrays[name], f"{where}: '{name}'")
    index = getattr(given, "index", None)
    ids = None
    if index is not None and not callable(index) and all(isinstance(name, str) for name in index):
        ids = tuple(index)
    parts = (part for name in sorted(arrays) for part in (name, arrays[name].tobytes()))
    revision = content_hash(*parts)[:16]
    return FileEmbeddings(f"array-{revision}", revision, arrays, ids)


def _known(path: Path, names: Iterable[str]) -> list[str]:
    """The names of the arrays that are read: those that say what they are, or the only one."""
    names = list(names)
    known = [name for name in names if name in NAMES] or (names if len(names) == 1 else [])
    if not known:
        raise FileError(
            f"{path} holds {', '.join(names) or 'nothing':.200}; expected an array 'embeddings', "
            "or 'text' and 'image'"
        )
    return known


def _require_table(path: Path, name: str, shape: tuple[int, ...], kind: Any) -> None:
    if (
        len(shape) != 2
        or shape[1] == 0
        or not np.issubdtype(kind, np.number)
        or np.issubdtype(kind, np.complexfloating)
    ):
        raise ShapeError(
            f"{path}: '{name}' must be real numbers of shape (rows, dimensions); got {kind} {shape}"
        )


def _require_rows(name: str, rows: int, scenes: Scenes) -> None:
    if rows != len(scenes):
        raise MismatchError(
            f"{name} has {counted(rows, 'row')} but the scenes '{scenes.name}' have {len(scenes)}; "
            "give one row per scene, in the order of the table"
        )


def _shapes(path: Path, suffix: str) -> dict[str, tuple[tuple[int, ...], Any]] | None:
    """Shape and kind of each array, as the file states them, or None where its reader checks them
    itself.
    """
    if suffix == ".npy":
        with path.open("rb") as file:
            return {"embeddings": header_of(file, path.stat().st_size, str(path))}
    if suffix != ".npz":
        return None
    require_archive(path)
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            where = f"array '{name:.60}' of {path}"
            if name == member.filename:
                raise FileError(
                    f"{path} holds '{name:.60}', which is not an array; write it with numpy.savez"
                )
            try:
                stream = archive.open(member)
            except Exception as error:  # zipfile raises what it likes for damaged members
                reason = str(error) or type(error).__name__
                raise FileError(
                    f"{path} is damaged: {reason:.200}; write it again with numpy.savez"
                ) from error
            with stream:
                found[name] = header_of(stream, member.file_size, where)
    return found


def _row_names(path: Path, arrays: dict[str, Any]) -> tuple[str, ...] | None:
    """Take the array `ids` out of a file's arrays: the names of its rows, if it has any."""
    ids = arrays.pop("ids", None)
    if ids is None:
        return None
    if ids.ndim != 1 or any(len(array) != len(ids) for array in arrays.values() if array.ndim):
        raise ShapeError(f"{path}: 'ids' must be one name per row; got shape {ids.shape}")
    try:
        return tuple(
            map(str, (np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids).tolist())
        )
    except (UnicodeDecodeError, ValueError) as error:  # ValueError: letters beyond Unicode
        raise FileError(
            f"{path}: 'ids' are not text in UTF-8 ({error}); write them as numbers or as text"
        ) from error


def _read(path: Path, suffix: str) -> dict[str, Any]:
    if suffix == ".npy":
        return {"embeddings": np.load(path, mmap_mode="r", allow_pickle=False)}
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    from safetensors.torch import load_file

    return {
        name: (
            tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor
        ).numpy()
        for name, tensor in load_file(path).items()
    }
