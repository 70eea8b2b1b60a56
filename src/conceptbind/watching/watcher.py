"""The watch over a folder of checkpoints: each new one that is whole is scored, one at a time, and
whatever goes wrong is one line.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, MissingExtraError
from conceptbind.core.files import read_checked_json, write_checked_json
from conceptbind.watching.checkpoints import (
    Checkpoint,
    CheckpointKind,
    Signature,
    found_checkpoints,
    reason_of,
    require_alike,
    require_whole,
    shape_of,
    signature,
)
from conceptbind.watching.looking import look_at
from conceptbind.watching.words import Row, Story, brief, told_at

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
FAULTS = 10_000
"""Checkpoints with a fault that are remembered."""


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
        self.notes: list[str] = []
        self._faults: dict[str, Signature | None] = {}
        path = table.folder / FIRST
        self._first = read_checked_json(path) if path.is_file() else None

    def round(self) -> int:
        """Score every new checkpoint that is whole; returns how many were.

        Raises:
            MissingExtraError: the package that opens them is not installed.
        """
        scored = 0
        if not self._settled():
            return 0
        for one in found_checkpoints(self.place, self.kind):
            if one.name not in self.table.names and self._one(one):
                scored += 1
        return scored

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
        return True

    def _one(self, one: Checkpoint) -> bool:
        try:
            before = signature(one.path)
        except OSError:
            self._note(one.name, None, "vanished before it was scored")
            return False
        if self._faults.get(one.name) == before:
            return False
        try:
            look = self._looked(one)
        except MissingExtraError:
            raise
        except Exception as error:  # whatever a file makes a library raise, the watch goes on
            self._failed(one, before, error)
            return False
        finally:
            gc.collect()  # one model in memory at a time
        try:
            self.table.add(look)
        except FileError as error:
            self._note(one.name, None, reason_of(error))
            if one.name not in self.table.names:
                return False
        self._faults.pop(one.name, None)
        self._told(look)
        return True

    def _looked(self, one: Checkpoint) -> ModelLook:
        require_whole(one.path, self.kind)
        shape = shape_of(one.path, self.kind)
        if self._first is not None:
            require_alike(self._first["shape"], shape, self._first["checkpoint"])
        look = look_at(self.suite, self._opener(one.path), self._step(one), one.name)
        if self._first is None:
            first = {"checkpoint": one.name, "shape": shape}
            write_checked_json(self.table.folder / FIRST, first)
            self._first = first
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
            self._note(one.name, before, f"not scored: {reason_of(error)}; {again}")
        else:
            self._note(one.name, None, "it was being written; it is looked at again")

    def _note(self, name: str, known: Signature | None, why: str) -> None:
        """Say something once, until the files change."""
        line = f"{name}: {why}" if name else why
        new = self._faults.get(name, ()) != known or line not in self.notes
        if len(self._faults) < FAULTS:
            self._faults[name] = known
        if new:
            self.notes = [*self.notes, line][-20:]
            self._say(line)

    def _told(self, look: ModelLook) -> None:
        self.last = look
        rows = [Row.of(cells) for cells in self.table.latest]
        for row in rows:
            self.story.add(row)
        self._say(f"{look.name}, {brief(rows)}")
        for line in told_at(rows):
            self._say(line)
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
