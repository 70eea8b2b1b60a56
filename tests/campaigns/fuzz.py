"""Damaged inputs, options and surroundings for every command: it works, or says in one line what is
wrong and ends with 2.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.damage import damage_file
from campaigns.inputs import COMMANDS, Command
from campaigns.trial import Outcome, Trial, listing, strays

DEAR = ("measure", "train", "sweep", "repair")
"""Commands that take seconds: drawn more rarely."""
NUMBERS = (".npy", ".png", ".csv", ".safetensors", ".npz")


@dataclass
class Tally:
    """What a campaign counts."""

    trials: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind of fault, what was tried, what was said."""

    def add(self, kind: str, fault: str, what: str, said: str = "") -> None:
        """One trial."""
        self.trials += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if fault:
            self.faults.append((fault, what, said[-1500:]))

    def count(self, *faults: str) -> int:
        """Trials with one of these faults."""
        return sum(found[0] in faults for found in self.faults)


def numbers(folder: Path) -> dict[str, str]:
    """What a command computed, without dates, places and pages: a hash for each file of numbers."""
    if folder.is_file():
        return {folder.name: _hash(folder.read_bytes())}
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name in ("results.json", "cell.json"):
            content = json.loads(path.read_text())
            found[name] = _hash(json.dumps(content.get("records", content)).encode())
        elif path.suffix == ".safetensors":
            found[name] = _of_tensors(path)
        elif path.suffix in NUMBERS:
            found[name] = _hash(path.read_bytes())
    return found


def _of_tensors(path: Path) -> str:
    """Of names, types and numbers: the order of what a file says of itself is another in every
    process.
    """
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except Exception:
        return "unreadable"
    return _hash(
        b"".join(
            f"{name} {tensors[name].dtype} {tensors[name].shape}".encode() + tensors[name].tobytes()
            for name in sorted(tensors)
        )
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def tried(folder: Path, arguments: tuple[str, ...], out: str, **how: Any) -> tuple[Outcome, str]:
    """Run a command in the world; what is wrong with it, what it left behind outside its folder
    included.
    """
    before = {name: _stamp(folder / name) for name in listing(folder)}
    outcome = Trial(arguments, folder, **how).run()
    after = listing(folder)
    fault = outcome.fault
    mine = {
        name
        for name in after
        if name == out or name.startswith(f"{out}/") or name.startswith("runs")
    }
    if not fault and (strays(after) or after - mine - set(before)):
        fault = "stray"
    if not fault and any(
        name not in mine and _stamp(folder / name) != stamp for name, stamp in before.items()
    ):
        fault = "changed"
    if not fault and outcome.orphans:
        fault = "orphan"
    return outcome, fault


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_mode, 0 if path.is_dir() else found.st_mtime_ns)


def finished(world: Path, commands: tuple[Command, ...] = COMMANDS) -> dict[str, dict[str, str]]:
    """Each command once, undisturbed: its numbers; its folder is kept in `done/NAME`."""
    found = {}
    for command in commands:
        if not all((world / name).exists() for name in command.reads):
            continue
        clean(world, command)
        outcome = Trial(command.arguments, world).run()
        if outcome.code != 0:
            raise RuntimeError(f"{command.line} failed undamaged: {outcome.said[-800:]}")
        place = world / command.out
        found[command.name] = numbers(place) if place.exists() else {}
        if place.is_dir():
            shutil.copytree(place, world.with_name("done") / command.name, dirs_exist_ok=True)
        clean(world, command)
    return found


def clean(world: Path, command: Command) -> None:
    """Nothing where the command writes."""
    place = world / command.out
    shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink(
        missing_ok=True
    )
    shutil.rmtree(world / "runs", ignore_errors=True)


def fuzz(
    world: Path,
    n: int,
    seed: int,
    on_trial: Callable[[Tally], None] = lambda _: None,
    *,
    cheap: bool = False,
) -> Tally:
    """Damaged files, options and surroundings, as the seed draws them; cheap: of commands that take
    less than a second.
    """
    tally = Tally()
    right = finished(
        world,
        tuple(command for command in COMMANDS if not cheap or command.arguments[0] not in DEAR),
    )
    reading = [command for command in COMMANDS if command.name in right and command.reads]
    keeping = [command for command in COMMANDS if (world.with_name("done") / command.name).is_dir()]
    for number in range(n):
        draw = random.Random(f"{seed}/{number}")
        share = draw.random()
        if share < 0.6:
            _files(world, _one(reading, draw), right, draw, tally, f"--seed {seed}, input {number}")
        elif share < 0.75:
            _continued(
                world, _one(keeping, draw), right, draw, tally, f"--seed {seed}, input {number}"
            )
        elif share < 0.9:
            _options(world, _one([c for c in COMMANDS if c.name in right], draw), draw, tally)
        else:
            _surroundings(world, _one([c for c in COMMANDS if c.name in right], draw), draw, tally)
        on_trial(tally)
    return tally


def _one(commands: list[Command], draw: random.Random) -> Command:
    weights = [0.15 if command.arguments[0] in DEAR else 1.0 for command in commands]
    return draw.choices(commands, weights)[0]


@dataclass
class _Kept:
    """One file of the world, put back afterwards."""

    path: Path

    def __enter__(self) -> None:
        self.content = self.path.read_bytes()

    def __exit__(self, *_: object) -> None:
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)
        self.path.write_bytes(self.content)


def _files(
    world: Path,
    command: Command,
    right: dict[str, dict[str, str]],
    draw: random.Random,
    tally: Tally,
    which: str,
) -> None:
    clean(world, command)
    path = draw.choice(sorted(_below(world, command.reads)))
    with _Kept(path):
        kind = damage_file(path, draw)
        outcome, fault = tried(world, command.arguments, command.out)
        if (
            not fault
            and outcome.code == 0
            and command.ours
            and numbers(world / command.out) != right[command.name]
        ):
            fault = "wrong numbers"
        _add(
            tally,
            f"file {path.suffix or 'without suffix'}",
            fault,
            which,
            command,
            f"{kind} {path.relative_to(world)}",
            outcome,
        )
    clean(world, command)


def _add(
    tally: Tally, kind: str, fault: str, which: str, command: Command, what: str, outcome: Outcome
) -> None:
    tally.add(kind, fault, f"{which}: {what}; conceptbind {command.line}", outcome.said)


def _below(world: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        place = world / name
        yield from (
            (path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        )


def _continued(
    world: Path,
    command: Command,
    right: dict[str, dict[str, str]],
    draw: random.Random,
    tally: Tally,
    which: str,
) -> None:
    """A finished folder of ours, or one that lacks its results still, damaged, and the same command
    again.
    """
    clean(world, command)
    shutil.copytree(world.with_name("done") / command.name, world / command.out)
    files = sorted(path for path in (world / command.out).rglob("*") if path.is_file())
    path = draw.choice(files)
    unfinished = draw.random() < 0.5
    kind = damage_file(path, draw)
    if unfinished:
        for name in ("results.json", "results.csv"):
            (world / command.out / name).unlink(missing_ok=True)
    what = (
        f"{kind} {path.relative_to(world)} of "
        f"{'an unfinished' if unfinished else 'a finished'} folder"
    )
    outcome, fault = tried(world, command.arguments, command.out)
    if not fault and outcome.code == 0:
        found = numbers(world / command.out)
        asked = {
            name: value
            for name, value in right[command.name].items()
            if not name.startswith("probes-") or unfinished
        }
        # probes are kept to continue, not to be read
        if any(found.get(name) != value for name, value in asked.items()):
            fault = "wrong numbers"
    _add(tally, "continued", fault, which, command, what, outcome)
    clean(world, command)


WORDS = (
    "",
    " ",
    "-1",
    "0",
    "1e999",
    "1000000000000",
    "nan",
    "inf",
    "true",
    "None",
    "null",
    "[]",
    "{}",
    "[1,2",
    "a b",
    "../x",
    "é",
    "\u2028",
    "x" * 5000,
    "-",
    "--",
    "=",
    "a=b",
    "1,2",
    "0x10",
    "~nosuchuser",
    "py:os:system",
    "file:",
    "hf:",
    "st:nothing",
    "/dev/zero",
    "/",
    "\udcff",
    "{a: &a [*a]}",
    "!!python/object:os.system",
    "hpu",
    "meta",
    "cuda:99",
    "9" * 5000,
    "-0",
    "9223372036854775808",
    "٣",
    "1_000",
    "\t1",
    "1.5",
    "'",
    "a\nb",
    "file:/dev/stdin",
    "/proc/self/mem",
    "/etc/passwd",
    ".",
    "clevr:/dev/zero",
    "pug-spar:.",
    "pug-animals:.",
    "dsprites:/dev/zero",
    "mpi3d:.:complex",
    "anywhere:/etc/passwd",
    "clevr2d:1000000000",
    "text20:100000x100000",
    "text20:-1x5",
    "clevr2d:0",
    "hf:../x",
    "timm:x",
    "open_clip:ViT-B-32",
    "py:a:b",
    "[1e999]",
    "[nan]",
    "[99999999999]",
    "{a",
)
KEPT_SMALL = ("epochs", "steps", "seeds", "processes", "jobs", "stack", "batch")
"""Options whose large values are honest work; they get values that are wrong."""


def _options(world: Path, command: Command, draw: random.Random, tally: Tally) -> None:
    from conceptbind.cli import COMMANDS
    from conceptbind.commands.command import options

    clean(world, command)
    known = (option.name for option in options(COMMANDS[command.arguments[0]]))
    names = [name for name in known if name != "runs"]
    added: list[str] = []
    for _ in range(draw.randint(1, 2)):
        name = draw.choice([*names, "nothing", "config", "seed"])
        value = draw.choice([word for word in WORDS if not (name in KEPT_SMALL and word.isdigit())])
        name = name.replace("_", "-") if draw.random() < 0.3 else name
        added += [f"--{name}={value}"] if draw.random() < 0.5 else [f"--{name}", value]
    arguments = list(command.arguments)
    if draw.random() < 0.2:
        arguments.pop(draw.randrange(1, len(arguments)))
    safe = [word for word in (*arguments, *added) if "\x00" not in word]
    outside = ("/", "/dev/zero", "../x", "/proc/self/mem", "/etc/passwd")
    safe = [word for word in safe if word.removeprefix("--out=") not in outside]
    changed = Command(command.name, tuple(safe))
    before = set(os.listdir(world))
    outcome = Trial(changed.arguments, world).run()
    fault = outcome.fault or ("stray" if strays(listing(world)) else "")
    _add(tally, "options", fault, "options", changed, "", outcome)
    for name in set(os.listdir(world)) - before:
        place = world / name
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    clean(world, command)


def _surroundings(world: Path, command: Command, draw: random.Random, tally: Tally) -> None:
    clean(world, command)
    name, environment, prepare = draw.choice(SURROUNDINGS)
    outcome, fault = tried(
        world, command.arguments, command.out, environment=environment, prepare=prepare
    )
    _add(
        tally,
        "surroundings",
        "" if fault == "no message" and "out" in name else fault,
        name,
        command,
        name,
        outcome,
    )
    clean(world, command)


def _stream(encoding: str, target: str | None = None) -> Callable[[], None]:
    def change() -> None:
        import io
        import sys

        if target:
            os.dup2(os.open(target, os.O_WRONLY), 1)
        sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding)  # type: ignore[misc]
        if not target:
            sys.stderr = io.TextIOWrapper(
                io.FileIO(2, "w", closefd=False), encoding, "backslashreplace", line_buffering=True
            )

    return change


def _closed(name: str, number: int) -> Callable[[], None]:
    def change() -> None:
        import sys

        os.close(number)
        setattr(sys, name, None)  # as an interpreter that starts without this stream has it
        setattr(sys, f"__{name}__", None)

    return change


def _broken_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)


def _limited(memory: int) -> Callable[[], None]:
    def change() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (memory, memory))

    return change


def _no_user() -> None:
    os.setgroups([])
    os.setgid(54321)
    os.setuid(54321)


def _no_rights() -> None:
    os.umask(0o777)


SURROUNDINGS: tuple[tuple[str, dict[str, str | None], Callable[[], None]], ...] = (
    ("no HOME", {"HOME": None, "USER": None, "LOGNAME": None}, lambda: None),
    (
        "HOME that is nowhere",
        {"HOME": "/nowhere/at/all", "XDG_CACHE_HOME": "/nowhere"},
        lambda: None,
    ),
    ("no TMPDIR", {"TMPDIR": "/nowhere"}, lambda: None),
    ("no PATH", {"PATH": None}, lambda: None),
    ("odd columns", {"COLUMNS": "0", "LINES": "-1", "TERM": "dumb"}, lambda: None),
    (
        "words for numbers of threads",
        {"OMP_NUM_THREADS": "many", "MKL_NUM_THREADS": ""},
        lambda: None,
    ),
    ("ASCII out", {"LC_ALL": "C"}, _stream("ascii")),
    ("Latin-1 out", {}, _stream("latin-1")),
    ("full out", {}, _stream("utf-8", "/dev/full")),
    ("broken pipe out", {}, _broken_pipe),
    ("closed out", {}, _closed("stdout", 1)),
    ("closed in", {}, _closed("stdin", 0)),
    ("closed err", {}, _closed("stderr", 2)),
    ("strict umask", {}, _no_rights),
    ("few open files", {}, _limited(40)),
    ("a user without a name, who may not write", {}, _no_user),
)
"""Name, environment, what is done in the child before the command."""
