"""What a Python program holds in the place of a file: rows, numbers of rows, captions. Each is
named by its content, so that a run folder can say what it was made of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import ModalityError, ShapeError, ValueRangeError, counted, quoted
from conceptbind.core.files import content_hash

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    import pandas as pd
    from jaxtyping import Shaped

    from conceptbind.core.typing import Floats
    from conceptbind.rows.embeddings import Embeddings

    AnyRows: TypeAlias = "str | Path | Floats | pd.DataFrame | Embeddings | HeldRows"
    """A file of rows, or rows."""
    AnyCaptions: TypeAlias = "str | Path | Iterable[str] | HeldCaptions"
    """A file of captions, or captions."""


@dataclass(frozen=True, eq=False, repr=False)
class HeldRows:
    """An array, as if it had been read from a file."""

    id: str
    """`array-` and a hash of what it holds."""
    values: Shaped[Floats, " ..."]
    encoder: str = ""
    """What made the rows, where that is known."""
    revision: str = ""

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<rows {self.id}: {' x '.join(map(str, self.values.shape))}>"


@dataclass(frozen=True, eq=False, repr=False)
class HeldCaptions:
    """Captions, as if they had been read from a file."""

    id: str
    """`captions-` and a hash of what they say."""
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<{self.id}: {counted(len(self.lines), 'caption')}>"


def as_array(given: Any, name: str) -> Shaped[Floats, " ..."]:
    """An array of numpy, of torch (on any device, in any precision), of a data frame, or a list.

    Args:
        given: what a program holds.
        name: how messages call it.

    Raises:
        ShapeError: it does not hold real numbers.
    """
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        if given.is_floating_point() and given.itemsize < 4:  # numpy has no bfloat16
            given = given.float()
    try:
        array: Floats = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{name} is not an array of numbers: {error}") from error
    if array.dtype.kind not in "fiu":
        came = f"{array.dtype} {array.shape}" if array.ndim else quoted(given)
        raise ShapeError(f"{name} must hold real numbers; got {came}")
    return array


def held_rows(given: Any, name: str) -> HeldRows:
    """Rows, or one number for each row, that a program holds.

    Args:
        given: an array of numpy or torch, a data frame, a list, or `Embeddings`.
        name: how messages call it.

    Raises:
        ShapeError: it does not hold real numbers.
        ModalityError: it holds embeddings of pictures where captions are expected, or the reverse.
    """
    made = _made(given, name)
    values = as_array(given.values if made else given, name)
    shape = f"{values.dtype.str} {values.shape}"
    return HeldRows(f"array-{content_hash(shape, values.tobytes())[:16]}", values, **made)


def _made(given: Any, name: str) -> dict[str, str]:
    """The encoder and the revision of `Embeddings`; nothing of an array."""
    if not hasattr(given, "modality"):
        return {}
    wanted = "image" if name == "images" else "text"
    if given.modality != wanted:
        raise ModalityError(f"{name} must be rows of the modality {wanted}; got {given.modality}")
    return {"encoder": given.encoder, "revision": given.revision}


def held_captions(given: Iterable[str], name: str) -> HeldCaptions:
    """Captions that a program holds.

    Args:
        given: a list, an array or a column of a data frame, of texts.
        name: how messages call it.

    Raises:
        ValueRangeError: it is not a list of texts, or one of them is empty.
    """
    try:
        lines = tuple(given)
    except TypeError as error:
        kind = type(given).__name__
        raise ValueRangeError(f"{name} must be a file or a list of captions; got {kind}") from error
    for at, line in enumerate(lines):
        if not isinstance(line, str) or not line.strip():
            raise ValueRangeError(f"{name} must hold texts; index {at} holds {quoted(line)}")
    return HeldCaptions(f"captions-{content_hash(*lines)[:16]}", tuple(map(str, lines)))


def held_index(given: Any, name: str) -> Any:
    """An index that a program holds; what knows where its rows come from stays as it is.

    Args:
        given: an array, a data frame or a list; or `Embeddings`, an index, a result.
        name: how messages call it.

    Raises:
        ShapeError: it does not hold real numbers.
    """
    knows = any(hasattr(given, known) for known in ("modality", "container", "folder"))
    return given if knows else held_rows(given, name)


HOLDERS: dict[str, Callable[[Any, str], object]] = {
    **dict.fromkeys(("images", "texts", "negatives", "image_of", "singles"), held_rows),
    "captions": held_captions,
    "index": held_index,
}
"""How an option is held, by its name."""


def file_or_held(name: str, value: Any) -> Any:
    """An option that is a file or what a file would hold; a file and None stay as they are."""
    if value is None or isinstance(value, str | os.PathLike | HeldRows | HeldCaptions):
        return value
    return HOLDERS[name](value, name)
