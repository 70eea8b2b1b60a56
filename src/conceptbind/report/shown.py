"""How results show themselves: in a line, in ten lines, in a notebook, and as their page."""

from __future__ import annotations

import sys
import webbrowser
from abc import abstractmethod
from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from conceptbind.core.errors import FileError, counted, cut, cut_left
from conceptbind.core.escape import html_table, html_text
from conceptbind.core.streams import print_out
from conceptbind.report.levels import HEAD, level_rows
from conceptbind.report.terminal import terminal_table

if TYPE_CHECKING:
    import pandas as pd

    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Records
    from conceptbind.report.advice import Answer
    from conceptbind.report.gates import Gate

PAGE = "report.html"
HEIGHT = 600
"""Height of a page in a notebook, in pixels."""


class Judgeable(Protocol):
    """A result that requirements can be held against: a dataclass with a field `gate`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def gate(self) -> Gate | None:
        """What became of the requirements; None where there are none."""

    @property
    def by_run(self) -> Mapping[str, Records]:
        """Records of each run, by its name."""


class Shown:
    """What every result of a command can do in Python and in a notebook."""

    folder: Path | None
    """The run folder."""
    records: Records
    verdicts: tuple[Verdict, ...]
    """One for each level of binding that was judged; empty where a command judges none."""

    @property
    def by_run(self) -> Mapping[str, Records]:
        """The records, by the name of the run."""
        return {"the run" if self.folder is None else self.folder.name: self.records}

    @property
    @abstractmethod
    def said(self) -> tuple[str, ...]:
        """What the numbers say, in words."""

    @property
    def advice(self) -> tuple[str, str]:
        """What to do next, and the command that does it; two empty texts where none is known."""
        return "", ""

    def text(self, width: int | None = None) -> str:
        """What the command prints.

        Args:
            width: of a terminal, in characters: tables are folded to it. None where no cell is.
        """
        return "\n".join((*self.said, repr(self)))

    def frame(self) -> pd.DataFrame:
        """The records as a data frame of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return self.records.frame()

    def show(self) -> None:
        """Open the page: below the cell of a notebook, elsewhere in the browser.

        Prints what it did.

        Raises:
            FileError: there is no page.
        """
        page = self._page()
        if page is None:
            raise FileError(
                f"{self._nothing()}; .frame() has the records, and print(...) says what they say"
            )
        program = _notebook()
        if program is None:
            opened = webbrowser.open(page.resolve().as_uri())
            done = "Opened in your browser" if opened else "Found no browser. Open this file in one"
            print_out(f"{done}: {page}")
            return
        program.display.display(Framed(page))

    def _page(self) -> Path | None:
        """The page, where one was written."""
        page = None if self.folder is None else self.folder / PAGE
        return page if page is not None and page.is_file() else None

    def _nothing(self) -> str:
        """Why there is no page, in words."""
        if self.folder is None:
            return "nothing was written, so there is no page"
        if (self.folder / "page.json").is_file():
            return f"{self.folder} has no {PAGE}; conceptbind report {self.folder} draws it again"
        return f"{self.folder} has no {PAGE}"

    def _short(self) -> tuple[str, ...]:
        """The first sentence where a table of verdicts says the others, else all."""
        return self.said[:1] if self.verdicts else tuple(dict.fromkeys(self.said))

    def __str__(self) -> str:
        parts = ["\n".join(self._short())] if self._short() else []
        if self.verdicts:
            parts.append(terminal_table([HEAD, *level_rows(self.verdicts)], len(HEAD)))
        why, command = self.advice
        if command:
            parts.append(f"{why}\n  {command}")
        if self._page() is not None:
            parts.append(f"Page: {self._page()} (.show() opens it)")
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.records.distinct("encoder")))
        who = f" of {cut(names, 30)}" if names else ""
        what = counted(len(self.records), "record")
        where = "" if self.folder is None else f" in {cut_left(str(self.folder), 30)}"
        return f"<{type(self).__name__}{who}: {what}{where}>"

    def _repr_html_(self) -> str:
        """The answer, the levels, what to do next, and where the page lies; in notebooks."""
        parts = [f"<p><strong>{html_text(sentence)}</strong></p>" for sentence in self._short()]
        if self.verdicts:
            parts.append(html_table(HEAD, level_rows(self.verdicts)))
        why, command = self.advice
        if command:
            parts.append(f"<p>{html_text(why)}<br><code>{html_text(command)}</code></p>")
        where = [f"{len(self.records):,} records: <code>.frame()</code>."]
        if self._page() is not None:
            page = html_text(str(self._page()))
            where.insert(0, f"Page: <code>{page}</code>; <code>.show()</code> opens it.")
        return "".join((*parts, f"<p>{' '.join(where)}</p>"))


class Answered(Shown):
    """A result whose answer stands first."""

    answer: Answer | None
    """None where a command gives none."""

    @property
    def advice(self) -> tuple[str, str]:
        """What to do next, and the command that does it."""
        return ("", "") if self.answer is None else (self.answer.why, self.answer.next)


class Framed:
    """A page inside a notebook. The notebook keeps it whole, so it is there wherever the notebook
    goes, and its scripts reach nothing outside.
    """

    def __init__(self, page: Path) -> None:
        self.page = page

    def __repr__(self) -> str:
        return f"Page: {self.page}"

    def _repr_html_(self) -> str:
        # In such a frame a link to a heading leads to the notebook, unless the base says otherwise.
        page = self.page.read_text(encoding="utf-8")
        page = page.replace("<head>", '<head><base href="about:srcdoc">', 1)
        frame = (
            f'<iframe srcdoc="{escape(page)}" title="Report" width="100%" height="{HEIGHT}" '
            'sandbox="allow-scripts allow-popups allow-downloads" style="border: 0"></iframe>'
        )
        return f"<p>Page: <code>{html_text(str(self.page))}</code></p>{frame}"


def _notebook() -> ModuleType | None:
    """IPython, where this runs in the kernel of a notebook."""
    program = sys.modules.get("IPython")
    shell = None if program is None else program.get_ipython()
    return program if getattr(shell, "kernel", None) is not None else None
