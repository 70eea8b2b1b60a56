"""Does a small model of the embeddings generalise to new objects? The answer in a word, and in a
sentence that can be held against the data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from conceptbind.complexity.needed import HELD
from conceptbind.core.errors import counted
from conceptbind.core.names import Metric
from conceptbind.core.rounding import percent
from conceptbind.metrics.medians import FEWEST
from conceptbind.report.numbers import number
from conceptbind.report.words import embeddings_of, first

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.records import Record

SIMPLE, SOMEWHAT = 0.5, 0.1
"""Generalisation scores from which a small model generalises, or generalises in part. A planted
rule of four products scores about 0.7 on 10 x 10 values with the short sweep, one of sixteen about
0.25, random codes 0."""
HARDLY = 0.1
"""How far the embeddings may be above a bag of concepts, at the interval's high end, for the answer
that they do not bind."""
Answer = Literal["simple", "partly", "no", "no binding", "unclear"]
NAMES = {
    "additive": "additive",
    "per_object_product": "product of each object",
    "global_product": "product of all",
    "per_object_product_alone": "product of each object, alone",
    "global_product_alone": "product of all, alone",
    "role_filler": "role-filler",
    "holographic": "holographic",
    "tensor_product": "tensor product",
    "bilinear": "bilinear",
    "matrix_vector": "matrix-vector",
    "mlp": "MLP",
    "mlp_2_layers": "MLP of 2 layers",
    "mlp_3_layers": "MLP of 3 layers",
    "mlp_per_object_product": "MLP on products of each object",
    "mlp_global_product": "MLP on products of all",
    "boosting": "boosting",
    "forest": "forest",
}
"""Approximators in words."""
_CHOSEN = re.compile(r"(\w+)(?: (\d+))? \((\d+)\)")
"""An approximator, its width where it has one, and in how many draws it was chosen."""


@dataclass(frozen=True)
class Spread:
    """A number over draws of the objects."""

    value: float | None
    low: float
    """Low end of the 95 % interval of the median; the lowest draw where no interval can be
    given."""
    high: float
    interval: bool = True
    """Whether there is an interval."""

    @classmethod
    def of(cls, record: Record) -> Spread:
        """From a record of the study."""
        if record.value is None:
            return cls(None, 0.0, 0.0, False)
        if record.ci_low is not None and record.ci_high is not None:
            return cls(record.value, record.ci_low, record.ci_high)
        low, high = record["lowest"], record["highest"]
        return cls(record.value, float(low or 0.0), float(high or 0.0), False)


@dataclass(frozen=True)
class Evidence:
    """What an answer rests on, for one read-out."""

    readout: str
    n_draws: int
    n_scenes: int
    """Scenes of new objects at the largest coverage, in the draw that has fewest."""
    coverage: float
    """The largest."""
    score: Spread
    """Generalisation score of the approximator chosen on validation."""
    gap: Spread
    """How far the embeddings themselves are above a bag of concepts."""
    planted: dict[int, Spread]
    """Generalisation score of planted rules, by rank."""


def judge(found: Evidence) -> tuple[Answer, str]:
    """The answer, and what is missing for one where there is none."""
    if found.n_draws < FEWEST:
        made = (
            f"{counted(found.n_draws, 'draw')} of the objects "
            f"{'was' if found.n_draws == 1 else 'were'} made"
        )
        return "unclear", f"only {made}, and an interval takes {FEWEST}"
    unbound = _unbound(found)
    if unbound is not None:
        return unbound
    score = found.score
    if score.value is None or score.value < SOMEWHAT:
        missing = _missing_for_no(found)
        return ("unclear", missing) if missing else ("no", "")
    if score.low <= 0:
        return (
            "unclear",
            f"draws of the objects differ from {number(score.low)} to {number(score.high)}",
        )
    return ("simple" if score.value >= SIMPLE and score.low >= SOMEWHAT else "partly"), ""


def _unbound(found: Evidence) -> tuple[Answer, str] | None:
    """Whether the embeddings themselves are above a bag of concepts: None where they are."""
    from conceptbind.complexity.study import FEW
    from conceptbind.complexity.tally import BINDS

    gap = found.gap
    if gap.value is not None and gap.value >= BINDS and gap.low > 0:
        return None
    if gap.value is not None and gap.high < HARDLY and found.n_scenes >= FEW:
        return "no binding", ""
    return "unclear", (
        "the embeddings themselves are not clearly above a bag of concepts in the scenes of new "
        "objects, of which a draw has "
        f"{found.n_scenes} or more. More values of each concept make more scenes"
    )


def _missing_for_no(found: Evidence) -> str | None:
    """What keeps a score near 0 from being an answer; None where a simple rule would have been
    seen.
    """
    from conceptbind.complexity.study import FEW

    score = found.score
    if found.n_scenes < FEW:
        return (
            f"only {counted(found.n_scenes, 'scene')} of new objects "
            f"{'is' if found.n_scenes == 1 else 'are'} left in a draw at "
            f"{percent(found.coverage)} of the objects, and a negative answer takes {FEW}. More "
            "values of each concept make more"
        )
    if score.high >= SIMPLE:
        return f"draws of the objects differ from {number(score.low)} to {number(score.high)}"
    if not found.planted:
        return "no planted rule shows that a simple one would have been found"
    best = max(found.planted.values(), key=lambda spread: spread.value or 0.0)
    if (best.value or 0.0) < SOMEWHAT or best.low <= score.high:
        return (
            "a planted rule of the same size and noise is not found here either (score "
            f"{number(best.value)}, {number(best.low)} to {number(best.high)}); more values of "
            "each concept, or less noise, are needed"
        )
    return None


def evidence(study: ComplexityStudy, readout: str) -> Evidence | None:
    """What a study holds for one read-out; None where nothing was scored."""
    scores = {(str(r["approximator"]), r["width"]): r for r in study.scores(readout)}
    chosen, gap = scores.get(("chosen", None)), study.gap(readout)
    real = study.curve(Metric.OBJECT_RECOGNITION, "embeddings", readout=readout)
    if chosen is None or gap is None or not real:
        return None
    planted = {
        int(width or 0): Spread.of(record)
        for (name, width), record in scores.items()
        if name == "planted" and record.value is not None
    }
    last = real[-1]
    return Evidence(
        readout,
        int(gap["n_seeds"] or 0),
        int(last["n_scenes"] or 0),
        float(last["coverage"] or 0),
        Spread.of(chosen),
        Spread.of(gap),
        planted,
    )


def answer(found: Sequence[Evidence]) -> tuple[Answer, str]:
    """The answer of the first read-out, unless another one gives another: then it cannot be
    judged.
    """
    answers = [judge(one) for one in found]
    for one, (word, _) in zip(found[1:], answers[1:], strict=True):
        if "unclear" not in (word, answers[0][0]) and word != answers[0][0]:
            return "unclear", (
                f"the answer depends on the read-out: with {_eyes(found[0].readout)} "
                f"{IN_SHORT[answers[0][0]]}, with "
                f"{_eyes(one.readout)} {IN_SHORT[word]}"
            )
    return answers[0]


IN_SHORT = {
    "simple": "it does",
    "partly": "it does in part",
    "no": "it does not",
    "no binding": "the embeddings themselves do not bind",
    "unclear": "that cannot be judged",
}


def complexity_sentence(study: ComplexityStudy) -> str | None:
    """Whether a small model of the embeddings generalises to new objects, in plain words; None
    where nothing was scored.

    Args:
        study: what `complexity_study` returned.
    """
    found = [one for readout in study.readouts if (one := evidence(study, readout)) is not None]
    if not found:
        return None
    word, missing = answer(found)
    rows = embeddings_of(study.modality)
    model = f"A small model of the {rows}"
    opening = {
        "simple": f"{model} generalises to new objects",
        "partly": f"{model} generalises to new objects in part",
        "no": f"{model} does not generalise to new objects",
        "no binding": f"The {rows} of new objects hold no more than a bag of concepts, so there is "
        "no rule of binding to judge",
        "unclear": f"It cannot be judged whether a small model of the {rows} generalises to new "
        f"objects. {first(missing or '-')}",
    }[word]
    words = f"{opening}. {_measured(study, found[0])}{_needed(study)}"
    if word in ("simple", "partly", "no"):
        words += f" {_score(found[0])}"
        others = [(one.readout, judge(one)[0]) for one in found[1:]]
        words += "".join(f" With {_eyes(name)} {_also(word, other)}." for name, other in others)
    return words


def _eyes(readout: str) -> str:
    """A read-out in words."""
    return "the encoder's own queries" if readout == "own" else f"{readout} probes"


def _also(word: Answer, other: Answer) -> str:
    return "the answer is the same" if other == word else IN_SHORT[other]


def _measured(study: ComplexityStudy, found: Evidence) -> str:
    """What was recognised at the largest coverage, each number with the approximator that it is
    of.
    """
    at, objects = (
        found.coverage,
        study.curve(Metric.OBJECT_RECOGNITION, "chosen", readout=found.readout)[-1],
    )
    concepts = weakest(study, "chosen", None, found.readout)
    real, bag = (
        study.curve(Metric.OBJECT_RECOGNITION, name, readout=found.readout)[-1]
        for name in ("embeddings", "bag_of_concepts")
    )
    hardest = (
        f" The hardest concept is recognised in {percent(concepts[-1].value)} "
        f"({_who(concepts[-1])})."
        if concepts
        else ""
    )
    return (
        f"Models that saw the scenes of {percent(at)} of the objects predict the embeddings of "
        f"scenes with new ones. From the predictions {_eyes(found.readout)} recognise all objects "
        f"in {percent(objects.value)} of the scenes ({_who(objects)}).{hardest} From the "
        f"embeddings themselves all objects are recognised in {percent(real.value)}, from a bag of "
        f"concepts in {percent(bag.value)} (medians of {objects['n_seeds']} draws of the objects, "
        f"at least {counted(found.n_scenes, 'scene')} each)."
    )


def _needed(study: ComplexityStudy) -> str:
    """How many products it takes at least, beside those of the sweep."""
    needed = study.records.first(metric=Metric.PRODUCTS_NEEDED)
    if needed is None or needed.value is None:
        return ""
    widths = study.records.where(approximator="per_object_product").distinct("width")
    tried = max((int(width) for width in widths if isinstance(width, int)), default=0)
    words = (
        f" At least {counted(int(needed.value), 'product')} of vectors of values would be needed "
        f"to hold {percent(HELD)} of what {needed.n:,} objects add beyond their values"
    )
    return words + (f"; up to {tried} were tried." if tried else ".")


def _score(found: Evidence) -> str:
    """The score with its interval and the planted rules beside it."""
    words = (
        f"Generalisation score {number(found.score.value)} ({_spread(found)}) over all coverages, "
        "where 0 is a bag of concepts and 1 the embeddings themselves"
    )
    rules = [
        f"{number(one.value)} with {counted(rank, 'product')}"
        for rank, one in sorted(found.planted.items())
    ]
    return words + (
        f". Planted rules of the same size and noise reach {', '.join(rules)}." if rules else "."
    )


def _spread(found: Evidence) -> str:
    """The interval of the score, or what its draws reach where they are too few for one."""
    low, high = number(found.score.low), number(found.score.high)
    if found.score.interval:
        return f"{low} to {high}"
    if found.score.low == found.score.high:
        return f"the same in all {counted(found.n_draws, 'draw')}"
    return f"from {low} to {high} over {counted(found.n_draws, 'draw')}"


def _who(record: Record) -> str:
    """The approximators that validation chose, with the number of draws."""
    chosen = _CHOSEN.findall(str(record["chosen"] or ""))
    told = [
        f"{NAMES[name]}{width and f' of width {width}'} in {counted(int(draws), 'draw')}"
        for name, width, draws in chosen
    ]
    return f"best on validation: {', '.join(told)}"


def weakest(
    study: ComplexityStudy, approximator: str, width: int | None, readout: str | None = None
) -> list[Record]:
    """At each coverage the concept that is recognised worst."""
    read = study.records.where(metric=Metric.CONCEPT_RECOGNITION)
    concepts = [str(concept) for concept in read.distinct("concept") if concept]
    at: dict[float, list[Record]] = {}
    for concept in concepts:
        for record in study.curve(
            Metric.CONCEPT_RECOGNITION, approximator, width, concept, readout
        ):
            at.setdefault(float(record["coverage"] or 0), []).append(record)
    return [min(at[coverage], key=lambda record: record.value or 0.0) for coverage in sorted(at)]
