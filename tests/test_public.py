"""The public surface, as `import conceptbind` shows it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import conceptbind

SOURCE = Path(conceptbind.__file__).parent


@pytest.mark.parametrize("stub", sorted(SOURCE.rglob("__init__.pyi")), ids=lambda p: p.parent.name)
def test_every_public_name_is_what_its_room_defines(stub):
    room = ".".join(stub.parent.relative_to(SOURCE.parent).parts)
    surface = importlib.import_module(room)
    imports = [n for n in ast.parse(stub.read_text()).body if isinstance(n, ast.ImportFrom)]
    assert imports
    for node in imports:
        home = importlib.import_module(f"{room}.{node.module}")
        for name in node.names:
            assert getattr(surface, name.name) is getattr(home, name.name)
            assert name.name in surface.__all__


STATED = re.compile(r"\b(Bool|Float|Int|Num|Shaped)\[[\w.]+(\[Any\])?, '[^']*'\]")
ARRAY = re.compile(r"\b(Bools|Floats|Ints|NDArray|ndarray|Tensor)\b")


def _annotations(body: list[ast.stmt]) -> Iterator[tuple[int, ast.expr]]:
    """Of what does not begin with an underscore, with its line."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _annotations(node.body)
        elif isinstance(node, ast.AnnAssign):
            yield node.lineno, node.annotation
        elif isinstance(node, ast.FunctionDef) and not re.match("_(?!_)", node.name):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            found = [node.returns, *(one.annotation for one in given)]
            yield from ((node.lineno, one) for one in found if one is not None)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_public_array_states_its_shape(path):
    """`Float[Floats, "pairs width"]`; whatever may have any shape says that: " ..."."""
    stated = (
        (line, ast.unparse(one)) for line, one in _annotations(ast.parse(path.read_text()).body)
    )
    bare = [
        f"{path.name}:{line}: {text}" for line, text in stated if ARRAY.search(STATED.sub("", text))
    ]
    assert not bare, "\n".join(bare)


def _public_functions() -> Iterator[ast.FunctionDef]:
    """Functions that a room shows, as their modules define them."""
    for stub in sorted(SOURCE.rglob("__init__.pyi")):
        for node in ast.parse(stub.read_text()).body:
            if not isinstance(node, ast.ImportFrom):
                continue
            module = stub.parent.joinpath(*(node.module or "").split("."))
            path = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
            names = {name.name for name in node.names}
            for found in ast.parse(path.read_text()).body if path.is_file() else ():
                if isinstance(found, ast.FunctionDef) and found.name in names:
                    yield found


def _untold(function: ast.FunctionDef) -> list[str]:
    """Parameters that the section `Args` of a docstring does not name, in one line each."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    section = (ast.get_docstring(function) or "").partition("\nArgs:\n")[2]
    told = re.findall(r"^    ((?:\w+, )*\w+): \S", section, re.M)
    return [name for name in names if name not in ", ".join(told).split(", ")]


def test_every_public_function_explains_its_parameters():
    functions = list(_public_functions())
    assert len(functions) > 150
    untold = {one.name: _untold(one) for one in functions}
    assert {name: missing for name, missing in untold.items() if missing} == {}


def test_a_parameter_that_is_not_explained_is_found():
    (function,) = ast.parse(
        'def f(a, b, *, c, d):\n    """Text.\n\n    Args:\n        a, b: numbers.\n'
        '        c:\n\n    Returns:\n        d\n    """\n'
    ).body
    assert _untold(function) == ["c", "d"]


def test_no_module_hides_a_public_name():
    """Importing a submodule sets an attribute of the package: `conceptbind.measure` must stay the
    function.
    """
    modules = {module.name for module in pkgutil.iter_modules(conceptbind.__path__)}
    assert not modules & set(conceptbind.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No conceptbind attribute nothing"):
        _ = conceptbind.nothing
