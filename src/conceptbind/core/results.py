"""`results.json` and `results.csv` of a run folder: the same records, one flat row each, and beside
them in `results.json` the provenance, the verdicts and what is said in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from conceptbind.core.errors import FileError
from conceptbind.core.escape import csv_text
from conceptbind.core.files import (
    CHECKSUM,
    read_checked_json,
    read_json,
    write_checked_json,
    write_whole,
)
from conceptbind.core.findings import Verdict, Verdicts, Word
from conceptbind.core.names import Metric, wrong_word
from conceptbind.core.records import FIELDS, Record, Records
from conceptbind.core.scored import unit_of

RESULTS, TABLE = "results.json", "results.csv"
SCHEMA = 2
"""Version of the form of `results.json`. Version 0 had no number, and records without `control`,
`repair` and `question` where a study had nothing to say of them. Up to version 1 the column `level`
was called `question`, and that of additive vectors `level`."""
ROUNDING = 1e-6
"""By how much a share may exceed 1."""
MOST = 1e300
"""No number of a record is larger."""
TEXTS = ("study", "modality", "metric", "split", "scenes", "encoder")
NUMBERS = ("value", "n", "ties", "ci_low", "ci_high", "level")


@dataclass(frozen=True)
class Results:
    """What `results.json` holds."""

    records: Records
    provenance: Mapping[str, Any]
    verdicts: tuple[Verdict, ...] = ()
    sentences: tuple[str, ...] = ()
    """The verdicts and what else is said, in words."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What else a command keeps there."""
    schema: int = SCHEMA


def write_results(folder: Path, results: Results) -> None:
    """Write `results.csv`, then `results.json`, so that who sees the second sees both.

    Raises:
        FileError: the disk is full or the folder is not writable.
    """
    write_whole(folder / TABLE, as_csv(results.records))
    content = {
        "schema": SCHEMA,
        "provenance": dict(results.provenance),
        "records": results.records.rows(),
        "verdicts": [asdict(verdict) for verdict in results.verdicts],
        "sentences": list(results.sentences),
        **results.told,
    }
    write_checked_json(folder / RESULTS, content)


def as_csv(records: Records) -> str:
    """The records with a header, comma-separated."""
    columns = records.columns()

    def cells(row: Mapping[str, Any]) -> list[Any]:
        return [row.get(name, "") for name in columns]

    return csv_text([columns, *map(cells, records.rows())])


def load_results(folder: Path) -> Results:
    """What `write_results` wrote, in this version or an earlier one.

    Raises:
        FileError: there is no `results.json`, or it is broken, or of another form.
    """
    file = folder / RESULTS
    if not file.is_file():
        raise FileError(
            f"{folder} is not a run folder: it holds no {RESULTS}; give a folder written by "
            "conceptbind measure or repair"
        )
    found = read_json(file)
    if isinstance(found, dict) and CHECKSUM in found:  # runs of the earliest versions have none
        found = read_checked_json(file, "run it again")
    wrong = _wrong(found)
    if wrong is not None:
        raise FileError(
            f"{file} is not of the form that conceptbind writes ({wrong}); run it again"
        )
    return _read(found)


def _read(found: dict[str, Any]) -> Results:
    kept = ("schema", "provenance", "records", "verdicts", "sentences")
    return Results(
        Records(map(Record.read, found["records"])),
        found.get("provenance", {}),
        Verdicts(map(_verdict, found.get("verdicts", ()))),
        tuple(found.get("sentences", ())),
        {name: value for name, value in found.items() if name not in kept},
        found.get("schema", 0),
    )


def _verdict(row: Mapping[str, Any]) -> Verdict:
    """A kept verdict, without what another version kept of it."""
    known = {item.name for item in fields(Verdict)}
    return Verdict(**{name: cell for name, cell in row.items() if name in known})


def _wrong(found: object) -> str | None:
    """What is wrong with the content of a file, in words."""
    if not isinstance(found, dict) or not isinstance(found.get("records"), list):
        return "no list of records"
    schema = found.get("schema", 0)
    if type(schema) is not int or schema < 0:
        return f"its schema is {schema!r:.40}"
    if schema > SCHEMA:
        return f"its schema {schema} is of a later version, this one reads up to {SCHEMA}"
    for name, kind in (("provenance", dict), ("verdicts", list), ("sentences", list)):
        if not isinstance(found.get(name, kind()), kind):
            return f"in the place of its {name} stands {found[name]!r:.40}"
    answer = found.get("answer", {})
    if not isinstance(answer, dict) or not all(isinstance(one, str) for one in answer.values()):
        return f"its answer is {answer!r:.40}"
    sentences = found.get("sentences", [])
    wrong = (
        *(f"a sentence is {one!r:.40}" for one in sentences if not isinstance(one, str)),
        *map(_wrong_verdict, found.get("verdicts", [])),
    )
    return next(filter(None, (*wrong, *_wrong_records(found["records"]))), None)


def _wrong_records(rows: list[object]) -> Iterator[str]:
    """What is wrong with records, each with its place."""
    for place, row in enumerate(rows, 1):
        wrong = _wrong_record(row)
        if wrong is not None:
            yield f"record {place:,} of {len(rows):,}: {wrong}"


def _wrong_verdict(row: object) -> str | None:
    if not isinstance(row, dict) or not {"word", "sentence", "score"} <= set(row):
        return f"a verdict is {row!r:.40}"
    if not isinstance(row["word"], str) or not isinstance(row["sentence"], str):
        return f"a verdict says {row['word']!r:.40}"
    if row["word"] not in get_args(Word):
        return f"a verdict says {row['word']!r:.40}"
    score, n, level = row["score"], row.get("n"), row.get("level")
    # a binding score may lie far below 0, where a probe recognises less than a bag of concepts
    if not _is_number(score) or (score or 0.0) > 1 + ROUNDING:
        return f"a verdict has the score {score!r:.40}"
    if not _is_number(n) or (n or 0) < 0:
        return f"a verdict has n = {n!r:.40}"
    return None if level in (None, 1, 2, 3) else f"a verdict is of level {level!r:.40}"


def _is_number(cell: object) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _wrong_record(row: object) -> str | None:
    """What is wrong with one flat record, in words."""
    if not isinstance(row, dict):
        return f"it is {row!r:.40}"
    for name in (*TEXTS, "value", "n"):
        if name not in row:
            return f"it lacks '{name}'"
    for name, value in row.items():
        if not _may_hold(name, value):
            return f"it has {name!r:.40} = {value!r:.40}"
        if isinstance(value, str):
            wrong = wrong_word(row["study"], name, value)
            if wrong is not None:
                return wrong
    if row["n"] is None:
        return "it lacks 'n'"
    return _out_of_range(row)


def _out_of_range(row: Mapping[str, Any]) -> str | None:
    """What no count, share or difference of shares can be, in words."""
    for name in ("n", "ties"):
        count = row.get(name)
        if count is not None and (count < 0 or count != int(count)):
            return f"it has {name!r} = {count!r:.40}"
    metric = row["metric"]
    if metric not in Metric._value2member_map_ or unit_of(metric) == "number":
        return None
    for name in ("value", "ci_low", "ci_high"):
        share = row.get(name)
        if share is not None and abs(share) > 1 + ROUNDING:
            return f"it has {name!r} = {share!r:.40}, which no share is"
    low, high = row.get("ci_low"), row.get("ci_high")
    if low is not None and high is not None and low > high + ROUNDING:
        return f"its interval ends before it begins: {low!r:.20} to {high!r:.20}"
    return None


def _may_hold(name: str, value: object) -> bool:
    if name in TEXTS:
        return isinstance(value, str)
    if name in NUMBERS and isinstance(value, str | bool):
        return False
    if name in FIELDS and name not in NUMBERS:  # control, repair
        return isinstance(value, str | None)
    if isinstance(value, int | float):
        return abs(value) < MOST
    return isinstance(value, str | None)
