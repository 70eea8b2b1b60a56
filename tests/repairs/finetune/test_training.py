"""Fine-tuning binds new combinations, repeats itself, never ends below its start, and leaves the
encoder alone.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from conceptbind.core.errors import FileError, ModalityError, UnknownNameError, ValueRangeError
from conceptbind.core.typing import Encoder
from conceptbind.encoders import resolve
from conceptbind.encoders.dual import DualEncoder
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.finetune import finetune
from conceptbind.repairs.finetune.pixels import Pixels
from conceptbind.repairs.finetune.towers import text_rows, trainable_copy

QUICK = {"epochs": 1, "batch": 32}


def rows_of(encoder, flat, n=6):
    return encoder.encode_texts(flat.captions[:n]), encoder.encode_images(
        [read_picture(path) for path in flat.paths[:n]]
    )


def equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.fixture(scope="module")
def tiny():
    return resolve("tiny", device="cpu")


@pytest.fixture(scope="module")
def tuned(tiny, flat):
    return finetune(tiny, *flat.arguments(), **flat.options(), epochs=3)


def test_unseen_combinations_are_bound(tiny, tuned, flat):
    before, after = flat.binding(tiny), flat.binding(tuned.encoder)
    assert before < 0.9  # there is something to gain
    assert after > before + 0.3 * (1 - before)
    assert after > 0.8
    assert tuned.helps


def test_validation_chooses_among_the_start_and_every_epoch(tuned):
    assert [candidate.epoch for candidate in tuned.candidates] == [0, 1, 2, 3]
    allowed = [c for c in tuned.candidates if c.binding >= tuned.candidates[0].binding]
    assert tuned.chosen == min(allowed, key=lambda candidate: candidate.loss)
    assert tuned.config["chosen_epoch"] == tuned.chosen.epoch


def test_the_start_is_judged_as_the_encoder_is(tiny, tuned, flat):
    rows = flat.parts["validation"]
    x = tiny.encode_images([read_picture(flat.paths[flat.ids["image_of"][i]]) for i in rows])
    y, z = (
        tiny.encode_texts([texts[i] for i in rows]) for texts in (flat.captions, flat.negatives)
    )
    x, y, z = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (x, y, z))
    assert tuned.candidates[0].binding == pytest.approx(
        ((x * y).sum(1) > (x * z).sum(1)).mean(), abs=0.02
    )


def test_the_encoder_it_started_from_stays_as_it_is(tiny, tuned, flat):
    fresh = resolve("tiny", device="cpu")
    assert equal(rows_of(tiny, flat), rows_of(fresh, flat))
    assert not equal(rows_of(tuned.encoder, flat), rows_of(fresh, flat))
    assert isinstance(tuned.encoder, Encoder)
    assert tuned.encoder.id == "tiny (fine-tuned)" and tiny.id == "tiny"
    assert tuned.encoder.revision not in (tiny.revision, "")
    assert tuned.config["revision"] == tiny.revision


def test_a_seed_fixes_everything_and_another_changes_it(tiny, flat):
    steps = []
    common = {**flat.options(), **QUICK}
    torch.manual_seed(1)
    one = finetune(
        tiny, *flat.arguments(), **common, on_step=lambda done, total: steps.append((done, total))
    )
    torch.manual_seed(2)
    state = torch.get_rng_state()
    two = finetune(tiny, *flat.arguments(), **common)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are not used up
    other = finetune(tiny, *flat.arguments(), **common, seed=1)
    assert one.candidates == two.candidates and one.encoder.revision == two.encoder.revision
    assert equal(rows_of(one.encoder, flat), rows_of(two.encoder, flat))
    assert one.encoder.revision != other.encoder.revision
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]


@pytest.mark.parametrize(
    "options", [{"rate": 0.0}, {"rate": 1e6}, {"rate": 1e30, "optimiser": "sgd"}], ids=str
)
def test_a_training_that_helps_nothing_returns_the_start(tiny, flat, options):
    result = finetune(tiny, *flat.arguments(), **flat.options(), **QUICK, **options)
    assert result.chosen.epoch == 0 and not result.helps
    assert equal(rows_of(result.encoder, flat), rows_of(tiny, flat))


def test_sgd_as_published_lowers_the_loss(tiny, flat):
    result = finetune(tiny, *flat.arguments(), **flat.options(), **QUICK, optimiser="sgd")
    assert result.candidates[1].loss < result.candidates[0].loss
    assert result.config["optimiser"] == "sgd"


def test_towers_in_training_compute_what_encoding_does(tiny, flat):
    model = trainable_copy(tiny)
    texts = ["a red square", "a blue circle and a red square", "red", "a green circle"]
    with torch.no_grad():
        np.testing.assert_allclose(
            text_rows(model, model.tokens(texts)).numpy(), tiny.encode_texts(texts), atol=1e-5
        )
        pictures = [read_picture(path) for path in flat.paths[:3]]
        np.testing.assert_allclose(
            model.image_features(model.pixels(pictures)).numpy(),
            tiny.encode_images(pictures),
            atol=1e-5,
        )
    assert text_rows(model, model.tokens(texts)).requires_grad


def test_pictures_that_do_not_fit_in_memory_are_read_again(tiny, flat, monkeypatch):
    from conceptbind.repairs.finetune import pixels
    from conceptbind.repairs.finetune.data import Captioned

    model, data = (
        trainable_copy(tiny),
        Captioned.of(*flat.arguments(), image_of=flat.ids["image_of"]),
    )
    batches = [np.array([3, 1]), np.array([1, 5, 3, 0])]
    kept, few = Pixels(model, data.open), Pixels(model, data.open)
    expected = [kept(rows) for rows in batches]
    monkeypatch.setattr(pixels, "KEPT_BYTES", 2 * expected[0][0].numel() * 4)
    for rows, values in zip(batches, expected, strict=True):
        assert torch.equal(few(rows), values)
    assert (len(kept._kept), len(few._kept)) == (4, 2)


def test_it_is_saved_as_a_model_folder(tiny, tuned, flat, tmp_path):
    tuned.save(tmp_path / "new" / "model")
    folder = tmp_path / "new" / "model"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    again = DualEncoder(folder, "mine")
    assert equal(rows_of(again, flat), rows_of(tuned.encoder, flat))
    assert again.revision != tiny.revision
    assert json.loads((folder / "finetune.json").read_text())["encoder"] == "tiny"
    assert "tiny (fine-tuned)" in (folder / "README.md").read_text()
    with pytest.raises(FileError, match="is not empty; choose a new folder"):
        tuned.save(folder)
    pytest.importorskip("transformers")
    theirs = resolve(f"hf:{folder}", device="cpu")
    np.testing.assert_allclose(
        theirs.encode_texts(flat.captions[:6]),
        tuned.encoder.encode_texts(flat.captions[:6]),
        atol=2e-5,
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"optimiser": "adam"}, UnknownNameError, "unknown optimiser 'adam'; did you mean 'adamw'"),
        ({"rate": -1.0}, ValueRangeError, "rate must be at least 0; got -1.0"),
        ({"rate": float("nan")}, ValueRangeError, "rate must be at least 0; got nan"),
        ({"batch": 1}, ValueRangeError, "batch must be at least 2; got 1"),
        ({"epochs": 0}, ValueRangeError, "epochs must be at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_refused(tiny, flat, options, error, message):
    with pytest.raises(error, match=message):
        finetune(tiny, *flat.arguments(), **flat.options(), **options)


def test_an_encoder_without_weights_to_train_is_refused(flat):
    class Own:
        id, revision, dimension, modalities = "py:own:make", "1", 4, ("text", "image")

    with pytest.raises(
        ModalityError,
        match="'py:own:make' cannot be fine-tuned: expected .* tiny, tiny-bound, tiny-bag, or "
        "hf:NAME",
    ):
        finetune(Own(), *flat.arguments(), **flat.options())
