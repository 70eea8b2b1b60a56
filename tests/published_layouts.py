"""Five items of every declared benchmark in its published layout, and what each rule gives of them,
counted by hand.

A picture is its grey level, which is an axis; a text lies on the axis of its first digit. So a
picture and a caption score 1 on one axis and 0 on two. `known_vectors.ByName` embeds them.
"""

from __future__ import annotations

import csv
import json
import shutil
from io import BytesIO

import numpy as np
from PIL import Image

from known_vectors import AXES, ByName, picture

GROUPS = (
    ((0, 1), ("0 a", "1 b")),  # all right
    ((0, 1), ("1 c", "0 d")),  # all wrong, no tie
    ((0, 1), ("0 e", "0 f")),  # captions tie; one of them prefers the wrong picture
    ((0, 0), ("0 g", "1 h")),  # pictures tie; one of them prefers the wrong caption
    ((0, 1), ("0 i", "2 j")),  # the second caption and the second picture tie at 0
)
"""Levels of two pictures and two captions."""
TWO_BY_TWO = {
    "text_score": (1 / 5, 2),  # ties: the third and the fifth
    "image_score": (1 / 5, 2),  # ties: the fourth and the fifth
    "group_score": (1 / 5, 1),  # a tie: the fifth, where nothing is lost outright
    "group_match": (2 / 5, 2),  # 1 + 0 against 0 + 0 in the fifth; the third and fourth tie
}
"""Value and ties of each score, strict."""
CHOICES = (
    (0, ("0 a", "1 b")),  # right
    (0, ("1 c", "0 d")),  # wrong
    (0, ("0 e", "0 f")),  # a tie at 1
    (2, ("0 g", "1 h")),  # a tie at 0
    (1, ("1 i", "0 j")),  # right
)
"""A picture, its caption and a wrong one: strictly right 2 of 5, two ties; the first of equals
makes 4 of them."""


def by_digit(texts=None):
    """The encoder of these items; with `texts` every text has this vector."""
    blank = texts is not None

    def of_text(text):
        return texts if blank else AXES[int(next(c for c in text if c.isdigit()))]

    return ByName(of_text, lambda level: AXES[level])


def png(level):
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_csv(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_parquet(path, rows):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def inside(level):
    return {"bytes": png(level), "path": None}


def bivlc(folder):
    kinds = (
        ("swap", "object"),
        ("swap", "attribute"),
        ("replace", "object"),
        *[("add", "object")] * 2,
    )
    rows = [
        {
            "image": inside(levels[0]),
            "negative_image": inside(levels[1]),
            "caption": captions[0],
            "negative_caption": captions[1],
            "type": kind,
            "subtype": finer,
        }
        for (levels, captions), (kind, finer) in zip(GROUPS, kinds, strict=True)
    ]
    for n, part in enumerate((rows[:3], rows[3:])):
        write_parquet(folder / f"data/test-0000{n}-of-00002.parquet", part)


def cola(folder):
    """The published names are URLs."""
    start, rows = "https://example.org/vg_gqa_images", []
    for n, (levels, captions) in enumerate(GROUPS):
        names = [f"{n}{place}.jpg" for place in (0, 1)]
        for name, level in zip(names, levels, strict=True):
            picture(folder / "images", name.replace("jpg", "png"), level)
            (folder / "images" / name.replace("jpg", "png")).rename(folder / "images" / name)
        rows.append([f"{start}/{names[0]}", captions[0], f"{start}/{names[1]}", captions[1]])
    write_json(folder / "data/COLA_multiobjects_matching_benchmark.json", rows)


def vismin(folder):
    from datasets import Dataset

    kinds = ("object", "object", "attribute", "relation", "counting")
    rows = [
        {
            "id": str(n),
            "image_0": inside(levels[0]),
            "image_1": inside(levels[1]),
            "text_0": captions[0],
            "text_1": captions[1],
            "category": kinds[n],
        }
        for n, (levels, captions) in enumerate(GROUPS)
    ]
    Dataset.from_list(rows).save_to_disk(folder / "test")


def eqben(folder):
    """Arrays have their channels in OpenCV's order: blue first."""
    places = ("eqbenkubric_cnt", "eqbenkubric_loc", "eqbengebc", "eqbensd", "eqbensd")
    rows = []
    for n, (levels, captions) in enumerate(GROUPS):
        names = []
        for place, level in enumerate(levels):
            name = f"{places[n]}/{n}{place}"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if places[n] == "eqbengebc":
                pixels = np.zeros((8, 8, 3), dtype=np.uint8)
                pixels[:, :, 2] = level
                np.save(folder / f"{name}.npy", pixels)
                names.append(f"{name}.npy")
            else:
                picture(folder, f"{name}.png", level)
                names.append(f"{name}.png")
        keys = ("image0", "image1", "caption0", "caption1")
        rows.append(dict(zip(keys, (*names, *captions), strict=True)))
    write_json(folder / "ann_json_finalsplit.json", rows)


def mmvp(folder):
    rows = []
    for n, (levels, captions) in enumerate(GROUPS):
        kind = "Color and Appearance" if n < 3 else "Quantity and Count"
        for place, (level, caption) in enumerate(zip(levels, captions, strict=True)):
            number = 2 * n + place + 1
            rows.append([number, kind, caption])
            write_picture(folder / "MLLM_VLM Images" / kind / f"{number}.jpg", level)
    write_csv(folder / "Questions.csv", ["Question ID", "Type", "Statement"], rows)


def naturalbench(folder):
    rows = []
    for n, (levels, captions) in enumerate(GROUPS):
        names = [f"{n}_{place}.png" for place in (0, 1)]
        for name, level in zip(names, levels, strict=True):
            picture(folder / "images", name, level)
        keys = ("index", "image_0", "image_1", "caption_0", "caption_1")
        rows.append(dict(zip(keys, (n, *names, *captions), strict=True)))
    write_json(folder / "metadata.json", rows)


def write_picture(path, level):
    """A PNG file under any name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(level))


def valse(folder):
    """A sixth item was refused by two of three people."""
    parts: dict = {"existence": {}, "actant-swap": {}}
    for n, (level, (caption, foil)) in enumerate((*CHOICES, (0, ("0 k", "1 l")))):
        votes = {"caption": 1 if n == 5 else 2 + n % 2, "foil": 1, "other": 0}
        part = "existence" if n in (0, 1, 2) else "actant-swap"
        told = {"dataset": "VisDial_v1.0", "image_file": f"{n}.jpg", "mturk": votes}
        parts[part][f"{part}_{n}"] = {**told, "caption": caption, "foil": foil}
        write_picture(folder / "images" / "VisDial_v1.0" / f"{n}.jpg", level)
    for name, entries in parts.items():
        write_json(folder / f"data/{name}.json", entries)


def vl_checklist(folder):
    """Objects 1 of 2, attributes 0 of 2, relations 1 of 1; the last wrong caption is the true one
    but for a capital.
    """
    where = ("Object/vg/size", "Object/vg/size", "Attribute/vg/color", "Attribute/vg/color")
    parts: dict = {}
    for n, (level, (caption, wrong)) in enumerate(CHOICES):
        name = (*where, "Relation/swig/action")[n]
        said = "0 E" if n == 2 else wrong
        entry = [f"VG_100K/{n}.jpg", {"POS": [caption, "3 more"], "NEG": [said]}]
        parts.setdefault(name, []).append(entry)
        write_picture(folder / "datasets/VG" / entry[0], level)
    for name, entries in parts.items():
        write_json(folder / f"data/{name}.json", entries)
        index = folder / f"corpus/v1/{name}.yaml"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text(f"ANNO_PATH: data/{name}.json\nIMG_ROOT: datasets/VG\n")


def crepe(folder):
    """The left half of each picture is what its box shows."""
    parts: dict = {"atom 4": [], "atom 12": [], "swap 4": []}
    for n, (level, (caption, wrong)) in enumerate(CHOICES):
        part = ("atom 4", "atom 4", "atom 12", "swap 4", "swap 4")[n]
        negatives = [wrong, "3 'x', [y]", '3 "z"'] if n else [wrong]
        parts[part].append([n, caption, 0, 0, 4, 8, repr(negatives)])
        whole = Image.new("RGB", (8, 8), (3, 0, 0))
        whole.paste((level, 0, 0), (0, 0, 4, 8))
        buffer = BytesIO()
        whole.save(buffer, "PNG")
        path = folder / ("VG_100K", "VG_100K_2")[n % 2] / f"{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    header = ["image_id", "caption", "x", "y", "width", "height", "hard_negs"]
    for name, rows in parts.items():
        kind, number = name.split()
        file = f"{kind}/prod_vg_hard_negs_{kind}_complexity_{number}.csv"
        write_csv(folder / file, header, rows)


FOUR = (
    (0, ("1 a", "0 b", "2 c", "3 d"), 1, "positive"),  # right
    (0, ("0 a", "1 b", "2 c", "3 d"), 1, "negative"),  # wrong
    (0, ("0 a", "0 b", "2 c", "3 d"), 0, "negative"),  # a tie that the first wins, which is right
    (0, ("0 a", "0 b", "2 c", "3 d"), 1, "hybrid"),  # a tie that the first wins, which is wrong
    (2, ("0 a", "1 b", "1 c", "2 d"), 3, "hybrid"),  # right
)
"""A picture, four captions, the right one, and what kind it is: strictly 2 of 5 are right, and 3 of
5 where the first of equals wins."""


def negbench_mcq(folder):
    header = ["image_path", *(f"caption_{n}" for n in range(4)), "correct_answer"]
    rows = []
    for n, (level, captions, right, kind) in enumerate(FOUR):
        rows.append([f"data/coco/images/val2017/{n}.jpg", *captions, right, kind])
        write_picture(folder / rows[-1][0], level)
    file = folder / "COCO_val_mcq_llama3.1_rephrased.csv"
    write_csv(file, [*header, "correct_answer_template"], rows)


def negbench_retrieval(folder):
    """Three pictures with two captions each, and the same with "no" in each caption."""
    captions = (("0 a", "1 b"), ("1 c", "3 d"), ("0 e", "2 f"))
    for name in ("val_retrieval", "val_negated_retrieval_llama3.1_rephrased_affneg_true"):
        rows = [[f"val2017/{n}.jpg", repr(list(texts))] for n, texts in enumerate(captions)]
        write_csv(folder / f"COCO_{name}.csv", ["filepath", "captions"], rows)
    for level in range(3):
        write_picture(folder / f"val2017/{level}.jpg", level)


def abc6k(folder):
    """The swapped line has a space before its mark. Right, a tie, a tie of equal lines, right; and
    one that lies nearer to its swap.
    """
    lines = ["0 red cat.", "1 blue cat .", "0 a dog.", "0 the dog .", "2 same.", "2 Same ."]
    lines += ["3 one, two.", "0 two , one .", "1 mice.", "2 rats ."]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ABC-6K.txt").write_text("\n".join(lines) + "\n")


def spec(folder):
    """Two subsets both ways: three items of count, two of existence, in each direction."""
    for n, (level, captions, right, _) in enumerate(FOUR):
        subset = "count" if n < 3 else "existence"
        for place in range(4):
            write_picture(folder / subset / f"{n}/{place}.jpg", int(captions[place][0]))
        write_picture(folder / subset / f"{n}/query.jpg", level)
        forward = {"query": f"{n}/query.jpg", "keys": list(captions), "label": right}
        backward = {"query": f"{level} text", "keys": [f"{n}/{p}.jpg" for p in range(4)]}
        for name, entry in (("image2text", forward), ("text2image", {**backward, "label": right})):
            path = folder / subset / f"{name}.json"
            there = json.loads(path.read_text()) if path.is_file() else []
            write_json(path, [*there, entry])


def whole_spec(folder):
    """With all six subsets, four of which are the same."""
    spec(folder)
    for name in ("absolute_size", "relative_size", "absolute_spatial", "relative_spatial"):
        shutil.copytree(folder / "count", folder / name)


def imagecode(folder):
    """Two folders of ten pictures each, whose names sort otherwise as texts; five captions."""
    for name, levels in (
        ("open-images-12_ab", (0, 1, 2, *[3] * 7)),
        ("video_7", (0, 0, 1, *[2] * 7)),
    ):
        for n, level in enumerate(levels):
            write_picture(folder / "image-sets" / name / f"img{n}.jpg", level)
    captions = {
        "open-images-12_ab": {"0": "0 right", "1": "2 wrong", "9": "3 tied with six before it"},
        "video_7": {"0": "0 tied, the first", "2": "1 right"},
    }
    write_json(folder / "valid_data.json", captions)


def nevir(folder):
    """Two queries and two documents: of the text vectors, both right, both wrong, three ties."""
    header = ["id", "WorkerId", "q1", "q2", "doc1", "doc2"]
    rows = [
        [n, n, f"{levels[0]} q", f"{levels[1]} r", *captions]
        for n, (levels, captions) in enumerate(GROUPS)
    ]
    write_csv(folder / "test.csv", header, rows)


def winoground(folder):
    for n, levels in enumerate(levels for levels, _ in GROUPS):
        for place, level in enumerate(levels):
            write_picture(folder / f"images/ex_{n}_img_{place}.png", level)
    rows = [
        {"id": n, "image_0": f"ex_{n}_img_0", "image_1": f"ex_{n}_img_1"}
        | {"caption_0": captions[0], "caption_1": captions[1], "collapsed_tag": tag}
        for n, ((_, captions), tag) in enumerate(zip(GROUPS, TAGS, strict=True))
    ]
    (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, rows)))


TAGS = ("Relation", "Object", "Both", "Object", "Relation")


def colorswap(folder):
    rows = []
    for n, (levels, captions) in enumerate(GROUPS):
        names = [f"images/{n}_{place}.png" for place in (0, 1)]
        for name, level in zip(names, levels, strict=True):
            write_picture(folder / name, level)
        keys = ("id", "image_1", "image_2", "caption_1", "caption_2")
        rows.append(dict(zip(keys, (n, *names, *captions), strict=True)))
    write_json(folder / "test.json", rows)


def regions(folder, **own):
    """Items of ARO: the left half of each picture is what its box shows."""
    items = []
    for n, (level, captions) in enumerate(CHOICES):
        whole = Image.new("RGB", (8, 8), (3, 0, 0))
        whole.paste((level, 0, 0), (0, 0, 4, 8))
        buffer = BytesIO()
        whole.save(buffer, "PNG")
        path = folder / f"images/{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
        box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 4, "bbox_h": 8}
        said = {"true_caption": captions[0], "false_caption": captions[1]}
        further = {name: told[n] for name, told in own.items()}
        items.append({"image_path": path.name, **box, **said, **further})
    return items


def vg_relation(folder):
    """`near` is left out by the paper; the second item stands there twice."""
    items = regions(folder, relation_name=("on", "holding", "near", "holding", "on"))
    write_json(folder / "visual_genome_relation.json", [*items, items[1]])


def vg_attribution(folder):
    """Of one pair of attributes there are 25 items, which repeat the first four."""
    items = regions(folder, attributes=[["red", "big"]] * 4 + [["blue", "big"]])
    often = [items[n % 4] for n in range(25)]
    write_json(folder / "visual_genome_attribution.json", [*often, items[4]])


LAYOUTS = {
    one.__name__: one
    for one in (
        *(bivlc, cola, vismin, eqben, mmvp, naturalbench, valse, vl_checklist, crepe),
        *(negbench_mcq, negbench_retrieval, abc6k, spec, imagecode, nevir),
        *(winoground, colorswap, vg_relation, vg_attribution),
    )
}
"""What writes each benchmark into a folder."""
_GROUPED = {("all", metric): told for metric, told in TWO_BY_TWO.items()}
EXPECTED = {
    **dict.fromkeys(("bivlc", "cola", "vismin", "eqben", "mmvp", "naturalbench"), _GROUPED),
    "winoground": {**_GROUPED, ("Relation", "group_match"): (1.0, 0)},
    "colorswap": _GROUPED,
    # each distinct item once
    **{key: {("all", "accuracy"): (2 / 5, 2)} for key in ("vg_relation", "vg_attribution")},
    "valse": {
        ("existence", "accuracy"): (1 / 3, 1),
        ("actant-swap", "accuracy"): (1 / 2, 1),
        ("all", "accuracy"): (2 / 5, 2),
    },
    "vl_checklist": {
        ("Object/vg/size", "accuracy"): (1 / 2, 0),
        ("Attribute/vg/color", "accuracy"): (0.0, 2),
        ("Relation/swig/action", "accuracy"): (1.0, 0),
    },
    "crepe": {
        ("atom 4", "accuracy"): (1 / 2, 0),
        ("atom 12", "accuracy"): (0.0, 1),
        ("swap 4", "accuracy"): (1 / 2, 1),
        ("atom", "accuracy"): (1 / 4, 1),  # mean over complexities
    },
    "negbench_mcq": {
        ("coco", "accuracy"): (2 / 5, 2),
        ("coco positive", "accuracy"): (1.0, 0),
        ("coco negative", "accuracy"): (0.0, 1),
        ("coco hybrid", "accuracy"): (1 / 2, 1),
    },
    "negbench_retrieval": {
        ("coco text to image", "recall_at_1"): (1 / 2, 1),
        ("coco image to text", "recall_at_1"): (1 / 3, 2),
        ("coco negated text to image", "recall_at_5"): (1.0, 0),
    },
    "abc6k": {("all", "swap_noticed"): (3 / 5, 2)},
    "spec": {
        ("image to text count", "accuracy"): (1 / 3, 1),
        ("image to text existence", "accuracy"): (1 / 2, 1),
        ("image to text", "accuracy"): (2 / 5, 2),
        ("text to image", "accuracy"): (2 / 5, 2),
    },
    "imagecode": {
        ("static pictures", "accuracy"): (1 / 3, 1),
        ("frames of videos", "accuracy"): (1 / 2, 1),
        ("all", "accuracy"): (2 / 5, 2),
    },
    "nevir": {("all", "pair_accuracy"): (1 / 5, 2)},
}
"""Value and ties of scores by the strict rule."""
PUBLISHED = {
    "bivlc": {("all", "group_score"): 1 / 5},
    "cola": {("all", "image_score"): 1 / 5},
    "vismin": {("object", "text_score"): 1 / 2},
    "eqben": {("kubric", "text_score"): 1 / 2},
    "mmvp": {("all", "image_score"): 2 / 5},  # of equals the second: the fifth is right too
    "naturalbench": {("all", "image_score"): 1 / 5},
    "valse": {("all", "accuracy"): (1 / 3 + 1 / 2) / 2},
    "vl_checklist": {("object", "accuracy"): 1 / 2, ("relation", "accuracy"): 1.0},
    "crepe": {("atom", "accuracy"): (1 / 2 + 1) / 2, ("swap", "accuracy"): 1.0},
    "negbench_mcq": {("coco", "accuracy"): 3 / 5, ("coco hybrid", "accuracy"): 1 / 2},
    "spec": {("image to text", "accuracy"): (2 / 3 + 1 / 2) / 2},
    "imagecode": {("all", "accuracy"): 3 / 5},
    "nevir": {("all", "pair_accuracy"): 1 / 5},
    # on: both right, holding: none
    "vg_relation": {("relations without symmetric and rare ones", "accuracy"): 1 / 2},
    "vg_attribution": {("attribute pairs with 25 items or more", "accuracy"): 7 / 25},
}
"""Values by the publisher's rule."""
WINS_TIES = {
    **dict.fromkeys(("crepe", "negbench_mcq", "spec", "imagecode"), "first"),
    "mmvp": "last",
}
"""Who wins a tie by the publisher's rule, where it is not a miss."""
CONSTANT = {
    "mmvp": 0.0,
    "crepe": 1.0,
    "negbench_mcq": 1 / 5,
    "spec": (1 / 3 + 0) / 2,
    "imagecode": 2 / 5,
}
"""What the publisher's rule gives an encoder that has one vector for all captions and pictures; 0
elsewhere."""
