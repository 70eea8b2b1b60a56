"""Hard negatives that others have written down: NegCLIP's table."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conceptbind.core.errors import UnknownNameError, ValueRangeError, counted
from conceptbind.core.files import user_path
from conceptbind.core.text import require_characters
from conceptbind.repairs.negatives.permutations import same_words
from conceptbind.scenes.readers.tables import read_lines

NO_NEGATIVE = "captions without a negative"
SAME_AS_CAPTION = "negatives equal to their caption"

_COLUMNS = ("title", "neg_caption")


@dataclass(frozen=True)
class WrittenNegatives:
    """Captions with the negatives that a file gives them."""

    pairs: list[tuple[str, list[str]]]
    """(caption, its negatives: one or more), in the order of the file."""
    skipped: Mapping[str, int]
    """What was left out, by reason."""


def read_negclip(path: str | Path) -> WrittenNegatives:
    """Read NegCLIP's captions: a table `title, filepath, neg_caption, neg_image`, separated by
    tabs.

    The negatives of a caption are written as a Python list. It is parsed as a literal and never
    evaluated. Captions with an empty list are left out, and so are negatives that differ from their
    caption in case, spaces and marks only: no negatives at all.

    Args:
        path: a file of tab-separated values.

    Raises:
        FileError: the file is missing or not UTF-8 text.
        UnsafeFileError: the file is a pickle.
        UnknownNameError: a column is missing.
        ValueRangeError: a line is too short, or its `neg_caption` is not a list of text; names file
            and line.
    """
    path = user_path(path)
    (_, header), *lines = read_lines(path)
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise UnknownNameError(
            f"{path} has no column {' and no column '.join(map(repr, missing))}: expected the "
            "columns title, filepath, neg_caption, neg_image, "
            f"separated by tabs; got {', '.join(map(repr, header))}"
        )
    title, negative = (header.index(name) for name in _COLUMNS)
    pairs: list[tuple[str, list[str]]] = []
    skipped: Counter[str] = Counter()
    for number, cells in lines:
        where = f"{path}, line {number}"
        if len(cells) != len(header):
            raise ValueRangeError(
                f"{where}: expected {counted(len(header), 'cell')} as in the header, got "
                f"{len(cells)}"
            )
        caption = cells[title]
        written = _texts(where, cells[negative])
        kept = [text for text in written if same_words(text) != same_words(caption)]
        skipped[SAME_AS_CAPTION] += len(written) - len(kept)
        if kept:
            pairs.append((caption, kept))
        else:
            skipped[NO_NEGATIVE] += 1
    require_characters(
        [text for caption, kept in pairs for text in (caption, *kept)],
        f"{path}: caption or negative",
    )
    return WrittenNegatives(pairs, {reason: count for reason, count in skipped.items() if count})


def _texts(where: str, cell: str) -> list[str]:
    try:
        with warnings.catch_warnings():
            # "\d" in a caption; which of the two depends on Python's version
            for kind in (
                SyntaxWarning,
                DeprecationWarning,
            ):
                warnings.simplefilter("ignore", kind)
            found = ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueRangeError(
            f"{where}: neg_caption must be a list of text written as ['...', '...'], which is "
            f"parsed and never run; got {cell[:60]!r}"
        ) from error
    if not isinstance(found, list) or not all(
        isinstance(text, str) and text.strip() for text in found
    ):
        raise ValueRangeError(
            f"{where}: neg_caption must be a list of text, ['...', '...']; got {cell[:60]!r}"
        )
    return found
