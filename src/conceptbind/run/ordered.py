"""Work of a pool of threads, in the order of its items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Result]:
    """What `work` returns for each item, in their order. An error is raised where its item would
    stand.

    Args:
        pool: of threads.
        work: called with each item.
        items: read a few ahead.
        ahead: items that wait or are worked on while a result is looked at.
    """
    left = iter(items)
    waiting: deque[Future[Result]] = deque()
    for item in islice(left, ahead):
        waiting.append(pool.submit(work, item))
    while waiting:
        done = waiting.popleft().result()
        waiting.extend(pool.submit(work, item) for item in islice(left, 1))
        yield done
        del done  # it may be large
