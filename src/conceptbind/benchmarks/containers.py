"""Entries of published files, one by one: JSON, JSON lines, tables, parquet, arrow, webdataset,
`save_to_disk` folders, lines of text.
"""

from __future__ import annotations

import ast
import tarfile
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from conceptbind.benchmarks.shards import table_rows
from conceptbind.core.errors import FileError, MismatchError, ValueRangeError, counted
from conceptbind.core.text import parse_json, read_json_values, read_lines, read_table

PICTURE_KINDS = ("jpg", "jpeg", "png", "webp", "npy")
"""Endings of pictures in a webdataset."""
INSIDE = (".parquet", ".arrow", ".tar")
"""Files that may hold pictures."""
AGAIN = "it seems to be truncated; get it again from where it is published"
LARGEST_MEMBER = 1 << 28
"""Bytes of one file of a webdataset."""
LONGEST_LITERAL = 1 << 20
"""Characters of a Python literal."""
DEEPEST_LITERAL = 50
"""Brackets of a literal that stand inside each other."""


def entries_of(
    paths: Sequence[Path],
    *,
    without: Sequence[str] = (),
    nested: bool = False,
    by_id: bool = False,
    group: int = 1,
) -> Iterator[Any]:
    """The entries of one data set, in their order.

    Args:
        paths: its file, or its shards in their order.
        without: columns of pictures, which are not read.
        nested: a JSON object of objects gives entries of `key`, `inner` and `value`.
        by_id: a JSON file must be an object of items.
        group: how many rows are one entry together: a dictionary by `0`, `1`, ...

    Raises:
        FileError, MismatchError, ValueRangeError, MissingExtraError: a file is missing, truncated,
            or another one.
    """
    if paths[0].suffix.lower() == ".txt":
        found = chain.from_iterable(_lines(path, group) for path in paths)
    else:
        found = chain.from_iterable(_entries(path, without, nested, by_id) for path in paths)
    if group == 1:
        yield from found
        return
    while rows := list(islice(found, group)):
        if len(rows) < group:
            raise MismatchError(
                f"{paths[0]} is not the file it should be: expected {group} rows for each item, "
                f"and {len(rows)} are left at its end"
            )
        yield {str(place): row for place, row in enumerate(rows)}


def _entries(path: Path, without: Sequence[str], nested: bool, by_id: bool) -> Iterator[Any]:
    kind = path.suffix.lower()
    if kind in (".parquet", ".arrow"):
        refuse_chosen_rows(path)
        return table_rows(path, (), without=without)
    if kind == ".tar":
        return webdataset(path, pictures=not without)
    return _of_text(path, nested, by_id)


def _of_text(path: Path, nested: bool, by_id: bool) -> Iterator[Any]:
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        return _of_table(path)
    content = read_json_values(path, AGAIN)
    if nested:
        return _nested(path, content)
    if by_id and (not isinstance(content, dict) or not content):
        raise MismatchError(
            f"{path} is not the file it should be: expected a dictionary of items by number"
        )
    if isinstance(content, dict) and content:
        return iter(content.values())
    if not isinstance(content, list) or not content:
        raise MismatchError(f"{path} is not the file it should be: expected a list of items")
    return iter(content)


def _lines(path: Path, group: int) -> Iterator[str]:
    """The lines of a text. Blank ones may stand between the items, never within one."""
    within = 0
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            within = (within + 1) % group
            yield line
        elif within:
            raise MismatchError(
                f"{path}, line {number}: a blank line within an item; expected {group} lines for "
                "each, with blank lines between items alone"
            )


def _of_table(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table; a first column without a name, which is the index of pandas, may stand
    there.
    """
    lines = read_table(path, LONGEST_LITERAL)  # a cell may hold a list
    if not lines:
        raise ValueRangeError(f"the table {path} is empty; expected a header line and rows")
    (_, header), *rows = lines
    if "" in header[1:] or len(set(header)) != len(header):
        raise ValueRangeError(
            f"the header of {path} has empty or duplicate column names: {', '.join(header):.200}"
        )
    for number, cells in rows:
        if len(cells) != len(header):
            raise ValueRangeError(
                f"{path}, line {number}: expected {counted(len(header), 'cell')} as in the "
                f"header, got {len(cells)}"
            )
        yield dict(zip(header, cells, strict=True))


def _nested(path: Path, content: object) -> Iterator[dict[str, Any]]:
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise MismatchError(f"{path} is not the file it should be: expected an object of objects")
    for key, inner in content.items():
        for name, value in inner.items():
            yield {"key": key, "inner": name, "value": value}


def refuse_chosen_rows(path: Path) -> None:
    """Raise MismatchError where a `save_to_disk` folder shows only chosen rows of its files.

    Args:
        path: of one of its arrow files.
    """
    state = path.parent / "state.json"
    if path.suffix.lower() != ".arrow" or not state.is_file():
        return
    told = read_json_values(state, AGAIN)
    chosen = ("_indices_files", "_indices_data_files")
    if isinstance(told, dict) and any(told.get(name) for name in chosen):
        raise MismatchError(
            f"{path.parent} was saved with chosen rows, which stand in a file of their own; save "
            "it again after flatten_indices()"
        )


def webdataset(path: Path, *, pictures: bool = True) -> Iterator[dict[str, Any]]:
    """The samples of a tar file, in the order in which each begins. Files of one key belong
    together, wherever they stand.

    `KEY.jpg` is the field `image`, `KEY.NAME.jpg` the field `NAME`, `KEY.txt` the field `caption`,
    and what `KEY.json` holds are fields of their own.

    Args:
        path: the file.
        pictures: read what pictures hold; they are empty otherwise.

    Raises:
        FileError: it is truncated or no tar file, or one of its files is too large.
        MismatchError: one field stands there twice.
    """
    members: dict[str, list[tarfile.TarInfo]] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                if member.isfile():
                    name = PurePosixPath(member.name)
                    key = str(name.parent / name.name.partition(".")[0])
                    members.setdefault(key, []).append(member)
            # one sample is in memory at a time
            for key, files in members.items():
                sample: dict[str, Any] = {"key": PurePosixPath(key).name}
                for member in files:
                    _add(sample, path, member, archive, pictures)
                yield sample
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(
            f"{path} is not a whole tar file ({' '.join(str(error).split()):.200}); get it again "
            "from where it is published"
        ) from error


def _add(
    sample: dict[str, Any],
    path: Path,
    member: tarfile.TarInfo,
    archive: tarfile.TarFile,
    pictures: bool,
) -> None:
    """One file of a webdataset to its sample."""
    field, _, ending = PurePosixPath(member.name).name.partition(".")[2].lower().rpartition(".")
    if member.size > LARGEST_MEMBER:
        raise FileError(
            f"{path}: {member.name:.80} has {member.size:,} bytes; at most {LARGEST_MEMBER:,} are "
            "read"
        )
    found: dict[str, Any] = {}
    if ending in PICTURE_KINDS:
        found = {field or "image": _read(archive, member) if pictures else b""}
    elif ending == "json":
        told = parse_json(_text(archive, member, path), f"{path}, {member.name}", AGAIN)
        whole = told if isinstance(told, dict) and not field else {field or "json": told}
        found = {name: value for name, value in whole.items() if name != "key"}
    elif ending in ("txt", "cls"):
        usual = {"txt": "caption", "cls": "label"}[ending]
        found = {field or usual: _text(archive, member, path).strip()}
    for one, value in found.items():
        before = sample.setdefault(one, value)
        if isinstance(before, str) and isinstance(value, str):
            # of a caption that stands there twice, one may end in a space or a line
            alike, sample[one] = before.strip() == value.strip(), before
        else:
            alike = before == value
        if not alike:
            raise MismatchError(
                f"{path}: the sample {sample['key']:.80} has the field '{one:.60}' twice"
            )


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    try:
        return _read(archive, member).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: {member.name:.80} is not UTF-8 text") from error


def literal(text: str, where: str) -> Any:
    """A Python literal, such as a list of texts, from its source. It is parsed and never
    evaluated.

    Args:
        text: the source.
        where: for messages.

    Raises:
        ValueRangeError: it is no literal, too long, or nested too deep.
    """
    if len(text) > LONGEST_LITERAL:
        raise ValueRangeError(
            f"{where}: expected a list written as a Python literal of at most {LONGEST_LITERAL:,} "
            f"characters; got {len(text):,}"
        )
    deep = most = 0
    quote, escaped = "", False
    for letter in text:  # brackets in texts do not count: ":("
        if quote:
            ends = letter == quote and not escaped
            quote, escaped = "" if ends else quote, letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        else:
            deep += (letter in "([{") - (letter in ")]}")
            most = max(most, deep)
    try:
        if most > DEEPEST_LITERAL:
            raise ValueError("it is nested too deep")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a caption
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueRangeError(
            f"{where}: expected a list written as a Python literal; got {text[:60]!r}"
        ) from error
