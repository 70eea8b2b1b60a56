"""A benchmark that is declared rather than written: its description read, its items formed and
scored as any other's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import resources
from itertools import product, takewhile
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.base import Data, Distinct, Found, Items, Making, Score, holds_pictures
from conceptbind.benchmarks.containers import INSIDE
from conceptbind.benchmarks.description import TEXTS, Description, Task, described, read_description
from conceptbind.benchmarks.forming import Former, Part, fits, kept_items
from conceptbind.benchmarks.mistakes import lonely_references, refuse_mistakes, refuse_same_names
from conceptbind.benchmarks.scoring import scores_of_texts, scores_with_pictures
from conceptbind.benchmarks.shards import published_files, require_files
from conceptbind.benchmarks.shown import Pictures
from conceptbind.benchmarks.strangers import of_another_kind
from conceptbind.core.errors import FileError
from conceptbind.core.files import content_hash
from conceptbind.core.limits import load_options, read_options

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.benchmarks.texts import Alike
    from conceptbind.core.typing import Floats, Ints

NOT_PICTURES = "pictures"
"""How the words for folders of pictures begin."""
MOST_INDEXES = 1_000
_WORD = re.compile(r"[^\W_]+")


class Declared:
    """A benchmark by its description.

    Args:
        description: of it.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.name, self.title = description.name, description.title
        self.published, self.licence = description.published, description.licence
        self.tasks = description.tasks
        self.swapped = tuple(name for task in self.tasks for name in task.swapped)

    def layout(self, folder: Path) -> list[Found]:
        """Its files, and the folders of its pictures."""
        found: list[Found] = []
        for task in self.tasks:
            found += _layout(task, folder)
        return list({one.path: one for one in reversed(found)}.values())[::-1]

    def read(self, folder: Path, making: Making) -> Data:
        """All parts that are there, at least one."""
        pictures, captions = Pictures(folder, making, self.name), Distinct()
        items: dict[str, Any] = {}
        notes: list[str] = []
        read = []
        for number, task in enumerate(self.tasks):
            parts, absent = parts_of_task(task, folder)
            if not parts:
                continue
            read.append(task)
            if absent:
                told = ", ".join(absent[:8]) + (", ..." if len(absent) > 8 else "")
                notes.append(f"without {told}, whose files are not there.")
            others = (of_another_kind(folder, task.parts.get(name, ())) for name in absent)
            notes += [f"{told}." for told in others if told is not None]
            shown = task.form not in TEXTS or (making.pictures and _has_pictures(task, folder))
            former = Former(task, pictures, captions, shown)
            items |= {_key(self, number, k): v for k, v in former.items(parts).items()}
            notes += former.notes()
            if task.pictures and not shown:
                why = "lie in the folder" if making.pictures else "are embedded by the encoder"
                notes.append(f"the text-only task alone: no pictures {why}.")
        if not read:
            self._refuse(folder)
        there = list(self._of(items))
        refuse_same_names(there, folder)
        notes += lonely_references(self.description, there)
        return Data(
            pictures.all(),
            pictures.place,
            captions.all(),
            items,
            tuple(dict.fromkeys(notes)),
            boxes=pictures.boxes(),
            elsewhere=pictures.away,
            besides=self._besides(),
            hashed=self._hashed(),
        )

    def _besides(self) -> frozenset[str]:
        """What follows from the rest, or is of no matter to captions alone."""
        found: set[str] = set()
        for number, task in enumerate(self.tasks):
            names = ["hopeless", "said"] if task.right else ["hopeless", "said", "right"]
            names += ["pictures"] if task.form == "triplets" else ["draws"]
            found.update(_key(self, number, name) for name in names if name not in task.hashed)
        return frozenset(found)

    def _hashed(self) -> dict[str, str]:
        """What the hash calls the arrays of its tasks."""
        return {
            _key(self, number, name): _key(self, number, called)
            for number, task in enumerate(self.tasks)
            for name, called in task.hashed.items()
        }

    def is_named(self, file: str) -> bool:
        """Whether a file can be of no other benchmark: by its name, or by a pattern that begins
        with that of the benchmark.

        Args:
            file: its name.
        """
        lists = [files for task in self.tasks for files in (task.files, *task.parts.values())]
        patterns = [PurePath(name).name for files in lists for name in files if "*" in name]
        own = [one for one in patterns if _plain(one).startswith(_plain(self.name))]
        return file in self.named_files() or any(fnmatchcase(file, one) for one in own)

    def named_files(self) -> frozenset[str]:
        """Names of its files, without those that are patterns."""
        indexes = [task.index.files for task in self.tasks if task.index is not None]
        names = [name for name in self.file_names() if "*" not in name]
        return frozenset(PurePath(name).name for name in (*names, *indexes))

    def file_names(self) -> list[str]:
        """Names and patterns of its files, below its folder."""
        lists = [files for task in self.tasks for files in (task.files, *task.parts.values())]
        indexes = [task.index.files for task in self.tasks if task.index is not None]
        return [*(name for files in lists for name in files), *indexes]

    def inside(self, folder: Path) -> bool:
        """Whether its pictures stand inside other files."""
        shown = [task for task in self.tasks if task.form not in TEXTS or task.pictures]
        parts = [part for task in shown for part in parts_of_task(task, folder)[0]]
        return any(part.paths[0].suffix.lower() in INSIDE for part in parts)

    def _refuse(self, folder: Path) -> None:
        task = self.tasks[0]
        if task.files:
            require_files(folder, task.files, self.published)
        names = [names[0] for one in self.tasks for names in one.parts.values()]
        names += [one.index.files for one in self.tasks if one.index is not None]
        named = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        raise FileError(f"{folder} holds none of {self.title}'s files ({named}); {self.published}")

    def _mine(self, items: Items, number: int) -> dict[str, Any]:
        """The arrays of one task."""
        start = _key(self, number, "")
        return {k.removeprefix(start): v for k, v in items.items() if k.startswith(start)}

    def _of(self, items: Items) -> Iterator[tuple[Task, dict[str, Any]]]:
        """The tasks whose items are there."""
        for number, task in enumerate(self.tasks):
            mine = self._mine(items, number)
            if "rows" in mine and len(mine["rows"]):
                yield task, mine


class DeclaredPictures(Declared):
    """One that compares pictures with captions."""

    def keep(self, items: Items, number: Int[Ints, " pictures"]) -> tuple[Items, int]:
        """The items whose pictures are there."""
        left: dict[str, Any] = {}
        lost = 0
        for place, task in enumerate(self.tasks):
            mine = self._mine(items, place)
            if not mine:
                continue
            kept, n = kept_items(mine, task.form, number)
            lost += n
            left |= {_key(self, place, name): values for name, values in kept.items()}
        return left, lost

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """By the rules that its description names."""
        found: list[Score] = []
        for task, mine in self._of(items):
            found += scores_with_pictures(task, mine, pictures, captions)
        return found


class DeclaredTexts(Declared):
    """One that compares captions alone."""

    def score_texts(self, items: Items, alike: Alike) -> list[Score]:
        """By the rules that its description names."""
        found: list[Score] = []
        for task, mine in self._of(items):
            if task.form in TEXTS:
                found += scores_of_texts(task, mine, alike)
        return found


class DeclaredBoth(DeclaredPictures, DeclaredTexts):
    """One that does both."""


def _plain(name: str) -> str:
    """The letters and digits of a name."""
    return "".join(filter(str.isalnum, name)).casefold()


def _key(benchmark: Declared, number: int, name: str) -> str:
    """What an array of a task is called among the items of a benchmark."""
    return name if len(benchmark.tasks) == 1 else f"{number}.{name}"


def benchmark_of(description: Description) -> Any:
    """The benchmark of a description.

    Args:
        description: of it.
    """
    shown = any(task.form not in TEXTS or task.pictures for task in description.tasks)
    said = any(task.form in TEXTS for task in description.tasks)
    if shown and said:
        return DeclaredBoth(description)
    return DeclaredPictures(description) if shown else DeclaredTexts(description)


def published_rule(benchmark: object) -> dict[str, str]:
    """What a description says of the published rule, and a hash of all that it says; nothing of
    benchmarks that are written.

    Args:
        benchmark: any.
    """
    if not isinstance(benchmark, Declared):
        return {}
    told = benchmark.description
    return {"rule": told.rule, "description": content_hash(repr(told))}


def own_benchmark(path: Path) -> Any:
    """The benchmark of a user's own description.

    Args:
        path: of a YAML file.

    Raises:
        FileError, UnknownNameError, MismatchError, ValueRangeError: see `read_description` and
            `refuse_mistakes`.
    """
    return benchmark_of(refuse_mistakes(read_description(path), str(path)))


def catalogue() -> dict[str, Any]:
    """The benchmarks that this package describes, by their names."""
    found = {}
    place = resources.files("conceptbind.benchmarks").joinpath("catalogue")
    for file in sorted(place.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".yaml"):
            told: Mapping[str, Any] = load_options(file.read_text(encoding="utf-8"))
            benchmark = benchmark_of(refuse_mistakes(described(told, file.name), file.name))
            found[benchmark.name] = benchmark
    return found


def parts_of_task(task: Task, folder: Path) -> tuple[list[Part], list[str]]:
    """The data sets of a task that a folder holds, and the names of those that it lacks.

    Args:
        task: with its files.
        folder: of the benchmark.

    Raises:
        FileError, MismatchError: a data set is there in part, or it cannot be told which is meant.
    """
    if task.index is not None:
        return _indexed(task, folder)
    wanted = {"": task.files} if task.files else task.parts
    found, absent = [], []
    for name, files in wanted.items():
        paths, missing = published_files(folder, files)
        if paths and missing:
            require_files(folder, files, "")
        if paths:
            found.append(Part(name, tuple(paths)))
        else:
            absent.append(name)
    return found, absent


def _indexed(task: Task, folder: Path) -> tuple[list[Part], list[str]]:
    """The data sets that small files name."""
    assert task.index is not None
    found, absent = [], []
    for path in sorted(folder.glob(task.index.files))[:MOST_INDEXES]:
        told = read_options(path, "get it again from where it is published")
        file, pictures = (
            _inside(told.get(name)) for name in (task.index.file, task.index.pictures)
        )
        if file is None:
            raise FileError(f"{path} names no file in '{task.index.file}'; get it again")
        place_of = path.relative_to(folder).with_suffix("").as_posix()
        own = place_of.removeprefix(_fixed(task.index.files))
        name = _in_family(task, file.removeprefix("data/").rsplit(".", 1)[0], own)
        if (folder / file).is_file():
            places = () if pictures is None else (pictures,)
            found.append(Part(name, (folder / file,), places))
        else:
            absent.append(name)
    return found, absent


def _fixed(pattern: str) -> str:
    """The folders that a pattern begins with, before the first that is open."""
    parts = PurePosixPath(pattern).parts[:-1]
    return "".join(f"{part}/" for part in takewhile(lambda part: "*" not in part, parts))


def _in_family(task: Task, *names: str) -> str:
    """What a part is called: the first of its names that is of a family, else the first that has a
    family's name among its words.
    """
    patterns = task.families.values()
    for name, pattern in product(names, patterns):
        if fits(name, pattern):
            return name
    for name, (family, pattern) in product(names, task.families.items()):
        words = _WORD.findall(name.casefold())
        if family.casefold() in {*words, *(word.removesuffix("s") for word in words)}:
            return pattern.replace("*", name, 1)
    return names[0]


def _inside(value: object) -> str | None:
    """A path below the folder of a benchmark; None where it is none, or leads out."""
    if not isinstance(value, str) or not value.strip():
        return None
    path = PurePath(value)
    return None if path.is_absolute() or ".." in path.parts else str(path)


def _has_pictures(task: Task, folder: Path) -> bool:
    """Whether a picture lies where those of a task may lie."""
    places = [place for place in task.places if "{" not in place] or ["."]
    return any(holds_pictures(folder / place, 0) for place in places)


def _layout(task: Task, folder: Path) -> list[Found]:
    """The files of a task, and the first place of its pictures."""
    what = "captions" if task.form not in TEXTS else "texts"
    found: list[Found] = []
    inside = False
    if task.index is not None:
        there = any(folder.glob(task.index.files))
        found.append(Found(folder / task.index.files, "names of files", there))
    for name, files in ({"": task.files} if task.files else task.parts).items():
        paths, missing = published_files(folder, files)
        words = f"{what} of {name}" if name else what
        found += [Found(path, words, True) for path in paths]
        found += [Found(paths[0].parent / one, words, False) for one in missing]
        if not paths:
            found.append(Found(folder / files[0], words, False))
        inside = inside or bool(paths and paths[0].suffix.lower() in INSIDE)
    if not inside and task.pictures:
        places = [place for place in task.places if "{" not in place] or ["."]
        there = any(holds_pictures(folder / place) for place in places)
        alone = ", for the picture task only" if task.form in TEXTS else ""
        found.append(Found(folder / places[0], f"{NOT_PICTURES}{alone}", there))
    return found
