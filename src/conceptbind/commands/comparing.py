"""Several runs side by side."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.shared import GivenPath, GivenRun
from conceptbind.core.ownership import own

if TYPE_CHECKING:
    from conceptbind.report.tables import PaperTable


@dataclass(frozen=True, eq=False)
class Comparison:
    """Tables over several runs, and where they were written."""

    tables: "tuple[PaperTable, ...]"
    folder: Path | None

    def __str__(self) -> str:
        shown = "\n\n".join(f"{table.title}\n\n{table.markdown()}" for table in self.tables)
        return (
            shown if self.folder is None else f"{shown}\n\nTables (.csv, .md, .tex): {self.folder}"
        )


@dataclass(frozen=True)
class Compare(Command[Comparison]):
    """Lay the results of several runs side by side: recognition, binding, R^2, removal, edits,
    generalisation scores and benchmarks.

    What each run measured stands beside the first run's value and the difference from it.
    Benchmarks are compared item by item: the difference of each run from the first, with its
    interval and McNemar's exact p.

    Prints Markdown; with --out also writes each table as CSV, Markdown and LaTeX.
    """

    runs: Sequence[GivenRun]
    """Run folders written by conceptbind measure, repair or evaluate."""
    _: KW_ONLY
    out: GivenPath | None = None
    """Folder to write the tables into."""

    def work(self) -> Comparison:
        """Make the tables."""
        from conceptbind.benchmarks.section import paired_tables
        from conceptbind.core.errors import ConceptBindError, FileError, ValueRangeError
        from conceptbind.core.files import clear_asides, user_path, write_whole
        from conceptbind.core.outcomes import outcomes_of
        from conceptbind.core.results import load_results
        from conceptbind.report.differences import difference_tables
        from conceptbind.report.tables import paper_tables

        if not self.runs:
            raise ValueRangeError("give at least one run folder")
        folders = [user_path(str(run)) for run in self.runs]
        names = [folder.resolve().name for folder in folders]
        if len(set(names)) < len(names):
            names = [str(folder) for folder in folders]
        runs = [load_results(folder).records for folder in folders]
        found = dict(zip(names, runs, strict=True))
        kept = {name: outcomes_of(run) for name, run in zip(names, folders, strict=True)}
        for name, place in zip(names, folders, strict=True):
            try:
                paper_tables({name: found[name]})
            except ConceptBindError:
                raise
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise FileError(
                    f"{place / 'results.json'} lacks what a table needs ({type(error).__name__}: "
                    f"{error!s:.80}); it was edited, or written "
                    "by an earlier version: run it again"
                ) from error
        tables = [*paper_tables(found), *difference_tables(found), *paired_tables(kept)]
        if not tables:
            raise ValueRangeError(
                f"no run holds a number that can be compared: {', '.join(map(str, folders))}"
            )
        folder = None if self.out is None else user_path(self.out)
        if folder is not None:
            if folder.is_file():
                raise FileError(f"--out must be a folder; {folder} is a file")
            own(folder)
            texts = {
                f"{table.name}.{suffix}": text
                for table in tables
                for suffix, text in (
                    ("csv", table.csv()),
                    ("md", table.markdown() + "\n"),
                    ("tex", table.latex()),
                )
            }
            clear_asides(folder, texts)
            for name, text in texts.items():
                write_whole(folder / name, text)
        return Comparison(tuple(tables), folder)


compare = function_of(Compare)
