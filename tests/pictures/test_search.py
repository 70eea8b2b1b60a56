"""Search fields: the target is there exactly once or not at all, and nothing but the join of its
features says so.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.pictures import FlatStyle, SolidLayout, SolidStyle, draw_field, search_fields
from conceptbind.pictures.vocabulary import COLORS

COLOURS, SHAPES = ("red", "green", "blue"), ("cube", "sphere", "cylinder")


@pytest.fixture(scope="module")
def fields():
    return search_fields(720, COLOURS, SHAPES, seed=1)


def test_the_target_is_there_once_or_not_at_all_among_two_kinds(fields):
    for field, present, kinds, target in zip(
        fields.objects, fields.present, fields.kinds, fields.targets, strict=True
    ):
        counts = Counter(field)
        assert counts.pop(target, 0) == int(present)
        assert set(counts) == set(kinds)  # both kinds, and nothing else
        (a, s), (b, t) = kinds
        assert a != b and s != t
        assert target in {(a, t), (b, s)}


def test_without_the_join_no_feature_is_new(fields):
    """Every colour and every shape of a field with the target is also a distractor's: no single
    feature pops out.
    """
    for field, target in zip(fields.objects, fields.targets, strict=True):
        rest = [item for item in field if item != target]
        assert {color for color, _ in field} == {color for color, _ in rest}
        assert {shape for _, shape in field} == {shape for _, shape in rest}


def test_half_of_the_fields_hold_the_target_and_their_numbers_say_nothing(fields):
    assert fields.present.sum() == len(fields) / 2 == 360
    for values in (
        fields.n_objects.tolist(),
        fields.kinds,
        fields.targets,
        list(zip(fields.n_objects.tolist(), fields.kinds, strict=True)),
    ):
        with_target = Counter(
            value for value, present in zip(values, fields.present, strict=True) if present
        )
        assert with_target == Counter(
            value for value, present in zip(values, fields.present, strict=True) if not present
        )
    assert set(fields.n_objects) == set(range(4, 36))
    assert np.ptp(list(Counter(fields.n_objects.tolist()).values())) <= 2


def test_about_half_of_each_kind_and_the_share_says_nothing_either():
    fields = search_fields(4000, ("red", "green"), ("cube", "sphere"), counts=(20,), seed=0)
    greens = np.array([sum(color == "green" for color, _ in field) for field in fields.objects])
    assert greens.min() >= 7 and greens.max() <= 13
    best = max(np.mean((greens >= cut) == fields.present) for cut in range(21))
    assert 0.45 < best < 0.56  # counting a colour is worth nothing
    spheres = np.array([sum(shape == "sphere" for _, shape in field) for field in fields.objects])
    first = np.array([(("green", "sphere") in kinds) for kinds in fields.kinds])
    differs = np.where(first, greens != spheres, greens != 20 - spheres)
    assert (
        differs == fields.present
    ).all()  # the positive control: both counts together do tell, which no caption shows


def test_both_joins_are_asked_for_with_every_pair_of_kinds(fields):
    joins = {}
    for kinds, target in zip(fields.kinds, fields.targets, strict=True):
        joins.setdefault(kinds, Counter())[target] += 1
    assert len(joins) == 18  # 3 pairs of colours x 3 pairs of shapes x 2 ways
    assert all(len(counts) == 2 and len(set(counts.values())) == 1 for counts in joins.values())


def test_an_orbit_holds_the_swaps_of_its_kinds_and_nothing_else(fields):
    members = {}
    for orbit, kinds in zip(fields.orbits.tolist(), fields.kinds, strict=True):
        members.setdefault(orbit, set()).add(frozenset(kinds))
    assert len(members) == 9
    for kinds in members.values():
        assert len(kinds) == 2
        (one, other) = kinds
        assert not one & other
        assert {color for color, _ in one} == {color for color, _ in other}
        assert {shape for _, shape in one} == {shape for _, shape in other}


def test_a_seed_gives_the_same_table_and_another_seed_another():
    one, same, other = (search_fields(40, COLOURS, SHAPES, seed=seed) for seed in (3, 3, 4))
    assert (
        one.objects == same.objects
        and one.targets == same.targets
        and (one.present == same.present).all()
    )
    assert one.objects != other.objects


def test_the_smallest_fields_keep_both_kinds():
    fields = search_fields(200, COLOURS, SHAPES, counts=(4,), seed=0)
    assert all(
        len(set(field)) == 2 + present
        for field, present in zip(fields.objects, fields.present, strict=True)
    )


def test_flat_pictures_show_every_object():
    fields = search_fields(8, ("red", "blue"), ("square", "circle"), counts=(4, 35), seed=0)
    for row in range(8):
        picture, layout = draw_field(fields, row)
        assert picture.tobytes() == draw_field(fields, row, style=FlatStyle())[0].tobytes()
        assert picture.tobytes() != draw_field(fields, row, seed=1)[0].tobytes()
        pixels = np.asarray(picture)
        assert len(layout.centres) == fields.n_objects[row]
        for (color, _), (x, y) in zip(
            fields.objects[row], (layout.centres * 224).astype(int), strict=True
        ):
            assert tuple(pixels[y, x]) == COLORS[color]


def test_solid_pictures_show_every_object():
    pytest.importorskip("mitsuba")
    fields = search_fields(2, ("red", "blue"), ("cube", "sphere"), counts=(35,), seed=0)
    picture, layout = draw_field(fields, 1, style=SolidStyle(size=160, supersampling=1))
    assert isinstance(layout, SolidLayout)
    pixels = np.asarray(picture).astype(int)
    for (color, _), (x, y) in zip(
        fields.objects[1], (layout.centres * 160).astype(int), strict=True
    ):
        assert (pixels[y, x, 0] > pixels[y, x, 2] + 30) == (color == "red")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, COLOURS, SHAPES), ValueRangeError, "must be even and at least 2; got 3"),
        ((0, COLOURS, SHAPES), ValueRangeError, "must be even and at least 2; got 0"),
        (
            (4, ("red", "grene"), SHAPES),
            UnknownNameError,
            "no colour 'grene'; did you mean 'green'",
        ),
        (
            (4, COLOURS, ("cube", "spher")),
            UnknownNameError,
            "no shape 'spher'; did you mean 'sphere'",
        ),
        (
            (4, ("red",), SHAPES),
            ValueRangeError,
            "at least two colours that all look different; got red",
        ),
        (
            (4, ("gray", "grey"), SHAPES),
            ValueRangeError,
            "at least two colours that all look different; got gray, grey",
        ),
        (
            (4, COLOURS, ("cube", "cube")),
            ValueRangeError,
            "at least two shapes that all look different; got cube, cube",
        ),
        (
            (4, COLOURS, ("cube", "square")),
            ValueRangeError,
            "must be all flat .* or all solid .*; got cube, square",
        ),
    ],
)
def test_what_makes_no_table(arguments, error, message):
    with pytest.raises(error, match=message):
        search_fields(*arguments)


@pytest.mark.parametrize(
    ("counts", "got"), [((3,), "got 3"), ((10, 36), "got 36"), ((), "got no count")]
)
def test_counts_that_do_not_fit(counts, got):
    with pytest.raises(ValueRangeError, match=f"4 to 35 objects; {got}"):
        search_fields(4, COLOURS, SHAPES, counts=counts)


def test_a_row_that_is_not_there_and_a_style_that_does_not_fit(fields):
    with pytest.raises(ValueRangeError, match="rows 0 to 719; got 720"):
        draw_field(fields, 720)
    with pytest.raises(UnknownNameError, match="the flat renderer knows no shape"):
        draw_field(fields, 0, style=FlatStyle())
