"""Mirrored pictures: what speaks of sides is refused by name, and a mirror is a mirror."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conceptbind import cli
from conceptbind.core.errors import ValueRangeError
from conceptbind.repairs.finetune import finetune
from conceptbind.repairs.finetune.mirrors import mirrored, refuse_sided_scenes, refuse_sides
from conceptbind.scenes import ConceptSpace, full_grid, load_scenes


def test_some_pictures_are_mirrored_and_none_is_changed_in_another_way():
    pixels = torch.arange(64.0 * 3 * 2 * 4).reshape(64, 3, 2, 4)
    found = mirrored(pixels, np.random.default_rng(0))
    other = pixels.flip(-1)
    turned = [bool(torch.equal(one, back)) for one, back in zip(found, other, strict=True)]
    kept = [bool(torch.equal(one, same)) for one, same in zip(found, pixels, strict=True)]
    assert 16 < sum(turned) < 48
    assert [not one for one in turned] == kept
    assert torch.equal(found, mirrored(pixels, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a dog to the LEFT of a cat", "LEFT"),
        ("turned clockwise", "clockwise"),
        ("ein Hund links neben der Katze", "links"),
        ("left_side", "left"),
    ],
)
def test_a_text_of_sides_is_refused_by_name(text, word):
    with pytest.raises(ValueRangeError, match=f"the caption '{text}' says '{word}'"):
        refuse_sides(["a red square", text])


@pytest.mark.parametrize("text", ["a red square above a blue circle", "bright copyright leftover"])
def test_other_texts_are_not(text):
    refuse_sides([text])


@pytest.mark.parametrize(
    ("concept", "values", "said"),
    [
        ("x", ("0", "1"), "the concept 'x'"),
        ("posX", ("0", "1"), "the concept 'posX'"),
        ("orientation", ("0", "1"), "the concept 'orientation'"),
        ("place", ("up", "down"), "the concept 'place'"),
        ("where", ("left", "up"), "the value of where 'left' says 'left'"),
    ],
)
def test_scenes_with_a_concept_of_sides_are_refused_by_name(concept, values, said):
    scenes = full_grid(ConceptSpace((concept, "shape"), (values, ("square", "circle"))), 1)
    with pytest.raises(ValueRangeError, match=said):
        refuse_sided_scenes(scenes)


def test_colours_and_shapes_may_be_mirrored():
    refuse_sided_scenes(load_scenes("clevr2d"))


def test_fine_tuning_refuses_captions_of_sides(tmp_path):
    from PIL import Image

    pictures = [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(4)]
    captions = [f"a dog left of {i} cats" for i in range(4)]
    with pytest.raises(ValueRangeError, match="'a dog left of 0 cats' says 'left'"):
        finetune(
            object(),
            pictures,
            captions,
            [f"not {one}" for one in captions],
            train=[0, 1],
            validation=[2, 3],
            flip=True,
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--studies", "probe", "--flip"], "--flip True is of the study trained_along"),
        (["--studies", "trained_along", "--flip", "--modality", "text"], "only captions"),
        (["--studies", "trained_along", "--along_epochs", "0"], "epochs must be at least 1"),
    ],
)
def test_options_without_effect_are_refused(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["measure", "tiny", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
