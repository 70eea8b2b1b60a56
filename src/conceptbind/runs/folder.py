"""The folder of one run: `config.yaml` first, results last, every file whole."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.errors import FileError, MismatchError
from conceptbind.files import read_json, write_json, write_whole
from conceptbind.limits import read_options

if TYPE_CHECKING:
    from conceptbind.results import Record

CONFIG = "config.yaml"
PLACE_OPTIONS = ("out", "device", "executor", "address", "jobs", "stack")
"""Options that say where something is done, not what: a run folder may be moved, and continued on another device or cluster."""


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. A folder belongs to one configuration for good."""

    path: Path

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any], growing: Sequence[str] = ()) -> RunFolder:
        """Create the folder, or continue in one of the same configuration.

        Args:
            path: the folder.
            config: the resolved options of the command, as `--config` reads them.
            growing: options that may change, since what they ask for is kept piece by piece; the new configuration replaces the old.

        Raises:
            MismatchError: the folder belongs to another configuration (each difference is named), or holds other files.
            FileError: the folder cannot be written, or its configuration cannot be read.
        """
        import yaml

        if path.exists() and not path.is_dir():
            raise FileError(f"{path} is a file; choose a folder for the run with --out")
        written = path / CONFIG
        if _unstarted(path, config):  # a run that failed or was killed before it computed anything
            shutil.rmtree(path)
        if written.is_file():
            found = _read_config(written)
            same = [name for name in dict.fromkeys((*found, *config)) if name not in (*PLACE_OPTIONS, *growing)]
            other = [name for name in same if found.get(name) != config.get(name)]
            if other:
                differences = "; ".join(f"{name}: {found.get(name)} there, {config.get(name)} now" for name in other)
                raise MismatchError(
                    f"the run folder {path} belongs to another configuration ({differences}); "
                    "choose another folder with --out, or delete that one"
                )
            if found != dict(config) and growing:
                write_whole(written, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        elif path.is_dir() and any(path.iterdir()):
            raise MismatchError(
                f"{path} is not a run folder: it has files but no {CONFIG}; choose an empty or new folder with --out"
            )
        else:
            write_whole(written, yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True))
        return cls(path)

    def write_results(self, provenance: Mapping[str, Any], records: Sequence[Record]) -> None:
        """Write `results.json` and `results.csv`: the same records, one flat row each.

        Raises:
            FileError: the disk is full or the folder is not writable.
        """
        rows = [record.flat() for record in records]
        write_json(self.path / "results.json", {"provenance": dict(provenance), "records": rows})
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        write_whole(self.path / "results.csv", text.getvalue())


def kept_option(path: Path, name: str) -> Any:
    """An option of the run that a folder belongs to; None where it belongs to none, or the run had no such option."""
    return _read_config(path / CONFIG).get(name) if (path / CONFIG).is_file() else None


def read_results(path: Path) -> list[dict[str, Any]]:
    """The flat records of a run folder.

    Raises:
        FileError: there is no `results.json`, or it is broken or of another form.
    """
    file = path / "results.json"
    if not file.is_file():
        raise FileError(
            f"{path} is no run folder: it holds no results.json; give a folder written by conceptbind measure or repair"
        )
    found = read_json(file)
    records = found.get("records") if isinstance(found, dict) else None
    fields = {"study", "modality", "metric", "value", "n"}
    if not isinstance(records, list) or not all(isinstance(row, dict) and fields <= set(row) for row in records):
        raise FileError(f"{file} is not of the form that conceptbind writes: expected a list of flat records; run it again")
    return records


def _unstarted(path: Path, config: Mapping[str, Any]) -> bool:
    """Whether a folder is ours and holds nothing that was computed: only our descriptions of what was to come, and remains of a killed write."""
    if not path.is_dir():
        return False
    files = [file for file in path.rglob("*") if not file.is_dir()]
    ours = all(
        file.name in (CONFIG, "manifest.json", "pictures.json") or re.fullmatch(r"\..+\.\d+\.part", file.name) for file in files
    )
    if not files or not ours:
        return False
    if not (path / CONFIG).is_file():
        return all(file.parent == path and file.name.startswith(f".{CONFIG}.") for file in files)
    return set(_read_config(path / CONFIG)) == set(config)


def _read_config(path: Path) -> dict[str, Any]:
    return read_options(path, "delete the folder or choose another with --out")
