"""Ridge regression of matches on pictures and on what captions say, in closed form.

Every picture x_i is asked for every caption t_j, and for every difference d_j = t_j - n_j between a
caption and its negative. The answer should be n for its own and 0 for all others; a linear map A
answers x' A t (no cosine sees its scale). With means over all pairs (i, j) the squared error of
that, and a penalty that draws A to a multiple g of the identity, are

    <A, S_x A S_y> - 2 <A, C> + penalty |A - g I|^2,      S_y = S_t + w S_d,  C = C_xt + w C_xd,

which in the principal axes of S_x = U a U' and S_y = V b V' is one division for each entry:

    A = g I + U [ U'(C - g S_x S_y) V / (a b' + penalty) ] V'.                                   (1)

Its solution is exact: it is what a plain ridge regression on all products x_i y_j' finds, which has
d^2 unknowns. The softmax of LABCLIP is replaced by squares, which is what makes it one solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Repair
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.laboratory.contract import Fitted, Linear, NoRepair, Side
from conceptbind.repairs.laboratory.moments import Moments, best_multiple, moments_of, scaled
from conceptbind.repairs.laboratory.referee import Referee

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.pairs import Pairs
    from conceptbind.repairs.laboratory.referee import Judged

PENALTIES = tuple(10.0**power for power in range(4, -5, -1))
"""In units of the mean of a b'; the strongest first."""
WEIGHTS = (1.0, 4.0)
"""How much differences count beside captions."""


class Axes:
    """Both sides of (1) in their principal axes, so that every penalty is cheap.

    Args:
        moments: of the pairs.
        weight: of the differences.
    """

    def __init__(self, moments: Moments, weight: float) -> None:
        asked, target = moments.asked(weight)
        a, self._left = np.linalg.eigh(moments.pictures)
        b, self._right = np.linalg.eigh(asked)
        a, b = np.maximum(a, 0), np.maximum(b, 0)
        self._curvature = np.outer(a, b)
        self._unit = float(a.mean() * b.mean())
        multiple = best_multiple(moments, weight)
        self._eye = multiple * np.eye(*target.shape)
        missing = target - moments.pictures @ self._eye @ asked
        self._missing = self._left.T @ missing @ self._right

    def ridge(self, penalty: float) -> Float[Floats, "width_out width_in"]:
        """(d_out, d_in) A of (1).

        Args:
            penalty: in units of the mean of a b'.
        """
        change = self._missing / (self._curvature + penalty * self._unit)
        found: Floats = self._eye + self._left @ change @ self._right.T
        return found


def ridge_map(
    moments: Moments, penalty: float, weight: float
) -> Float[Floats, "width_out width_in"]:
    """(d_out, d_in) A of (1), for one penalty.

    Args:
        moments: of the pairs.
        penalty: in units of the mean of a b'.
        weight: of the differences.
    """
    return Axes(moments, weight).ridge(penalty)


@dataclass(frozen=True)
class Ridge:
    """Ridge regression, with the penalty and the weight of differences chosen on validation."""

    side: Side = "text"
    name = Repair.RIDGE

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        moments = moments_of(pairs)
        referee = Referee(validation, NoRepair(self.side).fit(pairs, validation, seed), seed)
        judged: list[Judged] = []
        path: tuple[float, ...] = PENALTIES
        for weight in WEIGHTS if pairs.n_negatives else (0.0,):
            made = partial(self._made, moments, Axes(moments, weight), weight)
            found = referee.along(path, made)
            judged += found
            # the next weight has its best penalty near this one's
            at = int(np.argmin([one.loss for one in found]))
            path = path[max(at - 1, 0) : at + 2]
        return referee.best(judged).but(method=self.name)

    def _made(self, moments: Moments, axes: Axes, weight: float, penalty: float) -> Fitted:
        """The map of one penalty, of captions or, transposed, of pictures: x' A t is one number."""
        found = axes.ridge(penalty)
        said = f"penalty {penalty:g}"
        if weight:
            said += f", differences {weight:g}"
        return on_side(self.name, self.side, found, moments, said)


def on_side(
    name: Repair,
    side: Side,
    weight: Float[Floats, "width_out width_in"],
    moments: Moments,
    said: str,
    parameters: int | None = None,
) -> Fitted:
    """A matrix A in x' A t as a map of one side.

    Args:
        name: of the method.
        side: captions, queries or pictures.
        weight: (d_out, d_in) A.
        moments: of the pairs, for the scale.
        said: what validation may choose, in words.
        parameters: numbers that were fitted; all entries by default.
    """
    size = weight.size if parameters is None else parameters
    if side == "image":
        pictures = Linear(scaled(weight.T, moments.pictures))
        return Fitted(name, side, pictures=pictures, parameters=size, chosen=said)
    adapter = Adapter(
        scaled(weight, moments.captions), 0.0, {"protocol": str(name), "chosen": said}
    )
    return Fitted(name, side, captions=adapter, parameters=size, chosen=said)
