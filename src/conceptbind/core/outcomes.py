"""What became of every item behind a number, kept beside it, so that two runs can be compared item
by item: the scenes of `measure`, the items of `evaluate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MismatchError
from conceptbind.core.kept import Piece, read_piece, write_piece
from conceptbind.metrics.intervals import Interval, difference_interval, share_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped
    from numpy.typing import NDArray

    from conceptbind.core.records import Records
    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.metrics.recognitions import Recognition

FILE = "outcomes.safetensors"
ARRAYS = ("right", "tied", "rows", "groups", "clusters")
OLD = {"right": "correct"}
"""What an array was called when only `evaluate` kept outcomes."""
AGAIN = "run the command that wrote that folder again"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of the n items of one number."""

    about: Mapping[str, str]
    """Which number: columns of its record, such as study, metric and modality."""
    right: Num[Floats, " items"] | Bool[Bools, " items"]
    """(n,) 1 for a hit and 0 for a miss; between them where an item has several comparisons."""
    tied: Bool[Bools, " items"]
    """(n,) misses by a tie."""
    rows: Int[Ints, " items"] | None = None
    """(n,) which item each is, such as the row of a scene in its table; None where all items of a
    benchmark stand in their order."""
    groups: Int[Ints, " items"] | None = None
    """(n,) for a macro score, which averages the means of groups."""
    clusters: Int[Ints, " items"] | None = None
    """(n,) items that are one draw, such as the orders of a scene; None where each is its own."""

    @property
    def n(self) -> int:
        """Items."""
        return len(self.right)

    @property
    def value(self) -> float:
        """Share of hits, or the mean of such shares over groups."""
        return mean_of(self.right.astype(float), self.groups)

    def interval(self) -> Interval:
        """95 %, see `metrics.share_interval`; None where all items are one draw."""
        return share_interval(self.right.astype(float), self.clusters, self.groups)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The outcomes of one run on one list of items."""

    items: str
    """Hash of the list: of a scene table and its pictures, or of a benchmark's items. Outcomes of
    one hash are about the same questions."""
    found: tuple[Outcome, ...]

    def about(self, **asked: str) -> Outcome | None:
        """The first outcome that is about what is asked for; None where there is none."""
        return next((o for o in self.found if asked.items() <= o.about.items()), None)


@dataclass(frozen=True)
class Paired:
    """After minus before on the same items."""

    change: float
    interval: Interval
    """95 %, see `metrics.difference_interval`: what is one draw for the score's own interval is one
    here."""
    fixed: int
    """Items that were missed before and are right now."""
    broken: int
    """Items that were right before and are missed now."""
    mcnemar: float | None
    """Exact p of as many changes to one side, counted by draws where these have several items; None
    for means over groups."""
    n: int
    """Items that both scored."""


def mean_of(values: Float[Floats, " items"], groups: Int[Ints, " items"] | None) -> float:
    """Mean, or mean of the means of groups."""
    if groups is None:
        return float(values.mean())
    codes = np.unique(groups, return_inverse=True)[1]
    return float((np.bincount(codes, values) / np.bincount(codes)).mean())


def recognition_outcome(
    found: Recognition,
    rows: Int[Ints, " scenes"],
    clusters: Int[Ints, " scenes"],
    **about: str,
) -> Outcome:
    """A recognition as an outcome of the scenes that were scored.

    Args:
        found: of n scenes.
        rows: (n,) rows of these scenes in their table.
        clusters: (n,) which of them are one draw.
        **about: which number it stands behind.
    """
    there = found.scored
    return Outcome(
        about, found.correct[there], found.tied[there], rows[there], clusters=clusters[there]
    )


def paired(before: Outcome, after: Outcome) -> Paired:
    """The paired difference of two outcomes, on the items that both scored.

    Args:
        before: outcomes of n items.
        after: outcomes of items of the same list: of the same ones in the same order where `rows`
            is None.

    Raises:
        MismatchError: they share no item, or are about lists of different lengths.
    """
    first, second = _shared(before, after)
    change = after.right[second].astype(float) - before.right[first].astype(float)
    groups = None if before.groups is None else before.groups[first]
    clusters = None if before.clusters is None else before.clusters[first]
    fixed, broken = int((change > 0).sum()), int((change < 0).sum())
    p = sign_test(change, clusters) if groups is None else None
    interval = difference_interval(change, clusters, groups)
    return Paired(mean_of(change, groups), interval, fixed, broken, p, len(change))


def sign_test(change: Float[Floats, " items"], clusters: Int[Ints, " items"] | None) -> float:
    """Exact p of as many changes to one side (McNemar's test): of draws whose changes add up to
    more than 0, against those with less.

    Args:
        change: (n,) of each item, 0 where nothing changed.
        clusters: (n,) items that are one draw; None where each is its own.
    """
    from scipy.stats import binomtest

    draws = (
        np.arange(len(change)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    )
    moved = np.bincount(draws, change)
    up, down = int((moved > 0).sum()), int((moved < 0).sum())
    return float(binomtest(up, up + down).pvalue) if up + down else 1.0


def _shared(before: Outcome, after: Outcome) -> tuple[Ints, Ints]:
    """Places of the items that two outcomes share. Of an item that stands in both several times,
    the first is taken, unless both lists are the same.
    """
    one, other = before.rows, after.rows
    if one is None or other is None or np.array_equal(one, other):
        if before.n != after.n:
            raise MismatchError(
                f"outcomes of {before.n:,} and of {after.n:,} items cannot be paired; compare runs "
                "on the same items"
            )
        places = np.arange(before.n)
        return places, places
    _, first, second = np.intersect1d(one, other, return_indices=True)
    if not len(first):
        raise MismatchError("the two runs scored no item that is the same; use one seed for both")
    return first, second


def save_outcomes(folder: Path, found: Sequence[Outcome], items: str) -> None:
    """Write outcomes as one file of a folder.

    Args:
        folder: of a run, or of one benchmark in it.
        found: the outcomes.
        items: hash of the list of items.
    """
    arrays = arrays_of(found)
    facts = {"items": items, "outcomes": [dict(outcome.about) for outcome in found]}
    write_piece(folder / FILE, arrays, facts)


def load_outcomes(folder: Path) -> Outcomes:
    """What `save_outcomes` wrote, in this version or an earlier one.

    Args:
        folder: of a run, or of one benchmark in it.

    Raises:
        FileError: there is none, or it is broken.
    """
    path = folder / FILE
    piece = read_piece(path, AGAIN)
    try:
        if "scores" in piece.facts:
            return Outcomes(str(piece.facts["items"]), _of_earlier(piece))
        told = enumerate(piece.facts["outcomes"])
        found = tuple(outcome_of(piece, number, about) for number, about in told)
        return Outcomes(str(piece.facts["items"]), found)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a file of outcomes ({error}); {AGAIN}") from error


def _of_earlier(piece: Piece) -> tuple[Outcome, ...]:
    """Outcomes of benchmarks as earlier versions kept them: numbered by what was done to captions,
    with `correct` in place of `right`.
    """
    found: list[Outcome] = []
    numbers: dict[str, int] = {}
    for facts in piece.facts["scores"]:
        repair = facts["repair"]
        number = numbers[repair] = numbers.get(repair, -1) + 1
        found.append(outcome_of(piece, f"{repair}.{number}", facts))
    return tuple(found)


def arrays_of(found: Iterable[Outcome]) -> dict[str, Shaped[NDArray[Any], " _"]]:
    """The arrays of some outcomes, as a piece holds them; `outcome_of` reads them.

    Args:
        found: the outcomes.
    """
    arrays: dict[str, Any] = {}
    for number, outcome in enumerate(found):
        for name in ARRAYS:
            values = getattr(outcome, name)
            if values is not None:
                arrays[f"{number}.{name}"] = values
    return arrays


def outcome_of(piece: Piece, key: int | str, about: Mapping[str, Any]) -> Outcome:
    """One outcome of a piece.

    Args:
        piece: with what `arrays_of` gave.
        key: its number among them.
        about: what it is about.

    Raises:
        KeyError: it is not there.
        ValueError: its arrays have different lengths.
    """
    arrays = {}
    for name in ARRAYS:
        old = f"{key}.{OLD.get(name, name)}"
        arrays[name] = piece.arrays.get(f"{key}.{name}", piece.arrays.get(old))
    right, tied, *others = (arrays[name] for name in ARRAYS)
    if right is None or tied is None:
        raise KeyError(f"{key}")
    n = len(right)
    if any(values is not None and values.shape != (n,) for values in (right, tied, *others)):
        raise ValueError(f"{key} has arrays of different lengths")
    return Outcome({str(k): str(v) for k, v in about.items()}, right, tied, *others)


def outcomes_of(run: Path, records: Records | None = None) -> dict[str, Outcomes]:
    """All outcomes that a run kept: of `evaluate` by benchmark, those of `measure` under an empty
    name. None where a run kept none.

    Args:
        run: a run folder.
        records: its results. Of benchmarks that they do not have, or have of other items, nothing
            is given: a run that was made again may have left them out.

    Raises:
        FileError: a file of outcomes is broken.
    """
    places = {"": run} if (run / FILE).is_file() else {}
    for file in sorted((run / "embeddings").glob(f"*/{FILE}")):
        places[file.parent.name] = file.parent
    found = {name: load_outcomes(place) for name, place in places.items()}
    if records is None:
        return found
    return {name: kept for name, kept in found.items() if not name or _is_of(kept, name, records)}


def _is_of(kept: Outcomes, name: str, records: Records) -> bool:
    """Whether outcomes are behind the results of a run."""
    mine = records.where(study="benchmark", scenes=name)
    lists = {str(items) for items in mine.distinct("items") if items is not None}
    return bool(mine) and (not lists or kept.items in lists)
