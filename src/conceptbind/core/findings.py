"""What a study says of a case: the contract that every study keeps, here or in another package.

A study has a name and a question, says whether it applies to a case, and answers with `Findings`:
records, verdicts, sentences, sections of the page. `conceptbind.studies` runs them one after the
other; it knows no study by more than this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from conceptbind.core.errors import counted, cut
from conceptbind.core.escape import html_table
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent, score

if TYPE_CHECKING:
    from conceptbind.core.outcomes import Outcome
    from conceptbind.studies.case import Case

Word = Literal["yes", "partly", "no", "unclear"]
GENERAL = "blocks_section.html.j2"
"""The template of a section that `conceptbind.report.blocks` makes."""


VERDICT_HEAD = ("level", "modality", "answer", "score", "n", "strongest control", "sentence")


@dataclass(frozen=True, repr=False)
class Verdict:
    """One sentence, and what stands behind it."""

    word: Word
    sentence: str
    score: float | None
    """Level 1: (object recognition - bag) / (ceiling - bag), 0 for a bag of concepts, 1 for all
    that can be recognised. Level 2: paraphrase accuracy in the setting where it is lower. Level 3:
    binding accuracy."""
    level: int | None = None
    """1 decodable, 2 usable within a modality, 3 usable between pictures and captions; of a repair
    the level that it is for. None where no level is measured: `asks` says what is."""
    modality: str | None = None
    n: int | None = None
    """Scenes, or comparisons, that were scored."""
    control: str | None = None
    """The strongest control."""
    repairs: bool | None = None
    """Whether a repair is recommended; None for what is not a repair."""
    asks: str | None = None
    """What it answers, where that is neither a level nor a repair."""

    @property
    def judges(self) -> int | None:
        """The level whose binding it judges; None for a repair, and for what `asks` says."""
        return self.level if self.repairs is None else None

    @property
    def answer(self) -> str:
        """The word as people read it."""
        return "cannot be judged" if self.word == "unclear" else self.word

    def __repr__(self) -> str:
        what = "" if self.repairs is None else " of a repair"
        what += "" if self.level is None else f" of level {self.level}"
        seen = "" if self.modality is None else f" ({cut(self.modality, 20)})"
        score = "" if self.score is None else f", score {_score(self)}"
        n = "" if self.n is None else f", n = {self.n:,}"
        return f"<Verdict{what}{seen}: {self.word}{score}{n}>"

    def _repr_html_(self) -> str:
        """The verdict as a row of a table; in notebooks."""
        return Verdicts((self,))._repr_html_()


class Verdicts(tuple[Verdict, ...]):
    """Several verdicts, which show themselves as a table in notebooks."""

    __slots__ = ()

    def __repr__(self) -> str:
        said = ", ".join(f"level {one.level or '-'} {one.word}" for one in self)
        return f"<{counted(len(self), 'verdict')}: {cut(said, 70)}>"

    def _repr_html_(self) -> str:
        """A row for each verdict."""
        return html_table(VERDICT_HEAD, map(_cells, self))


def _score(verdict: Verdict) -> str:
    """A binding score, or a share; as everywhere else."""
    return score(verdict.score) if verdict.judges == 1 else percent(verdict.score)


def _cells(verdict: Verdict) -> tuple[str, ...]:
    """A verdict as a row with the columns of `VERDICT_HEAD`; a dash where there is nothing."""
    score = "-" if verdict.score is None else _score(verdict)
    n = "-" if verdict.n is None else f"{verdict.n:,}"
    level, modality = str(verdict.level or "-"), verdict.modality or "-"
    control = (verdict.control or "-").replace("_", " ")
    return level, modality, verdict.answer, score, n, control, verdict.sentence


@dataclass(frozen=True)
class Section:
    """A part of the page: what its template shows, as plain data."""

    id: str
    """Name of the HTML element, so that it can be linked to."""
    title: str
    data: Mapping[str, Any]
    """Texts, numbers, lists and mappings of them; HTML as `markupsafe.Markup`."""
    template: str = GENERAL
    appendix: bool = False
    """Whether it says why, and stands behind all that says whether."""


@dataclass(frozen=True, eq=False)
class Findings:
    """What one study found on one case."""

    study: str
    records: Records = field(default_factory=Records)
    verdicts: tuple[Verdict, ...] = ()
    sentences: tuple[str, ...] = ()
    """What is said besides the verdicts."""
    sections: tuple[Section, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    """Words that the section uses, each with its meaning; shown once at the end of the page."""
    outcomes: tuple[Outcome, ...] = ()
    """What became of every scene behind the main numbers, kept so that runs can be compared scene
    by scene. `rows` are rows of the case's table."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Text files of the run folder, by name."""
    found: tuple[Any, ...] = ()
    """What the study's functions returned, for those who go on in Python."""
    next: tuple[str, str] = ("", "")
    """What to do after it, and the command that does it, with `report.advice.RUN` for the run
    folder; told where no level of binding was judged."""


@runtime_checkable
class Study(Protocol):
    """A question that is asked of a case.

    A study that needs no part of `case.split` may say `splits = False`; then tables that are too
    small to be divided can be studied, too.
    """

    @property
    def name(self) -> str:
        """One word, as `--studies` takes it."""

    @property
    def question(self) -> str:
        """What it asks, as one sentence."""

    def applies(self, case: Case) -> str | None:
        """None where the question can be asked; else why not, in words."""

    def run(self, case: Case) -> Findings:
        """The answer."""
