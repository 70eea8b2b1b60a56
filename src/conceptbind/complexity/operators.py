"""Binding operators that have a name, as approximators.

Each concept value has a vector (or a matrix), an operator joins the values of one object, and a
linear map leads to R^d. With f for vectors of values, m slots and C concepts:

    role-filler     sum over slots i of R_i (sum over k of f_k(c_ik)): values are bound to their
                    slot, not to each other (Smolensky 1990, a filler for each value)
    holographic     sum over slots of r_i * f_1(c_i1) * ... * f_C(c_iC), with * the circular
                    convolution (Plate 1995)
    tensor product  sum over slots of R_i (f_1(c_i1) x ... x f_C(c_iC)), with x the outer product
                    (Smolensky 1990)
    bilinear        as the tensor product, with one R for all slots: with two concepts f_1' W_j f_2
                    in each dimension j (Tenenbaum and Freeman 2000)
    matrix-vector   sum over slots of R_i A_1(c_i1) A_2(c_i2) ... f_C(c_iC), with matrices A
                    (Baroni and Zamparelli 2010; Socher et al. 2012)

All but role-filler stand beside an additive part, as the products of arXiv 2605.31503, section 6,
do. Vectors are found by L-BFGS, with the linear map solved for at each step (variable projection).
Every one of them is a sum over slots of something of the object there. So a fit asks for no more
than the sums of embeddings over the scenes of each object, and the counts of pairs of objects. Its
cost does not grow with the number of scenes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

from conceptbind.complexity.labels import Labelled, Scale, check_labels
from conceptbind.complexity.sums import (
    EXACT,
    FIRST_L2,
    SIMPLER,
    along_penalties,
    design_of,
    fit_sums,
    mean_error,
    penalised_factor,
)
from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints

Operator = Literal["role_filler", "holographic", "tensor_product", "bilinear", "matrix_vector"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)
STEPS = 300
"""Steps of L-BFGS at one penalty, at most."""
GAIN = 1e-11
"""Relative gain of the objective below which a penalty counts as solved."""
ROOM = 1.5
"""How many times farther from the mean a prediction may be than the farthest train scene. A value
that few train objects have can be given a long vector that fits them alone. With it predictions of
new objects can be tens of times as long, unseen where validation has no object of that value."""
MEMORY = 30
"""Steps that L-BFGS remembers."""


class OperatorProbe:
    """A binding operator between an additive part and a linear map.

    Validation chooses the width, the penalty and the start. Predictions stay within `ROOM` times
    the distance of the farthest train scene from the mean.

    Args:
        sizes: (V_1, ..., V_C) number of values of each concept.
        n_slots: m.
        operator: a name of `OPERATORS`.
        width: p, the dimensions of the vectors of values; a quarter and a half of it are tried too.
            The outer products of the tensor product and of bilinear forms have p^C entries.
        starts: random starts of each width.
        seed: of the starts.
        device: where torch computes, in double precision.
    """

    best_: _Fit
    scale_: Scale
    l2_: float
    width_: int
    """0 where the additive part alone was the best."""
    validation_: float

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_slots: int,
        *,
        operator: Operator = "holographic",
        width: int = 8,
        starts: int = 2,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if operator not in OPERATORS:
            raise UnknownNameError(
                f"unknown operator '{cut(operator)}'; {nearest(operator, OPERATORS)}"
            )
        if width < 1 or starts < 1:
            raise ValueRangeError(f"width and starts must be at least 1; got {width} and {starts}")
        self.sizes, self.n_slots, self.operator = tuple(sizes), n_slots, operator
        self.width, self.starts, self.seed, self.device = width, starts, seed, device

    def fit(self, train: Labelled, validation: Labelled) -> OperatorProbe:
        """Fit on `train`; `validation` chooses."""
        check_labels(train, self.sizes, self.n_slots)
        check_labels(validation, self.sizes, self.n_slots)
        self.scale_ = Scale.of(train.values)
        tables = [torch.tensor(part.labels, device=self.device) for part in (train, validation)]
        values = [
            torch.as_tensor(self.scale_.to(part.values), device=self.device)
            for part in (train, validation)
        ]
        # with a sum of free vectors beside them, fillers would have nothing left to say
        additive = self.operator != "role_filler"
        designs = [design_of(table.flatten(1), self.sizes, additive=additive) for table in tables]
        sums = fit_sums(designs[0], values[0], designs[1], values[1])
        fitted, held = _Train.of(self, tables[0], values[0]), _Held(tables[1], values[1])
        best = _Fit(sums.weight, [], None, sums.l2, 0, sums.validation)
        for width in self.widths():
            for start in range(self.starts):
                found = self._path(fitted, held, width, start)
                if found.validation < (1 - SIMPLER) * best.validation:
                    best = found
                if best.validation <= EXACT:
                    break
        self.best_, self.l2_, self.width_ = best, best.l2, best.width
        self.validation_ = best.validation * self.scale_.size**2
        return self

    def widths(self) -> list[int]:
        """Widths that are tried."""
        return sorted({max(1, self.width // 4), max(1, self.width // 2), self.width})

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) predictions for a table (n, m, C)."""
        table = torch.tensor(np.asarray(labels), device=self.device)
        return self.scale_.back(self.best_.of(self, table).cpu().numpy())

    def features(
        self,
        vectors: list[Shaped[torch.Tensor, " ..."]],
        objects: Int[torch.Tensor, "objects concepts"],
        slot: int,
    ) -> Float[torch.Tensor, "objects features"]:
        """(K, q) what the linear map is applied to, of objects in one slot.

        Args:
            vectors: of the values of each concept, and further ones of an operator that has them.
            objects: (K, C) value ids.
            slot: where they are.
        """
        values = [part[objects[:, k]] for k, part in enumerate(vectors[: objects.shape[1]])]
        if self.operator == "holographic":
            values.append(vectors[-1][slot].expand_as(values[0]))
        if self.operator == "matrix_vector":
            values.reverse()  # the vector comes first, then the matrices from within
        joined = reduce(JOINS[self.operator], values)
        if self.operator not in OF_EACH_SLOT:
            return joined
        # a block for each slot gives each a map of its own
        width = joined.shape[1]
        return torch.nn.functional.pad(joined, (slot * width, (self.n_slots - 1 - slot) * width))

    def rows(
        self,
        vectors: list[Shaped[torch.Tensor, " ..."]],
        objects: Int[torch.Tensor, "objects concepts"],
    ) -> Float[torch.Tensor, "rows features"]:
        """(m K, q) the features of objects in each slot, slot after slot.

        Args:
            vectors: as for `features`.
            objects: (K, C) value ids.
        """
        return torch.cat([self.features(vectors, objects, i) for i in range(self.n_slots)])

    def shapes(self, width: int) -> list[tuple[int, ...]]:
        """Shapes of the vectors at a width."""
        vectors: list[tuple[int, ...]] = [(size, width) for size in self.sizes]
        if self.operator == "holographic":
            return [*vectors, (self.n_slots, width)]
        if self.operator == "matrix_vector":
            return [*((size, width, width) for size in self.sizes[:-1]), vectors[-1]]
        return vectors

    def design(
        self, objects: Int[torch.Tensor, "objects concepts"]
    ) -> Float[torch.Tensor, "rows columns"]:
        """(m K, P) the additive part of objects in each slot; over the slots of a scene the rows
        add up to `design_of`.

        Args:
            objects: (K, C) value ids.
        """
        m, k, n_values = self.n_slots, len(objects), sum(self.sizes)
        own = torch.full((m * k, 1), 1 / m, dtype=torch.float64, device=objects.device)
        if self.operator == "role_filler":
            # with a sum of free vectors beside them, fillers would have nothing left to say
            return own
        one = design_of(objects, self.sizes)[:, :-1]
        blocks = [
            torch.nn.functional.pad(one, (i * n_values, (m - 1 - i) * n_values)) for i in range(m)
        ]
        return torch.cat([torch.cat(blocks), own], dim=1)

    def _path(self, train: _Train, held: _Held, width: int, start: int) -> _Fit:
        """One random start, along the penalties."""
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + 1009 * width + start)
        shapes = self.shapes(width)
        drawn = [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]
        # a product of matrices keeps about the length of the vector
        sized = [part / part.shape[1] ** 0.5 if part.ndim == 3 else part for part in drawn]
        first = self._solved(train, held, FIRST_L2, [part.to(self.device) for part in sized])

        def go(at: _Fit, best: _Fit, l2: float) -> tuple[_Fit, _Fit]:
            found = self._solved(train, held, l2, at.vectors)
            return found, min(best, found, key=lambda fit: fit.validation)

        return along_penalties(first, first, go)

    def _solved(self, train: _Train, held: _Held, l2: float, vectors: list[torch.Tensor]) -> _Fit:
        """Vectors at one penalty by L-BFGS, with the map and the sums solved for at each step."""
        from scipy.optimize import minimize

        shapes = [part.shape for part in vectors]
        sizes = [part.numel() for part in vectors]

        def parts(entries: torch.Tensor) -> list[torch.Tensor]:
            return [
                part.view(shape) for part, shape in zip(entries.split(sizes), shapes, strict=True)
            ]

        def objective(entries: Floats) -> tuple[float, Floats]:
            point = torch.tensor(entries, device=self.device, requires_grad=True)
            with torch.enable_grad():
                features = self.rows(parts(point), train.objects)
                # at the best map its own slope is zero, so that it counts as constant
                solution = train.solved(features.detach(), l2)
                fitted = (
                    train.design @ solution[: train.n_sums] + features @ solution[train.n_sums :]
                )
                error, slope = train.error(fitted.detach())
                fitted.backward(slope)  # type: ignore[no-untyped-call]
            assert point.grad is not None
            entered = point.detach()
            penalty = solution[train.n_sums :].square().sum() + entered.square().sum()
            return error + l2 * float(penalty), (point.grad + 2 * l2 * entered).cpu().numpy()

        begun = torch.cat([part.flatten() for part in vectors]).cpu().numpy()
        options = {"maxiter": STEPS, "maxcor": MEMORY, "ftol": GAIN}
        found = minimize(objective, begun, jac=True, method="L-BFGS-B", options=options)
        ended = parts(torch.tensor(found.x, device=self.device))
        solution = train.solved(self.rows(ended, train.objects), l2)
        sums, weight = solution[: train.n_sums], solution[train.n_sums :]
        within = ROOM * train.farthest
        fit = _Fit(sums, ended, weight, l2, vectors[-1].shape[-1], np.inf, within)
        return replace(fit, validation=mean_error(held.values - fit.of(self, held.table)))


def convolved(
    one: Float[torch.Tensor, "scenes width"], other: Float[torch.Tensor, "scenes width"]
) -> Float[torch.Tensor, "scenes width"]:
    """Circular convolution of rows (Plate 1995): entry j is the sum over i of one_i other_(j-i).

    Args:
        one: (n, p)
        other: (n, p)
    """
    spectrum = torch.fft.rfft(one) * torch.fft.rfft(other)
    return torch.fft.irfft(spectrum, n=one.shape[1])


def _outer(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(n, p * q) outer products of rows."""
    return (one[:, :, None] * other[:, None, :]).flatten(1)


def _applied(vector: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """(n, p) each vector under its matrix."""
    return torch.einsum("npq,nq->np", matrix, vector)


JOINS: dict[Operator, Callable[..., Shaped[torch.Tensor, " ..."]]] = {
    "role_filler": torch.add,
    "holographic": convolved,
    "tensor_product": _outer,
    "bilinear": _outer,
    "matrix_vector": _applied,
}
"""How the values of an object are joined, one after the other."""
OF_EACH_SLOT = ("role_filler", "tensor_product", "matrix_vector")
"""Operators with a linear map for each slot."""


@dataclass(frozen=True, eq=False)
class _Train:
    """What a fit asks of the train scenes: K objects, of which each has a row for each slot."""

    objects: Int[torch.Tensor, "objects concepts"]
    """(K, C) value ids."""
    design: Float[torch.Tensor, "rows columns"]
    """(m K, P)"""
    pairs: Float[torch.Tensor, "rows rows"]
    """(m K, m K) scenes that hold an object in one slot and an object in another; sparse, since of
    many objects most never meet."""
    sums: Float[torch.Tensor, "rows width"]
    """(m K, d) scaled embeddings summed over the scenes that hold an object in a slot."""
    farthest: float
    """Greatest length of a scaled embedding: its distance from the mean."""
    size: float
    """Sum of squares of all scaled embeddings."""
    n: int
    """Scenes."""

    @classmethod
    def of(cls, probe: OperatorProbe, table: torch.Tensor, values: torch.Tensor) -> _Train:
        n, m, _ = table.shape
        objects, number = torch.unique(table.flatten(0, 1), dim=0, return_inverse=True)
        k = len(objects)
        rows = number.view(n, m) + k * torch.arange(m, device=table.device)
        sums = values.new_zeros(m * k, values.shape[1])
        for one in rows.T:
            sums.index_add_(0, one, values)
        places = torch.stack([rows.repeat_interleave(m, dim=1), rows.repeat(1, m)])  # (2, n, m m)
        ones = values.new_ones(n * m * m)
        with warnings.catch_warnings():
            # torch calls its sparse rows a beta, which they have been for years
            warnings.filterwarnings("ignore", "Sparse ", UserWarning)
            found = torch.sparse_coo_tensor(
                places.flatten(1), ones, (m * k, m * k), check_invariants=True
            )
            pairs = found.coalesce().to_sparse_csr()
        farthest = float(values.norm(dim=1).max())
        size = float(values.square().sum())
        return cls(objects, probe.design(objects), pairs, sums, farthest, size, n)

    @property
    def n_sums(self) -> int:
        """P, columns of the additive part."""
        return self.design.shape[1]

    def solved(self, features: torch.Tensor, l2: float) -> torch.Tensor:
        """(P + q, d) the sums and the map that are best for given features (m K, q)."""
        both = torch.cat([self.design, features], dim=1)
        gram = both.T @ (self.pairs @ both)
        factor = penalised_factor(gram, self.n_sums, l2, self.n)
        return torch.cholesky_solve(both.T @ self.sums, factor)

    def error(self, fitted: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Mean over scenes of the squared length of the residual, from the part of each object (m
        K, d), and its slope there.
        """
        rest = self.pairs @ fitted - self.sums
        crossed = float((fitted * (rest - self.sums)).sum())
        return (self.size + crossed) / self.n, 2 / self.n * rest


@dataclass(frozen=True, eq=False)
class _Held:
    """Validation scenes."""

    table: Int[torch.Tensor, "scenes slots concepts"]
    values: Float[torch.Tensor, "scenes width"]


@dataclass(frozen=True, eq=False)
class _Fit:
    """A candidate and its error on validation."""

    sums: torch.Tensor
    vectors: list[torch.Tensor]
    map: torch.Tensor | None
    l2: float
    width: int
    validation: float
    within: float = np.inf
    """Length that longer predictions are shortened to."""

    def of(self, probe: OperatorProbe, table: torch.Tensor) -> torch.Tensor:
        """(n, d) scaled predictions for a table (n, m, C)."""
        n, m, _ = table.shape
        objects, number = torch.unique(table.flatten(0, 1), dim=0, return_inverse=True)
        part = probe.design(objects) @ self.sums
        if self.map is not None:
            part = part + probe.rows(self.vectors, objects) @ self.map
        rows = number.view(n, m) + len(objects) * torch.arange(m, device=table.device)
        found = torch.stack([part[one] for one in rows.T]).sum(dim=0)
        lengths = found.norm(dim=1, keepdim=True).clamp_min(np.finfo(float).tiny)
        return found * (self.within / lengths).clamp_max(1)
