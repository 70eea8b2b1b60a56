"""What several commands share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any


def drawn(table: Any, modalities: Any, folder: Path, seed: int) -> Any:
    """The table with pictures, drawn where it has none of its own."""
    if table.drawing is None or table.images is not None or "image" not in modalities:
        return table
    from conceptbind.drawing import draw_pictures

    with progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
        return draw_pictures(table, folder, seed=seed, on_picture=bar.update)


def few_captions(table: Any) -> list[str]:
    """Captions of at most 64 scenes, among which each of the first objects occurs."""
    import numpy as np

    _, first = np.unique(table.objects.ravel(), return_index=True)
    return [table.caption(int(row)) for row in np.unique(first // table.n_slots)[:64]]


def rows_with_bar(source: Any, table: Any, modality: Any, folder: Path, what: str = "") -> Any:
    """Embeddings of one modality, with a progress bar where they have to be computed."""
    from conceptbind.sources import rows_of

    with progress(total=len(table), desc=f"embedding {what or modality}", unit="scene") as bar:
        return rows_of(source, table, modality, folder, bar.update)


def progress(**options: Any) -> Any:
    """A progress bar on the error stream."""
    from tqdm import tqdm

    return tqdm(dynamic_ncols=True, file=sys.stderr, mininterval=0.5, **options)


def default_folder(config: dict[str, Any]) -> Path:
    """runs/ENCODER-SCENES, with what a file name cannot hold replaced."""
    names = (str(config[part]).rstrip("/") for part in ("encoder", "scenes"))
    slug = "-".join(
        re.sub(r"[^A-Za-z0-9._]+", "-", name.split("/")[-1] if name.count("/") > 1 else name).strip("-") for name in names
    )
    return Path("runs") / slug
