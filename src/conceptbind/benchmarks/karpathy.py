"""COCO and Flickr30k retrieval on Karpathy's splits: pictures among captions and captions among
pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import (
    Data,
    Distinct,
    Found,
    Items,
    Making,
    Score,
    holds_pictures,
    lacks,
    picture_folder,
    read_published,
)
from conceptbind.benchmarks.in_common import shared_captions, told_shared
from conceptbind.benchmarks.scoring import recalls
from conceptbind.benchmarks.shards import OneFile, require_files
from conceptbind.benchmarks.texts import said_alike
from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.core.text import read_lines

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

PLACES = (
    ".",
    "val2014",
    "images",
    "flickr30k-images",
    "flickr30k_images",
    "Images",
    "images/val2014",
)
"""Where the pictures may lie, beside the place that the file names."""
COCO_TRAIN = (
    "https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_train.json"
)


@dataclass(eq=False)
class Karpathy(OneFile):
    """Recall at 1, 5 and 10, both ways. A picture's rank is that of its best caption; a tie ranks
    behind.
    """

    captions_each: int | None = None
    """The first captions of a picture that count; None takes all, as COCO's usual 25,010 x 5,000
    does."""

    def layout(self, folder: Path) -> list[Found]:
        """The annotation file and the pictures that it names, relative to the folder."""
        pictures = "pictures, at the paths that the file names"
        return [
            *self.annotations(folder, "captions"),
            Found(folder, pictures, holds_pictures(folder)),
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """One row an image with its captions."""
        path, content, place = self.rows(folder)
        pictures, captions = Distinct(), Distinct()
        owner, texts = [], []
        for row, entry in enumerate(content):
            if pictures(entry["image"]) != row:
                raise ValueRangeError(
                    f"{path} names the picture {entry['image']} twice; every picture must have one "
                    "row"
                )
            for caption in entry["caption"][: self.captions_each]:
                owner.append(row)
                texts.append(captions(caption))
        said = said_alike(captions.all())[texts]
        items = {"owner": np.array(owner), "captions": np.array(texts), "said": said}
        shared = int(shared_captions(items["owner"], said).sum())
        notes = (told_shared(shared, len(said)),) if shared else ()
        besides = frozenset({"said"})
        return Data(pictures.all(), place, captions.all(), items, notes, besides=besides)

    def rows(self, folder: Path) -> tuple[Path, list[dict[str, Any]], Path]:
        """The file that is read, its rows (`image`, `caption`: a list), and the folder to which the
        pictures' names are relative.

        Raises:
            FileError, MismatchError: it is missing, truncated, or another file.
        """
        paths = require_files(folder, self.files, self.published)
        if paths[0].suffix == ".txt":
            content = lines_of_pictures(paths[0])
        else:
            split = "val" if "val" in paths[0].stem else "test"
            content = read_published(paths, lambda found: wrong_rows(as_rows(found, (split,))))
            content = as_rows(content, (split,))
        return paths[0], content, picture_folder(folder, content[0]["image"], PLACES)

    @staticmethod
    def keep(items: Items, number: Int[Ints, " pictures"]) -> tuple[Items, int]:
        """Pictures that are there, and their captions."""
        kept = number[items["owner"]] >= 0
        left = {name: values[kept] for name, values in items.items()}
        left["owner"] = number[left["owner"]]
        return left, int((number < 0).sum())

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Recall of pictures by captions and of captions by pictures."""
        said = items.get("said")
        return recalls(items["owner"], pictures, captions[items["captions"]], said)


def as_rows(content: Any, splits: tuple[str, ...]) -> Any:
    """The rows `image, caption` of a file in either of the other published forms; other content as
    it is.

    - Karpathy's own `dataset_*.json`: `images[]` with `filename`, perhaps `filepath`, `split`, and
      `sentences[].raw`;
    - COCO's form, as `coco_test_karpathy.json` has it: `images[]` with `id` and `file_name`,
      `annotations[]` with `image_id` and `caption`.

    Args:
        content: of the file.
        splits: the images of `dataset_*.json` that are taken.
    """
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        return content
    if images and all(isinstance(image.get("sentences"), list) for image in images):
        return [_as_row(image) for image in images if image.get("split") in splits]
    notes = content.get("annotations")
    if not isinstance(notes, list) or not all(isinstance(note, dict) for note in notes):
        return content
    of: dict[Any, list[Any]] = {}
    for note in notes:
        of.setdefault(str(note.get("image_id")), []).append(note.get("caption"))
    return [
        {"image": image.get("file_name"), "caption": of.get(str(image.get("id")), [])}
        for image in images
    ]


def _as_row(image: Mapping[str, Any]) -> dict[str, Any]:
    """An image of `dataset_*.json` with its captions; None for what is not a sentence."""
    places = [str(image[part]) for part in ("filepath", "filename") if image.get(part)]
    captions = [
        sentence.get("raw") if isinstance(sentence, dict) else None
        for sentence in image["sentences"]
    ]
    return {"image": "/".join(places), "caption": captions}


def lines_of_pictures(path: Path) -> list[dict[str, Any]]:
    """The rows of `flickr30k_test_karpathy.txt`: a header, then `picture.jpg,caption` with commas
    in the caption as they come.

    Args:
        path: the file.

    Raises:
        MismatchError: a line is no picture with its caption; names it.
    """
    of: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        match = re.fullmatch(r"\s*(.+?\.(?:jpe?g|png))\s*[,\t]\s*(.*\S)\s*", line, re.IGNORECASE)
        if match:
            caption = (
                match[2][1:-1].replace('""', '"') if re.fullmatch(r'".*"', match[2]) else match[2]
            )
            of.setdefault(match[1], []).append(caption)
        elif number > 1 and line.strip():
            raise MismatchError(
                f"{path}, line {number}: expected a picture, a comma and its caption; got "
                f"{line[:60]!r}"
            )
    if not of:
        raise MismatchError(
            f"{path} is not the file it should be: expected lines of a picture, a comma and its "
            "caption"
        )
    return [{"image": image, "caption": captions} for image, captions in of.items()]


def wrong_rows(content: object) -> str | None:
    """What is wrong with the content of a val or test file."""
    if content == []:
        return "it has no row; of Karpathy's own file the images with the split 'test' are read"
    if not isinstance(content, list):
        return "expected a list with one row an image"
    if isinstance(content[0], dict) and isinstance(content[0].get("caption"), str):
        return (
            "each row has one caption as text, as Karpathy's train files have; give the val or "
            "test file, whose rows hold lists of captions"
        )
    for entry in content:
        if (
            wrong := lacks(entry, ("image", "caption"), {"image": str, "caption": list})
        ) is not None:
            return wrong
        if not entry["caption"] or not all(
            isinstance(caption, str) for caption in entry["caption"]
        ):
            return f"the picture {entry['image']} has no captions, or captions that are not text"
    return None


def read_karpathy_train(folder: Path) -> tuple[tuple[str, ...], list[str], Int[Ints, " captions"]]:
    """Pictures and captions of `coco_karpathy_train.json`, whose rows hold one caption each, or of
    Karpathy's `dataset_coco.json`.

    Args:
        folder: folder with one of these files and its pictures.

    Returns:
        pictures: p names of files, relative to the folder, in the order of their first captions.
        captions: n texts.
        image_of: (n,) number of each caption's picture.

    Raises:
        FileError: the file is missing or truncated, or pictures are; the first are named, all are
            counted.
        MismatchError: it is another file.
    """
    paths = require_files(
        folder,
        ["coco_karpathy_train.json", "coco_train_karpathy.json", "dataset_coco.json"],
        COCO_TRAIN,
    )
    content = _one_caption_each(
        read_published(paths, lambda found: _wrong_train(_one_caption_each(found)))
    )
    pictures = Distinct()
    of = np.array([pictures(row["image"]) for row in content], dtype=np.int64)
    missing = [name for name in pictures.all() if not os.path.isfile(folder / name)]
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise FileError(
            f"{len(missing):,} of {len(pictures.numbers):,} pictures are not in "
            f"{folder}: {named}; "
            "put them there"
        )
    return pictures.all(), [row["caption"] for row in content], of


def _one_caption_each(content: object) -> Any:
    """Rows of one caption, from Karpathy's own file (its images of `train` and `restval`) or from
    COCO's form; other content as it is.
    """
    rows = as_rows(content, ("train", "restval"))
    if rows is content or not all(isinstance(row["caption"], list) for row in rows):
        return rows
    return [
        {"image": row["image"], "caption": caption} for row in rows for caption in row["caption"]
    ]


def _wrong_train(content: object) -> str | None:
    if not isinstance(content, list) or not content:
        return "expected a list with one row per caption"
    if isinstance(content[0], dict) and isinstance(content[0].get("caption"), list):
        return (
            "each row has a list of captions, as Karpathy's val and test files have; give the "
            "train file, whose rows hold one caption each"
        )
    for entry in content:
        if (
            wrong := lacks(entry, ("image", "caption"), {"image": str, "caption": str})
        ) is not None:
            return wrong
        if not entry["caption"].strip():
            return f"the picture {entry['image']} has an empty caption"
    return None
