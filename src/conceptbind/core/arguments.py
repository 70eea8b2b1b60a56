"""A wrong object, told in one line: what was expected, what came, and how to get it.

Annotations here are text, so nothing is checked before a call, and a right call costs nothing. Only
where a call failed as calls with a wrong object do, its arguments are held against the signature.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from conceptbind.core.errors import KindError, quoted

P = ParamSpec("P")
R = TypeVar("R")
MADE_BY = {
    "Adapter": "an Adapter, as from conceptbind.load_adapter(folder)",
    "CaptionBank": "a CaptionBank, as from crossmodal.caption_bank(scenes)",
    "ConceptSpace": "a ConceptSpace, as scenes.space",
    "Embeddings": "Embeddings, rows of conceptbind.rows with the scenes that they belong to",
    "Encoder": "an encoder, as from conceptbind.resolve('tiny')",
    "Pairs": "Pairs, as from repairs.Pairs.of(images, texts)",
    "Records": "Records, as result.records",
    "SceneProbes": "SceneProbes, as from conceptbind.fit_scene_probes(...)",
    "Scenes": "Scenes, as from conceptbind.load_scenes('clevr2d')",
    "Split": "a Split, as from conceptbind.split_scenes(scenes)",
}
"""Classes of ours that functions take, and where one gets them."""
PROTOCOLS = {"Encoder": "modalities"}
"""What shows that an object is of a kind that has no class of its own."""
ARRAY = re.compile(r"(Bool|Float|Int|Num|Shaped)\[")


def explains_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the failure of a call with an object of another kind into an error that names it.

    Args:
        function: public, with classes of `MADE_BY` or arrays among its parameters.

    Returns:
        the function; it raises KindError where an argument is of another kind than its parameter
        and the call failed with an AttributeError, TypeError, KeyError or IndexError.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError, LookupError) as error:
            wrong = _wrong(function, args, kwargs)
            if wrong is None:
                raise
            raise KindError(wrong) from error

    return call


def _wrong(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> str | None:
    """What is wrong with the first argument of another kind."""
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:  # too many, too few: Python's own words say so
        return None
    for name, value in given.items():
        expected = _expected(str(signature.parameters[name].annotation), value)
        if expected is not None:
            return f"{name}: expected {expected}; got {quoted(value)}"
    return None


def _expected(annotation: str, value: object) -> str | None:
    """What a parameter takes, in words, where a value is not of it."""
    if ARRAY.match(annotation):
        return None if hasattr(value, "ndim") else "an array"
    kinds = annotation.split(" | ")
    if not any(kind in MADE_BY for kind in kinds):
        return None
    if value is None and "None" in kinds:
        return None
    names = {one.__name__ for one in type(value).__mro__}
    if any(kind in names or hasattr(value, PROTOCOLS.get(kind, " ")) for kind in kinds):
        return None
    return " or ".join(MADE_BY.get(kind, f"a {kind}") for kind in kinds if kind != "None")
