"""The watch over a folder of checkpoints: each new one that is whole is scored, one at a time, and
whatever goes wrong is one line.
"""

from __future__ import annotations

import errno
import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import ConceptBindError, FileError, MissingExtraError
from conceptbind.core.files import read_checked_json, write_checked_json
from conceptbind.watching.checkpoints import (
    Checkpoint,
    CheckpointKind,
    Signature,
    found_checkpoints,
    reason_of,
    require_alike,
    require_one_folder,
    require_whole,
    shape_of,
    signature,
)
from conceptbind.watching.looking import look_at
from conceptbind.watching.suite import SuiteError
from conceptbind.watching.words import Row, Story, brief, told_at, uncompared

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder
    from conceptbind.scenes.table import Scenes
    from conceptbind.watching.scores import ModelLook
    from conceptbind.watching.suite import Suite
    from conceptbind.watching.table import Table

FIRST = "first.json"
"""What the first checkpoint of a watch was."""
JUMP = 60.0
"""Seconds by which a clock must differ from the time that passed to be said to have jumped."""
SYMBOLS = 5
"""Values of each concept of a controlled model that the scenes of a watch use, at most."""
FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS))
"""Nothing can be written, whatever is looked at."""
FEW = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""What the machine lacks for a checkpoint now, and may have later."""
FAULTS = 10_000
"""Checkpoints with a fault that are remembered."""
NOTES = 20
"""Lines that the page shows, the latest ones."""
WAITS = "waits"
"""Stands for every line that says that a checkpoint is not whole yet: a slow writer gets one."""


class _NotWholeError(FileError):
    """A checkpoint is not whole yet."""


def _is_any(
    error: BaseException, kinds: tuple[type[BaseException], ...], numbers: frozenset[int]
) -> bool:
    """Whether an error, or what it came from, is of a kind or has a number of the system."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None and len(causes) < 10:
        causes.append(cause)
    return any(
        isinstance(one, kinds) or (isinstance(one, OSError) and one.errno in numbers)
        for one in causes
    )


class Watcher:
    """Looks for checkpoints and scores them.

    Args:
        place: a folder or a pattern.
        kind: of the models.
        suite: they are scored on.
        table: they are written into.
        opener: opens a checkpoint as an encoder.
        say: called with each line.
        draw: draws the page, given what went wrong.
    """

    def __init__(
        self,
        place: str,
        kind: CheckpointKind,
        suite: Suite,
        table: Table,
        opener: Callable[[Path], Encoder],
        say: Callable[[str], object],
        draw: Callable[[Story, Sequence[str]], object],
    ) -> None:
        self.place, self.kind, self.suite, self.table = place, kind, suite, table
        self._opener, self._say, self._draw = opener, say, draw
        self.story = Story.of(table.rows())
        self.last: ModelLook | None = None
        """The latest look of this process."""
        self._notes: dict[str, str] = {}
        self._faults: dict[str, Signature | None] = {}
        self._said: dict[str, set[str]] = {}
        self._unwritten: ModelLook | None = None
        self._full = False
        path = table.folder / FIRST
        again = "watch into another folder with --out"
        self._first = read_checked_json(path, again) if path.is_file() else None

    @property
    def notes(self) -> list[str]:
        """What the page says of checkpoints that wait or were left out, the latest ones."""
        return list(self._notes.values())

    def round(self) -> int:
        """Score every new checkpoint that is whole; returns how many were.

        Raises:
            MissingExtraError: the package that opens them is not installed.
        """
        before, was_full = self.table.looks, self._full
        self._full = False
        if not self._settled():
            return 0
        if not was_full:  # else it is said once, and forgotten when something was written
            self._forget("")
        for one in found_checkpoints(self.place, self.kind):
            if one.name not in self.table.names:
                self._one(one)
            if self._unwritten is not None or self._full:  # more looks would be lost
                break
        return self.table.looks - before

    @property
    def waiting(self) -> int:
        """Checkpoints that were left out or wait."""
        return len(self._faults)

    def _settled(self) -> bool:
        """Whether everything that was scored stands in the table: a disk may have been full."""
        try:
            self.table.settle()
        except FileError as error:
            self._note("", None, reason_of(error))
            return False
        if self._unwritten is not None:
            return self._written(self._unwritten)
        return True

    def _one(self, one: Checkpoint) -> None:
        try:
            before = signature(one.path)
        except OSError:
            self._note(one.name, None, "vanished before it was scored")
            return
        if self._faults.get(one.name) == before:
            return
        try:
            look = self._looked(one)
        except MissingExtraError:
            raise
        except Exception as error:  # whatever a file makes a library raise, the watch goes on
            if _is_any(error, (SuiteError,), FULL):  # so with every checkpoint: none before others
                self._full = True
                self._note("", None, reason_of(error))
            elif _is_any(error, (MemoryError,), FEW):
                self._note(one.name, None, f"not scored: {reason_of(error)}; it is looked at again")
            else:
                self._failed(one, before, error)
            return
        self._written(look)

    def _written(self, look: ModelLook) -> bool:
        """Whether a look stands in the table; else it is kept until there is room."""
        latest = self.table.history.step
        try:
            if not (self.table.folder / FIRST).is_file():
                write_checked_json(self.table.folder / FIRST, self._first or {})
            self.table.add(look)
        except FileError as error:
            self._note("", None, reason_of(error))
            if look.name not in self.table.names:
                self._unwritten = look
                return False
        else:
            self._forget("")
        self._unwritten = None
        self._forget(look.name)
        self._told(look, latest)
        return True

    def _forget(self, name: str) -> None:
        """A checkpoint was scored, so nothing that was said of it stands on the page."""
        for kept in (self._faults, self._notes, self._said):
            kept.pop(name, None)

    def _looked(self, one: Checkpoint) -> ModelLook:
        if self._first is not None:
            require_one_folder(self._first["checkpoint"], one.name)
        try:
            require_whole(one.path, self.kind)
        except ConceptBindError as error:
            raise _NotWholeError(str(error)) from error
        shape = shape_of(one.path, self.kind)
        if self._first is not None:
            require_alike(self._first["shape"], shape, self._first["checkpoint"])
        try:
            encoder, numbered = self._opener(one.path), one.step is not None
            look = look_at(self.suite, encoder, self._step(one), one.name, numbered)
        finally:
            encoder = None  # type: ignore[assignment]
            gc.collect()  # one model in memory at a time
        if self._first is None:
            self._first = {"checkpoint": one.name, "shape": shape}
        return look

    def _step(self, one: Checkpoint) -> int:
        """The step in its name; without one it comes after all others."""
        if one.step is not None:
            return one.step
        return 1 + max(self.story.step, self.table.history.step or 0) if self.table.looks else 0

    def _failed(self, one: Checkpoint, before: Signature, error: Exception) -> None:
        try:
            now = signature(one.path)
        except OSError:
            self._note(one.name, None, "vanished while it was being scored")
            return
        if now == before:
            again = "it is looked at again when its files change"
            tag = WAITS if isinstance(error, _NotWholeError) else ""
            self._note(one.name, before, f"not scored: {reason_of(error)}; {again}", tag)
        else:
            self._note(one.name, None, "it was being written; it is looked at again", WAITS)

    def _note(self, name: str, known: Signature | None, why: str, tag: str = "") -> None:
        """Say something once of a checkpoint, or once of all that `tag` stands for."""
        line = f"{name}: {why}" if name else why
        if name in self._faults or len(self._faults) < FAULTS:
            self._faults[name] = known
        said = self._said.setdefault(name, set())
        if (tag or line) not in said:
            said.add(tag or line)
            self._say(line)
            self._show(name, line)
        if len(self._said) > FAULTS:
            self._said.pop(next(iter(self._said)))

    def _show(self, name: str, line: str) -> None:
        self._notes.pop(name, None)
        self._notes[name] = line
        while len(self._notes) > NOTES:
            self._notes.pop(next(iter(self._notes)))

    def _told(self, look: ModelLook, latest: int | None) -> None:
        self.last = look
        rows = [Row.of(cells) for cells in self.table.latest]
        for row in rows:
            self.story.add(row)
        self._say(f"{look.name}, {brief(rows)}")
        for line in told_at(rows):
            self._say(line)
        if latest is not None and look.step <= latest:
            line = f"{look.name}: {uncompared(look.step, latest)}"
            self._say(line)
            self._show(look.name, line)
        try:
            self._draw(self.story, self.notes)
        except FileError as error:
            self._note("", None, reason_of(error))

    def run(
        self,
        every: float,
        sleep: Callable[[float], object] = time.sleep,
        passed: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Look again and again, until the process is stopped.

        Args:
            every: seconds between two looks.
            sleep: waits so many seconds.
            passed: seconds that never go back.
            clock: the time of day, which is only watched for jumps.
        """
        told, since = clock(), passed()
        while True:
            self.round()
            sleep(every)
            moved = (clock() - told) - (passed() - since)
            if abs(moved) > JUMP:
                way = "on" if moved > 0 else "back"
                self._say(f"the clock went {way} by {abs(moved):,.0f} s; nothing depends on it")
            told, since = clock(), passed()


def first_scenes(place: str, kind: CheckpointKind, symbols: int = SYMBOLS) -> Any:
    """Scenes that checkpoints of a kind know: CLEVR-2D, and for controlled models the first of
    their own symbols.

    Args:
        place: a folder or a pattern.
        kind: of the models.
        symbols: of each concept, at most.

    Raises:
        FileError: no controlled model is there yet, so that its symbols are not known.
    """
    if kind != "controlled":
        return "clevr2d"
    from conceptbind.controlled.recipe import Recipe
    from conceptbind.controlled.store import CONFIG
    from conceptbind.core.files import read_json

    for one in found_checkpoints(place, kind):
        try:
            config = read_json(one.path / CONFIG)
            recipe = Recipe.read(config.get("recipe"), str(one.path / CONFIG))
        except (FileError, AttributeError):
            continue
        return symbol_scenes(recipe.shape.sizes, symbols)
    raise FileError(
        f"no controlled model lies in {place} yet, so its symbols are not known; name scenes with "
        "--scenes, or start the watch later"
    )


def symbol_scenes(sizes: tuple[int, ...], symbols: int = SYMBOLS) -> Scenes:
    """All pairs of objects of the first symbols of a controlled model.

    Args:
        sizes: values of each of its concepts.
        symbols: of each concept, at most.
    """
    from conceptbind.controlled.store import vocabulary
    from conceptbind.scenes.grid import full_grid
    from conceptbind.scenes.space import ConceptSpace

    space = vocabulary(sizes)
    some = tuple(values[:symbols] for values in space.values)
    named = "x".join(str(len(values)) for values in some)
    return full_grid(ConceptSpace(space.concepts, some), name=f"symbols-{named}")
