"""The answer first: one sentence that a person who knows no term of the field understands, and the
command to run next.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from conceptbind.core.rounding import percent
from conceptbind.crossmodal.words import SOMEWHAT
from conceptbind.report.advice import RUN
from conceptbind.report.words import first, seen, which
from conceptbind.within.words import USABLE

if TYPE_CHECKING:
    from conceptbind.core.findings import Verdict

KNOWS = {
    "yes": "knows {what}",
    "partly": "knows {what} only in part",
    "no": "hardly knows {what}",
    "unclear": "may or may not know {what}, which cannot be judged here",
}
FROM = {
    "yes": "from {seen}",
    "partly": "only in part from {seen}",
    "no": "hardly from {seen}",
    "unclear": "from {seen} it cannot be judged",
}
USES = {
    "yes": "its picture-caption match uses it",
    "partly": "its picture-caption match uses it only partly",
    "no": "its picture-caption match hardly uses it",
    "unclear": "whether its picture-caption match uses it cannot be judged",
}
AMONG = {
    "yes": "{seen} use it",
    "whole": "{seen} use it in the one setting that was measured",
    "partly": "{seen} use it only partly",
    "no": "{seen} hardly use it",
}
TELL = {
    "yes": "show {what}",
    "whole": "show {what} in the one setting that was measured",
    "partly": "show {what} only partly",
    "no": "hardly show {what}",
}
CHANCE = "; a coin reaches 50 %"
REACTS = 'reacts to "no"'
"""How the question begins that the study of negation asks."""


def plain_answer(encoder: str, concepts: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """All verdicts of a run as one or two plain sentences.

    Args:
        encoder: its name.
        concepts: names of the concepts.
        verdicts: levels 1 and 2 of each modality, level 3, a repair; those that were asked for.

    Returns:
        The sentences; empty where nothing was asked that they are about.
    """
    decodable = [verdict for verdict in verdicts if verdict.judges == 1]
    across = next((verdict for verdict in verdicts if verdict.judges == 3), None)
    repair = next((verdict for verdict in verdicts if verdict.repairs is not None), None)
    within = [verdict for verdict in verdicts if verdict.judges == 2]
    if not decodable:
        return _match_alone(encoder, across) or _within_alone(encoder, within, which(concepts))
    sentence = f"{encoder} {_known(decodable, which(concepts))}"
    if across is not None:
        held = any(verdict.word in ("yes", "partly") for verdict in decodable)
        joint = "but" if held != (across.word == "yes") else "and"
        sentence += f", {joint} {USES[across.word]}{_share(across)}"
    return f"{sentence}.{_repaired(across, repair)}{_among(within)}"


def other_answers(verdicts: Sequence[Verdict]) -> str:
    """What a run answers besides levels of binding, question by question.

    Args:
        verdicts: of the run.

    Returns:
        The questions with their answers. Empty where none was asked.
    """
    asked = [verdict for verdict in verdicts if verdict.asks is not None]
    return " ".join(f"{first(one.asks or '')} {first(one.answer)}." for one in asked)


def _known(decodable: Sequence[Verdict], what: str) -> str:
    """What the embeddings hold, of each modality where they differ."""
    words = dict.fromkeys(verdict.word for verdict in decodable)
    if len(words) == 1:
        return KNOWS[decodable[0].word].format(what=what)
    order = sorted(decodable, key=lambda verdict: list(FROM).index(verdict.word))
    parts = [FROM[v.word].format(seen=seen(v.modality)) for v in order]
    return f"knows {what} {', '.join(parts)}"


def _match_alone(encoder: str, across: Verdict | None) -> str:
    if across is None:
        return ""
    if across.word == "unclear":
        return f"It cannot be judged whether {encoder} matches pictures with their own captions."
    return (
        f"{encoder} prefers a picture's own caption to the one with attributes swapped in "
        f"{percent(across.score)} of the comparisons{CHANCE}."
    )


def _among(within: Sequence[Verdict]) -> str:
    """How far each modality uses its binding by itself, where that can be judged."""
    judged = [verdict for verdict in within if verdict.word in AMONG]
    if not judged:
        return ""
    if len({_word(verdict) for verdict in judged}) == 1:
        names = " and ".join(seen(verdict.modality) for verdict in judged)
        shares = " and ".join(percent(verdict.score) for verdict in judged)
        return (
            f" Compared with each other, {AMONG[_word(judged[0])].format(seen=names)} ({shares})."
        )
    parts = [
        f"{AMONG[_word(v)].format(seen=seen(v.modality))} ({percent(v.score)})" for v in judged
    ]
    return f" Compared with each other, {' and '.join(parts)}."


def _word(verdict: Verdict) -> str:
    """The word of a verdict of level 2, or `whole` where all that was measured is right and yet not
    all was: given pictures have one setting alone.
    """
    whole = verdict.word == "partly" and (verdict.score or 0.0) >= USABLE
    return "whole" if whole else verdict.word


def _within_alone(encoder: str, within: Sequence[Verdict], what: str) -> str:
    if not within:
        return ""
    parts, unclear = [], []
    for verdict in within:
        who = f"{seen(verdict.modality)} of {encoder}"
        if verdict.word not in AMONG:
            unclear.append(f"Whether {who} show {what} by cosine cannot be judged here.")
            continue
        told = TELL[_word(verdict)].format(what=what)
        parts.append(f"{who} {told} ({percent(verdict.score)})")
    judged = [f"Compared with each other, {', and '.join(parts)}."] if parts else []
    return " ".join((*judged, *unclear))


def _share(across: Verdict) -> str:
    if across.word == "unclear" or across.score is None:
        return ""
    return f" ({percent(across.score)}{CHANCE if across.word == 'no' else ''})"


def _repaired(across: Verdict | None, repair: Verdict | None) -> str:
    if repair is None or across is None:
        return ""
    if repair.repairs:
        only = "" if worth_applying(repair) else "only "
        return f" A linear repair brings it {only}to {percent(repair.score)} on new combinations."
    if across.word not in ("partly", "no"):
        return ""
    if repair.word == "unclear":
        return " It cannot be judged whether a linear repair helps."
    return " A linear repair does not help."


def worth_applying(repair: Verdict) -> bool:
    """Whether a repair is recommended, and makes binding usable at least in part."""
    return bool(repair.repairs) and (repair.score or 0.0) >= SOMEWHAT


def next_command(
    encoder: str,
    verdicts: Sequence[Verdict],
    *,
    adapter: bool,
    trainable: bool,
    reads: bool,
    scenes: str | None = None,
) -> tuple[str, str]:
    """What to do next, and the command that does it as it stands, with `RUN` for the run folder.

    Args:
        encoder: as a command line names it.
        verdicts: of the run.
        adapter: whether the run kept a repair worth applying, and its caption embeddings.
        trainable: whether both towers of the encoder can be trained further.
        reads: whether a command line can open the encoder and embed other captions with it.
        scenes: as a command line names them; None where it cannot.
    """
    name = quote(encoder)
    if adapter:
        command = (
            f"conceptbind apply {RUN}/adapter --texts {RUN}/embeddings/text "
            f"--out {RUN}/repaired.npy"
        )
        why = "To repair these captions (give yours with --texts; your index stays as it is):"
        return why, command
    mended = _to_mend(name, verdicts, trainable, quote(scenes) if reads and scenes else None)
    if mended is not None:
        return mended
    words = {verdict.judges: verdict.word for verdict in verdicts}
    if words.get(1) == "unclear" and reads:
        command = f"conceptbind measure {name} --scenes text20:10x10"
        return "To judge it on more scenes:", command
    if any(verdict.level or verdict.repairs is not None for verdict in verdicts):
        return "To see its numbers as tables, or beside other runs:", f"conceptbind compare {RUN}"
    if reads and scenes and (other := _of_other_questions(verdicts)):
        why, studies = other
        return why, f"conceptbind measure {name} --scenes {quote(scenes)}{studies}"
    return "To draw its page again:", f"conceptbind report {RUN}"


def _of_other_questions(verdicts: Sequence[Verdict]) -> tuple[str, str] | None:
    """What to measure after a run that judges no level, and its option; None where nothing is
    known.
    """
    if not verdicts:
        return "To judge every level of binding on these scenes:", ""
    if any((verdict.asks or "").startswith(REACTS) for verdict in verdicts):
        return "To see which way of asking leaves an object out better:", " --studies query"
    return None


def _to_mend(
    name: str, verdicts: Sequence[Verdict], trainable: bool, scenes: str | None
) -> tuple[str, str] | None:
    """What may mend binding that is not used; None where there is nothing to mend, or no way."""
    across = {verdict.word for verdict in verdicts if verdict.judges == 3}
    repaired = any(verdict.repairs is not None for verdict in verdicts)
    if across & {"partly", "no"} and scenes and not repaired:
        command = f"conceptbind repair {name} --scenes {scenes} --out {RUN}-repaired"
        return "To see whether a linear repair helps:", command
    if across & {"partly", "no"} and trainable:
        command = f"conceptbind finetune {name} --out {RUN}-finetuned"
        return "To see what training the model further would reach:", command
    text = {verdict.judges: verdict.word for verdict in verdicts if verdict.modality == "text"}
    # what captions do not even hold, no map brings back
    held = text.get(1, "yes") != "no"
    if text.get(2) in ("partly", "no") and held and scenes:
        command = f"conceptbind repair {name} --scenes {scenes} --side query"
        why = "To repair a search among captions (their index stays as it is):"
        return why, f"{command} --out {RUN}-queries"
    return None
