"""Tasks that work, fail and die; in a module of their own, since workers import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from conceptbind.core.errors import ValueRangeError


def square(shared, task):
    return shared["add"] + task * task


def process(shared, task):
    return os.getpid()


def dying(shared, task):
    """Kills its own worker the first time that task 1 is run."""
    flag = Path(shared) / "died"
    if task == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return task * task


def always_dying(shared, task):
    os.kill(os.getpid(), signal.SIGKILL)


def failing(shared, task):
    raise ValueRangeError(f"task {task} cannot be done")
