"""Mistakes in a description that would go unseen: what it says and no form asks for, and names that
two scores would share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from itertools import product
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.description import TEXTS, Task, metrics_of
from conceptbind.benchmarks.fields import LIST
from conceptbind.benchmarks.scoring import called, chosen_by, own_rules, rules_of
from conceptbind.core.errors import MismatchError, UnknownNameError, ValueRangeError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from conceptbind.benchmarks.base import Items
    from conceptbind.benchmarks.description import Description, Reference, Scoring

ALL = "all"
SAME_WORDS = "same words"
WAYS = ("text to image", "image to text")
"""What scores of retrieval are called."""
OF_PICTURES = ("box", "last_part", "places", "endings", "npy", "by_row")
"""Fields that say where pictures are, and how they are seen."""
ASKED: Mapping[str, tuple[str, ...]] = {
    "right": ("captions", "pictures"),
    "positives": ("captions",),
    "swapped": ("triplets",),
    "box": ("two_by_two", "captions", "pictures", "retrieval"),
    **dict.fromkeys(
        ("strict", "detail", "families"),
        ("two_by_two", "captions", "pictures", "triplets", "swaps", "queries"),
    ),
}
"""The forms that ask for a field; all ask for the others."""


def refuse_mistakes(found: Description, where: str) -> Description:
    """A description, if all that it says is of use and no two of its scores share a name.

    Args:
        found: as it was read.
        where: for messages.

    Raises:
        ValueRangeError, UnknownNameError: it is not so; says which field and what to do.
    """
    for number, task in enumerate(found.tasks, start=1):
        at = where if len(found.tasks) == 1 else f"{where}, task {number}"
        _refuse_unasked(task, at)
        _refuse_empty(task, at)
        _refuse_rules(task, at)
        _refuse_parts(task, at)
        _refuse_shared(task, at)
    for reference in found.references:
        _refuse_reference(reference, found, where)
    return found


def _default(one: Field[Any]) -> object:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _refuse_unasked(task: Task, where: str) -> None:
    """Raise where a field is given that the form does not ask for."""
    given = {one.name for one in fields(Task) if getattr(task, one.name) != _default(one)}
    for name, forms in ASKED.items():
        if name in given and task.form not in forms:
            raise ValueRangeError(
                f"{where}: '{name}' is of the form {' or '.join(forms[-3:])}; leave it out of the "
                f"form {task.form}"
            )
    if task.form in TEXTS and not task.pictures and (alone := given & {*OF_PICTURES}):
        raise ValueRangeError(
            f"{where}: '{min(alone)}' is about pictures, and this task has none; leave it out"
        )
    read = {name.removesuffix(LIST) for name in task.captions}
    if odd := [name for name in task.literals if name not in read]:
        raise UnknownNameError(
            f"{where}: 'literals' names '{odd[0]:.60}', which is no field of captions; "
            f"{nearest(odd[0], read)}"
        )
    if task.starts and not task.subset:
        raise ValueRangeError(f"{where}: 'starts' needs 'subset', the field that begins so")


def _refuse_empty(task: Task, where: str) -> None:
    """Raise where a list is empty that must not be."""
    for name, advice in (
        ("places", "name the folder of the pictures, or leave it out"),
        ("endings", "leave it out, or have '' in it"),
    ):
        if not getattr(task, name):
            raise ValueRangeError(f"{where}: '{name}' is empty; {advice}")
    for name, files in task.parts.items():
        if not files:
            raise ValueRangeError(f"{where}: the part '{name:.60}' has no files; name one")


def _refuse_rules(task: Task, where: str) -> None:
    """Raise where a rule has no name, or scores what another of its name scores."""
    ours = [rule.of for rule in own_rules(task)]
    met = {("strict", of, metric) for of, metric in product(ours, metrics_of(task))}
    for score in task.scores:
        if not score.protocol.strip():
            raise ValueRangeError(f"{where}: 'protocol' is empty; say whose rule it is")
        for metric in score.metrics or metrics_of(task):
            if (score.protocol, score.called or score.of, metric) in met:
                raise ValueRangeError(
                    f"{where}: the rule '{score.protocol:.60}' scores {metric} of '{score.of}' "
                    "twice, since 'strict' does already; give the second a protocol of its own"
                )
    asked = {*task.strict, *(score.of for score in task.scores)}
    if SAME_WORDS in asked and task.form != "captions":
        raise ValueRangeError(
            f"{where}: a score of the same words is of the form captions; leave '{SAME_WORDS}' out"
        )


def _refuse_parts(task: Task, where: str) -> None:
    """Raise where a name of a subset is none, as far as the description says which there are."""
    if task.starts:
        known = {*task.starts.values(), "other"}
    elif task.parts and not task.subset:
        known = {*task.parts}
    else:
        return
    if odd := [name for name in task.swapped if name not in known]:
        raise UnknownNameError(
            f"{where}: 'swapped' names '{odd[0]:.60}', which is no subset; {nearest(odd[0], known)}"
        )


def _labels(task: Task) -> dict[str, tuple[str, ...]]:
    """The subsets that a description names, by what a rule is of."""
    each = () if task.subset else tuple(task.parts)
    each = tuple(dict.fromkeys((*task.starts.values(), "other"))) if task.starts else each
    families = tuple(task.families)
    return {"each": each, "families": families, ALL: (ALL,), SAME_WORDS: (SAME_WORDS,)}


def _refuse_shared(task: Task, where: str) -> None:
    """Raise where two scores would have one name, as far as the description says."""
    labels = _labels(task)

    def of(rule: Scoring) -> list[str]:
        names = (rule.called,) if rule.called else labels.get(rule.of, ())
        return [called(task, name) for name in names]

    found = _names(task, of)
    if (shared := _shared(found)) is not None:
        raise ValueRangeError(f"{where}: {shared}")


def _refuse_reference(one: Reference, found: Description, where: str) -> None:
    """Raise where no score can be the one that a reference is beside."""
    metrics = dict.fromkeys(str(metric) for task in found.tasks for metric in metrics_of(task))
    rules = dict.fromkeys(rule.protocol for task in found.tasks for rule in rules_of(task))
    known: dict[str, None] = {}
    for task in found.tasks:
        known |= dict.fromkeys(called(task, name) for name in _possible(task))
    open_ended = any(_open_ended(task) for task in found.tasks)
    told: list[tuple[str, str, Mapping[str, None]]] = [
        ("metric", one.metric, metrics),
        ("rule", one.protocol, rules),
        ("subset", one.subset, {one.subset: None} if open_ended else known),
    ]
    for what, name, names in told:
        if name not in names:
            raise UnknownNameError(
                f"{where}: a reference is of the unknown {what} '{name:.60}'; "
                f"{nearest(name, names)}"
            )


def _open_ended(task: Task) -> bool:
    """Whether there may be subsets that only files name."""
    named = task.starts or not task.subset
    return not named or bool(task.detail) or task.index is not None


def _possible(task: Task) -> Iterator[str]:
    """The subsets that a description names, as scores are called."""
    if task.form == "retrieval":
        for name, way in product(task.parts or ("",), WAYS):
            yield f"{name} {way}".strip()
        return
    yield from (name for names in _labels(task).values() for name in names)
    yield from (rule.called for rule in task.scores if rule.called)


def refuse_same_names(tasks: Sequence[tuple[Task, Items]], where: Path) -> None:
    """Raise where two scores of a benchmark would have one name, now that its subsets are known.

    Args:
        tasks: each with the arrays of its items.
        where: of its files, for the message.

    Raises:
        MismatchError: it is so; says which, and what to do.
    """
    found = [one for task, items in tasks for one in _names_of(task, items)]
    if (shared := _shared(found)) is not None:
        raise MismatchError(f"{where}: {shared}")


def lonely_references(found: Description, tasks: Sequence[tuple[Task, Items]]) -> Iterator[str]:
    """A note on each reference that no score stands beside, now that the subsets are known. Of
    parts, and of files that an index names, some may not be there; then nothing is said.

    Args:
        found: with its references.
        tasks: each with the arrays of its items.
    """
    if any(task.parts or task.index is not None for task in found.tasks):
        return
    names = {name for task, items in tasks for name, _ in _names_of(task, items)}
    for one in found.references:
        if (one.metric, one.subset, one.protocol) not in names:
            yield (
                f"no score is of {one.metric} for '{one.subset:.60}' by the rule "
                f"'{one.protocol:.60}', as a reference is; it stands beside nothing."
            )


Named = tuple[tuple[str, str, str], str]
"""Metric, subset and protocol of a score, and what it is of."""


def _names(task: Task, labels: Callable[[Scoring], Iterable[str]]) -> Iterator[Named]:
    """The scores of a task.

    Args:
        task: with its rules.
        labels: from a rule to the subsets that it is about, as they are called.
    """
    what = {"each": "the subset", "details": "the detail", "families": "the family"}
    about = f" of the task '{task.name:.60}'" if task.name else ""
    for rule in rules_of(task):
        for label in labels(rule):
            said = f"{what[rule.of]} '{label:.60}'" if rule.of in what else f"'{rule.of}'"
            for metric in rule.metrics or metrics_of(task):
                yield (str(metric), label, rule.protocol), f"{said}{about}"


def _names_of(task: Task, items: Items) -> Iterator[Named]:
    """The scores of a task, of the subsets that its items have."""
    if task.form == "retrieval":
        return _names_of_retrieval(task, items)
    return _names(task, lambda rule: [name for name, _ in chosen_by(task, rule, items)])


def _names_of_retrieval(task: Task, items: Items) -> Iterator[Named]:
    about = f" of the task '{task.name:.60}'" if task.name else ""
    for name in dict.fromkeys(items["subsets"].tolist()):
        for way, metric in product(WAYS, metrics_of(task)):
            label = " ".join(filter(None, (task.name, name, way)))
            yield (str(metric), label, "strict"), f"the subset '{name:.60}'{about}"


def _shared(names: Iterable[Named]) -> str | None:
    """What is said where two scores have one name; None where all have their own."""
    met: dict[tuple[str, str, str], str] = {}
    for key, of in names:
        if key in met:
            metric, subset, protocol = key
            return (
                f"two scores would be called '{subset:.60}' ({metric}, {protocol}), of {met[key]} "
                f"and of {of}; give a subset, family or task another name"
            )
        met[key] = of
    return None
