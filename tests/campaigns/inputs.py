"""A small world of inputs: arrays, tables, pictures, benchmarks, models, adapters and finished
runs, made by the commands themselves.
"""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from campaigns.trial import Trial

MODEL = "model/coverage-0.6"
TRAIN = (
    "--values 4 --concepts 2 --objects 2 --width 8 --depth 1 --heads 2 --feed_forward 16 "
    "--dimension 8 --batch 16 --steps 4"
).split()


@dataclass(frozen=True)
class Command:
    """A command over the world, and the files that it reads."""

    name: str
    arguments: tuple[str, ...]
    reads: tuple[str, ...] = ()
    """Files or folders whose damage it meets."""
    out: str = "out"
    ours: bool = False
    """What it reads was written by conceptbind: after damage its numbers are the same, or it is
    refused."""

    @property
    def line(self) -> str:
        """As typed."""
        return " ".join(self.arguments)


def _command(name: str, line: str, *reads: str, out: str = "out", ours: bool = False) -> Command:
    return Command(name, tuple(line.split()), reads, out, ours)


COMMANDS = (
    _command(
        "embed an array",
        "embed file:rows.npy --scenes labels.csv --modality text --out out",
        "rows.npy",
        "labels.csv",
    ),
    _command(
        "embed an archive",
        "embed file:rows.npz --scenes labels.csv --modality text --out out",
        "rows.npz",
    ),
    _command(
        "embed tensors",
        "embed file:rows.safetensors --scenes labels.csv --modality text --out out",
        "rows.safetensors",
    ),
    _command(
        "embed captions", "embed tiny --scenes words.csv --modality text --out out", "words.csv"
    ),
    _command(
        "embed pictures",
        "embed tiny --scenes pictures/scenes.csv --modality image --out out",
        "pictures",
    ),
    _command("render", "render --scenes words.csv --size 32 --out out", "words.csv"),
    _command("apply a folder", "apply fixed --texts y.npy --out out/mapped.npy", "y.npy", "fixed"),
    _command(
        "apply a file", "apply published.pt --texts y.npy --out out/mapped.npy", "published.pt"
    ),
    _command("compare", "compare run-a run-b --out out", "run-a", "run-b"),
    _command("compare benchmarks", "compare eval-a eval-b --out out", "eval-a", "eval-b"),
    _command(
        "repair",
        "repair --images x.npy --texts y.npy --negatives n.npy --image_of of.npy --epochs 1 --out "
        "out",
        "x.npy",
        "y.npy",
        "n.npy",
        "of.npy",
    ),
    _command(
        "sugarcrepe",
        "evaluate tiny --benchmark sugarcrepe --data sugarcrepe --out out",
        "sugarcrepe",
    ),
    _command(
        "sugarcrepe_pp",
        "evaluate tiny --benchmark sugarcrepe_pp --data sugarcrepe_pp --out out",
        "sugarcrepe_pp",
    ),
    _command("triplets", "evaluate tiny --benchmark triplets --data texts --out out", "texts"),
    _command(
        "paraphrases",
        "evaluate tiny --benchmark paraphrases --data captioned --tagger hanta --out out",
        "captioned",
    ),
    _command(
        "zeroshot", "evaluate tiny --benchmark zeroshot --data zeroshot --out out", "zeroshot"
    ),
    _command("coco", "evaluate tiny --benchmark coco --data coco --out out", "coco"),
    _command(
        "winoground",
        "evaluate tiny --benchmark winoground --data winoground --out out",
        "winoground",
    ),
    _command(
        "colorswap", "evaluate tiny --benchmark colorswap --data colorswap --out out", "colorswap"
    ),
    _command("whatsup", "evaluate hf:clip --benchmark whatsup --data whatsup --out out", "whatsup"),
    _command("boxes", "evaluate tiny --benchmark vg_attribution --data boxes --out out", "boxes"),
    _command(
        "orders",
        "evaluate tiny --benchmark flickr_order --data flickr --tagger hanta --out out",
        "flickr",
    ),
    _command(
        "embed scenes of CLEVR",
        "embed hf:bert --scenes clevr:clevr/scenes.json --modality text --out out",
        "clevr",
    ),
    _command(
        "embed animals", "embed hf:bert --scenes pug-spare:pug --modality text --out out", "pug"
    ),
    _command(
        "embed pictures with a model folder",
        "embed hf:clip --scenes pictures/scenes.csv --modality image --out out",
        "clip",
    ),
    _command(
        "embed captions with a model folder",
        "embed hf:bert --scenes words.csv --modality text --out out",
        "bert",
    ),
    _command(
        "embed captions with a pipeline",
        "embed st:pipeline --scenes words.csv --modality text --out out",
        "pipeline",
    ),
    _command(
        "repair captions",
        "repair hf:bert --images x32.npy --captions captions.txt --tagger hanta --epochs 1 --out "
        "out",
        "x32.npy",
        "captions.txt",
    ),
    _command(
        "repair COCO",
        "repair hf:clip --coco cocotrain --tagger hanta --epochs 1 --out out",
        "cocotrain",
    ),
    _command(
        "parquet",
        "evaluate tiny --benchmark winoground --data winoground-parquet --out out",
        "winoground-parquet",
    ),
    _command(
        "check",
        "evaluate tiny --benchmark sugarcrepe,coco,zeroshot,winoground --data . --check",
        "sugarcrepe",
        "coco",
    ),
    _command(
        "evaluate with an adapter",
        "evaluate tiny --benchmark sugarcrepe --data sugarcrepe --adapter mine.pt --out out",
        "mine.pt",
    ),
    _command(
        "measure",
        "measure file:rows.npy --scenes labels.csv --modality text --complexity none --out out",
        "rows.npy",
        "labels.csv",
    ),
    _command(
        "measure a file of options", "measure --config options.yaml --out out", "options.yaml"
    ),
    _command(
        "measure what was embedded",
        "measure file:kept --scenes labels.csv --modality text --complexity none --out out",
        "kept",
        ours=True,
    ),
    _command(
        "measure a model",
        f"measure controlled:{MODEL} --scenes {MODEL}/words.csv --complexity none --out out",
        "model",
        ours=True,
    ),
    _command("train", f"train --coverage 0.6 {' '.join(TRAIN)} --out out"),
    _command(
        "sweep", f"sweep --coverages 0.6 --seeds 1 --probes additive {' '.join(TRAIN)} --out out"
    ),
)


def labels(folder: Path, n_values: int = 3) -> list[list[str]]:
    """All pairs of different objects as rows of names."""
    colours, shapes = (
        ("red", "green", "blue", "black")[:n_values],
        ("circle", "square", "triangle", "star")[:n_values],
    )
    objects = [(colour, shape) for colour in colours for shape in shapes]
    return [[*one, *other] for one in objects for other in objects if one != other]


def make_world(folder: Path, *, cheap: bool = False) -> Path:
    """Everything that the commands of this campaign read; cheap: but for what takes seconds to
    train.
    """
    rng = np.random.default_rng(0)
    rows = labels(folder)
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["color_1", "shape_1", "color_2", "shape_2"], *rows])
    codes = {
        name: rng.normal(size=12) for row in rows for name in (" ".join(row[:2]), " ".join(row[2:]))
    }
    values = np.array(
        [codes[" ".join(row[:2])] + codes[" ".join(row[2:])] for row in rows], dtype=np.float32
    )
    values += rng.normal(scale=0.1, size=values.shape).astype(np.float32)
    np.save(folder / "rows.npy", values)
    np.savez(folder / "rows.npz", text=values)
    from safetensors.numpy import save_file

    save_file({"text": values}, folder / "rows.safetensors")
    (folder / "words.csv").write_text("color,shape\nred,circle\nblue,square\n")
    images = rng.normal(size=(60, 8)).astype(np.float32)
    np.save(folder / "x.npy", images)
    np.save(folder / "y.npy", images + rng.normal(size=images.shape).astype(np.float32))
    np.save(folder / "n.npy", images - rng.normal(size=images.shape).astype(np.float32))
    np.save(folder / "of.npy", np.arange(60))
    _pictures(folder)
    if not cheap:
        _more_benchmarks(folder)
        _published_scenes(folder)
        _models(folder)
        np.save(folder / "x32.npy", rng.normal(size=(20, 32)).astype(np.float32))
        captions = [f"a {a} {b} and a {c} {d}" for a, b, c, d in rows[::3]][:20]
        (folder / "captions.txt").write_text("\n".join(captions) + "\n")
    _options(folder)
    import torch

    torch.save({"linear.weight": torch.eye(8), "t": torch.tensor(1.0)}, folder / "published.pt")
    torch.save(
        {"linear.weight": torch.eye(_width_of_tiny()), "t": torch.tensor(1.0)}, folder / "mine.pt"
    )
    made = {
        "pictures": "render --scenes words.csv --size 32 --out pictures",
        "fixed": "repair --images x.npy --texts y.npy --negatives n.npy --epochs 1 --out fixed",
        "run-a": "measure file:rows.npy --scenes labels.csv --modality text --complexity none "
        "--out run-a",
        "run-b": "measure file:rows.npz --scenes labels.csv --modality text --complexity none "
        "--out run-b",
        "eval-a": "evaluate tiny --benchmark sugarcrepe --data sugarcrepe --out eval-a",
        "eval-b": "evaluate tiny --benchmark sugarcrepe --data sugarcrepe --adapter mine.pt --out "
        "eval-b",
        "kept": "embed file:rows.npy --scenes labels.csv --modality text --out kept",
        "model": f"train --coverage 0.6 {' '.join(TRAIN)} --out model",
    }
    for name, line in made.items():
        if cheap and name in ("kept", "model"):
            continue
        outcome = Trial(line.split(), folder).run()
        if outcome.code != 0:
            raise RuntimeError(f"the campaign's own {name} failed: {outcome.said[-2000:]}")
    return folder


def _more_benchmarks(folder: Path) -> None:
    """ColorSwap, What'sUp, ARO's boxes and Flickr30k, a few items each."""
    drawn = random.Random(1)

    def picture(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 24), tuple(drawn.randrange(256) for _ in range(3))).save(path)

    one, other = "a red circle and a blue square", "a blue circle and a red square"
    swaps, boxes, flickr, places = [], [], [], []
    for number in range(4):
        for side in (1, 2):
            picture(folder / "colorswap" / "images" / f"{number}_{side}.png")
        names = {f"image_{side}": f"images/{number}_{side}.png" for side in (1, 2)}
        swaps.append({"id": number, **names, "caption_1": one, "caption_2": other})
        picture(folder / "boxes" / "images" / f"{number}.jpg")
        box = {"bbox_x": 1, "bbox_y": number, "bbox_w": 20, "bbox_h": 12}
        texts = {"true_caption": one, "false_caption": other, "attributes": ["red", "blue"]}
        boxes.append({"image_path": f"{number}.jpg", **box, **texts})
        picture(folder / "flickr" / "flickr30k-images" / f"{number}.jpg")
        flickr.append(
            {
                "image": f"flickr30k-images/{number}.jpg",
                "caption": [
                    one,
                    f"a green ring and a {('black', 'pink', 'red', 'blue')[number]} star",
                ],
            }
        )
    train = []
    for number, row in enumerate(labels(folder)[::2]):
        picture(folder / "cocotrain" / "train2014" / f"{number}.jpg")
        caption = f"a {row[0]} {row[1]} and a {row[2]} {row[3]}"
        train.append(
            {"image": f"train2014/{number}.jpg", "caption": caption, "image_id": str(number)}
        )
    options = [f"a circle {place} a square" for place in ("left of", "right of", "on", "under")]
    for place in range(4):
        name = f"circle_{('left_of', 'right_of', 'on', 'under')[place]}_square.png"
        picture(folder / "whatsup" / "data" / "controlled_images" / name)
        choice = [options[place], *(text for text in options if text != options[place])]
        places.append({"image_path": f"data/controlled_images/{name}", "caption_options": choice})
    for name, content in (
        ("colorswap/test.json", swaps),
        ("boxes/visual_genome_attribution.json", boxes),
        ("flickr/flickr30k_test.json", flickr),
        ("cocotrain/coco_karpathy_train.json", train),
        ("whatsup/controlled_images_dataset.json", places),
    ):
        (folder / name).write_text(json.dumps(content))


def _published_scenes(folder: Path) -> None:
    """A scene file of CLEVR, and the table of PUG:SPARE."""
    rows = labels(folder)
    scenes = [
        {
            "image_filename": f"{n}.png",
            "objects": [
                {
                    "color": colour,
                    "shape": shape,
                    "size": "large",
                    "material": "metal",
                    "pixel_coords": [10 * i, 5, 9],
                }
                for i, (colour, shape) in enumerate(
                    (
                        ("red", "cube"),
                        (("blue", "green")[n % 2], ("sphere", "cylinder")[n // 2 % 2]),
                    )
                )
            ],
        }
        for n in range(8)
    ]
    (folder / "clevr").mkdir()
    (folder / "clevr" / "scenes.json").write_text(
        json.dumps({"info": {"split": "val"}, "scenes": scenes})
    )
    (folder / "pug").mkdir()
    head = "filename,world_name,character_name,character2_name,character_texture,character2_texture,character_pos".split(  # noqa: E501
        ","
    )
    with (folder / "pug" / "PUG_SPARE.csv").open("w", newline="") as file:
        animals = [
            [f"{n}.png", "Desert", row[1], row[3], row[0], row[2], ""]
            for n, row in enumerate(rows[:40])
        ]
        csv.writer(file).writerows([head, *animals])


def _models(folder: Path) -> None:
    """Model folders with random weights, as transformers and sentence-transformers write them."""

    def made(_: list[str]) -> int:
        from small_models import pooling, save

        save("clip", folder / "clip")
        save("bert", folder / "bert")
        save("bert", folder / "pipeline")
        pooling(folder / "pipeline", "mean")
        return 0

    outcome = Trial(["models"], folder, call=made).run()
    if outcome.code != 0:
        raise RuntimeError(f"the campaign's own models failed: {outcome.said[-2000:]}")


def _width_of_tiny() -> int:
    from conceptbind.encoders import resolve

    return len(resolve("tiny").encode_texts(["a red circle"])[0])


def _pictures(folder: Path) -> None:
    """Benchmarks in their published layouts, of pictures of a few pixels."""
    drawn = random.Random(0)

    def picture(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 24), tuple(drawn.randrange(256) for _ in range(3))).save(path)

    captions = [("a red circle and a blue square", "a blue circle and a red square")] * 6
    crepe = folder / "sugarcrepe"
    for number in range(6):
        picture(crepe / "val2017" / f"{number}.png")
    for part in ("swap_att", "swap_obj"):
        (crepe / f"{part}.json").write_text(
            json.dumps(
                {
                    str(n): {"filename": f"{n}.png", "caption": good, "negative_caption": bad}
                    for n, (good, bad) in enumerate(captions)
                }
            )
        )
    _texts(folder, captions[0])
    for number in range(6):
        picture(folder / "sugarcrepe_pp" / "val2017" / f"{number}.png")
    for name in ("circle", "square"):
        for number in range(4):
            picture(folder / "zeroshot" / name / f"{number}.png")
    for number in range(6):
        picture(folder / "coco" / "val2014" / f"{number}.jpg")
    (folder / "coco" / "coco_karpathy_test.json").write_text(
        json.dumps(
            [
                {
                    "image": f"val2014/{n}.jpg",
                    "caption": [
                        ["a red circle", "a green square", "a black ring"][n % 3],
                        "a blue square",
                    ],
                }
                for n in range(6)
            ]
        )
    )
    lines = []
    for number in range(4):
        for side in (0, 1):
            picture(folder / "winoground" / "images" / f"ex_{number}_img_{side}.png")
        lines.append(
            {
                "id": number,
                "image_0": f"ex_{number}_img_0",
                "image_1": f"ex_{number}_img_1",
                "caption_0": captions[0][0],
                "caption_1": captions[0][1],
                "tag": "Object",
                "secondary_tag": "",
                "num_main_preds": 1,
                "collapsed_tag": "Object",
            }
        )
    (folder / "winoground" / "examples.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    _parquet(
        folder / "winoground-parquet" / "data" / "test-00000-of-00001.parquet",
        lines,
        folder / "winoground" / "images",
    )


def _texts(folder: Path, captions: tuple[str, str]) -> None:
    """Triplets and plain captions: a scene, the same in another order, and its swap."""
    good, bad = captions
    other = " and ".join(reversed(good.split(" and ")))
    row = {"caption": good, "caption2": other, "negative_caption": bad}
    items = [{"id": n, "filename": f"{n}.png", **row} for n in range(6)]
    lines = ["caption,paraphrase,negative", *[f"{good},{other},{bad}"] * 6]
    for name, text in (
        ("sugarcrepe_pp/swap_att.json", json.dumps(items)),
        ("texts/mine.csv", "\n".join(lines) + "\n"),
        ("texts/more.jsonl", "\n".join(map(json.dumps, items)) + "\n"),
        ("captioned/captions.txt", f"{good}\n{other}\n\n{bad}\na blue circle, a red square\n"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def _parquet(path: Path, lines: list[dict], images: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:  # an optional package: the command of that name is left out
        return
    rows = [
        {
            **line,
            **{
                side: {"bytes": (images / f"{line[side]}.png").read_bytes(), "path": None}
                for side in ("image_0", "image_1")
            },
        }
        for line in lines
    ]
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _options(folder: Path) -> None:
    (folder / "options.yaml").write_text(
        "encoder: file:rows.npy\nscenes: labels.csv\nmodality: text\ncomplexity: none\nseed: "
        "0\nprecision: float32\n"
    )
