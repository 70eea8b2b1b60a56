"""One cell of a sweep: an approximator fitted at one coverage, and what the probes recognise in its
predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conceptbind.complexity.coverage import Coverage, cover
from conceptbind.complexity.labels import Labelled
from conceptbind.complexity.network import MLP, fit_networks
from conceptbind.complexity.operators import OPERATORS, OperatorProbe
from conceptbind.complexity.products import StructuredProbe
from conceptbind.complexity.readout import Readout, hardest
from conceptbind.complexity.trees import Boosting, Forest
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import UnknownNameError, cut, nearest
from conceptbind.core.names import APPROXIMATORS as KNOWN
from conceptbind.core.names import Metric
from conceptbind.metrics.variance import squared_sums

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

STRUCTURED: dict[str, dict[str, Any]] = {
    "additive": {"products": "none"},
    "per_object_product": {"products": "per_object"},
    "global_product": {"products": "global"},
    "per_object_product_alone": {"products": "per_object", "additive": False},
    "global_product_alone": {"products": "global", "additive": False},
}
"""The structured probes by name."""
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "mlp_2_layers": {"depth": 2},
    "mlp_3_layers": {"depth": 3},
    "mlp_per_object_product": {"products": "per_object"},
    "mlp_global_product": {"products": "global"},
}
"""The networks by name."""
APPROXIMATORS = KNOWN
SPLITS = ("train", "mixed", "unseen")


class Approximator(Protocol):
    """The one contract: labels to embeddings."""

    validation_: float
    """Mean squared length of the residual on validation."""

    def fit(self, train: Labelled, validation: Labelled) -> Any:
        """Fit on `train`; `validation` chooses whatever is to be chosen."""

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) embeddings of a table (n, m, C)."""


def make(
    name: str,
    sizes: tuple[int, ...],
    n_slots: int,
    *,
    width: int | None = None,
    seed: int = 0,
    starts: int = 2,
    device: str = "cpu",
) -> Approximator:
    """An approximator by name; `width` is the rank of products, the dimensions of an operator's
    vectors, the hidden units of a network, the trees of an ensemble.

    Args:
        name: a name of `APPROXIMATORS`.
        sizes: number of values of each concept.
        n_slots: objects in a scene.
        width: rank of the products, dimensions of vectors, hidden units of the network, or trees
            of the ensemble; by default the own of each.
        seed: decides random starts and batches.
        starts: random starts of products and operators.
        device: a device of torch.

    Raises:
        UnknownNameError: there is no approximator of this name.
    """
    wide: dict[str, Any] = {} if width is None else {"width": width}
    if name in STRUCTURED:
        options: dict[str, Any] = STRUCTURED[name] | ({} if width is None else {"rank": width})
        return StructuredProbe(sizes, n_slots, **options, starts=starts, seed=seed, device=device)
    if name in OPERATORS:
        return OperatorProbe(
            sizes, n_slots, operator=name, **wide, starts=starts, seed=seed, device=device
        )
    if name in NETWORKS:
        return MLP(sizes, n_slots, **NETWORKS[name], **wide, seed=seed, device=device)
    if name in ("boosting", "forest"):
        return (Boosting if name == "boosting" else Forest)(sizes, n_slots, **wide, seed=seed)
    raise UnknownNameError(f"unknown approximator '{cut(name)}'; {nearest(name, APPROXIMATORS)}")


@dataclass(frozen=True, order=True)
class Cell:
    """What one fit is named by."""

    approximator: str
    width: int | None
    coverage: float
    seed: int


@dataclass(frozen=True, eq=False)
class Inputs:
    """What all cells of a sweep share; small enough to be sent to other machines."""

    values: Float[Floats, "scenes width"]
    """(n, d) unit rows."""
    scenes: Scenes
    readouts: tuple[Readout, ...]
    """Fitted on the real embeddings; the first is the one that is reported first."""
    most_scenes: int
    """Scenes that an approximator is fitted to, and scenes scored, at most; more are drawn from."""
    starts: int
    device: str = "cpu"


def fit_cell(inputs: Inputs, cell: Cell) -> list[dict[str, Any]]:
    """Fit and score one cell: a row for each part of the scenes and each metric.

    Args:
        inputs: embeddings, labels and read-outs, the same for all cells.
        cell: the approximator, its width, the coverage and the seed.
    """
    parts = cover(inputs.scenes, cell.coverage, cell.seed)
    model = _model(inputs, cell)
    model.fit(
        _labelled(inputs, parts.train, cell.seed), _labelled(inputs, parts.validation, cell.seed)
    )
    return _scored(inputs, cell, parts, model)


def fit_cells_together(
    inputs: Inputs, cells: Sequence[Cell]
) -> Iterator[tuple[Cell, list[dict[str, Any]]]]:
    """Networks of one width fitted side by side, for a GPU; the same as one by one but for
    rounding.

    Args:
        inputs: as for `fit_cell`.
        cells: cells of networks that have one name and one width.
    """
    parts = [cover(inputs.scenes, cell.coverage, cell.seed) for cell in cells]
    models = [_model(inputs, cell) for cell in cells]
    covered = list(zip(parts, cells, strict=True))
    train = [_labelled(inputs, part.train, cell.seed) for part, cell in covered]
    held = [_labelled(inputs, part.validation, cell.seed) for part, cell in covered]
    fit_networks(models, train, held)  # type: ignore[arg-type]
    for cell, part, model in zip(cells, parts, models, strict=True):
        yield cell, _scored(inputs, cell, part, model)


@explains_arguments
def some(rows: Int[Ints, " rows"], most: int, seed: int) -> Int[Ints, " some"]:
    """All rows, or as many as allowed, drawn at random.

    Args:
        rows: (n,) row numbers.
        most: how many are allowed.
        seed: decides which are drawn.
    """
    return (
        rows if len(rows) <= most else np.sort(np.random.default_rng(seed).permutation(rows)[:most])
    )


def _model(inputs: Inputs, cell: Cell) -> Approximator:
    space = inputs.scenes.space
    return make(
        cell.approximator,
        space.sizes,
        inputs.scenes.n_slots,
        width=cell.width,
        seed=cell.seed,
        starts=inputs.starts,
        device=inputs.device,
    )


def _labelled(inputs: Inputs, rows: Ints, seed: int) -> Labelled:
    drawn = some(rows, inputs.most_scenes, seed)
    return Labelled(inputs.scenes.table[drawn], np.asarray(inputs.values[drawn], dtype=np.float64))


def _scored(
    inputs: Inputs, cell: Cell, parts: Coverage, model: Approximator
) -> list[dict[str, Any]]:
    """R^2 and MSE of the predictions, and what every read-out recognises in them, beside what it
    recognised on validation.
    """
    scenes, rows = inputs.scenes, []
    centre = inputs.values[parts.train].mean(axis=0, dtype=np.float64)
    facts = {
        "validation": float(model.validation_),
        "n_train": min(len(parts.train), inputs.most_scenes),
        "missing_values": parts.missing_values,
    }
    held = some(parts.validation, inputs.most_scenes, cell.seed)
    guessed = model.predict(scenes.table[held]).astype(inputs.values.dtype)
    chosen_by = {}
    for readout in inputs.readouts:
        concepts, objects = hardest(readout.recognised(guessed, scenes, held))
        chosen_by[readout.name] = {
            "validation_concepts": concepts,
            "validation_objects": objects,
            "n_validation": len(held),
        }
    for split in SPLITS:
        asked = some(getattr(parts, split), inputs.most_scenes, cell.seed)
        if len(asked) == 0:
            continue
        predicted = model.predict(scenes.table[asked])
        real = np.asarray(inputs.values[asked], dtype=np.float64)
        left, total = squared_sums(real, predicted, centre)
        plain = {"split": split, "n": len(asked), "ties": None, **facts}
        rows.append({"metric": Metric.MSE, "value": left / len(asked), **plain})
        if total > 1e-12 * float(np.square(real).sum()):
            rows.append({"metric": Metric.R2, "value": 1 - left / total, **plain})
        for readout in inputs.readouts:
            read = readout.recognised(predicted.astype(inputs.values.dtype), scenes, asked)
            rows += [{"split": split, **row, **facts, **chosen_by[readout.name]} for row in read]
    return rows
