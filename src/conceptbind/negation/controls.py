"""What is reached without attaching "no" to anything: bags, and the length of captions alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.negation.items import NegationBank, Twins
from conceptbind.negation.study import Rows
from conceptbind.within.usable import length_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.scenes.table import Scenes

ARTICLES = {"a", "an"}
"""Words that a bag leaves out: which of the two stands depends on the next word's sound."""


def bag_of_words(bank: NegationBank) -> Rows:
    """How often each word stands in a caption. "No" is a word, and belongs to nothing.

    Args:
        bank: the captions; descriptions are among them.
    """
    captions = word_rows(bank.captions.written_captions or ())
    return Rows(captions, captions[bank.described])


def word_rows(captions: Sequence[str]) -> Float[Floats, "captions words"]:
    """Unit rows of word counts, without articles.

    Args:
        captions: (n,) texts.
    """
    said = [re.findall(r"[^\W_]+", caption.lower()) for caption in captions]
    words = sorted({word for one in said for word in one} - ARTICLES)
    place = {word: number for number, word in enumerate(words)}
    counts = np.zeros((len(captions), len(words) + 1), dtype=np.float32)
    for row, one in enumerate(said):
        for word in one:
            counts[row, place.get(word, -1)] += word not in ARTICLES
    return _unit(counts)


def bag_of_concepts(bank: NegationBank, scenes: Scenes, twins: Twins) -> Rows:
    """How often each value is mentioned, and how often it is in the scene.

    Args:
        bank: the captions.
        scenes: the table.
        twins: the pairs.
    """
    from conceptbind.probes.study import bag_of_concepts as counted
    from conceptbind.scenes.table import Scenes as Table

    both = [_unit(counted(Table(scenes.space, one))) for one in (twins.first, twins.second)]
    return Rows(_unit(bank.meaning), np.stack(both, axis=1))


def blind(bank: NegationBank, *, described: bool) -> Rows:
    """Nothing but lengths. Of descriptions: the more alike in length, the nearer. Of pictures,
    which have none: the shorter caption is nearer, whatever is shown.

    Args:
        bank: the captions.
        described: whether the scenes are descriptions.
    """
    captions = length_rows(bank.captions.written_captions or ())
    if described:
        return Rows(captions, captions[bank.described])
    nothing = np.zeros((len(bank.described), 2, 2))
    nothing[:, :, 0] = 1.0
    return Rows(captions, nothing)


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1)
    return unit
