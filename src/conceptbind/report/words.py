"""Words that several verdicts and tables share."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from conceptbind.core.names import CONTROL_TEXTS, Control

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

FAR = 100
"""An estimate of how many more scenes are needed is not given beyond this factor."""
CONTROLS: dict[str, str] = {
    Control.BAG_OF_CONCEPTS: "bag of concepts",
    Control.RANDOM_WEIGHTS: "random weights",
    Control.BAG_TWIN: "bag twin",
}
"""Controls whose numbers stand in columns of their own, by what the columns are called."""
CONTROL_WORDS: dict[str, str] = {
    Control.BAG_OF_CONCEPTS: "a bag of concepts",
    Control.RANDOM_WEIGHTS: "the same architecture with random weights",
    Control.BAG_TWIN: "the bag twin, which was trained so that binding never helps",
    Control.BAG_OF_WORDS: "a bag of words",
    Control.BLIND_LENGTH: "the blind control by length",
}
OF_WORDS = (Control.BAG_OF_WORDS, Control.BLIND_LENGTH)
"""Controls that see the words of captions alone."""

TOLD_APART = (
    *("study", "modality", "metric", "concept", "noun", "setting", "order", "wording"),
    *("form", "chooser", "probe"),
)
"""Columns by which a record finds its controls."""
NAMED = ("concept", "noun", "setting", "order")
"""Columns that a measure's name says."""
SEEN = {"text": "captions", "image": "pictures"}
"""What the embeddings of a modality are made of."""


def control_name(control: str) -> str:
    """What a table calls a control; a dash for none, the encoder itself."""
    if control == Control.NONE:
        return "-"
    return CONTROLS.get(
        control, CONTROL_TEXTS.get(control, (control.replace("_", " "),))[0].lower()
    )


def seen(modality: str | None) -> str:
    """What the embeddings of a modality are made of: captions, pictures, symbols."""
    return SEEN.get(str(modality), str(modality))


def embeddings_of(modality: str | None) -> str:
    """The embeddings of a modality: "caption embeddings", "picture embeddings"."""
    return f"{seen(modality).removesuffix('s')} embeddings"


def which(concepts: Sequence[str]) -> str:
    """What is bound, by the names of the concepts: "which color belongs to which shape"."""
    if len(concepts) != 2:
        return "which values belong to one object"
    return f"which {concepts[0]} belongs to which {concepts[1]}"


def needed(n: int, width: float, gap: float) -> str:
    """About how many items would make an interval narrower than a gap, given its width on one side
    at n items.
    """
    if gap <= 0 or (width / gap) ** 2 > FAR:
        return "many more"
    more = max(n * (width / gap) ** 2, n + 1)
    unit = 10 ** max(floor(log10(more)) - 1, 0)
    return f"about {ceil(more / unit) * unit:,}"


def ends(record: Record) -> tuple[float, float]:
    """The interval of a record; without one nothing is known."""
    if record.ci_low is None or record.ci_high is None:
        return 0.0, 1.0
    return record.ci_low, record.ci_high


def apart(high: Record | None, low: Record | None) -> bool:
    """Whether all of one record's interval lies above all of another's."""
    if high is None or low is None or high.ci_low is None or low.ci_high is None:
        return False
    return high.ci_low > low.ci_high


def beats(record: Record, control: Record | None) -> bool:
    """Whether a record lies clearly above a control; without one there is nothing to beat."""
    if control is None:
        return True
    if control.ci_high is None:  # known without uncertainty
        return ends(record)[0] > (control.value or 0.0)
    return apart(record, control)


def needed_against(record: Record, control: Record) -> str:
    """About how many items would tell a record from a control that is not clearly less."""
    value, other = record.value or 0.0, control.value or 0.0
    if value <= other:  # so many of the kind would change nothing
        return "many more"
    width = (value - ends(record)[0]) + (ends(control)[1] - other)
    return needed(record.n, width, value - other)


def first(sentence: str) -> str:
    """A sentence with its first letter as a capital."""
    return sentence[0].upper() + sentence[1:]


def metric_name(record: Record) -> str:
    """A record's metric in words, with what it varies."""
    name = record.metric.replace("_", " ")
    details = [str(record[key]) for key in NAMED if record[key]]
    if record["probe"] in ("linear", "cosine"):  # of pairs says the metric
        details.append(f"{record['probe']} probe")
    if record["weights"]:
        details.append("as it is" if record["weights"] == "frozen" else "trained along")
    if record["chooser"]:
        details.append(f"a {record['chooser']} chooses")
    if record["queries"]:
        details.append("by its own queries" if record["queries"] == "own" else "by text queries")
    return name + (f" ({', '.join(details)})" if details else "")


def controls_of(record: Record, records: Records) -> dict[str, Record]:
    """The records of the controls that belong to a record, by control."""
    about = {name: record[name] for name in TOLD_APART}
    beside = records.where(control=tuple(CONTROLS), **about)
    return {str(other.control): other for other in beside}
