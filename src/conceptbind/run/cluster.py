"""Where many independent tasks are computed: the options of every command that has them."""

from __future__ import annotations

from dataclasses import dataclass

from conceptbind.core.typing import Executor


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where many independent tasks are computed."""

    GROUP = "The workers"

    executor: Executor = "local"
    """What runs the tasks: local (processes of this machine), or a Ray or Dask cluster."""
    address: str | None = None
    """Address of a running Ray or Dask cluster; without it one is started on this machine."""
    jobs: int | None = None
    """Number of processes or workers. Left out: one for each core where fits are computed, one for
    each GPU where an encoder embeds.
    """
