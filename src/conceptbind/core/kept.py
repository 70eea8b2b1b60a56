"""What is kept on disk so that a killed command continues: the one store of the package.

- `Kept` is a folder that belongs to one identity: the options, or the encoder and the scenes, that
  decide what lies there. A file in it, the label, says which. Two identities are compared in one
  place, and every difference is named in one form of message.
- A piece is a file that was computed. It appears whole, states what it belongs to, and is believed
  only where its checksum fits: `write_piece` and `read_piece` for arrays,
  `core.files.write_checked_json` and `read_checked_json` for plain values.

Nothing here removes a file. A label without pieces may be written again, since it only says what
was to come; a folder with any file besides belongs to its label for good. `core.ownership` keeps
other commands out while one writes.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from conceptbind.core.errors import FileError, MismatchError
from conceptbind.core.files import (
    ASIDE,
    CHECKSUM,
    content_hash,
    file_hash,
    read_json,
    write_json,
    write_whole,
)
from conceptbind.core.limits import open_tensors, read_options
from conceptbind.core.ownership import LOCK
from conceptbind.core.text import parse_json

if TYPE_CHECKING:
    from jaxtyping import Shaped
    from numpy.typing import NDArray

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]

S = TypeVar("S")
CHOOSE = "choose another folder with --out, or delete that one"
AGAIN = "delete it and run the same command again"
FACTS = "facts"
"""The entry of a piece's header under which the facts stand, as JSON."""
LONGEST = 80
"""Characters of a value in a message."""
_WORDS = {
    "Object missing required field": "it lacks",
    "Invalid enum value": "unknown value",
    "Expected": "expected",
    "array": "list",
    "object": "names and values",
}
"""What types are called in messages: those of msgspec, and of a reader of JSON."""
_NO_FILES = (LOCK, "lost+found")
"""What may lie in a folder that nobody has written to."""


def differences(
    there: Mapping[str, Any], now: Mapping[str, Any], apart: Collection[str] = ()
) -> str:
    """Every option in which two identities differ, with both values; empty where there is none.

    Args:
        there: what the folder belongs to.
        now: what was asked for.
        apart: options that decide nothing.
    """
    old, new = _leaves(there, apart), _leaves(now, apart)
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return "; ".join(
        f"{name}: {_shown(old.get(name))} there, {_shown(new.get(name))} now" for name in names
    )


def require_same(
    there: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    place: Path,
    holds: str,
    apart: Collection[str] = (),
) -> None:
    """Raise MismatchError, which names every difference, unless two identities are the same.

    Args:
        there: see `differences`, as `now` and `apart`.
        now: see there.
        place: the folder or file.
        holds: what it holds where they differ (`another run`).
        apart: see there.
    """
    if other := differences(there, now, apart):
        raise MismatchError(f"{place} holds {holds} ({other}); {CHOOSE}")


def _leaves(identity: Mapping[str, Any], apart: Collection[str]) -> dict[str, Any]:
    """Plain values by name; what stands in a dictionary has the dictionary's name before its
    own.
    """
    found: dict[str, Any] = {}
    left = deque((name, value) for name, value in identity.items() if name not in apart)
    while left:
        name, value = left.popleft()
        if isinstance(value, Mapping):
            left.extendleft((f"{name}.{inner}", value[inner]) for inner in [*value][::-1])
        else:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _shown(value: object) -> str:
    return "none" if value is None else f"{value!r:.{LONGEST}}"


@dataclass(frozen=True)
class Kept:
    """A folder of pieces that belong to one identity.

    `check` before work begins, `begin` right before the first piece is written: a command that was
    killed earlier leaves no claim behind.
    """

    folder: Path
    label: str
    """Name of the file that says whose the folder is, `.json` or `.yaml`."""
    holds: str
    """What the folder holds where it belongs to another identity, for messages: `another run`."""
    identity: Mapping[str, Any]
    """Names and plain values, all that decides the pieces."""
    pieces: str = "*"
    """Pattern of the names of pieces; `*` for every file, in subfolders too."""
    apart: tuple[str, ...] = (CHECKSUM, "versions")
    """What the label or the identity also says and does not decide the pieces."""

    def check(self) -> dict[str, Any] | None:
        """What the label says, where the folder is ours; None where it is nobody's.

        Raises:
            MismatchError: it belongs to another identity (names every difference), or holds files
                and no label.
            FileError: the label is broken.
        """
        there = self.found()
        if there is not None and not differences(there, self.identity, self.apart):
            return there
        empty = next(self.done(), None) is None
        if there is None and not empty:
            raise MismatchError(
                f"{self.folder} holds files but no {self.label}, which would say whose they are; "
                "choose an empty or new folder with --out"
            )
        if there is not None and not (empty and self._alike(there)):
            require_same(
                there, self.identity, place=self.folder, holds=self.holds, apart=self.apart
            )
        return None

    def _alike(self, there: Mapping[str, Any]) -> bool:
        """Whether a label has the names of ours; else it may be somebody else's file."""
        return {*there} - {*self.apart} == {*self.identity} - {*self.apart}

    def begin(self, **facts: Any) -> dict[str, Any]:
        """Make the folder ours, or see that it is; returns what the label says.

        Args:
            facts: what a new label says besides the identity; their names are in `apart`.

        Raises:
            MismatchError, FileError: see `check`; the folder cannot be written.
        """
        there = self.check()
        return self.note(dict(self.identity) | facts) if there is None else there

    def note(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Write the label again, where it says something else."""
        told, path = dict(said), self.folder / self.label
        if self.found() != told:
            if path.suffix == ".json":
                write_json(path, told)
            else:
                import yaml

                write_whole(path, yaml.safe_dump(told, sort_keys=False, allow_unicode=True))
        return told

    def seal(self, checksum: str | None) -> None:
        """Say in the label that all pieces are there, by a checksum of them all; None takes that
        back while pieces are added.
        """
        said = {name: value for name, value in (self.found() or {}).items() if name != CHECKSUM}
        self.note(said if checksum is None else said | {CHECKSUM: checksum})

    def found(self) -> dict[str, Any] | None:
        """What the label says; None where there is none."""
        return read_label(self.folder / self.label)

    def done(self) -> Iterator[Path]:
        """Files that are there besides the label, as far as they may be pieces; a link to a folder
        may lead to some.
        """
        for place, folders, files in os.walk(self.folder):
            links = [name for name in folders if (Path(place) / name).is_symlink()]
            top = Path(place) == self.folder
            for name in (*files, *links):
                passing = name in _NO_FILES or ASIDE.fullmatch(name) or (top and name == self.label)
                if not passing and fnmatch(name, self.pieces):
                    yield Path(place) / name
            if self.pieces != "*":
                return


def read_label(path: Path) -> dict[str, Any] | None:
    """What a label says whose folder a folder is; None where there is none.

    Raises:
        FileError: it is broken.
    """
    if not path.is_file():
        return None
    if path.suffix != ".json":
        return read_options(path, CHOOSE)
    found = read_json(path, CHOOSE)
    if not isinstance(found, dict):
        raise FileError(f"{path} does not say whose its folder is; {CHOOSE}")
    return found


@dataclass(frozen=True, eq=False)
class Piece:
    """Arrays that were computed, and what they belong to."""

    facts: dict[str, Any]
    arrays: dict[str, Shaped[NDArray[Any], " ..."]]
    checksum: str
    """Hash of both."""


def write_piece(path: Path, arrays: Arrays, facts: Mapping[str, Any]) -> str:
    """Write arrays and facts as one safetensors file, whole; returns its checksum.

    Args:
        path: of the file.
        arrays: by name.
        facts: what they belong to and what else is to be known of them, as plain values.

    Raises:
        FileError: the disk is full or the folder is not writable.
    """
    from safetensors.numpy import save

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    told = json.dumps(dict(facts))
    checksum = _sum(told, whole)
    written = save(whole, metadata={FACTS: told, CHECKSUM: checksum})
    write_whole(path, _in_order(written))
    return checksum


def _in_order(written: bytes) -> bytes:
    """A safetensors file whose header is in order, since the library writes the names of its
    metadata in any: the same arrays and facts are the same bytes.
    """
    start = 8  # the length of the header stands first
    end = start + int.from_bytes(written[:start], "little")
    ordered = json.dumps(json.loads(written[start:end]), sort_keys=True, separators=(",", ":"))
    header = ordered.encode()
    header += b" " * (-len(header) % start)
    return len(header).to_bytes(start, "little") + header + written[end:]


def read_piece(path: Path, advice: str = AGAIN) -> Piece:
    """What `write_piece` wrote, and not a byte else.

    Raises:
        FileError: it is missing, broken, or was changed since.
    """
    from safetensors import SafetensorError

    try:
        with open_tensors(path) as file:
            written = file.metadata() or {}
            # No dictionary.
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told, checksum = written[FACTS], written[CHECKSUM]
        if checksum == _sum(told, arrays):
            return Piece(parse_json(told, str(path), advice), arrays, checksum)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is broken ({error}); {advice}") from error
    raise _changed(path, advice)


def read_header(path: Path, advice: str = AGAIN) -> Piece:
    """The facts and the checksum that a piece states, without its arrays: they are not checked.

    Raises:
        FileError: it is missing or broken.
    """
    from safetensors import SafetensorError

    try:
        with open_tensors(path) as file:
            written = file.metadata() or {}
        return Piece(parse_json(written[FACTS], str(path), advice), {}, written[CHECKSUM])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is broken ({error}); {advice}") from error


def require_content(
    path: Path, checksum: str, advice: str, hashed: Callable[[Path], str] = file_hash
) -> Path:
    """The path of a file whose content is that of a hash.

    Args:
        path: of the file.
        checksum: that was written down.
        advice: what to do where it does not fit.
        hashed: how it was hashed.

    Raises:
        FileError: the content is another, or no file is there.
    """
    if hashed(path) != checksum:
        raise _changed(path, advice)
    return path


def as_struct(found: object, kind: type[S], path: Path, advice: str) -> S:
    """What a file holds, as a msgspec struct; entries that the struct has not are passed over.

    Args:
        found: plain values, as `read_json` gives them.
        kind: the struct.
        path: of the file, for messages.
        advice: what to do where it does not fit.

    Raises:
        FileError: an entry is missing, or of another type or size than the struct says; names it.
    """
    import msgspec

    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at $.")
        for theirs, ours in _WORDS.items():
            reason = reason.replace(theirs, ours)
        where = f" at {place:.60}" if place else ""
        raise FileError(f"{path} is damaged{where}: {reason:.200}; {advice}") from error


def _changed(path: Path, advice: str) -> FileError:
    return FileError(
        f"{path} was changed or damaged since it was written (its checksum does not fit); {advice}"
    )


def _sum(told: str, arrays: Arrays) -> str:
    parts: list[bytes | str] = [told]
    for name in sorted(arrays):
        array = arrays[name]
        parts += [name, str(array.dtype), repr(array.shape), array.tobytes()]
    return content_hash(*parts)
