"""One rounding for everything that a person reads: card, table, terminal, page.

- A share is in per cent with one decimal ("68.2 %"). Only 0 and 1 themselves are "0 %" and "100 %":
  what lies so near that it would be rounded to one of them has as many decimals as it takes, up
  to six.
- A difference of two shares is in points with one decimal and a sign.
- A binding score has three decimals and is cut towards 0: it never claims more than it is.
- Everything else (R^2, cosines, gaps) has three decimals, and is cut where rounding would say 1.
- A metric of another package is a plain number, unless its record says otherwise (column `unit`).

`results.json` and `results.csv` hold the numbers themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conceptbind.core.rounding import percent, score
from conceptbind.core.scored import unit_of

if TYPE_CHECKING:
    from conceptbind.core.records import Record
    from conceptbind.core.scored import Unit

LONG_WORD = 16
"""Letters of a word that a cell may break: a name of a user's, not a word of ours."""
NOTHING = 5e-6
"""An end of an interval that is nearer to 0 or 1 is shown as 0 or 100 %: nobody reads six decimals
of an end."""
_PLAIN = r"[+-]?[\d.,]*\d(?: %| points|e[+-]\d+)?"
_CELL = re.compile(rf"-|{_PLAIN}(?: \({_PLAIN} to {_PLAIN}\))?|{_PLAIN} to {_PLAIN}")
"""A number, perhaps with its interval, an interval, or a dash."""
_SPREAD = re.compile(r"(?:(?P<value>.+) \()?(?P<low>\S+(?: %)?) to (?P<high>[^\s)]+(?: %)?)\)?")
_ALONE = re.compile(r"(?P<digits>[+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)(?P<unit> %| points)?")
_POWER = re.compile(r"(?<=\de)-(?=\d)")
"""The minus of 8.3e-25, behind which a line may end."""
_PIECE = re.compile(r"(?<=\d) (?=%|points\b)|(?<=\b[np]) (?== ?[\d<])|(?<=\b[np] =) (?=[\d<])")
"""Spaces at which a line does not end: 98.0 %, +1.2 points, n = 336, p = 0.03."""


def is_number(cell: str) -> bool:
    """Whether a cell of a table holds a number as people read it: what stands to the right."""
    return _CELL.fullmatch(cell) is not None


def plain_parts(cell: str) -> tuple[float | str, float | None, float | None]:
    """A cell as a program reads it: its value and the ends of its interval, shares from 0 to 1.

    Args:
        cell: as people read it: "68.2 % (63.2 % to 72.8 %)", "+1.2 points", "-", or words.

    Returns:
        The value; words stay as they are, and what is not there is "". Then the ends, or None.
    """
    found = _SPREAD.fullmatch(cell)
    value = cell
    ends: tuple[float | None, float | None] = (None, None)
    if found is not None:
        value = found["value"] or ""
        unit = " points" if value.endswith(" points") else ""
        ends = _plain(found["low"], unit), _plain(found["high"], unit)
        if None in ends:
            return cell, None, None
    number = _plain(value)
    told = "" if value == "-" else value
    return (told if number is None else number), *ends


def _plain(text: str, unit: str = "") -> float | None:
    """A number, of per cent and points the hundredth part; None where it is none."""
    found = _ALONE.fullmatch(text)
    if found is None:
        return None
    number = float(found["digits"].replace(",", ""))
    number = round(number / 100, 12) if found["unit"] or unit else number
    return int(number) if number == int(number) and "." not in found["digits"] else number


def whole(text: str) -> str:
    """A text whose numbers no line break cuts from their units or names."""
    return _POWER.sub("-\u2060", _PIECE.sub("\u00a0", str(text)))


def points(change: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return "-" if change is None else f"{_signed(change)} points"


def difference(change: float | None, low: float | None, high: float | None) -> str:
    """A difference of two shares with its interval, where it has one."""
    interval = "" if low is None or high is None else f" ({_from_to(low, high)})"
    return f"{points(change)}{interval}"


def _from_to(low: float, high: float) -> str:
    """The ends of a difference's interval; the unit stands beside the difference."""
    return f"{_signed(low)} to {_signed(high)}"


def _signed(change: float) -> str:
    """Hundredths with one decimal and a sign; never a minus before 0."""
    return f"{round(100 * change, 1) + 0.0:+.1f}"


def number(value: float | None) -> str:
    """What is not a share, with three decimals."""
    if value is None:
        return "-"
    rounded = round(value, 3)
    if abs(value) < 1 <= abs(rounded):
        return score(value)
    return f"{rounded + 0.0:.3f}"  # no minus before 0


def p_value(p: float | None) -> str:
    """The p value of a test, with two digits."""
    return "-" if p is None else f"{p:.2g}"


def shown(metric: str, value: float | None, unit: object = None) -> str:
    """A value of a metric as people read it; see `unit_of`."""
    told = {"share": percent, "change": points, "number": number}
    return told[unit_of(metric, unit)](value)


def value_of(record: Record) -> str:
    """A record's value as people read it."""
    return shown(record.metric, record.value, record.get("unit"))


def interval_of(record: Record) -> str:
    """A record's 95 % interval as people read it; a dash where there is none."""
    return interval_told(unit_of(record.metric, record.get("unit")), record.ci_low, record.ci_high)


def interval_told(unit: Unit, low: float | None, high: float | None) -> str:
    """A 95 % interval as people read it; a dash where there is none."""
    if low is None or high is None:
        return "-"
    if unit == "change":
        return _from_to(low, high)
    if unit == "share":
        # outwards, where it takes more decimals than anybody reads
        low = 0.0 if low < NOTHING else low
        high = 1.0 if high > 1 - NOTHING else high
        return f"{percent(low)} to {percent(high)}"
    return f"{number(low)} to {number(high)}"


def with_interval(record: Record) -> str:
    """A record's value with its 95 % interval behind it, where it has one."""
    interval = interval_of(record)
    return value_of(record) if interval == "-" else f"{value_of(record)} ({interval})"


def has_long_word(shown: object) -> bool:
    """Whether a cell holds a word that may be broken to keep a table on the screen: a name."""
    return any(len(word) > LONG_WORD for word in re.split(r"[\s/-]+", str(shown)))
