"""Plain captions as triplets: another caption of the picture is the paraphrase, and nouns or
adjectives that changed places make the wrong caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conceptbind.benchmarks.base import Data, Distinct, Found, Items, Making, Score, lacks
from conceptbind.benchmarks.karpathy import as_rows, lines_of_pictures, wrong_rows
from conceptbind.benchmarks.shards import published_files
from conceptbind.benchmarks.texts import (
    EVERY,
    OF_WRONG_CAPTIONS,
    WRONG_CAPTIONS,
    Alike,
    triplet_scores,
)
from conceptbind.core.errors import (
    FileError,
    MismatchError,
    UnknownNameError,
    ValueRangeError,
    counted,
)
from conceptbind.core.files import content_hash, read_checked_json, write_checked_json
from conceptbind.core.text import read_json_values, read_lines, require_characters
from conceptbind.repairs.negatives.permutations import hard_negatives, same_words
from conceptbind.repairs.negatives.taggers import load_tagger
from conceptbind.scenes.readers.tables import read_columns

PICTURES = ("image", "filename", "filepath", "picture")
CAPTIONS = ("caption", "title")
"""Names that the two columns of a table may have."""
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
NEGATIVES = "paraphrases_negatives.json"
AGAIN = "delete it; it will be drawn again"

Captions = Mapping[str, Sequence[str]]
"""The distinct captions of each picture, by its name."""


class Paraphrases:
    """A file of captions, several of each picture.

    Each caption that has a hard negative is an item: its paraphrase is the picture's next caption,
    its negative the caption with nouns or adjectives exchanged (see `repairs.negatives`). The
    negative keeps the caption's words, where the paraphrase has words of its own, so an encoder
    that goes by the surface falls into the trap. Captions of one picture are one draw.

    Negatives depend on the captions of the picture, the seed and the tagger alone. They are written
    down once, in the run folder.

    Args:
        files: names that the file may have in a folder.
    """

    name = "paraphrases"
    title = "Captions of one picture as paraphrases"
    published = (
        "Karpathy's files of COCO or Flickr30k, or your own: a table with the columns image and "
        "caption (captions.csv, captions.tsv), lines of a picture and its caption, or blocks of "
        "captions with blank lines between them (captions.txt)"
    )
    licence = "that of the captions"
    swapped = EVERY

    def __init__(self, files: Sequence[str]) -> None:
        self.files = files

    def layout(self, folder: Path) -> list[Found]:
        """The file."""
        what = "captions, several of each picture"
        paths = self._paths(folder)
        return [Found(path, what, True) for path in paths] or [
            Found(folder / self.files[0], what, False)
        ]

    def captions_before(self, folder: Path, making: Making) -> list[str]:
        """The captions of which negatives will be made; the tagger is loaded if it will be needed.

        Raises:
            MissingExtraError, FileError: there is no tagger.
        """
        captions = self.captions(folder)
        if not (making.folder / NEGATIVES).is_file():
            load_tagger(making.tagger)
        return _all(captions.values())

    def captions(self, folder: Path) -> Captions:
        """The captions of each picture, those that repeat another's words once.

        Args:
            folder: of the file, or the file itself.

        Raises:
            FileError, MismatchError, ValueRangeError: there is no file, it is another one, or no
                picture has two captions.
        """
        paths = self._paths(folder)
        if not paths:
            raise FileError(f"{folder} holds no file of captions; expected {self.published}")
        read = _of_json if paths[0].suffix in (".json", ".jsonl", ".ndjson") else _of_text
        found = {name: _distinct(texts) for name, texts in read(paths).items()}
        require_characters(_all(found.values()), f"{paths[0]}: caption")
        if not any(len(texts) > 1 for texts in found.values()):
            raise ValueRangeError(
                f"{paths[0]} has no picture with two captions that differ; a caption's paraphrase "
                "is another caption of its picture"
            )
        return found

    def read(self, folder: Path, making: Making) -> Data:
        """One item a caption that has a paraphrase and a negative."""
        captions = self.captions(folder)
        several = {name: texts for name, texts in captions.items() if len(texts) > 1}
        made = _negatives(several, making)
        number, rows, draws = Distinct(), [], []
        negatives = iter(made["negatives"])
        for picture, texts in enumerate(several.values()):
            for place, caption in enumerate(texts):
                negative, paraphrase = next(negatives), texts[(place + 1) % len(texts)]
                if negative is not None:
                    rows.append((number(caption), number(paraphrase), number(negative)))
                    draws.append(picture)
        if not rows:
            raise ValueRangeError(
                f"no caption of {folder} has a hard negative; use captions with two nouns or "
                "adjectives"
            )
        left, alone = len(made["negatives"]) - len(rows), len(captions) - len(several)
        notes = []
        if left:
            notes.append(f"left out: {counted(left, 'caption')} without a hard negative.")
        if alone:
            notes.append(f"left out: {counted(alone, 'picture')} with one caption only.")
        name = self.file(folder).stem
        items = {
            "rows": np.array(rows, dtype=np.int64),
            "subsets": np.array([name] * len(rows)),
            "draws": np.array(draws),
        }
        facts = {
            "seed": made["seed"],
            "tagger": made["tagger"],
            "negatives": content_hash(repr(made["negatives"])),
        }
        return Data((), folder, number.all(), items, tuple(notes), facts=facts)

    def score_texts(self, items: Items, alike: Alike) -> list[Score]:
        """Both rules of `metrics.triplets`."""
        return triplet_scores(items, alike)

    def file(self, folder: Path) -> Path:
        """The file of captions, by which the items are called; `captions` says where it lacks."""
        return self._paths(folder)[0]

    def _paths(self, folder: Path) -> list[Path]:
        return [folder] if folder.is_file() else published_files(folder, self.files)[0]


def _of_json(paths: Sequence[Path]) -> dict[str, list[str]]:
    """One of Karpathy's or COCO's forms, or rows of a picture and its caption or captions."""
    advice = "it seems to be truncated; get it again from where it is published"
    parts = [read_json_values(path, advice) for path in paths]
    content = _all(parts) if len(parts) > 1 else parts[0]
    split = "val" if "val" in paths[0].stem else "test"
    rows = as_rows(content, (split,))
    if isinstance(rows, list) and rows:
        rows = [_in_a_list(row) for row in rows]
    if (wrong := wrong_rows(rows)) is not None:
        raise MismatchError(f"{paths[0]} is not the file it should be: {wrong}")
    return _by_picture((row["image"], text) for row in rows for text in row["caption"])


def _in_a_list(row: Any) -> Any:
    """A row whose caption is one text, with a list of it."""
    one = lacks(row, ("image", "caption"), {"image": str, "caption": str}) is None
    return {**row, "caption": [row["caption"]]} if one else row


def _of_text(paths: Sequence[Path]) -> dict[str, list[str]]:
    """A table, lines of pictures, or blocks of captions."""
    path = paths[0]
    if path.suffix.lower() in (".csv", ".tsv"):
        return _of_table(path)
    lines = read_lines(path, "the captions")
    if any(suffix in line.lower() for line in lines[:2] for suffix in PICTURE_SUFFIXES):
        rows = lines_of_pictures(path)
        return _by_picture((row["image"], text) for row in rows for text in row["caption"])
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    filled = [block for block in blocks if block]
    if len(filled) < 2:
        raise MismatchError(
            f"{path} has {counted(len(filled), 'block')} of captions; expected a blank line "
            "between the captions of one picture and those of the next"
        )
    return {f"block {n}": block for n, block in enumerate(filled, start=1)}


def _of_table(path: Path) -> dict[str, list[str]]:
    columns = read_columns(path, index=True)
    named = {}
    for what, names in (("image", PICTURES), ("caption", CAPTIONS)):
        found = next((name for name in names if name in columns), None)
        if found is None:
            raise UnknownNameError(
                f"{path} has no column '{what}'; expected image and caption, one caption per row, "
                f"and it has {', '.join(map(repr, columns))}"
            )
        named[what] = columns[found]
    empty = next((n for n, text in enumerate(named["caption"], start=1) if not text), None)
    if empty is not None:
        raise ValueRangeError(
            f"{path}, row {empty}: the caption is missing; fill it in, or leave the row out"
        )
    by_picture = _by_picture(zip(named["image"], named["caption"], strict=True))
    if WRONG_CAPTIONS in columns and max(map(len, by_picture.values())) == 1:
        raise ValueRangeError(
            f"{path} has one caption of each picture and its wrong captions, {OF_WRONG_CAPTIONS}"
        )
    return by_picture


def _by_picture(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for picture, caption in pairs:
        found.setdefault(picture, []).append(caption.strip())
    return found


def _distinct(texts: Sequence[str]) -> list[str]:
    """Captions that say something, without those that differ from an earlier one in case, spaces
    and marks only.
    """
    found = {same_words(text): text for text in reversed(texts)}
    return [text for key, text in reversed(found.items()) if key]


def _all(lists: Iterable[Sequence[Any]]) -> list[Any]:
    return [each for some in lists for each in some]


def _negatives(captions: Captions, making: Making) -> dict[str, Any]:
    """Those that are written down, or new ones, which are: one for each caption, in order; None
    where a caption has none.
    """
    path, texts = making.folder / NEGATIVES, _all(captions.values())
    asked = content_hash(repr([*captions.values()]))
    if path.is_file():
        found = read_checked_json(path, AGAIN)
        if found.get("captions") != asked:
            raise MismatchError(f"{path} holds negatives of other captions; {AGAIN}")
        return found
    of = [number for number, some in enumerate(captions.values()) for _ in some]
    words = load_tagger(making.tagger)
    drawn = hard_negatives(
        texts, tagger=words, seed=making.seed, groups=of, on_captions=making.on_item
    )
    made = {
        "format": 1,
        "seed": making.seed,
        "tagger": f"{words.name} ({words.version})",
        "captions": asked,
        "negatives": list(drawn.texts),
    }
    write_checked_json(path, made)
    return made
