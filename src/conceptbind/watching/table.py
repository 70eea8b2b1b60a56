"""The table of a watch: one row per number of a look, whole looks only, continued after a kill.

`looks.csv` is what people read, `history.safetensors` what the next look is held against. The
latter is written first and holds the rows of its look too. So a kill between the two loses nothing,
and no look is told twice.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import ConceptBindError, FileError
from conceptbind.core.escape import csv_text, plain_cell
from conceptbind.core.files import clear_asides, write_whole
from conceptbind.core.kept import Kept, read_piece, write_piece
from conceptbind.core.outcomes import arrays_of, outcome_of
from conceptbind.core.ownership import own
from conceptbind.watching.changes import Change, History, Seen
from conceptbind.watching.scores import KEY

if TYPE_CHECKING:
    from conceptbind.watching.scores import ModelLook

LABEL, TABLE, HISTORY = "watch.json", "looks.csv", "history.safetensors"
COLUMNS = (
    *("look", "step", "checkpoint", "level"),
    *KEY,
    *("value", "ci_low", "ci_high", "n", "ties"),
    *("since", "change", "change_low", "change_high", "p", "told"),
    *("verdict", "seconds", "of"),
)
"""Columns of `looks.csv`. `since` to `told` are of the comparison: the step of the earlier look,
the paired difference with its interval, the corrected p, and rose or fell. `of` is how many rows a
look has."""


class Table:
    """The looks of one watch in a folder, which is this process's own while it lives.

    Args:
        folder: new, or of the same watch.
        identity: what decides the numbers besides the models.

    Raises:
        FolderInUseError: another process writes there.
        MismatchError: the folder is of another suite, or holds other files.
        FileError: it cannot be written, or its files are damaged.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        if folder.exists() and not folder.is_dir():
            raise FileError(f"{folder} is a file; choose a folder with --out")
        self.folder = folder
        self._lock = own(folder)
        self._owed, self.closed = "", False
        self.latest: list[dict[str, str]] = []
        """The rows of the look that was added last."""
        try:
            Kept(folder, LABEL, "another watch", identity).begin()
            clear_asides(folder, deep=True)
            self._continue()
        except ConceptBindError:
            self._lock.release()
            raise
        self.names = {row["checkpoint"] for row in self.rows()}
        """Checkpoints that were scored."""

    def _continue(self) -> None:
        """Take up what an earlier process left, without half a look."""
        self.history, text, last = self._read_history()
        self.looks, whole = self._whole_looks()
        if whole < self._size:
            self._cut(whole)
        if not (self.folder / TABLE).is_file():
            write_whole(self.folder / TABLE, csv_text([COLUMNS]))
        if last > self.looks:  # a kill came between the history and the table
            self._owe(text)
            self.settle()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.release()
        self.closed = True

    def reopen(self) -> None:
        """Take the folder again, with what others wrote into it meanwhile.

        Raises:
            FolderInUseError: another process writes there.
            FileError: its files are damaged.
        """
        if not self.closed:
            return
        self._lock = own(self.folder)
        try:
            self._continue()
        except ConceptBindError:
            self._lock.release()
            raise
        self.closed = False

    def add(self, look: ModelLook) -> dict[tuple[str, ...], Change]:
        """Compare a look with the earlier ones, and write it down, whole or not at all.

        Args:
            look: the next one.

        Raises:
            FileError: the disk is full. Where its name is in `names`, the look is remembered and
                its rows follow with `settle`.
        """
        self.settle()
        kept = self.history
        after = History(kept.seen, kept.looks, kept.comparisons, kept.step)
        changes = after.add(look)
        rows = self._rows(look, changes, self.looks + 1)
        text = csv_text(rows)
        self.latest = [*map(_plain, csv.DictReader(io.StringIO(text), COLUMNS))]
        self._write_history(after, text)
        self.history = after
        self.names.add(look.name)
        self._owe(text)
        self.settle()
        return changes

    def settle(self) -> None:
        """Write the rows of a look that a full disk kept out of the table.

        Raises:
            FileError: the disk is still full.
        """
        if self._owed:
            self._append(self._owed)
            self._owed = ""

    def _owe(self, text: str) -> None:
        self._owed = text
        self.looks += 1

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows of all looks, read one by one."""
        return rows_of(self.folder)

    def _rows(
        self, look: ModelLook, changes: Mapping[tuple[str, ...], Change], number: int
    ) -> list[list[Any]]:
        words = {(one.judges, one.modality): one.word for one in look.verdicts}
        levels = {"probe": 1, "within": 2, "crossmodal": 3}
        found = []
        for one in look.numbers:
            record, level = one.record, levels.get(one.record.study)
            change = changes.get(one.key)
            found.append(
                [
                    *(number, look.step, look.name, level),
                    *one.key,
                    *(record.value, record.ci_low, record.ci_high, record.n, record.ties),
                    *_compared(change),
                    words.get((level, record.modality)),
                    *(round(look.seconds, 3), len(look.numbers)),
                ]
            )
        return found

    def _append(self, text: str) -> None:
        """Add a look's rows in one write, on the disk when it returns."""
        path, data = self.folder / TABLE, text.encode()
        size = None
        try:
            size = path.stat().st_size
            with path.open("ab", buffering=0) as file:
                written = file.write(data)
                os.fsync(file.fileno())
            if written != len(data):
                raise OSError(None, "the disk is full")
        except OSError as error:
            if size is not None:
                self._cut(size)
            todo = "free some space or choose another folder with --out"
            if isinstance(error, FileNotFoundError):
                todo = "put it back, or start again with another --out"
            raise FileError(f"could not write {path}: {error.strerror or error}; {todo}") from error

    def _cut(self, size: int) -> None:
        with (self.folder / TABLE).open("r+b") as file:
            file.truncate(size)

    def _whole_looks(self) -> tuple[int, int]:
        """How many looks stand in the table whole, and how many bytes these take."""
        path = self.folder / TABLE
        self._size = path.stat().st_size if path.is_file() else 0
        if not self._size:
            return 0, 0
        head = csv_text([COLUMNS]).encode()
        with path.open("rb") as file:
            if file.readline() != head:
                raise FileError(f"{path} is not a table of this version; choose another folder")
            return _count(file, len(head), path)

    def _read_history(self) -> tuple[History, str, int]:
        path = self.folder / HISTORY
        if not path.is_file():
            return History(), "", 0
        piece = read_piece(path, "choose another folder with --out")
        facts, seen = piece.facts, {}
        try:
            for place, one in enumerate(facts["seen"]):
                key = tuple(one["key"])
                outcome = outcome_of(piece, place, dict(zip(KEY, key, strict=True)))
                seen[key] = Seen(one["step"], one["value"], outcome, one["kind"])
            history = History(seen, facts["looks"], facts["comparisons"], facts["step"])
            return history, str(facts["rows"]), int(facts["last"])
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(
                f"{path} is not of this version ({error}); choose another folder with --out"
            ) from error

    def _write_history(self, history: History, text: str) -> None:
        seen = [
            {"key": key, "step": one.step, "value": one.value, "kind": one.kind}
            for key, one in history.seen.items()
        ]
        arrays = arrays_of(one.outcome for one in history.seen.values())
        facts = {"seen": seen, "looks": history.looks, "comparisons": history.comparisons}
        facts |= {"step": history.step, "rows": text, "last": self.looks + 1}
        write_piece(self.folder / HISTORY, arrays, facts)


def rows_of(folder: Path) -> Iterator[dict[str, str]]:
    """The rows of the table of a watch, read one by one.

    Args:
        folder: of the watch.

    Raises:
        FileError: there is none, or it cannot be read.
    """
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from map(_plain, csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{path} cannot be read ({error}); choose another folder") from error


def _plain(row: dict[str, str]) -> dict[str, str]:
    """A row with the checkpoint's own name, which may have been escaped as a formula."""
    return row | {"checkpoint": plain_cell(row.get("checkpoint") or "")}


def _compared(change: Change | None) -> tuple[Any, ...]:
    if change is None:
        return (None,) * 6
    return change.since, change.change, *change.interval, change.p, change.word


def _count(file: Any, start: int, path: Path) -> tuple[int, int]:
    """Whole looks, and the bytes up to the end of the last of them."""
    looks, whole, place, held = 0, start, start, 0
    for line in file:
        place += len(line)
        cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
        if not line.endswith(b"\n") or len(cells) != len(COLUMNS):
            return looks, whole
        held += 1
        try:
            number, of = int(cells[0]), int(cells[-1])
        except ValueError as error:
            raise FileError(
                f"{path} was changed by hand (look {looks + 1}); choose another folder"
            ) from error
        if number != looks + 1 or held > of:
            raise FileError(f"{path} was changed by hand (look {looks + 1}); choose another folder")
        if held == of:
            looks, whole, held = looks + 1, place, 0
    return looks, whole
