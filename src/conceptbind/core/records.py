"""Results as a table of typed records: the same in memory, in `results.json` and in `results.csv`.

A record is one number with everything needed to cite it. Columns that every record has are fields;
what a study varies stands beside them in columns of its own, which are declared in `columns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from html import escape
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from conceptbind.core.columns import COLUMNS, Value
from conceptbind.core.errors import MissingExtraError, RecordError, UnknownNameError, cut, nearest
from conceptbind.core.names import Control, Metric, Repair, member, require_word

if TYPE_CHECKING:
    import pandas as pd

Asked = Value | Sequence[Value] | frozenset[Value]
"""What a column must hold: a cell, or one of several."""
SHOWN = 30
"""Rows of the table that a notebook shows."""


@dataclass(frozen=True, repr=False)
class Record:
    """One number with everything needed to cite it."""

    study: str
    """probe, within, attribute_probe, search, crossmodal, repair, finetune, additive, spectrum,
    removal, edit, complexity, controlled, benchmark, negation, query, trained_along, stress,
    audit"""
    modality: str
    """text, image, both, or symbols of a controlled model"""
    metric: Metric | str
    value: float | None
    """None where it is undefined."""
    n: int
    """Items that the value was computed on."""
    ties: int | None
    """Ties among them, each counted as a miss; None where ties cannot occur."""
    ci_low: float | None
    ci_high: float | None
    """95 % interval."""
    split: str
    scenes: str
    encoder: str
    own: Mapping[str, Value] = field(default_factory=dict)
    """What the study varies: columns of `COLUMNS`. `record["concept"]` reads one."""
    control: Control | str = field(default=Control.NONE, kw_only=True)
    """Whose number it is; a control that a caller gave may have a name of its own."""
    repair: Repair | None = field(default=None, kw_only=True)
    """None where a study repairs nothing."""
    level: int | None = field(default=None, kw_only=True)
    """Which level of binding the number is about: 1 decodable, 2 usable within a modality, 3
    usable between pictures and captions; None where it is not about whether an encoder binds."""

    def __post_init__(self) -> None:
        COLUMNS.check(self.own)
        self._settle()

    def _settle(self) -> None:
        """Turn words into members of their enumerations, and keep own columns from changing with
        the mapping that was given.
        """
        object.__setattr__(self, "metric", member(Metric, self.metric))
        object.__setattr__(self, "control", member(Control, self.control))
        if self.repair is not None:
            object.__setattr__(self, "repair", Repair(self.repair))
        object.__setattr__(self, "own", dict(self.own))

    @classmethod
    def of(cls, **row: Any) -> Record:
        """A record from one flat row: fields and own columns side by side. Fields that are left out
        and may be None are None.

        Raises:
            UnknownNameError: nobody declared a column.
        """
        common, own = _divided(row)
        return cls(**common, own=own)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Record:
        """What `flat` gave, perhaps in an earlier version or by a study of a package that is not
        installed: columns that nobody declares are kept as they are.
        """
        common, own = _divided(_renamed(row))
        record = cls(**common)
        object.__setattr__(record, "own", own)
        return record

    def but(self, **changes: Any) -> Record:
        """The record with other fields or own columns."""
        common = {name: changes.pop(name) for name in FIELDS if name in changes}
        return replace(self, **common, own={**self.own, **changes})

    def __getitem__(self, name: str) -> Value:
        """A column by name: None where the record does not have it.

        Raises:
            UnknownNameError: nobody declared the column.
        """
        if name in FIELDS:
            return getattr(self, name)  # type: ignore[no-any-return]
        if name not in self.own and name not in COLUMNS:
            raise UnknownNameError(
                f"no study declared the column '{cut(name)}'; {nearest(name, (*FIELDS, *COLUMNS))}"
            )
        return self.own.get(name)

    def has(self, **asked: Asked) -> bool:
        """Whether every column holds what is asked for, or one of several that are; None is also
        the answer of a column that the record lacks.
        """
        return all(_fits(self.get(name), wanted) for name, wanted in asked.items())

    def get(self, name: str) -> Value:
        """A column by name; None where the record does not have it, or nobody declared it."""
        return getattr(self, name) if name in FIELDS else self.own.get(name)

    def flat(self) -> dict[str, Value]:
        """The record as one row of plain text and numbers."""
        row = {name: getattr(self, name) for name in FIELDS} | dict(self.own)
        return {name: _plain(cell) for name, cell in row.items()}

    def __repr__(self) -> str:
        varied: dict[str, Value] = {"control": self.control, "repair": self.repair, **self.own}
        told = {name: cell for name, cell in varied.items() if cell not in (None, Control.NONE)}
        words = [f"{self.study} {self.modality} {self.metric} = {_number(self.value)}"]
        if self.ci_low is not None and self.ci_high is not None:
            words.append(f"[{_number(self.ci_low)}, {_number(self.ci_high)}]")
        words.append(f"n={self.n}")
        return f"<{' '.join(words)}{''.join(f', {k}={v}' for k, v in told.items())}>"


FIELDS = tuple(item.name for item in fields(Record) if item.name != "own")
"""Columns of every record, in the order of the files."""
_MAY_LACK = ("ties", "ci_low", "ci_high")


def _renamed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A flat row with the column names of today. Earlier versions called the level `question`, and
    the kind of additive vectors `level`.
    """
    told = row.get("study") == "additive" and "additive_level" not in row and "level" in row
    if "question" not in row and not told:
        return row
    found = dict(row)
    if "level" in found:
        found["additive_level"] = found.pop("level")
    found["level"] = found.pop("question", None)
    return found


def _divided(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A flat row as fields and own columns."""
    common = dict.fromkeys(_MAY_LACK) | {name: row[name] for name in FIELDS if name in row}
    if common.get("control", "") is None:  # rows of earlier versions
        del common["control"]
    return common, {name: cell for name, cell in row.items() if name not in FIELDS}


def _fits(cell: Value, wanted: Asked) -> bool:
    return cell in _several(wanted)


def _several(wanted: Asked) -> Sequence[Value] | frozenset[Value]:
    """What is asked for, as one or more cells."""
    if isinstance(wanted, str) or not isinstance(wanted, Sequence | frozenset):
        return (wanted,)
    return wanted


def _plain(cell: Value) -> Value:
    return str(cell) if isinstance(cell, str) else cell


def _number(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def frame_of(rows: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a data frame of pandas.

    Args:
        rows: one mapping or tuple for each.
        columns: their names, in order.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas", "a data frame") from error
    return pd.DataFrame(rows, columns=list(columns))


class Records(tuple[Record, ...]):
    """Records in the order of a study; it cannot be changed. Slices are records as well."""

    __slots__ = ()

    @overload
    def __getitem__(self, at: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: SupportsIndex | slice) -> Record | Records:
        found = super().__getitem__(at)
        return found if isinstance(found, Record) else Records(found)

    def __add__(self, others: Iterable[Record]) -> Records:  # type: ignore[override]
        return Records((*self, *others))

    def where(self, **asked: Asked) -> Records:
        """The records whose columns hold what is asked for.

        Args:
            **asked: a column and a word or number, or several of which it holds one. None is also
                the answer of a record that lacks the column; `control=None` is `control="none"`,
                the encoder itself. `repair="none"` asks for captions as they are in a study that
                repairs, `repair=None` for studies that repair nothing.

        Raises:
            UnknownNameError: there is no such column, or no such metric, control or repair.
        """
        for name, wanted in asked.items():
            self._require(name)
            for word in _several(wanted):
                if isinstance(word, str):
                    require_word(name, word)
        if "control" in asked and asked["control"] is None:
            asked["control"] = Control.NONE
        return Records(record for record in self if record.has(**asked))

    def first(self, **asked: Asked) -> Record | None:
        """The first record that is asked for; None where there is none. See `where`."""
        return next(iter(self.where(**asked)), None)

    def one(self, **asked: Asked) -> Record:
        """The one record that is asked for. See `where`.

        Raises:
            RecordError: there is none, or several.
        """
        found = self.where(**asked)
        if len(found) != 1:
            words = ", ".join(f"{name}={_asked(wanted)}" for name, wanted in asked.items())
            raise RecordError(
                f"one record was asked for with {words or 'nothing said of it'}; there are "
                f"{len(found)} among {len(self)}"
            )
        return found[0]

    def distinct(self, name: str) -> tuple[Value, ...]:
        """What a column holds, each once, in order of appearance.

        Raises:
            UnknownNameError: there is no such column.
        """
        self._require(name)
        return tuple(dict.fromkeys(record.get(name) for record in self))

    def scored(self) -> Records:
        """The records whose value is defined."""
        return Records(record for record in self if record.value is not None)

    def _require(self, name: str) -> None:
        if name in FIELDS or name in COLUMNS or any(name in record.own for record in self):
            return
        raise UnknownNameError(
            f"no record has a column '{cut(name)}'; {nearest(name, (*FIELDS, *COLUMNS))}"
        )

    def columns(self) -> tuple[str, ...]:
        """The columns of every record, then those that any of these has."""
        return tuple(dict.fromkeys((*FIELDS, *(name for record in self for name in record.own))))

    def rows(self) -> list[dict[str, Value]]:
        """One flat row a record."""
        return [record.flat() for record in self]

    def frame(self) -> pd.DataFrame:
        """The records as a data frame of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(self.rows(), self.columns())

    def __repr__(self) -> str:
        counts = Counter(record.study for record in self)
        told = ", ".join(f"{name} {n}" for name, n in counts.items())
        return f"<{len(self)} records{': ' if told else ''}{told}>"

    def _repr_html_(self) -> str:
        """A table for notebooks: the first records, and the columns that say something of them."""
        shown = self[:SHOWN]
        columns = [name for name in shown.columns() if _says_something(shown, name)]
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(_html_row(record, columns) for record in shown)
        left = len(self) - len(shown)
        more = f"<p>{left:,} more; .frame() has all.</p>" if left else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _says_something(records: Records, column: str) -> bool:
    """Whether a column holds more than nothing and records of no control."""
    return any(record.get(column) not in (None, Control.NONE) for record in records)


def _html_row(record: Record, columns: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(_told(record.get(name)))}</td>" for name in columns)
    return f"<tr>{cells}</tr>"


def _asked(wanted: Asked) -> str:
    if isinstance(wanted, Sequence | frozenset) and not isinstance(wanted, str):
        return " or ".join(map(_asked, wanted))
    return str(wanted)


def _told(cell: Value) -> str:
    return "" if cell is None else _number(cell)
