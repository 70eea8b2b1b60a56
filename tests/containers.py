"""The same rows in every container."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

N, WIDTH = 50, 8
CAPTIONS = [f"a red cube number {row} and a blue ball" for row in range(N)]


def planted(n: int = N, width: int = WIDTH, kind: type = np.float16) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(n, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(kind)


def clip_retrieval(
    folder: Path, rows: np.ndarray, captions: list[str] = CAPTIONS, text: np.ndarray | None = None
) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    half = len(rows) // 3
    for name, values in (("img", rows), ("text", text)):
        if values is None:
            continue
        (folder / f"{name}_emb").mkdir(parents=True)
        np.save(folder / f"{name}_emb" / f"{name}_emb_2.npy", values[:half])
        np.save(folder / f"{name}_emb" / f"{name}_emb_10.npy", values[half:])
    (folder / "metadata").mkdir()
    for number, part in ((2, captions[:half]), (10, captions[half:])):
        paths = [f"pictures/{row}.png" for row in range(len(part))]
        table = pa.table({"caption": pa.array(part, pa.string()), "image_path": paths})
        pq.write_table(table, folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def one_array(path: Path, rows: np.ndarray) -> Path:
    np.save(path, rows)
    return path


def shards(folder: Path, rows: np.ndarray) -> str:
    folder.mkdir()
    for number, part in enumerate(np.array_split(rows, 12)):
        np.save(folder / f"part-{number}.npy", part)
    return str(folder / "part-*.npy")


def parquet(
    path: Path, rows: np.ndarray, *, fixed: bool = True, missing: int = 0, **more: Any
) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [None] * missing + rows.astype(np.float32).tolist()
    width = rows.shape[1] if fixed else -1
    columns = {"vector": pa.array(cells, pa.list_(pa.float32(), width))}
    columns["caption"] = [*["lost"] * missing, *CAPTIONS[: len(rows)]]
    pq.write_table(pa.table(columns | more), path, row_group_size=16)
    return path


def lance(path: Path, rows: np.ndarray, *, missing: int = 0) -> Path:
    made = pytest.importorskip("lance")
    import pyarrow as pa

    cells = [None] * missing + rows.astype(np.float32).tolist()
    kind = pa.list_(pa.float32(), rows.shape[1])
    table = pa.table({"vector": pa.array(cells, kind), "caption": ["lost"] * missing + CAPTIONS})
    made.write_dataset(table, str(path))
    return path


def duck(path: Path, rows: np.ndarray, *, missing: int = 0) -> Path:
    made = pytest.importorskip("duckdb")
    database = made.connect(str(path))
    database.execute(f"CREATE TABLE items (vector FLOAT[{rows.shape[1]}], caption VARCHAR)")
    cells = [None] * missing + rows.astype(np.float32).tolist()
    both = zip(cells, ["lost"] * missing + CAPTIONS, strict=True)
    database.executemany("INSERT INTO items VALUES (?, ?)", list(map(list, both)))
    database.close()
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def tar(
    path: Path,
    rows: np.ndarray,
    first: int = 0,
    *,
    failed: int = 0,
    told: str = "txt",
    captions: list[str] = CAPTIONS,
    picture: Callable[[int], bytes] | None = None,
) -> Path:
    """A shard whose samples lie in another order than in the table beside it; with the file of each
    sample's picture where one is given.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = [f"{first + row:05d}" for row in range(len(rows))]
    with tarfile.open(path, "w") as archive:
        for row in np.random.default_rng(1).permutation(len(rows)):
            content = io.BytesIO()
            np.save(content, rows[row])
            caption = captions[first + row]
            if picture is not None:
                _add(archive, f"{keys[row]}.jpg", picture(first + row))
            _add(archive, f"{keys[row]}.npy", content.getvalue())
            if told == "txt":
                _add(archive, f"{keys[row]}.txt", caption.encode())
            if told == "json":
                _add(archive, f"{keys[row]}.json", json.dumps({"caption": caption}).encode())
    lost = [f"lost{row}" for row in range(failed)]
    told_of = [*["lost"] * failed, *captions[first : first + len(rows)]]
    status = ["failed_to_download"] * failed + ["success"] * len(rows)
    table = pa.table({"key": lost + keys, "caption": told_of, "status": status})
    pq.write_table(table, path.with_suffix(".parquet"))
    return path
