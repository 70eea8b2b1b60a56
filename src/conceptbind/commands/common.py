"""What several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command, options, plain
from conceptbind.core.files import content_hash
from conceptbind.report.words import seen
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder, Modality
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.rows.source import Source
    from conceptbind.scenes.table import Scenes

MOST_LETTERS = 150
"""Longest name of a run folder that nobody chose; what is longer ends in a hash."""


HASH = re.compile(r"\b[0-9a-f]{64}\b")
"""A whole hash, of which sixteen digits are enough to tell folders apart."""


def drawn(table: Scenes, modalities: Sequence[str], folder: Path, seed: int) -> Scenes:
    """The table with pictures, drawn where it has none of its own."""
    if table.drawing is None or table.images is not None or "image" not in modalities:
        return table
    from conceptbind.pictures.folder import draw_pictures

    with progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
        return draw_pictures(table, folder, seed=seed, on_picture=bar.update)


def try_captions(source: Encoder, table: Scenes) -> None:
    """Encode a few captions with an encoder: what is refused of them is an error now, not after
    minutes of drawing.
    """
    import warnings

    from conceptbind.core.errors import CutCaptionWarning
    from conceptbind.rows.embeddings import refuse_long_captions

    refuse_long_captions(source, table)
    with warnings.catch_warnings():
        # said, with their number, when all are embedded
        warnings.simplefilter("ignore", CutCaptionWarning)
        source.encode_texts(few_captions(table))


def few_captions(table: Scenes) -> list[str]:
    """Captions of at most 64 scenes, among which each of the first objects occurs."""
    import numpy as np

    _, first = np.unique(table.objects.ravel(), return_index=True)
    return [table.caption(int(row)) for row in np.unique(first // table.n_slots)[:64]]


def rows_with_bar(
    source: Source, table: Scenes, modality: Modality, folder: Path, what: str = ""
) -> Embeddings:
    """Embeddings of one modality, with a progress bar where they have to be computed."""
    with progress(
        total=len(table), desc=f"embedding {what or seen(modality)}", unit="scene"
    ) as bar:
        return source.rows_for(table, modality, folder, bar.update)


def default_folder(base: tuple[str, ...], asked: Command[Any], named: Sequence[str]) -> Path:
    """runs/BASE, with the options that are not the command's defaults, so that no second run falls
    into the folder of the first.

    Args:
        base: what the run is named after, such as its encoder and scenes.
        asked: the command.
        named: options that `base` holds, or that make no other run.
    """
    from conceptbind.run.folder import PLACE_OPTIONS

    names = (HASH.sub(lambda found: found[0][:16], part.rstrip("/")) for part in base)
    parts = [slug(name.split("/")[-1] if name.count("/") > 1 else name) for name in names]
    values = asked.configuration()
    for option in options(type(asked)):
        value = values[option.name]
        if option.name not in (*named, *PLACE_OPTIONS) and value != plain(option.default):
            parts.append(_as_part(option.name, value))
    whole = "-".join(parts)
    return Path("runs") / (
        whole
        if len(whole) <= MOST_LETTERS
        else f"{whole[:MOST_LETTERS]}-{content_hash(whole)[:16]}"
    )


def _as_part(name: str, value: object) -> str:
    """An option as a part of a folder's name."""
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    if isinstance(value, float):
        return f"{name}{value:g}"
    if isinstance(value, int):
        return f"{name}{value}"
    text = "-".join(map(str, value)) if isinstance(value, list) else str(value)
    short = slug(text)[:40]
    if short == text:
        return f"{name}-{short}"
    return f"{name}-{short}-{content_hash(text)[:8]}".replace("--", "-")


def slug(text: str) -> str:
    """A text with what a file name cannot hold replaced."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
