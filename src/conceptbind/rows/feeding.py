"""Pictures on their way to an encoder: threads read, hash, decode and prepare them while the model
computes.

Every picture is prepared by itself and batches are formed in the order of the table, so that the
number of threads changes no row. Only a few pictures more than a batch are in memory.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from conceptbind.core.errors import FileError
from conceptbind.core.limits import require_regular
from conceptbind.pictures.files import (
    PICTURE_FILE,
    Box,
    picture_batches,
    quiet_pillow,
    read_picture,
)
from conceptbind.run.executors import cores
from conceptbind.run.ordered import in_order

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped
    from numpy.typing import NDArray
    from PIL.Image import Image

    from conceptbind.core.typing import Encoder, Floats, Prepares

Item = TypeVar("Item")
Result = TypeVar("Result")
Asked = tuple[Path, Box | None]
"""A picture file, and what is seen of it."""
Reader: TypeAlias = "Callable[[Item], tuple[str, Image]]"
"""Opens a picture, and tells the hash of its file."""
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
    threads, apart = threads_for(encoder, workers), prepares(encoder)
    with quiet_pillow():
        if apart is None:
            yield from _opened(encoder, asked, threads, _read)
        else:
            yield from _prepared(apart, asked, threads, _read)


def array_rows(
    encoder: Encoder,
    arrays: Iterable[Shaped[NDArray[Any], "height width *channels"]],
    workers: int | None = None,
) -> Iterator[Fed]:
    """The same for pictures that are read one after the other from an array; they have no hash.

    Args:
        encoder: see `picture_rows`.
        arrays: each (h, w) or (h, w, 3), uint8.
        workers: see there.
    """
    threads, apart = threads_for(encoder, workers), prepares(encoder)
    if apart is None:
        yield from _opened(encoder, arrays, threads, _as_picture)
    else:
        yield from _prepared(apart, arrays, threads, _as_picture)


def _as_picture(values: NDArray[Any]) -> tuple[str, Image]:
    """No hash, and the picture."""
    return "", stored_picture(values)


def stored_picture(values: Shaped[NDArray[Any], "height width *channels"]) -> Image:
    """A picture of an array in colours, as its file would be read.

    Args:
        values: (h, w) or (h, w, 3), uint8.
    """
    from PIL import Image as Pillow

    return Pillow.fromarray(values).convert("RGB")


def _opened(
    encoder: Encoder, asked: Iterable[Item], threads: int, read: Reader[Item]
) -> Iterator[Fed]:
    """The features of an encoder that takes pictures as they are."""
    digests: deque[str] = deque()

    def openers(found: Iterable[tuple[str, Image]]) -> Iterator[Callable[[], Image]]:
        for digest, picture in found:
            digests.append(digest)
            yield partial(_itself, picture)

    # decoded pictures may be large, so only a few are
    with _in_order(read, asked, threads, threads) as found:
        for batch in picture_batches(openers(found)):
            rows = encoder.encode_images(batch)
            yield Fed(rows, [digests.popleft() for _ in batch])


def _itself(picture: Image) -> Image:
    return picture


def _prepared(
    encoder: Prepares, asked: Iterable[Item], threads: int, read: Reader[Item]
) -> Iterator[Fed]:
    """The features of an encoder that prepares pictures apart."""
    size = encoder.picture_batch

    def prepare(one: Item) -> tuple[str, dict[str, Any]]:
        digest, picture = read(one)
        return digest, encoder.prepare_images([picture])

    with _in_order(prepare, asked, threads, threads + size) as found:
        batches = iter(lambda: list(islice(found, size)), [])
        # one batch is joined, and handed to a GPU's driver, while another computes
        with _in_order(_joined, batches, min(threads, 1), 1) as whole:
            for digests, prepared in whole:
                yield Fed(encoder.encode_prepared(prepared), digests)


def _read(one: Asked) -> tuple[str, Image]:
    """The hash of a picture file, and what is seen of it."""
    path, box = one
    data = _data(path)
    return hashlib.sha256(data).hexdigest(), read_picture(path, box, data=data)


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


def _joined(batch: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], dict[str, Any]]:
    """Hashes, and prepared pictures as one batch: their tensors (1, ...) joined along the first
    axis, in memory that a GPU reads by itself where there is one.
    """
    import torch

    digests, parts = map(list, zip(*batch, strict=True))
    whole = dict(parts[0])
    for name in parts[0]:
        whole[name] = torch.cat([part[name] for part in parts])
    if torch.cuda.is_available():
        whole = {name: tensor.pin_memory() for name, tensor in whole.items()}
    return digests, whole


@contextmanager
def _in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Iterator[Result]]:
    """What `work` returns for each item, in their order, computed by threads of its own; without
    any, when it is asked for.
    """
    if not threads:
        yield map(work, items)
        return
    import torch

    # a thread that prepares takes one core, whatever its libraries think
    pool = ThreadPoolExecutor(threads, "pictures", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield in_order(pool, work, items, ahead)
    finally:
        pool.shutdown(cancel_futures=True)
