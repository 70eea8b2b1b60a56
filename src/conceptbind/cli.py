"""`conceptbind`: words to commands, nothing else.

Exit codes: 0 when it worked, 1 when a requirement is not met or for a fault of conceptbind's own, 2
when the input was wrong, 130 when it was stopped. Every message is one line; with
CONCEPTBIND_DEBUG=1 the whole traceback is shown before it.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, cast

from conceptbind import commands
from conceptbind.commands.command import Command
from conceptbind.core.errors import ConceptBindError, ValueRangeError
from conceptbind.core.files import has_half_characters
from conceptbind.core.streams import (
    LONGEST,
    PatientStream,
    make_streams_safe,
    print_out,
    tell,
    terminal_width,
)

COMMANDS: dict[str, type[Command[Any]]] = {
    "measure": commands.Measure,
    "repair": commands.Repair,
    "apply": commands.Apply,
    "audit": commands.Audit,
    "query": commands.Query,
    "export": commands.Export,
    "finetune": commands.Finetune,
    "embed": commands.Embed,
    "render": commands.Render,
    "compare": commands.Compare,
    "report": commands.Report,
    "try": commands.Try,
    "evaluate": commands.Evaluate,
    "stress": commands.Stress,
    "reproduce": commands.Reproduce,
    "train": commands.Train,
    "sweep": commands.Sweep,
    "watch": commands.Watch,
    "interpolate": commands.Interpolate,
}
DEBUG = "CONCEPTBIND_DEBUG"
JUNIT = "--junit"
AGAIN_AFTER = 0.05
"""Seconds after which an interrupt that was lost is sent again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    make_streams_safe()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    errors, sys.stderr = sys.stderr, cast("Any", PatientStream(sys.stderr))
    hook, sys.unraisablehook = sys.unraisablehook, _interrupt_again
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _say(_run(list(sys.argv[1:] if arguments is None else arguments)))
    except KeyboardInterrupt as stopped:
        tell(f"stopped; the same command {stopped.args[0] if stopped.args else Command.AGAIN}", "")
        return 130
    except Exception as error:
        return _failed(*_explained(error))
    finally:
        sys.stderr, sys.unraisablehook = errors, hook


def _interrupt_again(what: sys.UnraisableHookArgs) -> None:
    """Let an interrupt that came while Python cleared something up stop the command after all;
    Python would print a traceback and go on.
    """
    if issubclass(what.exc_type, KeyboardInterrupt):
        later = threading.Timer(AGAIN_AFTER, _thread.interrupt_main)  # not in here once more
        later.daemon = True
        later.start()
    else:
        sys.__unraisablehook__(what)


def _run(words: list[str]) -> object:
    """What a command returns, or the help that was asked for."""
    from conceptbind.commands.parsing import parse
    from conceptbind.encoders.factory import WORKING_FOLDER

    for word in words:
        if has_half_characters(word):
            raise ValueRangeError(_unreadable(word))
    try:
        asked = parse(words, COMMANDS)
    except ConceptBindError as error:
        _tell_gate(words, str(error))
        raise
    if isinstance(asked, str):
        return asked
    if asked.show:
        import yaml

        return yaml.safe_dump(asked.command.configuration(), sort_keys=False).rstrip()
    searched = WORKING_FOLDER.set("encoder" in asked.written)
    try:
        return asked.command.run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(asked.command.AGAIN) from None
    finally:
        WORKING_FOLDER.reset(searched)


def _tell_gate(words: list[str], message: str) -> None:
    """Say in the file of `--junit` that nothing was judged: words that are no command leave the
    file of an earlier run otherwise, which may say that all is well.
    """
    named = [word.partition("=")[2] for word in words if word.startswith(f"{JUNIT}=")]
    pairs = pairwise(words)
    named += [value for word, value in pairs if word == JUNIT and not value.startswith("-")]
    if not named:
        return
    from conceptbind.core.files import user_path
    from conceptbind.report.gates import write_error

    with suppress(ConceptBindError, OSError):  # the words themselves are what has to be told
        write_error(user_path(named[-1]), message)


def _unreadable(word: str) -> str:
    """What is wrong with an argument that holds halves of characters."""
    with suppress(UnicodeError):
        os.fsencode(word).decode()
        known = sys.getfilesystemencoding()
        return (
            f"the argument {word!a} is UTF-8, and Python was told that names here are {known}; "
            "set PYTHONUTF8=1"
        )
    return f"the argument {word!a} holds bytes that are no UTF-8; rename what it names"


def _explained(error: Exception) -> tuple[str, int]:
    """The message and the exit code of an error."""
    if isinstance(error, ConceptBindError):
        return str(error), 2
    if isinstance(error, MemoryError):
        advice = "use a smaller input or a machine with more"
        return f"there is not enough memory ({error}); {advice}", 2
    if isinstance(error, OSError):
        if error.filename:
            return f"{error.filename}: {error.strerror}", 2
        return str(error.strerror or error), 2
    what = f"this is a fault of conceptbind: {type(error).__name__}: {error}"
    return f"{what[: LONGEST - 150]}; please report it, with what {DEBUG}=1 shows", 1


def _failed(message: str, code: int) -> int:
    """Tell of the exception at hand."""
    if os.environ.get(DEBUG, "") not in ("", "0"):
        traceback.print_exc()
    tell(message)
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the source that raised it."""
    tell(str(message), "warning: ")


def _say(result: object) -> int:
    """Print what a command found."""
    hindered = print_out(_text(result))
    gate = getattr(result, "gate", None)
    if hindered is None:
        return 0 if gate is None or gate.met else 1
    reason = getattr(hindered, "strerror", None) or hindered
    tell(f"the command is done, but its output could not be printed: {reason}")
    return 2


def _text(result: object) -> str | None:
    """What a command found, in words; its tables as wide as the terminal."""
    if result is None or isinstance(result, str):
        return result
    if isinstance(result, list):
        return "\n".join(map(str, result))
    from conceptbind.report.shown import Shown

    return result.text(terminal_width()) if isinstance(result, Shown) else str(result)


if __name__ == "__main__":
    sys.exit(main())
