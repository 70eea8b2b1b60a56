"""Which studies there are: our own, and those that other packages add.

A package adds a study by an entry point of the group `conceptbind.studies`, with the study's name.
Its object is a `Study`, or makes one when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.core.findings import Study

GROUP = "conceptbind.studies"
OWN = {
    "probe": "conceptbind.probes.answer:Decodable",
    "within": "conceptbind.within.usable:Usable",
    "attribute_probe": "conceptbind.within.answer:AttributeOfNoun",
    "search": "conceptbind.within.answer:Search",
    "crossmodal": "conceptbind.crossmodal.answer:Across",
    "repair": "conceptbind.repairs.answer:LinearRepair",
    "geometry": "conceptbind.geometry.answer:MadeOf",
    "complexity": "conceptbind.complexity.answer:HowComplex",
}
"""Our own, in the order in which they run and are shown."""
ON_REQUEST = {
    "negation": "conceptbind.negation.answer:NegationHeard",
    "query": "conceptbind.querying.answer:SeveralParts",
    "factors": "conceptbind.factors.answer:AddUp",
    "ceiling": "conceptbind.ceiling.answer:Ceiling",
    "probe_kinds": "conceptbind.probes.kinds.answer:Kinds",
    "trained_along": "conceptbind.ceiling.along.answer:Along",
}
"""Our own that run only where they are named: they ask more than binding, and take their time."""


def study_names(*, on_request: bool = False) -> tuple[str, ...]:
    """Names of all studies, our own first.

    Args:
        on_request: whether to name those of ours, too, that run only where they are named.
    """
    ours = (*OWN, *(ON_REQUEST if on_request else ()))
    others = sorted(entry.name for entry in entry_points(group=GROUP))
    return (*ours, *(name for name in others if name not in (*OWN, *ON_REQUEST)))


def known_studies(names: Iterable[str]) -> tuple[str, ...]:
    """These names, each that of a study.

    Raises:
        UnknownNameError: there is no such study; names the nearest ones.
    """
    found, known = tuple(names), study_names(on_request=True)
    for name in found:
        if name not in known:
            raise UnknownNameError(f"unknown study '{cut(name)}'; {nearest(name, known)}")
    return found


def load_studies(names: tuple[str, ...] | None = None) -> tuple[Study, ...]:
    """The studies of these names, in the order in which they run; by default all but those that
    run on request.

    Args:
        names: names of studies; None for those of a measurement.

    Raises:
        UnknownNameError: there is no such study; names the nearest ones.
        ValueRangeError: what a package added is not a study.
    """
    known = study_names(on_request=True)
    wanted = study_names() if names is None else known_studies(names)
    return tuple(_load(name) for name in known if name in wanted)


def needs_split(studies: Iterable[Study]) -> bool:
    """Whether one of some studies needs the scenes divided for probes: all that do not deny it."""
    return any(getattr(study, "splits", True) for study in studies)


def _load(name: str) -> Study:
    place = {**OWN, **ON_REQUEST}.get(name)
    if place is not None:
        module, _, what = place.partition(":")
        own: Study = getattr(import_module(module), what)()
        return own
    (entry, *_) = entry_points(group=GROUP, name=name)
    try:
        found: Any = entry.load()
        found = found() if callable(found) else found
    except Exception as error:  # of a package that we do not know
        raise ValueRangeError(
            f"the study '{name}' of {_package(entry)} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Study):
        raise ValueRangeError(
            f"the study '{name}' of {_package(entry)} is not a study: expected name, question, "
            f"applies(case) and run(case); got {type(found).__name__}"
        )
    return found


def _package(entry: Any) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
