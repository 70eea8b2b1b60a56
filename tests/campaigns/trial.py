"""One command in a child of this process, watched: its exit, what it said, its memory, its time,
what it left.

The child is forked from a process that has imported everything, so that a trial costs what the
command does. Nothing here may start threads before a fork; campaigns run with one thread
(OMP_NUM_THREADS=1)."""

from __future__ import annotations

import faulthandler
import io
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 60.0
"""Seconds after which a command hangs: what it is given here takes it a few at most."""
MEMORY = 2 << 30
"""Bytes beyond what the command has when it starts."""
LONGEST = 500
"""Characters of a message."""
ERROR = "conceptbind: error: "
STRAY = re.compile(r"\.part$|\.tmp$|^\.nfs|\.lock$|^tmp[a-z0-9_]{8}")


@dataclass(frozen=True)
class Outcome:
    """What became of one command."""

    code: int
    """Exit code; minus the signal where one ended it."""
    printed: str
    said: str
    """Standard error."""
    seconds: float
    memory: int
    """Bytes beyond the start."""
    hung: bool = False
    killed: bool = False
    """By this campaign."""
    operations: int = 0
    """Of files, counted."""
    orphans: int = 0
    """Processes that lived on."""

    @property
    def message(self) -> str:
        """The last line of the error stream that is the command's own."""
        lines = [
            line
            for line in re.split(r"[\r\n]", self.said)
            if re.search(r"(^|conceptbind: )error: ", line)
        ]
        return re.sub(r"^.*?(conceptbind: )?error: ", "", lines[-1]) if lines else ""

    @property
    def fault(self) -> str:
        """What is wrong with it, in a word; empty where nothing is."""
        if self.hung:
            return "hang"
        if self.memory > MEMORY:
            return "memory"
        if self.killed:
            return ""
        if "Traceback (most recent call last)" in self.said:
            return "traceback"
        if self.code < 0:
            return "crash"
        if self.code not in (0, 2):
            return "exit"
        if self.code == 2 and not self.message:
            return "no message"
        if self.code == 2 and (
            len(self.message) > LONGEST or not self.said.rstrip().endswith(self.message)
        ):
            return "message"
        return ""


@dataclass
class Kill:
    """When a command is killed: before its n-th operation on files below a folder, or after a
    time.
    """

    below: Path | None = None
    operation: int | None = None
    after: float | None = None
    signal: int = signal.SIGKILL


@dataclass
class Trial:
    """One command and its surroundings."""

    arguments: Sequence[str]
    folder: Path
    """Where it runs."""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    """Called in the child before the command."""
    kill: Kill | None = None
    timeout: float = TIMEOUT
    patience: float = 10.0
    """Seconds for the processes that the command started to end after it."""
    call: Callable[[list[str]], int] | None = None
    """What is called in the place of the command line, to try the campaigns themselves."""

    def start(self) -> Running:
        """Fork."""
        return Running(self)

    def run(self) -> Outcome:
        """Fork and wait."""
        return self.start().wait()


class Running:
    """A started trial."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.place = Path(os.environ["CAMPAIGN_SCRATCH"])
        sys.stdout.flush()
        sys.stderr.flush()
        self.began = time.monotonic()
        self.streams, ends = zip(*(os.pipe() for _ in range(2)), strict=True)
        self.child = os.fork()
        if self.child == 0:
            try:
                _child(trial, self.place, ends)
            finally:
                os._exit(97)
        for end in ends:
            os.close(end)
        for stream in self.streams:
            os.set_blocking(stream, False)
        self.heard: list[list[bytes]] = [[], []]

    def _listen(self) -> None:
        for stream, heard in zip(self.streams, self.heard, strict=True):
            with suppress(BlockingIOError):
                while part := os.read(stream, 1 << 16):
                    heard.append(part)

    def wait(self) -> Outcome:
        """What became of it; ended where it takes too long or too much."""
        base, most, hung, killed, wait = None, 0, False, False, 0.002
        kill = self.trial.kill
        while True:
            done, status, _ = os.wait4(self.child, os.WNOHANG)
            self._listen()
            if done:
                break
            spent = time.monotonic() - self.began
            resident = _resident(self.child)
            base = resident if base is None else base
            most = max(most, resident - base)
            if kill is not None and kill.after is not None and spent > kill.after and not killed:
                os.kill(self.child, kill.signal)
                killed = True
            if spent > self.trial.timeout or most > MEMORY:
                hung = spent > self.trial.timeout
                os.kill(self.child, signal.SIGKILL)
            time.sleep(wait)
            wait = min(wait * 1.3, 0.05)
        seconds = time.monotonic() - self.began
        code = os.waitstatus_to_exitcode(status)
        if kill is not None and kill.operation is not None and code == -kill.signal:
            killed = True
        orphans = _orphans(self.child, self.trial.patience)
        self._listen()
        for stream in self.streams:
            os.close(stream)
        printed, said = (b"".join(heard).decode(errors="replace") for heard in self.heard)
        count = self.place / f"{self.child}.count"
        operations = int(count.read_text() or 0) if count.exists() else 0
        count.unlink(missing_ok=True)
        return Outcome(code, printed, said, seconds, most, hung, killed, operations, orphans)


def _child(trial: Trial, place: Path, ends: Sequence[int]) -> None:
    os.setsid()
    faulthandler.disable()
    me = os.getpid()
    for number, end in enumerate(ends, start=1):
        os.dup2(end, number)
        os.close(end)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", line_buffering=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True
    )
    for name in ("__stdout__", "__stderr__"):
        setattr(sys, name, getattr(sys, name.strip("_")))
    for name, value in trial.environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.chdir(trial.folder)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.resetwarnings()
    sys.argv = ["conceptbind", *trial.arguments]
    from conceptbind.cli import main

    counted = _count_operations(trial.kill, place / f"{me}.count") if trial.kill else None
    code = 1
    try:
        trial.prepare()
        code = (trial.call or main)(list(trial.arguments))
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    if counted is not None:
        counted()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


EVENTS = frozenset(
    (
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "shutil.rmtree",
        "shutil.move",
    )
)


def _count_operations(kill: Kill, file: Path) -> Callable[[], None]:
    """Count what is done to files below a folder, and die before the n-th."""
    below, done = str(kill.below), [0]

    def hook(event: str, arguments: tuple) -> None:
        if event not in EVENTS or not arguments:
            return
        path = arguments[0]
        if event == "open" and (not isinstance(path, (str, bytes)) or not _writes(arguments)):
            return
        if (
            below not in os.path.abspath(os.fsdecode(path))
            if isinstance(path, (str, bytes))
            else True
        ):
            return
        done[0] += 1
        if done[0] == kill.operation:
            os.kill(os.getpid(), kill.signal)
            time.sleep(5)

    sys.addaudithook(hook)

    def write() -> None:
        file.write_text(str(done[0]))

    return write


def _writes(arguments: tuple) -> bool:
    mode, flags = arguments[1], arguments[2]
    return bool(isinstance(mode, str) and set(mode) & set("wax+")) or bool(
        flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, IndexError):
        return 0


def _orphans(session: int, patience: float) -> int:
    """Processes of a session whose leader has ended, after some seconds of grace; they are ended
    here.
    """
    until = time.monotonic() + patience
    while True:
        alive = _of_session(session)
        if not alive or time.monotonic() > until:
            break
        time.sleep(0.05)
    for process in alive:
        os.kill(process, signal.SIGKILL)
    return len(alive)


def _of_session(session: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                text = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry))
    return found


def listing(folder: Path) -> set[str]:
    """All files and folders below, by their path from there."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def strays(names: set[str]) -> set[str]:
    """Files that a command leaves aside while it writes."""
    return {name for name in names if STRAY.search(name.rpartition("/")[2])}


def emptied(folder: Path) -> Path:
    """The folder, new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
