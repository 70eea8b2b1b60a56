"""LABCLIP as an estimator: captions, pictures and hard negatives in, a linear map of captions
out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import UnknownNameError, ValueRangeError, counted, cut, nearest
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.pairs import Pairs, flat_ids
from conceptbind.repairs.labclip.solver import Candidate, Course, Judge, best, published, quick

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints

FLOATS = (np.float64, np.float32, np.float16)
Solver = Literal["quick", "published"]
RATES = {"quick": 2e-2, "published": 1e-3}
EPOCHS = {"quick": 1, "published": 10}


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted repair and the way it came about."""

    adapter: Adapter
    candidates: tuple[Candidate, ...]
    """The identity, then the places on the way."""
    chosen: Candidate
    """The one that validation chose."""

    @property
    def helps(self) -> bool:
        """Whether validation preferred a repair to none."""
        return self.chosen.step > 0


class Helpful(Protocol):
    """A fit that says whether validation preferred it to no repair."""

    @property
    def helps(self) -> bool:
        """Whether it did."""


F = TypeVar("F", bound=Helpful)


def first_that_helps(fits: Iterable[F]) -> F:
    """The first fit that is not an identity, else the last; those behind it are not made.

    What is written was scored in folds, as maps: a part that would stop at the identity is not what
    was scored.

    Args:
        fits: fits, made one by one.
    """
    for fit in fits:
        if fit.helps:
            break
    return fit


@explains_arguments
def fit_pairs(
    train: Pairs,
    validation: Pairs,
    *,
    solver: Solver = "quick",
    rate: float | None = None,
    batch: int = 1024,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Fit A on train pairs; validation chooses among the identity and the places on the way.

    With negatives this is HNB, without SB (arXiv 2502.03566, section 5).

    Args:
        train: pairs that the gradient sees.
        validation: pairs that choose.
        solver: `published` (Adam), or `quick` (Adam along the principal axes, a falling rate).
        rate: of the steps; by default 1e-3 (published), 2e-2 (quick).
        batch: pairs of a step.
        epochs: passes over the pairs; by default 10 (published), 1 (quick, and at least 100 steps).
        seed: of the batches.
        device: where torch computes.
        on_step: called with steps done and steps in all.

    Raises:
        UnknownNameError: an unknown solver.
        ValueRangeError: options out of range, or too few pairs.
    """
    if solver not in RATES:
        raise UnknownNameError(f"unknown solver '{cut(solver)}'; {nearest(solver, RATES)}")
    rate = RATES[solver] if rate is None else rate
    epochs = EPOCHS[solver] if epochs is None else epochs
    for name, value, least, most in (
        ("rate", rate, 1e-12, 1e30),
        ("batch", batch, 2, np.inf),
        ("epochs", epochs, 1, np.inf),
    ):
        if not least <= value <= most:
            raise ValueRangeError(
                f"{name} must be at least "
                f"{least}{'' if most == np.inf else f' and at most {most:g}'}; got {value}"
            )
    if min(len(train), len(validation)) < 2:
        raise ValueRangeError(
            f"a repair needs at least two pairs to fit on and two to choose on; got {len(train)} "
            f"and {len(validation)}"
        )
    import torch

    judge = Judge(validation, batch, seed, device)
    candidates = [
        judge.identity(torch.eye(train.images.shape[1], train.texts.shape[1], device=device))
    ]
    course = Course(rate, batch, epochs, seed, device, on_step)
    way = (
        published(train, judge, course)
        if solver == "published"
        else quick(train, judge, candidates[0], course)
    )
    candidates += [candidate for candidate in way if bool(torch.isfinite(candidate.weight).all())]
    chosen = best(candidates)
    config = {
        "protocol": "SB" if train.negatives is None else "HNB",
        "solver": solver,
        "rate": rate,
        "batch": batch,
        "epochs": epochs,
        "seed": seed,
        "steps": chosen.step,
        "pairs": len(train),
        "data_hash": train.hash,
    }
    return Fit(
        Adapter(chosen.weight.cpu().numpy(), chosen.log_temperature, config),
        tuple(candidates),
        chosen,
    )


class LabClip(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A linear map of captions under which they bind like their pictures (LABCLIP, arXiv
    2502.03566, section 5).

    Args:
        solver: `quick` or `published`, see `fit_pairs`.
        rate: of the steps; None for the solver's own.
        batch: pairs of a step.
        epochs: passes over the pairs; None for the solver's own.
        validation: share of the pictures, with all their captions, that chooses.
        seed: of the split and the batches.
        device: where torch computes: cpu, cuda, ...

    Attributes:
        adapter_: the frozen map; `adapter_(texts)` is what `transform` returns.
        weight_: (d_out, d_in) A.
        helps_: whether validation preferred it to the identity, which is always a candidate.
        candidates_: what validation said of the identity and of every place on the way.
        n_features_in_: d_in.
    """

    def __init__(
        self,
        *,
        solver: Solver = "quick",
        rate: float | None = None,
        batch: int = 1024,
        epochs: int | None = None,
        validation: float = 0.1,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.solver = solver
        self.rate = rate
        self.batch = batch
        self.epochs = epochs
        self.validation = validation
        self.seed = seed
        self.device = device

    def fit(
        self,
        X: Shaped[Floats, "captions width_in"],
        y: Shaped[Floats, "pictures width_out"],
        *,
        negatives: Shaped[Floats, "captions *several width_in"] | None = None,
        image_of: Sequence[int] | Int[Ints, " captions"] | None = None,
    ) -> Self:
        """Fit on captions and their pictures.

        Args:
            X: (n, d_in) rows of captions.
            y: (n, d_out) rows of their pictures, or (p, d_out) with `image_of`.
            negatives: (n, d_in) rows of each caption with its attributes swapped, or (n, k, d_in)
                of 1 to 8 wrong captions of each; None fits without (SB).
            image_of: (n,) row of each caption's picture.

        Raises:
            ShapeError: lengths or widths that do not fit.
            ValueRangeError: NaN, zero rows, a negative that equals its caption, or too few pairs.
        """
        if y is None:
            raise ValueRangeError(
                "LabClip requires y to be passed, but the target y is None; give the rows of the "
                "captions' pictures"
            )
        X, y = self._numbers(X, reset=True), _rows(y)
        negatives = None if negatives is None else _rows(negatives, several=True)
        pairs = Pairs.of(
            y,
            X,
            negatives,
            image_of=image_of,
            names=("the pictures", "the captions", "the negatives"),
        )
        train, chooses = hold_out(pairs, self.validation, self.seed)
        fit = fit_pairs(
            pairs.select(train),
            pairs.select(chooses),
            solver=self.solver,
            rate=self.rate,
            batch=self.batch,
            epochs=self.epochs,
            seed=self.seed,
            device=self.device,
        )
        self.adapter_, self.weight_, self.helps_, self.candidates_ = (
            fit.adapter,
            fit.adapter.weight,
            fit.helps,
            fit.candidates,
        )
        return self

    def transform(
        self, X: Shaped[Floats, "captions width_in"]
    ) -> Float[Floats, "captions width_out"]:
        """(n, d_out) mapped captions of unit length."""
        check_is_fitted(self)
        return self.adapter_(self._numbers(X, reset=False))

    def _numbers(self, X: Any, *, reset: bool) -> Floats:
        """Rows as numbers of the width that was fitted; what is mapped from disk stays there, and
        `Pairs` checks it in blocks.
        """
        least = 2 if reset else 1
        rows: Floats = validate_data(
            self,
            X,
            reset=reset,
            skip_check_array=_mapped(X),
            dtype=FLOATS,
            ensure_min_samples=least,
        )
        return rows

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's checks may give to it: y are rows of pictures, none of them zero."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = tags.target_tags.multi_output = (
            tags.target_tags.positive_only
        ) = True
        tags.target_tags.single_output = False
        tags.transformer_tags.preserves_dtype = []  # mapped captions are single precision
        return tags


def _rows(array: Any, *, several: bool = False) -> Floats:
    if _mapped(array, (2, 3) if several else (2,)):
        return array  # type: ignore[no-any-return]
    rows: Floats = check_array(array, dtype=FLOATS, allow_nd=several)
    return rows


def _mapped(array: Any, axes: tuple[int, ...] = (2,)) -> bool:
    return isinstance(array, np.memmap) and array.dtype.kind == "f" and array.ndim in axes


@explains_arguments
def hold_out(
    pairs: Pairs, share: float, seed: int
) -> tuple[Int[Ints, " train"], Int[Ints, " validation"]]:
    """Rows to fit on and rows to choose on; captions of one picture, and captions that
    mean the same, stay on one side.

    Groups of pairs that must stay together are drawn. One that is larger than the part itself is
    fitted on, unless nothing else is left.

    Args:
        pairs: pictures, captions and negatives.
        share: share of the pairs to choose on, between 0 and 1.
        seed: decides the draw.

    Raises:
        ValueRangeError: a share outside 0..1, or pairs that cannot be divided.
    """
    if not 0 < share < 1:
        raise ValueRangeError(f"the validation share must lie between 0 and 1; got {share}")
    return divided(groups_of(pairs), share, seed)


def divided(
    groups: Int[Ints, " pairs"], share: float, seed: int
) -> tuple[Int[Ints, " train"], Int[Ints, " validation"]]:
    """Rows to fit on, and a share of the groups to hold out.

    Args:
        groups: (n,) what must stay together.
        share: of the groups.
        seed: of the draw.

    Raises:
        ValueRangeError: they cannot be divided.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    number = round(share * len(order))
    # what is larger than the part comes last
    order = order[np.argsort(sizes[order] > max(2, share * len(groups)), kind="stable")]
    number = max(1 + int(np.searchsorted(sizes[order].cumsum(), 2)), number)  # at least two rows
    chosen = np.isin(groups, order[:number])
    rows = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    if min(map(len, rows)) < 2:
        raise ValueRangeError(
            f"{counted(len(groups), 'pair')} cannot be divided into a part to fit on and one "
            "to choose on: "
            "they share pictures or captions, or are too few"
        )
    return rows


@explains_arguments
def parts_of(pairs: Pairs, most: int, seed: int) -> Int[Ints, " pairs"]:
    """(n,) part of each pair, parts of nearly equal size; what shares a picture or means the
    same is in one part.

    Args:
        pairs: n pairs.
        most: parts, where there are so many groups of pairs that must stay together, and each part
            has two pairs; else fewer, and at least three.
        seed: of the order in which groups are dealt out.

    Raises:
        ValueRangeError: fewer than three groups, or three parts of which one has a single pair.
    """
    groups = groups_of(pairs)
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    # the largest first, each to the part that has fewest pairs
    order = order[np.argsort(-sizes[order], kind="stable")]
    for parts in range(max(min(most, len(sizes)), 3), 2, -1):
        heap = [(0, part) for part in range(parts)]
        part_of = np.empty(len(sizes), dtype=np.int64)
        for group in order.tolist():
            size, part_of[group] = heap[0]
            heapq.heapreplace(heap, (size + int(sizes[group]), int(part_of[group])))
        if min(size for size, _ in heap) >= 2:
            return part_of[groups]
    raise ValueRangeError(
        f"{counted(len(pairs), 'pair')} cannot be divided into parts to fit on, to choose on "
        "and to score: "
        "they share pictures or captions, "
        "or are too few"
    )


@explains_arguments
def groups_of(pairs: Pairs) -> Int[Ints, " pairs"]:
    """(n,) number of each pair's group: pairs that share a picture, or what a caption or a negative
    says, are in one.

    Args:
        pairs: n pairs of pictures and captions.
    """
    said = flat_ids(pairs.negative_ids)
    return linked(pairs.picture_ids[pairs.image_of], pairs.text_ids, said)


def linked(
    pictures: Int[Ints, " pairs"], texts: Int[Ints, " pairs"], negatives: Int[Ints, " negatives"]
) -> Int[Ints, " pairs"]:
    """(n,) connected groups of rows that share a picture or what a caption or a negative says.

    They are numbered as they appear: values are hashes, whose order says nothing.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    picture = np.unique(pictures, return_inverse=True)[1]
    said = np.unique(np.concatenate([texts, negatives]), return_inverse=True)[1] + picture.max() + 1
    rows = np.tile(picture, len(said) // len(picture))
    size = int(said.max()) + 1
    edges = coo_matrix((np.ones(len(rows), dtype=bool), (rows, said)), shape=(size, size))
    groups: Ints = connected_components(edges, directed=False)[1][picture]
    _, first, found = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[found]
