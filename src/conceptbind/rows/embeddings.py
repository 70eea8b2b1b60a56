"""Embeddings: rows that know their scenes, their encoder and what was done to them.

A folder written by `embed` holds `manifest.json` and shards of rows (see `rows.shards`).
A killed `embed` continues after its last whole shard, rows of another encoder or another table can
never mix in, and rows that changed on disk are not read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    CutCaptionWarning,
    FileError,
    MismatchError,
    ModalityError,
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    cut_left,
    quoted,
)
from conceptbind.core.files import (
    CHECKSUM,
    FileHashes,
    content_hash,
    file_hash,
    json_hash,
    user_path,
    written_aside,
)
from conceptbind.core.kept import (
    Kept,
    read_header,
    require_content,
)
from conceptbind.core.typing import Modality
from conceptbind.encoders.captions import refusal
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.pictures.files import require_pictures
from conceptbind.rows import shards
from conceptbind.rows.arrays import ARRAYS, FileEmbeddings, read_embeddings_file
from conceptbind.rows.encoding import (
    Piece,
    encode_piece,
    pictures_of,
    piece_of,
    single_precision,
)
from conceptbind.rows.indexes.measured import rows_of_index
from conceptbind.rows.indexes.registry import open_container
from conceptbind.rows.shards import (
    MANIFEST,
    add_shard,
    identity_of_rows,
    kept_rows,
    manifest_of,
    read_shard,
    seal_shards,
    shard_path,
)
from conceptbind.rows.team import Team, join_team, team_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.rows.feeding import Fed
    from conceptbind.scenes.table import Scenes

HALF = "rows.npy"
DEFAULT = Opening()
"""How an encoder is opened where nothing else is asked for."""


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """n rows of one encoder for one scene table."""

    values: Float[Floats, "scenes width"]
    """(n, d)"""
    modality: Modality
    scenes_hash: str
    """Content hash of the scene table that the rows belong to, in its order."""
    scenes_name: str
    encoder: str
    revision: str
    normalisation: str = "none"
    """`none` for raw features, `unit` after `unit()`."""
    details: dict[str, str] = field(default_factory=dict)
    """What else decides the numbers: precision, pooling, activation."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2:
            raise ShapeError(
                f"embeddings must be (rows, dimensions); got shape {self.values.shape}"
            )

    def __repr__(self) -> str:
        n, width = self.values.shape
        rows = f"{n:,} x {width:,} {self.modality}"
        return f"<Embeddings of {cut_left(self.encoder, 35)}: {rows}, {cut(self.scenes_name, 20)}>"

    def __len__(self) -> int:
        return len(self.values)

    def check(self, scenes: Scenes) -> None:
        """Raise MismatchError unless these are the rows of this table; both are named."""
        if len(self) != len(scenes) or self.scenes_hash != scenes.content_hash:
            raise MismatchError(
                f"these {counted(len(self), 'row')} of '{self.encoder}' belong to the scenes "
                f"'{self.scenes_name}' ({self.scenes_hash[:12]}), "
                f"not to '{scenes.name}' ({counted(len(scenes), 'scene')}, "
                f"{scenes.content_hash[:12]}); embed "
                "that table"
            )

    def unit(self) -> Embeddings:
        """The rows divided by their Euclidean length.

        Raises:
            ValueRangeError: a row is zero, so that it has no direction; names the first.
        """
        return self if self.normalisation == "unit" else self._divided

    @cached_property
    def _divided(self) -> Embeddings:
        """The unit rows, made once."""
        peaks = np.abs(self.values).max(axis=1, keepdims=True)
        if not peaks.all():
            row = int(np.argmin(peaks))
            raise ValueRangeError(
                f"row index {row} of the embeddings of '{self.encoder}' is all zeros and cannot be "
                "normalised"
            )
        scaled = self.values / peaks  # so that squares neither overflow nor vanish
        return replace(
            self,
            values=scaled / np.linalg.norm(scaled, axis=1, keepdims=True),
            normalisation="unit",
        )


@explains_arguments
def open_source(
    name: str, how: Opening = DEFAULT, scenes: Scenes | None = None
) -> Encoder | FileEmbeddings | Embeddings:
    """What ENCODER names: an encoder, an array file (with a row for each of `scenes`), or
    (`file:PATH`) a folder written by `embed` or an index that another program built.

    Args:
        name: as on the command line.
        how: device, precision and what becomes of long captions.
        scenes: the table whose rows an array file must hold; None accepts any.
    """
    if not isinstance(name, str):
        raise UnknownNameError(
            f"expected an encoder by its name, such as tiny or file:rows.npy; got {quoted(name)}"
        )
    scheme, _, rest = name.partition(":")
    if scheme == "file" and rest:
        path = user_path(rest)
        array = path.is_file() and path.suffix.lower() in ARRAYS
        ours = array or (path / MANIFEST).is_file()
        held = None if ours else open_container(rest)
        if held is not None:
            return rows_of_index(held, scenes)
        return load(path) if path.is_dir() else read_embeddings_file(path, scenes)
    encoder = open_encoder(name, how)
    join_team(encoder, team_of(name, how, encoder))
    return encoder


@explains_arguments
def embed(
    encoder: Encoder,
    scenes: Scenes,
    modality: Modality,
    folder: Path,
    *,
    on_rows: Callable[[int], None] = lambda _: None,
    hash_of: Callable[[Path], str] = file_hash,
) -> Embeddings:
    """Encode every scene into a folder, or finish what a killed call began there, and load it.

    Memory holds one shard of rows while encoding.

    Args:
        encoder: any object with the contract of `typing.Encoder`.
        scenes: what to encode; captions for `text`, their pictures for `image`.
        modality: `text` or `image`.
        folder: where the rows go; created if needed.
        on_rows: called with the number of rows that are done, first with those found.
        hash_of: gives the hash of a picture file.

    Raises:
        ModalityError: the encoder or the scenes cannot do the modality.
        MismatchError: the folder holds rows of another encoder, revision or table; both are named.
        ValueRangeError: the encoder returned NaN or infinite numbers.
        ShapeError: the encoder returned another number of rows, or another width, than asked for.
        FileError: a picture is missing or broken, or the disk is full.
    """
    _write_shards(encoder, scenes, modality, folder, np.float32, on_rows, hash_of)
    return load(folder)


def embed_half(
    encoder: Encoder,
    scenes: Scenes,
    modality: Modality,
    folder: Path,
    *,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Float[Floats, "scenes width"]:
    """The same for rows that may be larger than memory: (n, d) unit rows in half precision,
    memory-mapped from `rows.npy` in the folder.

    Raises:
        ValueRangeError: besides those of `embed`, a row is zero.
    """
    path = folder / HALF
    joined = None
    if path.is_file():
        told = kept_rows(folder, _half(_identity_of(encoder, scenes, modality))).check() or {}
        joined = told.get(CHECKSUM)
    if joined is not None:
        require_content(path, joined, "delete its folder and run the same command again")
        on_rows(len(scenes))
    # also where a kill came between the joined file and its checksum: the shards are still there
    else:
        kept = _write_shards(encoder, scenes, modality, folder, np.float16, on_rows)
        _join(kept, path, (len(scenes), encoder.dimension))
    # they are joined; a killed run may have left some
    for start in range(0, len(scenes), shards.SHARD_ROWS):
        shard_path(folder, start).unlink(missing_ok=True)
    rows: Floats = np.load(path, mmap_mode="r")
    return rows


def _write_shards(
    encoder: Encoder,
    scenes: Scenes,
    modality: Modality,
    folder: Path,
    kind: type[np.floating[Any]],
    on_rows: Callable[[int], None],
    hash_of: Callable[[Path], str] = file_hash,
) -> Kept:
    """Encode every scene into shards, those that are there excepted; in half precision as unit
    rows.
    """
    half = kind is np.float16
    require_modality(encoder, scenes, modality)
    if modality == "image":
        _require_pictures(scenes, folder)
    identity = _identity_of(encoder, scenes, modality)
    _say_cut(encoder, identity)
    kept = kept_rows(folder, _half(identity) if half else identity)
    kept.check()
    left = []
    for start in range(0, len(scenes), shards.SHARD_ROWS):
        stop = min(start + shards.SHARD_ROWS, len(scenes))
        if _stands(shard_path(folder, start), scenes, modality, (start, stop), hash_of):
            on_rows(stop - start)
        else:
            left.append((start, stop))
    for piece, fed in _encoded(encoder, scenes, modality, left, on_rows):
        rows = _unit(fed.rows, piece.start, encoder.id).astype(kind) if half else fed.rows
        _remember(hash_of, piece, fed.hashes)
        pictures = content_hash(*fed.hashes) if any(fed.hashes) else None
        add_shard(kept, piece.start, rows, pictures)
    if not half:
        seal_shards(kept, len(scenes))
    return kept


def _encoded(
    encoder: Encoder,
    scenes: Scenes,
    modality: Modality,
    shards: list[tuple[int, int]],
    on_rows: Callable[[int], None],
) -> Iterator[tuple[Piece, Fed]]:
    """The rows of each shard (first scene, last + 1): of this process, or of the encoder's team."""
    team: Team | None = getattr(encoder, "team", None)
    # a copy of it with other weights, such as a control, is not what the workers open
    if team is None or team.revision != encoder.revision or len(shards) < 2:
        for start, stop in shards:
            piece = piece_of(scenes, modality, start, stop)
            yield piece, encode_piece(encoder, piece, on_rows)
        return
    pieces = [piece_of(scenes, modality, start, stop) for start, stop in shards]
    for number, fed in team.encode(pieces):
        on_rows(len(pieces[number]))
        yield pieces[number], fed


def refuse_long_captions(encoder: Encoder, scenes: Scenes) -> None:
    """Raise ValueRangeError, before anything is embedded, where captions are longer than the
    encoder reads and are to be refused.
    """
    if getattr(encoder, "long_captions", "truncate") == "refuse":
        _identity_of(encoder, scenes, "text")


def _identity_of(encoder: Encoder, scenes: Scenes, modality: Modality) -> dict[str, Any]:
    details = dict(getattr(encoder, "details", {}))
    if modality == "text" and (cut := _find_long(encoder, scenes)):
        longest = getattr(encoder, "longest", None)
        if getattr(encoder, "long_captions", "truncate") == "refuse":
            raise refusal(scenes.caption(cut[0]), len(cut), len(scenes), longest, encoder.id)
        details["captions_cut"] = f"{len(cut)} of {len(scenes)}, after {longest} tokens"
    if modality == "image" and scenes.images is None and scenes.stored is not None:
        details["pictures"] = scenes.stored.identity()
    shape = (len(scenes), encoder.dimension)
    return identity_of_rows(
        encoder.id, encoder.revision, shape, details, modality, scenes.name, scenes.content_hash
    )


def _find_long(encoder: Encoder, scenes: Scenes) -> list[int]:
    """Rows of the captions that are longer than the encoder reads; none where it does not tell."""
    find = getattr(encoder, "find_long", None)
    if find is None:
        return []
    starts = range(0, len(scenes), shards.SHARD_ROWS)
    return [
        start + int(i)
        for start in starts
        for i in find(list(scenes.captions(start, min(start + shards.SHARD_ROWS, len(scenes)))))
    ]


def _say_cut(encoder: Encoder, identity: dict[str, Any]) -> None:
    """Warn once, with the count, of captions whose ends are cut off; of a control that reads the
    same captions nothing is said.
    """
    found = identity["details"].get("captions_cut")
    if found and not encoder.revision.startswith("random:"):
        warnings.warn(
            f"{identity['scenes']}: captions are longer than '{encoder.id}' reads, and their ends "
            f"are cut off ({found}); --long-captions refuse stops instead",
            CutCaptionWarning,
            stacklevel=4,
        )


def _half(identity: dict[str, Any]) -> dict[str, Any]:
    return identity | {"normalisation": "unit", "dtype": "float16"}


def _unit(values: Floats, first: int, encoder: str) -> Floats:
    """Rows divided by their length; ValueRangeError for a row without direction."""
    lengths = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise ValueRangeError(
            f"row index {first + int(np.argmin(lengths))} of the embeddings of '{encoder}' is "
            "all zeros "
            "and cannot be normalised"
        )
    unit: Floats = values / lengths
    return unit


def _join(kept: Kept, path: Path, shape: tuple[int, int]) -> None:
    """One file of all shards, and its checksum in the manifest."""
    key = json_hash(kept.identity)
    with written_aside(path, 2 * shape[0] * shape[1]) as aside:
        rows = np.lib.format.open_memmap(aside, mode="w+", dtype=np.float16, shape=shape)
        for start in range(0, shape[0], shards.SHARD_ROWS):
            expected = (min(shards.SHARD_ROWS, shape[0] - start), shape[1])
            shard, _ = read_shard(kept.folder, start, key, expected, np.float16)
            rows[start : start + shards.SHARD_ROWS] = shard
        rows.flush()
        del rows
    kept.seal(file_hash(path))


def _pictures_hash(
    scenes: Scenes, start: int, stop: int, hash_of: Callable[[Path], str]
) -> str | None:
    """What the pictures of some scenes hold; None where one is gone, or where they lie in an array
    file, whose checksum stands in the manifest.
    """
    if scenes.images is None:
        return None
    paths = pictures_of(scenes, start, stop)
    return content_hash(*map(hash_of, paths)) if all(path.is_file() for path in paths) else None


def _remember(hash_of: Callable[[Path], str], piece: Piece, hashes: list[str]) -> None:
    """Pictures that were hashed while they were read need not be read for it."""
    if isinstance(hash_of, FileHashes) and piece.pictures:
        for path, digest in zip(piece.pictures, hashes, strict=True):
            hash_of.know(path, digest)


def _stands(
    path: Path,
    scenes: Scenes,
    modality: Modality,
    part: tuple[int, int],
    hash_of: Callable[[Path], str],
) -> bool:
    """Whether the shard of some scenes (first, last + 1) is there, and not of pictures that have
    been replaced since, under the same names.
    """
    if not path.exists():
        return False
    pictures = _pictures_hash(scenes, *part, hash_of) if modality == "image" else None
    if pictures is None:
        return True
    try:
        found = read_header(path).facts.get("pictures")
    except FileError:
        return True  # a broken shard is told by `load`
    return found is None or found == pictures


def require_modality(encoder: Encoder | FileEmbeddings, scenes: Scenes, modality: Modality) -> None:
    """Raise ModalityError unless both the encoder and the scenes can do the modality."""
    if modality not in encoder.modalities:
        raise ModalityError(
            f"'{encoder.id}' encodes {' and '.join(encoder.modalities)}, not {modality}"
        )
    if modality == "image" and scenes.images is None and scenes.stored is None:
        raise ModalityError(
            f"the scenes '{scenes.name}' have no pictures; use --modality text, or a table with a "
            "column 'image' or 'filename'"
        )


def _require_pictures(scenes: Scenes, folder: Path) -> None:
    """Raise FileError unless all pictures are there that no shard in the folder holds yet."""
    if scenes.images is None:  # they lie in an array file
        return
    size, wanted = shards.SHARD_ROWS, []
    for start in range(0, len(scenes), size):
        if not shard_path(folder, start).exists():
            wanted += pictures_of(scenes, start, min(start + size, len(scenes)))
    require_pictures(wanted, scenes.image_places)


@explains_arguments
def store(rows: Embeddings, folder: Path) -> None:
    """Write rows that came from elsewhere into a folder as `embed` does, so that a run holds what
    it measured.

    Args:
        rows: the rows with what names them.
        folder: the folder to write.

    Raises:
        MismatchError: the folder holds other rows; both are named.
        FileError: the disk is full.
    """
    kept = kept_rows(
        folder,
        identity_of_rows(
            rows.encoder,
            rows.revision,
            rows.values.shape,
            rows.details,
            rows.modality,
            rows.scenes_name,
            rows.scenes_hash,
        ),
    )
    kept.check()
    key = json_hash(kept.identity)
    single = single_precision(rows.values, f"the rows of '{rows.encoder}', in single precision,")
    for start in range(0, len(rows), shards.SHARD_ROWS):
        part = single[start : start + shards.SHARD_ROWS]
        if not shard_path(folder, start).exists():
            add_shard(kept, start, part)
        elif not np.array_equal(read_shard(folder, start, key, part.shape, np.float32)[0], part):
            raise MismatchError(
                f"{shard_path(folder, start)} holds other rows than '{rows.encoder}'; delete "
                f"{folder} and run again"
            )
    seal_shards(kept, len(rows))


def load(folder: Path) -> Embeddings:
    """Read a folder written by `embed`.

    Raises:
        FileError: no such folder, or it is unfinished.
        MismatchError: a shard belongs to another manifest.
    """
    if not (folder / MANIFEST).is_file():
        inner = sorted(place.parent for place in folder.glob(f"*/{MANIFEST}"))
        if inner:
            named = " or ".join(map(str, inner))
            raise FileError(f"{folder} holds the rows of several modalities; give {named}")
        raise FileError(
            f"{folder} is not a folder written by conceptbind embed: it has no {MANIFEST}"
        )
    manifest = manifest_of(folder)
    key = manifest.key()
    n, size, dimension = manifest.rows, manifest.shard_rows, manifest.dimension
    shards, there = -(-n // size), sum(1 for _ in folder.glob("rows-*.safetensors"))
    if there < shards or manifest.checksum is None:
        raise FileError(
            f"{folder} is unfinished: {min(there, shards)} of {shards:,} shards are "
            "there; run the "
            "same command again to finish it"
        )
    sums = []
    for start in range(0, n, size):
        rows, own = read_shard(folder, start, key, (min(size, n - start), dimension), np.float32)
        if (
            start == 0
            # only now: a manifest may state anything, and every shard holds as many rows as the
            # first
        ):
            values = np.empty((n, dimension), dtype=np.float32)
        values[start : start + size] = rows
        sums.append(own)
    if content_hash(*sums) != manifest.checksum:
        raise FileError(
            f"the rows in {folder} are not those of the checksum in its {MANIFEST}; delete the "
            "folder and embed again"
        )
    return Embeddings(
        values,
        manifest.modality,
        manifest.scenes_hash,
        manifest.scenes,
        manifest.encoder,
        manifest.revision,
        manifest.normalisation,
        manifest.details,
    )


def from_file(source: FileEmbeddings, scenes: Scenes, modality: Modality) -> Embeddings:
    """The rows of an array file as the embeddings of a table; raises ValueRangeError for rows that
    single precision cannot hold.
    """
    values = source.rows(scenes, modality)
    single_precision(values, f"the rows of '{source.id}', in single precision,")
    return Embeddings(
        values, modality, scenes.content_hash, scenes.name, source.id, source.revision
    )
