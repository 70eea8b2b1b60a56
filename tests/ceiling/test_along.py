"""An encoder trained along with its classifiers: one that can learn to bind does, one whose
architecture is a bag of words does not, whatever is trained.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import conceptbind
from conceptbind.ceiling.along import along_study, train_along
from conceptbind.ceiling.along import study as room
from conceptbind.ceiling.along.answer import Along
from conceptbind.ceiling.along.study import FROZEN, TRAINED, AlongStudy
from conceptbind.ceiling.along.training import (
    Epoch,
    Inputs,
    _frozen,
    accuracy,
    stored_pictures,
)
from conceptbind.ceiling.along.words import along_section, along_sentence
from conceptbind.core.errors import ModalityError, ValueRangeError
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.metrics.cosines import unit_rows
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, split_scenes, text20
from conceptbind.scenes.readers.factors import read_dsprites
from conceptbind.within.attributes import FRACTIONS, attribute_study
from factor_files import dsprites_arrays, write_dsprites

SCENES = text20(5, 4)
WORDS = sorted({word for row in range(len(SCENES)) for word in SCENES.caption(row).split()})


class Planted:
    """Vectors of words, and products of neighbours under a gate, added. The gate begins closed, so
    that the encoder is a bag of words; `opens` lets it learn.
    """

    id, revision, dimension, modalities = "planted", "1", 64, ("text",)

    def __init__(self, *, opens: bool) -> None:
        self.module = torch.nn.Module()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for name in ("words", "first", "second"):
                vectors = torch.nn.Parameter(torch.randn(len(WORDS), self.dimension))
                self.module.register_parameter(name, vectors)
        gate = torch.zeros(self.dimension)
        self.module.gate = torch.nn.Parameter(gate) if opens else gate

    def trainable(self, modality=None):
        return copy.deepcopy(self)

    def tokens(self, texts):
        return [[WORDS.index(word) for word in text.split()] for text in texts]

    def text_features(self, ids):
        part = self.module
        products = part.first[ids[:, :-1]] * part.second[ids[:, 1:]]
        return part.words[ids].sum(dim=1) + part.gate * products.sum(dim=1)

    def encode_texts(self, texts):
        with torch.no_grad():
            return self.text_features(torch.tensor(self.tokens(texts))).numpy()


def embedded(encoder):
    captions = [SCENES.caption(row) for row in range(len(SCENES))]
    rows = encoder.encode_texts(captions).astype(np.float32)
    return Embeddings(rows, "text", SCENES.content_hash, SCENES.name, encoder.id, "1")


def study(encoder, **options):
    asked = {"epochs": 12, "rate": 1e-2, **options}
    return along_study(encoder, embedded(encoder), SCENES, **asked)


@pytest.fixture(scope="module")
def learned():
    encoder = Planted(opens=True)
    before = embedded(encoder).values
    found = study(encoder)
    np.testing.assert_array_equal(embedded(encoder).values, before)  # the encoder stays as it is
    return found


def test_an_encoder_that_can_learn_to_bind_does(learned):
    before, after = (learned.value(weights, "adjective") for weights in (FROZEN, TRAINED))
    assert before.value < 0.8  # a bag of words, which guesses among two
    assert after.value > 0.95
    assert learned.gain("adjective").ci_low > 0.1
    assert learned.trained.helps and learned.trained.chosen.epoch > 0
    assert "can hold more" in along_sentence(learned)[0]


def test_an_architecture_that_is_a_bag_of_words_learns_nothing_from_training():
    found = study(Planted(opens=False), epochs=6)
    after, bag = found.value(TRAINED, "adjective"), found.bag("adjective")
    assert after.value < 0.8
    assert after.value == pytest.approx(bag.value, abs=0.15)
    gains = found.records.where(metric=Metric.ATTRIBUTE_GAIN)
    assert bool(gains) == found.trained.helps
    assert all(gain.ci_low <= 0 for gain in gains)
    assert "can hold more" not in along_sentence(found)[0]


def test_the_frozen_side_is_the_classifier_of_a_noun_on_the_same_scenes(learned):
    """By the study of level 1, which fits and scores them by itself."""
    expected = attribute_study(embedded(Planted(opens=True)), SCENES).records
    for control, mine in (
        (Control.NONE, learned.value(FROZEN, "adjective")),
        (Control.BAG_OF_CONCEPTS, learned.bag("adjective")),
    ):
        (theirs,) = expected.where(control=control, noun=None)
        assert (mine.value, mine.n, mine.ci_low) == (theirs.value, theirs.n, theirs.ci_low)


def test_the_trained_side_is_what_the_trained_model_recognises(learned):
    """The weights again, applied to captions of the model as it is now."""
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    rows = embedded(learned.trained.model).unit().values[split.test]
    again = accuracy(learned.trained.trained, rows, SCENES, split.test)
    assert again == pytest.approx(learned.value(TRAINED, "adjective").value, abs=0.005)


def test_one_seed_gives_one_training():
    one, other = (
        study(Planted(opens=True), epochs=2, seed=1).trained.trained[0, 0] for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(
        one, study(Planted(opens=True), epochs=2, seed=2).trained.trained[0, 0]
    )


def test_what_is_all_right_is_not_trained():
    """Object codes: every attribute is there, and no epoch could be better."""
    codes = np.random.default_rng(0).normal(size=(SCENES.space.n_objects, 64))
    values = codes[SCENES.objects].sum(axis=1).astype(np.float32)
    rows = Embeddings(values, "text", SCENES.content_hash, SCENES.name, "codes", "1")
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    found = train_along(Planted(opens=True), rows, SCENES, split)
    assert found.epochs == (Epoch(0, 1.0),)
    assert not found.helps
    assert found.trained is found.frozen


def test_large_parts_are_sampled(monkeypatch):
    monkeypatch.setattr(room, "MOST_TEST", 10)
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    some = room._few(split, 0)
    assert len(some.test) == 10 and set(some.test) <= set(split.test)
    np.testing.assert_array_equal(some.train, split.train)


def test_a_training_that_runs_away_leaves_the_encoder_as_it_was():
    found = study(Planted(opens=True), epochs=2, rate=1e30)
    assert found.trained.chosen.epoch == 0
    one, other = (found.value(weights, "adjective") for weights in (FROZEN, TRAINED))
    assert one.value == other.value
    assert not found.records.where(metric=Metric.ATTRIBUTE_GAIN)  # nothing was changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"batch": 1}, "batch must be at least 2; got 1"),
        ({"rate": 0.0}, "rate must be above 0 and finite; got 0.0"),
        ({"rate": float("nan")}, "rate must be above 0 and finite; got nan"),
    ],
)
def test_what_cannot_be_is_named(options, said):
    with pytest.raises(ValueRangeError, match=said):
        study(Planted(opens=True), **options)


def test_pictures_that_are_not_there_are_named():
    rows = embedded(Planted(opens=True))
    pictures = Embeddings(rows.values, "image", rows.scenes_hash, rows.scenes_name, "planted", "1")
    with pytest.raises(ModalityError, match="have no pictures"):
        along_study(Planted(opens=True), pictures, SCENES)


def test_pictures_come_straight_from_an_array_file(tmp_path):
    scenes = read_dsprites(write_dsprites(tmp_path / "few.npz"))
    rows = np.array([9, 2, 40])
    found = stored_pictures(scenes, rows)
    assert set(found) == set(rows)
    expected = dsprites_arrays()["imgs"][2] * 255
    np.testing.assert_array_equal(np.asarray(found[2])[:, :, 0], expected)
    seen = []

    class Reads:
        module = torch.nn.Linear(1, 1)

        def pixels(self, pictures):
            seen.extend(pictures)
            return torch.zeros(len(pictures), 2)

        def image_features(self, pixels):
            return pixels

    assert Inputs(Reads(), scenes, "image", rows)(rows[1:]).shape == (2, 2)
    np.testing.assert_array_equal(np.asarray(seen[0])[:, :, 0], expected)


def test_pictures_that_do_not_fit_into_memory_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("conceptbind.ceiling.along.training.STORED_BYTES", 100)
    scenes = read_dsprites(write_dsprites(tmp_path / "few.npz"))
    with pytest.raises(ValueRangeError, match="pictures of 2 scenes of 'dsprites' take"):
        stored_pictures(scenes, np.arange(2))


def test_an_attribute_of_one_value_is_not_asked_for():
    """The colour of dSprites, of which nothing could be scored."""
    space = ConceptSpace(("shade", "color", "shape"), (("dark",), tuple("abc"), tuple("xyz")))
    scenes = full_grid(space, 2)
    unit = unit_rows(np.random.default_rng(0).normal(size=(len(scenes), 8)))
    asked = _frozen(unit, scenes, split_scenes(scenes, "orbit", fractions=FRACTIONS))
    assert {concept for concept, _ in asked} == {1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"along_epochs": 0}, "along_epochs must be at least 1; got 0"),
        ({"along_rate": float("nan")}, "along_rate must be above 0 and finite; got nan"),
    ],
)
def test_the_command_names_its_own_options(tmp_path, options, said):
    with pytest.raises(ValueRangeError, match=said):
        conceptbind.measure("tiny", studies="trained_along", out=tmp_path / "run", **options)


# What is said


def told(value, interval, *, weights=TRAINED, control="none", n=50, metric="recognition"):
    own = {"study": "trained_along", "modality": "text", "concept": "color", "weights": weights}
    own |= {"metric": f"attribute_{metric}", "value": value, "n": n, "ties": 0}
    low, high = interval
    return Record.of(
        **own, ci_low=low, ci_high=high, split="test", scenes="s", encoder="e", control=control
    )


def made(learned, before, after, gain, *, bag=0.6, n=50, chosen=3):
    records = Records(
        [
            told(before, (before - 0.1, min(1, before + 0.1)), weights=FROZEN, n=n),
            told(after, (after - 0.1, min(1, after + 0.1)), n=n),
            told(bag, (bag - 0.1, bag + 0.1), weights=FROZEN, control="bag_of_concepts", n=n),
            told(after - before, gain, metric="gain", n=n),
        ]
    )
    from dataclasses import replace

    epoch = Epoch(chosen, 1.0 if chosen < 0 else 0.5)
    trained = replace(learned.trained, chosen=replace(epoch, epoch=max(0, chosen)))
    return AlongStudy("text", records, trained)


@pytest.mark.parametrize(
    ("before", "after", "gain", "options", "said"),
    [
        (0.6, 0.9, (0.1, 0.5), {}, "So the architecture can hold more than they do"),
        (0.6, 0.9, (0.0, 0.5), {}, "Whether training adds anything cannot be judged"),
        (0.6, 0.9, (None, None), {}, "Whether training adds anything cannot be judged"),
        (0.9, 0.6, (-0.5, -0.1), {}, "it is worse on new combinations"),
        (0.3, 0.6, (0.1, 0.5), {}, "not clearly above a bag of concepts"),
        (0.6, 0.9, (0.1, 0.5), {"n": 19}, "cannot be judged: 19 nouns in test scenes"),
        (0.6, 0.6, (0.0, 0.0), {"chosen": 0}, "on validation nothing is better"),
        (1.0, 1.0, (0.0, 0.0), {"chosen": -1}, "on validation all is right already"),
    ],
)
def test_the_sentence_claims_what_was_measured(learned, before, after, gain, options, said):
    (sentence,) = along_sentence(made(learned, before, after, gain, **options))
    assert said in sentence
    if options.get("n", 50) == 50:
        assert "n = 50" in sentence and "a bag of concepts: 60.0 %" in sentence


def test_the_section_has_both_weights_and_every_epoch(learned):
    shown = str(along_section(learned).data)
    assert "trained" in shown and "frozen" in shown
    assert f"Chosen: {learned.trained.chosen.epoch}." in shown


class Case:
    """What `applies` looks at."""

    def __init__(self, encoder, table=SCENES):
        self.encoder, self.table = encoder, table
        self.source = type("Source", (), {"id": "e"})()


def test_it_says_why_it_does_not_apply():
    assert "rows cannot be trained" in Along().applies(Case(None))
    assert "'e' cannot be trained" in Along().applies(Case(object()))
    alone = Scenes(ConceptSpace(("shape",), (("square", "circle"),)), np.array([[[0], [1]]]))
    assert "one concept only" in Along().applies(Case(Planted(opens=True), alone))
    one = ConceptSpace(("color", "shape"), (("white",), ("square", "circle")))
    plain = Scenes(one, np.array([[[0, 0]], [[0, 1]]]))
    assert "no attribute has two values" in Along().applies(Case(Planted(opens=True), plain))
    assert Along().applies(Case(Planted(opens=True))) is None


@pytest.mark.slow
def test_the_command_trains_both_towers_of_a_small_encoder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colours, shapes = ("red", "blue", "green", "yellow"), ("square", "circle", "triangle")
    space = ConceptSpace(("color", "shape"), (colours, shapes))
    scenes = full_grid(space, 2, name="few")
    from conceptbind.pictures import draw_pictures

    drawn = draw_pictures(scenes, tmp_path / "pictures")
    asked = {"scenes": drawn, "studies": "trained_along", "along_epochs": 2, "flip": True}
    run = conceptbind.measure("tiny-bag", out=tmp_path / "run", **asked)
    mine = run.records.where(metric=Metric.ATTRIBUTE_RECOGNITION, control=Control.NONE)
    kinds = {(one.modality, one["weights"]) for one in mine}
    assert kinds == {(m, w) for m in ("text", "image") for w in (FROZEN, TRAINED)}
    assert all(one.n >= 20 for one in mine)
    frozen = conceptbind.measure(
        "tiny-bag", scenes=drawn, studies="attribute_probe", out=tmp_path / "other"
    )
    for one in mine.where(weights=FROZEN):
        theirs = frozen.records.one(modality=one.modality, control=Control.NONE, noun=None)
        assert one.value == theirs.value
