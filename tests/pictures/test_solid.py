"""Solid pictures: the same bytes for the same seed, each object where and in the colour that is
asked for, nothing overlapping.
"""

from __future__ import annotations

import hashlib
import os
import sys
from multiprocessing import get_context

import numpy as np
import pytest

from conceptbind.core.errors import MissingExtraError, UnknownNameError, ValueRangeError
from conceptbind.pictures import SolidStyle, draw_solid
from conceptbind.pictures import solid as module
from conceptbind.pictures.vocabulary import APART, COLORS, SOLID_SHAPES

PAIR = [("red", "cube"), ("blue", "sphere")]
CLEVR = tuple(COLORS)[:8]
QUICK = {"size": 64, "supersampling": 1}


@pytest.fixture
def mitsuba():
    return pytest.importorskip("mitsuba")


def draw(objects=PAIR, seed=0, **style):
    return draw_solid(objects, np.random.default_rng(seed), SolidStyle(**{**QUICK, **style}))


def digest(seed):
    return hashlib.sha256(draw(seed=seed, supersampling=2)[0].tobytes()).hexdigest()


def stand(n, seed, **style):
    """A layout without its picture, and the camera."""
    rng = np.random.default_rng(seed)
    style = SolidStyle(**style)
    camera = module._camera(rng, style.camera_jitter)
    return module._stand(
        [SOLID_SHAPES[i] for i in rng.integers(3, size=n)], camera, rng, style
    ), camera


@pytest.mark.usefixtures("mitsuba")
def test_a_seed_gives_the_same_bytes_and_another_seed_others():
    assert digest(0) == digest(0) != digest(1)


@pytest.mark.usefixtures("mitsuba")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:lance is not fork-safe")
def test_processes_forked_after_the_first_picture_draw_the_same_bytes():
    here = [digest(seed) for seed in range(4)]
    with get_context("fork").Pool(2) as pool:
        assert pool.map_async(digest, range(4)).get(timeout=60) == here


def test_the_variant_of_mitsuba_that_was_set_stays(mitsuba):
    mitsuba.set_variant("scalar_spectral")
    draw()
    assert mitsuba.variant() == "scalar_spectral"
    mitsuba.set_variant("scalar_rgb")


@pytest.mark.usefixtures("mitsuba")
@pytest.mark.parametrize("shape", SOLID_SHAPES)
def test_the_middle_of_an_object_has_the_hue_that_was_asked_for(shape):
    """Of CLEVR's eight colours, the nearest in direction (hue and saturation, whatever the light)
    is the right one, at every place.
    """
    directions = np.array([COLORS[color] for color in CLEVR]) / 255
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(8)
        picture, layout = draw(
            [(CLEVR[i], shape) for i in order], seed, size=96, camera_jitter=1, light_jitter=1
        )
        pixels = np.asarray(picture) / 255
        for i, (x, y) in zip(order, layout.centres * 96, strict=True):
            patch = pixels[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].mean(axis=(0, 1))
            assert CLEVR[(directions @ patch).argmax()] == CLEVR[i]


@pytest.mark.usefixtures("mitsuba")
def test_every_colour_of_ours_is_drawn_and_looks_nearest_to_itself():
    names = [color for color in APART if color != "grey"]
    seen = []
    for color in names:
        picture, layout = draw(
            [(color, "sphere")], position_jitter=0, camera_jitter=0, light_jitter=0, size_jitter=0
        )
        x, y = (layout.centres[0] * 64).astype(int)
        seen.append(np.asarray(picture)[y - 3 : y + 3, x - 3 : x + 3].mean(axis=(0, 1)))
    known = np.array([COLORS[color] for color in names])
    distance = np.linalg.norm(np.array(seen)[:, None] - known, axis=2)
    assert [names[i] for i in distance.argmin(axis=1)] == names
    apart = np.linalg.norm(np.array(seen)[:, None] - np.array(seen), axis=2) + 1000 * np.eye(
        len(names)
    )
    assert apart.min() > 25


@pytest.mark.usefixtures("mitsuba")
def test_shapes_look_different():
    still = {
        "position_jitter": 0,
        "size_jitter": 0,
        "camera_jitter": 0,
        "light_jitter": 0,
        "turn_jitter": 0,
    }
    pictures = [
        np.asarray(draw([("red", shape)], **still)[0]).astype(int) for shape in SOLID_SHAPES
    ]
    assert all(
        (np.abs(one - other).max(axis=2) > 32).mean() > 0.01
        for one, other in zip(pictures, [*pictures[1:], pictures[0]], strict=True)
    )
    assert draw(seed=3, position_jitter=0, size_jitter=0)[1].centres.tolist() == [
        [0.25, 0.5],
        [0.75, 0.5],
    ]


@pytest.mark.usefixtures("mitsuba")
def test_objects_cast_shadows_on_a_ground_that_is_grey():
    picture, layout = draw([("white", "sphere")], size=96, supersampling=2)
    pixels = np.asarray(picture).astype(int)
    rows, columns = np.mgrid[:96, :96] + 0.5
    distance = np.hypot(
        *(np.stack([columns, rows], axis=2) - layout.centres[0] * 96).transpose(2, 0, 1)
    ) / (layout.radii[0] * 96)
    assert np.ptp(pixels[distance > 1.1], axis=1).max() <= 2
    far, near = pixels[distance > 3], pixels[(distance > 1.05) & (distance < 1.6)]
    assert near.min() < far.min() - 30
    assert far.min() > 130 and far.max() < 235


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 36])
def test_objects_never_overlap_and_stand_on_the_ground_from_left_to_right(n):
    for seed in range(50):
        layout, camera = stand(n, seed, position_jitter=1, size_jitter=0.3, camera_jitter=1)
        apart = np.linalg.norm(layout.positions[:, None] - layout.positions, axis=2)
        assert (apart > layout.extents[:, None] + layout.extents)[~np.eye(n, dtype=bool)].all()
        share = layout.positions[:, 2] / layout.extents
        assert np.isclose(share[:, None], list(module.HALF_SIZES.values())).any(axis=1).all()
        # the camera sees them where the layout says: an independent projection
        seen = layout.positions - camera.origin
        depth = 2 * np.tan(np.pi * module.FIELD / 360) * (seen @ camera.forward)
        across, down = 0.5 + seen @ camera.right / depth, 0.5 - seen @ camera.up / depth
        assert np.allclose(np.stack([across, down], axis=1), layout.centres)
        assert np.allclose(layout.extents / depth, layout.radii)
        assert (np.diff(across) >= 0).all()
        hidden = (
            np.linalg.norm(layout.centres[:, None] - layout.centres, axis=2)
            < layout.radii[:, None] + layout.radii
        )
        assert not hidden[~np.eye(n, dtype=bool)].any()
        assert (layout.centres >= layout.radii[:, None]).all() and (
            layout.centres <= 1 - layout.radii[:, None]
        ).all()


def test_two_objects_stand_left_and_right():
    for seed in range(50):
        layout, _ = stand(2, seed, position_jitter=1)
        assert layout.centres[0, 0] + layout.radii[0] < 0.5 < layout.centres[1, 0] - layout.radii[1]


@pytest.mark.parametrize(
    ("objects", "style", "error", "message"),
    [
        ([("rde", "cube")], {}, UnknownNameError, "no colour 'rde'; did you mean 'red'"),
        (
            [("red", "square")],
            {},
            UnknownNameError,
            "no shape 'square'; known: cube, cylinder, sphere",
        ),
        ([("red", "ring")], {}, UnknownNameError, "no shape 'ring'; known: cube, cylinder, sphere"),
        ([("red", "cube")] * 37, {}, ValueRangeError, "1 to 36 objects without overlap; got 37"),
        ([], {}, ValueRangeError, "1 to 36 objects without overlap; got 0"),
        (PAIR, {"size": 16}, ValueRangeError, "use a larger size or fewer objects"),
        (
            PAIR,
            {"light_jitter": 2},
            ValueRangeError,
            "jitter must lie between 0 and 1; got camera 0.5, light 2",
        ),
        (PAIR, {"position_jitter": -1}, ValueRangeError, "jitter must lie between 0 and 1"),
        (PAIR, {"supersampling": 0}, ValueRangeError, "at least 1 ray; got supersampling 0"),
    ],
)
def test_what_cannot_be_drawn(objects, style, error, message):
    with pytest.raises(error, match=message):
        draw(objects, **style)


def test_without_mitsuba_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "drjit", None)
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(
        MissingExtraError,
        match=r"drawing solid scenes needs the package 'mitsuba'.*conceptbind\[render3d\]",
    ):
        draw()
