"""Softmax regression solved to its optimum.

For rows x_i (n, d) and soft targets t_i that sum to one, minimise over W (K, d)

    F(W) = (1/n) sum_i CE(t_i, softmax(W x_i)) + (l2 / 2) ||W||^2.
    (1)

Because targets sum to one, they enter only through the moment T^T X / n (K, d), which is gathered
once:

    F(W) = (1/n) sum_i logsumexp(W x_i) - <W, T^T X / n> + (l2 / 2) ||W||^2.
    (2)

One pass over the rows gives F and its gradient. Passes work in chunks: no (n, K) table is ever
held. Chunks are computed several at once and added in order, so that the result does not depend on
the number of threads (see `steady`).

Rows are whitened first, in whole or in part: x -> S^-w x with S = X^T X / n and w between 0 (not at
all) and 1/2 (S becomes the identity). A map on whitened rows is a map on the rows themselves. What
changes is the penalty, and much: what an embedding says about binding often stands in directions of
little variance, which a penalty on plain weights forbids. It also makes (1) well conditioned.

The method is L-BFGS in the eigenbasis of S, preconditioned by the diagonal blocks of the Hessian,
one (d, d) block for each class,

    H_k = (1/n) sum_i p_ik (1 - p_ik) x_i x_i^T + l2 I.
    (3)

At W = 0 all blocks are the same multiple of S. Elsewhere a block needs only the rows in which its
class is uncertain (the others are sampled). Where there are too few rows to be worth it, the
diagonal of (3) takes the place of its blocks. Adding one vector to every row of W changes nothing
but the penalty, so the optimal rows sum to zero; that direction is projected out of every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from conceptbind.core.errors import ValueRangeError
from conceptbind.probes.threads import in_order, steady

if TYPE_CHECKING:
    from jaxtyping import Float, Int

CHUNK = 2048
"""Rows of a pass handled at once: their logits stay in the processor's cache for some hundred
classes."""
MEMORY = 12
"""Curvature pairs that L-BFGS keeps."""
ARMIJO = 1e-4
"""Share of the predicted decrease that a step must deliver."""
SAMPLED = 0.1
"""Rows whose p (1 - p) exceeds this enter their class's block surely, the others by chance."""
FLOOR = 3e-2
"""Share of S added to every block: for directions that its sample of rows has missed, and against
steps into flat ones."""
PATH_TOLERANCE = 1e-3
"""How far the optima on the way to a small penalty are followed."""
SMALLEST = 1e-10
"""Share of the largest eigenvalue of S below which an axis is taken for rounding: single precision
rows say nothing there."""
BLOCKS_FROM = 4
"""Blocks are used when r^2 is below this many times n: factorising them costs about 0.65 r^2 / n
passes."""
BLOCK_SCALARS = 2**28
"""Largest number of scalars in all blocks (1 GiB in float32); beyond it the diagonal serves."""
BLOCK_GROUP = 32
"""Blocks factorised at once, which bounds the memory beside the result."""
REFRESH = 12
"""Passes between two builds of the blocks."""


@dataclass(frozen=True)
class Solution:
    """Weights at the end of a solve and how far from the optimum they are."""

    weight: Float[torch.Tensor, "classes rank"]
    """(K, r) in the coordinates of `Rows`; `Rows.in_features` gives the map on the rows as they
    came."""
    loss: float
    """F(W) of equation (1)."""
    gap: float
    """Estimate of F(W) - min F: half the Newton decrement, with equation (3) for the Hessian. Small
    penalties make it too small."""
    gap_bound: float
    """Upper bound of F(W) - min F, whatever the Hessian: F is l2-strongly convex, so it is at most
    |gradient|^2 / (2 l2)."""
    gradient_norm: float
    """Euclidean norm of the gradient of F."""
    relative_gradient_norm: float
    """The same, divided by its value at W = 0."""
    passes: int
    """Evaluations of F and its gradient over all rows."""
    converged: bool
    """Whether the gap is within the tolerance."""


class Rows:
    """Rows in the coordinates in which a problem is solved: whitened, scaled, and along the
    principal axes of S.

    Rotation leaves F as it is. Axes along which no row has a component are left out: there the
    optimal weights are zero.

    Args:
        features: (n, d) rows as they came.
        whitening: w, from 0 (plain) to 1/2 (white). The rows x S^-w are then divided by their root
            mean square, so that one l2 means the same for raw and normalised embeddings, and for
            every dimension.
        like: other rows made from the same features, whose axes are taken.
    """

    @steady()
    def __init__(
        self,
        features: Float[torch.Tensor, "rows width"],
        whitening: float = 0.0,
        like: Rows | None = None,
    ) -> None:
        self.axes: tuple[torch.Tensor, torch.Tensor] = (
            _principal_axes(features) if like is None else like.axes
        )
        """Mean squares (r,) along the principal axes, and the axes (d, r), in double precision."""
        self.whitening = whitening
        variance, vectors = self.axes
        squares = variance ** (1 - 2 * whitening)
        scale = squares.sum() / features.shape[1]
        basis = vectors * (variance**-whitening / scale.sqrt())
        self.basis = basis.to(features.dtype)
        """(d, r) from rows to coordinates."""
        self.eigenvalues = (squares / scale).to(features.dtype)
        """(r,) mean square of each coordinate."""
        self.rotated = features.new_empty(len(features), len(variance))
        """(n, r) coordinates."""
        blocks, out = features.split(CHUNK), self.rotated.split(CHUNK)
        for i, block in enumerate(
            in_order(lambda block: block.double() @ basis, blocks, features.device)
        ):
            out[i].copy_(
                block
                # in double precision: small components would drown in the rounding of single
                # precision
            )

    @steady()
    def moment(
        self, classes: Int[torch.Tensor, "rows slots"], n_classes: int
    ) -> Float[torch.Tensor, "classes rank"]:
        """T^T X / n (K, r) when row i gives each of its m `classes` (n, m) the share 1 / m of the
        target.
        """
        n, m = classes.shape
        total = self.rotated.new_zeros(n_classes, self.rotated.shape[1])
        for slot in range(m):
            total.index_add_(0, classes[:, slot], self.rotated)
        return total / (n * m)

    @steady()
    def in_features(
        self, weight: Float[torch.Tensor, "classes rank"]
    ) -> Float[torch.Tensor, "classes width"]:
        """The map (K, d) on features that weights (K, r) on coordinates stand for."""
        return weight @ self.basis.T


def _principal_axes(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues (r,) and eigenvectors (d, r) of S = X^T X / n, in double precision, without those
    that are rounding.
    """
    n, d = features.shape
    if (
        n < d
        # the same from the smaller matrix X X^T / n: if it has the eigenvector u, then X^T u is one
        # of X^T X / n
    ):
        double = features.double()
        variance, left = torch.linalg.eigh(double @ double.T / n)
    else:
        moment = torch.zeros(d, d, dtype=torch.float64, device=features.device)
        for part in in_order(
            lambda block: block.double().T @ block.double(), features.split(CHUNK), features.device
        ):
            moment += part
        variance, vectors = torch.linalg.eigh(moment / n)
    keep = variance > variance[-1] * SMALLEST
    keep[-1] = True  # rows of zeros have one axis too
    variance = torch.where(variance > 0, variance, 1.0)[keep]
    vectors = (
        features.double().T @ left[:, keep] / (n * variance).sqrt() if n < d else vectors[:, keep]
    )
    return variance, vectors


@steady()
def solve(
    rows: Rows,
    moment: Float[torch.Tensor, "classes rank"],
    l2: float,
    *,
    start: Float[torch.Tensor, "classes rank"] | None = None,
    tolerance: float = 1e-6,
    max_passes: int = 500,
) -> Solution:
    """Minimise equation (1).

    Args:
        rows: the rows x_i.
        moment: (K, r) target moment T^T X / n, in their coordinates.
        l2: positive penalty.
        start: (K, r) first weights, for example the optimum of a larger penalty. By default the
            solve starts at zero with a large penalty that shrinks in tens: near each optimum
                Newton's model holds, far from it it does not.
        tolerance: stop when the estimated gap to the optimum is this share of F(0) = log K.
        max_passes: give up after so many passes; `Solution.converged` tells.

    Raises:
        ValueRangeError: the penalty is not positive.
    """
    if not l2 > 0:
        raise ValueRangeError(
            f"the penalty l2 must be positive, otherwise the optimum may be at infinity; got {l2}"
        )
    if start is None:
        weight, passes = torch.zeros_like(moment), 0
        # there the penalty weighs as much as the data
        stage = float(rows.eigenvalues[-1]) / len(moment)
        n_stages = max(0, math.ceil(math.log10(stage / l2)))
        for i in range(n_stages):
            penalty = stage * (l2 / stage) ** (i / n_stages)  # a geometric path that ends at l2
            first = _descend(
                rows, moment, weight, penalty, max(tolerance, PATH_TOLERANCE), max_passes - passes
            )
            weight, passes = first.weight, passes + first.passes
    else:
        weight, passes = start, 0
    end = _descend(rows, moment, weight, l2, tolerance, max_passes - passes)
    return replace(end, passes=passes + end.passes)


def _descend(
    rows: Rows,
    moment: torch.Tensor,
    weight: torch.Tensor,
    l2: float,
    tolerance: float,
    max_passes: int,
) -> Solution:
    """Minimise from a given point; everything is in the eigenbasis (K, r)."""
    tiny, eps = torch.finfo(moment.dtype).tiny, torch.finfo(moment.dtype).eps
    loss, gradient = _evaluate(rows, moment, weight, l2)
    # gradient at W = 0, where every class has probability 1 / K
    at_zero = rows.rotated.mean(0) / len(moment) - moment
    scale = max(float(at_zero.norm()), tiny)
    goal = tolerance * math.log(max(len(moment), 2))
    memory = _Memory()
    passes, next_build, gap = 1, 1, math.inf
    while passes < max_passes:
        if passes >= next_build:
            curvature, next_build = _curvature(rows, weight, l2), passes + REFRESH
        gap = 0.5 * float(
            (gradient * _center(curvature.solve(_center(gradient)))).sum(dtype=torch.float64)
        )
        if gap <= goal:
            break
        direction = memory.direction(gradient, curvature)
        slope = float((direction * gradient).sum(dtype=torch.float64))
        step, accepted = 1.0, False
        while not accepted and passes < max_passes and step > 1e-6:
            trial = weight + step * direction
            trial_loss, trial_gradient = _evaluate(rows, moment, trial, l2)
            passes += 1
            # Near the optimum the decrease drowns in rounding; there a flatter slope along the step
            # decides.
            in_noise = abs(trial_loss - loss) <= 16 * eps * abs(loss)
            flatter = abs(float((direction * trial_gradient).sum(dtype=torch.float64))) < abs(slope)
            accepted = trial_loss <= loss + ARMIJO * step * slope or (in_noise and flatter)
            # Next, the minimum of the parabola through both losses and the slope, within bounds.
            parabola = (
                -slope * step**2 / (2 * (trial_loss - loss - slope * step))
                if not accepted
                else step
            )
            step = min(max(parabola, 0.02 * step), 0.5 * step)
        if not accepted:  # as far as this precision goes
            break
        memory.add(trial - weight, trial_gradient - gradient)
        weight, loss, gradient = trial, trial_loss, trial_gradient
    norm = float(gradient.norm())
    return Solution(weight, loss, gap, norm**2 / (2 * l2), norm, norm / scale, passes, gap <= goal)


def _probabilities(block: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax (b, K) and logsumexp (b,) of one chunk of rows (b, r), computed in place."""
    logits = block @ weight.T
    top = logits.amax(1, keepdim=True)
    total = logits.sub_(top).exp_().sum(1, keepdim=True)
    return logits.div_(total), (total.log() + top)[:, 0]


def _evaluate(
    rows: Rows, moment: torch.Tensor, weight: torch.Tensor, l2: float
) -> tuple[float, torch.Tensor]:
    """F (equation 2) and its gradient (K, r)."""
    partition = torch.zeros((), dtype=torch.float64, device=weight.device)
    gradient = torch.zeros_like(weight)

    def of(block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        probabilities, logsumexp = _probabilities(block, weight)
        return logsumexp.sum(dtype=torch.float64), probabilities.T @ block

    for total, part in in_order(of, rows.rotated.split(CHUNK), weight.device):
        partition += total
        gradient += part
    n = len(rows.rotated)
    linear = (weight * (0.5 * l2 * weight - moment)).sum(dtype=torch.float64)
    return float(partition / n + linear), gradient / n - moment + l2 * weight


def _center(weight: torch.Tensor) -> torch.Tensor:
    """Remove the part (K, r) that is the same for all classes."""
    return weight - weight.mean(0)


class _DiagonalCurvature:
    """The diagonal of equation (3) in the eigenbasis; at W = 0 that is all of it."""

    def __init__(self, rows: Rows, weight: torch.Tensor, l2: float) -> None:
        diagonal = torch.zeros_like(weight)

        def of(block: torch.Tensor) -> torch.Tensor:
            probabilities = _probabilities(block, weight)[0]
            return (probabilities * (1 - probabilities)).T @ block.square()

        for part in in_order(of, rows.rotated.split(CHUNK), weight.device):
            diagonal += part
        floor = l2 + FLOOR * rows.eigenvalues / len(weight)
        self.inverse = 1 / (diagonal / len(rows.rotated) + floor)  # (K, r)

    def solve(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * self.inverse


class _BlockCurvature:
    """Equation (3), one inverse block a class, from a weighted sample of the rows.

    A row enters the block of class k surely where p (1 - p) exceeds `SAMPLED`, otherwise with
    probability p (1 - p) / SAMPLED and the weight SAMPLED, so that the expectation is exact. As p
    (1 - p) sums to less than one over the classes, no more than 1 / SAMPLED classes a row are used,
    on average, however many there are.
    """

    def __init__(self, rows: Rows, weight: torch.Tensor, l2: float) -> None:
        n, (n_classes, rank) = len(rows.rotated), weight.shape
        draws = torch.Generator(weight.device).manual_seed(0)
        row_ids, classes, spreads = [], [], []

        def uncertain(block: torch.Tensor) -> torch.Tensor:
            probabilities = _probabilities(block, weight)[0]
            return probabilities * (1 - probabilities)

        for i, spread in enumerate(in_order(uncertain, rows.rotated.split(CHUNK), weight.device)):
            luck = torch.rand(
                spread.shape, generator=draws, device=weight.device, dtype=weight.dtype
            )
            row, of = (spread > SAMPLED * luck).nonzero(as_tuple=True)
            row_ids.append(row + i * CHUNK)
            classes.append(of)
            spreads.append(spread[row, of].clamp_min_(SAMPLED))
        of_class = torch.cat(classes)
        order = of_class.argsort(stable=True)
        counts = torch.bincount(of_class, minlength=n_classes).tolist()
        sampled = torch.cat(row_ids)[order].split(counts)
        weights = torch.cat(spreads)[order].split(counts)
        floor = l2 + FLOOR * rows.eigenvalues / n_classes
        self.inverse = weight.new_empty(n_classes, rank, rank)

        def inverses(first: int) -> torch.Tensor:
            group = range(first, min(first + BLOCK_GROUP, n_classes))
            blocks = weight.new_empty(len(group), rank, rank)
            for at, k in enumerate(group):
                x = rows.rotated[sampled[k]]  # (u, r)
                torch.mm(x.T, x * (weights[k] / n)[:, None], out=blocks[at])
                blocks[at].diagonal().add_(floor)
            return _inverse(blocks)

        firsts = range(0, n_classes, BLOCK_GROUP)
        for first, part in zip(firsts, in_order(inverses, firsts, weight.device), strict=True):
            self.inverse[first : first + len(part)] = part

    def solve(self, gradient: torch.Tensor) -> torch.Tensor:
        return torch.bmm(self.inverse, gradient[:, :, None])[:, :, 0]


def _inverse(blocks: torch.Tensor) -> torch.Tensor:
    """Inverses (g, r, r) of symmetric blocks; one that rounding made indefinite is lifted until it
    is not.
    """
    lift = torch.finfo(blocks.dtype).eps * blocks.diagonal(dim1=1, dim2=2).amax(1)  # (g,)
    factor, failed = torch.linalg.cholesky_ex(blocks)
    while failed.any():
        blocks.diagonal(dim1=1, dim2=2).add_(torch.where(failed > 0, lift, 0.0)[:, None])
        factor, failed = torch.linalg.cholesky_ex(blocks)
        lift = lift * 8
    return torch.cholesky_inverse(factor)


def _curvature(rows: Rows, weight: torch.Tensor, l2: float) -> _DiagonalCurvature | _BlockCurvature:
    """Blocks where building them costs no more than some passes (r^2 < 4 n) and they fit; the
    diagonal elsewhere.
    """
    n, rank = rows.rotated.shape
    worthwhile = rank**2 < BLOCKS_FROM * n and weight.numel() * rank <= BLOCK_SCALARS
    return (_BlockCurvature if worthwhile and weight.any() else _DiagonalCurvature)(
        rows, weight, l2
    )


class _Memory:
    """L-BFGS's curvature pairs (s_i, y_i), the oldest first, and their inner products s_i . y_j.

    With these products the two-loop recursion runs on m numbers; vectors are touched in a handful
    of products however many pairs there are.
    """

    def __init__(self) -> None:
        self.changes: torch.Tensor | None = None  # (m, K r)
        self.turns: torch.Tensor | None = None  # (m, K r)
        self.products = torch.empty(0, 0, dtype=torch.float64)  # (m, m) s_i . y_j

    def add(self, change: torch.Tensor, turn: torch.Tensor) -> None:
        """Take in one step, unless its curvature is not positive."""
        s, y = change.reshape(1, -1), turn.reshape(1, -1)
        if float((s * y).sum(dtype=torch.float64)) <= 0:
            return
        self.changes = s if self.changes is None else torch.cat([self.changes[-MEMORY + 1 :], s])
        self.turns = y if self.turns is None else torch.cat([self.turns[-MEMORY + 1 :], y])
        m = len(self.changes)
        products = torch.empty(m, m, dtype=torch.float64)
        kept = self.products[-m + 1 :, -m + 1 :] if m > 1 else self.products
        products[: m - 1, : m - 1] = kept
        products[-1] = (self.turns @ s[0]).double().cpu()
        products[:, -1] = (self.changes @ y[0]).double().cpu()
        self.products = products

    def direction(
        self, gradient: torch.Tensor, curvature: _DiagonalCurvature | _BlockCurvature
    ) -> torch.Tensor:
        """The L-BFGS step (K, r) around the preconditioner."""
        if self.changes is None or self.turns is None:
            return -_center(curvature.solve(_center(gradient)))
        flat = -gradient.reshape(-1)
        m, products = len(self.changes), self.products.tolist()
        along = (self.changes @ flat).tolist()
        shares = [0.0] * m
        for i in reversed(range(m)):
            shares[i] = (
                along[i] - sum(shares[j] * products[i][j] for j in range(i + 1, m))
            ) / products[i][i]
        flat = flat - flat.new_tensor(shares) @ self.turns
        # The newest pair sets the scale of the preconditioner (Nocedal and Wright, Numerical
        # Optimization, equation 7.20).
        last = _center(curvature.solve(_center(self.turns[-1].view_as(gradient)))).reshape(-1)
        gamma = products[-1][-1] / float(self.turns[-1] @ last)
        flat = gamma * _center(curvature.solve(_center(flat.view_as(gradient)))).reshape(-1)
        across = (self.turns @ flat).tolist()
        kept = [0.0] * m
        for i in range(m):
            kept[i] = (
                shares[i]
                - (across[i] + sum(kept[j] * products[j][i] for j in range(i))) / products[i][i]
            )
        return (flat + flat.new_tensor(kept) @ self.changes).view_as(gradient)
