"""The laboratory on captions alone: planted rows that a map of the query repairs, rows that none
can, and what is fitted on by slow loops.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from conceptbind import repair
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Metric, Repair
from conceptbind.core.records import Records
from conceptbind.probes.study import bag_of_concepts
from conceptbind.repairs.labclip.pairs import MOST_NEGATIVES
from conceptbind.repairs.laboratory import QueryGround, alone, contenders, laboratory
from conceptbind.repairs.laboratory.captions import asked_pairs, groups_of_pairs, meanings
from conceptbind.repairs.laboratory.entrants import LEFT_OUT
from conceptbind.repairs.laboratory.section import (
    laboratory_rows,
    laboratory_section,
    laboratory_table,
)
from conceptbind.repairs.laboratory.words import laboratory_verdict
from conceptbind.repairs.queries.study import Search, dealt
from conceptbind.scenes.swaps import pair_ids
from conceptbind.within.triplets import NEUTRAL, TRAP, Triplets, text_triplets
from repairs.test_queries import BANK, MEANT, ORBIT, SCENES, objects, unit, wordings

QUICK = (Repair.RIDGE, Repair.PROCRUSTES)
ABOUT = {"scenes": SCENES.name, "encoder": "planted", "modality": "text", "level": 2}


def ground(rows, seed=0):
    found = unit(rows)
    first = np.unique(pair_ids(SCENES)[BANK.scene], return_index=True)[1]
    own = Search("itself", found, BANK.anchor[first], BANK.paraphrase[first, 0, 1], ORBIT[first])
    return QueryGround(found, text_triplets(BANK), ORBIT, ABOUT, seed, searches=[own])


def compared(rows, names=QUICK):
    ticks = itertools.count()
    here = ground(rows)
    several = alone(names, here.n_negatives, "query")
    return laboratory(here, several, clock=lambda: next(ticks))


@pytest.fixture(scope="module")
def mended():
    return compared(np.hstack([objects(), 2 * wordings()]))


def test_what_hears_the_wording_most_is_repaired_in_both_settings(mended):
    assert mended.recommended
    assert mended.decides == Metric.PARAPHRASE_ACCURACY
    before = {one["setting"]: one.value for one in mended.settings(mended.entries[0])}
    after = {one["setting"]: one.value for one in mended.settings(mended.best)}
    assert set(after) == {NEUTRAL, TRAP}
    assert max(before.values()) < 0.6
    assert min(after.values()) > 0.95
    mean = mended.record(mended.best, Metric.PARAPHRASE_ACCURACY)
    assert mean.value == pytest.approx(sum(after.values()) / 2)
    assert (mean.modality, mean.level, mean["side"]) == ("text", 2, "query")
    assert mended.record(mended.best, Metric.PARAPHRASE_RECALL_AT_1).value > 0.9


def test_its_verdict_is_one_of_level_two_by_the_lower_setting(mended):
    verdict = laboratory_verdict(mended, "combinations")
    lowest = min(one.value for one in mended.settings(mended.best))
    assert (verdict.word, verdict.level, verdict.modality) == ("yes", 2, "text")
    assert (verdict.score, verdict.control, verdict.repairs) == (lowest, "no_repair", True)
    assert "It brings the paraphrase accuracy from " in verdict.sentence
    assert " That is the mean of neutral " in verdict.sentence


def test_the_table_shows_both_settings_and_what_is_left_out(mended):
    head, none, *rows = laboratory_rows(mended.records)
    assert head[-3:] == ("neutral", "trap", "n")
    assert {len(row) for row in (none, *rows)} == {len(head)}
    assert {row[1] for row in rows} == {"queries"}
    assert laboratory_table(mended.records).endswith(LEFT_OUT)
    blocks = laboratory_section(mended.records).data["blocks"]
    assert any(LEFT_OUT in str(block) for block in blocks)


def test_no_bag_of_concepts_is_repaired():
    found = compared(np.hstack([bag_of_concepts(MEANT), 2 * wordings()]))
    assert not found.recommended
    assert np.allclose(found.adapter.weight, np.eye(len(found.adapter.weight)))
    for entry in found.entries:
        # wordings alone are right now and then, by which two of them are alike
        assert max(one.value for one in found.settings(entry)) < 0.5


def test_where_all_is_right_nothing_is_recommended():
    found = compared(objects() + 1e-3 * np.random.default_rng(1).normal(size=objects().shape))
    assert not found.recommended
    verdict = laboratory_verdict(found, "combinations")
    assert (verdict.word, verdict.score) == ("no", 1.0), "nothing to add"


def test_the_comparison_that_repair_takes_for_queries_is_one_of_the_methods():
    here = ground(np.hstack([objects(), 2 * wordings()]))
    fold, (convex, *others) = here.folds[0], contenders(here.n_negatives, "query")
    assert convex.method.name == Repair.CONVEX
    assert {one.method.side for one in others} == {"query"}
    pairs, chooses = (here.pairs(rows, several=True) for rows in (fold.train, fold.chooses))
    fitted = convex.method.fit(pairs, chooses, 0)
    assert fitted.helps
    assert fitted.chosen.startswith("penalty")
    assert here.scores(fitted, fold.test).binding > 0.95


def test_maps_of_documents_are_asked_for_beside_pictures_alone():
    sides = {one.method.side for one in contenders(4)}
    assert sides == {"text", "image", "both"}
    assert Repair.CONVEX not in {one.method.name for one in contenders(4)}


def test_folds_are_those_of_a_repair_of_queries():
    here = ground(objects())
    every = np.unique(ORBIT)
    parts, held_out = dealt(every, len(every), 0)
    assert not held_out
    assert [fold.test.tolist() for fold in here.folds] == [part.tolist() for part in parts]
    for fold in here.folds:
        assert not set(fold.train) & (set(fold.chooses) | set(fold.test))
        assert sum(map(len, fold)) == len(every)


def test_pairs_hold_what_a_slow_loop_finds():
    several = text_triplets(BANK)
    both, negatives, item = asked_pairs(several, seed=3)
    told: dict[tuple[int, int], set[int]] = {}
    for triplets in several:
        told_of = zip(triplets.anchor, triplets.paraphrase, triplets.negative, strict=True)
        for anchor, paraphrase, negative in told_of:
            for pair in ((anchor, paraphrase), (paraphrase, anchor)):
                told.setdefault(pair, set()).add(negative)
    assert len(both) == len(told)
    assert negatives.shape[1] == MOST_NEGATIVES < max(map(len, told.values()))
    said = pair_ids(MEANT)
    for (query, document), false, number in zip(both, negatives, item, strict=True):
        asked = told[query, document]
        assert set(false) <= asked
        assert len(set(false)) == min(MOST_NEGATIVES, len(asked))
        assert said[query] == said[document]
        assert not (said[false] == said[query]).any()
        assert ORBIT[number] == ORBIT[BANK.scene == BANK.scene[number]][0]


def test_captions_that_mean_the_same_have_one_number():
    found, said = meanings(len(BANK.captions), text_triplets(BANK)), pair_ids(MEANT)
    same = found[:, None] == found
    assert (same == (said[:, None] == said)).all()
    apart = Triplets("given", *np.array([[0, 3], [1, 4], [2, 5]]), np.arange(2))
    assert len(set(meanings(6, [apart])[[0, 2, 3, 5]])) == 4


def test_groups_of_pairs_are_orbits_with_a_class_for_each_scene():
    here = ground(objects() + 1e-3 * np.random.default_rng(0).normal(size=objects().shape))
    rows = np.unique(ORBIT)[:4]
    groups = groups_of_pairs(here.pairs(rows, several=True), seed=0)
    assert len(groups) == 4
    for members, classes in zip(groups.members, groups.classes, strict=True):
        kinds = [set(members[classes == kind]) for kind in np.unique(classes[classes >= 0])]
        assert len(kinds) == 2, "a scene and its swap"
        shown = [{tuple(np.round(groups.rows[row], 1)) for row in some} for some in kinds]
        assert not shown[0] & shown[1]


def test_a_ground_that_is_too_small_is_refused():
    one_draw = np.zeros(len(BANK), int)
    with pytest.raises(ValueRangeError, match="takes 5 combinations"):
        QueryGround(unit(objects()), text_triplets(BANK), one_draw, ABOUT, 0)


def test_the_command_compares_maps_of_queries_on_captions_that_people_wrote(tmp_path):
    from repairs.test_queries import captions_file

    file = captions_file(tmp_path)
    asked = {"side": "query", "captions": file, "out": tmp_path / "a"}
    found = repair("tiny", method="ridge", **asked)
    assert found.records.first(study="laboratory", repair="ridge", side="query")
    assert (found.verdicts[0].level, found.verdicts[0].modality) == (2, "text")
    card = (tmp_path / "a" / "README.md").read_text()
    assert "Documents stay as they are" in card
    assert LEFT_OUT in found.text()


def test_what_the_command_prints_has_a_row_for_each_of_several_methods(tmp_path):
    """A table of one repair asks for the one gain that there is."""
    from repairs.test_queries import captions_file

    asked = {"side": "query", "captions": captions_file(tmp_path), "out": tmp_path / "a"}
    found = repair("tiny", method="ridge", **asked)
    others = [r.but(repair="HNB") for r in found.records.where(repair="ridge")]
    said = replace(found, records=Records([*found.records, *others])).text()
    assert "ridge" in said
    assert "HNB" in said
