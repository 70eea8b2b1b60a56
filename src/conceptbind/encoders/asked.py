"""Options inside an encoder's name: `NAME?key=value&key=value`. They decide rows, so they are part
of what a run is called.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import unquote

from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest


def split_name(name: str, known: Collection[str], scheme: str) -> tuple[str, dict[str, str]]:
    """What is named, and its options. A folder whose own name holds a question mark has none.

    Values may be written as in addresses (`%20` is a space, `%26` is &). No message shows a value:
    it may be a key that was put in the wrong place.

    Args:
        name: what stands after the scheme.
        known: names of options.
        scheme: of the encoder, for messages.

    Raises:
        UnknownNameError: there is no such option; names the nearest.
        ValueRangeError: an option has no value, or stands there twice.
    """
    if Path(name).expanduser().is_dir():
        return name, {}
    place, _, said = name.partition("?")
    options: dict[str, str] = {}
    for part in said.split("&") if said else []:
        key, equals, value = part.partition("=")
        if key not in known:
            raise UnknownNameError(
                f"'{scheme}:' has no option '{cut(key, 30)}' in its name; {nearest(key, known)}"
            )
        if not equals or not value or key in options:
            raise ValueRangeError(
                f"the option '{key}' of '{scheme}:{cut(place)}' must be there once and have a "
                f"value, as in ?{key}=VALUE"
            )
        options[key] = unquote(value)
    return place, options


def whole_number(options: dict[str, str], key: str, otherwise: int) -> int:
    """An option that is a whole number of at least 1.

    Raises:
        ValueRangeError: it is none.
    """
    said = options.get(key)
    if said is None:
        return otherwise
    if re.fullmatch(r"[1-9][0-9]{0,8}", said) is None:
        raise ValueRangeError(f"the option '{key}' must be a whole number of at least 1")
    return int(said)


def chosen_prompt(asked: Mapping[str, str], prompts: Mapping[str, str], name: str) -> str:
    """The text that the user wants before every caption; empty where none is asked for.

    Args:
        asked: `prompt`, the text itself, or `prompt_name`, one of the model's.
        prompts: of the model, by name; one of them may be empty, which asks for none.
        name: of the encoder, for messages.

    Raises:
        UnknownNameError: the model has no such prompt.
        ValueRangeError: two are asked for.
    """
    if len(asked) > 1:
        raise ValueRangeError(f"'{cut(name)}' may have prompt or prompt_name, not both")
    chosen = asked.get("prompt_name")
    if chosen is None:
        return asked.get("prompt", "")
    if prompts.get(chosen) is None:
        known = [key for key, text in prompts.items() if text is not None]
        has = nearest(chosen, known) if known else "it has none; write it as ?prompt=TEXT"
        raise UnknownNameError(f"'{cut(name)}' has no prompt '{cut(chosen)}'; {has}")
    return str(prompts[chosen])
