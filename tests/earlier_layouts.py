"""Winoground, ColorSwap and ARO's regions in every layout that was read before they were described.

A picture is its grey level, which is an axis; a text lies on the axis of its first digit, as in
`published_layouts`.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from conceptbind.benchmarks import evaluate_benchmark
from known_vectors import read_benchmark
from published_layouts import CHOICES, GROUPS, by_digit, write_parquet, write_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WINOGROUND = ("image_0", "image_1", "caption_0", "caption_1")
COLORSWAP = ("image_1", "image_2", "caption_1", "caption_2")
TAGS = ("Relation", "Object", "Both", "Object", "Relation")
RELATIONS = ("on", "near", "on", "wearing", "near")
LEFT = (0, 0, 4, 8)


def groups(fields, **further):
    """The five groups, each with pictures of its own, and their levels."""
    for n, (levels, captions) in enumerate(GROUPS):
        names = [f"{n}{place}" for place in "ab"]
        entry = dict(zip(fields, (*names, *captions), strict=True))
        yield levels, {"id": n, **entry, **{key: told[n] for key, told in further.items()}}


def as_files(folder, fields, place, ending, **further):
    """Entries whose pictures are files; the names lack their ending."""
    rows: list[dict] = []
    for levels, entry in groups(fields, **further):
        for level, name in zip(levels, fields[:2], strict=True):
            write_picture(folder / place / f"{entry[name]}{ending}", level)
        rows.append(entry)
    return rows


def as_tables(fields, **further):
    """Entries whose pictures, of different blue, stand inside a table."""
    rows: list[dict] = []
    for levels, entry in groups(fields, **further):
        blue = 2 * len(rows)
        shown = [colored(level, blue + place) for place, level in enumerate(levels)]
        rows.append({**entry, **dict(zip(fields[:2], shown, strict=True))})
    return rows


def colored(level, blue):
    buffer = BytesIO()
    Image.new("RGB", (8, 8), (level, 0, blue)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def arrow(path, rows):
    import pyarrow as pa

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def winoground_lines(folder):
    rows = as_files(folder, WINOGROUND, "images", ".png", collapsed_tag=TAGS)
    lines(folder / "examples.jsonl", rows)


def winoground_shards(folder):
    """Pictures beside the files, whose names have their endings."""
    rows = as_files(folder, WINOGROUND, ".", ".jpg", collapsed_tag=TAGS)
    rows = [{k: f"{v}.jpg" if "image" in k else v for k, v in row.items()} for row in rows]
    for n, part in enumerate((rows[:3], rows[3:])):
        lines(folder / f"data/examples-0000{n}-of-00002.jsonl", part)


def winoground_missing(folder):
    winoground_lines(folder)
    (folder / "images/3b.png").unlink()


def winoground_untagged(folder):
    """Neither tags nor ids."""
    rows = as_files(folder, WINOGROUND, "images", "")
    lines(folder / "examples.jsonl", [{k: row[k] for k in WINOGROUND} for row in rows])


def winoground_one_tag(folder):
    rows = as_files(folder, WINOGROUND, "images", "", collapsed_tag=["Object"] * 5)
    lines(folder / "examples.jsonl", rows)


def winoground_parquet(folder):
    rows = as_tables(WINOGROUND, collapsed_tag=TAGS)
    for n, part in enumerate((rows[:2], rows[2:])):
        write_parquet(folder / f"data/test-0000{n}-of-00002.parquet", part)


def winoground_arrow(folder):
    arrow(folder / "test/data-00000-of-00001.arrow", as_tables(WINOGROUND, collapsed_tag=TAGS))


def winoground_equal(folder):
    """Of the last item both pictures stand in the first as well, the other way round."""
    rows = as_tables(WINOGROUND, collapsed_tag=TAGS)
    rows[4] |= {"image_0": rows[0]["image_1"], "image_1": rows[0]["image_0"]}
    write_parquet(folder / "winoground.parquet", rows)


def colorswap_json(folder):
    rows = as_files(folder, COLORSWAP, "images", "")
    (folder / "test.json").write_text(json.dumps(rows))


def colorswap_parquet(folder):
    write_parquet(folder / "data/test-00000-of-00001.parquet", as_tables(COLORSWAP))


def region(image, box, captions, **further):
    sides = dict(zip(("bbox_x", "bbox_y", "bbox_w", "bbox_h"), box, strict=True))
    texts = dict(zip(("true_caption", "false_caption"), captions, strict=True))
    return {"image_path": image, **sides, **texts, **further}


def regions(folder, further):
    """The five choices on three pictures, each in the left half, the second and third twice."""
    items = []
    for n, (level, captions) in enumerate(CHOICES):
        name = f"{'aabcb'[n]}{level}.jpg"
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (8, 8), (3, 0, 0))
        image.paste((level, 0, 0), LEFT)
        image.save(path.with_suffix(".png"))
        path.with_suffix(".png").rename(path)
        items.append(region(name, LEFT, captions, **further(n)))
    return [*items, *items[1:3], region("a0.jpg", (0, 0, 2, 4), ("0 k", "1 l"), **further(0))]


def vg_relation(folder):
    items = regions(folder, lambda n: {"relation_name": RELATIONS[n]})
    (folder / "visual_genome_relation.json").write_text(json.dumps(items))


def vg_relation_missing(folder):
    vg_relation(folder)
    (folder / "images/b1.jpg").unlink()


def vg_attribution(folder):
    """One pair of attributes with 25 items and more, one with fewer."""
    often, rare = {"attributes": ["red", "big"]}, {"attributes": ["blue", "big"]}
    items = regions(folder, lambda n: rare if n == 4 else often)
    repeated = [items[n % 4] for n in range(22)]
    (folder / "visual_genome_attribution.json").write_text(json.dumps([*items, *repeated]))


LAYOUTS: dict[str, tuple[str, Callable[[Path], None]]] = {
    one.__name__: (one.__name__.split("_")[0], one)
    for one in (
        *(winoground_lines, winoground_shards, winoground_missing, winoground_untagged),
        *(winoground_one_tag, winoground_parquet, winoground_arrow, winoground_equal),
        *(colorswap_json, colorswap_parquet),
    )
}
LAYOUTS |= {
    "vg_relation": ("vg_relation", vg_relation),
    "vg_relation_missing": ("vg_relation", vg_relation_missing),
    "vg_attribution": ("vg_attribution", vg_attribution),
}
"""The benchmark of each layout, and what writes it into a folder."""


def seen(layout, folder, keep):
    """The records of one layout."""
    name, write = LAYOUTS[layout]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
    data = read_benchmark(name, folder, allow_missing="missing" in layout)
    return evaluate_benchmark(by_digit(), name, data, keep).rows()
