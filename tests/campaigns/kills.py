"""Kills, double starts, full and failing disks: the same command afterwards gives what an
undisturbed run gives, and leaves no more.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from campaigns.fuzz import Tally, clean, numbers
from campaigns.inputs import COMMANDS, TRAIN, Command
from campaigns.trial import Kill, Outcome, Trial, listing, strays

NAMES = {
    "embed an array": 4,
    "embed captions": 4,
    "embed pictures": 3,
    "render": 4,
    "apply a folder": 3,
    "compare": 3,
    "repair": 1,
    "repair captions": 1,
    "repair COCO": 1,
    "embed pictures with a model folder": 1,
    "boxes": 1,
    "sugarcrepe": 2,
    "zeroshot": 2,
    "winoground": 1,
    "measure": 1,
    "train": 0.5,
    "sweep": 0.2,
}
"""Commands that are killed, and how often each."""
WORKERS = Command(
    "sweep with two workers",
    tuple(
        f"sweep --coverages 0.4 0.6 --seeds 1 --jobs 2 --probes additive {' '.join(TRAIN)} --out "
        "out".split()
    ),
)


@dataclass(frozen=True)
class Undisturbed:
    """What a command does when it is left alone."""

    operations: int
    seconds: float
    numbers: dict[str, str]
    left: set[str]


def undisturbed(world: Path, command: Command) -> Undisturbed:
    """Run it once."""
    clean(world, command)
    outcome = Trial(command.arguments, world, kill=Kill(world)).run()
    if outcome.code != 0:
        raise RuntimeError(f"{command.line} failed undisturbed: {outcome.said[-800:]}")
    found = Undisturbed(
        outcome.operations, outcome.seconds, numbers(world / command.out), listing(world)
    )
    clean(world, command)
    return found


def kills(
    world: Path,
    n: int,
    seed: int,
    on_trial: Callable[[Tally], None] = lambda _: None,
    names: dict[str, float] = NAMES,
) -> Tally:
    """Kills, one in ten of them a double start, one in ten a full disk, one in ten a failing one,
    one in fifty with workers.
    """
    tally, known = Tally(), {}
    commands = [command for command in COMMANDS if command.name in names]
    for number in range(n):
        draw = random.Random(f"{seed}/kill/{number}")
        share = draw.random()
        command = draw.choices(commands, [names[one.name] for one in commands])[0]
        if share > 0.98 and "sweep" in names:
            command, share = WORKERS, 0.0
        if command.name not in known:
            known[command.name] = undisturbed(world, command)
        alone = known[command.name]
        clean(world, command)
        kind, faults = _disturbed(world, command, alone, draw, share)
        if not faults:
            faults = _again(world, command, alone)
        fault, said = faults or ("", "")
        tally.add(
            kind.split(",")[0],
            fault,
            f"--seed {seed}, kill {number}: {kind}; conceptbind {command.line}",
            said,
        )
        on_trial(tally)
        clean(world, command)
    return tally


def _disturbed(
    world: Path, command: Command, alone: Undisturbed, draw: random.Random, share: float
) -> tuple[str, tuple[str, str] | None]:
    if share < 0.7:
        return _killed(world, command, alone, draw)
    if share < 0.8:
        return _double(world, command, alone, draw)
    return (
        _full(world, command, alone, draw) if share < 0.9 else _failing(world, command, alone, draw)
    )


def _killed(
    world: Path, command: Command, alone: Undisturbed, draw: random.Random
) -> tuple[str, tuple[str, str] | None]:
    """One to three kills in a row: before an operation on a file, or after a time."""
    what = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        how = draw.choice(
            [signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
        )
        if draw.random() < 0.6:
            kill = Kill(world, operation=draw.randint(1, max(alone.operations, 1)), signal=how)
        else:
            kill = Kill(world, after=draw.uniform(0, 1.1 * alone.seconds), signal=how)
        what.append(
            f"{how.name} "
            + (
                f"before operation {kill.operation}"
                if kill.operation
                else f"after {kill.after:.2f} s"
            )
        )
        outcome = Trial(command.arguments, world, kill=kill).run()
        fault = _wrong(world, outcome)
        if fault:
            return "kill, " + ", ".join(what), (fault, outcome.said)
    return "kill, " + ", ".join(what), None


def _wrong(world: Path, outcome: Outcome) -> str:
    if outcome.hung:
        return "hang"
    if outcome.orphans:
        return "orphan"
    if "Traceback (most recent call last)" in outcome.said:
        return "traceback"
    return "half file" if half_files(world / "out") else ""


def half_files(folder: Path) -> list[str]:
    """Files with their final names that cannot be read to the end."""
    found = []
    for path in folder.rglob("*") if folder.is_dir() else ():
        if not path.is_file() or path.name.startswith(".") or path.name.endswith(".part"):
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".npy":
                np.load(path, allow_pickle=False)
            elif path.suffix == ".png":
                Image.open(path).load()
            elif path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
                found.append(path.name)
        except (ValueError, OSError, EOFError):
            found.append(path.name)
    return found


def _again(world: Path, command: Command, alone: Undisturbed) -> tuple[str, str] | None:
    """The same command: it ends well, with the same numbers and the same files."""
    outcome = Trial(command.arguments, world).run()
    if outcome.fault:
        return outcome.fault, outcome.said
    if outcome.code != 0:
        return "no re-run", outcome.said
    found, left = numbers(world / command.out), listing(world)
    if found != alone.numbers:
        return "wrong numbers", str(
            sorted(
                name
                for name in {*found, *alone.numbers}
                if found.get(name) != alone.numbers.get(name)
            )
        )
    if strays(left) or left - alone.left:
        return "stray", str(sorted(strays(left) | (left - alone.left)))
    if alone.left - left:
        return "missing", str(sorted(alone.left - left))
    return None


def _double(
    world: Path, command: Command, alone: Undisturbed, draw: random.Random
) -> tuple[str, tuple[str, str] | None]:
    """Two starts into one folder, of the same or of another configuration."""
    seeded = command.arguments[0] in ("measure", "render", "evaluate", "repair", "train")
    other = (
        (*command.arguments, "--seed", "1") if seeded and draw.random() < 0.5 else command.arguments
    )
    wait = draw.choice([0.0, draw.uniform(0, alone.seconds)])
    kind = (
        f"double start, {'another' if other != command.arguments else 'the same'} "
        f"configuration after {wait:.2f} s"
    )
    first = Trial(command.arguments, world).start()
    time.sleep(wait)
    second = Trial(other, world).start()
    one, two = first.wait(), second.wait()
    for outcome in (one, two):
        if outcome.fault:
            return kind, (outcome.fault, outcome.said)
    if one.code and two.code:
        return kind, ("both refused", one.said + two.said)
    if other != command.arguments:
        if not one.code and not two.code:
            return kind, ("both accepted", one.said + two.said)
        if one.code:  # the other one has the folder, and keeps it
            clean(world, command)
    return kind, None


def _full(
    world: Path, command: Command, alone: Undisturbed, draw: random.Random
) -> tuple[str, tuple[str, str] | None]:
    """No file may grow beyond some size, as on a full disk; or the folder lies on a small file
    system.
    """
    place = world / "out"
    if os.getuid() == 0 and draw.random() < 0.4 and _mounted(place, f"{draw.randint(1, 30) * 8}k"):
        try:
            outcome = Trial(command.arguments, world).run()
            left = strays(listing(world))
        finally:
            _unmount(place)
        kind = "full disk, a small file system"
    else:
        limit = int(10 ** draw.uniform(0, 6))

        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        outcome = Trial(command.arguments, world, prepare=limited).run()
        left = strays(listing(world))
        kind = f"full disk, files of at most {limit} bytes"
    fault = outcome.fault or ("stray" if left else "")
    return kind, (fault, outcome.said) if fault else None


def _failing(
    world: Path, command: Command, alone: Undisturbed, draw: random.Random
) -> tuple[str, tuple[str, str] | None]:
    """The folder's file system turns read-only in the middle, or its owner is another."""
    place = world / "out"
    if os.getuid() == 0 and draw.random() < 0.5 and _mounted(place, "40m"):
        try:
            running = Trial(command.arguments, world).start()
            time.sleep(draw.uniform(0, alone.seconds))
            subprocess.run(
                ["mount", "-o", "remount,ro", str(place)], check=False, capture_output=True
            )
            outcome = running.wait()
        finally:
            _unmount(place)
        fault = outcome.fault
        return "failing disk, read-only in the middle", (fault, outcome.said) if fault else None

    def nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    if os.getuid() != 0:
        return "failing disk, left out without rights", None
    outcome = Trial(command.arguments, world, prepare=nobody).run()
    fault = (
        outcome.fault
        or ("accepted" if outcome.code == 0 else "")
        or ("stray" if strays(listing(world)) else "")
    )
    return "failing disk, a folder of somebody else", (fault, outcome.said) if fault else None


def _mounted(place: Path, size: str) -> bool:
    place.mkdir(exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    ).returncode:
        place.rmdir()
        return False
    return True


def _unmount(place: Path) -> None:
    for _ in range(100):
        if subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.1)
    place.rmdir()
