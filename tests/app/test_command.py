"""`conceptbind try` on a command line: what it says, and what it refuses in one line."""

from __future__ import annotations

import builtins
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from conceptbind import cli
from conceptbind.app import listening, server
from conceptbind.commands import Try, trying
from conceptbind.commands.trying import page_for

pytest.importorskip("uvicorn")


def refused(capsys, *words):
    """The message with which a command line ends."""
    assert cli.main(["try", *words, "--no-browser"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_wrong_encoders_ports_and_folders_are_one_line(capsys, tmp_path):
    assert "unknown encoder 'tinny'" in refused(capsys, "tinny", "--port", "0")
    assert "did you mean 'tiny'?" in refused(capsys, "tinny", "--port", "0")
    assert "--port must lie between 0 and 65535" in refused(capsys, "--port", "-1")
    assert "is not an adapter" in refused(capsys, "--port", "0", "--adapter", str(tmp_path))
    assert "is not a run folder" in refused(capsys, "--port", "0", "--run", str(tmp_path))
    with listening(0) as held:
        port = str(held.getsockname()[1])
        assert f"port {port} of this machine cannot be used" in refused(capsys, "--port", port)


def test_rows_are_no_encoder(capsys, tmp_path):
    import numpy as np

    np.save(tmp_path / "rows.npy", np.eye(3, dtype=np.float32))
    said = refused(capsys, f"file:{tmp_path / 'rows.npy'}", "--port", "0")
    assert "holds rows, and the page embeds what is typed" in said


def test_a_missing_extra_is_named(capsys, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "starlette":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'conceptbind[app]'" in refused(capsys, "--port", "0")


def test_a_run_gives_the_encoder_and_names_no_code(tmp_path, capsys):
    """A run folder may be anybody's: `py:` is opened only where the user names it."""
    from conceptbind.core.records import Records
    from conceptbind.core.results import Results, write_results

    (tmp_path / "config.yaml").write_text("encoder: py:os:system\nscenes: clevr2d\n")
    write_results(tmp_path, Results(Records(), {}))
    said = refused(capsys, "--port", "0", "--run", str(tmp_path))
    assert "does not name an encoder that is opened from there ('py:os:system')" in said


def test_a_repair_of_a_run_is_left_out_for_another_encoder(run_folder, capsys):
    page = page_for(Try(encoder="tiny-bag", run_folder=str(run_folder)))
    assert page.model.adapter is None
    assert page.searched is None
    assert page.explored.note == "All numbers of this run are of tiny, not of tiny-bag."
    assert "the repair of" in (told := capsys.readouterr().err)
    assert "is left out: this adapter was fitted on 'tiny'" in told
    assert page_for(Try(encoder="tiny", run_folder=str(run_folder))).model.adapter is not None


def test_a_run_without_scenes_is_named(tmp_path, capsys):
    from conceptbind.core.records import Records
    from conceptbind.core.results import Results, write_results

    (tmp_path / "config.yaml").write_text("encoder: tiny\nbenchmark: sugarcrepe\n")
    write_results(tmp_path, Results(Records(), {}))
    said = refused(capsys, "--port", "0", "--run", str(tmp_path))
    assert "is a run without scenes, such as one of evaluate; give a run folder of" in said


def test_run_is_short_for_run_folder():
    assert Try.respelled(["--run", "x", "--run=y"]) == ["--run_folder", "x", "--run_folder=y"]


def test_the_page_is_opened_where_it_is_served(monkeypatch, map_folder):
    opened = []
    monkeypatch.setattr("conceptbind.commands.trying._open", opened.append)

    def once(page, bound, on_start):
        on_start("http://127.0.0.1:1/?key=x")
        assert page.model.adapter_name == str(map_folder)

    monkeypatch.setattr(server, "serve", once)
    Try("tiny", adapter=str(map_folder), port=0).run()
    Try("tiny", adapter=str(map_folder), port=0, browser=False).run()
    assert opened == ["http://127.0.0.1:1/?key=x"]


def test_a_browser_is_started_without_the_key(monkeypatch):
    """What programs are started with is seen by all users: the key stands in a file of one user."""
    opened = []

    def browse(where):
        file = Path(url2pathname(urlparse(where).path))
        opened.append((where, file, file.read_text(), stat.S_IMODE(file.stat().st_mode)))

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", browse)
    monkeypatch.setattr(trying, "READ_WITHIN", 0.0)
    before = set(threading.enumerate())
    trying._open("http://127.0.0.1:1/?key=secret")
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    ((where, file, content, mode),) = opened
    assert "secret" not in where
    assert 'content="0; url=http://127.0.0.1:1/?key=secret"' in content
    assert os.name != "posix" or mode == 0o600
    assert not file.exists()


@pytest.mark.slow
def test_the_whole_command_serves_until_it_is_interrupted():
    command = [sys.executable, "-m", "conceptbind", "try", "--port", "0", "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as running:
        address = re.search(r"http://127\.0\.0\.1:\d+/\?key=\S+", running.stdout.readline())[0]
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert "Try tiny" in answer.read().decode()
        where = urlparse(address)
        with socket.create_connection((where.hostname, where.port)) as unfinished:
            head = f"Host: {where.netloc}\r\nx-key: {where.query[4:]}\r\nContent-Length: 9\r\n"
            unfinished.sendall(f"POST /score HTTP/1.1\r\n{head}\r\n{{".encode())
            upgrade = urllib.request.Request(
                address, headers={"Connection": "Upgrade", "Upgrade": "websocket"}
            )
            with urllib.request.urlopen(upgrade, timeout=30) as answer:
                assert answer.status == 200
            running.send_signal(signal.SIGINT)
            running.wait(30)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert told == "conceptbind: stopped; the same command opens the page again\n"


@pytest.mark.slow
def test_a_process_that_is_ended_leaves_no_key_behind(tmp_path):
    command = [sys.executable, "-m", "conceptbind", "try", "--port", "0"]
    told = {**os.environ, "TMPDIR": str(tmp_path), "DISPLAY": ":0", "BROWSER": "true"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=told) as running:
        assert "The page is at" in running.stdout.readline()
        for _ in range(300):
            if list(tmp_path.glob("conceptbind-try-*.html")):
                break
            time.sleep(0.1)
        running.terminate()
        assert running.wait(30) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("conceptbind-try-*.html"))
