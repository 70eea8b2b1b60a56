"""What one look at a model gives: numbers with intervals, and what stands behind each of them item
by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Floats, Ints

    Kind = Literal["share", "mean"]

KEY = ("study", "metric", "modality", "setting")
"""Columns that tell the numbers of a look apart."""
NAMES = {
    ("probe", "text"): "Objects recognised in captions",
    ("probe", "image"): "Objects recognised in pictures",
    ("within", "text"): "Caption nearer to its paraphrase than to its swap",
    ("within", "image"): "Picture nearer to another of its scene than to one of the swap",
    ("crossmodal", "both"): "Picture prefers its caption to the swap",
    ("spectrum", "text"): "Binding share of captions",
    ("spectrum", "image"): "Binding share of pictures",
    ("factors", "text"): "Mean |cos| between concepts in captions",
    ("factors", "image"): "Mean |cos| between concepts in pictures",
}
"""What a number is called, by study and modality."""


@dataclass(frozen=True, eq=False)
class Number:
    """One number of a look."""

    record: Record
    """The number with its interval, as `measure` reports it."""
    outcome: Outcome
    """What became of every item, in one order for all looks at one suite: hits of a share; of a
    mean, items whose mean is the number."""
    kind: Kind
    """A `share` of hits, or a `mean` of real numbers."""

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from the other numbers of a look: study, metric, modality, setting."""
        return key_of(self.record)

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.key)


@dataclass(frozen=True, eq=False)
class ModelLook:
    """Everything that was seen of a model at one moment."""

    step: int
    """Step of its training."""
    name: str
    """Name of the checkpoint; empty for a model in memory."""
    numbers: Sequence[Number]
    verdicts: Sequence[Verdict]
    """Levels 1, 2 and 3, each from this look alone."""
    seconds: float
    """What it took."""
    numbered: bool = True
    """Whether its step is that of a training. One that is not stands behind all others, and those
    of a later step are still to come."""

    def number(self, **asked: str | None) -> Number:
        """The number of some columns, such as `study` and `modality`.

        Args:
            **asked: columns of its record.

        Raises:
            KeyError: there is none.
        """
        for number in self.numbers:
            if number.record.has(**asked):
                return number
        raise KeyError(asked)


def key_of(record: Record) -> tuple[str, ...]:
    """What tells a number from the others of a look; an empty word for a column that it lacks.

    Args:
        record: of the number.
    """
    return tuple(str(record.get(name) or "") for name in KEY)


def name_of(key: Sequence[str]) -> str:
    """What people call a number.

    Args:
        key: see `key_of`.
    """
    study, _, modality, setting = key
    name = NAMES[study, modality]
    return f"{name} ({setting})" if setting else name


def share_number(record: Record, outcome: Outcome) -> Number:
    """A share of hits.

    Args:
        record: of the number.
        outcome: of its items.
    """
    return Number(record, outcome, "share")


def mean_number(
    record: Record, items: Float[Floats, " items"], clusters: Int[Ints, " items"]
) -> Number:
    """A mean of real numbers.

    Args:
        record: of the number.
        items: (n,) real numbers whose mean it is.
        clusters: (n,) which of them are one draw.
    """
    tied = np.zeros(len(items), dtype=bool)
    return Number(record, Outcome(about_of(record), items, tied, clusters=clusters), "mean")


def about_of(record: Record) -> Mapping[str, str]:
    """Which number an outcome stands behind.

    Args:
        record: of the number.
    """
    return dict(zip(KEY, key_of(record), strict=True))
