"""The examples run as they are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conceptbind import resolve
from conceptbind.repairs.labclip import save_adapter
from conceptbind.repairs.labclip.adapter import identity

EXAMPLE = Path(__file__).parents[1] / "examples" / "repaired_search.py"


def run(folder):
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(folder), "red square and blue circle"],
        capture_output=True,
        text=True,
        check=False,
    )


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
