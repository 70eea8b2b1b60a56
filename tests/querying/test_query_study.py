"""Ways of asking for several parts: planted encoders, slow loops, and every sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.querying import query_bank, query_study
from conceptbind.querying.answer import SeveralParts
from conceptbind.querying.items import BOTH, FORMS, TOGETHER, WITHOUT
from conceptbind.querying.study import Choice, QueryStudy, Rows
from conceptbind.querying.words import query_sentence, query_verdict
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, orbit_ids, split_scenes
from conceptbind.studies import Asked, Case

SPACE = ConceptSpace(
    ("color", "shape"), (("red", "blue", "green", "pink"), ("square", "circle", "star"))
)
TABLE = full_grid(SPACE)
COLOURS, SHAPES = SPACE.values
SEEN = re.compile(rf"(?:({'|'.join(COLOURS)}) )?({'|'.join(SHAPES)})")


class Objects:
    """One direction for each object; a shape alone is the sum of its objects. It hears no "no"."""

    id, revision, modalities = "objects", "1", ("text",)
    dimension = SPACE.n_objects

    def encode_texts(self, texts):
        return np.stack([self.row(text) for text in texts])

    def row(self, text):
        row = np.zeros(self.dimension)
        for colour, shape in SEEN.findall(text):
            colours = [COLOURS.index(colour)] if colour else range(len(COLOURS))
            for one in colours:
                row[one * len(SHAPES) + SHAPES.index(shape)] += 1
        return row

    def encode_images(self, images):
        raise NotImplementedError


class Bag(Objects):
    """How often each value is mentioned."""

    id, dimension = "bag", len(COLOURS) + len(SHAPES)

    def row(self, text):
        words = text.split()
        return np.array([words.count(value) for value in (*COLOURS, *SHAPES)], dtype=float)


class Constant(Objects):
    """All captions are one."""

    id = "constant"

    def row(self, text):
        return np.ones(self.dimension)


def asked_of(encoder, folder, table=TABLE, **asked):
    options = Asked(controls=False, paraphrased=0, **asked)
    case = Case(encoder, table, split_scenes(table), ("text",), folder, options)
    assert SeveralParts().applies(case) is None
    return SeveralParts().run(case)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return asked_of(Objects(), tmp_path_factory.mktemp("objects"))


def test_queries_and_their_right_scenes_agree_with_a_slow_loop():
    rows = np.flatnonzero(np.arange(len(TABLE)) % 5 == 0)
    bank = query_bank(TABLE, rows, lambda text: "without" not in text, seed=3)
    texts = bank.captions.written_captions
    assert [one.form for one in bank.queries] == list(FORMS)
    for queries in bank.queries:
        assert set(queries.scene.tolist()) <= set(rows.tolist())
        for query in range(len(queries)):
            words = [texts[row] for row in queries.parts[query]]
            wanted = [word for word, no in zip(words, queries.negated, strict=True) if not no]
            absent = [word[2:] for word, no in zip(words, queries.negated, strict=True) if no]
            said = texts[queries.whole[query]]
            assert said == " and ".join(wanted) + "".join(f" and no {one}" for one in absent)
            for document in range(0, len(TABLE), 7):
                caption = TABLE.caption(document)
                holds = all(word in caption for word in wanted)
                free = not any(word in caption for word in absent)
                assert queries.right[query, document] == (holds and free)
            orbit = orbit_ids(TABLE)
            same = orbit == orbit[queries.scene[query]]
            assert (queries.swapped[query] == (same & ~queries.right[query])).all()
    counts = {one.form: one.right.sum(axis=1) for one in bank.queries}
    assert (counts[TOGETHER] == 2).all(), "both orders"
    assert (counts[WITHOUT] > 2).all()
    assert (counts[BOTH] == 2).all()


def test_an_encoder_without_a_word_for_absence_has_no_whole_caption():
    bank = query_bank(TABLE, np.arange(len(TABLE)), lambda _: False)
    assert [one.whole is None for one in bank.queries] == [False, True, True]


def test_an_object_encoder_finds_the_right_scene_first(objects):
    (study,) = objects.found
    for way in ("sum", "min"):
        for form in FORMS:
            found = study.value(Metric.QUERY_RECALL_AT_1, way, form=form)
            assert found.value == 1.0, (way, form)
    assert study.value(Metric.QUERY_PRECISION, "sum", form=TOGETHER).value == 1.0
    # a projection takes one circle out of the sum of all; what is asked for stays
    assert study.value(Metric.QUERY_RECALL_AT_1, "project", form=TOGETHER).value == 1.0
    # one caption that ignores "no" finds the absent shape with the object
    whole = study.value(Metric.QUERY_RECALL_AT_1, "whole", form=WITHOUT)
    assert whole.value == 0.0
    assert study.chosen.way == "sum"
    assert "validation prefers the sum of its parts (--way sum)" in objects.verdicts[0].sentence
    assert "A right scene is first in 100 %" in objects.verdicts[0].sentence


def test_the_bag_ties_with_swaps_and_misses(objects, tmp_path):
    (study,) = asked_of(Bag(), tmp_path).found
    (other,) = objects.found
    for way in ("whole", "sum", "min", "project"):
        own = study.value(Metric.QUERY_RECALL_AT_1, way, form=TOGETHER)
        swaps = study.value(Metric.SWAP_ERROR, way, form=TOGETHER)
        assert own.value + swaps.value == pytest.approx(1.0), "what is missed ties with a swap"
        assert own.ties == round(swaps.value * swaps.n)
        control = other.value(
            Metric.QUERY_RECALL_AT_1, way, form=TOGETHER, control=Control.BAG_OF_CONCEPTS
        )
        assert control.value == own.value


def test_a_constant_encoder_finds_nothing(tmp_path):
    (study,) = asked_of(Constant(), tmp_path).found
    for way in ("whole", "sum", "min", "project"):
        record = study.value(Metric.QUERY_RECALL_AT_1, way)
        assert (record.value, record.ties) == (0.0, record.n)
    assert study.chosen == Choice(Repair.NONE, "whole"), "of equals the simplest"


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_repair_that_turns_captions_back_is_chosen():
    bank = query_bank(TABLE, np.arange(0, len(TABLE), 2))
    texts, encoder = bank.captions.written_captions, Objects()
    documents = unit(encoder.encode_texts(list(TABLE.captions())))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0].astype(np.float32)
    captions = unit(encoder.encode_texts(texts)) @ turn
    held = {"none": Rows(captions, documents)}
    repairs = {Repair.NONE: lambda rows: rows, Repair.HNB: lambda rows: rows @ turn.T}
    facts = {"modality": "image", "scenes": "grid", "encoder": "turned"}
    study = query_study(held, repairs, bank, bank, captions=held, **facts)
    assert study.chosen.repair == Repair.HNB
    after = study.value(Metric.QUERY_RECALL_AT_1, study.chosen.way, Repair.HNB)
    assert after.value == 1.0
    assert study.value(Metric.QUERY_RECALL_AT_1, study.chosen.way).value < 0.3
    marked = study.records.where(recommended=True, form=None, metric=Metric.QUERY_RECALL_AT_1)
    assert [(one["way"], one.repair) for one in marked] == [
        (study.chosen.way, Repair.HNB),
    ]
    assert "after the repair" in query_sentence(study)
    assert (after.modality, after.level) == ("both", 3)


def test_too_few_combinations_cannot_be_judged(tmp_path):
    few = TABLE.select(np.arange(6))
    case = Case(Objects(), few, split_scenes(few), ("text",), tmp_path, Asked(controls=False))
    found = SeveralParts().run(case)
    assert not found.records
    (verdict,) = found.verdicts
    assert "cannot be judged on grid: too few scenes" in verdict.sentence
    assert (verdict.word, verdict.level, verdict.n) == ("unclear", None, 0)
    assert verdict.modality == "text"
    assert verdict.asks == ASKED


def test_what_the_study_needs(tmp_path):
    told = Scenes(SPACE, TABLE.table, written_captions=["a"] * len(TABLE))
    single = Scenes(SPACE, TABLE.table[:, :1])
    for table, why in ((told, "cannot be taken apart"), (single, "two objects or more")):
        case = Case(Objects(), table, split_scenes(table), ("text",), tmp_path, Asked())
        assert why in SeveralParts().applies(case)


def test_the_section_shows_every_way(objects):
    blocks = objects.sections[0].data["blocks"]
    first = next(block for block in blocks if block["kind"] == "table")
    assert {row[0] for row in first["rows"]} == {
        *("one caption", "sum", "least part", "projected query", "projected documents"),
    }
    assert {row[2] for row in first["rows"]} == {"all", "together", "without", "together, without"}


ASKED = "is another way to ask than one caption surely better among captions?"


def planted(
    *, way="min", repair=Repair.NONE, low=0.8, gain=0.2, gain_ends=(0.1, 0.3), form=None
) -> QueryStudy:
    """A study whose test records are given."""
    facts = {"study": "query", "modality": "text", "scenes": "s", "encoder": "e"}

    def record(metric, value, ends=(None, None), **told) -> Record:
        columns = {"split": "test", "n": 90, "form": None, **facts, **told}
        return Record.of(metric=metric, value=value, ci_low=ends[0], ci_high=ends[1], **columns)

    recall = Metric.QUERY_RECALL_AT_1
    found = [
        record(recall, 0.9, (low, 0.95 if low else None), way=way, repair=repair),
        record(recall, 0.3, way=way, repair=Repair.NONE, control=Control.BAG_OF_CONCEPTS),
        record(Metric.QUERY_CHANCE, 0.02),
    ]
    if way != "whole":
        found.append(record(recall, 0.7, way="whole", repair=repair, form=form))
        if form is not None:
            found.append(record(recall, 0.8, way=way, repair=repair, form=form))
    elif repair != Repair.NONE:
        found.append(record(recall, 0.75, way="whole", repair=Repair.NONE))
    told = {"way": way, "repair": repair, "form": form}
    found.append(record(Metric.QUERY_GAIN, gain, gain_ends, **told))
    return QueryStudy("text", Records(found), Choice(repair, way), {Repair.NONE: 1.0}, 40)


@pytest.mark.parametrize(
    ("study", "said", "unsaid"),
    [
        (planted(), "a change of +20.0 points (+10.0 to +30.0, n = 90).", "cannot be judged"),
        (planted(), "Chance is 2.0 %. The strongest control", "one caption is surely"),
        (
            planted(form=TOGETHER),
            "in 70.0 %, where nothing is excluded and this way finds it in 80.0 %: a change",
            "cannot",
        ),
        (planted(gain=0.05, gain_ends=(-0.05, 0.15)), "queries are needed", "surely"),
        (planted(gain=0.0, gain_ends=(-0.1, 0.1)), "which of the two is better.", "needed"),
        (planted(gain=-0.2, gain_ends=(-0.3, -0.1)), "One caption is surely better", "cannot"),
        (planted(gain=0.2, gain_ends=(0.0, 0.3)), "cannot be judged which of the two", "surely"),
        (planted(repair=Repair.HNB), "(--way min) after the repair", "cannot"),
        (planted(repair=Repair.HNB), "query, after the same repair, finds it in 70.0 %", "cannot"),
        (planted(repair=Repair.HNB), "asked in the same way, without a repair, finds", "cannot"),
        (
            planted(way="whole", repair=Repair.HNB),
            "Without the repair it is first in 75.0 %",
            "a ch",
        ),
        (planted(low=0.29), "in 30.0 %, which is not clearly less: a bag of concepts.", "cannot"),
        (planted(way="whole"), "one caption for the whole query (--way whole).", "a change of"),
        (planted(low=None), "It cannot be judged which way suits", "Chance"),
    ],
)
def test_each_branch_of_the_sentence(study, said, unsaid):
    sentence = query_sentence(study)
    assert said in sentence
    assert unsaid not in sentence


@pytest.mark.parametrize(
    ("study", "word"),
    [
        (planted(), "yes"),
        (planted(gain=0.2, gain_ends=(0.0, 0.3)), "unclear"),  # a gain that may be none
        (planted(gain=-0.1, gain_ends=(-0.2, 0.0)), "unclear"),
        (planted(gain=-0.2, gain_ends=(-0.3, -0.1)), "no"),
        (planted(gain_ends=(None, None)), "unclear"),  # one draw
        (planted(low=None), "unclear"),
        (planted(way="whole"), "no"),  # validation prefers none
        (planted(way="whole", repair=Repair.HNB), "no"),  # one caption too, after a repair
    ],
)
def test_each_branch_of_the_verdict_which_is_of_no_level(study, word):
    found = query_verdict(study)
    assert (found.word, found.level, found.modality, found.asks) == (word, None, "text", ASKED)
    assert (found.score, found.n, found.control) == (0.9, 90, "bag_of_concepts")
    assert found.sentence == query_sentence(study)


def test_without_controls_the_verdict_names_chance():
    study = planted()
    alone = Records(r for r in study.records if r.control != Control.BAG_OF_CONCEPTS)
    assert query_verdict(replace(study, records=alone)).control == "chance"


@pytest.mark.long
def test_tiny_finds_more_by_its_parts_than_by_one_caption(tmp_path):
    import conceptbind

    found = conceptbind.measure("tiny", studies="query", controls=False, out=tmp_path / "run")
    told = {"split": "test", "repair": Repair.NONE, "form": TOGETHER, "control": Control.NONE}
    recall = {
        way: found.records.one(metric=Metric.QUERY_RECALL_AT_1, way=way, **told).value
        for way in ("whole", "sum")
    }
    assert recall["sum"] > recall["whole"] + 0.1
    gain = found.records.one(metric=Metric.QUERY_GAIN)
    assert gain.ci_low > 0
    assert (found.folder / "report.html").is_file()
