"""The kept records: how they are written, read and compared."""

from __future__ import annotations

import json
import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

Row = dict[str, Any]

FOLDER = Path(__file__).parent / "records"

VALUES = (
    *("value", "n", "ties", "ci_low", "ci_high", "lowest", "highest", "freedom"),
    *("validation", "validation_objects", "validation_concepts", "n_validation", "n_train"),
    *("n_seeds", "n_scenes", "n_coverages", "missing_values", "step", "chosen", "no_choice"),
    *("whitening", "l2", "gap_bound", "gradient_norm", "relative_gradient_norm", "gap"),
    *("pull", "recommended", "fixed", "broken", "mcnemar_p"),
)
"""Columns that a run finds out. All others say what a record is about: by them it is matched."""

ELSEWHERE = ("n",)
"""Columns that are compared on another machine. Measured with AVX2 in place of AVX-512: fits in
single precision round differently, choices by validation turn, and shares follow by up to 0.08."""

RENAMED: dict[str, str | None] = {"level": "additive_level", "question": "level"}
"""What a column of the kept records is called now; None where it was dropped, and why beside it."""

SAID: dict[object, Row] = {"controlled": {"control": "none"}}
"""What a record of a study says today where it said nothing: where a controlled model told scenes
from their swaps no control was named, and every record names one now."""


def machine() -> dict[str, str]:
    """What decides the last digit: the same here and there means equal to the last digit."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    told = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    units = sorted(
        set(told.get("flags", "").split())
        & {"avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"}
    )
    processor = [told.get("model name", platform.machine()), told.get("model", ""), *units]
    libraries = {
        name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch", "pillow")
    }
    threads = str(torch.get_num_threads())
    return {"processor": " ".join(processor), **libraries, "threads": threads}


def write(name: str, records: Sequence[Row], sentences: Sequence[str]) -> Path:
    """Write records/NAME.json: tables of records of one kind.

    What all records of a table share stands once in `same`. An empty text in a row means "as in the
    row above", and so do cells that are missing at the end of a row.
    """
    kinds: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for record in records:
        assert "" not in record.values()
        kinds[(record["study"], record["modality"], record["metric"], *record)].append(record)
    lines = ",\n".join(_table(rows) for rows in kinds.values())
    told = json.dumps(list(sentences), indent=0, ensure_ascii=False)
    head = f'"machine": {json.dumps(machine())},\n"sentences": {told}'
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(f'{{\n{head},\n"tables": [\n{lines}\n]\n}}\n', encoding="utf-8")
    return path


def _table(rows: list[Row]) -> str:
    changes = {name: _changes([row[name] for row in rows]) for name in rows[0]}
    same = {name: rows[0][name] for name, count in changes.items() if count == 0}
    columns = sorted(
        (name for name in changes if name not in same), key=lambda name: -changes[name]
    )
    written = []
    for before, row in zip([None, *rows], rows, strict=False):
        cells = ["" if before and _same(row[name], before[name]) else row[name] for name in columns]
        while cells and cells[-1] == "":
            cells.pop()
        written.append(json.dumps(cells, separators=(",", ":")))
    rows_written = ",\n".join(written)
    head = f'"same": {json.dumps(same)},\n"columns": {json.dumps(columns)}'
    return f'{{{head},\n"rows": [{rows_written}]}}'


def _changes(cells: Sequence[object]) -> int:
    """How often a cell differs from the one above."""
    return sum(not _same(one, other) for one, other in pairwise(cells))


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def read(name: str) -> tuple[dict[str, str], list[Row], list[str]]:
    """The machine, the records and the sentences of records/NAME.json."""
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    records = []
    for table in found["tables"]:
        last = [None] * len(table["columns"])
        for cells in table["rows"]:
            whole = [*cells, *[""] * (len(last) - len(cells))]
            last = [above if cell == "" else cell for cell, above in zip(whole, last, strict=True)]
            records.append(table["same"] | dict(zip(table["columns"], last, strict=True)))
    return found["machine"], records, found["sentences"]


def differences(
    kept: Iterable[Row], found: Iterable[Row], compared: Sequence[str], most: int = 8
) -> list[str]:
    """How the records found differ from those kept, in words; empty where they do not.

    Args:
        kept: records as they were, whose columns may have been RENAMED.
        found: records as they are; further columns and records of further studies do not count.
        compared: those of VALUES that must be equal, to the last digit.
        most: how many are told.
    """
    kept = [_renamed(row) for row in kept]
    found = [_present(row) for row in found]
    columns = {name for row in kept for name in row}
    values = [name for name in map(_name, compared) if name in columns]
    about = sorted(columns - set(map(_name, VALUES)))
    lost = {*about, *values} - {name for row in found for name in row}
    if lost:
        why = "if it was renamed or dropped, say so in RENAMED"
        return [f"no record has the column {name}; {why}" for name in sorted(lost)][:most]
    studies = {row["study"] for row in kept}
    before, after = (
        _matched(rows, about) for rows in (kept, [row for row in found if row["study"] in studies])
    )
    told: list[str] = []
    for key in {**before, **after}:
        one, other = before.get(key, []), after.get(key, [])
        told += _unequal(one, other, values, _words(about, key))
        if len(told) >= most:
            break
    return told[:most]


def _name(kept: str) -> str | None:
    """What a kept column is called now."""
    return RENAMED.get(kept, kept)


def _renamed(row: Row) -> Row:
    named = {_name(name): value for name, value in row.items()}
    return _present({name: value for name, value in named.items() if name is not None})


def _present(row: Row) -> Row:
    """A record without the columns that say nothing of it."""
    return SAID.get(row.get("study"), {}) | {
        name: value for name, value in row.items() if value is not None
    }


def _matched(rows: Iterable[Row], about: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    matched = defaultdict(list)
    for row in rows:
        matched[tuple(row.get(name) for name in about)].append(row)
    return matched


def _words(about: Sequence[str], key: tuple[Any, ...]) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in zip(about, key, strict=True) if value is not None
    )


def _unequal(before: list[Row], after: list[Row], values: Sequence[str], words: str) -> list[str]:
    if len(before) != len(after):
        return [f"{len(before)} kept and {len(after)} found of {words}"]
    told = []
    for old, new in zip(before, after, strict=True):
        wrong = [name for name in values if not _equal(old.get(name), new.get(name))]
        if wrong:
            change = "; ".join(
                f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in wrong
            )
            told.append(f"{change} of {words}")
    return told


def _equal(old: object, new: object) -> bool:
    return isinstance(old, bool) is isinstance(new, bool) and old == new


def ambiguous(records: Sequence[Row]) -> int:
    """How many records share with another one all that says what they are about."""
    about = sorted({name for row in records for name in row} - set(VALUES))
    return sum(
        n
        for n in Counter(tuple(row.get(name) for name in about) for row in records).values()
        if n > 1
    )
