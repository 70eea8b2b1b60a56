"""Are embeddings sums of one vector per value, in directions of their own, and does that carry over
to new combinations?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError, counted
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Records
from conceptbind.core.scored import Ledger, share_record
from conceptbind.factors.means import (
    Labels,
    UnitRows,
    ValueMeans,
    blocks_of,
    effects_of,
    labels_of,
    value_means,
)
from conceptbind.factors.measures import (
    cosines_between,
    cosines_of,
    explained_rows,
    published_whitening,
    rank_of,
    span_of,
    whitening,
)
from conceptbind.factors.probes import FactorProbe, fit_factor_probes, recognised
from conceptbind.metrics.cosines import unit_rows
from conceptbind.metrics.recognitions import join, recognition
from conceptbind.probes.threads import steady
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Ints, Modality
    from conceptbind.metrics.recognitions import Recognition
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

RAW, WHITENED, SPAN = "raw", "whitened", "probe_span"
"""What rows are seen through: nothing, the whitening of the fitted rows, the span of the probes."""
STUDY = "factors"


@dataclass(frozen=True, eq=False)
class FactorStudy:
    """How far one modality's embeddings add up over factors (arXiv 2602.24264, section 5)."""

    modality: Modality
    records: Records
    means: ValueMeans
    """Vectors of the encoder, fitted on the train rows."""
    probes: tuple[FactorProbe, ...]
    shrunk: float
    """How far the covariance was shrunk before rows were whitened."""
    missing: int
    """Test rows with a value that no train row has; left out."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors."""
        return self.means.labels.names


@explains_arguments
@steady()
def factor_study(
    embeddings: Embeddings,
    scenes: Scenes,
    split: Split,
    *,
    controls: Mapping[str, Embeddings] | None = None,
    queries: Mapping[str, Float[Floats, "_ width"]] | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> FactorStudy:
    """R^2 of the sum of value vectors, their cosines and ranks, and linear probes of all factors.

    The paper's vectors are means of all rows. Here they are those whose sums are nearest to the
    train rows, which is the same on a full grid. Probes are fitted on the train rows, too.
    Validation chooses the shrinkage of the probes, and test rows are scored. Beside each number
    stands the same with shuffled labels, which is the level of noise, and of other encoders.

    Args:
        embeddings: one modality of one encoder; they are made unit rows.
        scenes: the table that they belong to.
        split: of the scenes; combinations of a test row are in no train row.
        controls: other encoders for the same scenes (random weights).
        queries: by name of a factor (V, d) rows of captions of its single values, for zero-shot
            recognition.
        seed: of the shuffled labels.
        on_step: called with the name of each control that is done.

    Raises:
        MismatchError: the embeddings belong to another table.
        ValueRangeError: no concept has two values, no test row has values that were all seen, or
            all embeddings are the same.
    """
    embeddings.check(scenes)
    labels = labels_of(scenes)
    ledger = Ledger(embeddings.modality, scenes.name, embeddings.encoder)
    study = _Study(scenes, split, labels, pair_ids(scenes), ledger)
    values = _unit(embeddings)
    own = study.scored(values, labels, Control.NONE)
    study.published(values)
    if queries:
        study.zero_shot(values, own, queries)
    on_step(Control.NONE)
    study.scored(values, labels.shuffled(seed), Control.SHUFFLED_LABELS)
    on_step(Control.SHUFFLED_LABELS)
    for name, beside in (controls or {}).items():
        beside.check(scenes)
        study.scored(_unit(beside), labels, name)
        on_step(name)
    return FactorStudy(
        embeddings.modality,
        Records(ledger.records),
        own.means,
        tuple(own.probes),
        own.shrunk,
        len(split.test) - len(own.test),
    )


def _unit(embeddings: Embeddings) -> Floats | UnitRows:
    """Unit rows, without a copy of rows that may be larger than memory.

    Raises:
        ValueRangeError: all are the same.
    """
    given = embeddings.values
    found = given if embeddings.normalisation == "unit" else UnitRows(given)
    numbers = np.arange(len(given))
    first = found[numbers[:1]]
    if all((found[rows] == first).all() for rows in blocks_of(numbers)):
        raise ValueRangeError(
            f"all {counted(len(given), 'row')} of '{embeddings.encoder}' are the same, so there is "
            "nothing to recognise; check that the encoder sees its captions or pictures"
        )
    return found


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What was fitted for the encoder or a control."""

    means: ValueMeans
    probes: list[FactorProbe]
    shrunk: float
    test: Ints


@dataclass(frozen=True, eq=False)
class _Study:
    scenes: Scenes
    split: Split
    labels: Labels
    clusters: Ints
    """(n,) what is one draw: the orders of the same objects."""
    ledger: Ledger

    def scored(self, values: Floats | UnitRows, labels: Labels, control: str) -> _Fitted:
        """All records of the encoder or of a control, and what was fitted for it."""
        means = value_means(values, labels, self.split.train)
        validation, test = means.known(self.split.validation), means.known(self.split.test)
        if not len(test) or not len(validation):
            raise ValueRangeError(
                "every test scene has a value that no train scene has; give more scenes"
            )
        probes, effects = fit_factor_probes(values, means, validation), effects_of(means)
        axes, shrunk = whitening(means.covariance, means.n)
        span = span_of(probe.weight for probe in probes)
        through = {RAW: None, WHITENED: axes, SPAN: span}
        told: dict[str, Any] = {"control": control, "protocol": None}
        for name, rows in (("test", test), ("train", means.known(self.split.train))):
            for form, found in explained_rows(values, effects, rows, through).items():
                interval = found.interval(self.clusters[rows]) if name == "test" else (None, None)
                self._add(Metric.R2, found.r2, len(rows), name, interval, form, told)
        self._cosines(effects, "train", told)
        self._pairs(effects, told)
        self._ranks(effects, effects_of(value_means(values, labels, test)), told)
        for probe, outcome in zip(probes, recognised(values, means, probes, test), strict=True):
            self._recognised(outcome, probe.factor, test, {"control": control, "readout": "plain"})
        return _Fitted(means, probes, shrunk, test)

    def published(self, values: Floats | UnitRows) -> None:
        """The same as the published code: all rows are fitted on and scored, and nothing is
        shrunk.
        """
        means = value_means(values, self.labels)
        rows = np.arange(len(values))
        through = {RAW: None, WHITENED: published_whitening(means.covariance)}
        told: dict[str, Any] = {"control": Control.NONE, "protocol": "paper"}
        for form, found in explained_rows(values, means, rows, through).items():
            self._add(Metric.R2, found.r2, len(rows), "all", (None, None), form, told)
        self._cosines(means, "all", told)
        for name, part in zip(self.labels.names, means.parts(), strict=True):
            vectors = means.vectors[part][means.counts[part] > 0]
            self._rank(name, rank_of(vectors), len(vectors), "all", told)

    def _cosines(self, means: ValueMeans, split: str, told: Mapping[str, Any]) -> None:
        """Mean |cos| of value vectors, over all pairs of values."""
        found = cosines_of(means)
        for metric, value, n in (
            (Metric.WITHIN_VALUE_COSINE, found.within, found.n_within),
            (Metric.ACROSS_VALUE_COSINE, found.across, found.n_across),
        ):
            if value is not None:
                self.ledger.add(STUDY, metric, value, n, split, **told)

    def _pairs(self, means: ValueMeans, told: Mapping[str, Any]) -> None:
        """Mean |cos| of value vectors of each factor, and of each two."""
        names = self.labels.names
        for first in range(len(names)):
            for second in range(first, len(names)):
                value, n = cosines_between(means, first, second)
                metric, pair = Metric.WITHIN_VALUE_COSINE, names[first]
                if first != second:
                    metric, pair = Metric.ACROSS_VALUE_COSINE, f"{pair} x {names[second]}"
                if value is not None:
                    self.ledger.add(STUDY, metric, value, n, "train", **told, factors=pair)

    def _ranks(self, means: ValueMeans, other: ValueMeans, told: Mapping[str, Any]) -> None:
        """Directions of each factor's value vectors that test rows share."""
        for name, part in zip(self.labels.names, means.parts(), strict=True):
            seen = (means.counts[part] > 0) & (other.counts[part] > 0)
            counts = means.counts[part][seen].astype(float)
            rank = rank_of(means.vectors[part][seen], other.vectors[part][seen], counts)
            self._rank(name, rank, int(seen.sum()), "test", told)

    def _rank(
        self, name: str, rank: int | None, n: int, split: str, told: Mapping[str, Any]
    ) -> None:
        value = None if rank is None else float(rank)
        self.ledger.add(STUDY, Metric.VALUE_RANK, value, n, split, **told, concept=name)

    def zero_shot(
        self, values: Floats | UnitRows, own: _Fitted, queries: Mapping[str, Floats]
    ) -> None:
        """What captions of single values recognise by cosine."""
        for factor, name in enumerate(self.labels.names):
            if name not in queries:
                continue
            asked = unit_rows(queries[name]).astype(np.float32)
            parts = []
            for rows in blocks_of(own.test):
                scores = values[rows].astype(np.float32) @ asked.T
                there = self.labels.values[rows, factor][:, None] == np.arange(len(asked))
                parts.append(recognition(scores, there, np.ones(len(scores))))
            told = {"control": Control.NONE, "queries": "text"}
            self._recognised(join(parts), factor, own.test, told)

    def _add(
        self,
        metric: Metric,
        value: float,
        n: int,
        split: str,
        interval: tuple[float | None, float | None],
        form: str,
        told: Mapping[str, Any],
    ) -> None:
        self.ledger.add(
            STUDY, metric, value, n, split, interval=interval, **told, normalisation=form
        )

    def _recognised(
        self, outcome: Recognition, factor: int, rows: Ints, told: Mapping[str, Any]
    ) -> None:
        self.ledger.records.append(
            share_record(
                outcome,
                self.clusters[rows],
                study=STUDY,
                modality=self.ledger.modality,
                metric=Metric.CONCEPT_RECOGNITION,
                split="test",
                scenes=self.ledger.scenes,
                encoder=self.ledger.encoder,
                control=told["control"],
                own={
                    "concept": self.labels.names[factor],
                    "classes": self.labels.sizes[factor],
                    **{name: cell for name, cell in told.items() if name != "control"},
                },
            )
        )


def main_record(records: Records, metric: str, **asked: Any) -> Any:
    """The record of a metric of the encoder itself on test rows; None where there is none.

    Args:
        records: of one modality.
        metric: its name.
        **asked: another control, form or factor.
    """
    wanted = {"control": Control.NONE, "protocol": None, **asked}
    return records.first(study=STUDY, metric=metric, **wanted)


def mean_recognition(records: Records, **asked: Any) -> tuple[float, float, int] | None:
    """Mean over factors of what is recognised, by chance too, and the scenes; None without any.

    Args:
        records: of one modality.
        **asked: control, and `readout` or `queries`.
    """
    found: Sequence[Any] = records.where(
        study=STUDY, metric=Metric.CONCEPT_RECOGNITION, **{"control": Control.NONE, **asked}
    )
    if not found:
        return None
    value = float(np.mean([one.value for one in found]))
    return value, float(np.mean([1 / one["classes"] for one in found])), found[0].n
