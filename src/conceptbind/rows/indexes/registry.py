"""The containers of indexes, in the order in which they are tried."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from conceptbind.core.errors import FileError, UnknownNameError
from conceptbind.rows.indexes.places import place_of

if TYPE_CHECKING:
    from conceptbind.rows.indexes.contract import Index
    from conceptbind.rows.indexes.places import Place

CONTAINERS = ("clip_retrieval", "lance", "webdataset", "parquet", "npy", "faiss", "duckdb")
"""Modules of this room, each with `name`, `claims` and `open_place`."""
WITHOUT_COLUMNS = frozenset(("clip-retrieval", "npy", "faiss"))
"""Those of which no column can be named."""


class Container(Protocol):
    """One kind of index."""

    name: str

    def claims(self, place: Place) -> bool:
        """Whether a place is of this kind, by its names alone."""

    def open_place(self, place: Place) -> Index:
        """The index at a place."""


def container_of(place: Place) -> Container | None:
    """The first kind that a place is of; None where it is of none."""
    home = __name__.rpartition(".")[0]
    for name in CONTAINERS:
        container: Container = import_module(f"{home}.{name}")  # type: ignore[assignment]
        if container.claims(place):
            return container
    return None


def pattern_below(folder: Path) -> str | None:
    """A pattern that names files of an index in the folders of a folder; None where there are none.

    Args:
        folder: that holds no index itself.
    """
    for suffix in (".parquet", ".tar", ".npy"):
        if next(folder.glob(f"*/*{suffix}"), None) is not None:
            return f"{folder}/*/*{suffix}"
    return None


def open_container(given: str | Path) -> Index | None:
    """An index that somebody built; None where nothing of that kind lies there.

    Args:
        given: a folder of clip-retrieval, .npy or parquet files, a .lance folder, .tar shards of
            webdataset, a .faiss or .index file, or a .duckdb file. `::COLUMN` behind it names a
            column, of a database `::TABLE` or `::TABLE.COLUMN`.

    Raises:
        ConceptBindError: it cannot be read, or its parts do not fit.
    """
    place = place_of(given)
    found = container_of(place)
    if found is not None and (place.column is None or found.name not in WITHOUT_COLUMNS):
        return found.open_place(place)
    if place.column is not None and (found is not None or place.path.exists()):
        raise UnknownNameError(
            f"'{place.text:.80}' names the column '{place.column:.40}' of what has no columns; "
            "leave out what stands behind ::"
        )
    if found is None and place.files and not place.path.exists():
        raise FileError(
            f"{place.text:.80} names {place.files[0].name:.60}, which is no file of an index that "
            "is read (.npy, .parquet, .tar, .faiss, .duckdb); unpack what is packed"
        )
    if any(mark in str(place.path) for mark in "*?["):
        raise FileError(f"no file is called {place.path}; give a pattern that names files")
    return None
