"""From what a user names to rows: which encoder, which scenes, which modalities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.errors import ModalityError, UnknownNameError, ValueRangeError, nearest
from conceptbind.encoders.factory import checked
from conceptbind.encoders.registry import Opening, torch_device
from conceptbind.pictures.files import require_pictures
from conceptbind.rows.arrays import FileEmbeddings
from conceptbind.rows.embeddings import (
    Embeddings,
    embed,
    from_file,
    open_source,
    require_modality,
    store,
)
from conceptbind.scenes.named import load_scenes
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder, LongCaptions, Modalities, Modality, Precision


def open_inputs(
    encoder: str | Encoder, scenes: str | Scenes, template: str | None, how: Opening
) -> tuple[Encoder | FileEmbeddings | Embeddings, Scenes]:
    """The encoder and the scene table that a command was given, by name or as objects."""
    table = load_scenes(scenes, template) if isinstance(scenes, str) else scenes
    if template is not None and table.written_captions is not None:
        raise ValueRangeError(
            f"the scenes '{table.name}' have captions of their own (column 'caption'), so "
            "--template has no effect; leave out one of them"
        )
    if template is not None and table.template != template:
        table = replace(table, template=template)
    torch_device(how.device)
    table.caption(0)  # a wrong template is an error now, not after minutes
    if isinstance(encoder, str):
        return open_source(encoder, how, table), table
    return checked(encoder, repr(encoder)), table


def resolve(
    name: str,
    precision: Precision = "float32",
    device: str = "auto",
    *,
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> Encoder | FileEmbeddings | Embeddings:
    """What a string names: an encoder (see `conceptbind.encoders.resolve`), or with `file:PATH` the
    rows of an array or of a folder written by `embed`.

    Args:
        name: `tiny`, `hf:ORG/NAME`, `file:rows.npy`, ...
        precision: see `conceptbind.encoders.resolve`, as are the rest; of no effect on `file:`.
        device: `cpu`, `cuda`, ..., or `auto`.
        long_captions: what becomes of captions that are longer than the model reads.
        trust_remote_code: run Python code that a model brings.

    Raises:
        UnknownNameError: no such encoder or scheme; names the nearest ones.
        MissingExtraError: its package is not installed.
        FileError: it cannot be loaded.
    """
    how = Opening(precision, torch_device(device), long_captions, trust_remote_code)
    return open_source(name, how)


def choose_modalities(
    source: Encoder | FileEmbeddings | Embeddings, table: Scenes, modality: Modalities
) -> tuple[Modality, ...]:
    """The modalities to study, given what was asked for."""
    if modality not in ("auto", "text", "image", "both"):
        raise UnknownNameError(
            f"unknown modality '{modality}'; {nearest(modality, ('auto', 'text', 'image', 'both'))}"
        )
    if isinstance(source, Embeddings):
        if modality not in ("auto", source.modality):
            raise ModalityError(f"the folder holds {source.modality} embeddings, not {modality}")
        return (source.modality,)
    if isinstance(source, FileEmbeddings) and not source.modalities:
        if modality in ("text", "image"):
            return (modality,)
        raise ModalityError(
            f"{source.id} does not say whether it holds text or image embeddings; add --modality "
            "text or --modality image"
        )
    if modality == "auto":
        pictures = (
            isinstance(source, FileEmbeddings)
            or table.images is not None
            or table.drawing is not None
        )
        able = tuple(part for part in source.modalities if part == "text" or pictures)
        if not able:
            require_modality(source, table, source.modalities[0])
        return able
    asked: tuple[Modality, ...] = ("text", "image") if modality == "both" else (modality,)
    for part in asked:
        if isinstance(source, FileEmbeddings):
            if part not in source.modalities:
                raise ModalityError(
                    f"{source.id} holds {' and '.join(source.modalities)} embeddings, not {part}"
                )
        elif part == "text" or table.drawing is None:
            require_modality(source, table, part)
        elif part not in source.modalities:
            raise ModalityError(
                f"'{source.id}' encodes {' and '.join(source.modalities)}, not {part}"
            )
    return asked


def check_rows(
    source: Encoder | FileEmbeddings | Embeddings, table: Scenes, modality: Modality
) -> None:
    """Find a mismatch of rows and scenes, or a missing picture, before anything is written."""
    if isinstance(source, FileEmbeddings):
        source = from_file(source, table, modality)
    if isinstance(source, Embeddings):
        source.check(table)
        source.unit()
    elif modality == "image" and table.images is not None:
        folder = table.image_folder or Path()
        require_pictures([folder / image for image in table.images], table.image_places)


def rows_of(
    source: Encoder | FileEmbeddings | Embeddings,
    table: Scenes,
    modality: Modality,
    folder: Path,
    on_rows: Callable[[int], None],
) -> Embeddings:
    """The embeddings of a table: those that were given, or new ones in `folder`."""
    if isinstance(source, Embeddings | FileEmbeddings):
        if isinstance(source, FileEmbeddings):
            source = from_file(source, table, modality)
        source.check(table)
        store(source, folder)
        on_rows(len(table))
        return source
    return embed(source, table, modality, folder, on_rows=on_rows)


def untrained(source: Encoder | FileEmbeddings | Embeddings) -> Encoder | None:
    """The same architecture with random weights, where the encoder offers it."""
    make = getattr(source, "untrained", None)
    twin: Encoder | None = make() if callable(make) else None
    return twin


def bag_twin(source: Encoder | FileEmbeddings | Embeddings, device: str) -> Encoder | None:
    """The shipped model that was trained like `tiny` without any use for binding; for the shipped
    models only.
    """
    from conceptbind.encoders.registry import SHIPPED, resolve

    if getattr(source, "id", "") not in SHIPPED or source.id == "tiny-bag":  # type: ignore[union-attr]
        return None
    return resolve("tiny-bag", device=device)  # type: ignore[return-value]
