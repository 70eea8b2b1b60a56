"""Which rows of a table make one item together, by a published number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.fields import Entry
from conceptbind.core.errors import MismatchError

if TYPE_CHECKING:
    from conceptbind.benchmarks.description import Task


def numbered_items(rows: Iterable[Any], task: Task, path: Path) -> Iterator[Entry]:
    """Items of the rows 1 to `group`, `group` + 1 to 2 `group` and so on by their number, in this
    order, however the rows are sorted.

    Args:
        rows: what the table holds.
        task: with `group` and `numbered`.
        path: of the table.

    Raises:
        MismatchError: a number is none or stands twice, or a row of an item is not there.
    """
    field = task.numbered
    found: dict[int, Any] = {}
    for place, row in enumerate(rows, start=1):
        number = Entry(row, f"{path}, row {place}").whole(field)
        if number in found:
            raise MismatchError(f"{path}: two rows have the number {number} ('{field:.60}')")
        found[number] = row
    for first in sorted({number - (number - 1) % task.group for number in found}):
        numbers = range(first, first + task.group)
        absent = next((number for number in numbers if number not in found), None)
        if first < 1 or absent is not None:
            told = f"{absent} is not there" if first > 0 else "numbers begin with 1"
            raise MismatchError(
                f"{path}: the rows {first} to {numbers[-1]} by '{field:.60}' are one item, and "
                f"{told}; get the file again from where it is published"
            )
        members = {str(place): found[number] for place, number in enumerate(numbers)}
        yield Entry(members, f"{path}, rows {first} to {numbers[-1]}")


def require_same(entry: Entry, task: Task) -> None:
    """Raise MismatchError where rows of one item differ in a field that they must share.

    Args:
        entry: the rows of an item, by `0`, `1`, ...
        task: with `group` and `same`.
    """
    for field in task.same:
        values = list(dict.fromkeys(_of_row(entry, field, row) for row in range(task.group)))
        if len(values) > 1:
            raise MismatchError(
                f"{entry.where}: the rows of one item must have one '{field:.60}'; they have "
                f"'{values[0]:.60}' and '{values[1]:.60}'"
            )


def _of_row(entry: Entry, field: str, row: int) -> str:
    """A field of one of the rows."""
    return entry.text("|".join(f"{row}.{one}" for one in field.split("|")))
