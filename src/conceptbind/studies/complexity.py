"""How complex the binding function of one modality is: a sweep over coverages, approximators and seeds, and one number."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind import __version__
from conceptbind.complexity import APPROXIMATORS, Cell, Inputs, cover, fit_cell, fit_cells_together, recognised, some
from conceptbind.errors import ConceptBindError, FileError, UnknownNameError, ValueRangeError, nearest
from conceptbind.executors import run_tasks
from conceptbind.files import content_hash, read_checked_json, write_checked_json
from conceptbind.metrics import student
from conceptbind.probes import SceneProbes, fit_scene_probes
from conceptbind.results import Extra, Record
from conceptbind.scenes import Scenes, Split
from conceptbind.studies.probe import bag_of_concepts

if TYPE_CHECKING:
    from conceptbind.embeddings import Embeddings
    from conceptbind.typing import Executor, Modality

STRUCTURED = ("additive", "per_object_product", "global_product", "global_product_alone")
REAL, BAG, CHOSEN = "embeddings", "bag_of_concepts", "chosen"
"""Names beside the approximators: the real embeddings of the same scenes, a bag of concepts with probes of its own, and in each cell the
approximator with the least error on validation."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep runs over."""

    coverages: tuple[float, ...]
    models: tuple[tuple[str, int | None], ...]
    """Approximators with their width: the rank of products, the hidden units of a network, the trees of an ensemble."""
    seeds: int
    most_scenes: int
    """Scenes fitted and scored in one cell, at most."""
    starts: int
    """Random starts of a product probe at each rank."""

    def __post_init__(self) -> None:
        if not self.coverages or not self.models or self.seeds < 1 or self.starts < 1 or self.most_scenes < 1:
            raise ValueRangeError("a sweep needs at least one coverage, one approximator, one seed, one start and one scene")
        for coverage in self.coverages:
            if not 0 < coverage < 1:
                raise ValueRangeError(f"coverages must lie between 0 and 1; got {coverage}")
        for name, width in self.models:
            if name not in APPROXIMATORS:
                raise UnknownNameError(f"unknown approximator '{name}'; {nearest(name, APPROXIMATORS)}")
            if width is not None and width < 1:
                raise ValueRangeError(f"the width of '{name}' must be at least 1; got {width}")

    def cells(self) -> list[Cell]:
        """All cells, the costly ones first, so that no worker ends with one of them."""
        found = [
            Cell(name, width, coverage, seed)
            for name, width in self.models for coverage in self.coverages for seed in range(self.seeds)
        ]  # fmt: skip
        return sorted(found, key=lambda cell: (-cell.coverage, -(cell.width or 0), cell.approximator, cell.seed))


SHORT = Sweep((0.2, 0.5, 0.8), (*((name, 8) for name in STRUCTURED), ("mlp", 256)), 3, 2_000, 1)
"""Part of every measurement."""
FULL = Sweep(
    tuple(round(0.1 * step, 1) for step in range(1, 10)),
    (*((name, 16) for name in STRUCTURED), *(("mlp", width) for width in (64, 256, 1024, 4096)), ("boosting", None), ("forest", None)),
    3, 8_000, 2,
)  # fmt: skip
"""All of arXiv 2605.31503, section 6."""


@dataclass(frozen=True, eq=False)
class ComplexityStudy:
    """What a sweep found."""

    modality: Modality
    records: tuple[Record, ...]
    """For each cell; the mean of its seeds with its interval (`seed` None); and the scores."""
    notes: tuple[str, ...] = field(default=())
    """What was left out, with the reason."""

    def curve(self, metric: str, approximator: str, width: int | None = None, concept: str | None = None) -> list[Record]:
        """The means over seeds on unseen objects, in order of coverage."""
        key = ("unseen", metric, approximator, width, concept)
        found = [
            r for r in self.records
            if (r.split, r.metric, r.extra["approximator"], r.extra["width"], r.extra.get("concept")) == key and r.extra["seed"] is None
        ]  # fmt: skip
        return sorted(found, key=lambda record: float(record.extra["coverage"] or 0))

    def scores(self) -> list[Record]:
        """The summary score of each approximator."""
        return [record for record in self.records if record.metric == "generalisation_score"]


def complexity_study(
    embeddings: Embeddings, scenes: Scenes, split: Split, probes: SceneProbes, *, sweep: Sweep = SHORT, keep: Path | None = None,
    executor: Executor = "local", address: str | None = None, jobs: int | None = None, device: str = "cpu",
    on_cell: Callable[[int], None] = lambda _: None,
) -> ComplexityStudy:  # fmt: skip
    """Fit approximators from labels to embeddings on the scenes of some objects, and read their predictions for unseen objects.

    A binding function is simple when a small approximator generalises (arXiv 2605.31503, section 6). The score of an approximator is the
    area under its curve of unseen-object recognition over coverage that lies above what a bag of concepts reaches on the same scenes, as
    a share of all there is above it: 0 for no more than a bag of concepts, 1 where all objects are read at every coverage.

    Args:
        embeddings: one modality of one encoder; they are made unit rows.
        scenes: the table that they belong to.
        split: as for the probes; the probes of the bag of concepts are fitted on it.
        probes: fitted on the real embeddings.
        sweep: `SHORT`, `FULL`, or one's own.
        keep: a folder for finished cells, so that a killed sweep continues.
        executor: `local`, `ray` or `dask`; the results are the same.
        address: of a running cluster.
        jobs: workers of a local one.
        device: where networks and products are fitted; on a GPU all networks of one width at once, in this process.
        on_cell: called with the number of cells done since the last call.

    Raises:
        MismatchError: the embeddings belong to another table.
        ConceptBindError: an executor is missing, or its workers died.
    """
    embeddings.check(scenes)
    values = np.ascontiguousarray(embeddings.unit().values)
    inputs = Inputs(values, _bare(scenes), probes, sweep.most_scenes, sweep.starts, device)
    possible, notes = _possible(scenes, sweep)
    cells = [cell for cell in sweep.cells() if (cell.coverage, cell.seed) in possible]
    found = _run(inputs, cells, keep, executor, address, jobs, on_cell)
    study = _Study(embeddings, scenes)
    for cell in cells:
        study.cell(cell, found[cell])
    bag_rows = bag_of_concepts(scenes)
    bag = fit_scene_probes(bag_rows, scenes, split)
    for coverage, seed in possible:
        rows = some(cover(scenes, coverage, seed).unseen, sweep.most_scenes, seed)
        for name, heads, table in ((REAL, probes, values), (BAG, bag, bag_rows)):
            study.cell(
                Cell(name, None, coverage, seed), [{"split": "unseen", **row} for row in recognised(heads, table, scenes, rows)]
            )
    study.choose(cells, found)
    study.means()
    study.score(len(sweep.coverages))
    if any(row["missing_values"] for rows in found.values() for row in rows):
        notes.append("at small coverages some values belong to no train object, so that no approximator can know them.")
    return ComplexityStudy(embeddings.modality, tuple(study.records), tuple(notes))


def _bare(scenes: Scenes) -> Scenes:
    """The table without captions and pictures, which the cells do not need."""
    return Scenes(scenes.space, scenes.table, name=scenes.name)


def _possible(scenes: Scenes, sweep: Sweep) -> tuple[list[tuple[float, int]], list[str]]:
    """Coverages and seeds that leave scenes to fit, to choose with and to test; and why others do not."""
    found, notes = [], []
    for coverage in sweep.coverages:
        reasons = []
        for seed in range(sweep.seeds):
            try:
                cover(scenes, coverage, seed)
            except ConceptBindError as error:
                reasons.append(str(error))
            else:
                found.append((coverage, seed))
        if reasons:
            notes.append(f"{len(reasons)} of {sweep.seeds} seeds left out: {reasons[0]}.")
    return found, notes


def _run(
    inputs: Inputs, cells: Sequence[Cell], keep: Path | None, executor: Executor, address: str | None, jobs: int | None,
    on_cell: Callable[[int], None],
) -> dict[Cell, list[dict[str, Any]]]:  # fmt: skip
    """The rows of every cell, from the folder where they are there."""
    key = ""
    if keep:
        probes = (part.weight.tobytes() for part in (*inputs.probes.concepts, inputs.probes.objects))
        key = content_hash(
            __version__, inputs.scenes.content_hash, repr((inputs.most_scenes, inputs.starts)), inputs.values.tobytes(), *probes
        )
    found = {cell: rows for cell in cells if keep and (rows := _kept(keep, key, cell)) is not None}
    if found:
        on_cell(len(found))
    left = [cell for cell in cells if cell not in found]

    def finish(cell: Cell, rows: list[dict[str, Any]]) -> None:
        found[cell] = rows
        if keep:
            write_checked_json(_file(keep, key, cell), {"cell": vars(cell), "rows": rows})
        on_cell(1)

    if inputs.device != "cpu":
        networks: dict[int | None, list[Cell]] = {}
        for cell in left:
            if cell.approximator == "mlp":
                networks.setdefault(cell.width, []).append(cell)
        for group in networks.values():
            for cell, rows in fit_cells_together(inputs, group):
                finish(cell, rows)
        for cell in left:
            if cell not in found:
                finish(cell, fit_cell(inputs, cell))
        return found
    for number, rows in run_tasks(fit_cell, inputs, left, executor=executor, address=address, jobs=jobs):
        finish(left[number], rows)
    return found


def _file(keep: Path, key: str, cell: Cell) -> Path:
    return keep / f"{content_hash(key, repr(cell))[:32]}.json"


def _kept(keep: Path, key: str, cell: Cell) -> list[dict[str, Any]] | None:
    """The rows of a finished cell, or None."""
    path = _file(keep, key, cell)
    if not path.is_file():
        return None
    try:
        rows = read_checked_json(path)["rows"]
    except (FileError, KeyError, TypeError, json.JSONDecodeError):
        return None
    return rows if isinstance(rows, list) else None


class _Study:
    """The records of a sweep as they are added."""

    def __init__(self, embeddings: Embeddings, scenes: Scenes) -> None:
        self.modality, self.encoder, self.scenes = embeddings.modality, embeddings.encoder, scenes.name
        self.records: list[Record] = []

    def add(
        self, metric: str, value: float | None, n: int, split: str, ties: int | None = None,
        interval: tuple[float | None, float | None] = (None, None), **extra: Extra,
    ) -> None:  # fmt: skip
        """One record."""
        self.records.append(
            Record("complexity", self.modality, metric, value, n, ties, *interval, split, self.scenes, self.encoder, extra)
        )

    def cell(self, cell: Cell, rows: Sequence[Mapping[str, Any]], chosen: str | None = None) -> None:
        """The records of one cell."""
        for row in rows:
            extra = {name: row[name] for name in ("concept", "validation", "n_train", "missing_values") if name in row}
            if chosen is not None:
                extra["chosen"] = chosen
            self.add(
                row["metric"], row["value"], row["n"], row["split"], row["ties"], approximator=cell.approximator, width=cell.width,
                coverage=cell.coverage, seed=cell.seed, control=BAG if cell.approximator == BAG else "none", **extra,
            )  # fmt: skip

    def choose(self, cells: Sequence[Cell], found: Mapping[Cell, Sequence[Mapping[str, Any]]]) -> None:
        """In each coverage and seed the approximator with the least error on validation."""
        for coverage, seed in dict.fromkeys((cell.coverage, cell.seed) for cell in cells):
            mine = [cell for cell in sorted(cells, key=_size) if (cell.coverage, cell.seed) == (coverage, seed) and found[cell]]
            best = min(mine, key=lambda cell: found[cell][0]["validation"])
            name = best.approximator if best.width is None else f"{best.approximator} {best.width}"
            self.cell(Cell(CHOSEN, None, coverage, seed), [row for row in found[best] if row["split"] == "unseen"], name)

    def means(self) -> None:
        """The mean over seeds of everything that was scored, with Student's interval."""
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in self.records:
            if record.value is not None:
                extra = record.extra
                key = (extra["approximator"], extra["width"], extra["coverage"], record.split, record.metric, extra.get("concept"))
                groups.setdefault(key, []).append(record)
        for (approximator, width, coverage, split, metric, concept), mine in groups.items():
            values = [record.value for record in mine if record.value is not None]
            interval = _within(student(values)) if "recognition" in metric else student(values)
            ties = None if mine[0].ties is None else sum(record.ties or 0 for record in mine)
            self.add(
                metric, float(np.mean(values)), sum(record.n for record in mine), split, ties, interval, approximator=approximator,
                width=width, coverage=coverage, seed=None, n_seeds=len(values), concept=concept, control=mine[0].extra["control"],
            )  # fmt: skip

    def score(self, n_coverages: int) -> None:
        """The area of each approximator's curve above the bag of concepts, as a share of the area above it; one for each seed."""
        objects = [
            r for r in self.records
            if r.metric == "object_recognition" and r.split == "unseen" and r.value is not None and r.extra["seed"] is not None
        ]  # fmt: skip
        at = {(r.extra["approximator"], r.extra["width"], r.extra["coverage"], r.extra["seed"]): r.value for r in objects}
        for approximator, width in dict.fromkeys((r.extra["approximator"], r.extra["width"]) for r in objects):
            if approximator == BAG:
                continue
            areas, n = [], 0
            for seed in dict.fromkeys(r.extra["seed"] for r in objects):
                points = sorted(
                    (float(coverage or 0), max(value - level, 0.0) / (1 - level))
                    for (name, wide, coverage, drawn), value in at.items()
                    if (name, wide, drawn) == (approximator, width, seed)
                    and value is not None and (level := at.get((BAG, None, coverage, seed))) is not None and level < 1
                )  # fmt: skip
                if len(points) == 1:
                    areas.append(points[0][1])
                elif points:
                    coverages, heights = np.array(points).T
                    areas.append(float(np.trapezoid(heights, coverages) / (coverages[-1] - coverages[0])))
                n += len(points)
            if areas:
                self.add(
                    "generalisation_score", float(np.mean(areas)), n, "unseen", None, _within(student(areas)), approximator=approximator,
                    width=width, coverage=None, seed=None, n_seeds=len(areas), n_coverages=n_coverages, control="none",
                )  # fmt: skip


def _size(cell: Cell) -> tuple[int, int]:
    """Order of approximators: of equals on validation the simpler one is chosen."""
    return APPROXIMATORS.index(cell.approximator), cell.width or 0


def _within(interval: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    """The interval of a share, which lies between 0 and 1."""
    low, high = interval
    return (None, None) if low is None or high is None else (max(low, 0.0), min(high, 1.0))
