"""Models side by side on each level of binding: ranks with their ties, and paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import MismatchError, counted
from conceptbind.core.escape import html_table
from conceptbind.core.names import Metric, Repair
from conceptbind.core.outcomes import paired
from conceptbind.metrics.rankings import followed, holm, ranks_of
from conceptbind.report.charts import Chart, Point, Series, point_of
from conceptbind.report.lead import listed
from conceptbind.report.levels import LEVELS, level_title, own_records
from conceptbind.report.numbers import difference, interval_of, p_value, value_of, with_interval
from conceptbind.report.tables import PaperTable
from conceptbind.report.words import SEEN, apart

if TYPE_CHECKING:
    from conceptbind.core.outcomes import Outcome, Outcomes
    from conceptbind.core.records import Asked, Record, Records
    from conceptbind.metrics.intervals import Interval

SIGNIFICANT = 0.05
ALL_FILES = "all"
"""What the split of a benchmark's score over all its files is called."""
BOARDS: Mapping[str, tuple[str, Mapping[str, Asked]]] = {
    **{
        f"decodable-{modality}": (
            level_title(1, modality),
            {**LEVELS["decodable"], "modality": modality},
        )
        for modality in SEEN
    },
    **{
        f"within-{modality}-{setting}": (
            f"{level_title(2, modality)} ({setting})",
            {**LEVELS["within"], "study": "within", "modality": modality, "setting": setting},
        )
        for modality, setting in product(SEEN, ("neutral", "trap"))
    },
    "within-text-benchmark": (
        f"{level_title(2, 'text')} (benchmark)",
        {**LEVELS["within"], "study": "benchmark", "modality": "text"},
    ),
    "across": (level_title(3), {**LEVELS["across"], "modality": "both"}),
    "recall": (
        "Level 3, pictures find their caption",
        {"study": "crossmodal", "modality": "both", "metric": Metric.RECALL_AT_1},
    ),
}
"""Title of each board, and what its records hold."""
RULE = (
    "A rank is one more than the number of models that are clearly better. Clearly better: the "
    "95 % interval of the paired difference lies above 0, and the exact test (McNemar's, by draws; "
    "corrected for all pairs of the table by Holm's method) has p < 0.05. Both are needed: they "
    "are computed in different ways, and near the limit one may say yes and the other no. Where "
    "two runs did not score the same scenes, their 95 % intervals must lie apart, and they are not "
    "subtracted. A model that beats another also beats all that the other beats. Models that "
    "share a rank are tied."
)


@dataclass(frozen=True, eq=False)
class Competitor:
    """A run that is compared."""

    name: str
    records: Records
    outcomes: Mapping[str, Outcomes]
    """See `core.outcomes.outcomes_of`."""


@dataclass(frozen=True)
class Entry:
    """One run on a board."""

    run: str
    record: Record
    rank: int
    tied: tuple[str, ...]
    """Other runs that it cannot be told from."""


@dataclass(frozen=True)
class Duel:
    """Two runs on a board, the one with the higher value first."""

    one: str
    other: str
    change: float | None
    """One minus other; None where they did not score the same scenes or pictures."""
    interval: Interval
    """95 %; None for both where items are not paired."""
    p: float | None
    """P of the exact test; None where items are not paired."""
    adjusted: float | None
    """The same for all pairs of the board, see `metrics.rankings.holm`."""
    n: int | None
    """Scenes that both scored; None where they are not paired."""
    basis: str
    """What was paired, or why nothing was."""
    apart: int = 0
    """1 where one is clearly better, -1 where other is."""


@dataclass(frozen=True, repr=False)
class Board:
    """Runs on one number, the best first."""

    id: str
    title: str
    scenes: str
    entries: tuple[Entry, ...]
    duels: tuple[Duel, ...]

    def __repr__(self) -> str:
        return f"<Board {self.id}: {counted(len(self.entries), 'run')}>"

    def _repr_html_(self) -> str:
        return html_table(RANKING, ranking_rows(self))

    @property
    def short(self) -> str:
        """Its title as the head of a narrow column: level 2, captions, trap."""
        record = self.entries[0].record
        parts = [self.title.split(",")[0].lower()]
        if record.modality in SEEN:
            parts.append(SEEN[record.modality])
        if self.id.startswith("recall"):
            parts.append("recall at 1")
        told = record["setting"] or ("benchmark" if record.study == "benchmark" else None)
        return ", ".join((*parts, *([str(told)] if told else ())))

    @property
    def sentence(self) -> str:
        """Who is first, in words."""
        first = [entry for entry in self.entries if entry.rank == 1]
        names = listed([entry.run for entry in first])
        values = ", ".join(dict.fromkeys(value_of(entry.record) for entry in first))
        if len(first) == 1:
            return f"{self.title}: {names} is first ({values})."
        return f"{self.title}: {names} share the first place ({values})."

    def chart(self) -> Chart:
        """The values with their intervals, as dots."""
        points = tuple(_point(entry) for entry in self.entries)
        title = f"{self.title} ({self.scenes})"
        metric = self.entries[0].record.metric.replace("_", " ")
        series = (Series("runs", points),)
        return Chart(f"board-{self.id}", title, "dots", series, "run", metric)


def _point(entry: Entry) -> Point:
    point = point_of(entry.record, entry.run)
    return replace(point, more=f"rank {entry.rank}, {point.more}")


def boards(runs: Sequence[Competitor]) -> tuple[Board, ...]:
    """A board for each level and each table of scenes that a run was measured on.

    Args:
        runs: the runs, each with a name of its own.
    """
    found = []
    for key, (title, asked) in BOARDS.items():
        measured = [(run, _records(run.records, asked)) for run in runs]
        names = dict.fromkeys(name for _, records in measured for name in records)
        for place, scenes in enumerate(names):
            there = [(run, records[scenes]) for run, records in measured if scenes in records]
            number = f"-{place + 1}" if len(names) > 1 else ""
            found.append(_board(f"{key}{number}", title, scenes, asked, there))
    return tuple(found)


def _records(records: Records, asked: Mapping[str, Asked]) -> dict[str, Record]:
    """The encoder's own record of a number, by the scenes it was measured on; of a benchmark's
    files that of all.
    """
    found: dict[str, Record] = {}
    for record in own_records(records.scored(), {**asked, "queries": None}):
        first = found.setdefault(record.scenes, record)
        if record.study == "benchmark" and first.split != ALL_FILES == record.split:
            found[record.scenes] = record
    return found


def _board(
    key: str,
    title: str,
    scenes: str,
    asked: Mapping[str, Asked],
    there: Sequence[tuple[Competitor, Record]],
) -> Board:
    order = sorted(there, key=lambda pair: (-(pair[1].value or 0.0), pair[0].name))
    duels = _judged([_duel(one, other, asked) for one, other in combinations(order, 2)])
    places = {run.name: place for place, (run, _) in enumerate(order)}
    better = np.zeros((len(order), len(order)), dtype=bool)
    for duel in duels:
        one, other = places[duel.one], places[duel.other]
        better[one, other], better[other, one] = duel.apart > 0, duel.apart < 0
    better = followed(better)
    same = ~(better | better.T)
    np.fill_diagonal(same, False)
    names, ranks, entries = np.array([*places], dtype=object), ranks_of(better).tolist(), []
    for place, (run, record) in enumerate(order):
        entries.append(Entry(run.name, record, ranks[place], tuple(names[same[place]])))
    entries.sort(key=lambda entry: entry.rank)  # stable: equal ranks by value
    return Board(key, title, scenes, tuple(entries), duels)


def _outcome(
    run: Competitor, record: Record, asked: Mapping[str, Asked]
) -> tuple[Outcome | None, str]:
    """What became of every scene or item of a run, and the hash of the list of these."""
    kept = run.outcomes.get("")
    # what a record leaves empty, its outcome does not have
    about = {name: str(value) for name, value in asked.items() if value is not None}
    if record.study == "benchmark":
        kept = run.outcomes.get(record.scenes)
        about = {"subset": record.split, "protocol": str(record["protocol"])}
        about |= {"metric": record.metric, "repair": Repair.NONE}
    return (None, "") if kept is None else (kept.about(**about), kept.items)


def _duel(
    one: tuple[Competitor, Record], other: tuple[Competitor, Record], asked: Mapping[str, Asked]
) -> Duel:
    """The difference of two runs, on the scenes that both scored where these were kept."""
    (mine, items), (theirs, others) = _outcome(*one, asked), _outcome(*other, asked)
    names = (one[0].name, other[0].name)
    change = (one[1].value or 0.0) - (other[1].value or 0.0)
    unpaired = Duel(*names, change, (None, None), None, None, None, "")
    if mine is None or theirs is None:
        return _by_intervals(unpaired, one[1], other[1], "not paired: no outcomes kept")
    elsewhere = replace(unpaired, change=None)
    if items != others:
        return _by_intervals(elsewhere, one[1], other[1], "not paired: other scenes or pictures")
    try:
        found = paired(theirs, mine)
    except MismatchError:
        return _by_intervals(elsewhere, one[1], other[1], "not paired: no scene in common")
    shared = found.n == mine.n == theirs.n
    basis = "the same scenes" if shared else "the scenes that both scored"
    p = found.mcnemar
    return Duel(*names, found.change, found.interval, p, p, found.n, basis)


def _by_intervals(duel: Duel, one: Record, other: Record, why: str) -> Duel:
    """Without pairs, two runs are apart where their intervals are."""
    above, below = apart(one, other), apart(other, one)
    return replace(duel, basis=why, apart=int(above) - int(below))


def _judged(duels: Sequence[Duel]) -> tuple[Duel, ...]:
    """The duels of a board with p values for all together, and who is clearly better."""
    tested = [place for place, duel in enumerate(duels) if duel.p is not None]
    adjusted = holm([duels[place].p or 0.0 for place in tested])
    found = list(duels)
    for place, p in zip(tested, adjusted, strict=True):
        found[place] = replace(duels[place], adjusted=p, apart=_side(duels[place], p))
    return tuple(found)


def _side(duel: Duel, p: float) -> int:
    low, high = duel.interval
    if low is None or high is None or p >= SIGNIFICANT:
        return 0
    return int(low > 0) - int(high < 0)


RANKING = (
    *("level", "scenes", "rank", "run", "encoder"),
    *("value", "95 % interval", "n", "not told apart from"),
)
PAIRS = (
    *("level", "run", "other run", "difference (95 % interval)"),
    *("exact p", "p of all pairs", "n", "pairs"),
)


def ranking_rows(board: Board) -> list[tuple[str, ...]]:
    """The entries of a board under the columns of `RANKING`."""
    return [
        (
            *(board.title, board.scenes, str(entry.rank), entry.run, entry.record.encoder),
            *(value_of(entry.record), interval_of(entry.record), f"{entry.record.n:,}"),
            ", ".join(entry.tied) or "-",
        )
        for entry in board.entries
    ]


def pair_rows(board: Board) -> list[tuple[str, ...]]:
    """The duels of a board under the columns of `PAIRS`."""
    return [
        (
            *(board.title, duel.one, duel.other, difference(duel.change, *duel.interval)),
            *(p_value(duel.p), p_value(duel.adjusted)),
            *("-" if duel.n is None else f"{duel.n:,}", duel.basis),
        )
        for duel in board.duels
    ]


def levels_table(found: Sequence[Board]) -> PaperTable:
    """Every run on every level: its value and interval; a dash where it has none.

    Args:
        found: boards.
    """
    several = len({board.scenes for board in found}) > 1
    heads = [f"{board.short} ({board.scenes})" if several else board.short for board in found]
    runs = dict.fromkeys(entry.run for board in found for entry in board.entries)
    cells = {
        (entry.run, place): with_interval(entry.record)
        for place, board in enumerate(found)
        for entry in board.entries
    }
    places = range(len(found))

    def row(run: str) -> tuple[str, ...]:
        return run, *(cells.get((run, place), "-") for place in places)

    rows = list(map(row, runs))
    return PaperTable("levels", "Every run on every level", ("run", *heads), tuple(rows))


def board_tables(found: Iterable[Board]) -> list[PaperTable]:
    """The ranking on each level, and the paired differences, as tables."""
    found = list(found)
    ranked = tuple(row for board in found for row in ranking_rows(board))
    pairs = tuple(row for board in found for row in pair_rows(board))
    tables = []
    if pairs:  # one run has no rank
        tables = [
            levels_table(found),
            PaperTable("ranking", "Ranking on each level", RANKING, ranked),
            PaperTable("pairs", "Differences of all pairs of runs", PAIRS, pairs),
        ]
    return tables
