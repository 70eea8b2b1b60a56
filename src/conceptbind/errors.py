"""Every error that a user can cause. A message says what was expected, what came, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConceptBindError(Exception):
    """Base of all errors raised for a user's input; the command line prints it without a traceback and exits with 2."""


class ShapeError(ConceptBindError, ValueError):
    """An array has the wrong shape, or two tables have different lengths."""


class ValueRangeError(ConceptBindError, ValueError):
    """A number or a label lies outside what is allowed (NaN, unknown value, empty table)."""


class UnknownNameError(ConceptBindError, ValueError):
    """A name is unknown: an encoder scheme, a scene set, a column."""


class MismatchError(ConceptBindError, ValueError):
    """Two artifacts do not belong together: rows and scenes, a folder and another configuration."""


class ModalityError(ConceptBindError, ValueError):
    """An encoder or a scene set cannot do the modality that was asked for."""


class MissingExtraError(ConceptBindError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the package '{package}', which is not installed; run: pip install 'conceptbind[{extra}]'")


class UnsafeFileError(ConceptBindError, ValueError):
    """A file could execute code when read, so it is not read."""


class FileError(ConceptBindError, OSError):
    """A file is missing, unreadable, or could not be written."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message for an unknown name: the closest known names, else all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {', '.join(known)}"
