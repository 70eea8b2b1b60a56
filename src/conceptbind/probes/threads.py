"""The same digits for any number of threads.

Libraries split a matrix product among threads, and its sums come out in another order for each
number of them: the last digit changes, a solver takes another path, and where many weights are
nearly as good another of them is found. So what is fitted is computed in pieces of fixed size with
one thread each. Several pieces are computed at once, as many as there are threads, and their
results are taken in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from conceptbind.run import ordered
from conceptbind.run.executors import one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")
_pools: list[tuple[ThreadPoolExecutor | None, int]] = []
"""That of the outermost `steady`, None with one thread, and its threads."""


@contextmanager
def steady() -> Iterator[None]:
    """Libraries with one thread each, and as many pieces at once (`in_order`) as torch had threads
    before.
    """
    if _pools:  # what is called from inside is steady already
        yield
        return
    threads = torch.get_num_threads()
    with one_thread():
        # a new thread has as many threads for its first product as there are cores, until told
        pool = (
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            if threads > 1
            else None
        )
        _pools.append((pool, threads))
        try:
            yield
        finally:
            _pools.pop()
            if pool is not None:
                pool.shutdown()


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], device: torch.device | str = "cpu"
) -> Iterator[Result]:
    """What `work` returns for each item, in their order; on a processor inside `steady` several at
    once, a few ahead of the reader.
    """
    pool, threads = _pools[0] if _pools else (None, 1)
    if pool is None or torch.device(device).type != "cpu":
        yield from map(work, items)
        return
    yield from ordered.in_order(pool, work, items, threads + 1)
