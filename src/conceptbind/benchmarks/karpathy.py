"""COCO and Flickr30k retrieval on Karpathy's splits: pictures among captions and captions among pictures."""

from __future__ import annotations

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
    first_there,
    lacks,
    read_published,
    require_file,
)
from conceptbind.errors import FileError, ValueRangeError
from conceptbind.metrics import ranks

if TYPE_CHECKING:
    from conceptbind.typing import Floats, Ints

KS = (1, 5, 10)
COCO_TRAIN = "https://storage.googleapis.com/sfr-vision-language-research/datasets/coco_karpathy_train.json"


class Karpathy:
    """Recall at 1, 5 and 10, both ways. A picture's rank is that of its best caption; a tie ranks behind.

    Args:
        name: `coco` or `flickr30k`.
        title: in words.
        files: the annotation files, the first that is there is read.
        captions_each: the first captions of a picture that count; None takes all, as COCO's usual 25,010 x 5,000 does.
        published: where it can be had.
        licence: of the data.
    """

    def __init__(
        self, name: str, title: str, files: tuple[str, ...], captions_each: int | None, published: str, licence: str
    ) -> None:
        self.name, self.title, self.files, self.captions_each = name, title, files, captions_each
        self.published, self.licence = published, licence

    def layout(self, folder: Path) -> list[Found]:
        """The annotation file and the pictures that it names, relative to the folder."""
        path = first_there(folder, self.files)
        return [
            Found(path or folder / self.files[0], "captions", path is not None),
            Found(
                folder,
                "pictures, at the paths that the file names",
                folder.is_dir() and any(path.is_dir() for path in folder.iterdir()),
            ),
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """One row an image with its captions."""
        path = require_file(folder, self.files, self.published)
        content = read_published(path, wrong_rows)
        pictures, captions = Distinct(), Distinct()
        owner, texts = [], []
        for row, entry in enumerate(content):
            if pictures(entry["image"]) != row:
                raise ValueRangeError(f"{path} names the picture {entry['image']} twice; every picture must have one row")
            for caption in entry["caption"][: self.captions_each]:
                owner.append(row)
                texts.append(captions(caption))
        items = {"owner": np.array(owner), "captions": np.array(texts)}
        return Data(pictures.all(), folder, captions.all(), items)

    @staticmethod
    def keep(items: Items, number: Ints) -> tuple[Items, int]:
        """Pictures that are there, and their captions."""
        kept = number[items["owner"]] >= 0
        left = {"owner": number[items["owner"][kept]], "captions": items["captions"][kept]}
        return left, int((number < 0).sum())

    def score(self, items: Items, pictures: Floats, captions: Floats) -> list[Score]:
        """Recall of pictures by captions and of captions by pictures."""
        place, x, y = items["owner"], pictures, captions[items["captions"]]
        found = []
        forward, ties = ranks(y, x, place)
        rank, tied = _best_caption(x, y, place)
        for subset, position, equal in (("text to image", forward, ties > 0), ("image to text", rank, tied)):
            for k in KS:
                correct = position <= k
                found.append(
                    Score(
                        f"recall_at_{k}",
                        subset,
                        "strict",
                        correct,
                        equal & ~correct,
                        facts={"candidates": len(x if subset[0] == "t" else y)},
                    )
                )
        return found


def _best_caption(x: Floats, y: Floats, owner: Any) -> tuple[Any, Any]:
    """For each picture the rank of its best caption among all, its other captions out of the way, and whether it ties with a wrong one."""
    own = np.einsum("cd,cd->c", x[owner], y)
    order = np.lexsort((-own, owner))
    first = order[np.unique(owner[order], return_index=True)[1]]  # each picture's best caption
    rank, ties = ranks(x, y, first)
    margin = 8 * np.finfo(own.dtype).eps * np.sqrt(x.shape[1])
    best = own[first]
    same = (
        np.bincount(owner, own >= best[owner] - margin, minlength=len(x)).astype(np.int64) - 1
    )  # of its own, counted as others above
    return rank - same, ties > same


def wrong_rows(content: Any) -> str | None:
    """What is wrong with the content of a val or test file."""
    if not isinstance(content, list) or not content:
        return "expected a list with one row an image"
    if isinstance(content[0], dict) and isinstance(content[0].get("caption"), str):
        return "each row has one caption as text, as Karpathy's train files have; give the val or test file, whose rows hold lists of captions"
    for entry in content:
        if (wrong := lacks(entry, ("image", "caption"), {"image": str, "caption": list})) is not None:
            return wrong
        if not entry["caption"] or not all(isinstance(caption, str) for caption in entry["caption"]):
            return f"the picture {entry['image']} has no captions, or captions that are no text"
    return None


def read_karpathy_train(folder: Path) -> tuple[tuple[str, ...], list[str], Ints]:
    """Pictures and captions of `coco_karpathy_train.json`, whose rows hold one caption each.

    Returns:
        pictures: p names of files, relative to the folder, in the order of their first captions.
        captions: n texts.
        image_of: (n,) number of each caption's picture.

    Raises:
        FileError: the file is missing or truncated, or pictures are; the first are named, all are counted.
        MismatchError: it is another file.
    """
    path = require_file(folder, ["coco_karpathy_train.json"], COCO_TRAIN)
    content = read_published(path, _wrong_train)
    pictures = Distinct()
    of = np.array([pictures(row["image"]) for row in content], dtype=np.int64)
    missing = [name for name in pictures.all() if not (folder / name).is_file()]
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise FileError(f"{len(missing):,} of {len(pictures.numbers):,} pictures are not in {folder}: {named}; put them there")
    return pictures.all(), [row["caption"] for row in content], of


def _wrong_train(content: Any) -> str | None:
    if not isinstance(content, list) or not content:
        return "expected a list with one row a caption"
    if isinstance(content[0], dict) and isinstance(content[0].get("caption"), list):
        return "each row has a list of captions, as Karpathy's val and test files have; give the train file, whose rows hold one caption each"
    for entry in content:
        if (wrong := lacks(entry, ("image", "caption"), {"image": str, "caption": str})) is not None:
            return wrong
        if not entry["caption"].strip():
            return f"the picture {entry['image']} has an empty caption"
    return None
