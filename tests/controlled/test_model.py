"""The two transformers: tokens, packing, shared weights, bad sizes."""

from __future__ import annotations

import pytest
import torch

from conceptbind.controlled import ControlledModel, Shape
from conceptbind.controlled.model import END, SCENE_END, START
from conceptbind.core.errors import ConceptBindError

SMALL = {"width": 16, "depth": 2, "heads": 2, "feed_forward": 32, "dimension": 8}


def model(**options):
    torch.manual_seed(0)
    return ControlledModel(Shape((4, 3), 3, **{**SMALL, **options})).eval()


def test_tokens_of_a_scene():
    shape = Shape((4, 3), 2, **SMALL)
    tokens = shape.scene_tokens(torch.tensor([[[0, 0], [3, 2]]]))
    assert tokens.tolist() == [[START, 3, 7, END, START, 6, 9, END, SCENE_END]]
    assert shape.concept_tokens().tolist() == [[token, SCENE_END] for token in range(3, 10)]
    assert (shape.n_tokens, shape.longest) == (10, 9)


@pytest.mark.parametrize("attention", ["full", "causal"])
@pytest.mark.parametrize("positions", ["learned", "relative"])
def test_the_last_block_computes_the_end_alone_and_gives_the_same(positions, attention):
    """The plain way: every block on every token, read at end-of-scene."""
    encoders = model(positions=positions, attention=attention)
    tower, values = (
        encoders.scene_tower,
        torch.tensor([[[0, 1], [3, 2], [1, 0]], [[2, 2], [0, 0], [1, 1]]]),
    )
    tokens = tower.shape.scene_tokens(values)
    x, bias = tower.tokens(tokens), None
    if positions == "learned":
        x = x + tower.positions.weight[: tokens.shape[1]]
    else:
        at = torch.arange(tokens.shape[1])
        slopes = torch.tensor([1.0, 0.0])
        bias = -slopes[:, None, None] * (at[:, None] - at).abs()
    for block in tower.blocks:
        normed = block.norm_1(x)
        q, k, v = (
            part.unflatten(-1, (2, 8)).transpose(1, 2)
            for part in block.attend(normed).chunk(3, dim=-1)
        )
        weights = q @ k.transpose(-1, -2) / 8**0.5 + (0 if bias is None else bias)
        if attention == "causal":
            later = torch.ones(weights.shape[-2:], dtype=torch.bool).triu(1)
            weights = weights.masked_fill(later, float("-inf"))
        x = x + block.join((weights.softmax(-1) @ v).transpose(1, 2).flatten(2))
        wide = block.widen(block.norm_2(x))
        quick = wide * torch.sigmoid(1.702 * wide)
        active = quick if attention == "causal" else torch.nn.functional.gelu(wide)
        x = x + block.narrow(active)
    plain = tower.project(tower.norm(x[:, -1]))
    plain = plain / plain.norm(dim=1, keepdim=True)
    assert torch.allclose(encoders.scenes(values), plain, atol=1e-5)


def test_an_object_query_is_a_scene_of_one_object_where_the_encoders_are_one():
    values = torch.tensor([[0, 1], [3, 2]])
    one = model(shared=True)
    assert torch.equal(one.objects(values), one.scenes(values[:, None]))
    two = model(shared=False)
    assert not torch.allclose(two.objects(values), two.scenes(values[:, None]), atol=1e-2)


def test_embeddings_are_unit_rows_and_know_the_order_of_objects():
    encoders = model()
    rows = encoders.scenes(torch.tensor([[[0, 1], [3, 2]], [[3, 2], [0, 1]]]))
    assert torch.allclose(rows.norm(dim=1), torch.ones(2), atol=1e-5)
    assert not torch.allclose(rows[0], rows[1], atol=1e-3)
    assert encoders.concepts().shape == (7, 8)


def test_the_temperature_has_one_ceiling():
    encoders = ControlledModel(Shape((4, 3), 2, **SMALL), hottest=50.0)
    encoders.log_scale.data.fill_(10.0)
    assert encoders.scale().item() == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "multiple of the number of heads"),
        ({"depth": 0}, "depth must be at least 1"),
        ({"positions": "leaned"}, "did you mean 'learned'"),
        ({"sizes": (4, 1)}, "at least two values"),
    ],
)
def test_bad_shapes(options, message):
    with pytest.raises(ConceptBindError, match=message):
        Shape(**{"sizes": (4, 3), **SMALL, **options})


def test_more_objects_than_positions_are_refused():
    with pytest.raises(ConceptBindError, match="4 objects, but the model reads at most 3"):
        model().scenes(torch.zeros(1, 4, 2, dtype=torch.long))


def test_slopes_of_attention():
    """By hand: from 1, and a last head that sees everything alike; a single head must know what
    stands beside what.
    """
    from conceptbind.controlled.model import distance_penalty

    def slopes(heads):
        return distance_penalty(2, heads, torch.device("cpu"))[:, 0, 1].neg().tolist()

    assert slopes(4) == [1.0, 0.25, 0.0625, 0.0]
    assert slopes(2) == [1.0, 0.0]
    assert slopes(1) == [1.0]
    one = model(positions="relative", heads=1)
    scene, swap = one.scenes(torch.tensor([[[0, 0], [3, 2]], [[0, 2], [3, 0]]]))
    assert float((scene - swap).detach().abs().max()) > 1e-3


def test_a_dot_product_has_an_offset_for_each_query():
    """Rows are not of length 1, and a score is their product plus what the query adds."""
    encoders = model(similarity="dot")
    values = torch.tensor([[[0, 1], [3, 2]], [[2, 2], [0, 0]]])
    scenes, queries = encoders.scenes(values), encoders.objects(values[:, 0])
    plain = encoders.scene_tower(encoders.shape.scene_tokens(values))[:, :-1]
    expected = plain @ queries[:, :-1].T + queries[:, -1]
    assert scenes.shape == (2, 9) == queries.shape
    assert not torch.allclose(plain.norm(dim=1), torch.ones(2), atol=1e-2)
    torch.testing.assert_close(scenes @ queries.T, expected)
    assert encoders.scale() == 1


@pytest.mark.parametrize("option", ["attention", "similarity"])
def test_an_unknown_kind_is_named(option):
    with pytest.raises(ConceptBindError, match=f"unknown {option} 'half'"):
        Shape((4, 3), 2, **SMALL, **{option: "half"})
