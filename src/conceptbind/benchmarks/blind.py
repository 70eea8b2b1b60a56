"""What captions give away without a look at pictures, or without their meaning: how long they are,
how plausible their words are one after the other, what their spelling shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Control

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

_WORD = re.compile(r"\w+")
SPACED = re.compile(r"\s[.,!?;:]")
"""A mark with a space before it."""
BACK_OFF = 0.4
"""Weight of a word's own frequency where a pair was never seen (Brants et al., EMNLP 2007)."""
UNSEEN = 10.0
"""Texts have each word that was never seen so many times less often for each further letter."""


@dataclass(frozen=True)
class Pairs:
    """How often words, and pairs of them, follow each other."""

    words: Mapping[str, float]
    pairs: Mapping[str, float]
    """Two words with a space between them."""
    total: float
    """Words in all."""
    told: str
    """Where these counts come from."""


@cache
def packaged_pairs() -> Pairs | None:
    """Counts of English words and pairs that a package holds; None where it is not installed."""
    try:
        import wordsegment
    except ImportError:
        return None
    from importlib.metadata import version

    if not wordsegment.UNIGRAMS:
        wordsegment.load()
    told = f"pairs of words of the web (wordsegment {version('wordsegment')})"
    return Pairs(wordsegment.UNIGRAMS, wordsegment.BIGRAMS, 1_024_908_267_229.0, told)


def own_pairs(captions: Sequence[str]) -> Pairs:
    """Counts of the captions themselves.

    Args:
        captions: of a benchmark, right and wrong ones alike.
    """
    words: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for caption in captions:
        one, two = _counted(caption)
        words.update(one)
        pairs.update(two)
    told = "pairs of words of the other captions of the benchmark"
    return Pairs(words, pairs, float(sum(words.values())), told)


def plausibility(captions: Sequence[str]) -> tuple[Float[Floats, " captions"], str]:
    """How plausible captions are, and what told so: the mean logarithm of how often each word
    follows the one before, from -1 to 0.

    Counts come from a packaged list where it is installed (extra `[plausibility]`), else from the
    other captions of the benchmark; which of them are right is not used.

    Args:
        captions: of a benchmark.
    """
    packaged = packaged_pairs()
    pairs = own_pairs(captions) if packaged is None else packaged
    found = [_plausible(caption, pairs, packaged is None) for caption in captions]
    values = np.array(found, dtype=np.float64)
    return values / max(1e-30, float(np.abs(values).max(initial=0))), pairs.told


def _counted(caption: str) -> tuple[Counter[str], Counter[str]]:
    words = _WORD.findall(caption.casefold())
    return Counter(words), Counter(map(" ".join, pairwise(words)))


def _plausible(caption: str, counts: Pairs, own: bool) -> float:
    """The mean logarithm of one caption; its own words do not count where it is among those that
    were counted.
    """
    words = _WORD.findall(caption.casefold())
    if not words:
        return 0.0
    mine, mine_two = _counted(caption) if own else (Counter(), Counter())
    total = max(1.0, counts.total - sum(mine.values()))
    summed = 0.0
    for before, word in zip(("", *words), words, strict=False):
        pair = f"{before} {word}"
        two = counts.pairs.get(pair, 0.0) - mine_two[pair]
        first = counts.words.get(before, 0.0) - mine[before]
        alone = counts.words.get(word, 0.0) - mine[word]
        if two > 0 and first > 0:
            summed += log(min(1.0, two / first))
        elif alone > 0:
            summed += log(BACK_OFF * alone / total)
        else:
            summed += log(BACK_OFF / total) - log(UNSEEN) * len(word)
    return summed / len(words)


def surface(captions: Sequence[str]) -> Float[Floats, " captions"]:
    """What the spelling of captions shows, from -1 to 0: programs that write wrong captions leave
    spaces before marks (ABC-6K's swapped lines end in " ."), and more commas (CC-Neg).

    Args:
        captions: of a benchmark.
    """
    cues = [1000 * len(SPACED.findall(one)) + min(999, one.count(",")) for one in captions]
    values = np.array(cues, dtype=np.float64)
    return -values / max(1.0, float(values.max(initial=0)))


def brevity(captions: Sequence[str]) -> Float[Floats, " captions"]:
    """The blind baseline that prefers short captions: minus the share of the longest caption's
    characters.

    Args:
        captions: of a benchmark.
    """
    longest = max(1, max(map(len, captions), default=1))
    return np.array([-len(caption) / longest for caption in captions], dtype=np.float64)


@dataclass(frozen=True)
class Blind:
    """One baseline that sees no picture and no meaning."""

    control: Control
    values: Float[Floats, " captions"]
    """A number for each caption: the higher, the rather it is taken for the right one."""
    told: Mapping[str, str]
    """What stands beside its numbers."""


def blind_baselines(
    captions: Sequence[str], lengths: Float[Floats, " captions"] | None = None
) -> list[Blind]:
    """All of them.

    Args:
        captions: c texts.
        lengths: (c,) of the captions' feature vectors; None where they are not asked for.
    """
    plausible, told = plausibility(captions)
    found = [Blind(Control.BLIND_LENGTH, brevity(captions), {})]
    if lengths is not None:
        share = lengths / max(float(lengths.max(initial=0)), 1e-30)
        found.append(Blind(Control.BLIND_NORM, share, {}))
    found.append(Blind(Control.BLIND_PLAUSIBILITY, plausible, {"plausibility": told}))
    found.append(Blind(Control.BLIND_SURFACE, surface(captions), {}))
    return found
