"""The directive `command`: what a command does and its options, as `--help` says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from conceptbind.cli import COMMANDS
from conceptbind.commands.command import Option, documentation
from conceptbind.commands.parsing import known_options
from docstrings import as_rst

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx


def choices(option: Option) -> str:
    """The words that an option takes, where they are few."""
    words = [word for word in get_args(option.kind) if isinstance(word, str)]
    return f"; one of {', '.join(f'``{word}``' for word in words)}" if words else ""


def default(option: Option) -> str:
    """What holds without the option."""
    if option.needed:
        return "; has to be given"
    if option.default in (None, (), "") or (option.kind is bool and not option.default):
        return ""
    return f"; default ``{option.default}``"


def described(name: str) -> list[str]:
    """The lines of one command."""
    lines = [as_rst(line) for line in documentation(COMMANDS[name]).split("\n")]
    group = None
    for option in known_options(COMMANDS[name]):
        if option.group != group:
            group = option.group
            lines += ["", f".. rubric:: {group or 'Options'}", ""]
        shown = f"--{option.name.replace('_', '-')}"
        lines += [f"``{shown}``", f"    {as_rst(option.text)}", ""]
        told = (choices(option) + default(option)).removeprefix("; ")
        if told:
            lines += [f"    {told[0].upper()}{told[1:]}.", ""]
    return lines


class Described(SphinxDirective):  # type: ignore[misc]
    """`.. command:: measure`."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Its text and its options, group by group."""
        name = self.arguments[0]
        lines = StringList(described(name), source=f"options of {name}")
        return self.parse_content_to_nodes() + self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("command", Described)
    return {"parallel_read_safe": True}
