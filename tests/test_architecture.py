"""The house keeps its floors: imports go down only, and optional packages are imported where they
are used. Its statements are short: no comprehension inside another, one conditional expression.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
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
    "watching": 3.7,
    "studies": 4,  # the case, and the loop over what each room asks of it
    "app": 4.5,  # a page of this machine for one's own captions and pictures
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
    "lightning",
    "pytorch_lightning",
    "accelerate",
    "tensorboard",
    "wandb",
    "mlflow",
    "wordsegment",
    "starlette",
    "uvicorn",
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
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


@dataclass(frozen=True)
class Facts:
    """What the tests ask of one file, which is read and walked once."""

    imported: frozenset[str]
    """Modules that it imports at run time, in functions too, by the names that it writes."""
    names: frozenset[str]
    """The names that it imports from modules, each as `module.name`."""
    top: frozenset[str]
    """Packages that it imports where it stands, before anything is called."""
    held: frozenset[str]
    """Functions and classes that it defines."""
    nested: tuple[int, ...]
    """Lines of comprehensions that hold another."""
    crowded: tuple[int, ...]
    """Lines of statements with two conditional expressions; those of its body count for
    themselves.
    """


@cache
def facts(path: Path) -> Facts:
    tree = ast.parse(path.read_text())
    skipped = _type_checking_only(tree)
    nodes = list(ast.walk(tree))
    ran = [node for node in nodes if node not in skipped]
    froms = [node for node in ran if isinstance(node, ast.ImportFrom)]
    plain = {name.name for node in ran if isinstance(node, ast.Import) for name in node.names}
    names = {f"{node.module or ''}.{name.name}" for node in froms for name in node.names}
    ours = {f"conceptbind.{n.name}" for f in froms if f.module == "conceptbind" for n in f.names}
    head = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return Facts(
        frozenset({node.module for node in froms if node.module} | ours | plain),
        frozenset(names),
        frozenset(package for node in head for package in _packages(node)),
        frozenset(getattr(node, "name", "") for node in tree.body) - {""},
        tuple(n.lineno for n in nodes if isinstance(n, COMPREHENSIONS) and _holds_another(n)),
        tuple(n.lineno for n in nodes if isinstance(n, ast.stmt) and _conditionals(n) > 1),
    )


def _packages(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {name.name.split(".")[0] for name in node.names}


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


def _holds_another(node: ast.AST) -> bool:
    return any(isinstance(one, COMPREHENSIONS) for one in ast.walk(node) if one is not node)


def _conditionals(node: ast.AST) -> int:
    """Conditional expressions under a statement, without those of statements in its body."""
    inner = [one for one in ast.iter_child_nodes(node) if not isinstance(one, STATEMENTS)]
    return sum(isinstance(one, ast.IfExp) + _conditionals(one) for one in inner)


FILES = sorted(path for path in SOURCE.rglob("*.py") if _room(path) not in ("__init__", "__main__"))


def test_every_room_has_a_floor():
    assert {_room(path) for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_go_down(path):
    room = _room(path)
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for module in facts(path).imported:
        parts = module.split(".")
        if parts[0] == "conceptbind" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != room:
            other = parts[1]
            if (name, other) in UPWARD:
                continue
            level = FLOORS[other] < FLOORS[room] or FLOORS[other] == FLOORS[room] == 0
            assert level, f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})"


def _modules_imported(path: Path) -> set[str]:
    """Modules of this package that a module imports from at run time, in functions too."""
    whole = facts(path).names
    return {one if one in MODULES else one.rpartition(".")[0] for one in whole} & set(MODULES)


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
        assert name.rsplit(".", 1)[-1] not in facts(path).held, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_optional_packages_are_never_imported_at_the_top(path):
    assert not facts(path).top & OPTIONAL


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


def _places(lines: Callable[[Facts], tuple[int, ...]]) -> list[str]:
    """Files and lines of what a file should not hold."""
    named = {path.relative_to(SOURCE).as_posix(): facts(path) for path in MODULES.values()}
    return [f"{file}:{line}" for file, found in named.items() for line in lines(found)]


def test_no_comprehension_stands_inside_another():
    nested = _places(lambda found: found.nested)
    assert not nested, "\n".join(nested)


def test_no_statement_has_two_conditional_expressions():
    """The statements in its body count for themselves."""
    crowded = _places(lambda found: found.crowded)
    assert not crowded, "\n".join(crowded)


def test_what_is_looked_for_is_found(tmp_path):
    """A file with each of the faults."""
    file = tmp_path / "wrong.py"
    file.write_text(
        "from __future__ import annotations\n"
        "import faiss.contrib\n"
        "from conceptbind import core\n"
        "if TYPE_CHECKING:\n    import spacy\n"
        "def wrong(x):\n    from conceptbind.core.files import write_whole\n"
        "    a = [[y for y in z] for z in x]\n"
        "    b = (1 if x else 2) + (3 if a else 4)\n"
        "    if 1 if x else 2:\n        c = 1 if x else 2\n"
    )
    found = facts(file)
    assert found.top == {"__future__", "faiss", "conceptbind"}
    assert "spacy" not in found.imported
    assert {"conceptbind.core", "conceptbind.core.files", "faiss.contrib"} <= found.imported
    assert _modules_imported(file) == {"conceptbind.core", "conceptbind.core.files"}
    assert (found.held, found.nested, found.crowded) == ({"wrong"}, (8,), (9,))
