"""`conceptbind repair --method`: one other repair, or all of them, as a user meets them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import conceptbind
from browsing import assert_fits, in_browser
from conceptbind.core.names import Metric
from conceptbind.repairs.labclip import load_adapter
from repairs.laboratory import planted_truths as truths
from repairs.test_repair_command import run, three


def write(folder, arrays):
    for name, rows in zip(("x", "y", "n"), arrays, strict=True):
        np.save(folder / f"{name}.npy", rows)
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return write(tmp_path_factory.mktemp("given"), truths.turned(150))


@pytest.fixture(scope="module")
def turned(given):
    out = given / "out"
    assert run("repair", *three(given), "--method", "procrustes", "--out", out) == 0
    return out


def test_one_method_is_fitted_and_written(turned, given):
    results = json.loads((turned / "results.json").read_text())
    assert {row["study"] for row in results["records"]} == {"laboratory"}
    (verdict,) = results["verdicts"]
    assert verdict["repairs"] is True
    assert "Rotation (Procrustes) helps, with 120 numbers." in verdict["sentence"]
    adapter = load_adapter(turned)
    config = adapter.config
    assert (config["protocol"], config["recommended"], config["folds"]) == ("procrustes", True, 5)
    card = (turned / "README.md").read_text()
    assert "| captions | 1 | 120 |" in card
    assert verdict["sentence"] in card
    assert not (turned / "failures.csv").exists()
    assert "Which repair mends the binding" in (turned / "report.html").read_text()


@in_browser
def test_its_page_fits_every_screen(turned, browser):
    assert_fits(browser, turned / "report.html")


def test_apply_takes_what_was_written(turned, given, tmp_path):
    mapped = tmp_path / "mapped.npy"
    assert run("apply", turned, "--texts", given / "y.npy", "--out", mapped) == 0
    adapter = load_adapter(turned)
    np.testing.assert_allclose(np.load(mapped), adapter(np.load(given / "y.npy")), atol=1e-6)
    assert not np.allclose(adapter.weight, np.eye(16))


def test_the_table_and_the_sentence_are_printed(given, tmp_path, capsys):
    assert run("repair", *three(given), "--method", "ridge", "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "ridge regression *  captions          1      256" in shown
    assert "* recommended" in shown
    assert "Failures" not in shown


def test_where_nothing_can_be_repaired_the_identity_is_written(tmp_path, capsys):
    write(tmp_path, truths.bag(150))
    assert run("repair", *three(tmp_path), "--method", "ridge", "--out", tmp_path / "out") == 0
    assert (
        "Ridge regression is not recommended: the binding accuracy stays at"
        in capsys.readouterr().out
    )
    np.testing.assert_array_equal(load_adapter(tmp_path / "out").weight, np.eye(16))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "rigde"), "ridge"),
        (
            ("--method", "ridge", "--solver", "published"),
            "--solver is of --method HNB, and --method ridge was asked for; leave one of them out",
        ),
        (
            ("--method", "laboratory", "--rate", "0.1", "--epochs", "3"),
            "--rate, --epochs is of --method HNB",
        ),
    ],
)
def test_mistakes_get_one_message_and_leave_nothing(given, tmp_path, capsys, words, message):
    out = tmp_path / "out"
    assert run("repair", *three(given), *words, "--out", out) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not out.exists()


def test_a_method_of_negatives_is_refused_without(given, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("repair", *three(given)[:4], "--method", "erasure", "--out", out) == 2
    assert (
        "erasure needs negatives, and there are none; give --negatives" in capsys.readouterr().err
    )
    assert not out.exists()


@pytest.mark.slow
def test_the_laboratory_compares_all_and_writes_the_one_it_recommends(given, tmp_path):
    paths = dict(zip(("images", "texts", "negatives"), ("x", "y", "n"), strict=True))
    asked = {name: given / f"{file}.npy" for name, file in paths.items()}
    found = conceptbind.repair(**asked, method="laboratory", out=tmp_path / "out")
    own = found.records.where(metric=Metric.BINDING_ACCURACY)
    assert set(own.distinct("repair")) == {
        *("none", "SB", "HNB", "ridge", "procrustes", "cca"),
        *("low_rank", "diagonal", "erasure", "two_layer"),
    }
    assert set(own.distinct("side")) == {"text", "image", "both"}
    (best,) = own.where(recommended=True)
    assert found.adapter.config["protocol"] == best.repair
    assert "Hard negatives are not needed here" in found.sentence


@pytest.mark.slow
def test_an_encoder_and_scenes_too(tmp_path):
    found = conceptbind.repair("tiny", method="procrustes", out=tmp_path / "out")
    (record,) = found.records.where(
        metric=Metric.BINDING_ACCURACY, repair="procrustes", control="none"
    )
    assert record.value > 0.95
    twin = found.records.where(metric=Metric.BINDING_GAIN, control="bag_twin")
    assert twin[0].value < 0.2
