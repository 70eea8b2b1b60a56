"""Which records a benchmark will have is known before anything is embedded."""

from __future__ import annotations

import pytest

from benchmarks.test_orders_places_classes import orders  # noqa: F401
from benchmarks.test_paraphrases import PICTURES, karpathy
from benchmarks.test_triplets import five  # noqa: F401
from conceptbind.benchmarks import Making, evaluate_benchmark, read_benchmark
from conceptbind.benchmarks.evaluate import look_at_benchmark
from conceptbind.benchmarks.promised import promised_records
from conceptbind.cli import main
from known_vectors import by_name


def names(records):
    return {(r.metric, r.split, r["protocol"], r.modality, r.scenes) for r in records}


def promised_and_found(name, folder, place):
    making = Making(place / "made", tagger="hanta")
    looked = look_at_benchmark(name, folder, making)
    data = read_benchmark(name, folder, making)
    encoder = by_name()
    encoder.texts = lambda text: [1.0, 0.0, 0.0, 0.0]
    found = evaluate_benchmark(encoder, name, data, place / "kept")
    own = found.where(control="none", repair="none")
    return looked, names(promised_records(encoder, name, looked, folder)), names(own)


def test_orders_before_their_negatives_are_drawn(orders, tmp_path):  # noqa: F811
    looked, promised, found = promised_and_found("coco_order", orders, tmp_path)
    assert looked is None
    assert promised >= found
    assert {split for _, split, *_ in promised} > {"all"}


def test_paraphrases_before_their_negatives_are_drawn(tmp_path):
    karpathy(tmp_path, PICTURES)
    looked, promised, found = promised_and_found("paraphrases", tmp_path, tmp_path)
    assert looked is None
    assert promised == found


def test_items_that_are_read_promise_their_records(five, tmp_path):  # noqa: F811
    looked, promised, found = promised_and_found("triplets", five, tmp_path)
    assert looked is not None
    assert promised == found


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("within.text.mien>=20%", "no record of within has the word 'mien'; did you mean 'mine'"),
        ("paraphrase_accuracy.tripletts>=0", "has the word 'tripletts'; did you mean 'triplets'"),
        ("paraphrase_accuracy.image>=0", "has the word 'image'"),
        ("accuracy.triplets>=0", "these benchmarks have no accuracy; known: paraphrase_accuracy"),
    ],
)
def test_evaluate_refuses_words_of_no_record_before_the_work(
    five,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
    wanted,
    message,
):
    monkeypatch.chdir(tmp_path)
    asked = ["evaluate", "tiny", "--data", str(five), "--benchmark", "triplets", "--out", "run"]
    monkeypatch.setattr("conceptbind.commands.evaluating._unreadable", lambda *_: None)
    assert main([*asked, "--require", wanted]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
