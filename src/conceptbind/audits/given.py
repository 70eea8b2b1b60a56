"""Rows of captions that another program embeds: an audit without an encoder.

`rows.txt` names what is to be embedded, one caption on each line, and `rows.npy` beside it holds
the rows. The first call writes the captions, and the same call audits when the rows are there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.audits.retrieval import unit_rows
from conceptbind.core.errors import FileError, MismatchError, ModalityError, counted
from conceptbind.core.files import user_path, write_whole
from conceptbind.core.text import read_text
from conceptbind.rows.arrays import ARRAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.rows.arrays import FileEmbeddings


@dataclass(frozen=True)
class GivenRows:
    """A file of rows, and the captions beside it."""

    path: Path

    @property
    def captions(self) -> Path:
        """What the rows are of."""
        return self.path.with_suffix(".txt")

    @property
    def there(self) -> bool:
        """Whether the rows are there."""
        return self.path.exists()

    def ask_for(self, texts: Sequence[str]) -> FileError:
        """Write the captions to embed; what to tell the user is returned, to be raised.

        Args:
            texts: the captions.

        Raises:
            MismatchError: other captions stand there.
        """
        lines = lines_of(texts)
        if self.captions.exists():
            self._require(lines)
        else:
            write_whole(self.captions, "\n".join(lines) + "\n")
        return FileError(
            f"{self.path} is not there yet; embed the {counted(len(lines), 'line')} of "
            f"{self.captions} with the model of the index, save their rows there in this order, "
            "and give the same command again"
        )

    def rows(self, found: FileEmbeddings, texts: Sequence[str]) -> Float[Floats, "texts width"]:
        """(t, d) unit rows of captions.

        Args:
            found: what the file holds.
            texts: t captions.

        Raises:
            FileError: no captions stand beside the rows.
            MismatchError: others stand there, or the file holds another number of rows.
            ModalityError: the file holds rows of pictures alone.
            ValueRangeError: a row is zero.
        """
        lines = lines_of(texts)
        if not self.captions.exists():
            raise FileError(
                f"there is no {self.captions} that says what the rows of {self.path.name} are of; "
                "name a new file of rows, and the captions are written beside it"
            )
        self._require(lines)
        array = found.arrays.get("text", found.arrays.get("embeddings"))
        if array is None:
            raise ModalityError(f"{self.path} holds rows of pictures; give rows of captions")
        if len(array) != len(lines):
            raise MismatchError(
                f"{self.path} has {counted(len(array), 'row')} and {self.captions} has "
                f"{len(lines):,} lines; save one row for each line, in their order"
            )
        return unit_rows(np.asarray(array, dtype=np.float32), whose=self.path.name)

    def _require(self, lines: Sequence[str]) -> None:
        """Raise MismatchError where other captions stand beside the rows."""
        if read_text(self.captions, "the captions").splitlines() != list(lines):
            raise MismatchError(
                f"{self.captions} does not hold the {counted(len(lines), 'caption')} that this "
                "audit compares; the index or an option changed, so name another file of rows, or "
                "delete that one"
            )


def given_rows(encoder: object) -> GivenRows | None:
    """The file of rows that stands in the place of an encoder; None where none does.

    Args:
        encoder: as a user gave it: `file:rows.npy`, or a path.
    """
    named = isinstance(encoder, str) and encoder.startswith("file:")
    if not named and not isinstance(encoder, os.PathLike):
        return None
    path = user_path(str(encoder).removeprefix("file:"))
    return GivenRows(path) if path.suffix.lower() in ARRAYS else None


def lines_of(texts: Sequence[str]) -> list[str]:
    """Texts as lines: whatever separates words is one space.

    Args:
        texts: captions.
    """
    return [" ".join(text.split()) for text in texts]
