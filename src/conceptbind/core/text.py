"""The one way in which text of a user's file is read: encoding, byte order marks, line ends, JSON,
tables.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from conceptbind.core.errors import (
    FileError,
    MismatchError,
    UnsafeFileError,
    ValueRangeError,
    counted,
)

BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
"""What a file may begin with, and the encoding that it declares; the longer mark first where one
begins with another."""
BINARY = (
    (b"PK\x03\x04", "a zip archive, as spreadsheets of Excel are"),
    (b"\x1f\x8b", "compressed"),
    (b"PAR1", "a parquet file"),
    (b"SQLite format 3", "a database"),
    (b"%PDF", "a PDF"),
)
"""First bytes of files that are not text though their names may say so."""
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}
"""What may stand between the cells of a table, in words."""

_LINE_END = re.compile("\r\n|\r|\n")
_WORDS = re.compile(r"[^\w.-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HEAD = 1 << 20
_LOOKED_AT = 50
"""Characters and lines of a table that are looked at to find what separates its cells."""

LONGEST_CELL = 1 << 17
"""Characters of one cell of a table."""


def read_text(path: Path, what: str = "", expected: str = "") -> str:
    """The text of a file, without its byte order mark.

    UTF-8 is read, and UTF-16 and UTF-32 where a byte order mark declares them. Other encodings
    cannot be told apart for sure and are refused with the command that converts them.

    Args:
        path: a regular file.
        what: what it is, for error messages: "the table".
        expected: for error messages: "expected a CSV file".

    Raises:
        FileError: it is missing, unreadable, not a regular file, not text, or in another encoding.
    """
    start = f"could not read {what + ' ' if what else ''}{path}"
    end = f"; {expected}" if expected else ""
    try:
        if path.exists() and not path.is_file():
            raise FileError(
                f"{start}: it is {'a folder' if path.is_dir() else 'a pipe or a device'}, no "
                f"regular file{end}"
            )
        data = path.read_bytes()
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{start}: {error.strerror or error}{end}") from error
    except ValueError as error:  # a NUL in the name
        raise FileError(f"could not read {what or 'a file'} {str(path)!r}: {error}{end}") from error
    text = _decoded(data, path, start, end)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileError(
            f"{start}: line {line} holds a NUL character, which no text has; the file is damaged "
            f"or no text{end}"
        )
    return text.replace("\n\ufeff", "\n")  # files with marks, one appended to another


def _decoded(data: bytes, path: Path, start: str, end: str) -> str:
    for first, kind in BINARY:
        if data.startswith(first):
            raise FileError(f"{start}: it is {kind}, no text; save it as UTF-8 text{end}")
    mark, encoding = next(
        ((m, e) for m, e in BYTE_ORDER_MARKS if data.startswith(m)), (b"", "utf-8")
    )
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if mark:
            raise FileError(
                f"{start}: its byte order mark says {encoding}, but byte {error.start} does not "
                f"fit it{end}"
            ) from error
        raise FileError(f"{start}: {_other_encoding(data, error, path)}{end}") from error


def _other_encoding(data: bytes, error: UnicodeDecodeError, path: Path) -> str:
    """What a file that is not UTF-8 may be, and how it becomes UTF-8."""
    line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
    where = f"it is not UTF-8 (line {line} has the byte 0x{byte:02x})"
    if re.match(rb"\xed[\xa0-\xbf]", data[error.start : error.start + 2]):
        return (
            f"line {line} holds half of a surrogate pair, which stands for no character; write "
            "the character itself as UTF-8"
        )
    if data.count(b"\0") or data[:1] == b"\x80":
        return f"{where} and seems to be no text"
    try:
        data.decode("cp1252")
        likely = "WINDOWS-1252"  # which holds all that people write in Latin-1
    except UnicodeDecodeError:
        likely = "ISO-8859-1"
    old, new = shlex.quote(path.name), shlex.quote(f"utf8-{path.name}")
    return (
        f"{where}; if it is Windows-1252 or Latin-1, convert it: iconv -f {likely} -t UTF-8 "
        f"{old} > {new}"
    )


def split_lines(text: str) -> list[str]:
    """The lines of a text, which end at CR, LF or CR LF only: U+2028, U+0085 and their like stay
    inside. None is made of a last line end.
    """
    lines = _LINE_END.split(text)
    return lines[:-1] if lines[-1] == "" else lines


def read_lines(path: Path, what: str = "", expected: str = "") -> list[str]:
    """The lines of a text file; see `read_text` and `split_lines`."""
    return split_lines(read_text(path, what, expected))


def require_characters(texts: Iterable[str], what: str) -> None:
    """Refuse text with half of a surrogate pair, which no file and no tokenizer takes.

    Raises:
        ValueRangeError: names the first such text.
    """
    texts = texts if isinstance(texts, list | tuple) else list(texts)
    try:
        "".join(texts).encode()  # far quicker than a look at each
    except UnicodeEncodeError:
        for number, text in enumerate(texts):
            if _SURROGATE.search(text):
                raise ValueRangeError(
                    f"{what} {number} holds half of a surrogate pair, which stands for no "
                    f"character: {text[:60]!a}; remove it"
                ) from None


def parse_json(text: str, where: str, advice: str) -> Any:
    """JSON in which no object has one key twice, where the later value would silently replace the
    earlier one.

    Args:
        text: one JSON value.
        where: for error messages: the file, and the line if it has several values.
        advice: what to do where it is no JSON.

    Raises:
        FileError: it is not valid JSON, or is nested too deep.
        MismatchError: a key stands there twice.
        ValueRangeError: a text in it holds half of a surrogate pair.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise MismatchError(
                f"{where} has the id {twice!r:.80} twice; every item must have its own"
            )
        return found

    if not text.strip():
        raise FileError(f"{where} is empty; {advice}")
    try:
        content = json.loads(text, object_pairs_hook=unique)
    except MismatchError:
        raise
    except RecursionError as error:
        raise FileError(f"{where} is nested too deep to be read; {advice}") from error
    except ValueError as error:
        raise FileError(f"{where} is not valid JSON ({error}); {advice}") from error
    if re.search(r"\\u[dD][89a-fA-F]", text):  # whole pairs have become one character
        require_characters(list(_texts(content)), f"{where}: text")
    return content


def _texts(content: object) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            left += value.values()
        elif isinstance(value, list):
            left += value


def read_json_values(path: Path, advice: str) -> Any:
    """A JSON file; a file of JSON lines gives the list of its values, under the name `.json` too.

    Raises:
        FileError, MismatchError, ValueRangeError: see `read_text` and `parse_json`; the line is
            named.
    """
    text = read_text(path)
    lines = [
        (number, line) for number, line in enumerate(split_lines(text), start=1) if line.strip()
    ]
    if path.suffix.lower() in (".jsonl", ".ndjson") or (
        len(lines) > 1 and _whole_object(lines[0][1])
    ):
        return [parse_json(line, f"{path}, line {number}", advice) for number, line in lines]
    return parse_json(text, str(path), advice)


def _whole_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def read_table(path: Path, longest: int = LONGEST_CELL) -> list[tuple[int, list[str]]]:
    """(line number, cells without spaces around them) of every line of a table that is not blank.

    Cells are separated by commas, semicolons, tabs or `|`: the one that the first line has, or the
    one of several by which all lines have equally many cells. A first line `sep=;` says it.

    Args:
        path: of the table.
        longest: characters of one cell, at most.

    Raises:
        UnsafeFileError: the file is a pickle.
        FileError: the file is missing, no text, or a quotation mark in it is never closed.
        ValueRangeError: it is empty, or it cannot be told what separates its cells.
    """
    if path.suffix.lower() in {".pkl", ".pickle"}:
        raise UnsafeFileError(
            f"{path} is a pickle, and reading a pickle can execute code; save the table as CSV "
            "instead"
        )
    text = read_text(path, "the table", "expected a CSV file (UTF-8) with a header line")
    # as Excel writes it
    said = re.match(r"\s*sep=([,;\t|])[ \t]*(?:\r\n|\r|\n)", text, re.IGNORECASE)
    skipped = said.end() if said else 0
    before = len(_LINE_END.findall(text[:skipped]))
    text = text[skipped:]
    usual = csv.field_size_limit(longest)  # of the whole process
    try:
        delimiter = said[1] if said else delimiter_of(path, text)
        return [(before + number, cells) for number, cells in _records(path, text, delimiter)]
    finally:
        csv.field_size_limit(usual)


def _records(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        lines = [(reader.line_num, list(map(str.strip, line))) for line in reader if line]
    except csv.Error as error:
        raise FileError(
            f"could not read the table {path}: {error}, before line {reader.line_num + 1}; "
            "a quotation mark may be open there; expected a CSV file (UTF-8) with a header line"
        ) from error
    if text.count('"') % 2 or any(
        "\n" in cell or "\r" in cell for _, line in lines for cell in line
    ):
        _refuse_open_quote(path, text, delimiter)
    # separators below the last row, as spreadsheets write them
    while lines and not any(lines[-1][1]):
        lines.pop()
    return lines


def _refuse_open_quote(path: Path, text: str, delimiter: str) -> None:
    """Raise where a quotation mark that is not closed has made a cell of the lines below it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    last = 1
    try:
        for _ in reader:
            last = reader.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error) or reader.line_num > last:
            raise FileError(
                f"could not read the table {path}: a quotation mark opens in line {last} and is "
                "not closed there; write it twice, in a "
                "cell that is quoted as a whole, or take it out"
            ) from error


def delimiter_of(path: Path, text: str) -> str:
    """What separates the cells of a table; see `read_table`."""
    lines = split_lines(text[:_HEAD])
    whole = len(text) <= _HEAD and len(lines) <= 2 * _LOOKED_AT
    head = "\n".join(lines[: 2 * _LOOKED_AT])
    found: dict[str, list[list[str]]] = {}
    for mark in DELIMITERS:
        try:
            rows = [
                row
                for row in csv.reader(io.StringIO(head, newline=""), delimiter=mark)
                if any(map(str.strip, row))
            ]
        except csv.Error:
            continue
        # the last row may be cut
        found[mark] = rows[:_LOOKED_AT] if whole else rows[:-1][:_LOOKED_AT]
    in_header = [mark for mark, rows in found.items() if rows and len(rows[0]) > 1]
    if not in_header:
        only = next((rows[0][0] for rows in found.values() if rows), "")
        held = next((mark for mark in DELIMITERS if mark in only), None)
        if held is not None:
            raise ValueRangeError(
                f"{path} has one column name, {only.strip()[:60]!r}, with {DELIMITERS[held]} in "
                "it: its first line seems to be quoted as a "
                "whole; quote single cells only"
            )
        pieces = _WORDS.split(only.strip())
        body = [_WORDS.split(row[0].strip()) for row in found.get(",", [])[1:] if len(row) == 1]
        if len(pieces) > 1 and body and all(len(row) == len(pieces) for row in body):
            raise ValueRangeError(
                f"{path} has one column name, {only.strip()[:60]!r}, and every line below it has "
                f"{counted(len(pieces), 'word')} too; separate cells by "
                "commas, semicolons, tabs or '|' (if it is one column, give it a name of one word)"
            )
        for mark, rows in found.items():
            widths = {len(row) for row in rows[1:]}
            if mark != "," and len(widths) == 1 and widths != {1}:
                raise ValueRangeError(
                    f"{path} has one column name, '{rows[0][0].strip():.60}', but every line below "
                    f"it has {counted(widths.pop(), 'cell')} "
                    f"separated by {DELIMITERS[mark]}; give each column its name in the first line"
                )
        return ","
    if len(in_header) == 1:
        return in_header[0]
    if path.suffix.lower() == ".tsv" and "\t" in in_header:
        return "\t"
    even = [mark for mark in in_header if _even(found[mark])]
    if len(even) == 1:
        return even[0]
    raise ValueRangeError(
        f"it cannot be told what separates the cells of {path}: its first line has "
        f"{' and '.join(DELIMITERS[m] for m in in_header)}, and "
        f"{'all of them' if even else 'none of them'} would give every line equally many cells; "
        "write it again with commas, and cells that hold a comma in quotation marks"
    )


def _even(rows: Sequence[Sequence[str]]) -> bool:
    """Whether there are several rows and all have equally many cells."""
    return len(rows) > 1 and len(set(map(len, rows))) == 1
