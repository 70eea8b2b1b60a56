"""Which orders of words mean the same: "a cat and a dog" is "a dog and a cat", "a big red ball" is
"a red big ball".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conceptbind.repairs.negatives.taggers import Token

_JOINERS = frozenset((",", "and", "&", "or"))
DETERMINERS = frozenset(
    (
        "a",
        "an",
        "the",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "some",
        "several",
        "many",
        "his",
        "her",
        "its",
        "their",
        "this",
        "that",
        "these",
        "those",
    )
)
"""Words that begin a phrase."""

Meaning = tuple[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...], ...]
"""The phrases of each list in a fixed order, each a determiner, adjectives in a fixed order,
and nouns as they stand."""


@dataclass
class _Phrase:
    determiner: str
    adjectives: list[int] = field(default_factory=list)
    nouns: list[int] = field(default_factory=list)


class Phrases:
    """The noun phrases of a caption, and which of them are joined by "and", "or" or a comma.

    Words only move to places of their own part of speech, so the phrases are the same for all
    permutations of a caption.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._lists: list[list[_Phrase]] = []
        between: list[str] = []  # the words that stay, since the last noun or adjective
        for place, token in enumerate(tokens):
            if token.part == "other":
                between.append(token.text.lower())
                continue
            phrase = self._lists[-1][-1] if self._lists else None
            if phrase is None or not _continues(phrase, token, between):
                phrase = self._begin(between)
            (phrase.nouns if token.part == "noun" else phrase.adjectives).append(place)
            between = []

    def _begin(self, between: list[str]) -> _Phrase:
        """A new phrase: in the list of the last one where only joiners stand between them, else in
        a list of its own.
        """
        determiner = between[-1] if between and between[-1] in DETERMINERS else ""
        joiners = between[:-1] if determiner else between
        phrase = _Phrase("a" if determiner == "an" else determiner)
        if self._lists and joiners and _JOINERS.issuperset(joiners):
            self._lists[-1].append(phrase)
        else:
            self._lists.append([phrase])
        return phrase

    def meaning(self, words: Mapping[int, str]) -> Meaning:
        """What a caption says, with a word for the place of every noun and adjective; equal for
        mere changes of order.
        """

        def said(phrase: _Phrase) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
            adjectives = sorted(words[place] for place in phrase.adjectives)
            nouns = (words[place] for place in phrase.nouns)
            return phrase.determiner, tuple(adjectives), tuple(nouns)

        return tuple(tuple(sorted(map(said, joined))) for joined in self._lists)


def _continues(phrase: _Phrase, token: Token, between: list[str]) -> bool:
    """Nouns follow directly; adjectives may be listed ("black and white") as long as no noun has
    come.
    """
    if token.part == "noun":
        return not between
    return not phrase.nouns and _JOINERS.issuperset(between)
