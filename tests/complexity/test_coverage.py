"""Train, validation and test objects never meet."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.complexity import cover
from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes import ConceptSpace, full_grid

SCENES = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdef"), tuple("uvwxyz"))))


@pytest.mark.parametrize("coverage", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts(coverage, seed):
    found = cover(SCENES, coverage, seed)
    kinds = found.objects
    assert sorted(np.concatenate(list(kinds.values())).tolist()) == list(range(36))
    assert len(kinds["train"]) == round(36 * coverage)
    held = SCENES.objects
    assert np.isin(held[found.train], kinds["train"]).all()
    assert np.isin(held[found.unseen], kinds["test"]).all()
    assert not np.isin(held[found.validation], kinds["test"]).any()
    assert np.isin(held[found.validation], kinds["validation"]).any(axis=1).all()
    assert np.isin(held[found.mixed], kinds["train"]).sum(axis=1).tolist() == [1] * len(found.mixed)
    assert not np.isin(held[found.mixed], kinds["validation"]).any()
    assert len(found.train) == len(kinds["train"]) ** 2
    assert len(found.unseen) == len(kinds["test"]) ** 2


def test_every_value_is_trained_where_there_are_enough_objects():
    assert all(cover(SCENES, 0.3, seed).missing_values == 0 for seed in range(20))
    assert cover(SCENES, 0.1).missing_values > 0


def test_the_same_seed_draws_the_same():
    first, again, other = cover(SCENES, 0.5, 3), cover(SCENES, 0.5, 3), cover(SCENES, 0.5, 4)
    assert (first.unseen == again.unseen).all()
    assert first.unseen.tolist() != other.unseen.tolist()


def test_bad_input():
    with pytest.raises(ValueRangeError, match="between 0 and 1"):
        cover(SCENES, 1.0)
    different = SCENES.select(np.flatnonzero(SCENES.objects[:, 0] != SCENES.objects[:, 1]))
    with pytest.raises(ValueRangeError, match="no scene is left for the unseen part"):
        cover(different, 0.96)
