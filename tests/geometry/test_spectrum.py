"""The interaction spectrum: exact sums on full grids, planted shares, and its agreement with the
additive fits.
"""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ConceptBindError
from conceptbind.geometry import explained, fit_additive, spectrum
from conceptbind.scenes import ConceptSpace, full_grid
from planted import concept_codes, object_codes

SPACE = ConceptSpace(("color", "shape"), (("red", "green", "blue"), ("square", "circle")))
GRID = full_grid(SPACE, 2)
NOISE = np.random.default_rng(0).normal(size=(36, 16))


@pytest.mark.parametrize(
    ("space", "slots"),
    [
        (SPACE, 2),
        (SPACE, 3),
        (SPACE, 1),
        (ConceptSpace(("a1", "b", "c"), (("x", "y"), ("x", "y", "z"), ("x", "y"))), 2),
    ],
)
def test_orders_are_sums_of_the_shares(space, slots):
    scenes = full_grid(space, slots)
    values = np.random.default_rng(1).normal(size=(len(scenes), 8)) + concept_codes(scenes, 8)
    found = spectrum(values, scenes)
    assert found.method == "exact"
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    assert sum(part.freedom for part in found.parts) == pytest.approx(1)
    assert len(found.parts) == 2 ** (slots * len(space.concepts)) - 1
    assert found.share("concept") == pytest.approx(
        explained(values, fit_additive(values, scenes, order=1))
    )
    if slots > 1:
        assert found.share("concept", "object") == pytest.approx(
            explained(values, fit_additive(values, scenes, order=2))
        )


def test_a_part_is_the_inclusion_and_exclusion_of_means():
    """The slow definition: mean over everything else, less the means of fewer factors."""
    cells = NOISE.reshape(3, 2, 3, 2, 16)
    a = cells.mean((1, 2, 3)) - cells.mean((0, 1, 2, 3))
    b = cells.mean((0, 2, 3)) - cells.mean((0, 1, 2, 3))
    both = cells.mean((2, 3)) - cells.mean((0, 1, 2, 3)) - a[:, None] - b[None]
    total = np.square(NOISE - NOISE.mean(0)).sum()
    found = {part.factors: part for part in spectrum(NOISE, GRID).parts}
    assert found["slot 1 color", "slot 1 shape"].share == pytest.approx(
        np.square(both).sum() * 6 / total
    )
    assert found["slot 1 color",].share == pytest.approx(np.square(a).sum() * 12 / total)
    assert found["slot 1 color", "slot 1 shape"].kind == "object"
    assert found["slot 1 color", "slot 2 shape"].kind == "objects"


def test_a_bag_has_no_binding_share_and_objects_have_theirs():
    assert spectrum(concept_codes(GRID), GRID).binding_share == pytest.approx(0, abs=1e-12)
    codes = spectrum(object_codes(GRID, 4096), GRID)
    assert codes.share("objects") == pytest.approx(0, abs=1e-12)
    # (3 - 1)(2 - 1) of 3 x 2 - 1 dimensions
    assert codes.binding_share == pytest.approx(2 / 5, abs=0.03)
    mixed = 0.6**0.5 * _unit(object_codes(GRID, 4096), "object") + 0.4**0.5 * _unit(
        concept_codes(GRID, 4096, seed=3), "concept"
    )
    assert spectrum(mixed, GRID).binding_share == pytest.approx(0.6, abs=0.03)


def _unit(values, kind):
    """The part of one kind alone, with variance 1."""
    scenes = GRID
    two, one = (fit_additive(values, scenes, order=order) for order in (1, 2))
    rows = np.arange(len(scenes))
    part = two[rows] - two.mean if kind == "concept" else one[rows] - two[rows]
    return part / np.sqrt(np.square(part).sum())


def test_noise_has_the_shares_of_its_freedom():
    scenes = full_grid(ConceptSpace(("a1", "b"), (tuple("xyzw"), tuple("xyzw"))), 2)
    found = spectrum(np.random.default_rng(0).normal(size=(256, 2048)), scenes)
    for part in found.parts:
        assert part.share == pytest.approx(part.freedom, rel=0.1)


def test_shares_do_not_depend_on_order_rotation_or_scale():
    base = spectrum(NOISE, GRID)
    shuffle = np.random.default_rng(0).permutation(36)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0]
    for other in (
        spectrum(NOISE[shuffle], GRID.select(shuffle)),
        spectrum(NOISE @ turn * 5 + 1, GRID),
    ):
        assert [part.factors for part in other.parts] == [part.factors for part in base.parts]
        np.testing.assert_allclose(
            [part.share for part in other.parts], [part.share for part in base.parts]
        )


def test_a_grid_with_holes_is_sequential_and_says_so():
    scenes = full_grid(ConceptSpace(("color", "shape"), (tuple("rgby"), tuple("stc"))), 2)
    rows = np.flatnonzero(scenes.objects[:, 0] != scenes.objects[:, 1])
    holes = scenes.select(rows)
    for codes, kind in ((concept_codes(holes), "concept"), (object_codes(holes), "object")):
        found = spectrum(codes, holes)
        assert found.method == "sequential least squares"
        assert sum(part.share for part in found.parts) == pytest.approx(1)
        assert found.share("objects", "rest") == pytest.approx(0, abs=1e-9)
        assert (found.binding_share > 0.1) == (kind == "object")
    # On a full grid whose rows say otherwise, the sequence gives the exact sums.
    from conceptbind.geometry.spectra import _sequential

    values = np.random.default_rng(2).normal(size=(len(scenes), 8))
    exact, slow = spectrum(values, scenes), _sequential(values, scenes)
    assert slow.share("concept") == pytest.approx(exact.share("concept"))
    assert slow.binding_share == pytest.approx(exact.binding_share)
    assert slow.share("objects") == pytest.approx(
        sum(p.share for p in exact.parts if p.kind == "objects" and len(p.factors) == 2)
    )


def test_what_has_no_spectrum_is_refused():
    with pytest.raises(ConceptBindError, match="no variance to share out"):
        spectrum(np.full((36, 3), 0.1), GRID)
    with pytest.raises(ConceptBindError, match="fewer than its concepts have values"):
        spectrum(NOISE[:3], GRID.select(np.array([0, 14, 28])))
    with pytest.raises(ConceptBindError, match="finite"):
        spectrum(NOISE * np.inf, GRID)
    with pytest.raises(ConceptBindError, match="one embedding per scene"):
        spectrum(NOISE[:5], GRID)
