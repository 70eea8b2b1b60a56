"""The folder of one run: `config.yaml` first, results last, every file whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.core.escape import csv_text
from conceptbind.core.files import (
    clear_asides,
    has_half_characters,
    read_checked_json,
    write_whole,
)
from conceptbind.core.kept import Kept, read_label
from conceptbind.core.ownership import FolderLock, own
from conceptbind.core.records import Records
from conceptbind.core.results import (
    RESULTS,
    TABLE,
    Results,
    as_csv,
    load_results,
    write_results,
)

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Record

CONFIG = "config.yaml"
PLACE_OPTIONS = (
    *("out", "device", "workers", "picture_batch", "executor", "address", "jobs", "stack"),
    *("require", "junit", "watch"),
)
"""Options that say where something is done or how it is judged, not what is done: a run folder may
be moved, continued on another device or cluster, and held against other requirements."""


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
        nothing else is written again. Nothing else is ever removed or replaced.

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
        *,
        verdicts: Sequence[Verdict] = (),
        sentences: Sequence[str] = (),
    ) -> None:
        """Write `results.csv` and, last of a run, `results.json`: the same records, one flat row
        each.

        Args:
            provenance: see `run.facts.provenance`.
            records: of all studies.
            told: what else `results.json` holds, for `finished`.
            verdicts: with their words, scores and sentences.
            sentences: the verdicts and what else is said, in words.

        Raises:
            FileError: the disk is full or the folder is not writable.
        """
        found = Results(Records(records), provenance, tuple(verdicts), tuple(sentences), told or {})
        write_results(self.path, found)

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table with a header, comma-separated."""
        write_whole(self.path / name, csv_text([columns, *rows]))

    def finished(self) -> Results | None:
        """What `write_results` wrote when the run was finished; None where it was not, or its
        results were changed since.

        A table that says something else than the results is written again.
        """
        if not all((self.path / name).is_file() for name in (RESULTS, TABLE, "report.html")):
            return None
        try:
            read_checked_json(self.path / RESULTS)
            found = load_results(self.path)
        except FileError:
            return None
        table, written = as_csv(found.records), self.path / TABLE
        if written.read_bytes() != table.encode():
            write_whole(written, table)
        return found


def kept_option(path: Path, name: str) -> Any:
    """An option of the run that a folder belongs to; None where it belongs to none, or the run had
    no such option.

    Args:
        path: a run folder.
        name: name of the option.
    """
    return (read_label(path / CONFIG) or {}).get(name)


def _require_text(config: Mapping[str, Any]) -> None:
    """Raise ValueRangeError for an option that no file can hold."""
    for name, value in config.items():
        if isinstance(value, str) and (has_half_characters(value) or "\0" in value):
            raise ValueRangeError(
                f"the option {name} is {ascii(value)[:200]}, which holds a zero byte or bytes that "
                "are no UTF-8; write it in UTF-8"
            )
