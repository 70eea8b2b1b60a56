"""What the project says it needs is what it needs: bounds that are tried, and code that lives with
the oldest of them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import torch

from conceptbind.controlled.muon import StackedMuon
from conceptbind.controlled.recipe import make_recipe
from conceptbind.controlled.training import optimisers

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TRIED_BY_HAND = {"torch": ("2.6", "2.13.0")}
"""Declared bound and the release that CI has, where a processor-only build of the bound cannot be
installed."""


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def pins():
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    return {
        name_of(line): line.partition("==")[2]
        for line in lines
        if line and not line.startswith("#")
    }


def as_numbers(version):
    found = [int(part) for part in version.split(".")]
    return found + [0] * (4 - len(found))


@pytest.mark.parametrize("requirement", PROJECT["dependencies"], ids=name_of)
def test_ci_installs_the_lower_bound_of_every_dependency(requirement):
    """A bound that was never installed is a guess."""
    name, bound = name_of(requirement), re.search(r">=([\d.]+)", requirement)[1]
    if name in TRIED_BY_HAND:
        assert (bound, pins()[name]) == TRIED_BY_HAND[name]
        assert f"{name} {bound}" in (ROOT / "constraints-lowest.txt").read_text()
    else:
        assert as_numbers(pins()[name]) == as_numbers(bound)


def test_nothing_else_is_pinned():
    """Tests' own tools apart, the pins are the core's dependencies."""
    assert set(pins()) == {name_of(one) for one in PROJECT["dependencies"]} | {
        "pytest",
        "pytest-timeout",
        "hypothesis",
        "pyparsing",  # of matplotlib 3.10, which newer ones warn of
    }


def test_the_classifiers_begin_where_python_is_required():
    assert PROJECT["requires-python"] == ">=3.11"
    minors = [
        one.rpartition(".")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)
    ]
    assert minors == ["11", "12", "13"]


def test_matrices_are_trained_by_muon_where_torch_has_none(monkeypatch):
    """torch.optim.Muon came with torch 2.9."""
    recipe = make_recipe("small", 0.6, optimiser="muon")
    named = {"text.blocks.0.weight": torch.eye(4).requires_grad_()}
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    (_, muon) = optimisers(recipe, {**named, "bias": torch.zeros(4, requires_grad=True)})
    assert isinstance(muon, StackedMuon)
    before = named["text.blocks.0.weight"].detach().clone()
    named["text.blocks.0.weight"].grad = torch.randn(
        4, 4, generator=torch.Generator().manual_seed(0)
    )
    muon.step()
    step = (
        before * (1 - recipe.matrix_rate * recipe.weight_decay)
        - named["text.blocks.0.weight"].detach()
    ) / recipe.matrix_rate
    # orthogonal but for Newton and Schulz's five steps
    assert torch.linalg.svdvals(step).sub(1).abs().max() < 0.5
