"""Controlled models: one, or many."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import default_folder
from conceptbind.commands.shared import GivenPath
from conceptbind.core.errors import counted
from conceptbind.core.ownership import refuse_in_use
from conceptbind.core.records import Records
from conceptbind.report.shown import Shown
from conceptbind.run.bars import Bar, progress
from conceptbind.run.cluster import Cluster

if TYPE_CHECKING:
    from conceptbind.controlled.model import ControlledModel
    from conceptbind.controlled.recipe import Precision, Recipe
    from conceptbind.controlled.training import Look
    from conceptbind.core.findings import Verdict

HIGH, LOW = 0.8, 0.2
"""Coverages that are shown beside each other when none is asked for."""
MOST_MODELS = 10_000
"""Of one sweep."""


@dataclass(frozen=True, eq=False, repr=False)
class Training(Shown):
    """What `train` or `sweep` found, and where it wrote it."""

    folder: Path
    """The run folder: results.json, results.csv, report.html, config.yaml, and a folder for each
    model of `train`."""
    records: Records
    """All records of `results.json`."""
    sentences: tuple[str, ...]
    overview: tuple[tuple[str, ...], ...] = ()
    """A head, then a row for each object space and coverage of a sweep, or for each model of
    `train`: recognition by the number of objects in a scene."""
    verdicts: "tuple[Verdict, ...]" = ()
    """None: this command judges no level of binding."""

    @property
    def said(self) -> tuple[str, ...]:
        """Its sentences."""
        return self.sentences

    def text(self, width: int | None = None) -> str:  # noqa: D102
        from conceptbind.report.terminal import terminal_table

        table = [terminal_table(self.overview, 1, width)] if self.overview else []
        return "\n".join((*table, *self.sentences, f"Report: {self.folder / 'report.html'}"))


def _settled(asked: "Precision | Literal['auto']", device: str, folder: Path) -> "Precision":
    """The precision of a run: as asked for, or as it was settled when the run was first started, or
    as the device has it.
    """
    from conceptbind.controlled.training import choose_precision
    from conceptbind.run.folder import kept_option

    kept = kept_option(folder, "precision") if asked == "auto" else None
    return kept if kept in ("float32", "bf16") else choose_precision(asked, device)


@dataclass(frozen=True, kw_only=True)
class Models:
    """What controlled models are and how they are trained."""

    GROUP = "The models"

    objects: int | None = None
    """Most objects of a scene; by default that of the preset, as for all sizes."""
    heads: int | None = None
    """Number of attention heads of the transformers."""
    feed_forward: int | None = None
    """Width of the transformers' feed-forward layers."""
    dimension: int | None = None
    """Width of the embeddings."""
    batch: int | None = None
    """Number of scenes in a training batch."""
    steps: int | None = None
    """Most training steps; training ends earlier where validation objects are recognised."""
    rate: float | None = None
    """Learning rate."""
    optimiser: Literal["adamw", "muon"] | None = None
    """Optimiser: adamw, or muon for the matrices of the transformers."""
    concept_weight: float | None = None
    """Weight of the loss on queries of single values."""
    attention: Literal["full", "causal"] | None = None
    """Attention of the transformers: full, or causal with CLIP's activation, as its text tower."""
    similarity: Literal["cosine", "dot"] | None = None
    """How scenes and queries are compared: by cosine with a learned scale, or by dot products with
    an offset for each query.
    """
    most_swaps: int | None = None
    """Swap negatives drawn for each scene; by default all are queries, and 0 is none."""
    negatives: int | None = None
    """Further train objects that are queries, for each object that is asked for."""
    most_object_queries: int | None = None
    """Most objects of a batch that are asked for; by default all of them."""
    most_concept_queries: int | None = None
    """Most values of a batch that are asked for; by default all values are queries."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Number format of matrix products; auto is bf16 on a GPU and on a processor with AMX, else
    float32.
    """
    device: str = "auto"
    """Device to train on: cpu, cuda, or another device of torch; auto is a GPU where there is one.
    """

    @property
    def changed(self) -> dict[str, Any]:
        """What is not as in the preset, or None."""
        names = [field.name for field in fields(Models)]
        return {name: getattr(self, name) for name in names if name not in ("precision", "device")}


@dataclass(frozen=True, kw_only=True)
class Train(Models, Command[Training]):
    """Train a scene encoder and a query encoder on symbols, and tell whether they bind objects that
    they never saw.

    Without a coverage two models are trained: one on most objects, which learns to bind, and one on
    few, which does not. Each is an encoder, controlled:DIR, for the other commands. A killed run
    continues when it is started again.
    """

    preset: Literal["small", "published"] = "small"
    """Sizes of the models: small (minutes on two cores) or published (the paper's sizes and 50,000
    steps, for a GPU).
    """
    coverage: float | None = None
    """Share of the objects to train on; by default two models, at 0.8 and 0.2."""
    objective: Literal["queries", "scenes"] = "queries"
    """What scenes are trained against: queries of concepts and objects, or the same scenes with
    their objects in another order.
    """
    values: int | None = None
    """Number of values per concept; by default that of the preset, as for all sizes."""
    concepts: int | None = None
    """Number of concepts."""
    width: int | None = None
    """Width of the transformers."""
    depth: int | None = None
    """Number of layers of the transformers."""
    seed: int = 0
    """Random seed; it decides the choice of objects, the weights and the batches."""
    out: GivenPath | None = None
    """Run folder to write; by default runs/controlled-SIZES, followed by options that differ from
    their defaults.
    """
    compiled: bool = False
    """Compile the models with torch.compile, which pays in long trainings."""
    watch: bool = False
    """Score each model while it trains, on a fixed set of scenes of its own symbols, and draw the
    curves into OUT/watched. It takes at most 5 % of the time.
    """

    def work(self) -> Training:
        """Train, score and write."""
        return _trained(self)


train = function_of(Train)


def _trained(asked: Train) -> Training:
    """Train, score and write."""
    from conceptbind.controlled.ending import ending_sentence
    from conceptbind.controlled.recipe import make_recipe
    from conceptbind.controlled.section import (
        controlled_sentence,
        history_figure,
        number_table,
        write_controlled_report,
    )
    from conceptbind.controlled.store import CONFIG, read_trained, write_model
    from conceptbind.controlled.study import controlled_study
    from conceptbind.controlled.training import CHECKPOINT
    from conceptbind.controlled.training import train as fit
    from conceptbind.core.files import user_path
    from conceptbind.core.kept import require_same
    from conceptbind.encoders.registry import torch_device
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    changed = asked.changed | {
        name: getattr(asked, name) for name in ("values", "concepts", "width", "depth")
    }
    coverages = (HIGH, LOW) if asked.coverage is None else (asked.coverage,)
    where = torch_device(asked.device)
    recipes = {
        f"coverage-{share:g}": make_recipe(
            asked.preset, share, asked.seed, asked.objective, **changed
        )
        for share in coverages
    }
    sizes_name = next(iter(recipes.values())).sizes_name
    named = ("values", "concepts", "precision")
    out_folder = user_path(asked.out or default_folder((f"controlled-{sizes_name}",), asked, named))
    refuse_in_use(out_folder)
    settled = _settled(asked.precision, where, out_folder)
    recipes = {name: replace(recipe, precision=settled) for name, recipe in recipes.items()}
    for recipe in recipes.values():
        recipe.check(where)
    config = replace(asked, precision=settled).configuration()
    folder = RunFolder.open(out_folder, config)
    models: dict[str, Any] = {}
    records = Records()
    sentences: list[str] = []
    for name, recipe in recipes.items():
        place = folder.path / name
        if (place / CONFIG).is_file():  # of an earlier start of this run
            trained = read_trained(place, where)
            there, now = trained.recipe.flat(), recipe.flat()
            require_same(there, now, place=place, holds="another model")
        else:
            with progress(total=recipe.steps, desc=name, unit="step") as bar:

                def seen(look: "Look", bar: Bar = bar) -> None:
                    bar.note(
                        f"train objects {look.train:.2f}, new {look.validation:.2f}, concepts "
                        f"{look.concepts:.2f}"
                    )

                with _watching(asked.watch, recipe, folder.path / "watched" / name) as looked:
                    trained = fit(
                        recipe,
                        place,
                        device=where,
                        compiled=asked.compiled,
                        on_look=seen,
                        on_step=bar.update,
                        on_model=looked,
                    )
            write_model(trained, place)
        (place / CHECKPOINT).unlink(missing_ok=True)
        models[name] = trained
        mine = controlled_study(trained, f"controlled:{name}")
        records += mine
        sentences.append(f"{controlled_sentence(mine)} {ending_sentence(trained)}")
    facts = plain_provenance(config, sys.argv) | {
        "recipes": {name: recipe.flat() for name, recipe in recipes.items()}
    }
    folder.write_results(facts, records, sentences=sentences)
    by_number = number_table(records)
    write_controlled_report(
        folder.path / "report.html",
        "Does a model learn to bind?",
        sentences,
        records,
        [("Training", history_figure(models))],
        facts,
        by_number,
        "Scenes whose objects are all recognised, by the number of objects",
    )
    return Training(folder.path, records, tuple(sentences), tuple(map(tuple, by_number)))


@contextmanager
def _watching(
    asked: bool, recipe: "Recipe", folder: Path
) -> "Iterator[Callable[[ControlledModel, int], object]]":
    """What is called with a model and its step; it scores the model where that is asked for."""
    if not asked:
        yield lambda *_: None
        return
    from conceptbind.controlled.store import ControlledEncoder
    from conceptbind.watching.probe import BindingProbe
    from conceptbind.watching.watcher import symbol_scenes

    probe = BindingProbe(folder, scenes=symbol_scenes(recipe.shape.sizes), seed=recipe.seed)
    last: list[tuple[Any, int]] = []

    def looked(model: "ControlledModel", step: int) -> None:
        model.eval()
        last[:] = [(ControlledEncoder.of(model, recipe, folder.name), step)]
        probe(*last[0])
        model.train()

    yield looked
    probe.finish(*(last[0] if last else (None, None)))


@contextmanager
def _sweeping(
    recipes: "Sequence[Recipe]", probes: Sequence[str]
) -> "Iterator[Callable[[str, int], None]]":
    """The progress of a sweep: what is done with the models, and how many are done; and first what
    the probes cost.
    """
    from conceptbind.controlled.study import PROBE_SCENES

    with progress(total=len(recipes), desc="training models", unit="model") as bar:
        if probes:
            fitted = "are" if len(probes) > 1 else "is"
            bar.line(
                f"{counted(len(recipes), 'model')} to be trained for at most "
                f"{counted(recipes[0].steps, 'step')}; then "
                f"{' and '.join(probes)} {fitted} fitted to each "
                f"on {PROBE_SCENES:,} scenes, whatever the steps, which may take longer than the "
                "training (--probes [] leaves them out)"
            )

        def done(what: str, n: int) -> None:
            if not bar.what.startswith(what):
                bar.restart(f"{what} models", len(recipes))
            bar.update(n)

        yield done


@dataclass(frozen=True, kw_only=True)
class Sweep(Models, Cluster, Command[Training]):
    """Train many controlled models and draw where binding begins: new objects over coverage, and
    against a probe of their rule.

    Every model is kept as an encoder, controlled:OUT/models/NAME. A killed sweep continues when it
    is started again. One with other coverages, object spaces, seeds or probes in the same folder
    trains only the models that are not there yet.
    """

    preset: Literal["small", "published"] = "small"
    """Preset of the model sizes, small or published; other options replace single sizes."""
    coverages: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """Shares of the objects to train on, for example 0.2 0.5."""
    values: Sequence[int] = (20, 30, 50)
    """Numbers of values of each concept, for example 10 20."""
    concepts: Sequence[int] = (2,)
    """Numbers of concepts."""
    spaces: Sequence[str] = ()
    """Object spaces instead of values and concepts, for example 50x50 20x20x20."""
    seeds: int = 3
    """Number of models of each setting."""
    first_seed: int = 0
    """Seed of the first of them; the others follow."""
    objective: Literal["queries", "scenes"] = "queries"
    """What scenes are trained against: queries of concepts and objects, or the same scenes with
    their objects in another order.
    """
    width: Sequence[int] = ()
    """Widths of the transformers, for example 64 128; default from the preset."""
    depth: Sequence[int] = ()
    """Numbers of layers of the transformers, for example 1 2; default from the preset."""
    probes: Sequence[str] = ("per_object_product", "global_product")
    """Approximators of each model's rule that are drawn against the model, for example
    per_object_product; [] for none.
    """
    out: GivenPath | None = None
    """Run folder to write; by default runs/controlled-sweep, followed by options that differ from
    their defaults (not which models are asked for).
    """
    device: str = "cpu"
    """Device to train on: cpu, cuda, or another device of torch."""
    stack: int = 1
    """Number of models of one size that a worker trains at once, with stacked weights; meant for a
    GPU.
    """

    def work(self) -> Training:
        """Train, score and draw."""
        from conceptbind.complexity.cells import APPROXIMATORS
        from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest
        from conceptbind.run.executors import check_executor

        if (
            self.seeds < 1
            or not self.coverages
            or not (self.spaces or (self.values and self.concepts))
        ):
            raise ValueRangeError(
                "a sweep needs at least one coverage, one number of values, one number of concepts "
                "and one seed"
            )
        if self.first_seed < 0:
            raise ValueRangeError(f"--first_seed must be at least 0; got {self.first_seed}")
        if self.stack < 1:
            raise ValueRangeError(f"--stack must be at least 1 model; got {self.stack}")
        if self.stack > 1 and self.objective == "scenes":
            raise ValueRangeError(
                "--stack is for the objective 'queries'; leave it out, or use more --jobs"
            )
        for probe in self.probes:
            if probe not in APPROXIMATORS:
                raise UnknownNameError(
                    f"unknown approximator '{cut(probe)}'; {nearest(probe, APPROXIMATORS)}"
                )
        check_executor(self.executor, self.address, self.jobs)
        if self.objective == "scenes":  # probes read queries, which such models do not have
            return _swept(replace(self, probes=()))
        return _swept(self)


sweep = function_of(Sweep)


def _recipes(asked: Sweep, precision: "Precision") -> "list[Recipe]":
    """The models of a sweep.

    Raises:
        ValueRangeError: there are too many.
    """
    from conceptbind.controlled.recipe import make_recipe, read_sizes
    from conceptbind.core.errors import ValueRangeError

    widths: list[int | None] = [*asked.width] or [None]
    depths: list[int | None] = [*asked.depth] or [None]
    chosen = [read_sizes(space) for space in asked.spaces] or [
        (n,) * n_concepts for n_concepts in asked.concepts for n in asked.values
    ]
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    settings = list(product(chosen, widths, depths, asked.coverages, seeds))
    if len(settings) > MOST_MODELS:
        raise ValueRangeError(
            f"a sweep trains at most {MOST_MODELS:,} models; these options ask for "
            f"{len(settings):,}; name fewer"
        )
    return [
        make_recipe(
            asked.preset,
            share,
            seed,
            asked.objective,
            precision=precision,
            sizes=sizes,
            width=wide,
            depth=deep,
            **asked.changed,
        )
        for sizes, wide, deep, share, seed in settings
    ]


def _swept(asked: Sweep) -> Training:
    """Train, score and draw."""
    from conceptbind.controlled.section import (
        probe_figure,
        sweep_sentence,
        transition_figure,
        transition_table,
        write_controlled_report,
    )
    from conceptbind.controlled.study import sweep_study
    from conceptbind.core.files import user_path
    from conceptbind.encoders.registry import torch_device
    from conceptbind.run.facts import plain_provenance
    from conceptbind.run.folder import RunFolder

    models = ("coverages", "values", "concepts", "spaces", "seeds", "first_seed", "width", "depth")
    grid = (*models, "probes")
    named = (*grid, "precision")
    place = user_path(asked.out or default_folder(("controlled-sweep",), asked, named))
    refuse_in_use(place)
    where = torch_device(asked.device)
    settled = _settled(asked.precision, where, place)
    recipes = _recipes(asked, settled)
    for recipe in recipes:
        recipe.check(where)
    config = replace(asked, precision=settled).configuration()
    folder = RunFolder.open(place, config, growing=grid)
    costly = sorted(dict.fromkeys(recipes), key=lambda recipe: -math.prod(recipe.shape.sizes))
    with _sweeping(costly, asked.probes) as done:
        records = sweep_study(
            costly,
            folder.path / "models",
            probes=asked.probes,
            executor=asked.executor,
            address=asked.address,
            jobs=asked.jobs,
            device=where,
            stack=asked.stack,
            on_cell=done,
        )
    facts = plain_provenance({**config, "seed": asked.first_seed}, sys.argv)
    sentence = sweep_sentence(records, asked.probes)
    folder.write_results(facts, records, sentences=[sentence])
    figures = [("New objects over coverage", transition_figure(records))]
    drawn = ((probe.replace("_", " "), probe_figure(records, probe)) for probe in asked.probes)
    figures += [
        (f"The model and a probe of its rule: {name}", figure)
        for name, figure in drawn
        if figure is not None
    ]
    overview = transition_table(records, asked.probes)
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
