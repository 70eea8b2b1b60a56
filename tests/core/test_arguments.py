"""A wrong object is told in one line, whichever public function got it; a fault of ours is not."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

import conceptbind
from conceptbind.core.arguments import MADE_BY, explains_arguments
from conceptbind.core.errors import ConceptBindError, KindError
from conceptbind.scenes import Scenes, text20

SOURCE = Path(conceptbind.__file__).parent
FREE = {"require_swaps"}  # looks at nothing but lengths


def _shown():
    """Functions that a room shows and that take an object of ours."""
    for stub in sorted(SOURCE.rglob("__init__.pyi")):
        room = importlib.import_module(".".join(stub.parent.relative_to(SOURCE.parent).parts))
        names = [
            name.name
            for node in ast.parse(stub.read_text()).body
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        ]
        yield from (getattr(room, name) for name in names)


def _taking():
    for function in dict.fromkeys(one for one in _shown() if inspect.isfunction(one)):
        given = inspect.signature(function).parameters.values()
        if any(MADE_BY.keys() & set(str(one.annotation).split(" | ")) for one in given):
            yield function


@pytest.mark.parametrize("function", list(_taking()), ids=lambda one: one.__name__)
def test_a_list_is_no_object_of_ours(function):
    if function.__name__ in FREE:
        pytest.skip("takes any object that has lengths")
    given = inspect.signature(function).parameters.values()
    needed = {one.name: ["a", "b"] for one in given if one.default is one.empty}
    with pytest.raises(ConceptBindError) as told:
        function(**needed)
    assert "\n" not in str(told.value)


def test_it_says_what_was_expected_what_came_and_where_to_get_it():
    words = r"^scenes: expected Scenes, as from conceptbind.load_scenes\('clevr2d'\); got 'clevr2d'"
    with pytest.raises(KindError, match=words):
        conceptbind.split_scenes("clevr2d")
    scenes = text20(3, 3)
    split = conceptbind.split_scenes(scenes)
    with pytest.raises(KindError, match=r"^embeddings: expected an array; got \[\[1.0\]\]"):
        conceptbind.fit_scene_probes([[1.0]], scenes, split)
    with pytest.raises(KindError, match="^adapter: expected an Adapter"):
        conceptbind.save_adapter({"weight": 1}, "somewhere")


def test_a_fault_of_our_own_is_not_hidden():
    @explains_arguments
    def ours(scenes: Scenes, rows: Float[np.ndarray, "rows width"]):  # noqa: F722
        return scenes.nothing

    with pytest.raises(AttributeError, match="nothing"):
        ours(text20(3, 3), np.zeros((2, 2)))
    with pytest.raises(KindError):
        ours(3, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="missing"):
        ours(text20(3, 3))
    with pytest.raises(TypeError, match="unexpected"):
        ours(text20(3, 3), np.zeros((2, 2)), other=1)
