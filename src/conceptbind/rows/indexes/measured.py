"""The rows of an index for a table of scenes: by key where the index has keys, else by number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import MismatchError
from conceptbind.core.limits import require_memory
from conceptbind.rows.arrays import FileEmbeddings

if TYPE_CHECKING:
    from conceptbind.rows.indexes.contract import Index
    from conceptbind.scenes.table import Scenes


def rows_of_index(index: Index, scenes: Scenes | None = None) -> FileEmbeddings:
    """Rows in memory, as those of an array file.

    Args:
        index: that another program built.
        scenes: a table; where its ids are among the keys of the index, their rows alone are read,
            in the order of the table.

    Raises:
        MismatchError: the index lacks some of the scenes, or has two rows under one key.
        ValueRangeError: the rows are more than memory holds.
    """
    places = None if scenes is None else _places(index, scenes)
    n = index.n if places is None else len(places)
    bytes_needed = 4.0 * n * sum(rows.width for rows in index.columns.values())
    require_memory(bytes_needed, f"'{index.id}'", "give the shards that hold the scenes alone")
    arrays = {
        name: np.asarray(rows) if places is None else rows[places]
        for name, rows in index.columns.items()
    }
    ids = None
    if places is not None and scenes is not None:
        ids = tuple(scenes.ids)
    elif index.keyed and index.keys is not None:
        ids = tuple(index.keys)
    return FileEmbeddings(f"file:{index.id}", index.revision, arrays, ids)


def _places(index: Index, scenes: Scenes) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """(n,) row of each scene by its key; None where rows are in the order of the table."""
    if index.keys is None:
        return None
    wanted = {name: place for place, name in enumerate(scenes.ids)}
    places = np.full(len(wanted), -1)
    for start, keys in index.keys.blocks():
        for row, key in enumerate(keys, start):
            if key not in wanted:
                continue
            if places[wanted[str(key)]] >= 0:
                raise MismatchError(
                    f"{index.id} has two rows under the key '{key:.60}' of the scenes "
                    f"'{scenes.name}'; give each row a key of its own"
                )
            places[wanted[str(key)]] = row
    missing = np.flatnonzero(places < 0)
    if not len(missing):
        return places
    if len(missing) == len(places) and not index.keyed:
        return None  # its keys are of another kind: rows are in the order of the table
    order = "" if index.keyed else ", or leave its keys out where rows are in the table's order"
    raise MismatchError(
        f"{index.id} has {index.n:,} rows under keys, and lacks {len(missing):,} of the scenes "
        f"'{scenes.name}', the first is '{scenes.ids[int(missing[0])]}'; name scenes by their keys "
        f"(column id){order}"
    )
