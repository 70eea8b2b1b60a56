"""SugarCrepe (arXiv 2306.14610): a picture, its caption, and a fluent caption that is wrong."""

from __future__ import annotations

import string
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
    caption_choice,
    holds_pictures,
    kept_rows,
    lacks,
    picture_folder,
    read_published,
)
from conceptbind.core.errors import FileError

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

SUBSETS = (
    "add_att",
    "add_obj",
    "replace_att",
    "replace_obj",
    "replace_rel",
    "swap_att",
    "swap_obj",
)
FAMILIES = ("add", "replace", "swap")
FIELDS = ("filename", "caption", "negative_caption")
PLACES = ("val2017", "images", ".")
"""Where the COCO pictures may lie."""


class SugarCrepe:
    """Seven subsets in three families; the true caption must score strictly above the wrong one.

    `paper` and `strict` agree on each subset. The paper averages the subsets of a family (macro);
    `mieb` counts every item once (micro). `same words` are the pairs whose captions hold the same
    words in another order, which a bag of words cannot tell apart.
    """

    name = "sugarcrepe"
    title = "SugarCrepe"
    published = (
        "https://github.com/RAIVNLab/sugar-crepe (data/*.json), pictures: COCO val2017 "
        "from https://cocodataset.org"
    )
    licence = "MIT (captions); the pictures' licences are their photographers'"

    def layout(self, folder: Path) -> list[Found]:
        """The seven files, and the pictures."""
        files = [
            Found(
                folder / f"{subset}.json", f"subset {subset}", (folder / f"{subset}.json").is_file()
            )
            for subset in SUBSETS
        ]
        return [
            *files,
            Found(
                folder / PLACES[0],
                "COCO pictures val2017",
                any(holds_pictures(folder / place, 0) for place in PLACES),
            ),
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """All subsets that are there, at least one."""
        there = [subset for subset in SUBSETS if (folder / f"{subset}.json").is_file()]
        if not there:
            raise FileError(
                f"{folder} holds none of SugarCrepe's files "
                f"({', '.join(f'{s}.json' for s in SUBSETS)}); {self.published}"
            )
        pictures, captions = Distinct(), Distinct()
        rows, subsets = [], []
        for subset in there:
            content = read_published(folder / f"{subset}.json", _wrong)
            for entry in content.values():
                rows.append(
                    (
                        pictures(entry["filename"]),
                        captions(entry["caption"]),
                        captions(entry["negative_caption"]),
                    )
                )
                subsets.append(subset)
        absent = [subset for subset in SUBSETS if subset not in there]
        notes = (f"without {', '.join(absent)}, whose files are not there.",) if absent else ()
        texts = captions.all()
        same = [_words(texts[true]) == _words(texts[false]) for _, true, false in rows]
        items = {
            "rows": np.array(rows, dtype=np.int64),
            "subsets": np.array(subsets),
            "same_words": np.array(same),
        }
        return Data(
            pictures.all(), picture_folder(folder, pictures.all()[0], PLACES), texts, items, notes
        )

    keep = staticmethod(kept_rows)

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Accuracy of each subset, family, of all, and of the pairs with the same words."""
        rows, subsets = items["rows"], items["subsets"]
        correct, tied = caption_choice(rows, pictures, captions)
        found = []

        def add(subset: str, protocol: str, chosen: Any, grouped: bool) -> None:
            if chosen.any():
                groups = np.unique(subsets[chosen], return_inverse=True)[1] if grouped else None
                found.append(
                    Score(
                        "accuracy",
                        subset,
                        protocol,
                        correct[chosen],
                        tied[chosen],
                        groups,
                        clusters=rows[chosen, 0],
                    )
                )

        for subset in SUBSETS:
            add(subset, "strict", subsets == subset, False)
        for family in FAMILIES:
            members = np.char.startswith(subsets, family)
            add(family, "paper", members, True)
        add("all", "mieb", np.ones(len(rows), dtype=bool), False)
        add("same words", "strict", items["same_words"], False)
        return found


def _wrong(content: object) -> str | None:
    if not isinstance(content, dict) or not content:
        return "expected a dictionary of items by number"
    for entry in content.values():
        if (wrong := lacks(entry, FIELDS, dict.fromkeys(FIELDS, str))) is not None:
            return wrong
    return None


def _words(caption: str) -> list[str]:
    """The words of a caption in alphabetical order, without case and marks."""
    return sorted(caption.lower().translate(str.maketrans("", "", string.punctuation)).split())
