"""Files that appear whole or not at all, and hashes that name their content."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conceptbind.core.errors import ConceptBindError, FileError, ValueRangeError, quoted
from conceptbind.core.limits import require_regular
from conceptbind.core.ownership import LOCK, hold, holding, is_free
from conceptbind.core.text import parse_json, read_text

ASIDE = re.compile(r"\..{1,100}\.\d+-[0-9a-f]{16}\.part", re.DOTALL)
"""Names of files that are being written."""
CHECKSUM = "checksum"
"""The key of JSON files under which the hash of all else stands."""


def aside_of(path: Path) -> Path:
    """A name beside a file, for its content until it is whole; no two processes of any container
    take the same.
    """
    return path.with_name(f".{path.name[:60]}.{os.getpid()}-{secrets.token_hex(8)}.part")


@contextmanager
def written_aside(path: Path, size: int | None = None) -> Iterator[Path]:
    """A file beside `path` to write to, renamed into place at the end, so that a kill or a full
    disk never leaves half of it.

    Raises:
        FileError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except ConceptBindError:
        raise
    except (OSError, ValueError) as error:
        number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = (
            "free some space or choose another folder"
            if full
            else "choose a folder that can be written"
        )
        told = "" if size is None else f" ({size:,} bytes)"
        raise FileError(
            f"could not write {path}{told}: {reason}; {advice} with --out, then run the same "
            "command again"
        ) from error
    finally:
        with suppress(OSError, ValueError):
            aside.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file aside and rename it into place.

    Raises:
        FileError: see `written_aside`.
        ValueRangeError: the text holds half of a character.
    """
    data = _bytes(content) if isinstance(content, str) else content
    with written_aside(path, len(data)) as aside, aside.open("wb") as file:
        hold(file.fileno())
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Write a text that is made part by part, and rename it into place when it is whole.

    Raises:
        FileError: see `written_aside`.
        ValueRangeError: a part holds half of a character.
    """
    with written_aside(path) as aside, aside.open("wb") as file:
        hold(file.fileno())
        for part in parts:
            file.write(_bytes(part))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def folder_written_aside(folder: Path, what: str) -> Iterator[Path]:
    """A folder beside `folder` to write to, renamed into place at the end, so that it appears
    whole. What a killed command left of such a folder goes.

    Args:
        folder: absolute; new or empty.
        what: it is for, for messages ("the repaired model").

    Raises:
        FileError: the folder is taken or cannot be written; nothing is left behind.
    """
    aside = aside_of(folder)
    try:
        _clear_folders_aside(folder)
        aside.mkdir(parents=True)
        with holding(aside):
            yield aside
            require_empty(folder, what)  # again: another may have written there meanwhile
            aside.replace(folder)
    except ConceptBindError:
        raise
    except OSError as error:
        raise FileError(
            f"could not write {folder}: {error.strerror or error}; choose a folder that can be "
            "written"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _clear_folders_aside(folder: Path) -> None:
    """Remove what killed commands left half-written for a folder; what is being written stays."""
    for left in folder.parent.glob(f"{glob.escape(f'.{folder.name[:60]}.')}*.part"):
        ours = ASIDE.fullmatch(left.name) and left.is_dir() and not left.is_symlink()
        if ours and is_free(left):
            shutil.rmtree(left, ignore_errors=True)


def require_empty(folder: Path, what: str) -> Path:
    """An absolute path of a folder that is new or empty.

    Raises:
        FileError: something is there.
    """
    folder = folder.absolute()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileError(f"{folder} is not empty; choose a new folder for {what}")
    return folder


def clear_asides(folder: Path, names: Iterable[str] = (), *, deep: bool = False) -> None:
    """Remove what killed commands left half-written in a folder; links are not followed, and what
    is being written stays.

    Args:
        folder: may be missing.
        names: of the files whose halves go; of all files where none is named.
        deep: in subfolders too.
    """
    starts = tuple(f".{name[:60]}." for name in names) or (".",)
    for place, folders, files in os.walk(folder):
        for name in files:
            if ASIDE.fullmatch(name) and name.startswith(starts) and is_free(Path(place) / name):
                with suppress(OSError):
                    (Path(place) / name).unlink()
        if not deep:
            folders.clear()


def user_path(path: str | Path) -> Path:
    """A path that a user wrote, with `~` expanded.

    Raises:
        FileError: there is no such user, or no home folder; a name that no file can have; no path
            at all.
    """
    if not isinstance(path, str | os.PathLike):
        raise FileError(f"expected a path; got {quoted(path)}; give a text or a pathlib.Path")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise FileError(f"expected a path as text; got {quoted(text)}")
    if not text.strip():
        raise FileError("expected a path; got an empty one; the folder you are in is written .")
    if "\0" in text or has_half_characters(text):
        raise FileError(
            f"{ascii(text)[:200]} is not a path: it holds a zero byte, or bytes that are no UTF-8; "
            "rename it"
        )
    if any(len(os.fsencode(part)) > 255 for part in Path(text).parts):
        raise FileError(
            f"the path {text[:60]}... has a name of more than 255 bytes; choose a shorter one"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise FileError(
            f"cannot tell which home folder {text[:200]} means ({error}); write the path out"
        ) from error


def has_half_characters(text: str) -> bool:
    """Whether a text holds lone surrogates: halves of characters, or bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _bytes(text: str) -> bytes:
    """UTF-8.

    Raises:
        ValueRangeError: the text holds half of a character, which no file can hold.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        around = ascii(text[max(0, error.start - 20) : error.end + 20])
        raise ValueRangeError(
            f"the text {around} holds half of a character (a lone surrogate); correct it in the "
            "input"
        ) from error


def write_json(path: Path, value: object) -> None:
    """Write JSON that a person can read and a parser elsewhere accepts (no NaN)."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, advice: str = "delete it and run again") -> Any:
    """Read JSON.

    Raises:
        FileError: the file is missing or not JSON.
    """
    return parse_json(read_text(path), str(path), advice)


def write_checked_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON with a hash of its content, so that `read_checked_json` tells whether it was
    changed since.
    """
    write_json(path, {**value, CHECKSUM: json_hash(value)})


def read_checked_json(path: Path, advice: str = "delete it and run again") -> dict[str, Any]:
    """What `write_checked_json` wrote.

    Raises:
        FileError: the file is missing, not JSON, or its content is not that of its hash.
    """
    return require_unchanged(read_json(path, advice), path, advice)


def require_unchanged(found: object, path: Path, advice: str) -> dict[str, Any]:
    """What a file that `write_checked_json` wrote holds, without its checksum, where it was read
    already.

    Raises:
        FileError: its content is not that of its hash.
    """
    if not isinstance(found, dict) or found.pop(CHECKSUM, None) != json_hash(found):
        raise FileError(
            f"{path} was changed or damaged since it was written (its checksum does not fit); "
            f"{advice}"
        )
    return found


def json_hash(value: object) -> str:
    """A hash of what JSON holds, whatever its layout."""
    return content_hash(json.dumps(value, sort_keys=True, ensure_ascii=True))


def content_hash(*parts: bytes | str) -> str:
    """Hexadecimal SHA-256 of the parts, each preceded by its length so that no two lists of parts
    collide.

    Raises:
        ValueRangeError: a part holds half of a character.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = _bytes(part) if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks.

    Raises:
        FileError: it is not a regular file.
    """
    with require_regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileHashes:
    """Hashes of files, each of which is read once: for one command, during which they stay."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def know(self, path: Path, digest: str) -> None:
        """Take the hash of a file that was read for something else."""
        self._known[os.path.abspath(path)] = digest

    def __call__(self, path: Path) -> str:
        """See `file_hash`."""
        place = os.path.abspath(path)
        if place not in self._known:
            self._known[place] = file_hash(path)
        return self._known[place]


def tree_hash(path: Path, hash_of: Callable[[Path], str] = file_hash) -> str:
    """A hash of a file, or of the names and contents of all files of a folder; a command's lock and
    what is being written do not count.

    Raises:
        FileError: nothing is there, or something that is neither.
    """
    if not path.is_dir():
        return hash_of(path)
    walked = ((Path(place) / name) for place, _, names in os.walk(path) for name in names)
    found = (file for file in walked if file.name != LOCK and not ASIDE.fullmatch(file.name))
    named = sorted((file.relative_to(path).as_posix(), file) for file in found)
    return content_hash(*(part for name, file in named for part in (name, hash_of(file))))
