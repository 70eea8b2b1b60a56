"""The command line as a user meets it, in-process and with a real encoder, real files and real
mistakes.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from conceptbind.cli import main
from conceptbind.scenes import load_scenes, text20
from planted import concept_codes, object_codes


@pytest.fixture
def table(tmp_path):
    """Planted embeddings of text20:5x5 that bind, as a file."""
    path = tmp_path / "rows.npy"
    np.save(path, object_codes(text20(5, 5), 40))
    return path


PROBE = ("--studies", "probe")
"""For what is the same with one study as with all: folders, files and what was asked."""
PROBED = (*PROBE, "--scenes", "text20:5x5", "--modality", "text")
"""The same for the captions of `table`."""


def run(*arguments):
    """The exit status of a command. What is tested here is the same with and without the sweep,
    which takes the longest of all.
    """
    quick = (
        ("--complexity", "none")
        if arguments[:1] == ("measure",) and not {"--complexity", "--config"} & set(arguments)
        else ()
    )
    return main([str(argument) for argument in (*arguments, *quick)])


def records(folder):
    return json.loads((folder / "results.json").read_text())["records"]


@pytest.mark.parametrize("complexity", ["none", pytest.param("short", marks=pytest.mark.slow)])
def test_measure_a_file_writes_the_whole_contract(table, tmp_path, capsys, complexity):
    out = tmp_path / "run"
    assert (
        run(
            "measure",
            f"file:{table}",
            "--scenes",
            "text20:5x5",
            "--modality",
            "text",
            "--complexity",
            complexity,
            "--jobs",
            1,  # others would wait for the same cores
            "--out",
            out,
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "object recognition" in printed
    assert str(out / "report.html") in printed
    assert {"results.json", "results.csv", "report.html", "config.yaml"} <= {
        path.name for path in out.iterdir()
    }
    rows = records(out)
    needed = {
        "study",
        "modality",
        "metric",
        "value",
        "n",
        "ties",
        "ci_low",
        "ci_high",
        "split",
        "scenes",
        "encoder",
    }
    assert all(needed <= set(row) for row in rows)
    probes = [row for row in rows if row["study"] == "probe"]
    assert all({"concept", "seed"} <= set(row) for row in probes)
    studies = {row["study"] for row in rows}
    assert {"additive", "spectrum", "removal", "edit"} < studies
    assert ("complexity" in studies) is (complexity == "short")
    objects = {row["control"]: row for row in probes if row["metric"] == "object_recognition"}
    assert objects["none"]["value"] == 1.0
    assert objects["bag_of_concepts"]["value"] < 0.7
    assert objects["none"]["ci_low"] < 1.0 == objects["none"]["ci_high"]
    with (out / "results.csv").open() as file:
        assert [row["metric"] for row in csv.DictReader(file)] == [row["metric"] for row in rows]
    provenance = json.loads((out / "results.json").read_text())["provenance"]
    assert provenance["scenes"]["hash"] == text20(5, 5).content_hash
    assert (
        provenance["split"]["train"]
        + provenance["split"]["validation"]
        + provenance["split"]["test"]
        == 625
    )
    assert {"torch", "numpy", "python"} <= provenance["versions"].keys()
    assert {"torch", "cpus"} <= provenance["threads"].keys()


def test_a_bag_of_concepts_is_called_one(tmp_path, capsys):
    np.save(tmp_path / "bag.npy", concept_codes(text20(5, 5), 40))
    run(
        "measure",
        f"file:{tmp_path / 'bag.npy'}",
        *PROBED,
        "--out",
        tmp_path / "run",
    )
    assert (
        "hardly show which adjective belongs to which noun (level 1, not decodable)"
        in capsys.readouterr().out
    )


def test_config_runs_it_again_with_the_same_results(table, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    run(
        "measure",
        f"file:{table}",
        *PROBED,
        "--out",
        first,
        "--seed",
        3,
    )
    run("measure", "--config", first / "config.yaml", "--out", second)
    assert records(first) == records(second)
    run("measure", "--out", tmp_path / "c", "--seed", 4, "--config", first / "config.yaml")
    # what is written out wins
    assert yaml.safe_load((tmp_path / "c" / "config.yaml").read_text())["seed"] == 4


def test_the_same_command_again_gives_the_same_bytes(table, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["conceptbind", "measure"])
    out = tmp_path / "run"
    arguments = ("measure", f"file:{table}", *PROBED, "--out", out)
    run(*arguments)
    before = (out / "results.json").read_bytes()
    run(*arguments)
    assert (out / "results.json").read_bytes() == before
    (out / "probes-text.safetensors").unlink()
    (out / "report.html").unlink()
    run(*arguments)  # fitted again
    assert (out / "results.json").read_bytes() == before


@pytest.mark.slow
def test_embed_then_measure_its_folder(minilm_folder, tmp_path, capsys):
    assert (
        run(
            "embed",
            f"st:{minilm_folder}",
            "--scenes",
            "text20:4x4",
            "--out",
            tmp_path / "e",
            "--device",
            "cpu",
        )
        == 0
    )
    assert (
        run(
            "measure",
            f"file:{tmp_path / 'e'}",
            "--scenes",
            "text20:4x4",
            "--studies",
            "probe,geometry",
            "--out",
            tmp_path / "a",
        )
        == 0
    )
    direct = (
        "measure",
        f"st:{minilm_folder}",
        "--scenes",
        "text20:4x4",
        "--studies",
        "probe,geometry",
        "--out",
        tmp_path / "b",
        "--device",
        "cpu",
    )
    assert run(*direct) == 0
    # Rows alone cannot tell what the encoder makes of single objects, nor what random weights do.
    values = [
        [
            row["value"]
            for row in records(tmp_path / name)
            if row.get("estimator") != "single" and row.get("control") != "random_weights"
        ]
        for name in "ab"
    ]
    assert values[0] == values[1]
    objects = next(row for row in records(tmp_path / "b") if row["metric"] == "object_recognition")
    assert objects["value"] > 0.5  # a real encoder binds within its modality
    capsys.readouterr()


@pytest.mark.slow
def test_real_label_tables(shared_data, tmp_path):
    for name, scenes, less in (
        ("clevr_labels.csv", "clevr", ("--complexity", "none")),
        # of 7,392 rows
        ("pug_spare_labels.csv", "pug-spare", ("--complexity", "none", "--no-geometry")),
    ):
        spec = f"{scenes}:{shared_data / name}"
        np.save(tmp_path / "rows.npy", object_codes(load_scenes(spec), 128))
        out = tmp_path / scenes
        assert (
            run(
                "measure",
                f"file:{tmp_path / 'rows.npy'}",
                "--scenes",
                spec,
                "--modality",
                "image",
                "--out",
                out,
                *less,
            )
            == 0
        )
        objects = next(row for row in records(out) if row["metric"] == "object_recognition")
        assert objects["value"] > 0.9


def test_own_vocabulary(tmp_path, minilm_folder):
    (tmp_path / "words.csv").write_text(
        "garment_color,garment\nred,shirt\nblue,hat\ngreen,coat\nwhite,\n"
    )
    out = tmp_path / "run"
    arguments = (
        "measure",
        f"st:{minilm_folder}",
        *PROBE,
        "--scenes",
        tmp_path / "words.csv",
        "--out",
        out,
        "--device",
        "cpu",
    )
    assert run(*arguments, "--template", "a person in [{a} {object}]") == 0
    assert len([row for row in records(out) if row["study"] == "probe"]) == 9
    provenance = json.loads((out / "results.json").read_text())["provenance"]
    assert provenance["scenes"]["example"] == "a person in a red shirt and a red shirt"


MISTAKES = [
    (
        [
            "measure",
            "file:{rows}",
            "--scenes",
            "text20:5x5",
            "--modality",
            "text",
            "--device",
            "banana",
        ],
        "on the device 'banana'",
    ),
    (["embed", "minilm", "--scenes", "text20:4x4", "--out", "{rows}"], "could not write"),
    (["measure", "minilm", "--scenes", "text20:4x4", "--template", "{{a}}"], "names no field"),
    (["measure", "minlm"], "did you mean 'minilm'"),
    (["measure", "file:{rows}", "--scenes", "text2"], "did you mean 'text20'"),
    (
        ["measure", "file:{rows}", "--scenes", "text20:5x5"],
        "add --modality text or --modality image",
    ),
    (
        ["measure", "file:{rows}", "--scenes", "text20:5x6", "--modality", "text"],
        "has 625 rows but the scenes 'text20:5x6' have 900",
    ),
    (
        ["measure", "file:{rows}", "--scenes", "text20:50x5", "--modality", "text"],
        "2 to 20 adjectives",
    ),
    (["measure", "file:{tmp}/none.npy", "--scenes", "text20:5x5"], "No such file"),
    (["measure", "file:{tmp}/x.pkl", "--scenes", "text20:5x5"], "can execute code"),
    (
        ["measure", "minilm", "--scenes", "text20:4x4", "--modality", "image"],
        "encodes text, not image",
    ),
    (
        ["measure", "minilm", "--scenes", "text20:4x4", "--template", "{{color}}"],
        "unknown field '{{color}}'",
    ),
    (
        ["measure", "file:{rows}", "--scenes", "{tmp}/none.csv", "--modality", "text"],
        "could not read the table",
    ),
    (
        [
            "measure",
            "file:{rows}",
            "--scenes",
            "text20:5x5",
            "--modality",
            "text",
            "--out",
            "{tmp}",
        ],
        "holds files but no config.yaml",
    ),
    (
        ["embed", "minilm", "--scenes", "text20:4x4", "--modality", "both", "--out", "{tmp}/e"],
        "encodes text, not image",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes_are_one_clear_line(table, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(rows=table, tmp=tmp_path) for argument in arguments]
    before = sorted(tmp_path.rglob("*"))
    assert main(filled) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("conceptbind: error: ")
    assert message.replace("{{", "{").replace("}}", "}") in error
    assert sorted(tmp_path.rglob("*")) == before  # nothing half-written


@pytest.mark.parametrize(
    "arguments",
    [
        ["measure", "--modality", "sound"],
        ["measures"],
        [],
        ["measure", "--seed", "x"],
        ["embed"],
        ["measure", "minilm", "minilm"],
    ],
)
def test_wrong_options_exit_with_2(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_run_folder_of_another_configuration_is_refused(table, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ("measure", f"file:{table}", *PROBED, "--out", out)
    run(*arguments)
    before = (out / "results.json").read_bytes()
    assert run(*arguments, "--seed", 1) == 2
    assert "holds another run (seed: 0 there, 1 now)" in capsys.readouterr().err
    assert (out / "results.json").read_bytes() == before


def test_a_changed_file_is_refused(table, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ("measure", f"file:{table}", *PROBED, "--out", out)
    run(*arguments)
    before = (out / "results.json").read_bytes()
    np.save(table, concept_codes(text20(5, 5), 40))
    assert run(*arguments) == 2
    assert "holds other embeddings (revision: " in capsys.readouterr().err
    assert (out / "results.json").read_bytes() == before


def test_a_run_that_failed_at_once_can_be_started_with_other_options(table, tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    run(
        "measure",
        f"file:{table}",
        *PROBED,
        "--out",
        tmp_path / "other",
        "--seed",
        5,
    )
    shutil.copy(tmp_path / "other" / "config.yaml", out)
    (out / ".results.json.77-0123456789abcdef.part").write_text("half")  # of a kill
    run("measure", f"file:{table}", *PROBED, "--out", out)
    assert records(out)
    assert not list(out.glob(".*.part"))
    capsys.readouterr()


def test_files_of_the_user_are_never_touched(table, tmp_path, capsys):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "config.yaml").write_text("encoder: tiny\nmine: precious\n")
    (out / ".download.part").write_text("half a download")
    before = {path.name: path.read_text() for path in out.iterdir()}
    assert (
        run(
            "measure", f"file:{table}", "--scenes", "text20:5x5", "--modality", "text", "--out", out
        )
        == 2
    )
    assert {path.name: path.read_text() for path in out.iterdir()} == before
    capsys.readouterr()


def test_an_array_whose_table_names_pictures_that_are_not_there_gets_a_report(
    shared_data, tmp_path, capsys
):
    """Nothing but an array and a label table."""
    spec = f"clevr:{shared_data / 'clevr_labels.csv'}"
    np.save(tmp_path / "rows.npy", concept_codes(load_scenes(spec), 32))
    assert (
        run(
            "measure",
            f"file:{tmp_path / 'rows.npy'}",
            "--scenes",
            spec,
            "--modality",
            "image",
            "--complexity",
            "none",
            "--out",
            tmp_path / "run",
        )
        == 0
    )
    assert "there" in (tmp_path / "run" / "report.html").read_text()
    capsys.readouterr()


@pytest.mark.parametrize("factor", [1e20, 1e-25])
def test_the_scale_of_rows_does_not_matter(tmp_path, capsys, factor):
    np.save(tmp_path / "rows.npy", (object_codes(text20(5, 5), 40) * factor).astype(np.float32))
    run(
        "measure",
        f"file:{tmp_path / 'rows.npy'}",
        *PROBED,
        "--out",
        tmp_path / "run",
    )
    assert (
        next(
            row["value"]
            for row in records(tmp_path / "run")
            if row["metric"] == "object_recognition"
        )
        == 1.0
    )
    capsys.readouterr()


def test_the_installed_command_runs():
    executable = shutil.which(
        "conceptbind", path=str(__import__("pathlib").Path(sys.executable).parent)
    )
    assert executable is not None
    done = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("conceptbind ")
    help_text = subprocess.run(
        [executable, "measure", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "ENCODER" in help_text
    assert "hf:FOLDER" in help_text


SMALL = (
    "--values",
    5,
    "--width",
    16,
    "--dimension",
    16,
    "--feed_forward",
    32,
    "--batch",
    32,
    "--steps",
    8,
)


@pytest.mark.slow
def test_train_makes_encoders_that_measure_reads(tmp_path, capsys):
    out = tmp_path / "models"
    assert run("train", *SMALL, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "Trained on 80.0 % of 25 objects" in printed
    assert "Trained on 20.0 % of 25 objects" in printed
    found = {
        (r["encoder"], r["split"], r["among"], r["control"])
        for r in records(out)
        if r["metric"] == "object_recognition"
    }
    assert ("controlled:coverage-0.8", "unseen", "all", "none") in found
    assert ("controlled:coverage-0.2", "unseen", "unseen", "counts_of_concepts") in found
    assert not list(out.glob("*/checkpoint*"))
    model = out / "coverage-0.8"
    assert (
        run(
            "measure",
            f"controlled:{model}",
            "--scenes",
            model / "words.csv",
            "--complexity",
            "none",
            "--out",
            tmp_path / "run",
        )
        == 0
    )
    own = [r for r in records(tmp_path / "run") if r.get("queries") == "own"]
    assert [r["metric"] for r in own] == [
        "concept_recognition",
        "concept_recognition",
        "object_recognition",
    ]
    assert "by its own queries" in capsys.readouterr().out
    before = (out / "results.json").read_bytes()
    assert run("train", *SMALL, "--out", out) == 0
    assert (out / "results.json").read_bytes() == before


@pytest.mark.slow
def test_a_sweep_draws_the_transition_and_continues(tmp_path, capsys):
    out = tmp_path / "sweep"
    options = (
        *SMALL[2:],
        "--coverages",
        0.4,
        0.6,
        "--values",
        4,
        5,
        "--seeds",
        1,
        "--probes",
        "additive",
        "--out",
        out,
    )
    assert run("sweep", *options, "--jobs", 2) == 0
    printed = capsys.readouterr().out
    assert "With 16 objects (4x4)" in printed
    assert "With 25 objects (5x5)" in printed
    page = (out / "report.html").read_text()
    assert 'id="controlled-transition"' in page
    assert 'id="controlled-additive"' in page
    assert len(list((out / "models").glob("*/cell.json"))) == 4
    before = records(out)
    next((out / "models").glob("*/cell.json")).unlink()
    assert run("sweep", *options, "--jobs", 1) == 0
    assert records(out) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "--coverage", "0.999"),
            "coverage 0.999 of 2,500 objects leaves 2,498 to train on",
        ),
        (
            ("train", "--coverage", "0.5", "--values", "3", "--objects", "6"),
            "scenes of 6 objects need as many train objects",
        ),
        (
            ("train", "--coverage", "0.5", "--width", "30", "--heads", "4"),
            "multiple of the number of heads",
        ),
        (("sweep", "--coverages", "1.5"), "coverage must lie between 0 and 1; got 1.5"),
        (("sweep", "--probes", "additiv"), "did you mean 'additive'"),
        (("sweep", "--values", "1"), "--values must be a whole number from 2"),
        (("sweep", "--address", "here"), "an address belongs to a cluster"),
        (("measure", "controlled:nowhere"), "conceptbind train --out nowhere"),
    ],
)
def test_mistakes_with_controlled_models(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
