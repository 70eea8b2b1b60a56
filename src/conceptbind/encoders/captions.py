"""Captions that are longer than a model reads: counted, said, and cut or refused as the user
asks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from conceptbind.core.errors import CutCaptionWarning, ValueRangeError, quoted
from conceptbind.core.typing import LongCaptions

SPECIAL = 8
"""More special tokens than any tokenizer puts around a caption."""


def too_long(
    texts: Sequence[str], longest: int | None, count: Callable[[list[str]], Sequence[int]]
) -> list[int]:
    """Positions of the captions with more than `longest` tokens.

    Args:
        texts: captions.
        longest: tokens that the model reads; None where there is no limit.
        count: tokens of each of some captions. A caption of ASCII letters has at most one token a
            letter, so that most need no counting.
    """
    if longest is None:
        return []
    candidates = [
        i for i, text in enumerate(texts) if len(text) + SPECIAL > longest or not text.isascii()
    ]
    lengths = count([texts[i] for i in candidates]) if candidates else []
    return [i for i, length in zip(candidates, lengths, strict=True) if length > longest]


def settle(
    texts: Sequence[str], long: Sequence[int], longest: int | None, name: str, how: LongCaptions
) -> None:
    """Refuse captions that are too long (positions `long` of `texts`), or warn that their ends are
    cut off.

    Raises:
        ValueRangeError: they are to be refused; shows the first.
    """
    if not long:
        return
    if how == "refuse":
        raise refusal(texts[long[0]], len(long), len(texts), longest, name)
    warnings.warn(
        f"{len(long):,} of {len(texts):,} captions are longer than the {longest} "
        "tokens that "
        f"'{name}' reads; their ends are cut off "
        "(--long-captions refuse stops instead)",
        CutCaptionWarning,
        stacklevel=3,
    )


def known_words(tokenizer: Any, texts: Sequence[str]) -> list[bool]:
    """Whether a tokenizer of transformers has a token for every part of each text. Those of bytes
    have one for everything.

    Args:
        tokenizer: of transformers.
        texts: n captions, as the model reads them.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    ends = ("bos", "eos", "pad", "cls", "sep", "mask")
    if unknown is None or unknown in [getattr(tokenizer, f"{end}_token_id", None) for end in ends]:
        return [True] * len(texts)  # CLIP names one of its marks so
    found = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return [unknown not in ids for ids in found]


def refusal(first: str, n: int, total: int, longest: int | None, name: str) -> ValueRangeError:
    """The error for captions that are too long."""
    return ValueRangeError(
        f"{n:,} of {total:,} captions are longer than the {longest} tokens that "
        f"'{name}' reads, "
        f"the first is {quoted(first, 120)}; shorten them, or let their ends be cut off with "
        "--long-captions truncate"
    )
