"""Why products do not carry a trained controlled model over to new objects: where the rule is lost
between sums of objects, their axes, their products, and the operator that is fitted.

python recipes/rule_of_controlled.py runs/controlled-50x50/coverage-0.8 --models bilinear:16
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

from conceptbind.complexity import Labelled, make
from conceptbind.complexity.needed import beyond_values, rank_holding, unfolded
from conceptbind.controlled import read_trained
from conceptbind.controlled.data import draw_objects, object_values
from conceptbind.controlled.scoring import all_queries, read_rows, scene_rows
from conceptbind.controlled.study import PROBE_HELD, PROBE_SCENES
from conceptbind.metrics.variance import squared_sums

if TYPE_CHECKING:
    from conceptbind.core.typing import Floats

SCENES = 60_000
"""Scenes of all objects, from which the vector of each object in each slot is solved."""
AXES = (4, 16, 32, 48)
MODELS = ("additive", "bilinear:4", "bilinear:8", "bilinear:16", "matrix_vector:16")


class Rule:
    """A trained model with scenes of train, validation and new objects."""

    def __init__(self, folder: Path) -> None:
        self.trained = read_trained(folder)
        recipe = self.trained.recipe
        self.split, self.sizes = recipe.split(), recipe.shape.sizes
        self.slots, self.seed = recipe.shape.most_objects, recipe.seed
        self.queries = all_queries(self.trained.model, self.split).objects.double()
        random = torch.Generator().manual_seed(self.seed + 3)
        self.train, self.held, self.new = (
            self._scenes(objects, n, random)
            for objects, n in (
                (self.split.train, PROBE_SCENES),
                (self.split.validation, PROBE_HELD),
                (self.split.test, PROBE_HELD),
            )
        )

    def _scenes(
        self, objects: torch.Tensor, n: int, random: torch.Generator
    ) -> tuple[torch.Tensor, Labelled]:
        ids = draw_objects(objects, n, self.slots, random)
        return ids, Labelled(object_values(ids, self.sizes).numpy(), self.rows(ids))

    def rows(self, ids: torch.Tensor) -> Floats:
        """(n, d) the model's embeddings."""
        found: Floats = scene_rows(self.trained.model, ids).double().cpu().numpy()
        return found

    def scored(self, name: str, predicted: Floats) -> str:
        """A line of the table: new objects recognised by the model's queries, and R^2."""
        ids, real = self.new
        left, total = squared_sums(real.values, predicted, self.train[1].values.mean(axis=0))
        rows = torch.from_numpy(np.asarray(predicted))
        found = read_rows(rows, self.queries.cpu(), ids).accuracy
        return f"| {name} | {found:.3f} | {1 - left / total:.3f} |"

    def objects(self) -> tuple[Floats, Floats]:
        """The mean, and (m, V_1, ..., V_C, d) vectors of all objects by least squares."""
        n_objects = int(np.prod(self.sizes))
        random = torch.Generator().manual_seed(self.seed + 5)
        ids = draw_objects(torch.arange(n_objects), SCENES, self.slots, random)
        rows = self.rows(ids)
        mean = rows.mean(axis=0)
        columns = (ids.numpy() + n_objects * np.arange(self.slots)).ravel()
        held = np.repeat(np.arange(len(ids)), self.slots), columns
        places = csr_matrix((np.ones(ids.numel()), held), (len(ids), self.slots * n_objects))
        gram = (places.T @ places).tocsc()
        gram.setdiag(gram.diagonal() + 1e-3)
        vectors = spsolve(gram, places.T @ (rows - mean))
        return mean, vectors.reshape(self.slots, *self.sizes, -1)

    def summed(self, mean: Floats, vectors: Floats) -> Floats:
        """(n, d) sums of vectors of objects for the scenes of new ones."""
        flat = vectors.reshape(self.slots, -1, vectors.shape[-1])
        ids = self.new[0].numpy()
        parts = [flat[slot][ids[:, slot]] for slot in range(self.slots)]
        return np.add(mean, np.sum(parts, axis=0))


def main() -> None:
    """Print what is recognised of new objects at each step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", default=MODELS, help="NAME or NAME:WIDTH")
    options = parser.parse_args()
    rule = Rule(options.folder)
    print("| scenes of new objects | recognised | R^2 |\n|---|---|---|")
    print(rule.scored("the model itself", rule.new[1].values))
    mean, vectors = rule.objects()
    centres = vectors.mean(axis=tuple(range(1, vectors.ndim - 1)), keepdims=True)
    bound = np.stack([beyond_values(slot) for slot in vectors - centres])
    print(rule.scored("sum of object vectors, all objects seen", rule.summed(mean, vectors)))
    d = vectors.shape[-1]
    axes = np.linalg.svd(bound.reshape(-1, d), full_matrices=False)[2]
    for n in AXES:
        kept = vectors - bound + bound @ axes[:n].T @ axes[:n]
        print(rule.scored(f"the same, binding along {n} axes", rule.summed(mean, kept)))
    print(rule.scored("the same, without binding", rule.summed(mean, vectors - bound)))
    for text in options.models:
        name, _, width = text.partition(":")
        asked: dict[str, Any] = {
            "width": int(width) if width else None,
            "starts": 1,
            "seed": rule.seed,
        }
        fitted = make(name, rule.sizes, rule.slots, **asked).fit(rule.train[1], rule.held[1])
        print(rule.scored(text, fitted.predict(rule.new[1].labels)), flush=True)
    along, *others = map(rank_holding, unfolded(list(bound)))
    print(f"\nproducts needed for 95 %: at least {max(along, *others)} (axes: {along})")


if __name__ == "__main__":
    main()
