"""Shards of webdataset: `00000.tar` with `KEY.npy`, `KEY.txt` or `KEY.json` and pictures. What
belongs to one sample is found by its key, never by its place: the order in a shard is that in which
samples were finished, and the table `00000.parquet` beside it names those that failed as well.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import FileError, MismatchError, ShapeError, UnknownNameError, counted
from conceptbind.core.limits import header_of
from conceptbind.rows.indexes import parquet
from conceptbind.rows.indexes.contract import HeldTexts, Index, RowPart, Rows, TextPart, Texts
from conceptbind.rows.indexes.places import (
    CAPTIONS,
    SEPARATOR,
    first_of_names,
    modality_of,
    sampled_hash,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "webdataset"
LONGEST = 1 << 20
"""Bytes of a caption or of a sample's JSON."""


@dataclass
class _Shard:
    """Where the members of a tar file lie."""

    path: Path
    members: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Offset and size of each, by key and ending."""

    @classmethod
    def of(cls, path: Path) -> _Shard:
        shard = cls(path)
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isfile():
                        shard._add(member)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise FileError(f"could not read {path} as a tar file: {error}") from error
        return shard

    def _add(self, member: tarfile.TarInfo) -> None:
        folder, slash, file = member.name.rpartition("/")
        stem, _, ending = file.partition(".")
        endings = self.members.setdefault(f"{folder}{slash}{stem}", {})
        if ending in endings:
            raise MismatchError(
                f"{self.path.name} holds {member.name:.80} twice; a key stands for one sample, so "
                "write the shard again"
            )
        endings[ending] = member.offset_data, member.size

    def bytes_of(self, place: tuple[int, int]) -> bytes:
        with self.path.open("rb") as file:
            file.seek(place[0])
            return file.read(min(place[1], LONGEST))


class TarRows(RowPart):
    """The embeddings of one shard, in its order."""

    def __init__(self, shard: _Shard, keys: list[str], ending: str) -> None:
        self.name, self._path, self.n = shard.path.name, shard.path, len(keys)
        places = [shard.members[key][ending] for key in keys]
        self.width, self._kind, self._starts = 0, np.dtype(np.float32), np.empty(0, np.int64)
        if places:
            self._look(keys, places)

    def _look(self, keys: list[str], places: list[tuple[int, int]]) -> None:
        """Find where the numbers of every member begin; all must be of one shape."""
        starts = np.empty(len(places), dtype=np.int64)
        with self._path.open("rb") as file:
            seen: dict[bytes, int] = {}
            for i, (offset, size) in enumerate(places):
                file.seek(offset)
                head = file.read(min(128, size)) + size.to_bytes(8, "little")
                if head not in seen:
                    seen[head] = self._header(file, offset, size, keys[i], first=not seen)
                starts[i] = offset + seen[head]
        self._starts = starts

    def _header(self, file: object, offset: int, size: int, key: str, *, first: bool) -> int:
        """Bytes before the numbers of a member."""
        file.seek(offset)  # type: ignore[attr-defined]
        where = f"{key}.npy of {self.name}"
        shape, kind = header_of(_Within(file, offset), size, where)
        width = int(np.prod(shape))
        flat = len(shape) == 1 or (len(shape) == 2 and shape[0] == 1)
        if not flat or not width or np.dtype(kind).kind not in "fiu":
            raise ShapeError(f"{where} must hold one row of real numbers; got {kind} {shape}")
        if not first and (width, np.dtype(kind)) != (self.width, self._kind):
            raise ShapeError(
                f"{where} has {counted(width, 'dimension')} ({kind}) and those before it "
                f"{self.width} ({self._kind}); give the shards of one encoder"
            )
        self.width, self._kind = width, np.dtype(kind)
        return size - width * self._kind.itemsize

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        return self._rows(self._starts[start:stop])

    def at(  # noqa: D102
        self, places: Int[Ints, " rows"]
    ) -> Iterator[tuple[Int[Ints, " some"], Shaped[Floats, "some width"]]]:
        order = np.argsort(places, kind="stable")
        yield order, self._rows(self._starts[places[order]])

    def _rows(self, starts: Ints) -> Floats:
        found: Floats = np.empty((len(starts), self.width), dtype=self._kind)
        with self._path.open("rb") as file:
            for row, start in zip(found, starts.tolist(), strict=True):
                file.seek(start)
                row[:] = np.fromfile(file, self._kind, self.width)
        return found


class _Within:
    """A member of an open tar file, as a stream of its own."""

    def __init__(self, file: object, offset: int) -> None:
        self._file, self._offset = file, offset

    def read(self, size: int) -> bytes:
        return self._file.read(size)  # type: ignore[attr-defined,no-any-return]

    def tell(self) -> int:
        return self._file.tell() - self._offset  # type: ignore[attr-defined,no-any-return]


class TarTexts(TextPart):
    """Captions of one shard: of its table, its .txt or its .json."""

    def __init__(self, shard: _Shard, keys: list[str], table: dict[str, str | None]) -> None:
        self._shard, self._keys, self._table, self.n = shard, keys, table, len(keys)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return [self._caption(key) for key in self._keys[start:stop]]

    def _caption(self, key: str) -> str | None:
        endings = self._shard.members[key]
        if "txt" in endings:
            text = self._shard.bytes_of(endings["txt"]).decode("utf-8", "replace").strip()
            return text or None
        if key in self._table or "json" not in endings:
            return self._table.get(key)
        try:
            told = json.loads(self._shard.bytes_of(endings["json"]))
            column = first_of_names(CAPTIONS, told)
        except (ValueError, TypeError):
            return None
        return None if column is None else str(told[column] or "").strip() or None


def claims(place: Place) -> bool:
    """Whether there is a tar file."""
    return bool(place.of(".tar"))


def open_place(place: Place) -> Index:
    """The shards one behind the other; `PATH::img_emb.npy` names the ending of the members that
    hold embeddings, where samples have several.

    Raises:
        FileError: a shard is damaged.
        UnknownNameError: no sample has an embedding, or several and none is named.
        ShapeError: embeddings of two widths.
        MismatchError: a key stands twice.
    """
    shards = [_Shard.of(path) for path in place.of(".tar")]
    ending = _ending(place, shards)
    parts: list[RowPart] = []
    captions: list[TextPart] = []
    names: list[TextPart] = []
    failed, seen, any_caption = 0, set[str](), False
    for shard in shards:
        with_rows = [key for key, endings in shard.members.items() if ending in endings]
        table, listed = _table_beside(shard.path)
        failed += len((set(shard.members) | listed) - set(with_rows))
        twice = seen.intersection(with_rows)
        if twice:
            raise MismatchError(
                f"the key '{min(twice):.60}' stands in two shards of {place.text:.80}; a key "
                "stands for one sample, so give each its own"
            )
        seen.update(with_rows)
        if not with_rows:
            continue
        parts.append(TarRows(shard, with_rows, ending))
        captions.append(TarTexts(shard, with_rows, table))
        names.append(HeldTexts(with_rows))
        has = {one for key in with_rows[:100] for one in shard.members[key]}
        any_caption = any_caption or bool(table or has & {"txt", "json"})
    paths = [shard.path for shard in shards]
    return Index(
        place.text,
        sampled_hash(paths, ending),
        name,
        {modality_of(ending.removesuffix("npy")): Rows(parts, place.text)},
        captions=Texts(captions) if any_caption else None,
        keys=Texts(names),
        failed=failed,
        keyed=True,
        folder=str(paths[0].parent),
    )


def _ending(place: Place, shards: list[_Shard]) -> str:
    """The ending of the members that hold embeddings."""
    samples = (endings for shard in shards for endings in shard.members.values())
    found = sorted({one for endings in samples for one in endings if one.endswith("npy")})
    wanted = place.column
    if wanted is not None and wanted not in found:
        wanted = f"{wanted}.npy" if f"{wanted}.npy" in found else wanted
    if wanted is not None and wanted in found:
        return wanted
    if wanted is None and len(found) == 1:
        return found[0]
    if not found:
        raise UnknownNameError(
            f"no sample of {place.text:.80} has an embedding (KEY.npy); write it into the shards"
        )
    raise UnknownNameError(
        f"the samples of {place.path.name} have the embeddings {', '.join(found):.200}; name one "
        f"behind the path, as {place.path.name}{SEPARATOR}{found[0]}"
    )


def _table_beside(path: Path) -> tuple[dict[str, str | None], set[str]]:
    """Captions by key, and all keys, of the table beside a shard; nothing where there is none."""
    beside = path.with_suffix(".parquet")
    if not beside.is_file():
        return {}, set()
    table = parquet.Table(beside)
    if "key" not in table.columns:
        return {}, set()
    keys = Texts([table.texts("key")])
    listed = [str(key) for _, block in keys.blocks() for key in block]
    column = first_of_names(CAPTIONS, table.columns)
    if column is None:
        return {}, set(listed)
    texts = (text for _, block in Texts([table.texts(column)]).blocks() for text in block)
    return dict(zip(listed, texts, strict=True)), set(listed)
