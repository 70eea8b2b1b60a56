"""The house keeps its floors: imports go down only, and optional packages are imported where they
are used. Its statements are short: no comprehension inside another, one conditional expression.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import conceptbind

SOURCE = Path(conceptbind.__file__).parent
FLOORS = {
    **{"core": 0, "metrics": 0, "scenes": 0},
    **{"pictures": 1, "encoders": 1, "run": 1},
    "report": 1.5,  # numbers, tables, figures and the page around them: it knows no study
    "rows": 2,
    "probes": 3,
    **{"crossmodal": 3.1, "geometry": 3.1},
    "within": 3.15,
    "complexity": 3.2,
    **{"controlled": 3.3, "repairs": 3.3},
    **{"benchmarks": 3.4, "stresses": 3.4},
    **{"negation": 3.5, "querying": 3.5, "factors": 3.5, "ceiling": 3.5},
    **{"audits": 3.6, "reproductions": 3.6},
    "studies": 4,  # the case, and the loop over what each room asks of it
    "commands": 5,
    "cli": 6,
}
UPWARD = {("encoders.registry", "controlled")}
"""The encoders that a room trains live in that room, and the registry opens them by name."""
OPTIONAL = {
    "transformers",
    "sentence_transformers",
    "open_clip",
    "timm",
    "torchvision",
    "mitsuba",
    "drjit",
    "onnx",
    "onnxruntime",
    "faiss",
    "spacy",
    "HanTa",
    "ray",
    "distributed",
    "pyarrow",
    "duckdb",
    "lance",
    "mteb",
    "datasets",
}
SLOW = {
    *OPTIONAL,
    "torch",
    "jaxtyping",
    "matplotlib",
    "sklearn",
    "pandas",
    "scipy",
    "PIL",
    "jinja2",
}


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _type_checking_only(tree: ast.Module) -> set[ast.AST]:
    """Nodes under `if TYPE_CHECKING:`, which import nothing at run time."""
    blocks = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def _imports(path: Path, *, at_run_time: bool) -> set[str]:
    tree = ast.parse(path.read_text())
    skipped = _type_checking_only(tree) if at_run_time else set()
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "conceptbind":
                found.update(f"conceptbind.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


FILES = sorted(path for path in SOURCE.rglob("*.py") if _room(path) not in ("__init__", "__main__"))


def test_every_room_has_a_floor():
    assert {_room(path) for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_go_down(path):
    room = _room(path)
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for module in _imports(path, at_run_time=True):
        parts = module.split(".")
        if parts[0] == "conceptbind" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != room:
            other = parts[1]
            if (name, other) in UPWARD:
                continue
            level = FLOORS[other] < FLOORS[room] or FLOORS[other] == FLOORS[room] == 0
            assert level, f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})"


def _modules_imported(path: Path) -> set[str]:
    """Modules of this package that a module imports at run time, in functions too."""
    tree = ast.parse(path.read_text())
    skipped = _type_checking_only(tree)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in skipped:
            module = node.module or ""
            for name in node.names:
                whole = f"{module}.{name.name}"
                found.add(whole if whole in MODULES else module)
    return found & set(MODULES)


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def test_no_module_imports_itself_by_way_of_others():
    imports = {name: _modules_imported(path) for name, path in MODULES.items()}
    finished: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in finished:
            for other in sorted(imports[name]):
                follow(other, (*way, name))
            finished.add(name)

    for name in MODULES:
        follow(name, ())


def test_nothing_imports_the_surface_of_its_own_room():
    for name, path in MODULES.items():
        rooms = {name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1)}
        surfaces = {module for module in rooms if MODULES[module].name == "__init__.py"}
        assert not _modules_imported(path) & surfaces, name


def test_no_module_is_named_like_what_it_holds():
    for name, path in MODULES.items():
        held = {getattr(node, "name", None) for node in ast.parse(path.read_text()).body}
        assert name.rsplit(".", 1)[-1] not in held, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_optional_packages_are_never_imported_at_the_top(path):
    tree = ast.parse(path.read_text())
    top = {
        name.name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for name in node.names
    }
    top |= {
        (node.module or "").split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)
    }
    assert not top & OPTIONAL


@pytest.mark.parametrize(
    "arguments", [["-c", "import conceptbind"], ["-m", "conceptbind", "measure", "--help"]]
)
def test_nothing_slow_is_imported_before_a_command_runs(arguments):
    """Seen from outside: a fresh interpreter lists what it has imported."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True
    )
    names = {
        line.rsplit("|", 1)[-1].strip().split(".")[0]
        for line in run.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "conceptbind" in names
    assert not names & SLOW


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


def _inside(node: ast.AST, but: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
    """All nodes under a node, without those of some types and what these hold."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, but):
            yield child
            yield from _inside(child, but)


def _count(
    node: ast.AST, of: tuple[type[ast.AST], ...], but: tuple[type[ast.AST], ...] = ()
) -> int:
    return sum(isinstance(inner, of) for inner in _inside(node, but))


def _code() -> Iterator[tuple[str, ast.AST]]:
    """Every statement and expression of the package, with its file and line."""
    for path in MODULES.values():
        file = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.stmt | ast.expr):
                yield f"{file}:{node.lineno}", node


def test_no_comprehension_stands_inside_another():
    nested = [
        place
        for place, node in _code()
        if isinstance(node, COMPREHENSIONS) and _count(node, COMPREHENSIONS)
    ]
    assert not nested, "\n".join(nested)


def test_no_statement_has_two_conditional_expressions():
    """The statements in its body count for themselves."""
    crowded = [
        place
        for place, node in _code()
        if isinstance(node, ast.stmt) and _count(node, (ast.IfExp,), but=STATEMENTS) > 1
    ]
    assert not crowded, "\n".join(crowded)
