"""The command to run next, which names the folder of a run wherever that lies now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

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
