"""What every benchmark is: items over distinct pictures and captions, read from a published folder
and scored item by item.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from conceptbind.core.errors import (
    FileError,
    MismatchError,
    UnsafeFileError,
    ValueRangeError,
    counted,
)
from conceptbind.core.files import content_hash
from conceptbind.core.names import Repair
from conceptbind.core.outcomes import Outcome
from conceptbind.core.text import read_json_values
from conceptbind.metrics.choices import forced_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.metrics.intervals import Interval

BLOCK = 4096
"""Items scored at once."""
Items = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Data:
    """A benchmark's items, with every distinct picture and caption once, however often items name
    it.
    """

    pictures: tuple[str, ...]
    """File names, relative to `folder`."""
    folder: Path
    captions: tuple[str, ...]
    items: Items
    """What the benchmark's `score` reads: arrays with one row per item, most of them `rows` of
    picture and caption numbers."""
    notes: tuple[str, ...] = ()
    """What was left out, with the reason."""
    boxes: tuple[tuple[int, int, int, int], ...] | None = None
    """What is seen of each picture: left, top, width, height; None for whole pictures. A picture
    with two boxes stands there twice."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was made for the items, such as the hash of drawn negatives; every record says it."""
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Where pictures lie that are not in `folder`, since they were written from other files."""
    besides: frozenset[str] = frozenset()
    """Items that runs on the same questions may lack, such as `pictures` where others ask about
    captions alone."""
    hashed: Mapping[str, str] = field(default_factory=dict)
    """What the hash calls items, where it is not their name."""

    def path(self, picture: str) -> Path:
        """Where a picture lies."""
        return self.elsewhere.get(picture, self.folder / picture)

    @property
    def hash(self) -> str:
        """Of pictures' names, captions and items: runs with one hash answered the same
        questions.
        """
        named = {
            self.hashed.get(name, name): np.ascontiguousarray(values).tobytes()
            for name, values in self.items.items()
            if name not in self.besides
        }
        items = [part for name in sorted(named) for part in (name, named[name])]
        pictures = () if "pictures" in self.besides else self.pictures
        return content_hash(*pictures, repr(self.boxes), *self.captions, *items)


@dataclass(frozen=True, eq=False)
class Score:
    """One number of a benchmark, as outcomes of its items, so that two runs can be compared item by
    item.
    """

    metric: str
    subset: str
    """Which items: the name of a published subset, of a family, or `all`."""
    protocol: str
    """Whose rule it is: `strict` (ours), `paper`, `mieb`."""
    correct: Bool[Bools, " items"]
    """(n,)"""
    tied: Bool[Bools, " items"]
    """(n,) which a tie decides: misses, unless the rule says otherwise."""
    groups: Int[Ints, " items"] | None = None
    """(n,) for a macro score, which averages the means of groups; None for a micro score."""
    clusters: Int[Ints, " items"] | None = None
    """(n,) items that share a picture, or a text where there is none, which are one draw of the
    interval; None where each item has its own."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    modality: Literal["text", "both"] = "both"
    """What was compared: captions with each other, or with pictures."""
    rows: Int[Ints, " items"] | None = None
    """(n,) which item each is, where other runs may have scored others of the same list."""
    unwinnable: int = 0
    """Items whose wrong candidate equals a right one, capitals and spaces apart; they stay in n.
    Where the encoder sees no difference either they tie, which is a miss by `strict`."""
    ties: str = "miss"
    """What the rule does with a tie; see `description.TIES`."""

    @property
    def n(self) -> int:
        """Items."""
        return self.outcome().n

    @property
    def value(self) -> float:
        """Share of correct items, or the mean of such shares over groups."""
        return self.outcome().value

    def interval(self) -> Interval:
        """95 %; None where all items share one picture."""
        return self.outcome().interval()

    def outcome(self, repair: str = Repair.NONE) -> Outcome:
        """What became of its items, as it is kept. Its n, value and interval are the score's.

        Args:
            repair: what was done to captions.
        """
        named = {"metric": self.metric, "subset": self.subset, "protocol": self.protocol}
        about = {"repair": str(repair), **named, "tie_rule": self.ties}
        items = {"rows": self.rows, "groups": self.groups, "clusters": self.clusters}
        return Outcome(about, self.correct, self.tied, **items)


@dataclass(frozen=True)
class Found:
    """One file or folder of a benchmark."""

    path: Path
    what: str
    there: bool


@dataclass(frozen=True)
class Making:
    """Where a benchmark keeps what it makes from its files: negatives that are drawn, pictures that
    are unpacked.
    """

    folder: Path
    seed: int = 0
    tagger: str = "auto"
    """What tells nouns and adjectives (see `negatives.load_tagger`)."""
    on_item: Callable[[int], None] = lambda _: None
    """Called with the number of items that were made."""
    template: str | None = None
    """Caption of a class in a labelled folder, with {} for its name; chosen where it is None."""
    unreadable: Callable[[Sequence[str]], str | None] = lambda _: None
    """What the encoder says against captions, in words; None where it reads them."""
    pictures: bool = True
    """Whether the encoder embeds pictures; tasks without them are all that is read where not."""
    unpack: bool = True
    """Whether pictures that stand inside other files are written as files of their own."""


@runtime_checkable
class Benchmark(Protocol):
    """One benchmark of pictures and captions; see `texts.TextBenchmark` for captions alone."""

    name: str
    title: str
    published: str
    """Where it can be had."""
    licence: str

    def layout(self, folder: Path) -> list[Found]:
        """The files that a folder in the published layout holds, and whether they are there. Opens
        none.
        """

    def read(self, folder: Path, making: Making) -> Data:
        """Read the files.

        Raises:
            FileError: a file is missing, truncated, or of another benchmark.
        """

    def keep(self, items: Items, number: Int[Ints, " pictures"]) -> tuple[Items, int]:
        """The items whose pictures are there, with the new `number` of each picture (-1 for none),
        and how many were left out.
        """

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Scores from unit rows of the distinct pictures and captions."""


def kept_rows(items: Items, number: Int[Ints, " pictures"], columns: int = 1) -> tuple[Items, int]:
    """`Benchmark.keep` for items whose `rows` begin with numbers of pictures, in so many
    columns.
    """
    kept = (number[items["rows"][:, :columns]] >= 0).all(axis=1)
    left = {name: values[kept] for name, values in items.items()}
    left["rows"][:, :columns] = number[left["rows"][:, :columns]]
    return left, int((~kept).sum())


def caption_choice(
    rows: Int[Ints, "items columns"],
    pictures: Float[Floats, "pictures width"],
    captions: Float[Floats, "captions width"],
) -> tuple[Bool[Bools, " items"], Bool[Bools, " items"]]:
    """Does each picture prefer its caption to the false ones?

    Args:
        rows: (n, 2 + f) numbers of a picture, its caption, and f false captions.
        pictures: (p, d) unit rows.
        captions: (c, d) unit rows.

    Returns:
        correct, tied: (n,) see `metrics.forced_choice`.
    """
    scores = np.empty((len(rows), rows.shape[1] - 1), dtype=np.result_type(pictures, captions))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        scores[start : start + BLOCK] = np.einsum(
            "nd,ncd->nc", pictures[part[:, 0]], captions[part[:, 1:]]
        )
    return forced_choice(scores[:, 0], scores[:, 1:], size=1.0)


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


def read_published(paths: Path | Sequence[Path], check: Callable[[Any], str | None]) -> Any:
    """The content of a published file: JSON, or one JSON object a line; several shards give the
    list of all their items.

    Args:
        paths: the file, or its shards in their order.
        check: what is wrong with the content, in words, or None.

    Raises:
        FileError: it is missing or truncated.
        MismatchError: it is a file of another benchmark, or names one item twice.
        ValueRangeError: a text in it holds half of a surrogate pair.
    """
    paths = [paths] if isinstance(paths, Path) else [*paths]
    advice = "it seems to be truncated; get it again from where it is published"
    parts = [read_json_values(path, advice) for path in paths]
    if len(parts) > 1 and not all(isinstance(part, list) for part in parts):
        raise MismatchError(
            f"{paths[0]} and its other parts are not the files they should be: expected lists of "
            "items"
        )
    content = [item for part in parts for item in part] if len(parts) > 1 else parts[0]
    wrong = check(content)
    if wrong is not None:
        raise MismatchError(f"{paths[0]} is not the file it should be: {wrong}")
    return content


def lacks(
    entry: object, fields: Sequence[str], kinds: Mapping[str, type] | None = None
) -> str | None:
    """What is wrong with one entry of a published file: fields that it lacks, or of another
    type.
    """
    if not isinstance(entry, dict):
        return f"expected entries with {', '.join(fields)}; got {type(entry).__name__}"
    missing = [name for name in fields if name not in entry]
    if missing:
        return (
            f"expected entries with {', '.join(fields)}; an entry has only "
            f"{', '.join(map(str, entry)) or 'nothing'}"
        )
    for name, kind in (kinds or {}).items():
        if not isinstance(entry[name], kind):
            return (
                f"'{name}' must be {'a list' if kind is list else 'text'}; an entry has "
                f"{entry[name]!r:.60}"
            )
    return None


PICTURES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy"))
"""Suffixes of pictures."""


def holds_pictures(folder: Path, depth: int = 2) -> bool:
    """Whether a folder, or one in it, holds a file that is called like a picture."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return False
    if any(Path(entry.name).suffix.lower() in PICTURES and entry.is_file() for entry in entries):
        return True
    return depth > 0 and any(
        entry.is_dir() and holds_pictures(Path(entry.path), depth - 1) for entry in entries
    )


def picture_folder(folder: Path, first: str, places: Sequence[str]) -> Path:
    """The subfolder that holds a picture; the first place where it is in none."""
    for place in places:
        if os.path.isfile(folder / place / first):
            return folder / place
    return folder / places[0]


def without_missing(
    data: Data, keep: Callable[[Items, Int[Ints, " pictures"]], tuple[Items, int]], allow: bool
) -> Data:
    """Refuse data whose pictures are not all there, or leave the items out that need them.

    Args:
        data: as read.
        keep: from items and the new number of each picture, -1 for those that are missing, to the
            items that are left, and how many were left out.
        allow: leave items out instead of refusing.

    Raises:
        UnsafeFileError: a picture's name leads out of the folder.
        FileError: pictures are missing; the first are named, all are counted.
        ValueRangeError: none is left.
    """
    outside = next(
        (
            name
            for name in data.pictures
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts
        ),
        None,
    )
    if outside is not None:
        raise UnsafeFileError(
            f"a picture is called '{outside:.200}', which lies outside {data.folder}; only "
            "pictures below it are read"
        )
    there = np.array([os.path.isfile(data.path(name)) for name in data.pictures])
    if there.all():
        return data
    missing = [name for name, found in zip(data.pictures, there.tolist(), strict=True) if not found]
    first = (f"{name:.80}" or "one without a name" for name in missing[:5])
    named = ", ".join(first) + (", ..." if len(missing) > 5 else "")
    of = f"{len(missing):,} of {len(data.pictures):,} pictures"
    count = f"{of} are not in {data.folder}: {named}"
    if not allow:
        raise FileError(
            f"{count}; put them there, or add --allow-missing to leave out the items that need them"
        )
    if not there.any():
        raise ValueRangeError(f"{count}; nothing is left to score")
    items, dropped = keep(data.items, np.where(there, np.cumsum(there) - 1, -1))
    left = np.flatnonzero(there).tolist()
    if not any(map(len, items.values())):
        raise ValueRangeError(f"{count}; nothing is left to score")
    return replace(
        data,
        pictures=tuple(data.pictures[i] for i in left),
        items=items,
        notes=(*data.notes, f"{count}; {counted(dropped, 'item')} left out for want of them."),
        boxes=None if data.boxes is None else tuple(data.boxes[i] for i in left),
    )
