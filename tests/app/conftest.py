"""One small encoder with a map of its captions, and the page that shows both."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import yaml

from app.serving import served
from conceptbind.app import Model, Page
from conceptbind.commands import Try
from conceptbind.commands.trying import page_for
from conceptbind.core.files import write_checked_json
from conceptbind.core.outcomes import Outcome
from conceptbind.core.records import Records
from conceptbind.core.results import Results, write_results
from conceptbind.encoders import resolve
from conceptbind.geometry import scale_quadruple
from conceptbind.geometry.section import scaling_figure
from conceptbind.pictures import FlatStyle, draw_pictures
from conceptbind.repairs.labclip import Adapter, save_adapter
from conceptbind.report.items import items_csv
from conceptbind.rows.embeddings import embed
from conceptbind.scenes import ConceptSpace, full_grid, load_scenes


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


@pytest.fixture(scope="package")
def run_folder(tmp_path_factory, tiny, map_folder):
    """A small run: 36 drawn scenes with their rows, a map, a number of which the misses are known,
    and a scaling figure; each file as `measure` writes it.
    """
    place = tmp_path_factory.mktemp("app-run")
    space = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("square", "circle")))
    draw_pictures(full_grid(space), place / "pictures", style=FlatStyle(size=64, supersampling=1))
    table = load_scenes(place / "pictures" / "scenes.csv")
    folder = place / "run"
    values = {
        name: embed(tiny, table, name, folder / "embeddings" / name) for name in ("image", "text")
    }
    shutil.copytree(map_folder, folder / "adapter")
    config = {"encoder": "tiny", "scenes": str(place / "pictures" / "scenes.csv"), "template": None}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    right = np.ones(len(table))
    right[[3, 5, 30]] = 0, 0.5, 0
    tied = np.zeros(len(table), dtype=bool)
    tied[30] = True
    about = {"study": "crossmodal", "metric": "recall_at_1", "modality": "both"}
    outcome = Outcome(about, right, tied, np.arange(len(table)))
    (folder / "items.csv").write_text(items_csv([outcome], table))
    scaling = scale_quadruple(values["text"].unit().values, table)
    section = {
        "data": {
            "modality": "text",
            "scaling": {"chart": scaling_figure(scaling, "text").as_json()},
        }
    }
    write_checked_json(folder / "page.json", {"parts": {"sections": [section]}})
    write_results(folder, Results(Records(), {"config": config}))
    return folder


@pytest.fixture(scope="package")
def whole_site(run_folder):
    """The page of `conceptbind try --run`, with all its parts."""
    with served(page_for(Try(run_folder=str(run_folder)))) as found:
        yield found
