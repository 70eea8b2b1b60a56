"""Many independent tasks on this machine's processes, on Ray or on Dask: the same results, whatever
runs them.

Every task computes with one thread, since sums over another number of threads differ in their last
digits. A task whose worker died is given to another one. Workers that were started for a command
end with it, also when it is killed.
"""

from __future__ import annotations

import logging
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from conceptbind.core.errors import (
    ConceptBindError,
    MissingExtraError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
)
from conceptbind.core.ownership import Process, end_with

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

    from conceptbind.core.typing import Executor

EXECUTORS = ("local", "ray", "dask")
ATTEMPTS = 5
"""How often tasks whose workers died are given out again."""
Task = Callable[[Any, Any], Any]
Numbered = Sequence[tuple[int, Any]]


class Where(NamedTuple):
    """What runs tasks."""

    jobs: int
    address: str | None
    gpu: bool
    """Whether a task wants a GPU."""


class WorkersDiedError(ConceptBindError, RuntimeError):
    """Workers died again and again."""


def run_tasks(
    function: Task,
    shared: Any,
    tasks: Sequence[Any],
    *,
    executor: Executor = "local",
    address: str | None = None,
    jobs: int | None = None,
    gpu: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Number and result of each task, in the order in which they are done.

    Args:
        function: called with `shared` and one task; both are sent to the workers.
        shared: what all tasks need; sent once where the executor can.
        tasks: the tasks.
        executor: `local` (processes, through joblib), `ray` or `dask`.
        address: of a running Ray or Dask cluster; without it a local one is started and stopped.
        jobs: workers of a local cluster; by default as many as cores that this process may use.
            One job runs in this process.
        gpu: whether a task wants a GPU of its own where the cluster has some; Ray hides them
            else. Dask's workers see what they were started with.

    Raises:
        UnknownNameError: no such executor.
        MissingExtraError: Ray or Dask is not installed.
        ConceptBindError: the cluster cannot be reached.
        WorkersDiedError: workers died more often than tasks are given out again.
    """
    check_executor(executor, address, jobs)
    run = {"local": _local, "ray": _ray, "dask": _dask}[executor]
    where = Where(jobs or cores(), address, gpu)
    left = set(range(len(tasks)))
    for _ in range(ATTEMPTS):
        if not left:
            return
        for number, result in run(function, shared, [(i, tasks[i]) for i in sorted(left)], where):
            left.discard(number)
            yield number, result
    if left:
        raise WorkersDiedError(
            f"workers died {ATTEMPTS} times and {len(left)} of {len(tasks):,} tasks "
            "are left, "
            "perhaps for want of memory; "
            "use fewer jobs, or start the same command again: what is finished is kept"
        )


def cores() -> int:
    """How many cores this process may use: those of the machine, or fewer where a container, a
    job of a cluster, `taskset` or the variable LOKY_MAX_CPU_COUNT gives it less.
    """
    import joblib

    return int(joblib.cpu_count())


def check_executor(executor: Executor, address: str | None, jobs: int | None) -> None:
    """Refuse what `run_tasks` would refuse, before any work is done."""
    if executor not in EXECUTORS:
        raise UnknownNameError(
            f"unknown executor '{cut(executor)}'; {nearest(executor, EXECUTORS)}"
        )
    if address is not None and executor == "local":
        raise ConceptBindError(
            "an address belongs to a cluster; add --executor ray or --executor dask"
        )
    if jobs is not None and jobs < 1:
        raise ValueRangeError(f"expected at least one job; got {jobs}")
    package, extra = {
        "local": ("joblib", ""),
        "ray": ("ray", "ray"),
        "dask": ("distributed", "dask"),
    }[executor]
    if find_spec(package) is None:
        raise MissingExtraError(package, extra, f"--executor {executor}")


@contextmanager
def one_thread() -> Iterator[None]:
    """Numpy, scikit-learn and torch with one thread each."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _pools_of_libraries(len(sys.modules)).limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _pools_of_libraries(_: int) -> ThreadpoolController:
    """The thread pools of the libraries that are loaded. They are looked for in all memory maps of
    the process, which takes milliseconds, so again only where modules were imported since.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _call(
    function: Task,
    shared: Any,
    number: int,
    task: Any,
    owner: Process | None = None,
    cluster: bool = False,
) -> tuple[int, Any]:
    """What a worker does; it ends with its owner, and so does the cluster whose processes are its
    siblings.
    """
    if owner is not None:
        end_with(owner, cluster)
    with one_thread():
        return number, function(shared, task)


def _local(function: Task, shared: Any, tasks: Numbered, where: Where) -> Iterator[tuple[int, Any]]:
    jobs = where.jobs
    if jobs == 1 or len(tasks) == 1:
        for number, task in tasks:
            yield _call(function, shared, number, task)
        return
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    calls = (delayed(_call)(function, shared, number, task) for number, task in tasks)
    with suppress(TerminatedWorkerError), warnings.catch_warnings():
        # joblib replaces a worker whose memory has grown between two tasks; no task is lost, and
        # there is nothing to do for a user.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        options = {"return_as": "generator_unordered", "batch_size": 1, "pre_dispatch": "n_jobs"}
        yield from Parallel(
            n_jobs=min(jobs, len(tasks)),
            initializer=end_with,
            initargs=(Process.this(),),
            **options,
        )(calls)


def _ray(function: Task, shared: Any, tasks: Numbered, where: Where) -> Iterator[tuple[int, Any]]:
    with _open("ray", where, _ray_session) as ray:
        some = where.gpu and ray.cluster_resources().get("GPU", 0) > 0
        needs = {"num_cpus": 1, "num_gpus": int(some)}
        remote, handle = ray.remote(**needs, max_retries=ATTEMPTS)(_call), ray.put(shared)
        owner = None if where.address else Process.this()
        waiting = [
            remote.remote(function, handle, number, task, owner, owner is not None)
            for number, task in tasks
        ]
        while waiting:
            done, waiting = ray.wait(waiting)
            with suppress(
                ray.exceptions.WorkerCrashedError,
                ray.exceptions.ObjectLostError,
                ray.exceptions.OutOfMemoryError,
            ):
                yield _of_ray(ray, done[0])


@contextmanager
def _ray_session(where: Where) -> Iterator[Any]:
    """Ray, connected; one that was started here is stopped."""
    import ray

    started, address = not ray.is_initialized(), where.address
    if started and address:
        _require_answer(address)
    if started:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address:
                ray.init(address=address, **options)
            else:
                # "local" starts one though another command's, or the one that RAY_ADDRESS names,
                # runs on this machine: Ray would join that one and refuse a number of workers.
                ray.init(address="local", num_cpus=where.jobs, include_dashboard=False, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            token = "; where it has a token, set RAY_AUTH_MODE=token" if address else ""
            raise ConceptBindError(
                f"could not reach a Ray cluster at {address or 'this machine'}: {reason:.200}"
                f"{token}"
            ) from error
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise ConceptBindError where nothing answers at an address of Ray, which waits for long."""
    _, _, place = address.rpartition("//")
    host, _, port = place.rpartition(":")
    if not port.isdigit():  # `auto`, and other names that Ray knows
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=20).close()
    except OSError as error:
        raise ConceptBindError(f"could not reach a Ray cluster at {address}: {error}") from error


def _of_ray(ray: Any, done: Any) -> tuple[int, Any]:
    """What a task returned; its own error where it failed, without Ray's account of it."""
    try:
        found: tuple[int, Any] = ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ConceptBindError):
            raise error.cause from error
        raise
    return found


def _dask(function: Task, shared: Any, tasks: Numbered, where: Where) -> Iterator[tuple[int, Any]]:
    from distributed import KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    with _open("dask", where, _dask_session) as client:
        handle = client.scatter(shared, broadcast=True)
        owner = None if where.address else Process.this()
        futures = [
            # a task whose worker died is given out again; one that failed would fail again
            client.submit(_call, function, handle, number, task, owner, pure=False)
            for number, task in tasks
        ]
        for future in as_completed(futures):
            with suppress(KilledWorker, FutureCancelledError):
                yield future.result()


@contextmanager
def _dask_session(where: Where) -> Iterator[Any]:
    """A client of Dask; a cluster that was started here is stopped."""
    from distributed import Client, LocalCluster

    address = where.address
    cluster = (
        None
        if address
        else LocalCluster(
            n_workers=where.jobs,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,  # a task's own error is told once, by the command
        )
    )
    try:
        client = Client(address or cluster, timeout="20s")
    except (OSError, ValueError) as error:
        raise ConceptBindError(f"could not reach a Dask cluster at {address}: {error}") from error
    try:
        with client:
            yield client
    finally:
        if cluster is not None:
            cluster.close()


Session = Callable[[Where], AbstractContextManager[Any]]


@dataclass(frozen=True)
class _Sessions:
    """Clusters that stay open until a command ends."""

    stack: ExitStack
    found: dict[tuple[Any, ...], Any]


_sessions: ContextVar[_Sessions | None] = ContextVar("clusters of this command", default=None)


@contextmanager
def clusters_of_a_command() -> Iterator[None]:
    """Clusters that are opened inside stay until the end, so that workers keep what they loaded."""
    with ExitStack() as stack:
        token = _sessions.set(_Sessions(stack, {}))
        try:
            yield
        finally:
            _sessions.reset(token)


@contextmanager
def _open(name: str, where: Where, session: Session) -> Iterator[Any]:
    """A cluster: the one of this command, or one that is closed afterwards."""
    kept = _sessions.get()
    if kept is None:
        with session(where) as opened:
            yield opened
        return
    key = (name, where.address, where.jobs)
    if key not in kept.found:
        kept.found[key] = kept.stack.enter_context(session(where))
    yield kept.found[key]
