"""Tables as plain text, as a terminal shows them."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from conceptbind.core.escape import one_line

GAP = 2
"""Spaces between two columns."""
GLUE = "\ue000"
"""Stands for the space before a per cent sign while cells are folded: no line may end there."""


def terminal_table(
    lines: Sequence[Sequence[str]], text_columns: int, width: int | None = None
) -> str:
    """Cells in columns, of characters and spaces alone.

    In a narrow terminal cells are folded between words, those of numbers last. No word and no
    number is cut: where the longest ones together are wider than the terminal, nothing is folded.

    Args:
        lines: the head and the rows.
        text_columns: how many columns hold text: the first ones, which stand to the left.
        width: of the terminal, in characters; None where every cell is to stay on one line.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(map(_glued, line)) for line in lines]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    if width is not None:
        words = [max(map(cell_len, " ".join(column).split(" "))) for column in columns]
        numbers = [max(map(cell_len, column[1:]), default=0) for column in columns[text_columns:]]
        whole = words[:text_columns] + list(map(max, words[text_columns:], numbers))
        room = width - GAP * (len(columns) - 1)
        if sum(words) <= room:
            widths = _narrowed(_narrowed(widths, whole, room), words, room)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for i, (column, wide) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(Text(column[0]), justify="left" if i < text_columns else "right")
        table.columns[-1].width = wide
    for line in cells[1:]:
        table.add_row(*map(Text, line))
    page = io.StringIO()
    wide = sum(widths) + GAP * (len(widths) - 1)
    Console(file=page, width=wide, color_system=None, force_jupyter=False).print(table)
    return "\n".join(map(str.rstrip, page.getvalue().replace(GLUE, " ").splitlines()))


def _glued(cell: str) -> str:
    """A cell as one line, with glue between a number and its per cent sign."""
    return re.sub(r"(?<=\d) (?=%)", GLUE, one_line(cell))


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that fit, or come as near as they may: the widest column gives way first.

    Args:
        widths: of the columns.
        least: how narrow each may become.
        room: for all of them.
    """
    found = list(widths)
    while sum(found) > room:
        wider = [i for i, width in enumerate(found) if width > least[i]]
        if not wider:
            break
        found[max(wider, key=found.__getitem__)] -= 1
    return found
