"""What becomes of a name in tables for spreadsheets, in Markdown, in LaTeX, in HTML and on a
terminal: text, whatever it holds.

Names of runs, values, captions and encoders are a user's, or come with somebody's files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_FORMULA = re.compile(r"\s*'*\s*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")
"""How a cell begins that a spreadsheet may run or compute: signs, also in full width, and what lets
a cell begin again."""
_NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*|\.\d+)([eE][+-]?\d+)?( ?%)?|-")
"""Cells that are numbers, or the dash of an empty one."""
_DIRECTION = r"\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_DIRECTION}]+")
"""What ends lines, moves a terminal's cursor, or turns the direction of text."""
TURNED = re.compile(f"[{_DIRECTION}]")
"""What turns the direction of the text behind it, so that a name would be read backwards."""
_CELL = "text-align: left; padding: 0.2em 1em 0.2em 0"
"""Style of a table's cells in a notebook. No colour is set, so that dark notebooks stay dark."""
_MARKDOWN = {
    "\\": "\\\\",
    "|": "\\|",
    "<": "&lt;",
    ">": "&gt;",
    "[": "\\[",
    "]": "\\]",
    "`": "\\`",
    "*": "\\*",
    "~": "\\~",
    "$": "\\$",
}
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{mark: "\\" + mark for mark in "&%$#_{}"},
}


def one_line(text: str) -> str:
    """Text without line ends and other controls, for tables that people read."""
    return _CONTROL.sub(" ", text)


def html_text(text: str) -> str:
    """Text that HTML shows as it stands, on one line."""
    return escape(one_line(text))


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small table for a notebook; every cell is text."""
    heads = "".join(f'<th scope="col" style="{_CELL}">{html_text(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _html_cells(row: Sequence[str]) -> str:
    return "".join(f'<td style="{_CELL}">{html_text(cell)}</td>' for cell in row)


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values in which no cell is a formula: a text that may be one gets an
    apostrophe in front, numbers stay.

    A reader undoes it with `plain_cell`.
    """
    return "".join(map(_csv_line, rows))


def _csv_line(row: Sequence[Any]) -> str:
    return ",".join(_quoted(csv_cell(cell)) for cell in row) + "\n"


def _quoted(cell: object) -> str:
    """A cell in quotation marks where it holds what could end it, in whichever program. (Python's
    writer leaves a lone CR open.)
    """
    text = _written(cell)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[,;"\t\r\n]', text) else text


def _written(cell: object) -> str:
    """Nothing as an empty cell, and a number with all its digits."""
    if cell is None:
        return ""
    return repr(float(cell)) if isinstance(cell, float) else str(cell)


def csv_cell(cell: object) -> Any:
    """A cell as text to a spreadsheet; see OWASP, "CSV injection"."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def plain_cell(cell: str) -> str:
    """The inverse of `csv_cell`."""
    return (
        cell[1:]
        if cell.startswith("'") and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell[1:])
        else cell
    )


def markdown(text: str) -> str:
    """Text that Markdown shows as it stands: no cell, tag, link, image or formula of its own."""
    entities = re.sub(r"&(?=#?\w+;)", "&amp;", one_line(text))
    return "".join(_MARKDOWN.get(letter, letter) for letter in entities)


def latex(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    escaped = "".join(_TEX.get(letter, letter) for letter in one_line(text))
    # after the end of a row a star or a bracket would be an option of it
    return "{}" + escaped if escaped.lstrip().startswith(("[", "*")) else escaped
