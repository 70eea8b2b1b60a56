"""Concept and object recognition of a controlled model by its own queries, against all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from conceptbind.controlled.data import ObjectSplit, draw_objects, object_ids, object_values
from conceptbind.core.arguments import explains_arguments
from conceptbind.metrics.choices import forced_choice
from conceptbind.metrics.recognitions import Recognition, join, recognition

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.controlled.model import ControlledModel
    from conceptbind.core.typing import Bools

SCORES = 1 << 24
"""Scores held at once."""
QUERIES = 4096
"""Queries encoded at once."""


@dataclass(frozen=True, eq=False)
class Queries:
    """Rows of all queries, as they are compared with scenes."""

    objects: Float[Tensor, "objects width"]
    """(|O|, d)"""
    concepts: tuple[Float[Tensor, "_ width"], ...]
    """One (V_k, d) for each concept."""


@torch.no_grad()
def all_queries(
    model: ControlledModel, split: ObjectSplit, trained_on_concepts: bool = True
) -> Queries:
    """Every query of a model.

    A model that was never trained on queries of single values (objective `scenes`) gets for each
    the mean of the queries of the train objects that have it.

    Args:
        model: the trained model.
        split: its train, validation and test objects.
        trained_on_concepts: whether single values were queries in training.
    """
    sizes, device = model.shape.sizes, model.log_scale.device
    ids = torch.arange(math.prod(sizes), device=device)
    objects = torch.cat([model.objects(object_values(part, sizes)) for part in ids.split(QUERIES)])
    if trained_on_concepts:
        return Queries(objects, model.concepts().split(list(sizes)))
    train = split.train.to(device)
    values, concepts = object_values(train, sizes), []
    for k, size in enumerate(sizes):
        total = torch.zeros(size, objects.shape[1], device=device).index_add_(
            0, values[:, k], objects[train]
        )
        concepts.append(normalize(total, dim=-1))
    return Queries(objects, tuple(concepts))


@explains_arguments
@torch.no_grad()
def recognise(
    model: ControlledModel,
    queries: Queries,
    scenes: Int[Tensor, "scenes slots"],
    concept: int | None = None,
    among: Int[Tensor, " candidates"] | None = None,
) -> Recognition:
    """Recognition of scenes (n, m) of object ids (arXiv 2605.31503, section 3), one rule for ties.

    Args:
        model: the encoders.
        queries: see `all_queries`.
        scenes: object ids.
        concept: number of a concept, or None for objects.
        among: ids of the objects that are candidates, those of the scenes among them; all by
            default.
    """
    sizes, device = model.shape.sizes, model.log_scale.device
    rows = queries.objects if concept is None else queries.concepts[concept]
    if concept is None and among is not None:
        rows = rows[among.to(device)]
    scenes = scenes.to(device)
    held = scenes if concept is None else object_values(scenes, sizes)[..., concept]
    if concept is None and among is not None:
        held = torch.searchsorted(among.to(device), held)
    return read_rows(scene_rows(model, scenes), rows, held)


@explains_arguments
def read_rows(
    scenes: Float[Tensor, "scenes width"],
    queries: Float[Tensor, "candidates width"],
    held: Int[Tensor, "scenes slots"],
) -> Recognition:
    """Recognition by scores of rows (n, d) against queries (Q, d), a few scenes at a time.

    Args:
        scenes: embeddings of scenes, or what is predicted of them.
        queries: candidates.
        held: (n, m) numbers of the candidates that are in each scene.
    """
    found, size = [], max(1, SCORES // len(queries))
    longest = float(queries.norm(dim=1).max())
    for part, inside in zip(scenes.split(size), held.split(size), strict=True):
        present = torch.zeros(
            len(part), len(queries), dtype=torch.bool, device=part.device
        ).scatter_(1, inside, True)
        found.append(
            recognition(
                (part @ queries.T).cpu().numpy(),
                present.cpu().numpy(),
                size=longest * part.norm(dim=1).cpu().numpy(),
            )
        )
    return join(found)


@explains_arguments
@torch.no_grad()
def scene_rows(
    model: ControlledModel, scenes: Int[Tensor, "scenes slots"]
) -> Float[Tensor, "scenes width"]:
    """(n, d) embeddings of scenes (n, m) of object ids, a few at a time.

    Args:
        model: the trained model.
        scenes: (n, m) object ids.
    """
    sizes, device = model.shape.sizes, model.log_scale.device
    return torch.cat(
        [model.scenes(object_values(part, sizes)) for part in scenes.to(device).split(QUERIES)]
    )


@explains_arguments
@torch.no_grad()
def own_scene(
    model: ControlledModel,
    scenes: Int[Tensor, "scenes slots"],
    others: Int[Tensor, "scenes slots"],
    *,
    by_queries: bool,
) -> tuple[Bool[Bools, " scenes"], Bool[Bools, " scenes"]]:
    """Does a scene with its objects in reverse order score above another scene?

    Args:
        model: the encoders.
        scenes: (n, m) object ids.
        others: (n, m) object ids of what each is compared with.
        by_queries: whether the query encoder embeds what a scene is compared with, as in training
            with the objective `scenes`; else the scene encoder embeds both sides.

    Returns:
        correct, tied: (n,) each; a tie is a miss.
    """
    sizes, device = model.shape.sizes, model.log_scale.device
    true: list[Tensor] = []
    false: list[Tensor] = []
    size = 0.0
    for part, other in zip(
        scenes.to(device).split(QUERIES), others.to(device).split(QUERIES), strict=True
    ):
        rows = model.scenes(object_values(part, sizes))
        for found, ids in ((true, part.flip(1)), (false, other)):
            values = object_values(ids, sizes)
            compared = (
                model.query_tower(model.shape.scene_tokens(values))
                if by_queries
                else model.scenes(values)
            )
            found.append((rows * compared).sum(dim=1))
            size = max(size, float(rows.norm(dim=1).max() * compared.norm(dim=1).max()))
    return forced_choice(torch.cat(true).cpu().numpy(), torch.cat(false).cpu().numpy(), size=size)


@explains_arguments
def exchange_first_value(
    scenes: Int[Tensor, "scenes slots"], sizes: tuple[int, ...]
) -> Int[Tensor, "scenes slots"]:
    """(n, m) the scenes with the first values of their first two objects exchanged; it is the same
    scene where the objects share a value.

    Args:
        scenes: (n, m) object ids, m at least 2.
        sizes: number of values of each concept.
    """
    values = object_values(scenes, sizes)
    other = values.clone()
    other[:, 0, 0], other[:, 1, 0] = values[:, 1, 0], values[:, 0, 0]
    return object_ids(other, sizes)


@explains_arguments
def replace_first_value(
    scenes: Int[Tensor, "scenes slots"], sizes: tuple[int, ...], random: torch.Generator
) -> Int[Tensor, "scenes slots"]:
    """(n, m) the scenes with the first value of the first object replaced by one that no object of
    the scene has, where there is one.

    Args:
        scenes: (n, m) object ids.
        sizes: number of values of each concept.
        random: where the new value comes from.
    """
    values = object_values(scenes, sizes)
    free = torch.ones(len(scenes), sizes[0])
    free.scatter_(1, values[:, :, 0], 0.0)
    changed = values.clone()
    changed[:, 0, 0] = torch.multinomial(free + 1e-9, 1, generator=random)[:, 0]
    return object_ids(changed, sizes)


def scenes_to_test(
    split: ObjectSplit, m: int, n: int, seed: int
) -> dict[str, Int[Tensor, "_ slots"]]:
    """(n, m) scenes of train objects, of new ones, and of both (the first is a train object, the
    others are not).

    Fewer than n where there are fewer different ones: a scene is not scored twice.

    Args:
        split: train, validation and test objects.
        m: objects in a scene.
        n: scenes of each kind, at most.
        seed: decides the draw.
    """
    random = torch.Generator().manual_seed(seed)
    found = {
        "train": draw_objects(split.train, n, m, random),
        "unseen": draw_objects(split.test, n, m, random),
    }
    if m > 1:
        known, others = (
            draw_objects(split.train, n, 1, random),
            draw_objects(split.test, n, m - 1, random),
        )
        found["mixed"] = torch.cat([known, others], dim=1)
    return {part: first_of_each(scenes) for part, scenes in found.items()}


def first_of_each(scenes: Int[Tensor, "scenes slots"]) -> Int[Tensor, "different slots"]:
    """The rows of a table without those that stand in it before, in their order."""
    _, which = scenes.unique(dim=0, return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(scenes)).scatter_reduce(
        0, which, torch.arange(len(scenes)), "amin"
    )
    return scenes[first.sort().values]
