"""Streams that stay usable whatever becomes of them, and messages of one line."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from contextlib import suppress
from typing import TextIO

LONGEST = 500
"""Characters of a message."""


def make_streams_safe() -> None:
    """Streams that were closed lead nowhere, a narrow encoding shows what it lacks as escapes, and
    the user has a name.

    Without the first, the next file to be opened would take the number of the standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # For the whole process.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        with suppress(ValueError, OSError):
            reconfigure(errors="backslashreplace")
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):  # torch asks for it to name a folder
        os.environ["LOGNAME"] = f"uid{os.getuid() if hasattr(os, 'getuid') else ''}"


class PatientStream:
    """The error stream, whose loss stops no command: a terminal that is gone, a full disk."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def terminal_width() -> int | None:
    """Characters of a line of the terminal that the standard output is; None where it is none."""
    with suppress(OSError, ValueError):
        if sys.stdout.isatty():
            return shutil.get_terminal_size().columns
    return None


def print_out(text: str | None) -> OSError | ValueError | None:
    """Print to the standard output, and return what hindered it. A reader that has gone, as `head`
    does, is not a hindrance; a full disk is.
    """
    try:
        if text is not None:
            print(shown(text))
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except (OSError, ValueError) as error:
        _drop_output()
        return error
    return None


def shown(text: str) -> str:
    """Text without what moves a terminal's cursor, sets its title or turns the direction of text:
    names are a user's, or come with somebody's files. Lines stay lines.
    """
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1]
        for letter in text
    )


def _drop_output() -> None:
    """Lead what is still to be printed nowhere, so that the interpreter's own last flush does not
    fail.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(message: str, kind: str = "error: ") -> None:
    """Print a message as one line on the error stream."""
    print(one_line(f"conceptbind: {kind}{message}"), file=sys.stderr)


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text as one line of so many characters, its middle left out where it is longer."""
    folded = shown(" ".join(text.split()))
    if len(folded) <= longest:
        return folded
    end = longest // 3
    return f"{folded[: longest - end - 5]} ... {folded[-end:]}"
