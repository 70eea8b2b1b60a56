"""The house keeps its floors: imports go down only, and optional packages are imported where they
are used.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import conceptbind

SOURCE = Path(conceptbind.__file__).parent
FLOORS = {
    "errors": 0,
    "typing": 0,
    "files": 0,
    "ownership": 0,
    "metrics": 0,
    "results": 0,
    "scenes": 0,
    "text": 0,
    "limits": 0,
    "escape": 0,
    "controlled": 0.5,
    "encoders": 1,
    "drawing": 1,
    "embeddings": 1.5,
    "negatives": 1,
    "probes": 2,
    "labclip": 2,
    "geometry": 2.5,
    "complexity": 2.5,
    "executors": 1,
    "finetune": 2.5,
    "studies": 3,
    "exports": 3,
    "benchmarks": 3,
    "runs": 4,
    "report": 4,
    "sources": 5,
    "commands": 5.5,
    "cli": 6,
}
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
    "mteb",
    "datasets",
}
SLOW = {*OPTIONAL, "torch", "plotly", "sklearn", "pandas", "scipy", "PIL", "jinja2"}


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
    for module in _imports(path, at_run_time=True):
        parts = module.split(".")
        if parts[0] == "conceptbind" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != room:
            other = parts[1]
            level = FLOORS[other] < FLOORS[room] or FLOORS[other] == FLOORS[room] == 0
            assert level, f"{room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})"


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
