"""A softmax probe by cosine: one direction for each class and one temperature for all, as the
published code of arXiv 2605.31503 has it beside dot products.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from conceptbind.core.errors import ValueRangeError
from conceptbind.probes.linear import LinearProbe
from conceptbind.probes.threads import steady

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    from conceptbind.core.typing import Floats

FIRST_SCALE = 10.0
"""Scale of cosines that a fit begins with."""


class CosineProbe(LinearProbe):
    """Softmax regression on the cosine of a row with one learned direction for each class.

    All directions have length 1 and one scale, so that no class is favoured by the length of its
    weight. The scale is learned too; where classes can be told apart it would grow without end, and
    stops at `most_scale`, as that of CLIP does. Found by L-BFGS; the loss is not convex.

    Args:
        most_scale: largest scale of cosines.
        tol: stop when a step lowers the loss by less than this share.
        max_passes: give up, with a ConvergenceWarning, after so many steps.
        seed: of the directions that a fit begins with.
        device: where torch computes.
    """

    def __init__(
        self,
        most_scale: float = 100.0,
        tol: float = 1e-9,
        max_passes: int = 1000,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.most_scale = most_scale
        self.tol = tol
        self.max_passes = max_passes
        self.seed = seed
        self.device = device

    @steady()
    def fit(self, X: Shaped[Floats, "rows width"], y: Any) -> CosineProbe:
        """Fit to rows X (n, d) and y: labels (n,), or soft targets (n, K) that are non-negative and
        sum to one.

        Raises:
            ValueRangeError: soft targets that are negative or do not sum to one, a row of length 0,
                or a largest scale that is not positive.
        """
        if not self.most_scale > 0:
            raise ValueRangeError(f"most_scale must be positive; got {self.most_scale}")
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        targets = torch.tensor(self._targets(y, len(X)), dtype=torch.float64, device=self.device)
        if len(self.classes_) == 1:
            raise ValueError("CosineProbe needs at least two classes; got 1 class")
        rows = torch.tensor(_unit(X), dtype=torch.float64, device=self.device)
        size = targets.shape[1], rows.shape[1]
        # mean rows of the classes lead nowhere wrong, and a little noise keeps equal ones apart
        random = torch.Generator().manual_seed(self.seed)
        begun = (targets.T @ rows).cpu() / targets.sum(dim=0).clamp_min(1.0)[:, None].cpu()
        begun += 1e-3 * torch.randn(size, generator=random, dtype=torch.float64)

        def loss(entries: Floats) -> tuple[float, Floats]:
            point = torch.tensor(entries, device=self.device, requires_grad=True)
            with torch.enable_grad():
                directions = torch.nn.functional.normalize(point[:-1].view(size), dim=1)
                logits = point[-1].exp() * (rows @ directions.T)
                found = -(targets * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
                found.backward()
            assert point.grad is not None
            return float(found.detach()), point.grad.cpu().numpy()

        start = np.append(begun.flatten().numpy(), np.log(min(FIRST_SCALE, self.most_scale)))
        bounds = [*((None, None),) * (len(start) - 1), (None, np.log(self.most_scale))]
        options = {"maxiter": self.max_passes, "ftol": self.tol, "gtol": 1e-8}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        if found.nit >= self.max_passes:
            warnings.warn(
                f"stopped after {found.nit} steps; raise max_passes or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.scale_ = float(np.exp(found.x[-1]))
        self.coef_ = self.scale_ * _unit(found.x[:-1].reshape(size))
        self.n_iter_ = int(found.nit)
        return self

    def decision_function(
        self, X: Shaped[Floats, "rows width"]
    ) -> Float[Floats, " rows"] | Float[Floats, "rows classes"]:
        """Scaled cosines (n, K); their difference (n,) for two classes, positive for the second."""
        check_is_fitted(self)
        return super().decision_function(_unit(validate_data(self, X, reset=False)))

    def predict_proba(self, X: Shaped[Floats, "rows width"]) -> Float[Floats, "rows classes"]:
        """Probabilities (n, K)."""
        check_is_fitted(self)
        return super().predict_proba(_unit(validate_data(self, X, reset=False)))


def _unit(rows: Floats) -> Floats:
    """Rows of length 1."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (length > 0).all():
        raise ValueRangeError("a row of length 0 has no cosine")
    unit: Floats = rows / length
    return unit
