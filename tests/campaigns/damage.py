"""Seeded damage: bytes, text, tables, JSON and YAML trees, arrays, pictures, and files that are
none.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    10**12,
    10**400,
    1.5,
    -0.0,
    float("nan"),
    float("inf"),
    "",
    " ",
    "a",
    "1",
    "\x00",
    "\ud800",
    "é" * 3,
    "\u2028",
    "x" * 5000,
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "<script>",
    [],
    {},
    [None],
    [[[]]],
    {"": 0},
    {"a": {"b": []}},
)
"""What stands where something else was expected."""
CELLS = (
    "",
    " ",
    "0",
    "nan",
    "-1",
    "red",
    "RED",
    "rde",
    '"',
    "'",
    ",",
    ";",
    "\t",
    "\x00",
    "é",
    "\u2028",
    "x" * 5000,
    "=1+1",
    "1e400",
)


def bytes_flipped(data: bytes, draw: random.Random) -> bytes:
    """One to eight bytes are others."""
    found = bytearray(data)
    for _ in range(draw.randint(1, 8)):
        if found:
            found[draw.randrange(len(found))] ^= draw.randint(1, 255)
    return bytes(found)


def head_flipped(data: bytes, draw: random.Random) -> bytes:
    """Bytes of the first 128, where formats keep what they say of themselves."""
    return bytes_flipped(data[:128], draw) + data[128:]


def cut(data: bytes, draw: random.Random) -> bytes:
    """The end is missing."""
    return data[: draw.randrange(max(len(data), 1))]


def grown(data: bytes, draw: random.Random) -> bytes:
    """Something is inserted."""
    at = draw.randint(0, len(data))
    more = draw.choice(
        [
            b"\x00" * 16,
            os.urandom(0) or draw.randbytes(16),
            data[:64],
            b"\xef\xbb\xbf",
            b"\r\n",
            b"\xff\xfe",
        ]
    )
    return data[:at] + more + data[at:]


def emptied(data: bytes, draw: random.Random) -> bytes:
    """Nothing, or nothing but zeros or spaces."""
    return draw.choice([b"", b"\n", b"\x00" * len(data), b" " * 10, b"{}", b"[]", b"null"])


def exchanged(data: bytes, draw: random.Random) -> bytes:
    """Another format's content."""
    text = draw.choice(
        [
            "a,b\n1,2\n",
            '{"a": 1}',
            "- 1\n- 2\n",
            "%PDF-1.4\n",
            "\x89PNG\r\n\x1a\n",
            "PK\x03\x04",
            "\x93NUMPY\x01\x00",
        ]
    )
    return text.encode("latin-1") + (data[10:] if draw.random() < 0.5 else b"")


def tree(data: bytes, draw: random.Random) -> bytes:
    """One node of a JSON or YAML tree is of another kind, missing, or there twice."""
    import yaml

    try:
        lines = data.decode().splitlines()
        several = len(lines) > 1 and lines[0].startswith("{") and lines[0].endswith("}")
        found = [json.loads(line) for line in lines] if several else yaml.safe_load(data.decode())
    except (ValueError, yaml.YAMLError):
        return bytes_flipped(data, draw)
    places = list(_places(found))
    if not places:
        return json.dumps(draw.choice(VALUES)).encode()
    holder, key = draw.choice(places)
    kind = draw.random()
    if kind < 0.2 and isinstance(holder, dict):
        del holder[key]
    elif kind < 0.3 and isinstance(holder, list):
        holder.append(holder[key])
    elif kind < 0.4 and isinstance(holder, dict):
        holder[draw.choice(["", "a", "é", "\x00", str(key) + "x"])] = holder.pop(key)
    else:
        holder[key] = draw.choice(VALUES)
    dumped = [json.dumps(one) for one in found] if several else [json.dumps(found)]
    return "\n".join(dumped).encode(errors="surrogatepass")


def _places(node: Any):
    pairs = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in list(pairs):
        yield node, key
        yield from _places(value)


def nested(data: bytes, draw: random.Random) -> bytes:
    """Deeper than any reader goes."""
    depth = draw.choice([200, 5000, 100_000])
    return draw.choice(
        [b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth, b"a: " * depth, b"- " * depth]
    )


def table(data: bytes, draw: random.Random) -> bytes:
    """One cell, row, column or the separator is another."""
    lines = data.decode(errors="replace").splitlines()
    if not lines:
        return b"a"
    rows = [line.split(",") for line in lines]
    row = draw.choice(rows) if draw.random() < 0.6 else rows[0]
    at = draw.randrange(len(row))
    kind = draw.randrange(8)
    if kind == 0:
        row[at] = draw.choice(CELLS)
    elif kind == 1:
        del row[at]
    elif kind == 2:
        row.insert(at, draw.choice(CELLS))
    elif kind == 3:
        rows.insert(draw.randrange(len(rows) + 1), row)
    elif kind == 4:
        rows[0][at % len(rows[0])] = draw.choice(rows[0])
    elif kind == 5:
        separator = draw.choice([";", "\t", "|", " ", ":"])
        return "\n".join(separator.join(one) for one in rows).encode()
    elif kind == 6:
        rows = rows[: draw.randint(0, 2)]
    else:
        encoding = draw.choice(["utf-16", "utf-8-sig", "latin-1", "cp1252", "utf-32"])
        return (
            "\r\n".join(",".join(one) for one in rows)
            .replace("red", "réd")
            .encode(encoding, errors="replace")
        )
    return "\n".join(",".join(one) for one in rows).encode(errors="surrogatepass")


def array(data: bytes, draw: random.Random) -> bytes:
    """Another type, shape, order or a number that is none."""
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return bytes_flipped(data, draw)
    if isinstance(values, np.lib.npyio.NpzFile):
        members = {name: _another(values[name], draw) for name in values.files}
        if draw.random() < 0.3:
            members[draw.choice(["extra", "ids", "image", "embeddings", ""]) or "x"] = np.array(
                [1, 2, 3]
            )
        if draw.random() < 0.2:
            members.pop(next(iter(members)))
        file = io.BytesIO()
        np.savez(file, **members)  # type: ignore[arg-type]
        return file.getvalue()
    file = io.BytesIO()
    np.save(file, _another(values, draw), allow_pickle=True)
    return file.getvalue()


def _another(values: np.ndarray, draw: random.Random) -> np.ndarray:
    if values.dtype.kind not in "fiu" or not values.size:
        return np.zeros(3)
    kinds: list[Callable[[], np.ndarray]] = [
        lambda: values.astype(
            draw.choice(
                ["float16", "int8", "uint64", "bool", "complex64", "U5", "S3", ">f4", "longdouble"]
            )
        ),
        lambda: values.astype(object),
        lambda: values.astype("datetime64[s]"),
        lambda: values[: draw.randrange(len(values))],
        lambda: np.concatenate([values, values[:1]]),
        values.ravel,
        lambda: values[None],
        lambda: np.array(values.flat[0]),
        lambda: values.T,
        lambda: values.reshape(len(values), -1)[:, :0],
        lambda: np.full_like(values, draw.choice([0, 1])),
        lambda: _put(values, draw.choice([np.nan, np.inf, -np.inf, 3e38]), draw),
        lambda: values.astype(np.float64) * draw.choice([1e300, 1e-300, 0.0]),
        lambda: np.zeros(len(values), dtype=[("a", "f4"), ("b", "i4")]),
    ]
    with np.errstate(all="ignore"):
        return draw.choice(kinds)()


def _put(values: np.ndarray, value: float, draw: random.Random) -> np.ndarray:
    changed = values.astype(np.float32)
    changed.flat[draw.randrange(changed.size)] = value
    return changed


def header(data: bytes, draw: random.Random) -> bytes:
    """The written header of an array or of tensors claims something else."""
    for kind in (
        b"'shape': (",
        b"'descr': '",
        b"'fortran_order': ",
        b'"shape":[',
        b'"dtype":"',
        b'"data_offsets":[',
    ):
        at = data.find(kind)
        if at >= 0 and draw.random() < 0.5:
            start = at + len(kind)
            more = draw.choice(
                [b"9" * 12, b"-1", b"0", b"x", b"|O8'", b"", b"F64", b"1e9", b"(2,3)"]
            )
            return (
                data[:start]
                + more
                + (data[start + len(more) :] if draw.random() < 0.7 else data[start:])
            )
    return head_flipped(data, draw)


ANY = (bytes_flipped, head_flipped, cut, grown, emptied, exchanged)
BY_SUFFIX: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    ".json": (tree, tree, tree, nested),
    ".jsonl": (tree, tree, nested),
    ".yaml": (tree, tree, tree, nested),
    ".csv": (table, table, table, table),
    ".npy": (array, array, array, header),
    ".npz": (array, array),
    ".safetensors": (header, header, array),
    ".pt": (header,),
    ".parquet": (cut, bytes_flipped),
}


def damage_file(path: Path, draw: random.Random) -> str:
    """Damage one file in place, or what stands in its place; the kind's name."""
    if draw.random() < 0.06:
        return _no_file(path, draw)
    kind = draw.choice((*ANY, *BY_SUFFIX.get(path.suffix, ()) * 2))
    path.write_bytes(kind(path.read_bytes(), draw))
    return kind.__name__


def _no_file(path: Path, draw: random.Random) -> str:
    path.unlink()
    kind = draw.choice(["missing", "folder", "pipe", "loop", "dangling", "device"])
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    return kind


def copied(world: Path, folder: Path) -> Path:
    """A copy of the world to damage."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world, folder, symlinks=True)
    return folder
