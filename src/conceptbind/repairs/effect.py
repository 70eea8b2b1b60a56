"""What a linear repair changed, whatever it was scored on, and whether it is recommended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from conceptbind.core.names import Control, Repair
from conceptbind.core.records import Record, Records
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.cost import Point, clears_noise
from conceptbind.repairs.labclip.estimator import Fit


@dataclass(frozen=True, eq=False)
class BeforeAfter(ABC):
    """Before and after a linear repair, on what it never saw."""

    records: Records
    fit: Fit
    """The fit; in folds, on all parts but the one that chose when to stop, the first that does not
    choose the identity. Held out: the one that was scored."""
    adapter: Adapter
    """What `conceptbind repair` writes: that fit at `pull`, or the identity (pull 0) where the gain
    does not clear its noise."""
    pull: float
    """The pull that was scored: the one that was asked for, or the one that validation
    recommends."""
    asked: bool
    """Whether it was asked for; such a map is written whatever it gains."""
    curve: tuple[Point, ...]
    """What each pull and rank achieves on validation, means over the folds; `pull` was chosen by
    it."""
    folds: int
    """1 where one part was held out."""

    @property
    @abstractmethod
    def gain(self) -> Record:
        """The gain that decides."""

    @property
    @abstractmethod
    def n_mended(self) -> int:
        """Comparisons that the repair turned right; (n_mended - n_spoiled) / n_compared is the
        gain.
        """

    @property
    @abstractmethod
    def n_spoiled(self) -> int:
        """Comparisons that it turned wrong."""

    @property
    @abstractmethod
    def n_compared(self) -> int:
        """Comparisons in all."""

    @property
    def recommended(self) -> bool:
        """Whether the gain clears its noise, and the map that would be written is not an
        identity.
        """
        clear = clears_noise(self.gain.value, self.gain.ci_low)
        return self.pull > 0 and self.fit.helps and clear

    def settled(self, besides: Sequence[Repair] = ()) -> Self:
        """The same with what is written as its adapter, and records that say whether that is
        recommended.

        Args:
            besides: repairs that were not up for it.
        """
        written = self.asked or self.recommended
        return replace(
            self,
            records=_marked(self.records, self.recommended, besides),
            adapter=self.adapter if written else self.fit.adapter.pulled(0.0),
        )


def _marked(records: Records, recommended: bool, besides: Sequence[Repair]) -> Records:
    """The records with a word beside the scores of a map whether it is recommended."""
    plain = (Repair.NONE, *besides)
    return Records(
        record
        if record.repair in plain or record.control != Control.NONE
        else record.but(recommended=recommended)
        for record in records
    )
