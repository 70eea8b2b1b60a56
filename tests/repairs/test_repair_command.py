"""`conceptbind repair` and `conceptbind apply` as a user meets them: arrays, captions, mistakes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

import conceptbind
from conceptbind.cli import main
from conceptbind.repairs.labclip import load_adapter


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def planted(n=400, d=32, binds=True, seed=0):
    """Pictures, captions and swaps: concepts agree, objects are hidden by a rotation, or the
    captions have none.
    """
    rng = np.random.default_rng(seed)
    colors, nouns, objects = (rng.normal(size=(k, d)) for k in (5, 6, 30))
    hidden = np.linalg.qr(rng.normal(size=(d, d)))[0]
    c, s = (
        rng.permuted(np.tile(np.arange(5), (n, 1)), axis=1)[:, :2],
        rng.permuted(np.tile(np.arange(6), (n, 1)), axis=1)[:, :2],
    )

    def rows(c, text):
        held = objects[c * 6 + s].sum(1)
        held = held @ hidden if text else held
        noise = 0.05 * rng.normal(size=(n, d))
        return unit(
            colors[c].sum(1) + nouns[s].sum(1) + (held if binds or not text else 0) + noise
        ).astype(np.float32)

    return rows(c, False), rows(c, True), rows(c[:, ::-1], True)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")
    for name, rows in zip(("x", "y", "n"), planted(), strict=True):
        np.save(folder / f"{name}.npy", rows)
    return folder


@pytest.fixture(scope="module")
def fixed(arrays):
    out = arrays / "fixed"
    assert run("repair", *three(arrays), "--out", out) == 0
    return out


def three(folder):
    return [
        word
        for option, name in (("images", "x"), ("texts", "y"), ("negatives", "n"))
        for word in (f"--{option}", folder / f"{name}.npy")
    ]


def run(*arguments):
    return main([str(argument) for argument in arguments])


def records(folder):
    return {
        (row["metric"], row["repair"]): row
        for row in json.loads((folder / "results.json").read_text())["records"]
    }


def test_a_hidden_binding_is_repaired_and_everything_is_written(fixed):
    names = {
        "adapter.safetensors",
        "config.json",
        "README.md",
        "report.html",
        "results.json",
        "results.csv",
        "config.yaml",
    }
    assert names <= {path.name for path in fixed.iterdir()}
    rows = records(fixed)
    before, after = rows["binding_accuracy", "none"], rows["binding_accuracy", "HNB"]
    assert before["value"] < 0.7 < 0.9 < after["value"]
    assert rows["binding_gain", "HNB"]["ci_low"] > 0
    assert rows["recall_at_1", "HNB"]["value"] >= rows["recall_at_1", "none"]["value"] - 0.05
    assert {"n", "ties", "ci_low", "ci_high", "split"} <= set(after)
    config = json.loads((fixed / "config.json").read_text())
    assert config["after"]["binding_accuracy"] == after["value"]
    assert config["protocol"] == "HNB"
    assert "brings the binding accuracy from" in (fixed / "README.md").read_text()


def test_what_the_captions_have_lost_is_not_repaired_and_said_so(tmp_path, capsys):
    for name, rows in zip(("x", "y", "n"), planted(binds=False), strict=True):
        np.save(tmp_path / f"{name}.npy", rows)
    assert run("repair", *three(tmp_path), "--out", tmp_path / "out") == 0
    assert records(tmp_path / "out")["binding_accuracy", "HNB"]["value"] < 0.65
    assert "does not help" in capsys.readouterr().out
    np.testing.assert_array_equal(load_adapter(tmp_path / "out").weight, np.eye(32))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["pull"], config["recommended"]) == (0.0, False)
    assert config["after"] == config["before"]


def test_apply_is_the_plain_matrix_product(fixed, arrays, tmp_path):
    out = tmp_path / "mapped.npy"
    assert run("apply", fixed, "--texts", arrays / "y.npy", "--out", out) == 0
    y = np.load(arrays / "y.npy")
    np.testing.assert_allclose(np.load(out), unit(y @ load_adapter(fixed).weight.T), atol=1e-6)


def test_apply_replaces_arrays_only_and_never_what_it_reads(fixed, arrays, tmp_path, capsys):
    def applied(texts, out):
        return run("apply", fixed, "--texts", texts, "--out", out)

    rows = tmp_path / "y.npy"
    rows.write_bytes((arrays / "y.npy").read_bytes())
    (tmp_path / "link.npy").symlink_to("y.npy")
    for same in (rows, tmp_path / "link.npy"):
        assert applied(rows, same) == 2
        assert "is what --texts reads" in capsys.readouterr().err
    assert rows.read_bytes() == (arrays / "y.npy").read_bytes()
    (tmp_path / "mine.npy").write_text("notes")
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    (tmp_path / "folder.npy").mkdir()
    for name, message in (
        ("mine", "would be lost"),
        ("loop", "could not write"),
        ("folder", "it is a folder"),
    ):
        assert applied(rows, tmp_path / f"{name}.npy") == 2
        assert message in capsys.readouterr().err
    assert (tmp_path / "mine.npy").read_text() == "notes"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.npy").symlink_to("elsewhere/there.npy")
    for _ in range(2):  # a link stays, and an array of an earlier start is replaced
        assert applied(rows, tmp_path / "out.npy") == 0
        assert (tmp_path / "out.npy").is_symlink()
        assert np.load(tmp_path / "elsewhere" / "there.npy").shape == np.load(rows).shape


def test_apply_reads_a_published_adapter(shared_data, tmp_path):
    import torch

    path = shared_data / "labclip_coco_neg_B32.pt"
    rows = np.random.default_rng(0).normal(size=(20, 512)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    assert run("apply", path, "--texts", tmp_path / "rows.npy", "--out", tmp_path / "out.npy") == 0
    weight = torch.load(path, weights_only=True, map_location="cpu")["linear.weight"]
    expected = torch.nn.functional.normalize(torch.from_numpy(rows) @ weight.T, dim=1).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=2e-6)


def test_config_runs_again_to_the_same_numbers(fixed, tmp_path):
    assert run("repair", "--config", fixed / "config.yaml", "--out", tmp_path / "again") == 0
    assert records(tmp_path / "again") == records(fixed)
    np.testing.assert_array_equal(
        load_adapter(tmp_path / "again").weight, load_adapter(fixed).weight
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("always:.*no hard negative")
def test_captions_get_negatives_and_what_has_none_is_counted(tmp_path, capsys):
    pytest.importorskip("HanTa")
    colors, things, places = (
        ("red", "blue", "green", "black"),
        ("car", "bus", "dog", "chair"),
        ("street", "garden", "house"),
    )
    lines = [
        f"a {a} {x} beside a {b} {y} in the {place}"
        for a in colors
        for b in colors
        for x in things
        for y in things
        for place in places
        if a != b and x < y
    ]
    lines = [*lines[::3], "it rains"]
    (tmp_path / "captions.txt").write_text("\n".join(lines))
    encoder = conceptbind.resolve("minilm")
    np.save(tmp_path / "x.npy", encoder.encode_texts(lines))
    arguments = (
        "repair",
        "minilm",
        "--images",
        tmp_path / "x.npy",
        "--captions",
        tmp_path / "captions.txt",
        "--tagger",
        "hanta",
    )
    assert run(*arguments, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert "1 of" in printed.err
    assert "no hard negative" in printed.err
    provenance = json.loads((tmp_path / "out" / "results.json").read_text())["provenance"]
    assert provenance["data"]["tagger"].startswith("hanta")
    assert sum(provenance["data"]["skipped"].values()) == 1
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["encoder"], config["revision"]) == (encoder.id, encoder.revision)
    rows = conceptbind.load_scenes("text20:2x2")
    conceptbind.embed("tiny", out=str(tmp_path / "tiny"), modality="text")
    assert len(rows) == 16
    # another encoder's captions
    assert (
        run("apply", tmp_path / "out", "--texts", tmp_path / "tiny", "--out", tmp_path / "o.npy")
        == 2
    )
    message = capsys.readouterr().err
    assert "minilm" in message
    assert "tiny" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--texts": "short"}, r"--texts has shape \(10, 32\), --negatives \(400, 32\)"),
        (
            {"--negatives": "y"},
            "400 of 400 rows cannot be used .400 times the negative equals the caption; the first "
            "at index 0",
        ),
        ({"--image_of": "of"}, "image_of must give one whole number"),
        ({"--texts": "zero"}, "row index 3 of --texts is all zeros"),
        ({"--texts": "nan"}, "row index 4 of --texts holds NaN"),
        ({"--texts": "rows.pkl"}, "can execute code"),
        ({"--texts": "absent"}, "could not read"),
        ({"--pull": "2"}, "--pull must lie between 0"),
        ({"--negatives": "wide"}, "one negative of the same width"),
    ],
)
def test_mistakes_get_one_message_and_leave_nothing(arrays, tmp_path, capsys, change, message):
    y = np.load(arrays / "y.npy")
    for name, rows in {
        "short": y[:10],
        "zero": y * (np.arange(len(y)) != 3)[:, None],
        "wide": np.column_stack([y, y]),
    }.items():
        np.save(tmp_path / f"{name}.npy", rows)
    y[4, 1] = np.nan
    np.save(tmp_path / "nan.npy", y)
    np.save(tmp_path / "of.npy", np.arange(len(y)) + 1)
    np.save(tmp_path / "y.npy", np.load(arrays / "y.npy"))
    (tmp_path / "rows.pkl").write_bytes(b"")
    options = dict(zip(three(arrays)[::2], three(arrays)[1::2], strict=True))
    options |= {
        key: value if key == "--pull" else tmp_path / (value if "." in value else f"{value}.npy")
        for key, value in change.items()
    }
    out = tmp_path / "out"
    assert run("repair", *[word for pair in options.items() for word in pair], "--out", out) == 2
    error = capsys.readouterr().err
    import re

    assert re.search(message, error), error
    assert "Traceback" not in error
    assert not out.exists()


@pytest.mark.slow
def test_other_captions_of_a_picture_are_no_wrong_answers(tmp_path):
    x, y, n = planted(120)
    rng = np.random.default_rng(1)
    of = np.repeat(np.arange(120), 5)
    for name, rows in (("x", x), ("y", y[of]), ("n", n[of])):
        jitter = 0 if name == "x" else 0.01 * rng.normal(size=rows.shape)
        np.save(tmp_path / f"{name}.npy", (rows + jitter).astype(np.float32))
    np.save(tmp_path / "of.npy", of)
    assert (
        run(
            "repair", *three(tmp_path), "--image_of", tmp_path / "of.npy", "--out", tmp_path / "out"
        )
        == 0
    )
    # 0.2 where the other four count against the fifth
    assert records(tmp_path / "out")["recall_at_1", "HNB"]["value"] > 0.9
    np.save(tmp_path / "of.npy", of.astype(float))
    assert (
        run(
            "repair",
            *three(tmp_path),
            "--image_of",
            tmp_path / "of.npy",
            "--out",
            tmp_path / "other",
        )
        == 2
    )


def test_other_mistakes(arrays, fixed, tmp_path, capsys):
    for arguments, message in (
        (("repair", "--images", arrays / "x.npy", "--out", tmp_path / "o"), "either as --texts"),
        (
            ("repair", "minilm", "--side", "text", "--out", tmp_path / "o"),
            "'minilm' encodes text, not image",
        ),
        (("repair", "--out", tmp_path / "o"), "needs an encoder and --scenes"),
        (("repair", *three(arrays), "--seed", "1", "--out", fixed), "another run (seed: "),
        (
            ("repair", *three(arrays), "--seed=-1", "--out", tmp_path / "o"),
            "--seed must be a whole number from 0",
        ),
        (
            ("apply", fixed, "--texts", arrays / "y.npy", "--out", tmp_path / "o.txt"),
            "must be a .npy file",
        ),
        (
            ("apply", tmp_path, "--texts", arrays / "y.npy", "--out", tmp_path / "o.npy"),
            "is not an adapter",
        ),
    ):
        assert run(*arguments) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_the_python_function_is_the_same(arrays, fixed, tmp_path):
    found = conceptbind.repair(
        images=str(arrays / "x.npy"),
        texts=str(arrays / "y.npy"),
        negatives=str(arrays / "n.npy"),
        out=str(tmp_path / "python"),
    )
    np.testing.assert_array_equal(found.adapter.weight, load_adapter(fixed).weight)
    assert "binding accuracy" in str(found)
    assert yaml.safe_load((fixed / "config.yaml").read_text())["solver"] == "quick"
