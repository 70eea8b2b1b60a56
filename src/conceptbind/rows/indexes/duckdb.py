"""A table of a DuckDB database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MissingExtraError, UnknownNameError, nearest
from conceptbind.core.limits import require_regular
from conceptbind.rows.indexes.contract import Index, RowPart, Rows, TextPart, Texts
from conceptbind.rows.indexes.places import (
    CAPTIONS,
    KEYS,
    PICTURES,
    column_of,
    first_of_names,
    is_list_of_numbers,
    matrix_of,
    modality_of,
    sampled_hash,
    texts_of,
)

if TYPE_CHECKING:
    from jaxtyping import Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "duckdb"
SUFFIXES = (".duckdb", ".ddb")


class _Column:
    """One column of the rows that have an embedding, in the order of the table."""

    def __init__(self, database: Any, table: str, column: str, kept: Ints) -> None:
        self._database, self._table, self._column, self.kept = database, table, column, kept

    def arrow(self, start: int, stop: int) -> Any:
        """Arrow array of rows `start` to `stop`."""
        rows = self.kept[start:stop]
        low, high = int(rows[0]), int(rows[-1])
        ask = (
            f"SELECT rowid, {_quoted(self._column)} FROM {_quoted(self._table)} "  # noqa: S608
            f"WHERE rowid BETWEEN {low} AND {high} ORDER BY rowid"
        )
        found = self._database.sql(ask).to_arrow_table().combine_chunks()
        places = np.searchsorted(np.asarray(found.column(0)), rows)
        return found.column(1).take(places)


class DuckRows(RowPart):
    """Rows of a column of lists of numbers."""

    def __init__(self, column: _Column, file: str) -> None:
        self._column, self.n, self.name = column, len(column.kept), file
        self.width = len(column.arrow(0, 1)[0]) if self.n else 0

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        return matrix_of(self._column.arrow(start, stop), self.width, self.name)


class DuckTexts(TextPart):
    """Texts of a column."""

    def __init__(self, column: _Column) -> None:
        self._column, self.n = column, len(column.kept)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return texts_of(self._column.arrow(start, stop))


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def claims(place: Place) -> bool:
    """Whether the file is called .duckdb or .ddb."""
    return bool(place.of(*SUFFIXES))


def open_place(place: Place) -> Index:
    """The table, opened for reading only; `FILE::TABLE` or `FILE::TABLE.COLUMN` names it where
    there are several.

    Raises:
        MissingExtraError: duckdb or pyarrow is not installed.
        FileError: it is no database, or another program writes to it.
        UnknownNameError: there is no such table or column.
    """
    try:
        import duckdb
        import pyarrow as pa
    except ImportError as error:
        package = "pyarrow" if "pyarrow" in str(error) else "duckdb"
        raise MissingExtraError(package, "duckdb", f"reading {place.path.name}") from error
    path = require_regular(place.of(*SUFFIXES)[0], "a DuckDB database")
    try:
        database = duckdb.connect(str(path), read_only=True)
        tables = [row[0] for row in database.execute("SHOW TABLES").fetchall()]
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        raise FileError(f"could not read {path} as a DuckDB database: {reason:.200}") from error
    table, wanted = _named(place, tables)
    empty = database.sql(f"SELECT * FROM {_quoted(table)} LIMIT 0").to_arrow_table()  # noqa: S608
    fitting = [one.name for one in empty.schema if is_list_of_numbers(one.type)]
    where = f"the table '{table}' of {path.name}"
    column = column_of(wanted, fitting, empty.column_names, where)
    ask = f"FROM {_quoted(table)} WHERE {_quoted(column)} IS NOT NULL"
    kept = database.sql(f"SELECT rowid {ask} ORDER BY rowid").to_arrow_table().column(0)
    rows = np.asarray(kept.cast(pa.int64()))
    total = database.sql(f"SELECT count(*) FROM {_quoted(table)}").fetchall()[0][0]  # noqa: S608
    part = DuckRows(_Column(database, table, column, rows), path.name)

    def texts(names: tuple[str, ...]) -> Texts | None:
        there = first_of_names(names, set(empty.column_names) - {column})
        if there is None:
            return None
        return Texts([DuckTexts(_Column(database, table, there, rows))])

    return Index(
        place.text,
        sampled_hash([path], table, column),
        name,
        {modality_of(column): Rows([part], place.text)},
        captions=texts(CAPTIONS),
        pictures=texts(PICTURES),
        keys=texts(KEYS),
        failed=int(total) - len(rows),
        folder=str(path.parent),
    )


def _named(place: Place, tables: list[str]) -> tuple[str, str | None]:
    """The table, and the column where one is named."""
    wanted = place.column
    if wanted is None:
        if len(tables) == 1:
            return tables[0], None
        raise UnknownNameError(
            f"{place.path.name} has {len(tables)} tables ({', '.join(tables):.200}); name one "
            f"behind the path, as {place.path.name}::{tables[0] if tables else 'TABLE'}"
        )
    if wanted in tables:
        return wanted, None
    table, _, column = wanted.rpartition(".")
    if table in tables:
        return table, column
    raise UnknownNameError(
        f"{place.path.name} has no table '{wanted:.60}'; {nearest(wanted, tables)}"
    )
