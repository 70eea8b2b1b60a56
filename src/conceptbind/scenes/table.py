"""`Scenes`: the one table that every study reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from conceptbind.core.errors import ShapeError, ValueRangeError, counted, cut, cut_left
from conceptbind.core.escape import html_table, html_text
from conceptbind.core.files import content_hash
from conceptbind.core.text import require_characters
from conceptbind.scenes.captions import DEFAULT_TEMPLATE, caption
from conceptbind.scenes.space import ConceptSpace

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from conceptbind.core.typing import Bools, Ints
    from conceptbind.scenes.readers.arrays import StoredPictures

Entry = TypeVar("Entry")


FIRST = 5
"""Scenes that a notebook shows of a table."""


@dataclass(frozen=True, eq=False, repr=False)
class Scenes:
    """n scenes of m objects each, as integers. The order of the slots matters: it is left / right,
    or first / second named.

    Raises:
        ShapeError: the table is not (n, m, C), or ids, captions or images are not one per scene.
        ValueRangeError: the table is empty, a value id is out of range, or an id appears twice.
    """

    space: ConceptSpace
    table: Int[Ints, "scenes slots concepts"]
    """(n, m, C) value ids. Read-only."""
    ids: Sequence[str] = ()
    """(n,) unique names of the scenes; "0", "1", ... when left out."""
    name: str = "scenes"
    """Short name that appears in results."""
    template: str = DEFAULT_TEMPLATE
    """How an object is named in a caption; see `captions`."""
    written_captions: Sequence[str] | None = None
    """(n,) captions that came with the table, used instead of the template."""
    images: Sequence[str] | None = None
    """(n,) file names of the pictures, where the scenes have any."""
    image_folder: Path | None = None
    """Where the pictures lie; not part of the content hash, so that a data set may move."""
    image_places: Sequence[Path] = ()
    """Every folder where a reader looked for the pictures; named where they are missing. Not part
    of the content hash."""
    boxes: Sequence[tuple[int, int, int, int]] | None = None
    """(n,) left, top, width and height of what is seen of each picture, in pixels; the whole
    picture where there are none."""
    drawing: str | None = None
    """`flat` or `solid` where pictures can be drawn from the table; see `conceptbind.pictures`."""
    stored: StoredPictures | None = None
    """The pictures of all scenes where they lie as one array in a file; `render` writes them as
    pictures. Not part of the content hash, and lost by `select`."""

    def __post_init__(self) -> None:
        table = np.asarray(self.table)
        if table.size and not np.issubdtype(table.dtype, np.integer):
            raise ValueRangeError(f"the scene table must hold integer value ids; got {table.dtype}")
        table = np.array(table, dtype=np.int64)
        n_concepts = len(self.space.concepts)
        if table.ndim != 3 or table.shape[2] != n_concepts:
            raise ShapeError(
                f"the scene table must be (scenes, slots, {counted(n_concepts, 'concept')}); "
                "got shape "
                f"{table.shape}"
            )
        if table.shape[0] == 0 or table.shape[1] == 0:
            raise ValueRangeError(
                f"the scene table is empty: shape {table.shape}; give at least one scene with one "
                "object"
            )
        wrong = np.argwhere((table < 0) | (table >= np.array(self.space.sizes)))
        if len(wrong):
            row, slot, k = wrong[0]
            raise ValueRangeError(
                f"scene index {row}, slot index {slot}: value id {table[row, slot, k]} of concept "
                f"'{self.space.concepts[k]}' "
                f"is outside 0..{self.space.sizes[k] - 1}"
            )
        table.setflags(write=False)
        object.__setattr__(self, "table", table)
        named = len(self.ids) > 0
        ids = tuple(map(str, self.ids)) if named else tuple(map(str, range(len(table))))
        object.__setattr__(self, "ids", ids)
        for what, column in (
            ("ids", ids),
            ("captions", self.written_captions),
            ("images", self.images),
            ("boxes", self.boxes),
        ):
            if column is not None and len(column) != len(table):
                raise ShapeError(
                    f"one entry per scene: {counted(len(table), 'scene')} but {len(column)} {what}"
                )
        if named and len(set(ids)) != len(ids):
            name, times = Counter(ids).most_common(1)[0]
            raise ValueRangeError(
                f"duplicate scene id '{name}' ({times} times); every scene needs an id of its own"
            )
        for what, texts in (
            ("the id of scene", ids if named else ()),
            ("the caption of scene", self.written_captions or ()),
            ("the picture's name of scene", self.images or ()),
            ("the template, number", (self.template,)),
        ):
            require_characters([text for text in texts if isinstance(text, str)], what)

    def __repr__(self) -> str:
        named = zip(self.space.concepts, self.space.sizes, strict=True)
        sizes = ", ".join(f"{size} {concept}" for concept, size in named)
        n, slots, _ = self.table.shape
        of = f"{n:,} of {counted(slots, 'object')} each"
        return f"<Scenes '{cut_left(self.name, 24)}': {of}; values: {cut(sizes, 30)}>"

    def _repr_html_(self) -> str:
        """How many scenes there are, and the values of the first; in notebooks."""
        concepts = self.space.concepts
        named = zip(self.space.sizes, concepts, strict=True)
        values = ", ".join(f"{counted(size, 'value')} of {concept}" for size, concept in named)
        objects = counted(self.n_slots, "object")
        said = f"{self.name}: {counted(len(self), 'scene')} of {objects}; {values}"
        head = ["scene", *(f"{c} {slot + 1}" for slot in range(self.n_slots) for c in concepts)]
        rows = [[self.ids[row], *self._names(row)] for row in range(min(FIRST, len(self)))]
        more = f"<p>The first {FIRST} are shown.</p>" if len(self) > FIRST else ""
        return f"<p>{html_text(said)}</p>{html_table([*head, 'caption'], rows)}{more}"

    def _names(self, row: int) -> list[str]:
        """The values of a scene by slot and concept, and its caption."""
        named = [
            self.space.values[k][value]
            for values in self.table[row].tolist()
            for k, value in enumerate(values)
        ]
        return [*named, self.caption(row)]

    @classmethod
    def unlabelled(
        cls,
        name: str,
        *,
        captions: Sequence[str] | None = None,
        images: Sequence[str] | None = None,
        image_folder: Path | None = None,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
    ) -> Scenes:
        """Captions or pictures of which no objects are known, in the form that `embeddings.embed`
        reads.
        """
        n = len(captions if captions is not None else images or ())
        written = captions if captions is not None else [""] * n
        table = np.zeros((n, 1, 1), dtype=np.int64)
        space = ConceptSpace(("item",), (("item",),))
        return cls(
            space,
            table,
            name=name,
            written_captions=written,
            images=images,
            image_folder=image_folder,
            boxes=boxes,
        )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_slots(self) -> int:
        """m, the objects per scene."""
        return int(self.table.shape[1])

    @cached_property
    def objects(self) -> Int[Ints, "scenes slots"]:
        """(n, m) object ids in 0..|O|-1."""
        return self.space.object_ids(self.table)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of everything that decides what is embedded: names, table, ids, captions, picture
        names.
        """
        said: tuple[str, ...] = ("template", self.template)
        if self.written_captions is not None:
            said = tuple(self.written_captions)
        parts: list[bytes | str] = [
            repr((self.space.concepts, self.space.values)),
            self.table.astype("<i8").tobytes(),
            repr(self.table.shape),
            repr(tuple(self.ids)),
            repr(said),
            repr(None if self.images is None else tuple(self.images)),
        ]
        if self.drawing is not None:
            parts.append(self.drawing)
        if self.boxes is not None:
            parts.append(repr(("boxes", tuple(map(tuple, self.boxes)))))
        return content_hash(*parts)

    def caption(self, row: int) -> str:
        """The caption of one scene."""
        if self.written_captions is not None:
            return self.written_captions[row]
        return caption(self.space, self.table[row], self.template)

    def values_in(self, row: int) -> dict[str, list[str]]:
        """The values of a scene, by concept, each once."""
        found = {}
        for k, concept in enumerate(self.space.concepts):
            values = dict.fromkeys(self.table[row, :, k].tolist())
            found[concept] = [self.space.values[k][value] for value in values]
        return found

    def shown_in(self, row: int) -> dict[str, list[str]]:
        """The values of a scene by concept, and its objects by name, each once."""
        if len(self.space.concepts) < 2:
            return self.values_in(row)
        objects = map(self.space.object_name, self.objects[row].tolist())
        return {**self.values_in(row), "object": list(dict.fromkeys(objects))}

    def captions(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Captions of a range of scenes, made one by one."""
        return (self.caption(row) for row in range(start, len(self) if stop is None else stop))

    def presence(
        self, concept: int | None = None, rows: Int[Ints, " rows"] | slice = slice(None)
    ) -> Bool[Bools, "rows candidates"]:
        """Which values of a concept, or which objects (None), a scene holds: (n, V) or (n, |O|)
        booleans.
        """
        held = self.objects[rows] if concept is None else self.table[rows, :, concept]
        width = self.space.n_objects if concept is None else self.space.sizes[concept]
        present = np.zeros((len(held), width), dtype=bool)
        np.put_along_axis(present, held, True, axis=1)
        return present

    def select(
        self, rows: Int[Ints, " rows"] | Bool[Bools, " scenes"], name: str | None = None
    ) -> Scenes:
        """The scenes of some rows, given by number or as a mask, with their ids, captions and
        pictures.
        """
        given = np.asarray(rows)
        chosen = np.flatnonzero(given) if given.dtype == bool else given.astype(np.int64)
        pick = chosen.tolist()
        return Scenes(
            self.space,
            self.table[chosen],
            tuple(self.ids[row] for row in pick),
            name or self.name,
            self.template,
            _picked(self.written_captions, pick),
            _picked(self.images, pick),
            self.image_folder,
            self.image_places,
            _picked(self.boxes, pick),
            self.drawing,
        )


def _picked(column: Sequence[Entry] | None, rows: Sequence[int]) -> tuple[Entry, ...] | None:
    """The entries of some scenes, where the table has such a column."""
    return None if column is None else tuple(column[row] for row in rows)
