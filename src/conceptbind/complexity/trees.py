"""Gradient boosting and random forest on one-hot labels: a check that what networks cannot do is
not the networks' fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.complexity.labels import Labelled, Scale, check_labels

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

LEAVES = (1, 4)
"""Fewest scenes in a leaf of the forest, which validation chooses from."""
TREES = 10
"""Trees that boosting adds before it looks at validation again, and those without a gain after
which it stops."""
KEPT_VARIANCE = 1e-6
"""Principal axes with less of the variance than this are not boosted."""


def one_hot(
    labels: Int[Ints, "scenes slots concepts"], sizes: tuple[int, ...]
) -> Float[Floats, "scenes columns"]:
    """(n, m * (V_1 + ... + V_C)) one column for each slot and value."""
    flat = labels.reshape(len(labels), -1)
    widths = np.array(sizes * labels.shape[1])
    columns = np.concatenate([[0], np.cumsum(widths)[:-1]])
    found = np.zeros((len(flat), int(widths.sum())), dtype=np.float32)
    np.put_along_axis(found, flat + columns, 1.0, axis=1)
    return found


class Forest:
    """scikit-learn's random forest; validation chooses the size of the leaves.

    Args:
        sizes: number of values of each concept.
        n_slots: m.
        width: trees.
        seed: of the trees.
    """

    forest_: Any
    validation_: float

    def __init__(
        self, sizes: tuple[int, ...], n_slots: int, *, width: int = 100, seed: int = 0
    ) -> None:
        self.sizes, self.n_slots, self.width, self.seed = tuple(sizes), n_slots, width, seed

    def fit(self, train: Labelled, validation: Labelled) -> Forest:
        """Fit on `train`; `validation` chooses."""
        from sklearn.ensemble import RandomForestRegressor

        check_labels(train, self.sizes, self.n_slots)
        check_labels(validation, self.sizes, self.n_slots)
        found: list[tuple[float, Any]] = []
        for leaf in LEAVES:
            forest = RandomForestRegressor(
                self.width, min_samples_leaf=leaf, random_state=self.seed, n_jobs=1
            )
            forest.fit(one_hot(train.labels, self.sizes), train.values)
            rest = validation.values - _table(
                forest.predict(one_hot(validation.labels, self.sizes))
            )
            found.append((float(np.square(rest).sum(axis=1).mean()), forest))
        self.validation_, self.forest_ = min(found, key=lambda pair: pair[0])
        return self

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) predictions for a table (n, m, C)."""
        return _table(self.forest_.predict(one_hot(labels, self.sizes)))


class Boosting:
    """scikit-learn's gradient boosting, one model for each principal axis of the embeddings;
    validation stops each of them.

    Args:
        sizes: number of values of each concept.
        n_slots: m.
        width: trees of one axis, at most.
        seed: of the models.
    """

    scale_: Scale
    axes_: Float[Floats, "axes width"]
    """(a, d) principal axes."""
    models_: list[Any]
    """One for each axis."""
    validation_: float

    def __init__(
        self, sizes: tuple[int, ...], n_slots: int, *, width: int = 200, seed: int = 0
    ) -> None:
        self.sizes, self.n_slots, self.width, self.seed = tuple(sizes), n_slots, width, seed

    def fit(self, train: Labelled, validation: Labelled) -> Boosting:
        """Fit on `train`; `validation` stops."""
        check_labels(train, self.sizes, self.n_slots)
        check_labels(validation, self.sizes, self.n_slots)
        self.scale_ = Scale.of(train.values)
        scaled, held = self.scale_.to(train.values), self.scale_.to(validation.values)
        _, sizes, axes = np.linalg.svd(scaled, full_matrices=False)
        self.axes_ = axes[sizes**2 > KEPT_VARIANCE * max(float((sizes**2).sum()), 1e-30)]
        inputs, held_inputs = (
            one_hot(train.labels, self.sizes),
            one_hot(validation.labels, self.sizes),
        )
        leaf = min(20, max(1, len(train) // 20))
        self.models_ = [
            self._axis(inputs, scaled @ axis, held_inputs, held @ axis, leaf) for axis in self.axes_
        ]
        rest = validation.values - self.predict(validation.labels)
        self.validation_ = float(np.square(rest).sum(axis=1).mean())
        return self

    def _axis(
        self, inputs: Floats, values: Floats, held_inputs: Floats, held: Floats, leaf: int
    ) -> Any:
        """One axis, a few trees more at a time while validation gains; then as many trees as were
        best.

        `HistGradientBoostingRegressor.fit` takes a validation part of its own only from
        scikit-learn 1.7 on.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        options = {"early_stopping": False, "min_samples_leaf": leaf, "random_state": self.seed}
        model = HistGradientBoostingRegressor(
            max_iter=min(TREES, self.width), warm_start=True, **options
        )
        errors: list[float] = []
        while True:
            model.fit(inputs, values)
            errors = [
                float(np.square(held - guess).mean()) for guess in model.staged_predict(held_inputs)
            ]
            if int(np.argmin(errors)) < len(errors) - TREES or model.max_iter >= self.width:
                break
            model.set_params(max_iter=min(model.max_iter + TREES, self.width))
        best = int(np.argmin(errors)) + 1
        return HistGradientBoostingRegressor(max_iter=best, **options).fit(inputs, values)

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) predictions for a table (n, m, C)."""
        inputs = one_hot(labels, self.sizes)
        along = [model.predict(inputs) for model in self.models_]
        return self.scale_.back(
            np.stack(along, axis=1) @ self.axes_
            if along
            else np.zeros((len(labels), self.axes_.shape[1]))
        )


def _table(predicted: Floats) -> Floats:
    """scikit-learn gives one column as a vector."""
    return predicted.reshape(len(predicted), -1)
