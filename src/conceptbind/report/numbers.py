"""One rounding for everything that a person reads: card, table, terminal, page.

- A share is in per cent with one decimal ("68.2 %"). Only 0 and 1 themselves are "0 %" and "100 %":
  what lies so near that it would be rounded to one of them has as many decimals as it takes.
- A difference of two shares is in points with one decimal and a sign.
- A binding score has three decimals and is cut towards 0: it never claims more than it is.
- Everything else (R^2, cosines, gaps) has three decimals, and is cut where rounding would say 1.

`results.json` and `results.csv` hold the numbers themselves.
"""

from __future__ import annotations

import re
from math import trunc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conceptbind.core.records import Record

NO_SHARE = re.compile(r"r2|mse|.*_cosine|modality_gap|generalisation_score")
"""Metrics that are not a share of anything."""
CHANGE = re.compile(r".*_gain|lexical_sensitivity")
"""Metrics that are a difference of two shares."""


def percent(share: float | None) -> str:
    """A share in per cent: one decimal, or as many as it takes not to say 100 or 0 for what is
    neither.
    """
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    digits = next((n for n in range(1, 6) if 0 < round(100 * share, n) < 100), 6)
    return f"{100 * share:.{digits}f} %"


def points(change: float | None) -> str:
    """A difference of two shares in percentage points, with its sign."""
    return "-" if change is None else f"{100 * change:+.1f} points"


def difference(change: float | None, low: float | None, high: float | None) -> str:
    """A difference of two shares with its interval, where it has one."""
    interval = "" if low is None or high is None else f" ({_from_to(low, high)})"
    return f"{points(change)}{interval}"


def _from_to(low: float, high: float) -> str:
    """The ends of a difference's interval; the unit stands beside the difference."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def number(value: float | None) -> str:
    """What is not a share, with three decimals."""
    if value is None:
        return "-"
    rounded = round(value, 3)
    if abs(value) < 1 <= abs(rounded):
        return score(value)
    return f"{rounded + 0.0:.3f}"  # no minus before 0


def score(value: float | None) -> str:
    """A binding score, from 0 to 1: cut towards 0, so that it never says 1 for less."""
    return "-" if value is None else f"{trunc(1000 * value) / 1000 + 0.0:.3f}"


def p_value(p: float | None) -> str:
    """The p value of a test, with two digits."""
    return "-" if p is None else f"{p:.2g}"


def counted(n: int, what: str) -> str:
    """A count in words: 1 scene, 2 scenes, 1,000 scenes."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def shown(metric: str, value: float | None) -> str:
    """A value of a metric as people read it."""
    if CHANGE.fullmatch(metric):
        return points(value)
    return number(value) if NO_SHARE.fullmatch(metric) else percent(value)


def value_of(record: Record) -> str:
    """A record's value as people read it."""
    return shown(record.metric, record.value)


def interval_of(record: Record) -> str:
    """A record's 95 % interval as people read it; a dash where there is none."""
    if record.ci_low is None or record.ci_high is None:
        return "-"
    if CHANGE.fullmatch(record.metric):
        return _from_to(record.ci_low, record.ci_high)
    return f"{shown(record.metric, record.ci_low)} to {shown(record.metric, record.ci_high)}"
