"""A command is a frozen dataclass: a field is an option, the text below the field is its help, and
the value is the configuration that is saved.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import numbers
import os
import re
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, get_args, get_type_hints

from conceptbind.commands.kinds import is_list, require_kind
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
    quoted,
)
from conceptbind.core.files import user_path
from conceptbind.core.limits import require_numbers
from conceptbind.core.ownership import folders_of_a_command
from conceptbind.run.executors import clusters_of_a_command

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
OBJECTS = frozenset({"index", "encoder", "one", "other", "scenes", "runs", "adapter"})
"""Options that name something, and may be the thing itself."""
JOINED = {"benchmark", "factors", "studies"}
"""Options that take several names with commas between; a program may give a list."""
TAKEN: dict[Any, str] = {
    str: "a name, a path or an object",
    Sequence[str]: "a list of folders or results",
}
"""What an option takes that may be an object, in words, by the type of its words."""
PLACES = frozenset({"out", "junit"})
"""Options that say where something is written."""
GROUP = "GROUP"
"""Attribute of a class of options that several commands share: what they are about."""


class Command(ABC, Generic[R_co]):
    """What a command was asked for."""

    AGAIN = "continues where it was"
    """What the same command does after it was stopped."""
    HELD: frozenset[str] = frozenset()
    """Options that name a file, and may be what the file would hold."""

    def __post_init__(self) -> None:
        """Take paths, arrays and data frames wherever a name is."""
        for name, value in list(vars(self).items()):
            taken = _held(name, value) if name in self.HELD else _taken(name, value)
            if taken is not value:
                object.__setattr__(self, name, taken)

    @classmethod
    def respelled(cls, words: Sequence[str]) -> list[str]:
        """The words of a command line with other spellings of its options put right; as they are
        by default.
        """
        return list(words)

    def run(self) -> R_co:
        """Do it. Numbers are looked at first, and the folders that the command takes are its own
        until it ends.

        Raises:
            ConceptBindError: the input cannot be used; the message says what to do.
        """
        require_numbers(vars(self))
        self._require_kinds()
        with folders_of_a_command(), clusters_of_a_command():
            return self.work()

    def _require_kinds(self) -> None:
        """Refuse values of another type than their option's; what may be an object was looked at
        when it was taken.
        """
        objects = self.HELD | OBJECTS
        for option in options(type(self)):
            value = getattr(self, option.name)
            if option.name in JOINED and isinstance(value, list | tuple):
                require_kind(option.name, Sequence[str], value)
                value = ",".join(value)
                object.__setattr__(self, option.name, value)
            if value is None and option.name in objects and option.kind in TAKEN:
                raise ValueRangeError(f"{option.name}: expected {TAKEN[option.kind]}; got nothing")
            if value is None or option.name not in objects:
                require_kind(option.name, option.kind, value)
            if option.name in PLACES and isinstance(value, str) and not value.strip():
                raise FileError(
                    f"--{option.name} is empty; write where to, or . for the folder you are in"
                )
            if is_list(option.kind) and isinstance(value, str):
                object.__setattr__(self, option.name, (value,))

    @abstractmethod
    def work(self) -> R_co:
        """What the command does, inside `run`."""

    def refuse(self, names: Collection[str], what: str) -> None:
        """Raise ValueRangeError where an option was written that would have no effect.

        Args:
            names: options.
            what: they are for.
        """
        for option in options(type(self)):
            value = getattr(self, option.name)
            # a table or an array never is a default, and does not compare as one
            same = value is option.default or (
                isinstance(value, type(option.default)) and bool(value == option.default)
            )
            if option.name in names and not same:
                told = f" {value}" if isinstance(value, str | int | float) else ""
                raise ValueRangeError(f"--{option.name}{told} is of {what}; leave it out")

    def configuration(self) -> dict[str, Any]:
        """The options as `config.yaml` holds them: plain values, and the names of objects."""
        return {option.name: plain(getattr(self, option.name)) for option in options(type(self))}


def _taken(name: str, value: Any) -> Any:
    """An option as a command works with it, whose name can be saved: what a program holds is given
    a name by its content.
    """
    if isinstance(value, os.PathLike):
        return f"file:{os.fspath(value)}" if name == "encoder" else os.fspath(value)
    if value is None or isinstance(value, str):
        return value
    if name in ("runs", "adapter", "synonyms"):
        return _of_result(name, value)
    if name == "encoder" and not hasattr(value, "modalities"):
        from conceptbind.rows.source import source_of

        return source_of(value)
    if name == "scenes" and hasattr(value, "columns"):
        from conceptbind.rows.source import table_of

        return table_of(value)
    return value


def _of_result(name: str, value: Any) -> Any:
    """The folders of runs, the adapter of what `repair` returned, or synonyms as a command line
    has them, where these are given.
    """
    if name == "synonyms":
        if not isinstance(value, Mapping):
            return value
        return tuple(f"{word}={_joined(others)}" for word, others in value.items())
    if name == "runs":
        runs = (value,) if hasattr(value, "folder") else value
        if not isinstance(runs, Iterable):
            raise FileError(f"expected folders of runs, or their results; got {quoted(value)}")
        return tuple(os.fspath(user_path(_folder_of(run))) for run in runs)
    if hasattr(value, "folder") and not hasattr(value, "adapter"):
        return os.fspath(user_path(_folder_of(value)))
    return getattr(value, "adapter", value)


def _folder_of(run: Any) -> Any:
    """The folder of a result, where it has one; else what was given."""
    folder = getattr(run, "folder", None)
    return run if folder is None else folder


def _joined(words: object) -> str:
    """The synonyms of a word as a command line has them."""
    found = [words] if isinstance(words, str) else words
    if isinstance(found, list | tuple) and all(isinstance(word, str) for word in found):
        return ",".join(found)
    raise ValueRangeError(f"synonyms of a word must be a list of texts; got {quoted(words)}")


def _held(name: str, value: Any) -> Any:
    """An option that is a file, or what the file would hold."""
    from conceptbind.rows.held import file_or_held

    return file_or_held(name, _taken(name, value))


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    name: str
    kind: Any
    """Its type."""
    default: Any
    """`inspect.Parameter.empty` where it has to be given."""
    text: str
    """Its help."""
    group: str
    """What it is about, where several commands have it; else empty."""
    positional: bool
    """Whether its value may be written without its name."""

    @property
    def needed(self) -> bool:
        """Whether it has to be given."""
        return self.default is inspect.Parameter.empty

    @property
    def optional(self) -> bool:
        """Whether its value may be none."""
        return type(None) in get_args(self.kind)

    def as_parameter(self, annotation: object = None) -> inspect.Parameter:
        """The parameter of a function."""
        kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        kind = kinds[self.positional]
        return inspect.Parameter(
            self.name, kind, default=self.default, annotation=annotation or self.kind
        )


@cache
def options(command: type[Command[Any]]) -> tuple[Option, ...]:
    """The options of a command: its own, then those that it shares with others, by what they are
    about.
    """
    kinds, texts, groups = get_type_hints(command), _texts(command), _groups(command)
    order = list(dict.fromkeys(groups.values()))
    found: list[Field[Any]] = sorted(
        fields(command),  # type: ignore[arg-type]
        key=lambda field: (field.kw_only, order.index(groups[field.name])),
    )
    return tuple(
        Option(
            field.name,
            kinds[field.name],
            inspect.Parameter.empty if field.default is MISSING else field.default,
            texts.get(field.name, ""),
            groups[field.name],
            not field.kw_only,
        )
        for field in found
    )


def _groups(command: type) -> dict[str, str]:
    """What each option is about; no word for those of the command itself."""
    found: dict[str, str] = {}
    for part in command.__mro__:
        for name in inspect.get_annotations(part):
            found[name] = part.__dict__.get(GROUP, found.get(name, ""))
    return found


def _texts(command: type) -> dict[str, str]:
    """The text below each field, from the source: no running class knows it."""
    found: dict[str, str] = {}
    for part in reversed(command.__mro__):
        body = _source(part.__module__).get(part.__name__, [])
        for line, below in pairwise(body):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                text = _text(below)
                if text is not None:
                    found[line.target.id] = " ".join(text.split())
    return found


def documentation(command: type) -> str:
    """The docstring of a command, from its source, since `python -OO` leaves it out."""
    body = _source(command.__module__).get(command.__name__, [])
    return (_text(body[0]) if body else None) or f"{command.__name__}."


def _text(node: ast.stmt) -> str | None:
    """The string that a statement is, if it is one."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return None
    value = node.value.value
    return inspect.cleandoc(value) if isinstance(value, str) else None


@cache
def _source(module: str) -> Mapping[str, list[ast.stmt]]:
    """The statements of each class of a module; nothing where its source is not there."""
    with suppress(OSError, TypeError, SyntaxError):
        tree = ast.parse(inspect.getsource(importlib.import_module(module)))
        return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    return {}


def plain(value: Any) -> Any:
    """A value as a file of options holds it."""
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        return value.item()  # numpy's numbers are not plain ones
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "content_hash"):
        return f"{value.name} ({value.content_hash})"
    if isinstance(value, list | tuple):
        return list(value)
    return getattr(value, "id", type(value).__name__)


def function_of(command: Callable[P, Command[R]]) -> Callable[P, R]:
    """A command as a function: the same options, the same help."""
    assert isinstance(command, type)

    known = tuple(option.name for option in options(command))
    signature = inspect.Signature([option.as_parameter() for option in options(command)])

    def call(*arguments: P.args, **given: P.kwargs) -> R:
        wrong = next((name for name in given if name not in known), None)
        if wrong is not None:
            raise UnknownNameError(
                f"{call.__name__} has no option '{cut(wrong)}'; {nearest(wrong, known)}"
            )
        try:
            signature.bind(*arguments, **given)
        except TypeError as error:
            raise ValueRangeError(
                f"{call.__name__}: {error}; see help(conceptbind.{call.__name__})"
            ) from error
        try:
            return command(*arguments, **given).run()
        except ConceptBindError as error:
            error.args = (_named(str(error), known), *error.args[1:])
            raise

    call.__name__ = call.__qualname__ = command.__name__.lower()
    call.__module__, call.__doc__ = command.__module__, _help(command)
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _named(message: str, known: Collection[str]) -> str:
    """A message with options called as a function takes them: "seed must be ..." and not "--seed".
    One that shows a command to run stays as it is.
    """
    if "conceptbind " in message:
        return message

    def name(found: re.Match[str]) -> str:
        plain = found[1].replace("-", "_")
        return plain if plain in known else found[0]

    return re.sub(r"(?<![\w-])--([a-z][a-z_-]*)", name, message)


def _help(command: type[Command[Any]]) -> str:
    """The docstring of the function: what the command does, and every option."""
    told = [textwrap.indent(f"{o.name}: {o.text}", "    ") for o in options(command)]
    raises = "ConceptBindError: the input cannot be used; the message says what to do."
    return "\n".join((documentation(command), "", "Args:", *told, "", "Raises:", f"    {raises}"))
