"""Several runs side by side."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import function_of
from conceptbind.commands.gating import Gated
from conceptbind.commands.shared import GivenPath, GivenRun
from conceptbind.core.errors import counted
from conceptbind.core.escape import html_table, one_line
from conceptbind.core.ownership import own
from conceptbind.core.records import Records
from conceptbind.report.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from conceptbind.core.findings import Verdict
    from conceptbind.core.results import Results
    from conceptbind.report.gates import Gate
    from conceptbind.report.leaderboard import Board
    from conceptbind.report.tables import PaperTable

PAGE = "compare.html"
FITTING = 8
"""Columns of a table that stand beside each other on a page of 1,280 px with room to spare."""


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """Several runs side by side: ranks, paired differences and tables, and where they were
    written.
    """

    tables: "tuple[PaperTable, ...]"
    folder: Path | None
    boards: "tuple[Board, ...]" = ()
    """The runs on each level, the best first."""
    runs: "Mapping[str, Records]" = field(default_factory=dict)
    """Records of each run, by its name."""
    notes: tuple[str, ...] = ()
    """What was left out."""
    unranked: tuple[str, ...] = ()
    """Why nothing is ranked, where nothing is: the answer then."""
    gate: "Gate | None" = None
    """What became of the requirements; None where there are none."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: every run has its own."""
    sources: tuple[tuple[str, ...], ...] = ()
    """Where each run comes from: its name, encoders, revision, scenes, version and folder."""

    @property
    def records(self) -> Records:  # type: ignore[override]
        """The records that are ranked, of all boards."""
        return Records(entry.record for board in self.boards for entry in board.entries)

    @property
    def by_run(self) -> "Mapping[str, Records]":  # noqa: D102
        return self.runs

    @property
    def said(self) -> tuple[str, ...]:
        """Who is first, on each level too, and what was left out."""
        return (*self._ranked, *self.notes)

    @property
    def _ranked(self) -> tuple[str, ...]:
        from conceptbind.report.lead import leading

        several = (board.sentence for board in self.boards if len(board.entries) > 1)
        return (*self.unranked, *filter(None, (leading(self.boards), *several)))

    def text(self, width: int | None = None) -> str:
        """Who is first, and all tables in Markdown, whatever the width."""
        shown = list(self._ranked[:1])
        shown += [f"{table.title}\n\n{table.markdown()}" for table in self.tables]
        shown += self.notes
        if self.folder is not None:
            shown.append(f"Tables (.csv, .md, .tex): {self.folder}")
            shown[-1] += f"\nPage: {self.folder / PAGE}"
        if self.gate is not None:
            shown.append(str(self.gate))
        return "\n\n".join(shown)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        where = "" if self.folder is None else f" in {self.folder}"
        compared = counted(len(self.runs), "run")
        return f"<Comparison of {compared} on {counted(len(self.boards), 'number')}{where}>"

    def frame(self) -> "pd.DataFrame":
        """The ranking as a data frame of pandas: one row per run and number.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        entries = [(board, entry) for board in self.boards for entry in board.entries]
        found = self.records.frame()
        found.insert(0, "board", [board.id for board, _ in entries])
        found.insert(1, "rank", [entry.rank for _, entry in entries])
        found.insert(2, "run", [entry.run for _, entry in entries])
        return found

    def _repr_html_(self) -> str:
        from conceptbind.report.leaderboard import RANKING, ranking_rows

        rows = [row for board in self.boards for row in ranking_rows(board)]
        table = html_table(RANKING, rows) if rows else ""
        sentences = html_table(("what the runs say",), [(one,) for one in self.said])
        return f"{sentences if self.said else ''}{table}"

    def show(self) -> None:
        """Open the page: below the cell of a notebook, elsewhere in the browser. Where nothing was
        written it is drawn into a temporary folder.
        """
        if self.folder is None:
            import tempfile

            place = Path(tempfile.mkdtemp(prefix="conceptbind-"))
            _draw(self, place / PAGE)
            replace(self, folder=place).show()
            return
        super().show()

    def _page(self) -> Path | None:
        page = None if self.folder is None else self.folder / PAGE
        return page if page is not None and page.is_file() else None


@dataclass(frozen=True)
class Compare(Gated[Comparison]):
    """Lay the results of several runs side by side: a ranking on each level of binding, then
    recognition, binding, R^2, removal, edits, generalisation scores and benchmarks.

    Runs are compared scene by scene: the difference of each pair with its interval and an exact
    test. Models that cannot be told apart share a rank. Where two runs did not score the same
    scenes, the table says so.

    Prints Markdown; with --out also writes a page, and each table as CSV, Markdown and LaTeX.
    """

    runs: Sequence[GivenRun]
    """Run folders written by conceptbind measure, repair or evaluate, or folders of such folders:
    their runs make a leaderboard. Folders and files that mteb wrote stand beside them.
    """
    _: KW_ONLY
    out: GivenPath | None = None
    """Folder to write the page and the tables into."""

    def work(self) -> Comparison:
        """Make the tables."""
        from conceptbind.benchmarks.field import distance_table, swap_table
        from conceptbind.benchmarks.mteb_tasks import mteb_files, mteb_table, read_mteb
        from conceptbind.benchmarks.registry import BENCHMARKS
        from conceptbind.benchmarks.section import paired_tables
        from conceptbind.core.errors import FileError, ValueRangeError
        from conceptbind.core.files import user_path
        from conceptbind.core.outcomes import outcomes_of
        from conceptbind.core.results import RESULTS, load_results
        from conceptbind.report.differences import difference_tables
        from conceptbind.report.gates import WORDS, refuse_unknown
        from conceptbind.report.leaderboard import Competitor, board_tables, boards
        from conceptbind.report.tables import paper_tables
        from conceptbind.report.words import SEEN

        if not self.runs:
            raise ValueRangeError("give at least one run folder")
        given = [user_path(str(run)) for run in self.runs]
        theirs = [read_mteb(file) for place in given for file in mteb_files(place)]
        given = [place for place in given if not mteb_files(place)]
        folders, notes = _run_folders(given)
        folder = None if self.out is None else user_path(self.out)
        if folder is not None and folder.is_file():
            raise FileError(f"--out must be a folder; {folder} is a file")
        if folder is not None and (folder / RESULTS).is_file():
            raise FileError(f"--out must be a folder of its own; {folder} is a run folder")
        results = [load_results(place) for place in folders]
        found = {
            name: result.records for name, result in zip(_names(folders), results, strict=True)
        }
        for records, place in zip(found.values(), folders, strict=True):
            _refuse_edited(records, place)
        refuse_unknown(self.requirements(), found, (*WORDS["any"], *SEEN, *BENCHMARKS))
        kept = {
            name: outcomes_of(run, found[name]) for name, run in zip(found, folders, strict=True)
        }
        ranked = boards([Competitor(name, found[name], kept[name]) for name in found])
        unranked = _unranked(list(found), ranked)
        tables = (
            *board_tables(ranked),
            *paper_tables(found),
            *difference_tables(found, ranked),
            *paired_tables(kept),
            *filter(None, [distance_table(found), swap_table(found), mteb_table(theirs, found)]),
        )
        if not tables:
            raise ValueRangeError(
                f"these runs have no table to show: {', '.join(map(str, folders))}. {unranked[0]}"
            )
        told = tuple(_told(dict(zip(found, folders, strict=True)), results))
        compared = Comparison(tables, folder, ranked, found, tuple(notes), unranked, sources=told)
        if folder is not None:
            _write(compared, folder)
        return compared


compare = function_of(Compare)


def _run_folders(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The runs that were given, those of folders of runs among them, and what was skipped there."""
    from conceptbind.core.results import RESULTS

    found, notes = [], []
    for named in given:
        place = named.parent if named.name == RESULTS and named.is_file() else named
        if (place / RESULTS).is_file() or not place.is_dir():
            found.append(place)  # what is no run is named where it is read
            continue
        below = sorted(inner for inner in place.iterdir() if inner.is_dir())
        runs = [inner for inner in below if (inner / RESULTS).is_file()]
        broken = _broken(runs)
        found += [inner for inner in runs if inner not in broken] or [place]
        others = [inner.name for inner in below if inner not in runs]
        if runs and others:
            notes.append(f"Skipped in {place}, since they hold no {RESULTS}: {', '.join(others)}.")
        notes += [f"Skipped {inner}: {why}." for inner, why in broken.items()]
    once = {folder.resolve(): folder for folder in reversed(found)}
    kept = [folder for folder in dict.fromkeys(found) if folder in once.values()]
    if len(kept) < len(found):
        notes.append("A run that was given twice counts once.")
    return kept, notes


def _broken(runs: Sequence[Path]) -> dict[Path, str]:
    """The runs of a folder of runs whose files cannot be read, each with the reason."""
    from conceptbind.core.errors import FileError
    from conceptbind.core.outcomes import outcomes_of
    from conceptbind.core.results import load_results

    broken = {}
    for inner in runs:
        try:
            _refuse_edited(load_results(inner).records, inner)
            outcomes_of(inner)
        except FileError as error:
            broken[inner] = str(error).rstrip(".")
    return broken


def _unranked(names: Sequence[str], boards: "Sequence[Board]") -> tuple[str, ...]:
    """Why nothing is ranked, where nothing is."""
    if any(len(board.entries) > 1 for board in boards):
        return ()
    if len(names) == 1:
        return (f"Nothing is ranked: {names[0]} is the only run. Give another beside it.",)
    return ("Nothing is ranked: no two of these runs have the same number of the same scenes.",)


def _names(folders: Sequence[Path]) -> list[str]:
    """A name for each run: of its folder, or its path where two folders have one name."""
    names = [one_line(folder.resolve().name) for folder in folders]
    if len(set(names)) == len(names):
        return names
    return [one_line(str(folder)) for folder in folders]


def _refuse_edited(records: Records, place: Path) -> None:
    """Raise FileError where records lack what tables need."""
    from conceptbind.core.errors import ConceptBindError, FileError
    from conceptbind.report.leaderboard import Competitor, boards
    from conceptbind.report.tables import paper_tables

    try:
        paper_tables({"": records})
        boards([Competitor("", records, {})])
    except ConceptBindError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(
            f"{place / 'results.json'} lacks what a table needs ({type(error).__name__}: "
            f"{error!s:.80}); it was edited, or written "
            "by an earlier version: run it again"
        ) from error


def _told(folders: "Mapping[str, Path]", results: "Sequence[Results]") -> list[tuple[str, ...]]:
    """Where each run comes from, as a row of a table."""
    rows: list[tuple[str, ...]] = []
    for (name, folder), result in zip(folders.items(), results, strict=True):
        encoders, scenes = (
            ", ".join(map(str, result.records.distinct(column))) for column in ("encoder", "scenes")
        )
        about: Any = result.provenance
        kept = about.get("encoders", ())
        revisions = [str(one.get("revision")) for one in kept if isinstance(one, dict)]
        revision = ", ".join(dict.fromkeys(revisions)) or "-"
        version = str(about.get("conceptbind", "-"))
        rows.append((name, encoders, revision, scenes, version, str(folder)))
    return rows


def _write(compared: Comparison, folder: Path) -> None:
    """Write the tables, and last the page."""
    from conceptbind.core.files import clear_asides, write_whole

    own(folder)
    texts: dict[str, str] = {}
    for table in compared.tables:
        forms = {"csv": table.csv(), "md": table.markdown() + "\n", "tex": table.latex()}
        texts |= {f"{table.name}.{suffix}": text for suffix, text in forms.items()}
    clear_asides(folder, [*texts, PAGE])
    for name, text in texts.items():
        write_whole(folder / name, text)
    _draw(compared, folder / PAGE)


def _draw(compared: Comparison, page: Path) -> None:
    """Write the page."""
    from conceptbind.report.leaderboard import RULE
    from conceptbind.report.page import write_page
    from conceptbind.run.facts import plain_provenance

    runs = compared.sources
    several = len({board.scenes for board in compared.boards}) > 1
    shown = [_as_shown(board, several=several) for board in compared.boards]
    drawn = ("levels", "ranking", "pairs")
    others = [table for table in compared.tables if table.name not in drawn]
    whole = next((table for table in compared.tables if table.name == "levels"), None)
    write_page(
        page,
        "compare.html.j2",
        title=f"{counted(len(compared.runs), 'run')} side by side",
        sentences=compared._ranked,
        notes=compared.notes,
        rule=RULE,
        levels=None if whole is None else _upright(whole),
        boards=shown,
        tables=[
            {"title": table.title, "head": table.columns, "rows": table.rows} for table in others
        ],
        runs=runs,
        provenance=plain_provenance({"runs": [row[-1] for row in runs], "seed": None}, sys.argv),
    )


def _upright(table: "PaperTable") -> dict[str, Any]:
    """The table of all levels as the page shows it: with a column for each run where there are
    fewer runs than numbers and the numbers do not fit beside each other.
    """
    shown = {"title": table.title, "columns": table.columns, "rows": table.rows}
    if len(table.columns) <= FITTING or len(table.rows) + 1 >= len(table.columns):
        return shown
    names = table.columns[1:]
    head, *columns = zip(*table.rows, strict=True)
    rows = [(name, *cells) for name, cells in zip(names, columns, strict=True)]
    return {**shown, "columns": ("number", *head), "rows": rows}


def _as_shown(board: "Board", *, several: bool) -> dict[str, Any]:
    """A board as the page shows it; with its scenes where there are several."""
    from conceptbind.report.leaderboard import PAIRS, RANKING, pair_rows, ranking_rows

    return {
        "id": board.id,
        "title": board.title,
        "of": f" ({board.scenes})" if several else "",
        "figure": board.chart(),
        "head": RANKING[2:],
        "rows": [row[2:] for row in ranking_rows(board)],
        "pair_head": PAIRS[1:],
        "pairs": [row[1:] for row in pair_rows(board)],
    }
