"""What'sUp (arXiv 2310.19785): where one object lies to another, four captions a picture, four
pictures a pair of objects.
"""

from __future__ import annotations

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
    caption_choice,
    holds_pictures,
    kept_rows,
    lacks,
    picture_folder,
    read_published,
)
from conceptbind.core.errors import FileError, MismatchError

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Bools, Floats, Ints

SUBSETS = {
    "controlled_images": "controlled_images_dataset.json",
    "controlled_clevr": "controlled_clevr_dataset.json",
}
PLACES = (".", "..")
"""The published paths begin with data/, where the lists may lie themselves."""
OPTIONS = 4
SIDES = ("left", "right")
"""These two are one pair, the other two prepositions of a set (on and under, or in front and
behind) the other."""


class WhatsUp:
    """The first of four captions is right and must score strictly above the others.

    `accuracy`: single pictures. `pair_accuracy`: both pictures of opposite places (left and right)
    must be right. `set_accuracy`: all four pictures of two objects. Pictures are named
    `object_preposition[_of]_object`.
    """

    name = "whatsup"
    title = "What'sUp, controlled pictures"
    published = (
        "https://github.com/amitakamath/whatsup_vlms (controlled_*_dataset.json and the "
        "folders of pictures)"
    )
    licence = "MIT"

    def layout(self, folder: Path) -> list[Found]:
        """The two lists, and the pictures of each."""
        lists = [
            Found(folder / file, f"subset {subset}", (folder / file).is_file())
            for subset, file in SUBSETS.items()
        ]
        return [*lists, *(_pictures_of(subset, folder) for subset in SUBSETS)]

    def read(self, folder: Path, making: Making) -> Data:
        """Both subsets, or the one that is there."""
        there = {
            subset: folder / file for subset, file in SUBSETS.items() if (folder / file).is_file()
        }
        if not there:
            raise FileError(
                f"{folder} holds neither {' nor '.join(SUBSETS.values())}; {self.published}"
            )
        pictures, captions, sets = Distinct(), Distinct(), Distinct()
        rows, subsets, owners, sides = [], [], [], []
        for subset, path in there.items():
            for entry in read_published(path, _wrong):
                if entry["image_path"] in pictures.numbers:
                    raise MismatchError(
                        f"{path} names the picture {entry['image_path']} twice; every picture must "
                        "have one item"
                    )
                first, preposition, last = _places(entry["image_path"], path)
                rows.append(
                    (pictures(entry["image_path"]), *map(captions, entry["caption_options"]))
                )
                subsets.append(subset)
                owners.append(sets(f"{subset}/{first}/{last}"))
                sides.append(preposition in SIDES)
        absent = [subset for subset in SUBSETS if subset not in there]
        notes = tuple(f"without {subset}, whose list is not there." for subset in absent)
        items = {
            "rows": np.array(rows, dtype=np.int64),
            "subsets": np.array(subsets),
            "sets": np.array(owners),
            "sides": np.array(sides),
        }
        return Data(
            pictures.all(),
            picture_folder(folder, pictures.all()[0], PLACES),
            captions.all(),
            items,
            notes,
        )

    keep = staticmethod(kept_rows)

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Of each subset: single pictures, pairs and sets."""
        correct, tied = caption_choice(items["rows"], pictures, captions)
        found = []
        for subset in SUBSETS:
            mine = items["subsets"] == subset
            if not mine.any():
                continue
            sets = items["sets"][
                mine
                # four pictures of the same two objects, with the same captions: one draw of an
                # interval
            ]
            found.append(
                Score("accuracy", subset, "strict", correct[mine], tied[mine], clusters=sets)
            )
            pairs = sets * 2 + items["sides"][mine]
            for metric, groups, size in (
                ("pair_accuracy", pairs, 2),
                ("set_accuracy", sets * 2, 4),
            ):
                whole, right, by_tie = _all_of(groups, size, correct[mine], tied[mine])
                if len(right):
                    found.append(
                        Score(metric, subset, "strict", right, by_tie, clusters=whole // 2)
                    )
        return found


def _all_of(groups: Ints, size: int, correct: Bools, tied: Bools) -> tuple[Ints, Bools, Bools]:
    """The groups that lack no items; whether all items of each are right, and whether nothing but
    ties prevents it.
    """
    names, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    right, ties = np.bincount(codes, correct), np.bincount(codes, tied)
    whole = counts == size
    return (
        names[whole],
        right[whole] == size,
        (right[whole] < size) & (right[whole] + ties[whole] == size),
    )


def _pictures_of(subset: str, folder: Path) -> Found:
    places = (folder / "data" / subset, folder / subset)
    return Found(places[0], f"pictures of {subset}", any(map(holds_pictures, places)))


def _places(image: str, path: Path) -> tuple[str, str, str]:
    """First object, preposition and second object, from the name of a picture."""
    parts = Path(image).stem.split("_")
    if len(parts) < 3:
        raise MismatchError(f"{path}: pictures are named object_preposition_object; got {image}")
    return parts[0], parts[1], parts[-1]


def _wrong(content: object) -> str | None:
    if not isinstance(content, list) or not content:
        return "expected a list of items"
    for entry in content:
        if (
            wrong := lacks(
                entry,
                ("image_path", "caption_options"),
                {"image_path": str, "caption_options": list},
            )
        ) is not None:
            return wrong
        options = entry["caption_options"]
        if len(options) != OPTIONS or not all(isinstance(option, str) for option in options):
            return (
                f"{entry['image_path']} must have {OPTIONS} captions, the first of them right; "
                f"it has {options!r:.80}"
            )
    return None
