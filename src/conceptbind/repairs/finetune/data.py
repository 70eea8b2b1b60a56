"""Pictures, their captions and the captions' hard negatives, before any encoder has seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError, counted
from conceptbind.core.files import content_hash, file_hash
from conceptbind.pictures.files import as_seen, read_picture, require_pictures

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from PIL.Image import Image

    from conceptbind.core.typing import Bools, Ints


@dataclass(frozen=True, eq=False)
class Captioned:
    """n captions, the picture of each, and a hard negative of each."""

    pictures: Sequence[Path | str | Image]
    """(p,) files or open pictures."""
    captions: Sequence[str]
    """(n,)"""
    negatives: Sequence[str]
    """(n,)"""
    image_of: Int[Ints, " captions"]
    """(n,) which picture each caption belongs to."""
    picture_ids: Int[Ints, " pictures"]
    """(p,) equal numbers for equal pictures."""
    text_ids: Int[Ints, " captions"]
    """(n,) equal numbers for captions that mean the same."""
    negative_ids: Int[Ints, " negatives"]
    """(n,) what each negative says, in the same numbers."""
    hash: str
    """Hash of all this."""

    @classmethod
    def of(
        cls,
        pictures: Sequence[Path | str | Image],
        captions: Sequence[str],
        negatives: Sequence[str],
        *,
        image_of: Sequence[int] | Int[Ints, " captions"] | None = None,
        text_ids: Int[Ints, " captions"] | None = None,
        negative_ids: Int[Ints, " captions"] | None = None,
    ) -> Captioned:
        """Check that the parts fit, and find what is equal in them.

        Args:
            pictures: (p,) files or open pictures.
            captions: (n,) texts.
            negatives: (n,) each caption with its attributes swapped, or another text that is false
                of the picture.
            image_of: (n,) which picture each caption belongs to; by default caption i to picture i.
            text_ids: (n,) equal numbers for captions that mean the same (two orders of mention,
                say); by default equal texts.
            negative_ids: (n,) the same for negatives; given where text_ids is.

        Raises:
            ShapeError: lengths that do not fit; all are named.
            ValueRangeError: a negative that says what its caption says.
            FileError: a picture is missing.
        """
        n = len(captions)
        if len(negatives) != n or (image_of is None and len(pictures) != n):
            raise ShapeError(
                f"every caption needs one negative and one picture: {counted(n, 'caption')}, "
                f"{counted(len(negatives), 'negative')}, {counted(len(pictures), 'picture')}; "
                "give image_of where a picture has several captions"
            )
        of = np.arange(n) if image_of is None else np.asarray(image_of)
        if of.shape != (n,) or (n and not (of.min() >= 0 and of.max() < len(pictures))):
            raise ShapeError(
                f"image_of must give one picture (0 to {len(pictures) - 1}) for each of {n:,} "
                "captions"
            )
        if (text_ids is None) != (negative_ids is None):
            raise ShapeError(
                "text_ids and negative_ids number what captions and negatives say; give both or "
                "neither"
            )
        if text_ids is None or negative_ids is None:
            numbers = np.unique([*captions, *negatives], return_inverse=True)[1].reshape(-1)
            text_ids, negative_ids = numbers[:n], numbers[n:]
        text_ids, negative_ids = np.asarray(text_ids), np.asarray(negative_ids)
        if not text_ids.shape == negative_ids.shape == (n,):
            raise ShapeError(
                f"text_ids and negative_ids must number each of {n:,} captions; got "
                f"{text_ids.shape}, {negative_ids.shape}"
            )
        equal = np.flatnonzero(text_ids == negative_ids)
        if len(equal):
            raise ValueRangeError(
                f"{len(equal):,} of {n:,} negatives equal their caption, the first at "
                "index "
                f"{equal[0]}; leave those rows out"
            )
        require_pictures([Path(picture) for picture in pictures if isinstance(picture, Path | str)])
        hashes = [_picture_hash(picture) for picture in pictures]
        data_hash = content_hash(
            *hashes,
            *captions,
            *negatives,
            *(ids.astype(np.int64).tobytes() for ids in (of, text_ids, negative_ids)),
        )
        picture_ids = np.unique(hashes, return_inverse=True)[1].reshape(-1)
        return cls(
            pictures, captions, negatives, of, picture_ids, text_ids, negative_ids, data_hash
        )

    def __len__(self) -> int:
        return len(self.captions)

    def open(self, picture: int) -> Image:
        """One picture as RGB, as `pictures.as_seen` makes it."""
        found = self.pictures[picture]
        return (
            read_picture(Path(found))
            if isinstance(found, Path | str)
            else as_seen(found, f"picture {picture}")
        )

    def same(self, rows: Int[Ints, " rows"]) -> Bool[Bools, "rows columns"]:
        """(B, 2 B) what is not a comparison within a batch: an equal caption, another caption of
        the same picture, a negative that is true.
        """
        texts, pictures = self.text_ids[rows], self.picture_ids[self.image_of[rows]]
        captions = (texts[:, None] == texts) | (pictures[:, None] == pictures)
        np.fill_diagonal(captions, False)
        return np.concatenate([captions, texts[:, None] == self.negative_ids[rows]], axis=1)

    def require_apart(
        self, train: Int[Ints, " train"], validation: Int[Ints, " validation"]
    ) -> None:
        """Raise unless both parts are large enough, hold known rows, and share no picture: what was
        fitted on cannot choose.

        Raises:
            ValueRangeError: rows that are not there, or fewer than two of them.
            MismatchError: a picture on both sides.
        """
        for name, rows in (("train", train), ("validation", validation)):
            if len(rows) < 2:
                raise ValueRangeError(
                    "fine-tuning needs at least two captions to fit on and two to choose on; "
                    f"{name} has {len(rows)}"
                )
            if rows.min() < 0 or rows.max() >= len(self):
                raise ValueRangeError(
                    f"the {name} rows must lie in 0..{len(self) - 1}; got {rows.min()} to "
                    f"{rows.max()}"
                )
        one, two = (self.picture_ids[self.image_of[rows]] for rows in (train, validation))
        shared = np.intersect1d(one, two)
        if len(shared):
            raise MismatchError(
                f"{len(shared):,} picture(s) belong to captions of train and of validation, the "
                f"first at index {int(np.flatnonzero(self.picture_ids == shared[0])[0])}; keep "
                "the captions of a picture on one side"
            )


def _picture_hash(picture: Path | str | Image) -> str:
    if isinstance(picture, Path | str):
        return file_hash(Path(picture))
    return content_hash(repr((picture.mode, picture.size)), picture.tobytes())
