"""Flat pictures: the same bytes for the same seed, no overlap, the colour asked for, shapes that
differ.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.pictures import FlatStyle, draw_flat, place
from conceptbind.pictures.vocabulary import COLORS, FLAT_SHAPES

PAIR = [("red", "square"), ("blue", "circle")]


def draw(objects=PAIR, seed=0, **style):
    return draw_flat(objects, np.random.default_rng(seed), FlatStyle(**style))


def test_a_seed_gives_the_same_bytes_and_another_seed_others():
    digests = [hashlib.sha256(draw(seed=seed)[0].tobytes()).hexdigest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("shape", FLAT_SHAPES)
def test_an_object_has_its_colour_inside_its_circle_and_nothing_outside(shape):
    picture, layout = draw([("yellow", shape)])
    pixels = np.asarray(picture).astype(int)
    rows, columns = np.mgrid[:224, :224] + 0.5
    (x, y), radius = layout.centres[0] * 224, layout.radii[0] * 224
    inside = np.hypot(columns - x, rows - y) <= radius + 1
    ground = (pixels == 200).all(axis=2)
    assert ground[~inside].all()
    full = (pixels == COLORS["yellow"]).all(axis=2)
    assert 0.1 < full[inside].mean() < 0.9


def test_shapes_look_different():
    pictures = [np.asarray(draw([("black", shape)])[0]).astype(int) for shape in FLAT_SHAPES]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert (np.abs(one - other).max(axis=2) > 64).mean() > 0.005


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 35])
@pytest.mark.parametrize("halves", [True, False])
def test_objects_never_overlap_and_stay_inside(n, halves):
    for seed in range(50):
        layout = place(
            n, np.random.default_rng(seed), position_jitter=1, size_jitter=0.3, halves=halves
        )
        assert (np.diff(layout.centres[:, 0]) >= 0).all()  # slots from left to right
        assert (layout.centres - layout.radii[:, None] >= -1e-9).all()
        assert (layout.centres + layout.radii[:, None] <= 1 + 1e-9).all()
        apart = np.linalg.norm(layout.centres[:, None] - layout.centres[None], axis=2)
        touching = layout.radii[:, None] + layout.radii[None]
        assert (apart >= touching - 1e-9)[~np.eye(n, dtype=bool)].all()


def test_two_objects_stand_left_and_right():
    for seed in range(20):
        picture, layout = draw(seed=seed, position_jitter=1)
        pixels = np.asarray(picture)
        red, blue = ((pixels == COLORS[color]).all(axis=2) for color in ("red", "blue"))
        assert red[:, :112].sum() == red.sum() > 0
        assert blue[:, 112:].sum() == blue.sum() > 0
        assert layout.centres[0, 0] < 0.5 < layout.centres[1, 0]


def test_the_ground_changes_with_its_jitter_only():
    corners = {
        tuple(np.asarray(draw(seed=seed, background_jitter=0.1)[0])[0, 0]) for seed in range(5)
    }
    assert len(corners) == 5
    assert {tuple(np.asarray(draw(seed=seed)[0])[0, 0]) for seed in range(5)} == {(200, 200, 200)}


def test_without_jitter_pictures_are_the_same_for_every_seed():
    one, two = (draw(seed=seed, position_jitter=0, size_jitter=0)[0].tobytes() for seed in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("objects", "style", "error", "message"),
    [
        ([("rde", "square")], {}, UnknownNameError, "no colour 'rde'; did you mean 'red'"),
        ([("red", "sqare")], {}, UnknownNameError, "no shape 'sqare'; did you mean 'square'"),
        ([("red", "square")] * 37, {}, ValueRangeError, "1 to 36 objects without overlap; got 37"),
        ([], {}, ValueRangeError, "1 to 36 objects without overlap; got 0"),
        (PAIR, {"size": 12}, ValueRangeError, "use a larger size or fewer objects"),
        (PAIR, {"position_jitter": 2}, ValueRangeError, "jitter must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_drawn(objects, style, error, message):
    with pytest.raises(error, match=message):
        draw(objects, **style)


@pytest.mark.parametrize(("name", "colour"), [("crimson", (220, 20, 60)), ("teal", (10, 120, 120))])
def test_all_colours_that_css_names_are_drawn_and_ours_come_first(name, colour):
    picture, _ = draw([(name, "square")])
    assert (np.asarray(picture) == colour).all(axis=2).any()
    assert len(COLORS) >= 140
