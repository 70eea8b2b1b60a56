"""What a controlled model learned: recognition by its own queries, among all of them, and how
simple its rule is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from conceptbind.complexity.cells import make
from conceptbind.complexity.labels import Labelled
from conceptbind.controlled.data import draw_objects, object_values
from conceptbind.controlled.recipe import Recipe
from conceptbind.controlled.scoring import (
    Queries,
    all_queries,
    exchange_first_value,
    own_scene,
    read_rows,
    recognise,
    replace_first_value,
    scene_rows,
    scenes_to_test,
)
from conceptbind.controlled.stacked import same_but_data, train_stacked
from conceptbind.controlled.store import (
    CONFIG,
    read_trained,
    require_whole_model,
    vocabulary,
    write_model,
)
from conceptbind.controlled.training import CHECKPOINT, Trained, train
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.columns import Value
from conceptbind.core.errors import FileError
from conceptbind.core.files import content_hash, read_checked_json, write_checked_json
from conceptbind.core.kept import require_same
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import share_record
from conceptbind.metrics.recognitions import Recognition, join, recognition
from conceptbind.metrics.variance import squared_sums

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.controlled.model import ControlledModel

CELL = "cell.json"
"""The records of a model of a sweep, in its folder."""
SCENES = 2_000
"""Scenes of each kind that are scored."""
PROBE_SCENES, PROBE_HELD, PROBE_RANK = 32_000, 500, 256
"""Scenes that a structured probe is fitted to, scenes of validation objects that it is chosen with,
and its number of products."""


def controlled_study(
    trained: Trained, name: str, *, n: int = SCENES, probes: Sequence[str] = ()
) -> Records:
    """Concept and object recognition in new scenes of train objects, of new ones, and of both
    (arXiv 2605.31503, section 7).

    Candidates are all objects (`among` = all) and, for scenes of new objects, also the unseen
    ones alone. Beside them stands what a bag of concepts reaches in the same scenes. It scores an
    object by how many of its values are there, and a tie is a miss.

    Args:
        trained: a model.
        name: what it is called in results.
        n: scenes of each kind. Every model also gets binding accuracy (its own scene, objects
            reversed, against one with two values exchanged) and concept accuracy (against one with
            a value replaced); one trained with the objective `scenes` has no queries and gets these
            alone.
        probes: approximators, for example `global_product`, fitted from labels to the embeddings of
            scenes of train objects, whose predictions for new objects the model's queries recognise
            or not.
    """
    recipe, model = trained.recipe, trained.model
    split, sizes, m = recipe.split(), recipe.shape.sizes, recipe.shape.most_objects
    record = partial(_record, trained, name)
    records = [record(*found) for found in _against_scenes(trained, n)]
    if recipe.objective == "scenes":
        return Records(records)
    queries = all_queries(model, split)
    tested = {held: scenes_to_test(split, held, n, recipe.seed + 2) for held in range(1, m + 1)}
    among_all = {
        (held, part): _beside_counts(model, queries, scenes)
        for held, parts in tested.items()
        for part, scenes in parts.items()
    }
    for part, scenes in tested[m].items():
        for concept in range(len(sizes)):
            outcome = recognise(model, queries, scenes, concept)
            called = vocabulary(sizes).concepts[concept]
            records.append(
                record(
                    outcome,
                    Metric.CONCEPT_RECOGNITION,
                    part,
                    concept=called,
                    among="all",
                )
            )
        found = {"all": among_all[m, part]}
        if part == "unseen":
            found["unseen"] = _beside_counts(model, queries, scenes, split.test)
        for among, both in found.items():
            for control, outcome in both.items():
                what = (outcome, Metric.OBJECT_RECOGNITION, part, control)
                records.append(record(*what, concept=None, among=among))
    for (held, part), both in among_all.items():
        for control, outcome in both.items():
            what = (outcome, Metric.OBJECT_RECOGNITION_BY_NUMBER, part, control)
            records.append(record(*what, concept=None, among="all", in_scene=held))
    return Records((*records, *probe_records(trained, name, probes=probes)))


def _beside_counts(
    model: ControlledModel, queries: Queries, scenes: Tensor, among: Tensor | None = None
) -> dict[Control, Recognition]:
    """Recognition of objects among candidates, the model's own and by counts of values."""
    return {
        Control.NONE: recognise(model, queries, scenes, None, among),
        Control.COUNTS_OF_CONCEPTS: count_recognition(scenes, model.shape.sizes, among),
    }


def probe_records(trained: Trained, name: str, *, probes: Sequence[str]) -> Records:
    """What each approximator of a model's rule predicts of new objects, see `controlled_study`."""
    if not probes or trained.recipe.objective == "scenes":
        return Records()
    objects, found = all_queries(trained.model, trained.recipe.split()).objects, []
    for probe in probes:
        outcome, r2 = _probed(trained, objects, probe)
        what = (outcome, Metric.OBJECT_RECOGNITION, "unseen", probe)
        found.append(_record(trained, name, *what, concept=None, among="all", probe_r2=r2))
    return Records(found)


def _record(
    trained: Trained,
    name: str,
    outcome: Recognition,
    metric: str,
    part: str,
    control: str = Control.NONE,
    **own: Value,
) -> Record:
    """A record with all that tells models of a sweep apart."""
    recipe, shape = trained.recipe, trained.recipe.shape
    return share_record(
        outcome,
        study="controlled",
        modality="symbols",
        metric=metric,
        split=part,
        scenes=f"symbols {recipe.sizes_name}",
        encoder=name,
        control=control,
        own={
            **own,
            "coverage": recipe.coverage,
            "seed": recipe.seed,
            "n_objects": math.prod(shape.sizes),
            "values": recipe.sizes_name,
            "slots": shape.most_objects,
            "objective": recipe.objective,
            "width": shape.width,
            "depth": shape.depth,
            "batch": recipe.batch,
            "step": trained.best.step,
            "validation": trained.best.validation,
        },
    )


def _against_scenes(trained: Trained, n: int) -> Iterator[tuple[Recognition, str, str]]:
    """Binding accuracy (own scene against one with two values exchanged; not of one object) and
    concept accuracy (one value replaced).
    """
    recipe, sizes = trained.recipe, trained.recipe.shape.sizes
    random = torch.Generator().manual_seed(recipe.seed + 4)
    for part, scenes in scenes_to_test(
        recipe.split(), recipe.shape.most_objects, n, recipe.seed + 2
    ).items():
        compared = [(Metric.CONCEPT_ACCURACY, replace_first_value(scenes, sizes, random))]
        if scenes.shape[1] > 1:
            compared.insert(0, (Metric.BINDING_ACCURACY, exchange_first_value(scenes, sizes)))
        for metric, others in compared:
            differ = (others.sort(dim=1).values != scenes.sort(dim=1).values).any(dim=1)
            correct, tied = own_scene(
                trained.model, scenes, others, by_queries=recipe.objective == "scenes"
            )
            yield Recognition(correct, tied, differ.numpy()), metric, part


@explains_arguments
def count_recognition(
    scenes: Int[Tensor, "scenes slots"],
    sizes: tuple[int, ...],
    among: Int[Tensor, " candidates"] | None = None,
) -> Recognition:
    """Recognition by the number of an object's values that are in the scene, the control
    `counts_of_concepts`.

    Nothing is fitted, and equal counts tie, which is a miss. (The control `bag_of_concepts` of the
    probes is fitted, and breaks ties.)

    Args:
        scenes: (n, m) object ids.
        sizes: number of values of each concept.
        among: (k,) candidates; all objects by default.
    """
    n_objects = math.prod(sizes)
    candidates = torch.arange(n_objects) if among is None else among
    values, found = object_values(candidates, sizes), []
    for part in scenes.split(max(1, (1 << 22) // len(candidates))):
        held = object_values(part, sizes)
        scores = torch.zeros(len(part), len(candidates))
        for k in range(len(sizes)):
            scores += (values[None, :, None, k] == held[:, None, :, k]).any(dim=2)
        present = torch.zeros(len(part), n_objects, dtype=torch.bool).scatter_(1, part, True)[
            :, candidates
        ]
        found.append(recognition(scores.numpy(), present.numpy()))
    return join(found)


def _probed(trained: Trained, queries: Tensor, probe: str) -> tuple[Recognition, float | None]:
    """Recognition of new objects by the model's queries from what a structured probe predicts, and
    its R^2 there; None where all embeddings are the same.
    """
    recipe, model = trained.recipe, trained.model
    split, sizes, m = recipe.split(), recipe.shape.sizes, recipe.shape.most_objects
    random = torch.Generator().manual_seed(recipe.seed + 3)
    parts = {}
    for name, objects, n in (
        ("train", split.train, PROBE_SCENES),
        ("held", split.validation, PROBE_HELD),
        ("test", split.test, PROBE_HELD),
    ):
        ids = draw_objects(objects, n, m, random)
        parts[name] = (
            ids,
            Labelled(
                object_values(ids, sizes).numpy(), scene_rows(model, ids).double().cpu().numpy()
            ),
        )
    fitted = make(probe, sizes, m, width=PROBE_RANK, starts=1, seed=recipe.seed).fit(
        parts["train"][1], parts["held"][1]
    )
    ids, test = parts["test"]
    predicted = fitted.predict(test.labels)
    centre = parts["train"][1].values.mean(axis=0)
    left, total = squared_sums(test.values, predicted, centre)
    outcome = read_rows(torch.from_numpy(np.asarray(predicted)), queries.double().cpu(), ids)
    return outcome, 1 - left / total if total else None


def train_cells(shared: Mapping[str, Any], recipes: Sequence[Recipe]) -> list[list[dict[str, Any]]]:
    """Train models of a sweep that are not trained yet, at once where they are several, and score
    each: its records as flat rows.

    Args:
        shared: `folder` of all models, `device`, and `probes`.
        recipes: of the cells.
    """
    folders = [Path(shared["folder"]) / cell_name(recipe) for recipe in recipes]
    device = shared["device"]
    left = [i for i, folder in enumerate(folders) if not (folder / CONFIG).is_file()]
    if len(left) > 1:
        trained = train_stacked(
            [recipes[i] for i in left], [folders[i] for i in left], device=device
        )
    else:
        trained = [train(recipes[i], folders[i], device=device) for i in left]
    for i, one in zip(left, trained, strict=True):
        write_model(one, folders[i])
    for folder in folders:  # also of a run that was killed after it had written the model
        (folder / CHECKPOINT).unlink(missing_ok=True)
    found = []
    for recipe, folder in zip(recipes, folders, strict=True):
        kept, probes = _kept_cell(folder, recipe), list(shared["probes"])
        rows, there = ([], []) if kept is None else (kept["records"], kept["probes"])
        one, name = read_trained(folder, device), model_name(recipe)
        new = controlled_study if kept is None else probe_records
        missing = [probe for probe in probes if probe not in there]
        rows += [record.flat() for record in new(one, name, probes=missing)]
        write_checked_json(
            folder / CELL,
            {
                "recipe": recipe.flat(),
                "probes": list(dict.fromkeys((*there, *probes))),
                "records": rows,
            },
        )
        found.append(asked_of(rows, probes))
    return found


def model_name(recipe: Recipe) -> str:
    """What a model of a sweep is called in results."""
    shape = recipe.shape
    return (
        f"{recipe.sizes_name} coverage {recipe.coverage:g} seed {recipe.seed} width "
        f"{shape.width} depth {shape.depth}"
    )


def asked_of(rows: list[dict[str, Any]], probes: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a cell without those of probes that were fitted for an earlier sweep and are not
    asked for now.
    """
    return [
        row for row in rows if row["control"] in (Control.NONE, Control.COUNTS_OF_CONCEPTS, *probes)
    ]


def _kept_cell(folder: Path, recipe: Recipe | None = None) -> dict[str, Any] | None:
    """What `train_cells` wrote for a model, or None.

    Raises:
        FileError: it is of another form, or of another model.
    """
    path = folder / CELL
    if not path.is_file():
        return None
    content = read_checked_json(path, "delete it and run again, the model is kept")
    if not {"recipe", "probes", "records"} <= set(content):
        raise FileError(
            f"{path} does not hold the records of a model; delete it and run again, the model is "
            "kept"
        )
    if recipe is not None:
        require_same(content["recipe"], recipe.flat(), place=path, holds="another model")
    return {**content, "records": list(map(_flat_row, content["records"]))}


def _flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it was kept, also in earlier versions, which kept what a study varies in a
    dictionary of its own.
    """
    row = {name: cell for name, cell in row.items() if name != "extra"} | row.get("extra", {})
    return row | {"control": row.get("control") or str(Control.NONE)}


def earlier_cells(folder: Path, recipes: Sequence[Recipe], probes: Sequence[str]) -> Records:
    """Records of the other models of a sweep's folder: of other object spaces, sizes, coverages and
    seeds, and else like these.
    """
    asked = {cell_name(recipe) for recipe in recipes}
    found: list[Record] = []
    like = {_settings(recipe.flat()) for recipe in recipes}
    for path in sorted(folder.glob(f"*/{CELL}")):
        content = _kept_cell(path.parent)
        if (
            path.parent.name not in asked
            and content is not None
            and _settings(content["recipe"]) in like
        ):
            found += map(Record.read, asked_of(content["records"], probes))
    return Records(found)


def _settings(content: Mapping[str, Any]) -> str:
    """All of a recipe but what a sweep goes through."""
    shape = {
        name: value
        for name, value in content["shape"].items()
        if name not in ("sizes", "width", "depth")
    }
    return repr(
        sorted({**content, "shape": sorted(shape.items()), "coverage": None, "seed": None}.items())
    )


def stacks(recipes: Sequence[Recipe], most: int) -> list[list[Recipe]]:
    """Recipes in groups of at most so many that can be trained at once."""
    found: list[list[Recipe]] = []
    for recipe in recipes:
        fits = (
            group
            for group in found
            if len(group) < most
            and recipe.objective == "queries"
            and same_but_data(group[0], recipe)
        )
        group = next(fits, None)
        if group is None:
            found.append([recipe])
        else:
            group.append(recipe)
    return found


def cell_name(recipe: Recipe) -> str:
    """The folder of a model of a sweep: what it is, and a hash of all that decides its weights."""
    what = f"{recipe.sizes_name}-coverage-{recipe.coverage:g}-seed-{recipe.seed}"
    return f"{what}-{content_hash(recipe.key)[:8]}"


def sweep_study(
    recipes: list[Recipe],
    folder: Path,
    *,
    probes: Sequence[str] = ("per_object_product", "global_product"),
    executor: Any = "local",
    address: str | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    stack: int = 1,
    on_cell: Callable[[str, int], None] = lambda _, __: None,
) -> Records:
    """Train and score many models; finished ones are kept in `folder`, so that a killed sweep
    continues, and a larger one adds to it.

    Args:
        recipes: one for each model; the same recipe twice is one model.
        folder: for a folder of each model, an encoder (`controlled:DIR`), with its records, or the
            state of its unfinished training; on a cluster all workers must reach it.
        probes: see `controlled_study`.
        executor: `local`, `ray` or `dask`.
        address: of a running cluster.
        jobs: workers of a local one.
        device: where torch computes.
        stack: models of one shape that a worker trains at once.
        on_cell: called with `training` or `probing` and the number of models done since the last
            call.

    Raises:
        ConceptBindError: an executor is missing, or its workers died; a training diverged.
    """
    from conceptbind.run.executors import run_tasks

    recipes = list(dict.fromkeys(recipes))
    shared: dict[str, Any] = {"folder": str(folder.resolve()), "device": device, "probes": ()}
    run = partial(run_tasks, train_cells, executor=executor, address=address, jobs=jobs)
    rows: dict[Recipe, list[dict[str, Any]]] = {}
    untrained, unprobed = [], []
    for recipe in recipes:
        kept = _kept_cell(folder / cell_name(recipe), recipe)
        if kept is None:
            untrained.append(recipe)
        if probes and (kept is None or not set(probes) <= set(kept["probes"])):
            unprobed.append(recipe)
        elif kept is not None:
            require_whole_model(folder / cell_name(recipe))  # it is an encoder for other commands
            rows[recipe] = asked_of(kept["records"], probes)
    on_cell("training", len(recipes) - len(untrained))
    groups = stacks(untrained, stack)
    for number, found in run(shared, groups):
        rows |= dict(zip(groups[number], found, strict=True))
        on_cell("training", len(found))
    if probes:
        on_cell("probing", len(recipes) - len(unprobed))
    for number, (found,) in run(
        {**shared, "probes": tuple(probes)}, [[recipe] for recipe in unprobed]
    ):
        rows[unprobed[number]] = found
        on_cell("probing", 1)
    mine = Records(Record.read(row) for recipe in recipes for row in rows[recipe])
    return mine + earlier_cells(folder, recipes, probes)
