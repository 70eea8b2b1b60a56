"""Shards of webdataset: `00000.tar` with `KEY.npy`, `KEY.txt` or `KEY.json` and pictures. What
belongs to one sample is found by its key, never by its place: the order in a shard is that in which
samples were finished, and the table `00000.parquet` beside it names those that failed as well.
"""

from __future__ import annotations

import json
import tarfile
from array import array
from functools import partial
from posixpath import normpath
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import FileError, MismatchError, ShapeError, UnknownNameError, counted
from conceptbind.core.limits import header_of
from conceptbind.rows.indexes import parquet
from conceptbind.rows.indexes.contract import Index, RowPart, Rows, TextPart, Texts
from conceptbind.rows.indexes.places import (
    CAPTIONS,
    SEPARATOR,
    first_of_names,
    modality_of,
    sampled_hash,
    text_of,
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
PICTURES = ("jpg", "jpeg", "png", "webp")
"""Endings of pictures."""
LARGEST = 1 << 26
"""Bytes of a picture."""


class _Shard:
    """Where the members of a tar file lie. An index has millions of samples: each takes its key
    and a few numbers in arrays, and no object of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.endings: list[str] = []
        """Endings of its members: `npy`, `txt`, ..."""
        self.keys: bytes = b""
        """All keys in UTF-8, one behind the other, in the order of the shard."""
        self.ends: Ints = np.empty(0, np.int64)
        """(samples,) where each key ends."""
        self.places: Ints = np.empty((0, 0, 2), np.int64)
        """(samples, endings, 2) offset and size of each member; -1 where there is none."""

    @classmethod
    def of(cls, path: Path) -> _Shard:
        """Read the headers of a tar file.

        Raises:
            FileError: it is damaged.
            MismatchError: a member stands twice.
        """
        shard, rows = cls(path), dict[str, int]()
        found: list[array[int]] = []
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isfile():
                        shard._add(member, rows, found)
                    # it would keep all of them
                    archive.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, OSError, EOFError) as error:
            raise FileError(f"could not read {path} as a tar file: {error}") from error
        shard._keep(rows, found)
        return shard

    def _add(self, member: tarfile.TarInfo, rows: dict[str, int], found: list[array[int]]) -> None:
        """Note one member in the array of its ending."""
        folder, slash, file = normpath(member.name).rpartition("/")
        if file.startswith("._"):  # what macOS lays beside a file
            return
        stem, _, ending = file.partition(".")
        ending = ending.lower()  # as webdataset itself reads them
        row = rows.setdefault(f"{folder}{slash}{stem}", len(rows))
        if ending not in self.endings:
            self.endings.append(ending)
            found.append(array("q"))
        mine = found[self.endings.index(ending)]
        mine.extend([-1] * (2 * (row + 1) - len(mine)))
        if mine[2 * row] >= 0:
            raise MismatchError(
                f"{self.path.name} holds {member.name:.80} twice; a key stands for one sample, so "
                "write the shard again"
            )
        mine[2 * row], mine[2 * row + 1] = member.offset_data, member.size

    def _keep(self, rows: dict[str, int], found: list[array[int]]) -> None:
        """Put keys and places into arrays."""
        encoded = [key.encode("utf-8", "surrogateescape") for key in rows]
        self.keys = b"".join(encoded)
        self.ends = np.cumsum([len(key) for key in encoded], dtype=np.int64)
        self.places = np.full((len(rows), len(found), 2), -1, dtype=np.int64)
        for number, numbers in enumerate(found):
            part = np.frombuffer(numbers, dtype=np.int64).reshape(-1, 2)
            self.places[: len(part), number] = part

    def key(self, row: int) -> str:
        """What a sample is called."""
        low = int(self.ends[row - 1]) if row else 0
        return self.keys[low : int(self.ends[row])].decode("utf-8", "surrogateescape")

    def each_key(self) -> Iterator[str]:
        """What all samples are called, in order."""
        return map(self.key, range(len(self.ends)))

    def of_ending(self, ending: str) -> Int[Ints, "samples 2"]:
        """(samples, 2) offset and size of the members with one ending; -1 where there is none."""
        if ending not in self.endings:
            return np.full((len(self.ends), 2), -1, dtype=np.int64)
        found: Ints = self.places[:, self.endings.index(ending)]
        return found

    def row_of(self, key: str) -> int:
        """The sample of a key that is there."""
        return next(row for row in range(len(self.ends)) if self.key(row) == key)

    def bytes_of(self, row: int, ending: str, most: int = LONGEST) -> bytes | None:
        """What a member holds, up to `most` bytes; None where there is none."""
        if ending not in self.endings:
            return None
        offset, size = self.places[row, self.endings.index(ending)].tolist()
        if offset < 0:
            return None
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(min(size, most))


class Keys(TextPart):
    """The keys of some samples of a shard."""

    def __init__(self, shard: _Shard, rows: Int[Ints, " rows"]) -> None:
        self._shard, self._rows, self.n = shard, rows, len(rows)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return [self._shard.key(row) for row in self._rows[start:stop].tolist()]


class PictureNames(TextPart):
    """The names of the pictures in a shard: `00000.tar/KEY.jpg`."""

    def __init__(self, shard: _Shard, rows: Int[Ints, " rows"]) -> None:
        self._shard, self._rows, self.n = shard, rows, len(rows)
        endings = [one for one in PICTURES if one in shard.endings]
        self._there = {one: shard.of_ending(one)[:, 0] >= 0 for one in endings}

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        return [self._named(row) for row in self._rows[start:stop].tolist()]

    def _named(self, row: int) -> str | None:
        for ending, there in self._there.items():
            if there[row]:
                return f"{self._shard.path.name}/{self._shard.key(row)}.{ending}"
        return None


class TarRows(RowPart):
    """The embeddings of one shard, in its order."""

    def __init__(self, shard: _Shard, rows: Int[Ints, " rows"], ending: str) -> None:
        self.name, self._path, self.n = shard.path.name, shard.path, len(rows)
        self.width, self._kind, self._starts = 0, np.dtype(np.float32), np.empty(0, np.int64)
        if len(rows):
            self._look(shard, rows, shard.of_ending(ending)[rows])

    def _look(self, shard: _Shard, rows: Ints, places: Ints) -> None:
        """Find where the numbers of every member begin; all must be of one shape."""
        starts = np.empty(len(places), dtype=np.int64)
        with self._path.open("rb") as file:
            seen: dict[bytes, int] = {}
            for i, (offset, size) in enumerate(map(np.ndarray.tolist, places)):
                file.seek(offset)
                head = file.read(min(128, size)) + size.to_bytes(8, "little")
                if head not in seen:
                    key = shard.key(int(rows[i]))
                    seen[head] = self._header(file, offset, size, key, first=not seen)
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
    """Captions of one shard: of its .txt, its table, or its .json."""

    def __init__(self, shard: _Shard, rows: Int[Ints, " rows"], table: _Beside) -> None:
        self._shard, self._rows, self._table, self.n = shard, rows, table, len(rows)

    def read(self, start: int, stop: int) -> list[str | None]:  # noqa: D102
        rows = self._rows[start:stop]
        told = self._table.at(rows)
        return [self._caption(row, text) for row, text in zip(rows.tolist(), told, strict=True)]

    def _caption(self, row: int, told: str | None) -> str | None:
        text = self._shard.bytes_of(row, "txt")
        if text is not None:
            return text.decode("utf-8", "replace").strip() or None
        found = None if self._table.names(row) else self._shard.bytes_of(row, "json")
        if found is None:
            return told
        try:
            fields = json.loads(found)
            column = first_of_names(CAPTIONS, fields)
        except (ValueError, TypeError):
            return None
        told_there = None if column is None else text_of(fields[column], column)
        return (told_there or "").strip() or None


def _as_number(key: str) -> str:
    """A key of digits as the whole number that a table holds: without zeros in front."""
    return str(int(key)) if key.isascii() and key.isdigit() else key


class _Beside:
    """The table beside a shard: which of its rows is of which sample, by key."""

    def __init__(self, shard: _Shard) -> None:
        self.others = 0
        """Keys of the table that are not in the shard."""
        self._rows: Ints | None = None
        self._texts: Texts | None = None
        path = shard.path.with_suffix(".parquet")
        table = parquet.Table(path) if path.is_file() else None
        if table is None or "key" not in table.columns:
            return
        keys = Texts([table.texts("key")])
        called = _as_number if table.holds_whole_numbers("key") else str
        listed = {
            str(key): row for start, block in keys.blocks() for row, key in enumerate(block, start)
        }
        mine = [listed.pop(called(key), -1) for key in shard.each_key()]
        if mine and listed and max(mine) < 0:
            raise MismatchError(
                f"{path.name} lies beside {shard.path.name} and has none of its keys, such as "
                f"'{shard.key(0):.60}'; give each shard its own table, or move the table away"
            )
        self.others = len(listed)
        column = first_of_names(CAPTIONS, table.columns)
        if column is not None:
            self._rows = np.array(mine, dtype=np.int64)
            self._texts = Texts([table.texts(column)])

    def names(self, row: int) -> bool:
        """Whether the table has a sample, and captions."""
        return self._rows is not None and bool(self._rows[row] >= 0)

    def at(self, rows: Int[Ints, " rows"]) -> list[str | None]:
        """The captions of some samples; None where it has none."""
        found: list[str | None] = [None] * len(rows)
        if self._rows is None or self._texts is None:
            return found
        mine = self._rows[rows]
        there = np.flatnonzero(mine >= 0)
        for place, text in zip(there.tolist(), self._texts.at(mine[there]), strict=True):
            found[place] = text
        return found

    def __bool__(self) -> bool:
        return self._texts is not None


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
    pictures: list[TextPart] = []
    failed, any_caption = 0, False
    for shard in shards:
        rows = np.flatnonzero(shard.of_ending(ending)[:, 0] >= 0)
        table = _Beside(shard)
        failed += len(shard.ends) - len(rows) + table.others
        if not len(rows):
            continue
        parts.append(TarRows(shard, rows, ending))
        captions.append(TarTexts(shard, rows, table))
        names.append(Keys(shard, rows))
        pictures.append(PictureNames(shard, rows))
        any_caption = any_caption or bool(table or {"txt", "json"} & set(shard.endings))
    _require_once(Texts(names), place)
    paths = [shard.path for shard in shards]
    told = Texts(captions) if any_caption else None
    any_picture = any(set(PICTURES) & set(shard.endings) for shard in shards)
    pictured = Texts(pictures) if any_picture else None
    return Index(
        place.text,
        sampled_hash(paths, ending),
        name,
        {modality_of(ending.removesuffix("npy")): Rows(parts, place.text)},
        captions=told,
        pictures=pictured,
        picture_of=partial(_picture, shards),
        keys=Texts(names),
        failed=failed,
        keyed=True,
        folder=str(paths[0].parent),
    )


def _picture(shards: list[_Shard], name: str) -> bytes:
    """The file of a picture that `PictureNames` named."""
    file, _, member = name.partition("/")
    folder, slash, last = member.rpartition("/")
    stem, _, ending = last.partition(".")
    for shard in shards:
        if shard.path.name == file and ending in shard.endings:
            found = shard.bytes_of(shard.row_of(f"{folder}{slash}{stem}"), ending, LARGEST)
            if found is not None:
                return found
    raise FileError(f"no shard holds the picture {name:.80}")


def _ending(place: Place, shards: list[_Shard]) -> str:
    """The ending of the members that hold embeddings."""
    found = sorted({one for shard in shards for one in shard.endings if one.endswith("npy")})
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


def _require_once(keys: Texts, place: Place) -> None:
    """Raise MismatchError where a key stands in two shards; their hashes alone are in memory."""
    hashes = np.empty(len(keys), dtype=np.int64)
    for start, block in keys.blocks():
        hashes[start : start + len(block)] = [hash(key) for key in block]
    found, counts = np.unique(hashes, return_counts=True)
    rows = np.flatnonzero(np.isin(hashes, found[counts > 1]))
    seen: set[str | None] = set()
    for key in sorted(str(key) for key in keys.at(rows)):
        if key in seen:
            raise MismatchError(
                f"the key '{key:.60}' stands in two shards of {place.text:.80}; a key stands for "
                "one sample, so give each its own"
            )
        seen.add(key)
