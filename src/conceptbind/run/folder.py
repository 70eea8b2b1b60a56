"""The folder of one run: `config.yaml` first, results last, every file whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.core.escape import csv_text
from conceptbind.core.files import (
    CHECKSUM,
    clear_asides,
    has_half_characters,
    read_checked_json,
    read_json,
    write_checked_json,
    write_whole,
)
from conceptbind.core.kept import Kept, read_label
from conceptbind.core.ownership import FolderLock, own

if TYPE_CHECKING:
    from conceptbind.core.records import Record

CONFIG = "config.yaml"
MOST = 1e300
"""No number of a record is larger."""
PLACE_OPTIONS = ("out", "device", "executor", "address", "jobs", "stack")
"""Options that say where something is done, not what: a run folder may be moved, and continued on
another device or cluster."""


@dataclass(frozen=True)
class RunFolder:
    """One run on disk, ours alone while the command runs. A folder belongs to one configuration for
    good once anything was computed.
    """

    path: Path
    lock: FolderLock | None = field(default=None, compare=False, repr=False)

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any], growing: Sequence[str] = ()) -> RunFolder:
        """Create the folder, or continue in one of the same configuration.

        What a killed command left half-written there goes, and the configuration of a run that left
        nothing else is written anew. Nothing else is ever removed or replaced.

        Args:
            path: the folder.
            config: the resolved options of the command, as `--config` reads them.
            growing: options that may change, since what they ask for is kept piece by piece; the
                new configuration replaces the old.

        Raises:
            FolderInUseError: another command writes there.
            MismatchError: the folder belongs to another configuration (each difference is named),
                or holds other files.
            FileError: the folder cannot be written, or its configuration cannot be read.
        """
        if path.exists() and not path.is_dir():
            raise FileError(f"{path} is a file; choose a folder for the run with --out")
        _require_text(config)
        lock = own(path)
        kept = Kept(path, CONFIG, "another run", config, apart=(*PLACE_OPTIONS, *growing))
        try:
            kept.begin()
        except MismatchError:
            lock.release()
            raise
        clear_asides(path, deep=True)
        if growing:
            kept.note(config)
        return cls(path, lock)

    def write_results(
        self,
        provenance: Mapping[str, Any],
        records: Sequence[Record],
        told: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `results.csv` and, last of a run, `results.json`: the same records, one flat row
        each.

        Args:
            provenance: see `runs.provenance`.
            records: of all studies.
            told: what else `results.json` holds, for `finished`.

        Raises:
            FileError: the disk is full or the folder is not writable.
        """
        rows = [record.flat() for record in records]
        write_whole(self.path / "results.csv", _as_csv(rows))
        content = {"provenance": dict(provenance), "records": rows, **(told or {})}
        write_checked_json(self.path / "results.json", content)

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table with a header, comma-separated."""
        write_whole(self.path / name, csv_text([columns, *rows]))

    def finished(self) -> dict[str, Any] | None:
        """What `write_results` wrote when the run was finished; None where it was not, or its
        results were changed since.

        A table that says something else than the results is written anew.
        """
        if not all(
            (self.path / name).is_file() for name in ("results.json", "results.csv", "report.html")
        ):
            return None
        try:
            found = read_checked_json(self.path / "results.json")
            table = _as_csv(found["records"])
        except (FileError, KeyError, TypeError, AttributeError):
            return None
        written = self.path / "results.csv"
        if written.read_bytes() != table.encode():
            write_whole(written, table)
        return found


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Flat records with a header."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text([columns, *([row.get(name, "") for name in columns] for row in rows)])


def kept_option(path: Path, name: str) -> Any:
    """An option of the run that a folder belongs to; None where it belongs to none, or the run had
    no such option.
    """
    return (read_label(path / CONFIG) or {}).get(name)


def read_results(path: Path) -> list[dict[str, Any]]:
    """The flat records of a run folder.

    Raises:
        FileError: there is no `results.json`, or it is broken or of another form.
    """
    file = path / "results.json"
    if not file.is_file():
        raise FileError(
            f"{path} is no run folder: it holds no results.json; give a folder written by "
            "conceptbind measure or repair"
        )
    found = read_json(file)
    if isinstance(found, dict) and CHECKSUM in found:  # runs of earlier versions have none
        found = read_checked_json(file, "run it again")
    records = found.get("records") if isinstance(found, dict) else None
    wrong = (
        "no list of records"
        if not isinstance(records, list)
        else next(filter(None, map(_wrong_record, records)), None)
    )
    if wrong is not None:
        raise FileError(
            f"{file} is not of the form that conceptbind writes ({wrong}); run it again"
        )
    return cast("list[dict[str, Any]]", records)


def _wrong_record(row: Any) -> str | None:
    """What is wrong with one flat record, in words."""
    if not isinstance(row, dict):
        return f"a record is {row!r:.40}"
    for name in ("study", "modality", "metric", "value", "n"):
        if name not in row:
            return f"a record lacks '{name}'"
    texts, numbers = (
        ("study", "modality", "metric", "split", "scenes", "encoder"),
        ("value", "n", "ties", "ci_low", "ci_high"),
    )
    for name, value in row.items():
        finite = not isinstance(value, int | float) or abs(value) < MOST
        right = (
            isinstance(value, str)
            if name in texts
            else not isinstance(value, str | bool) or name not in numbers
        )
        if not (right and finite and isinstance(value, str | int | float | bool | None)):
            return f"a record has {name!r:.40} = {value!r:.40}"
    return None if row["n"] is not None else "a record lacks 'n'"


def _require_text(config: Mapping[str, Any]) -> None:
    """Raise ValueRangeError for an option that no file can hold."""
    for name, value in config.items():
        if isinstance(value, str) and (has_half_characters(value) or "\0" in value):
            raise ValueRangeError(
                f"the option {name} is {ascii(value)[:200]}, which holds a zero byte or bytes that "
                "are no UTF-8; write it in UTF-8"
            )
