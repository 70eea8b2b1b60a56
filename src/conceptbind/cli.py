"""`conceptbind`: arguments to function calls, nothing else."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from conceptbind import __version__, commands
from conceptbind.errors import ConceptBindError

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
"""The option of each command that may be written without its name, before all others or among them."""
SEVERAL = ("compare",)
"""Commands whose such option takes many words."""
LISTS = {"sweep": ("--coverages", "--values", "--concepts", "--spaces", "--width", "--depth", "--probes")}
"""Options that take several words: `--values 10 20` as well as `--values [10,20]`."""
SWITCHES = {
    "--check": "--check",
    "--allow_missing": "--allow_missing",
    "--compiled": "--compiled",
    "--trust_remote_code": "--trust_remote_code",
}
"""Options that say yes when nothing follows them."""
FLAGS = ("-h", "--help", "--print_config")
"""Options that take no value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit code 0 when it worked, 2 when the input was wrong."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    parser = _parser()
    parsed = parser.parse_args(_in_order(list(sys.argv[1:] if arguments is None else arguments)))
    name = parsed.subcommand
    options = {key: value for key, value in parsed[name].as_dict().items() if key != "config"}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            result = COMMANDS[name](**options)
    except ConceptBindError as error:
        print(f"conceptbind: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nconceptbind: stopped; the same command continues where it was", file=sys.stderr)
        return 130
    print("\n".join(map(str, result)) if isinstance(result, list) else result)
    return 0


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the source that raised it."""
    print(f"conceptbind: warning: {message}", file=sys.stderr)


def _parser() -> Any:
    """Arguments, types, defaults and help texts all come from the functions' signatures and docstrings."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(prog="conceptbind", description="Does an embedding model bind concepts, how, and can it be repaired?")
    parser.add_argument("--version", action="version", version=f"conceptbind {__version__}")
    subcommands = parser.add_subcommands(required=True)
    for name, function in COMMANDS.items():
        text = (function.__doc__ or "").split("\n    Args:")[0]
        description = "\n".join(line.strip() for line in text.splitlines())
        command = ArgumentParser(
            description=description,
            usage=" ".join(["conceptbind", name, *([f"[{POSITIONAL[name].upper()}]"] if name in POSITIONAL else []), "[options]"]),
        )
        command.add_argument(
            "--config", action="config", help="YAML file with these options, such as the config.yaml of a run folder."
        )
        command.add_function_arguments(function, as_group=False)
        subcommands.add_subcommand(name, command, help=text.splitlines()[0])
    return parser


def _in_order(arguments: list[str]) -> list[str]:
    """The arguments with ENCODER as `--encoder` (ADAPTER as `--adapter`) and `--config` first, so that what is written out wins over the file.

    argparse cannot do this: an optional positional argument that is absent would replace the file's value by the default.
    """
    command, rest = arguments[:1], arguments[1:]
    if not command or command[0] not in COMMANDS:
        return arguments
    first: list[str] = []
    other: list[str] = []
    many: list[str] = []
    option = f"--{POSITIONAL[command[0]]}" if command[0] in POSITIONAL else ""
    at, positional = 0, not option or any(word.split("=")[0] == option for word in rest)
    while at < len(rest):
        word = _underscored(rest[at])
        if word in SWITCHES and rest[at + 1 : at + 2] not in (["true"], ["false"]):
            word = f"{SWITCHES[word]}=true"
        name, given, value = word.partition("=")
        if given and name in LISTS.get(command[0], ()) and not value.startswith("["):
            word = f"{name}=[{value}]"
        takes_value = word.startswith("-") and not given and word not in FLAGS
        taken = [word, *rest[at + 1 : at + 2]] if takes_value else [word]
        if word in LISTS.get(command[0], ()):
            end = next((i for i in range(at + 1, len(rest)) if rest[i].startswith("-")), len(rest))
            values = rest[at + 1 : end]
            other.extend([word, values[0] if len(values) == 1 and values[0].startswith("[") else f"[{','.join(values)}]"])
            at = end
            continue
        if not word.startswith("-") and command[0] in SEVERAL:
            many.append(word)
            taken = []
        elif not word.startswith("-") and not positional:  # a second one is left for argparse to refuse
            taken, positional = [option, word], True
        (first if word.split("=")[0] == "--config" else other).extend(taken)
        at += 2 if takes_value else 1
    return [*command, *first, *other, *([f"{option}={json.dumps(many)}"] if many else [])]


def _underscored(word: str) -> str:
    """An option as the functions' signatures spell it: `--long-captions` as `--long_captions`."""
    name, given, value = word.partition("=")
    return name.replace("-", "_").replace("__", "--", 1) + given + value if name.startswith("--") else word


if __name__ == "__main__":
    sys.exit(main())
