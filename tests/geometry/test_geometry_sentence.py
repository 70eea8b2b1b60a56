"""What is said of the parts of embeddings, by hand."""

from __future__ import annotations

import numpy as np

import made
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.geometry import GeometryStudy, geometry_sentence
from conceptbind.geometry import spectrum as spectrum_of
from conceptbind.geometry.spectra import Part, Spectrum
from conceptbind.scenes import ConceptSpace, full_grid


def spectrum(concept, whole, joined, rest=0.0, noise=0.05):
    parts = [
        Part(("slot 1 color",), "concept", concept, 0.1),
        Part(("slot 1 color", "slot 1 shape"), "object", whole, noise),
        Part(("slot 1 color", "slot 2 color"), "objects", joined, 0.5),
        Part((), "rest", rest, 0.35),
    ]
    return Spectrum(tuple(part for part in parts if part.share), "exact")


def edit(value, **extra):
    facts = {
        "estimator": "avg+pos",
        "steering": 1.0,
        "attribute": "all",
        "control": "none",
        **extra,
    }
    whose = {"study": "edit", "n": 4704, "scenes": "scenes"}
    return made.record("edit_retrieval", value, 0.85, 0.87, **whose, **facts)


def study(spectra, *records):
    return GeometryStudy("text", Records(records), spectra, None, ())


def test_whole_objects_stand_beside_random_weights_and_noise():
    spectra = {"none": spectrum(0.7, 0.2, 0.06, 0.04), "random_weights": spectrum(0.9, 0.01, 0.09)}
    others = [edit(0.1, estimator="avg"), edit(0.2, steering=2.0), edit(0.3, attribute="same")]
    assert geometry_sentence(study(spectra, *others, edit(0.862))) == (
        "Single concepts explain 70.0 % of the variance of the caption embeddings (random weights: "
        "90.0 %, pure noise: 10.0 %). Whole objects explain 20.0 % more (random weights: 1.0 %, "
        "pure noise: 5.0 %). Everything that joins different objects explains 10.0 %. After one "
        "object's vector is exchanged, the nearest scene is the intended one in 86.2 % of the "
        "edits (85.0 % to 87.0 %, n = 4,704)."
    )


def test_without_random_weights_edits_or_objects():
    alone = geometry_sentence(study({"none": spectrum(0.7, 0.2, 0.1)}))
    assert (
        "(pure noise: 10.0 %). Whole objects explain 20.0 % more (pure noise: 5.0 %). Everything"
        in alone
    )
    assert "exchanged" not in alone
    assert "Whole objects" not in geometry_sentence(study({"none": spectrum(0.7, 0.0, 0.3)}))
    assert geometry_sentence(study({"random_weights": spectrum(0.7, 0.2, 0.1)})) is None
    assert geometry_sentence(study({})) is None


def test_what_a_few_scenes_of_noise_hold_is_told_beside_what_noise_explains():
    """Noise has no concepts and no objects, and yet sums fitted to few scenes explain half of
    it.
    """
    scenes = full_grid(ConceptSpace(("color", "shape"), (("a", "b", "c"), ("u", "v", "w"))))
    few = scenes.select(np.sort(np.random.default_rng(1).permutation(len(scenes))[:30]))
    noise = np.random.default_rng(0).normal(size=(30, 200))
    found = spectrum_of(noise, few)
    facts = ("variance_share", 0.1, 30, None, None, None, "all", "s", "e")
    said = geometry_sentence(study({"none": found}, Record("spectrum", "text", *facts)))
    assert said.startswith("Single concepts explain ")
    assert "of the variance of the caption embeddings of 30 scenes (pure noise: " in said
    for kind in ("concept", "object"):
        assert found.share(kind) > 0.1
        assert abs(found.share(kind) - found.freedom(kind)) < 0.05
        assert f"pure noise: {percent(found.freedom(kind))})" in said
