"""A benchmark as a description: which files it has, what a field holds, how an item is formed, by
which rules it is scored. It is data that is read, never code that is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any, cast

from conceptbind.core.errors import (
    MismatchError,
    UnknownNameError,
    UnsafeFileError,
    ValueRangeError,
    nearest,
)
from conceptbind.core.limits import read_options
from conceptbind.core.names import Metric

FORMS = {
    "two_by_two": "two pictures and two captions",
    "captions": "one picture and several captions",
    "pictures": "one caption and several pictures",
    "triplets": "a caption, a paraphrase and a caption that says something else",
    "swaps": "a caption and its swap, without pictures",
    "queries": "two queries and two documents, without pictures",
    "retrieval": "pictures among captions, and captions among pictures",
}
"""How an item is formed."""
TEXTS = ("triplets", "swaps", "queries")
"""Forms without pictures."""
METRICS: dict[str, tuple[str, ...]] = {
    "two_by_two": (
        *(Metric.TEXT_SCORE, Metric.IMAGE_SCORE, Metric.GROUP_SCORE, Metric.GROUP_MATCH),
    ),
    "captions": (Metric.ACCURACY,),
    "pictures": (Metric.ACCURACY,),
    "triplets": (
        *(Metric.PARAPHRASE_ACCURACY, Metric.PARAPHRASE_ACCURACY_ONE_SIDED, Metric.ACCURACY),
    ),
    "swaps": (Metric.SWAP_NOTICED,),
    "queries": (Metric.PAIR_ACCURACY,),
    "retrieval": (Metric.RECALL_AT_1, Metric.RECALL_AT_5, Metric.RECALL_AT_10),
}
"""What each form is scored by; accuracy of triplets is that of their pictures."""
TIES = {
    "miss": "a tie is a miss",
    "first": "the first of equals wins",
    "last": "the last of equals wins",
    "hit": "the right one wins a tie",
}
"""What a rule does with a tie."""
ONE_RULE = (
    Metric.PARAPHRASE_ACCURACY,
    Metric.PARAPHRASE_ACCURACY_ONE_SIDED,
    Metric.SWAP_NOTICED,
)
"""Metrics by which a tie is a miss, whatever the rule."""
AVERAGES = ("micro", "macro")
OF = ("each", "details", "all", "families", "same words")
"""Of which items a score is: of each subset, of each detail within a subset, of all, of each
family of subsets, of those whose captions hold the same words in another order."""
HASHED = ("subsets", "draws")
"""Arrays of items that the hash may call otherwise."""
CHANNELS = ("rgb", "bgr")
CONTAINERS = tuple(
    f"{place}*.{kind}"
    for kind in ("parquet", "arrow")
    for place in ("", "data/", "test/", "default/test/")
)
"""Where the files of Hugging Face's data sets lie: as published, as converted, as saved by
`save_to_disk`."""
TABLES = (*CONTAINERS, "*.tar", "data/*.tar")
"""What the name `tables` stands for among the files of a description."""
LONGEST_NAME = 60
ADVICE = "see docs/howto/benchmark.md for what a description holds"


@dataclass(frozen=True)
class Scoring:
    """One rule by which a benchmark is scored."""

    protocol: str
    """Whose rule it is."""
    of: str = "each"
    """See `OF`."""
    average: str = "micro"
    """A mean over items (`micro`), or over the subsets that these items belong to (`macro`)."""
    ties: str = "miss"
    """See `TIES`."""
    metrics: tuple[str, ...] = ()
    """The metrics that it gives; all of the form where there are none."""
    distinct: bool = False
    """Whether items of the same pictures and captions count once."""
    fewest: int = 1
    """Items that a subset must have to count."""
    without: tuple[str, ...] = ()
    """Subsets that do not count."""
    called: str = ""
    """What its items are called in results, where they are not all of them."""


@dataclass(frozen=True)
class Reference:
    """A published number."""

    metric: str
    subset: str
    value: float
    """A share, from 0 to 1."""
    protocol: str = "strict"
    model: str = "CLIP ViT-B/32 (OpenAI)"
    source: str = ""


@dataclass(frozen=True)
class Index:
    """Small YAML files that name the files of items."""

    files: str
    """Pattern."""
    file: str
    """Field that names the file of items."""
    pictures: str = ""
    """Field that names the folder of its pictures."""


@dataclass(frozen=True)
class Task:
    """One question of a benchmark: items of one form, from some files.

    A field is named by its path: `mturk.caption`, `1.POS`, `0` for lists. `a|b` takes the first of
    several that is there, and the text `a?` is empty where there is none. A picture, a subset and a
    place may be a pattern: `{type}/{id}.jpg`.
    """

    form: str
    """See `FORMS`."""
    name: str = ""
    """What it is called, where a benchmark has several tasks of one metric."""
    files: tuple[str, ...] = ()
    """Names or patterns of one data set; the first that is there is read, with all its shards.
    `tables` stands for parquet, arrow and webdataset files in their usual places."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same for each of several parts, by its name; those that are there are read."""
    index: Index | None = None
    """Files that name the parts, in their place."""
    by_id: bool = False
    """Whether the file is one JSON object, of an item by each id."""
    nested: bool = False
    """A JSON object of objects, whose entries become `key`, `inner` and `value`."""
    group: int = 1
    """Rows that make one item together; their fields begin with `0.`, `1.`, ..."""
    numbered: str = ""
    """Field of a row's number, from 1, by which rows are put together; their order in the file by
    default."""
    same: tuple[str, ...] = ()
    """Fields that the rows of one item must share."""
    id: str = ""
    """Field that no two items share; those that lack it are not compared."""
    pictures: tuple[str, ...] = ()
    """Fields of pictures: file names or bytes; one whose name ends in `[]` holds a list."""
    captions: tuple[str, ...] = ()
    """Fields of texts; one whose name ends in `[]` holds a list of them."""
    right: str = ""
    """Field with the number of the right candidate, from 0; the first is right by default."""
    positives: int = 1
    """How many captions, from the first on, are right."""
    box: tuple[str, ...] = ()
    """Fields of left, top, width and height in pixels."""
    places: tuple[str, ...] = ("images", ".")
    """Folders where pictures may lie; fields in braces are filled in."""
    endings: tuple[str, ...] = ("",)
    """What the name of a picture may lack."""
    last_part: bool = False
    """Only the last part of a picture's name counts, as of a URL."""
    npy: str = "rgb"
    """Order of the channels of pictures that are `.npy` files."""
    by_row: bool = False
    """Whether a picture inside a table is called by its row, not by how many came before."""
    literals: tuple[str, ...] = ()
    """Fields whose text is a Python literal, which is parsed and never evaluated."""
    keep: Mapping[str, float] = field(default_factory=dict)
    """Fields that must be at least so much; other items are left out, and counted."""
    subset: str = ""
    """Field of an item's subset; its part by default."""
    starts: Mapping[str, str] = field(default_factory=dict)
    """Subsets by what the field begins with; the longest that fits."""
    detail: str = ""
    """Field of a finer subset."""
    families: Mapping[str, str] = field(default_factory=dict)
    """Pattern of the subsets of each family."""
    prompt: str = "{}"
    """What captions are put into."""
    scores: tuple[Scoring, ...] = ()
    """Rules beside `strict`, of each subset and of all."""
    strict: tuple[str, ...] = ("each", "details", "all")
    """What our own rule is scored of; see `OF`."""
    swapped: tuple[str, ...] = ()
    """Subsets whose wrong captions are swaps (triplets)."""
    hashed: Mapping[str, str] = field(default_factory=dict)
    """What the hash of items calls `subsets` and `draws`, so that results of a version that called
    them otherwise are about the same items."""


@dataclass(frozen=True)
class Description:
    """A benchmark."""

    name: str
    title: str
    published: str
    """Where it can be had."""
    licence: str
    tasks: tuple[Task, ...]
    family: str = "own"
    """What it is about, by which benchmarks stand together on the page."""
    rule: str = ""
    """The published rule in words, with what it does with ties."""
    references: tuple[Reference, ...] = ()


_NESTED: dict[str, type] = {"scores": Scoring, "references": Reference, "tasks": Task}


def read_description(path: Path) -> Description:
    """A benchmark's description from a YAML file.

    Args:
        path: of the file.

    Raises:
        FileError: it is missing, too large, or no YAML of plain values.
        UnknownNameError: a field, form, rule or average is unknown; names the nearest.
        MismatchError, ValueRangeError: a value is of the wrong kind, or one is missing.
    """
    return described(read_options(path, ADVICE), str(path))


def described(told: Mapping[str, Any], where: str) -> Description:
    """A description from plain values.

    Args:
        told: as a YAML file has them; a single task may stand beside the name.
        where: for messages.

    Raises:
        UnknownNameError, MismatchError, ValueRangeError: see `read_description`.
    """
    own = {one.name for one in fields(Description)}
    task = {one.name for one in fields(Task)} - {"name"}
    for name in told:
        if name not in own | task:
            raise UnknownNameError(
                f"{where}: unknown field '{name:.60}'; {nearest(name, own | task)}"
            )
    alone = {name: value for name, value in told.items() if name in task - own}
    if "tasks" in told and alone:
        raise MismatchError(
            f"{where}: {', '.join(alone)} stand beside 'tasks'; move them into one of the tasks"
        )
    head = {name: value for name, value in told.items() if name in own}
    head.setdefault("tasks", [alone])
    found: Description = _made(Description, head, where)
    _check(found, where)
    return replace(found, tasks=tuple(_expanded(one) for one in found.tasks))


def _made(kind: type, told: object, where: str) -> Any:
    """A dataclass of this module from a mapping."""
    if not isinstance(told, Mapping):
        raise MismatchError(f"{where}: expected lines of NAME: VALUE; got {told!r:.60}")
    known = {one.name: one for one in fields(kind)}
    for name in told:
        if name not in known:
            raise UnknownNameError(
                f"{where}: unknown field '{name!s:.60}'; {nearest(str(name), known)}"
            )
    for name, one in known.items():
        needed = one.default is MISSING and one.default_factory is MISSING
        if needed and name not in told:
            raise ValueRangeError(f"{where}: '{name}' is missing; {ADVICE}")
    values = {name: _value(known[name], value, f"{where}, {name}") for name, value in told.items()}
    return kind(**values)


def _value(one: Any, value: object, where: str) -> Any:
    """A value as its field has it."""
    kind = str(one.type)
    if one.name in _NESTED:
        several = value if isinstance(value, list) else [value]
        return tuple(
            _made(_NESTED[one.name], part, f"{where} {n}") for n, part in enumerate(several, 1)
        )
    if kind.startswith("Index"):
        return _made(Index, value, where)
    if kind.startswith("tuple[str"):
        return _texts(value, where)
    if kind.startswith("Mapping"):
        return _mapping(value, where, kind)
    kinds: dict[str, tuple[type, ...]]
    kinds = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
    wanted = kinds[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        words = {"str": "text", "int": "a whole number", "bool": "true or false"}
        raise MismatchError(f"{where}: expected {words.get(kind, 'a number')}; got {value!r:.60}")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str | int) and not isinstance(part, bool) for part in several):
        raise MismatchError(f"{where}: expected text, or a list of texts; got {value!r:.60}")
    return tuple(map(str, several))


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(cast("float", value))


def _mapping(value: object, where: str, kind: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise MismatchError(f"{where}: expected lines of NAME: VALUE; got {value!r:.60}")
    if "float" in kind:
        wrong = next((v for v in value.values() if not _is_number(v)), None)
        if wrong is not None:
            raise MismatchError(f"{where}: expected numbers; got {wrong!r:.60}")
        return {str(name): float(part) for name, part in value.items()}
    if "tuple" in kind:
        return {str(name): _texts(part, f"{where} {name}") for name, part in value.items()}
    wrong = next((v for v in value.values() if not isinstance(v, str)), None)
    if wrong is not None:
        raise MismatchError(f"{where}: expected texts; got {wrong!r:.60}")
    return {str(name): str(part) for name, part in value.items()}


def _one_of(value: str, known: Sequence[str] | Mapping[str, str], where: str, what: str) -> None:
    if value not in known:
        raise UnknownNameError(f"{where}: unknown {what} '{value:.60}'; {nearest(value, known)}")


def _check(found: Description, where: str) -> None:
    """Raise where a description cannot be scored."""
    plain = found.name.replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and len(found.name) <= LONGEST_NAME):
        raise ValueRangeError(
            f"{where}: the name must be of letters, digits and '_', at most {LONGEST_NAME} of "
            f"them; got '{found.name:.80}'"
        )
    for reference in found.references:
        if not 0 <= reference.value <= 1:
            raise ValueRangeError(
                f"{where}: a reference is a share from 0 to 1; got {reference.value:g}"
            )
    if not found.tasks:
        raise ValueRangeError(f"{where}: 'tasks' is empty; {ADVICE}")
    for number, task in enumerate(found.tasks, start=1):
        at = where if len(found.tasks) == 1 else f"{where}, task {number}"
        _check_task(task, at)
        _check_files(task, at)
        _check_scores(task, at)
    _check_names(found.tasks, where)


def _check_task(task: Task, where: str) -> None:
    _one_of(task.form, FORMS, where, "form")
    _one_of(task.npy, CHANNELS, where, "order of channels")
    given = [bool(task.files), bool(task.parts), task.index is not None]
    if sum(given) != 1:
        raise ValueRangeError(f"{where}: give one of files, parts and index; {ADVICE}")
    if task.form in TEXTS and task.pictures:
        if task.form != "triplets":
            raise ValueRangeError(f"{where}: the form {task.form} has no pictures; leave them out")
    elif task.form not in TEXTS and not task.pictures:
        raise ValueRangeError(f"{where}: the form {task.form} needs 'pictures'; {ADVICE}")
    if not task.captions:
        raise ValueRangeError(f"{where}: 'captions' is missing; {ADVICE}")
    if task.prompt.count("{}") != 1:
        raise ValueRangeError(
            f"{where}: the prompt must have {{}} once, where the caption stands; got "
            f"'{task.prompt:.60}'"
        )
    if len(task.box) not in (0, 4):
        raise ValueRangeError(f"{where}: a box has four fields: left, top, width and height")
    if not (1 <= task.group <= 8 and 1 <= task.positives <= 8):
        raise ValueRangeError(f"{where}: group and positives must lie in 1..8")
    if task.group == 1 and (task.numbered or task.same):
        raise ValueRangeError(
            f"{where}: 'numbered' and 'same' are about rows that make one item; give 'group' too"
        )
    for name in task.hashed:
        _one_of(name, HASHED, where, "name in 'hashed'")
    if task.right and task.positives > 1:
        raise ValueRangeError(
            f"{where}: 'right' names one right candidate, and 'positives' makes the first "
            f"{task.positives} right; leave one of them out"
        )


def _check_files(task: Task, where: str) -> None:
    """Raise where a file may lie outside the folder."""
    names = [*task.files, *(name for part in task.parts.values() for name in part)]
    names += [task.index.files] if task.index is not None else []
    for name in names:
        path = PurePath(name)
        if not name.strip() or "\0" in name or path.is_absolute() or ".." in path.parts:
            raise UnsafeFileError(
                f"{where}: files are named below the data folder, without '..'; got {name!r:.200}"
            )


def _check_scores(task: Task, where: str) -> None:
    """Raise where a rule is unknown, scores nothing, or clashes with another of its name."""
    for of in task.strict:
        _one_of(of, OF, where, "value of 'strict'")
    if not {"each", "all"} & {*task.strict}:
        raise ValueRangeError(f"{where}: 'strict' must have 'each' or 'all'; got {[*task.strict]}")
    if task.scores and task.form == "retrieval":
        raise ValueRangeError(
            f"{where}: retrieval is scored by recall at 1, 5 and 10 alone; leave 'scores' out"
        )
    ties = {"strict": "miss"}
    met: set[tuple[str, str, str]] = set()
    for score in task.scores:
        _check_score(score, where)
        for metric in score.metrics:
            _one_of(metric, [*map(str, metrics_of(task))], where, "metric")
        if ties.setdefault(score.protocol, score.ties) != score.ties:
            raise ValueRangeError(
                f"{where}: the rule '{score.protocol:.60}' has ties '{ties[score.protocol]}' and "
                f"'{score.ties}'; give the second a protocol of its own"
            )
        for metric in score.metrics or metrics_of(task):
            if score.ties != "miss" and metric in ONE_RULE:
                raise ValueRangeError(
                    f"{where}: a tie is always a miss of {metric}; leave 'ties: {score.ties}' of "
                    f"the rule '{score.protocol:.60}' out, or give it other metrics"
                )
            named = score.called or score.of
            if (score.protocol, named, metric) in met:
                raise ValueRangeError(
                    f"{where}: the rule '{score.protocol:.60}' scores {metric} of '{named}' "
                    "twice; give the second a protocol of its own"
                )
            met.add((score.protocol, named, metric))
    _check_subsets(task, where)


def _check_score(score: Scoring, where: str) -> None:
    """Raise where a word of one rule is unknown, or its items cannot be chosen so."""
    _one_of(score.of, OF, where, "value of 'of'")
    _one_of(score.average, AVERAGES, where, "average")
    _one_of(score.ties, TIES, where, "rule for ties")
    if score.fewest < 1:
        raise ValueRangeError(f"{where}: 'fewest' must be at least 1; got {score.fewest}")
    if score.called and score.of != "all":
        raise ValueRangeError(
            f"{where}: 'called: {score.called:.60}' is a name for one set of items; give it "
            f"'of: all', not 'of: {score.of}'"
        )


def _check_subsets(task: Task, where: str) -> None:
    """Raise where a rule is of subsets that are not described."""
    of = {score.of for score in task.scores}
    if "details" in of and not task.detail:
        raise ValueRangeError(f"{where}: a score of details needs 'detail'; {ADVICE}")
    if "families" in of | {*task.strict} and not task.families:
        raise ValueRangeError(f"{where}: a score of families needs 'families'; {ADVICE}")
    if not task.parts or task.subset:
        return
    for family, pattern in task.families.items():
        if not any(fnmatchcase(part, pattern) for part in task.parts):
            raise ValueRangeError(
                f"{where}: no part fits the family '{family:.60}' ('{pattern:.60}'); the parts are "
                f"{', '.join(task.parts):.300}"
            )


def metrics_of(task: Task) -> tuple[str, ...]:
    """The metrics that a form gives.

    Args:
        task: of that form.
    """
    if task.form == "triplets" and not task.pictures:
        return METRICS["triplets"][:2]
    return METRICS[task.form]


def _check_names(tasks: Sequence[Task], where: str) -> None:
    """Raise where two tasks would give scores of one name."""
    met: dict[tuple[str, str], int] = {}
    for number, task in enumerate(tasks, start=1):
        for metric in metrics_of(task):
            before = met.setdefault((task.name, metric), number)
            if before != number:
                called = f"are both called '{task.name:.60}'" if task.name else "have no name"
                raise ValueRangeError(
                    f"{where}: the tasks {before} and {number} both give {metric} and {called}; "
                    "give each a 'name' of its own"
                )


def _expanded(task: Task) -> Task:
    """`tables` as the patterns that it stands for."""

    def patterns(names: Sequence[str]) -> tuple[str, ...]:
        found = [TABLES if name == "tables" else (name,) for name in names]
        return tuple(name for some in found for name in some)

    parts = {name: patterns(names) for name, names in task.parts.items()}
    return replace(task, files=patterns(task.files), parts=parts)
