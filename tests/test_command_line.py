"""Options as people write them, configurations that must not run code, odd surroundings, and one
line for whatever goes wrong.
"""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest
import yaml

from conceptbind import cli
from conceptbind.cli import main
from conceptbind.commands import Measure, Sweep, Train, measure
from conceptbind.commands.command import Command
from conceptbind.commands.common import default_folder
from conceptbind.commands.parsing import parse
from conceptbind.core.errors import ConceptBindError, MismatchError
from conceptbind.core.streams import make_streams_safe, one_line
from conceptbind.scenes import ConceptSpace, full_grid, text20
from planted import object_codes

COMMAND = [sys.executable, "-m", "conceptbind"]


def asked(*arguments):
    """The options with which a command would run."""
    return parse([str(argument) for argument in arguments], cli.COMMANDS).command.configuration()


def refused(capsys, *arguments):
    """The one line with which a command is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.strip().splitlines()
    assert len(line) <= 500
    assert line.startswith("conceptbind: error: ")
    return line


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--no-controls"], {"controls": False}),
        (["--no_controls"], {"controls": False}),
        (["--controls"], {"controls": True}),
        (["--controls", "False", "minilm"], {"controls": False, "encoder": "minilm"}),
        (["--controls", "no"], {"controls": False}),
        (["--controls=FALSE"], {"controls": False}),
        (["--no-geometry", "minilm"], {"geometry": False, "encoder": "minilm"}),
        (["--no-repair", "minilm"], {"without": ["repair"], "encoder": "minilm"}),
        (["--no-probe", "minilm", "--no-complexity"], {"without": ["probe"], "complexity": "none"}),
        (["--without", "probe,repair"], {"without": ["probe", "repair"]}),
        (["--no-geometry", "--no-search"], {"geometry": False, "without": ["search"]}),
        (["--", "minilm"], {"encoder": "minilm"}),
        (["--seed", "3", "--", "--odd-name"], {"seed": 3, "encoder": "--odd-name"}),
        (["--seed", "-3"], {"seed": -3}),
        (["--template=--{a}"], {"template": "--{a}"}),
        (["minilm", "--seed", "1", "--seed", "2"], {"encoder": "minilm", "seed": 2}),
    ],
)
def test_options_as_people_write_them(words, options):
    assert options.items() <= asked("measure", *words).items()


def test_more_options_as_people_write_them():
    assert asked("repair", "tiny", "--out", "x", "--image-of", "of.npy")["image_of"] == "of.npy"
    assert asked("train", "--compiled", "False")["compiled"] is False
    assert asked("train", "--compiled=false", "--rate", "-1e-3")["rate"] == -1e-3
    assert asked("train", "--concept-weight", "0.5", "--compiled")["compiled"] is True
    assert asked("sweep", "--values", "-1", "20", "--seeds", "1")["values"] == [-1, 20]
    assert asked("compare", "a", "--", "-b")["runs"] == ["a", "-b"]
    assert (
        asked("evaluate", "--benchmark", "coco", "--data", ".", "--no-check", "--allow-missing")[
            "allow_missing"
        ]
        is True
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["measure", "--sede", "1"],
            "conceptbind measure has no option '--sede'; did you mean '--seed'",
        ),
        (["measure", "--seed", "x"], "--seed: expected a whole number; got x"),
        (["measure", "--jobs", "nan"], "error: --jobs: expected a whole number; got nan; see"),
        (["train", "--rate="], "error: --rate: expected a number; got nothing; see"),
        (["measure", "--no-repair", "--without", "probe"], "add repair to --without"),
        (["measure", "--without", "reapir"], "unknown study 'reapir'; did you mean 'repair'?"),
        (
            ["measure", "--studies", "probe", "--no-probe"],
            "no study is left: --studies probe without",
        ),
        (["measure", "--controls="], "error: --controls: expected true or false; got nothing; see"),
        (
            ["train", "--optimiser", "sgd"],
            "error: --optimiser: expected one of 'adamw', 'muon'; got sgd; see",
        ),
        (
            ["repair", "tiny"],
            "error: --out is missing: adapter folder to write; write conceptbind repair --out",
        ),
        (["apply"], "error: ADAPTER is missing: adapter folder written by"),
        (["embed"], "write conceptbind embed ENCODER ...; see conceptbind embed --help"),
        (["compare"], "error: RUNS is missing: "),
        (["report"], "error: FOLDER is missing: run folder; write conceptbind report FOLDER ..."),
        (["report", "nowhere"], "error: there is no folder nowhere; give a run folder of"),
        (["report", "."], "error: . is not a run folder: it holds neither page.json nor"),
        (["measure", "--studies", ""], "--studies names no study; give all, or some of probe,"),
        (["measure", "--studies", " ,"], "--studies names no study; give all, or some of probe,"),
        (
            ["measure", "--modality", "sound"],
            "expected one of 'auto', 'text', 'image', 'both'; got sound",
        ),
        (["measure", "tiny", "tiny"], "does not know what 'tiny' is for; it takes one ENCODER"),
        (["render", "x", "--out", "y"], "it takes options only"),
        (["measure", "--out"], "the option --out needs a value"),
        (["measure", "--out", "--seed", "1"], "the option --out needs a value"),
        (["measures"], "unknown command 'measures'; did you mean 'measure'"),
        (["measure", "--controls=perhaps"], "--controls"),
        (["measure", "--out", "~nosuchuser/x"], "cannot tell which home folder"),
        (["measure", "hf:~nosuchuser/x"], "cannot tell which home folder"),
        (["measure", "--scenes", "~nosuchuser/x.csv"], "cannot tell which home folder"),
        (["measure", "--out", "n" * 5000], "a name of more than 255 bytes"),
        (["measure", "hf:" + "n" * 5000], "nnn"),
        (["measure", "--scenes", "n" * 5000], "nnn"),
        (["measure", "--out", "\udcff"], "bytes that are no UTF-8"),
        (["measure", "--out", "a\0b"], "a zero byte"),
        *(
            (["measure", "--device", name], f"cannot compute on the device '{name}'")
            for name in ("hpu", "meta", "nonsense", "xpu", "cuda:77")
        ),
    ],
)
def test_what_is_wrong_is_one_line_before_the_work(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_configuration_runs_no_code(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted_code.py").write_text(
        "from pathlib import Path\nPath('ran').write_text('')\n"
    )
    (tmp_path / "config.yaml").write_text("encoder: py:planted_code:make\n")
    assert "add --trust-py" in refused(capsys, "measure", "--config", "config.yaml")
    # even then a module that lies beside the file is not looked for
    for trust in (
        ["--trust-py"],
        ["--trust_py=yes"],
    ):
        assert "could not import the module 'planted_code'" in refused(
            capsys, "measure", "--config", "config.yaml", *trust
        )
    (tmp_path / "config.yaml").write_text("encoder: py:planted_code:make\ntrust_py: true\n")
    assert "has the option 'trust_py', which conceptbind measure has not" in refused(
        capsys, "measure", "--config", "config.yaml"
    )
    (tmp_path / "config.yaml").write_text("encoder: hf:folder\ntrust_remote_code: true\n")
    assert "add --trust-remote-code if you know it" in refused(
        capsys, "measure", "--config", "config.yaml"
    )
    # `-m` puts the folder first
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, check=True, cwd=tmp_path)
    assert done.returncode == 0
    (tmp_path / "yaml.py").write_text("from pathlib import Path\nPath('ran').write_text('')\n")
    (tmp_path / "config.yaml").write_text("seed: 1\nencoder: nothing\n")
    done = subprocess.run(
        [*COMMAND, "measure", "--config", "config.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "unknown encoder 'nothing'" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_own_code_named_on_the_command_line_runs(tmp_path, capsys, monkeypatch):
    """The working folder is searched then, behind all else; also where a configuration holds the
    other options.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_code_named.py").write_text("def make():\n    return 3\n")
    (tmp_path / "config.yaml").write_text("seed: 1\nencoder: py:another:make\n")
    said = refused(capsys, "measure", "py:own_code_named:make", "--config", "config.yaml")
    assert "py:own_code_named:make is not an encoder: int lacks id" in said
    assert "looked in installed modules and PYTHONPATH and the working folder" in refused(
        capsys, "measure", "py:not_there_at_all:make"
    )


@pytest.mark.parametrize("executor", ["dask", "ray"])
def test_a_configuration_joins_no_cluster(tmp_path, capsys, monkeypatch, executor):
    """Machines of a cluster send each other pickles: its address is one's own word, as is that of a
    module.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(f"executor: {executor}\naddress: tcp://127.0.0.1:9\n")
    for command in ("measure", "sweep"):
        said = refused(capsys, command, "--config", "config.yaml", "--out", "run")
        assert "names the cluster tcp://127.0.0.1:9" in said
        assert "add --address" in said
    assert not (tmp_path / "run").exists()
    taken = asked("measure", "--config", "config.yaml", "--address", "tcp://127.0.0.1:9")
    assert (taken["executor"], taken["address"]) == (executor, "tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: null\n", "gives no value to 'seed'; expected a whole number"),
        ("seed: 1\0\n", "NUL"),
        ("a: [b\n", "is not a file of options"),
        ("- a\n", "holds no options"),
        ("", "holds no options"),
        (
            "sede: 1\n",
            "has the option 'sede', which conceptbind measure has not; did you mean 'seed'",
        ),
        ("encoder: [tiny]\n", "encoder"),
        ("config: other.yaml\n", "has the option 'config'"),
        (None, "No such file"),
    ],
)
def test_broken_configurations_are_one_line(tmp_path, capsys, text, message):
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    assert message in refused(capsys, "measure", "--config", path)


def broken(error):
    """A command that fails."""

    @dataclass(frozen=True, kw_only=True)
    class Broken(Command[None]):
        out: str = "x"

        def work(self):
            raise error

    return Broken


def test_a_fault_of_our_own_is_one_line_and_another_exit_code(capsys, monkeypatch):
    monkeypatch.setitem(cli.COMMANDS, "render", broken(KeyError("many\nlines " * 400)))
    assert main(["render"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert len(line) <= 500
    assert "this is a fault of conceptbind: KeyError" in line
    assert "CONCEPTBIND_DEBUG=1" in line
    monkeypatch.setenv("CONCEPTBIND_DEBUG", "1")
    assert main(["render"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(MemoryError("8 GB"), 2), (PermissionError(13, "Permission denied", "/x"), 2)],
)
def test_the_machine_s_own_limits_are_one_line(capsys, monkeypatch, error, code):
    monkeypatch.setitem(cli.COMMANDS, "render", broken(error))
    assert main(["render"]) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_messages_are_folded_and_cut():
    text = "a library says:\n\n" + "x" * 80_000 + "\x1b[31m the end"
    line = one_line(text)
    assert len(line) == 500
    assert line.startswith("a library says: xxx")
    assert line.endswith("\\x1b[31m the end")


RUN = """
import sys
from dataclasses import dataclass
from conceptbind import cli
from conceptbind.commands.command import Command
@dataclass(frozen=True, kw_only=True)
class Said(Command[str]):
    out: str = "x"
    def work(self):
        return "caf\\u00e9 " * 50_000
cli.COMMANDS = {"render": Said}
sys.exit(cli.main(["render"]))
"""


@pytest.mark.parametrize(
    ("shell", "code", "err"),
    [
        ("{run} | head -c 9; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("PYTHONIOENCODING=ascii {run} | wc -c", 0, ""),
        ("{run} > /dev/full", 2, "No space left on device"),
        ("{run} >&-", 0, ""),
        ("{run} <&- >&- 2>&-", 0, ""),
        ("{run} > /dev/null 2> /dev/full", 0, ""),
    ],
)
def test_streams_that_end_or_are_narrow(tmp_path, shell, code, err):
    (tmp_path / "run.py").write_text(RUN)
    done = subprocess.run(
        ["bash", "-c", shell.format(run=f"{sys.executable} {tmp_path / 'run.py'}")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == (1 if err else 0), done.stderr
    assert err in done.stderr


@pytest.mark.parametrize(
    "words", ["--help", "--version", "measure --help", "measure --print_config"]
)
@pytest.mark.parametrize(
    ("shell", "code"), [("{run} > /dev/full", 2), ("{run} | head -c 5; exit ${{PIPESTATUS[0]}}", 0)]
)
def test_help_that_cannot_be_printed_is_told(words, shell, code):
    run = shell.format(run=f"{sys.executable} -m conceptbind {words}")
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("No space left on device")) == (code, code // 2), (
        done.stderr
    )
    assert len(done.stderr.splitlines()) == code // 2


def test_an_argument_that_python_could_not_read_for_its_encoding(tmp_path):
    """The bytes are UTF-8; it is the locale that is ASCII."""
    surroundings = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "conceptbind", "render", "--scenes", "é.csv", "--out", "x"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=surroundings
    )
    assert done.returncode == 2
    assert "set PYTHONUTF8=1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_are_explained_without_docstrings():
    """`python -OO` strips docstrings: help comes from the source, and options from the
    signatures.
    """
    plain, stripped = (
        subprocess.run(
            [sys.executable, *flags, "-m", "conceptbind", "train", "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flags in ([], ["-OO"])
    )
    assert stripped == plain
    assert "Learning rate" in plain
    assert "Args:" not in plain


def test_a_user_without_a_name(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: {}["uid not found"])
    monkeypatch.delenv("LOGNAME", raising=False)
    make_streams_safe()
    assert os.environ.pop("LOGNAME").startswith("uid")


def test_default_folders_hold_what_differs():
    named = ("encoder", "scenes")

    def name(**changed):
        asked = Measure(**{"encoder": "tiny", "scenes": "clevr2d", "jobs": 3} | changed)
        return str(default_folder(("tiny", "clevr2d"), asked, named))

    assert name() == "runs/tiny-clevr2d"
    assert name(seed=1) == "runs/tiny-clevr2d-seed1"
    assert (
        name(controls=False, complexity="none") == "runs/tiny-clevr2d-no-controls-complexity-none"
    )
    assert name(template="{a} {object}") != name(template="{a} [{object}]")
    assert len(name(template="x" * 3000)) < 200
    assert (
        str(default_folder(("controlled-5x5",), Train(coverage=0.5), ()))
        == "runs/controlled-5x5-coverage0.5"
    )
    assert (
        str(default_folder(("controlled-sweep",), Sweep(steps=100), ()))
        == "runs/controlled-sweep-steps100"
    )


@pytest.mark.slow
def test_a_second_seed_is_a_second_run_and_a_finished_one_returns_at_once(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", object_codes(text20(4, 4), 24))
    arguments = [
        "measure",
        "file:rows.npy",
        "--scenes",
        "text20:4x4",
        "--modality",
        "text",
        "--complexity",
        "none",
    ]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert main([*arguments, "--seed", "1"]) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2
    capsys.readouterr()

    import conceptbind.commands.measuring as measuring

    whole = measuring._case
    monkeypatch.setattr(measuring, "_case", lambda *_: pytest.fail("it was computed again"))
    assert main(arguments) == 0
    assert capsys.readouterr().out == first
    monkeypatch.setattr(measuring, "_case", whole)
    found = measure("file:rows.npy", scenes="text20:4x4", modality="text", complexity="none")
    computed = [r for part in found.findings.values() for r in part.records]
    assert list(found.records) == computed  # computed now, and the same
    assert found.studies[0].modality == "text"
    config = yaml.safe_load((found.folder / "config.yaml").read_text())
    assert config["seed"] == 0


class Eye:
    id, revision, dimension, modalities = "eye", "1", 12, ("image",)

    def encode_images(self, images):
        return np.array(
            [np.asarray(image.resize((2, 2)), dtype=np.float32).ravel() for image in images]
        )

    def encode_texts(self, texts):
        raise AssertionError


def test_a_finished_run_of_drawn_pictures_returns_at_once(tmp_path, monkeypatch):
    """The drawn table is another one than the table that was asked for."""
    import conceptbind.commands.measuring as measuring

    space = ConceptSpace(
        ("color", "shape"), (("red", "blue", "green"), ("square", "circle", "triangle"))
    )
    table = replace(full_grid(space), drawing="flat")
    options = {
        "complexity": "none",
        "geometry": False,
        "controls": False,
        "out": str(tmp_path / "run"),
    }
    first = measure(Eye(), scenes=table, **options)
    monkeypatch.setattr(measuring, "_case", lambda *_: pytest.fail("it was computed again"))
    again = measure(Eye(), scenes=table, **options)
    assert (again.records, again.verdicts, str(again)) == (
        first.records,
        first.verdicts,
        str(first),
    )
    other = Eye()
    other.revision = "2"  # the same run of another model is refused, not believed
    monkeypatch.undo()
    with pytest.raises(MismatchError, match="revision"):
        measure(other, scenes=table, **options)


def test_changed_results_are_not_taken_for_finished(tmp_path):
    np.save(tmp_path / "rows.npy", object_codes(text20(4, 4), 24))
    options = {
        "scenes": "text20:4x4",
        "modality": "text",
        "complexity": "none",
        "out": str(tmp_path / "run"),
        "geometry": False,
    }
    first = measure(f"file:{tmp_path / 'rows.npy'}", **options)
    path = tmp_path / "run" / "results.json"
    whole = path.read_text()
    path.write_text(whole.replace('"value": 1.0', '"value": 0.5'))
    assert measure(f"file:{tmp_path / 'rows.npy'}", **options).records == first.records
    assert path.read_text() == whole
    page = tmp_path / "run" / "report.html"
    text = page.read_text()
    page.write_text(text[:1000])
    measure(f"file:{tmp_path / 'rows.npy'}", **options)
    assert page.read_text() == text


@pytest.mark.slow
def test_a_finished_run_whose_rows_or_pictures_were_damaged_since_says_so(tmp_path):
    """Other commands read them: the same command must not call such a run finished."""
    space = ConceptSpace(
        ("color", "shape"), (("red", "blue", "green"), ("square", "circle", "triangle"))
    )
    table = replace(full_grid(space), drawing="flat")
    options = {
        "complexity": "none",
        "geometry": False,
        "controls": False,
        "out": str(tmp_path / "run"),
    }
    measure(Eye(), scenes=table, **options)
    for name in ("embeddings/image/rows-000000000.safetensors", "pictures/03.png"):
        path = tmp_path / "run" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ConceptBindError, match=path.name):
            measure(Eye(), scenes=table, **options)
        path.write_bytes(whole)
    assert measure(Eye(), scenes=table, **options).records


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nseed: 2\n", "'seed' stands twice, in lines 1 and 2: leave one out"),
        ('controls: "yes"\n', "c.yaml: controls: expected true or false without quotation marks"),
        ("controls: perhaps\n", "c.yaml: controls: expected true or false; got 'perhaps'"),
        ("controls: 1\n", "c.yaml: controls: expected true or false"),
        ("seed: some\n", "c.yaml: seed: expected a whole number; got some"),
        ("without: [1, [2]]\n", "c.yaml: without: expected a list, each a text; got"),
        ("modality: sound\n", "c.yaml: modality: expected one of 'auto', 'text', 'image', 'both'"),
    ],
)
def test_what_is_wrong_in_a_file_of_options_names_the_file(
    text, words, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    assert words in refused(capsys, "measure", "--config", "c.yaml")


def test_a_number_in_quotation_marks_is_one(capsys, tmp_path):
    """YAML reads 1e-3 as a text."""
    (tmp_path / "c.yaml").write_text("rate: 1e-3\n")
    assert cli.main(["train", "--config", str(tmp_path / "c.yaml"), "--print-config"]) == 0
    assert "rate: 0.001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--no-complexity"], {"without": [], "complexity": "none", "geometry": True}),
        (["--complexity", "none"], {"without": [], "complexity": "none", "geometry": True}),
        (["--without", "geometry", "probe"], {"without": ["probe"], "geometry": False}),
        (["--no-geometry", "--no-within"], {"without": ["within"], "geometry": False}),
    ],
)
def test_a_study_is_left_out_by_one_option(words, left, capsys):
    assert cli.main(["measure", *words, "--print-config"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert {name: shown[name] for name in left} == left


def test_an_interrupt_while_python_clears_up_stops_the_command(monkeypatch, tmp_path, capfd):
    """A weak reference's callback is the place of one that was met: Python prints a traceback and
    goes on, and the command would end as if nobody had stopped it.
    """

    class Held:
        pass

    def interrupted(_):
        raise KeyboardInterrupt

    def work(self):
        held = Held()
        watched = weakref.ref(held, interrupted)
        del held
        for _ in range(100):  # a long sleep is not ended by what Python itself sends
            time.sleep(0.05)
        return watched

    monkeypatch.setattr(cli.COMMANDS["compare"], "work", work)
    # a process that a shell started in the background ignores what would interrupt it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.monotonic()
    try:
        assert cli.main(["compare", str(tmp_path), str(tmp_path)]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - start < 4
    told = capfd.readouterr().err
    assert told.startswith("conceptbind: stopped") or "stopped; the same command" in told
    assert "Traceback" not in told
