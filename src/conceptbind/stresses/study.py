"""How far does binding carry? Every level over one factor at a time, before and after a repair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record
from conceptbind.metrics.cosines import unit_rows
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.repairs.held_scenes import HeldScenes
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.cost import recommend, trade_off
from conceptbind.repairs.labclip.estimator import fit_pairs
from conceptbind.repairs.queries.groups import groups_of_bank
from conceptbind.repairs.queries.solver import fit_queries
from conceptbind.scenes.table import Scenes
from conceptbind.stresses.factors import Factor, Value
from conceptbind.stresses.levels import (
    ByScene,
    Measure,
    decodable,
    measures_of,
    paired,
    usable_across,
    usable_within,
)
from conceptbind.stresses.material import Material, Setting, paraphrases_of
from conceptbind.stresses.stock import Stock, View
from conceptbind.within.triplets import text_triplets

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Modality

CHANGES = {
    1: Metric.ATTRIBUTE_CHANGE,
    2: Metric.PARAPHRASE_CHANGE,
    3: Metric.BINDING_CHANGE,
}
"""Paired difference from the base value, by level."""
GAINS = {1: Metric.ATTRIBUTE_GAIN, 2: Metric.PARAPHRASE_GAIN, 3: Metric.BINDING_GAIN}
"""Paired difference from no repair, by level."""
Outcomes = dict[Measure, ByScene]
Version = tuple[str, Repair]
"""Whose rows, and after which repair."""


class Reader(Protocol):
    """Gives unit rows: of an encoder, or of a control."""

    def __call__(self, material: Material) -> Float[Floats, "rows width"]:
        """(r, d)"""


@dataclass(frozen=True, eq=False)
class StressStudy:
    """Every level over every factor."""

    records: Records
    factors: tuple[Factor, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""
    pulls: Mapping[str, float] = field(default_factory=dict)
    """How far captions are pulled by the repair of the encoder (`none`) and of each control; 0
    where validation chose no repair. A map of queries is taken whole: 1."""
    repaired: int = 3
    """The level that the repair is for: 3 with pictures and captions, 2 with captions alone."""


def bag_reader(material: Material) -> Float[Floats, "rows values"]:
    """Unit rows of a bag of concepts: how often each value occurs.

    Args:
        material: captions or pictures.
    """
    return unit_rows(bag_of_concepts(material.meaning))


@steady()
def stress_study(
    stock: Stock,
    factors: Sequence[Factor],
    readers: Mapping[str, Reader],
    modalities: Sequence[Modality],
    *,
    encoder: str,
    reads: Callable[[str], bool] = lambda _: True,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> StressStudy:
    """Vary one factor at a time, and measure what the modalities allow.

    Everything is scored on the test scenes. Classifiers of level 1 are fitted on the train scenes
    of each setting. The repair is fitted once, on the train scenes at the base setting, and its
    validation scenes choose. With pictures and captions it is LABCLIP with hard negatives, and how
    far captions are pulled is chosen. With captions alone it is a map of queries. At all settings
    it is applied as it is. A bag of concepts is always a control, and is not repaired.

    Args:
        stock: n scenes.
        factors: what is varied.
        readers: unit rows of the encoder (`none`) and of its controls, by name.
        modalities: of the encoder.
        encoder: its id.
        reads: whether it reads a caption; settings whose captions it does not read are left out.
        seed: of the fits.
        on_step: called with the name of each setting that is done.
    """
    bag: Reader = bag_reader
    running = _Run(stock, {**readers, Control.BAG_OF_CONCEPTS: bag}, modalities, reads, seed)
    running.repair()
    records: list[Record] = []
    chosen, notes = [], []
    facts = {
        "study": "stress",
        "scenes": stock.given.name,
        "encoder": encoder,
        "split": "test",
        "seed": seed,
    }
    for factor in factors:
        reason = why_not(factor, stock, modalities)
        if reason is not None:
            notes.append(f"{factor.title} is left out: {reason}.")
            continue
        chosen.append(factor)
        curves: dict[Value, dict[Version, Outcomes]] = {}
        for value in factor.values(stock):
            setting = running.at(factor.at(stock, value))
            if "text" in modalities and not setting.readable:
                notes.append(
                    f"The encoder does not read, or cuts, captions with {factor.told(value)}; "
                    "what needs them is left out."
                )
            curves[value] = running.outcomes(setting, factor.changes)
            on_step(f"{factor.name} {value}")
        records += _records(factor, curves, stock, facts)
    pulls = {control: pull for control, (_, pull) in running.repairs.items()}
    level = 2 if running.of_queries else 3
    return StressStudy(Records(records), tuple(chosen), tuple(dict.fromkeys(notes)), pulls, level)


def why_not(factor: Factor, stock: Stock, modalities: Sequence[Modality]) -> str | None:
    """Why a factor cannot be varied; None where it can.

    Args:
        factor: what would be varied.
        stock: the scenes.
        modalities: of the encoder.
    """
    if not set(factor.changes) & set(modalities):
        return "it changes no embedding that the encoder has"
    return factor.needs(stock)


class _Run:
    """One encoder and its controls on one stock of scenes."""

    def __init__(
        self,
        stock: Stock,
        readers: Mapping[str, Reader],
        modalities: Sequence[Modality],
        reads: Callable[[str], bool],
        seed: int,
    ) -> None:
        self.stock, self.readers, self.reads, self.seed = stock, readers, reads, seed
        self.modalities = tuple(modalities)
        self.measures = measures_of(self.modalities)
        self.repairs: dict[str, tuple[Adapter, float]] = {}
        self._known: dict[tuple[object, ...], ByScene | None] = {}

    def at(self, view: View) -> Setting:
        """A setting."""
        return Setting(self.stock, view, self.reads, self.seed)

    @property
    def of_queries(self) -> bool:
        """Whether the repair is a map of queries."""
        return self.modalities == ("text",)

    def repair(self) -> None:
        """Fit the maps at the base setting: of captions where there are both modalities, of queries
        where there are captions alone.
        """
        base = self.at(self.stock.view())
        if "text" not in self.modalities or not base.readable:
            return
        fit = self._map_of_queries if self.of_queries else self._map_of_captions
        for control, reader in self.readers.items():
            found = None if control == Control.BAG_OF_CONCEPTS else fit(base, reader)
            if found is not None:
                self.repairs[control] = found

    def _map_of_captions(self, base: Setting, reader: Reader) -> tuple[Adapter, float]:
        """LABCLIP, and how far validation pulls it."""
        bank, captions = base.captions
        split = self.stock.split
        scenes = Scenes(self.stock.space, base.view.table, name=self.stock.given.name)
        x = reader(base.pictures.material)[: len(self.stock)]
        side = HeldScenes(x, reader(captions), scenes, bank, None)
        parts = [
            side.pairs.select(np.flatnonzero(np.isin(side.pair_scene, rows)))
            for rows in (split.train, split.validation)
        ]
        fit = fit_pairs(*parts, seed=self.seed)
        curve = trade_off(fit.adapter, partial(side.scores, split.validation), ranks=())
        pull = recommend(curve)
        return fit.adapter.pulled(pull), pull

    def _map_of_queries(self, base: Setting, reader: Reader) -> tuple[Adapter, float] | None:
        """A map of queries, and 1, or 0 where validation chose none; None with too few wordings."""
        parts = []
        for rows in (self.stock.split.train, self.stock.split.validation):
            worded = paraphrases_of(self.stock, base.view, self.reads, self.seed, rows)
            if worded is None:
                return None
            bank, material = worded
            told = Scenes(self.stock.space, base.view.mentioned(base.view.table)[rows])
            parts.append(groups_of_bank(reader(material), bank, told, self.seed))
        fit = fit_queries(*parts, seed=self.seed)
        return fit.adapter, float(fit.helps)

    def outcomes(self, setting: Setting, changes: Sequence[Modality]) -> dict[Version, Outcomes]:
        """Every measure that a factor changes, of the encoder and its controls."""
        found: dict[Version, Outcomes] = {}
        for control in self.readers:
            found[control, Repair.NONE] = self._measured(setting, changes, control, None)
            if control in self.repairs:
                adapter = self.repairs[control][0]
                found[control, Repair.HNB] = self._measured(setting, changes, control, adapter)
        return found

    def _measured(
        self, setting: Setting, changes: Sequence[Modality], control: str, adapter: Adapter | None
    ) -> Outcomes:
        found: Outcomes = {}
        for measure in self.measures:
            if measure.modality not in ("both", *changes):
                continue
            if adapter is not None and self._same(measure):
                continue
            if measure.modality != "image" and not setting.readable:
                continue
            # what the same captions and pictures gave before is not measured again
            key = (measure, control, adapter is None, *setting.key(measure.modality))
            if key not in self._known:
                asked = {1: self._decodable, 2: self._within, 3: self._across}
                self._known[key] = asked[measure.level](measure, setting, control, adapter)
            outcome = self._known[key]
            if outcome is not None:
                found[measure] = outcome
        return found

    def _same(self, measure: Measure) -> bool:
        """Whether a measure is the same after the repair: pictures are not mapped, and a map of
        queries leaves the rows themselves as they are.
        """
        return measure.modality == "image" or (self.of_queries and measure.level == 1)

    def _decodable(
        self, measure: Measure, setting: Setting, control: str, adapter: Adapter | None
    ) -> ByScene | None:
        scenes = Scenes(self.stock.space, setting.view.table)
        if measure.modality == "image":
            rows = self._pictures(setting, control)
        else:
            rows = self._captions(setting, control, adapter)[setting.captions[0].true[:, 0]]
        return decodable(rows, scenes, self.stock.split)

    def _within(
        self, measure: Measure, setting: Setting, control: str, adapter: Adapter | None
    ) -> ByScene | None:
        if measure.modality == "image":
            rows = self.readers[control](setting.pictures.material)
            triplets = setting.pictures.triplets
        elif setting.paraphrases is None:
            return None
        else:
            bank, material = setting.paraphrases
            rows, triplets = self.readers[control](material), text_triplets(bank)
            if not self.of_queries:
                rows, adapter = _mapped(rows, adapter), None
        (mine,) = (part for part in triplets if part.setting == measure.setting)
        return usable_within(rows, mine, self.stock.split.test, adapter)

    def _across(
        self, measure: Measure, setting: Setting, control: str, adapter: Adapter | None
    ) -> ByScene | None:
        pictures = self._pictures(setting, control)
        captions = self._captions(setting, control, adapter)
        return usable_across(pictures, captions, setting.captions[0], self.stock.split.test)

    def _pictures(self, setting: Setting, control: str) -> Floats:
        """(n, d) rows of one picture of each scene."""
        return self.readers[control](setting.pictures.material)[: len(self.stock)]

    def _captions(self, setting: Setting, control: str, adapter: Adapter | None) -> Floats:
        """(b, d) rows of the captions of all scenes and swaps."""
        return _mapped(self.readers[control](setting.captions[1]), adapter)


def _mapped(rows: Floats, adapter: Adapter | None) -> Floats:
    return rows if adapter is None else adapter(rows)


def _records(
    factor: Factor,
    curves: Mapping[Value, Mapping[Version, Outcomes]],
    stock: Stock,
    facts: Mapping[str, Any],
) -> list[Record]:
    """The points of every curve of a factor, how they differ from its base, and what the repair
    gains at each.
    """
    records: list[Record] = []
    orbits = stock.orbits
    for value, versions in curves.items():
        for (control, repair), outcomes in versions.items():
            for measure, outcome in outcomes.items():
                told: dict[str, Any] = {
                    **facts,
                    "factor": factor.name,
                    "factor_value": value,
                    "control": control,
                    "repair": repair,
                    "modality": measure.modality,
                    "level": measure.level,
                    "setting": measure.setting,
                }
                ties = int(outcome.tied.sum())
                clusters = orbits[outcome.rows]
                records.append(mean_record(measure.metric, outcome.right, ties, clusters, **told))
                base = curves[factor.base].get((control, repair), {}).get(measure)
                if value != factor.base and base is not None:
                    told_change = {**told, "against": str(factor.base)}
                    metric = CHANGES[measure.level]
                    records.append(_difference(metric, outcome, base, stock, told_change))
                before = versions[control, Repair.NONE].get(measure)
                if repair != Repair.NONE and before is not None:
                    metric = GAINS[measure.level]
                    records.append(_difference(metric, outcome, before, stock, told))
    return records


def _difference(
    metric: str, one: ByScene, other: ByScene, stock: Stock, facts: Mapping[str, Any]
) -> Record:
    rows, change = paired(one, other)
    return mean_record(metric, change, None, stock.orbits[rows], "difference", **facts)
