"""What an encoder is fine-tuned on, what chooses the epoch, and what is scored: three parts that
share no picture and no caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.files import file_hash
from conceptbind.crossmodal.bank import caption_bank
from conceptbind.repairs.labclip.estimator import divided, linked
from conceptbind.scenes.split import split_scenes
from conceptbind.scenes.swaps import orbit_ids, pair_ids

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.scenes.table import Scenes

SHARES = (0.7, 0.1, 0.2)
"""Shares to train on, to choose the epoch with, and to score."""


@dataclass(frozen=True, eq=False)
class Examples:
    """n captions with their picture and a hard negative, and s comparisons to score."""

    name: str
    """Name of the scenes, or of the file of captions."""
    pictures: Sequence[Path]
    """(p,) files; none before they are drawn."""
    texts: Sequence[str]
    """(b,) all captions and negatives."""
    meaning: Int[Ints, " texts"]
    """(b,) equal numbers for texts that mean the same."""
    image_of: Int[Ints, " captions"]
    """(n,) picture of each caption."""
    true: Int[Ints, " captions"]
    """(n,) its text."""
    false: Int[Ints, " captions"]
    """(n,) the text of its negative."""
    train: Int[Ints, " train"]
    """Captions, of the n."""
    validation: Int[Ints, " validation"]
    scored: Int[Ints, " scored"]
    """(s,) pictures that are scored."""
    right: Int[Ints, "scored 2"]
    """(s, 2) texts of the true caption, in two orders of mention where it has two."""
    wrong: Int[Ints, "scored 2"]
    """(s, 2) texts of the false one."""
    groups: Int[Ints, " scored"]
    """(s,) what is one draw."""
    unseen: str
    """What is scored, in words."""

    def captioned(self) -> dict[str, Any]:
        """The captions with pictures and negatives, as `Captioned.of` takes them."""
        return {
            "pictures": self.pictures,
            "captions": [self.texts[i] for i in self.true],
            "negatives": [self.texts[i] for i in self.false],
            "image_of": self.image_of,
            "text_ids": self.meaning[self.true],
            "negative_ids": self.meaning[self.false],
        }

    def arguments(self) -> dict[str, Any]:
        """The examples as `finetune` takes them."""
        return {**self.captioned(), "train": self.train, "validation": self.validation}


def of_scenes(scenes: Scenes, seed: int = 0) -> Examples:
    """The captions of a table, in both orders of mention, and the captions with attributes
    exchanged; its pictures are still to be put in. Parts are drawn by orbit: a combination and all
    its swaps stay in one.

    Args:
        scenes: the table.
        seed: of the parts.

    Raises:
        ValueRangeError: the table has captions of its own, or too few swaps for three parts.
    """
    bank = caption_bank(scenes, seed)
    split = split_scenes(scenes, "orbit", fractions=SHARES, seed=seed)
    of = np.repeat(bank.swap_of, 2)
    held = np.flatnonzero(np.isin(bank.swap_of, split.test))
    train, validation = (
        np.flatnonzero(np.isin(of, part)) for part in (split.train, split.validation)
    )
    if min(len(train), len(validation), len(held)) < 2:
        raise ValueRangeError(
            f"the scenes '{scenes.name}' offer too few attribute swaps to train on, to choose "
            "on and to score; use scenes with two objects or more that differ in "
            "both concepts"
        )
    return Examples(
        scenes.name,
        (),
        [bank.scenes.caption(row) for row in range(len(bank.scenes))],
        pair_ids(bank.scenes),
        of,
        bank.true[bank.swap_of].reshape(-1),
        bank.swaps.reshape(-1),
        train,
        validation,
        bank.swap_of[held],
        bank.true[bank.swap_of[held]],
        bank.swaps[held],
        orbit_ids(scenes)[bank.swap_of[held]],
        "combinations",
    )


def of_pictures(
    name: str,
    pictures: Sequence[Path],
    image_of: Int[Ints, " captions"],
    captions: Sequence[str],
    negatives: Sequence[str],
    seed: int = 0,
) -> Examples:
    """Pictures with captions and negatives of one's own. Captions of one picture, and what shares a
    caption or a negative, stay in one part.

    Args:
        name: what they are called in results.
        pictures: (p,) files.
        image_of: (n,) picture of each caption.
        captions: (n,) texts.
        negatives: (n,) texts that are false of the picture.
        seed: of the parts.

    Raises:
        ValueRangeError: too few that can be parted.
        FileError: a picture is missing.
    """
    n = len(captions)
    texts = [*captions, *negatives]
    meaning = np.unique(texts, return_inverse=True)[1].reshape(-1)
    content = np.unique([file_hash(path) for path in pictures], return_inverse=True)[1]
    groups = linked(content.reshape(-1)[image_of], meaning[:n], meaning[n:])
    train, chooses, scores = SHARES
    rest, held = divided(groups, scores, seed)
    fit, choose = divided(groups[rest], chooses / (train + chooses), seed)
    both = np.stack([held, held], 1)
    return Examples(
        name,
        pictures,
        texts,
        meaning,
        image_of,
        np.arange(n),
        np.arange(n, 2 * n),
        rest[fit],
        rest[choose],
        image_of[held],
        both,
        both + n,
        groups[held],
        "pictures",
    )
