"""A caption with two attribute-noun phrases, its swap, and both in other words.

"a photo of a red cube and a blue ball" has the swap "a photo of a blue cube and a red ball". In
other words it is "a photo of a cube that is red and a ball that is blue". Where nothing but "and",
a comma or "next to" stands between the phrases, it is "a photo of a blue ball and a red cube" too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from conceptbind.repairs.negatives.permutations import exchanged, same_words
from conceptbind.repairs.negatives.phrases import DETERMINERS
from conceptbind.scenes.captions import article

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.repairs.negatives.taggers import Token

BETWEEN = frozenset(
    (
        *(("and",), (",",), (",", "and"), ("&",), ("or",)),
        *(("next", "to"), ("beside",), ("near",), ("alongside",), ("along", "with")),
        *(("is", "next", "to"), ("is", "beside"), ("is", "near")),
    )
)
"""What may stand between two phrases that can change places."""
SINGULAR = frozenset(("a", "an", "one", "this", "that"))


@dataclass(frozen=True)
class Worded:
    """One caption with its swap, each in up to three wordings."""

    caption: str
    swap: str
    """The two attributes exchanged, all else as in the caption."""
    behind: str | None
    """The caption with its attributes behind the nouns; None where the encoder does not read it."""
    swap_behind: str | None
    reversed: str | None
    """The caption with its phrases in the other order; None where they cannot change places."""
    swap_reversed: str | None
    attributes: tuple[str, str]
    nouns: tuple[str, str]

    @property
    def texts(self) -> tuple[str, ...]:
        """All different texts, the caption first."""
        more = (self.behind, self.swap_behind, self.reversed, self.swap_reversed)
        return (self.caption, self.swap, *(text for text in more if text is not None))


@dataclass(frozen=True)
class _Phrase:
    """Places of tokens: from the determiner, or the first attribute, to the last noun."""

    first: int
    attribute: int
    last: int


def worded(caption: str, tokens: Sequence[Token]) -> Worded | None:
    """The first two attribute-noun phrases of a caption, exchanged and put in other words.

    Args:
        caption: a text.
        tokens: its tokens; see `repairs.negatives.taggers`.

    Returns:
        None where it has no two phrases whose attributes and nouns differ.
    """
    phrases = _phrases(tokens)
    pairs = [pair for pair in pairwise(phrases) if _differ(tokens, *pair)]
    if not pairs:
        return None
    # two that can change places are better: neither order is favoured
    one, two = next((pair for pair in pairs if _joined(tokens, *pair)), pairs[0])
    movable = _joined(tokens, one, two)
    source = {one.attribute: two.attribute, two.attribute: one.attribute}
    swap = exchanged(caption, tokens, source)
    if same_words(swap) == same_words(caption):
        return None
    plain = {one.attribute: one.attribute, two.attribute: two.attribute}
    behind, swap_behind = (_behind(caption, tokens, (one, two), taken) for taken in (plain, source))
    turned: tuple[str | None, str | None] = (None, None)
    if movable:
        own, other = (_reversed(caption, tokens, one, two, taken) for taken in ({}, source))
        turned = own, other
    both = tuple(tokens[phrase.attribute].text.lower() for phrase in (one, two))
    nouns = tuple(tokens[phrase.last].text.lower() for phrase in (one, two))
    return Worded(
        caption,
        swap,
        behind,
        swap_behind,
        *turned,
        (both[0], both[1]),
        (nouns[0], nouns[1]),
    )


def _phrases(tokens: Sequence[Token]) -> list[_Phrase]:
    """Every attribute that stands right before a noun, with what belongs to it."""
    found = []
    for place in range(len(tokens) - 1):
        if tokens[place].part != "adjective" or tokens[place + 1].part != "noun":
            continue
        first, last = place, place + 1
        while last + 1 < len(tokens) and tokens[last + 1].part == "noun":
            last += 1
        while first and tokens[first - 1].part == "adjective":
            first -= 1
        if first and tokens[first - 1].text.lower() in DETERMINERS:
            first -= 1
        found.append(_Phrase(first, place, last))
    return found


def _differ(tokens: Sequence[Token], one: _Phrase, two: _Phrase) -> bool:
    """Whether an exchange of the attributes changes what is said."""
    attributes = (tokens[phrase.attribute].text.lower() for phrase in (one, two))
    nouns = (tokens[phrase.last].text.lower() for phrase in (one, two))
    return len(set(attributes)) == 2 and len(set(nouns)) == 2


def _joined(tokens: Sequence[Token], one: _Phrase, two: _Phrase) -> bool:
    """Whether the phrases can change places."""
    between = tuple(token.text.lower() for token in tokens[one.last + 1 : two.first])
    return between in BETWEEN


def _behind(
    caption: str, tokens: Sequence[Token], phrases: Sequence[_Phrase], taken: dict[int, int]
) -> str:
    """The caption with "NOUN that is ATTRIBUTE" for "ATTRIBUTE NOUN"."""
    pieces, end = [], 0
    for phrase in phrases:
        old, noun = tokens[phrase.attribute], tokens[phrase.attribute + 1]
        before = caption[end : old.start]
        kept = before.rstrip().rpartition(" ")
        if kept[2].lower() in ("a", "an"):
            wanted = article(noun.text)
            wanted = wanted.capitalize() if kept[2][0].isupper() else wanted
            before = f"{kept[0]}{kept[1]}{wanted} "
        elif not before.strip() and not end and noun.text[:1].islower() and old.text[0].isupper():
            noun_text = noun.text.capitalize()
            pieces += [before, noun_text]
            end = noun.end
            before = ""
        attribute = tokens[taken[phrase.attribute]]
        word = attribute.text if attribute.proper else attribute.text.lower()
        nouns = caption[max(noun.start, end) : tokens[phrase.last].end]
        pieces += [before, nouns, f" that {_verb(tokens, phrase)} {word}"]
        end = tokens[phrase.last].end
    return "".join(pieces) + caption[end:]


def _verb(tokens: Sequence[Token], phrase: _Phrase) -> str:
    """Whether something "is" or "are" so: by the determiner and the ending of the noun."""
    determiner = tokens[phrase.first].text.lower()
    noun = tokens[phrase.last].text.lower()
    several = noun.endswith("s") and not noun.endswith("ss")
    return "are" if several and determiner not in SINGULAR else "is"


def _reversed(
    caption: str, tokens: Sequence[Token], one: _Phrase, two: _Phrase, source: dict[int, int]
) -> str:
    """The caption with two phrases in the other order, their attributes exchanged by `source`."""
    first, second = (
        _said(caption, tokens, phrase, source.get(phrase.attribute, phrase.attribute))
        for phrase in (one, two)
    )
    start, middle = caption[: tokens[one.first].start], tokens[one.last].end
    between, end = caption[middle : tokens[two.first].start], caption[tokens[two.last].end :]
    if tokens[one.first].text[0].isupper() and not tokens[one.first].proper:
        first, second = first[0].lower() + first[1:], second[0].upper() + second[1:]
    return f"{start}{second}{between}{first}{end}"


def _said(caption: str, tokens: Sequence[Token], phrase: _Phrase, attribute: int) -> str:
    """A phrase with an attribute of its own or of the other one."""
    low, high = tokens[phrase.first].start, tokens[phrase.last].end
    old, new = tokens[phrase.attribute], tokens[attribute].text
    before = caption[low : old.start]
    if phrase.attribute - phrase.first == 1 and before.strip().lower() in ("a", "an"):
        wanted = article(new)
        before = f"{wanted.capitalize() if before[0].isupper() else wanted} "
    word = new if tokens[attribute].proper or attribute == phrase.attribute else new.lower()
    return f"{before}{word}{caption[old.end : high]}"
