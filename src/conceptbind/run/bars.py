"""One protocol of progress, on the error stream: bars on a terminal, plain lines elsewhere.

A log is no place for a bar that is drawn twice a second. Where there is no terminal a line is
written at most every ten seconds, and what is done sooner writes none.
"""

from __future__ import annotations

import io
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.progress import Progress, TaskID

SECONDS = 10.0
"""Between two lines."""


class Bar(ABC):
    """How far one thing has come.

    Args:
        what: what is done, as "embedding text".
        total: how much there is to do; None where that is not known.
        unit: one of what is counted.
    """

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self.what, self.total, self.unit, self.n = what, total, unit, 0
        self.noted = ""

    def update(self, n: int = 1) -> None:
        """So many more are done."""
        self.n += n
        self._show()

    def note(self, text: str) -> None:
        """What is being done now, or was last seen."""
        self.noted = text
        self._show()

    def restart(self, what: str, total: int | None) -> None:
        """Count something else from nothing."""
        self.what, self.total, self.n = what, total, 0
        self._show()

    @abstractmethod
    def line(self, text: str) -> None:
        """Say something beside the bar."""

    @abstractmethod
    def _show(self) -> None:
        """Let people see it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """It is done, or given up."""
        self._end()

    @abstractmethod
    def _end(self) -> None:
        """Give back what was taken."""


class Lines(Bar):
    """Plain lines, at most one in ten seconds.

    Args:
        what: see `Bar`, as are total and unit.
        total: how much there is to do.
        unit: one of what is counted.
        stream: where they go.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        what: str,
        total: int | None,
        unit: str,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(what, total, unit)
        self._stream, self._clock, self._last = stream, clock, clock()

    def line(self, text: str) -> None:
        """Say something beside the bar."""
        print(text, file=self._stream, flush=True)

    def _end(self) -> None:
        self._last = self._clock()  # nothing was taken

    def _show(self) -> None:
        if self._clock() - self._last < SECONDS:
            return
        self._last = self._clock()
        of = "" if self.total is None else f" of {self.total:,}"
        several = "" if (self.total or self.n) == 1 else "s"
        noted = f" ({self.noted})" if self.noted else ""
        self.line(f"{self.what}: {self.n:,}{of} {self.unit}{several}{noted}")


class Drawn(Bar):
    """A bar of rich; several at once are drawn below each other."""

    _all: Progress | None = None
    _open = 0

    def __enter__(self) -> Self:
        if Drawn._all is None:
            Drawn._all = _display()
            Drawn._all.start()
        Drawn._open += 1
        self._task: TaskID = Drawn._all.add_task(self.what, total=self.total, note=self.noted)
        return self

    def _end(self) -> None:
        """Leave the bar as it stands; the last one hands the terminal back."""
        Drawn._open -= 1
        display = Drawn._all
        if display is not None:
            display.stop_task(self._task)
            if Drawn._open == 0:
                display.stop()
                Drawn._all = None

    def line(self, text: str) -> None:
        """Say something above the bars."""
        if Drawn._all is not None:
            Drawn._all.console.print(text, markup=False, highlight=False)

    def _show(self) -> None:
        if Drawn._all is not None:
            Drawn._all.update(
                self._task,
                description=self.what,
                total=self.total,
                completed=self.n,
                note=self.noted,
            )


def _display() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(file=sys.stderr, force_terminal=True),
    )


def progress(desc: str, total: int | None = None, unit: str = "step") -> Bar:
    """How far one thing has come, on the error stream; used in a `with` statement.

    Args:
        desc: what is done, as "embedding text".
        total: how much there is to do; None where that is not known.
        unit: one of what is counted.
    """
    stream = sys.stderr if sys.stderr is not None else io.StringIO()  # some programs have none
    return Drawn(desc, total, unit) if stream.isatty() else Lines(desc, total, unit, stream)


@contextmanager
def steps(what: str, total: int | None = None) -> Iterator[Callable[[str], None]]:
    """A bar over named steps: call what it gives with the name of each."""
    with progress(what, total) as bar:

        def step(name: str) -> None:
            bar.note(name)
            bar.update()

        yield step
