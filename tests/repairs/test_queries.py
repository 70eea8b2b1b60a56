"""A map of the query: planted rows that it must repair, and rows that nothing can repair."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import made
from conceptbind import apply, load_run, repair
from conceptbind.commands.querying import CLOSED, INSTEAD, _search, _Told, _triplets
from conceptbind.core.errors import ConceptBindError, ShapeError, ValueRangeError
from conceptbind.core.names import Metric
from conceptbind.core.records import Records
from conceptbind.probes.study import bag_of_concepts
from conceptbind.repairs.queries import (
    Groups,
    QueryRepair,
    fit_queries,
    groups_of_bank,
    groups_of_triplets,
    query_repair,
)
from conceptbind.repairs.queries import solver as solving
from conceptbind.repairs.queries.section import query_rows
from conceptbind.repairs.queries.study import WORDS, Search
from conceptbind.repairs.queries.words import (
    FEW_WORDS,
    OTHER_MAPS,
    _carries,
    _clearly_more,
    query_verdict,
)
from conceptbind.scenes import Scenes, paraphrase_bank, text20
from conceptbind.scenes.split import halves_of_words
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.within.triplets import text_triplets

SCENES = text20(4, 4)
BANK = paraphrase_bank(SCENES)
MEANT = Scenes(SCENES.space, BANK.meaning)
ORBIT = orbit_ids(SCENES)[BANK.scene]


def unit(rows: np.ndarray) -> np.ndarray:
    found: np.ndarray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def objects() -> np.ndarray:
    return MEANT.presence(None).astype(np.float32)


def wordings() -> np.ndarray:
    """A random direction for each wording, far longer than what the objects add."""
    which = np.zeros(len(BANK.captions), dtype=int)
    for number in range(len(BANK.wordings)):
        which[BANK.paraphrase[:, number]] = number + 1
        which[BANK.neutral[:, number]] = number + 1
    return np.random.default_rng(0).normal(size=(len(BANK.wordings) + 1, 6))[which]


def repaired(rows: np.ndarray, more: tuple[Search, ...] = (), **options: Any) -> QueryRepair:
    found = unit(rows)
    first = np.unique(pair_ids(SCENES)[BANK.scene], return_index=True)[1]
    search = Search("itself", found, BANK.anchor[first], BANK.paraphrase[first, 0, 1], ORBIT[first])
    return query_repair(
        groups_of_bank(found, BANK, SCENES, each=4),
        text_triplets(BANK),
        ORBIT,
        searches=[search, *more],
        scenes=SCENES.name,
        encoder="planted",
        **options,
    )


def test_an_encoder_that_hears_the_wording_most_is_repaired() -> None:
    study = repaired(np.hstack([objects(), 2 * wordings()]))
    assert study.recommended
    for setting in ("neutral", "trap"):
        before = study.value(Metric.PARAPHRASE_ACCURACY, "none", setting).value
        after = study.value(Metric.PARAPHRASE_ACCURACY, "convex", setting).value
        assert before is not None
        assert after is not None
        assert before < 0.6
        assert after > 0.97
    verdict = query_verdict(study)
    assert (verdict.word, verdict.repairs) == ("yes", True)
    assert (verdict.level, verdict.modality, verdict.judges) == (2, "text", None)
    assert verdict.sentence.startswith("A linear map of the query brings paraphrase accuracy")
    assert study.value(Metric.PARAPHRASE_RECALL_AT_1, "convex").value > 0.9
    assert not np.allclose(study.adapter.weight, np.eye(len(study.adapter.weight)))
    assert len(query_rows(study.records)) == 5


def test_the_same_map_of_random_weights_stands_beside_it() -> None:
    """The control learned nothing: here it cannot be repaired, hears nothing, or gains as much."""
    heard = 2 * wordings()
    rows = np.hstack([objects(), heard])
    bag = unit(np.hstack([bag_of_concepts(MEANT), heard]))
    beside = query_verdict(repaired(rows, untrained=bag))
    assert (beside.word, beside.control) == ("yes", "random_weights")
    assert "With random weights, validation prefers no map." in beside.sentence
    assert "need not be" not in beside.sentence
    study = repaired(rows, untrained=unit(rows))
    verdict = query_verdict(study)
    assert (verdict.word, verdict.control, verdict.repairs) == ("partly", "random_weights", True)
    assert "That is not clearly less, so the gain need not be what the encoder" in verdict.sentence
    assert OTHER_MAPS not in verdict.sentence
    own = study.value(Metric.PARAPHRASE_ACCURACY, "convex", "trap")
    control = study.records.one(
        metric=own.metric, repair="convex", setting="trap", control="random_weights"
    )
    assert 0 < control.n < own.n, "one part is scored"
    assert "paraphrase accuracy (trap, random weights)" in [
        row[0] for row in query_rows(study.records)
    ]


@pytest.mark.parametrize(
    ("control", "beaten"),
    [((0.1, 0.0, 0.19), True), ((0.1, 0.0, 0.2), False), ((0, None, None), True)],
)
def test_a_gain_is_clearly_more_where_intervals_do_not_meet(control: Any, beaten: bool) -> None:
    own = made.record("paraphrase_gain", 0.3, 0.2, 0.4, n=72)
    assert _clearly_more(own, made.record("paraphrase_gain", *control, n=72)) is beaten
    assert not _clearly_more(
        made.record("paraphrase_gain", 0.0, n=72), made.record("paraphrase_gain", *control, n=72)
    )


@pytest.mark.parametrize(("shift", "value"), [(0, 1), (1, 0)])
def test_single_objects_are_searched_with_the_map_that_is_written(shift: int, value: int) -> None:
    heard, alone = 2 * wordings(), np.eye(16)
    asked = np.hstack([alone, np.repeat(heard[:1], 16, axis=0)])
    told = np.hstack([np.roll(alone, shift, axis=0), np.repeat(-heard[:1], 16, axis=0)])
    own = np.arange(16)
    rows = unit(np.concatenate([asked, told]))
    found = Search("itself", rows, own, 16 + own, own, Metric.SINGLE_OBJECT_ACCURACY)
    study = repaired(np.hstack([objects(), heard]), more=(found,))
    for repair_ in ("none", "convex"):
        record = study.value(found.metric, repair_)
        assert (record.value, record.n) == (value, 16)
    assert study.value(Metric.SINGLE_OBJECT_GAIN, "convex").value == 0
    share = "100 %" if value else "0 %"
    said = f"A caption of a single object finds its paraphrase first in {share}, without the map"
    assert said in query_verdict(study).sentence


def test_a_bag_of_concepts_cannot_be_repaired() -> None:
    study = repaired(np.hstack([bag_of_concepts(MEANT), 2 * wordings()]))
    assert not study.recommended
    assert np.allclose(study.adapter.weight, np.eye(len(study.adapter.weight)))
    for setting in ("neutral", "trap"):
        assert study.value(Metric.PARAPHRASE_ACCURACY, "convex", setting).value < 0.4
    assert query_verdict(study).repairs is False


def test_where_no_map_is_chosen_nothing_is_claimed_and_others_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(solving, "chosen_station", lambda stations: stations[0])
    study = repaired(np.hstack([objects(), 2 * wordings()]))
    assert not study.recommended
    for gain in study.records.where(metric=Metric.PARAPHRASE_GAIN):
        assert (gain.value, gain.ci_low, gain.ci_high) == (0, None, None)
    verdict = query_verdict(study)
    lowest = study.value(Metric.PARAPHRASE_ACCURACY, "none", "trap")
    assert (verdict.word, verdict.score) == ("no", lowest.value)
    assert f"so paraphrase accuracy stays at {100 * lowest.value:.1f} % (" in verdict.sentence
    assert verdict.sentence.endswith(OTHER_MAPS)
    wide = [
        record.but(ci_low=0.0, ci_high=0.9)
        if record.has(metric="paraphrase_accuracy", setting="trap")
        else record
        for record in study.records
    ]
    unsure = query_verdict(replace(study, records=Records(wide)))
    assert unsure.word == "unclear"
    assert unsure.sentence.startswith("It cannot be judged whether a map of the query helps")


def test_an_encoder_of_objects_has_nothing_to_repair() -> None:
    study = repaired(objects() + 1e-3 * np.random.default_rng(1).normal(size=objects().shape))
    assert not study.recommended
    verdict = query_verdict(study)
    assert verdict.word == "no"
    assert "nothing to add" in verdict.sentence
    assert verdict.score == 1.0


def test_what_is_scored_was_not_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[set[int], set[int]]] = []
    real = solving.fit_queries

    def spied(train: Groups, validation: Groups, **options: Any) -> Any:
        seen.append((set(train.draws.tolist()), set(validation.draws.tolist())))
        return real(train, validation, **options)

    monkeypatch.setattr("conceptbind.repairs.queries.study.fit_queries", spied)
    study = repaired(np.hstack([objects(), 2 * wordings()]))
    assert study.folds == 5
    every = set(ORBIT.tolist())
    for train, chooses in seen[:5]:
        assert not train & chooses
        assert every - train - chooses, "a part is left to be scored"
    scored = set().union(*(every - train - chooses for train, chooses in seen[:5]))
    assert scored == every


def test_one_part_is_held_out_of_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conceptbind.repairs.queries.study.FOLDED", 10)
    study = repaired(np.hstack([objects(), 2 * wordings()]))
    assert study.folds == 1
    n = study.value(Metric.PARAPHRASE_ACCURACY, "convex", "trap").n
    assert 0 < n < len(BANK) / 3


def test_the_solver_reaches_the_minimum_that_scipy_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the whole problem, by another method from another start."""
    rng = np.random.default_rng(5)
    rows = unit(rng.normal(size=(12, 3)))
    members = np.arange(12).reshape(3, 4)
    classes = np.tile([0, 0, 1, 1], (3, 1))
    groups = Groups(rows, members, classes, np.arange(3))
    monkeypatch.setattr(solving, "PENALTIES", (1e-2,))
    fit = fit_queries(groups, groups)
    basis = solving._alike(solving._Packed.of(groups)).numpy().astype(float)
    others = solving._others(groups, 0).numpy()

    def loss(flat: np.ndarray) -> float:
        inner = flat.reshape(3, 3)
        z = rows.astype(float) @ basis / 3**0.5
        scores = (z @ inner.T) @ z.T
        within, beyond = [], []
        for q, p in itertools.product(range(12), repeat=2):
            if q // 2 != p // 2:
                continue
            lead = scores[q] - scores[q, p]
            swaps = [k for k in range(12) if k // 4 == q // 4 and k // 2 != q // 2]
            within += [np.log1p(np.exp(lead[k])) for k in swaps]
            beyond.append(np.log1p(np.exp(lead[others[q // 4]]).sum()))
        told = np.mean(within) + solving.SHARE * np.mean(beyond)
        return float(told + 1e-2 / 2 * (flat**2).sum())

    best = minimize(loss, rng.normal(size=9), method="BFGS")
    wanted = basis @ best.x.reshape(3, 3) @ basis.T
    found = fit.stations[1].weight.numpy()
    assert found / np.linalg.norm(found) == pytest.approx(wanted / np.linalg.norm(wanted), abs=2e-3)


WIDE = text20(6, 6)
WIDE_BANK = paraphrase_bank(WIDE)


def on_other_words(codes: np.ndarray, scenes: Scenes = WIDE) -> QueryRepair:
    """A code for each object, and the wording far louder; scored on other words, too."""
    bank = WIDE_BANK if scenes is WIDE else BANK
    which = np.zeros(len(bank.captions), dtype=int)
    for number in range(len(bank.wordings)):
        which[bank.paraphrase[:, number]] = which[bank.neutral[:, number]] = number + 1
    heard = unit(np.random.default_rng(0).normal(size=(len(bank.wordings) + 1, 6)))[which]
    said = Scenes(scenes.space, bank.meaning).presence(None).astype(np.float32) @ codes
    rows = unit(np.hstack([said, 4 * heard]))
    return query_repair(
        groups_of_bank(rows, bank, scenes, each=4),
        text_triplets(bank),
        orbit_ids(scenes)[bank.scene],
        scenes=scenes.name,
        encoder="planted",
        words=halves_of_words(scenes)[bank.scene],
    )


def test_a_map_that_takes_the_wording_out_carries_over_to_other_words() -> None:
    angles = 2 * np.pi * np.arange(6) / 6
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    study = on_other_words(np.kron(circle, circle))  # words of one half span all of it
    for setting in ("neutral", "trap"):
        found = study.records.where(split=WORDS, setting=setting)
        before, after = (
            found.one(metric=Metric.PARAPHRASE_ACCURACY, repair=repair_)
            for repair_ in ("none", "convex")
        )
        # 3 x 3 words of each half are 36 scenes with a swap
        assert before.n == after.n == 72
        assert after.value > max(0.7, before.value + 0.2)
    sentence = query_verdict(study).sentence
    assert "On words that such a map was not fitted on it goes from" in sentence
    assert sentence.endswith("(n = 72). So it carries over to other words.")
    assert len(query_rows(study.records)) == 8
    n = study.value(Metric.PARAPHRASE_ACCURACY, "convex", "trap").n
    assert n > 72, "the scores that decide are those on combinations"


def test_a_map_of_dimensions_that_each_word_has_alone_does_not_carry_over() -> None:
    """Where nothing of a half was seen in the other, its dimensions are taken for nothing."""
    study = on_other_words(np.eye(36))
    assert study.recommended
    found = study.records.where(split=WORDS, metric=Metric.PARAPHRASE_ACCURACY, repair="convex")
    assert max(one.value for one in found) < 0.6
    assert "fit it on the words of your own queries." in query_verdict(study).sentence


def test_too_few_words_to_leave_half_out_are_said_to_be() -> None:
    study = on_other_words(np.eye(16), SCENES)
    assert not study.records.where(split=WORDS)
    assert query_verdict(study).sentence.endswith(FEW_WORDS)


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([(0.2, 0.1, 0.3), (0.5, 0.4, 0.6)], "So it carries over to other words."),
        ([(0.01, 0.005, 0.02), (0.5, 0.4, 0.6)], "So it carries over in part: fit"),
        ([(-0.01, -0.03, 0.02), (0.5, 0.4, 0.6)], "So it carries over in part: fit"),
        ([(-0.05, -0.08, -0.001), (0.5, 0.4, 0.6)], "So it does not carry over: fit"),
        ([(0.0, -0.05, 0.05), (0.02, -0.06, 0.1)], "Whether it carries over cannot be judged"),
        ([(0.0, -0.05, 0.05), (0.02, -0.05, 0.09)], "So it does not carry over: fit"),
    ],
)
def test_whether_a_map_carries_over(gains: list[tuple[float, ...]], said: str) -> None:
    records = [made.record("paraphrase_gain", *gain, n=72) for gain in gains]
    assert _carries(Records(records)).startswith(said)


def station(
    penalty: float | None, score: float, kept: float | None, alone: float | None = None
) -> solving.Station:
    return solving.Station(penalty, torch.eye(2), score, kept, alone)


@pytest.mark.parametrize(
    ("alone", "chosen"), [(1.0, 1e-4), (0.99, 1e-4), (0.989, 1e-3), (None, 1e-4)]
)
def test_a_map_with_which_single_objects_are_lost_is_refused(
    alone: float | None, chosen: float
) -> None:
    start = None if alone is None else 1.0
    path = [
        station(None, 0.5, 1.0, start),
        station(1e-3, 0.7, 1.0, start),
        station(1e-4, 0.9, 1.0, alone),
    ]
    assert solving.chosen_station(path).penalty == chosen


def test_single_objects_that_choose_are_not_scored() -> None:
    rows = unit(np.vstack([np.eye(4), np.eye(4)[[0, 1, 3, 2]]]))
    own = np.arange(4)
    chooses = np.array([True, False, True, False])
    search = Search("x", rows, own, 4 + own, own, Metric.SINGLE_OBJECT_ACCURACY, chooses)
    sought = search.scored(own)
    assert sought.searches.tolist() == [1, 3]
    assert len(sought.documents) == 4, "among all objects"
    assert sought.found(None)[0].tolist() == [True, False]
    chosen = search.chosen_by()
    assert chosen is not None
    assert chosen.kept(chosen.queries) == 0.5
    exchanged = torch.eye(4)[[1, 0, 3, 2]]
    assert chosen.kept(chosen.queries @ exchanged.numpy().T) == 0.5
    assert replace(search, chooses=None).chosen_by() is None


@pytest.mark.parametrize(
    ("kept", "chosen"),
    [
        (0.95, 1e-4),  # costs nothing
        (0.94, 1e-4),  # costs a hundredth, which counts as nothing
        (0.939, 1e-3),  # refused for its cost, though it binds best
        (None, 1e-4),  # nothing to lose
    ],
)
def test_what_binds_best_is_taken_unless_it_costs_too_much(
    kept: float | None, chosen: float
) -> None:
    start = None if kept is None else 0.95
    path = [station(None, 0.5, start), station(1e-3, 0.7, start), station(1e-4, 0.9, kept)]
    assert solving.chosen_station(path).penalty == chosen


def test_of_stations_that_bind_alike_the_first_is_taken() -> None:
    path = [station(None, 0.895, 1.0), station(1e-3, 0.9, 1.0)]
    assert solving.chosen_station(path).penalty is None
    path = [station(None, 0.5, 1.0), station(1e-3, 0.9, 0.9)]
    assert solving.chosen_station(path).penalty is None, "all that binds costs too much"


def test_scenes_are_searched_among_those_of_other_groups() -> None:
    """Two groups of a scene and its swap, two captions of each."""
    rows = np.zeros((8, 4), dtype=np.float32)
    rows[[0, 1, 2, 3], [0, 0, 1, 1]] = 1
    rows[[4, 5, 6, 7], [2, 3, 3, 3]] = 1
    members = np.arange(8).reshape(2, 4)
    groups = Groups(rows, members, np.tile([0, 0, 1, 1], (2, 1)), np.arange(2))
    searched = solving._Searched.of(groups)
    assert torch.equal(searched.documents, torch.from_numpy(rows[[1, 3, 5, 7]]))
    # row 4 has nothing in common with its paraphrase: a tie with all of the other group
    assert searched.kept(torch.eye(4)) == 3 / 4
    # the swap of its own group scores higher, which is the business of binding
    turned = torch.eye(4)[[1, 0, 2, 3]]
    assert searched.kept(turned) == 1 / 4
    exchanged = torch.eye(4)
    exchanged[1, 0] = 2
    assert searched.kept(exchanged) == 3 / 4
    one_draw = Groups(rows, members, groups.classes, np.zeros(2, int))
    assert solving._Searched.of(one_draw).kept(torch.eye(4)) is None


def test_others_are_of_other_draws() -> None:
    members = np.arange(12).reshape(4, 3)
    members[0, 2] = members[3, 2] = -1
    draws = np.array([7, 2, 7, 5])
    groups = Groups(unit(np.eye(12)), members, np.tile([0, 0, 1], (4, 1)), draws)
    others = solving._others(groups, 0).numpy()
    assert others.shape == (4, solving.OTHERS)
    for draw, places in zip(draws, others, strict=True):
        there = [k for k in range(12) if members.ravel()[k] >= 0 and draws[k // 3] != draw]
        assert set(places) == set(there)
    alone = Groups(groups.rows, members, groups.classes, np.zeros(4, int))
    assert solving._others(alone, 0) is None


def test_groups_by_hand() -> None:
    rows = unit(objects())
    groups = groups_of_bank(rows, BANK, SCENES, each=3)
    assert set(groups.draws.tolist()) == set(ORBIT.tolist())
    one = groups.members[0] >= 0
    kinds, counts = np.unique(groups.classes[0][one], return_counts=True)
    assert len(kinds) == 2
    assert (counts == 3).all()
    triplets = groups_of_triplets(rows, np.array([[0, 1, 2], [3, 4, 5]]))
    assert triplets.members.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert triplets.classes.tolist() == [[0, 0, 1], [0, 0, 1]]
    assert len(triplets.of_draws(np.array([1]))) == 1


def test_what_cannot_be_fitted() -> None:
    rows = unit(objects())
    with pytest.raises(ShapeError, match="one class for each member"):
        Groups(rows, np.zeros((2, 3), int), np.zeros((2, 2), int), np.zeros(2, int))
    alone = groups_of_triplets(rows, np.array([[0, 0, 0]]))
    nothing = Groups(rows, alone.members, np.zeros_like(alone.classes), alone.draws)
    with pytest.raises(ValueRangeError, match="a paraphrase and a swap"):
        fit_queries(nothing, nothing)
    with pytest.raises(ValueRangeError, match="takes 5 combinations"):
        query_repair(
            groups_of_bank(rows, BANK, SCENES).of_draws(ORBIT[:1]),
            text_triplets(BANK),
            ORBIT,
            scenes="s",
            encoder="e",
        )


NAMES = ("red square", "blue circle", "green star", "pink ring", "black cross", "white triangle")


def captions_file(folder: Path) -> Path:
    """Captions that tiny can read: a pair of objects, in other words, and swapped."""
    rows = ["caption,paraphrase,negative"]
    for i, one in enumerate(NAMES):
        for two in NAMES[i + 1 :]:
            (a, b), (c, d) = one.split(), two.split()
            rows.append(f"a {a} {b} and a {c} {d},there is a {c} {d} and a {a} {b},")
            rows[-1] += f"a {c} {b} and a {a} {d}"
    path = folder / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_captions_that_people_wrote(tmp_path: Path) -> None:
    file = captions_file(tmp_path)
    found = repair("tiny", side="query", captions=file, retrieval=file, out=tmp_path / "a")
    assert {record.scenes for record in found.records} == {"mine", "mine (retrieval)"}
    run = load_run(tmp_path / "a")
    assert run.records == found.records
    assert (tmp_path / "a" / "report.html").is_file()
    card = (tmp_path / "a" / "README.md").read_text()
    assert "Linear map of queries" in card
    rows = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32)
    out = apply(str(tmp_path / "a"), texts=rows, out=tmp_path / "mapped.npy")
    assert np.load(out).shape == (3, 256)
    assert "paraphrase accuracy" in found.text()


@pytest.mark.slow
def test_where_the_convex_map_is_not_chosen_closed_forms_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "chosen_station", lambda stations: stations[0])
    found = repair("minilm", scenes="text20:4x3", out=tmp_path / "a")
    assert found.sentence.startswith(INSTEAD + "Of 4 repairs validation prefers ")
    assert found.verdicts[0].repairs
    assert {record.study for record in found.records} == {"laboratory"}
    assert {record.repair for record in found.records} >= {"none", *CLOSED}
    assert not np.allclose(found.adapter.weight, np.eye(len(found.adapter.weight)))
    assert load_run(tmp_path / "a").records == found.records
    rows = np.random.default_rng(0).normal(size=(3, 384)).astype(np.float32)
    assert np.load(apply(str(tmp_path / "a"), texts=rows, out=tmp_path / "m.npy")).shape == (3, 384)


def test_where_closed_forms_do_no_better_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solving, "chosen_station", lambda stations: stations[0])
    file = captions_file(tmp_path)
    found = repair("tiny", side="query", captions=file, out=tmp_path / "a")
    assert {record.study for record in found.records} == {"repair"}
    assert np.allclose(found.adapter.weight, np.eye(len(found.adapter.weight)))
    assert found.sentence.startswith("A map of the query has nothing to add: paraphrase accuracy")


def test_a_negative_that_is_true_is_left_out_and_listed(tmp_path: Path) -> None:
    lines = captions_file(tmp_path).read_text().splitlines()
    caption, paraphrase, negative = lines[1].split(",")
    lines[3:3] = [f"{caption},{paraphrase},{caption}", f"{caption},{paraphrase},{paraphrase}"]
    lines.append(f"{caption},{negative},{caption.upper()}")  # tiny reads no capitals
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match="3 of 18 rows are left out, whose negative is their cap"):
        found = repair("tiny", side="query", captions=tmp_path / "mine.csv", out=tmp_path / "a")
    listed = (tmp_path / "a" / "dropped.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in listed] == ["row", "2", "3", "17"]
    assert "to this encoder" in listed[3]
    assert "to this encoder" not in listed[1]
    assert "Left out: " in found.text()
    (tmp_path / "b").mkdir()
    whole = repair("tiny", side="query", captions=captions_file(tmp_path / "b"), out=tmp_path / "c")
    for one, other in zip(found.records, whole.records, strict=True):
        assert (one.value, one.n) == (other.value, other.n)


def test_a_file_of_true_negatives_alone_is_refused(tmp_path: Path) -> None:
    lines = ["caption,paraphrase,negative", *(f"a {a},{a},a {a}" for a in NAMES)]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueRangeError, match="in every row of mine the negative is a true capt"):
        repair("tiny", side="query", captions=tmp_path / "mine.csv", out=tmp_path / "a")


def test_captions_are_searched_among_all_captions_but_themselves() -> None:
    """Against a slow loop; a caption in two rows asks once, and finds either paraphrase."""
    rng = np.random.default_rng(4)
    rows = unit(rng.normal(size=(40, 4)))
    numbers = np.arange(36).reshape(12, 3)
    numbers[5, 0] = numbers[4, 0]
    numbers[7, 2] = numbers[6, 0]  # a negative that is another caption
    given = _Told("mine", [], numbers, np.arange(12) // 2)
    search = _search("mine", rows, given)
    for draws in (np.arange(6), np.array([0, 2]), np.array([1, 2, 3])):
        sought = search.scored(draws)
        here = numbers[np.isin(given.draws, draws)]
        pool = set(here.ravel().tolist())
        hits = []
        for caption in sorted(set(here[:, 0].tolist())):
            own = here[here[:, 0] == caption, 1].tolist()
            others = pool - {caption, *own}
            best = max(rows[caption] @ rows[other] for other in others)
            hits.append(rows[caption] @ rows[own[0]] > best)
        assert sought.found(None)[0].tolist() == hits


@pytest.mark.slow
def test_scenes_in_the_words_of_a_model(tmp_path: Path) -> None:
    found = repair("tiny", side="query", scenes="clevr2d", paraphrased=60, out=tmp_path / "a")
    settings = {record["setting"] for record in found.records if record["setting"]}
    assert settings == {"neutral", "trap"}
    alone = found.records.one(metric="single_object_accuracy", repair="convex")
    assert alone.n == 12  # half of the objects; the others chose
    assert found.verdicts[0].modality == "text"
    head = (tmp_path / "a" / "failures.csv").read_text().splitlines()[0]
    assert head == "setting,item,caption,right before,right after"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": np.eye(4)}, "takes no arrays and no pictures"),
        ({"pull": 0.5}, "pull 0.5 is of repairs beside pictures"),
        ({"solver": "published"}, "solver published is of repairs beside pictures"),
        ({"epochs": 3}, "epochs 3 is of repairs beside pictures"),
        ({"captions": "nowhere.csv"}, "nowhere.csv"),
        ({"side": "text", "paraphrased": 5}, "paraphrased 5 is of maps of queries"),
        ({"paraphrased": -1}, "paraphrased must be a number of scenes"),
        ({"captions": ["one", "two"]}, "must be a file with the columns"),
        ({"captions": "mine.csv", "scenes": "text20"}, "scenes text20 is of repairs on scenes"),
        ({"captions": "mine.csv", "template": "{a} {b}"}, "template .* is of repairs on scenes"),
        ({"captions": "mine.csv", "paraphrased": 5}, "paraphrased 5 is of repairs on scenes"),
        ({"encoder": None}, "needs an encoder"),
        ({"encoder": np.eye(4)}, "needs an encoder of captions"),
    ],
)
def test_inputs_that_do_not_fit(
    options: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConceptBindError, match=words):
        repair(**{"encoder": "tiny", "side": "query", "out": tmp_path / "a", **options})
    assert not (tmp_path / "a").exists()


def test_a_scene_and_its_swap_are_on_one_side_of_a_split(tmp_path):
    """A negative of one line that another line asks for was fitted on."""
    red, blue = "a red circle and a blue square", "a blue circle and a red square"
    lines = [
        "caption,paraphrase,negative",
        f"{red},there is {red},{blue}",
        "a cat on a mat,a mat below a cat,a mat on a cat",
        f"{blue},there is {blue},{red}",
    ]
    (tmp_path / "both.csv").write_text("\n".join(lines) + "\n")
    _, _, numbers, draws = _triplets(tmp_path / "both.csv")
    assert draws.tolist() == [0, 1, 0]
    assert numbers[0, 0] == numbers[2, 2]
