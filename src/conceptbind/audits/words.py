"""What an audit found, in words: how often swaps win, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.audits.study import no_words
from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.crossmodal.words import CHANCE, SOMEWHAT, USABLE, needed_to_judge
from conceptbind.repairs.arrays import ArrayRepair
from conceptbind.repairs.queries.words import query_verdict
from conceptbind.repairs.words import repair_verdict
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import CONTROL_WORDS, OF_WORDS, beats, ends, first
from conceptbind.within.words import usable_within

if TYPE_CHECKING:
    from conceptbind.audits.study import AuditStudy
    from conceptbind.core.records import Record, Records


def audit_verdict(study: AuditStudy) -> Verdict:
    """Do the index and its captions agree on what belongs together?

    Args:
        study: what `audit_study` returned.
    """
    records, audit = study.records.where(study="audit"), study.audit
    binding = records.one(metric=Metric.BINDING_ACCURACY, control=Control.NONE)
    swapped = records.one(metric=Metric.SWAP_ERROR, control=Control.NONE)
    pictures = audit.modality == "image"
    level, modality = (3, "both") if pictures else (2, "text")
    value, (low, high) = float(binding.value or 0.0), ends(binding)
    who = f"the {'pictures' if pictures else 'captions'} of {audit.name}"
    told = _told(binding, swapped, records, pictures=pictures)
    control = _strongest(records)
    name = "chance" if control is None else str(control.control)
    judged = Verdict("unclear", "", value, level, modality, binding.n, name)
    asked = f"{who} prefer a caption of {audit.encoder} to its swap"
    beaten = beats(binding, control)
    if value >= USABLE and low > SOMEWHAT and beaten:
        word: Word = "yes"
        said = f"{first(asked)} (level {level}, usable)"
    elif SOMEWHAT <= value < USABLE and low > CHANCE and beaten:
        word, said = "partly", f"{first(asked)} only in part (level {level})"
    elif high < SOMEWHAT:
        word = "no"
        said = f"{first(asked.replace('prefer', 'hardly prefer'))} (level {level}, not usable)"
    else:
        need = first(needed_to_judge(binding, control))
        word = "unclear"
        said = (
            f"It cannot be judged whether {asked} (level {level}). {need} captions with two "
            "attribute-noun phrases are needed"
        )
    return replace(judged, word=word, sentence=f"{said}. {told}")


def _told(binding: Record, swapped: Record, records: Records, *, pictures: bool) -> str:
    """How often each of the two wins, and what the strongest control reaches."""
    whose = "the caption" if pictures else "the caption in other words"
    words = (
        f"The swap wins in {value_of(swapped)} ({interval_of(swapped)}), {whose} in "
        f"{value_of(binding)} ({interval_of(binding)}; n = {binding.n:,}, chance: 50 %)."
    )
    if binding.ties:
        share = "all" if binding.ties == binding.n else f"{binding.ties:,}"
        words += f" Captions with a tie, which counts as a miss: {share}."
    control = _strongest(records)
    if control is None:
        return words
    beaten = "" if beats(binding, control) else ", which is not clearly less"
    name = CONTROL_WORDS[str(control.control)]
    return f"{words} The strongest control, {name}, reaches {value_of(control)}{beaten}."


def _strongest(records: Records) -> Record | None:
    """The control that is right most often; None where none is right more often than a coin."""
    controls = records.where(metric=Metric.BINDING_ACCURACY, control=OF_WORDS)
    best = max(controls.scored(), key=lambda record: record.value or 0.0, default=None)
    return None if best is None or (best.value or 0.0) <= CHANCE else best


def text_verdict(study: AuditStudy) -> Verdict:
    """Level 2 of the captions alone.

    Args:
        study: what `audit_study` returned.
    """
    records = study.records.where(study="audit", metric=Metric.PARAPHRASE_ACCURACY)
    if not records:
        encoder = study.audit.encoder
        sentence = (
            f"It cannot be judged whether the captions of {encoder} tell a scene from its swap by "
            f"cosine (level 2). {first(no_words(study.audit))}."
        )
        return Verdict("unclear", sentence, None, 2, "text", 0)
    return usable_within(records, "text", study.audit.encoder)


def mend_verdict(study: AuditStudy) -> Verdict:
    """Does a linear repair help?

    Args:
        study: what `audit_study` returned.
    """
    if study.repair is None:
        need = f"It cannot be judged whether a linear repair helps: {study.why_not}."
        return Verdict("unclear", need, None, n=len(study.right), repairs=False)
    if isinstance(study.repair, ArrayRepair):
        return repair_verdict(study.repair)
    return query_verdict(study.repair)


def cost_sentence(study: AuditStudy) -> str:
    """What the map costs in search on the same index; an empty text where nothing searched.

    Args:
        study: what `audit_study` returned.
    """
    records = study.records.where(study="audit", metric=Metric.RECALL_AT_1)
    then = records.first(repair=Repair.NONE)
    if then is None:
        return ""
    whole = f"among all {study.audit.drawn.n:,} rows"
    asked = f"A caption finds its own row first, {whole}, in {value_of(then)}"
    now = records.first(repair=Repair.HNB)
    if now is None:
        return f"{asked} ({interval_of(then)}, n = {then.n:,})."
    gain = study.records.where(study="audit").one(metric=Metric.RECALL_GAIN)
    return (
        f"{asked} without the map and in {value_of(now)} with it: {value_of(gain)} "
        f"({interval_of(gain)}, n = {then.n:,})."
    )


def next_step(study: AuditStudy, verdict: Verdict, *, embeds: bool = True) -> tuple[str, str]:
    """What to do, and the command that does it, with `{index}`, `{encoder}` and `{out}` in it.

    Args:
        study: what `audit_study` returned.
        verdict: of `audit_verdict`.
        embeds: whether there is an encoder, and no rows of captions alone.
    """
    item = study.audit.drawn.items[study.pairs[0].example]
    parts = ", ".join(f"{a} {n}" for a, n in zip(item.attributes, item.nouns, strict=True))
    encoder, more = ("{encoder}",) * 2 if embeds else ("ENCODER", "file:more.npy")
    ask = f'conceptbind query {{index}} "{parts}" --encoder {encoder}'
    if study.recommended and not embeds:
        return (
            "Map the rows of queries by the repair; the index stays as it is",
            "conceptbind apply {out} --texts QUERIES.npy --out mapped.npy",
        )
    if study.recommended:
        return "Map the queries by the repair; the index stays as it is", f"{ask} --adapter {{out}}"
    if verdict.word == "unclear":
        return (
            "Look at more captions",
            f"conceptbind audit {more} --index {{index}} --sample 10000 --out {{out}}-more",
        )
    if verdict.word == "yes":
        return "Nothing has to be mended; search as before", f"{ask} --way whole"
    return "No linear map mends this; ask for each thing by itself", f"{ask} --way sum"
