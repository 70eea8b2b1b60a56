"""Which words of a typed caption are attributes and nouns, and the same caption in other words.

The words that scenes are made of are known here, so that a newcomer needs no tagger. A caption of
other words is read by a tagger where one is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from conceptbind.audits.phrases import Worded, worded
from conceptbind.core.errors import ConceptBindError
from conceptbind.pictures.vocabulary import APART, COLORS, FLAT_SHAPES, SOLID_SHAPES
from conceptbind.repairs.negatives.phrases import DETERMINERS
from conceptbind.repairs.negatives.taggers import QUANTITIES, Token, load_tagger
from conceptbind.scenes.builtin import ADJECTIVES, CLEVR_COLORS, NOUNS
from conceptbind.scenes.captions import article

if TYPE_CHECKING:
    from conceptbind.repairs.negatives.taggers import Part, Tagger

KNOWN = frozenset((*COLORS, *ADJECTIVES))
KNOWN |= frozenset(
    (
        "big",
        "little",
        "huge",
        "giant",
        "shiny",
        "metallic",
        "wooden",
        "striped",
        "dotted",
        "spotted",
    )
)
"""Attributes that need no tagger."""
THINGS = frozenset((*FLAT_SHAPES, *SOLID_SHAPES, *NOUNS, "object"))
"""Nouns that need none."""
SHAPES = frozenset((*FLAT_SHAPES, *SOLID_SHAPES))
"""Nouns that begin no other: "a red circle touches" is of a circle."""
NO_NOUNS = DETERMINERS | QUANTITIES
NO_NOUNS |= frozenset(
    (
        *("and", "or", "but", "not", "no", "of", "in", "on", "at", "with", "without", "next", "to"),
        *("beside", "near", "under", "over", "above", "below", "behind", "from", "by", "into"),
        *("than", "then", "is", "are", "was", "were", "has", "have", "which", "who", "there"),
    )
)
"""Words that name nothing, also behind an attribute."""
BEFORE = re.compile(r"\s*(there (is|are)|an? (picture|photo) of)\s+", re.IGNORECASE)
"""What may stand before a list of objects, once, and adds nothing to it."""
LIST = re.compile("D?AN(?:(?:,&?|&|W|[.])D?AN)*[.]?")
"""A list of objects, one letter for each word: determiner, attribute, noun, and what joins them."""
LETTERS = {"a": "D", "an": "D", "the": "D", "and": "&", "with": "W", ",": ",", ".": "."}
SHADES = frozenset(("lime", "navy", "maroon", "teal"))
"""Colours that some call by another name: navy is blue too."""
CLEAR = frozenset((*APART, *FLAT_SHAPES, *SOLID_SHAPES)) - SHADES
"""Words of which one excludes each other of its kind: what is red is not blue."""
FRAMES = (("there is", "there is {}"), ("a picture of", "a picture of {}"))
"""Wordings around a caption that only names things."""
JOINING = frozenset(("a", "an", "the", "and", ",", "with", "next", "to", "beside", "near"))
JOINING |= frozenset(("on", "in", "under", "over", "above", "below", "behind"))
"""What joins things, without saying that they do something."""


class WordList:
    """Words that scenes are made of, and what stands behind an attribute.

    In "a red shirt" the word behind "red" is taken for a noun, unless it is one that names nothing.
    """

    name = "words of scenes"
    version = "1"

    def tag(self, captions: Sequence[str]) -> Iterator[list[Token]]:
        """The tokens of each caption, in order."""
        return map(_tokens, captions)


def _tokens(caption: str) -> list[Token]:
    found: list[Token] = []
    for word in re.finditer(r"\w+(?:['’-]\w+)*|[^\w\s]", caption):
        low = word[0].lower()
        before = found[-1].part if found else "other"
        part: Part = "other"
        if low in KNOWN:
            part = "adjective"
        elif low in THINGS or (before == "adjective" and _may_name(low)):
            part = "noun"
        found.append(Token(word.start(), word.end(), word[0], part))
    return found


def _may_name(word: str) -> bool:
    """Whether a word that nobody knows may be a noun: not "and", and not "cat's"."""
    return word[0].isalpha() and word not in NO_NOUNS and not word.endswith(("'s", "’s"))


@cache
def _installed() -> Tagger | None:
    """The tagger that is installed; None where none is."""
    try:
        return load_tagger()
    except ConceptBindError:
        return None


def tagged(caption: str) -> tuple[list[Token], Worded | None]:
    """The tokens of a caption, and its swap where it has one.

    Args:
        caption: a text.
    """
    (tokens,) = WordList().tag([caption])
    found = worded(caption, tokens)
    open_nouns = _open_nouns(tokens)
    reworded = found is not None and found.reworded is not None
    if _all_known(tokens) or (reworded and not open_nouns):
        return tokens, found
    if (tagger := _installed()) is not None:
        (others,) = tagger.tag([caption])
        other = worded(caption, others)
        if other is not None and (found is None or open_nouns or other.reworded is not None):
            return others, other
    if found is not None and open_nouns:
        found = replace(found, behind=None, swap_behind=None, reversed=None, swap_reversed=None)
    return tokens, found


def _open_nouns(tokens: Sequence[Token]) -> bool:
    """Whether a word follows a guessed noun of which nobody knows whether it goes on naming it, as
    in "a red wine glass", or says what it does.
    """
    return any(
        one.part == "noun"
        and one.text.lower() not in SHAPES
        and two.part == "other"
        and _may_name(two.text.lower())
        for one, two in pairwise(tokens)
    )


def _all_known(tokens: Sequence[Token]) -> bool:
    """Whether every word is one of scenes, or names nothing, so that a tagger knows no better."""
    words = [token for token in tokens if token.text[0].isalpha()]
    return all(token.part != "other" or token.text.lower() in NO_NOUNS for token in words)


@dataclass(frozen=True)
class Phrase:
    """An attribute of a caption, and the noun that it stands before."""

    place: int
    """Number of the attribute's token."""
    attribute: str
    noun: str


def phrases_of(tokens: Sequence[Token]) -> tuple[Phrase, ...]:
    """Every attribute that stands right before a noun, in lower case.

    Args:
        tokens: of a caption.
    """
    pairs = enumerate(pairwise(tokens))
    return tuple(
        Phrase(place, one.text.lower(), two.text.lower())
        for place, (one, two) in pairs
        if one.part == "adjective" and two.part == "noun"
    )


def objects_said(caption: str) -> tuple[tuple[str, str], ...] | None:
    """The attribute and the noun of each object of a caption that lists objects, by the words of
    scenes. None where it says anything else: what it is true of is then not told here.

    Args:
        caption: a text.
    """
    (tokens,) = WordList().tag([BEFORE.sub("", caption, count=1)])
    parts = {"adjective": "A", "noun": "N"}
    letters = (parts.get(one.part) or LETTERS.get(one.text.lower(), "x") for one in tokens)
    if not LIST.fullmatch("".join(letters)):
        return None
    return tuple((same_colour(one.attribute), one.noun) for one in phrases_of(tokens))


def pairs_said(caption: str) -> frozenset[tuple[str, str]] | None:
    """The same, each once.

    Args:
        caption: a text.
    """
    said = objects_said(caption)
    return None if said is None else frozenset(said)


def drawn_pairs(caption: str) -> frozenset[tuple[str, str]] | None:
    """The colour and the shape of each object that a caption names. None where it says more, or
    names one twice: the objects alone do not tell whether that is true.

    Args:
        caption: a text.
    """
    said = objects_said(caption)
    if said is None or len(set(said)) < len(said):
        return None
    drawn = all(attribute in APART and noun in FLAT_SHAPES for attribute, noun in said)
    return frozenset(said) if drawn and "with" not in caption.lower().split() else None


def same_colour(name: str) -> str:
    """One name for a colour that has several: grey is gray. Other words stay as they are."""
    if name not in APART:
        return name
    return next(other for other, value in APART.items() if value == APART[name])


def replaced(caption: str, tokens: Sequence[Token], place: int, word: str) -> str:
    """A caption with another word in one place, whose article follows.

    Args:
        caption: a text.
        tokens: its tokens.
        place: number of the token that is replaced.
        word: what comes there.
    """
    old = tokens[place]

    def fitting(found: re.Match[str]) -> str:
        new = article(word)
        return (new.capitalize() if found[1][0].isupper() else new) + found[2]

    before = re.sub(r"\b(an?)(\s+)$", fitting, caption[: old.start], flags=re.IGNORECASE)
    return before + word + caption[old.end :]


@dataclass(frozen=True)
class Wording:
    """A caption and its swap, worded alike."""

    name: str
    caption: str
    swap: str


def _names_things(tokens: Sequence[Token]) -> bool:
    """Whether a caption is things and what joins them, so that "a picture of" fits before it."""
    if not tokens or tokens[0].text.lower() not in ("a", "an"):
        return False
    return all(one.part != "other" or one.text.lower() in JOINING for one in tokens)


def wordings_of(
    found: Worded, tokens: Sequence[Token], reads: Callable[[Sequence[str]], Sequence[bool]]
) -> tuple[Wording, ...]:
    """A caption with its swap as it was written, then in the other words that an encoder reads.

    Args:
        found: the caption and its swap.
        tokens: of the caption.
        reads: whether an encoder reads each of some texts.
    """
    pairs = [
        ("the other order", found.reversed, found.swap_reversed),
        ("the attribute last", found.behind, found.swap_behind),
    ]
    if _names_things(tokens) and not found.caption[0].isupper():
        pairs += [(n, f.format(found.caption), f.format(found.swap)) for n, f in FRAMES]
    others = [Wording(name, own, swap) for name, own, swap in pairs if own and swap]
    known = reads([text for one in others for text in (one.caption, one.swap)])
    both = zip(others, known[::2], known[1::2], strict=True)
    read = (one for one, own, swap in both if own and swap)
    return (Wording("as written", found.caption, found.swap), *read)


def alternatives(
    attribute: str, phrases: Sequence[Phrase], also_true: Sequence[str] = ()
) -> tuple[str, ...]:
    """Attributes that could stand in the place of one, and say something else: of a colour the
    other colours of the caption and of CLEVR, of another attribute the others of the caption that
    are no colours. What is small may be red too.

    Args:
        attribute: the one that is written.
        phrases: of the caption.
        also_true: attributes that would be true in its place.
    """
    is_colour = attribute in COLORS
    written = [one.attribute for one in phrases if (one.attribute in COLORS) == is_colour]
    words = (*written, *(CLEVR_COLORS if is_colour else ()))
    found = {same_colour(word): word for word in reversed(words)}
    for known in (attribute, *also_true):
        found.pop(same_colour(known), None)
    return tuple(reversed(found.values()))
