"""What one picture says, in words that a newcomer understands, and no more than it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.app.trial import Choice

NO_SWAP = (
    "No swap was made: it takes two different things, each right behind an attribute of its own, "
    "as in “a red square and a blue circle”. You can type the wrong caption yourself, below the "
    "first."
)
NO_BLANKS = (
    "Where an attribute goes wrong is not shown: the model does not read the whole caption with "
    "another attribute in its place."
)
UNMAPPED = "The repair maps captions; the text that they are compared with stays as it is."
CUT = "its end was cut off: it is longer than the model reads"
SHOWN = 80
"""Characters of a caption inside a sentence."""
DIGITS = 6
"""Decimals of two scores at most."""
Truth = tuple[bool | None, bool | None]
"""Whether the caption is true of the picture, and whether its swap is; None where nobody knows."""


def short(text: str) -> str:
    """The beginning of a text.

    Args:
        text: a caption.
    """
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def two_scores(one: float, two: float) -> str:
    """Two scores with as many decimals as tell them apart.

    Args:
        one: a cosine.
        two: another.
    """
    for digits in range(3, DIGITS):
        told = f"{one:.{digits}f}", f"{two:.{digits}f}"
        if told[0] != told[1]:
            return " against ".join(told)
    return f"{one:.{DIGITS}f} against {two:.{DIGITS}f}"


def _said(choice: Choice, sees: bool) -> str:
    """Which of the two is nearer."""
    what = "the picture" if sees else "the text"
    if choice.lead == "tie":
        return f"finds your caption and its swap equally near to {what} ({choice.caption:.3f})"
    near, other = ("your caption", "its swap")
    numbers = two_scores(choice.caption, choice.swap)
    if choice.lead == "swap":
        near, other = "the swap", "your caption"
        numbers = two_scores(choice.swap, choice.caption)
    return f"finds {near} nearer to {what} than {other} ({numbers})"


def _judged(choice: Choice, truth: Truth, sees: bool) -> str:
    """Whether that is right, as far as anybody knows."""
    caption, swap = truth
    if caption is None or swap is None:
        true = "is true of the picture" if sees else "says what the text says"
        right = {"caption": "right", "swap": "wrong", "tie": "a miss"}[choice.lead]
        return f"If your caption {true}, that is {right}."
    if caption == swap:
        both, answer = ("Both are", "wrong") if caption else ("Neither is", "right")
        return f"{both} true of the picture, so neither answer is {answer}."
    true, told = ("caption", "Your caption") if caption else ("swap", "The swap")
    right = "right" if choice.lead == true else "wrong"
    return f"{told} is the true one, so that is {'a miss' if choice.lead == 'tie' else right}."


def _wordings(choices: Sequence[Choice]) -> str:
    """In how many wordings it is so."""
    same = sum(choice.lead == choices[0].lead for choice in choices)
    if len(choices) < 2:
        return ""
    if same == len(choices):
        return f" So it is in {'both' if same == 2 else f'all {same}'} wordings."
    return f" So it is in {same} of {len(choices)} wordings."


def prefers(encoder: str, choices: Sequence[Choice], truth: Truth, sees: bool) -> str:
    """Which of caption and swap the encoder finds nearer.

    Args:
        encoder: what it is called.
        choices: of each wording, the one that was typed first.
        truth: whether caption and swap are true.
        sees: whether a picture is compared, and not a text.
    """
    said = f"{encoder} {_said(choices[0], sees)}."
    return f"{said}{_wordings(choices)} {_judged(choices[0], truth, sees)}"


def prefers_after(choices: Sequence[Choice], truth: Truth, sees: bool) -> str:
    """The same after the repair; see `prefers`."""
    said = f"After the repair it {_said(choices[0], sees)}."
    return f"{said}{_wordings(choices)} {_judged(choices[0], truth, sees)}"


def one_item(encoder: str, sees: bool) -> str:
    """That one item measures nothing, and what does.

    Args:
        encoder: what it is called.
        sees: whether a picture is compared.
    """
    what = "picture" if sees else "text"
    return (
        f"This is one {what}, not a measurement of {encoder}. The command “conceptbind measure” "
        "asks hundreds, beside controls."
    )


def fitted_on(scenes: object) -> str:
    """That the repair may know such a scene.

    Args:
        scenes: what the repair was fitted on, as its folder says; None where it does not.
    """
    if not isinstance(scenes, str) or not scenes:
        return "The repair does not say what it was fitted on, which may hold a scene like this."
    return (
        f"The repair was fitted on captions of {short(scenes)}, which may hold a scene like this."
    )


def of_search(
    marks: Sequence[Sequence[str]], n: int, known: Sequence[str] | None
) -> tuple[str, ...]:
    """What the hits of a query are.

    Args:
        marks: of the hits before the repair, and after it where there is one.
        n: documents that were searched.
        known: the marks of all documents of which it is settled; None where it is of none.
    """
    last = "This is one query, not a measurement: the study “query” asks hundreds, beside controls."
    if known is None:
        unknown = (
            "No hit is marked. Nobody says what these documents hold, or the query is not made of "
            "attributes and nouns, such as “red square, blue circle”."
        )
        return (unknown, last)
    right, settled = known.count("right"), len(known)
    more = n - settled
    some = f" Of {more:,} more nobody knows, which {'has' if more == 1 else 'have'} no mark."
    some *= more > 0
    if not right:
        return (f"None of {counted(settled, 'document')} holds what was asked for.{some}", last)
    there = (
        f"{right:,} of {counted(settled, 'document')} hold{'s' * (right == 1)} what was asked for."
        f"{some}"
    )
    if len(marks) == 1:
        return (f"{there} {_of_hits('Here', marks[0])}", last)
    before, after = (
        _of_hits(f"{when} the repair", hits)
        for when, hits in zip(("Before", "After"), marks, strict=True)
    )
    return (f"{there} {before} {after}", last)


def _of_hits(when: str, hits: Sequence[str]) -> str:
    """How many hits are right, and how many swaps stand before one that is right."""
    found, errors = hits.count("right"), hits.count("error")
    if not errors:
        told = "no swap stands before any of them"
    else:
        told = f"{counted(errors, 'swap')} stand{'s' * (errors == 1)} before or level with one"
    return (
        f"{when} {found:,} of the first {len(hits)} {'does' if found == 1 else 'do'}, and {told}."
    )
