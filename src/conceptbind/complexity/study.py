"""How complex the binding function of one modality is: a sweep over coverages, approximators and
seeds, and one number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.complexity.cells import Cell, Inputs
from conceptbind.complexity.coverage import cover
from conceptbind.complexity.needed import products_needed
from conceptbind.complexity.planted import plant
from conceptbind.complexity.readout import (
    OWN,
    PLAIN,
    WHITENED,
    Reading,
    Readout,
    fit_readout,
    own_readout,
)
from conceptbind.complexity.running import run_cells
from conceptbind.complexity.sweeps import SHORT, Sweep
from conceptbind.complexity.tally import BAG, PLANTED, REAL, STUDY, Tally
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.names import Metric
from conceptbind.core.records import Record, Records
from conceptbind.probes.scene_probes import SceneProbes
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.scenes.split import Split
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Executor, Floats, Modality
    from conceptbind.rows.embeddings import Embeddings

POWERED = ("per_object_product", "mlp", "global_product")
"""Approximators that can learn a planted rule; the first that a sweep has is fitted to it."""
FEW = 30
"""Scenes of new objects in every draw at the largest coverage, at least, for a negative
answer."""


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
    names: tuple[Reading, ...] = (PLAIN, WHITENED) if own is None else (PLAIN,)
    fit = partial(_fitted, names=names, scenes=bare, split=split, device=device)
    run = partial(
        run_cells, keep=keep, executor=executor, address=address, jobs=jobs, on_cell=on_cell
    )
    readouts = fit(values, probes)
    bag_rows = bag_of_concepts(bare)
    bag = fit(bag_rows)
    if own is not None:
        readouts = (own_readout(own, len(bare)), *readouts)
        bag = (bag[0], *bag)  # a bag has no queries of its own
    possible, notes = _possible(bare, sweep)
    cells = [cell for cell in sweep.cells() if (cell.coverage, cell.seed) in possible]
    most = sweep.most_scenes
    inputs = Inputs(values, bare, readouts, most, sweep.starts, device)
    found = run(inputs, cells)
    tally = Tally(embeddings, bare, tuple(readout.name for readout in readouts))
    for cell in cells:
        tally.cell(cell, found[cell])
    tally.read(possible, REAL, None, readouts, values, most)
    tally.read(possible, BAG, None, bag, bag_rows, most)
    tally.choose(cells, found)
    fewest = _fewest_scenes(bare, possible, max(sweep.coverages))
    if sweep.planted and fewest < FEW:
        noun, verb = ("scene", "is") if fewest == 1 else ("scenes", "are")
        notes.append(
            f"whether a simple rule would have been found is not known: {fewest} {noun} of new "
            f"objects at the largest coverage {verb} too few."
        )
        on_cell(sweep.n_fits - len(sweep.cells()))
    for rank in sweep.planted if fewest >= FEW else ():
        rule = plant(values, bare, rank) if possible else None
        model = _learner(sweep)
        if rule is None or model is None:
            notes.append(
                f"no rule of rank {rank} could be planted, so nothing is known of what the sweep "
                "could have found."
            )
            continue
        eyes = fit(rule)
        if own is not None:
            eyes = (replace(eyes[0], name=OWN), *eyes)  # a planted rule has no queries of its own
        mine = [Cell(*model, coverage, seed) for coverage, seed in possible]
        rows = run(replace(inputs, values=rule, readouts=eyes), mine)
        for cell in mine:
            unseen = [row for row in rows[cell] if row["split"] == "unseen"]
            tally.cell(Cell(PLANTED, rank, cell.coverage, cell.seed), unseen)
        tally.read(possible, f"{PLANTED}_{REAL}", rank, eyes, rule, most)
    tally.medians()
    tally.scores(len(sweep.coverages))
    needed = products_needed(values, bare)
    if needed is not None:
        value, n_objects = float(needed.products), bare.space.n_objects
        tally.ledger.add(
            *(STUDY, Metric.PRODUCTS_NEEDED, value, n_objects, "all"), approximator=REAL, seed=None
        )
    if any(row["missing_values"] for rows in found.values() for row in rows):
        notes.append(
            "at small coverages some values belong to no train object, so that no approximator can "
            "know them."
        )
    return ComplexityStudy(
        embeddings.modality, Records(tally.ledger.records), tally.readouts, tuple(notes)
    )


def _fitted(
    rows: Floats,
    first: SceneProbes | None = None,
    *,
    names: Sequence[Reading],
    scenes: Scenes,
    split: Split,
    device: str,
) -> tuple[Readout, ...]:
    """A read-out of each name; `first` are whitened probes of the first half."""
    given = {PLAIN: None, WHITENED: first}
    with steady():
        return tuple(
            fit_readout(name, rows, scenes, split, first=given[name], device=device)
            for name in names
        )


def _learner(sweep: Sweep) -> tuple[str, int | None] | None:
    """The widest model of a sweep that can learn a planted rule."""
    return next(
        (model for name in POWERED for model in reversed(sweep.models) if model[0] == name), None
    )


def _fewest_scenes(scenes: Scenes, possible: Sequence[tuple[float, int]], coverage: float) -> int:
    """Scenes of new objects in the draw of this coverage that has fewest; 0 without a draw."""
    draws = [cover(scenes, *draw) for draw in possible if draw[0] == coverage]
    return min((len(draw.unseen) for draw in draws), default=0)


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
