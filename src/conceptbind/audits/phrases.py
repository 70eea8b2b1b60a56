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
OWNED, DENIED = ("'s", "\u2019s", "'", "\u2019"), ("n't", "n\u2019t")
"""How words end that own what follows, and that deny it."""
SINGULAR = frozenset(("a", "an", "one", "this", "that"))
DEGREES = frozenset(
    (
        *("very", "so", "too", "quite", "rather", "really", "extremely", "slightly", "almost"),
        *("somewhat", "fairly", "pretty"),
        *("half", "partly", "mostly", "light", "dark", "bright", "deep", "pale"),
    )
)
"""What says how much of an attribute there is, and goes where the attribute goes."""
NEGATIONS = frozenset(
    (
        *("not", "without", "never", "neither", "nor", "except", "but", "nobody", "none"),
        *("nothing", "lack", "lacks", "lacking", "hardly", "rarely", "n't", "n\u2019t", "cannot"),
    )
)
"""Words that may be about one phrase or about all that follow: nothing changes places behind one
of them. "no" belongs to its phrase, as "a" does."""
OPENING = DETERMINERS | {"no", "my", "your", "our", "each", "every", "another", "any", "all"}
"""What a phrase may begin with."""
GOVERNING = frozenset(
    (
        *("least", "most", "than", "both", "either", "only", "just", "exactly", "about"),
        *("double", "twice"),
    )
)
"""Words whose meaning depends on what follows them first."""
SHOWING = frozenset(
    (
        *("photo", "picture", "image", "photograph", "drawing", "painting", "view", "shot"),
        *("close-up", "scene"),
    )
)
"""What an "of" may belong to, so that both things stand behind it: not "a box of red apples"."""
PLURALS = frozenset(("people", "men", "women", "children", "feet", "teeth", "mice", "geese"))
SAME = {"grey": "gray", "big": "large", "little": "small"}
"""Attributes that are another word for one."""


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
    def reworded(self) -> str | None:
        """The caption in other words; None where there are none that mean the same."""
        return self.behind if self.behind is not None else self.reversed

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
    whole: bool
    """Whether no word before it belongs to it too, such as "black and" before "white dogs"."""
    plain: bool
    """Whether its attribute has no degree, such as "dark" before "blue"."""


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
    one, two = next((pair for pair in pairs if _movable(tokens, *pair)), pairs[0])
    source = {one.attribute: two.attribute, two.attribute: one.attribute}
    swap = exchanged(caption, tokens, source)
    if same_words(swap) == same_words(caption):
        return None
    none: tuple[str | None, str | None] = (None, None)
    behind, turned = none, none
    if all(phrase.whole and phrase.plain for phrase in (one, two)):
        plain = {one.attribute: one.attribute, two.attribute: two.attribute}
        own, other = (_behind(caption, tokens, (one, two), taken) for taken in (plain, source))
        behind = own, other
    if _movable(tokens, one, two):
        own, other = (_reversed(caption, tokens, one, two, taken) for taken in ({}, source))
        turned = own, other
    swap = _as_in(caption, swap) or swap
    behind = _as_in(caption, behind[0]), _as_in(caption, behind[1])
    turned = _as_in(caption, turned[0]), _as_in(caption, turned[1])
    both = tuple(tokens[phrase.attribute].text.lower() for phrase in (one, two))
    nouns = tuple(tokens[phrase.last].text.lower() for phrase in (one, two))
    told = (both[0], both[1]), (nouns[0], nouns[1])
    return Worded(caption, swap, *behind, *turned, *told)


def _as_in(caption: str, text: str | None) -> str | None:
    """A text with capitals where a caption has them, if that has them everywhere."""
    if text is None or not (caption.isupper() or caption.istitle()):
        return text
    return text.upper() if caption.isupper() else text.title()


def _phrases(tokens: Sequence[Token]) -> list[_Phrase]:
    """Every attribute that stands right before a noun, with what belongs to it."""
    found = []
    for place in range(len(tokens) - 1):
        if tokens[place].part != "adjective" or tokens[place + 1].part != "noun":
            continue
        first, last = place, place + 1
        while last + 1 < len(tokens) and tokens[last + 1].part == "noun":
            last += 1
        while first and _describes(tokens, first - 1):
            first -= 1
        plain = first == place or _word(tokens, place - 1) not in DEGREES
        if _word(tokens, first - 1) in OPENING:
            first -= 1
        if not _owns(tokens, last):
            found.append(_Phrase(first, place, last, _whole(tokens, first), plain))
    return found


def _describes(tokens: Sequence[Token], place: int) -> bool:
    """Whether a word is an attribute or its degree."""
    return tokens[place].part == "adjective" or _word(tokens, place) in DEGREES


def _word(tokens: Sequence[Token], place: int) -> str:
    """A token in lower case; nothing where there is none."""
    return tokens[place].text.lower() if 0 <= place < len(tokens) else ""


def _owns(tokens: Sequence[Token], last: int) -> bool:
    """Whether a noun owns what follows, as in "the red cat's tail"."""
    return _word(tokens, last).endswith(OWNED) or _word(tokens, last + 1) in OWNED


def _whole(tokens: Sequence[Token], first: int) -> bool:
    """Whether a phrase begins where it seems to: what stands before it is not of the same noun."""
    before, earlier = (_word(tokens, first - back) for back in (1, 2))
    if not before:
        return True
    joins = before in ("and", "or", "&", ",")
    if any(
        (
            before in DEGREES or before in GOVERNING,  # half a red square; at least one red square
            before.endswith(OWNED),  # the cat's red ear
            before == "of" and earlier not in SHOWING,  # a box of red apples
            joins and earlier in DETERMINERS,  # one and a half red squares
            joins and first > 1 and tokens[first - 2].part == "adjective",  # black and white dogs
        )
    ):
        return False
    if _word(tokens, first) in OPENING:
        return True
    # a brick red wall; a spotted red wall, where "spotted" is not known to be an attribute
    return tokens[first - 1].part != "noun" and before not in OPENING and earlier not in OPENING


def _differ(tokens: Sequence[Token], one: _Phrase, two: _Phrase) -> bool:
    """Whether an exchange of the attributes changes what is said."""
    attributes = (_word(tokens, phrase.attribute) for phrase in (one, two))
    nouns = (_word(tokens, phrase.last) for phrase in (one, two))
    return len({SAME.get(word, word) for word in attributes}) == 2 and len(set(nouns)) == 2


def _movable(tokens: Sequence[Token], one: _Phrase, two: _Phrase) -> bool:
    """Whether the phrases can change places, and mean the same."""
    between = tuple(token.text.lower() for token in tokens[one.last + 1 : two.first])
    before = [token.text.lower() for token in tokens[: one.first]]
    denied = any(word in NEGATIONS or word.endswith(DENIED) for word in before)
    return between in BETWEEN and one.whole and two.whole and not denied


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
    several = noun in PLURALS or (noun.endswith("s") and not noun.endswith(("ss", "us")))
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
