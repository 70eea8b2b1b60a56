"""Inputs that once ended in a traceback, hung, took gigabytes, were believed, or ran code: each is
refused, or works.
"""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.fuzz import Tally
from campaigns.trial import Trial, emptied, listing, strays

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Known:
    """One input, the command that meets it, and how that ends."""

    name: str
    line: str
    make: Make = lambda _: None
    codes: tuple[int, ...] = (2,)
    after: Callable[[Path], bool] = lambda _: True
    """Whether the folder is as it should be."""

    def arguments(self) -> tuple[str, ...]:
        """With what cannot be written in a line put in."""
        put = {"@LONG": "x" * 5000, "@BYTE": "o\udcff", "@EMPTY": ""}
        return tuple(put.get(word, word) for word in self.line.split())


def text(name: str, content: str | bytes) -> Make:
    """Write a file."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        )

    return make


def saved(name: str, values: Callable[[], np.ndarray]) -> Make:
    """Write an array."""
    return lambda folder: np.save(folder / name, values(), allow_pickle=True)


def both(*makes: Make) -> Make:
    """One after the other."""

    def make(folder: Path) -> None:
        for one in makes:
            one(folder)

    return make


def linked(name: str, world_name: str) -> Make:
    """A file or folder of the world, as a copy that may be changed."""

    def make(folder: Path) -> None:
        import shutil

        source = folder / "world" / world_name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)

    return make


def changed(name: str, change: Callable[[dict], object]) -> Make:
    """Change JSON in place."""

    def make(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return make


def published(**tensors: Callable[[], object]) -> Make:
    """A LABCLIP file as it is published, with these tensors."""

    def make(folder: Path) -> None:
        import torch

        given = {"linear.weight": lambda: torch.eye(8), "t": lambda: torch.tensor(1.0)} | {
            name.replace("weight", "linear.weight"): value for name, value in tensors.items()
        }
        torch.save({name: value() for name, value in given.items()}, folder / "a.pt")

    return make


def _torch(name: str) -> Any:
    import torch

    return getattr(torch, name)


def _empty_picture(folder: Path) -> None:
    third_picture(folder).write_bytes(b"")


def archive(folder: Path) -> None:
    """An .npz that unpacks to 3 GiB of zeros."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (72, 11_184_811)}
    )
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("text.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(3 * 64):
            member.write(bytes(1 << 24))


def no_array(folder: Path) -> None:
    """An archive with members that are none, and names that are no UTF-8."""
    with zipfile.ZipFile(folder / "odd.npz", "w") as file:
        file.writestr("text.npy", b"no array")
        file.writestr("notes.txt", b"hello")


def wide_picture(folder: Path) -> None:
    """A PNG of a few bytes that says it has 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
        + chunk(b"IEND", b"")
    )
    third_picture(folder).write_bytes(data)


def third_picture(folder: Path) -> Path:
    """One of those that were drawn."""
    return sorted((folder / "pictures").glob("*.png"))[3]


def many_items(folder: Path) -> None:
    """100,000 items of which the last has the first one's id."""
    row = {
        "image_0": "a",
        "image_1": "b",
        "caption_0": "a red circle",
        "caption_1": "a blue circle",
        "collapsed_tag": "Object",
    }
    (folder / "w").mkdir()
    with (folder / "w" / "examples.jsonl").open("w") as file:
        for number in range(100_000):
            file.write(json.dumps({"id": number % 99_999, **row}) + "\n")


def module(folder: Path) -> None:
    """Code that says it was run."""
    (folder / "mine.py").write_text(
        "open('was_run', 'w').close()\ndef make(): raise SystemExit(0)\n"
    )
    (folder / "c.yaml").write_text("encoder: py:mine:make\nscenes: text20:4x4\n")


MEASURE = (
    "measure file:world/rows.npy --scenes world/labels.csv --modality text --complexity "
    "none --out out"
)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP = "[" * 100_000 + "]" * 100_000
TRAINED = "train --coverage 0.6 --steps 2 --out out"

ROWS = "--scenes world/labels.csv --modality text --out out"
PICTURES = "embed tiny --scenes pictures/scenes.csv --modality image --out out"
APPLY = "apply a.pt --texts world/y.npy --out out.npy"

SCRIPT = "<script>alert(1)<|script>"


def no_formula(folder: Path) -> bool:
    """No cell that a spreadsheet would run."""
    tables = [list(csv.reader(path.open(newline=""))) for path in (folder / "out").glob("*.csv")]
    return bool(tables) and not any(
        cell.startswith("=") for table in tables for row in table for cell in row
    )


def no_script(folder: Path) -> bool:
    """No tag that a page would run, and every row as long as its head."""
    pages = [path.read_text() for path in (folder / "out").glob("*.md")]
    return bool(pages) and not any("<script>" in page for page in pages)


KNOWN = (
    Known(
        "a mapping that holds itself",
        "measure --config c.yaml --out out",
        text("c.yaml", "encoder: &a {b: *a}\n"),
    ),
    Known(
        "a YAML bomb", "measure --config c.yaml --out out", text("c.yaml", BOMB + "encoder: *i\n")
    ),
    Known(
        "options with a NUL",
        "measure --config c.yaml --out out",
        text("c.yaml", b"encoder: ti\x00ny\n"),
    ),
    Known(
        "options nested without end",
        "measure --config c.yaml --out out",
        text("c.yaml", "encoder: " + DEEP),
    ),
    Known(
        "options that run code",
        "measure --config c.yaml --out out",
        module,
        after=lambda at: not (at / "was_run").exists(),
    ),
    Known(
        "a pipe for options",
        "measure --config c.yaml --out out",
        lambda at: os.mkfifo(at / "c.yaml"),
    ),
    Known(
        "a pipe for a table",
        "measure file:world/rows.npy --scenes p.csv --out out",
        lambda at: os.mkfifo(at / "p.csv"),
    ),
    Known(
        "a pipe for an array",
        "measure file:p.npy --scenes world/labels.csv --out out",
        lambda at: os.mkfifo(at / "p.npy"),
    ),
    Known(
        "a pipe for captions",
        "repair tiny --images world/x.npy --captions p.txt --out out",
        lambda at: os.mkfifo(at / "p.txt"),
    ),
    Known("an endless device for an array", "apply world/fixed --texts /dev/zero --out out.npy"),
    Known("a folder for a table", "measure file:world/rows.npy --scenes world --out out"),
    Known(
        "an archive that unpacks to 3 GiB",
        "measure file:bomb.npz --scenes world/labels.csv --modality text --out out",
        archive,
    ),
    Known(
        "an archive with no arrays",
        "measure file:odd.npz --scenes world/labels.csv --modality text --out out",
        no_array,
    ),
    Known(
        "an array of objects",
        "measure file:o.npy --scenes world/labels.csv --modality text --out out",
        saved("o.npy", lambda: np.array([{}, [], 1], dtype=object)),
    ),
    Known(
        "rows beyond float32",
        f"embed file:b.npy {ROWS}",
        saved("b.npy", lambda: np.full((72, 4), 1e300)),
    ),
    Known(
        "rows with NaN",
        f"embed file:b.npy {ROWS}",
        saved("b.npy", lambda: np.full((72, 4), np.nan)),
    ),
    Known("too few rows", f"embed file:b.npy {ROWS}", saved("b.npy", lambda: np.ones((71, 4)))),
    Known(
        "words for rows", f"embed file:b.npy {ROWS}", saved("b.npy", lambda: np.array(["a"] * 72))
    ),
    Known(
        "a tensor of 8 TB in a small file",
        APPLY,
        published(weight=lambda: _torch("zeros")(1).expand(1_400_000, 1_400_000)),
    ),
    Known(
        "a temperature that is not a number",
        APPLY,
        published(t=lambda: _torch("tensor")(float("nan"))),
    ),
    Known("weights of truth values", APPLY, published(weight=lambda: _torch("eye")(8).bool())),
    Known(
        "complex weights", APPLY, published(weight=lambda: _torch("eye")(8).to(_torch("complex64")))
    ),
    Known("bfloat16 weights", APPLY, published(weight=lambda: _torch("eye")(8).bfloat16()), (0, 2)),
    Known(
        "float8 weights",
        APPLY,
        published(weight=lambda: _torch("eye")(8).to(_torch("float8_e4m3fn"))),
        (0, 2),
    ),
    Known("a batch of a billion", f"{TRAINED} --batch 1000000000"),
    Known("a width of a billion", f"{TRAINED} --width 1000000000"),
    Known("a depth of a billion", f"{TRAINED} --depth 1000000000"),
    Known("a million concepts", f"{TRAINED} --concepts 1000000"),
    Known("values without bound", f"{TRAINED} --values 1000000000000"),
    Known(
        "a vocabulary of 100,000",
        "render --scenes v.csv --out out",
        text("v.csv", "color,shape\n" + "".join(f"c{n},s{n}\n" for n in range(100_000))),
    ),
    Known(
        "100,000 items, the last id twice",
        "evaluate tiny --benchmark winoground --data w --out out",
        many_items,
    ),
    Known(
        "results nested without end",
        "compare r --out out",
        text("r/results.json", '{"records": ' + DEEP + "}"),
    ),
    Known(
        "items nested without end",
        "evaluate tiny --benchmark sugarcrepe --data s --out out",
        text("s/swap_att.json", DEEP),
    ),
    Known(
        "a manifest of 10^12 rows",
        "measure file:kept --scenes world/labels.csv --modality text --out out",
        both(
            linked("kept", "kept"),
            changed("kept/manifest.json", lambda found: found.update(rows=10**12)),
        ),
    ),
    Known(
        "a manifest whose seed is null",
        "measure file:kept --scenes world/labels.csv --modality text --complexity none --out out",
        both(
            linked("kept", "kept"),
            changed("kept/manifest.json", lambda found: found.update(seed=None)),
        ),
        (0, 2),
    ),
    Known(
        "a caption with half a character",
        "evaluate tiny --benchmark sugarcrepe --data s --out out",
        both(
            linked("s", "sugarcrepe"),
            changed(
                "s/swap_att.json", lambda found: found["0"].update(caption="a red \ud800 circle")
            ),
        ),
    ),
    Known(
        "a picture that says it is huge",
        PICTURES,
        both(linked("pictures", "pictures"), wide_picture),
    ),
    Known(
        "an empty picture",
        PICTURES,
        both(linked("pictures", "pictures"), _empty_picture),
    ),
    Known(
        "a picture of another folder",
        "embed tiny --scenes t/scenes.csv --modality image --out out",
        both(
            linked("pictures", "pictures"),
            text(
                "t/scenes.csv",
                "filename,color_1,shape_1,color_2,shape_2\n../pictures/00.png,red,circle,blue,square\n",
            ),
        ),
    ),
    Known(
        "a model cut short",
        "measure controlled:m --scenes m/words.csv --complexity none --out out",
        both(
            linked("m", "model/coverage-0.6"),
            lambda at: os.truncate(at / "m" / "model.safetensors", 100),
        ),
    ),
    Known(
        "a name of 5,000 characters for the folder", "render --scenes world/words.csv --out @LONG"
    ),
    Known("a name of 5,000 characters for the table", "render --scenes @LONG --out out"),
    Known("a name of 5,000 characters for the encoder", "measure @LONG --out out"),
    Known(
        "a name that is no UTF-8 for the folder",
        "render --scenes world/words.csv --size 32 --out @BYTE",
        codes=(0, 2),
    ),
    Known("a user that there is not", "render --scenes ~nosuchuser/words.csv --out out"),
    Known(
        "a folder of a user that there is not",
        "render --scenes world/words.csv --size 32 --out ~nosuchuser/out",
        codes=(0, 2),
    ),
    Known("a device of another kind", "measure tiny --device hpu --out out"),
    Known("a device without numbers", "measure tiny --device meta --out out"),
    Known(
        "the folder itself for out",
        "measure tiny --out . --complexity none",
        text("mine.txt", "keep"),
        after=lambda at: (at / "mine.txt").exists(),
    ),
    Known(
        "a link to a folder with other files",
        MEASURE,
        both(text("theirs/mine.txt", "keep"), lambda at: (at / "out").symlink_to("theirs")),
        after=lambda at: (at / "theirs" / "mine.txt").exists(),
    ),
    Known(
        "a run whose name is a formula",
        "compare world/run-a =1+1 --out out",
        linked("=1+1", "run-b"),
        (0,),
        no_formula,
    ),
    Known(
        "a run whose name is a script",
        f"compare world/run-a {SCRIPT} --out out",
        linked(SCRIPT, "run-b"),
        (0,),
        no_script,
    ),
    Known("nothing for a word", "compare @EMPTY"),
)


def known(world: Path, chosen: tuple[Known, ...] = KNOWN) -> Tally:
    """All of them."""
    tally = Tally()
    for one in chosen:
        folder = emptied(world.with_name("known"))
        (folder / "world").symlink_to(world)
        one.make(folder)
        outcome = Trial(one.arguments(), folder).run()
        fault = outcome.fault
        if not fault and outcome.code not in one.codes:
            fault = "accepted" if outcome.code == 0 else "no re-run"
        if not fault and not one.after(folder):
            fault = "accepted"
        if not fault and strays(listing(folder)):
            fault = "stray"
        tally.add("known", fault, f"{one.name}: conceptbind {one.line[:200]}", outcome.said)
    return tally
