"""From what a user names to rows: which encoder, which scenes, which modalities."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ModalityError,
    UnknownNameError,
    ValueRangeError,
    cut_left,
    nearest,
    quoted,
)
from conceptbind.core.files import file_hash
from conceptbind.encoders.factory import checked
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import SHIPPED, open_encoder, torch_device
from conceptbind.pictures.files import require_pictures
from conceptbind.rows.arrays import FileEmbeddings, arrays_in_memory
from conceptbind.rows.embeddings import (
    DEFAULT,
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


class Source(ABC):
    """Where the rows of a scene table come from; whether they are computed or there already is its
    own business.
    """

    id: str
    """What was asked for."""
    revision: str
    """Which weights, or which file."""
    modalities: tuple[Modality, ...]
    """What it says that it holds or encodes; an array need not say."""
    encoder: Encoder | None = None
    """What encodes new captions and pictures; None where there are only rows."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {cut_left(self.id, 60)}>"

    @abstractmethod
    def able(self, table: Scenes, asked: Modalities) -> tuple[Modality, ...]:
        """The modalities to study of a table, given what is asked for.

        Raises:
            UnknownNameError: there is no such modality.
            ModalityError: it cannot be had.
        """

    @abstractmethod
    def check(self, table: Scenes, modality: Modality) -> None:
        """Find a mismatch of rows and scenes, or a missing picture, before anything is written."""

    @abstractmethod
    def rows_for(
        self,
        table: Scenes,
        modality: Modality,
        folder: Path,
        on_rows: Callable[[int], None] = lambda _: None,
        hash_of: Callable[[Path], str] = file_hash,
    ) -> Embeddings:
        """(n, d) raw rows of a table, kept in a folder.

        Args:
            table: n scenes.
            modality: `text` or `image`.
            folder: where the rows are kept.
            on_rows: called with the number of rows that are done.
            hash_of: gives the hash of a picture file.

        Raises:
            ConceptBindError: they cannot be made, or belong to other scenes.
        """

    def encodes(self, *modalities: Modality) -> bool:
        """Whether it encodes new scenes of all these modalities."""
        return self.encoder is not None and set(modalities) <= set(self.encoder.modalities)


class EncoderSource(Source):
    """Rows that an encoder makes."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder: Encoder = encoder
        self.id, self.revision = encoder.id, encoder.revision
        self.modalities = encoder.modalities

    def able(self, table: Scenes, asked: Modalities) -> tuple[Modality, ...]:  # noqa: D102
        wanted = _wanted(asked)
        if wanted is None:
            there = (table.images, table.drawing, table.stored)
            pictures = any(one is not None for one in there)
            found = tuple(part for part in self.modalities if part == "text" or pictures)
            if not found:
                require_modality(self.encoder, table, self.modalities[0])
            return found
        for part in wanted:
            if part == "text" or table.drawing is None:
                require_modality(self.encoder, table, part)
            elif part not in self.modalities:
                raise ModalityError(
                    f"'{self.id}' encodes {' and '.join(self.modalities)}, not {part}"
                )
        return wanted

    def check(self, table: Scenes, modality: Modality) -> None:  # noqa: D102
        if modality == "image" and table.images is not None:
            folder = table.image_folder or Path()
            require_pictures([folder / image for image in table.images], table.image_places)

    def rows_for(  # noqa: D102
        self,
        table: Scenes,
        modality: Modality,
        folder: Path,
        on_rows: Callable[[int], None] = lambda _: None,
        hash_of: Callable[[Path], str] = file_hash,
    ) -> Embeddings:
        return embed(self.encoder, table, modality, folder, on_rows=on_rows, hash_of=hash_of)


class ReadySource(Source):
    """Rows that are there already."""

    @abstractmethod
    def _of(self, table: Scenes, modality: Modality) -> Embeddings:
        """The rows of a table.

        Raises:
            MismatchError: they belong to other scenes.
        """

    def check(self, table: Scenes, modality: Modality) -> None:  # noqa: D102
        self._of(table, modality).unit()

    def rows_for(  # noqa: D102
        self,
        table: Scenes,
        modality: Modality,
        folder: Path,
        on_rows: Callable[[int], None] = lambda _: None,
        hash_of: Callable[[Path], str] = file_hash,
    ) -> Embeddings:
        rows = self._of(table, modality)
        store(rows, folder)
        on_rows(len(table))
        return rows


class ArraySource(ReadySource):
    """Rows of an array file, or of an array in memory."""

    def __init__(self, arrays: FileEmbeddings) -> None:
        self.arrays = arrays
        self.id, self.revision, self.modalities = arrays.id, arrays.revision, arrays.modalities
        self._rows: dict[tuple[str, Modality], Embeddings] = {}

    def able(self, table: Scenes, asked: Modalities) -> tuple[Modality, ...]:  # noqa: D102
        wanted = _wanted(asked)
        if not self.modalities:  # a single array can be either
            if wanted is None or len(wanted) > 1:
                raise ModalityError(
                    f"{self.id} does not say whether it holds caption or picture embeddings; add "
                    "--modality text or --modality image"
                )
            return wanted
        for part in wanted or ():
            if part not in self.modalities:
                raise ModalityError(
                    f"{self.id} holds {' and '.join(self.modalities)} embeddings, not {part}"
                )
        return wanted or self.modalities

    def _of(self, table: Scenes, modality: Modality) -> Embeddings:
        key = table.content_hash, modality
        if key not in self._rows:
            self._rows[key] = from_file(self.arrays, table, modality)
        return self._rows[key]


class KeptSource(ReadySource):
    """Rows that were embedded before: a folder written by `embed`, or `Embeddings` in memory."""

    def __init__(self, rows: Embeddings) -> None:
        self.rows = rows
        self.id, self.revision, self.modalities = rows.encoder, rows.revision, (rows.modality,)

    def able(self, table: Scenes, asked: Modalities) -> tuple[Modality, ...]:  # noqa: D102
        if _wanted(asked) not in (None, self.modalities):
            raise ModalityError(f"the folder holds {self.rows.modality} embeddings, not {asked}")
        return self.modalities

    def _of(self, table: Scenes, modality: Modality) -> Embeddings:
        self.rows.check(table)
        return self.rows


@explains_arguments
def source_of(what: Any, how: Opening = DEFAULT, table: Scenes | None = None) -> Source:
    """What a user gave as an encoder.

    Args:
        what: a name (`tiny`, `hf:ORG/NAME`, `file:rows.npy`), a path of an array or of a folder
            written by `embed`, an array, a data frame or a list of rows (one for each scene). Or a
            mapping of `text` and `image` to arrays, `Embeddings`, an encoder, or a `Source`.
        how: how an encoder is opened by its name.
        table: which the rows are to belong to, where that is known.

    Raises:
        ConceptBindError: there is no such encoder, or it cannot be opened.
    """
    if isinstance(what, Source):
        return what
    if isinstance(what, os.PathLike):
        what = f"file:{os.fspath(what)}"
    if isinstance(what, str):
        what = open_source(what, how, table)
    elif not hasattr(what, "modalities") and (
        hasattr(what, "__array__") or isinstance(what, Mapping | list)
    ):
        what = arrays_in_memory(what)
    if isinstance(what, FileEmbeddings):
        return ArraySource(what)
    if isinstance(what, Embeddings):
        return KeptSource(what)
    return EncoderSource(checked(what, quoted(what)))


def table_of(scenes: Any, template: str | None = None) -> Scenes:
    """What a user gave as scenes.

    Args:
        scenes: a name (see `load_scenes`), the path of a table, a data frame with the columns of
            such a table, or `Scenes`.
        template: how captions name an object; None for the table's own.

    Raises:
        ConceptBindError: there are no such scenes, or the template does not fit.
    """
    if template is not None and not isinstance(template, str):
        raise ValueRangeError(f"expected a caption template as a text; got {quoted(template)}")
    if isinstance(scenes, os.PathLike):
        scenes = os.fspath(scenes)
    framed = hasattr(scenes, "columns")
    table = load_scenes(scenes, template) if framed or isinstance(scenes, str) else scenes
    if not isinstance(table, Scenes):
        raise ValueRangeError(
            f"expected scenes as a name, the path of a table, a data frame or Scenes; got "
            f"{quoted(scenes)}"
        )
    if template is not None and table.written_captions is not None:
        raise ValueRangeError(
            f"the scenes '{table.name}' have captions of their own (column 'caption'), so "
            "--template has no effect; leave out one of them"
        )
    if template is not None and table.template != template:
        table = replace(table, template=template)
    table.caption(0)  # a wrong template is an error now, not after minutes
    return table


def open_inputs(
    encoder: Any, scenes: Any, template: str | None, how: Opening
) -> tuple[Source, Scenes]:
    """The source and the scene table that a command was given, by name or as objects; see
    `source_of` and `table_of`.
    """
    table = table_of(scenes, template)
    torch_device(how.device)
    return source_of(encoder, how, table), table


def _wanted(asked: Modalities) -> tuple[Modality, ...] | None:
    """The modalities that are asked for by name; None for all that there are."""
    known = ("auto", "text", "image", "both")
    if not isinstance(asked, str) or asked not in known:
        raise UnknownNameError(f"unknown modality {quoted(asked)}; {nearest(asked, known)}")
    if asked == "auto":
        return None
    return ("text", "image") if asked == "both" else (asked,)


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
    how = Opening(
        precision=precision,
        device=torch_device(device),
        long_captions=long_captions,
        trust_remote_code=trust_remote_code,
    )
    return open_source(name, how)


def untrained(source: Source) -> Encoder | None:
    """The same architecture with random weights, where the encoder offers it."""
    make = getattr(source.encoder, "untrained", None)
    twin: Encoder | None = make() if callable(make) else None
    return twin


def bag_twin(source: Source, device: str) -> Encoder | None:
    """The shipped model that was trained like `tiny` without any use for binding; for the shipped
    models only.
    """
    if source.encoder is None or source.id not in SHIPPED or source.id == "tiny-bag":
        return None
    return open_encoder("tiny-bag", Opening(device=device))
