"""Winoground (arXiv 2204.03162) and ColorSwap (arXiv 2402.04492): two pictures and two captions of the same words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
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
    kept_rows,
    lacks,
    picture_folder,
    read_published,
    require_file,
)
from conceptbind.errors import FileError, MismatchError, MissingExtraError
from conceptbind.files import write_whole
from conceptbind.limits import first_repeated
from conceptbind.metrics import forced_choice

if TYPE_CHECKING:
    from conceptbind.typing import Bools, Floats

PLACES = ("images", ".")
SUFFIXES = ("", ".png", ".jpg")
"""What the name of a picture may lack."""


class TwoByTwo:
    """Text, image and group score.

    Text: each picture prefers its caption. Image: each caption prefers its picture. Group: both. A tie anywhere is a miss.

    Args:
        name: `winoground` or `colorswap`.
        title: in words.
        files: annotation files (JSON, JSON lines or parquet with the pictures inside), the first that is there is read.
        fields: names of the two pictures and the two captions.
        tag: field by which scores are also given, or None.
        published: where it can be had.
        licence: of the data.
    """

    def __init__(
        self,
        name: str,
        title: str,
        files: tuple[str, ...],
        fields: tuple[str, str, str, str],
        tag: str | None,
        published: str,
        licence: str,
    ) -> None:
        self.name, self.title, self.files, self.fields, self.tag = name, title, files, fields, tag
        self.published, self.licence = published, licence

    def layout(self, folder: Path) -> list[Found]:
        """The annotation file and the folder of pictures."""
        path = first_there(folder, self.files)
        if path is not None and path.suffix == ".parquet":
            return [Found(path, "captions and pictures", True)]
        return [
            Found(path or folder / self.files[0], "captions", path is not None),
            Found(folder / PLACES[0], "pictures", (folder / PLACES[0]).is_dir()),
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """One item for each pair of pictures."""
        path = require_file(folder, self.files, self.published)
        if path.suffix == ".parquet":
            folder = making.folder / self.name
            content = list(unpacked(path, self.fields, folder, making))
            if (wrong := self._wrong(content)) is not None:
                raise MismatchError(f"{path} is not the file it should be: {wrong}")
        else:
            content = read_published(path, self._wrong)
        first = str(content[0][self.fields[0]])
        suffix = next((s for s in SUFFIXES if any((folder / place / (first + s)).is_file() for place in PLACES)), "")
        pictures, captions = Distinct(), Distinct()
        rows = [
            [*(pictures(entry[name] + suffix) for name in self.fields[:2]), *(captions(entry[name]) for name in self.fields[2:])]
            for entry in content
        ]
        ids = [str(entry.get("id")) for entry in content]
        if (twice := first_repeated(ids)) is not None:
            raise MismatchError(f"{path} has the id {twice:.100} twice; every item must have one of its own")
        tags = [str(entry.get(self.tag, "")) if self.tag else "" for entry in content]
        items = {"rows": np.array(rows, dtype=np.int64), "tags": np.array(tags)}
        return Data(pictures.all(), picture_folder(folder, pictures.all()[0], PLACES), captions.all(), items)

    keep = staticmethod(partial(kept_rows, columns=2))

    def score(self, items: Items, pictures: Floats, captions: Floats) -> list[Score]:
        """Of all items, and of those of each tag."""
        rows, tags = items["rows"], items["tags"]
        x, y = pictures[rows[:, :2]], captions[rows[:, 2:]]
        scores = np.einsum("npd,ncd->npc", x, y)  # picture p against caption c
        text = _both(scores)
        image = _both(scores.transpose(0, 2, 1))
        group = (text[0] & image[0], (text[1] | image[1]) & ~(text[0] & image[0]))
        found = []
        subsets = [("all", np.ones(len(rows), dtype=bool)), *((tag, tags == tag) for tag in np.unique(tags) if tag)]
        for subset, chosen in subsets:
            for metric, (correct, tied) in (("text_score", text), ("image_score", image), ("group_score", group)):
                found.append(Score(metric, str(subset), "strict", correct[chosen], tied[chosen]))
        return found

    def _wrong(self, content: Any) -> str | None:
        if not isinstance(content, list) or not content:
            return "expected a list of items"
        for entry in content:
            if (wrong := lacks(entry, self.fields, dict.fromkeys(self.fields, str))) is not None:
                return wrong
        return None


def _both(scores: Floats) -> tuple[Bools, Bools]:
    """Whether the diagonal of (n, 2, 2) wins in both rows, and where a tie prevents it."""
    outcomes = [forced_choice(scores[:, i, i], scores[:, i, 1 - i], size=1.0) for i in (0, 1)]
    correct = outcomes[0][0] & outcomes[1][0]
    return correct, (outcomes[0][1] | outcomes[1][1]) & ~correct


def unpacked(path: Path, fields: tuple[str, ...], folder: Path, making: Making) -> Iterator[dict[str, Any]]:
    """The rows of a parquet file, their two pictures written as files of their own; a few rows are in memory at once.

    Args:
        path: parquet, pictures as {bytes, path} as Hugging Face's datasets write them.
        fields: two pictures and two captions.
        folder: where the pictures go; those that are there and equal are left.
        making: what is told of progress.

    Raises:
        MissingExtraError: pyarrow is not installed.
        FileError: the file is truncated, or a picture is not inside it.
        MismatchError: it lacks a column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", f"reading {path.name}") from error
    try:
        table = pq.ParquetFile(path)
        names = table.schema_arrow.names
        if missing := [name for name in fields if name not in names]:
            raise MismatchError(
                f"{path} is not the file it should be: it lacks the columns {', '.join(missing)}; it has {', '.join(names)}"
            )
        heavy, number = fields[:2], 0
        for batch in table.iter_batches(batch_size=16):
            for row in batch.to_pylist():
                entry = {name: value for name, value in row.items() if name not in heavy}
                for name in heavy:
                    data = row[name].get("bytes") if isinstance(row[name], dict) else None
                    if not data:
                        raise FileError(f"{path}, row {number}: '{name}' holds no picture; get the file whose pictures are inside")
                    entry[name] = f"{number:06d}-{name}"
                    kept = folder / entry[name]
                    if not kept.is_file() or kept.read_bytes() != data:  # the file may have been replaced since
                        write_whole(kept, data)
                number += 1
                making.on_item(1)
                yield entry
    except pa.ArrowInvalid as error:
        raise FileError(f"{path} is no whole parquet file ({error}); get it again from where it is published") from error
