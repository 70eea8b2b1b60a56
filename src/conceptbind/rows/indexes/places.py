"""Where an index lies: a file, a folder, or a pattern of files, and with `::` a column of it."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    FileError,
    ShapeError,
    UnknownNameError,
    counted,
    nearest,
    quoted,
)
from conceptbind.core.files import content_hash, file_hash, user_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Shaped

    from conceptbind.core.typing import Bools, Floats

SEPARATOR = "::"
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_NUMBER = re.compile(r"(\d+)")
WHOLE = 1 << 28
"""Bytes of a file whose hash is of all that it holds."""
SAMPLED, PIECES = 1 << 16, 256
"""Bytes of a piece of a larger one, and how many its hash is of."""
CAPTIONS = ("caption", "captions", "text", "txt", "TEXT")
PICTURES = ("image_path", "image", "path", "url", "file_name", "filename", "URL")
KEYS = ("key", "id", "__key__", "image_id", "ids")
"""Names of columns that hold captions, pictures and keys; the first that is there is taken."""


@dataclass(frozen=True)
class Place:
    """What a user named as an index."""

    text: str
    """As it was written."""
    path: Path
    column: str | None
    """What stands behind `::`."""
    files: tuple[Path, ...]
    """The file; all that a pattern matches; or what a folder holds itself. By number."""

    def of(self, *suffixes: str) -> list[Path]:
        """The files with one of some suffixes."""
        return [path for path in self.files if path.suffix.lower() in suffixes]


def place_of(given: str | Path) -> Place:
    """What a user wrote: PATH, a pattern with `*`, `?` or `{000..127}`, and `::COLUMN` behind it.

    Args:
        given: as it was written; `file:` may stand before it.
    """
    text = str(given).removeprefix("file:")
    name, _, column = text.partition(SEPARATOR)
    path = user_path(name)
    return Place(text, path, column or None, tuple(_files(path)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        return sorted((one for one in path.iterdir() if one.is_file()), key=by_number)
    text = str(path)
    braces = _BRACES.search(text)
    if braces:
        low, high, width = int(braces[1]), int(braces[2]), len(braces[1])
        names = (
            f"{text[: braces.start()]}{number:0{width}d}{text[braces.end() :]}"
            for number in range(low, high + 1)
        )
        found = [Path(name) for name in names]
        missing = next((one for one in found if not one.is_file()), None)
        if missing is not None:
            raise FileError(f"{path} names {missing.name}, which is not there; copy it there")
        return found
    if not any(mark in text for mark in "*?["):
        return []
    return sorted((Path(one) for one in glob.glob(text)), key=by_number)


def by_number(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """An order of files in which 2 comes before 10."""
    pieces = _NUMBER.split(path.name)
    return [(int(one.isdigit()), int(one or 0) if one.isdigit() else 0, one) for one in pieces], (
        str(path)
    )


def sampled_hash(paths: Iterable[Path], *told: str) -> str:
    """A hash of files: of all that they hold, or of large ones of their sizes and of pieces at
    equal distances, since an index of gigabytes is not read twice to be named.

    Args:
        paths: files.
        told: what else decides the rows, such as a column.
    """
    parts: list[bytes | str] = [*told]
    for path in paths:
        size = path.stat().st_size
        parts += [path.name, str(size)]
        if size <= WHOLE:
            parts.append(file_hash(path))
            continue
        with path.open("rb") as file:
            for number in range(PIECES):
                file.seek(number * (size - SAMPLED) // (PIECES - 1))
                parts.append(file.read(SAMPLED))
    return content_hash(*parts)[:16]


def column_of(wanted: str | None, fitting: Sequence[str], all_of: Sequence[str], name: str) -> str:
    """The column that holds embeddings.

    Args:
        wanted: the one that the user named.
        fitting: columns that hold lists of numbers.
        all_of: all columns.
        name: of the file, for messages.

    Raises:
        UnknownNameError: there is none, or several and none was named.
        ShapeError: the one that was named holds something else.
    """
    if wanted is not None:
        if wanted not in all_of:
            raise UnknownNameError(
                f"{name} has no column '{wanted:.60}'; {nearest(wanted, all_of)}"
            )
        if wanted not in fitting:
            raise ShapeError(
                f"the column '{wanted:.60}' of {name} does not hold lists of numbers; name one "
                f"that does ({', '.join(fitting) or 'there is none'})"
            )
        return wanted
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UnknownNameError(
            f"{name} has no column of embeddings, that is of lists of numbers; its columns are "
            f"{', '.join(all_of):.300}"
        )
    raise UnknownNameError(
        f"{name} has several columns of embeddings ({', '.join(fitting):.200}); name one behind "
        f"the path, as {name}{SEPARATOR}{fitting[0]}"
    )


def first_of_names(names: Sequence[str], columns: Iterable[str]) -> str | None:
    """The first of some names that is a column; None where none is."""
    there = set(columns)
    return next((name for name in names if name in there), None)


def modality_of(column: str) -> str:
    """What the rows of a column are of, by its name; `embeddings` where that does not say."""
    words = set(re.split(r"[^a-z]+", column.lower()))
    if words & {"img", "image", "images", "picture", "pictures", "visual"}:
        return "image"
    if words & {"text", "txt", "caption", "captions"}:
        return "text"
    return "embeddings"


def matrix_of(array: Any, width: int | None, name: str) -> Shaped[Floats, "rows width"]:
    """A column of lists, as pyarrow holds it, as a matrix.

    Args:
        array: an Arrow array of lists or lists of fixed size, none of them null.
        width: that they have; None takes that of the first.
        name: for messages.

    Raises:
        ShapeError: a list has another width.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    n = len(array)
    if pa.types.is_fixed_size_list(array.type):
        sizes = np.full(n, array.type.list_size)
    else:
        sizes = np.diff(np.asarray(array.offsets))
    wanted = int(sizes[0]) if width is None and n else int(width or 0)
    if (sizes != wanted).any():
        row = int(np.argmax(sizes != wanted))
        raise ShapeError(
            f"{name} has rows of {counted(wanted, 'dimension')} and one of {int(sizes[row])}; "
            "give rows of one encoder"
        )
    flat = array.flatten()
    values = flat.to_numpy(zero_copy_only=False)
    return values.reshape(n, wanted)


def filled_matrix(array: Any, width: int, name: str) -> Shaped[Floats, "rows width"]:
    """A column of lists as a matrix; rows without an embedding are zero, and never asked for.

    Args:
        array: see `matrix_of`; some of it may be null or empty.
        width: that the lists have.
        name: for messages.

    Raises:
        ShapeError: a list has another width.
    """
    there = has_numbers(array)
    if there.all():
        return matrix_of(array, width, name)
    rows = np.zeros((len(array), width), dtype=np.float32)
    if there.any():
        import pyarrow as pa

        rows[there] = matrix_of(array.filter(pa.array(there)), width, name)
    return rows


def has_numbers(array: Any) -> Bool[Bools, " rows"]:
    """Which cells of a column of lists hold numbers: an empty list marks a failure as null does.

    Args:
        array: an Arrow array, or one in chunks.
    """
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.list_value_length(array), 0)) > 0


def texts_of(array: Any, name: str = "") -> list[str | None]:
    """A column, as pyarrow holds it, as texts; None where a cell is null.

    Args:
        array: of texts, numbers, lists of texts (the first is taken), or of pictures as
            `datasets` keeps them (their path).
        name: of the column, for messages.

    Raises:
        ShapeError: a cell holds something else.
    """
    return [text_of(cell, name) for cell in array.to_pylist()]


def text_of(cell: Any, name: str = "") -> str | None:
    """A cell as a text; see `texts_of`.

    Args:
        cell: as Python has it.
        name: of the column, for messages.

    Raises:
        ShapeError: it holds something else.
    """
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, float) and (isnan(cell) or cell.is_integer()):
        return None if isnan(cell) else str(int(cell))  # whole numbers of a column with gaps
    if isinstance(cell, list):
        return next(filter(None, (text_of(one, name) for one in cell)), None)
    if isinstance(cell, dict) and "path" in cell:
        return text_of(cell["path"], name)
    raise ShapeError(
        f"a cell of the column '{name:.60}' must hold a text; got {quoted(cell)}; give texts, or "
        "call the column by another name"
    )


def is_list_of_numbers(kind: Any) -> bool:
    """Whether a type of pyarrow is lists of numbers."""
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_one(kind) for is_one in lists):
        return False
    return bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
