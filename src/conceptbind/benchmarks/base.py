"""What every benchmark is: items over distinct pictures and captions, read from a published folder and scored item by item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conceptbind.errors import FileError, MismatchError, ValueRangeError
from conceptbind.files import read_json
from conceptbind.metrics import bootstrap_mean, wilson

if TYPE_CHECKING:
    from conceptbind.typing import Bools, Floats, Ints

DRAWS = 1000
"""Resamples of an interval that has no closed form."""


@dataclass(frozen=True, eq=False)
class Data:
    """A benchmark's items, with every distinct picture and caption once, however often items name it."""

    pictures: tuple[str, ...]
    """File names, relative to `folder`."""
    folder: Path
    captions: tuple[str, ...]
    items: Any
    """What the benchmark's `score` reads: numbers of pictures and captions."""
    notes: tuple[str, ...] = ()
    """What was left out, with the reason."""
    boxes: tuple[tuple[int, int, int, int], ...] | None = None
    """Of each picture what is seen: left, top, width, height; None for whole pictures. A picture with two boxes stands there twice."""


@dataclass(frozen=True, eq=False)
class Score:
    """One number of a benchmark, as outcomes of its items, so that two runs can be compared item by item."""

    metric: str
    subset: str
    """Which items: the name of a published subset, of a family, or `all`."""
    protocol: str
    """Whose rule it is: `strict` (ours), `paper`, `mieb`."""
    correct: Bools
    """(n,)"""
    tied: Bools
    """(n,) misses by a tie."""
    groups: Ints | None = None
    """(n,) for a macro score, which averages the means of groups; None for a micro score."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Items."""
        return len(self.correct)

    @property
    def value(self) -> float:
        """Share of correct items, or the mean of such shares over groups."""
        return mean_of(self.correct.astype(float), self.groups)

    def interval(self) -> tuple[float, float]:
        """95 %: Wilson's for shares, a bootstrap of the items within each group for means of shares."""
        if self.groups is None:
            return wilson(int(self.correct.sum()), self.n)
        return resampled(self.correct.astype(float), self.groups)


def mean_of(values: Floats, groups: Ints | None) -> float:
    """Mean, or mean of the means of groups."""
    if groups is None:
        return float(values.mean())
    codes = np.unique(groups, return_inverse=True)[1]
    return float((np.bincount(codes, values) / np.bincount(codes)).mean())


def resampled(values: Floats, groups: Ints | None, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of `mean_of`, items drawn again within each group."""
    if groups is None:
        return bootstrap_mean(values, np.arange(len(values)), draws=DRAWS, seed=seed)
    rng, parts = np.random.default_rng(seed), [values[groups == group] for group in np.unique(groups)]
    means = np.mean([part[rng.integers(len(part), size=(DRAWS, len(part)))].mean(axis=1) for part in parts], axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Found:
    """One file or folder of a benchmark."""

    path: Path
    what: str
    there: bool
    needed: bool = True


class Benchmark(Protocol):
    """One benchmark."""

    name: str
    title: str
    published: str
    """Where it can be had."""
    licence: str

    def layout(self, folder: Path) -> list[Found]:
        """The files that a folder in the published layout holds, and whether they are there. Opens none."""

    def read(self, folder: Path) -> Data:
        """Read the files.

        Raises:
            FileError: a file is missing, truncated, or of another benchmark.
        """

    def score(self, items: Any, pictures: Floats, captions: Floats) -> list[Score]:
        """Scores from unit rows of the distinct pictures and captions."""


class Distinct:
    """Numbers for things as they are first met."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, thing: str) -> int:
        """The number of a thing."""
        return self.numbers.setdefault(thing, len(self.numbers))

    def all(self) -> tuple[str, ...]:
        """Everything that was met, by number."""
        return tuple(self.numbers)


def read_published(path: Path, check: Callable[[Any], str | None]) -> Any:
    """The content of a published JSON file.

    Args:
        path: the file.
        check: what is wrong with the content, in words, or None.

    Raises:
        FileError: it is missing or truncated.
        MismatchError: it is a file of another benchmark.
    """
    content = read_json(path, "it seems to be truncated; get it again from where it is published")
    wrong = check(content)
    if wrong is not None:
        raise MismatchError(f"{path} is not the file it should be: {wrong}")
    return content


def lacks(entry: Any, fields: Sequence[str], kinds: Mapping[str, type] | None = None) -> str | None:
    """What is wrong with one entry of a published file: fields that it lacks, or of another type."""
    if not isinstance(entry, dict):
        return f"expected entries with {', '.join(fields)}; got {type(entry).__name__}"
    missing = [name for name in fields if name not in entry]
    if missing:
        return f"expected entries with {', '.join(fields)}; an entry has only {', '.join(map(str, entry)) or 'nothing'}"
    for name, kind in (kinds or {}).items():
        if not isinstance(entry[name], kind):
            return f"'{name}' must be {'a list' if kind is list else 'text'}; an entry has {entry[name]!r:.60}"
    return None


def picture_folder(folder: Path, first: str, places: Sequence[str]) -> Path:
    """The subfolder that holds a picture; the first place where it is in none."""
    for place in places:
        if (folder / place / first).is_file():
            return folder / place
    return folder / places[0]


def without_missing(data: Data, keep: Callable[[Any, Ints], tuple[Any, int]], allow: bool) -> Data:
    """Refuse data whose pictures are not all there, or leave the items out that need them.

    Args:
        data: as read.
        keep: from items and the new number of each picture, -1 for those that are missing, to the items that are left, and how many were
            left out.
        allow: leave items out instead of refusing.

    Raises:
        FileError: pictures are missing; the first are named, all are counted.
        ValueRangeError: none is left.
    """
    there = np.array([(data.folder / name).is_file() for name in data.pictures])
    if there.all():
        return data
    missing = [name for name, found in zip(data.pictures, there.tolist(), strict=True) if not found]
    named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    count = f"{len(missing):,} of {len(data.pictures):,} pictures are not in {data.folder}: {named}"
    if not allow:
        raise FileError(f"{count}; put them there, or add --allow-missing to leave out the items that need them")
    if not there.any():
        raise ValueRangeError(f"{count}; nothing is left to score")
    items, dropped = keep(data.items, np.where(there, np.cumsum(there) - 1, -1))
    left = np.flatnonzero(there).tolist()
    return replace(
        data, pictures=tuple(data.pictures[i] for i in left), items=items, notes=(*data.notes, f"{count}; {dropped:,} items were left out."),
        boxes=None if data.boxes is None else tuple(data.boxes[i] for i in left),
    )  # fmt: skip
