"""The records of a sweep: what each cell recognised, which approximator validation chose, medians
over draws, and the summary score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.complexity.cells import APPROXIMATORS, Cell, some
from conceptbind.complexity.coverage import cover
from conceptbind.complexity.readout import Readout
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import Ledger
from conceptbind.metrics.medians import median_interval
from conceptbind.run.executors import one_thread
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.columns import Value
    from conceptbind.core.typing import Floats
    from conceptbind.rows.embeddings import Embeddings

REAL, BAG, CHOSEN, PLANTED = "embeddings", str(Control.BAG_OF_CONCEPTS), "chosen", "planted"
"""Names beside the approximators: the real embeddings of the same scenes, and a bag of concepts
with its own probes. Further the approximator that is best on validation in each cell, and a planted
rule of a known rank."""
STUDY = "complexity"
"""The name of the study in its records."""
ALIKE = 0.01
"""Recognition on validation that does not decide between two approximators: the simpler one is
chosen."""
BINDS = 0.03
"""How much more than a bag of concepts the embeddings themselves must recognise, at least, for a
score to be a share of it."""

Owner = tuple[Any, Any, Any, Any]
"""Read-out, approximator, width and draw."""

MEDIAN_OF = ("approximator", "width", "coverage", "split", "metric", "concept", "readout")
"""Columns that are the same in what a median is taken of: all but the seed."""


class Tally:
    """The records of a sweep as they are added.

    Args:
        embeddings: whose rule is asked for.
        scenes: the table that they belong to.
        readouts: names of what reads them; the first is meant where none is named.
    """

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
        values: Float[Floats, "scenes width"],
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

    def scores(self, n_coverages: int) -> None:
        """How far the embeddings are above the bag of concepts, and which share of that each
        approximator reaches.
        """
        curves = self._curves()
        for readout in self.readouts:
            owners = dict.fromkeys(
                (name, width) for read, name, width, _ in curves if read == readout and name != BAG
            )
            # What shares are taken of comes first.
            ceilings = [owner for owner in owners if owner[0] in (REAL, f"{PLANTED}_{REAL}")]
            rest = [owner for owner in owners if owner not in ceilings]
            for owner in (*ceilings, *rest):
                name, width = owner
                mine = [key for key in curves if key[:3] == (readout, *owner)]
                facts: dict[str, Value] = {
                    "approximator": name,
                    "width": width,
                    "coverage": None,
                    "seed": None,
                    "n_coverages": n_coverages,
                    "readout": readout,
                }
                n = sum(len(curves[key]) for key in mine)
                gaps, shares = self._above(curves, readout, owner)
                if owner in ceilings:
                    called = Metric.BINDING_GAP if name == REAL else Metric.PLANTED_GAP
                    self._summary(called, gaps, n, facts)
                else:
                    binds = self._binds(readout, owner)
                    self._summary(Metric.GENERALISATION_SCORE, shares if binds else [], n, facts)

    def _curves(self) -> dict[Owner, dict[float, float]]:
        """Recognition of new objects over coverage: by read-out, approximator, width and draw."""
        found: dict[Owner, dict[float, float]] = {}
        records = Records(self.ledger.records)
        for one in records.where(metric=Metric.OBJECT_RECOGNITION, split="unseen").scored():
            if one["seed"] is not None:
                owner = (one["readout"], one["approximator"], one["width"], one["seed"])
                found.setdefault(owner, {})[float(one["coverage"] or 0)] = float(one.value or 0)
        return found

    def _above(
        self,
        curves: Mapping[Owner, Mapping[float, float]],
        readout: str,
        owner: tuple[Any, Any],
    ) -> tuple[list[float], list[float]]:
        """For each draw the area above the bag of concepts, and its share of what the embeddings
        have.
        """
        name, width = owner
        ceiling = (f"{PLANTED}_{REAL}", width) if name == PLANTED else (REAL, None)
        gaps, shares = [], []
        for seed in sorted({key[3] for key in curves}):
            mine, top, bag = (
                curves.get((readout, *one, seed), {}) for one in (owner, ceiling, (BAG, None))
            )
            points = sorted(set(mine) & set(top) & set(bag))
            if not points:
                continue
            room = _area(points, [top[c] - bag[c] for c in points])
            gaps.append(_area(points, [mine[c] - bag[c] for c in points]))
            if room > 0:
                above = [max(min(mine[c], top[c]) - bag[c], 0.0) for c in points]
                shares.append(min(_area(points, above) / room, 1.0))
        return gaps, shares

    def _binds(self, readout: str, owner: tuple[Any, Any]) -> bool:
        """Whether what an approximator was fitted to is above a bag of concepts at all."""
        name, width = owner
        rank = {"width": width} if name == PLANTED else {}
        gap = Metric.PLANTED_GAP if name == PLANTED else Metric.BINDING_GAP
        found = Records(self.ledger.records).where(metric=gap, readout=readout, **rank)
        return any((one.value or 0.0) >= BINDS for one in found)

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
