"""Every error that a user can cause. A message says what was expected, what came, and what to do
next.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable

ECHOED = 60
"""Letters of a user's value that a message shows."""
LONGEST = 1200
"""Letters of a message; of a longer one the middle is left out, whatever it shows."""


def quoted(value: object, most: int = ECHOED) -> str:
    """What a user gave, as a message shows it: on one line, in quotation marks where it is a text,
    and cut.

    Args:
        value: anything.
        most: letters that are shown.
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        kind = type(value).__name__
        return f"{'a DataFrame' if kind == 'DataFrame' else 'an array'} of shape {shape}"
    short = reprlib.Repr()
    short.maxstring = short.maxother = most
    short.maxlist = short.maxtuple = short.maxset = short.maxdict = 3
    short.maxlevel = 2
    return cut(" ".join(short.repr(value).split()), most)


def cut(text: object, most: int = ECHOED) -> str:
    """A text of a user on one line, and its beginning only where it is long.

    Args:
        text: such as a name.
        most: letters that are shown.
    """
    whole = str(text)
    line = " ".join(whole[: 2 * most].split())
    return line if len(line) <= most and len(whole) <= 2 * most else f"{line[: most - 3]}..."


def cut_left(text: str, most: int = ECHOED) -> str:
    """A text on one line, and its end only where it is long, as of paths.

    Args:
        text: such as a path.
        most: letters that are shown.
    """
    line = " ".join(text.split())
    return line if len(line) <= most else f"...{line[3 - most :]}"


def counted(n: int, what: str) -> str:
    """A count in words: 1 scene, 2 scenes, 1,000 queries.

    Args:
        n: how many.
        what: one of them is called.
    """
    return f"{n:,} {what if n == 1 else plural(what)}"


def plural(what: str) -> str:
    """Several of what one of them is called: scenes, queries, classes."""
    if re.search(r"[^aeiou]y$", what):
        return f"{what[:-1]}ies"
    return f"{what}es" if re.search(r"(s|x|ch|sh)$", what) else f"{what}s"


class ConceptBindError(Exception):
    """Base of all errors raised for a user's input; the command line prints it without a traceback
    and exits with 2.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*map(_bounded, said))


def _bounded(said: object) -> object:
    """A message with its beginning (what is wrong) and its end (what to do)."""
    if not isinstance(said, str) or len(said) <= LONGEST:
        return said
    return f"{said[: LONGEST - 400]} ... {said[-390:]}"


class ShapeError(ConceptBindError, ValueError):
    """An array has the wrong shape, or two tables have different lengths."""


class KindError(ConceptBindError, TypeError):
    """An argument is an object of another kind than the function takes."""


class ValueRangeError(ConceptBindError, ValueError):
    """A number or a label lies outside what is allowed (NaN, unknown value, empty table)."""


class NothingAppliesError(ValueRangeError):
    """None of the studies that were asked for can be asked of this encoder on these scenes."""


class UnknownNameError(ConceptBindError, ValueError):
    """A name is unknown: an encoder scheme, a scene set, a column."""


class RecordError(ConceptBindError, LookupError):
    """One record was asked for, and there is none or there are several."""


class MismatchError(ConceptBindError, ValueError):
    """Two artifacts do not belong together: rows and scenes, a folder and another configuration."""


class ModalityError(ConceptBindError, ValueError):
    """An encoder or a scene set cannot do the modality that was asked for."""


class MissingExtraError(ConceptBindError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the package '{package}', which is not installed; run: pip install "
            f"'conceptbind[{extra}]'"
        )


class FolderInUseError(ConceptBindError, RuntimeError):
    """Another command is writing into the folder."""


class UnsafeFileError(ConceptBindError, ValueError):
    """A file could execute code when read, so it is not read."""


class FileError(ConceptBindError, OSError):
    """A file is missing, unreadable, or could not be written."""


class EndpointError(ConceptBindError, OSError):
    """A server cannot be reached, or its answers cannot be used."""


class CutCaptionWarning(UserWarning):
    """Captions are longer than a model reads, so their ends were cut off."""


LISTED = 20
"""Names of a list that a message says."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message for an unknown name: the known names that are really near, else
    all of them, or the first of many.

    Near is what a slip of the hand makes: one letter more, less, another or exchanged with its
    neighbour (two in more than six letters), another case, or the beginning of the name.
    """
    known, name = sorted(set(known)), str(name)
    alike: dict[str, list[str]] = {}
    for other in known:
        alike.setdefault(other.casefold(), []).append(other)
    asked = name.casefold()[:200]
    if ":" in asked and any(":" in other for other in alike):  # a scheme and what belongs to it
        asked = asked.partition(":")[0] + ("" if asked.partition(":")[0] in alike else ":")
    found = difflib.get_close_matches(asked, alike, n=10, cutoff=0.6)
    found += [
        other
        for other in alike
        if len(asked) > 2 and other.startswith(asked) and other not in found
    ]
    near = [
        other
        for other in found
        if _slips(asked, other) <= (1 if len(asked) <= 6 else 2) or other.startswith(asked)
    ]
    close = [other for folded in near for other in alike[folded]][:3]
    if close and asked:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f", ... ({len(known):,} in all)" if len(known) > LISTED else ""
    return f"known: {', '.join(known[:LISTED])}{more}"


def _slips(a: str, b: str) -> int:
    """Letters to insert, delete, replace or exchange with their neighbour to make one word the
    other (optimal string alignment).
    """
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        last, before, row = before, row, [i]
        for j in range(1, len(b) + 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
