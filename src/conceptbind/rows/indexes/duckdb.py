"""A table of a DuckDB database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MissingExtraError, UnknownNameError, counted, nearest
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
        self._database, self._table, self.name, self.kept = database, table, column, kept

    def arrow(self, start: int, stop: int) -> Any:
        """Arrow array of rows `start` to `stop`."""
        rows = self.kept[start:stop]
        low, high = int(rows[0]), int(rows[-1])
        ask = (
            f"SELECT rowid, {_quoted(self.name)} FROM {self._table} "  # noqa: S608
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
        return texts_of(self._column.arrow(start, stop), self._column.name)


def _tables(database: Any) -> dict[str, str | None]:
    """Tables by what they are called here, as SQL names them; None for views. A table of another
    schema than the usual one is called SCHEMA.TABLE.
    """
    asked = (
        "SELECT table_schema, table_name, table_type FROM information_schema.tables "
        "WHERE table_catalog = current_database() "
        "ORDER BY table_schema <> 'main', table_schema, table_name"
    )
    found: dict[str, str | None] = {}
    for schema, table, kind in database.execute(asked).fetchall():
        called = table if schema == "main" else f"{schema}.{table}"
        whole = f"{_quoted(schema)}.{_quoted(table)}"
        found[called] = None if kind == "VIEW" else whole
    return found


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
        tables = _tables(database)
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        raise FileError(f"could not read {path} as a DuckDB database: {reason:.200}") from error
    called, wanted = _named(place, [*tables])
    table = tables[called]
    if table is None:
        raise FileError(
            f"'{called:.60}' of {path.name} is a view, whose rows have no numbers; write it as a "
            "table (CREATE TABLE ... AS FROM ...) and name that"
        )
    empty = database.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table()  # noqa: S608
    if "rowid" in map(str.lower, empty.column_names):
        raise FileError(
            f"the table '{called:.60}' of {path.name} has a column called rowid, which hides the "
            "numbers of its rows; call it otherwise"
        )
    fitting = [one.name for one in empty.schema if is_list_of_numbers(one.type)]
    where = f"the table '{called}' of {path.name}"
    column = column_of(wanted, fitting, empty.column_names, where)
    ask = f"FROM {table} WHERE len({_quoted(column)}) > 0"  # an empty list marks a failure
    kept = database.sql(f"SELECT rowid {ask} ORDER BY rowid").to_arrow_table().column(0)
    rows = np.asarray(kept.cast(pa.int64()))
    total = database.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0]  # noqa: S608
    part = DuckRows(_Column(database, table, column, rows), path.name)

    def texts(names: tuple[str, ...]) -> Texts | None:
        there = first_of_names(names, set(empty.column_names) - {column})
        if there is None:
            return None
        return Texts([DuckTexts(_Column(database, table, there, rows))])

    return Index(
        place.text,
        sampled_hash([path], called, column),
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
            f"{place.path.name} has {counted(len(tables), 'table')}"
            + (f" ({', '.join(tables):.200})" if tables else "")
            + f"; name one behind the path, as {place.path.name}::{(*tables, 'TABLE')[0]}"
        )
    if wanted in tables:
        return wanted, None
    table, _, column = wanted.rpartition(".")
    if table in tables:
        return table, column
    raise UnknownNameError(
        f"{place.path.name} has no table '{wanted:.60}'; {nearest(wanted, tables)}"
    )
