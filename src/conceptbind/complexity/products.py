"""Structured approximators: sums and products of vectors of values, followed by a linear map,
solved by second-order steps.

    additive             sum of u_{i,k}(c_ik)

    per-object products  additive + sum over objects i of the product over k of v_{i,k}(c_ik)

    global product       additive + the product over objects i and concepts k of v_{i,k}(c_ik)

(arXiv 2605.31503, section 6). Products are elementwise in R^r; then a linear map to R^d. The loss
is the squared error plus a penalty on all product vectors and the map alike. With all factors at
their best the penalty counts the size of each of the r products less than in proportion, so that it
removes products that are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

Products = Literal["none", "per_object", "global"]
PRODUCTS = ("none", "per_object", "global")
MOST_STEPS = 30
"""Steps at one penalty."""
GAIN = 1e-3
"""Relative gain of the objective below which a penalty counts as solved."""
MOST_UNKNOWNS = 4096
"""Entries of all product vectors; one step solves for them at once and takes their cube. Wider
probes are fitted by gradients."""
GRADIENT_STEPS, GRADIENT_BATCH, GRADIENT_LOOK = 800, 512, 50
"""Fits by gradients: their steps, scenes per step, and steps between two looks at validation."""
GRADIENT_RATE, GRADIENT_DECAYS = 1e-2, (0.3, 1.0)
"""Largest learning rate of AdamW, and the weight decays of products that validation chooses
from."""


class StructuredProbe:
    """Additive, per-object and global product probes.

    Validation chooses the penalty, the step, the rank and the start.

    Args:
        sizes: (V_1, ..., V_C) number of values of each concept.
        n_slots: m.
        products: `none`, `per_object` or `global`.
        additive: whether the additive part is there; without it a product stands alone.
        per_slot: whether the additive part has vectors of its own for each slot. The paper's has
            not, so that it cannot know which object stands left; a product probe can.
        rank: r, the largest number of products; a quarter and a sixteenth of it are tried too. With
            more products than `MOST_UNKNOWNS` allows for one second-order step, r is taken as it is
            and fitted by AdamW with several weight decays.
        starts: random starts of each rank.
        seed: of the starts.
        device: where torch computes, in double precision.
    """

    best_: _Fit
    scale_: Scale
    l2_: float
    rank_: int
    """0 where the additive part alone was the best."""
    validation_: float

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_slots: int,
        *,
        products: Products = "global",
        additive: bool = True,
        per_slot: bool = True,
        rank: int = 16,
        starts: int = 2,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if products not in PRODUCTS:
            raise UnknownNameError(
                f"unknown products '{cut(products)}'; {nearest(products, PRODUCTS)}"
            )
        if products == "none" and not additive:
            raise ValueRangeError(
                "a probe without products and without an additive part has nothing to fit"
            )
        if rank < 1 or starts < 1:
            raise ValueRangeError(f"rank and starts must be at least 1; got {rank} and {starts}")
        self.sizes, self.n_slots, self.products = tuple(sizes), n_slots, products
        self.additive, self.per_slot, self.rank, self.starts, self.seed, self.device = (
            additive,
            per_slot,
            rank,
            starts,
            seed,
            device,
        )

    def fit(self, train: Labelled, validation: Labelled) -> StructuredProbe:
        """Fit on `train`; `validation` chooses."""
        check_labels(train, self.sizes, self.n_slots)
        check_labels(validation, self.sizes, self.n_slots)
        self.scale_ = Scale.of(train.values)
        fitted, held = (_Data.of(part, self.scale_, self) for part in (train, validation))
        best = self._additive(fitted, held)
        if self.products != "none" and self.rank > self.most():
            first = (
                self._lifted(train, validation)
                if self.products == "global" and self.n_slots > 1
                else None
            )
            best = best if first is None else _better(best, first)
            for decay in GRADIENT_DECAYS:
                best = _better(best, self._gradient(fitted, held, decay, first))
        elif self.products != "none":
            for rank in self.ranks():
                for start in range(self.starts):
                    found = self._products(fitted, held, rank, start)
                    best = _better(best, found)
                    if best.validation <= EXACT:  # exact: nothing is left to choose
                        break
        self.best_ = best
        self.l2_, self.rank_, self.validation_ = (
            best.l2,
            best.rank,
            best.validation * self.scale_.size**2,
        )
        return self

    def ranks(self) -> list[int]:
        """Ranks that are tried by second-order steps."""
        return sorted({max(1, self.rank // 16), max(1, self.rank // 4), self.rank})

    def most(self) -> int:
        """The largest rank that one second-order step can solve for."""
        return max(1, MOST_UNKNOWNS // (self.n_slots * sum(self.sizes)))

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) predictions for a table (n, m, C)."""
        fit = self.best_
        table = torch.tensor(np.asarray(labels).reshape(len(labels), -1), device=self.device)
        predicted = self._design(table) @ fit.sums
        if fit.map is not None:
            predicted += self._features(fit.vectors, table) @ fit.map
        return self.scale_.back(predicted.cpu().numpy())

    # A table of labels has m * C columns, slot after slot; column f holds concept f % C.

    def _design(self, table: torch.Tensor) -> torch.Tensor:
        """(n, P) the additive part."""
        return design_of(table, self.sizes, additive=self.additive, per_slot=self.per_slot)

    def _groups(self) -> list[list[int]]:
        """Columns that are multiplied with each other."""
        n_concepts = len(self.sizes)
        columns = list(range(self.n_slots * n_concepts))
        return (
            [columns]
            if self.products == "global"
            else [columns[i : i + n_concepts] for i in columns[::n_concepts]]
        )

    def _features(self, vectors: list[torch.Tensor], table: torch.Tensor) -> torch.Tensor:
        """(n, r) sum over groups of the products of their columns' vectors."""

        def product(group: list[int]) -> torch.Tensor:
            return torch.stack([vectors[f][table[:, f]] for f in group]).prod(dim=0)

        return torch.stack([product(group) for group in self._groups()]).sum(dim=0)

    def _without(self, vectors: list[torch.Tensor], table: torch.Tensor) -> list[torch.Tensor]:
        """For each column (n, r) the product of the others of its group: what its vector is
        multiplied with.
        """
        found = {}
        for group in self._groups():
            for f in group:
                others = [vectors[other][table[:, other]] for other in group if other != f]
                found[f] = (
                    torch.stack(others).prod(dim=0)
                    if others
                    else torch.ones(
                        len(table), vectors[f].shape[1], dtype=torch.float64, device=table.device
                    )
                )
        return [found[f] for f in sorted(found)]

    def _additive(self, train: _Data, held: _Data) -> _Fit:
        fit = fit_sums(train.design, train.values, held.design, held.values)
        return _Fit(fit.weight, [], None, fit.l2, 0, fit.validation)

    def _products(self, train: _Data, held: _Data, rank: int, start: int) -> _Fit:
        """One random start, along the penalties."""
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + 1009 * rank + start)
        columns = range(train.table.shape[1])
        vectors = [
            torch.randn(
                self.sizes[f % len(self.sizes)], rank, generator=random, dtype=torch.float64
            ).to(self.device)
            for f in columns
        ]
        state = self._solve_map(vectors, train, FIRST_L2)
        state, best = self._descend(state, train, held, FIRST_L2, None)

        def go(at: _State, best: _Fit, l2: float) -> tuple[_State, _Fit]:
            return self._descend(at, train, held, l2, best)

        return along_penalties(state, best, go)

    def _lifted(self, train: Labelled, validation: Labelled) -> _Fit | None:
        """The best per-object products as a global product; None where they are of no use.

        A product over all objects can be one over a single object, where the vectors of the others
        are one: each object gets a share of the r products. From random vectors alone a global
        product often ends in a worse minimum than this.
        """
        rank = max(1, self.rank // self.n_slots)
        probe = StructuredProbe(
            self.sizes,
            self.n_slots,
            products="per_object",
            additive=self.additive,
            per_slot=self.per_slot,
            rank=rank,
            starts=self.starts,
            seed=self.seed,
            device=self.device,
        ).fit(train, validation)
        found = probe.best_
        if found.map is None:
            return None
        vectors = []
        for f, part in enumerate(found.vectors):
            blocks = torch.ones(
                len(part), self.n_slots, found.rank, dtype=torch.float64, device=self.device
            )
            blocks[:, f // len(self.sizes)] = part
            vectors.append(blocks.flatten(1))
        return _Fit(
            found.sums,
            vectors,
            found.map.repeat(self.n_slots, 1),
            found.l2,
            self.n_slots * found.rank,
            found.validation,
        )

    @torch.enable_grad()
    def _gradient(self, train: _Data, held: _Data, decay: float, first: _Fit | None) -> _Fit:
        """All parts together by AdamW in single precision, from a fit or from random vectors; the
        best look on validation is kept.

        Random vectors of a global product start around one, since a product of many random numbers
        starts at nearly nothing.
        """
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + 17)
        centre, d, n = (
            (1.0 if self.products == "global" else 0.0),
            train.values.shape[1],
            len(train.values),
        )
        size = d**0.5  # so that entries are about one
        if first is None or first.map is None:
            drawn = [
                centre + torch.randn(self.sizes[f % len(self.sizes)], self.rank, generator=random)
                for f in range(train.table.shape[1])
            ]
            start = [
                torch.zeros(train.design.shape[1], d),
                0.3 * self.rank**-0.5 * torch.randn(self.rank, d, generator=random),
                *drawn,
            ]
        else:
            start = [size * first.sums, size * first.map, *first.vectors]
        sums, weight, *vectors = (part.float().to(self.device).requires_grad_() for part in start)
        design, values = train.design.float(), size * train.values.float()
        optimiser = torch.optim.AdamW(
            [
                {"params": [sums], "weight_decay": 0.0},
                {"params": [*vectors, weight], "weight_decay": decay},
            ]
        )
        best: _Fit | None = None
        for step in range(GRADIENT_STEPS):
            share = 1 - step / GRADIENT_STEPS
            for group, rate in zip(
                optimiser.param_groups, (3 * GRADIENT_RATE, GRADIENT_RATE), strict=True
            ):
                group["lr"] = rate * share
            rows = torch.randint(n, (min(GRADIENT_BATCH, n),), generator=random).to(self.device)
            loss = (
                (
                    design[rows] @ sums
                    + self._features(vectors, train.table[rows]) @ weight
                    - values[rows]
                )
                .square()
                .mean()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % GRADIENT_LOOK == GRADIENT_LOOK - 1:
                parts = [part.detach().double() for part in (sums / size, weight / size, *vectors)]
                error = mean_error(
                    held.values
                    - held.design @ parts[0]
                    - self._features(parts[2:], held.table) @ parts[1]
                )
                if best is None or error < best.validation:
                    best = _Fit(parts[0], parts[2:], parts[1], decay, weight.shape[0], error)
        assert best is not None
        return best

    def _solve_map(self, vectors: list[torch.Tensor], data: _Data, l2: float) -> _State:
        """The additive part and the map that are best for given product vectors."""
        n, n_sums = len(data.values), data.design.shape[1]
        both = torch.cat([data.design, self._features(vectors, data.table)], dim=1)
        gram = both.T @ both
        factor = penalised_factor(gram, n_sums, l2, n)
        solution = torch.cholesky_solve(both.T @ data.values, factor)
        rest = data.values - both @ solution
        sums, weight = solution[:n_sums], solution[n_sums:]
        penalty = weight.square().sum() + sum(part.square().sum() for part in vectors)
        return _State(
            vectors, both, factor, sums, weight, rest, float(rest.square().sum() + l2 * n * penalty)
        )

    def _descend(
        self, state: _State, train: _Data, held: _Data, l2: float, best: _Fit | None
    ) -> tuple[_State, _Fit]:
        """Levenberg-Marquardt steps on the product vectors, with the additive part and the map
        solved for at each of them.
        """
        state, damping = self._solve_map(state.vectors, train, l2), 1e-2
        for _ in range(MOST_STEPS):
            taken, damping = self._step(state, train, l2, damping)
            if taken is None:
                break
            gain, state = 1 - taken.objective / state.objective, taken
            error = mean_error(
                held.values
                - held.design @ state.sums
                - self._features(state.vectors, held.table) @ state.map
            )
            if best is None or error < best.validation:
                best = _Fit(state.sums, state.vectors, state.map, l2, state.map.shape[0], error)
            if gain < GAIN or best.validation <= EXACT:
                break
        if best is None:
            error = mean_error(
                held.values
                - held.design @ state.sums
                - self._features(state.vectors, held.table) @ state.map
            )
            best = _Fit(state.sums, state.vectors, state.map, l2, state.map.shape[0], error)
        return state, best

    def _step(
        self, state: _State, data: _Data, l2: float, damping: float
    ) -> tuple[_State | None, float]:
        """One step that lowers the objective, or None.

        The residual changes with the vector of value c of column f by (product of the other
        columns) x (row of the map). With the additive part and the map eliminated (Kaufman's
        variable projection), the Gauss-Newton matrix is the Gram matrix of those products after
        projection, times the Gram matrix of the map, entry by entry.
        """
        n, rank = len(data.values), state.map.shape[0]
        gram_of_map, pull = state.map @ state.map.T, state.rest @ state.map.T
        without = self._without(state.vectors, data.table)
        size = sum(len(part) for part in state.vectors)
        gram = torch.zeros(size, rank, size, rank, dtype=torch.float64, device=pull.device)
        crossed = torch.zeros(
            state.both.shape[1], size, rank, dtype=torch.float64, device=pull.device
        )
        slope = -l2 * n * torch.cat(state.vectors)
        for (f, at), rows in data.members.items():
            mine = without[f][rows]
            slope[at] += (mine * pull[rows]).sum(dim=0)
            crossed[:, at] = state.both[rows].T @ mine
            beside = torch.zeros(len(rows), size, rank, dtype=torch.float64, device=pull.device)
            numbers = torch.arange(len(rows), device=pull.device)
            for other, offset in enumerate(data.offsets):
                beside[numbers, data.table[rows, other] + offset] = without[other][rows]
            gram[at] = (mine.T @ beside.flatten(1)).view(rank, size, rank)
        flat = crossed.flatten(1)
        gram -= (flat.T @ torch.cholesky_solve(flat, state.factor)).view(size, rank, size, rank)
        matrix = (gram * gram_of_map[None, :, None, :]).view(size * rank, size * rank)
        diagonal = matrix.diagonal().clone().clamp_min(1e-12 * float(matrix.diagonal().max()))
        ends = np.cumsum([len(part) for part in state.vectors]).tolist()
        for _ in range(8):
            damped = matrix.clone()
            damped.diagonal().add_(l2 * n + damping * diagonal)
            factor, failed = torch.linalg.cholesky_ex(damped)
            if not failed:
                step = torch.cholesky_solve(slope.view(-1, 1), factor).view(size, rank)
                moved = [
                    part + step[end - len(part) : end]
                    for part, end in zip(state.vectors, ends, strict=True)
                ]
                taken = self._solve_map(moved, data, l2)
                if taken.objective < state.objective:
                    return taken, max(damping / 5, 1e-9)
            damping *= 4 if not failed else 10
        return None, damping


@dataclass(frozen=True, eq=False)
class _Data:
    """Labels and scaled values on the device, with what every step asks of them."""

    table: Int[torch.Tensor, "scenes labels"]
    """(n, m * C)"""
    values: Float[torch.Tensor, "scenes width"]
    """(n, d)"""
    design: Float[torch.Tensor, "scenes parameters"]
    """(n, P)"""
    offsets: list[int]
    """Where the values of each column begin among all of them."""
    members: dict[tuple[int, int], torch.Tensor]
    """Rows that hold a value, by column and number of the value among all columns."""

    @classmethod
    def of(cls, part: Labelled, scale: Scale, probe: StructuredProbe) -> _Data:
        table = torch.tensor(part.labels.reshape(len(part.labels), -1), device=probe.device)
        values = torch.as_tensor(scale.to(part.values), device=probe.device)
        widths = probe.sizes * probe.n_slots
        offsets = [0, *np.cumsum(widths)[:-1].tolist()]
        members = {}
        for f, (offset, width) in enumerate(zip(offsets, widths, strict=True)):
            for value in range(width):
                rows = torch.nonzero(table[:, f] == value)[:, 0]
                if len(rows):
                    members[f, offset + value] = rows
        return cls(table, values, probe._design(table), offsets, members)


@dataclass(frozen=True, eq=False)
class _State:
    """Product vectors with the additive part and the map that are best for them."""

    vectors: list[torch.Tensor]
    both: torch.Tensor
    """(n, P + r) design and features."""
    factor: torch.Tensor
    """Cholesky factor of their penalised Gram matrix."""
    sums: torch.Tensor
    """(P, d)"""
    map: torch.Tensor
    """(r, d)"""
    rest: torch.Tensor
    """(n, d) residual."""
    objective: float


@dataclass(frozen=True, eq=False)
class _Fit:
    """A candidate and its error on validation."""

    sums: torch.Tensor
    vectors: list[torch.Tensor]
    map: torch.Tensor | None
    l2: float
    rank: int
    validation: float


def _better(simpler: _Fit, other: _Fit) -> _Fit:
    """The other one only where it is clearly better."""
    return other if other.validation < (1 - SIMPLER) * simpler.validation else simpler
