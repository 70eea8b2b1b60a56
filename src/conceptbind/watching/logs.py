"""Numbers of a look, handed to the log that a training keeps already; nothing where it keeps none.

W&B (`wandb.log`), MLflow (`mlflow.log_metrics`) and TensorBoard (`SummaryWriter.add_scalar`) are
called as their documentation says. None is imported here: what a training uses is there already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from conceptbind.core.errors import KindError

Log = Callable[[Mapping[str, float], int], object]


def log_to_running(numbers: Mapping[str, float], step: int) -> None:
    """Hand numbers to the W&B run and the MLflow run that are open in this process.

    Args:
        numbers: by name.
        step: of the training.
    """
    wandb: Any = sys.modules.get("wandb")
    if wandb is not None and getattr(wandb, "run", None) is not None:
        # without a commit they join the training's next line, whatever it counts as steps
        wandb.log({**numbers, "binding/step": step}, commit=False)
    mlflow: Any = sys.modules.get("mlflow")
    if mlflow is not None and mlflow.active_run() is not None:
        mlflow.log_metrics(dict(numbers), step=step)


def as_log(log: Any) -> Log:
    """What numbers are handed to.

    Args:
        log: a function of numbers and step; a TensorBoard writer; None for the W&B and MLflow runs
            that are open.

    Raises:
        KindError: it is none of these.
    """
    if log is None:
        return log_to_running
    if hasattr(log, "add_scalar"):

        def written(numbers: Mapping[str, float], step: int) -> None:
            for name, value in numbers.items():
                log.add_scalar(name, value, step)

        return written
    if not callable(log):
        raise KindError(
            f"log must be a function of numbers and step, or a TensorBoard writer; got {log!r:.60}"
        )
    found: Log = log
    return found
