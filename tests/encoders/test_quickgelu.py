"""Which combinations of architecture and weights are warned of; needs no open_clip."""

from __future__ import annotations

import pytest

from conceptbind.encoders.open_clip import quickgelu_warning

# arch, tag, whether the model computes QuickGELU, whether the weights were trained with it
AGREE = [
    ("ViT-B-32", "laion2b_s34b_b79k", False, False),
    ("ViT-B-32-quickgelu", "openai", True, True),
    ("ViT-B-32", "laion2b_s34b_b79k", False, None),
    ("roberta-ViT-B-32", "laion2b_s12b_b32k", True, None),
    ("ViT-B-32", "", False, None),
    ("ViT-B-32-quickgelu", "mine.safetensors", True, None),
]
DISAGREE = [
    ("ViT-B-32", "openai", False, True, "open_clip:ViT-B-32-quickgelu@openai"),
    ("ViT-L-14", "metaclip_400m", False, True, "open_clip:ViT-L-14-quickgelu@metaclip_400m"),
    ("RN50", "cc12m", False, True, "open_clip:RN50-quickgelu@cc12m"),
    (
        "ViT-B-32-quickgelu",
        "laion2b_s34b_b79k",
        True,
        False,
        "open_clip:ViT-B-32@laion2b_s34b_b79k",
    ),
]


@pytest.mark.parametrize(("arch", "tag", "model", "weights"), AGREE)
def test_nothing_is_said_where_the_activations_agree_or_are_not_known(arch, tag, model, weights):
    assert quickgelu_warning(arch, tag, model, weights) is None


@pytest.mark.parametrize(("arch", "tag", "model", "weights", "better"), DISAGREE)
def test_a_mismatch_names_both_activations_and_the_right_architecture(
    arch, tag, model, weights, better
):
    message = quickgelu_warning(arch, tag, model, weights)
    trained, used = ("QuickGELU", "GELU") if weights else ("GELU", "QuickGELU")
    assert f"'{tag}' were trained with {trained}, but {arch} computes {used}" in message
    assert message.endswith(f"use {better}")
