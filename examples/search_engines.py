# ruff: noqa: T201
"""The same repair in front of six search engines; none of their indexes is built again.

python examples/search_engines.py ADAPTER_FOLDER --engine qdrant
Each function below puts rows into an engine once and returns its search. Every caption of the
scenes is searched twice: as the encoder embeds it, and mapped by the adapter. A swap error is a
search whose first hit has the colours exchanged. An adapter for it: conceptbind repair tiny
--out ADAPTER_FOLDER. Needs: pip install 'conceptbind[engines]'.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conceptbind import ConceptBindError, load_scenes
from conceptbind.encoders import resolve
from conceptbind.pictures import draw_pictures
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.labclip import load_adapter
from conceptbind.scenes import attribute_swaps

ENCODER = resolve("tiny", device="cpu")
Search = Callable[[Any, int], Any]
"""From queries (q, d) and k to the numbers of the k nearest rows, (q, k)."""


def faiss(rows: Any) -> Search:
    """A flat index of faiss; of unit rows inner products are cosines."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return lambda queries, k: index.search(queries, k)[1]


def qdrant(rows: Any) -> Search:
    """Qdrant in this process; for a server write QdrantClient(url=...)."""
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    client = QdrantClient(":memory:")
    width = VectorParams(size=rows.shape[1], distance=Distance.COSINE)
    client.create_collection("pictures", vectors_config=width)
    client.upload_collection("pictures", vectors=rows, ids=range(len(rows)))

    def search(queries: Any, k: int) -> Any:
        answers = [client.query_points("pictures", query=one, limit=k) for one in queries]
        return [[point.id for point in answer.points] for answer in answers]

    return search


def lancedb(rows: Any) -> Search:
    """A table of LanceDB in a folder."""
    import lancedb

    data = [{"id": number, "vector": row} for number, row in enumerate(rows)]
    table = lancedb.connect(tempfile.mkdtemp()).create_table("pictures", data)

    def search(queries: Any, k: int) -> Any:
        answers = [table.search(one).distance_type("cosine").limit(k) for one in queries]
        return [[hit["id"] for hit in answer.to_list()] for answer in answers]

    return search


def duckdb(rows: Any) -> Search:
    """A table of DuckDB, searched by its own cosine."""
    import duckdb

    table, width = duckdb.connect(), rows.shape[1]
    table.execute(f"CREATE TABLE pictures (id INTEGER, vector FLOAT[{width}])")
    table.executemany("INSERT INTO pictures VALUES (?, ?)", list(enumerate(rows.tolist())))
    nearest = f"array_cosine_similarity(vector, ?::FLOAT[{width}])"
    order = f"SELECT id FROM pictures ORDER BY {nearest} DESC LIMIT ?"  # noqa: S608

    def search(queries: Any, k: int) -> Any:
        answers = [table.execute(order, [one, k]).fetchall() for one in queries.tolist()]
        return [[number for (number,) in answer] for answer in answers]

    return search


def pgvector(rows: Any) -> Search:
    """A table of PostgreSQL with pgvector; the server is the one of PGHOST, PGUSER, ..."""
    import psycopg
    from pgvector.psycopg import register_vector

    try:
        server = psycopg.connect(autocommit=True)
    except psycopg.OperationalError as error:
        raise ConnectionError(str(error).strip()) from error
    server.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(server)
    server.execute(f"CREATE TEMPORARY TABLE pictures (id int, vector vector({rows.shape[1]}))")
    with server.cursor() as cursor:
        cursor.executemany("INSERT INTO pictures VALUES (%s, %s)", list(enumerate(rows)))

    def search(queries: Any, k: int) -> Any:
        order = "SELECT id FROM pictures ORDER BY vector <=> %s LIMIT %s"
        answers = [server.execute(order, [one, k]).fetchall() for one in queries]
        return [[number for (number,) in answer] for answer in answers]

    return search


def sentence_transformers(rows: Any) -> Search:
    """No engine: the search that sentence-transformers has for rows in memory."""
    from sentence_transformers.util import semantic_search

    def search(queries: Any, k: int) -> Any:
        answers = semantic_search(queries, rows, top_k=k)
        return [[hit["corpus_id"] for hit in answer] for answer in answers]

    return search


ENGINES = {
    build.__name__.replace("_", "-"): build
    for build in (faiss, qdrant, lancedb, duckdb, pgvector, sentence_transformers)
}


def swap_errors(search: Search, queries: Any, there: Any, swapped: Any) -> int:
    """Searches whose first hit shows the objects of the swap, in any order.

    Args:
        search: of the engine.
        queries: (q, d) unit rows.
        there: (n, 2) the objects of each picture, sorted.
        swapped: (q, 2) those of each query with the colours exchanged, sorted.
    """
    first = np.asarray(search(queries, 1))[:, 0]
    return int((there[first] == swapped).all(axis=1).sum())


def main(adapter: Path, engine: str) -> None:
    """Index the pictures once, and search all captions before and after the repair."""
    rows, queries, there, swapped = pictures_and_captions()
    try:
        search = ENGINES[engine](rows)
    except ImportError as error:
        sys.exit(f"{engine} needs {error.name}; run: pip install 'conceptbind[engines]'")
    except OSError as error:
        sys.exit(f"{engine} could not be reached: {error}")
    repair = load_adapter(adapter)
    repair.require(ENCODER.id, ENCODER.revision)
    for title, found in (("before the repair", queries), ("after it, same index", repair(queries))):
        wrong = swap_errors(search, found, there, swapped)
        print(f"{engine}, {title}: {wrong} of {len(queries)} searches find the colours exchanged")


def pictures_and_captions() -> tuple[Any, Any, Any, Any]:
    """Unit rows of pictures and of captions, and the objects of each picture and of each swap."""
    with tempfile.TemporaryDirectory() as folder:
        scenes = draw_pictures(load_scenes("clevr2d"), Path(folder), seed=1)
        pictures = [read_picture(Path(folder) / name) for name in scenes.images or ()]
        rows = ENCODER.encode_images(pictures)
    asked, exchanged = attribute_swaps(scenes, "color")
    queries = ENCODER.encode_texts([scenes.caption(row) for row in asked])
    swapped = np.sort(scenes.space.object_ids(exchanged), axis=1)
    return unit(rows), unit(queries), np.sort(scenes.objects, axis=1), swapped


def unit(rows: Any) -> Any:
    """Rows divided by their length, so that every engine's score is the cosine."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--engine", choices=ENGINES, default="faiss")
    try:
        main(**vars(parser.parse_args()))
    except ConceptBindError as error:
        sys.exit(str(error))
