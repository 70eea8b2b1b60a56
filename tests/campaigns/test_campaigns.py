"""A short share of the campaigns in every run, the long one marked slow; and proofs that the
campaigns see what they look for.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from campaigns.fuzz import Tally, numbers
from campaigns.kills import half_files
from campaigns.trial import Kill, Trial, strays

ROOT = Path(__file__).parents[2]


def campaign(*options: str, seconds: int = 280) -> str:
    """The table of a campaign in a process of its own, where nothing was computed with several
    threads before.
    """
    run = subprocess.run(
        [sys.executable, "-m", "tests.campaigns", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    return run.stdout


def rows(printed: str) -> dict[str, list[int]]:
    """Name of a campaign to its counts: trials, then faults by kind."""
    found = {}
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 2 and re.fullmatch(r"[\d,]+", cells[1]):
            found[cells[0]] = [int(cell.replace(",", "")) for cell in cells[1:]]
    return found


@pytest.mark.slow
def test_a_short_share_of_kills_and_damaged_inputs_finds_nothing():
    counts = rows(campaign("--kills", "2", "--inputs", "8", "--cheap", "--seed", "0"))
    assert [found[0] for found in counts.values()] == [2, 8]
    assert not any(sum(found[1:]) for found in counts.values())


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_all_that_once_failed_and_a_long_campaign_find_nothing():
    counts = rows(
        campaign("--known", "--kills", "200", "--inputs", "1000", "--seed", "1", seconds=7000)
    )
    assert counts["inputs that once failed"][0] >= 50
    assert not any(sum(found[1:]) for found in counts.values())


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """Run a function in the place of a command."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "at").mkdir()
    monkeypatch.setenv("CAMPAIGN_SCRATCH", str(tmp_path / "scratch"))

    def run(call, **how):
        return Trial(["command"], tmp_path / "at", call=call, **how).run()

    return run


def says(*lines, code=2):
    def call(_):
        print("\n".join(lines), file=sys.stderr)
        return code

    return call


def raises(_):
    raise KeyError("a fault of the program")


def takes_memory(_):
    held = bytearray(3 << 30)
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
    time.sleep(3)
    return 0


def dies(_):
    os.abort()


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        (lambda _: 0, ""),
        (says("conceptbind: error: expected a table; got a folder"), ""),
        (raises, "traceback"),
        (dies, "crash"),
        (lambda _: 3, "exit"),
        (lambda _: 2, "no message"),
        (says("conceptbind: error: " + "x" * 501), "message"),
        (says("conceptbind: error: one", "and another line"), "message"),
        (lambda _: time.sleep(60), "hang"),
    ],
)
def test_a_campaign_sees_what_is_wrong(tried, call, fault):
    assert tried(call, timeout=1.0 if fault == "hang" else 30.0).fault == fault


def test_a_campaign_sees_memory_and_processes_that_live_on(tried):
    assert tried(takes_memory).fault == "memory"

    def leaves_a_child(_):
        if os.fork() == 0:
            time.sleep(60)
        return 0

    assert tried(leaves_a_child, patience=0.5).orphans == 1


def test_a_command_is_killed_before_the_operation_that_was_drawn(tried, tmp_path):
    """Three files: the second is never opened, so only the first is there."""

    def writes(_):
        for name in "abc":
            Path(name).write_text("x")
        return 0

    place = tmp_path / "at"
    assert tried(writes, kill=Kill(place)).operations == 3
    for name in "abc":
        (place / name).unlink()
    killed = tried(writes, kill=Kill(place, operation=2))
    assert killed.killed
    assert [path.name for path in place.iterdir()] == ["a"]


def test_half_files_strays_and_other_numbers_are_seen(tmp_path):
    (tmp_path / "results.json").write_text('{"records": [1]}')
    before = numbers(tmp_path)
    (tmp_path / "results.json").write_text('{"records": [2]}')
    assert numbers(tmp_path) != before
    assert half_files(tmp_path) == []
    (tmp_path / "results.json").write_text('{"records": [')
    assert half_files(tmp_path) == ["results.json"]
    assert strays({"out/.rows.npy.123.part", "out/rows.npy"}) == {"out/.rows.npy.123.part"}


def test_a_tally_counts_each_trial_once():
    tally = Tally()
    tally.add("kill", "", "a")
    tally.add("kill", "stray", "b")
    assert (tally.trials, tally.kinds, tally.count("stray", "missing"), tally.count("hang")) == (
        2,
        {"kill": 2},
        1,
        0,
    )
