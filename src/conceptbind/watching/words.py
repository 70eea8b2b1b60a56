"""What a watch says: when binding appeared, and what rose or fell since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.scored import unit_of
from conceptbind.report.numbers import difference, number, shown
from conceptbind.report.words import first, seen
from conceptbind.watching.changes import LEAST, LEVEL
from conceptbind.watching.scores import KEY, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 400
"""Looks that a curve shows at most; of more, evenly spaced ones and those with a change."""
LISTED = 40
"""Changes that a page lists, the latest ones."""
HELD = ("yes", "partly")
ASKED = {
    1: "decodable from {}",
    2: "usable within {}",
    3: "usable between pictures and captions",
}


@dataclass(frozen=True)
class Row:
    """One number at one look, as the table has it."""

    look: int
    step: int
    checkpoint: str
    level: int | None
    key: tuple[str, ...]
    value: float
    low: float | None
    high: float | None
    n: int
    since: int | None
    change: float | None
    change_low: float | None
    change_high: float | None
    told: str
    verdict: str

    @classmethod
    def of(cls, cells: Mapping[str, str]) -> Row:
        """A row of `looks.csv`.

        Args:
            cells: by column.
        """
        return cls(
            look=int(cells["look"]),
            step=int(cells["step"]),
            checkpoint=cells["checkpoint"],
            level=_whole(cells["level"]),
            key=tuple(cells[name] for name in KEY),
            value=_real(cells["value"]) or 0.0,
            low=_real(cells["ci_low"]),
            high=_real(cells["ci_high"]),
            n=int(cells["n"]),
            since=_whole(cells["since"]),
            change=_real(cells["change"]),
            change_low=_real(cells["change_low"]),
            change_high=_real(cells["change_high"]),
            told=cells["told"],
            verdict=cells["verdict"],
        )

    @property
    def said(self) -> str:
        """The value as people read it."""
        return shown(self.key[1], self.value)


def _whole(cell: str) -> int | None:
    return int(cell) if cell else None


def _real(cell: str) -> float | None:
    return float(cell) if cell else None


@dataclass(eq=False)
class Story:
    """A watch so far, in memory that does not grow with the number of looks."""

    curves: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)
    changes: list[Row] = field(default_factory=list)
    n_changes: int = 0
    held: dict[tuple[int, str], tuple[int, str] | None] = field(default_factory=dict)
    """The step from which on every look had binding, and its word, by level and modality; None
    where the last look had none."""
    last: dict[tuple[int, str], str] = field(default_factory=dict)
    """The word of the last look."""
    looks: int = 0
    comparisons: int = 0
    step: int = 0
    """The latest."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, str]]) -> Story:
        """The story of a table.

        Args:
            rows: of `looks.csv`, in order.
        """
        story = cls()
        for row in rows:
            story.add(Row.of(row))
        return story

    def add(self, row: Row) -> None:
        """One row more.

        Args:
            row: the next of the table.
        """
        curve = self.curves.setdefault(row.key, [])
        curve.append(row)
        if len(curve) > 2 * MOST:
            kept = curve[:-1:2]
            self.curves[row.key] = [*kept, curve[-1]]
        self.looks = max(self.looks, row.look)
        if row.since is not None:
            self.comparisons += 1
        if row.told:
            self.n_changes += 1
            self.changes = [*self.changes, row][-LISTED:]
        if row.level is not None and row.step >= self.step and row.verdict:
            self._judge((row.level, row.key[2]), row)
        self.step = max(self.step, row.step)

    def _judge(self, place: tuple[int, str], row: Row) -> None:
        self.last[place] = row.verdict
        if row.verdict not in HELD:
            self.held[place] = None
        elif self.held.get(place) is None:
            self.held[place] = row.step, row.verdict


def sentences(story: Story, most: int = LISTED) -> tuple[str, ...]:
    """What a watch says, the most important first.

    Args:
        story: of its table.
        most: changes that are told, the latest ones.
    """
    if not story.looks:
        return ("Nothing was scored so far.",)
    found = [_appeared(place, story) for place in sorted(story.last, reverse=True)]
    latest = story.changes[::-1][:most]
    found += map(change_sentence, latest)
    hidden = story.n_changes - len(latest)
    if hidden:
        found.append(f"Told before: {counted(hidden, 'change')}, which the table has too.")
    found.append(_counted(story))
    return tuple(found)


def _appeared(place: tuple[int, str], story: Story) -> str:
    """From when on binding is there, at one level."""
    level, modality = place
    asked = ASKED[level].format(seen(modality))
    since, word = story.held.get(place), story.last[place]
    if since is None:
        why = "cannot be judged" if word == "unclear" else "not"
        return f"Level {level}, {asked}: {why} at the last look (step {story.step:,})."
    part = "" if word == "yes" else " in part"
    if since[0] == story.step or story.looks == 1:
        return f"Level {level}, {asked}{part} at the last look (step {story.step:,})."
    return f"Level {level}, {asked}: at least in part from step {since[0]:,} on; now {_now(word)}."


def _now(word: str) -> str:
    return "in full" if word == "yes" else "in part"


def change_sentence(row: Row) -> str:
    """That a number rose or fell.

    Args:
        row: with a change that was told.
    """
    assert row.since is not None
    assert row.change is not None
    before = shown(row.key[1], row.value - row.change)
    how = moved(row)
    return (
        f"{name_of(row.key)}: {row.told} between step {row.since:,} and step {row.step:,}, from "
        f"{before} to {row.said} ({how}; n = {row.n:,})."
    )


def moved(row: Row) -> str:
    """The paired difference of a change with its interval.

    Args:
        row: with a change.
    """
    if unit_of(row.key[1]) == "share":
        changed = difference(row.change, row.change_low, row.change_high)
        return changed.replace(" (", ", ").removesuffix(")")
    low, high = number(row.change_low), number(row.change_high)
    return f"{number(row.change)}, {low} to {high}"


def _counted(story: Story) -> str:
    if not story.comparisons:
        return "One look compares nothing: the next one is held against it."
    made = counted(story.comparisons, "comparison")
    return (
        f"Made so far: {made} over {counted(story.looks, 'look')}. Where numbers differ by "
        f"the choice of scenes alone, a whole watch tells of any change in at most "
        f"{100 * LEVEL:.0f} % of all cases. The smallest change told is {_least()}. A change is "
        "one between two checkpoints. A training with other random numbers may not have it."
    )


def _least() -> str:
    return f"{100 * LEAST:g} point, and {LEAST:g} of a mean |cos|"


def uncompared(step: int, latest: int) -> str:
    """That a look is held against nothing.

    Args:
        step: of the look.
        latest: that was compared.
    """
    return (
        f"compared with nothing, since its step {step:,} is not after step {latest:,}, the latest "
        "one; the page draws it"
    )


def told_at(rows: Sequence[Row]) -> tuple[str, ...]:
    """What one look has to tell: its changes, or its levels where nothing changed.

    Args:
        rows: of the look.
    """
    return tuple(change_sentence(row) for row in rows if row.told)


def brief(rows: Sequence[Row]) -> str:
    """A look in one line.

    Args:
        rows: of the look.
    """
    levels = [f"{first(_short(row))} {row.said}" for row in rows if row.level is not None]
    return f"step {rows[0].step:,}: " + ", ".join(levels)


SHORT = {1: "objects in {}", 2: "within {}", 3: "across"}


def _short(row: Row) -> str:
    assert row.level is not None
    setting = row.key[3]
    name = SHORT[row.level].format(seen(row.key[2]))
    return f"{name} ({setting})" if setting else name
