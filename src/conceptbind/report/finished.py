"""What a finished run found, read back from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import counted
from conceptbind.core.files import user_path
from conceptbind.core.results import RESULTS, load_results
from conceptbind.report.advice import moved
from conceptbind.report.levels import HEAD, level_rows
from conceptbind.report.shown import Shown
from conceptbind.report.terminal import terminal_table

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Records

NO_WORDS = "The version that made this run kept no verdicts."
"""What is said of a run whose results have numbers alone."""


@dataclass(frozen=True, eq=False, repr=False)
class Run(Shown):
    """A finished run of any command, as its folder holds it."""

    folder: Path
    records: Records
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]
    """The verdicts and what else is said, in words."""
    provenance: Mapping[str, Any]
    """Options, versions, encoders, scenes: what it takes to do it again."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What else the command keeps in `results.json`."""

    @property
    def answer(self) -> str:
        """The answer as one sentence; empty where the command gives none."""
        return self._of_answer("sentence")

    @property
    def said(self) -> tuple[str, ...]:
        """The answer, where the command gives one, and its sentences. Of a run of an earlier
        version that kept none, what there is.
        """
        told = (*filter(None, (self.answer,)), *self.sentences)
        if told or self.verdicts:
            return told
        return (f"{NO_WORDS} Its {counted(len(self.records), 'record')}: .frame() or .records.",)

    @property
    def advice(self) -> tuple[str, str]:
        """What to do next, and the command that does it where the run is now."""
        return self._of_answer("why"), self._of_answer("next")

    def text(self, width: int | None = None) -> str:
        """All that the run says, its levels, what to do next, and where its page lies.

        Args:
            width: of a terminal, in characters; see `Shown.text`.
        """
        parts = ["\n".join(dict.fromkeys(self.said))]
        if self.verdicts:
            parts.append(terminal_table([HEAD, *level_rows(self.verdicts)], len(HEAD), width))
        why, command = self.advice
        if command:
            parts.append(f"{why}\n  {command}")
        where = self._page() or self.folder
        return "\n\n".join((*filter(None, parts), f"{self!r}\nReport: {where}"))

    def _of_answer(self, part: str) -> str:
        answer = self.told.get("answer")
        return moved(answer, self.folder)[part] if isinstance(answer, Mapping) else ""


def load_run(path: str | Path) -> Run:
    """Read a finished run back.

    Args:
        path: a run folder of measure, repair, finetune, evaluate, train or sweep, also of earlier
            versions; or its `results.json`.

    Raises:
        FileError: the folder holds no results, or they were damaged.
    """
    folder = user_path(path)
    if folder.name == RESULTS and folder.is_file():
        folder = folder.parent
    found = load_results(folder)
    return Run(folder, found.records, found.verdicts, found.sentences, found.provenance, found.told)
