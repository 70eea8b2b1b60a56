"""What the numbers say, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from conceptbind.studies import ProbeStudy

YES, PARTLY = 0.8, 0.2
"""Binding scores from which a modality binds, or binds in part."""


@dataclass(frozen=True)
class Verdict:
    """One sentence for a modality, and the number behind it."""

    level: Literal["yes", "partly", "no", "unclear"]
    sentence: str
    score: float | None
    """(object recognition - its level for a bag of concepts) / (1 - that level): 0 for a bag of concepts, 1 for perfect reading."""


def verdict(study: ProbeStudy) -> Verdict:
    """Does this modality bind?"""
    objects, bag = study.value("object_recognition"), study.value("object_recognition", "bag_of_concepts")
    concepts = [
        r for r in study.records if r.metric == "concept_recognition" and r.extra["control"] == "none" and r.value is not None
    ]
    who = f"The {study.modality} embeddings of {objects.encoder}"
    if objects.value is None or bag.value is None or bag.value == 1:
        return Verdict(
            "unclear",
            f"{who} cannot be judged on these scenes: every scene holds all objects, or a bag of concepts already tells them apart.",
            None,
        )
    score = (objects.value - bag.value) / (1 - bag.value)
    weakest = min((record.value for record in concepts if record.value is not None), default=1.0)
    read = (
        f"a linear probe reads the objects of {percent(objects.value)} of the unseen scenes "
        f"({percent(objects.ci_low)} to {percent(objects.ci_high)}, n = {objects.n:,}), where a bag of concepts reaches {percent(bag.value)}"
    )
    apart = objects.ci_low is not None and bag.ci_high is not None and objects.ci_low > bag.ci_high
    if score >= YES and apart:
        return Verdict("yes", f"{who} bind concepts: {read}.", score)
    if score >= PARTLY and apart:
        return Verdict("partly", f"{who} bind concepts in part: {read}.", score)
    if weakest < 0.5:
        return Verdict(
            "no",
            f"{who} hold not even the single concepts (the weakest is read in {percent(weakest)} of the scenes), so nothing is bound: {read}.",
            score,
        )
    return Verdict("no", f"{who} hardly bind concepts; they are close to a bag of concepts: {read}.", score)


def percent(share: float | None) -> str:
    """A share in per cent, never rounded up to 100."""
    if share is None:
        return "-"
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The main numbers for a terminal."""
    head = ("modality", "metric", "value", "95 % interval", "bag of concepts", "n", "ties")
    lines = [head]
    for row in rows:
        low, high = row["low"], row["high"]
        interval = "-" if low is None else f"{low:.3f} to {high:.3f}"
        value, bag = ("-" if x is None else f"{x:.3f}" for x in (row["value"], row["bag"]))
        lines.append((str(row["modality"]), str(row["metric"]), value, interval, bag, f"{row['n']:,}", f"{row['ties']:,}"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text_columns = 2
    aligned = [
        [
            cell.ljust(width) if i < text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("  ".join(line) for line in aligned)
