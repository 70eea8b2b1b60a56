"""`conceptbind watch`: every checkpoint once, whole ones only, and one line for each fault."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conceptbind import cli, watch
from conceptbind.controlled import train, write_model
from conceptbind.controlled.recipe import make_recipe
from conceptbind.core.errors import FileError, MismatchError
from conceptbind.encoders.registry import resolve
from conceptbind.watching.checkpoints import (
    found_checkpoints,
    require_one_folder,
    require_one_training,
    require_whole,
    signature,
    step_in,
)
from conceptbind.watching.suite import Suite, SuiteError
from conceptbind.watching.table import TABLE, Table
from conceptbind.watching.watcher import Watcher, first_scenes

MODELS = Path(cli.__file__).parent / "encoders" / "models"
SIZES = {"feed_forward": 32, "dimension": 16, "batch": 32, "heads": 2, "depth": 1, "values": 5}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Three controlled models: two of one shape, one wider."""
    home = tmp_path_factory.mktemp("models")
    for name, steps, width in (("one", 2, 16), ("two", 9, 16), ("wide", 2, 32)):
        (home / name).mkdir()
        made = train(make_recipe("small", 0.6, 0, width=width, steps=steps, **SIZES))
        write_model(made, home / name)
    (home / "one" / "three.csv").write_text("p,q\np0,q0\np1,q1\np2,q2\n")
    return home


@pytest.fixture
def folder(models, tmp_path):
    place = tmp_path / "run"
    shutil.copytree(models / "one", place / "step-10")
    return place


class Seen:
    """A watch of a folder, its lines, and how often the page was drawn."""

    def __init__(self, folder, out):
        self.lines, self.pages = [], 0
        scenes = first_scenes(str(folder), "controlled", 3)
        suite = Suite(out, scenes)
        self.table = Table(out, suite.identity)
        self.opened = []
        self.watcher = Watcher(
            str(folder), "controlled", suite, self.table, self.open, self.lines.append, self.draw
        )

    def open(self, path):
        self.opened.append(path.name)
        return resolve(f"controlled:{path}", device="cpu")

    def draw(self, story, notes):
        self.pages += 1

    def round(self):
        self.lines.clear()
        return self.watcher.round()


def test_each_new_checkpoint_is_scored_once_and_a_killed_watch_continues(models, folder, tmp_path):
    seen = Seen(folder, tmp_path / "out")
    assert seen.round() == 1
    assert seen.lines[0].startswith("step-10, step 10: Objects in captions ")
    assert seen.round() == 0
    assert seen.lines == []
    seen.table.close()
    again = Seen(folder, tmp_path / "out")
    shutil.copytree(models / "two", folder / "step-20")
    assert again.round() == 1
    assert again.opened == ["step-20"]
    assert again.table.history.comparisons == 3
    assert again.pages == 1
    again.table.close()


def test_a_half_written_checkpoint_waits_until_its_files_change(models, folder, tmp_path):
    seen = Seen(folder, tmp_path / "out")
    seen.round()
    whole = (models / "two" / "model.safetensors").read_bytes()
    shutil.copytree(models / "two", folder / "step-20")
    (folder / "step-20" / "model.safetensors").write_bytes(whole[:500])
    assert seen.round() == 0
    (line,) = seen.lines
    assert line.startswith("step-20: not scored: ")
    assert line.endswith("; it is looked at again when its files change")
    assert seen.round() == 0
    assert seen.lines == []  # said once
    (folder / "step-20" / "model.safetensors").write_bytes(whole[:800])
    assert seen.round() == 0
    assert seen.lines == []  # it is still being written
    (folder / "step-20" / "model.safetensors").write_bytes(whole)
    assert seen.round() == 1
    assert seen.watcher.notes == []
    seen.table.close()


def test_a_checkpoint_that_vanishes_is_one_line(models, folder, tmp_path, monkeypatch):
    seen = Seen(folder, tmp_path / "out")
    shutil.copytree(models / "two", folder / "step-20")

    def gone(path):
        shutil.rmtree(path)
        raise FileError("gone")

    monkeypatch.setattr(seen, "open", gone)
    seen.watcher._opener = gone
    assert seen.round() == 0
    assert seen.lines == [
        "step-10: vanished while it was being scored",
        "step-20: vanished while it was being scored",
    ]
    assert seen.round() == 0
    assert seen.lines == []
    seen.table.close()


def test_another_architecture_and_another_tokenizer_are_left_out(models, folder, tmp_path):
    seen = Seen(folder, tmp_path / "out")
    seen.round()
    shutil.copytree(models / "wide", folder / "step-20")
    assert seen.round() == 0
    (line,) = seen.lines
    assert "step-20: not scored: it is of another architecture than step-10" in line
    assert "shape.width: 16 there, 32 now" in line or "width" in line
    first = seen.watcher._first
    seen.watcher._first = {**first, "shape": {**first["shape"], "tokenizer": "other"}}
    shutil.copytree(models / "two", folder / "step-30")
    seen.round()
    assert any(
        "step-30: not scored: it has another tokenizer than step-10" in x for x in seen.lines
    )
    seen.table.close()


def test_a_full_disk_is_one_line_and_the_look_is_taken_later(models, folder, tmp_path, monkeypatch):
    seen = Seen(folder, tmp_path / "out")
    monkeypatch.setattr("conceptbind.watching.table.write_piece", _full)
    assert seen.round() == 0
    assert seen.lines == ["could not write it: no space left on device; free some space"]
    assert seen.round() == 0
    assert seen.lines == []
    monkeypatch.undo()
    assert seen.round() == 1
    assert seen.opened == ["step-10"]  # scored once, and kept
    assert seen.watcher.notes == []
    seen.table.close()


def test_a_disk_that_is_full_while_pictures_are_drawn_is_no_fault_of_a_checkpoint(
    models, folder, tmp_path, monkeypatch
):
    """The files of a checkpoint do not change, and it is scored once there is room."""
    seen = Seen(folder, tmp_path / "out")
    shutil.copytree(models / "two", folder / "step-20")
    tries = []

    def full(*_, **__):
        tries.append(1)
        raise SuiteError("could not write 7.png: no space left on device")

    monkeypatch.setattr("conceptbind.watching.watcher.look_at", full)
    assert seen.round() == 0
    assert seen.lines == ["could not write 7.png: no space left on device"]
    assert seen.round() == 0
    assert (len(tries), seen.lines) == (2, [])  # the first one alone, so that none is out of order
    monkeypatch.undo()
    assert seen.round() == 2
    assert not any("compared with nothing" in line for line in seen.lines)
    assert seen.watcher.notes == []
    seen.table.close()


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (MemoryError(), True),
        (OSError(errno.EMFILE, "too many open files"), True),
        (FileError("weights are damaged"), False),
        (ValueError("odd"), False),
    ],
)
def test_what_the_machine_lacks_is_asked_for_again(
    error, again, models, folder, tmp_path, monkeypatch
):
    seen = Seen(folder, tmp_path / "out")

    def fails(*_, **__):
        raise error

    monkeypatch.setattr("conceptbind.watching.watcher.look_at", fails)
    seen.round()
    monkeypatch.undo()
    assert seen.round() == again
    seen.table.close()


def test_permission_that_is_given_later_is_a_change(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x")
    before = signature(tmp_path)
    file.chmod(0o400)
    assert signature(tmp_path) != before


def test_state_of_a_training_and_other_weights_do_not_hold_up_a_whole_model(folder, tmp_path):
    shutil.copytree(MODELS / "tiny", tmp_path / "c")
    (tmp_path / "c" / "adapter_model.bin").write_bytes(b"cut")
    (tmp_path / "c" / "global_step5").mkdir()
    (tmp_path / "c" / "global_step5" / "mp_rank_00_model_states.pt").write_bytes(b"cut")
    require_whole(tmp_path / "c", "hf")


def test_memory_is_tidied_only_after_a_model_was_opened(folder, tmp_path, monkeypatch):
    """Thousands of half-written checkpoints are passed in seconds."""
    seen = Seen(folder, tmp_path / "out")
    for number in range(20):
        (folder / f"step-{number + 100}").mkdir()
        (folder / f"step-{number + 100}" / "config.json").write_text("{")
    tidied = []
    monkeypatch.setattr("conceptbind.watching.watcher.gc.collect", lambda: tidied.append(1))
    assert seen.round() == 1
    assert len(tidied) == 1
    seen.table.close()


def _full(*_):
    advice = "free some space or choose another folder with --out, then run the same command again"
    raise FileError(f"could not write it: no space left on device; {advice}")


def test_a_clock_that_jumps_is_said_and_changes_nothing(models, folder, tmp_path):
    """The time of day goes back by a day; so do the times of the files."""
    seen = Seen(folder, tmp_path / "out")
    seconds, slept = iter((0.0, 30.0, 30.0)), []

    def sleep(duration):
        slept.append(duration)
        os.utime(folder / "step-10" / "config.json", (5, 5))
        if len(slept) > 1:
            raise KeyboardInterrupt

    days = iter([1e9, 1e9 - 86_400, 1e9 - 86_400])
    with pytest.raises(KeyboardInterrupt):
        seen.watcher.run(30.0, sleep, lambda: next(seconds), lambda: next(days))
    assert seen.lines[-1] == "the clock went back by 86,430 s; nothing depends on it"
    assert seen.table.looks == 1
    seen.table.close()


def test_a_checkpoint_at_an_earlier_step_is_drawn_and_not_compared(models, folder, tmp_path):
    seen = Seen(folder, tmp_path / "out")
    seen.round()
    shutil.copytree(models / "two", folder / "step-5")
    assert seen.round() == 1
    assert seen.table.looks == 2
    assert seen.table.history.comparisons == 0
    assert any(
        "step-5: compared with nothing, since its step 5 is not after step 10" in line
        for line in seen.lines
    )
    seen.table.close()


# --- what is a checkpoint


def test_steps_are_what_a_name_tells():
    assert step_in("checkpoint-500") == 500
    assert step_in("run-3/epoch_12.pt") == 12
    assert step_in("step2000-final") == 2000
    assert step_in("last") is None
    assert step_in("checkpoint-500-a1b3") == 500
    assert step_in("epoch=3-step=40.pt") == 40
    assert step_in("step=40-epoch=3") == 40
    assert step_in("Checkpoint_7-seed2") == 7
    assert step_in("model-v2-30") == 30
    assert step_in(f"checkpoint-{10**12 - 1}") == 10**12 - 1
    assert step_in(f"checkpoint-{10**12}") is None
    assert step_in("checkpoint-999999999999999999999999999999") is None
    assert step_in("checkpoint-1e5") is None
    assert step_in("checkpoint-0x1F") is None
    assert step_in("clip-vit-b-32", plain=False) is None


def test_a_model_in_the_folder_itself_comes_last_and_a_link_is_no_second_checkpoint(tmp_path):
    """As a trainer leaves them: its checkpoints, and the final model beside them."""
    home = tmp_path / "clip-vit-b-32"
    for name in (".", "checkpoint-100", "checkpoint-200", "export-16"):
        (home / name).mkdir(parents=True, exist_ok=True)
        (home / name / "config.json").write_text("{}")
    (home / "latest").symlink_to(home / "checkpoint-200")
    (home / "elsewhere").symlink_to(tmp_path / "other")
    found = {one.name: one.step for one in found_checkpoints(str(home), "hf")}
    assert found == {
        "checkpoint-100": 100,
        "checkpoint-200": 200,
        "clip-vit-b-32": None,
        "export-16": None,
    }
    assert list(found)[:2] == ["checkpoint-100", "checkpoint-200"]


def test_the_folder_that_is_watched_has_a_step_only_where_it_is_all_there_is(tmp_path):
    home = tmp_path / "sft-epoch3"
    (home / "checkpoint-900").mkdir(parents=True)
    for place in (home, home / "checkpoint-900"):
        (place / "config.json").write_text("{}")
    found = {one.name: one.step for one in found_checkpoints(str(home), "hf")}
    assert found == {"checkpoint-900": 900, "sft-epoch3": None}
    alone = found_checkpoints(str(home / "checkpoint-900"), "hf")
    assert [(one.name, one.step) for one in alone] == [("checkpoint-900", 900)]


def test_the_folder_of_the_process_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in found_checkpoints(".", "hf")] == [tmp_path.name]


def test_a_model_without_a_step_does_not_hold_up_those_that_come(models, folder, tmp_path):
    seen = Seen(folder, tmp_path / "out")
    shutil.copytree(models / "two", folder / "final")
    assert seen.round() == 2
    assert seen.table.history.step == 10
    shutil.copytree(models / "two", folder / "step-11")
    assert seen.round() == 1
    assert seen.table.history.step == 11
    assert not any("compared with nothing" in line for line in seen.lines)
    seen.table.close()


def test_links_that_lead_nowhere_are_no_part_of_a_checkpoint(folder, tmp_path):
    (folder / "step-10" / "gone").symlink_to(tmp_path / "nothing")
    (folder / "step-10" / "itself").symlink_to(folder / "step-10" / "itself")
    assert {name for name, _, _ in signature(folder / "step-10")}.isdisjoint({"gone", "itself"})
    seen = Seen(folder, tmp_path / "out")
    assert seen.round() == 1
    seen.table.close()


def test_a_pattern_over_two_trainings_is_refused(tmp_path, folder, models, capsys):
    shutil.copytree(folder, tmp_path / "other")
    pattern = str(tmp_path / "*" / "step-*")
    for more in ((), ("--once",)):
        words = ["watch", pattern, "--kind=controlled", *more, f"--out={tmp_path / 'out'}"]
        assert cli.main(words) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "names checkpoints of 2 folders" in err
        assert "start one watch for each folder, each with its own --out" in err
    assert not (tmp_path / "out").exists()
    require_one_training(str(tmp_path / "run" / "step-*"), "controlled")
    require_one_folder("run/step-10", "run/step-20")
    with pytest.raises(MismatchError, match="it lies in another folder than run/step-10"):
        require_one_folder("run/step-10", "other/step-10")


def test_checkpoints_are_found_in_a_folder_or_by_a_pattern(tmp_path):
    for name in ("checkpoint-20", "checkpoint-100", "other/checkpoint-3", "final"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "logs").mkdir()
    names = [one.name for one in found_checkpoints(str(tmp_path), "hf")]
    assert names == ["checkpoint-20", "checkpoint-100", "final"]
    names = [one.name for one in found_checkpoints(str(tmp_path / "*" / "checkpoint-*"), "hf")]
    assert len(names) == 1
    assert names[0].endswith("other/checkpoint-3")
    (tmp_path / "epoch_1.pt").write_bytes(b"")
    assert [one.name for one in found_checkpoints(str(tmp_path), "open_clip")] == ["epoch_1.pt"]
    assert found_checkpoints(str(tmp_path / "nothing"), "hf") == []


def test_shards_that_are_not_there_yet_are_missed(tmp_path):
    shutil.copytree(MODELS / "tiny", tmp_path / "c")
    require_whole(tmp_path / "c", "hf")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "c" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(FileError, match="model-2.safetensors is not there yet"):
        require_whole(tmp_path / "c", "hf")
    (tmp_path / "c" / "model.safetensors.index.json").write_text('{"weight_map": {"a": ')
    with pytest.raises(FileError, match="wait until it is written"):
        require_whole(tmp_path / "c", "hf")
    (tmp_path / "c" / "model.safetensors.index.json").unlink()
    (tmp_path / "c" / "model.safetensors").unlink()
    with pytest.raises(FileError, match="no weights lie in"):
        require_whole(tmp_path / "c", "hf")
    (tmp_path / "c" / "pytorch_model.bin").write_bytes(b"PK\x03\x04half")
    with pytest.raises(FileError, match="is damaged"):
        require_whole(tmp_path / "c", "hf")
    with pytest.raises(FileNotFoundError):
        signature(tmp_path / "gone")


# --- the command


def test_what_cannot_be_watched_is_said_in_one_line(tmp_path, capsys, folder):
    out = f"--out={tmp_path / 'out'}"
    wrong = {
        (str(tmp_path / "nothing"), "--once"): "is not a folder; give the folder that checkpoints",
        (str(tmp_path), "--every=0"): "--every must be more than 0 seconds",
        (str(tmp_path), "--every=nan"): "--every must be more than 0 seconds",
        (str(tmp_path), "--every=inf"): "--every must be more than 0 seconds",
        (str(tmp_path), "--model=ViT-B-32"): "--model is for --kind open_clip",
        (str(tmp_path), "--kind=controlled"): "no controlled model lies in",
        (str(tmp_path), "--once"): "no hf checkpoint in",
    }
    for words, message in wrong.items():
        assert cli.main(["watch", *words, out]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


def test_open_clip_files_need_their_architecture(tmp_path, capsys):
    import torch

    (tmp_path / "run").mkdir()
    torch.save({"state_dict": {"a": torch.zeros(3)}}, tmp_path / "run" / "epoch_1.pt")
    words = ["watch", str(tmp_path / "run"), "--kind=open_clip", "--once"]
    assert cli.main([*words, f"--out={tmp_path / 'out'}"]) == 2
    assert "epoch_1.pt does not name its architecture; add --model" in capsys.readouterr().err


@pytest.mark.slow
def test_checkpoints_of_transformers_are_watched(tmp_path, scenes):
    """Three real models as a trainer leaves them, one of them half-written."""
    run = tmp_path / "run"
    for step, name in ((100, "tiny-bag"), (200, "tiny"), (300, "tiny-bound")):
        shutil.copytree(MODELS / name, run / f"checkpoint-{step}")
    weights = run / "checkpoint-300" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    found = watch(str(run), scenes=scenes, once=True, out=tmp_path / "out")
    assert (found.scored, len(found.waiting)) == (2, 1)
    weights.write_bytes(whole)
    words = json.loads((run / "checkpoint-200" / "tokenizer.json").read_text())
    words["model"]["vocab"]["another"] = 99
    shutil.copytree(run / "checkpoint-200", run / "checkpoint-400")
    (run / "checkpoint-400" / "tokenizer.json").write_text(json.dumps(words))
    again = watch(str(run), scenes=scenes, once=True, out=tmp_path / "out")
    assert again.scored == 1
    assert again.waiting[-1].startswith("checkpoint-400: not scored: it has another tokenizer")
    assert len(again.records) == 11
    assert list(again.frame()["step"].astype(int).unique()) == [100, 200, 300]
    assert "Level 3" in str(again.sentences[0])
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.slow
def test_a_watch_that_is_killed_in_its_work_continues(tmp_path, models):
    """Killed at any moment, and started again: each checkpoint stands once in the table."""
    run, out = tmp_path / "run", tmp_path / "out"
    for step in range(1, 5):
        shutil.copytree(models / "one", run / f"step-{step}")
    words = [sys.executable, "-m", "conceptbind", "watch", str(run), "--kind=controlled"]
    words += ["--scenes", str(models / "one" / "three.csv"), f"--out={out}", "--every=0.1"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _looks(out) < 1:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while time.monotonic() < deadline and _looks(out) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; the same command continues where it was" in err
    lines = (out / TABLE).read_text().splitlines()
    assert len(lines) == 1 + 4 * 3
    assert len({line.split(",")[2] for line in lines[1:]}) == 4


def _looks(out):
    path = out / TABLE
    return (len(path.read_text().splitlines()) - 1) // 3 if path.is_file() else 0


@pytest.mark.slow
def test_train_with_watch_ends_at_the_same_weights_and_has_its_curves(tmp_path):
    sizes = ["--values=5", "--width=16", "--depth=1", "--heads=2", "--feed_forward=32"]
    sizes += ["--dimension=16", "--batch=32", "--steps=12", "--coverage=0.6", "--device=cpu"]
    for name, more in (("alone", []), ("seen", ["--watch"])):
        assert cli.main(["train", *sizes, *more, f"--out={tmp_path / name}"]) == 0
    weights = "coverage-0.6/model.safetensors"
    assert (tmp_path / "alone" / weights).read_bytes() == (tmp_path / "seen" / weights).read_bytes()
    watched = tmp_path / "seen" / "watched" / "coverage-0.6"
    lines = (watched / TABLE).read_text().splitlines()
    assert lines[1].startswith("1,0,,1,probe,object_recognition,text,")
    assert "watching" not in (tmp_path / "seen" / "config.yaml").read_text()
    assert "1 look took" in (watched / "report.html").read_text()
    results = [(tmp_path / name / "results.csv").read_bytes() for name in ("alone", "seen")]
    assert results[0] == results[1]
