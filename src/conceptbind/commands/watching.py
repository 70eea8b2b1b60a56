"""A folder of checkpoints, scored as they come."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.shared import GivenPath, GivenScenes
from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.core.records import Records
from conceptbind.encoders.options import Opening
from conceptbind.report.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from conceptbind.core.findings import Verdict
    from conceptbind.core.typing import Encoder
    from conceptbind.watching.suite import Suite
    from conceptbind.watching.watcher import Watcher
    from conceptbind.watching.words import Story


LONGEST = 7 * 24 * 3600
"""Most seconds between two looks at a folder."""


@dataclass(frozen=True, eq=False, repr=False)
class WatchedRun(Shown):
    """What `watch --once` found, and where it wrote it."""

    folder: Path
    """The folder: looks.csv, report.html, history.safetensors and the pictures."""
    records: Records
    """Numbers of the latest look; empty where nothing new was scored."""
    sentences: tuple[str, ...]
    """When binding appeared, and what rose or fell."""
    verdicts: "tuple[Verdict, ...]" = ()
    """Levels 1, 2 and 3 of the latest look."""
    scored: int = 0
    """Checkpoints that this call scored."""
    waiting: tuple[str, ...] = ()
    """What was left out or waits, with the reason."""

    @property
    def said(self) -> tuple[str, ...]:
        """Its sentences, and what was left out."""
        return (*self.sentences, *self.waiting)

    def text(self, width: int | None = None) -> str:  # noqa: D102
        table = f"Table: {self.folder / 'looks.csv'}"
        return "\n".join((*self.sentences, table, f"Page: {self.folder / 'report.html'}"))

    def frame(self) -> "pd.DataFrame":
        """All looks of the table as a data frame of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from conceptbind.core.records import frame_of
        from conceptbind.watching.table import COLUMNS, rows_of

        return frame_of(list(rows_of(self.folder)), COLUMNS)


@dataclass(frozen=True)
class Watch(Opening, Command[WatchedRun]):
    """Score every checkpoint of a training as it appears, on one fixed set of scenes, and say when
    binding rose or fell.

    Appends to `looks.csv` and draws `report.html` in the folder of --out. It runs until it is
    stopped; with --once it scores what is there and ends. A checkpoint that is half-written, has
    vanished or is of another model is one line, and the watch goes on.
    """

    checkpoints: str
    """Folder of checkpoints, such as the output folder of a trainer, or a pattern of paths with *
    in quotes, of one training.
    """
    _: KW_ONLY
    kind: Literal["hf", "st", "open_clip", "controlled"] = "hf"
    """Library that wrote them: hf (transformers), st (sentence-transformers), open_clip, or
    controlled (conceptbind train).
    """
    out: GivenPath | None = None
    """Folder to write; by default runs/watch-FOLDER."""
    once: bool = False
    """Score what is there, and end."""
    every: float = 30.0
    """Seconds between two looks at the folder."""
    model: str | None = None
    """Architecture of open_clip files that do not name it, such as ViT-B-32."""
    scenes: GivenScenes | None = None
    """Scenes to score on, as measure takes them; by default clevr2d, and for controlled models
    their own symbols.
    """
    seed: int = 0
    """Random seed; it decides which scenes are for training and which for the test."""

    def work(self) -> WatchedRun:
        """Score what is there; then, without --once, whatever comes."""
        return _watched(self)


watch = function_of(Watch)


def _watched(asked: Watch) -> WatchedRun:
    from conceptbind.commands.common import slug
    from conceptbind.core.files import user_path
    from conceptbind.core.ownership import refuse_in_use
    from conceptbind.encoders.registry import torch_device
    from conceptbind.run.facts import plain_provenance
    from conceptbind.watching.checkpoints import require_one_training
    from conceptbind.watching.section import write_watch_page
    from conceptbind.watching.suite import Suite
    from conceptbind.watching.table import Table
    from conceptbind.watching.watcher import Watcher, first_scenes
    from conceptbind.watching.words import sentences

    place = _place(asked)
    if not 0 < asked.every <= LONGEST:
        raise ValueRangeError(
            f"--every must be more than 0 seconds and at most {LONGEST:,}, a week; got "
            f"{asked.every:g}"
        )
    require_one_training(place, asked.kind)
    torch_device(asked.device)
    folder = user_path(asked.out or Path("runs") / f"watch-{slug(Path(place).name) or 'here'}")
    refuse_in_use(folder)
    scenes = first_scenes(place, asked.kind) if asked.scenes is None else asked.scenes
    suite = Suite(folder, scenes, asked.seed)
    table = Table(folder, suite.identity | {"kind": asked.kind})
    facts = plain_provenance(asked.configuration(), sys.argv)

    def draw(story: "Story", notes: Sequence[str]) -> None:
        write_watch_page(folder, story, facts, notes)

    watcher = Watcher(place, asked.kind, suite, table, _opener(asked), _say, draw)
    if not asked.once:
        _say(f"watching {place}; Ctrl-C ends it, and the same command goes on")
        watcher.run(asked.every)
    scored = watcher.round()
    if not watcher.story.looks:
        why = f": {watcher.notes[-1]}" if watcher.notes else ""
        raise FileError(f"no {asked.kind} checkpoint in {place} could be scored{why}")
    draw(watcher.story, watcher.notes)
    return _found(watcher, suite, folder, scored, sentences(watcher.story))


def _found(
    watcher: "Watcher", suite: "Suite", folder: Path, scored: int, said: tuple[str, ...]
) -> WatchedRun:
    look = watcher.last
    records = Records(() if look is None else (number.record for number in look.numbers))
    verdicts = () if look is None else tuple(look.verdicts)
    return WatchedRun(folder, records, said, verdicts, scored, tuple(watcher.notes))


def _place(asked: Watch) -> str:
    """What is watched.

    Raises:
        FileError: there is no such folder.
        ValueRangeError: options that do not go together.
    """
    import glob

    from conceptbind.core.files import user_path

    place = str(user_path(asked.checkpoints))
    if not glob.has_magic(place) and not Path(place).is_dir():
        raise FileError(f"{place} is not a folder; give the folder that checkpoints are written to")
    if asked.model is not None and asked.kind != "open_clip":
        raise ValueRangeError("--model is for --kind open_clip; leave it out")
    return place


def _opener(asked: Watch) -> "Callable[[Path], Encoder]":
    """What opens a checkpoint as an encoder."""
    from importlib.util import find_spec

    from conceptbind.encoders.registry import open_encoder
    from conceptbind.encoders.weights import importing

    # that it cannot be imported is no fault of a checkpoint
    if asked.kind == "open_clip" and find_spec("open_clip") is not None:
        with importing("open_clip", "open_clip_torch", "open-clip", "--kind open_clip"):
            import open_clip  # noqa: F401

    def opened(path: Path) -> "Encoder":
        if asked.kind != "open_clip":
            return open_encoder(f"{asked.kind}:{path}", asked)
        if path.is_dir():
            return open_encoder(f"open_clip:local-dir:{path}", asked)
        if asked.model is None:
            raise FileError(f"{path.name} does not name its architecture; add --model, as ViT-B-32")
        return open_encoder(f"open_clip:{asked.model}@{path}", asked)

    return opened


def _say(line: str) -> None:
    from conceptbind.core.streams import tell

    tell(line, "")
