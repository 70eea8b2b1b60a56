"""Ways to say that an object is absent, each beside the same words with the object present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from conceptbind.scenes.captions import article

Form = Literal["clause", "alone"]
CLAUSE: Form = "clause"
ALONE: Form = "alone"
EXCHANGED = "exchanged"
FORMS = (CLAUSE, ALONE, EXCHANGED)
"""Clause: "a red square and no circle". Alone: "no circle". Exchanged: "a triangle and no circle"
beside "a circle and no triangle", where the same words stand and "no" belongs to another."""


@dataclass(frozen=True)
class Negation:
    """One way to say that something is absent, and its twin that says that it is there."""

    name: str
    """What it is called in results."""
    form: Form
    negated: str
    """Text with the fields {base} (the rest of the scene), {bare} (circle), {the} (a circle)."""
    affirmative: str

    def texts(self, base: str, noun: str) -> tuple[str, str]:
        """The negated caption and its affirmative twin.

        Args:
            base: what is said of the rest of the scene; not used where the object stands alone.
            noun: the word of the object.
        """
        fields = {"base": base, "bare": noun, "the": f"{article(noun)} {noun}"}
        return self.negated.format(**fields), self.affirmative.format(**fields)


WORDINGS = (
    Negation("no", CLAUSE, "{base} and no {bare}", "{base} and {the}"),
    Negation("no, first", CLAUSE, "no {bare} and {base}", "{the} and {base}"),
    Negation("without", CLAUSE, "{base} without {the}", "{base} with {the}"),
    Negation("not", CLAUSE, "{base} and not {the}", "{base} and {the}"),
    Negation(
        "there is no",
        CLAUSE,
        "there is {base} and there is no {bare}",
        "there is {base} and there is {the}",
    ),
    Negation("no", ALONE, "no {bare}", "{the}"),
    Negation("without", ALONE, "a picture without {the}", "a picture with {the}"),
    Negation("not", ALONE, "not {the}", "{the}"),
    Negation("there is no", ALONE, "there is no {bare}", "there is {the}"),
)
"""Clauses name the rest of the scene, too. In "no, first" the negated object is named first."""
NAMES = tuple(dict.fromkeys(wording.name for wording in WORDINGS))


def read_wordings(
    reads: Callable[[str], bool], base: str, noun: str
) -> tuple[tuple[Negation, ...], tuple[str, ...]]:
    """The wordings that an encoder reads, and those that it does not.

    Args:
        reads: whether an encoder knows the words of a caption, and does not cut it.
        base: the longest rest of a scene, for example.
        noun: the word of an object.

    Returns:
        Wordings whose both texts are read, and the names of those with a text that is not, in any
        form.
    """
    known = tuple(one for one in WORDINGS if all(map(reads, one.texts(base, noun))))
    left_out = (one.name for one in WORDINGS if one not in known)
    return known, tuple(dict.fromkeys(left_out))


def lacks_no(reads: Callable[[str], bool], base: str, noun: str) -> bool:
    """Whether it is the word "no" that is not known: the twin without it is read.

    Args:
        reads: whether an encoder knows the words of a caption.
        base: the rest of a scene.
        noun: the word of an object.
    """
    negated, affirmative = WORDINGS[0].texts(base, noun)
    return reads(affirmative) and not reads(negated)
