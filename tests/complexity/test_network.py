"""The network on table sums, against a plain one, and many fits at once against each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conceptbind.complexity import (
    MLP,
    Cell,
    Inputs,
    Labelled,
    cover,
    fit_cell,
    fit_cells_together,
    fit_readout,
    network,
)
from conceptbind.core.errors import ShapeError, UnknownNameError, ValueRangeError
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import object_codes

SCENES = full_grid(ConceptSpace(("color", "shape"), (tuple("abcdef"), tuple("uvwxyz"))))


def test_table_sums_are_the_first_layer_of_a_plain_network():
    values = np.random.default_rng(0).normal(size=(len(SCENES), 5))
    parts = cover(SCENES, 0.6)
    model = MLP((6, 6), 2, width=7).fit(
        *(Labelled(SCENES.table[rows], values[rows]) for rows in (parts.train, parts.validation))
    )
    weights = model.weights_
    flat = SCENES.table.reshape(len(SCENES), -1)
    one_hot = np.concatenate([np.eye(6)[flat[:, f]] for f in range(4)], axis=1)
    hidden = np.maximum(one_hot @ weights.table[0].numpy() + weights.bias[0].numpy(), 0)
    plain = (
        hidden @ weights.out[0].numpy() + weights.out_bias[0].numpy()
    ) * model.scale_.size + model.scale_.mean
    np.testing.assert_allclose(model.predict(SCENES.table), plain, atol=1e-5)


def fitted(**form):
    values = np.random.default_rng(0).normal(size=(len(SCENES), 5))
    parts = cover(SCENES, 0.6)
    model = MLP((6, 6), 2, width=7, **form).fit(
        *(Labelled(SCENES.table[rows], values[rows]) for rows in (parts.train, parts.validation))
    )
    flat = SCENES.table.reshape(len(SCENES), -1)
    return model, np.concatenate([np.eye(6)[flat[:, f]] for f in range(4)], axis=1)


def test_further_layers_are_those_of_a_plain_network():
    model, one_hot = fitted(depth=3)
    table, bias, out, out_bias, *further = (part[0].numpy() for part in model.weights_.all())
    hidden = np.maximum(one_hot @ table + bias, 0)
    for matrix, offset in zip(further[::2], further[1::2], strict=True):
        hidden = np.maximum(hidden @ matrix + offset, 0)
    plain = (hidden @ out + out_bias) * model.scale_.size + model.scale_.mean
    assert len(further) == 4
    np.testing.assert_allclose(model.predict(SCENES.table), plain, atol=1e-5)


@pytest.mark.parametrize("products", ["per_object", "global"])
def test_products_feed_the_first_layer(products):
    model, one_hot = fitted(products=products)
    table, bias, out, out_bias, vectors, matrix = (p[0].numpy() for p in model.weights_.all())
    of = [one_hot[:, 6 * f : 6 * f + 6] @ vectors[6 * f : 6 * f + 6] for f in range(4)]
    per_object = of[0] * of[1] + of[2] * of[3]
    joined = per_object if products == "per_object" else of[0] * of[1] * of[2] * of[3]
    hidden = np.maximum(one_hot @ table + joined @ matrix + bias, 0)
    plain = (hidden @ out + out_bias) * model.scale_.size + model.scale_.mean
    np.testing.assert_allclose(model.predict(SCENES.table), plain, atol=1e-5)


def test_validation_is_what_it_says():
    values = object_codes(SCENES).astype(float)
    parts = cover(SCENES, 0.6)
    model = MLP((6, 6), 2, width=32).fit(
        *(Labelled(SCENES.table[rows], values[rows]) for rows in (parts.train, parts.validation))
    )
    rest = values[parts.validation] - model.predict(SCENES.table[parts.validation])
    assert model.validation_ == pytest.approx(np.square(rest).sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize("name", ["mlp", "mlp_2_layers", "mlp_global_product"])
def test_fits_side_by_side_are_those_of_each_alone(name):
    values = object_codes(SCENES)
    inputs = Inputs(
        values, SCENES, (fit_readout("plain", values, SCENES, split_scenes(SCENES)),), 1000, 1
    )
    cells = [Cell(name, 16, coverage, seed) for coverage, seed in ((0.4, 0), (0.7, 1))]
    for cell, rows in fit_cells_together(inputs, cells):
        for together, alone in zip(rows, fit_cell(inputs, cell), strict=True):
            assert together["value"] == pytest.approx(alone["value"], abs=0.02)


def random_networks(n, seed=0):
    """Networks of 7 hidden units on two slots of 3 and 2 values, to 5 dimensions."""
    random = torch.Generator().manual_seed(seed)
    shapes = ((n, 10, 7), (n, 1, 7), (n, 7, 5), (n, 1, 5))
    return network.Weights(*(torch.randn(shape, generator=random) for shape in shapes))


def test_gradients_by_hand_are_those_of_torch():
    weights = random_networks(3)
    flat = weights.flat()
    into = weights.views(torch.zeros_like(flat))
    columns = torch.stack([torch.randint(0, 3, (3, 11)) + 3 * f for f in range(3)], dim=2)
    target = torch.randn(3, 11, 5)
    network._gradients(weights.views(flat), columns, target, into)
    for part in weights.all():
        part.requires_grad_(True)
    rest = network._forward(weights, columns) - target
    expected = torch.autograd.grad(rest.square().sum(2).mean(1).sum(), weights.all())
    for mine, theirs in zip(into.all(), expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_steps_are_those_of_torch_s_adamw_with_settings_of_their_own():
    settings = ((3e-3, 1.0), (1e-3, 0.1))
    entries = torch.randn(2, 30)
    theirs = [row.clone().requires_grad_() for row in entries]
    torchs = torch.optim.AdamW(
        [
            {"params": [row], "lr": rate, "weight_decay": decay}
            for row, (rate, decay) in zip(theirs, settings, strict=True)
        ],
        betas=network.BETAS,
    )
    mine = network._AdamW(entries, torch.tensor(settings))
    for _ in range(5):
        slopes = torch.randn(2, 30)
        for row, slope in zip(theirs, slopes, strict=True):
            row.grad = slope
        torchs.step()
        mine.step(slopes)
    torch.testing.assert_close(entries, torch.stack(theirs).detach(), atol=1e-6, rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_fits_the_same():
    values = object_codes(SCENES)
    eyes = (fit_readout("plain", values, SCENES, split_scenes(SCENES)),)
    rows = [
        fit_cell(Inputs(values, SCENES, eyes, 1000, 1, device), Cell("global_product", 4, 0.6, 0))
        for device in ("cpu", "cuda")
    ]
    for one, other in zip(*rows, strict=True):
        assert one["value"] == pytest.approx(other["value"], abs=1e-3)


def test_shapes_are_refused():
    good = Labelled(SCENES.table, np.zeros((len(SCENES), 3)))
    with pytest.raises(ShapeError, match="3 slots"):
        MLP((6, 6), 3).fit(good, good)
    with pytest.raises(ValueRangeError, match="width"):
        MLP((6, 6), 2, width=0)
    with pytest.raises(ValueRangeError, match="depth"):
        MLP((6, 6), 2, depth=0)
    with pytest.raises(UnknownNameError, match="unknown products 'all'"):
        MLP((6, 6), 2, products="all")
    with pytest.raises(ShapeError, match="same sizes, slots, width, depth"):
        network.fit_networks([MLP((6, 6), 2), MLP((6, 6), 2, depth=2)], [good] * 2, [good] * 2)
    with pytest.raises(ShapeError, match="one embedding each"):
        Labelled(SCENES.table, np.zeros((3, 3)))
    with pytest.raises(ValueRangeError, match="outside"):
        MLP((6, 3), 2).fit(good, good)
