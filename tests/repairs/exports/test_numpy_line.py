"""The lines that the room's docstring gives to those who want no export."""

from __future__ import annotations

import textwrap

import numpy as np
import safetensors.numpy

import conceptbind.repairs.exports
from conceptbind.repairs.labclip.adapter import save_adapter


def test_the_lines_in_the_docstring_are_the_adapter(make_adapter, tmp_path, monkeypatch):
    adapter, texts = (
        make_adapter(5, 7),
        np.random.default_rng(1).normal(size=(4, 7)).astype(np.float32),
    )
    save_adapter(adapter, tmp_path / "ADAPTER")
    monkeypatch.chdir(tmp_path)
    lines = [
        line for line in conceptbind.repairs.exports.__doc__.splitlines() if line.startswith("    ")
    ]
    names = {"np": np, "safetensors": safetensors, "texts": texts}
    exec(textwrap.dedent("\n".join(lines)), names)
    np.testing.assert_allclose(names["mapped"], adapter(texts), atol=1e-6)
