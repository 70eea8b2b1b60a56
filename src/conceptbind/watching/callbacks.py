"""A `BindingProbe` inside other trainers: transformers, Lightning, sentence-transformers. Each
library is imported when its callback is made.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import MissingExtraError
from conceptbind.watching.probe import worst_numbers

if TYPE_CHECKING:
    from conceptbind.watching.probe import BindingProbe


def trainer_callback(probe: BindingProbe, trainer: Any = None) -> Any:
    """A `TrainerCallback` of transformers: `trainer.add_callback(trainer_callback(probe,
    trainer))`.

    It looks before the first step, after steps at which a look is due, and at the end. A probe that
    was not told how the model embeds takes the trainer's `processing_class`.

    Args:
        probe: the probe.
        trainer: whose log gets the numbers, and with it whatever `report_to` names. None leaves
            them to the runs of W&B and MLflow that are open.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise MissingExtraError("transformers", "hf", "trainer_callback") from error

    class BindingCallback(TrainerCallback):  # type: ignore[misc]
        """Looks while transformers trains."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.is_world_process_zero:
                if trainer is not None:
                    probe.log_by_default(_of_trainer(trainer))
                probe.process_by_default(given.get("processing_class"))
                probe(given["model"], state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.is_world_process_zero:
                probe(given["model"], state.global_step)

        def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.is_world_process_zero:
                probe.finish(given["model"], state.global_step)

    return BindingCallback()


def _of_trainer(trainer: Any) -> Callable[[Mapping[str, float], int], object]:
    def log(numbers: Mapping[str, float], _: int) -> None:
        trainer.log(dict(numbers))

    return log


def lightning_callback(probe: BindingProbe, model_of: Callable[[Any], Any] | None = None) -> Any:
    """A callback of Lightning: `Trainer(callbacks=[lightning_callback(probe)])`. The trainer's
    loggers get the numbers.

    Args:
        probe: the probe.
        model_of: what is scored of the LightningModule; the module itself by default.

    Raises:
        MissingExtraError: Lightning is not installed.
    """
    base = _lightning()
    part = model_of or _whole

    class BindingCallback(base):  # type: ignore[misc,valid-type]
        """Looks while Lightning trains."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                probe.log_by_default(_of_loggers(trainer))
                probe(part(pl_module), trainer.global_step)

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            if trainer.is_global_zero:
                probe(part(pl_module), trainer.global_step)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                probe.finish(part(pl_module), trainer.global_step)

    return BindingCallback()


def _whole(module: Any) -> Any:
    return module


def _of_loggers(trainer: Any) -> Callable[[Mapping[str, float], int], object]:
    def log(numbers: Mapping[str, float], step: int) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(dict(numbers), step)

    return log


def _lightning() -> Any:
    """The base of callbacks, of the package that the user trains with: both names are of one
    library.
    """
    names = ("lightning.pytorch", "pytorch_lightning")
    for name in sorted(names, key=lambda name: name not in sys.modules):
        try:
            return importlib.import_module(name).Callback
        except ImportError:
            continue
    raise MissingExtraError("lightning", "lightning", "lightning_callback")


def sentence_evaluator(probe: BindingProbe) -> Any:
    """An evaluator of sentence-transformers: `SentenceTransformerTrainer(evaluator=...)`.

    It takes a look at every evaluation, whatever that costs: the trainer keeps the model whose
    numbers are best, so they must be those of this model. How often there is one is for the
    trainer's `eval_steps` to say. `probe.finish()` after the training says what looks cost.

    Args:
        probe: the probe.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """
    base = _evaluator()

    class BindingEvaluator(base):  # type: ignore[misc,valid-type]
        """Binding of captions, as sentence-transformers asks for it."""

        def __init__(self) -> None:
            super().__init__()
            self.primary_metric = "binding_within_text_neutral"

        def __call__(
            self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
        ) -> dict[str, float]:
            """The numbers of this model; where it could not be scored, those of one that is worse
            than any: a trainer that keeps the best model asks for each of them.
            """
            latest = probe.table.history.step
            after = 0 if latest is None else latest + 1
            step = steps if steps >= 0 else after
            seen = step == latest and probe.last  # at its end a training may evaluate once more
            found = probe.last
            if not seen:
                found = probe.last if probe.now(model, step) is not None else worst_numbers()
                probe.draw()
            return {name.replace("/", "_"): value for name, value in found.items()}

    return BindingEvaluator()


def _evaluator() -> Any:
    """The base of evaluators, which moved in version 6."""
    names = ("sentence_transformers.base.evaluation", "sentence_transformers.evaluation")
    for module, name in zip(names, ("BaseEvaluator", "SentenceEvaluator"), strict=True):
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise MissingExtraError("sentence-transformers", "st", "sentence_evaluator")
