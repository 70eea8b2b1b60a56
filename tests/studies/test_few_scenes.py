"""Tables of one scene or two: what needs no split answers, what needs one says why not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from conceptbind import measure
from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes import ConceptSpace, Scenes, full_grid
from conceptbind.studies import Case
from conceptbind.studies.registry import OWN, load_studies, needs_split

SPACE = ConceptSpace(("color", "shape"), (("red", "blue"), ("square", "circle")))
BOTH = [[[0, 0], [1, 1]], [[1, 0], [0, 1]]]


@pytest.mark.parametrize("n", [1, 2])
def test_level_two_of_a_scene_or_two_cannot_be_judged_and_does_not_die(n, tmp_path):
    few = Scenes(SPACE, BOTH[:n], name="few")
    asked = {"scenes": few, "modality": "text", "controls": False}
    found = measure("tiny", **asked, studies="within", out=tmp_path / "run")
    (verdict,) = found.verdicts
    assert (verdict.word, verdict.level, verdict.n) == ("unclear", 2, n)
    again = measure("tiny", **asked, studies="within", out=tmp_path / "run")  # read, not measured
    assert again.records == found.records
    with pytest.raises(ValueRangeError, match="part of the split by pair is empty"):
        measure("tiny", **asked, studies="probe,within", out=tmp_path / "other")


def test_a_study_that_was_named_and_does_not_apply_is_said(tmp_path):
    grid = full_grid(SPACE)
    rows = np.random.default_rng(0).normal(size=(len(grid), 8)).astype(np.float32)
    asked = {"scenes": grid, "modality": "text", "studies": "probe,within"}
    found = measure(rows, **asked, out=tmp_path / "run")
    assert {record.study for record in found.records} == {"probe"}
    (said,) = (one for one in found.sentences if "(level 2)" in one)
    assert said.startswith("It cannot be judged whether the captions of array")
    assert said.endswith(
        "tell a scene from its swap by cosine (level 2). Rows of captions are given, and an "
        "encoder is needed to embed paraphrases."
    )
    again = measure(rows, **asked, out=tmp_path / "run")
    assert said in again.sentences
    # also where nobody asked for it by name
    every = measure(
        rows, scenes=grid, modality="text", geometry=False, complexity="none", out=tmp_path / "all"
    )
    assert said in every.sentences
    assert [verdict.level for verdict in every.verdicts] == [1, 2]
    named = measure(rows, **{**asked, "studies": "probe,negation"}, out=tmp_path / "named")
    (left,) = (one for one in named.sentences if "left out" in one)
    assert left.startswith("The study negation was left out: ")
    with pytest.raises(ValueRangeError, match="needs the study within, which cannot be asked here"):
        measure(rows, **asked, require="within>=50%", out=tmp_path / "gate")


def test_level_three_of_rows_is_no_silence(tmp_path):
    """Rows of both modalities: captions with their attributes swapped cannot be embedded."""
    grid = full_grid(SPACE)
    rows = np.random.default_rng(0).normal(size=(len(grid), 8)).astype(np.float32)
    np.savez(tmp_path / "both.npz", text=rows, image=rows)
    quick = {"geometry": False, "complexity": "none", "out": tmp_path / "run"}
    found = measure(f"file:{tmp_path / 'both.npz'}", scenes=grid, **quick)
    last = [verdict for verdict in found.verdicts if verdict.level == 3]
    assert [(one.word, one.score, one.n) for one in last] == [("unclear", None, 0)]
    assert last[0].sentence.endswith(
        "agree on binding (level 3). It needs an encoder, which embeds captions with their "
        "attributes swapped."
    )
    assert "| 3" in str(found) or "\n3 " in str(found)
    assert ".:" not in " ".join(found.sentences)


def test_which_studies_need_a_split():
    needing = {name for name in OWN if needs_split(load_studies((name,)))}
    assert needing == {"probe", "geometry", "complexity"}
    assert not needs_split(load_studies(("negation", "query")))
    assert needs_split([SimpleNamespace(name="of another package")])


def test_a_case_makes_its_split_once_when_it_is_first_asked_for(tmp_path):
    grid = Scenes(SPACE, [[[a, b], [c, d]] for a in (0, 1) for b in (0, 1) for c, d in BOTH[0]])
    reads = {"encode_texts": None, "encode_images": None, "modalities": ("text",)}
    encoder = SimpleNamespace(id="e", revision="1", dimension=2, **reads)
    case = Case(encoder, grid, None, ("text",), tmp_path)
    assert case.made_split is None
    assert case.split is case.split
    assert case.made_split is case.split
