"""ARO's Visual Genome parts (arXiv 2210.01936): a box in a picture, its caption, and the caption
with attributes or objects exchanged.
"""

from __future__ import annotations

from importlib import resources
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
from conceptbind.benchmarks.shards import published_files, require_files

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

FILES = {
    "vg_attribution": "visual_genome_attribution.json",
    "vg_relation": "visual_genome_relation.json",
}
FIELDS = ("image_path", "bbox_x", "bbox_y", "bbox_w", "bbox_h", "true_caption", "false_caption")
PLACES = ("images", ".")
FARTHEST = 1_000_000
MOST_PIXELS = 89_478_485
"""Where a box may begin and how large it may be, which is as large as a picture may be (Pillow's
bound)."""
FEWEST = 25
"""Items that an attribute pair needs to count in the paper's macro score."""


class VisualGenome:
    """VG-Attribution or VG-Relation. Pictures are cut to the box, which is in pixels of the file
    (`encoders.pictures`); the true caption must score strictly above the false one.

    `strict`: every distinct item once, with an interval that draws whole pictures, since one
    picture has several items. `paper`: mean over attribute pairs with at least 25 items, or over
    relations without those that the paper's notebook leaves out as symmetric or rare. `labclip`
    (VG-Relation): mean over all relations. `mieb`: every item, repeated ones too, and
    the true caption wins a tie.

    Args:
        name: `vg_attribution` or `vg_relation`.
    """

    published = (
        "https://github.com/mertyg/vision-language-models-are-bows (visual_genome_*.json "
        "and vgr_vga_images.zip)"
    )
    licence = "MIT (captions); the pictures are those of GQA / Visual Genome, CC BY 4.0"

    def __init__(self, name: str) -> None:
        self.name, self.file = name, FILES[name]
        self.title = {"vg_attribution": "ARO VG-Attribution", "vg_relation": "ARO VG-Relation"}[
            name
        ]

    def layout(self, folder: Path) -> list[Found]:
        """The annotation file and the folder of pictures."""
        return [
            Found(
                folder / self.file,
                "captions and boxes",
                bool(published_files(folder, [self.file])[0]),
            ),
            Found(
                folder / PLACES[0],
                "pictures (vgr_vga_images.zip)",
                any(holds_pictures(folder / place, 0) for place in PLACES),
            ),
        ]

    def read(self, folder: Path, making: Making) -> Data:
        """All items; a picture with the same box is there once."""
        content = read_published(require_files(folder, [self.file], self.published), self._wrong)
        seen: dict[tuple[str, tuple[int, int, int, int]], int] = {}
        captions, rows, groups = Distinct(), [], []
        for entry in content:
            box = (
                int(entry["bbox_x"]),
                int(entry["bbox_y"]),
                int(entry["bbox_w"]),
                int(entry["bbox_h"]),
            )
            number = seen.setdefault((entry["image_path"], box), len(seen))
            rows.append((number, captions(entry["true_caption"]), captions(entry["false_caption"])))
            groups.append(
                entry["relation_name"]
                if self.name == "vg_relation"
                else "_".join(map(str, entry["attributes"]))
            )
        pictures = tuple(name for name, _ in seen)
        files = Distinct()
        items = {
            "rows": np.array(rows, dtype=np.int64),
            "groups": np.array(groups),
            "files": np.array([files(e["image_path"]) for e in content]),
        }
        boxes = tuple(box for _, box in seen)
        return Data(
            pictures,
            picture_folder(folder, pictures[0], PLACES),
            captions.all(),
            items,
            boxes=boxes,
        )

    keep = staticmethod(kept_rows)

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """Accuracy by each protocol."""
        rows, names = items["rows"], items["groups"]
        correct, tied = caption_choice(rows, pictures, captions)
        _, groups, counts = np.unique(names, return_inverse=True, return_counts=True)
        found = []

        def add(subset: str, protocol: str, chosen: Any, grouped: bool) -> None:
            # of equals mteb takes the true caption, which it puts first
            ties = "hit" if protocol == "mieb" else "miss"
            right = correct | (tied & (ties == "hit"))
            if chosen.any():
                found.append(
                    Score(
                        "accuracy",
                        subset,
                        protocol,
                        right[chosen],
                        tied[chosen],
                        groups[chosen] if grouped else None,
                        clusters=items["files"][chosen],
                        ties=ties,
                    )
                )

        everything = np.ones(len(rows), dtype=bool)
        first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        found.append(
            Score(
                "accuracy",
                "all",
                "strict",
                correct[first],
                tied[first],
                clusters=items["files"][first],
            )
        )
        if self.name == "vg_attribution":
            add(
                f"attribute pairs with {FEWEST} items or more",
                "paper",
                counts[groups] >= FEWEST,
                True,
            )
        else:
            add(
                "relations without symmetric and rare ones",
                "paper",
                ~np.isin(names, left_out()),
                True,
            )
            add("all relations", "labclip", everything, True)
        add("all", "mieb", everything, False)
        return found

    def _wrong(self, content: object) -> str | None:
        if not isinstance(content, list) or not content:
            return "expected a list of items"
        own = "relation_name" if self.name == "vg_relation" else "attributes"
        texts: dict[str, type] = {"image_path": str, "true_caption": str, "false_caption": str}
        for entry in content:
            kinds = texts | ({own: str} if own == "relation_name" else {own: list})
            if (wrong := lacks(entry, (*FIELDS, own), kinds)) is not None:
                return wrong
            numbers = [entry[name] for name in FIELDS if name.startswith("bbox")]
            if not all(
                isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= FARTHEST
                for n in numbers
            ):
                return (
                    f"the box of {entry['image_path']:.80} is not four numbers of pixels: "
                    f"{numbers!r:.120}"
                )
            if int(numbers[2]) < 1 or int(numbers[3]) < 1 or numbers[2] * numbers[3] > MOST_PIXELS:
                return (
                    f"the box of {entry['image_path']:.80} has {numbers[2]:g} x {numbers[3]:g} "
                    f"pixels; expected 1 to {MOST_PIXELS:,} pixels"
                )
        return None


def left_out() -> list[str]:
    """Relations that the paper's macro score does not count."""
    text = (
        resources.files("conceptbind.benchmarks")
        .joinpath("lists/vg_relations_left_out.txt")
        .read_text(encoding="utf-8")
    )
    return [line for line in text.splitlines() if line and not line.startswith("#")]
