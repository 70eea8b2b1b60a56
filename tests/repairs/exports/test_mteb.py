"""Our encoders as models of mteb, and our scenes as its tasks: the same numbers as ours, apart from
its tie rule.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from conceptbind.core.errors import ConceptBindError, ModalityError
from conceptbind.encoders import resolve
from conceptbind.pictures import draw_pictures
from conceptbind.repairs.exports import mteb_model, mteb_task
from conceptbind.repairs.labclip import Adapter
from conceptbind.scenes import ConceptSpace, Scenes, load_scenes

pytestmark = pytest.mark.filterwarnings("default")  # of the libraries


@pytest.fixture(autouse=True)
def mteb():
    """Imported where a test runs: processes that only collect tests need not wait for it."""
    return pytest.importorskip("mteb")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    table = load_scenes("clevr2d")
    return draw_pictures(
        table.select(np.arange(0, len(table), 24), table.name), tmp_path_factory.mktemp("pictures")
    )


@pytest.fixture(scope="module")
def transparent(scenes, tmp_path_factory):
    """The same pictures on a transparent ground, behind which they are black."""
    folder = tmp_path_factory.mktemp("transparent")
    for name in scenes.images:
        picture = np.asarray(Image.open(scenes.image_folder / name)).astype(int)
        ground = (np.abs(picture - 200).max(axis=2) < 3)[..., None]
        Image.fromarray(
            np.where(ground, 0, np.dstack([picture, np.full_like(ground, 255)])).astype(np.uint8)
        ).save(folder / name)
    return replace(scenes, image_folder=folder)


def by_hand(scenes, captions, swaps, of, adapter=None):
    encoder = resolve("tiny")

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    from conceptbind.pictures.files import read_picture

    pictures = unit(
        encoder.encode_images(
            [read_picture(scenes.image_folder / scenes.images[row]) for row in of]
        )
    )
    true, false = (unit(encoder.encode_texts(texts)) for texts in (captions, swaps))
    if adapter is not None:
        true, false = adapter(true), adapter(false)
    return float(np.mean((pictures * true).sum(1) >= (pictures * false).sum(1)))


@pytest.mark.parametrize(
    ("pictures", "repaired"), [("scenes", False), ("scenes", True), ("transparent", False)]
)
def test_a_task_and_a_model(mteb, pictures, repaired, request):
    scenes = request.getfixturevalue(pictures)
    encoder = resolve("tiny")
    rng = np.random.default_rng(0)
    weight = np.eye(encoder.dimension, dtype=np.float32) + 0.05 * rng.normal(
        size=(encoder.dimension,) * 2
    ).astype(np.float32)
    adapter = (
        Adapter(weight, 0.0, {"encoder": encoder.id, "revision": encoder.revision})
        if repaired
        else None
    )
    task = mteb_task(scenes)
    assert task.metadata.name == "BindingClevr2d"
    found = mteb.evaluate(mteb_model("tiny", adapter), task, cache=None, show_progress_bar=False)
    score = found.task_results[0].get_score()
    task.load_data()  # mteb lets go of it
    rows = task.dataset["test"]
    assert len(rows) > 10
    names = [
        scenes.images.index(path.split("/")[-1])
        for path in rows.data.column("image").combine_chunks().field("path").to_pylist()
    ]
    assert score == pytest.approx(
        by_hand(scenes, rows["caption"][:], rows["swapped"][:], names, adapter), abs=1e-6
    )


def test_what_has_no_task_or_row():
    with pytest.raises(ModalityError, match="no pictures"):
        mteb_task(load_scenes("text20:10x10"))
    space = ConceptSpace(("colour", "shape"), (("red", "blue"), ("cube", "ball")))
    same = Scenes(space, np.zeros((2, 2, 2), dtype=int), images=["a.png", "b.png"])
    with pytest.raises(ConceptBindError, match="no scene of"):
        mteb_task(same)
    model = mteb_model("tiny")
    with pytest.raises(ModalityError, match="both a caption and a picture"):
        model.encode([{"text": ["x"], "image": [None]}], task_metadata=None)
    other = Adapter(np.eye(4, dtype=np.float32), 0.0, {"encoder": "other", "revision": "1"})
    with pytest.raises(ConceptBindError, match="fitted on 'other'"):
        mteb_model("tiny", other)
