"""A finished run: its failures by concept, a scene with its nearest captions, the scaling figure,
and edits of any strength. All is read from what the run keeps.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.app import recipes
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.core.escape import plain_cell
from conceptbind.geometry.edits import Editor, all_edits
from conceptbind.querying.first import first_of
from conceptbind.report.items import ABOUT, ITEMS, NAMES
from conceptbind.report.page import PAGE, figure_of, thumbnail
from conceptbind.report.words import first, seen
from conceptbind.rows.embeddings import load
from conceptbind.rows.shards import MANIFEST
from conceptbind.scenes.swaps import orbit_ids, pair_ids

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats
    from conceptbind.geometry.edits import Edits
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.table import Scenes

LISTED = 12
"""Failures of one answer."""
NEAREST = 5
MOST_EDITED = 10_000
"""Scenes of a table whose edits are made."""
STRONGEST = 2.0
MODALITIES = ("image", "text")


@dataclass(frozen=True)
class Question:
    """One number of the run, and the scenes that it missed."""

    title: str
    n: int
    missed: Mapping[int, float]
    """Row of each missed scene, and what was right of it (0 to less than 1)."""
    tied: frozenset[int]

    @property
    def partly(self) -> bool:
        """Whether some are right in part, as with several wordings of one scene."""
        return any(right > 0 for right in self.missed.values())

    @property
    def wholly(self) -> int:
        """How many are wholly wrong."""
        return sum(right == 0 for right in self.missed.values())


@dataclass(frozen=True)
class Near:
    """A caption or a scene that is near."""

    caption: str
    score: float
    mark: str
    """`own` (the same objects), `swap` (the same values, bound otherwise) or `other`; of an edit
    also `target`, and `turned` where the target's objects stand in another order."""


@dataclass(frozen=True, eq=False)
class Explored:
    """A finished run."""

    folder: Path
    table: Scenes
    rows: Mapping[str, Embeddings]
    """Embeddings of the scenes, by modality."""
    questions: tuple[Question, ...]
    charts: Mapping[str, str]
    """The scaling figures as HTML, by modality."""
    adapter: Adapter | None = None
    adapter_name: str | None = None
    note: str = ""
    """Where its rows are of another encoder than that of the page, that they are."""
    image_of: Callable[[int], Path | None] = lambda _: None
    """Where the picture of a scene lies."""
    made: dict[str, Any] = field(default_factory=dict)
    """What was computed before."""

    def failures(self, question: int, values: Mapping[str, str], start: int) -> dict[str, Any]:
        """Missed scenes that hold some values.

        Args:
            question: number of the question.
            values: by concept; a scene is listed where one of its objects has all of them.
            start: of those, the first that is listed.

        Raises:
            ConceptBindError: there is no such question, concept or value.
        """
        if not 0 <= question < len(self.questions):
            raise ValueRangeError(f"the run has {len(self.questions)} questions; got {question}")
        if start < 0:
            raise ValueRangeError(f"the first one listed must be at least 0; got {start}")
        asked = self.questions[question]
        fits = np.ones(self.table.table.shape[:2], dtype=bool)
        for concept, value in values.items():
            k = self.table.space.index(concept)
            (wanted,) = self.table.space.encode(concept, [value])
            fits = np.logical_and(fits, self.table.table[:, :, k] == wanted)
        held = set(np.flatnonzero(fits.any(axis=1)).tolist())
        rows = [row for row in sorted(asked.missed, key=asked.missed.__getitem__) if row in held]
        listed = [
            {
                "row": row,
                "caption": self.table.caption(row),
                "right": asked.missed[row],
                "tie": row in asked.tied,
            }
            for row in rows[start : start + LISTED]
        ]
        told = {"title": asked.title, "n": asked.n, "partly": asked.partly}
        return {**told, "missed": len(rows), "listed": listed}

    def _require_row(self, row: int) -> None:
        if not 0 <= row < len(self.table):
            raise ValueRangeError(f"the run has {len(self.table):,} scenes; got row {row}")

    def item(self, row: int) -> dict[str, Any]:
        """A scene with its nearest captions, before and after the repair, and its edits.

        Args:
            row: of the table.

        Raises:
            ValueRangeError: there is no such scene.
        """
        self._require_row(row)
        place = self.image_of(row)
        columns = {name: self._nearest(row, bank) for name, bank in self._banks().items()}
        asks = "image" if "image" in self.rows else "text"
        adapter = self.adapter_name if "after" in columns else None
        python = recipes.of_item(self.folder, row, asks, adapter) if columns else ""
        picture = None if place is None else thumbnail(place)
        lost = f"The picture {place} is not there, or cannot be read." if place else ""
        return {
            "row": row,
            "id": self.table.ids[row],
            "caption": self.table.caption(row),
            "picture": picture,
            "lost": "" if picture else lost,
            "asks": asks,
            "nearest": columns,
            "edits": {name: self._edits_of(name, row) for name in self.rows},
            "python": python,
        }

    def _unit(self, modality: str) -> Floats:
        """(n, d) unit rows."""
        name = f"unit {modality}"
        if name not in self.made:
            self.made[name] = self.rows[modality].unit().values.astype(np.float64)
        unit: Floats = self.made[name]
        return unit

    def _banks(self) -> dict[str, Floats]:
        """Rows of captions that are searched, before and after the repair; where there are pictures
        these ask, else captions do.
        """
        if "text" not in self.rows:
            return {}
        banks = {"before": self._unit("text")}
        if self.adapter is not None and "image" in self.rows:
            if "mapped" not in self.made:
                mapped = self.adapter(np.asarray(self.rows["text"].values))
                self.made["mapped"] = mapped.astype(np.float64)
            banks["after"] = self.made["mapped"]
        return banks

    def _nearest(self, row: int, bank: Floats) -> list[Near]:
        asks = "image" if "image" in self.rows else "text"
        scores = bank @ self._unit(asks)[row]
        if asks == "text":
            scores[row] = -np.inf  # a caption does not find itself
        near = first_of(scores, NEAREST + (asks == "text")).tolist()
        return [self._near(one, row, scores) for one in near if np.isfinite(scores[one])][:NEAREST]

    def _near(self, one: int, row: int, scores: Floats) -> Near:
        return Near(self.table.caption(one), float(scores[one]), self._mark(one, row))

    def _mark(self, one: int, row: int) -> str:
        if "pairs" not in self.made:
            self.made["pairs"], self.made["orbits"] = pair_ids(self.table), orbit_ids(self.table)
        pairs, orbits = self.made["pairs"], self.made["orbits"]
        if pairs[one] == pairs[row]:
            return "own"
        return "swap" if orbits[one] == orbits[row] else "other"

    def _edits_of(self, modality: str, row: int) -> list[str]:
        """What each edit of a scene does, in words."""
        edits = self._edits(modality, row)
        if edits is None:
            return []
        space, told = self.table.space, []
        for slot, target in zip(edits.slot.tolist(), edits.target.tolist(), strict=True):
            old, new = (self.table.objects[scene, slot] for scene in (row, target))
            told.append(f"{space.object_name(old)} becomes {space.object_name(new)}")
        return told

    def _edits(self, modality: str, row: int) -> Edits | None:
        """Every edit of a scene; None where the table is too large."""
        if len(self.table) > MOST_EDITED or self.table.n_slots < 2:
            return None
        if "edits" not in self.made:
            self.made["edits"] = all_edits(self.table)
        edits: Edits = self.made["edits"]
        of = edits.select(np.flatnonzero(edits.source == row))
        return of.select(np.flatnonzero(self._editor(modality).possible(of)))

    def _editor(self, modality: str) -> Editor:
        name = f"editor {modality}"
        if name not in self.made:
            self.made[name] = Editor.fit(self._unit(modality), self.table, "avg+pos")
        editor: Editor = self.made[name]
        return editor

    def edited(self, modality: str, row: int, edit: int, strength: float) -> dict[str, Any]:
        """The scenes that are nearest to an edited embedding.

        Args:
            modality: of the embedding.
            row: the scene that is edited.
            edit: number of the edit, as `item` lists them.
            strength: how much of the vector is exchanged, 0 to 2.

        Raises:
            ValueRangeError: there is no such scene, edit or strength.
        """
        self._require_row(row)
        if modality not in self.rows:
            raise ValueRangeError(f"the run holds no {modality[:20]} embeddings")
        if not 0 <= strength <= STRONGEST:
            raise ValueRangeError(f"the strength must lie between 0 and {STRONGEST:g}")
        edits = self._edits(modality, row)
        if edits is None or not 0 <= edit < len(edits):
            raise ValueRangeError(f"there is no edit {edit} of this scene")
        one = edits.select(np.array([edit]))
        made = self._editor(modality).edited(one, strength)[0]
        scores = self._unit(modality) @ (made / np.linalg.norm(made))
        target = int(one.target[0])
        near = [
            Near(self.table.caption(scene), float(scores[scene]), self._reached(scene, row, target))
            for scene in first_of(scores, NEAREST).tolist()
        ]
        python = recipes.of_edit(self.folder, modality, row, target, int(one.slot[0]), strength)
        return {"target": self.table.caption(target), "near": near, "python": python}

    def _reached(self, scene: int, row: int, target: int) -> str:
        if scene == target:
            return "target"
        if self._mark(scene, target) == "own":
            return "turned"
        return "own" if self._mark(scene, row) == "own" else "other"


@explains_arguments
def explored(folder: Path, table: Scenes) -> Explored:
    """A finished run of `measure`.

    Args:
        folder: of the run.
        table: its scenes, with their pictures where it has any.

    Raises:
        FileError: the run keeps no embeddings of scenes.
        MismatchError: they are of other scenes.
    """
    places = {name: folder / "embeddings" / name for name in MODALITIES}
    rows = {name: load(place) for name, place in places.items() if (place / MANIFEST).is_file()}
    if not rows:
        raise FileError(
            f"{folder} keeps no embeddings of scenes; give a run folder of conceptbind measure"
        )
    for embeddings in rows.values():
        embeddings.check(table)

    def image_of(row: int) -> Path | None:
        if table.images is None:
            return None
        return (table.image_folder or Path()) / table.images[row]

    return Explored(
        folder,
        table,
        rows,
        tuple(_questions(folder / ITEMS, table)),
        _charts(folder / PAGE),
        image_of=image_of,
    )


def _questions(path: Path, table: Scenes) -> list[Question]:
    """Every number of `items.csv` with the scenes that it missed."""
    if not path.is_file():
        return []
    rows = {scene: row for row, scene in enumerate(table.ids)}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for cells in csv.DictReader(file):
                about = tuple(cells[name] for name in ABOUT)
                one = found.setdefault(about, {"n": 0, "missed": {}, "tied": set()})
                right, row = _share(cells["right"]), rows[plain_cell(cells["scene"])]
                one["n"] += 1
                if right < 1:
                    one["missed"][row] = min(right, one["missed"].get(row, 1.0))
                if cells["tied"] not in ("0", "False", ""):
                    one["tied"].add(row)
    except (KeyError, ValueError, TypeError, UnicodeDecodeError, csv.Error) as error:
        raise MismatchError(
            f"{path} does not belong to the scenes of its run ({error!s:.80}); run measure again"
        ) from error
    titles = [_title(dict(zip(ABOUT, about, strict=True))) for about in found]
    return [
        Question(title, one["n"], one["missed"], frozenset(one["tied"]))
        for title, one in zip(titles, found.values(), strict=True)
    ]


def _share(cell: str) -> float:
    """What was right of a scene.

    Raises:
        ValueError: it does not lie between 0 and 1.
    """
    share = float(cell)
    if not 0 <= share <= 1:  # also where it is nan
        raise ValueError(f"right is {cell:.20}")
    return share


def _title(about: Mapping[str, str]) -> str:
    what = NAMES.get(about["metric"], about["metric"].replace("_", " "))
    where = "" if about["modality"] == "both" else seen(about["modality"])
    told = [part for part in (where, about["order"], about["setting"], about["concept"]) if part]
    return first(f"{what} ({', '.join(told)})" if told else what)


def _charts(path: Path) -> dict[str, str]:
    """The scaling figures of a run's page."""
    from conceptbind.core.files import read_checked_json

    if not path.is_file():
        return {}
    kept = read_checked_json(path, "run measure again")
    found = {}
    try:
        for section in kept["parts"]["sections"]:
            data = section["data"]
            scaling = data.get("scaling")
            if isinstance(scaling, dict) and set(scaling) == {"chart"}:
                found[str(data["modality"])] = str(figure_of(scaling["chart"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise FileError(
            f"{path} is not of the form that this version reads ({error!s:.80}); run measure again"
        ) from error
    return found
