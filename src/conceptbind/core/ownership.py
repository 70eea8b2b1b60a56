"""Who owns a folder while a command writes there, and workers that end with the command they work
for.

A folder is owned by a lock on a file inside it (`flock`). The kernel lets go of it when the process
ends, however that ends, and it means the same in containers whose processes have equal numbers. The
lock file goes when the command ends.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from conceptbind.core.errors import ConceptBindError, FileError, FolderInUseError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".conceptbind.lock"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system without locks answers."""
LOOK_EVERY = 0.5
"""Seconds between two looks of a worker at the command that it works for."""


class FolderLock:
    """A folder that this process alone writes to, until `release`.

    Args:
        folder: created if needed.

    Raises:
        FolderInUseError: another command writes there.
        FileError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self._file = folder, False, -1
        try:
            self.folder, self.made = folder.resolve(), not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            while not self._taken(self.folder / LOCK):
                pass
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
            if isinstance(error, ConceptBindError):
                raise
            self.release()
            reason = getattr(error, "strerror", None) or error
            raise FileError(
                f"could not write into {folder}: {reason}; choose a folder that can be written "
                "with --out"
            ) from error
        _open.add(self)

    def _taken(self, path: Path) -> bool:
        """Whether the lock is ours now; not if its file was removed by the command before, while it
        was being opened.
        """
        self._file = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o666
        )
        if fcntl is None:
            _no_locks(self.folder)
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            raise _in_use(self.folder) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            _no_locks(self.folder)
            return True
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file), os.stat(path)):
                return True
        self._close()
        return False

    def release(self) -> None:
        """Let go of the folder; its lock file goes, and the folder where this lock made it and
        nothing was written.
        """
        if self._file >= 0:
            with suppress(OSError):
                (self.folder / LOCK).unlink()
            if self.made:
                with suppress(OSError):  # not empty
                    self.folder.rmdir()
            self._close()
            _open.discard(self)

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1

    def __del__(self) -> None:
        with suppress(Exception):
            self.release()


_open: set[FolderLock] = set()
_command: ContextVar[dict[Path, FolderLock] | None] = ContextVar(
    "folders of the running command", default=None
)


def _in_use(folder: Path) -> FolderInUseError:
    return FolderInUseError(
        f"another conceptbind command is writing to {folder}; wait until it ends, or choose "
        "another folder with --out"
    )


def _no_locks(folder: Path) -> None:
    warnings.warn(
        f"the file system of {folder} has no locks: start no second command into this folder while "
        "this one runs",
        stacklevel=4,
    )


def _forget() -> None:
    """In a forked child: the locks stay the parent's."""
    for lock in tuple(_open):
        with suppress(OSError):
            lock._close()
    _open.clear()
    _command.set(None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def own(folder: Path) -> FolderLock:
    """Take a folder for the running command, once; outside a command for as long as the returned
    lock is kept.

    Raises:
        FolderInUseError, FileError: see `FolderLock`.
    """
    held = _command.get()
    if held is None:
        return FolderLock(folder)
    found = held.get(folder.resolve())
    if found is None:
        found = held[folder.resolve()] = FolderLock(folder)
    return found


def hold(file: int) -> None:
    """Lock an open file for as long as it is open, so that `is_free` tells that somebody writes to
    it.
    """
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Lock a folder that is being written aside, so that `is_free` tells that somebody does."""
    if fcntl is None:
        yield
        return
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        hold(file)
        yield
    finally:
        os.close(file)


def is_free(path: Path) -> bool:
    """Whether no process holds a file or folder; False where that cannot be told."""
    return _held(path) is False


def _held(path: Path) -> bool | None:
    """Whether a process holds a file; None where that cannot be told."""
    if fcntl is None:
        return None
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if isinstance(error, BlockingIOError) else None
    finally:
        os.close(file)
    return False


def refuse_in_use(folder: Path) -> None:
    """Raise FolderInUseError now where `own` would, without writing anything: before a model is
    loaded.
    """
    held = _command.get() or {}
    if folder.resolve() not in held and _held(folder / LOCK):
        raise _in_use(folder)


@contextmanager
def folders_of_a_command() -> Iterator[None]:
    """Folders that are taken inside are let go at the end, however that comes."""
    held: dict[Path, FolderLock] = {}
    token = _command.set(held)
    try:
        yield
    finally:
        _command.reset(token)
        for lock in held.values():
            lock.release()


@dataclass(frozen=True)
class Process:
    """A process of this machine, told from a later one of the same number by when it was
    started.
    """

    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        return cls(os.getpid(), _state(os.getpid())[1])

    @property
    def alive(self) -> bool:
        """Whether it still runs; a process that ended and was not waited for does not."""
        if not self.started:  # no /proc here
            with suppress(ProcessLookupError):
                os.kill(self.pid, 0)
                return True
            return False
        state, started = _state(self.pid)
        return started == self.started and state not in ("Z", "X", "")


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing where there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _state(pid: int) -> tuple[str, str]:
    """State and start time of a process, in the kernel's words; empty where there is none."""
    words = _stat(pid)
    return (words[0], words[19]) if len(words) > 19 else ("", "")


def _siblings() -> list[Process]:
    """The other children of this process's parent."""
    parent, found = str(os.getppid()), []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdecimal() and int(name) != os.getpid():
            words = _stat(int(name))
            if len(words) > 19 and words[1] == parent:
                found.append(Process(int(name), words[19]))
    return found


_watched: set[Process] = set()


def end_with(owner: Process, siblings: bool = False) -> None:
    """End this process, a worker, within a second after its owner has ended, whatever it computes.

    Args:
        owner: the command.
        siblings: end the other children of this process's parent too, a cluster that was started
            for the command (Ray's agents outlive it).

    A thread looks. The kernel's own signal for this (`PR_SET_PDEATHSIG`) comes when the *thread*
    ends that started the worker, which may be long before the command ends.
    """
    if owner.pid == os.getpid() or owner in _watched:
        return
    _watched.add(owner)

    def watch() -> None:
        parent, others = os.getppid(), []
        while owner.alive:
            if siblings and os.getppid() == parent:
                others = _siblings()
            time.sleep(LOOK_EVERY)
        for other in others:
            if other.alive:
                with suppress(OSError):
                    os.kill(other.pid, signal.SIGKILL)
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    threading.Thread(target=watch, name="end with the command", daemon=True).start()
