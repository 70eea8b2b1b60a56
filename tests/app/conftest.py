"""One small encoder with a map of its captions, and the page that shows both."""

from __future__ import annotations

import numpy as np
import pytest

from app.serving import served
from conceptbind.app import Model, Page
from conceptbind.encoders import resolve
from conceptbind.repairs.labclip import Adapter, save_adapter

pytest.importorskip("uvicorn")


@pytest.fixture(scope="package")
def tiny():
    return resolve("tiny", device="cpu")


@pytest.fixture(scope="package")
def map_folder(tmp_path_factory, tiny):
    """A map near the identity, as `repair` would write it."""
    noise = np.random.default_rng(0).normal(0, 0.02, (tiny.dimension, tiny.dimension))
    weight = (np.eye(tiny.dimension) + noise).astype(np.float32)
    about = {"encoder": tiny.id, "revision": tiny.revision, "scenes": "clevr2d"}
    folder = tmp_path_factory.mktemp("app") / "map"
    save_adapter(Adapter(weight, 0.0, about), folder)
    return folder


@pytest.fixture(scope="package")
def model(tiny, map_folder):
    from conceptbind import load_adapter

    return Model(tiny, load_adapter(map_folder), str(map_folder))


@pytest.fixture(scope="package")
def site(model):
    with served(Page(model)) as found:
        yield found
