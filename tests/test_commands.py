"""A command is a frozen dataclass: its fields are the options of the command line, the parameters
of the Python function, the help and the configuration that is saved.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass, fields

import numpy as np
import pytest
import yaml

import conceptbind
from conceptbind import cli, commands
from conceptbind.commands.command import Command, function_of, options
from conceptbind.commands.parsing import known_options, parse
from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.encoders import resolve
from conceptbind.scenes import text20

NAMES = sorted(cli.COMMANDS)
FUNCTIONS = [name for name in NAMES if name not in ("report", "try")]
"""All but a name that is a room, and a word of Python's own."""
NEEDED = {
    "repair": {"out": "fixed"},
    "apply": {"adapter": "fixed", "texts": "x.npy", "out": "y.npy"},
    "export": {"adapter": "fixed", "to": "onnx", "out": "graph"},
    "finetune": {"encoder": "tiny", "out": "tuned"},
    "embed": {"encoder": "tiny", "out": "rows"},
    "render": {"out": "pictures"},
    "compare": {"runs": ["a", "b"]},
    "evaluate": {"benchmark": "coco", "data": "DATA"},
    "report": {"folder": "runs/one"},
    "audit": {"encoder": "minilm", "index": "rows"},
    "reproduce": {"paper": "binding", "out": "reproduced"},
    "watch": {"checkpoints": "run"},
    "interpolate": {"one": "tiny", "other": "tiny-bound"},
    "query": {"index": "rows", "text": "a red square"},
}


def of(name):
    """A command with the defaults."""
    return cli.COMMANDS[name](**NEEDED.get(name, {}))


def refused(*words):
    """The message with which a command line is refused."""
    with pytest.raises(ValueRangeError) as caught:
        parse(words, cli.COMMANDS)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_frozen_and_its_fields_are_the_options(name):
    command = of(name)
    with pytest.raises(FrozenInstanceError):
        command.out = "elsewhere"
    names = [option.name for option in options(type(command))]
    assert sorted(names) == sorted(field.name for field in fields(command))
    assert list(command.configuration()) == names


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained_in_words(name):
    """A sentence: no fragment that begins with a preposition or in the middle."""
    for option in known_options(cli.COMMANDS[name]):
        first = option.text.split()[0].lower()
        assert option.text.endswith("."), (name, option.name)
        assert first not in ("of", "in", "at", "from", "by", "with"), (name, option.name)
        assert option.text[0].isupper() or option.text.startswith(".npy"), (name, option.name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_the_options_of_its_command(name):
    function = getattr(conceptbind, name)
    parameters = inspect.signature(function).parameters
    assert {p: parameters[p].default for p in parameters} == {
        option.name: option.default for option in options(cli.COMMANDS[name])
    }
    assert (function.__name__, function.__module__) == (name, cli.COMMANDS[name].__module__)
    for option in options(cli.COMMANDS[name]):
        assert f"    {option.name}: {option.text}" in function.__doc__
    with pytest.raises(UnknownNameError, match="has no option 'nothing'"):
        function(nothing=1)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_read_again(name, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(of(name).configuration()))
    asked = parse([name, "--config", str(file)], cli.COMMANDS)
    assert asked.command.configuration() == of(name).configuration()
    assert asked.written == {"config"}


def test_options_that_commands_share_stand_once():
    """`precision`, `address`, `batch` and the others are one field of one class."""
    shared = {
        "precision": {"measure", "repair", "embed", "evaluate"},
        "trust_remote_code": {"measure", "repair", "embed", "evaluate", "export"},
        "address": {"measure", "sweep"},
        "feed_forward": {"train", "sweep"},
        "concept_weight": {"train", "sweep"},
    }
    for option, names in shared.items():
        homes = {
            part
            for name in names
            for part in cli.COMMANDS[name].__mro__
            if option in inspect.get_annotations(part)
        }
        assert len(homes) == 1, option


def test_objects_are_saved_by_their_names():
    tiny = resolve("tiny", device="cpu")
    found = commands.Measure(tiny, scenes=text20(2, 2)).configuration()
    assert found["encoder"] == "tiny"
    assert found["scenes"] == f"text20:2x2 ({text20(2, 2).content_hash})"
    numbers = commands.Train(seed=np.int64(3), coverage=np.float64(0.5)).configuration()
    assert yaml.safe_dump({name: numbers[name] for name in ("coverage", "seed")}) == (
        "coverage: 0.5\nseed: 3\n"
    )


def test_a_command_of_ones_own():
    """All that a command needs: a class and what it does."""

    @dataclass(frozen=True, kw_only=True)
    class Double(Command[int]):
        seed: int = 3
        """Number to double."""

        def work(self):
            return 2 * self.seed

    assert function_of(Double)() == 6
    assert function_of(Double)(seed=4) == 8
    with pytest.raises(ValueRangeError, match="^seed must be a whole number from 0"):
        function_of(Double)(seed=-1)
    assert parse(["double", "--seed", "5"], {"double": Double}).command == Double(seed=5)


OLD = {
    "measure": {
        "encoder": "tiny",
        "scenes": "clevr2d",
        "modality": "auto",
        "out": None,
        "seed": 3,
        "template": None,
        "controls": False,
        "geometry": True,
        "complexity": "none",
        "executor": "local",
        "address": None,
        "jobs": None,
        "precision": "float32",
        "device": "auto",
        "long_captions": "truncate",
        "trust_remote_code": False,
    },
    "evaluate": {
        "encoder": "tiny",
        "benchmark": "coco,aro",
        "data": "DATA",
        "adapter": None,
        "check": False,
        "allow_missing": True,
        "out": "run",
        "seed": 0,
        "tagger": "auto",
        "template": None,
        "precision": "bf16",
        "device": "cpu",
        "long_captions": "refuse",
        "trust_remote_code": False,
    },
    "train": {
        "preset": "small",
        "coverage": 0.5,
        "objective": "queries",
        "values": 5,
        "concepts": None,
        "objects": None,
        "width": 16,
        "depth": None,
        "heads": None,
        "feed_forward": 32,
        "dimension": 16,
        "batch": 32,
        "steps": 8,
        "rate": 0.0007,
        "optimiser": None,
        "concept_weight": None,
        "seed": 1,
        "out": None,
        "compiled": False,
        "precision": "float32",
        "device": "auto",
    },
    "sweep": {
        "preset": "small",
        "coverages": [0.5],
        "values": [4, 5],
        "concepts": [2],
        "spaces": [],
        "seeds": 1,
        "objective": "scenes",
        "width": [],
        "depth": [1],
        "objects": None,
        "heads": None,
        "feed_forward": None,
        "dimension": None,
        "batch": None,
        "steps": None,
        "rate": 1,
        "optimiser": "muon",
        "concept_weight": None,
        "probes": ["additive"],
        "out": "runs/here",
        "executor": "dask",
        "address": None,
        "jobs": 2,
        "precision": "float32",
        "device": "cpu",
        "stack": 1,
    },
}
"""Options that earlier versions wrote into config.yaml."""


@pytest.mark.parametrize("name", OLD)
def test_configurations_of_earlier_versions_run(name, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(OLD[name], sort_keys=False))
    asked = parse([name, "--config", str(tmp_path / "config.yaml")], cli.COMMANDS)
    assert asked.command.configuration().items() >= OLD[name].items()


def test_of_several_files_the_last_wins_and_of_all_the_command_line(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("seed: 1\nmodality: text\ncontrols: false\nencoder: minilm\n")
    two.write_text("seed: 2\ntemplate: a {object}\n")
    words = ["measure", "--config", str(one), "--seed=3", "tiny", "--config", str(two)]
    found = parse(words, cli.COMMANDS).command
    assert (found.seed, found.modality, found.controls) == (3, "text", False)
    assert (found.template, found.encoder) == ("a {object}", "tiny")
    assert parse([*words[:3], *words[5:]], cli.COMMANDS).command.seed == 2


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--values", "4", "5"], (4, 5)),
        (["--values", "[4,5]"], (4, 5)),
        (["--values=4,5"], (4, 5)),
        (["--values", "[4, 5]"], (4, 5)),
        (["--values", "[]"], ()),
        (["--values", "4", "--values", "5", "6"], (5, 6)),
        (["--values", "4", "--seeds", "1"], (4,)),
    ],
)
def test_lists(words, values):
    assert tuple(parse(["sweep", *words], cli.COMMANDS).command.values) == values


def test_words_between_options_are_runs_as_they_stand():
    words = ["compare", "a,b", "--out", "x", "[c]", "--", "--d"]
    found = parse(words, cli.COMMANDS).command
    assert (tuple(found.runs), found.out) == (("a,b", "[c]", "--d"), "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: x\n", "c.yaml: seed: expected a whole number; got x"),
        ("seed: [1]\n", "c.yaml: seed: expected a whole number; got [1]"),
        ("out: 2024\n", "c.yaml: out: expected a text; got 2024"),
        ("encoder: [tiny]\n", "c.yaml: encoder: expected a text; got ['tiny']"),
        ("controls: perhaps\n", "c.yaml: controls: expected true or false; got 'perhaps'"),
        ("complexity: deep\n", "c.yaml: complexity: expected one of 'none', 'short', 'full'"),
    ],
)
def test_values_of_another_type_in_a_file(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    assert message in refused("measure", "--config", str(tmp_path / "c.yaml"))


def test_a_list_in_a_file_is_a_list(tmp_path):
    (tmp_path / "c.yaml").write_text("values: 5\n")
    said = refused("sweep", "--config", str(tmp_path / "c.yaml"))
    assert "c.yaml: values: expected a list, each a whole number; got 5" in said
    (tmp_path / "c.yaml").write_text("values: [5, x]\n")
    said = refused("sweep", "--config", str(tmp_path / "c.yaml"))
    assert "c.yaml: values: expected a list, each a whole number; got [5, 'x']" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_files_in_another_encoding(tmp_path, encoding):
    (tmp_path / "c.yaml").write_text("template: ä {object}\n", encoding=encoding)
    asked = parse(["measure", "--config", str(tmp_path / "c.yaml")], cli.COMMANDS)
    assert asked.command.template == "ä {object}"


def test_no_value_is_written_null():
    assert parse(["measure", "--jobs", "null"], cli.COMMANDS).command.jobs is None
    assert "--seed: expected a whole number; got null" in refused("measure", "--seed", "null")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure", "minilm", "--encoder", "tiny"], "does not know what 'minilm' is for"),
        (["measure", "--", "a", "--print-config"], "does not know what '--print-config' is for"),
        (["measure", "--config"], "the option --config needs a value"),
        (["measure", "--no-controls=x"], "--controls: expected true or false; got x"),
        (["embed", "--out", "x"], "ENCODER is missing: model to embed with"),
        ([], "a command is needed; known: measure, repair"),
        (["--seed", "1"], "'--seed' is not a command; known: measure"),
    ],
)
def test_more_mistakes(words, message):
    assert message in refused(*words)


def test_the_options_are_shown_as_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["measure", "minilm", "--seed", "4", "--print-config"]) == 0
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown) == commands.Measure("minilm", seed=4).configuration()
    assert not list(tmp_path.iterdir())


def test_help_has_a_group_for_each_kind_of_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = parse(["sweep", "--help"], cli.COMMANDS)
    places = [text.index(f"─ {name} ─") for name in ("Options", "The models", "The workers")]
    assert places == sorted(places)
    assert "Usage: conceptbind sweep [OPTIONS]" in text
    assert "[default: 20 30 50]" in text
    assert "--no-print-config" not in text
    whole = parse(["--help"], cli.COMMANDS)
    assert [whole.index(f"│ {name} ") for name in cli.COMMANDS] == sorted(
        whole.index(f"│ {name} ") for name in cli.COMMANDS
    )


def test_help_in_ascii_has_no_frames_that_are_none():
    surroundings = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(
        [sys.executable, "-m", "conceptbind", "compare", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=surroundings,
    ).stdout
    assert "+- Options -" in shown
    assert "\\u" not in shown


def test_help_is_quick():
    """Less of a processor than ten imports of numpy, start of Python included; the best of
    three.
    """

    def took(*words):
        script = (
            "import os, subprocess, sys\n"
            f"subprocess.run([sys.executable, *{words!r}], check=True, stdout=subprocess.DEVNULL)\n"
            "print(sum(os.times()[2:4]))\n"
        )
        run = [sys.executable, "-c", script]
        return min(
            float(subprocess.run(run, capture_output=True, check=True).stdout) for _ in range(3)
        )

    assert took("-m", "conceptbind", "measure", "--help") < 10 * took("-c", "import numpy")


def test_the_page_of_a_run_is_drawn_again(tmp_path, capsys):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(256, 8)))
    out = tmp_path / "run"
    words = [
        "measure",
        f"file:{tmp_path / 'rows.npy'}",
        "--scenes",
        "text20:4x4",
        "--out",
        str(out),
    ]
    assert cli.main([*words, "--modality", "text", "--complexity", "none", "--no-geometry"]) == 0
    whole = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    capsys.readouterr()
    assert cli.main(["report", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    assert (out / "report.html").read_bytes() == whole
    assert cli.main(["report", str(tmp_path)]) == 2
    assert "is not a run folder: it holds neither page.json nor" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
