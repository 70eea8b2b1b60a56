"""Probes that read the concepts and objects of a scene from its embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.recognitions import (
    Recognition,
    held_among,
    join,
    magnitude,
    recognition,
)
from conceptbind.probes.solver import Rows, solve
from conceptbind.probes.threads import in_order, steady

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

WHITENING = (0.5, 0.25)
"""Whitenings that validation chooses from. Without any, the penalty forbids the directions of
little variance that carry binding."""
L2_GRID = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
"""Penalties that validation chooses from, for whitened features with mean square one."""
PATIENCE = 2
"""Penalties without a gain on validation after which no smaller one is tried."""
CHOOSING_TOLERANCE = 1e-4
"""How near its optimum a penalty is judged; the chosen one is then solved to the end."""
CHUNK = 8192
"""Scenes scored at once."""


@dataclass(frozen=True, eq=False, repr=False)
class Probe:
    """One bias-free linear map from embeddings to scores, and how it was found."""

    weight: Float[Floats, "candidates width"]
    """(K, d) one row for each value of the concept, or for each object that occurs in the
    scenes."""
    candidates: Int[Ints, " candidates"]
    """(K,) value ids or object ids of the rows."""
    whitening: float
    """Whitening chosen on validation; see `LinearProbe`."""
    l2: float
    """Penalty chosen on validation."""
    validation: float
    """Recognition on validation with both."""
    gradient_norm: float
    """Gradient of the regularised loss at the end, on the whitened features."""
    relative_gradient_norm: float
    """The same divided by the norm at zero weights."""
    gap: float
    """Estimated distance of the loss from its minimum, in nats."""
    gap_bound: float
    """Upper bound of that distance."""
    converged: bool

    def __repr__(self) -> str:
        n, width = self.weight.shape
        return f"<Probe of {counted(n, 'candidate')}: {width:,} dimensions, penalty {self.l2:g}>"


@dataclass(frozen=True, eq=False, repr=False)
class SceneProbes:
    """The probes of one encoder on one scene table (arXiv 2605.31503, section 3)."""

    concepts: tuple[Probe, ...]
    """One for each concept."""
    objects: Probe

    def __repr__(self) -> str:
        n, width = self.objects.weight.shape
        concepts, objects = counted(len(self.concepts), "concept"), counted(n, "object")
        return f"<SceneProbes of {concepts} and {objects}: {width:,} dimensions>"

    def head(self, concept: int | None) -> Probe:
        """The probe of a concept, or of objects (None)."""
        return self.objects if concept is None else self.concepts[concept]

    def recognise(
        self,
        embeddings: Float[Floats, "scenes width"],
        scenes: Scenes,
        rows: Int[Ints, " rows"],
        concept: int | None,
    ) -> Recognition:
        """Concept or object recognition on some rows of a table; memory is bounded by a chunk."""
        probe = self.head(concept)
        return _recognise(probe.weight, probe.candidates, embeddings, scenes, rows, concept)


@explains_arguments
@steady()
def fit_scene_probes(
    embeddings: Float[Floats, "scenes width"],
    scenes: Scenes,
    split: Split,
    *,
    l2_grid: Sequence[float] = L2_GRID,
    whitenings: Sequence[float] = WHITENING,
    tolerance: float = 1e-6,
    device: str = "cpu",
    on_step: Callable[[str], None] = lambda _: None,
) -> SceneProbes:
    """Fit one probe per concept and one for objects on the train rows; validation rows choose each
    probe's whitening and penalty.

    Targets are soft: the m objects of a scene share the mass equally. For each whitening, penalties
    are tried from the largest down, each solve starting where the one before ended. The first with
    the best validation recognition is kept and solved to the end.

    Args:
        embeddings: (n, d) one row per scene, float32 or float64.
        scenes: the n scenes.
        split: rows to fit on and to choose with; the test rows are not read.
        l2_grid: penalties, on whitened features with mean square one.
        whitenings: between 0 and 0.5, in order of preference.
        tolerance: see `LinearProbe`.
        device: where torch computes.
        on_step: called with the name of each head before it is fitted.

    Raises:
        ShapeError: not one embedding per scene.
        ValueRangeError: an embedding is NaN or infinite.
    """
    if not l2_grid or not whitenings:
        raise ValueRangeError("l2_grid and whitenings need at least one entry each")
    if embeddings.ndim != 2 or len(embeddings) != len(scenes):
        raise ShapeError(
            f"one embedding per scene: {counted(len(scenes), 'scene')} but embeddings of shape "
            f"{embeddings.shape}; embed the same table again"
        )
    train = np.asarray(embeddings[split.train])
    refuse_non_finite(train, "embeddings")
    features = torch.tensor(train, device=device)
    del train
    coordinates = whitened(features, whitenings)
    del features
    probes = []
    for concept in (*range(len(scenes.space.concepts)), None):
        on_step("objects" if concept is None else scenes.space.concepts[concept])
        held = scenes.objects if concept is None else scenes.table[:, :, concept]
        candidates = np.unique(held) if concept is None else np.arange(scenes.space.sizes[concept])
        classes = torch.tensor(np.searchsorted(candidates, held[split.train]), device=device)

        def validate(
            weight: Floats, concept: int | None = concept, candidates: Ints = candidates
        ) -> float:
            outcome = _recognise(weight, candidates, embeddings, scenes, split.validation, concept)
            return outcome.accuracy if outcome.n else 1.0

        moments = [rows.moment(classes, len(candidates)) for rows in coordinates]
        probes.append(
            fit_probe(
                coordinates, moments, candidates, validate, l2_grid=l2_grid, tolerance=tolerance
            )
        )
    return SceneProbes(tuple(probes[:-1]), probes[-1])


def whitened(
    features: Float[torch.Tensor, "rows width"], whitenings: Sequence[float] = WHITENING
) -> list[Rows]:
    """The rows (n, d) once for each whitening, with the axes of the first."""
    first = Rows(features, whitenings[0])
    return [first, *(Rows(features, whitening, like=first) for whitening in whitenings[1:])]


@steady()
def fit_probe(
    coordinates: Sequence[Rows],
    moments: Sequence[Float[torch.Tensor, "candidates _"]],
    candidates: Int[Ints, " candidates"],
    validate: Callable[[Float[Floats, "candidates width"]], float],
    *,
    l2_grid: Sequence[float] = L2_GRID,
    tolerance: float = 1e-6,
) -> Probe:
    """One probe: whitening and penalty chosen by `validate`, then solved to the end.

    Args:
        coordinates: the train rows, once for each whitening, in order of preference.
        moments: the target moment (K, r) in each.
        candidates: (K,) what the rows of the map stand for.
        validate: recognition on validation of a map (K, d) on features.
        l2_grid: penalties.
        tolerance: see `LinearProbe`.
    """
    best, chosen, l2, start = -1.0, 0, 0.0, None
    for i, (rows, moment) in enumerate(zip(coordinates, moments, strict=True)):
        found = _choose(rows, moment, l2_grid, tolerance, validate)
        if found[0] > best:
            chosen, (best, l2, start) = i, found
        if best == 1.0:
            break
    rows = coordinates[chosen]
    solution = solve(rows, moments[chosen], l2, start=start, tolerance=tolerance)
    weight = rows.in_features(solution.weight).cpu().numpy()
    return Probe(
        weight,
        candidates,
        rows.whitening,
        l2,
        validate(weight),
        solution.gradient_norm,
        solution.relative_gradient_norm,
        solution.gap,
        solution.gap_bound,
        solution.converged,
    )


def _choose(
    rows: Rows,
    moment: torch.Tensor,
    l2_grid: Sequence[float],
    tolerance: float,
    validate: Callable[[Floats], float],
) -> tuple[float, float, torch.Tensor]:
    """Best validation recognition, the penalty that reached it (the largest of equals), and the
    weights near its optimum.
    """
    chosen, worse, start = (-1.0, 0.0, moment), 0, None
    for l2 in sorted(l2_grid, reverse=True):
        start = solve(
            rows, moment, l2, start=start, tolerance=max(tolerance, CHOOSING_TOLERANCE)
        ).weight
        accuracy = validate(rows.in_features(start).cpu().numpy())
        if accuracy > chosen[0]:
            chosen, worse = (accuracy, l2, start), 0
        else:
            worse += 1
        if worse == PATIENCE or accuracy == 1.0:
            break
    return chosen


@steady()
def _recognise(
    weight: Floats,
    candidates: Ints,
    embeddings: Floats,
    scenes: Scenes,
    rows: Ints,
    concept: int | None,
) -> Recognition:
    def of(start: int) -> Recognition:
        chunk = rows[start : start + CHUNK]
        block = np.asarray(embeddings[chunk])
        scores = (torch.from_numpy(block) @ torch.from_numpy(weight).T).numpy()
        held = scenes.objects[chunk] if concept is None else scenes.table[chunk, :, concept]
        return recognition(scores, held_among(candidates, held), magnitude(block, weight))

    return join(list(in_order(of, range(0, len(rows), CHUNK))))
