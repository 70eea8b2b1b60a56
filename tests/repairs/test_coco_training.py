"""LABCLIP on a folder in COCO's layout, end to end: captions, negatives, embeddings in half
precision, repair, retrieval before and after.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from conceptbind.cli import main
from conceptbind.commands.captioned import coco_retrieval
from conceptbind.core.errors import ConceptBindError
from conceptbind.encoders import resolve
from conceptbind.pictures import draw_pictures
from conceptbind.repairs.labclip.adapter import identity
from conceptbind.rows.embeddings import embed, embed_half
from conceptbind.scenes import Scenes, load_scenes


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """Drawn pictures under COCO's names: 300 to train on with two captions each, 60 to test."""
    folder = tmp_path_factory.mktemp("coco")
    table = load_scenes("clevr2d")
    picked = table.select(np.random.default_rng(0).permutation(len(table))[:360])
    drawn = draw_pictures(picked, folder / "val2014")
    names = [f"val2014/{name}" for name in drawn.images]
    said = [
        (f"a {a[0]} {a[1]} and a {b[0]} {b[1]}", f"there is a {b[0]} {b[1]} and a {a[0]} {a[1]}")
        for a, b in (
            [[table.space.values[k][v] for k, v in enumerate(o)] for o in scene]
            for scene in picked.table.tolist()
        )
    ]
    train = [
        {"image": names[i], "image_id": f"coco_{i}", "caption": text}
        for i in range(300)
        for text in said[i]
    ]
    test = [{"image": names[i], "caption": list(said[i])} for i in range(300, 360)]
    (folder / "coco_karpathy_train.json").write_text(json.dumps(train))
    (folder / "coco_karpathy_test.json").write_text(json.dumps(test))
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*have no hard negative")
def test_one_command_trains_and_scores(coco, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [
        "repair",
        "tiny",
        "--coco",
        str(coco),
        "--out",
        "fixed",
        "--tagger",
        "hanta",
        "--epochs",
        "20",
        "--batch",
        "64",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "text to image" in printed
    assert "recall at 1" in printed
    found = json.loads((tmp_path / "fixed" / "results.json").read_text())["records"]
    kinds = {(r["study"], r.get("repair")) for r in found}
    assert {("benchmark", "none"), ("benchmark", "adapter"), ("benchmark", "difference")} <= kinds
    rows = np.load(tmp_path / "fixed" / "embeddings" / "captions" / "rows.npy", mmap_mode="r")
    assert rows.dtype == np.float16
    assert len(rows) > 300
    # The captions' negatives exchange what belongs together: the repair must tell them apart better
    # than before on held-out pictures.
    binding = {
        r["repair"]: r["value"]
        for r in found
        if r["study"] == "repair" and r["metric"] == "binding_accuracy"
    }
    assert max(value for name, value in binding.items() if name != "none") > binding["none"] + 0.1
    before = (tmp_path / "fixed" / "results.json").read_bytes()
    assert main(command) == 0  # everything that was embedded is taken from the folder
    assert (tmp_path / "fixed" / "results.json").read_bytes() == before
    assert main(["compare", "fixed"]) == 0
    assert "fixed (adapter)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["dataset_coco.json", "coco_test_karpathy.json"])
def test_retrieval_is_scored_whatever_the_test_file_is_called(coco, tmp_path, name):
    rows = json.loads((coco / "coco_karpathy_test.json").read_text())
    own = {
        "dataset_coco.json": {
            "images": [
                {
                    "filename": row["image"],
                    "split": "test",
                    "sentences": [{"raw": text} for text in row["caption"]],
                }
                for row in rows
            ]
        },
        "coco_test_karpathy.json": {
            "images": [{"id": i, "file_name": row["image"]} for i, row in enumerate(rows)],
            "annotations": [
                {"image_id": i, "caption": text}
                for i, row in enumerate(rows)
                for text in row["caption"]
            ],
        },
    }
    data = tmp_path / "data"
    data.mkdir()
    (data / "val2014").symlink_to(coco / "val2014")
    (data / name).write_text(json.dumps(own[name]))
    tiny = resolve("tiny", device="cpu")
    same = identity(tiny.dimension)
    expected, found = (
        {
            (r.metric, r.split, *r.own.items()): (r.value, r.n)
            for r in coco_retrieval(tiny, str(place), same, tmp_path / place.name)
        }
        for place in (coco, data)
    )
    assert found
    assert {n for _, n in found.values()} == {60, 120}
    assert [*found.values()] == [*expected.values()]


def test_retrieval_that_cannot_be_scored_leaves_the_fitted_map_and_says_why(tmp_path):
    (tmp_path / "dataset_coco.json").write_text(
        '{"images": [{"filename": "no.png", "split": "test", "sentences": [{"raw": "x"}]}]}'
    )
    tiny = resolve("tiny", device="cpu")
    with pytest.warns(
        UserWarning, match="retrieval is not scored before and after: 1 of 1 pictures are not in"
    ):
        assert coco_retrieval(tiny, str(tmp_path), identity(tiny.dimension), tmp_path / "out") == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [row | {"caption": [row["caption"]]} for row in rows], "give the train file"),
        (
            lambda rows: [*rows, {"image": "val2014/none.jpg", "caption": "a dog and a cat"}],
            "1 of 301 pictures are not in",
        ),
        (lambda rows: [rows[0] | {"caption": " "}], "empty caption"),
        (lambda rows: {"images": rows}, "expected a list"),
    ],
)
def test_wrong_train_files(coco, tmp_path, capsys, change, message):
    (tmp_path / "val2014").symlink_to(coco / "val2014")
    rows = json.loads((coco / "coco_karpathy_train.json").read_text())
    (tmp_path / "coco_karpathy_train.json").write_text(json.dumps(change(rows)))
    assert (
        main(
            [
                "repair",
                "tiny",
                "--coco",
                str(tmp_path),
                "--out",
                str(tmp_path / "fixed"),
                "--tagger",
                "hanta",
            ]
        )
        == 2
    )
    assert message in capsys.readouterr().err
    assert (
        main(["repair", "tiny", "--coco", str(tmp_path), "--captions", "x.txt", "--out", "y"]) == 2
    )
    assert "--coco needs an encoder, and none of" in capsys.readouterr().err


def test_half_precision_on_disk(tmp_path):
    """The rows of `embed` as unit rows in half precision; a killed call continues; another table is
    refused.
    """
    encoder = resolve("tiny")
    colours, shapes = (
        ("red", "blue", "green", "yellow", "pink"),
        ("square", "circle", "star", "ring"),
    )
    said = [
        f"a {c} {s} and a {d} {t}" for c in colours for s in shapes for d in colours for t in shapes
    ]
    table = Scenes.unlabelled("words", captions=[said[i % len(said)] for i in range(5000)])
    calls = []

    class Counted:
        id, revision, dimension, modalities, details = (
            encoder.id,
            encoder.revision,
            encoder.dimension,
            ("text",),
            {},
        )

        def encode_texts(self, texts):
            calls.append(len(texts))
            if stop and len(calls) == 5:
                raise KeyboardInterrupt
            return encoder.encode_texts(texts)

    stop = True
    with pytest.raises(KeyboardInterrupt):
        embed_half(Counted(), table, "text", tmp_path / "half")
    done, stop = sum(calls[:-1]), False
    assert done == 4096  # one whole shard
    calls.clear()
    rows = embed_half(Counted(), table, "text", tmp_path / "half")
    assert sum(calls) == 5000 - 4096
    whole = embed(encoder, table, "text", tmp_path / "whole").unit().values
    np.testing.assert_allclose(rows, whole, atol=1e-3)
    calls.clear()
    assert np.array_equal(embed_half(Counted(), table, "text", tmp_path / "half"), rows)
    assert not calls
    assert not list((tmp_path / "half").glob("*.safetensors"))
    other = Scenes.unlabelled("words", captions=[said[0]] * 5000)
    with pytest.raises(ConceptBindError, match="holds other embeddings"):
        embed_half(Counted(), other, "text", tmp_path / "half")
