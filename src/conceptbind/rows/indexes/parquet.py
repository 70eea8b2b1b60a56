"""Columns of parquet files, read batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MismatchError, MissingExtraError
from conceptbind.core.limits import require_regular
from conceptbind.rows.indexes.contract import BLOCK, Index, RowPart, Rows, TextPart, Texts
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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jaxtyping import Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "parquet"


class Table:
    """One parquet file.

    Raises:
        MissingExtraError: pyarrow is not installed.
        FileError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_regular(path, "a parquet file")
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("pyarrow", "parquet", f"reading {path.name}") from error
        try:
            with pq.ParquetFile(path) as file:
                self.schema: Any = file.schema_arrow
                self.metadata: Any = file.metadata
        except Exception as error:  # pyarrow raises errors of its own for a damaged file
            raise FileError(
                f"could not read {path}: {' '.join(str(error).split()):.200}"
            ) from error
        self.n = int(self.metadata.num_rows)
        groups = (self.metadata.row_group(k).num_rows for k in range(self.metadata.num_row_groups))
        self.ends: Any = np.cumsum(list(groups), dtype=np.int64)

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(self.schema.names)

    @property
    def embeddings(self) -> list[str]:
        """Names of the columns that hold lists of numbers."""
        return [one.name for one in self.schema if is_list_of_numbers(one.type)]

    def batches(self, column: str, start: int = 0) -> Iterator[tuple[int, Any]]:
        """A column from a row on, some rows at once, each time with the number of the first.

        Args:
            column: its name.
            start: the first row that is wanted; what is read begins at its row group.
        """
        import pyarrow.parquet as pq

        group = int(np.searchsorted(self.ends, start, side="right"))
        first = int(self.ends[group - 1]) if group else 0
        with pq.ParquetFile(self.path) as file:
            groups = range(group, len(self.ends))
            for batch in file.iter_batches(BLOCK, row_groups=list(groups), columns=[column]):
                yield first, batch.column(batch.schema.get_field_index(column))
                first += len(batch)

    def valid(self, column: str) -> Int[Ints, " valid"] | None:
        """Numbers of the rows of a column of lists that hold numbers; None where all do."""
        groups = range(self.metadata.num_row_groups)
        leaf = self._leaf(column)
        stats = [self.metadata.row_group(group).column(leaf).statistics for group in groups]
        if all(one is not None and one.has_null_count and not one.null_count for one in stats):
            return None  # an empty list counts as null there
        found = [first + np.flatnonzero(has_numbers(part)) for first, part in self.batches(column)]
        rows = np.concatenate(found) if found else np.empty(0, np.int64)
        return None if len(rows) == self.n else rows

    def _leaf(self, column: str) -> int:
        """Where the numbers of a column stand among the leaves of all columns. Names do not tell:
        `image.embedding` may be a column, or a field of the column `image`.
        """
        before = self.schema.get_field_index(column)
        return sum(_leaves(self.schema.field(k).type) for k in range(before))

    def holds_whole_numbers(self, column: str) -> bool:
        """Whether a column is one of whole numbers."""
        import pyarrow as pa

        return bool(pa.types.is_integer(self.schema.field(column).type))

    def texts(self, column: str) -> ParquetTexts:
        """A column as texts."""
        return ParquetTexts(self, column)


class _Column:
    """Reads rows of a column; what follows what was read last costs no new beginning."""

    def __init__(self, table: Table, column: str) -> None:
        self.table, self.column = table, column
        self._coming: Iterator[tuple[int, Any]] | None = None
        self._held: tuple[int, Any] | None = None

    def arrays(self, start: int, stop: int) -> list[Any]:
        """Arrow arrays that hold rows `start` to `stop`."""
        found: list[Any] = []
        if self._held is None or self._held[0] > start or self._far(start):
            self._coming = self.table.batches(self.column, start)
            self._held = next(self._coming, None)
        while start < stop and self._held is not None:
            first, array = self._held
            if start < first + len(array):
                taken = array.slice(start - first, min(stop, first + len(array)) - start)
                found.append(taken)
                start += len(taken)
            if start < stop:
                assert self._coming is not None
                self._held = next(self._coming, None)
        return found

    def _far(self, start: int) -> bool:
        """Whether another row group begins between what is held and what is wanted."""
        assert self._held is not None
        group = int(np.searchsorted(self.table.ends, start, side="right"))
        before = int(self.table.ends[group - 1]) if group else 0
        return self._held[0] + len(self._held[1]) < before


class ParquetRows(RowPart):
    """Rows of a column of lists of numbers."""

    def __init__(self, table: Table, column: str) -> None:
        self.n, self.name = table.n, table.path.name
        self._column = _Column(table, column)
        self.width = _width(table, column)

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        parts = [
            filled_matrix(array, self.width, self.name)
            for array in self._column.arrays(start, stop)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)


class ParquetTexts(TextPart):
    """Texts of a column."""

    def __init__(self, table: Table, column: str) -> None:
        self.n, self._column = table.n, _Column(table, column)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        found: list[str | None] = []
        for array in self._column.arrays(start, stop):
            found += texts_of(array, self._column.column)
        return found


def _width(table: Table, column: str) -> int:
    """Width of the first row that is there; 0 of a file without any."""
    kind = table.schema.field(column).type
    if hasattr(kind, "list_size"):
        return int(kind.list_size)
    for _, array in table.batches(column):
        there = np.flatnonzero(has_numbers(array))
        if len(there):
            return len(array[int(there[0])])
    return 0


def _leaves(kind: Any) -> int:
    """Columns of a parquet file that a type takes."""
    if not kind.num_fields:
        return 1
    return sum(_leaves(kind.field(k).type) for k in range(kind.num_fields))


def _require_none(
    there: Sequence[str | None], tables: Sequence[Table], names: Sequence[str]
) -> None:
    """Raise MismatchError where some files have a column and others lack it."""
    lacks, has = there.index(None), next((one for one in there if one is not None), None)
    if has is not None:
        raise MismatchError(
            f"{tables[lacks].path.name} has no column '{has}', which other files have; write it "
            f"again, with a column called {' or '.join(names[:2])}"
        )


def claims(place: Place) -> bool:
    """Whether there is a parquet file."""
    return bool(place.of(".parquet"))


def open_place(place: Place) -> Index:
    """The files one behind the other; `PATH::COLUMN` names the column where there are several.

    Raises:
        UnknownNameError: a file has no such column.
        ShapeError: the column holds no lists of numbers, or two files have two widths.
        MismatchError: some files have captions, and others lack them.
    """
    tables = [Table(path) for path in place.of(".parquet")]
    tables = [table for table in tables if table.n] or tables[:1]
    wanted = place.column
    rows, kept = [], []
    for table in tables:
        wanted = column_of(wanted, table.embeddings, table.columns, table.path.name)
        some = table.valid(wanted)
        part: RowPart = ParquetRows(table, wanted)
        rows.append(part if some is None else KeptRows(part, some))
        kept.append(some)
    assert wanted is not None
    joined = Rows([part for part in rows if part.n], place.text)

    def texts(names: tuple[str, ...]) -> Texts | None:
        there = [first_of_names(names, set(table.columns) - {wanted}) for table in tables]
        if None in there:
            if names is CAPTIONS:  # without the others an index is read all the same
                _require_none(there, tables, names)
            return None
        found: list[TextPart] = []
        for table, column, some in zip(tables, there, kept, strict=True):
            part: TextPart = table.texts(str(column))
            found.append(part if some is None else KeptTexts(part, some))
        return Texts([part for part in found if part.n])

    lengths = [table.n for table in tables]
    return Index(
        place.text,
        sampled_hash([table.path for table in tables], wanted),
        name,
        {modality_of(wanted): joined},
        captions=texts(CAPTIONS),
        pictures=texts(PICTURES),
        keys=texts(KEYS),
        failed=sum(lengths) - len(joined),
        folder=str(tables[0].path.parent),
    )
