"""`BindingProbe`: levels 1, 2 and 3 while a model trains, for any loop."""

from __future__ import annotations

import math
import operator
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import ConceptBindError, ValueRangeError, counted
from conceptbind.core.files import user_path
from conceptbind.core.rounding import percent
from conceptbind.core.streams import tell
from conceptbind.run.facts import plain_provenance
from conceptbind.watching.checkpoints import MOST_STEPS
from conceptbind.watching.live import as_it_was, encoder_of
from conceptbind.watching.logs import Log, as_log
from conceptbind.watching.looking import look_at
from conceptbind.watching.scores import NAMES
from conceptbind.watching.section import PAGE, write_watch_page
from conceptbind.watching.suite import Suite
from conceptbind.watching.table import Table
from conceptbind.watching.words import Row, Story, brief, told_at
from conceptbind.within.triplets import NEUTRAL, TRAP

if TYPE_CHECKING:
    from conceptbind.watching.live import Embeds
    from conceptbind.watching.scores import ModelLook

SHARE = 0.05
"""Largest share of a training's time that looks take, by default."""
PAGE_SECONDS = 30.0
"""Least time between two drawings of the page, each of a second or two; the end draws it too."""
KEPT = 20
"""Notes that the page shows, the latest ones."""


class BindingProbe:
    """Scores a model in training on a fixed suite, appends to `looks.csv` in a folder, draws
    `report.html`, and says when binding rose or fell.

    `probe(model, step)` scores where a look is due. By default that is as often as looks take at
    most 5 % of the time since the probe was made. The last look is paid for, too. The first look is
    always taken.

    Args:
        folder: new, or of an earlier start of the same training.
        scenes: as `measure` takes them.
        seed: of the suite.
        every: steps between two looks; None goes by `share`.
        share: largest share of the time that looks take; of no effect beside `every`.
        like: an encoder, or its name, whose preparation of captions and pictures is used for a
            module of the same architecture.
        processor: see `watching.live.encoder_of`.
        texts: of (model, captions) to rows.
        pictures: of (model, pictures) to rows.
        log: a function of numbers by name and the step, or a TensorBoard writer. By default the
            runs of W&B and MLflow that are open get the numbers, and nothing else does.
        say: called with each line; prints by default.
        clock: seconds that do not go back.

    Raises:
        ConceptBindError: the folder is another's, or there are no such scenes.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        scenes: Any = "clevr2d",
        seed: int = 0,
        every: int | None = None,
        share: float = SHARE,
        like: Any = None,
        processor: Any = None,
        texts: Embeds | None = None,
        pictures: Embeds | None = None,
        log: Any = None,
        say: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        every = None if every is None else whole_step(every, "every")
        if every is not None and every < 1:
            raise ValueRangeError(f"every must be a number of steps, at least 1; got {every!r}")
        if not isinstance(share, int | float) or not 0 < share < 1:
            raise ValueRangeError(f"share must lie between 0 and 1; got {share!r:.60}")
        self.every, self.share = every, share
        self._asked_log, self.log = log, as_log(log)
        self.say = say or _say
        self._clock, self._start, self._last = clock, clock(), 0.0
        self.folder = user_path(folder)
        self.suite = Suite(self.folder, scenes, seed)
        self.table = Table(self.folder, self.suite.identity)
        self.story = Story.of(self.table.rows())
        self._how = {"like": _opened(like), "processor": processor}
        self._how |= {"texts": texts, "pictures": pictures}
        self.spent, self.looks, self.notes = 0.0, 0, list[str]()
        latest = self.table.history.step
        if latest is not None:
            self._note(
                f"{self.folder} holds {counted(self.table.looks, 'look')}: this goes on after step "
                f"{latest:,}, and takes none before; another folder begins at the first"
            )
        self.last: dict[str, float] = {}
        """The numbers of the latest look, by name."""
        self._cost, self._drawn, self._drawing = 0.0, -math.inf, 0.0
        self._tried: int | None = None
        self.spent = max(0.0, self._clock() - self._start)

    @property
    def elapsed(self) -> float:
        """Seconds since the probe was made. A clock that goes back is passed over, and said."""
        now = self._clock() - self._start
        if now < self._last:
            self._note(
                f"the clock went back by {self._last - now:.1f} s; it is counted on from here"
            )
            self._start -= self._last - now
            now = self._last
        self._last = now
        return now

    @property
    def cost(self) -> float:
        """Share of the time since the probe was made that looks took."""
        elapsed = self.elapsed
        return self.spent / elapsed if elapsed > 0 else 0.0

    def due(self, step: int) -> bool:
        """Whether a look would be taken now.

        Args:
            step: of the training.
        """
        step = whole_step(step)
        latest = self.table.history.step
        if latest is None and self._tried is None:
            return True
        if step <= max(one for one in (latest, self._tried) if one is not None):
            return False
        if self.every is not None:
            return step % self.every == 0
        # the last look of the training is paid for, too
        return self.spent + 2 * self._cost <= self.share * self.elapsed

    def __call__(self, model: Any, step: int) -> ModelLook | None:
        """Score a model where a look is due.

        A look that fails costs the training nothing but its line; the very first one raises where
        it cannot be told how the model embeds.

        Args:
            model: see `watching.live.encoder_of`.
            step: of the training.

        Returns:
            The look; None where none was due, or it failed.

        Raises:
            ConceptBindError: it cannot be told how the model embeds.
        """
        return self.now(model, step) if self.due(step) else None

    def now(self, model: Any, step: int) -> ModelLook | None:
        """Score a model, whether or not a look is due.

        Args:
            model: see `__call__`.
            step: of the training.

        Raises:
            ConceptBindError: it cannot be told how the model embeds.
        """
        step, start = whole_step(step), self._clock()
        closed = self.table.closed
        try:
            self.table.reopen()
            return self._looked(model, step)
        finally:
            self._tried = step
            self._cost = max(0.0, self._clock() - start)
            self.spent += self._cost
            if closed and not self.table.closed:  # after the training: nobody else lets go of it
                self.draw()
                self.table.close()

    def _looked(self, model: Any, step: int) -> ModelLook | None:
        with as_it_was(model):
            try:
                encoder = encoder_of(model, **self._how)
            except Exception as error:
                # a training should end where it cannot be told how the model embeds, and not be
                # scored by nothing until it is over
                if self._tried is None and isinstance(error, ConceptBindError):
                    raise
                self._failed(step, error)
                return None
            try:
                look = look_at(self.suite, encoder, step)
                self.table.add(look)
                rows = self._remember(look)
                if self._clock() - self._drawn >= PAGE_SECONDS:
                    self.draw()
            except Exception as error:  # whatever the model raises, its training goes on
                self._failed(step, error)
                return None
        self.looks += 1
        self.say(brief(rows))
        for line in told_at(rows):
            self.say(line)
        self._log(step)
        return look

    def _failed(self, step: int, error: Exception) -> None:
        named = isinstance(error, ConceptBindError)
        told = str(error) if named else f"{type(error).__name__}: {error}"
        self._note(f"step {step:,} was not scored: {told}")

    def _log(self, step: int) -> None:
        try:
            self.log(self.last, step)
        except Exception as error:  # a log that fails ends no training
            self._note(f"step {step:,} was not logged: {type(error).__name__}: {error}")

    def log_by_default(self, log: Log) -> None:
        """Hand numbers to the log of a trainer, unless another was asked for.

        Args:
            log: a function of numbers by name and the step.
        """
        if self._asked_log is None:
            self.log = log

    def process_by_default(self, processor: Any) -> None:
        """Embed with a trainer's processor, unless it was said how the model embeds.

        Args:
            processor: of transformers; None where the trainer has none.
        """
        if all(way is None for way in self._how.values()):
            self._how["processor"] = processor

    def _remember(self, look: ModelLook) -> list[Row]:
        rows = [Row.of(cells) for cells in self.table.latest]
        for row in rows:
            self.story.add(row)
        self.last = numbers_of(look)
        return rows

    def draw(self) -> Path:
        """Draw the page; returns its file."""
        config = self.suite.identity | {"every": self.every, "share": self.share}
        facts = plain_provenance(config, sys.argv)
        self._drawn = self._clock()
        write_watch_page(self.folder, self.story, facts, self.notes[-KEPT:])
        self._drawing = max(0.0, self._clock() - self._drawn)
        return self.folder / PAGE

    def finish(self, model: Any = None, step: int | None = None) -> str:
        """The last look, where it fits into the share of time; the page; the folder is let go.

        Args:
            model: that was trained; None takes no look.
            step: the last of the training.

        Returns:
            What all looks cost, in a sentence.
        """
        if model is not None and step is not None and step > (self.table.history.step or -1):
            fits = self.spent + self._cost <= self.share * self.elapsed
            if fits or self.every is not None:
                self.now(model, step)
            else:
                self._note(
                    f"step {step:,}, the last one, was not scored: with it looks would take more "
                    f"than {100 * self.share:g} % of the time; probe.now(model, step) scores it"
                )
        # the page is drawn once more
        spent, whole = self.spent + self._drawing, self.elapsed + self._drawing
        share = percent(min(1.0, spent / whole)) if whole > 0 else "all"
        told = (
            f"{counted(self.looks, 'look')} took {spent:.1f} s of {whole:.1f} s "
            f"({share} of the training's time)."
        )
        self._note(told)
        try:
            self.draw()
        except ConceptBindError as error:
            self.say(str(error))
        self.table.close()
        return told

    def _note(self, line: str) -> None:
        self.notes = [*self.notes, line][-KEPT:]
        self.say(line)


def whole_step(step: Any, name: str = "the step") -> int:
    """A step as a number of Python, also where a loop counts with numpy or torch.

    Args:
        step: of a training.
        name: what is counted, for the message.

    Raises:
        ValueRangeError: it is no whole number, or below 0.
    """
    try:
        found = operator.index(step)
    except TypeError:
        found = -1
    if not 0 <= found < MOST_STEPS or isinstance(step, bool):
        raise ValueRangeError(
            f"{name} must be a whole number, at least 0 and below {MOST_STEPS:,}; got {step!r:.60}"
        )
    return found


def numbers_of(look: ModelLook) -> dict[str, float]:
    """The numbers of a look by short names, for logs: `binding/crossmodal_both`.

    Args:
        look: the look.
    """
    found = {}
    for number in look.numbers:
        study, _, modality, setting = number.key
        found[_name_in_logs(study, modality, setting)] = float(number.record.value or 0.0)
    return found


def _name_in_logs(study: str, modality: str, setting: str) -> str:
    return "binding/" + "_".join(filter(None, (study, modality, setting)))


def worst_numbers() -> dict[str, float]:
    """Names as of `numbers_of`, with what is worse than any number of a look."""
    found = {}
    for study, modality in NAMES:
        settings = (NEUTRAL, TRAP) if study == "within" else ("",)
        for setting in settings:
            worst = math.inf if study == "factors" else -math.inf  # less |cos| is more
            found[_name_in_logs(study, modality, setting)] = worst
    return found


def _opened(like: Any) -> Any:
    if not isinstance(like, str):
        return like
    from conceptbind.encoders.registry import resolve

    return resolve(like)


def _say(line: str) -> None:
    tell(line, "")
