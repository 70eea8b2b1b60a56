"""Adapters far from the identity, and the small models that the encoders are tested with."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.repairs.labclip.adapter import Adapter
from encoders.conftest import clip_folder, siglip_folder  # noqa: F401


@pytest.fixture
def make_adapter():
    """A map of the given shape that leaves no caption where it was."""

    def make(d_out: int, d_in: int, **config: str) -> Adapter:
        weight = np.random.default_rng(0).normal(size=(d_out, d_in)).astype(np.float32)
        return Adapter(weight, 0.5, config)

    return make
