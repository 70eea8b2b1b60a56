"""The answer of a run, and the command to run next, which names the folder wherever that lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from typing import Any

RUN = "{run}"
"""What stands for the run folder in a command that is kept."""


def at(form: str, folder: Path) -> str:
    """A command with a run folder in it, quoted for a shell.

    Args:
        form: the command, with `RUN` for the folder.
        folder: where the run is.
    """
    return form.replace(RUN, quote(str(folder)))


def moved(answer: Mapping[str, object], folder: Path) -> dict[str, str]:
    """A kept answer with the command of the folder that the run was opened from.

    Args:
        answer: as `results.json` and `page.json` hold it; that of an earlier version has no `form`,
            and stays as it is.
        folder: where the run is.
    """
    told = {name: str(answer.get(name) or "") for name in ("sentence", "why", "next", "form")}
    return {**told, "next": at(told["form"], folder) if told["form"] else told["next"]}


@dataclass(frozen=True)
class Answer:
    """What a run found, for everybody."""

    sentence: str
    why: str = ""
    """What the next command is for."""
    next: str = ""
    """The command to run next; empty where none is known."""
    form: str = ""
    """The same with `RUN` for the run folder, so that it can be told wherever the
    run lies later."""

    def as_json(self) -> dict[str, str]:
        """As `results.json` and the page hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any], folder: Path) -> Answer:
        """From `as_json`, with the command for the folder where the run is now."""
        return cls(**moved(plain, folder))

    def __str__(self) -> str:
        if not self.next:
            return self.sentence
        return f"{self.sentence}\n\n{self.why}\n  {self.next}"


def answer_at(folder: Path, sentence: str, why: str, form: str) -> Answer:
    """An answer whose command names the folder of a run.

    Args:
        folder: of the run.
        sentence: the answer.
        why: what the next command is for.
        form: the command, with `RUN` for the folder; empty for none.
    """
    return Answer(sentence, why, at(form, folder), form)
