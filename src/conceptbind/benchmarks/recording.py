"""Scores of benchmarks as records, and the records that no rule of an item makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.benchmarks.base import Data, Score
from conceptbind.benchmarks.texts import ALL, by_rows, parts_of
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.outcomes import paired
from conceptbind.core.records import Record
from conceptbind.metrics.intervals import mean_interval

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Encoder, Floats, Ints

    Rows = tuple[Floats, Floats]

JUDGED = (Metric.PARAPHRASE_ACCURACY, Metric.PARAPHRASE_ACCURACY_ONE_SIDED)
"""Metrics of captions alone that are about level 2."""
NO_DISTANCE = 1e-6
"""A mean distance of captions that is rounding: all of them are one to the encoder."""


def score_record(
    score: Score,
    encoder: Encoder,
    name: str,
    facts: Mapping[str, Any],
    *,
    repair: Repair = Repair.NONE,
    control: Control = Control.NONE,
) -> Record:
    """A score as a record.

    Args:
        score: of a benchmark.
        encoder: that was scored.
        name: of the benchmark.
        facts: further columns.
        repair: what was done to captions.
        control: whose score it is.
    """
    told = {
        "value": score.value,
        "ties": int(score.tied.sum()),
        "repair": repair,
        "control": control,
        "revision": encoder.revision,
        "normalisation": "unit",
    }
    return _of_score(score, score.interval(), encoder, name, {**told, **facts, **score.facts})


def difference_record(
    before: Score, after: Score, encoder: Encoder, name: str, facts: Mapping[str, Any]
) -> Record:
    """After minus before on the same items.

    Args:
        before: of captions as they are.
        after: of repaired ones.
        encoder: that was scored.
        name: of the benchmark.
        facts: further columns.
    """
    found = paired(before.outcome(Repair.NONE), after.outcome(Repair.ADAPTER))
    told = {
        "value": found.change,
        "repair": Repair.DIFFERENCE,
        "fixed": found.fixed,
        "broken": found.broken,
    }
    if found.mcnemar is not None:
        told["mcnemar_p"] = found.mcnemar
    return _of_score(before, found.interval, encoder, name, {**told, **facts})


def _of_score(
    score: Score,
    interval: tuple[float | None, float | None],
    encoder: Encoder,
    name: str,
    told: Mapping[str, Any],
) -> Record:
    """A record of the items of a score; `told` is what is said of them."""
    low, high = interval
    level = 2 if score.modality == "text" and score.metric in JUDGED else None
    return Record.of(
        study="benchmark",
        modality=score.modality,
        level=level,
        metric=score.metric,
        n=score.n,
        ci_low=low,
        ci_high=high,
        split=score.subset,
        scenes=name,
        encoder=encoder.id,
        protocol=score.protocol,
        average="micro" if score.groups is None else "macro",
        unwinnable=score.unwinnable or None,
        tie_rule=score.ties,
        **told,
    )


def swap_records(
    encoder: Encoder,
    name: str,
    data: Data,
    captions: Mapping[tuple[Repair, Control], Rows],
    facts: Mapping[str, Any],
) -> Iterator[Record]:
    """How far a caption lies from its swap, where 1 is how far it lies from another caption on
    average: 0 for a bag of words, 1 for random vectors. Swaps that equal their caption are left
    out.

    Args:
        encoder: that was scored.
        name: of the benchmark.
        data: captions, each in the spelling of its swap, and their swaps.
        captions: unit rows of all captions that ask, and of those that they are compared with: of
            the encoder before and after a repair, and of controls.
        facts: further columns.
    """
    caption, _, swap = data.items["rows"].T
    for (repair, control), (asking, others) in captions.items():
        distances = 1 - by_rows(asking, others)(caption, swap).astype(np.float64)
        for subset, chosen in parts_of(data.items["subsets"].tolist()).items():
            mine = chosen & (caption != swap)
            texts = np.unique(caption[mine])
            whole = mean_distance(asking[texts], others[texts])
            if whole < NO_DISTANCE:
                continue
            values, draws = distances[mine] / whole, data.items["draws"][mine]
            told = {"repair": repair, "control": control, **facts}
            yield _mean_of(encoder, name, Metric.SWAP_DISTANCE, values, draws, np.inf, subset, told)


def mean_distance(
    asking: Float[Floats, "captions width"], others: Float[Floats, "captions width"]
) -> float:
    """1 minus the mean cosine of two different captions; 0 of a single one.

    Args:
        asking: (c, d) unit rows.
        others: (c, d) unit rows of the same captions.
    """
    n = len(asking)
    if n < 2:
        return 0.0
    one, two = asking.astype(np.float64), others.astype(np.float64)
    together = float(one.sum(axis=0) @ two.sum(axis=0) - np.einsum("cd,cd->", one, two))
    return 1 - together / (n * (n - 1))


def distance_records(
    encoder: Encoder,
    name: str,
    data: Data,
    captions: Mapping[Repair, Float[Floats, "captions width"]],
    facts: Mapping[str, Any],
) -> Iterator[Record]:
    """How far a caption lies from its paraphrase (other words, one meaning: lexical) and from its
    wrong caption (nearly its words, another meaning: semantic), as 1 minus the cosine, for each
    file. Triplets two of whose texts are one are left out.

    Args:
        encoder: that was scored.
        name: of the benchmark.
        data: triplets.
        captions: unit rows of all captions, before and after a repair of the caption that asks.
        facts: further columns.
    """
    rows = data.items["rows"]
    apart = (np.diff(np.sort(rows, axis=1), axis=1) != 0).all(axis=1)
    anchor, paraphrase, negative = rows.T
    for repair, texts in captions.items():
        alike = by_rows(texts, captions[Repair.NONE])
        for metric, other in (
            (Metric.LEXICAL_DISTANCE, paraphrase),
            (Metric.SEMANTIC_DISTANCE, negative),
        ):
            distances = 1 - alike(anchor, other).astype(np.float64)
            for subset, chosen in parts_of(data.items["subsets"].tolist()).items():
                mine = chosen & apart
                if not mine.any():
                    continue
                values, draws = distances[mine], data.items["draws"][mine]
                told = {"repair": repair, **facts}
                yield _mean_of(encoder, name, metric, values, draws, 2.0, subset, told)


def _mean_of(
    encoder: Encoder,
    name: str,
    metric: Metric,
    values: Floats,
    draws: Ints,
    most: float,
    subset: str,
    facts: Mapping[str, Any],
) -> Record:
    """The record of a mean of distances, which lie between 0 and `most`."""
    low, high = mean_interval(values, draws, (0.0, most))
    return Record.of(
        study="benchmark",
        modality="text",
        metric=metric,
        value=float(values.mean()),
        n=len(values),
        ci_low=low,
        ci_high=high,
        split=subset or ALL,
        scenes=name,
        encoder=encoder.id,
        protocol="strict",
        average="micro",
        revision=encoder.revision,
        **facts,
    )
