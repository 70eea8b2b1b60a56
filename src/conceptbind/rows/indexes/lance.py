"""Columns of a `.lance` folder, as LanceDB keeps its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MissingExtraError
from conceptbind.rows.indexes.contract import Index, RowPart, Rows, TextPart, Texts
from conceptbind.rows.indexes.kept import KeptRows, KeptTexts
from conceptbind.rows.indexes.places import (
    CAPTIONS,
    KEYS,
    PICTURES,
    column_of,
    filled_matrix,
    first_of_names,
    has_numbers,
    is_list_of_numbers,
    modality_of,
    sampled_hash,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "lance"


class LanceRows(RowPart):
    """Rows of a column of lists of numbers."""

    def __init__(self, table: Any, column: str, file: str) -> None:
        self._table, self._column, self.name = table, column, file
        self.n = int(table.count_rows())
        kind = table.schema.field(column).type
        self.width = int(getattr(kind, "list_size", 0)) or self._first()

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        array = _span(self._table, self._column, start, stop)
        return filled_matrix(array, self.width, self.name)

    def at(  # noqa: D102
        self, places: Int[Ints, " rows"]
    ) -> Iterator[tuple[Int[Ints, " some"], Shaped[Floats, "some width"]]]:
        found = self._table.take(places.tolist(), columns=[self._column])
        yield np.arange(len(places)), filled_matrix(found.column(0), self.width, self.name)

    def _first(self) -> int:
        """Width of lists that state no size: that of the first."""
        for batch in self._table.to_batches(columns=[self._column]):
            there = np.flatnonzero(has_numbers(batch.column(0)))
            if len(there):
                return len(batch.column(0)[int(there[0])])
        return 0


class LanceTexts(TextPart):
    """Texts of a column."""

    def __init__(self, table: Any, column: str) -> None:
        self._table, self._column, self.n = table, column, int(table.count_rows())

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return texts_of(_span(self._table, self._column, start, stop), self._column)


def _span(table: Any, column: str, start: int, stop: int) -> Any:
    return table.to_table(columns=[column], offset=start, limit=stop - start).column(0)


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def claims(place: Place) -> bool:
    """Whether the folder is called .lance."""
    return place.path.suffix == ".lance" and place.path.is_dir()


def open_place(place: Place) -> Index:
    """The newest version of the table; `PATH::COLUMN` names the column where there are several.

    Raises:
        MissingExtraError: pylance is not installed.
        FileError: it is damaged.
        UnknownNameError: there is no such column.
    """
    try:
        import lance
    except ImportError as error:
        raise MissingExtraError("pylance", "lance", f"reading {place.path.name}") from error
    try:
        table = lance.dataset(str(place.path))
    except Exception as error:  # lance raises errors of its own
        reason = " ".join(str(error).split())
        raise FileError(f"could not read {place.path} as a lance table: {reason:.200}") from error
    schema = table.schema
    fitting = [one.name for one in schema if is_list_of_numbers(one.type)]
    column = column_of(place.column, fitting, schema.names, place.path.name)
    part: RowPart = LanceRows(table, column, place.path.name)
    kept = _there(table, column)
    total = part.n
    if kept is not None:
        part = KeptRows(part, kept)

    def texts(names: tuple[str, ...]) -> Texts | None:
        there = first_of_names(names, set(schema.names) - {column})
        if there is None:
            return None
        found: TextPart = LanceTexts(table, there)
        return Texts([found if kept is None else KeptTexts(found, kept)])

    versions = sorted((place.path / "_versions").glob("*"))
    return Index(
        place.text,
        sampled_hash(versions, column, str(table.version)),
        name,
        {modality_of(column): Rows([part], place.text)},
        captions=texts(CAPTIONS),
        pictures=texts(PICTURES),
        keys=texts(KEYS),
        failed=total - part.n,
        folder=str(place.path.parent),
    )


def _there(table: Any, column: str) -> Ints | None:
    """Numbers of the rows that have an embedding; None where all have."""
    fixed = hasattr(table.schema.field(column).type, "list_size")
    if fixed and not table.count_rows(filter=f"{_quoted(column)} IS NULL"):
        return None  # such lists are never empty
    found, first = [], 0
    for batch in table.to_batches(columns=[column]):
        found.append(first + np.flatnonzero(has_numbers(batch.column(0))))
        first += len(batch)
    there = np.concatenate(found) if found else np.empty(0, np.int64)
    return None if len(there) == first else there
