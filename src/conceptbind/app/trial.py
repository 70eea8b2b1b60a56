"""One picture (or one text) against a few captions: their cosines before and after a repair, the
swap of the first, its paraphrases, and which attribute the model would rather see.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from conceptbind.app import words
from conceptbind.app.phrases import (
    Phrase,
    alternatives,
    drawn_pairs,
    phrases_of,
    replaced,
    same_colour,
    tagged,
    wordings_of,
)
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics.choices import forced_choice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from jaxtyping import Float

    from conceptbind.app.model import Model
    from conceptbind.app.phrases import Wording
    from conceptbind.core.typing import Floats
    from conceptbind.repairs.negatives.taggers import Token

MOST_CAPTIONS = 12
"""Captions of one answer."""
LONGEST = 2_000
"""Characters of a caption."""
Pairs = frozenset[tuple[str, str]]
"""Attribute and noun of each object."""
Shown: TypeAlias = "Collection[tuple[str, str]]"
"""The same of a drawn picture, where one object may stand twice."""


@dataclass(frozen=True)
class Line:
    """One bar of the page."""

    caption: str
    role: str
    """`caption` or `swap` (of the first caption, in one wording), or `other`."""
    wording: str
    before: float
    """Cosine with the picture."""
    after: float | None
    """The same after the repair; None without one."""
    note: str = ""
    """What the encoder did with it, such as cutting its end."""


@dataclass(frozen=True)
class Choice:
    """A caption and its swap: which of them is nearer."""

    lead: str
    """`caption`, `swap` or `tie`."""
    caption: float
    swap: float


@dataclass(frozen=True)
class Blank:
    """One attribute of the caption left open: what the model puts there."""

    noun: str
    written: str
    own: float
    """Cosine of the caption as it is written."""
    best: str
    """The other attribute that scores highest in its place."""
    other: float
    """Cosine of the caption with that attribute."""
    text: str
    """The caption with that attribute."""
    wrong: bool
    """Whether the written attribute is not strictly first."""
    repaired: bool
    """Whether these are numbers after the repair."""


@dataclass(frozen=True)
class Trial:
    """What the page shows of one picture."""

    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    """What it means, in words."""
    blanks: tuple[Blank, ...]
    notes: tuple[str, ...]
    """What could not be done, and why."""
    refused: tuple[str, ...]
    """Captions that the encoder does not read, and why."""


def require_captions(captions: Sequence[str]) -> list[str]:
    """Captions without spaces around them, each once; the first is the one that is swapped.

    Args:
        captions: as they were typed.

    Raises:
        ValueRangeError: there is none, there are too many, or one is too long.
    """
    found = list(dict.fromkeys(text for text in map(str.strip, captions) if text))
    if not found or not captions[0].strip():  # another must not become the one that is swapped
        raise ValueRangeError("expected a caption; got none; type one, such as a red square")
    if len(found) > MOST_CAPTIONS:
        raise ValueRangeError(
            f"expected at most {MOST_CAPTIONS} captions; got {len(found)}; leave some out"
        )
    longest = max(map(len, found))
    if longest > LONGEST:
        raise ValueRangeError(
            f"expected captions of at most {LONGEST:,} characters; got one of {longest:,}; "
            "shorten it"
        )
    return found


def choice_of(caption: float, swap: float) -> Choice:
    """Which of two scores is higher by the one rule of ties.

    Args:
        caption: cosine of the caption.
        swap: cosine of its swap.
    """
    right, tied = forced_choice(np.array([caption]), np.array([swap]), 1.0)
    if tied[0]:
        return Choice("tie", caption, swap)
    return Choice("caption" if right[0] else "swap", caption, swap)


@explains_arguments
def try_picture(
    model: Model,
    row: Float[Floats, " width"],
    captions: Sequence[str],
    shown: Shown | None = None,
) -> Trial:
    """The answer of the page.

    Args:
        model: the encoder and its repair.
        row: the unit row of the picture, or of a text in its place.
        captions: what was typed; the first is swapped.
        shown: attribute and noun of each object, where the picture was drawn here.

    Raises:
        ConceptBindError: there is nothing to score; the message says what to do.
    """
    typed = require_captions(captions)
    refusals = {text: told for text in typed if (told := model.refusal(text)) is not None}
    kept = [text for text in typed if text not in refusals]
    refused = tuple(f"“{words.short(text)}”: {told}" for text, told in refusals.items())
    if not kept:
        return Trial((), (), (), (), refused)
    notes: list[str] = []
    first, wordings, tokens, phrases = _read_first(model, typed[0], refusals, notes)
    texts = _texts(kept, first, wordings)
    lines = _lines(model, row, texts)
    blanks = _blanks(model, row, typed[0], tokens, phrases, shown or ()) if first else ()
    sentences = _sentences(model, lines, wordings, typed[0], shown)
    if phrases and not blanks:
        notes.append(words.NO_BLANKS)
    if model.adapter is not None and not model.sees:
        notes.append(words.UNMAPPED)
    if model.adapter is not None:
        notes.append(words.fitted_on(model.adapter.config.get("scenes")))
    return Trial(tuple(lines), sentences, blanks, tuple(notes), refused)


def _read_first(
    model: Model, text: str, refusals: dict[str, str], notes: list[str]
) -> tuple[bool, tuple[Wording, ...], Sequence[Token], tuple[Phrase, ...]]:
    """Whether the first caption can be read, its wordings (none where it has no swap), its tokens
    and phrases.
    """
    if text in refusals:
        return False, (), (), ()
    tokens, found = tagged(text)
    phrases = phrases_of(tokens)
    if found is None:
        notes.append(words.NO_SWAP)
        return True, (), tokens, phrases
    told = model.refusal(found.swap)
    if told is not None:
        notes.append(f"The swap “{words.short(found.swap)}” is not read: {told}")
        return True, (), tokens, phrases
    return True, wordings_of(found, tokens, model.reads_each), tokens, phrases


def _texts(
    kept: Sequence[str], first: bool, wordings: Sequence[Wording]
) -> list[tuple[str, str, str]]:
    """Text, role and wording of each line; every text once."""
    found: dict[str, tuple[str, str]] = {}
    if first:
        found[kept[0]] = ("caption", "as written")
    for one in wordings:
        found.setdefault(one.caption, ("caption", one.name))
        found.setdefault(one.swap, ("swap", one.name))
    for text in kept:
        found.setdefault(text, ("other", "another caption"))
    return [(text, *about) for text, about in found.items()]


def _lines(
    model: Model, row: Float[Floats, " width"], texts: Sequence[tuple[str, str, str]]
) -> list[Line]:
    before, after = scores(model, row, [text for text, _, _ in texts])
    return [
        Line(text, role, wording, old, new, "" if model.reads(text) else words.CUT)
        for (text, role, wording), old, new in zip(texts, before, after, strict=True)
    ]


def scores(
    model: Model, row: Float[Floats, " width"], texts: Sequence[str]
) -> tuple[list[float], list[float | None]]:
    """Cosines of texts with a row, before the repair and after it.

    Args:
        model: the encoder and its repair.
        row: a unit row.
        texts: what is compared with it.
    """
    rows, mapped = model.captions(texts)
    before: list[float] = (rows @ row).tolist()
    if mapped is None:
        return before, [None] * len(texts)
    return before, (mapped @ row).tolist()


def _sentences(
    model: Model,
    lines: Sequence[Line],
    wordings: Sequence[Wording],
    caption: str,
    shown: Shown | None,
) -> tuple[str, ...]:
    if not wordings:
        return (words.one_item(model.id, model.sees),)
    by_text = {line.caption: line for line in lines}
    pairs = [(by_text[one.caption], by_text[one.swap]) for one in wordings]
    before = [choice_of(one.before, two.before) for one, two in pairs]
    after = [
        choice_of(one.after, two.after)
        for one, two in pairs
        if one.after is not None and two.after is not None
    ]
    truth = truth_of(caption, shown), truth_of(wordings[0].swap, shown)
    return (
        words.prefers(model.id, before, truth, model.sees),
        *([words.prefers_after(after, truth, model.sees)] if after else []),
        words.one_item(model.id, model.sees),
    )


def truth_of(caption: str, shown: Shown | None) -> bool | None:
    """Whether a caption is true of a drawn picture; None where that is not known.

    Args:
        caption: a text.
        shown: colour and shape of each object of the picture; None where nobody says.
    """
    said = drawn_pairs(caption)
    if shown is None or said is None:
        return None
    drawn = Counter(shown)
    if any(drawn[one] > 1 for one in said):
        return None  # is "a red square" true where two are drawn?
    return said <= set(shown)


def _blanks(
    model: Model,
    row: Float[Floats, " width"],
    caption: str,
    tokens: Sequence[Token],
    phrases: Sequence[Phrase],
    shown: Shown,
) -> tuple[Blank, ...]:
    """For each attribute the other one that scores highest in its place. Where the written one is
    true of a drawn picture, others that are true too are left out.
    """
    found: list[Blank] = []
    for phrase in phrases:
        true = [same_colour(attribute) for attribute, noun in shown if noun == phrase.noun]
        also = true if same_colour(phrase.attribute) in true else []
        texts = {
            word: replaced(caption, tokens, phrase.place, word)
            for word in alternatives(phrase.attribute, phrases, also)
        }
        known = zip(texts.items(), model.reads_each(list(texts.values())), strict=True)
        read = {word: text for (word, text), reads in known if reads}
        if not read:
            continue
        before, after = scores(model, row, [caption, *read.values()])
        columns = [(before, False)]
        repaired = [score for score in after if score is not None]
        if len(repaired) == len(before):
            columns.append((repaired, True))
        found += [_blank(phrase, column, read, told) for column, told in columns]
    return tuple(found)


def _blank(
    phrase: Phrase, column: Sequence[float], read: Mapping[str, str], repaired: bool
) -> Blank:
    own, *others = column
    best = int(np.argmax(others))
    word, text = list(read.items())[best]
    wrong = choice_of(own, others[best]).lead != "caption"
    return Blank(phrase.noun, phrase.attribute, own, word, others[best], text, wrong, repaired)
