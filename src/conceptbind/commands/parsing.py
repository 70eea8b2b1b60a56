"""The words of a command line as the options of a command."""

from __future__ import annotations

import inspect
import io
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import cyclopts

from conceptbind.commands.command import Command, Option, documentation, options
from conceptbind.commands.configuring import CONFIG, TRUST, FilesOfOptions
from conceptbind.commands.kinds import is_list
from conceptbind.commands.values import ADVICE, TRUTH, as_option, wrong_value
from conceptbind.core.errors import (
    ConceptBindError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
)

HELP, VERSION = ("--help", "-h"), "--version"
SHOW = "print_config"
"""The switch that shows the options instead of running the command."""
ENDS = "--"
"""What follows is not an option."""
REPEATED = ("require", "synonyms")
"""Lists whose values add up where the option stands several times. An empty one counts: it may be a
variable that was not set."""
WHOLE = ("synonyms",)
"""Lists of which one word is one value, whatever commas it holds."""
WIDEST = 100
"""Characters of a line of help."""
LINE = "Configuration"
"""What the options of the command line itself are about."""
OF_THE_LINE = {
    CONFIG: Option(
        CONFIG,
        Sequence[str],
        (),
        "YAML file with options of this command, such as the config.yaml of a run folder. What is "
        "written on the command line wins over the file.",
        LINE,
        False,
    ),
    SHOW: Option(SHOW, bool, False, "Only print all options as such a file.", LINE, False),
    TRUST: Option(
        TRUST,
        bool,
        False,
        "Run the code that the encoder py:module:function of such a file names.",
        LINE,
        False,
    ),
}


@dataclass(frozen=True)
class Asked:
    """What a command line asks for."""

    command: Command[Any]
    written: frozenset[str]
    """Options that stand on the command line, and not in a file."""
    show: bool
    """Whether the options are to be shown, and nothing to be done."""


def parse(words: Sequence[str], commands: Mapping[str, type[Command[Any]]]) -> Asked | str:
    """What a command line asks for; or the help, or the version.

    Raises:
        UnknownNameError: there is no such command or option.
        ValueRangeError: a value is missing or of another type, or a word is too many.
        FileError: a file of options cannot be read.
    """
    if not words or words[0].startswith("-"):
        return _without_command(words, commands)
    name, rest = words[0], list(words[1:])
    if name not in commands:
        raise UnknownNameError(f"unknown command '{cut(name)}'; {nearest(name, commands)}")
    known = {option.name: option for option in known_options(commands[name])}
    ends = rest.index(ENDS) if ENDS in rest else len(rest)
    before = commands[name].respelled(rest[:ends])
    rest = [*before, *rest[ends:]]
    app = _app({name: commands[name]})
    if set(HELP) & set(before):
        return _help(app, [name])
    files = FilesOfOptions(name, commands[name])
    app.config = (files,)
    try:
        _, bound, unused, _ = app.parse_known_args([name, *_joined(rest, known)])
    except cyclopts.CycloptsError as error:
        unknown = [word for word in error.unused_tokens or () if not _is_known(word, known)]
        _refuse_unused(name, known, before, [word for word in unknown if word.startswith("-")])
        raise _in_our_words(error, name, known) from error
    _refuse_unused(name, known, before, unused)
    given = {key: value for key, value in bound.arguments.items() if key not in OF_THE_LINE}
    command = commands[name](**given)
    return Asked(command, frozenset(files.written), bool(bound.arguments.get(SHOW)))


def _without_command(words: Sequence[str], commands: Mapping[str, type[Command[Any]]]) -> str:
    """Help and version of the whole.

    Raises:
        ValueRangeError: something else is asked for.
    """
    if words and words[0] in HELP:
        return _help(_app(commands), [])
    if words and words[0] == VERSION:
        from conceptbind.core.version import __version__

        return f"conceptbind {__version__}"
    what = f"'{words[0]}' is not a command" if words else "a command is needed"
    raise ValueRangeError(f"{what}; known: {', '.join(commands)}; see conceptbind --help")


def _app(commands: Mapping[str, type[Command[Any]]]) -> cyclopts.App:
    """The commands as cyclopts knows them."""
    app = cyclopts.App(
        name="conceptbind",
        help="Does an embedding model bind concepts, how, and can it be repaired?",
        help_flags=HELP,
        version_flags=VERSION if len(commands) > 1 else (),
        help_format="plaintext",
    )
    for place, (name, command) in enumerate(commands.items()):
        app.command(
            _as_function(command),
            name=name,
            help=_unwrapped(documentation(command)),
            usage=f"Usage: conceptbind {name} {_positional(command)}[OPTIONS]",
            sort_key=place,
        )
    return app


def _positional(command: type[Command[Any]]) -> str:
    """The option of a command that may be written without its name, as the line of usage shows
    it.
    """
    for option in options(command):
        if option.positional:
            name = option.name.upper() + ("..." if is_list(option.kind) else "")
            return f"{name} " if option.needed else f"[{name}] "
    return ""


def _unwrapped(text: str) -> str:
    """A docstring with each paragraph on one line, as wide as it may be."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _help(app: cyclopts.App, name: list[str]) -> str:
    """The help of a command, or of all; with letters for frames where the output has no others."""
    from rich.console import Console

    shown = io.BytesIO()
    file = io.TextIOWrapper(shown, sys.stdout.encoding or "utf-8", "backslashreplace")
    width = min(shutil.get_terminal_size().columns, WIDEST)
    app.help_print(name, console=Console(file=file, width=width, color_system=None))
    file.flush()
    return shown.getvalue().decode(file.encoding).rstrip()


def known_options(command: type[Command[Any]]) -> tuple[Option, ...]:
    """The options of a command and of the command line itself."""
    own = options(command)
    trusts = any(option.name == "encoder" for option in own)
    return (*own, *(more for name, more in OF_THE_LINE.items() if name != TRUST or trusts))


def _as_function(command: type[Command[Any]]) -> Callable[..., None]:
    """A function with the options of a command, which cyclopts reads and nobody calls."""

    def given(*_: Any, **__: Any) -> None:
        raise NotImplementedError

    known = known_options(command)
    names = list(dict.fromkeys(option.group for option in known))
    groups = {
        name: cyclopts.Group(name or "Options", sort_key=place) for place, name in enumerate(names)
    }
    given.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [option.as_parameter(_annotation(option, groups[option.group])) for option in known]
    )
    return given


def _annotation(option: Option, group: cyclopts.Group) -> object:
    """The type of an option, with what cyclopts has to know of it."""

    def convert(kind: object, tokens: Sequence[cyclopts.Token]) -> object:
        return _from_words(option, tokens)

    converter = None if option.kind is bool else convert
    negative = () if option.name in OF_THE_LINE else ("no-",)
    settings = cyclopts.Parameter(
        help=option.text,
        converter=converter,
        group=group,
        json_list=False,
        consume_multiple=option.name != CONFIG,
        allow_repeating=True,
        negative_iterable=(),
        negative_bool=negative,
        show_default=_default if option.default not in (None, (), False) else False,
    )
    return Annotated[option.kind, settings]


def _default(value: object) -> str:
    """A default value as it would be written."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _from_words(option: Option, tokens: Sequence[cyclopts.Token]) -> object:
    """The value of an option from the words of a command line; of several values the last, and of
    several lists the last. Options of `REPEATED` are the exception: all their values hold.
    """
    if tokens[-1].implicit_value is not cyclopts.UNSET:
        return tokens[-1].implicit_value  # of a file, or no value at all
    if not is_list(option.kind):
        return as_option(option, tokens[-1].value)
    if tokens[0].keyword is None or option.name == CONFIG:
        return tuple(token.value for token in tokens)
    starts = [place for place, token in enumerate(tokens) if token.index == 0]
    first = 0 if option.name in REPEATED else starts[-1]
    words = [token.value for token in tokens[first:]]
    if option.name in WHOLE:
        return as_option(option, words)
    empty = [""] if option.name in REPEATED else []
    return as_option(option, [part for word in words for part in _parts(word) or empty])


def _parts(word: str) -> list[str]:
    """The parts of a list that is written as one word: a,b or [a,b]."""
    inner = word.strip().removeprefix("[").removesuffix("]")
    parts = (part.strip() for part in inner.split(","))
    return [part.strip("'\"") for part in parts if part]


def _joined(words: Sequence[str], known: Mapping[str, Option]) -> list[str]:
    """The words, with `--switch yes` as `--switch=True` and `--name -` as `--name=-`: to cyclopts a
    switch has no value, and no value begins with a hyphen.
    """
    found: list[str] = []
    for word in words:
        option = None
        if found and found[-1].startswith("--") and ENDS not in found:
            option = known.get(_plain_name(found[-1])) if "=" not in found[-1] else None
        if option is not None and option.kind is bool and word.lower() in TRUTH:
            found[-1] += f"={TRUTH[word.lower()]}"
        elif option is not None and option.kind is not bool and word == "-":
            found[-1] += "=-"
        else:
            found.append(word)
    return found


def _plain_name(word: str) -> str:
    """The name of an option as Python writes it."""
    return word.partition("=")[0].lstrip("-").replace("-", "_")


def _is_known(word: str, known: Mapping[str, Option]) -> bool:
    """Whether a word is an option, or switches one off."""
    name = _plain_name(word)
    switched = known.get(name.removeprefix("no_"))
    return name in known or (switched is not None and switched.kind is bool)


def _refuse_unused(
    name: str, known: Mapping[str, Option], before: Sequence[str], unused: Sequence[str]
) -> None:
    """Raise where words are left over.

    Args:
        name: of the command.
        known: its options.
        before: the words that may be options: those before `--`.
        unused: what is left over.

    Raises:
        UnknownNameError: one is not an option of the command.
        ValueRangeError: one is too many.
    """
    shown = [f"--{option.replace('_', '-')}" for option in known]
    for word in unused:
        if len(word) > 1 and word.startswith("-") and word in before:
            option = word.partition("=")[0]
            raise UnknownNameError(
                f"conceptbind {name} has no option '{cut(option)}'; "
                f"{nearest(option.replace('_', '-'), shown)}; a value that begins with a dash is "
                "written behind -- at the end, or as --NAME=VALUE"
            )
    if unused:
        first = next((option.name for option in known.values() if option.positional), None)
        takes = f"it takes one {first.upper()}" if first else "it takes options only"
        raise ValueRangeError(
            f"conceptbind {name} does not know what '{unused[0]}' is for; {takes}"
        )


def _missing(command: str, option: Option) -> ValueRangeError:
    """The error of an option that has to be given."""
    shown = option.name.upper() if option.positional else f"--{option.name.replace('_', '-')}"
    written = f"conceptbind {command} {shown}" + ("" if option.positional else " VALUE")
    what = option.text.partition(". ")[0].partition(", such as")[0].rstrip(".")
    return ValueRangeError(
        f"{shown} is missing: {what[:1].lower()}{what[1:]}; write {written} ...; "
        f"see conceptbind {command} --help"
    )


def _in_our_words(
    error: cyclopts.CycloptsError, command: str, known: Mapping[str, Option]
) -> ConceptBindError:
    """An error of cyclopts as one line that says what to do."""
    if isinstance(error.__cause__, ConceptBindError):
        return error.__cause__
    name = error.argument.field_info.name if error.argument else ""
    if isinstance(error, cyclopts.MissingArgumentError):
        if error.keyword is None:
            return _missing(command, known[name])
        return ValueRangeError(
            f"the option {error.keyword} needs a value: {error.keyword} VALUE, or "
            f"{error.keyword}=VALUE where it begins with '-'"
        )
    token = getattr(error, "token", None)
    if name in known and token is not None:
        return wrong_value(known[name], token.value)
    error.verbose = False
    return ValueRangeError(f"{error}; {ADVICE}")
