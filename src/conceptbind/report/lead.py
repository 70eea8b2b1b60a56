"""Runs side by side in one plain sentence: who binds best, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.report.numbers import value_of

if TYPE_CHECKING:
    from conceptbind.report.leaderboard import Board

TOPICS: Mapping[str, str] = {
    "across": "picking a picture's own caption over its swap",
    "within-text": "telling captions from their swaps by cosine",
    "within-image": "telling pictures from their swaps by cosine",
    "decodable-text": "the recognition of objects in captions",
    "decodable-image": "the recognition of objects in pictures",
}
"""What a board is about, by how its id begins; the first that ranks several runs is told."""
NAMED = 3
"""Runs that are named; more are counted."""


def leading(boards: Sequence[Board]) -> str:
    """Who is first, in one or two sentences; empty where no two runs are ranked.

    Args:
        boards: of `report.leaderboard.boards`.
    """
    ranked = [board for board in boards if len(board.entries) > 1]
    for begin, topic in TOPICS.items():
        told = next((board for board in ranked if board.id.startswith(begin)), None)
        if told is not None:
            several = len({board.scenes for board in ranked}) > 1
            on = f"On {told.scenes}, " if several else ""
            return f"{on}{_place(told, topic)}. {_alone(ranked)}"
    return ""


def _place(board: Board, topic: str) -> str:
    tied = [entry for entry in board.entries if entry.rank == 1]
    values = [value_of(entry.record) for entry in board.entries]
    if len(tied) == 1:
        ahead, after = board.entries[:2]
        beside = f"{values[0]}, next is {after.run} with {values[1]}"
        return f"{ahead.run} is best at {topic} ({beside})"
    # equal ranks stand by value
    ends = dict.fromkeys((values[0], values[len(tied) - 1]))
    names = listed([entry.run for entry in tied])
    return f"{names} cannot be told apart at {topic} ({' to '.join(ends)})"


def _alone(boards: Sequence[Board]) -> str:
    """On how many numbers each run is clearly better than all others."""
    alone = Counter(board.entries[0].run for board in boards if board.entries[1].rank > 1)
    numbers = counted(len(boards), "number")
    several = f" on any of {numbers}" if len(boards) > 1 else ""
    if not alone:
        return f"No run is clearly ahead of all others{several}."
    if not several:
        return f"{listed(list(alone))} is clearly ahead of all others."
    most = [f"{run} on {n}" for run, n in alone.most_common()]
    return f"Clearly ahead of all others: {listed(most)} of {numbers}."


def listed(names: Sequence[str]) -> str:
    """Names as people say them; of many the first, and how many more there are."""
    if len(names) > NAMED + 1:
        names = (*names[:NAMED], f"{len(names) - NAMED} others")
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
