"""One protocol of progress: a bar on the error stream."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def progress(**options: Any) -> Any:
    """A progress bar on the error stream."""
    from tqdm import tqdm

    return tqdm(dynamic_ncols=True, file=sys.stderr, mininterval=0.5, **options)


@contextmanager
def steps(what: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
    """A bar over named steps: call what it gives with the name of each."""
    with progress(total=total, desc=what, unit="step") as bar:

        def step(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        yield step
