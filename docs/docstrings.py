"""Docstrings of the project are plain text with `code` in single backticks; Sphinx reads
reStructuredText, in which a bar, a star or an underscore would be markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FIELD = re.compile(r"(\s*\*{0,2}\w+:(?=\s|$))(.*)")
"""The line of an argument, an attribute or an error, whose name is left to napoleon."""
ITEM = re.compile(r"(\s*)(\w+(?:, \w+)*): (.*)")
"""One of several things that are returned."""
VALUES = ("attribute", "data", "property")
"""What has a text and no sections; napoleon would take words before a colon for a type."""
texts: dict[str, list[str]] = {}


def as_rst(text: str) -> str:
    """A line of plain text in which nothing but `code` is markup."""
    parts = text.split("`")
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r"([|*\\]|_(?!\w)|(?<=\bfile):(?=\S))", r"\\\1", parts[at])
    return "``".join(parts)


def as_list(lines: list[str]) -> None:
    """What a section `Returns` names becomes a list; one text stays as it is."""
    start = lines.index("Returns:") + 1
    for at in range(start, len(lines)):
        if lines[at] and not lines[at].startswith(" "):
            return
        item = ITEM.fullmatch(lines[at])
        if item and len(item[1]) == 4:
            lines[at] = f"    * ``{item[2]}``: {item[3]}"
        elif len(lines[at]) - len(lines[at].lstrip()) > 4:
            lines[at] = f"      {lines[at].lstrip()}"


def read(app: Sphinx, what: str, name: str, found: object, options: Any, lines: list[str]) -> None:
    """Before napoleon finds the sections."""
    for at, line in enumerate(lines):
        field = FIELD.fullmatch(line)
        lines[at] = field[1] + as_rst(field[2]) if field else as_rst(line)
    if "Returns:" in lines:
        as_list(lines)
    if what in VALUES and "Raises:" not in lines:
        texts[name] = list(lines)


def restore(
    app: Sphinx, what: str, name: str, found: object, options: Any, lines: list[str]
) -> None:
    """After it."""
    lines[:] = texts.pop(name, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Read docstrings before napoleon does (at 500), and look at them again behind it."""
    app.connect("autodoc-process-docstring", read, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    return {"parallel_read_safe": True}
