"""Captions of scenes: "a red circle and an orange square".

A template says how one object is named. Fields are `{a}` (a or an, whichever the next word takes),
`{object}` (all its values) and the concepts by name. Text around a pair of square brackets stands
once, the bracket is repeated for every object: "a photo of [{a} {object}]".
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import TYPE_CHECKING

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import UnknownNameError, ValueRangeError, quoted

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.scenes.space import ConceptSpace

DEFAULT_TEMPLATE = "{a} {object}"

_VOWEL_SOUND = re.compile(
    r"\W*(?:hour|honest|honou?r|heir|8|1[18](?!\d)"
    r"|(?!one\b|once|uni(?!n|m|ll|d(?!ir))|us[aeu]|eu|ewe|uk|ufo|ut[eio]|ubi|ur[ai])[aeiou])"
)
"""Spelling that sounds like a vowel: not "a one-eyed ...", "a unicorn", "a used ...", but "an
hour", "an uninvited ...", "an 8-sided ..."."""


def article(word: str) -> str:
    """The indefinite article before a word, by sound: an hour, a unicorn, an orange."""
    return "an" if _VOWEL_SOUND.match(word.lower()) else "a"


@lru_cache(maxsize=1 << 16)
def describe(space: ConceptSpace, values: tuple[int, ...], template: str = DEFAULT_TEMPLATE) -> str:
    """One object, given by its C value ids, in words.

    Raises:
        UnknownNameError: the template has a field that is neither `a`, `object` nor a concept.
        ValueRangeError: the template's braces do not match, or it names no field.
    """
    fields = {
        concept: space.values[k][v]
        for k, (concept, v) in enumerate(zip(space.concepts, values, strict=True))
    }
    fields["object"] = " ".join(fields.values())
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueRangeError(
            f"the caption template {quoted(template)} cannot be read: {error}; "
            f"write fields as {{color}}"
        ) from error
    if any(specification or conversion for _, _, specification, conversion in parsed):
        raise ValueRangeError(
            f"the caption template {quoted(template)} formats a field; write plain fields such as "
            f"{{color}}"
        )
    if not any(name not in (None, "a") for _, name, _, _ in parsed):
        raise ValueRangeError(
            f"the caption template {quoted(template)} names no field, so all captions would "
            f"be the same; use {{object}}"
        )
    pieces = [(literal, name) for literal, name, _, _ in parsed]
    text = ""
    # from the end, so that an article sees the word that follows it
    for literal, name in reversed(pieces):
        if name == "a":
            text = literal + article(text.lstrip()) + text
        elif name is None:
            text = literal + text
        elif name in fields:
            text = literal + fields[name] + text
        else:
            known = ", ".join(f"{{{field}}}" for field in ("a", "object", *space.concepts))
            raise UnknownNameError(
                f"the caption template {quoted(template)} has the unknown field '{{{name}}}'; "
                f"known: {known}"
            )
    return text


@explains_arguments
def caption(
    space: ConceptSpace, objects: Int[Ints, "slots concepts"], template: str = DEFAULT_TEMPLATE
) -> str:
    """A scene (m, C) in words, its objects in slot order: "x", "x and y", "x, y and z".

    Args:
        space: the concepts and their values.
        objects: (m, C) value ids.
        template: how an object is named; see the how-to page of scenes.
    """
    before, inner, after = parts_of_template(template)
    phrases = [describe(space, tuple(values), inner) for values in objects.tolist()]
    return (
        before
        + (phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}")
        + after
    )


def parts_of_template(template: str) -> tuple[str, str, str]:
    """Text before the bracket, inside it, after it; a template without brackets is all inside.

    Args:
        template: how an object is named, perhaps with a frame around it.

    Raises:
        ValueRangeError: its brackets do not match.
    """
    if "[" not in template and "]" not in template:
        return "", template, ""
    match = re.fullmatch(r"([^\[\]]*)\[([^\[\]]+)\]([^\[\]]*)", template)
    if match is None:
        raise ValueRangeError(
            f"the caption template {quoted(template)} needs exactly one [...] around what is "
            "repeated for each object"
        )
    return match[1], match[2], match[3]
