"""Random weights of a sentence-transformers pipeline: the control of text encoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense
from torch import nn

from conceptbind.encoders import resolve

CAPTIONS = ["a red square", "a blue circle and a red square", "red"]


@pytest.fixture(scope="module")
def dense_folder(minilm_folder, tmp_path_factory):
    """MiniLM with a layer of its own at the end."""
    folder = tmp_path_factory.mktemp("dense") / "model"
    pipeline = SentenceTransformer(str(minilm_folder), device="cpu")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        pipeline.append(Dense(384, 16))
    pipeline.save(str(folder))
    return folder


@pytest.mark.parametrize("folder", ["minilm_folder", "dense_folder"])
def test_random_weights_of_the_same_pipeline(folder, request):
    trained = resolve(f"st:{request.getfixturevalue(folder)}", device="cpu")
    before = trained.encode_texts(CAPTIONS)
    one, two, other = (trained.untrained(seed) for seed in (0, 0, 1))
    rows = [encoder.encode_texts(CAPTIONS) for encoder in (one, two, other)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[0] - rows[2]).max() > 1e-3
    assert np.abs(rows[0] - before).max() > 1e-3
    np.testing.assert_array_equal(trained.encode_texts(CAPTIONS), before)
    assert (one.revision, one.dimension) == ("random:0", trained.dimension)
    assert one.id == f"{trained.id} (random weights)"


def test_every_weight_is_drawn_again(dense_folder):
    trained = resolve(f"st:{dense_folder}", device="cpu")
    kept = trained._model.state_dict()
    drawn = trained.untrained()._model.state_dict()
    assert drawn.keys() == kept.keys()
    # transformers sets scales and biases to one and zero, whatever the seed
    matrices = [name for name, part in kept.items() if part.is_floating_point() and part.dim() > 1]
    assert len(matrices) > 30
    assert [name for name in matrices if torch.equal(kept[name], drawn[name])] == []


class Scaled(nn.Module):
    """A module of a pipeline with a weight that nothing draws."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


def test_a_module_that_nothing_draws_again_leaves_the_control_out(minilm_folder):
    trained = resolve(f"st:{minilm_folder}", device="cpu")
    trained._model.append(Scaled())
    assert trained.untrained() is None
