"""The study of sums over concepts: planted embeddings with a known answer, its records, sentences
and page.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

import conceptbind
from browsing import assert_fits, in_browser
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Records
from conceptbind.factors import factor_study
from conceptbind.factors.answer import AddUp
from conceptbind.factors.measures import Explained
from conceptbind.factors.study import RAW, SPAN, WHITENED, main_record, mean_recognition
from conceptbind.factors.words import factor_sentences
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import full_grid, split_scenes, text20
from conceptbind.scenes.space import ConceptSpace

SPACE = ConceptSpace(
    ("color", "shape", "size"),
    (tuple("abcdefgh"), tuple("ijklmno"), tuple("pqrstu")),
)
SCENES = full_grid(SPACE, 1)
SPLIT = split_scenes(SCENES)


def codes(noise=0.0, *, joined=False, width=64, seed=0):
    """One random vector per value, added; or one per combination."""
    rng = np.random.default_rng(seed)
    if joined:
        return rng.normal(size=(len(SCENES), width)).astype(np.float32)
    rows = sum(
        rng.normal(size=(size, width))[SCENES.table[:, 0, k]] for k, size in enumerate(SPACE.sizes)
    )
    return (rows + noise * rng.normal(size=rows.shape)).astype(np.float32)


def study_of(rows, scenes=SCENES, **options):
    held = Embeddings(rows, "image", scenes.content_hash, scenes.name, "planted", "1")
    return factor_study(held, scenes, split_scenes(scenes), **options)


@pytest.fixture(scope="module")
def added():
    return study_of(codes(1.0), controls={"random_weights": held(codes(joined=True))})


def held(rows):
    return Embeddings(rows, "image", SCENES.content_hash, SCENES.name, "twin", "1")


def r2(study, form, split="test", **asked):
    return main_record(study.records, Metric.R2, split=split, normalisation=form, **asked).value


def test_a_sum_adds_up_and_whole_combinations_do_not(added):
    assert r2(added, RAW) > 0.6
    assert r2(added, SPAN) > r2(added, RAW)
    for control in (Control.SHUFFLED_LABELS, Control.RANDOM_WEIGHTS):
        for form in (RAW, WHITENED, SPAN):
            assert r2(added, form, control=control) < 0.05
    value, chance, n = mean_recognition(added.records, readout="plain")
    assert value > 0.95
    assert chance == pytest.approx(np.mean([1 / 8, 1 / 7, 1 / 6]))
    assert n == len(SPLIT.test)
    noise = mean_recognition(added.records, readout="plain", control=Control.SHUFFLED_LABELS)
    assert abs(noise[0] - chance) < 0.08


def test_what_was_fitted_flatters_itself_and_is_told_apart():
    study = study_of(codes(joined=True))
    assert r2(study, RAW) < 0.02
    assert r2(study, RAW, "train") > 0.1
    paper = r2(study, RAW, "all", protocol="paper")
    assert 0.03 < paper < r2(study, RAW, "train")
    assert r2(study, WHITENED, "all", protocol="paper") > 0.03


def test_directions_beside_the_level_of_noise(added):
    across = main_record(added.records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    assert across.n == 8 * 7 + 8 * 6 + 7 * 6
    # random vectors of 64 dimensions: sqrt(2 / (pi 64))
    assert across.value == pytest.approx(0.1, abs=0.03)
    pairs = added.records.where(
        metric=Metric.ACROSS_VALUE_COSINE, split="train", control="none", protocol=None
    )
    told = {one["factors"] for one in pairs}
    assert told == {None, "color x shape", "color x size", "shape x size"}
    weights = [8 * 7, 8 * 6, 7 * 6]
    named = [one.value for one in pairs if one["factors"] is not None]
    assert np.average(named, weights=weights) == pytest.approx(across.value)


def test_the_rank_leaves_noise_out(added):
    for name, size in zip(SPACE.concepts, SPACE.sizes, strict=True):
        own = main_record(added.records, Metric.VALUE_RANK, concept=name, split="test")
        assert size - 3 <= own.value <= size - 1


def test_zero_shot_is_the_nearest_caption_of_a_value():
    rows = codes(0.5)
    rng = np.random.default_rng(0)
    vectors = [rng.normal(size=(size, 64)) for size in SPACE.sizes]
    asked = {"color": vectors[0], "shape": rng.normal(size=(7, 64))}
    study = study_of(rows, queries=asked)
    found = {
        one["concept"]: one
        for one in study.records.where(metric=Metric.CONCEPT_RECOGNITION, queries="text")
    }
    assert set(found) == {"color", "shape"}
    assert found["color"].value > 0.6
    assert abs(found["shape"].value - 1 / 7) < 0.15
    unit = rows[SPLIT.test] / np.linalg.norm(rows[SPLIT.test], axis=1, keepdims=True)
    near = (unit @ (vectors[0] / np.linalg.norm(vectors[0], axis=1, keepdims=True)).T).argmax(1)
    assert found["color"].value == np.mean(near == SCENES.table[SPLIT.test, 0, 0])


@pytest.mark.parametrize("unit", [True, False])
def test_rows_that_are_all_the_same_are_refused_in_one_line(unit):
    rows = np.full((len(SCENES), 4), 0.5 if unit else 2.0, np.float32)
    with pytest.raises(ValueRangeError, match="all 336 rows of 'planted' are the same"):
        study_of(rows)
    with pytest.raises(ValueRangeError, match="all 336 rows of 'twin' are the same"):
        study_of(codes(), controls={"random_weights": held(rows)})


def test_train_rows_that_are_all_the_same_have_no_variance():
    with pytest.raises(ValueRangeError, match="no variance to explain"):
        _ = Explained(np.zeros(3), np.zeros(3)).r2


def test_scenes_of_two_objects_have_factors_of_each():
    scenes = text20(4, 4)
    rng = np.random.default_rng(0)
    flat = scenes.table.reshape(len(scenes), -1)
    rows = sum(rng.normal(size=(4, 40))[flat[:, k]] for k in range(4)).astype(np.float32)
    study = study_of(rows, scenes)
    assert study.names == ("adjective 1", "noun 1", "adjective 2", "noun 2")
    assert r2(study, RAW) > 0.9
    across = main_record(study.records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    assert across.n == 4 * 4 * 4  # adjectives of one object with nouns of one, not with adjectives


def test_linearity_and_orthogonality_of_seen_scenes_go_with_what_carries_over():
    """Between a sum and one vector per combination, the more linear a code the more of new
    combinations is recognised.
    """
    linear, carried = [], []
    for share in np.linspace(0, 1, 8):
        rows = (1 - share) * codes() / np.sqrt(3) + share * codes(joined=True, seed=1)
        study = study_of(rows.astype(np.float32))
        linear.append(r2(study, WHITENED, "train"))
        carried.append(mean_recognition(study.records, readout="plain")[0])
    assert spearmanr(linear, carried).statistic > 0.9


def test_the_sentences_say_what_was_measured(added):
    sums, directions, carried = factor_sentences(added.records, "image", "planted")
    value = main_record(added.records, Metric.R2, split="test", normalisation=RAW, concept=None)
    assert f"R^2 {value.value:.3f}" in sums
    assert f"n = {value.n}" in sums
    assert "with shuffled labels" in sums
    assert "with random weights" in sums
    assert "in new combinations" in sums
    assert "mean |cos|" in directions
    assert "chance 14.5 %" in carried


def test_few_scenes_cannot_be_judged(added):
    few = Records(record.but(n=19) for record in added.records)
    (sentence,) = factor_sentences(few, "image", "planted")
    assert "cannot be judged: 19 test scenes" in sentence
    assert factor_sentences(Records(record.but(n=20) for record in added.records), "image", "x")[1:]
    assert factor_sentences(Records(), "image", "x") == ()


class Words:
    """Hashed words, added."""

    id, revision, dimension, modalities = "words", "1", 32, ("text",)

    def encode_images(self, images):
        raise NotImplementedError

    def encode_texts(self, texts):
        table = np.random.default_rng(0).normal(size=(997, 32))
        return np.stack(
            [sum(table[sum(map(ord, word)) * 31 % 997] for word in text.split()) for text in texts]
        ).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("factors") / "run"
    return conceptbind.measure(Words(), scenes=SCENES, studies="factors", out=place)


def test_measure_asks_it_where_it_is_named(run):
    assert {record.study for record in run.records} == {"factors"}
    said = " ".join(run.sentences)
    assert "A sum of one vector for each value explains" in said
    assert "Captions of single values, without any probe" in said
    page = (run.folder / "report.html").read_text()
    for told in ("a sum over concepts?", "shuffled labels", "as published", "color x shape"):
        assert told in page


@in_browser
def test_its_page_fits_every_screen(run, browser):
    assert_fits(browser, run.folder / "report.html")


class Picky(Words):
    """Reads no caption of a size alone."""

    def encode_texts(self, texts):
        if "a p" in texts:
            raise ValueRangeError("the word 'p' is not in the model's vocabulary")
        return super().encode_texts(texts)


def test_a_concept_whose_words_are_not_read_has_no_zero_shot(tmp_path):
    run = conceptbind.measure(Picky(), scenes=SCENES, studies="factors", out=tmp_path / "run")
    asked = run.records.where(metric=Metric.CONCEPT_RECOGNITION, queries="text")
    assert {one["concept"] for one in asked} == {"color", "shape"}


def test_scenes_without_a_choice_are_not_asked():
    none = full_grid(ConceptSpace(("color",), (("a",),)), 1)

    class Case:
        table = none

    assert AddUp().applies(Case()) == "no concept has two values"
