"""A query of several parts, asked of an index."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.shared import (
    GivenAdapter,
    GivenCaptions,
    GivenEncoder,
    GivenPath,
    GivenScenes,
)
from conceptbind.core.records import frame_of
from conceptbind.core.typing import Modalities
from conceptbind.encoders.options import Opening

if TYPE_CHECKING:
    import pandas as pd
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Encoder, Floats, Ints
    from conceptbind.querying.index import Index
    from conceptbind.querying.language import QueryPart
    from conceptbind.querying.ways import Asked

LONGEST = 60
"""Characters of a name, or of a part, in the table that is printed."""


@dataclass(frozen=True, eq=False, repr=False)
class Hits:
    """What a query found: the first documents, with their scores."""

    query: str
    parts: "tuple[QueryPart, ...]"
    way: str
    encoder: str
    rows: "Int[Ints, ' hits']"
    """(k,) rows of the index, the first hit first."""
    names: tuple[str, ...]
    """(k,)"""
    scores: "Float[Floats, ' hits']"
    """(k,) by the way that was asked for."""
    of_parts: "Float[Floats, 'parts hits']"
    """Cosine of each hit with each part, also of parts that should be absent."""
    n: int
    """Documents that were searched."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `table`."""
        return ("rank", "score", *map(str, self.parts), "row", "name")

    def table(self) -> list[tuple[Any, ...]]:
        """A row for each hit: rank, score, the cosine of each part, row of the index, name."""
        numbers = zip(self.scores.tolist(), self.of_parts.T.tolist(), strict=True)
        places = zip(self.rows.tolist(), self.names, strict=True)
        both = zip(numbers, places, strict=True)
        return [
            (rank, score, *parts, row, name)
            for rank, ((score, parts), (row, name)) in enumerate(both, 1)
        ]

    def frame(self) -> "pd.DataFrame":
        """The hits as a data frame of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return frame_of(self.table(), self.columns)

    def as_json(self) -> dict[str, Any]:
        """The query and its hits as plain data; a hit has its cosine with each part, in order."""
        hits = [
            {"rank": rank, "score": score, "parts": parts, "row": row, "name": name}
            for rank, score, *parts, row, name in self.table()
        ]
        parts = [{"text": part.text, "negated": part.negated} for part in self.parts]
        about = {"query": self.query, "way": self.way, "encoder": self.encoder, "n": self.n}
        return {**about, "parts": parts, "hits": hits}

    def _cells(self) -> list[tuple[str, ...]]:
        shown = []
        for rank, score, *parts, row, name in self.table():
            numbers = (f"{number:.3f}" for number in (score, *parts))
            label = name if len(name) <= LONGEST else f"{name[: LONGEST - 4]} ..."
            shown.append((label, f"{rank}", *numbers, f"{row}"))
        return shown

    def _head(self) -> tuple[str, ...]:
        parts = (str(part)[:LONGEST] for part in self.parts)
        return ("name", "rank", "score", *parts, "row")

    def __str__(self) -> str:
        from conceptbind.report.terminal import terminal_table

        said = f"{len(self)} of {self.n:,} by --way {self.way}, embedded by {self.encoder}"
        return f"{said}\n\n{terminal_table([self._head(), *self._cells()], 1)}"

    def __repr__(self) -> str:
        first = f"; first: {self.names[0][:LONGEST]}" if self.names else ""
        return f"<Hits of '{self.query[:LONGEST]}': {len(self)} of {self.n:,}{first}>"

    def _repr_html_(self) -> str:
        """The hits as a table; in notebooks."""
        from conceptbind.core.escape import html_table

        return html_table(self._head(), self._cells())


@dataclass(frozen=True)
class Query(Opening, Command[Hits]):
    """Search captions or pictures for several things at once, and without others: conceptbind
    query INDEX "red square, blue circle, -triangle".

    Prints the first hits with the cosine of each part. A comma or a minus that belongs to a part
    stands in quotes or behind a backslash.
    """

    index: GivenEncoder
    """What to search: a folder written by embed, a run folder of measure, or an array (.npy, .npz,
    .safetensors); or the encoder, with --captions or --pictures.
    """
    text: str
    """Parts with commas between, a minus before what should be absent; one that begins with a minus
    is written --text=-triangle.
    """
    _: KW_ONLY
    captions: GivenCaptions | None = None
    """Text file to search, one caption per line; INDEX is then the encoder."""
    pictures: GivenPath | None = None
    """Folder of pictures to search; INDEX is then the encoder."""
    encoder: GivenEncoder | None = None
    """Model that embeds the query; by default the one that the index names. An array names none."""
    way: Literal["whole", "sum", "min", "project"] = "sum"
    """How parts are joined: one caption for the whole query, the sum of the parts, the least part,
    or a projection that removes what should be absent from the query.
    """
    minus: float = 1.0
    """Weight of what should be absent in the sum."""
    adapter: GivenAdapter | None = None
    """Repair of captions to map the query with: a folder written by repair, or a published .pt."""
    top: int = 10
    """Number of hits."""
    modality: Modalities = "auto"
    """Rows to search where a folder holds several: text or image; auto takes pictures first."""
    names: GivenPath | None = None
    """Text file with a name for each row of the index, one per line."""
    scenes: GivenScenes | None = None
    """Scenes that the rows are of, whose captions name the hits; a run folder knows its own."""
    keep: GivenPath | None = None
    """Folder for the rows of --captions or --pictures, so that they are embedded once; by default
    runs/query-ENCODER-NAME.
    """
    out: GivenPath | None = None
    """File for the hits, .csv or .json."""

    HELD = frozenset({"captions"})

    def work(self) -> Hits:
        """Search, and write what is found where a file is named."""
        return _asked(self)


query = function_of(Query)


def _asked(asked: Query) -> Hits:
    """Search, and write what is found where a file is named."""
    import numpy as np

    from conceptbind.querying.first import first_of
    from conceptbind.querying.language import parse_query
    from conceptbind.querying.ways import cosines_with

    parts = parse_query(asked.text)
    _require_options(asked)
    index, encoder = opened(asked)
    vectors = _vectors(asked, parts, encoder)
    asking = np.concatenate([vectors.parts, vectors.vectors(asked.way)])
    cosines = cosines_with(asking, index.rows)
    scores = vectors.scored(asked.way, cosines[len(parts) :], asked.minus).values
    rows = first_of(scores, asked.top)
    hits = Hits(
        asked.text,
        parts,
        asked.way,
        encoder.id,
        rows,
        tuple(index.name(int(row)) for row in rows),
        scores[rows].astype(np.float64),
        cosines[: len(parts), rows].astype(np.float64),
        len(index),
    )
    if asked.out is not None:
        _write(hits, Path(asked.out))
    return hits


def _require_options(asked: Query) -> None:
    """Refuse options that do not fit each other, before anything is read."""
    from conceptbind.core.errors import UnknownNameError, ValueRangeError, nearest
    from conceptbind.querying.ways import WAYS

    if asked.way not in WAYS:
        raise UnknownNameError(f"unknown way '{asked.way:.60}'; {nearest(asked.way, WAYS)}")
    if asked.top < 1:
        raise ValueRangeError(f"--top must be at least 1; got {asked.top}")
    if not 0 < asked.minus < float("inf"):
        raise ValueRangeError(f"--minus must be a number above 0; got {asked.minus}")
    if asked.captions is not None and asked.pictures is not None:
        raise ValueRangeError("give --captions or --pictures, not both")
    searched = asked.captions is not None or asked.pictures is not None
    if searched and asked.encoder is not None:
        raise ValueRangeError(
            "--captions and --pictures are embedded by the encoder that stands first; leave out "
            "--encoder"
        )
    if asked.out is not None and Path(asked.out).suffix.lower() not in (".csv", ".json"):
        raise ValueRangeError(f"--out must be a .csv or .json file; got {asked.out}")


def opened(asked: Query) -> "tuple[Index, Encoder]":
    """What is searched, and what embeds the query.

    Args:
        asked: the query; its text does not matter here.
    """
    from conceptbind.core.errors import MismatchError
    from conceptbind.encoders.weights import same_encoder
    from conceptbind.querying.index import open_index, read_names
    from conceptbind.rows.source import table_of

    if asked.captions is not None or asked.pictures is not None:
        return _embedded(asked)
    index = open_index(asked.index, asked.modality)
    if asked.names is not None:
        index = index.named(read_names(asked.names), "--names")
    elif asked.scenes is not None:
        index = index.named(list(table_of(asked.scenes).captions()), "--scenes")
    encoder = _encoder_of(asked, index)
    made = (index.encoder or encoder.id, index.revision or encoder.revision)
    if not same_encoder(made, (encoder.id, encoder.revision)):
        raise MismatchError(
            f"the index was embedded by '{index.encoder}' ({index.revision}), and the query by "
            f"'{encoder.id}' ({encoder.revision}); give the encoder of the index with --encoder"
        )
    return index, encoder


def _encoder_of(asked: Query, index: "Index") -> "Encoder":
    """The encoder that is given, or the one that the index names.

    An index may be anybody's. So it names models only, which are read as data; what runs code
    (`py:`) is named by the user.
    """
    from conceptbind.core.errors import ValueRangeError

    name = asked.encoder
    if name is None:
        if index.encoder is None:
            raise ValueRangeError(
                "the index does not say which encoder made it; give that with --encoder"
            )
        if index.encoder.partition(":")[0] in ("py", "file"):
            raise ValueRangeError(
                f"the index names the encoder '{index.encoder}', which is not opened from there; "
                "if you know it, give it yourself with --encoder"
            )
        name = index.encoder
    return _of_captions(name, asked)


def _of_captions(name: Any, how: Opening) -> "Encoder":
    """An encoder of captions by its name."""
    from conceptbind.core.errors import ModalityError
    from conceptbind.rows.source import source_of

    source = source_of(name, how)
    if source.encoder is None or not source.encodes("text"):
        raise ModalityError(
            f"'{source.id}' does not embed captions, and a query is one; give an encoder that does"
        )
    return source.encoder


def _embedded(asked: Query) -> "tuple[Index, Encoder]":
    """The captions of a file, or the pictures of a folder, embedded once."""
    import warnings

    from conceptbind.commands.captioned import read_captions
    from conceptbind.commands.common import default_folder, rows_with_bar
    from conceptbind.core.errors import counted
    from conceptbind.core.files import user_path
    from conceptbind.core.ownership import own
    from conceptbind.querying.index import Index, picture_names
    from conceptbind.rows.source import source_of
    from conceptbind.scenes.table import Scenes

    encoder = _of_captions(asked.index, asked)
    source = source_of(encoder)
    if asked.captions is not None:
        modality: Literal["text", "image"] = "text"
        names = tuple(read_captions(asked.captions))
        table = Scenes.unlabelled("captions", captions=names)
        what = str(asked.captions)
    else:
        modality = "image"
        folder = user_path(str(asked.pictures))
        names, empty = picture_names(folder)
        if empty:
            told = f"{counted(empty, 'empty file')} of {folder.name} left out"
            warnings.warn(told, stacklevel=2)
        table = Scenes.unlabelled("pictures", images=names, image_folder=folder)
        what = folder.name
    source.able(table, modality)
    base = ("query", encoder.id, f"{Path(what).stem}-{table.content_hash}")
    shared = [option for option in asked.configuration() if option not in ("precision",)]
    place = user_path(asked.keep or default_folder(base, asked, shared))
    own(place)
    rows = rows_with_bar(source, table, modality, place)
    return Index(rows.values, encoder.id, encoder.revision, names, modality), encoder


def _vectors(asked: Query, parts: "tuple[QueryPart, ...]", encoder: "Encoder") -> "Asked":
    """Unit rows of the parts, and of the whole query where that is asked for; after the repair."""
    import numpy as np

    from conceptbind.core.errors import ValueRangeError
    from conceptbind.querying.captions import whole_caption
    from conceptbind.querying.ways import Asked
    from conceptbind.repairs.labclip.adapter import load_adapter
    from conceptbind.scenes.paraphrases import read_by

    texts = [part.text for part in parts]
    if asked.way == "whole":
        said = whole_caption(parts, read_by(encoder))
        if said is None:
            raise ValueRangeError(
                f"{encoder.id} does not know a word for what is absent ('without', 'no'), so one "
                "caption cannot say the whole query; choose --way sum, min or project"
            )
        texts.append(said)
    rows = np.asarray(encoder.encode_texts(texts), dtype=np.float32)
    if asked.adapter is not None:
        adapter = load_adapter(asked.adapter)
        adapter.require(encoder.id, encoder.revision)
        rows = adapter(rows)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    negated = np.array([part.negated for part in parts])
    n = len(parts)
    return Asked(rows[:n], negated, rows[n] if asked.way == "whole" else None)


def _write(hits: Hits, place: Path) -> None:
    """The hits as a file."""
    from conceptbind.core.escape import csv_text
    from conceptbind.core.files import user_path, write_json, write_whole

    path = user_path(place)
    if path.suffix.lower() == ".json":
        write_json(path, hits.as_json())
        return
    write_whole(path, csv_text([hits.columns, *hits.table()]))
