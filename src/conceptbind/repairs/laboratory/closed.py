"""Other maps in closed form: a rotation, a change of low rank, weights of dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.names import Repair
from conceptbind.repairs.laboratory.contract import Fitted, NoRepair, Side
from conceptbind.repairs.laboratory.moments import Moments, best_multiple, moments_of, singular
from conceptbind.repairs.laboratory.referee import Referee
from conceptbind.repairs.laboratory.ridge import on_side

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.pairs import Pairs

WEIGHTS = (0.0, 1.0, 4.0)
"""How much differences count beside captions."""
SHRINKAGE = (0.01, 0.1, 1.0, 10.0)
"""What is added to principal variances, in units of their mean."""
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""What draws the weights of dimensions to equal ones, in units of the mean curvature."""


def weights_of(pairs: Pairs, several: tuple[float, ...] = WEIGHTS) -> tuple[float, ...]:
    """The weights of differences that are tried; without negatives there are none."""
    return several if pairs.n_negatives else (0.0,)


def orthogonal_map(moments: Moments, weight: float) -> Float[Floats, "width_out width_in"]:
    """(d_out, d_in) the orthogonal A for which the sum of x'A t, and `weight` times that of x'A d,
    is largest: U V' of the singular value decomposition (Schoenemann 1966).

    Args:
        moments: of the pairs.
        weight: of the differences.
    """
    u, _, v = singular(moments.asked(weight)[1])
    rotation: Floats = u @ v
    return rotation


def inverse_root(
    moment: Float[Floats, "width width"], shrinkage: float
) -> Float[Floats, "width width"]:
    """(d, d) (S + shrinkage mean(S) I)^(-1/2), symmetric."""
    values, axes = np.linalg.eigh(moment)
    values = np.maximum(values, 0)
    root: Floats = (axes / np.sqrt(values + shrinkage * values.mean())) @ axes.T
    return root


class Shortened:
    """Reduced-rank ridge regression: g I and the best change of every rank.

    Both sides are shrunk, S' = S + shrinkage mean(S) I. Of all changes D of rank r the best makes
    <D, S_x' D S_y'> - 2 <D, C - g S_x S_y> least. It is the truncated singular value decomposition
    of S_x'^(-1/2) (C - g S_x S_y) S_y'^(-1/2), between these roots (Izenman 1975).

    Args:
        moments: of the pairs.
        weight: of the differences.
        shrinkage: see `inverse_root`.
    """

    def __init__(self, moments: Moments, weight: float, shrinkage: float) -> None:
        asked, target = moments.asked(weight)
        self._eye = best_multiple(moments, weight) * np.eye(*target.shape)
        left = inverse_root(moments.pictures, shrinkage)
        right = inverse_root(asked, shrinkage)
        missing = target - moments.pictures @ self._eye @ asked
        u, s, v = singular(left @ missing @ right)
        self._left, self._right = left @ (u * s), v @ right

    def rank(self, rank: int) -> Float[Floats, "width_out width_in"]:
        """(d_out, d_in) the identity and a change of this rank."""
        found: Floats = self._eye + self._left[:, :rank] @ self._right[:rank]
        return found


def weights_map(moments: Moments, penalty: float, weight: float) -> Float[Floats, " width"]:
    """(d,) a of the map diag(a) that is the best answer to the ridge's question: S_x and S_y
    multiplied entry by entry are its curvature, the diagonal of C its target.

    Args:
        moments: of the pairs.
        penalty: draws a to equal weights.
        weight: of the differences.
    """
    asked, target = moments.asked(weight)
    curvature = moments.pictures * asked
    drawn = penalty * float(np.trace(curvature)) / len(curvature)
    equal = best_multiple(moments, weight)
    target = np.diag(target) + drawn * equal
    found: Floats = np.linalg.solve(curvature + drawn * np.eye(len(curvature)), target)
    return found


@dataclass(frozen=True)
class Procrustes:
    """An orthogonal matrix, which changes no length and no angle among captions."""

    side: Side = "text"
    name = Repair.PROCRUSTES

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        moments = moments_of(pairs)
        referee = _referee(self.side, pairs, validation, seed)
        widths = moments.shared.shape
        free = min(widths) * max(widths) - min(widths) * (min(widths) + 1) // 2
        judged = [
            referee(
                on_side(
                    self.name,
                    self.side,
                    orthogonal_map(moments, weight),
                    moments,
                    f"differences {weight:g}",
                    free,
                )
            )
            for weight in weights_of(pairs)
        ]
        return referee.best(judged).but(method=self.name)


@dataclass(frozen=True)
class LowRank:
    """The identity and a change of low rank, which validation chooses."""

    side: Side = "text"
    name = Repair.LOW_RANK

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        moments = moments_of(pairs)
        referee = _referee(self.side, pairs, validation, seed)
        judged = map(referee, self._candidates(moments, weights_of(pairs, (1.0,))))
        return referee.best(judged).but(method=self.name)

    def _candidates(self, moments: Moments, weights: tuple[float, ...]) -> Iterator[Fitted]:
        least, width = min(moments.shared.shape), sum(moments.shared.shape)
        ranks = [2**power for power in range(12) if 2**power < least] + [least]
        for weight in weights:
            for shrinkage in SHRINKAGE:
                shortened = Shortened(moments, weight, shrinkage)
                for rank in ranks:
                    said = f"rank {rank}, shrinkage {shrinkage:g}"
                    found = shortened.rank(rank)
                    # a map of rank r has so many free numbers: an inner basis may be turned
                    size = rank * (width - rank)
                    yield on_side(self.name, self.side, found, moments, said, size)


@dataclass(frozen=True)
class Diagonal:
    """Weights of the dimensions, or of the principal axes of pictures and captions (whitening)."""

    side: Side = "text"
    name = Repair.DIAGONAL

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        width_out, width_in = pairs.images.shape[1], pairs.texts.shape[1]
        if width_out != width_in:
            raise ValueRangeError(
                f"diagonal needs pictures and captions of one width; they have {width_out} and "
                f"{width_in}; take another method"
            )
        moments = moments_of(pairs)
        referee = _referee(self.side, pairs, validation, seed)
        judged = map(referee, self._candidates(moments, weights_of(pairs)))
        return referee.best(judged).but(method=self.name)

    def _candidates(self, moments: Moments, weights: tuple[float, ...]) -> Iterator[Fitted]:
        width = len(moments.captions)
        for weight in weights:
            for penalty in PENALTIES:
                found = np.diag(weights_map(moments, penalty, weight))
                said = f"dimensions, penalty {penalty:g}, differences {weight:g}"
                yield on_side(self.name, self.side, found, moments, said, width)
        both = (moments.pictures + moments.captions) / 2
        for shrinkage in SHRINKAGE:
            root = inverse_root(both, shrinkage)
            said = f"whitening, shrinkage {shrinkage:g}"
            free = width * (width + 1) // 2
            yield on_side(self.name, self.side, root @ root, moments, said, free)


def _referee(side: Side, pairs: Pairs, validation: Pairs, seed: int) -> Referee:
    return Referee(validation, NoRepair(side).fit(pairs, validation, seed), seed)
