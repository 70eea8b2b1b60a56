"""Files of a published data set, however many it is cut into: their order, what is missing of them,
and the rows of parquet and arrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.base import Found
from conceptbind.core.errors import FileError, MismatchError, MissingExtraError
from conceptbind.core.limits import require_unpacked

if TYPE_CHECKING:
    from types import ModuleType

TABLES = (".parquet", ".arrow")
"""Suffixes of files with the pictures inside."""
_COUNTED = re.compile(
    r"(?P<stem>.*?)[-_.]?(?P<number>\d+)-of-(?P<count>\d+)(?P<hash>-[0-9a-f]{6,})?(?P<suffix>\.\w+)"
)
"""`test-00000-of-00002.parquet`, also with the hash that older releases of `datasets` put behind
it."""
_NUMBERED = re.compile(r"(?P<stem>|.*?[-_.])(?P<number>\d+)(?P<suffix>\.\w+)")
"""`0000.parquet`, `part-0.parquet`."""
_TEST = re.compile(r"(^|[-_.])test$", re.IGNORECASE)
_ROWS = 16
"""Rows with pictures that are in memory at once."""


@dataclass(eq=False)
class OneFile:
    """A benchmark whose items stand in one file, which goes by several names."""

    name: str
    title: str
    """Its name in words."""
    files: tuple[str, ...]
    """Names of the file, or patterns; the first that is there is read, with all its shards."""
    published: str
    """Where it can be had."""
    licence: str
    """Licence of the data."""

    def annotations(self, folder: Path, what: str) -> list[Found]:
        """The file, or its shards with those that are missing; `what` they hold."""
        paths, missing = published_files(folder, self.files)
        if not paths:
            return [Found(folder / self.files[0], what, False)]
        lacking = [Found(paths[0].parent / name, what, False) for name in missing]
        return [*(Found(path, what, True) for path in paths), *lacking]


def published_files(folder: Path, files: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The first of several files that a folder holds, or all shards of it in their order.

    Args:
        folder: of the data set.
        files: names, or patterns such as `data/*.parquet`. A name stands for its shards too:
            `NAME-00000-of-00002.json`.

    Returns:
        paths: of the files that are there; none where the folder holds none of them.
        missing: names of shards that should lie beside them.

    Raises:
        MismatchError: a pattern fits several data sets, none of which is called test; names them.
    """
    for name in files:
        if (folder / name).is_file():
            return [folder / name], []
        stem, dot, suffix = name.rpartition(".")
        patterns = [name] if "*" in name else [f"{stem}-*-of-*{dot}{suffix}"]
        found = [
            path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()
        ]
        if any(one.endswith(".tar") for one in files):
            found = [path for path in found if not _beside_pictures(path)]
        if found:
            return _one_set(folder, found)
    return [], []


def _beside_pictures(path: Path) -> bool:
    """Whether a table only says what lies in the archive of its name, as img2dataset writes it."""
    return path.suffix.lower() == ".parquet" and path.with_suffix(".tar").is_file()


def require_files(folder: Path, files: Sequence[str], published: str) -> list[Path]:
    """All files of what `published_files` finds.

    Raises:
        FileError: there is none (says where they are published), or a shard is missing (says
            which).
    """
    paths, missing = published_files(folder, files)
    if not paths:
        named = " or ".join(files[:4]) + (" or the like" if len(files) > 4 else "")
        raise FileError(f"{folder} holds no {named}; {published}")
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise FileError(
            f"{len(missing)} of {len(missing) + len(paths):,} files of "
            f"{paths[0].name} are not in "
            f"{paths[0].parent}: {named}; "
            "get them from where it is published"
        )
    return paths


def _one_set(folder: Path, found: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files of one set among those that fit a pattern, and the names of those that it lacks."""
    sets: dict[tuple[str, str, str], dict[int, list[Path]]] = {}
    for path in found:
        counted = _COUNTED.fullmatch(path.name)
        match = counted or _NUMBERED.fullmatch(path.name)
        stem = match["stem"] if match else path.stem
        count = counted["count"] if counted else ""
        number = int(match["number"]) if match else 0
        shards = sets.setdefault((str(path.parent), stem, count), {})
        shards.setdefault(number, []).append(path)
    chosen = (
        [*sets]
        if len(sets) == 1
        else [key for key in sets if _TEST.search(key[1].rstrip("-_.") or Path(key[0]).name)]
    )
    if len(chosen) != 1:
        raise MismatchError(
            f"{folder} holds several sets of files: "
            f"{', '.join(path.name for path in found[:6])}{', ...' if len(found) > 6 else ''}; "
            "leave only the files of the one to be read there"
        )
    (key,) = chosen
    return _in_order(sets[key])


def _in_order(shards: dict[int, list[Path]]) -> tuple[list[Path], list[str]]:
    twice = next((paths for paths in shards.values() if len(paths) > 1), None)
    if twice is not None:
        raise MismatchError(
            f"{twice[0].parent} holds one part of a data set twice: {twice[0].name}, "
            f"{twice[1].name}; remove one of them"
        )
    numbers = sorted(shards)
    first = shards[numbers[0]][0]
    counted, plain = _COUNTED.fullmatch(first.name), _NUMBERED.fullmatch(first.name)
    match = counted or plain
    if match is None or (counted is None and len(numbers) == 1):
        return [first], []
    if counted:
        count = int(counted["count"])
        start = 1 if 0 not in shards and count in shards else 0
        expected = range(start, start + min(count, 100_000))
    else:
        expected = range(min(numbers[0], 1), numbers[-1] + 1)
    before, after = first.name[: match.start("number")], first.name[match.end("number") :]
    name = f"{before}%0{len(match['number'])}d{after}"
    return [shards[n][0] for n in numbers], [name % n for n in expected if n not in shards]


def table_rows(
    path: Path,
    fields: Sequence[str],
    columns: Sequence[str] | None = None,
    without: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """The rows of a parquet or arrow file.

    Args:
        path: the file.
        fields: columns that it must have.
        columns: those that are read; all by default.
        without: columns that are not read.

    Raises:
        MissingExtraError: pyarrow is not installed.
        FileError: the file is truncated.
        MismatchError: it lacks a column.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", f"reading {path.name}") from error
    try:
        batches: Any
        if path.suffix.lower() == ".arrow":
            table = _open_arrow(pa, path)
            names, batches = (
                table.schema.names,
                (
                    batch.slice(i, _ROWS)
                    for batch in _batches(table)
                    for i in range(0, len(batch), _ROWS)
                ),
            )
        else:
            file = pq.ParquetFile(path)
            groups = [
                file.metadata.row_group(i).total_byte_size
                for i in range(file.metadata.num_row_groups)
            ]
            # one is unpacked at a time
            require_unpacked(
                path, max(groups, default=0), "get it again from where it is published"
            )
            names = file.schema_arrow.names
            columns = _but(names, columns, without)
            batches = file.iter_batches(batch_size=_ROWS, columns=columns)
        if missing := [name for name in fields if name not in names]:
            raise MismatchError(
                f"{path} is not the file it should be: it lacks the columns {', '.join(missing)}; "
                f"it has {', '.join(names)}"
            )
        columns = _but(names, columns, without)
        for batch in batches:
            yield from (batch if columns is None else batch.select(list(columns))).to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"{path} is not a whole {path.suffix[1:]} file ({' '.join(str(error).split())}); get "
            "it again from where it is published"
        ) from error


def _but(
    names: Sequence[str], columns: Sequence[str] | None, without: Sequence[str]
) -> Sequence[str] | None:
    """The columns that are read: None for all."""
    if columns is not None or not without:
        return columns
    return [name for name in names if name not in without]


def _open_arrow(pa: ModuleType, path: Path) -> Any:
    """A reader of either form: the stream that `datasets` writes, or the file with its footer."""
    source = pa.OSFile(str(path))
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        return pa.ipc.open_file(pa.OSFile(str(path)))


def _batches(table: Any) -> Iterator[Any]:
    if hasattr(table, "num_record_batches"):
        return (table.get_batch(i) for i in range(table.num_record_batches))
    return iter(table)
