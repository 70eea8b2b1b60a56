"""ARO's COCO-Order and Flickr-Order (arXiv 2210.01936): a caption among four others of its words in
other orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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
    caption_choice,
    kept_rows,
)
from conceptbind.benchmarks.karpathy import Karpathy
from conceptbind.core.errors import MismatchError, counted, quoted
from conceptbind.core.files import content_hash, read_checked_json, read_json, write_checked_json
from conceptbind.repairs.negatives.taggers import Token, load_tagger

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

MOST_WORDS = 30
PROTOCOL = "aro-like"
"""ARO's question with negatives that are drawn by other rules; see `Order`."""
TRIES = 100
"""Draws after which a perturbation that changes nothing is given up."""
_WORD = re.compile(r"\w[\w'’-]*")


class Order:
    """Four perturbations of each caption; the caption must score strictly above all of them.

    The protocol is called `aro-like`, since its negatives are not those of the published code.
    Captions are cut to 30 words, in lower case and without marks, and then perturbed, so that all
    five hold the same words. The published code perturbs first and cuts then. A perturbation that
    changes nothing is drawn again. Where none can change the caption it is left out of the five,
    where it would be a tie for every encoder. The published code keeps it. A tie is a miss; the
    published code takes the first of equals, which is the caption. Parts of speech come from the
    tagger that is there, in the published code from spaCy.

    Negatives depend on the caption, the seed and the tagger alone. They are written down once, and
    read from `NAME_negatives.json` in the data folder where that is there.

    Args:
        karpathy: the retrieval benchmark whose files and pictures are used.
        name: `coco_order` or `flickr_order`.
        title: in words.
    """

    def __init__(self, karpathy: Karpathy, name: str, title: str) -> None:
        self.karpathy, self.name, self.title = karpathy, name, title
        self.published, self.licence = karpathy.published, karpathy.licence

    def layout(self, folder: Path) -> list[Found]:
        """Those of the retrieval benchmark."""
        return self.karpathy.layout(folder)

    def read(self, folder: Path, making: Making) -> Data:
        """One item a caption."""
        _, content, place = self.karpathy.rows(folder)
        pictures, captions = Distinct(), Distinct()
        pairs = [
            (pictures(entry["image"]), plain(text))
            for entry in content
            for text in entry["caption"]
        ]
        drawn = self._negatives([caption for _, caption in pairs], folder, making)
        rows, changed, unchanged = [], [], 0
        for picture, caption in pairs:
            negatives = drawn["negatives"][caption]
            there = [text for text in negatives if text is not None]
            if not there:
                unchanged += 1
                continue
            # Where a perturbation is missing stands another one of the same caption, which decides
            # nothing more.
            rows.append(
                (picture, captions(caption), *(captions(text or there[0]) for text in negatives))
            )
            changed.append([text is not None for text in negatives])
        notes = (
            (f"left out: {counted(unchanged, 'caption')} that no perturbation changes.",)
            if unchanged
            else ()
        )
        items = {
            "rows": np.array(rows, dtype=np.int64).reshape(-1, 2 + len(PERTURBATIONS)),
            "changed": np.array(changed),
        }
        facts = {
            "seed": drawn["seed"],
            "tagger": drawn["tagger"],
            "negatives": content_hash(repr(sorted(drawn["negatives"].items()))),
        }
        return Data(pictures.all(), place, captions.all(), items, notes, facts=facts)

    def captions_before(self, folder: Path, making: Making) -> list[str]:
        """The captions whose words will be reordered; the tagger is loaded if it will be needed.

        Raises:
            MissingExtraError, FileError: there is no tagger.
        """
        _, content, _ = self.karpathy.rows(folder)
        if not any(
            (place / f"{self.name}_negatives.json").is_file() for place in (folder, making.folder)
        ):
            load_tagger(making.tagger)
        return [plain(text) for entry in content for text in entry["caption"]]

    keep = staticmethod(kept_rows)

    def score(
        self,
        items: Items,
        pictures: Float[Floats, "pictures width"],
        captions: Float[Floats, "captions width"],
    ) -> list[Score]:
        """The caption against all perturbations (chance 0.2), and against each (chance 0.5)."""
        rows, changed = items["rows"], items["changed"]
        whole = caption_choice(rows, pictures, captions)
        found = [Score("accuracy", "all", PROTOCOL, *whole, clusters=rows[:, 0])]
        for column, name in enumerate(PERTURBATIONS):
            mine = changed[:, column]
            if mine.any():
                outcome = caption_choice(rows[mine][:, [0, 1, 2 + column]], pictures, captions)
                found.append(Score("accuracy", name, PROTOCOL, *outcome, clusters=rows[mine, 0]))
        return found

    def _negatives(self, captions: Sequence[str], folder: Path, making: Making) -> dict[str, Any]:
        """Those that are written down, or new ones, which are."""
        file, distinct = f"{self.name}_negatives.json", list(dict.fromkeys(captions))
        # theirs, and ours
        for path, read in (
            (folder / file, read_json),
            (making.folder / file, read_checked_json),
        ):
            if path.is_file():
                found = read(path, "delete it; it will be drawn again")
                _require_negatives(found, distinct, path)
                return dict(found)
        tagger = load_tagger(making.tagger)
        negatives = {}
        for caption, tokens in zip(distinct, tagger.tag(distinct), strict=True):
            negatives[caption] = perturbed(caption, tokens, making.seed)
            making.on_item(1)
        made = {
            "format": 1,
            "seed": making.seed,
            "tagger": f"{tagger.name} ({tagger.version})",
            "negatives": negatives,
        }
        write_checked_json(making.folder / file, made)
        return made


def plain(caption: str) -> str:
    """At most 30 words in lower case, without marks."""
    return " ".join(_WORD.findall(caption.lower())[:MOST_WORDS])


def perturbed(caption: str, tokens: Sequence[Token], seed: int) -> list[str | None]:
    """A caption's words in four other orders, those of `PERTURBATIONS`; None where no order of the
    kind changes it.

    Args:
        caption: words with one space between them.
        tokens: its tokens with their parts of speech.
        seed: of the draws.
    """
    words = caption.split(" ")
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])[:-1]
    parts = {
        int(np.searchsorted(starts, token.start, side="right")) - 1: token.part
        for token in reversed(tokens)
    }
    kinds = [parts.get(place, "other") for place in range(len(words))]
    rng = np.random.default_rng([seed, int(content_hash(caption)[:16], 16)])
    return [
        _drawn(words, partial(shuffle, words, kinds, rng)) for shuffle in PERTURBATIONS.values()
    ]


Shuffle = Callable[[Sequence[str], Sequence[str], np.random.Generator], "list[str]"]


def _nouns_and_adjectives(
    words: Sequence[str], kinds: Sequence[str], rng: np.random.Generator
) -> list[str]:
    found = list(words)
    for kind in ("noun", "adjective"):
        _move(found, [place for place, other in enumerate(kinds) if other == kind], rng)
    return found


def _all_but_nouns_and_adjectives(
    words: Sequence[str], kinds: Sequence[str], rng: np.random.Generator
) -> list[str]:
    found = list(words)
    _move(found, [place for place, kind in enumerate(kinds) if kind == "other"], rng)
    return found


def _within_trigrams(words: Sequence[str], _: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [word for group in _trigrams(words) for word in rng.permutation(group).tolist()]


def _trigrams_moved(words: Sequence[str], _: Sequence[str], rng: np.random.Generator) -> list[str]:
    groups = _trigrams(words)
    return [word for place in rng.permutation(len(groups)) for word in groups[place]]


PERTURBATIONS: Mapping[str, Shuffle] = {
    "nouns and adjectives": _nouns_and_adjectives,
    "all but nouns and adjectives": _all_but_nouns_and_adjectives,
    "within trigrams": _within_trigrams,
    "trigrams": _trigrams_moved,
}
"""What changes places: nouns with nouns and adjectives with adjectives; all other words; words
within groups of three; such groups."""


def _trigrams(words: Sequence[str]) -> list[list[str]]:
    return [list(words[start : start + 3]) for start in range(0, len(words), 3)]


def _move(words: list[str], places: Sequence[int], rng: np.random.Generator) -> None:
    """Let the words at some places change places."""
    moved = [words[places[i]] for i in rng.permutation(len(places))]
    for place, word in zip(places, moved, strict=True):
        words[place] = word


def _drawn(words: Sequence[str], draw: Callable[[], list[str]]) -> str | None:
    """The first draw that changes the caption."""
    for _ in range(TRIES):
        found = draw()
        if found != list(words):
            return " ".join(found)
    return None


def _require_negatives(found: Any, captions: Sequence[str], path: Path) -> None:
    """Raise MismatchError unless a file holds four texts or nulls for every caption."""
    negatives = found.get("negatives") if isinstance(found, dict) else None
    if not isinstance(negatives, dict) or not {"seed", "tagger"} <= set(found):
        raise MismatchError(
            f"{path} is not a file of drawn negatives; delete it, it will be drawn again"
        )
    for caption in captions:
        texts = negatives.get(caption)
        if (
            not isinstance(texts, list)
            or len(texts) != len(PERTURBATIONS)
            or not all(isinstance(t, str | None) for t in texts)
        ):
            raise MismatchError(
                f"{path} has no {counted(len(PERTURBATIONS), 'negative')} of the caption "
                f"{quoted(caption)}; it belongs to other captions"
            )
