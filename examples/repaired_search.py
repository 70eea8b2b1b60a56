# ruff: noqa: T201
"""A search engine is repaired without touching its index of pictures.

python examples/repaired_search.py ADAPTER_FOLDER "red square and blue circle"
The index is built once, from the pictures as the encoder sees them. The adapter maps the query
alone, so the same index answers it. An adapter for it: conceptbind repair tiny --scenes clevr2d
--out ADAPTER_FOLDER. Needs faiss: pip install 'conceptbind[faiss]'.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from conceptbind import ConceptBindError, load_scenes
from conceptbind.encoders import resolve
from conceptbind.pictures import draw_pictures
from conceptbind.pictures.files import read_picture
from conceptbind.repairs.labclip import load_adapter


def show(title: str, index: Any, query: Any, captions: list[str], wanted: list[str]) -> None:
    """Print what the index answers; a star marks pictures of what was asked for."""
    scores, found = index.search(query, 5)
    print(f"\n{title}")
    for score, row in zip(scores[0], found[0], strict=True):
        print(
            f"  {'*' if all(part in captions[row] for part in wanted) else ' '} {score:.3f}  "
            f"{captions[row]}"
        )


def main(adapter: Path, text: str) -> None:
    """Draw and index pictures, then ask before and after the repair."""
    try:
        import faiss
    except ImportError:
        sys.exit("this example needs faiss; run: pip install 'conceptbind[faiss]'")
    repair, encoder = load_adapter(adapter), resolve("tiny", device="cpu")
    repair.require(encoder.id, encoder.revision)
    with tempfile.TemporaryDirectory() as folder:
        # two objects of 8 colours and 3 shapes: 576 pictures
        scenes = draw_pictures(load_scenes("clevr2d"), Path(folder), seed=1)
        rows = encoder.encode_images(
            [read_picture(Path(folder) / name) for name in scenes.images or ()]
        )
    query, captions, wanted = (
        encoder.encode_texts([text]),
        list(scenes.captions()),
        text.split(" and "),
    )
    for features in (rows, query):
        faiss.normalize_L2(features)  # in place, so that inner products are cosines
    index = faiss.IndexFlatIP(encoder.dimension)
    index.add(rows)  # once: nothing below adds to it
    show("before the repair", index, query, captions, wanted)
    show(f"after it, from the same {index.ntotal} pictures", index, repair(query), captions, wanted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("adapter", type=Path)
    parser.add_argument("text")
    try:
        main(**vars(parser.parse_args()))
    except ConceptBindError as error:
        sys.exit(str(error))
