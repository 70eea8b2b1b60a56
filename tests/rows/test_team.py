"""Shards encoded by workers: the same rows, whatever runs them and whoever is killed."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

import conceptbind
from conceptbind import cli
from conceptbind.cli import main
from conceptbind.core.errors import MismatchError, ValueRangeError
from conceptbind.encoders.options import Opening
from conceptbind.rows import shards, team
from conceptbind.rows.embeddings import load, open_source
from conceptbind.rows.encoding import piece_of
from conceptbind.rows.team import Team, device_here, encode_task, join_team, team_of
from conceptbind.run.cluster import Cluster
from conceptbind.run.executors import one_thread
from conceptbind.run.folder import PLACE_OPTIONS
from conceptbind.scenes import load_scenes


@dataclass(frozen=True)
class Both(Opening, Cluster):
    """The options of a command."""


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 200)


def _team(name="tiny", **changed):
    encoder = open_source(name)
    made = Team(name, Opening(device="cpu"), encoder.revision, Cluster(jobs=2), os.getcwd(), True)
    return replace(made, **changed)


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_two_processes_write_what_one_writes(tmp_path):
    for jobs in (1, 2):
        conceptbind.embed("tiny", scenes="clevr2d", jobs=jobs, out=tmp_path / str(jobs))
    for part in ("text", "image"):
        one, two = (load(tmp_path / jobs / part) for jobs in ("1", "2"))
        assert one.values.tobytes() == two.values.tobytes()
        files = [sorted(p.name for p in (tmp_path / j / part).iterdir()) for j in ("1", "2")]
        assert files[0] == files[1]
        assert len(files[0]) == 4  # three shards and the manifest


@pytest.mark.usefixtures("small_shards")
def test_what_a_killed_command_left_is_not_encoded_again(tmp_path):
    out = tmp_path / "rows"
    conceptbind.embed("tiny", scenes="clevr2d", modality="text", out=out)
    shards = sorted(out.glob("rows-*"))
    kept = shards[0].stat().st_mtime_ns
    whole = [path.read_bytes() for path in shards]
    for path in shards[1:]:
        path.unlink()
    conceptbind.embed("tiny", scenes="clevr2d", modality="text", out=out, jobs=2)
    assert [path.read_bytes() for path in shards] == whole
    assert shards[0].stat().st_mtime_ns == kept


@pytest.mark.usefixtures("small_shards")
def test_a_broken_picture_is_named_in_one_line(tmp_path, capsys):
    conceptbind.render(out=tmp_path / "drawn", scenes="clevr2d")
    victim = sorted((tmp_path / "drawn").rglob("*.png"))[300]
    victim.write_bytes(b"no picture")
    table = str(tmp_path / "drawn" / "scenes.csv")
    asked = ["embed", "tiny", "--scenes", table, "--modality", "image", "--jobs", "2"]
    assert main([*asked, "--out", str(tmp_path / "rows")]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in told if "error" in line]) == 1
    assert victim.name in told[-1]


def test_a_control_with_other_weights_is_not_what_workers_open(monkeypatch, tmp_path):
    monkeypatch.setattr(shards, "SHARD_ROWS", 300)
    encoder = open_source("tiny")
    scenes = load_scenes("clevr2d")
    asked = {"scenes": scenes, "modality": "text"}
    before = conceptbind.embed(encoder.untrained(), **asked, out=tmp_path / "a")
    join_team(encoder, _team())
    twin = encoder.untrained()
    after = conceptbind.embed(twin, **asked, out=tmp_path / "b")
    assert load(before[0]).values.tobytes() == load(after[0]).values.tobytes()


def test_a_worker_with_other_weights_is_refused():
    piece = piece_of(load_scenes("clevr2d"), "text", 0, 3)
    assert encode_task(_team(), piece).rows.shape[0] == 3
    with pytest.raises(MismatchError, match="give every machine the same files"):
        encode_task(_team(revision="another"), piece)


def test_who_has_a_team():
    encoder = open_source("tiny")
    assert team_of("tiny", Opening(device="cpu"), encoder) is None

    assert team_of("tiny", Both(device="cpu"), encoder) is None
    assert team_of("tiny", Both(device="cpu", jobs=1), encoder) is None
    found = team_of("tiny", Both(device="cpu", jobs=3, precision="bf16"), encoder)
    assert (found.cluster.jobs, found.how) == (3, Opening(device="cpu", precision="bf16"))
    assert team_of("tiny", Both(executor="dask"), encoder).cluster.executor == "dask"
    with pytest.raises(ValueRangeError, match="at least one job"):
        team_of("tiny", Both(jobs=0), encoder)
    with pytest.raises(ValueRangeError, match="without room for attributes"):
        join_team(object(), found)


@pytest.mark.parametrize(
    ("asked", "count", "process", "device"),
    [
        ("auto", 0, "LokyProcess-2", "cpu"),
        ("cpu", 4, "LokyProcess-2", "cpu"),
        ("auto", 1, "LokyProcess-2", "auto"),
        ("auto", 4, "LokyProcess-2", "cuda:2"),
        ("cuda", 4, "LokyProcess-7", "cuda:3"),
        ("cuda", 4, "MainProcess", "cuda:0"),
        ("cuda:1", 4, "LokyProcess-2", "cuda:1"),
    ],
)
def test_workers_take_the_gpus_in_turn(monkeypatch, asked, count, process, device):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(name=process))
    assert device_here(asked) == device


def test_several_gpus_are_used_unasked(monkeypatch):
    encoder = open_source("tiny")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert team_of("tiny", Both(), encoder).cluster.jobs == 4
    assert team_of("tiny", Both(jobs=2), encoder).cluster.jobs == 2
    assert team_of("tiny", Both(device="cuda:1"), encoder) is None
    assert team.gpus("auto") == 4


KILLING = """
import os, signal, sys, threading, time
from pathlib import Path
import psutil

executor, out = sys.argv[1:]
WORDS = {"ray": ("ray::_call",), "dask": ("spawn_main",), "local": ("loky",)}[executor]

def kill_one():
    # a worker dies as soon as the first shard is there
    while not list(Path(out).glob("rows-*.safetensors")):
        time.sleep(0.01)
    for child in psutil.Process().children(recursive=True):
        if any(word in " ".join(child.cmdline()) for word in WORDS):
            os.kill(child.pid, signal.SIGKILL)
            Path(out + ".killed").write_text(str(child.pid))
            return

if __name__ == "__main__":
    from conceptbind import embed
    from conceptbind.rows import shards

    shards.SHARD_ROWS = 30
    threading.Thread(target=kill_one, daemon=True).start()
    embed("minilm", scenes="text20:4x4", modality="text", executor=executor, jobs=2, out=out)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "package"), [("local", "joblib"), ("ray", "ray"), ("dask", "distributed")]
)
def test_a_lost_worker_changes_no_row(tmp_path, monkeypatch, executor, package):
    pytest.importorskip(package)
    script, out = tmp_path / "killing.py", tmp_path / "rows"
    script.write_text(KILLING)
    done = subprocess.run(
        [sys.executable, str(script), executor, str(out)],
        capture_output=True,
        text=True,
        timeout=400,
        env=os.environ | {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "rows.killed").exists(), "no worker was found to kill"
    monkeypatch.setattr(shards, "SHARD_ROWS", 30)
    with one_thread():
        conceptbind.embed("minilm", scenes="text20:4x4", modality="text", out=tmp_path / "own")
    assert load(out).values.tobytes() == load(tmp_path / "own").values.tobytes()


def test_four_commands_have_workers():
    for name in ("embed", "measure", "evaluate", "audit"):
        assert issubclass(cli.COMMANDS[name], Cluster)
    assert {"executor", "address", "jobs"} <= set(PLACE_OPTIONS)  # a run may go on elsewhere
