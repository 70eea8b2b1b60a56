"""Shards of rows on disk: their manifest, and how each is written and read.

The manifest is written right before the first shard and says whose rows these are. Each shard
states the manifest's hash, and when all are there, a checksum of them all is added to the manifest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from conceptbind.core.errors import FileError, MismatchError
from conceptbind.core.files import CHECKSUM, content_hash, json_hash, read_json
from conceptbind.core.kept import Kept, as_struct, read_header, read_piece, write_piece
from conceptbind.core.typing import Modality
from conceptbind.encoders.weights import same_encoder

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats

MANIFEST = "manifest.json"
FORMAT = 3
"""Version of manifest and shards; what another version wrote is embedded again."""
ROWS = "embeddings"
"""The name of the rows in a shard."""
MOST_ROWS, MOST_DIMENSIONS = 10**9, 10**6
"""What a manifest may state."""
SHARD_ROWS = 4096
"""Rows of one shard: what a kill can cost."""


def kept_rows(folder: Path, identity: dict[str, Any]) -> Kept:
    """The store of a folder's rows; the same model files by another path are the same encoder."""
    if (folder / MANIFEST).is_file():
        found = manifest_of(folder)
        ours, theirs = (identity["encoder"], identity["revision"]), (found.encoder, found.revision)
        if same_encoder(ours, theirs):
            identity = identity | {"encoder": found.encoder}
    return Kept(folder, MANIFEST, "other embeddings", identity, pieces="rows*")


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a folder says about its rows."""

    format: int
    encoder: str
    revision: str
    dimension: Annotated[int, Meta(ge=1, le=MOST_DIMENSIONS)]
    details: dict[str, Any]
    modality: Modality
    normalisation: Literal["none", "unit"]
    scenes: str
    scenes_hash: str
    rows: Annotated[int, Meta(ge=1, le=MOST_ROWS)]
    shard_rows: Annotated[int, Meta(ge=1, le=MOST_ROWS)]
    dtype: str | None = None
    """Number format of rows that are joined into one file."""
    checksum: str | None = None
    """Checksum of all rows, once they are there."""

    def key(self) -> str:
        """The hash of all that decides the rows, which every shard states."""
        identity = msgspec.to_builtins(self)
        identity.pop(CHECKSUM, None)
        return json_hash(identity)


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        FileError: it is broken.
    """
    path, advice = folder / MANIFEST, "delete the folder and embed again"
    found = read_json(path, advice)
    if not isinstance(found, dict) or "rows" not in found:
        raise FileError(f"{path} is not a manifest of embeddings; {advice}")
    if found.get("format") != FORMAT:
        raise FileError(
            f"{path} was written by another version, whose shards have another form; {advice}"
        )
    return as_struct(found, Manifest, path, advice)


def shard_path(folder: Path, start: int) -> Path:
    """The file of the shard whose first row is `start`."""
    return folder / f"rows-{start:09d}.safetensors"


def identity_of_rows(
    encoder: str,
    revision: str,
    shape: tuple[int, ...],
    details: dict[str, str],
    modality: str,
    scenes_name: str,
    scenes_hash: str,
) -> dict[str, Any]:
    """What a folder says about its rows (n, d)."""
    return {
        "format": FORMAT,
        "encoder": encoder,
        "revision": revision,
        "dimension": int(shape[1]),
        "details": dict(details),
        "modality": modality,
        "normalisation": "none",
        "scenes": scenes_name,
        "scenes_hash": scenes_hash,
        "rows": int(shape[0]),
        "shard_rows": SHARD_ROWS,
    }


def read_shard(
    folder: Path, start: int, key: str, shape: tuple[int, ...], kind: Any
) -> tuple[Float[Floats, "rows width"], str]:
    """The rows of a shard and their checksum.

    Raises:
        FileError: it is missing, broken or not what was written.
        MismatchError: it belongs to another manifest.
    """
    path = shard_path(folder, start)
    piece = read_piece(path)
    found, rows = piece.facts.get("manifest"), piece.arrays.get(ROWS, np.empty(0))
    if found != key or rows.shape != shape or rows.dtype != kind:
        raise MismatchError(
            f"{path} holds {rows.shape} values for the manifest {str(found)[:12]}, but "
            f"{folder / MANIFEST} is {key[:12]} and "
            f"expects {shape}; delete the folder and embed again"
        )
    return rows, piece.checksum


def add_shard(
    kept: Kept, start: int, rows: Float[Floats, "rows width"], pictures: str | None = None
) -> None:
    """Write one shard; before the first, whose the folder is."""
    from conceptbind.core.version import __version__

    kept.begin(versions={"conceptbind": __version__, "numpy": np.__version__})
    kept.seal(None)
    facts = {"manifest": json_hash(kept.identity)} | ({"pictures": pictures} if pictures else {})
    write_piece(shard_path(kept.folder, start), {ROWS: rows}, facts)


def seal_shards(kept: Kept, n: int) -> None:
    """Add the checksum of all shards to the manifest, where it is not there."""
    if CHECKSUM not in kept.begin():
        starts = range(0, n, SHARD_ROWS)
        kept.seal(content_hash(*(read_header(shard_path(kept.folder, i)).checksum for i in starts)))
