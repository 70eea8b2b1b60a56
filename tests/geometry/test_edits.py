"""Edits: hand-counted lists, planted embeddings where every edit must hit, the slow plain loop, and
the two protocols.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ConceptBindError
from conceptbind.geometry import Editor, all_edits, read, retrieve
from conceptbind.probes import fit_scene_probes
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import concept_codes, object_codes

SPACE = ConceptSpace(("color", "shape"), (tuple("rgby"), tuple("stc")))
GRID = full_grid(SPACE, 2)


def unit(values):
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def by_hand():
    """Every edit of the grid by plain loops."""
    rows = {tuple(map(tuple, scene)): i for i, scene in enumerate(GRID.table.tolist())}
    found = set()
    for i, scene in enumerate(GRID.table.tolist()):
        if scene[0][1] == scene[1][1]:
            continue
        for slot in range(2):
            for value in range(4):
                if value not in (scene[0][0], scene[1][0]):
                    new = [list(thing) for thing in scene]
                    new[slot][0] = value
                    found.add((i, rows[tuple(map(tuple, new))], slot, scene[0][0] == scene[1][0]))
    return found


def test_all_edits_are_those_of_the_plain_loop():
    edits = all_edits(GRID)
    found = set(
        zip(
            edits.source.tolist(),
            edits.target.tolist(),
            edits.slot.tolist(),
            edits.shared.tolist(),
            strict=True,
        )
    )
    assert found == by_hand()
    assert len(found) == len(edits)
    assert edits.n_missing == 0
    one = all_edits(GRID, values="one", seed=3)
    assert len(one) == 96 * 2  # scenes with two shapes, two slots
    assert (
        set(
            zip(
                one.source.tolist(),
                one.target.tolist(),
                one.slot.tolist(),
                one.shared.tolist(),
                strict=True,
            )
        )
        < found
    )


def test_targets_that_are_not_there_are_counted():
    holes = GRID.select(np.arange(0, 144, 2))
    edits = all_edits(holes)
    assert edits.n_missing > 0
    changed = (holes.table[edits.source] != holes.table[edits.target]).sum(axis=(1, 2))
    assert (changed == 1).all()


def test_sums_of_objects_become_exactly_their_targets_and_the_two_orders_tie():
    values = object_codes(GRID, 256).astype(np.float64)
    edits = all_edits(GRID)
    np.testing.assert_allclose(
        Editor.fit(values, GRID, "avg+pos").edited(edits), values[edits.target], atol=1e-5
    )
    hits = retrieve(Editor.fit(unit(values), GRID, "avg+pos"), edits)
    assert not hits.hit.any()  # "a and b" and "b and a" have one embedding here: a tie is a miss


def test_with_positions_every_edit_is_retrieved_and_read():
    codes = np.random.default_rng(0).normal(size=(2, 12, 64))
    values = (
        codes[0][GRID.objects[:, 0]]
        + codes[1][GRID.objects[:, 1]]
        + 0.02 * np.random.default_rng(1).normal(size=(144, 64))
    )
    values = values / np.sqrt(64)
    edits = all_edits(GRID)
    editor = Editor.fit(values, GRID, "avg+pos")
    bank = Editor.fit(unit(values), GRID, "avg+pos")
    assert retrieve(bank, edits).hit.mean() > 0.99
    assert not retrieve(bank, edits, strength=0.0).hit.any()
    probes = fit_scene_probes(
        unit(values).astype(np.float32), GRID, split_scenes(GRID, "pair", seed=0)
    )
    assert read(editor, edits, probes).hit.mean() > 0.95
    assert read(editor, edits, probes, strength=0.0).hit.mean() < 0.05


def test_a_bag_cannot_say_which_object_changed():
    values = unit(concept_codes(GRID, 64).astype(np.float64))
    edits = all_edits(GRID)
    assert not retrieve(
        Editor.fit(values, GRID, "avg"), edits
    ).hit.any()  # every target has a twin with the attributes swapped: ties


def test_retrieval_agrees_with_a_plain_loop_that_leaves_the_target_out():
    values = unit(np.random.default_rng(0).normal(size=(144, 12)) + 3 * object_codes(GRID, 12))
    edits = all_edits(GRID)
    for vectors in ("avg", "avg+pos"):
        editor = Editor.fit(values, GRID, vectors)
        hits = retrieve(editor, edits)
        for e in range(0, len(edits), 17):
            source, target, slot = edits.source[e], edits.target[e], edits.slot[e]
            old, new = GRID.objects[source, slot], GRID.objects[target, slot]
            means = []
            for item, without in ((old, source), (new, target)):
                slots = [slot] if vectors == "avg+pos" else [0, 1]
                rows = [
                    i
                    for where in slots
                    for i in range(144)
                    if GRID.objects[i, where] == item and i != without
                ]
                means.append(values[rows].mean(0))
            made = values[source] - (means[0] - means[1])
            np.testing.assert_allclose(
                editor.edited(edits.select(np.array([e])))[0], made, atol=1e-10
            )
            assert hits.hit[e] == (int(np.argmax(values @ made)) == target)


def test_single_objects_make_vectors_too():
    codes = np.random.default_rng(0).normal(size=(12, 64))
    values = codes[GRID.objects].sum(1) + 0.1 * np.random.default_rng(1).normal(size=(144, 64))
    edits = all_edits(GRID)
    made = Editor.fit(values, GRID, "single", singles=codes).edited(edits)
    np.testing.assert_allclose(made, values[edits.target], atol=1.0)
    assert (
        retrieve(
            Editor.fit(
                unit(values), GRID, "single", singles=codes / np.linalg.norm(values, axis=1).mean()
            ),
            edits,
        ).hit.mean()
        > 0.3
    )
    with pytest.raises(ConceptBindError, match="all 12 single objects"):
        Editor.fit(values, GRID, "single", singles=codes[:3])
    with pytest.raises(ConceptBindError, match="unknown protocol"):
        Editor.fit(values, GRID, "avg", protocol="loose")


def test_an_object_that_stands_nowhere_else_cannot_be_made():
    one = full_grid(SPACE, 1)
    edits = all_edits(one)
    assert len(edits) == 12 * 3
    assert not Editor.fit(np.eye(12), one, "avg").possible(edits).any()
    paper = Editor.fit(np.eye(12), one, "avg", protocol="paper")
    assert paper.possible(edits).all()
    assert retrieve(
        paper, edits
    ).hit.all()  # of codes without any structure: the vector was the answer itself
