"""Files that lie where those of a benchmark should, and are none of them: which, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from conceptbind.benchmarks.base import PICTURES

MOST = 3
"""Files that are named."""
PACKED = (".gz", ".bz2", ".xz", ".zst")
ABOUT = ("readme", "license", "licence", "citation", "checksums")
"""How files begin that say something of the others."""


def of_another_kind(folder: Path, files: Iterable[str]) -> str | None:
    """What is there under the name of a file, but with another ending; None where nothing is.

    Args:
        folder: of a benchmark.
        files: names that its file goes by; patterns are passed over.
    """
    for name in files:
        wanted = folder / name
        if "*" in name or not wanted.parent.is_dir():
            continue
        for path in sorted(wanted.parent.iterdir()):
            if _stem(path) == _stem(wanted) and path.name != wanted.name and _is_data(path):
                there = path.relative_to(folder).as_posix()
                return f"{there} is there, and {wanted.name} is what is read"
    return None


def passed_over(place: Path, wanted: Sequence[str]) -> str | None:
    """What lies in a benchmark's own folder and is not taken; None where nothing does.

    Args:
        place: the folder, which holds no file of the benchmark.
        wanted: names of its files, relative to the folder.
    """
    if (other := of_another_kind(place, wanted)) is not None:
        return other
    folders = [place, *(place / part for part in ("data", "test") if (place / part).is_dir())]
    found = [path for folder in folders for path in sorted(folder.iterdir()) if _is_data(path)]
    if not found:
        return None
    named = ", ".join(path.relative_to(place).as_posix() for path in found[:MOST])
    more = ", ..." if len(found) > MOST else ""
    expected = " or ".join(wanted[:MOST]) + (" or the like" if len(wanted) > MOST else "")
    return f"there is {named}{more}, and nothing that is called {expected}"


def _stem(path: Path) -> str:
    """A name without its ending and in small letters; both endings of `a.json.gz`."""
    whole = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return whole.stem.casefold()


def _is_data(path: Path) -> bool:
    """Whether a file may hold items."""
    name = path.name.casefold()
    if name.startswith((".", *ABOUT)) or path.suffix.lower() in PICTURES:
        return False
    return path.is_file()
