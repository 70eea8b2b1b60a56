"""Shards of a table encoded by workers: processes of this machine, Ray or Dask.

A shard is a task. Each worker opens the encoder by its name, once, and keeps it; the rows come back
and are written here, so that no worker needs the folder. A lost worker costs the shard that it was
computing. Each worker computes with one thread, and batches are formed inside a shard: rows do not
depend on the number of workers or on what runs them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.errors import MismatchError, ValueRangeError
from conceptbind.encoders.factory import WORKING_FOLDER
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.rows.encoding import Piece, encode_piece
from conceptbind.run.cluster import Cluster
from conceptbind.run.executors import check_executor, run_tasks

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder
    from conceptbind.rows.feeding import Fed


@dataclass(frozen=True)
class Team:
    """Workers that open one encoder."""

    name: str
    """The encoder's name, as on the command line."""
    how: Opening
    revision: str
    """Which weights the workers must find under that name."""
    cluster: Cluster
    folder: str
    """Where the command runs; names of files and modules are meant from there."""
    own_modules: bool
    """Whether modules in that folder may be imported."""

    def encode(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, Fed]]:
        """The number of a piece with its rows, in the order in which they are done.

        Raises:
            MismatchError: a worker has other weights under the same name.
            ConceptBindError: the cluster cannot be reached, or workers died again and again; or
                what encoding raises.
        """
        yield from run_tasks(
            encode_task,
            self,
            pieces,
            executor=self.cluster.executor,
            address=self.cluster.address,
            jobs=self.cluster.jobs,
            gpu=gpus(self.how.device) > 0,
        )


def team_of(name: str, how: Opening, encoder: Encoder) -> Team | None:
    """The workers that a command asks for; None where this process encodes by itself.

    Args:
        name: of the encoder, as on the command line.
        how: the options. Those of `Cluster` may be among them.
        encoder: what the name stands for here.
    """
    if not isinstance(how, Cluster):
        return None
    check_executor(how.executor, how.address, how.jobs)
    cluster = Cluster(executor=how.executor, address=how.address, jobs=how.jobs)
    if how.executor == "local":
        cluster = replace(cluster, jobs=how.jobs or max(gpus(how.device), 1))
        if cluster.jobs == 1:
            return None
    plain = Opening(**{part.name: getattr(how, part.name) for part in fields(Opening)})
    own = WORKING_FOLDER.get()
    return Team(name, plain, encoder.revision, cluster, os.getcwd(), own)


def join_team(encoder: Encoder, team: Team | None) -> None:
    """Let an encoder know the workers that encode its shards.

    Raises:
        ValueRangeError: it is an object that cannot be changed.
    """
    if team is None:
        return
    try:
        encoder.team = team  # type: ignore[attr-defined]
    except (AttributeError, TypeError) as error:
        raise ValueRangeError(
            f"'{team.name}' is an object without room for attributes, so workers cannot encode for "
            "it; leave out --executor and --jobs"
        ) from error


def encode_task(team: Team, piece: Piece) -> Fed:
    """What a worker does with one piece."""
    encoder = _encoder_of(team)
    if encoder.revision != team.revision:
        raise MismatchError(
            f"a worker found other weights under '{team.name}': {encoder.revision}, where this "
            f"machine has {team.revision}; give every machine the same files"
        )
    with _in_folder(team.folder):
        return encode_piece(encoder, piece)


@lru_cache(maxsize=1)
def _encoder_of(team: Team) -> Encoder:
    """The encoder in this worker, opened once."""
    how = replace(team.how, device=device_here(team.how.device))
    if how.workers is None and how.device == "cpu":
        how = replace(how, workers=0)  # a worker has one core
    token = WORKING_FOLDER.set(team.own_modules)
    try:
        with _in_folder(team.folder):
            return open_encoder(team.name, how)
    finally:
        WORKING_FOLDER.reset(token)


@contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Work in a folder, where this machine has it."""
    with contextlib.chdir(folder) if Path(folder).is_dir() else contextlib.nullcontext():
        yield


def gpus(device: str) -> int:
    """GPUs that may be used where a device was asked for: all of `auto` and `cuda`, else none but
    the one that was named.
    """
    import torch

    return torch.cuda.device_count() if device in ("auto", "cuda") else 0


def device_here(device: str) -> str:
    """The device of this worker: of several GPUs that it sees, the one whose turn it is."""
    count = gpus(device)
    if count < 2:
        return device if device != "auto" or count else "cpu"
    # joblib numbers its processes: LokyProcess-1, LokyProcess-2, ...
    _, _, number = multiprocessing.current_process().name.rpartition("-")
    return f"cuda:{int(number) % count if number.isdigit() else 0}"
