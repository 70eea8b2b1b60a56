"""Maps that keep some directions and drop others: canonical correlation, and erasure of bags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Repair
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.laboratory.closed import inverse_root, weights_of
from conceptbind.repairs.laboratory.contract import Fitted, Linear, NoRepair, Side
from conceptbind.repairs.laboratory.moments import Moments, moments_of, scaled, singular
from conceptbind.repairs.laboratory.referee import Referee
from conceptbind.repairs.laboratory.ridge import on_side

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.pairs import Pairs

SHRINKAGE = (0.01, 0.1, 1.0, 10.0)
"""What is added to principal variances, in units of their mean."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """Directions of pictures and of captions, in the order of how well they correlate."""

    pictures: Float[Floats, "directions width_out"]
    """(k, d_out)"""
    captions: Float[Floats, "directions width_in"]
    """(k, d_in)"""
    correlations: Float[Floats, " directions"]
    """(k,)"""


def canonical(moments: Moments, weight: float, shrinkage: float) -> Canonical:
    """Regularised canonical correlation about the origin (Vinod 1976): the singular value
    decomposition of S_x'^(-1/2) C S_y'^(-1/2).

    Args:
        moments: of the pairs.
        weight: of the differences.
        shrinkage: added to principal variances, in units of their mean.
    """
    asked, target = moments.asked(weight)
    left, right = inverse_root(moments.pictures, shrinkage), inverse_root(asked, shrinkage)
    u, s, v = singular(left @ target @ right)
    return Canonical(u.T @ left, v @ right, s)


@dataclass(frozen=True)
class Cca:
    """Pictures and captions in their canonical directions, each weighted by the root of its
    correlation; or one matrix of captions that gives the same products.
    """

    side: Side = "both"
    name = Repair.CCA

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        moments = moments_of(pairs)
        none = NoRepair(self.side).fit(pairs, validation, seed)
        referee = Referee(validation, none, seed)
        judged = map(referee, self._candidates(moments, weights_of(pairs, (0.0, 1.0))))
        return referee.best(judged).but(method=self.name)

    def _candidates(self, moments: Moments, weights: tuple[float, ...]) -> Iterator[Fitted]:
        width = min(moments.shared.shape)
        kept = [width // 2**power for power in range(4) if width >= 2**power]
        for weight in weights:
            for shrinkage in SHRINKAGE:
                found = canonical(moments, weight, shrinkage)
                for k in kept:
                    said = f"{k} directions, shrinkage {shrinkage:g}, differences {weight:g}"
                    yield self._made(moments, found, k, said)

    def _made(self, moments: Moments, found: Canonical, k: int, said: str) -> Fitted:
        root = np.sqrt(found.correlations[:k, None])
        pictures, captions = root * found.pictures[:k], root * found.captions[:k]
        width = sum(moments.shared.shape)
        # two maps to k directions may be turned together; one of rank k has any inner basis
        size = k * width - k * (k - 1) // 2
        if self.side != "both":
            size = k * (width - k)
            weight = pictures.T @ captions
            return on_side(self.name, self.side, weight, moments, said, size)
        # Cosines do not see a common rotation: the one is taken that comes nearest the identity.
        u, _, v = singular(pictures.T + _fitting(captions.T, len(pictures.T)))
        back = u @ v
        return Fitted(
            self.name,
            "both",
            captions=Adapter(scaled(back @ captions, moments.captions), 0.0, {"chosen": said}),
            pictures=Linear(scaled(back @ pictures, moments.pictures)),
            parameters=size,
            chosen=said,
        )


def _fitting(rows: Floats, length: int) -> Floats:
    """Rows cut or filled with zeros to a length."""
    found = np.zeros((length, rows.shape[1]))
    some = min(length, len(rows))
    found[:some] = rows[:some]
    return found


class Bags:
    """What pictures hold of the bag of concepts: the part that the sum of a caption and its swap
    predicts, for in that sum everything that binds cancels.

    Args:
        moments: of pairs with negatives.
        shrinkage: added to principal variances, in units of their mean.
    """

    def __init__(self, moments: Moments, shrinkage: float) -> None:
        sums = 2 * moments.shared - moments.bound  # mean of x s', s = t + n = 2 t - d
        self._whiten = inverse_root(moments.pictures, shrinkage)
        found = singular(self._whiten @ sums @ inverse_root(moments.bags, shrinkage))
        self.directions = found[0]

    def erased(self, k: int) -> Float[Floats, "width_out width_out"]:
        """(d_out, d_out) the projection of pictures after which the k strongest directions of the
        bag are gone, and that changes pictures least (LEACE, arXiv 2306.03819, theorem 4.2).
        """
        u = self.directions[:, :k]
        eye = np.eye(len(u))
        found: Floats = eye - np.linalg.solve(self._whiten, u) @ (u.T @ self._whiten)
        return found


@dataclass(frozen=True)
class Erasure:
    """Without directions in which pictures tell only which concepts there are. Of captions it is
    the same projection transposed, which takes the same part out of x' A t.
    """

    side: Side = "text"
    name = Repair.ERASURE

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        if not pairs.n_negatives:
            raise ValueRangeError(
                "erasure needs negatives, which tell what binds from what does not; give "
                "--negatives, or take another method"
            )
        if pairs.images.shape[1] != pairs.texts.shape[1]:
            raise ValueRangeError(
                "erasure needs pictures and captions of one width; they have "
                f"{pairs.images.shape[1]} and {pairs.texts.shape[1]}; take another method"
            )
        moments = moments_of(pairs, bags=True)
        none = NoRepair(self.side).fit(pairs, validation, seed)
        referee = Referee(validation, none, seed)
        return referee.best(map(referee, self._candidates(moments))).but(method=self.name)

    def _candidates(self, moments: Moments) -> Iterator[Fitted]:
        width = len(moments.pictures)
        for shrinkage in SHRINKAGE[:3]:
            bags = Bags(moments, shrinkage)
            for k in (2**power for power in range(12) if 2**power < width):
                said = f"{k} directions erased, shrinkage {shrinkage:g}"
                found = bags.erased(k).T
                yield on_side(self.name, self.side, found, moments, said, k * (2 * width - k))
