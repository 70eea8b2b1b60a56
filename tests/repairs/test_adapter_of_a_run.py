"""A run of `measure` is taken where its adapter is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import conceptbind
from conceptbind.core.errors import FileError
from conceptbind.repairs.labclip import Adapter, load_adapter, save_adapter


@dataclass(frozen=True)
class Result:
    """What a command returned."""

    folder: Path


def test_a_run_folder_and_a_result_stand_for_their_adapter(tmp_path):
    turned = np.eye(3, dtype=np.float32)[[1, 0, 2]]
    run = tmp_path / "run"
    save_adapter(Adapter(turned, 0.0, {}), run / "adapter")
    for given in (run / "adapter", run, str(run), Result(run)):
        np.testing.assert_array_equal(load_adapter(given).weight, turned)
    rows = np.eye(3, dtype=np.float32)
    out = conceptbind.apply(Result(run), texts=rows, out=tmp_path / "mapped.npy")
    np.testing.assert_array_equal(np.load(out), rows @ turned.T)


def test_a_run_without_one_says_what_was_expected(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(FileError, match="a run of measure that fitted one"):
        load_adapter(Result(tmp_path / "run"))
