"""A folder belongs to one command at a time, whatever kills it, and nothing of a user's is ever
removed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from conceptbind.cli import main
from conceptbind.commands.command import Command
from conceptbind.core.errors import FileError, FolderInUseError, MismatchError
from conceptbind.core.files import ASIDE, aside_of, clear_asides, write_whole
from conceptbind.core.ownership import LOCK, FolderLock, Process, own, refuse_in_use
from conceptbind.run import RunFolder
from conceptbind.scenes import text20
from planted import object_codes

HERE = Path(__file__).parents[1]
SMALL = (
    "--values=5",
    "--width=16",
    "--dimension=16",
    "--feed_forward=32",
    "--batch=32",
    "--coverages=[0.6]",
    "--seeds=2",
)
CONFIG = {"encoder": "tiny", "seed": 0, "out": None}


def start(*arguments: str, **options) -> subprocess.Popen:
    """The command line in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [sys.executable, "-m", "conceptbind", *map(str, arguments)], **(pipes | options)
    )


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


HOLD = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
from conceptbind.core.ownership import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that owns tmp_path / "run", as a command does that computes there."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_command_ends_at_once_and_changes_nothing(holder, tmp_path, capsys):
    out, rows = tmp_path / "run", tmp_path / "rows.npy"
    np.save(rows, object_codes(text20(4, 4), 24))
    np.save(tmp_path / "pairs.npy", np.eye(8, dtype=np.float32))
    (out / "rows-000000000.safetensors").write_bytes(b"of the first")
    commands = (
        ("measure", f"file:{rows}", "--scenes", "text20:4x4", "--modality", "text", "--out", out),
        (
            "measure",
            f"file:{rows}",
            "--scenes",
            "text20:4x4",
            "--modality",
            "text",
            "--out",
            out,
            "--seed",
            1,
        ),
        ("embed", f"file:{rows}", "--scenes", "text20:4x4", "--modality", "text", "--out", out),
        ("render", "--out", out),
        ("train", "--out", out),
        ("sweep", "--out", out),
        ("evaluate", "--benchmark", "coco", "--data", tmp_path, "--out", out),
        ("repair", "tiny", "--out", out),
    )
    for arguments in commands:
        assert main([str(argument) for argument in arguments]) == 2, arguments
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1, said
        assert f"another conceptbind command is writing to {out}" in said[0], arguments
    assert sorted(path.name for path in out.iterdir()) == [LOCK, "rows-000000000.safetensors"]


def test_the_lock_dies_with_its_process(holder, tmp_path):
    with pytest.raises(FolderInUseError):
        refuse_in_use(tmp_path / "run")
    with pytest.raises(FolderInUseError):
        FolderLock(tmp_path / "run")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / LOCK).exists()  # a kill leaves the file, but nobody holds it
    lock = FolderLock(tmp_path / "run")
    lock.release()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_is_let_go_however_a_command_ends(tmp_path):
    @dataclass(frozen=True)
    class Failing(Command[None]):
        folder: str

        def work(self):
            folder = Path(self.folder)
            own(folder)
            assert own(folder) is own(folder)  # several parts of a command may ask
            with pytest.raises(FolderInUseError):
                FolderLock(folder)  # even in this process: another thread may run another command
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Failing(str(tmp_path / "new")).run()
    assert not (tmp_path / "new").exists()  # made by the lock, and nothing was written


def test_the_locks_of_equal_process_numbers_differ(tmp_path):
    """Two containers on one volume have processes of equal numbers: the lock is the kernel's, not a
    number in a file.
    """
    (tmp_path / LOCK).write_text(str(os.getpid()))
    FolderLock(tmp_path).release()
    code = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        os.getpid = lambda: 7
        from conceptbind.core.files import aside_of
        from conceptbind.core.ownership import FolderLock
        print(aside_of(Path("x")))
        FolderLock(Path(sys.argv[1]))
    """)
    lock = FolderLock(tmp_path)
    done = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        for _ in "ab"
    ]
    lock.release()
    assert all("FolderInUseError" in one.stderr for one in done)
    names = {one.stdout for one in done}
    assert len(names) == 2
    assert all(name.startswith(".x.7-") for name in names)


def test_names_aside_are_unique_and_short(tmp_path):
    names = {aside_of(tmp_path / "a.npy").name for _ in range(100)}
    assert len(names) == 100
    assert all(ASIDE.fullmatch(name) for name in names)
    long = tmp_path / ("n" * 250 + ".npy")
    write_whole(long, b"whole")
    assert long.read_bytes() == b"whole"


def test_only_what_nobody_writes_is_cleared(tmp_path):
    dead, live, foreign = aside_of(tmp_path / "a"), aside_of(tmp_path / "a"), tmp_path / ".a.5.part"
    other, deep = aside_of(tmp_path / "b"), aside_of(tmp_path / "sub" / "a")
    deep.parent.mkdir()
    for path in (dead, live, foreign, other, deep):
        path.write_text("half")
    import fcntl

    with live.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        clear_asides(tmp_path, ["a"])
        assert set(tmp_path.glob(".*")) == {live, foreign, other}
        clear_asides(tmp_path, deep=True)
        assert set(tmp_path.rglob(".*")) == {live, foreign}


def test_links_volumes_and_files_of_the_user_stay(tmp_path):
    """After an early kill: the folder is a link, and holds an empty folder and a file of the
    user's.
    """
    real = tmp_path / "volume"
    (real / "mine").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious.txt").write_text("x")
    (real / "notes.txt").write_text("mine")
    (real / "elsewhere").symlink_to(tmp_path / "outside")
    (real / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "seed": 5}))
    (real / "embeddings" / "text").mkdir(parents=True)
    (real / "embeddings" / "text" / "manifest.json").write_text("{}")
    aside_of(real / "results.json").write_text("half")
    (real / LOCK).write_text("")
    link = tmp_path / "link"
    link.symlink_to(real)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(MismatchError, match="seed: 5 there, 0 now"):
        RunFolder.open(link, CONFIG)  # whose files these are cannot be told from their names
    kept.pop(real / LOCK)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept
    RunFolder.open(link, {**CONFIG, "seed": 5})
    assert link.is_symlink()
    assert (real / "embeddings" / "text" / "manifest.json").exists()
    assert (real / "mine").is_dir()
    assert (real / "notes.txt").read_text() == "mine"
    assert (tmp_path / "outside" / "precious.txt").exists()
    assert not [path for path in real.iterdir() if ASIDE.fullmatch(path.name)]


def test_the_working_folder_is_a_run_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "seed": 5}))
    RunFolder.open(Path(), CONFIG)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["seed"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "results.json",
        "embeddings/text/rows-000000000.safetensors",
        "pictures/000.png",
        "models/a/config.json",
        "embeddings/text/manifest.json",
        "notes.txt",
    ],
)
def test_a_folder_with_files_belongs_to_its_configuration(tmp_path, name):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "seed": 5}))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("computed")
    with pytest.raises(MismatchError, match="seed: 5 there, 0 now"):
        RunFolder.open(tmp_path, CONFIG)
    assert (tmp_path / name).exists()
    assert not (tmp_path / LOCK).exists()


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "file").write_text("")
    for place in (
        tmp_path / "dangling",
        tmp_path / "round",
        tmp_path / "file" / "below",
        Path("/proc/none"),
    ):
        with pytest.raises(FileError):
            RunFolder.open(place, CONFIG)


@pytest.mark.parametrize(
    ("executor", "number"),
    [
        pytest.param("local", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("local", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("dask", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_a_killed_sweep_takes_its_workers_along(tmp_path, executor, number):
    """Real processes: no worker is alive soon after the kill, and nothing is written any more."""
    pytest.importorskip({"local": "joblib", "dask": "distributed", "ray": "ray"}[executor])
    import psutil

    out = tmp_path / "sweep"
    options = ("sweep", *SMALL, "--probes=[]", "--jobs=2", f"--executor={executor}", f"--out={out}")
    process = start(*options, "--steps=2000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(list(out.glob("models/*/checkpoint*"))) >= 1, 200)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(number)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    time.sleep(0.5)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_worker_ends_with_a_process_that_nobody_waited_for(tmp_path):
    """A killed process whose parent does not ask for it stays in the table as a zombie, and is dead
    all the same.
    """
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    owner = Process(
        process.pid, Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    )
    assert owner.alive
    process.kill()
    wait_for(lambda: not owner.alive, 10)
    process.wait()
    assert Process.this().alive
    assert not Process(os.getpid(), "1").alive  # an earlier process of the same number
