"""Benchmarks of texts alone: how alike two texts are, to an encoder and to controls that know
nothing of their meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from conceptbind.benchmarks.base import BLOCK, Data, Distinct, Found, Items, Making, Score
from conceptbind.core.names import Metric
from conceptbind.metrics.triplets import cosines, triplet_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints

_WORD = re.compile(r"\w+")


class Alike(Protocol):
    """How alike texts are, pair by pair."""

    def __call__(
        self, queries: Int[Ints, " pairs"], documents: Int[Ints, " pairs"], /
    ) -> Float[Floats, " pairs"]:
        """(n,) scores, the higher the more alike.

        Args:
            queries: (n,) numbers of texts, which a repair maps.
            documents: (n,) numbers of the texts that they are compared with, which stay as they
                are.
        """


@runtime_checkable
class TextBenchmark(Protocol):
    """One benchmark that needs no picture; it may also be a `Benchmark` of pictures."""

    name: str
    title: str
    published: str
    """Where it can be had."""
    licence: str

    def layout(self, folder: Path) -> list[Found]:
        """See `Benchmark`."""

    def read(self, folder: Path, making: Making) -> Data:
        """See `Benchmark`; without pictures where it has none."""

    def score_texts(self, items: Items, alike: Alike) -> list[Score]:
        """Scores of modality `text`, from how alike the distinct captions are."""


def by_rows(
    queries: Float[Floats, "captions width"], documents: Float[Floats, "captions width"]
) -> Alike:
    """Cosines of unit rows.

    Args:
        queries: (c, d) of all captions, after a repair the mapped ones.
        documents: (c, d) of the same captions, as the encoder gives them.
    """

    def alike(one: Ints, two: Ints) -> Floats:
        found = np.empty(len(one), dtype=np.result_type(queries, documents))
        for start in range(0, len(one), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = cosines(queries[one[part]], documents[two[part]])
        return found

    return alike


def by_length(captions: Sequence[str]) -> Alike:
    """Minus the difference of lengths, in characters."""
    return by_difference(np.array([len(caption) for caption in captions], dtype=np.float64))


def by_difference(values: Float[Floats, " captions"]) -> Alike:
    """Texts are as alike as one number of theirs.

    Args:
        values: (c,) of all captions.
    """
    return lambda one, two: -np.abs(values[one] - values[two])


def by_words(captions: Sequence[str]) -> Alike:
    """Cosines of how often each word occurs, without case and marks; 0 for a text without words."""
    from scipy.sparse import csr_array

    number, ends = Distinct(), [0]
    columns: list[int] = []
    counts: list[int] = []
    for caption in captions:
        words = Counter(_WORD.findall(caption.casefold()))
        columns += [number(word) for word in words]
        counts += words.values()
        ends.append(len(columns))
    shape = len(captions), max(1, len(number.numbers))
    table = csr_array((np.array(counts, dtype=np.float64), columns, ends), shape=shape)
    lengths = np.sqrt(table.multiply(table).sum(axis=1))

    def alike(one: Ints, two: Ints) -> Floats:
        products: Floats = np.asarray(table[one].multiply(table[two]).sum(axis=1), dtype=np.float64)
        sizes = lengths[one] * lengths[two]
        return np.divide(products, sizes, out=np.zeros_like(products), where=sizes > 0)

    return alike


def triplet_scores(items: Items, alike: Alike) -> list[Score]:
    """Both rules of `metrics.triplets` for each file, and for all where there are several.

    In the second comparison the paraphrase asks, for the caption beside the negative.

    Args:
        items: `rows` (n, 3), numbers of a caption, its paraphrase and its negative; `subsets` (n,),
            the file that each stands in; `draws` (n,), items of one draw; `hopeless` (n,), whether
            the negative equals a true caption.
        alike: how alike two captions are.
    """
    caption, paraphrase, negative = items["rows"].T
    outcome = triplet_choice(
        alike(caption, paraphrase),
        alike(caption, negative),
        alike(paraphrase, negative),
        back=alike(paraphrase, caption),
    )
    rules = (
        (Metric.PARAPHRASE_ACCURACY, outcome.correct, outcome.tied),
        (Metric.PARAPHRASE_ACCURACY_ONE_SIDED, outcome.one_sided, outcome.one_sided_tied),
    )
    equal = items.get("hopeless", (negative == caption) | (negative == paraphrase))
    return [
        Score(
            metric,
            subset,
            "strict",
            right[chosen],
            tied[chosen],
            clusters=items["draws"][chosen],
            modality="text",
            unwinnable=int(equal[chosen].sum()),
        )
        for subset, chosen in parts_of(items["subsets"]).items()
        for metric, right, tied in rules
    ]


ALL = "all"
"""The items of all files."""
COUNTED = "They stay in n, and `unwinnable` counts them."
"""What becomes of items in which a wrong candidate equals a right one."""


WRONG_CAPTIONS = "neg_caption"
"""The column of wrong captions in NegCLIP's table, a list in each cell."""
OF_WRONG_CAPTIONS = (
    "as NegCLIP's table; describe it as a benchmark of your own, of the form swaps or captions "
    "(docs/howto/benchmark.md, A table of wrong captions)"
)
"""What is said of a table of wrong captions without paraphrases."""


def folded(text: str) -> str:
    """A text without its capitals and spaces."""
    return "".join(text.split()).casefold()


def alike(one: str, other: str) -> bool:
    """Whether two texts are equal, capitals and spaces apart."""
    return folded(one) == folded(other)


def said_alike(texts: Sequence[str]) -> Int[Ints, " texts"]:
    """(n,) equal numbers for texts that are equal, capitals and spaces apart.

    Args:
        texts: n captions.
    """
    number = Distinct()
    return np.array([number(folded(text)) for text in texts], dtype=np.int64)


EVERY = ("every",)
"""What a benchmark has as `swapped`, the names of files whose wrong captions are swaps, where that
is so in all of them."""


def parts_of(subsets: Sequence[str]) -> dict[str, Bool[Bools, " items"]]:
    """Which items are of each file (n,), and of all where there are several files.

    Args:
        subsets: (n,) the file of each item.
    """
    names = list(dict.fromkeys(subsets))
    there = np.asarray(subsets)
    found = {name: there == name for name in names}
    if len(names) > 1:
        found[ALL] = np.ones(len(there), dtype=bool)
    return found


def degenerate(rows: Sequence[tuple[str, str, str]], name: str) -> tuple[str, ...]:
    """What is said of triplets that say less than they seem to: they count, and are named. Texts
    are equal that differ in capitals and spaces alone.

    Args:
        rows: caption, paraphrase and negative of each item.
        name: of their file.
    """
    wrong = sum(hopeless_triplet(*row) for row in rows)
    same = sum(alike(caption, paraphrase) for caption, paraphrase, _ in rows)
    found = []
    if wrong:
        found.append(
            f"{name}: in {wrong:,} of {len(rows):,} items the wrong caption equals a true one, "
            f"capitals and spaces apart. {COUNTED} Where the encoder sees no difference either, "
            "no paraphrase can be nearer, which is a miss."
        )
    if same:
        found.append(
            f"{name}: in {same:,} of {len(rows):,} items caption and paraphrase are one text, "
            "capitals and spaces apart; they count, and are easy to get right."
        )
    return tuple(found)


def hopeless_triplet(caption: str, paraphrase: str, negative: str) -> bool:
    """Whether the negative equals a true caption, capitals and spaces apart."""
    return alike(negative, caption) or alike(negative, paraphrase)
