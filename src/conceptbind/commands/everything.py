"""`evaluate --benchmark all`: what is there and can be scored, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.benchmarks.evaluate import look_at_benchmark, needs_pictures
from conceptbind.core.errors import ConceptBindError, FileError

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Data, Making
    from conceptbind.core.typing import Encoder


def looked_at(
    folders: dict[str, Path],
    making: Making,
    missing: dict[str, str] | None,
    allow_missing: bool,
) -> dict[str, Data | None]:
    """What `look_at_benchmark` gives of each benchmark.

    Args:
        folders: of the benchmarks.
        making: see there.
        missing: where everything was asked for; the benchmarks that are refused are left out and
            added to it with the reason.
        allow_missing: leave out items whose pictures are missing.

    Raises:
        ConceptBindError: see `look_at_benchmark`; or nothing is left.
    """
    looked: dict[str, Data | None] = {}
    for name, files in folders.items():
        with left_out(name, missing):
            looked[name] = look_at_benchmark(name, files, making, allow_missing=allow_missing)
    refuse_nothing(looked, missing)
    return looked


ABSENT = "files are not there"
"""What is said of a benchmark of which nothing is there."""


class Missing(dict[str, str]):
    """Why benchmarks are not scored, where everything was asked for.

    Args:
        reasons: by benchmark.
        named: benchmarks that were asked for by name beside; they are never left out.
    """

    def __init__(self, reasons: Mapping[str, str], named: Iterable[str] = ()) -> None:
        super().__init__(reasons)
        self.named = frozenset(named)


@contextmanager
def left_out(name: str, missing: dict[str, str] | None) -> Iterator[None]:
    """What is refused within leaves one benchmark out, where everything was asked for.

    Args:
        name: of the benchmark.
        missing: gets the reason; None where the benchmark was asked for by name.
    """
    try:
        yield
    except ConceptBindError as error:
        if missing is None or (isinstance(missing, Missing) and name in missing.named):
            raise
        missing[name] = str(error)


def refuse_nothing(left: Sized, missing: dict[str, str] | None) -> None:
    """Raise FileError where no benchmark is left of all.

    Args:
        left: what is left.
        missing: why the others are not; None where benchmarks were asked for by name.
    """
    if not left and missing is not None:
        raise FileError(
            f"nothing there can be scored: {_first_of(missing)}; see what is missing with --check"
        )


def readable(
    source: Encoder, folders: dict[str, Path], missing: dict[str, str], top: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """The benchmarks that an encoder can be scored on, and of all others why not.

    Args:
        source: the encoder.
        folders: of the benchmarks that are there.
        missing: of the others why they are not.
        top: where they were looked for.

    Raises:
        FileError: there is none.
    """
    if not folders:
        odd = {name: why for name, why in missing.items() if ABSENT not in why}
        told = f" ({_first_of(odd)})" if odd else ""
        raise FileError(
            f"{top} holds no benchmark{told}; put each into a folder of its name, such as "
            f"{top / 'sugarcrepe_pp'}, and see what belongs there with --check"
        )
    if "image" in source.modalities:
        return folders, missing
    left = {name: place for name, place in folders.items() if not needs_pictures(name)}
    why = f"'{source.id}' embeds no pictures"
    return left, {**missing, **{name: why for name in folders if name not in left}}


def _first_of(missing: dict[str, str]) -> str:
    """Why the first benchmark is left out whose files are there, or the first of all."""
    there = {name: why for name, why in missing.items() if ABSENT not in why}
    return next((f"{name}: {why}" for name, why in (there or missing).items()), "nothing is there")


def told_missing(missing: dict[str, str]) -> tuple[str, ...]:
    """What is said of benchmarks that are not scored where everything was asked for.

    Args:
        missing: why, by benchmark.
    """
    absent = [name for name, why in missing.items() if ABSENT in why]
    others = {name: why for name, why in missing.items() if name not in absent}
    told = [f"{name}: left out: {why.rstrip('.')}." for name, why in others.items()]
    if absent:
        told.append(f"not there: {', '.join(absent)}; --check says where each is published.")
    return tuple(told)
