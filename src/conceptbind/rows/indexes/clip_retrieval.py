"""Folders of clip-retrieval: `img_emb/img_emb_N.npy`, `text_emb/text_emb_N.npy` and
`metadata/metadata_N.parquet`, whose rows belong together by their order within one N.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conceptbind.core.errors import FileError, MismatchError, counted
from conceptbind.rows.indexes import parquet
from conceptbind.rows.indexes.contract import Index, Rows, Texts
from conceptbind.rows.indexes.npy import NpyRows
from conceptbind.rows.indexes.places import (
    CAPTIONS,
    KEYS,
    PICTURES,
    by_number,
    first_of_names,
    sampled_hash,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conceptbind.rows.indexes.places import Place

name = "clip-retrieval"
FOLDERS = {"image": "img_emb", "text": "text_emb"}
_SHARD = re.compile(r"_(\d+)$")


def claims(place: Place) -> bool:
    """Whether the folder has one of the two folders of embeddings."""
    return any((place.path / folder).is_dir() for folder in FOLDERS.values())


def open_place(place: Place) -> Index:
    """The folder as one index; captions and pictures need the extra [parquet].

    Raises:
        MismatchError: shards of one number have different numbers of rows.
        FileError: a shard is missing beside the others.
    """
    shards = {
        modality: _numbered(place.path / folder, ".npy")
        for modality, folder in FOLDERS.items()
        if (place.path / folder).is_dir()
    }
    shards = {modality: found for modality, found in shards.items() if found}
    if not shards:
        raise FileError(f"{place.path} has no .npy file in img_emb or text_emb; embed it again")
    numbers = list(next(iter(shards.values())))
    parts = {modality: _parts(found, numbers, place) for modality, found in shards.items()}
    counts = [part.n for part in next(iter(parts.values()))]
    for found in parts.values():
        for part, n in zip(found, counts, strict=True):
            _require(part.n, n, part.name)
    columns = {
        modality: Rows(found, f"{place.text}/{FOLDERS[modality]}")
        for modality, found in parts.items()
    }
    paths = [path for found in shards.values() for path in found.values()]
    metadata = _numbered(place.path / "metadata", ".parquet")
    if not metadata:
        return Index(place.text, sampled_hash(paths), name, columns)
    tables = [parquet.Table(metadata[number]) for number in _same(metadata, numbers, place)]
    for table, n in zip(tables, counts, strict=True):
        _require(table.n, n, table.path.name)

    def texts(names: tuple[str, ...]) -> Texts | None:
        column = first_of_names(names, tables[0].columns)
        if column is None:
            return None
        for table in tables:
            if column not in table.columns:
                raise MismatchError(
                    f"{table.path.name} has no column '{column}', which {tables[0].path.name} has; "
                    "write its metadata again"
                )
        return Texts([table.texts(column) for table in tables])

    return Index(
        place.text,
        sampled_hash([*paths, *metadata.values()]),
        name,
        columns,
        captions=texts(CAPTIONS),
        pictures=texts(PICTURES),
        keys=texts(KEYS),
        folder=str(place.path),
    )


def _parts(found: dict[int, Path], numbers: list[int], place: Place) -> list[NpyRows]:
    return [NpyRows(found[number]) for number in _same(found, numbers, place)]


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """Shards of a folder by their number."""
    if not folder.is_dir():
        return {}
    paths = sorted((one for one in folder.iterdir() if one.suffix == suffix), key=by_number)
    found = {}
    for path in paths:
        number = _SHARD.search(path.stem)
        if number is None:
            raise FileError(f"{path} has no number at its end; expected {folder.name}_0{suffix}")
        found[int(number[1])] = path
    return found


def _same(found: dict[int, Path], numbers: list[int], place: Place) -> list[int]:
    """The numbers of the shards, which are those of all others."""
    odd = sorted(set(found) ^ set(numbers))
    if odd:
        folder = next(iter(found.values())).parent.name
        raise FileError(
            f"{place.path}: the shards of {folder} are not those of the other folders; shard "
            f"{odd[0]} is in one alone"
        )
    return numbers


def _require(n: int, wanted: int, file: str) -> None:
    if n != wanted:
        raise MismatchError(
            f"{file} has {counted(n, 'row')} and the first shard of its number {wanted:,}; rows "
            "of one number belong together by their order, so write the shard again"
        )
