"""How complex the binding function of one modality is: a sweep over coverages, approximators and
seeds, and one number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.complexity.cells import (
    APPROXIMATORS,
    NETWORKS,
    Cell,
    Inputs,
    fit_cell,
    fit_cells_together,
    some,
)
from conceptbind.complexity.coverage import cover
from conceptbind.complexity.needed import products_needed
from conceptbind.complexity.planted import plant
from conceptbind.complexity.readout import OWN, PLAIN, WHITENED, Readout, fit_readout, own_readout
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
)
from conceptbind.core.files import content_hash, read_checked_json, write_checked_json
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import Ledger
from conceptbind.core.version import __version__
from conceptbind.metrics.medians import median_interval
from conceptbind.probes.scene_probes import SceneProbes
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.run.executors import one_thread, run_tasks
from conceptbind.scenes.split import Split
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Executor, Floats, Modality
    from conceptbind.rows.embeddings import Embeddings

REAL, BAG, CHOSEN, PLANTED = "embeddings", str(Control.BAG_OF_CONCEPTS), "chosen", "planted"
"""Names beside the approximators: the real embeddings of the same scenes, and a bag of concepts
with its own probes. Further the approximator that is best on validation in each cell, and a planted
rule of a known rank."""
STUDY = "complexity"
"""The name of the study in its records."""
POWERED = ("per_object_product", "mlp", "global_product")
"""Approximators that can learn a planted rule; the first that a sweep has is fitted to it."""
ALIKE = 0.01
"""Recognition on validation that does not decide between two approximators: the simpler one is
chosen."""
FEW = 30
"""Scenes of new objects in every draw at the largest coverage, at least, for a negative
answer."""
CELLS = 2
"""Version of what a kept cell holds: raised where its rows change, so that none of an older kind is
taken."""
BINDS = 0.03
"""How much more than a bag of concepts the embeddings themselves must recognise, at least, for a
score to be a share of it."""

MEDIAN_OF = ("approximator", "width", "coverage", "split", "metric", "concept", "readout")
"""Columns that are the same in what a median is taken of: all but the seed."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep runs over."""

    coverages: tuple[float, ...]
    models: tuple[tuple[str, int | None], ...]
    """Approximators with their width: the largest rank of products, of which validation chooses
    one, the hidden units of a network, the trees of an ensemble."""
    seeds: int
    """Draws of the train objects."""
    most_scenes: int
    """Scenes fitted and scored in one cell, at most."""
    starts: int
    """Random starts of a product probe at each rank."""
    planted: tuple[int, ...] = (4,)
    """Ranks of the planted rules that tell what the sweep could have found; none where a negative
    answer is not wanted."""

    def __post_init__(self) -> None:
        if (
            not self.coverages
            or not self.models
            or self.seeds < 1
            or self.starts < 1
            or self.most_scenes < 1
        ):
            raise ValueRangeError(
                "a sweep needs at least one coverage, one approximator, one seed, one start and "
                "one scene"
            )
        for coverage in self.coverages:
            if not 0 < coverage < 1:
                raise ValueRangeError(f"coverages must lie between 0 and 1; got {coverage}")
        for name, width in self.models:
            if name not in APPROXIMATORS:
                raise UnknownNameError(
                    f"unknown approximator '{cut(name)}'; {nearest(name, APPROXIMATORS)}"
                )
            if width is not None and width < 1:
                raise ValueRangeError(f"the width of '{name}' must be at least 1; got {width}")
        if any(rank < 1 for rank in self.planted):
            raise ValueRangeError(f"a planted rule has a rank of at least 1; got {self.planted}")

    @property
    def n_fits(self) -> int:
        """All fits, those to planted rules included."""
        return (len(self.models) + len(self.planted)) * len(self.coverages) * self.seeds

    def cells(self) -> list[Cell]:
        """All cells, the costly ones first, so that no worker ends with one of them."""
        found = [
            Cell(name, width, coverage, seed)
            for name, width in self.models
            for coverage in self.coverages
            for seed in range(self.seeds)
        ]
        return sorted(
            found,
            key=lambda cell: (-cell.coverage, -(cell.width or 0), cell.approximator, cell.seed),
        )


SHORT = Sweep(
    (0.2, 0.5, 0.8), (("additive", None), ("per_object_product", 16), ("mlp", 256)), 5, 2_000, 1
)
"""Part of every measurement. Five draws are the fewest whose range holds the median often enough
(`metrics.median_interval`)."""
FULL = Sweep(
    tuple(round(0.1 * step, 1) for step in range(1, 10)),
    (
        ("additive", None),
        ("per_object_product", 16),
        ("global_product", 16),
        *(("mlp", width) for width in (64, 256, 1024, 4096)),
        ("boosting", None),
        ("forest", None),
    ),
    5,
    8_000,
    2,
    (1, 4, 16),
)
"""All of arXiv 2605.31503, section 6."""
NAMED = Sweep(
    SHORT.coverages,
    (
        ("additive", None),
        ("per_object_product", 16),
        ("role_filler", 16),
        ("holographic", 16),
        ("tensor_product", 8),
        ("bilinear", 8),
        ("matrix_vector", 8),
    ),
    5,
    2_000,
    1,
)
"""The binding operators that have a name (`complexity.operators`)."""
DEEPER = Sweep(
    SHORT.coverages,
    (
        ("additive", None),
        ("per_object_product", 16),
        ("mlp", 256),
        ("mlp_2_layers", 256),
        ("mlp_3_layers", 256),
        ("mlp_per_object_product", 256),
        ("mlp_global_product", 256),
    ),
    5,
    2_000,
    1,
)
"""Networks with several hidden layers, and networks that products feed."""
SWEEPS = {"short": SHORT, "full": FULL, "operators": NAMED, "networks": DEEPER}
"""Sweeps by the effort that is asked for."""


@dataclass(frozen=True, eq=False)
class ComplexityStudy:
    """What a sweep found."""

    modality: Modality
    records: Records
    """Records of each cell, of the median of its draws with its interval (`seed` None), and the
    scores."""
    readouts: tuple[str, ...] = (PLAIN, WHITENED)
    """How embeddings and predictions were read: the first is meant where none is named."""
    notes: tuple[str, ...] = field(default=())
    """What was left out, with the reason."""

    def curve(
        self,
        metric: str,
        approximator: str,
        width: int | None = None,
        concept: str | None = None,
        readout: str | None = None,
    ) -> Records:
        """The medians over draws on new objects, in order of coverage."""
        found = self.records.where(
            split="unseen",
            metric=metric,
            approximator=approximator,
            width=width,
            concept=concept,
            seed=None,
            readout=(None, readout or self.readouts[0]),
        )
        return Records(sorted(found, key=lambda record: float(record["coverage"] or 0)))

    def scores(self, readout: str | None = None) -> Records:
        """The summary score of each approximator, and of planted rules."""
        return self._summary(Metric.GENERALISATION_SCORE, readout)

    def gap(self, readout: str | None = None) -> Record | None:
        """How much more than a bag of concepts the embeddings themselves recognise on the scored
        scenes.
        """
        return self._summary(Metric.BINDING_GAP, readout).first()

    def _summary(self, metric: Metric, readout: str | None) -> Records:
        return self.records.where(metric=metric, readout=readout or self.readouts[0])


@explains_arguments
def complexity_study(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    probes: SceneProbes | None = None,
    *,
    own: SceneProbes | None = None,
    sweep: Sweep = SHORT,
    keep: Path | None = None,
    executor: Executor = "local",
    address: str | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    on_cell: Callable[[int], None] = lambda _: None,
) -> ComplexityStudy:
    """Fit approximators from labels to embeddings on the scenes of some objects, and read their
    predictions for new objects.

    A binding function is simple when a small approximator generalises (arXiv 2605.31503, section
    6). Plain probes recognise objects, as there, and once more whitened ones (see
    `complexity.Readout`); no probe scores a scene that it was fitted on. The score of an
    approximator is the area under its curve of new-object recognition over coverage that lies above
    a bag of concepts. It is given as a share of what the real embeddings reach above it on the same
    scenes: 0 for no more than a bag of concepts, 1 for as much as the embeddings themselves. It is
    None where these are not better than the bag: then there is no rule to judge.

    The same is done with embeddings that bind by a planted rule of the same size and noise
    (`complexity.plant`): where not even that is found, a score of 0 says nothing.

    Args:
        embeddings: one modality of one encoder; they are made unit rows.
        scenes: the table that they belong to.
        split: as for the probes; its two halves are those of the read-outs.
        probes: whitened probes that were fitted on the first half of the split; fitted here where
            they are left out.
        own: the encoder's own queries; they then take the place of whitened probes and are the
            first read-out.
        sweep: `SHORT`, `FULL`, `NAMED`, or your own.
        keep: a folder for finished cells, so that a killed sweep continues.
        executor: `local`, `ray` or `dask`; the results are the same.
        address: of a running cluster.
        jobs: workers of a local one.
        device: where networks and products are fitted; on a GPU all networks of one width at once,
            in this process.
        on_cell: called with the number of cells done since the last call.

    Raises:
        MismatchError: the embeddings belong to another table.
        ConceptBindError: an executor is missing, or its workers died.
    """
    embeddings.check(scenes)
    values = np.ascontiguousarray(embeddings.unit().values)
    # cells need no captions and no pictures
    bare = Scenes(scenes.space, scenes.table, name=scenes.name)
    kinds = (WHITENED,) if own is None else ()

    def fitted(rows: Floats, first: SceneProbes | None = None) -> tuple[Readout, ...]:
        with steady():
            plain = fit_readout(PLAIN, rows, bare, split, device=device)
            return (
                plain,
                *(
                    fit_readout(name, rows, bare, split, first=first, device=device)
                    for name in kinds
                ),
            )

    readouts = fitted(values, probes)
    if own is not None:
        readouts = (own_readout(own, len(bare)), *readouts)
    bag_rows = bag_of_concepts(bare)
    bag = fitted(bag_rows)
    possible, notes = _possible(bare, sweep)
    tested = [
        (coverage, seed, len(cover(bare, coverage, seed).unseen)) for coverage, seed in possible
    ]
    run = (keep, executor, address, jobs, on_cell)
    cells = [cell for cell in sweep.cells() if (cell.coverage, cell.seed) in possible]
    inputs = Inputs(values, bare, readouts, sweep.most_scenes, sweep.starts, device)
    found = _run(inputs, cells, *run)
    study = _Study(embeddings, bare, tuple(readout.name for readout in readouts))
    for cell in cells:
        study.cell(cell, found[cell])
    study.read(possible, REAL, None, readouts, values, sweep.most_scenes)
    study.read(
        possible,
        BAG,
        None,
        [*([bag[0]] if own is not None else []), *bag],
        bag_rows,
        sweep.most_scenes,
    )
    study.choose(cells, found)
    fewest = min((n for coverage, _, n in tested if coverage == max(sweep.coverages)), default=0)
    if sweep.planted and fewest < FEW:
        noun, verb = ("scene", "is") if fewest == 1 else ("scenes", "are")
        notes.append(
            f"whether a simple rule would have been found is not known: {fewest} {noun} of new "
            f"objects at the largest coverage {verb} too few."
        )
        on_cell(sweep.n_fits - len(sweep.cells()))
    for rank in sweep.planted if fewest >= FEW else ():
        model = next(
            (model for name in POWERED for model in reversed(sweep.models) if model[0] == name),
            None,
        )
        rule = None if model is None or not possible else plant(values, bare, rank)
        if rule is None or model is None:
            notes.append(
                f"no rule of rank {rank} could be planted, so nothing is known of what the sweep "
                "could have found."
            )
            continue
        eyes = fitted(rule)
        if own is not None:
            eyes = (replace(eyes[0], name=OWN), *eyes)  # a planted rule has no queries of its own
        mine = [Cell(*model, coverage, seed) for coverage, seed in possible]
        rows = _run(Inputs(rule, bare, eyes, sweep.most_scenes, sweep.starts, device), mine, *run)
        for cell in mine:
            study.cell(
                Cell(PLANTED, rank, cell.coverage, cell.seed),
                [row for row in rows[cell] if row["split"] == "unseen"],
            )
        study.read(possible, f"{PLANTED}_{REAL}", rank, eyes, rule, sweep.most_scenes)
    study.medians()
    study.score(len(sweep.coverages))
    needed = products_needed(values, bare)
    if needed is not None:
        value, n_objects = float(needed.products), bare.space.n_objects
        study.ledger.add(
            *(STUDY, Metric.PRODUCTS_NEEDED, value, n_objects, "all"), approximator=REAL, seed=None
        )
    if any(row["missing_values"] for rows in found.values() for row in rows):
        notes.append(
            "at small coverages some values belong to no train object, so that no approximator can "
            "know them."
        )
    return ComplexityStudy(
        embeddings.modality, Records(study.ledger.records), study.readouts, tuple(notes)
    )


def _possible(scenes: Scenes, sweep: Sweep) -> tuple[list[tuple[float, int]], list[str]]:
    """Coverages and seeds that leave scenes to fit, to choose with and to test; and why others do
    not.
    """
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
            notes.append(f"{len(reasons)} of {sweep.seeds:,} seeds left out: {reasons[0]}.")
    return found, notes


def _run(
    inputs: Inputs,
    cells: Sequence[Cell],
    keep: Path | None,
    executor: Executor,
    address: str | None,
    jobs: int | None,
    on_cell: Callable[[int], None],
) -> dict[Cell, list[dict[str, Any]]]:
    """The rows of every cell, from the folder where they are there."""
    key = ""
    if keep:
        heads = [(one.name, fold) for one in inputs.readouts for fold, _ in one.folds]
        weights = (
            part.weight.tobytes() for _, fold in heads for part in (*fold.concepts, fold.objects)
        )
        facts = repr((CELLS, inputs.most_scenes, inputs.starts, [name for name, _ in heads]))
        key = content_hash(
            __version__, inputs.scenes.content_hash, facts, inputs.values.tobytes(), *weights
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
        networks: dict[tuple[str, int | None], list[Cell]] = {}
        for cell in left:
            if cell.approximator in NETWORKS:
                networks.setdefault((cell.approximator, cell.width), []).append(cell)
        for group in networks.values():
            for cell, rows in fit_cells_together(inputs, group):
                finish(cell, rows)
        for cell in left:
            if cell not in found:
                finish(cell, fit_cell(inputs, cell))
        return found
    for number, rows in run_tasks(
        fit_cell, inputs, left, executor=executor, address=address, jobs=jobs
    ):
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
        found = read_checked_json(path)
    except FileError:
        return None
    rows = found.get("rows")
    return rows if found.get("cell") == vars(cell) and isinstance(rows, list) else None


class _Study:
    """The records of a sweep as they are added."""

    def __init__(self, embeddings: Embeddings, scenes: Scenes, readouts: tuple[str, ...]) -> None:
        self.ledger = Ledger(embeddings.modality, scenes.name, embeddings.encoder)
        self.scenes, self.readouts = scenes, readouts

    def cell(
        self, cell: Cell, rows: Sequence[Mapping[str, Any]], chosen: str | None = None
    ) -> None:
        """The records of one cell."""
        kept = (
            "concept",
            "readout",
            "validation",
            "validation_objects",
            "validation_concepts",
            "n_validation",
            "n_train",
            "missing_values",
        )
        for row in rows:
            own = {name: row[name] for name in kept if name in row}
            if chosen is not None:
                own["chosen"] = chosen
            self.ledger.add(
                STUDY,
                row["metric"],
                row["value"],
                row["n"],
                row["split"],
                ties=row["ties"],
                approximator=cell.approximator,
                width=cell.width,
                coverage=cell.coverage,
                seed=cell.seed,
                control=Control(BAG) if cell.approximator == BAG else Control.NONE,
                **own,
            )

    def read(
        self,
        possible: Sequence[tuple[float, int]],
        name: str,
        width: int | None,
        readouts: Sequence[Readout],
        values: Floats,
        most: int,
    ) -> None:
        """What read-outs recognise in the rows themselves, on the scenes that approximators are
        scored on.
        """
        for coverage, seed in possible:
            rows = some(cover(self.scenes, coverage, seed).unseen, most, seed)
            for readout, called in zip(readouts, self.readouts, strict=True):
                with one_thread():
                    found = readout.recognised(values[rows], self.scenes, rows)
                self.cell(
                    Cell(name, width, coverage, seed),
                    [{**row, "split": "unseen", "readout": called} for row in found],
                )

    def choose(
        self, cells: Sequence[Cell], found: Mapping[Cell, Sequence[Mapping[str, Any]]]
    ) -> None:
        """In each draw and for each read-out the approximator that lets most objects be recognised
        on validation, and the one for concepts.

        A model that memorised its scenes may have the least squared error and yet be the worst at
        what is asked for.
        """
        for readout in self.readouts:
            for coverage, seed in dict.fromkeys((cell.coverage, cell.seed) for cell in cells):
                mine = [
                    cell
                    for cell in sorted(cells, key=_size)
                    if (cell.coverage, cell.seed) == (coverage, seed)
                ]
                for asked, metrics in (
                    ("validation_objects", (Metric.OBJECT_RECOGNITION, Metric.R2, Metric.MSE)),
                    ("validation_concepts", (Metric.CONCEPT_RECOGNITION,)),
                ):
                    best = _simplest(mine, found, readout, asked)
                    rows = [
                        {**row, "readout": readout}
                        for row in found[best]
                        if row["split"] == "unseen"
                        and row["metric"] in metrics
                        and row.get("readout", readout) == readout
                    ]
                    self.cell(
                        Cell(CHOSEN, None, coverage, seed),
                        rows,
                        named(best.approximator, best.width),
                    )

    def medians(self) -> None:
        """The median over draws of everything that was scored, with its interval."""
        groups: dict[tuple[Any, ...], list[Record]] = {}
        for record in self.ledger.records:
            if record.value is not None:
                key = tuple(record[name] for name in MEDIAN_OF)
                groups.setdefault(key, []).append(record)
        for mine in groups.values():
            first = mine[0]
            values = [record.value for record in mine if record.value is not None]
            ties = None if first.ties is None else sum(record.ties or 0 for record in mine)
            names = Counter(
                str(record["chosen"]) for record in mine if record["chosen"] is not None
            ).most_common()
            facts: dict[str, Value] = (
                {"chosen": ", ".join(f"{name} ({n})" for name, n in names)} if names else {}
            )
            self.ledger.add(
                STUDY,
                first.metric,
                float(np.median(values)),
                sum(record.n for record in mine),
                first.split,
                ties=ties,
                interval=median_interval(values),
                approximator=first["approximator"],
                width=first["width"],
                coverage=first["coverage"],
                seed=None,
                n_seeds=len(values),
                n_scenes=min(record.n for record in mine),
                lowest=min(values),
                highest=max(values),
                concept=first["concept"],
                readout=first["readout"],
                control=first.control,
                **facts,
            )

    def score(self, n_coverages: int) -> None:
        """How far the embeddings are above the bag of concepts, and which share of that each
        approximator reaches.
        """
        records = Records(self.ledger.records)
        read = records.where(metric=Metric.OBJECT_RECOGNITION, split="unseen").scored()
        at = {
            (
                r["readout"],
                r["approximator"],
                r["width"],
                r["coverage"],
                r["seed"],
            ): r.value
            for r in read
            if r["seed"] is not None
        }
        curves: dict[tuple[Any, ...], dict[float, float]] = {}
        for (readout, name, width, coverage, seed), value in at.items():
            curves.setdefault((readout, name, width, seed), {})[float(coverage or 0)] = float(
                value or 0
            )
        for readout in self.readouts:
            owners = dict.fromkeys(
                (name, width) for read, name, width, _ in curves if read == readout and name != BAG
            )
            ceilings = [owner for owner in owners if owner[0] in (REAL, f"{PLANTED}_{REAL}")]
            for name, width in (*ceilings, *(owner for owner in owners if owner not in ceilings)):
                ceiling = (REAL, None) if name != PLANTED else (f"{PLANTED}_{REAL}", width)
                shares, gaps = [], []
                for seed in sorted({key[3] for key in curves}):
                    mine, top, bag = (
                        curves.get((readout, *owner, seed))
                        for owner in ((name, width), ceiling, (BAG, None))
                    )
                    if mine is None or top is None or bag is None:
                        continue
                    points = sorted(
                        coverage for coverage in mine if coverage in top and coverage in bag
                    )
                    if not points:
                        continue
                    room = _area(points, [top[c] - bag[c] for c in points])
                    gaps.append(_area(points, [mine[c] - bag[c] for c in points]))
                    if room > 0:
                        above = _area(
                            points, [max(min(mine[c], top[c]) - bag[c], 0.0) for c in points]
                        )
                        shares.append(min(above / room, 1.0))
                facts: dict[str, Value] = {
                    "approximator": name,
                    "width": width,
                    "coverage": None,
                    "seed": None,
                    "n_coverages": n_coverages,
                    "readout": readout,
                }
                n = sum(
                    len(curve) for key, curve in curves.items() if key[:3] == (readout, name, width)
                )
                if (name, width) in ceilings:
                    called = Metric.BINDING_GAP if name == REAL else Metric.PLANTED_GAP
                    self._summary(called, gaps, n, facts)
                    continue
                gap = Metric.PLANTED_GAP if name == PLANTED else Metric.BINDING_GAP
                rank = {"width": width} if name == PLANTED else {}
                gapped = Records(self.ledger.records).where(metric=gap, readout=readout, **rank)
                binds = any((r.value or 0.0) >= BINDS for r in gapped)
                self._summary(Metric.GENERALISATION_SCORE, shares if binds else [], n, facts)

    def _summary(
        self, metric: Metric, values: Sequence[float], n: int, facts: Mapping[str, Any]
    ) -> None:
        """The median over draws of one number for each draw; None where there is none."""
        if values:
            spread: dict[str, Any] = {
                "lowest": min(values),
                "highest": max(values),
                "n_seeds": len(values),
            }
            middle, interval = float(np.median(values)), median_interval(values)
            told = {"interval": interval, **facts, **spread}
            self.ledger.add(STUDY, metric, middle, n, "unseen", **told)
        else:
            self.ledger.add(STUDY, metric, None, n, "unseen", **facts, n_seeds=0)


def _area(points: Sequence[float], heights: Sequence[float]) -> float:
    """The mean height of a curve between its first and last point (trapezoids)."""
    if len(points) == 1:
        return heights[0]
    x, y = np.array(points), np.array(heights)
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / (x[-1] - x[0]))


def _simplest(
    cells: Sequence[Cell],
    found: Mapping[Cell, Sequence[Mapping[str, Any]]],
    readout: str,
    asked: str,
) -> Cell:
    """The simplest of the cells that are nearly the best on validation; cells come in order of
    simplicity.
    """

    def value_of(cell: Cell) -> float:
        values = (row[asked] for row in found[cell] if row.get("readout") == readout)
        value = next(values, None)
        return -1.0 if value is None else float(value)

    reached = [value_of(cell) for cell in cells]
    return next(
        cell for cell, value in zip(cells, reached, strict=True) if value >= max(reached) - ALIKE
    )


def named(approximator: str, width: int | None) -> str:
    """An approximator with its width."""
    return approximator if width is None else f"{approximator} {width}"


def _size(cell: Cell) -> tuple[int, int]:
    """Order of approximators: of equals on validation the simpler one is chosen."""
    return APPROXIMATORS.index(cell.approximator), cell.width or 0
