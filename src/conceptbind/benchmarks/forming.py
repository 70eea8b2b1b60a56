"""Items of a described benchmark: numbers of pictures and captions, from the entries of its
files.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import isnan
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import Distinct
from conceptbind.benchmarks.blind import SPACED
from conceptbind.benchmarks.containers import entries_of, literal
from conceptbind.benchmarks.draws import linked_items
from conceptbind.benchmarks.fields import ABSENT, LIST, Entry
from conceptbind.benchmarks.grouping import numbered_items, require_same
from conceptbind.benchmarks.in_common import shared_captions, told_shared
from conceptbind.benchmarks.texts import (
    ALL,
    COUNTED,
    alike,
    degenerate,
    hopeless_triplet,
    said_alike,
)
from conceptbind.core.errors import FileError, MismatchError, counted
from conceptbind.core.text import require_characters

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.benchmarks.description import Task
    from conceptbind.benchmarks.shown import Box, Pictures
    from conceptbind.core.typing import Ints

NONE = -1
"""The number of no picture and no caption."""
MOST_TOLD = 12
"""Subsets of which a note tells one by one."""
FARTHEST = 1_000_000
MOST_PIXELS = 89_478_485
"""Where a box may begin and how large it may be, which is as large as a picture may be (Pillow's
bound)."""
_MARK = re.compile(r"\s*([.,!?;:])")


@dataclass(frozen=True)
class Part:
    """One data set of a task."""

    name: str
    paths: tuple[Path, ...]
    places: tuple[str, ...] = ()
    """Where its pictures may lie, before the places of the task."""


@dataclass
class Formed:
    """The items of a task as they are gathered."""

    rows: list[list[int]] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    subsets: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)
    """Numbers of what an item may share with others, which are one draw with it then."""
    pictures: list[int] = field(default_factory=list)
    """The picture of triplets, or `NONE`."""
    said: list[str] = field(default_factory=list)
    """The captions of retrieval."""
    same_words: list[bool] = field(default_factory=list)
    """Whether the first two captions hold the same words."""
    hopeless: list[bool] = field(default_factory=list)
    """Whether a wrong candidate is a right one too."""

    def arrays(self) -> dict[str, Any]:
        """With one row per item; shorter ones are filled up with `NONE`."""
        width = max(map(len, self.rows), default=0)
        table = np.full((len(self.rows), width), NONE, dtype=np.int64)
        for place, row in enumerate(self.rows):
            table[place, : len(row)] = row
        found: dict[str, Any] = {
            "rows": table,
            "subsets": np.array(self.subsets, dtype=str),
            "draws": np.unique(linked_items(self.members), return_inverse=True)[1],
            "hopeless": np.array(self.hopeless, dtype=bool),
        }
        for name in ("right", "details", "pictures", "same_words"):
            values = getattr(self, name)
            if values:
                found[name] = np.array(values)
        if self.said:
            found["said"] = said_alike(self.said)
        return found


@dataclass(frozen=True)
class _Item:
    """What an entry holds."""

    entry: Entry
    texts: list[str]
    shown: list[int]
    """Numbers of its pictures."""
    names: list[str]
    """Their names."""


class Former:
    """Makes the items of one task.

    Args:
        task: how an item is formed.
        pictures: numbers of pictures.
        captions: numbers of captions.
        shown: whether pictures are compared with captions.
    """

    def __init__(
        self, task: Task, pictures: Pictures, captions: Distinct, shown: bool = True
    ) -> None:
        self.seen = shown
        self.task, self.pictures, self.captions = task, pictures, captions
        self.shared = Distinct()
        self.left_out: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.row = -1
        self.empty = 0
        self.parse: Mapping[str, Callable[[str, str], Any]] = dict.fromkeys(task.literals, literal)
        self.formed = Formed()
        self.owners: dict[int, str] = {}

    def items(self, parts: Sequence[Part]) -> dict[str, Any]:
        """Arrays with one row per item; see `scoring`.

        Raises:
            MismatchError: an entry is not as the description says.
            FileError: there is no item.
        """
        for part in parts:
            for entry in self._entries(part):
                self._add(entry, part)
        if not self.formed.rows:
            named = ", ".join(part.paths[0].name for part in parts[:4])
            raise FileError(f"{named}: no item is left to score")
        self._require_families(parts[0].paths[0])
        require_characters(list(self.captions.all()), f"{parts[0].paths[0]}: caption")
        return self.formed.arrays()

    def _require_families(self, path: Path) -> None:
        """Raise where a family has no subset, unless that may be in a file that is not there."""
        names, families = dict.fromkeys(self.formed.subsets), self.task.families
        empty = [one for one in families.values() if not _fitting(names, one)]
        # of parts and indexes some may not be there
        if empty and (self.task.subset or len(empty) == len(families)):
            raise MismatchError(
                f"{path}: no subset fits a family ({', '.join(empty):.200}); the subsets are "
                f"{', '.join(names):.200}"
            )

    def notes(self) -> list[str]:
        """What was left out, and which items no encoder can get right."""
        found = [f"left out: {counted(n, 'item')} {why}." for why, n in self.left_out.items()]
        if self.empty:
            found.append(
                f"in {counted(self.empty, 'item')} a caption is empty; they count, as they stand."
            )
        names = dict.fromkeys(self.formed.subsets)
        if self.task.index is not None:
            within = {name for one in self.task.families.values() for name in _fitting(names, one)}
            outside = [name for name in names if within and name not in within]
            if outside:
                told = ", ".join(outside[:MOST_TOLD])
                found.append(f"of no family, so in none of their means: {told}.")
        if self.task.form == "triplets":
            texts = self.captions.all()
            for name in names:
                pairs = zip(self.formed.rows, self.formed.subsets, strict=True)
                mine = [(texts[a], texts[b], texts[c]) for (a, b, c), of in pairs if of == name]
                found += degenerate(mine, name or ALL)
            return found
        if self.task.form == "retrieval":
            return found + self._notes_of_retrieval(names)
        return [*found, *self._hopeless()]

    def _hopeless(self) -> Iterator[str]:
        """How many items no encoder can get right, of each subset or of many together."""
        pairs = zip(self.formed.subsets, self.formed.hopeless, strict=True)
        hopeless = Counter(name for name, is_so in pairs if is_so)
        sizes = Counter(self.formed.subsets)
        if len(hopeless) > MOST_TOLD:
            hopeless, sizes = Counter({"": hopeless.total()}), Counter({"": sizes.total()})
        for name, n in hopeless.items():
            start = f"{name}: " if name else ""
            yield (
                f"{start}in {n:,} of {sizes[name]:,} items a wrong candidate equals a right one, "
                f"capitals and spaces apart. {COUNTED} Where the encoder sees no difference either "
                "they tie: by `strict` a miss."
            )

    def _notes_of_retrieval(self, names: Iterable[str]) -> list[str]:
        formed = self.formed
        said, owner = said_alike(formed.said), np.array([row[0] for row in formed.rows])
        subsets = np.array(formed.subsets)
        found = []
        for name in names:
            mine = subsets == name
            shared = int(shared_captions(owner[mine], said[mine]).sum())
            if shared:
                found.append(f"{name}: {told_shared(shared, int(mine.sum()))}".removeprefix(": "))
        return found

    def _entries(self, part: Part) -> Iterator[Entry]:
        task = self.task
        hidden: list[str] = []
        if not self.pictures.making.unpack:
            plain = [one.removesuffix(LIST) for one in task.pictures if "{" not in one]
            hidden = [name for one in plain for name in one.split("|")]
        group = 1 if task.numbered else task.group
        found = entries_of(
            part.paths, without=hidden, nested=task.nested, by_id=task.by_id, group=group
        )
        if task.numbered:
            yield from numbered_items(found, task, part.paths[0])
            return
        for number, content in enumerate(found, start=1):
            yield Entry(content, f"{part.paths[0]}, item {number}")

    def _add(self, entry: Entry, part: Part) -> None:
        """One item, unless it is to be left out."""
        task = self.task
        self.row += 1
        self._require_own_id(entry, part)
        require_same(entry, task)
        for name, least in task.keep.items():
            if not (number := entry.number(name)) >= least:
                why = "is no number (NaN)" if isnan(number) else f"is below {least:g}"
                self.left_out[f"whose {name} {why}"] += 1
                return
        plain = entry.texts(task.captions, self.parse)
        self.empty += not all(text.strip() for text in plain)
        texts = [task.prompt.replace("{}", text) for text in plain]
        names = self._names(entry, part)
        box = self._box(entry, names[0]) if names else None
        shown = [self.pictures.number(name, box) for name in names] if self.seen else []
        getattr(self, f"_{task.form}")(_Item(entry, texts, shown, names))
        added = len(self.formed.rows) - len(self.formed.subsets)
        subset = self._subset(entry, part)
        self.formed.subsets += [subset] * added
        if task.detail:
            self.formed.details += [entry.text(task.detail)] * added

    def _require_own_id(self, entry: Entry, part: Part) -> None:
        found = entry.at(self.task.id) if self.task.id else None
        if found is None or found is ABSENT:
            return
        if str(found) in self.ids:
            raise MismatchError(
                f"{part.paths[0]} has the id {found!s:.100} twice; every item must have one of its "
                "own"
            )
        self.ids.add(str(found))

    def _subset(self, entry: Entry, part: Part) -> str:
        if not self.task.subset:
            return part.name
        found = entry.text(self.task.subset)
        if not self.task.starts:
            return found
        fitting = [start for start in self.task.starts if found.startswith(start)]
        return self.task.starts[max(fitting, key=len)] if fitting else "other"

    def _box(self, entry: Entry, picture: str) -> Box | None:
        if not self.task.box:
            return None
        given = [entry.value(name) for name in self.task.box]
        sides = [side for side in map(_pixels, given) if side is not None]
        if len(sides) != len(given):
            raise MismatchError(
                f"{entry.where}: the box of {picture:.80} is not four numbers of pixels of at most "
                f"{FARTHEST:,}: {given!r:.120}"
            )
        left, top, width, height = sides
        if min(width, height) < 1 or width * height > MOST_PIXELS:
            raise MismatchError(
                f"{entry.where}: the box of {picture:.80} has {width:,} x {height:,} pixels; "
                f"expected 1 to {MOST_PIXELS:,} pixels"
            )
        return left, top, width, height

    def _names(self, entry: Entry, part: Part) -> list[str]:
        """Names of an item's pictures."""
        task, pictures = self.task, self.pictures
        if not self.seen:
            return [entry.text(name) for name in task.pictures]
        wanted = [place.replace("{@part}", part.name) for place in (*part.places, *task.places)]
        places = [entry.text(place) if "{" in place else place for place in wanted]
        names: list[str] = []
        for name in task.pictures:
            if self._lacks(entry, name, part):
                names.append(pictures.absent(f"{part.paths[0].name}/{entry.text('key')}"))
                continue
            several = self._values(entry, name)
            names += [self._name(entry, name, one, places) for one in several]
        return names

    def _lacks(self, entry: Entry, name: str, part: Part) -> bool:
        """Whether a sample of a webdataset came without its picture."""
        if part.paths[0].suffix.lower() != ".tar" or "{" in name:
            return False
        return all(entry.at(one) is ABSENT for one in name.removesuffix(LIST).split("|"))

    def _values(self, entry: Entry, name: str) -> list[Any]:
        """What a picture's field holds; nothing where pictures inside a file are not read."""
        if "{" in name:
            return [entry.text(name)]
        try:
            return entry.values(name)
        except MismatchError:
            if self.pictures.making.unpack:
                raise
            return [{"bytes": b""}]

    def _name(self, entry: Entry, name: str, value: Any, places: Sequence[str]) -> str:
        field = name.removesuffix(LIST).split("|", maxsplit=1)[0].replace("/", "-")
        data = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(data, bytes):
            if not data and self.pictures.making.unpack:
                raise FileError(
                    f"{entry.where}: '{field}' holds no picture; get the file whose pictures are "
                    "inside"
                )
            number = self.row if self.task.by_row else None
            return self.pictures.stored(data, field, self.task.npy, number)
        path = value.get("path") if isinstance(value, dict) else value
        if isinstance(path, bool) or not isinstance(path, str | int):
            raise MismatchError(
                f"{entry.where}: '{field:.60}' must be the name of a picture; it is {value!r:.60}"
            )
        called = str(path).rsplit("/", 1)[-1] if self.task.last_part else str(path)
        if not PurePath(called.strip()).name:  # a picture that is missing, named by its row
            row = PurePath(entry.where).name
            return self.pictures.absent(f"{row} (its '{field:.60}' is empty)")
        return self.pictures.named(called, places, self.task.endings, self.task.npy)

    # --- one method for each form

    def _keep(self, row: Sequence[int], shared: Sequence[str], hopeless: bool) -> None:
        self.formed.rows.append(list(row))
        self.formed.members.append(list(map(self.shared, shared)))
        self.formed.hopeless.append(hopeless)

    def _two_by_two(self, item: _Item) -> None:
        _require(item.entry, item.shown, 2, "pictures")
        _require(item.entry, item.texts, 2, "captions")
        hopeless = alike(*item.texts) or item.shown[0] == item.shown[1]
        self._keep([*item.shown, *map(self.captions, item.texts)], item.names, hopeless)

    def _captions(self, item: _Item) -> None:
        _require(item.entry, item.shown, 1, "picture")
        true = range(self.task.positives)
        if len(item.texts) < self.task.positives + 1:
            raise MismatchError(
                f"{item.entry.where}: expected at least {self.task.positives + 1} captions; it has "
                f"{len(item.texts)}"
            )
        if self.task.right:
            true = range(right := self._right(item.entry, item.texts), right + 1)
        self.formed.right.append(true.start)
        if "same words" in {*self.task.strict, *(rule.of for rule in self.task.scores)}:
            self.formed.same_words.append(_words(item.texts[0]) == _words(item.texts[1]))
        wrong = [text for place, text in enumerate(item.texts) if place not in true]
        hopeless = any(alike(item.texts[place], text) for place in true for text in wrong)
        self._keep([*item.shown, *map(self.captions, item.texts)], item.names, hopeless)

    def _pictures(self, item: _Item) -> None:
        _require(item.entry, item.texts, 1, "caption")
        if len(item.shown) < 2:
            raise MismatchError(
                f"{item.entry.where}: expected several pictures; it has {len(item.shown)}"
            )
        right = self._right(item.entry, item.names) if self.task.right else 0
        self.formed.right.append(right)
        hopeless = item.shown.count(item.shown[right]) > 1
        self._keep([self.captions(item.texts[0]), *item.shown], item.names, hopeless)

    def _triplets(self, item: _Item) -> None:
        _require(item.entry, item.texts, 3, "texts")
        self.formed.pictures.append(item.shown[0] if item.shown else NONE)
        caption, paraphrase, _ = item.texts
        hopeless = hopeless_triplet(*item.texts)
        # a wrong caption is a candidate, as those of one picture and several captions are
        shared = item.names or [caption, paraphrase]
        self._keep([*map(self.captions, item.texts)], shared, hopeless)

    def _swaps(self, item: _Item) -> None:
        if len(item.texts) < 2:
            raise MismatchError(
                f"{item.entry.where}: expected a caption and its swaps; it has no swap"
            )
        caption, *swaps = item.texts
        for swap in swaps:
            rows = [self.captions(text) for text in (caption, spelled_like(caption, swap), swap)]
            self._keep(rows, (caption, swap), alike(caption, swap))

    def _queries(self, item: _Item) -> None:
        _require(item.entry, item.texts, 4, "texts: two queries and two documents")
        hopeless = alike(item.texts[0], item.texts[1]) or alike(item.texts[2], item.texts[3])
        self._keep([*map(self.captions, item.texts)], item.texts, hopeless)

    def _retrieval(self, item: _Item) -> None:
        _require(item.entry, item.shown, 1, "picture")
        for text in item.texts:
            self.formed.said.append(text)
            self._keep([item.shown[0], self.captions(text)], item.names, False)

    def _right(self, entry: Entry, candidates: Sequence[Any]) -> int:
        right = entry.whole(self.task.right)
        if not 0 <= right < len(candidates):
            raise MismatchError(
                f"{entry.where}: the right one of {len(candidates)} candidates must lie in "
                f"0..{len(candidates) - 1}; '{self.task.right:.60}' is {right}"
            )
        return right


def _require(entry: Entry, found: Sequence[Any], n: int, what: str) -> None:
    if len(found) != n:
        raise MismatchError(f"{entry.where}: expected {n} {what}; it has {len(found)}")


def _pixels(value: Any) -> int | None:
    """A number of a box, which a table holds as text, in whole pixels; None where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if abs(number) <= FARTHEST and not isinstance(value, bool) else None


def _words(caption: str) -> list[str]:
    """The words of a caption in alphabetical order, without case and marks."""
    return sorted(caption.lower().translate(str.maketrans("", "", string.punctuation)).split())


def spelled_like(caption: str, other: str) -> str:
    """A caption with spaces before its marks, a final mark and a small first letter where another
    text has these.
    """
    found = caption.strip()
    if other[:1].islower() and not found[:2].isupper():
        found = found[:1].lower() + found[1:]
    ends = other.rstrip()[-1:]
    if ends in ".!?" and found[-1:] not in ".!?":
        found += ends
    elif ends not in ".!?":
        found = found.rstrip(" .!?")
    return _MARK.sub(r" \1", found) if SPACED.search(other) else found


def _fitting(names: Iterable[str], pattern: str) -> list[str]:
    return [name for name in names if fits(name, pattern)]


def fits(name: str, pattern: str) -> bool:
    """Whether a subset belongs to a family."""
    return fnmatchcase(name, pattern)


def kept_items(
    items: Mapping[str, Any], form: str, number: Int[Ints, " pictures"]
) -> tuple[dict[str, Any], int]:
    """The items whose pictures are there, with their new numbers, and how many were left out.

    Args:
        items: arrays of one task.
        form: of the task.
        number: of each picture its new number, `NONE` for one that is missing.
    """
    columns = {"two_by_two": slice(0, 2), "captions": slice(0, 1), "retrieval": slice(0, 1)}
    if form == "triplets":
        shown = items["pictures"]
        renumbered = np.where(shown == NONE, NONE, number[shown])
        lost = int(((renumbered == NONE) & (shown != NONE)).sum())
        return {**items, "pictures": renumbered}, lost
    where = columns.get(form, slice(1, None))
    old = items["rows"][:, where]
    new = np.where(old == NONE, NONE, number[old])
    kept = ((new != NONE) | (old == NONE)).all(axis=1)
    left = {name: values[kept] for name, values in items.items()}
    left["rows"] = left["rows"].copy()
    left["rows"][:, where] = new[kept]
    return left, int((~kept).sum())
