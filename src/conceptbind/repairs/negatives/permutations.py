"""Hard negatives of free text: nouns change places with nouns, adjectives with adjectives (arXiv
2502.03566, section 5).

Departures from the published code, each of which would let a model tell the negative without
looking at the picture, or would make it no negative: a permutation that changes nothing is never
taken. Nor is one that only turns "a cat and a dog" into "a dog and a cat", or one that is another
caption of the same picture. "a" and "an" follow the moved word. Capitals stay at the start.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from math import factorial
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.errors import MismatchError, ShapeError, ValueRangeError, counted, quoted
from conceptbind.core.files import content_hash
from conceptbind.repairs.negatives.phrases import Phrases
from conceptbind.scenes.captions import article

if TYPE_CHECKING:
    from conceptbind.repairs.negatives.taggers import Tagger, Token

Articles = Literal["fix", "keep"]
Reorderings = Literal["drop", "keep"]

TOO_FEW = "fewer than two distinct nouns and fewer than two distinct adjectives"
SAME_MEANING = "every permutation only reorders what is said"
ALL_TAKEN = "every permutation is a caption of the same picture"

_ENUMERATED = 720
"""Up to so many permutations are listed; of more, some are drawn."""
_DRAWS = 1000
"""Fruitless draws after which a caption has no negative; of so many words, hardly any permutation
is forbidden but in a mere list."""

_ARTICLE = re.compile(r"(?<![\w'’.-])(an?)(?=\s+[\"'“‘(]?$)", re.IGNORECASE)


@dataclass(frozen=True)
class Permutation:
    """A caption whose nouns and adjectives have changed places."""

    text: str
    """The new caption; spaces and marks are those of the old one."""
    nouns: tuple[int, ...]
    """The place of the i-th noun is taken by the old caption's noun number `nouns[i]`."""
    adjectives: tuple[int, ...]
    """The same for adjectives."""


@dataclass(frozen=True)
class Negatives:
    """One hard negative a caption, as far as captions have one."""

    texts: tuple[str | None, ...]
    """Negatives in the order of the captions; None where there is none."""
    skipped: Mapping[str, int]
    """Captions without one, by reason."""
    tagger: str
    tagger_version: str
    seed: int
    reasons: tuple[str | None, ...] = ()
    """Why each caption has no negative, in order; None where it has one."""

    @property
    def rows(self) -> tuple[int, ...]:
        """The captions that have a negative."""
        return tuple(row for row, text in enumerate(self.texts) if text is not None)

    @property
    def skipped_share(self) -> float:
        """The share of captions without one; 0 of no captions."""
        return 1 - len(self.rows) / len(self.texts) if self.texts else 0.0


def hard_negatives(
    captions: Sequence[str],
    *,
    tagger: Tagger,
    seed: int = 0,
    groups: Sequence[int] | None = None,
    articles: Articles = "fix",
    reorderings: Reorderings = "drop",
    on_captions: Callable[[int], None] = lambda _: None,
) -> Negatives:
    """One negative for every caption that has one.

    A caption's negative depends on the caption, the seed, the tagger and the options only: not on
    its place, nor on the other captions, save where another caption of the same picture is in the
    way.

    Args:
        captions: n captions.
        tagger: what finds nouns and adjectives (see `load_tagger`).
        seed: of the draws.
        groups: (n,) number of the picture that each caption belongs to. No caption of a picture is
            the negative of another.
        articles: `fix` writes "an" or "a" as the moved word wants it; `keep` leaves it, as the
            published code does.
        reorderings: `drop` takes no permutation that means the same in another order; `keep` takes
            it, as the published code does.
        on_captions: called with the number of captions done since the last call.

    Raises:
        ShapeError: the numbers of captions and of groups differ.
        ValueRangeError: the seed is negative.
        MismatchError: the tagger's tokens do not lie in the captions.
    """
    if groups is not None and len(groups) != len(captions):
        raise ShapeError(
            f"expected one picture number for each of {len(captions):,} captions; got {len(groups)}"
        )
    if seed < 0:
        raise ValueRangeError(f"the seed must be 0 or more; got {seed}")
    pictures: dict[int, list[str]] = {}
    for group, caption in zip(
        groups if groups is not None else (), captions, strict=groups is not None
    ):
        pictures.setdefault(int(group), []).append(caption)
    texts: list[str | None] = []
    reasons: list[str | None] = []
    for row, (caption, tokens) in enumerate(_tagged(captions, tagger)):
        others = pictures[int(groups[row])] if groups is not None else ()
        found = permute(
            caption,
            tokens,
            _generator(caption, seed),
            avoid=others,
            articles=articles,
            reorderings=reorderings,
        )
        reason = None
        if found is None:
            free = others and permute(
                caption,
                tokens,
                _generator(caption, seed),
                articles=articles,
                reorderings=reorderings,
            )
            reason = ALL_TAKEN if free else _unchangeable(tokens)
        reasons.append(reason)
        texts.append(None if found is None else found.text)
        on_captions(1)
    skipped = Counter(reason for reason in reasons if reason)
    return Negatives(tuple(texts), dict(skipped), tagger.name, tagger.version, seed, tuple(reasons))


def permute(
    caption: str,
    tokens: Sequence[Token],
    rng: np.random.Generator,
    *,
    avoid: Collection[str] = (),
    articles: Articles = "fix",
    reorderings: Reorderings = "drop",
) -> Permutation | None:
    """Move the nouns of a caption among themselves, and its adjectives; every permitted result is
    equally likely.

    Args:
        caption: the caption.
        tokens: its tokens, in order (see `Tagger`).
        rng: what draws.
        avoid: captions that the result must not equal, besides the caption itself; case, spaces and
            marks do not count.
        articles: `fix` or `keep` "a" and "an" before moved words.
        reorderings: `drop` or `keep` permutations that mean the same in another order.

    Returns:
        None if there is no such permutation.

    Raises:
        ValueRangeError: an option is none of those named.
        MismatchError: the tokens do not lie in the caption, in order.
    """
    for option, value, known in (
        ("articles", articles, ("fix", "keep")),
        ("reorderings", reorderings, ("drop", "keep")),
    ):
        if value not in known:
            raise ValueRangeError(f"{option} must be {' or '.join(known)}; got {quoted(value)}")
    _require_tokens_of(caption, tokens)
    if not _can_change(tokens):
        return None
    nouns, adjectives = _places(tokens, "noun"), _places(tokens, "adjective")
    taken = {same_words(text) for text in (caption, *avoid)}
    words = {place: tokens[place].text.lower() for place in (*nouns, *adjectives)}
    phrases = Phrases(tokens)
    meaning = phrases.meaning(words)
    for noun_order, adjective_order in _orders(
        [words[i] for i in nouns], [words[i] for i in adjectives], rng
    ):
        source = {place: nouns[i] for place, i in zip(nouns, noun_order, strict=True)}
        source |= {
            place: adjectives[i] for place, i in zip(adjectives, adjective_order, strict=True)
        }
        if (
            reorderings == "drop"
            and phrases.meaning({place: words[old] for place, old in source.items()}) == meaning
        ):
            continue
        text = _write(caption, tokens, source, articles)
        if same_words(text) not in taken:
            return Permutation(text, noun_order, adjective_order)
    return None


def exchanged(caption: str, tokens: Sequence[Token], source: Mapping[int, int]) -> str:
    """A caption with some words at the places of others; articles follow, capitals stay.

    Args:
        caption: the caption.
        tokens: its tokens, in order (see `Tagger`).
        source: to each place, the place of the word that comes there.

    Raises:
        MismatchError: the tokens do not lie in the caption, in order.
    """
    _require_tokens_of(caption, tokens)
    return _write(caption, tokens, source, "fix")


def same_words(text: str) -> str:
    """What two texts share that differ in case, spaces and marks only."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _tagged(captions: Sequence[str], tagger: Tagger) -> Iterator[tuple[str, list[Token]]]:
    tags = iter(tagger.tag(captions))
    for row, caption in enumerate(captions):
        tokens = next(tags, None)
        if tokens is None:
            raise MismatchError(
                f"the tagger '{tagger.name}' gave the tokens of {counted(row, 'caption')}; "
                "expected those of "
                f"{len(captions)}"
            )
        yield caption, tokens


def _generator(caption: str, seed: int) -> np.random.Generator:
    """One generator a caption, so that no caption's draw depends on how many came before."""
    return np.random.default_rng([seed, int(content_hash(caption)[:32], 16)])


def _places(tokens: Sequence[Token], part: str) -> list[int]:
    return [place for place, token in enumerate(tokens) if token.part == part]


def _unchangeable(tokens: Sequence[Token]) -> str:
    """Why no words of a caption can be moved."""
    return SAME_MEANING if _can_change(tokens) else TOO_FEW


def _can_change(tokens: Sequence[Token]) -> bool:
    return any(len(_words(tokens, part)) > 1 for part in ("noun", "adjective"))


def _words(tokens: Sequence[Token], part: str) -> set[str]:
    return {token.text.lower() for token in tokens if token.part == part}


def _require_tokens_of(caption: str, tokens: Sequence[Token]) -> None:
    end = 0
    for token in tokens:
        if not end <= token.start < token.end or caption[token.start : token.end] != token.text:
            raise MismatchError(
                f"the token {token.text!r} ({token.start} to {token.end}) is not at its place in "
                f"the caption {quoted(caption)}; a tagger must give offsets into the caption "
                "as it was given, in order"
            )
        end = token.end


def _orders(
    nouns: Sequence[str], adjectives: Sequence[str], rng: np.random.Generator
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Orders of nouns and adjectives, each arrangement of the words equally likely to come first.

    An arrangement in which words repeat comes from as many permutations as any other, so drawing
    permutations is fair too.
    """
    n, a = len(nouns), len(adjectives)
    if factorial(n) * factorial(a) <= _ENUMERATED:
        distinct: dict[tuple[str, ...], tuple[tuple[int, ...], tuple[int, ...]]] = {}
        for p, q in product(permutations(range(n)), permutations(range(a))):
            distinct.setdefault((*(nouns[i] for i in p), *(adjectives[i] for i in q)), (p, q))
        listed = list(distinct.values())
        yield from (listed[k] for k in rng.permutation(len(listed)))
    else:
        for _ in range(_DRAWS):
            yield tuple(rng.permutation(n).tolist()), tuple(rng.permutation(a).tolist())


def _write(
    caption: str, tokens: Sequence[Token], source: Mapping[int, int], articles: Articles
) -> str:
    """The caption with the word of place `source[place]` at every place; all between stays, except
    articles.
    """
    pieces, end = [], 0
    for place in sorted(source):
        old, new = tokens[place], tokens[source[place]]
        between, word = caption[end : old.start], old.text
        if new.text.lower() != old.text.lower():
            word = _capital(caption, old, new)
            if articles == "fix":
                between = _fitting_article(between, word, capitals=caption.isupper())
        pieces += [between, word]
        end = old.end
    return "".join(pieces) + caption[end:]


def _capital(caption: str, old: Token, new: Token) -> str:
    """The moved word with the capital that its new place wants, and without the one its old place
    gave it.
    """
    word = new.text
    ordinary = word[1:].islower() or len(word) == 1  # neither TV nor iPad
    if ordinary and not new.proper and word[0].isupper() and _starts_sentence(caption, new):
        word = _one_letter(word[0].lower(), word[0]) + word[1:]
    if ordinary and old.text[0].isupper() and _starts_sentence(caption, old):
        word = _one_letter(word[0].upper(), word[0]) + word[1:]
    return word


def _one_letter(changed: str, letter: str) -> str:
    """The letter in its other case, save where that would spell the word otherwise, as SS for ß."""
    return changed if len(changed) == 1 else letter


def _starts_sentence(caption: str, token: Token) -> bool:
    end = token.start
    while end and not caption[end - 1].isalnum():
        end -= 1
    marks = caption[end : token.start]  # between the word before and this one
    return end == 0 or (
        any(mark in ".!?" for mark in marks) and any(mark.isspace() for mark in marks)
    )


def _fitting_article(between: str, word: str, *, capitals: bool) -> str:
    """The text before a word, its "a" or "an" at the end replaced by the one that the word wants,
    with its capital kept.
    """

    def fitting(old: re.Match[str]) -> str:
        new = article(word)
        if capitals:
            return new.upper()
        return new.capitalize() if old[0][0].isupper() else new

    return _ARTICLE.sub(fitting, between)
