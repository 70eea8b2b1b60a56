"""One thing is varied, and nothing else changes: compared by pixels and by places."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.pictures import FlatStyle, VariedStyle, draw_flat, draw_pictures, draw_varied
from conceptbind.pictures.vocabulary import COLORS
from conceptbind.scenes import load_scenes

PAIR = [("red", "square"), ("blue", "circle")]
CLUTTER = {"clutter_shapes": ("star", "ring"), "clutter_colors": ("green", "yellow")}
SEEDS = range(20)


def drawn(seed, **style):
    picture, layout = draw_varied(PAIR, np.random.default_rng(seed), VariedStyle(**style))
    return np.asarray(picture).astype(int), layout


def near_objects(layout, by=0.0, size=224):
    """Pixels within the objects' circles, and some more."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    circles = zip(layout.centres, layout.radii, strict=True)
    away = [np.hypot(columns - x, rows - y) - r for (x, y), r in circles]
    return np.min(away, axis=0) <= by


def test_without_a_change_it_is_the_picture_of_draw_flat():
    for seed in SEEDS:
        picture, layout = draw_flat(PAIR, np.random.default_rng(seed), FlatStyle())
        same, places = drawn(seed)
        assert (np.asarray(picture) == same).all()
        assert (layout.centres == places.centres).all()
        assert (layout.radii == places.radii).all()


def test_the_scale_changes_radii_alone():
    for seed in SEEDS:
        before, after = drawn(seed), drawn(seed, scale=0.4)
        assert np.allclose(after[1].centres, before[1].centres, atol=0)
        assert np.allclose(after[1].radii, 0.4 * before[1].radii)
        outside = ~near_objects(before[1], 0.01)
        assert (before[0][outside] == after[0][outside]).all()


@pytest.mark.parametrize("distance", [0.25, 0.5, 0.75])
def test_the_distance_is_what_was_asked_for_and_sizes_and_direction_stay(distance):
    for seed in SEEDS:
        before, after = drawn(seed, scale=0.6)[1], drawn(seed, scale=0.6, distance=distance)[1]
        line, other = np.diff(after.centres, axis=0)[0], np.diff(before.centres, axis=0)[0]
        assert np.linalg.norm(line) == pytest.approx(distance)
        assert line @ other == pytest.approx(np.linalg.norm(line) * np.linalg.norm(other))
        assert (after.radii == before.radii).all()
        assert (after.centres - after.radii[:, None] >= -1e-9).all()
        assert (after.centres + after.radii[:, None] <= 1 + 1e-9).all()
        middle = after.centres.mean(axis=0)
        if distance <= 0.5:  # there is room, so the middle stays as well
            assert np.abs(middle - before.centres.mean(axis=0)).max() < 0.2


def test_clutter_leaves_the_objects_their_pixels_and_more_of_it_keeps_the_first():
    for seed in SEEDS:
        plain, layout = drawn(seed)
        few, many = (drawn(seed, clutter=n, **CLUTTER)[0] for n in (2, 8))
        objects = near_objects(layout, 0.005)
        assert (few[objects] == plain[objects]).all()
        assert (many[objects] == plain[objects]).all()
        added = (few != plain).any(axis=2)
        assert added.any()
        assert (many[added] == few[added]).all()
        assert (many != plain).any(axis=2).sum() > added.sum()


def test_clutter_has_its_own_colours_and_shapes_and_is_no_object():
    shown, layout = drawn(0, clutter=6, **CLUTTER)
    assert len(layout.radii) == 2
    for color in ("green", "yellow"):
        assert (shown == COLORS[color]).all(axis=2).any()


def test_noise_changes_the_ground_alone_and_a_tint_all_of_it():
    for seed in SEEDS:
        plain = drawn(seed)[0]
        noisy, tinted = drawn(seed, noise=0.2)[0], drawn(seed, background_jitter=0.2)[0]
        inside = (plain != 200).any(axis=2)
        full = np.zeros_like(inside)
        for color, _ in PAIR:
            full |= (plain == COLORS[color]).all(axis=2)
        assert (noisy[full] == plain[full]).all()
        assert (tinted[full] == plain[full]).all()
        assert np.abs(noisy[~inside] - 200).max() <= 51
        assert noisy[~inside].std() > 20
        assert len(np.unique(tinted[~inside], axis=0)) == 1


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ({"scale": 0.0}, "scaled by a share above 0 and up to 1; got 0.0"),
        ({"distance": 0.1}, "would overlap: their radii sum to"),
        ({"scale": 0.6, "distance": 1.3}, "would not fit into the picture"),
        ({"clutter": 2}, "clutter needs at least one shape and one colour"),
        ({"clutter": 300, **CLUTTER}, "there is no room for a distractor"),
    ],
)
def test_what_does_not_fit_is_refused(style, said):
    with pytest.raises(ValueRangeError, match=said):
        drawn(0, **style)


def test_a_distance_is_between_two():
    with pytest.raises(ValueRangeError, match="between two objects; got 3"):
        draw_varied([*PAIR, ("green", "star")], np.random.default_rng(0), VariedStyle(distance=0.5))


def test_a_folder_of_varied_pictures_keeps_its_places(tmp_path):
    scenes = load_scenes("clevr2d").select(np.arange(3))
    rows = []
    for name, style in (("plain", FlatStyle()), ("small", VariedStyle(scale=0.5))):
        found = draw_pictures(scenes, tmp_path / name, places=[5, 5, 7], style=style)
        lines = (found.image_folder / "scenes.csv").read_text().splitlines()[1:]
        rows.append([line.split(",") for line in lines])
    for full, small in zip(*rows, strict=True):
        assert full[5:7] == small[5:7]
        assert float(small[7]) == pytest.approx(float(full[7]) / 2, abs=1e-4)
