"""The score tells planted rules apart where there are enough objects, and says nothing where there
is nothing to tell.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.complexity import Sweep, complexity_sentence, complexity_study
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes

D = {24: 64, 100: 64, 400: 256}
"""Dimensions, by the number of objects: enough for a linear probe to tell random codes of so many
apart."""
DOES, DOES_NOT = "generalises to new objects", "does not generalise to new objects"


def grid(*sizes):
    return full_grid(
        ConceptSpace(
            ("a_", "b_"),
            tuple(
                tuple(f"{k}{i}" for i in range(size)) for k, size in zip("xy", sizes, strict=True)
            ),
        )
    )


def drawn(sizes, most=20_000):
    """All scenes, or as many as 20 x 20 values can be measured with in a minute."""
    scenes = grid(*sizes)
    return (
        scenes.select(np.sort(np.random.default_rng(0).permutation(len(scenes))[:most]))
        if len(scenes) > most
        else scenes
    )


def planted(scenes, kind, rank, seed=0):
    """(n, d + 1) sums of values with an equal share of what is planted; a constant keeps all rows
    nearly as long as each other.
    """
    rng, table = np.random.default_rng(seed), scenes.table.reshape(len(scenes), -1)
    sizes, d = scenes.space.sizes * scenes.n_slots, D[scenes.space.n_objects]

    def unit(rows):
        rows = rows - rows.mean(axis=0)
        return rows / np.sqrt(np.square(rows).sum(axis=1).mean())

    values = unit(sum(rng.normal(size=(size, d))[table[:, f]] for f, size in enumerate(sizes)))
    if kind == "codes":
        values = values + unit(
            rng.normal(size=(scenes.space.n_objects, d))[scenes.objects].sum(axis=1)
        )
    elif kind != "additive":
        parts = [rng.normal(size=(size, rank))[table[:, f]] for f, size in enumerate(sizes)]
        joined = (
            np.prod(parts, axis=0)
            if kind == "global"
            else parts[0] * parts[1] + parts[2] * parts[3]
        )
        values = values + unit(joined @ rng.normal(size=(rank, d)))
    return np.hstack([values, np.full((len(values), 1), 10.0)]).astype(np.float32)


def studied(sizes, kind, rank=0, coverages=(0.8,)):
    scenes = drawn(sizes)
    rows = Embeddings(
        planted(scenes, kind, rank), "text", scenes.content_hash, scenes.name, kind, "1"
    )
    sweep = Sweep(coverages, (("additive", None), ("per_object_product", 16)), 5, 1000, 1)
    study = complexity_study(rows, scenes, split_scenes(scenes), sweep=sweep)
    score = next(r.value for r in study.scores() if r["approximator"] == "chosen")
    print(sizes, kind, rank, "score", score, complexity_sentence(study))
    return score, complexity_sentence(study)


@pytest.mark.long
@pytest.mark.parametrize("sizes", [(10, 10), (20, 20)])
@pytest.mark.parametrize("rank", [1, 2, 4, 16])
def test_products_generalise(sizes, rank):
    score, said = studied(sizes, "product", rank)
    # 400 objects along one or two directions are nothing that plain probes recognise
    assert score > 0.5
    assert DOES in said


@pytest.mark.long
@pytest.mark.parametrize("sizes", [(10, 10), (20, 20)])
def test_codes_do_not_generalise(sizes):
    score, said = studied(sizes, "codes")
    assert score < 0.1
    assert DOES_NOT in said


@pytest.mark.long
@pytest.mark.parametrize("sizes", [(8, 3), (10, 10), (20, 20)])
@pytest.mark.parametrize(("kind", "rank"), [("additive", 0), ("global", 2)])
def test_what_does_not_bind_is_not_complex(sizes, kind, rank):
    score, said = studied(sizes, kind, rank)
    assert score is None
    assert "does not generalise" not in said
    assert ("cannot be judged" if sizes == (8, 3) else "no rule of binding to judge") in said


@pytest.mark.long
@pytest.mark.parametrize(("kind", "rank"), [("product", 4), ("product", 16), ("codes", 0)])
def test_twenty_four_objects_are_no_ground_for_a_negative(kind, rank):
    assert DOES_NOT not in studied((8, 3), kind, rank)[1]
