"""A small drawn table, its suite, and looks made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.outcomes import Outcome
from conceptbind.core.scored import mean_record
from conceptbind.scenes import ConceptSpace, full_grid
from conceptbind.watching.scores import ModelLook, Number, mean_number
from conceptbind.watching.suite import Suite

SPACE = ConceptSpace(
    ("color", "shape"), (("red", "blue", "green"), ("circle", "square", "triangle"))
)


def drawn_scenes():
    """81 scenes of nine objects, which `tiny` knows."""
    return replace(full_grid(SPACE, name="nine"), drawing="flat")


@pytest.fixture(scope="session")
def scenes():
    return drawn_scenes()


@pytest.fixture(scope="session")
def suite(tmp_path_factory, scenes):
    return Suite(tmp_path_factory.mktemp("suite"), scenes)


def number(values, metric="binding_accuracy", kind="share", study="crossmodal", modality="both"):
    """A number from its items, each a draw of its own."""
    values = np.asarray(values, dtype=float)
    draws = np.arange(len(values))
    facts = {"study": study, "modality": modality, "split": "all", "scenes": "s", "encoder": "e"}
    record = mean_record(metric, values, 0, draws, kind, **facts)
    if kind == "mean":
        return mean_number(record, values, draws)
    return Number(record, Outcome({}, values, values < 0, draws, clusters=draws), "share")


def look(step, *numbers, name=""):
    return ModelLook(step, name, numbers, (), 0.5)


def hits(n, of=100):
    """The first n of some items are right."""
    return np.arange(of) < n
