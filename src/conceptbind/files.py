"""Files that appear whole or not at all, and hashes that name their content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from conceptbind.errors import FileError
from conceptbind.text import parse_json, read_text


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file aside and rename it into place, so that a kill or a full disk never leaves half of it.

    Raises:
        FileError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        advice = "free some space or choose another folder" if full else "choose a folder that can be written"
        raise FileError(
            f"could not write {path} ({len(data):,} bytes): {error.strerror or error}; {advice} with --out, then run the same command again"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON that a person can read and a parser elsewhere accepts (no NaN)."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, advice: str = "delete it and run again") -> Any:
    """Read JSON.

    Raises:
        FileError: the file is missing or not JSON.
    """
    return parse_json(read_text(path), str(path), advice)


def content_hash(*parts: bytes | str) -> str:
    """Hexadecimal SHA-256 of the parts, each preceded by its length so that no two lists of parts collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
