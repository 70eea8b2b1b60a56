"""Free embeddings: the best that any table of n rows of d numbers can do on some scenes.

Rows and linear probes of all values and objects are fitted together, on all scenes, with the loss
that probes have. No encoder makes the rows, so nothing but their width limits them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
from conceptbind.metrics.recognitions import Recognition, recognised_by
from conceptbind.probes.threads import steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.scenes.table import Scenes

Start = Literal["normal", "cube", "box"]
STARTS: tuple[Start, ...] = ("normal", "cube", "box")
"""Where rows begin: normal numbers, and evenly between -1 and 1 or between 0 and 1."""
Similarity = Literal["dot", "cosine"]
SIMILARITIES: tuple[Similarity, ...] = ("dot", "cosine")
MOST_OBJECTS = 20_000
"""Objects that have a probe; more do not fit in memory with their scenes."""
SCALE = 10.0
"""What cosines are multiplied with at the start; it is learned."""
ITERATIONS, CHUNK = 400, 20
"""Steps of L-BFGS at most, and steps after which it is looked whether all is recognised."""
STALLED = 1e-5
"""Share by which the loss must fall in a chunk of steps."""


@dataclass(frozen=True, eq=False)
class FreeEmbeddings:
    """What was fitted from one start."""

    values: Float[Floats, "scenes width"]
    """(n, d)"""
    concepts: tuple[Recognition, ...]
    """Recognition of each concept, on the scenes that were fitted."""
    objects: Recognition
    start: Start
    similarity: Similarity
    steps: int


@explains_arguments
@steady()
def free_embeddings(
    scenes: Scenes,
    dimension: int,
    *,
    start: Start = "normal",
    similarity: Similarity = "dot",
    seed: int = 0,
    on_steps: Callable[[int], None] = lambda _: None,
) -> FreeEmbeddings:
    """Rows of a width, and probes of all values and objects, fitted together by L-BFGS.

    Args:
        scenes: n scenes.
        dimension: d.
        start: where rows and probes begin.
        similarity: of rows and weights of probes: their product, or their cosine.
        seed: of the start.
        on_steps: called with the number of steps taken since the last call.

    Raises:
        ValueRangeError: fewer than one dimension, or too many objects.
        UnknownNameError: an unknown start or similarity.
    """
    _require(scenes, dimension, start, similarity)
    targets = [_target(scenes, concept) for concept in (*range(len(scenes.space.concepts)), None)]
    sizes = [target.shape[1] for target in targets]
    random = torch.Generator().manual_seed(seed)
    rows = _begun((len(scenes), dimension), start, random).requires_grad_()
    weights = torch.randn(sum(sizes), dimension, generator=random) / dimension**0.5
    weights.requires_grad_()
    scale = torch.tensor(np.log(SCALE), dtype=torch.float32).requires_grad_()
    parameters = [rows, weights, *([scale] if similarity == "cosine" else [])]

    def loss_of() -> torch.Tensor:
        scores = _scores(rows, weights, scale, similarity)
        parts = zip(scores.split(sizes, dim=1), targets, strict=True)
        return sum((_entropy(part, target) for part, target in parts), torch.tensor(0.0))

    solver = torch.optim.LBFGS(
        parameters, max_iter=CHUNK, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        solver.zero_grad()
        loss = loss_of()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    taken, last = 0, float("inf")
    while True:
        found = _recognised(scenes, rows, weights, sizes, similarity)
        if taken >= ITERATIONS or all(outcome.accuracy == 1 for outcome in found):
            break
        loss = solver.step(closure).item()  # type: ignore[no-untyped-call]
        taken += CHUNK
        on_steps(CHUNK)
        if not np.isfinite(loss) or loss > last * (1 - STALLED):
            found = _recognised(scenes, rows, weights, sizes, similarity)
            break
        last = loss
    values = rows.detach().numpy()
    return FreeEmbeddings(values, tuple(found[:-1]), found[-1], start, similarity, taken)


@explains_arguments
def least_dimension(scenes: Scenes, most: int, *, enough: float = 1.0, seed: int = 0) -> int | None:
    """The fewest dimensions in which free embeddings recognise the objects of a share of the
    scenes, by bisection over powers of two and between two of them.

    An upper bound: rows that were not found may be there.

    Args:
        scenes: n scenes.
        most: dimensions that are tried at most.
        enough: share of scenes.
        seed: of the starts.

    Returns:
        None where `most` are not enough.
    """

    def holds(dimension: int) -> bool:
        return any(
            free_embeddings(scenes, dimension, start=start, seed=seed).objects.accuracy >= enough
            for start in STARTS
        )

    low, high = 0, 1
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _require(scenes: Scenes, dimension: int, start: str, similarity: str) -> None:
    if dimension < 1:
        raise ValueRangeError(f"the dimension must be at least 1; got {dimension}")
    for given, known, what in ((start, STARTS, "start"), (similarity, SIMILARITIES, "similarity")):
        if given not in known:
            raise UnknownNameError(f"unknown {what} '{cut(given)}'; {nearest(given, known)}")
    if scenes.space.n_objects > MOST_OBJECTS:
        raise ValueRangeError(
            f"free embeddings have a probe for each of {scenes.space.n_objects:,} objects; at most "
            f"{MOST_OBJECTS:,} are possible"
        )


def _begun(shape: tuple[int, int], start: Start, random: torch.Generator) -> torch.Tensor:
    if start == "normal":
        return torch.randn(*shape, generator=random)
    even = torch.rand(*shape, generator=random)
    return even if start == "box" else 2 * even - 1


def _target(scenes: Scenes, concept: int | None) -> torch.Tensor:
    """(n, V) equal shares of what a scene holds; values twice in a scene count twice."""
    held = scenes.objects if concept is None else scenes.table[:, :, concept]
    size = scenes.space.n_objects if concept is None else scenes.space.sizes[concept]
    target = torch.zeros(len(scenes), size)
    share = torch.full(held.shape, 1 / held.shape[1])
    return target.scatter_add_(1, torch.from_numpy(held.astype(np.int64)), share)


def _scores(
    rows: torch.Tensor, weights: torch.Tensor, scale: torch.Tensor, similarity: Similarity
) -> torch.Tensor:
    if similarity == "dot":
        return rows @ weights.T
    unit = torch.nn.functional.normalize
    return scale.exp() * (unit(rows, dim=1) @ unit(weights, dim=1).T)


def _entropy(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(scores, target)


def _recognised(
    scenes: Scenes,
    rows: torch.Tensor,
    weights: torch.Tensor,
    sizes: list[int],
    similarity: Similarity,
) -> list[Recognition]:
    """Of each concept, and of objects, by the rule of probes: a tie is a miss."""
    values, found = rows.detach().numpy(), []
    for head, part in enumerate(weights.detach().split(sizes)):
        weight = part.numpy()
        if similarity == "cosine":
            weight = weight / np.linalg.norm(weight, axis=1, keepdims=True)
        concept = head if head < len(scenes.space.concepts) else None
        found.append(recognised_by(weight, values, scenes.presence(concept)))
    return found
