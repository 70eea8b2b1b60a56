"""The notebooks of the tutorials: `python docs/notebooks.py [NAME ...]` runs them in a real kernel
and keeps what their cells show. The site shows what is kept, and a test runs them again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LONGEST = 900
"""Seconds that a cell may take."""


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """A notebook as it is after a run in a kernel of its own.

    Args:
        path: of the notebook, which stays as it is.
        folder: where the kernel works and writes.

    Raises:
        CellExecutionError: a cell raised an error.
    """
    book = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=LONGEST, record_timing=False, resources=place).execute()
    for cell in code_cells(book):
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    book.metadata.pop("language_info", None)  # it names the version of Python
    return book


def code_cells(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells that are run."""
    return [cell for cell in book.cells if cell.cell_type == "code"]


def printed(book: nbformat.NotebookNode) -> list[str]:
    """What each cell prints and shows, without pictures."""
    return ["".join(map(_words, cell.outputs)) for cell in code_cells(book)]


def _words(output: nbformat.NotebookNode) -> str:
    """Printed text, or what is shown: HTML where there is some."""
    shown = output.get("data", {})
    return output.get("text", "") + shown.get("text/html", shown.get("text/plain", ""))


def main(names: list[str]) -> None:
    """Run notebooks, all of them by default, and keep what they show."""
    for path in NOTEBOOKS:
        if not names or path.stem in names:
            with tempfile.TemporaryDirectory() as folder:
                book = executed(path, Path(folder))
            nbformat.write(book, path)


if __name__ == "__main__":
    main(sys.argv[1:])
