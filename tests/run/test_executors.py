"""The same results from this process, its children, a Ray cluster and a Dask cluster; also when
workers are killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conceptbind.core.errors import ConceptBindError, UnknownNameError, ValueRangeError
from conceptbind.run import executors
from conceptbind.run.executors import WorkersDiedError, run_tasks
from planted_tasks import always_dying, dying, failing, process, square

HERE = Path(__file__).parents[1]


def test_in_this_process_and_in_others():
    wanted = {i: 1 + i * i for i in range(6)}
    assert dict(run_tasks(square, {"add": 1}, range(6), jobs=1)) == wanted
    assert dict(run_tasks(square, {"add": 1}, range(6), jobs=2)) == wanted


def test_without_a_number_as_many_as_cores_that_it_may_use(monkeypatch):
    """Not more than a container, a job of a cluster or the user allows."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert {at for _, at in run_tasks(process, None, range(3))} == {os.getpid()}
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert executors.cores() == 1


@pytest.mark.slow
def test_a_killed_process_costs_nothing(tmp_path):
    assert dict(run_tasks(dying, str(tmp_path), range(5), jobs=2)) == {i: i * i for i in range(5)}
    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_workers_that_always_die_are_given_up():
    with pytest.raises(WorkersDiedError, match="2 of 2 tasks are left"):
        list(run_tasks(always_dying, None, range(2), jobs=2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_the_task_s_own(jobs):
    with pytest.raises(ValueRangeError, match="cannot be done"):
        list(run_tasks(failing, None, range(2), jobs=jobs))


def test_bad_input():
    with pytest.raises(UnknownNameError, match="did you mean 'dask'"):
        list(run_tasks(square, None, [1], executor="dusk"))
    with pytest.raises(ValueRangeError, match="at least one job"):
        list(run_tasks(square, None, [1], jobs=0))
    with pytest.raises(ConceptBindError, match="add --executor"):
        list(run_tasks(square, None, [1], address="x:1"))


def test_an_address_where_nobody_answers_is_one_line_at_once():
    pytest.importorskip("ray")
    with pytest.raises(ConceptBindError, match="could not reach a Ray cluster at 127.0.0.1:1: "):
        list(run_tasks(square, None, [1, 2], executor="ray", address="127.0.0.1:1"))


def test_a_cluster_that_wants_a_token_is_told_how_to_get_it(monkeypatch):
    ray = pytest.importorskip("ray")

    def refuse(**_):
        raise ConnectionError("Failed to connect\nto Ray")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(executors, "_require_answer", lambda address: None)
    words = "at 10.0.0.1:6379: Failed to connect to Ray; where it has a token, set RAY_AUTH_MODE="
    with pytest.raises(ConceptBindError, match=words):
        list(run_tasks(square, None, [1, 2], executor="ray", address="10.0.0.1:6379"))


@pytest.mark.slow
def test_another_cluster_on_the_machine_is_not_joined():
    """Ray joins one that runs, or that RAY_ADDRESS names, and refuses a number of workers."""
    pytest.importorskip("ray")
    lines = (
        "from planted_tasks import square",
        "from conceptbind.run.executors import run_tasks",
        "if __name__ == '__main__':",
        "    print(sorted(run_tasks(square, {'add': 0}, [1, 2], executor='ray', jobs=2)))",
    )
    other = os.environ | {"RAY_ADDRESS": "127.0.0.1:1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=HERE,
        env=other,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout.strip().endswith("[(0, 1), (1, 4)]"), done.stderr[-3000:]


# Clusters run in a process of their own: their threads and sockets outlive them for a while, and
# pytest minds.

SWEEP = """
import json, os, signal, sys, threading, time
from pathlib import Path
import psutil

sys.path.insert(0, {here!r})
from planted import object_codes
from conceptbind.rows.embeddings import Embeddings
from conceptbind.probes import fit_scene_probes
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from conceptbind.complexity import Sweep, complexity_study

executor, out = sys.argv[1:]
scenes = full_grid(ConceptSpace(("color", "shape"), (tuple("abcde"), tuple("vwxyz"))))
values = object_codes(scenes, 24)
split = split_scenes(scenes)
probes = fit_scene_probes(values, scenes, split)
rows = Embeddings(values, "text", scenes.content_hash, scenes.name, "planted", "1")
sweep = Sweep((0.4, 0.7), (("additive", None), ("global_product", 4), ("mlp", 64)), 2, 500, 1)
killed = []

def kill_one(done):
    # The first finished cell kills a worker that is at work on another.
    if executor in ("ray", "dask") and not killed:
        words = ("ray::_call",) if executor == "ray" else ("spawn_main", "multiprocessing.spawn")
        for _ in range(200):
            children = psutil.Process().children(recursive=True)
            found = [c for c in children if any(word in " ".join(c.cmdline()) for word in words)]
            if found:
                os.kill(found[-1].pid, signal.SIGKILL)
                killed.append(found[-1].pid)
                return
            time.sleep(0.02)

def main():
    study = complexity_study(rows, scenes, split, probes, sweep=sweep, executor=executor, jobs=1 if executor == "local" else 2,
                             on_cell=kill_one)
    Path(out).write_text(json.dumps({{"records": [record.flat() for record in study.records], "killed": killed}}))

if __name__ == "__main__":
    main()
"""  # noqa: E501


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Records of one sweep, by executor."""
    folder = tmp_path_factory.mktemp("sweeps")
    script = folder / "sweep.py"
    script.write_text(SWEEP.format(here=str(HERE)))

    def run(executor):
        import json

        out = folder / f"{executor}.json"
        environment = os.environ | {
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "PYTHONPATH": str(HERE),
        }
        done = subprocess.run(
            [sys.executable, str(script), executor, str(out)],
            capture_output=True,
            text=True,
            timeout=240,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(out.read_text())

    return run


@pytest.mark.long  # CI kills workers of every kind in tests/rows/test_team.py
@pytest.mark.parametrize(("executor", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_cluster_that_loses_a_worker_gives_the_same_table(table, executor, package):
    pytest.importorskip(package)
    here, there = table("local"), table(executor)
    assert there["killed"], "no worker was found to kill"
    assert there["records"] == here["records"]
