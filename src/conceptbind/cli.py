"""`conceptbind`: arguments to function calls, nothing else.

Exit codes: 0 when it worked, 1 for a fault of conceptbind's own, 2 when the input was wrong, 130
when it was stopped. Every message is one line; with CONCEPTBIND_DEBUG=1 the whole traceback is
shown before it.
"""

from __future__ import annotations

import ast
import getpass
import inspect
import json
import os
import re
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from conceptbind import __version__, commands
from conceptbind.core.errors import ConceptBindError, UnknownNameError, ValueRangeError, nearest
from conceptbind.core.files import has_half_characters
from conceptbind.core.limits import read_options

COMMANDS: dict[str, Callable[..., Any]] = {
    "measure": commands.measure,
    "repair": commands.repair,
    "apply": commands.apply,
    "embed": commands.embed,
    "render": commands.render,
    "compare": commands.compare,
    "evaluate": commands.evaluate,
    "train": commands.train,
    "sweep": commands.sweep,
}
POSITIONAL = {
    "measure": "encoder",
    "repair": "encoder",
    "apply": "adapter",
    "embed": "encoder",
    "evaluate": "encoder",
    "compare": "runs",
}
"""The option of each command that may be written without its name, before all others or among
them."""
SEVERAL = ("compare",)
"""Commands whose such option takes many words."""
FLAGS = ("-h", "--help", "--print_config", "--version")
"""Options that take no value."""
TRUTH = {
    "true": "true",
    "yes": "true",
    "on": "true",
    "1": "true",
    "false": "false",
    "no": "false",
    "off": "false",
    "0": "false",
}
"""How a switch may be written; `--name` alone says yes, `--no-name` says no."""
KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
"""What types of options are called in messages; `_kind` has the others."""
TRUST = "trust_py"
"""The switch that lets a configuration file name an encoder of the form py:module:function."""
LONGEST = 500
"""Characters of a message."""
DEBUG = "CONCEPTBIND_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _make_streams_safe()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    errors, sys.stderr = sys.stderr, _Patient(sys.stderr)  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _say(_run(list(sys.argv[1:] if arguments is None else arguments)))
    except SystemExit as stop:  # of --help and --version
        return _say(None) or int(stop.code or 0)
    except KeyboardInterrupt:
        _tell("stopped; the same command continues where it was", "")
        return 130
    except Exception as error:
        return _failed(*_explained(error))
    finally:
        sys.stderr = errors


def _run(arguments: list[str]) -> Any:
    """What a command returns."""
    from conceptbind.encoders.factory import WORKING_FOLDER

    for word in arguments:
        if has_half_characters(word):
            raise ValueRangeError(_unreadable(word))
    parser = _parser()
    ordered = _in_order(arguments)
    parsed = parser.parse_args(ordered)
    name = parsed.subcommand
    known = _parameters(name)
    searched = WORKING_FOLDER.set(any(word.startswith("--encoder=") for word in ordered))
    try:
        return COMMANDS[name](
            **{key: value for key, value in parsed[name].as_dict().items() if key in known}
        )
    finally:
        WORKING_FOLDER.reset(searched)


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
        return (
            f"there is not enough memory ({error}); use a smaller input or a machine with more",
            2,
        )
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(
            error.strerror or error
        ), 2
    what = f"this is a fault of conceptbind: {type(error).__name__}: {error}"
    return f"{what[: LONGEST - 150]}; please report it, with what {DEBUG}=1 shows", 1


def _failed(message: str, code: int) -> int:
    """Tell of the exception at hand."""
    if os.environ.get(DEBUG, "") not in ("", "0"):
        traceback.print_exc()
    _tell(message)
    return code


def _tell(message: str, kind: str = "error: ") -> None:
    print(_line(f"conceptbind: {kind}{message}"), file=sys.stderr)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the source that raised it."""
    _tell(str(message), "warning: ")


def _line(text: str, longest: int = LONGEST) -> str:
    """A text as one line of so many characters, its middle left out where it is longer."""
    folded = "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in " ".join(text.split())
    )
    if len(folded) <= longest:
        return folded
    end = longest // 3
    return f"{folded[: longest - end - 5]} ... {folded[-end:]}"


def _say(result: Any) -> int:
    """Print what a command found. A reader that has gone, as `head` does, is no error; a full disk
    is.
    """
    text = "\n".join(map(str, result)) if isinstance(result, list) else result
    try:
        if text is not None:
            print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except (OSError, ValueError) as error:
        _drop_output()
        return _failed(
            "the command is done, but its output could not be printed: "
            f"{getattr(error, 'strerror', None) or error}",
            2,
        )
    return 0


def _drop_output() -> None:
    """Lead what is still to be printed nowhere, so that the interpreter's own last flush does not
    fail.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _make_streams_safe() -> None:
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


class _Patient:
    """The error stream, whose loss stops no command: a terminal that is gone, a full disk."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@cache
def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    """The options of a command."""
    return inspect.signature(COMMANDS[name]).parameters


def _documentation(function: Callable[..., Any]) -> str:
    """The docstring of a function, from its source where `python -OO` has left it out."""
    if function.__doc__ is None:
        with suppress(OSError, TypeError, SyntaxError, IndexError):
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
            if isinstance(node, ast.FunctionDef):
                function.__doc__ = ast.get_docstring(node, clean=False)
    return function.__doc__ or f"{function.__name__}.\n"


def _parser() -> Any:
    """Arguments, types, defaults and help texts all come from the functions' signatures and
    docstrings.
    """
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        """A parser whose errors are exceptions."""

        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise ValueRangeError(
                f"{_plain(message)}; see conceptbind --help, or conceptbind COMMAND --help"
            ) from ex

        def _print_message(self, message: str, file: Any = None) -> None:
            """Print help, as what a command returns: argparse itself is silent where it cannot."""
            if _say(message.rstrip("\n")):
                raise SystemExit(2)

    parser = Parser(
        prog="conceptbind",
        description="Does an embedding model bind concepts, how, and can it be repaired?",
    )
    parser.add_argument("--version", action="version", version=f"conceptbind {__version__}")
    subcommands = parser.add_subcommands(required=True)
    for name, function in COMMANDS.items():
        # Python 3.13 keeps no indentation
        text = inspect.cleandoc(_documentation(function)).split("\nArgs:")[0]
        description = "\n".join(line.strip() for line in text.splitlines())
        command = Parser(
            description=description,
            usage=" ".join(
                [
                    "conceptbind",
                    name,
                    *([f"[{POSITIONAL[name].upper()}]"] if name in POSITIONAL else []),
                    "[options]",
                ]
            ),
        )
        command.add_argument(
            "--config",
            action="config",
            help="YAML file with these options, such as the config.yaml of a run folder.",
        )
        command.add_function_arguments(function, as_group=False)
        if "encoder" in _parameters(name):
            command.add_argument(
                f"--{TRUST}",
                action="store_true",
                help="run the code that the encoder py:module:function of a --config file names.",
            )
        subcommands.add_subcommand(name, command, help=text.splitlines()[0])
    return parser


def _plain(message: str) -> str:
    """A message of the parser in our words."""
    message = re.sub(
        r"""(?:Parser|Problem with given) key ["']?([\w.]+)["']?:\s*""",
        r"--\1: ",
        " ".join(message.split()),
    )
    message = re.sub(r"<class '(\w+)'>", r"\1", message)
    needed = re.fullmatch(r"(?:error: )?the following arguments are required: (.+)", message)
    if needed:
        return " and ".join(
            f"--{name.rpartition('.')[2]} is needed" for name in needed[1].split(", ")
        )
    union = re.search(
        r"Does not validate against any of the Union subtypes Subtypes: \[(.*?)\] Errors: .*?Given "
        r"value:(.*)",
        message,
    )
    if union:
        kinds = [kind for kind in re.split(r", (?![^\[]*\])", union[1]) if kind != "NoneType"]
        return (
            f"{message[: union.start()]}expected {' or '.join(map(_kind, kinds))}; got "
            f"{union[2].strip() or 'nothing'}"
        )
    wrong = re.search(r"Expected an? (\S+|(?:typing\.)?Literal\[.*?\])\. Got value:(.*)", message)
    if wrong:
        return (
            f"{message[: wrong.start()]}expected {_kind(wrong[1])}; got "
            f"{wrong[2].strip() or 'nothing'}"
        )
    return message.removeprefix("error: ").rstrip(".")


def _kind(name: str) -> str:
    """What a type of Python is called to somebody who types options."""
    choice = re.fullmatch(r"(?:typing\.)?Literal\[(.*)\]", name)
    return f"one of {choice[1]}" if choice else KINDS.get(name, name)


def _is_option(word: str) -> bool:
    """Whether a word is an option, and not a value such as -1 or -."""
    return len(word) > 1 and word.startswith("-") and not re.fullmatch(r"-\.?\d.*", word)


def _in_order(arguments: list[str]) -> list[str]:
    """The arguments as `--name=value`, ENCODER as `--encoder` (ADAPTER as `--adapter`) and
    `--config` first, so that what is written out wins over the file.

    argparse cannot do this: an optional positional argument that is absent would replace the file's
    value by the default.

    Raises:
        UnknownNameError: there is no such command or option.
        ValueRangeError: a word too many; a configuration that names code, without `--trust-py`.
    """
    if not arguments or arguments[0] in FLAGS:
        return arguments
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        raise UnknownNameError(f"unknown command '{command}'; {nearest(command, COMMANDS)}")
    files: list[str] = []
    options: dict[str, str] = {}
    flags: list[str] = []
    words: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word in FLAGS:
            flags.append(word)
        elif not _is_option(word):
            words.append(word)
        else:
            name, value = _option(command, word, rest)
            files += [value] if name == "config" else []
            options |= {name: value} if name != "config" else {}
    trusted = options.pop(TRUST, "false") == "true"
    _take_words(command, words, options)
    for file in files:
        _check_options(file, command, options, trusted)
    return [
        command,
        *flags,
        *(f"--config={_in_utf8(file)}" for file in files),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


def _in_utf8(file: str) -> str:
    """The file, or its options as text where it is in an encoding that its byte order mark
    declares, which jsonargparse does not read.
    """
    if Path(file).read_bytes()[:2] not in (b"\xff\xfe", b"\xfe\xff", b"\x00\x00"):
        return file
    import yaml

    return str(yaml.safe_dump(read_options(Path(file)), allow_unicode=True))


def _option(command: str, word: str, rest: list[str]) -> tuple[str, str]:
    """Name and value of an option; the words of its value are taken from `rest`."""
    known: dict[str, Any] = {
        name: parameter.annotation for name, parameter in _parameters(command).items()
    }
    known |= {"config": str} | ({TRUST: bool} if "encoder" in known else {})
    name, given, value = word.lstrip("-").partition("=")
    name = name.replace("-", "_")
    if name.startswith("no_") and known.get(name[3:]) is bool and not given:
        return name[3:], "false"
    if name not in known:
        shown = [f"--{option}" for option in known]
        raise UnknownNameError(
            f"conceptbind {command} has no option '{word.split('=', maxsplit=1)[0]}'; "
            f"{nearest(f'--{name}', shown)}"
        )
    if known[name] is bool:
        if not given:
            value = rest.pop(0) if rest and rest[0].lower() in TRUTH else "true"
        return name, TRUTH.get(value.lower(), value)
    if not str(known[name]).startswith("list["):
        return name, value if given else _value_of(word, rest)
    several = [value] if given else []
    while not given and rest and not _is_option(rest[0]):
        several.append(rest.pop(0))
    whole = len(several) == 1 and several[0].startswith("[")
    return name, several[0] if whole else f"[{','.join(several)}]"


def _value_of(word: str, rest: list[str]) -> str:
    """The value behind an option."""
    if not rest or (_is_option(rest[0]) and rest[0] != "-"):
        raise ValueRangeError(
            f"the option {word} needs a value: {word} VALUE, or {word}=VALUE where it begins with "
            "'-'"
        )
    return rest.pop(0)


def _take_words(command: str, words: list[str], options: dict[str, str]) -> None:
    """Give words without a name to the option that may be written so."""
    positional = POSITIONAL.get(command)
    if positional and command in SEVERAL:
        if words:
            options[positional] = json.dumps(words)
    elif positional and words and positional not in options:
        options[positional] = words.pop(0)
    if words and command not in SEVERAL:
        takes = f"it takes one {positional.upper()}" if positional else "it takes options only"
        raise ValueRangeError(
            f"conceptbind {command} does not know what '{words[0]}' is for; {takes}"
        )


def _check_options(file: str, command: str, written: Mapping[str, str], trusted: bool) -> None:
    """Refuse a configuration that is none of this command, or that would run code which nobody
    asked for on the command line.

    Args:
        file: the configuration.
        command: that it is for.
        written: options of the command line.
        trusted: whether `--trust-py` is among them.

    Raises:
        FileError, UnknownNameError, ValueRangeError: see there.
    """
    found, known = read_options(Path(file)), _parameters(command)
    for name, value in found.items():
        if name not in known:
            raise UnknownNameError(
                f"{file} has the option '{name}', which conceptbind {command} has not; "
                f"{nearest(name, known)}"
            )
        if value is None and "None" not in str(known[name].annotation):
            raise ValueRangeError(
                f"{file} gives no value to '{name}'; expected "
                f"{_kind(known[name].annotation.__name__)}; leave the line out"
            )
    if str(found.get("encoder")).startswith("py:") and not trusted and "encoder" not in written:
        raise ValueRangeError(
            f"{file} names the encoder {found['encoder']}, which runs code of that module; "
            "add --trust-py if you know it, or give the encoder on the command line"
        )
    if found.get("trust_remote_code") and written.get("trust_remote_code") != "true":
        raise ValueRangeError(
            f"{file} asks to run code of a model's folder; add --trust-remote-code if you know it"
        )
    if found.get("address") and "address" not in written:
        raise ValueRangeError(
            f"{file} names the cluster {found['address']}, whose machines and this one run each "
            "other's code; add --address with it if you know it"
        )


if __name__ == "__main__":
    sys.exit(main())
