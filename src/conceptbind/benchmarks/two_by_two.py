"""Winoground (arXiv 2204.03162) and ColorSwap (arXiv 2402.04492): two pictures and two captions of
the same words.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.benchmarks.base import (
    Data,
    Distinct,
    Found,
    Items,
    Making,
    Score,
    holds_pictures,
    kept_rows,
    lacks,
    picture_folder,
    read_published,
)
from conceptbind.benchmarks.scoring import both_ways, scores_of_groups
from conceptbind.benchmarks.shards import (
    TABLES,
    OneFile,
    published_files,
    require_files,
    table_rows,
    unpacked,
)
from conceptbind.core.errors import MismatchError
from conceptbind.core.limits import first_repeated
from conceptbind.core.text import require_characters

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

PLACES = ("images", ".")
SUFFIXES = ("", ".png", ".jpg")
"""What the name of a picture may lack."""


@dataclass(eq=False)
class TwoByTwo(OneFile):
    """Text, image and group score, and GroupMatch.

    Text: each picture prefers its caption. Image: each caption prefers its picture. Group: both.
    GroupMatch: the right matching wins as a whole. A tie anywhere is a miss. The file is JSON, JSON
    lines or parquet with the pictures inside.
    """

    fields: tuple[str, str, str, str]
    """Names of the two pictures and the two captions."""
    tag: str | None = None
    """Field by which scores are also given."""

    def layout(self, folder: Path) -> list[Found]:
        """The annotation file and the folder of pictures."""
        paths, _ = published_files(folder, self.files)
        if paths and paths[0].suffix.lower() in TABLES:
            return self.annotations(folder, "captions and pictures")
        pictures = Found(folder / PLACES[0], "pictures", holds_pictures(folder))
        return [*self.annotations(folder, "captions"), pictures]

    def read(self, folder: Path, making: Making) -> Data:
        """One item for each pair of pictures."""
        paths = require_files(folder, self.files, self.published)
        path = paths[0]
        if path.suffix.lower() in TABLES:
            folder = making.folder / self.name
            content = list(unpacked(paths, self.fields, folder, making))
            if (wrong := self._wrong(content)) is not None:
                raise MismatchError(f"{path} is not the file it should be: {wrong}")
        else:
            content = read_published(paths, self._wrong)
        first = str(content[0][self.fields[0]])
        suffix = next((suffix for suffix in SUFFIXES if _is_there(folder, first + suffix)), "")
        pictures, captions = Distinct(), Distinct()
        rows = []
        for entry in content:
            shown = [pictures(entry[name] + suffix) for name in self.fields[:2]]
            said = [captions(entry[name]) for name in self.fields[2:]]
            rows.append([*shown, *said])
        ids = (str(entry["id"]) for entry in content if entry.get("id") is not None)
        if (twice := first_repeated(ids)) is not None:
            raise MismatchError(
                f"{path} has the id {twice:.100} twice; every item must have one of its own"
            )
        tags = [str(entry.get(self.tag, "")) if self.tag else "" for entry in content]
        items = {"rows": np.array(rows, dtype=np.int64), "tags": np.array(tags)}
        return Data(
            pictures.all(), picture_folder(folder, pictures.all()[0], PLACES), captions.all(), items
        )

    def captions_inside(self, folder: Path) -> list[str] | None:
        """The captions of files that hold the pictures, without unpacking these; None for other
        files.
        """
        paths = require_files(folder, self.files, self.published)
        if paths[0].suffix.lower() not in TABLES:
            return None
        found = []
        for path in paths:
            for row in table_rows(path, self.fields, columns=self.fields[2:]):
                found += [row[name] for name in self.fields[2:]]
                if not all(isinstance(caption, str) for caption in found[-2:]):
                    raise MismatchError(
                        f"{path} is not the file it should be: a caption is {found[-2:]!r:.80}"
                    )
        require_characters(found, f"{paths[0]}: caption")
        return found

    keep = staticmethod(partial(kept_rows, columns=2))

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Of all items, and of those of each tag."""
        rows, tags = items["rows"], items["tags"]
        outcomes = both_ways(scores_of_groups(pictures, captions, rows))
        found = []
        subsets = [
            ("all", np.ones(len(rows), dtype=bool)),
            *((tag, tags == tag) for tag in np.unique(tags) if tag),
        ]
        for subset, chosen in subsets:
            for metric, (correct, tied) in outcomes.items():
                found.append(Score(metric, str(subset), "strict", correct[chosen], tied[chosen]))
        return found

    def _wrong(self, content: object) -> str | None:
        if not isinstance(content, list) or not content:
            return "expected a list of items"
        for entry in content:
            if (wrong := lacks(entry, self.fields, dict.fromkeys(self.fields, str))) is not None:
                return wrong
        return None


def _is_there(folder: Path, name: str) -> bool:
    """Whether a picture lies where pictures are looked for."""
    return any(os.path.isfile(folder / place / name) for place in PLACES)
