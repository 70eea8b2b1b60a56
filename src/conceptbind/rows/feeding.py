"""Pictures on their way to an encoder: threads read, hash, decode and prepare them while the model
computes.

Every picture is prepared by itself and batches are formed in the order of the table, so that the
number of threads changes no row. Only a few pictures more than a batch are in memory.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from conceptbind.core.errors import FileError
from conceptbind.core.limits import require_regular
from conceptbind.pictures.files import (
    MOST_BYTES,
    MOST_OPEN,
    PICTURE_FILE,
    Box,
    quiet_pillow,
    read_picture,
)
from conceptbind.run.executors import cores

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Encoder, Floats, Prepares

Item = TypeVar("Item")
Result = TypeVar("Result")
FEEDERS = 16
"""Threads that feed a GPU, where there are as many cores."""


def threads_for(encoder: Encoder, workers: int | None = None) -> int:
    """Threads that read and prepare pictures for an encoder: what was asked for, or what its own
    `workers` say. Else as many as cores, at most `FEEDERS`, where there is a GPU; on a processor
    one, since the model takes all cores.
    """
    asked = getattr(encoder, "workers", None) if workers is None else workers
    if asked is not None:
        return int(asked)
    import torch

    return min(cores(), FEEDERS) if torch.cuda.is_available() else 1


class Fed(NamedTuple):
    """The features of some pictures."""

    rows: Float[Floats, "pictures width"]
    """(b, d) as the encoder gave them."""
    hashes: list[str]
    """SHA-256 of each file."""


class _One(NamedTuple):
    """A picture that was read."""

    digest: str
    picture: Image | None
    """None where it is prepared."""
    prepared: dict[str, Any] | None


def picture_rows(
    encoder: Encoder,
    paths: Sequence[Path],
    boxes: Sequence[Box | None] | None = None,
    workers: int | None = None,
) -> Iterator[Fed]:
    """The features of picture files, batch by batch, in their order.

    Args:
        encoder: one that prepares pictures apart (`typing.Prepares`) is given what threads have
            prepared; another one the pictures themselves.
        paths: the files.
        boxes: what is seen of each; None for whole pictures.
        workers: threads that read and prepare; 0 does so between two batches. See `threads_for`.

    Raises:
        FileError: a picture is missing or broken; the first of them is named.
    """
    asked = list(zip(paths, boxes or [None] * len(paths), strict=True))
    apart = prepares(encoder)

    def read(one: tuple[Path, Box | None]) -> _One:
        path, box = one
        data = _data(path)
        picture = read_picture(path, box, data=data)
        digest = hashlib.sha256(data).hexdigest()
        if apart is None:
            return _One(digest, picture, None)
        return _One(digest, None, apart.prepare_images([picture]))

    size = MOST_OPEN if apart is None else apart.picture_batch
    threads = threads_for(encoder, workers)
    # what is prepared is small; decoded pictures may be large
    ahead = threads if apart is None else threads + size
    with quiet_pillow(), _in_order(read, asked, threads, ahead) as found:
        batches = _batches(found, size)
        if apart is None:
            for batch in batches:
                pictures = [one.picture for one in batch if one.picture is not None]
                yield Fed(encoder.encode_images(pictures), [one.digest for one in batch])
            return
        # one batch is joined, and handed to a GPU's driver, while another computes
        with _in_order(_joined, batches, min(threads, 1), 1) as whole:
            for prepared, hashes in whole:
                yield Fed(apart.encode_prepared(prepared), hashes)


def _data(path: Path) -> bytes:
    """What a picture file holds.

    Raises:
        FileError: nothing is there, or no plain file.
    """
    if not path.exists():
        raise FileError(f"the scene table names the picture {path}, which is not there")
    return require_regular(path, PICTURE_FILE, "the picture ").read_bytes()


def prepares(encoder: Encoder) -> Prepares | None:
    """The encoder where it prepares pictures apart from computing; else None."""
    from conceptbind.core.typing import Prepares

    return encoder if isinstance(encoder, Prepares) and encoder.picture_batch else None


def _joined(batch: list[_One]) -> tuple[dict[str, Any], list[str]]:
    """Prepared pictures as one batch: their tensors (1, ...) joined along the first axis, in memory
    that a GPU reads by itself where there is one; and the hashes of their files.
    """
    import torch

    parts = [one.prepared for one in batch if one.prepared is not None]
    whole = dict(parts[0])
    for name in parts[0]:
        whole[name] = torch.cat([part[name] for part in parts])
    if torch.cuda.is_available():
        whole = {name: tensor.pin_memory() for name, tensor in whole.items()}
    return whole, [one.digest for one in batch]


def _batches(found: Iterable[_One], most: int) -> Iterator[list[_One]]:
    """Pictures in batches of so many, or fewer where decoded ones are large."""
    batch: list[_One] = []
    held = 0
    for one in found:
        size = 0 if one.picture is None else 3 * one.picture.width * one.picture.height
        if batch and (len(batch) == most or held + size > MOST_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(one)
        held += size
        del one
    if batch:
        yield batch


@contextmanager
def _in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Iterator[Result]]:
    """What `work` returns for each item, in their order, computed by threads that are a few items
    ahead. An error is raised where its item would stand.
    """
    if not threads:
        yield map(work, items)
        return
    import torch

    # a thread that prepares takes one core, whatever its libraries think
    pool = ThreadPoolExecutor(threads, "pictures", initializer=torch.set_num_threads, initargs=(1,))
    left = iter(items)

    def results() -> Iterator[Result]:
        waiting: deque[Future[Result]] = deque()
        for item in islice(left, ahead):
            waiting.append(pool.submit(work, item))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(left, 1))
            yield done
            del done

    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)
