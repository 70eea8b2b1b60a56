"""Do linearity and right angles on seen combinations predict accuracy on new ones (arXiv
2602.24264, section 5)? Asked of several models: controlled ones, or checkpoints of a training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.controlled.data import draw_objects, object_values
from conceptbind.controlled.scoring import scene_rows
from conceptbind.controlled.store import vocabulary
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.core.names import Metric
from conceptbind.core.rounding import percent
from conceptbind.factors.study import RAW, factor_study, main_record, mean_recognition
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes.split import split_scenes
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.controlled.training import Trained
    from conceptbind.core.records import Records
    from conceptbind.core.typing import Floats

SCENES = 2_000
"""Scenes of train objects that a controlled model is measured on."""
FEWEST = 10
"""Models below which nothing is said."""
VARIES = 0.1
"""Range of the accuracies below which nothing is said."""


@dataclass(frozen=True)
class Measured:
    """One model."""

    name: str
    linearity: float
    """R^2 of the sum of value vectors on combinations that were seen."""
    overlap: float
    """Mean |cos| of vectors of two concepts there; 0 are right angles."""
    accuracy: float
    """What is recognised in new combinations."""


@dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation over n models, with a 95 % interval; all None where one side is
    constant.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


@explains_arguments
def measured_of(records: Records, name: str) -> Measured:
    """A model of which the study of factors was asked: linearity and overlap of its train scenes,
    and the mean recognition of values in test scenes.

    Args:
        records: of one modality.
        name: of the model.

    Raises:
        ValueRangeError: they hold no such study.
    """
    r2 = main_record(records, Metric.R2, split="train", normalisation=RAW, concept=None)
    across = main_record(records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    right = mean_recognition(records, readout="plain")
    if r2 is None or across is None or right is None:
        raise ValueRangeError(
            f"'{name}' has no records of the study factors for two concepts; run conceptbind "
            "measure with --studies factors"
        )
    return Measured(name, float(r2.value), float(across.value), right[0])


def measured_controlled(trained: Trained, accuracy: float, name: str) -> Measured:
    """A controlled model: linearity and overlap on scenes of train objects.

    Args:
        trained: the model.
        accuracy: its recognition of scenes of new objects, as `controlled_study` has it.
        name: of the model.
    """
    import torch

    recipe, model = trained.recipe, trained.model
    random = torch.Generator().manual_seed(recipe.seed + 4)
    train = recipe.split().train
    ids = draw_objects(train, SCENES, recipe.shape.most_objects, random).unique(dim=0)
    table = object_values(ids, recipe.shape.sizes).numpy()
    scenes = Scenes(vocabulary(recipe.shape.sizes), table, name=f"symbols {recipe.sizes_name}")
    rows: Floats = scene_rows(model, ids).float().cpu().numpy()
    held = Embeddings(rows, "text", scenes.content_hash, scenes.name, name, "1")
    records = factor_study(held, scenes, split_scenes(scenes, seed=recipe.seed)).records
    r2 = main_record(records, Metric.R2, split="test", normalisation=RAW, concept=None)
    across = main_record(records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    return Measured(name, float(r2.value), float(across.value), accuracy)


@explains_arguments
def rank_agreement(one: Float[Floats, " models"], other: Float[Floats, " models"]) -> Agreement:
    """Spearman's rank correlation with the interval of Bonett and Wright (2000): Fisher's z with
    the variance (1 + r^2 / 2) / (n - 3).

    Args:
        one: (n,) of each model.
        other: (n,) of the same models.

    Raises:
        ShapeError: the two are not of the same models, or of fewer than four.
    """
    from scipy.stats import spearmanr

    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if one.shape != other.shape or one.ndim != 1 or len(one) < 4:
        raise ShapeError(
            "a rank correlation needs two numbers of each of at least four models; got shapes "
            f"{one.shape} and {other.shape}"
        )
    n = len(one)
    if len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return Agreement(None, None, None, n)
    value = float(spearmanr(one, other).statistic)
    if abs(value) > 1 - 1e-9:  # every pair of models, up to rounding
        return Agreement(value, None, None, n)
    z, half = math.atanh(value), 1.96 * math.sqrt((1 + value**2 / 2) / (n - 3))
    return Agreement(value, math.tanh(z - half), math.tanh(z + half), n)


def carried_sentences(models: Sequence[Measured]) -> tuple[str, str]:
    """Whether linearity, and then whether right angles, go with accuracy on new combinations.

    Args:
        models: at least four.
    """
    accuracies = np.array([model.accuracy for model in models])
    wide = float(accuracies.max() - accuracies.min())
    found = []
    for what, values in (
        ("linearity (R^2)", [model.linearity for model in models]),
        ("the overlap of concepts (mean |cos|)", [model.overlap for model in models]),
    ):
        agreement = rank_agreement(np.array(values), accuracies)
        found.append(_told(what, agreement, wide))
    return found[0], found[1]


def _told(what: str, agreement: Agreement, wide: float) -> str:
    """One sentence."""
    models = counted(agreement.n, "model")
    unclear = f"Whether {what} on seen combinations predicts accuracy on new ones cannot be judged"
    if agreement.n < FEWEST:
        return f"{unclear}: {models}, and at least {FEWEST} are needed."
    if wide < VARIES:
        return f"{unclear}: the accuracy of {models} varies by {percent(wide)} only."
    if agreement.value is None:
        return f"{unclear}: it is the same for all {models}."
    if agreement.low is None or agreement.high is None:
        way = "rises" if agreement.value > 0 else "falls"
        return f"Accuracy on new combinations {way} with {what} in every pair of {models}."
    told = f"{agreement.value:.2f}, {agreement.low:.2f} to {agreement.high:.2f}, n = {agreement.n}"
    if agreement.low <= 0 <= agreement.high:
        return f"{unclear} (rank correlation {told})."
    way = "rises" if agreement.value > 0 else "falls"
    return (
        f"Accuracy on new combinations {way} with {what} on seen ones (rank correlation {told}). "
        "That is over these models, and no proof that one makes the other."
    )
