"""Second moments of pairs: all that the closed forms see of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.probes.threads import in_order, steady
from conceptbind.repairs.labclip.pairs import read_unit

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.pairs import Pairs

BLOCK = 2048
"""Pairs that are read at once."""
EXACT = 20_000
"""Up to so many pairs the products are taken in double precision; of more, in single precision,
block by block, and added up in double precision."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Means of products of unit rows: pictures x, captions t, differences d = t - n to negatives n.

    Nothing is centred: the cosine is not either, and the mean is one direction among others.
    """

    pictures: Float[Floats, "width_out width_out"]
    """(d_out, d_out) mean of x x'."""
    captions: Float[Floats, "width_in width_in"]
    """(d_in, d_in) mean of t t'."""
    negatives: Float[Floats, "width_in width_in"]
    """(d_in, d_in) mean of n n'; zero without negatives, and where nobody asked for it."""
    differences: Float[Floats, "width_in width_in"]
    """(d_in, d_in) mean of d d'; zero without negatives."""
    shared: Float[Floats, "width_out width_in"]
    """(d_out, d_in) mean of x t'."""
    bound: Float[Floats, "width_out width_in"]
    """(d_out, d_in) mean of x d'; zero without negatives."""
    n: int
    """Pairs."""
    n_negatives: int
    """Negatives of each caption."""

    def asked(
        self, weight: float
    ) -> tuple[Float[Floats, "width_in width_in"], Float[Floats, "width_out width_in"]]:
        """What is asked of pictures, and how it goes with them: captions and, `weight` times,
        differences.

        Args:
            weight: of the differences; 0 leaves negatives aside.
        """
        return self.captions + weight * self.differences, self.shared + weight * self.bound

    @property
    def bags(self) -> Float[Floats, "width_in width_in"]:
        """(d_in, d_in) mean of s s' with s = t + n, in which what binds cancels; by the
        parallelogram law.
        """
        bags: Floats = 2 * (self.captions + self.negatives) - self.differences
        return bags


@explains_arguments
@steady()
def moments_of(pairs: Pairs, *, bags: bool = False) -> Moments:
    """The moments of all pairs, read block by block, several blocks at once.

    Args:
        pairs: n pairs; with k negatives a caption has k differences.
        bags: whether that of negatives alone is taken too, which `Moments.bags` needs.
    """
    out, into = pairs.images.shape[1], pairs.texts.shape[1]
    shapes = ((out, out), *3 * [(into, into)], *2 * [(out, into)])
    sums = [np.zeros(shape) for shape in shapes]  # in double precision
    for products in in_order(partial(_products, pairs, bags), range(0, len(pairs), BLOCK)):
        for number, product in enumerate(products):
            sums[number] += product
    total, compared = len(pairs), len(pairs) * max(pairs.n_negatives, 1)
    xx, tt, nn, dd, xt, xd = sums
    return Moments(
        pictures=xx / total,
        captions=tt / total,
        negatives=nn / compared,
        differences=dd / compared,
        shared=xt / total,
        bound=xd / compared,
        n=total,
        n_negatives=pairs.n_negatives,
    )


def _products(pairs: Pairs, bags: bool, start: int) -> list[Floats]:
    """The sums of one block, in the order of `Moments`."""
    kind: type[np.floating[Any]] = np.float64 if len(pairs) <= EXACT else np.float32
    rows = np.arange(start, min(start + BLOCK, len(pairs)))
    x = read_unit(pairs.images, pairs.image_of[rows]).astype(kind, copy=False)
    t = read_unit(pairs.texts, rows).astype(kind, copy=False)
    tt, xt = t.T @ t, x.T @ t
    nn, dd, xd = np.zeros_like(tt), np.zeros_like(tt), np.zeros_like(xt)
    if pairs.negatives is not None:
        false = read_unit(pairs.negatives, rows).astype(kind, copy=False)
        several = np.moveaxis(false.reshape(len(rows), pairs.n_negatives, -1), 1, 0)
        for n in several:
            if bags:
                nn += n.T @ n
            d = t - n
            dd += d.T @ d
            xd += x.T @ d
    return [x.T @ x, tt, nn, dd, xt, xd]


def singular(
    matrix: Float[Floats, "rows columns"],
) -> tuple[Float[Floats, "rows least"], Float[Floats, " least"], Float[Floats, "least columns"]]:
    """U, s, V' of a matrix, without the directions that are zero by shape.

    The divide-and-conquer routine of LAPACK gives up on a matrix now and then that the plain one
    takes.
    """
    from scipy.linalg import LinAlgError, svd

    try:
        u, s, v = svd(matrix, full_matrices=False)
    except LinAlgError:
        u, s, v = svd(matrix, full_matrices=False, lapack_driver="gesvd")
    return u, s, v


def scaled(
    weight: Float[Floats, "width_out width_in"], rows: Float[Floats, "width_in width_in"]
) -> Float[Floats, "width_out width_in"]:
    """The map times a number, so that mapped rows have length 1 in the mean square: no cosine
    changes, and a pull towards the identity mixes equals.

    Args:
        weight: (d_out, d_in) the map.
        rows: (d_in, d_in) mean of y y' over the unit rows that it maps.
    """
    squares = float(np.sum((weight @ rows) * weight))
    length = np.sqrt(max(squares, np.finfo(float).tiny))
    return (weight / length).astype(np.float32)


def best_multiple(moments: Moments, weight: float) -> float:
    """G for which g times the identity comes nearest to what the ridge is asked for (`ridge_map`);
    0 where the identity is of no use.

    Args:
        moments: of the pairs.
        weight: of the differences.
    """
    asked, target = moments.asked(weight)
    least = min(target.shape)
    together = float(np.sum(moments.pictures[:least, :least] * asked[:least, :least]))
    return max(float(np.trace(target)) / together, 0.0)
