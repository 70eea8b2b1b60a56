"""How long sentences of users' texts are."""

from __future__ import annotations

import re
from typing import Any

LONGEST = 30
"""Words of the longest sentence, without what stands in parentheses."""


def too_long(text: str, ends: str = ".!?:") -> list[str]:
    """Sentences (what ends in a full stop or a colon) of too many words.

    Args:
        text: of a user.
        ends: marks that end a sentence.
    """
    text = re.sub(r"```.*?```|^@\w+\{.*", "", text, flags=re.S)  # code, and BibTeX
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\([^()]*\)", "", text)
    paragraphs = re.split(r"\n\s*\n|\n\s+(?=\w+: )|\n\s*(?=[-|*] )", text)
    parts = [
        part
        for paragraph in paragraphs
        for part in re.split(rf"(?<=[{ends}])\s+", " ".join(paragraph.split()))
    ]
    return [part for part in parts if len(re.findall(r"\S*[\w}]\S*", part)) > LONGEST]


def watch_verdicts() -> None:
    """From now on every verdict that a test makes must be told in short sentences: so the tests of
    each branch of each verdict test its words too.
    """
    from conceptbind.core.findings import Verdict

    made = Verdict.__init__

    def checked(self: Verdict, *given: Any, **named: Any) -> None:
        made(self, *given, **named)
        wrong = too_long(self.sentence, ".!?")
        assert not wrong, f"a sentence of more than {LONGEST} words: {wrong[0]}"

    Verdict.__init__ = checked  # type: ignore[method-assign]
