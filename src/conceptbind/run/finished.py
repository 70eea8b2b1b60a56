"""What a finished run found, read back from its folder; and how results show themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.files import user_path
from conceptbind.core.results import load_results

if TYPE_CHECKING:
    import pandas as pd

    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Records


class Shown:
    """What every result of a command can do in Python and in a notebook."""

    folder: Path | None
    """The run folder."""
    records: Records

    @property
    @abstractmethod
    def said(self) -> tuple[str, ...]:
        """What the numbers say, in words."""

    def text(self, width: int | None = None) -> str:
        """What the command prints.

        Args:
            width: of a terminal, in characters: tables are folded to it. None where no cell is.
        """
        return "\n".join((*self.said, repr(self)))

    def __str__(self) -> str:
        return self.text()

    def frame(self) -> pd.DataFrame:
        """The records as a data frame of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return self.records.frame()

    def __repr__(self) -> str:
        who = ", ".join(str(name) for name in self.records.distinct("encoder")[:3])
        about = f" of {who}" if who else ""
        return f"<{type(self).__name__}{about}: {len(self.records)} records in {self.folder}>"

    def _repr_html_(self) -> str:
        """For notebooks: what is said, and the records."""
        words = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.said)
        return words + self.records._repr_html_()


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
    def said(self) -> tuple[str, ...]:
        """The answer, where the command gives one, and its sentences."""
        answer = self.told.get("answer")
        first = (str(answer["sentence"]),) if isinstance(answer, Mapping) else ()
        return (*first, *self.sentences)


def load_run(path: str | Path) -> Run:
    """Read a finished run back.

    Args:
        path: a run folder of measure, repair, finetune, evaluate, train or sweep, also of earlier
            versions.

    Raises:
        FileError: the folder holds no results, or they were damaged.
    """
    folder = user_path(path)
    found = load_results(folder)
    return Run(folder, found.records, found.verdicts, found.sentences, found.provenance, found.told)
