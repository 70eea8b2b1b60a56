"""A bias-free softmax probe with scikit-learn's contract, solved to its optimum."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.probes.solver import Rows, solve
from conceptbind.probes.threads import steady

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    from conceptbind.core.typing import Floats, Ints


class LinearProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """L2-regularised softmax regression without bias, on hard labels or soft targets.

    Features x are whitened before weights are penalised, x S^-w with S = X^T X / n, and divided by
    their root mean square. So one `l2` means the same for raw and for normalised embeddings,
    and for every dimension. In scikit-learn's terms `C = 1 / (n l2)` on those features. `coef_` is
    for features as they come.

    Args:
        l2: penalty on the squared weights of the whitened features.
        whitening: w, from 0 (the penalty of plain logistic regression) to 0.5 (all directions cost
            the same).
        tol: stop when the estimated gap to the optimum is this share of the loss of the zero map.
        max_passes: give up, with a ConvergenceWarning, after so many passes over the rows.
        device: where torch computes.
    """

    def __init__(
        self,
        l2: float = 1e-2,
        whitening: float = 0.5,
        tol: float = 1e-6,
        max_passes: int = 1000,
        device: str = "cpu",
    ) -> None:
        self.l2 = l2
        self.whitening = whitening
        self.tol = tol
        self.max_passes = max_passes
        self.device = device

    @steady()
    def fit(self, X: Shaped[Floats, "rows width"], y: Any) -> LinearProbe:
        """Fit to rows X (n, d) and y: labels (n,), or soft targets (n, K) that are non-negative and
        sum to one.

        Raises:
            ValueRangeError: soft targets that are negative or do not sum to one, or a whitening
                outside 0..0.5.
        """
        if not 0 <= self.whitening <= 0.5:
            raise ValueRangeError(
                f"whitening must lie between 0 (plain) and 0.5 (white); got {self.whitening}"
            )
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        targets = self._targets(y, len(X))
        if len(self.classes_) == 1:
            raise ValueError("LinearProbe needs at least two classes; got 1 class")
        rows = Rows(torch.tensor(X, device=self.device), self.whitening)
        moment = (
            torch.as_tensor(targets, dtype=rows.rotated.dtype, device=self.device).T
            @ rows.rotated
            / len(X)
        )
        solution = solve(rows, moment, self.l2, tolerance=self.tol, max_passes=self.max_passes)
        if not solution.converged:
            warnings.warn(
                f"stopped after {solution.passes} passes with an estimated gap of "
                f"{solution.gap:.1e} to the optimum; "
                "raise max_passes, l2 or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.coef_ = rows.in_features(solution.weight).cpu().numpy()
        self.gradient_norm_ = solution.gradient_norm
        self.gap_ = solution.gap
        self.gap_bound_ = solution.gap_bound
        self.n_iter_ = solution.passes
        return self

    def _targets(self, y: Any, n: int) -> Float[Floats, "rows classes"]:
        """Soft targets (n, K); sets `classes_`."""
        y = check_array(y, ensure_2d=False, dtype=None) if y is not None else None
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        if len(y) != n:
            raise ShapeError(f"one target per row: {counted(n, 'row')} but {len(y)} targets")
        if y.ndim == 2 and y.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected",
                DataConversionWarning,
                stacklevel=3,
            )
            y = y[:, 0]
        if y.ndim == 2:
            targets = np.asarray(y, dtype=np.float64)
            if (targets < 0).any() or not np.allclose(targets.sum(axis=1), 1, atol=1e-6):
                raise ValueRangeError(
                    "soft targets must be non-negative and sum to one in every row"
                )
            self.classes_ = np.arange(y.shape[1])
            return targets
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        return np.eye(len(self.classes_))[codes]

    def decision_function(
        self, X: Shaped[Floats, "rows width"]
    ) -> Float[Floats, " rows"] | Float[Floats, "rows classes"]:
        """Scores (n, K); (n,) for two classes, positive for the second."""
        check_is_fitted(self)
        scores = validate_data(self, X, dtype=[np.float64, np.float32], reset=False) @ self.coef_.T
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Shaped[Floats, "rows width"]) -> Float[Floats, "rows classes"]:
        """Probabilities (n, K)."""
        check_is_fitted(self)
        scores = validate_data(self, X, dtype=[np.float64, np.float32], reset=False) @ self.coef_.T
        return torch.softmax(torch.from_numpy(scores), dim=1).numpy()

    def predict(self, X: Shaped[Floats, "rows width"]) -> Shaped[Ints, " rows"]:
        """The most probable class of each row (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
