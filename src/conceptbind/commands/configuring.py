"""Files of options, as `--config` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Token

from conceptbind.commands.command import Command, options
from conceptbind.commands.kinds import kind_in_words
from conceptbind.commands.values import from_file
from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.core.limits import read_options

if TYPE_CHECKING:
    from cyclopts import App, Argument, ArgumentCollection


CONFIG, TRUST = "config", "trust_py"
"""The option that names a file, and the switch that lets it name code."""


class FilesOfOptions:
    """A source of options for cyclopts: the files that `--config` names, for what is not written
    out on the command line. Of several files the last wins.

    Args:
        name: of the command.
        command: whose options they are.
    """

    def __init__(self, name: str, command: type[Command[Any]]) -> None:
        self.name = name
        self.known = {option.name: option for option in options(command)}
        self.written: set[str] = set()
        """Options that the command line has."""

    def __call__(self, app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Give the options of the files to the arguments that have none.

        Raises:
            FileError: a file cannot be read, or is not a file of options.
            UnknownNameError: it has an option that the command has not.
            ValueRangeError: a value of another type; code or a cluster that nobody asked for on the
                command line.
        """
        by_name = {argument.field_info.name: argument for argument in arguments}
        self.written = {name for name, argument in by_name.items() if argument.tokens}
        for file in reversed([token.value for token in by_name[CONFIG].tokens]):
            found = self._read(Path(file))
            self._refuse_code(file, found, by_name)
            for name, value in found.items():
                if not by_name[name].tokens:
                    given = from_file(self.known[name], value, file)
                    by_name[name].append(Token(source=file, implicit_value=given))

    def _read(self, file: Path) -> dict[str, Any]:
        """The options of a file, all of them known."""
        found = read_options(file)
        for name, value in found.items():
            if name not in self.known:
                raise UnknownNameError(
                    f"{file} has the option '{cut(name)}', which conceptbind {self.name} has not; "
                    f"{nearest(name, self.known)}"
                )
            if value is None and not self.known[name].optional:
                raise ValueRangeError(
                    f"{file} gives no value to '{name}'; expected "
                    f"{kind_in_words(self.known[name].kind)}; leave the line out"
                )
        return found

    def _refuse_code(
        self, file: str, found: Mapping[str, Any], by_name: Mapping[str, Argument]
    ) -> None:
        """Refuse a file that would run code, or join a cluster, which nobody asked for on the
        command line.
        """
        if str(found.get("encoder")).startswith("py:") and not (
            "encoder" in self.written or _is_on(by_name[TRUST])
        ):
            raise ValueRangeError(
                f"{file} names the encoder {found['encoder']}, which runs code of that module; "
                "add --trust-py if you know it, or give the encoder on the command line"
            )
        if found.get("trust_remote_code") and not _is_on(by_name["trust_remote_code"]):
            raise ValueRangeError(
                f"{file} asks to run code of a model's folder; add --trust-remote-code if you know "
                "it"
            )
        if found.get("address") and "address" not in self.written:
            raise ValueRangeError(
                f"{file} names the cluster {found['address']}, whose machines and this one run "
                "each other's code; add --address with it if you know it"
            )


def _is_on(argument: Argument) -> bool:
    """Whether the command line switches something on."""
    return any(token.implicit_value is True and token.source == "cli" for token in argument.tokens)
