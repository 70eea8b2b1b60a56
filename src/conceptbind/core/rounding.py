"""How shares and binding scores are rounded for people; `report.numbers` has the rest."""

from __future__ import annotations

from math import trunc


def percent(share: float | None) -> str:
    """A share in per cent: one decimal, or as many as it takes not to say 100 or 0 for what is
    neither.
    """
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    inside = min(max(100 * share, 1e-6), 100 - 1e-6) if 0 < share < 1 else 100 * share
    digits = next((n for n in range(1, 6) if 0 < round(inside, n) < 100), 6)
    return f"{inside:.{digits}f} %"


def score(value: float | None) -> str:
    """A binding score, from 0 to 1: cut towards 0, so that it never says 1 for less."""
    return "-" if value is None else f"{trunc(1000 * value) / 1000 + 0.0:.3f}"
