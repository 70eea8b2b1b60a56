"""Controlled models: one, or many."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.common import default_folder
from conceptbind.core.ownership import command, refuse_in_use
from conceptbind.core.typing import Executor
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.controlled.recipe import Recipe
    from conceptbind.controlled.training import Look
    from conceptbind.core.records import Record
    from conceptbind.core.typing import Precision

HIGH, LOW = 0.8, 0.2
"""Coverages that are shown beside each other when none is asked for."""
MOST_MODELS = 10_000
"""Of one sweep."""


@dataclass(frozen=True, eq=False)
class Training:
    """What `train` or `sweep` found, and where it wrote it."""

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, and a folder for each
    model of `train`."""
    records: "tuple[Record, ...]"
    """All records of `results.json`."""
    sentences: tuple[str, ...]
    overview: tuple[tuple[str, ...], ...] = ()
    """Of a sweep: a head, then a row for each object space and coverage."""

    def __str__(self) -> str:
        lines = ["| " + " | ".join(row) + " |" for row in self.overview]
        lines[1:1] = ["|---" * len(self.overview[0]) + "|"] if lines else []
        return "\n".join((*lines, *self.sentences, f"Report: {self.folder / 'report.html'}"))


def _settled(asked: "Precision | Literal['auto']", device: str, folder: Path) -> "Precision":
    """The precision of a run: as asked for, or as it was settled when the run was first started, or
    as the device has it.
    """
    from conceptbind.controlled.training import choose_precision
    from conceptbind.run.folder import kept_option

    kept = kept_option(folder, "precision") if asked == "auto" else None
    return kept if kept in ("float32", "bf16") else choose_precision(asked, device)


@command
def train(
    *,
    preset: Literal["small", "published"] = "small",
    coverage: float | None = None,
    objective: Literal["queries", "scenes"] = "queries",
    values: int | None = None,
    concepts: int | None = None,
    objects: int | None = None,
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
    feed_forward: int | None = None,
    dimension: int | None = None,
    batch: int | None = None,
    steps: int | None = None,
    rate: float | None = None,
    optimiser: Literal["adamw", "muon"] | None = None,
    concept_weight: float | None = None,
    seed: int = 0,
    out: str | None = None,
    compiled: bool = False,
    precision: Literal["auto", "float32", "bf16"] = "auto",
    device: str = "auto",
) -> Training:
    """Train a scene encoder and a query encoder on symbols, and tell whether they bind objects that
    they never saw.

    Without a coverage two models are trained: one on most objects, which learns to bind, and one on
    few, which does not. Each is an encoder, controlled:DIR, for the other commands. A killed run
    continues when it is started again.

    Args:
        preset: small (minutes on two cores) or published (the paper's sizes and 50,000 steps, for a
            GPU).
        coverage: share of the objects that are trained on; two models, at 0.8 and 0.2, when left
            out.
        objective: scenes against queries of concepts and objects, or against the same scenes with
            their objects in another order.
        values: of each concept; from the preset when left out, like all below.
        concepts: number of concepts.
        objects: in a scene, at most.
        width: of the transformers.
        depth: of the transformers.
        heads: of attention.
        feed_forward: width of the feed-forward layers.
        dimension: of the embeddings.
        batch: scenes in a batch.
        steps: of training; it ends earlier where validation objects are read.
        rate: learning rate.
        optimiser: adamw, or muon for the matrices of the transformers.
        concept_weight: of the loss on queries of single values.
        seed: of the choice of objects, the weights and the batches.
        out: run folder; by default runs/controlled-SIZES and what differs from the defaults.
        compiled: use torch.compile.
        precision: of the products; auto is bf16 on a GPU and on a processor with AMX, else float32.
        device: where torch computes: cpu, cuda, ... or auto.

    Raises:
        ConceptBindError: the options cannot be used; the message says what to do.
    """
    from conceptbind.controlled.recipe import make_recipe
    from conceptbind.controlled.section import (
        controlled_sentence,
        history_figure,
        write_controlled_report,
    )
    from conceptbind.controlled.store import CONFIG, read_trained, write_model
    from conceptbind.controlled.study import controlled_study
    from conceptbind.controlled.training import CHECKPOINT
    from conceptbind.controlled.training import train as fit
    from conceptbind.core.errors import MismatchError
    from conceptbind.core.files import user_path
    from conceptbind.encoders.registry import torch_device
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    changed: dict[str, Any] = {
        "values": values,
        "concepts": concepts,
        "objects": objects,
        "width": width,
        "depth": depth,
        "heads": heads,
        "feed_forward": feed_forward,
        "dimension": dimension,
        "batch": batch,
        "steps": steps,
        "rate": rate,
        "optimiser": optimiser,
        "concept_weight": concept_weight,
    }
    coverages, where = (HIGH, LOW) if coverage is None else (coverage,), torch_device(device)
    recipes = {
        f"coverage-{share:g}": make_recipe(preset, share, seed, objective, **changed)
        for share in coverages
    }
    sizes_name = next(iter(recipes.values())).sizes_name
    asked = {
        "preset": preset,
        "coverage": coverage,
        "objective": objective,
        **changed,
        "seed": seed,
        "compiled": compiled,
    }
    same = ("values", "concepts", "precision")
    out_folder = (
        user_path(out) if out else default_folder((f"controlled-{sizes_name}",), asked, train, same)
    )
    refuse_in_use(out_folder)
    settled = _settled(precision, where, out_folder)
    recipes = {name: replace(recipe, precision=settled) for name, recipe in recipes.items()}
    for recipe in recipes.values():
        recipe.check(where)
    config = {
        "preset": preset,
        "coverage": coverage,
        "objective": objective,
        **changed,
        "seed": seed,
        "out": out,
        "compiled": compiled,
        "precision": settled,
        "device": device,
    }
    folder = RunFolder.open(out_folder, config)
    models: dict[str, Any] = {}
    records: list[Record] = []
    sentences: list[str] = []
    for name, recipe in recipes.items():
        place = folder.path / name
        if (place / CONFIG).is_file():  # of an earlier start of this run
            trained = read_trained(place, where)
            if trained.recipe != recipe:
                raise MismatchError(
                    f"{place} holds a model of another recipe; choose another folder with --out, "
                    "or delete that one"
                )
        else:
            with progress(total=recipe.steps, desc=name, unit="step") as bar:

                def seen(look: "Look", bar: Any = bar) -> None:
                    bar.set_postfix_str(
                        f"train objects {look.train:.2f}, unseen {look.validation:.2f}, concepts "
                        f"{look.concepts:.2f}"
                    )

                trained = fit(
                    recipe, place, device=where, compiled=compiled, on_look=seen, on_step=bar.update
                )
            write_model(trained, place)
        (place / CHECKPOINT).unlink(missing_ok=True)
        models[name] = trained
        mine = controlled_study(trained, f"controlled:{name}")
        records += mine
        sentences.append(controlled_sentence(mine))
    facts = plain_provenance(config, sys.argv) | {
        "recipes": {name: recipe.flat() for name, recipe in recipes.items()}
    }
    folder.write_results(facts, records)
    write_controlled_report(
        folder.path / "report.html",
        "Does a model learn to bind?",
        sentences,
        records,
        [("Training", history_figure(models))],
        facts,
    )
    return Training(folder.path, tuple(records), tuple(sentences))


@contextmanager
def _sweeping(
    recipes: "Sequence[Recipe]", probes: list[str]
) -> "Iterator[Callable[[str, int], None]]":
    """The progress of a sweep: what is done with the models, and how many are done; and first what
    the probes cost.
    """
    from conceptbind.controlled.study import PROBE_SCENES

    with progress(total=len(recipes), desc="training models", unit="model") as bar:
        if probes:
            bar.write(
                f"{len(recipes)} models are trained for at most {recipes[0].steps:,} steps; then "
                f"{' and '.join(probes)} are fitted to each "
                f"on {PROBE_SCENES:,} scenes, whatever the steps, which may take longer than the "
                "training (--probes [] leaves them out)",
                file=sys.stderr,
            )

        def done(what: str, n: int) -> None:
            if not bar.desc.startswith(what):
                bar.reset(len(recipes))
                bar.set_description(f"{what} models")
            bar.update(n)

        yield done


@command
def sweep(
    *,
    preset: Literal["small", "published"] = "small",
    # Read, never changed; jsonargparse shows it in --help.
    coverages: list[float] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],  # noqa: B006
    values: list[int] = [20, 30, 50],  # noqa: B006
    concepts: list[int] = [2],  # noqa: B006
    spaces: list[str] = [],  # noqa: B006
    seeds: int = 3,
    objective: Literal["queries", "scenes"] = "queries",
    objects: int | None = None,
    width: list[int] = [],  # noqa: B006
    depth: list[int] = [],  # noqa: B006
    heads: int | None = None,
    feed_forward: int | None = None,
    dimension: int | None = None,
    batch: int | None = None,
    steps: int | None = None,
    rate: float | None = None,
    optimiser: Literal["adamw", "muon"] | None = None,
    concept_weight: float | None = None,
    probes: list[str] = ["per_object_product", "global_product"],  # noqa: B006
    out: str | None = None,
    executor: Executor = "local",
    address: str | None = None,
    jobs: int | None = None,
    precision: Literal["auto", "float32", "bf16"] = "auto",
    device: str = "cpu",
    stack: int = 1,
) -> Training:
    """Train many controlled models and draw where binding begins: unseen objects over coverage, and
    against a probe of their rule.

    Every model is kept as an encoder, controlled:OUT/models/NAME. A killed sweep continues when it
    is started again, and one with other coverages, object spaces, seeds or probes in the same
    folder trains only the models that are not there yet.

    Args:
        preset: small or published; what is left out below comes from it.
        coverages: shares of the objects that are trained on, for example [0.2,0.5].
        values: of each concept, for example [10,20].
        concepts: numbers of concepts.
        spaces: object spaces instead of values and concepts, for example [50x50,20x20x20].
        seeds: models of each setting.
        objective: queries or scenes.
        objects: in a scene, at most.
        width: of the transformers, for example [64,128].
        depth: of the transformers, for example [1,2].
        heads: of attention.
        feed_forward: width of the feed-forward layers.
        dimension: of the embeddings.
        batch: scenes in a batch.
        steps: of training.
        rate: learning rate.
        optimiser: adamw, or muon for the matrices of the transformers.
        concept_weight: of the loss on queries of single values.
        probes: approximators of each model's rule that are drawn against the model, for example
            [per_object_product]; [] for none.
        out: run folder; by default runs/controlled-sweep and what differs from the defaults, the
            models asked for excepted.
        executor: what runs the sweep: local (processes of this machine), ray or dask.
        address: of a running Ray or Dask cluster; a local one is started without it.
        jobs: processes or workers; one for each core by default.
        precision: of the products; auto is bf16 on a GPU and on a processor with AMX, else float32.
        device: where torch computes.
        stack: models of one size that each worker trains at once, their weights stacked, which is
            meant for a GPU.

    Raises:
        ConceptBindError: the options cannot be used; the message says what to do.
    """
    from conceptbind.complexity.cells import APPROXIMATORS
    from conceptbind.controlled.recipe import make_recipe, read_sizes
    from conceptbind.controlled.section import (
        probe_figure,
        sweep_sentence,
        transition_figure,
        transition_table,
        write_controlled_report,
    )
    from conceptbind.controlled.study import sweep_study
    from conceptbind.core.errors import UnknownNameError, ValueRangeError, nearest
    from conceptbind.core.files import user_path
    from conceptbind.encoders.registry import torch_device
    from conceptbind.run.executors import check_executor
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    if seeds < 1 or not coverages or not (spaces or (values and concepts)):
        raise ValueRangeError(
            "a sweep needs at least one coverage, one number of values, one number of concepts and "
            "one seed"
        )
    if stack < 1:
        raise ValueRangeError(f"--stack must be at least 1 model; got {stack}")
    if stack > 1 and objective == "scenes":
        raise ValueRangeError(
            "--stack is for the objective 'queries'; leave it out, or use more --jobs"
        )
    for probe in probes:
        if probe not in APPROXIMATORS:
            raise UnknownNameError(
                f"unknown approximator '{probe}'; {nearest(probe, APPROXIMATORS)}"
            )
    if objective == "scenes" and probes:
        probes = []  # they are read by queries, which such models do not have
    check_executor(executor, address, jobs)
    changed = {
        "objects": objects,
        "heads": heads,
        "feed_forward": feed_forward,
        "dimension": dimension,
        "batch": batch,
        "steps": steps,
        "rate": rate,
        "optimiser": optimiser,
        "concept_weight": concept_weight,
    }
    grid = ("coverages", "values", "concepts", "spaces", "seeds", "width", "depth", "probes")
    asked = {"preset": preset, "objective": objective, **changed}
    place = (
        user_path(out)
        if out
        else default_folder(("controlled-sweep",), asked, sweep, (*grid, "precision"))
    )
    refuse_in_use(place)
    where = torch_device(device)
    settled = _settled(precision, where, place)
    widths: list[int | None] = [*width] or [None]
    depths: list[int | None] = [*depth] or [None]
    chosen = [read_sizes(space) for space in spaces] or [
        (n,) * n_concepts for n_concepts in concepts for n in values
    ]
    n_models = len(chosen) * len(widths) * len(depths) * len(coverages) * seeds
    if n_models > MOST_MODELS:
        raise ValueRangeError(
            f"a sweep trains at most {MOST_MODELS:,} models; these options ask for {n_models:,}; "
            "name fewer"
        )
    recipes = [
        make_recipe(
            preset,
            share,
            seed,
            objective,
            precision=settled,
            sizes=sizes,
            width=wide,
            depth=deep,
            **changed,
        )
        for sizes in chosen
        for wide in widths
        for deep in depths
        for share in coverages
        for seed in range(seeds)
    ]
    for recipe in recipes:
        recipe.check(where)
    config = {
        "preset": preset,
        "coverages": list(coverages),
        "values": list(values),
        "concepts": list(concepts),
        "spaces": list(spaces),
        "seeds": seeds,
        "objective": objective,
        "width": list(width),
        "depth": list(depth),
        **changed,
        "probes": list(probes),
        "out": out,
        "executor": executor,
        "address": address,
        "jobs": jobs,
        "precision": settled,
        "device": device,
        "stack": stack,
    }
    folder = RunFolder.open(place, config, growing=grid)
    costly = sorted(dict.fromkeys(recipes), key=lambda recipe: -math.prod(recipe.shape.sizes))
    with _sweeping(costly, probes) as done:
        records = sweep_study(
            costly,
            folder.path / "models",
            probes=probes,
            executor=executor,
            address=address,
            jobs=jobs,
            device=where,
            stack=stack,
            on_cell=done,
        )
    facts = plain_provenance({**config, "seed": 0}, sys.argv)
    folder.write_results(facts, records)
    figures = [("Unseen objects over coverage", transition_figure(records))]
    drawn = ((probe.replace("_", " "), probe_figure(records, probe)) for probe in probes)
    figures += [
        (f"The model and a probe of its rule: {name}", figure)
        for name, figure in drawn
        if figure is not None
    ]
    sentence = sweep_sentence(records, probes)
    overview = transition_table(records, probes)
    write_controlled_report(
        folder.path / "report.html",
        "Where does binding begin?",
        [sentence],
        records,
        figures,
        facts,
        overview,
    )
    return Training(folder.path, records, (sentence,), tuple(map(tuple, overview)))
