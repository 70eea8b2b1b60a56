"""The commands and the Python of README.md, CONTRIBUTING.md and docs/, as they stand there, and
what is marked as needing something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"(?:<!--(?P<mark>[^\n]*?)-->[ \t]*\n\s*)?^(?P<indent>[ "
    r"\t]*)```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```[ \t]*$",
    re.M | re.S,
)
_PRINTED = re.compile(r"\s*<!-- printed -->[ \t]*\n```text\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`((?:conceptbind|python|pytest) [^`\n]+)`")
_NEEDS = re.compile(r"\bneeds?:? +(?P<what>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Documented:
    """One command, or one block of Python."""

    page: str
    line: int
    kind: str
    """`sh`, `python`, or `inline` for a command inside a sentence."""
    text: str
    needs: str = ""
    """What the mark says it needs: in the comment behind the command, or above the block as `<!--
    needs ... -->`."""
    printed: str = ""
    """What the page says a block of Python prints: the text below it, marked `<!-- printed -->`."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {' '.join(self.text.split())[:60]}"


def documented(page: Path) -> Iterator[Documented]:
    """Everything that a page tells its reader to type."""
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
    blocks = list(_BLOCK.finditer(text))
    for block in blocks:
        above = _NEEDS.search(block["mark"] or "")
        needs, first = (
            above["what"].strip() if above else "",
            text.count("\n", 0, block.start("body")) + 1,
        )
        if block["kind"] == "python":
            below = _PRINTED.match(text, block.end())
            shown = below[1] if below else ""
            yield Documented(name, first, "python", block["body"], needs, shown)
        elif block["kind"] in ("sh", "bash", "console", "shell"):
            lines = block["body"].replace("\\\n", " ").split("\n")
            for number, line in enumerate(lines, start=first):
                command, _, comment = re.sub(r"(^|\s)#", r"\1\0", line).partition("\0")
                own = _NEEDS.search(comment)
                if command.strip():
                    yield Documented(
                        name,
                        number,
                        "sh",
                        command.strip(),
                        own["what"].partition(";")[0].strip() if own else needs,
                    )
    outside = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    for found in _INLINE.finditer(outside):
        yield Documented(name, outside.count("\n", 0, found.start()) + 1, "inline", found[1])


def unknown_blocks(page: Path) -> list[str]:
    """Kinds of fenced blocks that nothing here reads."""
    run, shown = {"python", "sh", "bash", "console", "shell"}, {"text", "csv", "mermaid"}
    known = run | shown | {"json", "yaml", "toml"}
    return [
        block["kind"]
        for block in _BLOCK.finditer(page.read_text(encoding="utf-8"))
        if block["kind"] not in known
    ]
