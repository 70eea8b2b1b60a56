"""What is too large, too deep or no file at all is refused with the reason, before memory is
taken.
"""

from __future__ import annotations

import math
import numbers
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, ValueRangeError
from conceptbind.core.text import read_text

if TYPE_CHECKING:
    import yaml

CONFIG_BYTES = 1 << 20
"""A file of options is a page of text."""
CONFIG_DEPTH = 20
"""Lists in lists of a file of options."""
UNPACKED_BYTES = 1 << 30
UNPACKED_RATIO = 100
"""An archive that unpacks to more than so many bytes, and to so many times its size, holds nothing
worth reading."""
MEMORY_SHARE = 0.8
"""Share of the machine's memory that one step may ask for."""
NUMBERS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 4_000_000_000),
    "seeds": (1, 1_000),
    "jobs": (1, 1_024),
    "processes": (1, 1_024),
    "stack": (1, 1_024),
    "values": (2, 10_000_000),
    "concepts": (1, 25),
    "objects": (1, 1_000),
    "width": (1, 1 << 17),
    "depth": (1, 1_000),
    "heads": (1, 1_024),
    "feed_forward": (1, 1 << 19),
    "dimension": (1, 1 << 17),
    "batch": (1, 10_000_000),
    "steps": (1, 100_000_000),
    "epochs": (1, 1_000_000),
    "size": (16, 4_096),
    "rate": (0.0, 1e6),
    "concept_weight": (0.0, 1e6),
}
"""Least and most of each option that is a number, whole where its bounds are; one that is left out
(None) is not looked at."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_SURROGATE = re.compile("[\ud800-\udfff]")


def require_regular(path: Path, expected: str = "a file", what: str = "") -> Path:
    """The path of a file whose content ends.

    Args:
        path: where it should lie.
        expected: there, for the message.
        what: the file is, with a space behind it, for the message ("the table ").

    Raises:
        FileError: nothing is there, or a folder, a named pipe, a socket or a device, which could be
            read for ever.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "a null byte is in its name"
        raise FileError(f"could not read {what}{path}: {reason}; expected {expected}") from error
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "no plain file")
        raise FileError(f"could not read {what}{path}: it is {kind}; expected {expected}")
    return path


def require_plain_files(folder: Path) -> Path:
    """A model folder that a library will read by itself, and in it and its subfolders nothing that
    could be read for ever.

    Raises:
        FileError: a named pipe, a socket or a device is there.
    """
    for path in (*folder.glob("*"), *folder.glob("*/*")):
        if path.exists() and not path.is_dir():
            require_regular(path, "a plain file", "the model file ")
    return folder


@contextmanager
def open_tensors(path: Path, framework: str = "numpy") -> Iterator[Any]:
    """A safetensors file, to be read tensor by tensor.

    Raises:
        FileError: see `require_regular`; the library itself would wait at a named pipe for ever.
        SafetensorError: the file is damaged.
    """
    from safetensors import safe_open

    with safe_open(require_regular(path, "a safetensors file"), framework=framework) as file:
        yield file


def first_repeated(names: Iterable[str]) -> str | None:
    """The first name that was there before; None where all differ. One pass, however many there
    are.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def require_numbers(options: Mapping[str, Any]) -> None:
    """Raise ValueRangeError unless every option that `NUMBERS` names is such a number, or a list of
    them.
    """
    for name, value in options.items():
        if name in NUMBERS and value is not None:
            for number in value if isinstance(value, list | tuple) else (value,):
                _require_number(name, number)


def _require_number(name: str, number: object) -> None:
    least, most = NUMBERS[name]
    whole = isinstance(least, int)
    kinds: Any = numbers.Integral if whole else numbers.Real
    if not isinstance(number, kinds) or isinstance(number, bool) or not least <= number <= most:
        kind = "a whole number" if whole else "a number"
        shown = f"{number!r:.40}" + "..." * (len(repr(number)) > 40)
        raise ValueRangeError(f"--{name} must be {kind} from {least:,} to {most:,}; got {shown}")


def require_whole(name: str, number: object) -> None:
    """Raise ValueRangeError unless something is a whole number."""
    if not isinstance(number, numbers.Integral) or isinstance(number, bool):
        raise ValueRangeError(f"{name} must be a whole number; got {number!r:.40}")


def read_options(path: Path, advice: str = "write the options again") -> dict[str, Any]:
    """A YAML file of options, without anchors, which let a few lines stand for gigabytes or for
    themselves.

    Raises:
        FileError: it is not a file of options, or longer, deeper or more tangled than one is.
    """
    import yaml

    size = require_regular(path, "a YAML file of options").stat().st_size
    if size > CONFIG_BYTES:
        raise FileError(
            f"{path} has {size:,} bytes; a file of options has at most {CONFIG_BYTES:,}; {advice}"
        )
    text = read_text(path, "the options")
    try:
        found = load_options(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"{path} is not a file of options ({reason}); {advice}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise FileError(f"{path} holds no options: expected lines of NAME: VALUE; {advice}")
    for value in plain_values(found):
        if isinstance(value, str) and (
            "\0" in value or (not value.isprintable() and _SURROGATE.search(value))
        ):
            raise FileError(
                f"{path} holds a character that no name and no caption has: {value!a:.60}; {advice}"
            )
    return found


def load_options(text: str) -> Any:
    """YAML as plain values; raises YAMLError also for anchors, aliases and what is nested more than
    `CONFIG_DEPTH` deep.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if (anchor := getattr(event, "anchor", None)) is not None:
            raise yaml.YAMLError(
                f"the anchor or alias '{anchor:.40}' is not read: write its value out"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
            event, yaml.CollectionEndEvent
        )
        if depth > CONFIG_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {CONFIG_DEPTH} deep")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        refuse_twice(node)
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def refuse_twice(node: yaml.Node | None) -> None:
    """Raise where a name stands twice in one mapping: of two values YAML would take the last.

    Raises:
        yaml.YAMLError: names the name and both lines.
    """
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            refuse_twice(part)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[object, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if isinstance(name, yaml.ScalarNode):
            if name.value in lines:
                raise yaml.YAMLError(
                    f"'{name.value:.60}' stands twice, in lines {lines[name.value]} and {line}: "
                    "leave one out"
                )
            lines[name.value] = line
        refuse_twice(value)


def plain_values(value: object) -> Iterator[Any]:
    """Every plain value of options, those in lists and dictionaries too."""
    if isinstance(value, dict):
        value = (*value, *value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from plain_values(part)
    else:
        yield value


def memory() -> int:
    """Bytes of memory that this process may have: those of the machine, or of its container where
    that has fewer.
    """
    found = [1 << 62]
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(place).read_text(encoding="ascii")))
    return min(number for number in found if number > 0)


def device_memory(device: str) -> int:
    """Bytes of memory where torch computes: the GPU's, else this machine's."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    return memory()


def require_memory(needed: float, what: str, advice: str, available: int | None = None) -> None:
    """Raise ValueRangeError where something needs more memory than there is.

    Args:
        needed: bytes, at least.
        what: that needs them, as the subject of a sentence.
        advice: what to do.
        available: bytes; those of this machine by default.
    """
    available = memory() if available is None else available
    if needed > MEMORY_SHARE * available:
        raise ValueRangeError(
            f"{what} needs at least {_size(needed)} of memory, and {_size(available)} are there; "
            f"{advice}"
        )


def _size(n_bytes: float) -> str:
    """Bytes as people say them."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1024 or unit == "TiB":
            return (
                f"{n_bytes:,.0f} {unit}"
                if n_bytes >= 10 or unit == "bytes"
                else f"{n_bytes:.1f} {unit}"
            )
        n_bytes /= 1024
    raise AssertionError


def require_archive(path: Path) -> None:
    """See that a zip file (.npz, .pt) can be unpacked: by the sizes that it states, which its
    reader holds it to.

    Raises:
        FileError: it is damaged, unpacks to far more than it is, or to more than memory holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile raises what it likes for a damaged directory
        raise FileError(
            f"{path} is damaged: {(str(error) or type(error).__name__):.200}; copy it again"
        ) from error
    if (twice := first_repeated(member.filename for member in members)) is not None:
        raise FileError(f"{path} is damaged: it holds '{twice}' twice; write it again")
    require_unpacked(
        path, sum(member.file_size for member in members), "write the arrays as .npy files"
    )


def require_unpacked(path: Path, total: int, advice: str) -> None:
    """Raise FileError where what a file unpacks to at once is not an honest multiple of its size,
    or more than memory holds.

    Args:
        path: the file.
        total: bytes that it states to unpack to.
        advice: what to do where it is refused.
    """
    size = max(1, path.stat().st_size)
    if total > UNPACKED_BYTES and total > UNPACKED_RATIO * size:
        raise FileError(
            f"{path} is refused: its {_size(size)} would unpack to {_size(total)}; {advice}"
        )
    if total > MEMORY_SHARE * memory():
        raise FileError(
            f"{path} unpacks to {_size(total)}, more than the memory of {_size(memory())} holds; "
            "split it"
        )


def require_tensors(path: Path) -> None:
    """See that a torch file holds no more numbers than it has bytes for, before any is read.

    A tensor that is a view may state any shape over a few stored numbers (a stride of 0).

    Raises:
        FileError: a tensor is larger than the file that should hold it; names it.
    """
    import warnings

    import torch

    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    if zipped:
        require_archive(path)
        _require_sums(path)
    size = path.stat().st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="meta", weights_only=True)
    except Exception:
        return
    for name, tensor in _tensors(found):
        states = tensor.numel() * tensor.element_size()
        if states > size * (UNPACKED_RATIO if zipped else 1):
            raise FileError(
                f"{path} is refused: '{name}' of shape {tuple(tensor.shape)} would take "
                f"{_size(states)}, and the file has {_size(size)}; save it again with its numbers "
                "written out (tensor.contiguous())"
            )


def _require_sums(path: Path) -> None:
    """See that the members of a torch file are those that were written, which its reader does not;
    some are written without sums.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = (
                archive.testzip() if any(member.CRC for member in archive.infolist()) else None
            )
    except Exception as error:  # zipfile raises what it likes for damaged members
        raise FileError(
            f"{path} is damaged: {(str(error) or type(error).__name__):.200}; copy it again"
        ) from error
    if damaged is not None:
        raise FileError(
            f"{path} is damaged: the checksum of its part '{damaged:.80}' does not fit; copy it "
            "again"
        )


def _tensors(found: object) -> Iterator[tuple[str, Any]]:
    """Every tensor of a state dict, or of one inside it, by name."""
    if hasattr(found, "items"):
        for name, value in found.items():
            if hasattr(value, "element_size"):
                yield str(name), value
            elif hasattr(value, "items"):
                yield from _tensors(value)


def require_npy(path: Path) -> None:
    """See that a `.npy` file holds as many bytes as its header states.

    Raises:
        FileError: its header is damaged, or states more or less than there is.
    """
    with path.open("rb") as file:
        header_of(file, path.stat().st_size, str(path))


def header_of(file: Any, size: int, where: str) -> tuple[tuple[int, ...], Any]:
    """Shape and kind of numbers that a `.npy` stream states; see `layout_of`."""
    shape, kind, _ = layout_of(file, size, where)
    return shape, kind


def layout_of(file: Any, size: int, where: str) -> tuple[tuple[int, ...], Any, bool]:
    """Shape and kind of numbers that a `.npy` stream states, which must be what its bytes hold, and
    whether they stand row by row (C order).

    Args:
        file: at the beginning of the array.
        size: bytes of the stream.
        where: what is read, for messages.

    Raises:
        FileError: the header is damaged, or states more or less than there is.
        UnsafeFileError: the array holds Python objects.
    """
    import numpy as np

    from conceptbind.core.errors import UnsafeFileError

    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"format {version} is not known")
        form = np.lib.format
        read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
        shape, by_column, kind = read(file)
        offset = file.tell()
    except (
        Exception
    ) as error:  # what a damaged header makes numpy raise: syntax errors, overflows, ...
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(
            f"could not read {where}: its header is damaged ({reason:.200}); write it again with "
            "numpy.save"
        ) from error
    if kind.hasobject:
        raise UnsafeFileError(
            f"{where} holds Python objects, which only a pickle can restore; save plain numbers"
        )
    stated = math.prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or stated != size - offset:
        raise FileError(
            f"{where} is damaged: its header states {kind} of shape {shape}, which takes "
            f"{stated:,} bytes, and {size - offset:,} follow; write the array again with numpy.save"
        )
    return shape, kind, not by_column
