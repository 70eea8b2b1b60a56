"""Planted encoders whose answer to "no" is known, the bank of captions, and every verdict."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.negation import WORDINGS, Twins, negation_bank, negation_study, twin_scenes
from conceptbind.negation.answer import NegationHeard
from conceptbind.negation.controls import bag_of_concepts, bag_of_words, blind
from conceptbind.negation.study import SCENE, Rows, unrelated
from conceptbind.negation.wordings import ALONE, CLAUSE, EXCHANGED, FORMS, lacks_no, read_wordings
from conceptbind.negation.words import negation_verdict, not_judged
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, load_scenes, orbit_ids, split_scenes
from conceptbind.studies import Asked, Case

SPACE = ConceptSpace(
    ("color", "shape"),
    (("red", "blue", "green"), ("square", "circle", "triangle", "star")),
)
TABLE = full_grid(SPACE)
WORDS = {word: k for k, word in enumerate(word for values in SPACE.values for word in values)}
NEGATORS = {"no", "not", "without"}


class Hearing:
    """Sums of values. A value behind a negator is subtracted, added, or not heard, as `sign` says:
    until the next noun, which ends what a negator is about.
    """

    revision, dimension, modalities = "1", len(WORDS) + 1, ("text",)

    def __init__(self, sign: float, constant: float = 0.0, weight: float = 1.0) -> None:
        self.id, self.sign, self.constant = f"hearing{sign}", sign, constant
        self.weight = weight

    def encode_texts(self, texts):
        return np.stack([self.row(text) for text in texts])

    def encode_images(self, images):
        raise NotImplementedError

    def row(self, text: str) -> np.ndarray:
        row, sign = np.zeros(self.dimension), 1.0
        row[-1] = self.constant
        for word in re.findall(r"\w+", text):
            if word in NEGATORS:
                sign = self.sign
            elif word in WORDS:
                row[WORDS[word]] += sign * self.weight
                sign = 1.0 if word in SPACE.values[1] else sign
        return row


def rows_of(encoder, bank) -> Rows:
    captions = encoder.encode_texts(bank.captions.written_captions).astype(np.float32)
    captions /= np.maximum(np.linalg.norm(captions, axis=1, keepdims=True), 1e-12)
    return Rows(captions, captions[bank.described])


@pytest.fixture(scope="module")
def twins() -> Twins:
    return twin_scenes(TABLE)


@pytest.fixture(scope="module")
def bank(twins):
    return negation_bank(TABLE, twins, WORDINGS)


def study(encoder, bank, twins):
    rows = {
        "none": rows_of(encoder, bank),
        Control.BAG_OF_WORDS: bag_of_words(bank),
        Control.BAG_OF_CONCEPTS: bag_of_concepts(bank, TABLE, twins),
        Control.BLIND_LENGTH: blind(bank, described=True),
    }
    facts = {"modality": "text", "scenes": "grid", "encoder": encoder.id}
    return negation_study(rows, bank, twins, **facts)


@pytest.fixture(scope="module")
def signed(bank, twins):
    return study(Hearing(-1.0), bank, twins)


@pytest.fixture(scope="module")
def ignoring(bank, twins):
    return study(Hearing(1.0), bank, twins)


def test_twins_differ_in_one_noun_that_is_nowhere_else(twins):
    changed = twins.first != twins.second
    assert (changed.sum(axis=(1, 2)) == 1).all()
    assert changed[np.arange(len(twins)), twins.slot, -1].all()
    assert (TABLE.table[twins.row] == twins.first).all()
    for pair, (noun, other) in enumerate(twins.nouns()):
        assert (twins.first[pair, :, 1] == noun).sum() == 1
        assert not (twins.first[pair, :, 1] == other).any()
        assert not (twins.second[pair, :, 1] == noun).any()
    orbits = orbit_ids(TABLE)[twins.row]
    assert len(set(orbits.tolist())) == len(twins), "one pair of an orbit"


def test_partners_of_given_pictures_are_in_the_table():
    # red square and blue circle, the same with a blue triangle, and a scene without a partner
    rows = np.array([[[0, 0], [1, 1]], [[0, 0], [1, 2]], [[2, 3], [2, 0]]])
    some = Scenes(SPACE, rows)
    found = twin_scenes(some, given=True)
    assert sorted(zip(found.row.tolist(), found.partner.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert (some.table[found.partner] == found.second).all()
    assert len(twin_scenes(some)) == 3
    assert (twin_scenes(some).partner == -1).all()
    assert len(twin_scenes(TABLE, most=7)) == 7
    lonely = TABLE.select(np.array([0]))
    assert len(twin_scenes(lonely, given=True)) == 0


def test_captions_are_those_that_are_meant(bank, twins):
    texts = bank.captions.written_captions
    assert len(set(texts)) == len(texts)
    query = int(np.flatnonzero((bank.item == 0) & (bank.target == 0))[0])
    rest = np.delete(twins.first[0], twins.slot[0], axis=0)[0]
    noun = SPACE.values[1][twins.nouns()[0, 0]]
    base = f"a {SPACE.values[0][rest[0]]} {SPACE.values[1][rest[1]]}"
    assert FORMS[bank.form[query]] == CLAUSE
    assert texts[bank.negated[query]] == f"{base} and no {noun}"
    assert texts[bank.affirmative[query]] == f"{base} and a {noun}"
    assert texts[bank.plain[query]] == base
    other = SPACE.values[1][twins.nouns()[0, 1]]
    moved = (bank.item == 0) & (bank.target == 0) & (bank.form == FORMS.index(EXCHANGED))
    assert texts[bank.negated[np.flatnonzero(moved)[0]]] == f"a {other} and no {noun}"
    alone = (bank.item == 0) & (bank.target == 1) & (bank.form == FORMS.index(ALONE))
    assert {texts[row] for row in bank.negated[alone]} == {
        f"no {other}",
        f"a picture without a {other}",
        f"not a {other}",
        f"there is no {other}",
    }


def test_an_encoder_that_subtracts_what_is_negated_is_always_right(signed):
    for form in (None, *FORMS):
        assert signed.value(Metric.NEGATED_ACCURACY, form=form).value == 1.0
    assert signed.value(Metric.AFFIRMATIVE_ACCURACY).value == 1.0
    assert signed.value(Metric.NEGATION_IGNORED).value == 0.0
    # a description that says nothing of circles is as near to "no circle" as to "a circle"
    alone = signed.value(Metric.NEGATED_ACCURACY, SCENE)
    assert (alone.value, alone.ties) == (0.0, alone.n)
    assert signed.value(Metric.AFFIRMATIVE_ACCURACY, SCENE).value == 1.0
    assert signed.value(Metric.MENTION_PULL).value == 0.0
    verdict = negation_verdict(signed.records, "text", "signed")
    assert verdict.word == "yes"
    assert "(within captions)" in verdict.sentence


def test_scenes_that_know_what_is_absent_choose_right(bank, twins):
    captions = rows_of(Hearing(-1.0), bank).captions
    counted = bag_of_concepts(bank, TABLE, twins).scenes
    scenes = np.concatenate([np.where(counted > 0, 1.0, -1.0), np.zeros_like(counted[..., :1])], 2)
    scenes = (scenes / np.linalg.norm(scenes, axis=2, keepdims=True)).astype(np.float32)
    facts = {"modality": "image", "scenes": "grid", "encoder": "closed world"}
    found = negation_study({"none": Rows(captions, scenes)}, bank, twins, **facts)
    for chooser in ("caption", "scene"):
        for form in (None, *FORMS):
            assert found.value(Metric.NEGATED_ACCURACY, chooser, form=form).value == 1.0
        assert found.value(Metric.AFFIRMATIVE_ACCURACY, chooser).value == 1.0
        assert found.value(Metric.NEGATION_IGNORED, chooser).value == 0.0
    assert negation_verdict(found.records, "image", "e").sentence.startswith(
        'Where a caption chooses among pictures, e reacts to "no" (between pictures and captions).'
    )


def test_an_encoder_that_ignores_no_is_always_wrong(ignoring):
    assert ignoring.value(Metric.NEGATED_ACCURACY).value == 0.0
    assert ignoring.value(Metric.AFFIRMATIVE_ACCURACY).value == 1.0, "the positive control"
    assert ignoring.value(Metric.NEGATION_IGNORED).value == 1.0
    assert ignoring.value(Metric.MENTION_PULL).value == 1.0
    assert ignoring.value(Metric.NEGATED_ACCURACY, SCENE).value == 0.0
    assert ignoring.value(Metric.NEGATED_ACCURACY, SCENE).ties == len(ignoring.twins)
    near = ignoring.records.one(metric=Metric.NEGATION_COSINE)
    other = ignoring.records.one(metric=Metric.UNRELATED_COSINE)
    assert near.value == pytest.approx(1.0)
    assert other.value < 0.5
    verdict = negation_verdict(ignoring.records, "text", "deaf")
    assert verdict.word == "no"
    assert "Both choose the same scene" in verdict.sentence


def test_bags_hear_the_word_and_tie_where_no_is_moved(signed):
    for control in (Control.BAG_OF_WORDS, Control.BAG_OF_CONCEPTS):
        moved = signed.value(Metric.NEGATED_ACCURACY, control=control, form=EXCHANGED)
        assert (moved.value, moved.ties) == (0.0, moved.n)
        assert signed.value(Metric.NEGATED_ACCURACY, control=control, form=CLAUSE).value == 0.0
        assert signed.value(Metric.AFFIRMATIVE_ACCURACY, control=control).value == 1.0


def test_a_constant_encoder_is_never_right(bank, twins):
    found = study(Hearing(1.0, constant=1.0, weight=0.0), bank, twins)
    for metric in (Metric.NEGATED_ACCURACY, Metric.AFFIRMATIVE_ACCURACY, Metric.NEGATION_IGNORED):
        record = found.value(metric)
        assert (record.value, record.ties) == (0.0, len(twins))
    verdict = negation_verdict(found.records, "text", "constant")
    assert verdict.word == "unclear"
    assert "without negation the same captions do not find the object" in verdict.sentence


def test_who_prefers_a_caption_whatever_is_shown_is_told_apart(bank):
    held = blind(bank, described=False)
    assert held.scenes.shape == (len(bank.described), 2, 2)
    lengths = np.array([len(text) for text in bank.captions.written_captions])
    order = np.argsort(held.captions @ held.scenes[0, 0])
    assert (np.diff(lengths[order]) <= 0).all(), "the shorter, the nearer"


def test_agrees_with_a_slow_loop(bank, twins):
    rng = np.random.default_rng(0)
    captions = rng.normal(size=(len(bank.captions), 6))
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    scenes = rng.normal(size=(len(twins), 2, 6))
    scenes /= np.linalg.norm(scenes, axis=2, keepdims=True)
    facts = {"modality": "image", "scenes": "grid", "encoder": "random"}
    found = negation_study({"none": Rows(captions, scenes)}, bank, twins, **facts)
    negated, same, chosen, pulled = ([[] for _ in range(len(twins))] for _ in range(4))
    for q in range(len(bank)):
        if FORMS[bank.form[q]] == EXCHANGED:
            continue
        item, t = bank.item[q], bank.target[q]
        no, yes = captions[bank.negated[q]], captions[bank.affirmative[q]]
        with_it, without = scenes[item, t], scenes[item, 1 - t]
        negated[item].append(no @ without > no @ with_it)
        same[item].append((no @ without > no @ with_it) == (yes @ without > yes @ with_it))
        chosen[item].append(no @ without > yes @ without)
        if FORMS[bank.form[q]] == CLAUSE:
            plain = captions[bank.plain[q]]
            pulled[item].append(no @ (with_it - without) > plain @ (with_it - without))
    for metric, chooser, slow in (
        (Metric.NEGATED_ACCURACY, "caption", negated),
        (Metric.NEGATION_IGNORED, "caption", same),
        (Metric.NEGATED_ACCURACY, "scene", chosen),
        (Metric.MENTION_PULL, "caption", pulled),
    ):
        expected = np.mean([np.mean(one) for one in slow])
        record = found.value(metric, chooser)
        assert record.value == pytest.approx(expected)
        assert (record.modality, record.level) == ("both", 3)


def test_unrelated_captions_share_the_fewest_values(bank):
    told = np.flatnonzero(bank.affirmative != -1)
    other = unrelated(bank, told)
    assert (bank.form[told] == bank.form[other]).all()
    assert (bank.wording[told] == bank.wording[other]).all()
    shared = np.minimum(
        bank.meaning[bank.affirmative[told]], bank.meaning[bank.affirmative[other]]
    ).sum(axis=1)
    assert shared.mean() < 0.5


def test_wordings_with_unknown_words_are_left_out_and_named():
    def reads(text: str) -> bool:
        return not {"without", "with", "picture"} & set(text.split())

    known, left_out = read_wordings(reads, "a red square", "circle")
    assert left_out == ("without",)
    assert {one.name for one in known} == {"no", "no, first", "not", "there is no"}
    assert not lacks_no(reads, "a red square", "circle")
    assert lacks_no(lambda text: "no" not in text.split(), "a red square", "circle")
    assert not lacks_no(lambda _: False, "a red square", "circle")
    with pytest.raises(ValueRangeError, match="0 wordings"):
        negation_bank(TABLE, twin_scenes(TABLE), ())


def case(encoder, table: Scenes, folder: Path, *modalities, **asked) -> Case:
    options = Asked(controls=False, **asked)
    return Case(encoder, table, split_scenes(table), modalities, folder, options)


def test_tiny_has_no_word_for_no(tmp_path):
    tiny = open_encoder("tiny", Opening())
    table = load_scenes("clevr2d")
    found = NegationHeard().run(case(tiny, table, tmp_path, "text", "image"))
    assert not found.records
    assert [verdict.word for verdict in found.verdicts] == ["unclear", "unclear"]
    assert "tiny's vocabulary has no word for 'no'." in found.verdicts[0].sentence


def test_pictures_are_drawn_in_pairs_of_the_same_places(tmp_path):
    space = ConceptSpace(("color", "shape"), (("red", "blue"), ("square", "circle", "triangle")))
    table = Scenes(space, full_grid(space).table, drawing="flat")
    areas = {}

    class Area(Hearing):
        """Captions by signed sums; pictures by how much of them is not ground."""

        modalities = ("text", "image")

        def encode_images(self, images):
            rows = []
            for image in images:
                values = np.asarray(image).astype(int)
                covered = np.abs(values - 200).max(axis=2) > 30
                areas[len(areas)] = covered
                rows.append(np.eye(self.dimension)[0] + covered.mean())
            return np.array(rows)

    found = NegationHeard().run(case(Area(-1.0), table, tmp_path, "image", redrawn=6))
    (study,) = found.found
    assert len(study.twins) == 6
    assert found.verdicts[0].modality == "image"
    assert len(areas) == 12
    for one in range(6):
        both = areas[one] & areas[one + 6]
        assert both.sum() > 0.5 * max(areas[one].sum(), areas[one + 6].sum())
    assert found.sections[0].id == "negation-image"


def test_written_captions_and_rows_are_not_negated(tmp_path):
    told = Scenes(SPACE, TABLE.table, written_captions=["a"] * len(TABLE))
    assert "came with the table" in NegationHeard().applies(
        case(Hearing(1.0), told, tmp_path, "text")
    )
    assert NegationHeard().applies(case(Hearing(1.0), TABLE, tmp_path, "text")) is None


def test_the_section_names_wordings_and_misses(tmp_path):
    class Strict(Hearing):
        """Does not know "not"."""

        def row(self, text):
            if "not" in text.split():
                raise UnknownNameError("the word 'not' is not in the vocabulary")
            return super().row(text)

    found = NegationHeard().run(case(Strict(1.0), TABLE, tmp_path, "text"))
    blocks = found.sections[0].data["blocks"]
    assert "does not read, or cuts: not." in blocks[0]["text"]
    misses = blocks[-1]["rows"]
    assert misses
    assert all(float(row[-1]) < 0 for row in misses)
    assert len(found.outcomes) == 1
    assert found.outcomes[0].value == 0.0


def planted(value, low, high, *, twin=0.95, twin_low=0.9, control=0.4, n=200) -> Records:
    """Records of one study whose main numbers are given."""

    def record(metric, number, ends, name="none") -> Record:
        facts = {"study": "negation", "modality": "text", "split": "all", "scenes": "s"}
        where = {"encoder": "e", "chooser": "caption", "control": name}
        ends = {"ci_low": ends[0], "ci_high": ends[1]}
        return Record.of(metric=metric, value=number, n=n, **ends, **facts, **where)

    return Records(
        [
            record(Metric.NEGATED_ACCURACY, value, (low, high)),
            record(Metric.AFFIRMATIVE_ACCURACY, twin, (twin_low, 1.0)),
            record(Metric.NEGATION_IGNORED, 0.3, (0.2, 0.4)),
            record(Metric.NEGATED_ACCURACY, control, (0.3, 0.5), Control.BAG_OF_WORDS),
        ]
    )


@pytest.mark.parametrize(
    ("records", "word", "said"),
    [
        (planted(0.9, 0.86, 0.93), "yes", 'e reacts to "no" (within'),
        (planted(0.89, 0.86, 0.93), "partly", "reacts in part to"),
        (planted(0.6, 0.51, 0.69), "partly", "reacts in part to"),
        (planted(0.6, 0.5, 0.69), "unclear", "pairs of scenes are needed"),
        (planted(0.55, 0.52, 0.58), "no", "hardly reacts to"),
        (planted(0.55, 0.5, 0.6), "unclear", "pairs of scenes are needed"),
        (planted(0.2, 0.1, 0.3), "no", "hardly reacts to"),
        (planted(0.9, 0.86, 0.93, twin=0.5, twin_low=0.4), "unclear", "above chance either"),
        (planted(0.2, 0.1, 0.3, twin=0.5, twin_low=0.4), "unclear", "above chance either"),
        (planted(0.2, 0.1, 0.3, twin=0.55, twin_low=0.5), "unclear", "is not sure with n = 200"),
        (planted(0.2, 0.1, 0.3, twin=1.0, twin_low=0.4), "unclear", "is not sure with n = 200"),
        (planted(0.9, 0.86, 0.93, control=0.86), "unclear", "a control reaches as much"),
        (planted(0.9, 0.86, 0.93, control=0.85), "yes", "reaches 85.0 %"),
        (planted(0.9, None, None), "unclear", "all pairs of scenes are one draw (n = 200)"),
    ],
)
def test_each_branch_of_the_verdict(records, word, said):
    verdict = negation_verdict(records, "text", "e")
    assert verdict.word == word
    assert said in verdict.sentence
    assert verdict.n == 200


def test_what_cannot_be_compared_says_why():
    verdict = not_judged("e", "image", "no reason")
    assert verdict.sentence.endswith("chooses among pictures: no reason.")
    assert (verdict.word, verdict.score, verdict.n) == ("unclear", None, 0)
