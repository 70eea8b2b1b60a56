"""What each study of ours takes from a case, and what becomes of what it finds.

The studies themselves are stood in for: a case of plain words goes in, and every word must arrive
where it belongs.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import made
from complexity.test_generalisation import study as complexity_found
from conceptbind.complexity import answer as complexity
from conceptbind.complexity.section import complexity_section
from conceptbind.complexity.sweeps import FULL, NAMED, SHORT
from conceptbind.complexity.words import complexity_sentence
from conceptbind.core.findings import Findings, Section, Verdict
from conceptbind.core.records import Records
from conceptbind.crossmodal import CrossmodalStudy
from conceptbind.crossmodal import answer as crossmodal
from conceptbind.geometry import GeometryStudy
from conceptbind.geometry import answer as geometry
from conceptbind.geometry.scaling import PUBLISHED, Scaling
from conceptbind.geometry.section import geometry_section, scaling_picture
from conceptbind.geometry.spectra import Part, Spectrum
from conceptbind.geometry.study import STEPS
from conceptbind.metrics import Recognition
from conceptbind.probes import answer as probes
from conceptbind.probes.study import ProbeStudy
from conceptbind.repairs import answer as repairs
from conceptbind.repairs.words import repair_verdict
from conceptbind.scenes import ConceptSpace, full_grid, pair_ids
from conceptbind.studies import Asked
from conceptbind.within import answer as within
from conceptbind.within.attributes import AttributeStudy
from conceptbind.within.search import SearchStudy
from repairs.test_repair_section import bare

SHOWN = {"text": "Captions", "image": "Pictures"}
"""What a modality is called in headings."""

TABLE = full_grid(ConceptSpace(("color", "shape"), (("red", "blue"), ("cube", "ball"))))
SPLIT = SimpleNamespace(train=range(7), validation=range(5), test=np.arange(4))


class Rows(str):
    """Rows of an encoder, as a word."""

    encoder = "mine"
    revision = "r1"


class Head:
    """Of queries: its weight says which concept."""

    def head(self, concept):
        return SimpleNamespace(weight=f"weight {concept}")


def case(**changes):
    """A case of words."""
    twins = {"random_weights": "random", "bag_twin": "twin"}
    return SimpleNamespace(
        **{
            "modalities": ("text", "image"),
            "table": TABLE,
            "split": SPLIT,
            "asked": Asked(3, "cuda:7", executor="ray", address="there", jobs=5),
            "folder": Path("run"),
            "rows": lambda modality: Rows(f"{modality} rows"),
            "controls": lambda modality: {
                name: f"{modality} {twin}" for name, twin in twins.items()
            },
            "probes": lambda modality: f"{modality} probes",
            "heads": lambda modality: f"{modality} heads",
            "objects_alone": lambda modality: f"{modality} alone",
            "captions": lambda twin=None: f"captions of {twin}",
            "queries": lambda concept: f"queries {concept}",
            "encodes": lambda *modalities: True,
            "encoder": "the encoder",
            "bag_probes": "the bag's probes",
            "own_probes": None,
            "twins": twins,
            "bank": "the bank",
            "singles": "single objects",
            **changes,
        }
    )


def record(study, metric, value, modality="text", low=0.4, high=0.6, **extra):
    return made.record(metric, value, low, high, study=study, modality=modality, n=100, **extra)


@pytest.fixture
def stand_in(monkeypatch):
    """Puts a function in the place of a study; what it was called with is kept."""

    def put(module, name, found):
        calls = []

        def called(*given, **named):
            calls.append((given, named))
            for told in ("on_step", "on_cell"):
                if told in named:
                    named.pop(told)("a step") if told == "on_step" else named.pop(told)(1)
            return found(*given, **named)

        monkeypatch.setattr(module, name, called)
        return calls

    return put


@pytest.fixture
def barred(monkeypatch):
    """The bars that were shown: their words, and how many steps they have."""

    def put(module, name):
        shown, bar = [], getattr(module, name)

        def called(*given, **named):
            shown.append((given, named))
            return bar(*given, **named)

        monkeypatch.setattr(module, name, called)
        return shown

    return put


def probed(rows):
    modality = rows.split()[0]
    records = [
        record("probe", "concept_recognition", 1.0, modality, concept="color"),
        record("probe", "object_recognition", 0.9, modality, 0.88, 0.92),
        record("probe", "object_recognition", 0.5, modality, control="bag_of_concepts"),
    ]
    four = np.array([True, False, True, True])
    outcome = Recognition(four, ~four, np.array([True, True, True, False]))
    none = np.zeros(4)
    return ProbeStudy(
        *(modality, Records(records), None, outcome, none, none.astype(int), (), 0, 1.0, 0, {}, ())
    )


def test_probes_of_each_modality(stand_in, barred):
    calls = stand_in(probes, "probe_study", lambda rows, *_, **__: probed(rows))
    bars = barred(probes, "steps")
    study = probes.Decodable()
    assert (study.name, study.applies(case())) == ("probe", None)
    assert study.question == (
        "Which concepts and which objects does a linear probe recognise in the test scenes?"
    )
    found = study.run(case())
    assert calls == [
        (
            (f"{modality} rows", TABLE, SPLIT),
            {
                "controls": case().controls(modality),
                "device": "cuda:7",
                "probes": f"{modality} probes",
                "bag": "the bag's probes",
            },
        )
        for modality in ("text", "image")
    ]
    assert bars == [((f"studying {modality}", 4), {}) for modality in ("text", "image")]
    assert (found.study, [part.modality for part in found.found]) == ("probe", ["text", "image"])
    assert [r.modality for r in found.records] == ["text"] * 3 + ["image"] * 3
    assert [(v.word, v.modality) for v in found.verdicts] == [("yes", "text"), ("yes", "image")]
    assert [section.id for section in found.sections] == ["probe-text", "probe-image"]
    assert [term for term, _ in found.terms] == [
        *("Recognition", "Linear probe", "Bag of concepts", "95 % interval"),
    ]
    assert "fitted on 7 scenes" in found.terms[1][1]
    assert [one.about["modality"] for one in found.outcomes] == ["text", "image"]
    assert {(one.about["study"], one.about["metric"]) for one in found.outcomes} == {
        ("probe", "object_recognition")
    }
    for kept in found.outcomes:
        assert (kept.rows.tolist(), kept.right.tolist()) == ([0, 1, 2], [True, False, True])
        assert kept.clusters.tolist() == pair_ids(TABLE)[:3].tolist()


OWN = Spectrum((Part(("slot 1 color",), "concept", 1.0, 0.1),), "exact")
SCALED = Scaling(
    ("red", "a + b", "a + b"),
    ("concept", "scene", "sum"),
    np.array([[1.0, 0, 0], [-1, 0.5, 0], [0, -0.5, 0]]),
    np.array([[2, 1]]),
    0.1,
)


def test_geometry_of_each_modality(stand_in, barred):
    def made(rows, *_, **__):
        modality = rows.split()[0]
        scored = Records([record("spectrum", "variance_share", 0.5, modality)])
        if modality == "text":
            return GeometryStudy(modality, scored, {"none": OWN}, SCALED, ())
        return GeometryStudy(modality, scored, {}, None, ())

    calls = stand_in(geometry, "geometry_study", made)
    bars = barred(geometry, "steps")
    study = geometry.MadeOf()
    assert (study.name, study.applies(case())) == ("geometry", None)
    assert study.question == "Which sums of concepts and objects are the embeddings made of?"
    found = study.run(case())
    assert calls == [
        (
            (f"{modality} rows", TABLE, SPLIT, f"{modality} heads"),
            {
                "singles": f"{modality} alone",
                "controls": {"random_weights": f"{modality} random"},
                "seed": 3,
                "strength": 1.0,
                "keep_edits": False,
                "published": False,
                "scaling": PUBLISHED,
                "device": "cuda:7",
            },
        )
        for modality in ("text", "image")
    ]
    assert bars == [((f"geometry of {m}", len(STEPS)), {}) for m in ("text", "image")]
    assert (found.study, [r.modality for r in found.records]) == ("geometry", ["text", "image"])
    (sentence,) = found.sentences  # of the pictures no spectrum could be made
    assert "of the variance of the caption embeddings" in sentence
    assert found.files == {"scaling-text.svg": scaling_picture(SCALED, "text")}
    assert found.sections == tuple(
        Section(
            f"geometry-{part.modality}",
            f"{SHOWN[part.modality]}: what the embeddings are made of",
            geometry_section(part),
            "geometry_section.html.j2",
            appendix=True,
        )
        for part in found.found
    )


def test_pictures_against_captions(stand_in):
    def asked(rows, queries, table, concept):
        facts = {"modality": rows.split()[0], "queries": "text"}
        return record("crossmodal", "object_recognition", 0.5, **facts).but(encoder=queries)

    judged = record("crossmodal", "binding_accuracy", 0.95, "both", 0.9, 1.0, order="either")

    def made(*_, extra, **__):
        return CrossmodalStudy(Records((judged, *extra)), np.array([]), (), 0, np.zeros(4))

    queried = stand_in(crossmodal, "query_record", asked)
    calls = stand_in(crossmodal, "crossmodal_study", made)
    twin = record("crossmodal", "binding_accuracy", 0.6, "both", order="either", control="bag_twin")
    controlled = stand_in(crossmodal, "control_records", lambda *_, **__: Records([twin]))
    study = crossmodal.Across()
    assert study.name == "crossmodal"
    assert study.question == (
        "Does a picture prefer its caption to the caption with the attributes swapped?"
    )
    found = study.run(case())
    concepts = (0, 1, None)
    assert queried == [
        ((f"{modality} rows", f"queries {concept}", TABLE, concept), {})
        for modality in ("text", "image")
        for concept in concepts
    ]
    ((given, named),) = calls
    assert given == ("image rows", "captions of None", TABLE, "the bank")
    assert (len(named["extra"]), named["seed"]) == (7, 3)
    beside = {
        "random_weights": ("image random", "captions of random_weights"),
        "bag_twin": ("image twin", "captions of bag_twin"),
    }
    assert controlled == [((beside, TABLE, "the bank"), {"encoder": "mine"})]
    assert found.records == found.found[0].records
    assert (found.study, len(found.records)) == ("crossmodal", 8)
    assert [(v.word, v.level, v.control) for v in found.verdicts] == [("yes", 3, "bag_twin")]
    assert [section.id for section in found.sections] == ["across"]
    assert found.terms == crossmodal.TERMS


def test_the_attribute_of_a_noun_and_the_encoder_s_own_queries(stand_in, barred):
    def made(rows, *_, **__):
        if rows == "image rows":
            return AttributeStudy(Records(), ())
        one = record("attribute_probe", "attribute_recognition", 0.5, concept="color")
        return AttributeStudy(Records([one]), ("an outcome",))

    def asked(rows, weight, table, concept, kind):
        return record("crossmodal", "object_recognition", 0.5, encoder=weight, queries=kind)

    calls = stand_in(within, "attribute_study", made)
    queried = stand_in(within, "query_record", asked)
    bars = barred(within, "steps")
    study = within.AttributeOfNoun()
    assert (study.name, study.applies(case())) == ("attribute_probe", None)
    assert study.question == (
        "Which attribute does each noun of a scene have, by a linear classifier?"
    )
    found = study.run(case())
    assert calls == [
        ((f"{modality} rows", TABLE), {"controls": case().controls(modality), "seed": 3})
        for modality in ("text", "image")
    ]
    assert bars == [((f"attributes of nouns in {m}", 1), {}) for m in ("text", "image")]
    assert queried == []
    assert (found.study, len(found.records), found.found) == ("attribute_probe", 1, found.records)
    assert found.outcomes == ("an outcome",)
    assert [section.id for section in found.sections] == ["attribute-text"]
    own = study.run(case(own_probes=Head(), modalities=("image",)))
    assert queried == [
        (("image rows", f"weight {concept}", TABLE, concept, "own"), {}) for concept in (0, 1, None)
    ]
    assert [r["queries"] for r in own.records] == ["own"] * 3


def test_one_object_among_many(stand_in):
    records = Records([record("search", "search_accuracy", 0.5, "image", objects="4")])
    told = SearchStudy(records, (), 0)
    calls = stand_in(within, "search_study", lambda *_, **__: told)
    study = within.Search()
    assert study.name == "search"
    assert study.question == "Is one object found among many others in a picture?"
    found = study.run(case())
    named = {"controls": case().twins, "scenes_name": f"{TABLE.name} search", "seed": 3}
    assert calls == [(("the encoder",), named)]
    assert (found.study, found.records, found.found) == ("search", records, records)
    assert [section.id for section in found.sections] == ["search"]
    flat = SimpleNamespace(drawing="flat")
    drawn = case(table=flat, encodes={"image": True}.__getitem__)
    assert study.applies(drawn) is None
    assert (
        study.applies(case(table=flat, modalities=("text",))) == "it needs an encoder of pictures"
    )
    assert study.applies(case(table=flat, encodes=lambda *_: False)) == (
        "it needs an encoder of pictures"
    )
    assert study.applies(case(table=SimpleNamespace(drawing="solid"))) == (
        "it draws flat scenes, and these are not"
    )


@pytest.mark.parametrize(
    ("effort", "sweep"), [("short", SHORT), ("full", FULL), ("operators", NAMED)]
)
def test_approximators_of_each_modality(stand_in, barred, effort, sweep):
    def made(rows, *_, **__):
        found = complexity_found(0.8, 0.5)
        if rows == "text rows":
            return found
        return type(found)("image", Records([record("complexity", "r2", 0.5, "image")]))

    calls = stand_in(complexity, "complexity_study", made)
    bars = barred(complexity, "progress")
    study = complexity.HowComplex()
    assert study.name == "complexity"
    assert (
        study.question
        == "Does a small model of the embeddings generalise to scenes of new objects?"
    )
    wanted = Asked(3, "cuda:7", True, effort, "ray", "there", 5)
    found = study.run(case(asked=wanted, own_probes="own"))
    assert calls == [
        (
            (f"{modality} rows", TABLE, SPLIT, f"{modality} probes"),
            {
                "own": "own",
                "sweep": sweep,
                "keep": Path("run") / f"complexity-{modality}",
                "executor": "ray",
                "address": "there",
                "jobs": 5,
                "device": "cuda:7",
            },
        )
        for modality in ("text", "image")
    ]
    assert [named for _, named in bars] == [
        {"total": sweep.n_fits, "desc": f"complexity of {SHOWN[modality].lower()}", "unit": "fit"}
        for modality in ("text", "image")
    ]
    text, image = found.found
    assert found.study == "complexity"
    assert found.records == (*text.records, *image.records)
    assert found.sentences == (complexity_sentence(text),)  # of the pictures nothing was scored
    for section, part in zip(found.sections, found.found, strict=True):
        assert (section.id, section.title, section.template) == (
            f"complexity-of-{part.modality}",
            f"{SHOWN[part.modality]}: does a small model of the embeddings generalise to new "
            "objects?",
            "complexity_section.html.j2",
        )
        assert section.data == complexity_section(part)
    assert study.applies(case(asked=wanted)) is None
    assert study.applies(case(asked=Asked(complexity="none"))) == "--complexity is none"


def test_a_repair_of_the_captions(stand_in, barred):
    repaired = bare()
    answers = [repaired, None]
    calls = stand_in(repairs, "repair_study", lambda *_, **__: answers.pop(0))
    bars = barred(repairs, "steps")
    told = stand_in(repairs, "described", lambda *_, **__: repaired.adapter)
    kept = stand_in(repairs, "save_adapter", lambda *_: None)
    study = repairs.LinearRepair()
    assert study.name == "repair"
    assert study.question == (
        "Does one linear map of the captions let pictures find the right ones?"
    )
    assert study.applies(case(modalities=("text",))) == "it needs pictures and captions"
    found = study.run(case())
    assert calls == [
        (
            ("image rows", "captions of None", TABLE, "the bank"),
            {
                "singles": "single objects",
                "controls": {"bag_twin": ("image twin", "captions of bag_twin")},
                "seed": 3,
            },
        )
    ]
    assert bars == [(("repairing",), {})]
    assert (found.study, found.records) == ("repair", repaired.records)
    assert (found.verdicts, found.found) == ((repair_verdict(repaired),), (repaired,))
    assert [section.id for section in found.sections] == ["repair"]
    # the map is kept with what it was fitted on
    facts = {"encoder": "mine", "revision": "r1", "scenes": TABLE.name}
    assert told == [((repaired,), facts)]
    (((adapter, folder, card), _),) = kept
    assert (adapter, folder) == (repaired.adapter, Path("run/adapter"))
    assert repair_verdict(repaired).sentence in card
    # too few captions can be swapped
    nothing = study.run(case())
    assert (nothing.study, nothing.records, nothing.verdicts) == ("repair", (), ())


def test_findings_are_empty_unless_something_is_found():
    found = Findings("a study")
    assert (found.records, found.verdicts, found.sentences, found.sections) == ((), (), (), ())
    assert (found.terms, found.files, found.found) == ((), {}, ())
    verdict = Verdict("yes", "It does.", 0.5)
    assert (verdict.level, verdict.modality, verdict.n, verdict.control) == (None,) * 4
    assert Section("a", "A", {}).template == "blocks_section.html.j2"
